//! A look at each new image before anything of it is written.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{ImageStore, Inner};
use crate::causes::one_line;
#[cfg(feature = "ops")]
use crate::config::Config;
use crate::config::ConfigError;
use crate::error::{Error, Result};
use crate::optimize::{Picture, SourceInfo, optimize_inspected};
use crate::sign::sha256_hex;

const VARIABLE: &str = "LABLINK_STORAGE_INSPECTOR";

/// Most characters of an inspector's reason that are told.
const MAX_REASON: usize = 300;

/// An image that is about to be stored, as an [`Inspector`] sees it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// The bytes as they came in.
    pub data: Bytes,
    /// The whole picture, upright and in sRGB, at most 512 pixels a side.
    pub picture: Picture,
    /// The facts: format, size, SHA-256, dimensions.
    pub source: SourceInfo,
    /// A difference hash of the picture: of pictures that look the same, few of its 64 bits differ.
    pub dhash: String,
    /// The name that the file had, where the caller gave one.
    pub filename: Option<String>,
    /// The caller's word on this image, such as who sends it.
    pub context: Option<Value>,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("data", &self.data.len())
            .field("picture", &self.picture)
            .field("source", &self.source)
            .field("dhash", &self.dhash)
            .field("filename", &self.filename)
            .finish_non_exhaustive()
    }
}

/// The answer to come of an [`Inspector`].
pub type Inspecting<'a> = Pin<Box<dyn Future<Output = Result<(), InspectError>> + Send + 'a>>;

/// Looks at every new image before anything of it is written, and may reject it: a virus scan, a moderation
/// service, a search for duplicates.
///
/// ```
/// use lablink_storage::{ErrorKind, ImageStore, InspectError, Inspecting, Inspection, Inspector};
///
/// struct NoDuplicates(std::sync::Mutex<std::collections::HashSet<String>>);
///
/// impl Inspector for NoDuplicates {
///     fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a> {
///         Box::pin(async move {
///             let mut known = self.0.lock().map_err(|_| InspectError::failed("the list is lost"))?;
///             match known.insert(image.source.sha256.clone()) {
///                 true => Ok(()),
///                 false => Err(InspectError::rejected("this photo is there already")),
///             }
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ImageStore::builder().memory().with_inspector(NoDuplicates(Default::default())).build()?;
/// # let photo = std::fs::read("examples/photo.jpg")?;
/// store.upload(photo.clone(), ()).await?;
/// let error = store.upload(photo, ()).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Rejected);
/// assert_eq!(error.to_string(), "the image was rejected: this photo is there already");
/// # Ok(())
/// # }
/// ```
pub trait Inspector: Send + Sync {
    /// Agrees with `Ok`. Anything else, and no answer within the store's deadline, keeps the image out.
    fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a>;
}

/// The reason for which an [`Inspector`] does not agree.
#[derive(Debug)]
#[non_exhaustive]
pub enum InspectError {
    /// The image is not to be published; the reason is told to whoever sent it.
    Rejected(String),
    /// The inspector could not tell. The same call may succeed later.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl InspectError {
    /// Rejects the image for a reason that whoever sent it is told.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected(reason.into())
    }

    /// Says that the inspector could not tell.
    pub fn failed(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(problem.into())
    }
}

/// A failure of anything that the inspector asks.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for InspectError {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// What a caller says about an image, for the inspector.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    pub(super) filename: Option<String>,
    pub(super) context: Option<Value>,
}

impl Inner {
    /// Whether images have an inspector, or ought to have one.
    pub(super) fn is_inspected(&self) -> bool {
        self.inspector.is_some() || self.config.inspector().is_some()
    }

    /// The inspector of this store, if it has one.
    ///
    /// # Errors
    ///
    /// `Configuration` where one is named that this process cannot call.
    pub(super) fn inspector(&self) -> Result<Option<Arc<dyn Inspector>>> {
        match (&self.inspector, self.config.inspector()) {
            (Some(inspector), _) => Ok(Some(Arc::clone(inspector))),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ConfigError::new(
                VARIABLE,
                "names a Python callable, which cannot be called from here: nothing is published",
                "use python -m lablink_storage, or in Rust ImageStoreBuilder::with_inspector",
            )
            .into()),
        }
    }

    /// Refuses what would reach a public key without a look at it.
    pub(super) fn refuse_unseen(&self) -> Result<()> {
        if !self.is_inspected() {
            return Ok(());
        }
        Err(Error::NotSupported {
            what: "a direct upload to its final key, which no inspector would see,",
            remedy: "let it be pending, and promote it",
        })
    }

    /// Asks the inspector; an answer that does not come in time is no consent.
    pub(super) async fn inspect(
        &self,
        inspector: &dyn Inspector,
        image: &Inspection,
    ) -> Result<()> {
        let allowed = self.config.deadline();
        match tokio::time::timeout(allowed, inspector.inspect(image)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(InspectError::Rejected(reason))) => Err(Error::Rejected {
                reason: one_line(&reason).chars().take(MAX_REASON).collect(),
            }),
            Ok(Err(InspectError::Failed(problem))) => Err(Error::InspectionFailed { problem }),
            Err(_) => Err(Error::InspectionTimeout { allowed }),
        }
    }
}

impl ImageStore {
    /// Asks the inspector, if there is one, about an image that is to be stored as it is.
    ///
    /// # Errors
    ///
    /// Its refusal or failure, and what keeps the picture from being read.
    pub(crate) async fn inspect_copy(&self, bytes: &Bytes, filename: Option<&str>) -> Result<()> {
        let Some(inspector) = self.inner.inspector()? else {
            return Ok(());
        };
        let copied = bytes.clone();
        let options = self.inner.config.optimize().clone().with_max_size(512, 512);
        let work = self.inner.work.clone();
        let made = work
            .run(move || optimize_inspected(&copied, &options, &[]))
            .await?;
        let (mut image, _, picture) = made?;
        image.source.sha256 = sha256_hex(bytes);
        let picture = picture.ok_or_else(|| Error::internal("an image has no picture"))?;
        let inspection = Inspection {
            data: bytes.clone(),
            picture,
            source: image.source,
            dhash: image.dhash,
            filename: filename.map(str::to_owned),
            context: None,
        };
        self.inner.inspect(&*inspector, &inspection).await
    }
}

#[cfg(feature = "ops")]
/// Finds the inspector that is named `module:callable`.
pub type LoadInspector = fn(&str) -> Result<Arc<dyn Inspector>, String>;

#[cfg(feature = "ops")]
impl ImageStore {
    /// Opens a store with the inspector that its configuration names, where somebody can find it.
    pub(crate) fn from_config_loading(config: Config, load: Option<LoadInspector>) -> Result<Self> {
        let named = config.inspector().zip(load);
        let inspector = named.map(|(name, load)| {
            load(name).map_err(|reason| {
                let problem = format!("names {name}, which cannot be used: {reason}");
                ConfigError::new(VARIABLE, problem, "name a callable as module:callable")
            })
        });
        let inspector = inspector.transpose()?;
        Self::from_config_inspected(config, inspector)
    }
}
