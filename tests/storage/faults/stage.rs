//! One fault at one step of an operation: the operation is run, and what it left is looked at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use lablink_storage::{
    ErrorKind, ImageFormat, ImageStore, ImageStoreBuilder, ObjectInfo, ObjectKey, OptimizeOptions,
    UploadOptions, Variant,
};

use super::photo;
use super::proxy::{Matches, Plan, Proxy};
use super::spoil::{ODDITIES, Spoil, passes};
use crate::common::s3::{Bucket, Server};

const DEADLINE: Duration = Duration::from_secs(2);

/// The greatest width and height of the variant: it gets 16 x 12.
pub const THUMB: (u32, u32) = (16, 16);

/// What decoding, which is not part of the deadline, and the other cases on the same processors may add.
const BUSY: Duration = Duration::from_millis(500);

/// What a complaint about the time begins with.
pub const LATE: &str = "took ";

/// The complaint about a fault that met no request.
pub const UNMET: &str = "the step never came";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Upload,
    Promote,
    Delete,
    Get,
    Original,
    Head,
    Exists,
    List,
    Status,
    MigrateTo,
    MigrateFrom,
    Sweep,
    SweepUnused,
    SweepRemains,
    RegenerateVariants,
    RegenerateMain,
    Ensure,
    Restore,
    Erase,
}

impl Operation {
    /// Returns whether it is about a bucket that keeps versions.
    fn wants_versions(self) -> bool {
        matches!(self, Self::Restore | Self::Erase)
    }
}

/// What a step's name ends with when the first of its requests is to pass.
pub const AGAIN: &str = " again";

/// What an image is when it is whole.
pub struct Whole {
    pub image: Vec<u8>,
    pub thumb: Vec<u8>,
    /// The variant as it is made of the original alone, without the image.
    pub alone: Vec<u8>,
    pub original: Vec<u8>,
}

/// One fault at one step, once or always.
pub struct Case {
    pub operation: Operation,
    pub step: &'static str,
    pub matches: Matches,
    pub spoil: Spoil,
    pub times: usize,
}

/// A bucket, with a store on all of it.
pub struct Ground {
    bucket: Bucket,
    plain: ImageStore,
    versions: bool,
}

impl Ground {
    /// A fresh bucket, with versions or without.
    pub async fn new(server: &Server, versions: bool) -> Self {
        let bucket = server.bucket().await;
        if versions {
            let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
            bucket.send("PUT", "?versioning", on).await.ok();
        }
        let plain = with_parts(bucket.store().with_prefix(""));
        Self {
            bucket,
            plain: plain.build().expect("valid"),
            versions,
        }
    }

    fn store(&self, prefix: &str) -> ImageStoreBuilder {
        // Ceph takes no If-None-Match in versioned buckets.
        with_parts(self.bucket.store().with_prefix(prefix)).with_create_only(!self.versions)
    }
}

/// The grounds of all operations.
pub struct Grounds {
    pub usual: Ground,
    pub versioned: Ground,
}

/// A place of its own in the bucket, seen with and without the fault.
pub struct Stage<'a> {
    pub bucket: &'a Bucket,
    pub whole: &'a Whole,
    pub case: &'a Case,
    pub prefix: String,
    /// Without the fault, on all of the bucket.
    pub plain: &'a ImageStore,
    /// Without the fault, on the same place.
    pub own: ImageStore,
    pub spoilt: ImageStore,
    proxy: Proxy,
}

/// An image has a variant, and its original beside it.
pub fn with_parts(builder: ImageStoreBuilder) -> ImageStoreBuilder {
    let (width, height) = THUMB;
    let thumb = OptimizeOptions::default().with_max_size(width, height);
    builder
        .with_variant(Variant::new("thumb", thumb).expect("a name"))
        .with_keep_original(true)
}

impl<'a> Stage<'a> {
    /// Opens a store behind a proxy with the fault.
    pub async fn set(
        grounds: &'a Grounds,
        whole: &'a Whole,
        case: &'a Case,
        number: usize,
    ) -> Self {
        let ground = match case.operation.wants_versions() {
            true => &grounds.versioned,
            false => &grounds.usual,
        };
        let prefix = format!("case-{number}");
        let server = &ground.bucket.server.endpoint;
        let mut plan = Plan::new(server, case.spoil, case.matches, case.times);
        if case.step.ends_with(AGAIN) {
            plan.passing = Arc::new(AtomicUsize::new(1));
        }
        // A sweep takes remains for remains only after a day.
        plan.aged = case.operation == Operation::SweepRemains;
        let proxy = Proxy::start(plan).await;
        let spoilt = ground
            .store(&prefix)
            .with_endpoint_url(proxy.url())
            .with_deadline(DEADLINE);
        Self {
            bucket: &ground.bucket,
            whole,
            case,
            plain: &ground.plain,
            own: ground.store(&prefix).build().expect("valid"),
            spoilt: spoilt.build().expect("valid"),
            prefix,
            proxy,
        }
    }

    pub async fn listed(&self) -> BTreeSet<String> {
        let (images, originals) = (&self.prefix, format!("originals/{}", self.prefix));
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for prefix in [images, &originals] {
            let found = self.bucket.keys_under(&format!("{prefix}/")).await;
            keys.extend(found.iter().map(|key| key.replace("%2F", "/")));
        }
        keys
    }

    pub async fn pending(&self) -> ObjectKey {
        let id = uuid::Uuid::new_v4();
        let key = ObjectKey::for_pending(&self.prefix, id, ImageFormat::Jpeg).expect("valid");
        self.bucket
            .send("PUT", &format!("/{key}"), photo())
            .await
            .ok();
        key
    }

    pub async fn is_pending(&self, key: &ObjectKey) -> bool {
        self.bucket
            .send("HEAD", &format!("/{key}"), "")
            .await
            .status
            == 200
    }

    pub async fn seed(&self) -> ObjectKey {
        let id = uuid::Uuid::new_v4();
        let key = ObjectKey::for_upload(&self.prefix, id, ImageFormat::Jpeg).expect("valid");
        for (key, bytes) in self.parts(&key) {
            let target = format!("/{key}");
            self.bucket.send("PUT", &target, bytes.clone()).await.ok();
        }
        key
    }

    /// All that an image consists of.
    pub fn parts(&self, key: &ObjectKey) -> [(ObjectKey, &'a Vec<u8>); 3] {
        let part = |text: String| ObjectKey::parse(text).expect("valid");
        let stem = key.as_str().trim_end_matches(".jpg");
        [
            (key.clone(), &self.whole.image),
            (part(format!("{stem}/thumb.jpg")), &self.whole.thumb),
            (part(format!("originals/{stem}")), &self.whole.original),
        ]
    }

    pub async fn is_whole(&self, key: &ObjectKey) -> bool {
        for (part, bytes) in self.parts(key) {
            let found = match part.is_original() {
                true => self.plain.original(key).await,
                false => self.plain.get(&part).await,
            };
            match found {
                Ok(object) if object.bytes == *bytes => {}
                _ => return false,
            }
        }
        true
    }

    /// The bytes of an object, if it is there.
    pub async fn bytes_of(&self, key: &ObjectKey) -> Option<Bytes> {
        let reply = self.bucket.send("GET", &format!("/{key}"), "").await;
        (reply.status != 404).then(|| reply.ok().body)
    }

    /// The marker of an image's deletion.
    pub fn marker(&self, key: &ObjectKey) -> ObjectKey {
        let stem = key.as_str().trim_end_matches(".jpg");
        ObjectKey::parse(format!("pending/{stem}.gone")).expect("valid")
    }

    /// Waits for what the operation takes back after its answer.
    async fn becomes_empty(&self) -> bool {
        for _ in 0..60 {
            if self.listed().await.is_empty() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        false
    }

    /// Runs the operation; what is wrong with how it ended.
    pub async fn run(&self) -> Result<(), String> {
        self.operate().await?;
        check(self.proxy.spoilt() > 0, UNMET)
    }

    /// In boxes: side by side they would be more than a stack holds.
    fn operate(&self) -> BoxFuture<'_, Result<(), String>> {
        match self.case.operation {
            Operation::Upload => Box::pin(self.upload()),
            Operation::Promote => Box::pin(self.promote()),
            Operation::Delete => Box::pin(self.delete()),
            Operation::Get | Operation::Original | Operation::Head | Operation::Exists => {
                Box::pin(self.read())
            }
            Operation::List | Operation::Status => Box::pin(self.list()),
            Operation::MigrateTo => Box::pin(self.migrate_to()),
            Operation::MigrateFrom => Box::pin(self.migrate_from()),
            Operation::Sweep => Box::pin(self.sweep()),
            Operation::SweepUnused => Box::pin(self.sweep_unused()),
            Operation::SweepRemains => Box::pin(self.sweep_remains()),
            Operation::RegenerateVariants => Box::pin(self.regenerate(false)),
            Operation::RegenerateMain => Box::pin(self.regenerate(true)),
            Operation::Ensure => Box::pin(self.ensure()),
            Operation::Restore => Box::pin(self.restore()),
            Operation::Erase => Box::pin(self.erase()),
        }
    }

    /// The outcome, if it came in time, and well where nothing is to be noticed.
    pub async fn timed<T, E: std::fmt::Display>(
        &self,
        calls: u32,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, String> {
        let started = Instant::now();
        let outcome = operation.await;
        let elapsed = started.elapsed();
        if elapsed > DEADLINE * calls + BUSY {
            return Err(format!("{LATE}{elapsed:?}"));
        }
        let unseen =
            ODDITIES.contains(&self.case.spoil) || self.case.times == 1 && passes(self.case.spoil);
        match &outcome {
            // On a busy machine the first try may leave no time for another.
            Err(error) if unseen && elapsed < DEADLINE / 2 => Err(format!("noticed: {error}")),
            _ => Ok(outcome),
        }
    }

    async fn upload(&self) -> Result<(), String> {
        let upload = self.spoilt.upload(photo(), UploadOptions::default());
        match self.timed(1, upload).await? {
            Ok(image) => check(self.is_whole(&image.key).await, "success, and not whole"),
            Err(error) => {
                let problem = format!("failure ({error}), and something stays");
                check(self.becomes_empty().await, &problem)
            }
        }
    }

    async fn promote(&self) -> Result<(), String> {
        let key = self.pending().await;
        match self.timed(1, self.spoilt.promote(&key)).await? {
            Ok(image) => check(self.is_whole(&image.key).await, "success, and not whole"),
            Err(error) => {
                check(
                    error.kind() != ErrorKind::NotFound,
                    "not found, and it is there",
                )?;
                check(
                    self.is_pending(&key).await,
                    "failure, and nothing to try again with",
                )?;
                let mut left = self.listed().await;
                for _ in 0..20 {
                    let main = left
                        .iter()
                        .find(|key| key.ends_with(".jpg") && !key.contains("thumb"));
                    let whole = match main {
                        Some(main) => self.is_whole(&ObjectKey::parse(main).expect("valid")).await,
                        None => left.is_empty(),
                    };
                    if whole {
                        return Ok(());
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    left = self.listed().await;
                }
                Err(format!("failure, and half of it stays: {left:?}"))
            }
        }
    }

    async fn delete(&self) -> Result<(), String> {
        let key = self.seed().await;
        match self.timed(1, self.spoilt.delete(&key)).await? {
            Ok(()) => check(
                self.listed().await.is_empty(),
                "success, and something stays",
            ),
            Err(_) => {
                let again = self.plain.delete(&key).await;
                check(
                    again.is_ok() && self.listed().await.is_empty(),
                    "it cannot be done again",
                )
            }
        }
    }

    async fn read(&self) -> Result<(), String> {
        let key = self.seed().await;
        match self.case.operation {
            Operation::Get => match self.timed(1, self.spoilt.get(&key)).await? {
                Ok(object) => check(object.bytes == self.whole.image, "other bytes"),
                Err(error) => check(error.kind() != ErrorKind::NotFound, "it is there"),
            },
            Operation::Original => match self.timed(1, self.spoilt.original(&key)).await? {
                Ok(object) => check(object.bytes == self.whole.original, "other bytes"),
                Err(error) => check(error.kind() != ErrorKind::NotFound, "it is there"),
            },
            Operation::Head => match self.timed(1, self.spoilt.head(&key)).await? {
                Ok(info) => check(info.size == self.whole.image.len() as u64, "another size"),
                Err(error) => check(error.kind() != ErrorKind::NotFound, "it is there"),
            },
            _ => match self.timed(1, self.spoilt.exists(&key)).await? {
                Ok(there) => check(there, "it is there"),
                Err(_) => Ok(()),
            },
        }
    }

    async fn list(&self) -> Result<(), String> {
        self.seed().await;
        let mut expected = self.listed().await;
        expected.retain(|key| key.starts_with(&self.prefix));
        if self.case.operation == Operation::List {
            let listing = self.spoilt.list(None).try_collect::<Vec<ObjectInfo>>();
            let Ok(listed) = self.timed(1, listing).await? else {
                return Ok(());
            };
            let listed: BTreeSet<String> = listed
                .into_iter()
                .map(|info| info.key.as_str().to_owned())
                .collect();
            return check(listed == expected, "success, and not all of it");
        }
        let status = async {
            let status = self.spoilt.status().await;
            match status.error {
                Some(error) => Err(error),
                None => Ok(()),
            }
        };
        let ends_well = self.timed(1, status).await?.is_ok();
        let is_lie = matches!(
            self.case.spoil,
            Spoil::Html(_)
                | Spoil::HtmlOfAFile
                | Spoil::Empty(_)
                | Spoil::Json
                | Spoil::OtherXml
                | Spoil::Half
                | Spoil::Truncated
                | Spoil::CutShort
                | Spoil::UnmarkedHalf
        );
        check(
            !(ends_well && is_lie && self.case.times > 1),
            "accessible, and it is not",
        )
    }
}

pub fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}
