//! One fault at one step of an operation: the operation is run, and what it left is looked at.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use lablink_storage::ops::{MigrateOptions, Place, SweepOptions, UsedUrls, migrate, sweep};
use lablink_storage::{
    ErrorKind, ImageFormat, ImageStore, ImageStoreBuilder, ObjectInfo, ObjectKey, OptimizeOptions,
    UploadOptions, Variant,
};

use super::photo;
use super::proxy::{Matches, Proxy, Spoil};
use crate::common::s3::Handle;

const DEADLINE: Duration = Duration::from_secs(2);

/// What decoding, which is not part of the deadline, and the other cases on the same processors may add.
const BUSY: Duration = Duration::from_millis(500);

/// What a complaint about the time begins with.
pub const LATE: &str = "took ";

/// What some servers and proxies do, and nobody should notice.
pub const ODDITIES: [Spoil; 6] = [
    Spoil::Late,
    Spoil::NoETag,
    Spoil::Chunked,
    Spoil::NoDates,
    Spoil::OddDates,
    Spoil::NoAmazonHeaders,
];

/// What passes, and is not to be noticed if it happens once.
fn passes(spoil: Spoil) -> bool {
    use Spoil::*;
    matches!(
        spoil,
        Closed
            | ResetBeforeBody
            | ResetInBody
            | ResetAfterBody
            | ServedAndReset
            | Truncated
            | TruncatedAndReset
            | Garbage
            | Xml(500 | 503, _)
            | Xml(400, "RequestTimeout")
            | Html(429 | 500 | 502 | 503 | 504)
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Upload,
    Promote,
    Delete,
    Get,
    Head,
    Exists,
    List,
    Status,
    MigrateTo,
    MigrateFrom,
    Sweep,
    SweepUnused,
}

/// What an image is when it is whole.
pub struct Whole {
    pub image: Vec<u8>,
    pub thumb: Vec<u8>,
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

/// A place of its own in the bucket, seen with and without the fault.
pub struct Stage<'a> {
    bucket: &'a Handle,
    whole: &'a Whole,
    case: &'a Case,
    prefix: String,
    /// Without the fault, on all of the bucket.
    plain: &'a ImageStore,
    spoilt: ImageStore,
    _proxy: Proxy,
}

/// An image has a variant, and its original beside it.
pub fn with_parts(builder: ImageStoreBuilder) -> ImageStoreBuilder {
    let thumb = OptimizeOptions::default().with_max_size(16, 16);
    builder
        .with_variant(Variant::new("thumb", thumb).expect("a name"))
        .with_keep_original(true)
}

impl<'a> Stage<'a> {
    /// Opens a store behind a proxy with the fault.
    pub async fn set(
        bucket: &'a Handle,
        plain: &'a ImageStore,
        whole: &'a Whole,
        case: &'a Case,
        number: usize,
    ) -> Self {
        let prefix = format!("case-{number}");
        let server = &bucket.server.endpoint;
        let proxy = Proxy::start(server, case.spoil, case.matches, case.times).await;
        let spoilt = with_parts(bucket.store().with_prefix(&prefix))
            .with_endpoint_url(proxy.url())
            .with_deadline(DEADLINE)
            .build()
            .expect("valid");
        Self {
            bucket,
            whole,
            case,
            prefix,
            plain,
            spoilt,
            _proxy: proxy,
        }
    }

    async fn listed(&self) -> BTreeSet<String> {
        let (images, originals) = (&self.prefix, format!("originals/{}", self.prefix));
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for prefix in [images, &originals] {
            let found = self.bucket.keys_under(&format!("{prefix}/")).await;
            keys.extend(found.iter().map(|key| key.replace("%2F", "/")));
        }
        keys
    }

    async fn pending(&self) -> ObjectKey {
        let id = uuid::Uuid::new_v4();
        let key = ObjectKey::for_pending(&self.prefix, id, ImageFormat::Jpeg).expect("valid");
        self.bucket
            .send("PUT", &format!("/{key}"), photo())
            .await
            .ok();
        key
    }

    async fn is_pending(&self, key: &ObjectKey) -> bool {
        self.bucket
            .send("HEAD", &format!("/{key}"), "")
            .await
            .status
            == 200
    }

    async fn seed(&self) -> ObjectKey {
        let id = uuid::Uuid::new_v4();
        let key = ObjectKey::for_upload(&self.prefix, id, ImageFormat::Jpeg).expect("valid");
        for (key, bytes) in self.parts(&key) {
            let target = format!("/{key}");
            self.bucket.send("PUT", &target, bytes.clone()).await.ok();
        }
        key
    }

    /// All that an image consists of.
    fn parts(&self, key: &ObjectKey) -> [(ObjectKey, &'a Vec<u8>); 3] {
        let part = |text: String| ObjectKey::parse(text).expect("valid");
        let stem = key.as_str().trim_end_matches(".jpg");
        [
            (key.clone(), &self.whole.image),
            (part(format!("{stem}/thumb.jpg")), &self.whole.thumb),
            (part(format!("originals/{stem}")), &self.whole.original),
        ]
    }

    async fn is_whole(&self, key: &ObjectKey) -> bool {
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
        match self.case.operation {
            Operation::Upload => self.upload().await,
            Operation::Promote => self.promote().await,
            Operation::Delete => self.delete().await,
            Operation::Get | Operation::Head | Operation::Exists => self.read().await,
            Operation::List | Operation::Status => self.list().await,
            Operation::MigrateTo => self.migrate_to().await,
            Operation::MigrateFrom => self.migrate_from().await,
            Operation::Sweep => self.sweep().await,
            Operation::SweepUnused => self.sweep_unused().await,
        }
    }

    /// The outcome, if it came in time, and well where nothing is to be noticed.
    async fn timed<T, E: std::fmt::Display>(
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

    async fn migrate_to(&self) -> Result<(), String> {
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

    async fn migrate_from(&self) -> Result<(), String> {
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

    async fn sweep(&self) -> Result<(), String> {
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

    async fn sweep_unused(&self) -> Result<(), String> {
        let (kept, unused) = (self.seed().await, self.seed().await);
        let mut used = UsedUrls::default();
        used.add(&self.spoilt, kept.as_str());
        let options = SweepOptions::default()
            .with_older_than(Duration::ZERO)
            .with_used(used)
            .with_max_share(1.0)
            .with_delete(true);
        let sweeping = async {
            let report = sweep(&self.spoilt, &options, |_| {}).await;
            let report = report.map_err(|error| error.to_string())?;
            let failure = report.failures.first().map(|(_, problem)| problem);
            match report.stopped.as_ref().or(failure) {
                Some(problem) => Err(problem.clone()),
                None => Ok(()),
            }
        };
        // It lists three times, and removes the three parts of an image.
        let done = self.timed(6, sweeping).await?.is_ok();
        check(self.is_whole(&kept).await, "what is used is gone")?;
        let left = self.listed().await;
        let parts = self.parts(&unused);
        let left = parts.iter().any(|(key, _)| left.contains(key.as_str()));
        check(!done || !left, "success, and something stays")
    }
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}
