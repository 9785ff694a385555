//! Making images and variants anew under faults: what was there stays until what replaces it is whole.

use lablink_storage::ErrorKind;
use lablink_storage::ops::{RegenerateOptions, regenerate};

use super::photo;
use super::stage::{Stage, check};

impl Stage<'_> {
    /// Makes all variants of an image anew, and with `main` the image, too.
    pub async fn regenerate(&self, main: bool) -> Result<(), String> {
        let key = self.seed().await;
        let [image, thumb, original] = self.parts(&key);
        // Another picture lies where one is made, so that it shows which of them is there.
        let old = photo();
        for (part, _) in [&thumb].into_iter().chain(main.then_some(&image)) {
            let target = format!("/{part}");
            self.bucket.send("PUT", &target, old.clone()).await.ok();
        }
        let options = RegenerateOptions::default().with_all(true).with_main(main);
        let making = async {
            let report = regenerate(&self.spoilt, &options).await;
            let report = report.map_err(|error| error.to_string())?;
            let failure = report.failures.first().map(|failure| &failure.message);
            match report.stopped.as_ref().or(failure) {
                Some(problem) => Err(problem.clone()),
                None => Ok(()),
            }
        };
        // The listing, the reading and the writing have a deadline each.
        let done = self.timed(3, making).await?.is_ok();
        let new = if main { thumb.1 } else { &self.whole.alone };
        let thumb = (thumb.0, new);
        for ((part, new), is_made) in [(image, main), (thumb, true), (original, false)] {
            let found = self.bytes_of(&part).await;
            let found = found.ok_or_else(|| format!("success: {done}, and {part} is gone"))?;
            let is_new = found == *new;
            check(
                is_new || is_made && !done && found == old,
                &format!("success: {done}, and {part} is another"),
            )?;
        }
        Ok(())
    }

    pub async fn ensure(&self) -> Result<(), String> {
        let key = self.seed().await;
        let [image, (thumb, _), original] = self.parts(&key);
        let whole = &self.whole.alone;
        let target = format!("/{thumb}");
        self.bucket.send("DELETE", &target, "").await.ok();
        // It looks for the variant, reads, writes, and looks again if another wrote it.
        let made = self.spoilt.ensure_variant(&key, "thumb");
        let made = self.timed(4, made).await?;
        for (part, bytes) in [image, original] {
            let found = self.bytes_of(&part).await;
            check(
                found.is_some_and(|found| found == *bytes),
                "what it was made of is another",
            )?;
        }
        let found = self.bytes_of(&thumb).await;
        match made {
            Ok(made) => {
                check(
                    (made.width, made.height, made.size) == (16, 12, whole.len() as u64),
                    "success, and it tells of another",
                )?;
                check(
                    found.is_some_and(|found| found == *whole),
                    "success, and it is not there",
                )
            }
            Err(error) => {
                // Where it was there, as a refused write says, and is not, somebody took it away.
                let is_refused = self.case.step == "put the variant";
                check(
                    error.kind() != ErrorKind::NotFound || is_refused,
                    "the image is there",
                )?;
                check(
                    found.is_none_or(|found| found == *whole),
                    "failure, and half of it is there",
                )
            }
        }
    }
}
