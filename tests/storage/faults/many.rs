//! Operations on many objects under faults: moving them, and sweeping them up.

use std::time::Duration;

use lablink_storage::ops::{MigrateOptions, Place, SweepOptions, UsedUrls, migrate, sweep};
use lablink_storage::{ImageStore, ObjectKey};

use super::photo;
use super::stage::{Stage, check};

impl Stage<'_> {
    pub async fn migrate_to(&self) -> Result<(), String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        std::fs::create_dir(directory.path().join(&self.prefix))
            .map_err(|error| error.to_string())?;
        let file = format!("{}/a.jpg", self.prefix);
        std::fs::write(directory.path().join(&file), photo()).map_err(|error| error.to_string())?;
        let source = ImageStore::builder()
            .local(directory.path())
            .with_prefix(&self.prefix);
        let source = Place::of_store(source.build().expect("valid"));
        let target = Place::of_store(self.spoilt.clone());
        if self.migrated(&source, &target).await? {
            let there = self
                .plain
                .get(&ObjectKey::parse(file).expect("valid"))
                .await;
            return check(
                there.is_ok_and(|object| object.bytes == photo()),
                "success, and other bytes",
            );
        }
        Ok(())
    }

    pub async fn migrate_from(&self) -> Result<(), String> {
        let key = ObjectKey::parse(format!("{}/a.jpg", self.prefix)).expect("valid");
        self.bucket
            .send("PUT", &format!("/{key}"), photo())
            .await
            .ok();
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let target = ImageStore::builder()
            .local(directory.path())
            .with_prefix(&self.prefix);
        let target = Place::of_store(target.build().expect("valid"));
        let done = self
            .migrated(&Place::of_store(self.spoilt.clone()), &target)
            .await?;
        match std::fs::read(directory.path().join(key.as_str())) {
            Ok(bytes) => check(bytes == photo(), "other bytes at the target"),
            Err(_) => check(!done, "success, and nothing at the target"),
        }
    }

    async fn migrated(&self, source: &Place, target: &Place) -> Result<bool, String> {
        let options = MigrateOptions::default();
        let migration = async {
            let report = migrate(source, target, &options, |_| {}).await;
            let report = report.map_err(|error| error.to_string())?;
            match report.failures.first() {
                Some(failure) => Err(failure.message.clone()),
                None => Ok(()),
            }
        };
        Ok(self.timed(4, migration).await?.is_ok())
    }

    pub async fn sweep(&self) -> Result<(), String> {
        let (kept, pending) = (self.seed().await, self.pending().await);
        let sweep = async {
            let report = self.spoilt.sweep(Duration::ZERO, false).await;
            let report = report.map_err(|error| error.to_string())?;
            match report.failures.first() {
                Some((_, problem)) => Err(problem.clone()),
                None => Ok(()),
            }
        };
        let done = self.timed(2, sweep).await?.is_ok();
        check(self.is_whole(&kept).await, "what is used is gone")?;
        check(
            !done || !self.is_pending(&pending).await,
            "success, and it is still there",
        )
    }

    pub async fn sweep_unused(&self) -> Result<(), String> {
        let (kept, unused) = (self.seed().await, self.seed().await);
        let mut used = UsedUrls::default();
        used.add(&self.spoilt, kept.as_str());
        let options = SweepOptions::default()
            .with_older_than(Duration::ZERO)
            .with_used(used)
            .with_max_share(1.0)
            .with_delete(true);
        // It lists three times, and removes the three parts of an image.
        let done = self.swept(6, &options).await?;
        check(self.is_whole(&kept).await, "what is used is gone")?;
        let left = self.listed().await;
        let parts = self.parts(&unused);
        let left = parts.iter().any(|(key, _)| left.contains(key.as_str()));
        check(!done || !left, "success, and something stays")
    }

    /// Without a list of what is used only remains go: variants and originals without their image, and an image
    /// whose deletion was cut off.
    pub async fn sweep_remains(&self) -> Result<(), String> {
        let (kept, remains, cut_off) = (self.seed().await, self.seed().await, self.seed().await);
        let main = format!("/{remains}");
        self.bucket.send("DELETE", &main, "").await.ok();
        let marker = self.marker(&cut_off);
        let target = format!("/{marker}");
        self.bucket.send("PUT", &target, "1").await.ok();
        let options = SweepOptions::default()
            .with_older_than(Duration::ZERO)
            .with_delete(true);
        // It lists seven times, and removes in two turns the parts of one image, then the other one.
        let done = self.swept(10, &options).await?;
        check(self.is_whole(&kept).await, "what is used is gone")?;
        let is_marked = self
            .bytes_of(&marker)
            .await
            .is_some_and(|body| !body.is_empty());
        check(
            is_marked || self.bytes_of(&cut_off).await.is_none(),
            "no other sweep would find the deleted image",
        )?;
        let left = self.listed().await;
        let parts = self.parts(&remains).into_iter().chain(self.parts(&cut_off));
        let left = parts.filter(|(key, _)| left.contains(key.as_str())).count();
        check(!done || left == 0, "success, and something stays")
    }

    async fn swept(&self, calls: u32, options: &SweepOptions) -> Result<bool, String> {
        let sweeping = async {
            let report = sweep(&self.spoilt, options, |_| {}).await;
            let report = report.map_err(|error| error.to_string())?;
            let failure = report.failures.first().map(|(_, problem)| problem);
            match report.stopped.as_ref().or(failure) {
                Some(problem) => Err(problem.clone()),
                None => Ok(()),
            }
        };
        Ok(self.timed(calls, sweeping).await?.is_ok())
    }
}
