//! What is about versions, under faults: a deleted image comes back whole, and an erased one never.

use lablink_storage::ErrorKind;

use super::stage::{Stage, check};

impl Stage<'_> {
    pub async fn restore(&self) -> Result<(), String> {
        let key = self.seed().await;
        let deleted = self.own.delete(&key).await;
        deleted.map_err(|error| format!("it cannot be deleted: {error}"))?;
        let restored = self.timed(1, self.spoilt.restore(&key, None)).await?;
        if restored.is_err() {
            match self.own.restore(&key, None).await {
                Ok(_) => {}
                // The main object comes last: then all of it is there.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("it cannot be done again: {error}")),
            }
        }
        let done = restored.is_ok();
        check(
            self.is_whole(&key).await,
            &format!("success: {done}, and not whole in the end"),
        )?;
        // Beside it a sweep would finish the deletion.
        let marker = self.bytes_of(&self.marker(&key)).await;
        check(
            marker.is_none(),
            &format!("success: {done}, and it counts as deleted"),
        )
    }

    pub async fn erase(&self) -> Result<(), String> {
        let key = self.seed().await;
        // The deletion within it has a deadline of its own.
        let erased = self.timed(2, self.spoilt.erase(&key)).await?;
        if erased.is_err() {
            let again = self.own.erase(&key).await;
            again.map_err(|error| format!("it cannot be done again: {error}"))?;
        }
        // What keeps the form from being used again stays.
        let marker = self.marker(&key).to_string();
        let left = self.versions().await;
        check(
            left == [marker],
            &format!("success: {}, and these stay: {left:?}", erased.is_ok()),
        )
    }

    /// The keys of all versions and marks of deletions in this place.
    async fn versions(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for place in ["", "originals/", "pending/"] {
            let target = format!("?versions&prefix={place}{}/", self.prefix);
            let listed = self.bucket.send("GET", &target, "").await.ok().text();
            let listed = listed.split("<Key>").skip(1);
            keys.extend(listed.filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())));
        }
        keys
    }
}
