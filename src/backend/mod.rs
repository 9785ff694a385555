//! Storage: one [`Backend`] over S3, local files, memory or any object store, with a deadline on every
//! operation and errors that say what to do.
//!
//! This room hides their differences: which takes attributes, which minds deleting what is not there, whose
//! listing tells a content type, who can sign.

// The HTTP layer of S3 is what writes the record.
#[cfg_attr(not(feature = "s3"), allow(dead_code))]
mod call;
#[cfg(feature = "fetch")]
mod certificates;
mod classify;
mod deadline;
#[cfg(all(test, feature = "local"))]
mod deadline_tests;
#[cfg(feature = "local")]
mod directory;
mod error;
mod hint;
mod invalidate;
mod list;
#[cfg(feature = "ops")]
mod listed;
#[cfg(feature = "local")]
mod local;
mod object;
mod operations;
mod presigner;
mod put;
#[cfg(feature = "s3")]
mod s3;
#[cfg(all(test, feature = "local"))]
mod tests;
mod versions;
#[cfg(feature = "local")]
mod walk;

#[cfg(feature = "fetch")]
pub(crate) use certificates::systems;
#[cfg(feature = "s3")]
pub(crate) use certificates::trusted;
pub(crate) use deadline::Deadline;
pub(crate) use error::Operation;
pub use error::StorageError;
pub(crate) use invalidate::MAX_PATHS;
#[cfg(feature = "ops")]
pub(crate) use list::Unnamable;
pub use object::ObjectInfo;
pub(crate) use object::PutOptions;
pub(crate) use presigner::Presigner;
pub use versions::ObjectVersion;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::config::{BackendConfig, Config};
use crate::kind::ErrorKind;

/// Longest that a look at the backend's health takes.
const HEALTH_DEADLINE: Duration = Duration::from_secs(5);

/// Storage of any kind. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    inner: Arc<Inner>,
    /// End of the present work; without one each operation has the configured time.
    deadline: Option<Deadline>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    kind: Medium,
    deadline: Duration,
    cache_control: String,
    /// Some operation got its answer: the bucket is there, and the credentials are good.
    answered: AtomicBool,
}

/// State that only one of the backends has.
#[derive(Debug)]
enum Medium {
    #[cfg(feature = "s3")]
    S3(Box<s3::S3>),
    #[cfg(feature = "local")]
    Local(local::LocalFiles),
    Memory,
    Custom {
        /// It turned out that this store takes no attributes.
        without_attributes: AtomicBool,
    },
}

impl Backend {
    /// Opens the backend that `config` names. Nothing is asked of a server, nothing is made.
    ///
    /// # Errors
    ///
    /// `Configuration` for a backend that this build does not have or that cannot be opened here.
    pub(crate) fn open(config: &Config) -> Result<Self, StorageError> {
        match config.backend() {
            #[cfg(feature = "s3")]
            BackendConfig::S3(bucket) => {
                let s3 = s3::S3::open(bucket, config)?;
                Ok(Self::new(
                    s3.object_store(),
                    Medium::S3(Box::new(s3)),
                    config,
                ))
            }
            #[cfg(feature = "local")]
            BackendConfig::Local(directory) => {
                let files = local::LocalFiles::new(directory);
                let files = files.map_err(|error| {
                    StorageError::new(
                        ErrorKind::Configuration,
                        Operation::Open,
                        "the directory is a relative path, and the current directory is unknown",
                    )
                    .with_hint("set LABLINK_STORAGE_DIR to an absolute path")
                    .with_source(error)
                })?;
                let store = Arc::new(files.clone());
                Ok(Self::new(store, Medium::Local(files), config))
            }
            BackendConfig::Memory { .. } => {
                Ok(Self::new(Arc::new(InMemory::new()), Medium::Memory, config))
            }
            BackendConfig::Custom => Err(StorageError::new(
                ErrorKind::Configuration,
                Operation::Open,
                "the configuration asks for the caller's own object store, and none was given",
            )
            .with_hint("pass one to ImageStore::builder().object_store(…)")),
            #[cfg(not(all(feature = "s3", feature = "local")))]
            _ => Err(StorageError::new(
                ErrorKind::Configuration,
                Operation::Open,
                "this build does not have the backend that the configuration asks for",
            )
            .with_hint("enable the crate's feature s3 or local")),
        }
    }

    /// Uses an object store that the caller brings.
    pub(crate) fn custom(store: Arc<dyn ObjectStore>, config: &Config) -> Self {
        let kind = Medium::Custom {
            without_attributes: AtomicBool::new(false),
        };
        Self::new(store, kind, config)
    }

    fn new(store: Arc<dyn ObjectStore>, kind: Medium, config: &Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                kind,
                deadline: config.deadline(),
                cache_control: config.cache_control().to_owned(),
                answered: AtomicBool::new(false),
            }),
            deadline: None,
        }
    }

    /// `"s3"`, `"local"`, `"memory"` or `"custom"`.
    pub(crate) fn name(&self) -> &'static str {
        match self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(_) => "s3",
            #[cfg(feature = "local")]
            Medium::Local(_) => "local",
            Medium::Memory => "memory",
            Medium::Custom { .. } => "custom",
        }
    }

    fn bucket(&self) -> Option<&str> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(s3) => Some(s3.bucket()),
            _ => None,
        }
    }

    /// The S3-compatible server, where it is not AWS.
    fn endpoint(&self) -> Option<&str> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(s3) => s3.endpoint(),
            _ => None,
        }
    }

    /// Returns whether this is AWS, and not accelerated.
    fn may_accelerate(&self) -> bool {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(s3) => s3.may_accelerate(),
            _ => false,
        }
    }

    fn bucket_and_region(&self) -> Option<(&str, &str)> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(s3) => Some((s3.bucket(), s3.region())),
            _ => None,
        }
    }
}
