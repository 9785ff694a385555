//! `ImageStore`: Rust's, blocking, one client for each process.

mod life;
mod objects;
mod open;
mod receive;
mod signed;
mod streams;
mod upload;
mod urls;
mod versions;

pub(crate) use open::variables;

use std::collections::BTreeMap;

use lablink_storage as core;
use lablink_storage::{Config, ObjectKey};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::error::storage;
use crate::slot::Slot;
use crate::{inspector, memory, options, results};

/// The arguments that a store was made with, for `pickle`.
enum Recipe {
    /// `from_env()`: the variables that may travel, and the keywords.
    Environment(Py<PyDict>, Option<Py<PyDict>>),
    /// `s3(bucket)` or `local(directory)` with keywords.
    Code(&'static str, Py<PyAny>, Option<Py<PyDict>>),
    /// Not to be pickled, and why.
    Stays(&'static str),
}

/// A store of an application's images.
///
/// Made by from_env, s3, local or memory. Threads may share one, and it may be used after a fork: every
/// process gets a client of its own. Every operation has a deadline, and none leaves an object half stored.
///
/// Wherever a key is expected, a public URL of the store is accepted too.
///
/// Example:
///     >>> from lablink_storage import ImageStore
///     >>> store = ImageStore.memory()
///     >>> image = store.upload(photo, filename="board.png")
///     >>> store.exists(image.key)
///     True
///     >>> store.delete(image.url)
// Tests of applications replace methods of an instance: it has a `__dict__` for that.
#[pyclass(frozen, dict, weakref, module = "lablink_storage")]
pub(crate) struct ImageStore {
    config: Config,
    client: Slot<core::ImageStore>,
    recipe: Recipe,
    /// Looks at each image.
    inspector: Option<Py<PyAny>>,
}

impl ImageStore {
    fn open(
        py: Python<'_>,
        config: Config,
        keywords: Option<&Bound<'_, PyDict>>,
        recipe: Recipe,
    ) -> PyResult<Self> {
        let store = Self {
            inspector: inspector::find(py, &config, keywords)?,
            config,
            client: Slot::new(),
            recipe,
        };
        // Made at once, so that a wrong configuration shows where it is given.
        store.client(py)?;
        results::types(py)?;
        memory::keep();
        Ok(store)
    }

    pub(super) fn client(&self, py: Python<'_>) -> PyResult<&core::ImageStore> {
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                crate::logging::refresh(py);
                let inspector = self.inspector.as_ref();
                let inspector = inspector.map(|callable| inspector::inspector(py, callable));
                py.detach(|| {
                    let open =
                        || core::ImageStore::from_config_inspected(self.config.clone(), inspector);
                    self.client.get_or_try_init(open).map_err(storage)
                })
            }
        }
    }

    pub(super) fn key(&self, py: Python<'_>, key_or_url: &Bound<'_, PyAny>) -> PyResult<ObjectKey> {
        let key_or_url = options::key(key_or_url)?;
        self.client(py)?.resolve(&key_or_url).map_err(storage)
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.config.optimize().limits.max_bytes
    }
}

#[pymethods]
impl ImageStore {
    /// "s3", "local" or "memory".
    #[getter]
    fn backend(&self) -> &'static str {
        if self.config.s3().is_some() {
            "s3"
        } else if self.config.local().is_some() {
            "local"
        } else {
            "memory"
        }
    }

    /// The bucket, on S3.
    #[getter]
    fn bucket(&self) -> Option<&str> {
        self.config.s3().map(|s3| s3.bucket())
    }

    /// The bucket's region, on S3.
    #[getter]
    fn region(&self) -> Option<&str> {
        self.config.s3().map(|s3| s3.region())
    }

    /// The directory, on local files.
    #[getter]
    fn directory(&self) -> Option<String> {
        let local = self.config.local()?;
        Some(local.directory().to_string_lossy().into_owned())
    }

    /// The public base URL, where the application serves the images: of local files, and of memory that has one.
    #[getter]
    fn base_url(&self) -> Option<&str> {
        self.config.base_url()
    }

    /// The key prefix; may be empty.
    #[getter]
    fn prefix(&self) -> &str {
        self.config.prefix()
    }

    /// The way in which browsers upload straight to the store: "post", or "put" where presigned_put is to be
    /// handed out.
    #[getter]
    fn direct_upload(&self) -> &'static str {
        self.config.direct_upload().as_str()
    }

    /// Bytes that a direct upload may have, unless its presigned request says otherwise.
    #[getter]
    fn max_upload_bytes(&self) -> u64 {
        self.config.max_upload_bytes()
    }

    /// The names of the variants that are written beside every image.
    #[getter]
    fn variants(&self) -> Vec<&str> {
        let variants = self.config.variants().iter();
        variants.map(|variant| variant.name()).collect()
    }

    /// By name, the width and height of each variant of an image of that size, and whether it is lazy.
    fn _variant_sizes(&self, width: u32, height: u32) -> BTreeMap<&str, (u32, u32, bool)> {
        let variants = self.config.variants().iter();
        let sized = variants.map(|variant| {
            let (width, height) = variant.options().output_size(width.max(1), height.max(1));
            (variant.name(), (width, height, variant.is_lazy()))
        });
        sized.collect()
    }

    /// Bytes that one file may have.
    #[getter]
    #[pyo3(name = "max_bytes")]
    fn max_bytes_getter(&self) -> u64 {
        self.max_bytes()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let quoted =
            |text: &str| -> PyResult<String> { Ok(PyString::new(py, text).repr()?.to_string()) };
        let place = match (self.config.s3(), self.directory()) {
            (Some(s3), _) => format!(
                "s3 bucket={} region={}",
                quoted(s3.bucket())?,
                quoted(s3.region())?
            ),
            (None, Some(directory)) => format!("local directory={}", quoted(&directory)?),
            (None, None) => "memory".to_owned(),
        };
        let prefix = quoted(self.config.prefix())?;
        Ok(format!("<ImageStore {place} prefix={prefix}>"))
    }
}
