//! Everything a store needs, tried in order, and what to do where it fails.

mod cloudfront;
mod http;
mod local;
mod objects;
mod originals;
mod public;
mod report;
mod s3;

pub use report::{Check, CheckStatus, Diagnosis};

use std::time::Duration;

use crate::backend::Backend;
use crate::error::Error;
use crate::key::ObjectKey;
use crate::store::ImageStore;
use report::{Finding, Findings};

/// Longest that one step takes.
const STEP: Duration = Duration::from_secs(4);

/// Options of an examination, beyond the store itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoctorOptions {
    /// Web origins whose pages upload and read images: `https://lab.example.org`.
    pub origins: Vec<String>,
}

impl DoctorOptions {
    /// Adds a web origin whose pages upload and read images.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }
}

/// Tries everything that the store needs, in the order in which things depend on each other.
///
/// It writes a small object under the pending prefix and, to see whether the public can read, one under
/// the prefix; both are removed, even when a step fails. Every step has a deadline of its own. There is
/// no error: what goes wrong is in the diagnosis.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::ImageStore;
/// use lablink_storage::ops::{DoctorOptions, doctor};
///
/// let store = ImageStore::builder().memory().build()?;
/// let diagnosis = doctor(&store, &DoctorOptions::default()).await;
/// assert!(diagnosis.ok, "{:?}", diagnosis.first_failure());
/// # Ok(())
/// # }
/// ```
pub async fn doctor(store: &ImageStore, options: &DoctorOptions) -> Diagnosis {
    let mut examination = Examination {
        store,
        options,
        findings: Findings::default(),
        probes: Vec::new(),
    };
    examination.configuration();
    match store.backend().name() {
        "s3" => examination.s3().await,
        "local" => examination.local().await,
        _ => {
            examination.objects().await;
            examination.remove_probes().await;
        }
    }
    examination.findings.finish()
}

struct Examination<'a> {
    store: &'a ImageStore,
    options: &'a DoctorOptions,
    findings: Findings,
    /// The probes that were written and have to be removed.
    probes: Vec<ObjectKey>,
}

impl<'a> Examination<'a> {
    fn backend(&self) -> &'a Backend {
        self.store.backend()
    }

    fn prefix(&self) -> &'a str {
        self.store.config().prefix()
    }

    fn configuration(&mut self) {
        let config = self.store.config();
        if let Some(warning) = config.warning() {
            let hint =
                "set AWS_S3_BUCKET to use S3, or LABLINK_STORAGE_DIR to choose the directory";
            self.findings
                .warning("configuration", Finding::new(warning, hint));
            return;
        }
        let message = if let Some(s3) = config.s3() {
            let at = s3.endpoint().map_or_else(
                || format!("region {}", s3.region()),
                |endpoint| format!("endpoint {endpoint}"),
            );
            format!("bucket {}, {at}, prefix {}", s3.bucket(), config.prefix())
        } else if let Some(local) = config.local() {
            format!(
                "directory {}, base URL {}, prefix {}",
                local.directory().display(),
                local.base_url(),
                config.prefix()
            )
        } else {
            format!(
                "{} store, prefix {}",
                self.backend().name(),
                config.prefix()
            )
        };
        self.findings.ok("configuration", message);
    }

    /// Runs one step within its deadline.
    async fn within<T, E>(&self, step: impl Future<Output = Result<T, E>>) -> Result<T, Finding>
    where
        Error: From<E>,
    {
        match tokio::time::timeout(STEP, step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err((&Error::from(error)).into()),
            Err(_) => Err(too_slow()),
        }
    }
}

fn too_slow() -> Finding {
    Finding::new(
        format!("it took longer than {} s", STEP.as_secs()),
        "the server is slow or throttles, or something between drops packets: try again, and look at its load",
    )
}
