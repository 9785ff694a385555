//! Makes stores: from the environment, from keywords, or from a pickle.

use std::path::PathBuf;

use lablink_storage::{Config, ConfigBuilder};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyType};

use super::{ImageStore, Recipe};
use crate::config::{configure, is_secret};
use crate::error::{configuration, guard, invalid_argument, not_supported, storage};
use crate::options::{each_entry, plain, text};

fn gives_secret(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<bool> {
    let mut given = false;
    if let Some(keywords) = keywords {
        each_entry("keywords", keywords, |name, value| {
            given |= is_secret(name) && !value.is_none();
            Ok(())
        })?;
    }
    Ok(given)
}

const GIVEN_SECRETS: &str = "it was given secrets in code";

const IN_MEMORY: &str = "its images are in this process's memory";

/// A copy, so that a caller's later changes are not part of the recipe.
fn copied(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Option<Py<PyDict>>> {
    keywords
        .map(|keywords| Ok(keywords.copy()?.unbind()))
        .transpose()
}

fn environment_module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    PyModule::import(py, "lablink_storage._environment")
}

/// The entries of a mapping. The environment may hold bytes that are not text: they are skipped, unless
/// they are the value of a variable of ours.
pub(crate) fn variables(mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let mapping = mapping.cast::<PyMapping>()?;
    let mut variables = Vec::new();
    for entry in mapping.items()?.iter() {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry.extract()?;
        let name = name
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err("env: a name is not a str"))?;
        let Ok(name) = name.to_str() else {
            continue;
        };
        let value = value
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("env: the value of {name} is not a str")))?;
        match value.to_str() {
            Ok(value) => variables.push((name.to_owned(), value.to_owned())),
            Err(_) => {
                let ours = environment_module(mapping.py())?.getattr("ALL")?;
                if ours.contains(name)? {
                    return Err(configuration(
                        name,
                        "is not UTF-8",
                        "correct it or unset it",
                    ));
                }
            }
        }
    }
    Ok(variables)
}

fn from_variables(
    variables: Vec<(String, String)>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Config> {
    let builder = ConfigBuilder::from_vars(variables).map_err(|error| storage(error.into()))?;
    configure("from_env", builder, keywords)
}

#[pymethods]
impl ImageStore {
    /// A store as the environment describes it: S3 if AWS_S3_BUCKET is set, else local files.
    ///
    /// Args:
    ///     env: variables to look at instead of os.environ.
    ///     optimize, variants, limits, prefix, cache_control, keep_original, create_only, retry, deadline,
    ///         max_decodes, decode_wait, max_upload_bytes, former_urls, fetch_hosts,
    ///         inspector: as s3. Where, and with which secrets, only the variables say.
    ///
    /// Raises:
    ///     ConfigurationError: names the variable or the keyword, and the remedy.
    ///     TypeError: an unexpected keyword.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> ImageStore.from_env({"AWS_S3_BUCKET": "lab-images", "AWS_REGION": "eu-central-1"})
    ///     <ImageStore s3 bucket='lab-images' region='eu-central-1' prefix='components'>
    #[classmethod]
    #[pyo3(
        signature = (env=None, **keywords),
        text_signature = "($cls, env=None, *, optimize=None, variants=None, limits=None, \
                          prefix=None, cache_control=None, keep_original=None, create_only=None, retry=None, \
                          deadline=None, max_decodes=None, decode_wait=None, \
                          max_upload_bytes=None, former_urls=None, fetch_hosts=None, inspector=None)"
    )]
    fn from_env(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        env: Option<&Bound<'_, PyAny>>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        guard(|| {
            let environment = environment_module(py)?;
            let given = match env {
                Some(env) => env.clone(),
                None => py.import("os")?.getattr("environ")?,
            };
            let config = from_variables(variables(&given)?, keywords)?;
            let secret = environment.call_method1("gives_secret", (&given,))?;
            let recipe = if config.s3().is_none() && config.local().is_none() {
                Recipe::Stays(IN_MEMORY)
            } else if secret.is_truthy()? {
                Recipe::Stays(GIVEN_SECRETS)
            } else {
                let carried = environment.call_method1("carried", (given,))?;
                Recipe::Environment(carried.cast_into::<PyDict>()?.unbind(), copied(keywords)?)
            };
            Self::open(py, config, keywords, recipe)
        })
    }

    /// A store in an S3 bucket, or on any S3-compatible server.
    ///
    /// Args:
    ///     bucket: the bucket's name.
    ///     region: default "us-east-1".
    ///     endpoint_url: an S3-compatible server, "https://..." or "http://...".
    ///     access_key_id, secret_access_key, session_token: default where every AWS SDK looks.
    ///     prefix: key prefix, may be empty.
    ///     cloudfront_domain: host of the public URLs.
    ///     optimize: how uploads are optimized; see OptimizeOptions.
    ///     variants: named versions written beside every image, {"thumb": {"max_width": 320}}.
    ///     limits: what a file may cost; see LimitOptions.
    ///     addressing: "auto", "virtual" or "path".
    ///     accelerate, dual_stack: transfer acceleration, IPv6 hosts.
    ///     cloudfront_key_pair_id, cloudfront_private_key, cloudfront_private_key_path: for signed_url
    ///         and signed_cookies; the key as PEM, or the file that holds it.
    ///     cloudfront_distribution_id: what is deleted, restored or made anew is purged from this distribution.
    ///     sse_kms_key_id, storage_class, cache_control: of what is written.
    ///     public_endpoint: that server as browsers reach it, where its own address is an internal one.
    ///     direct_upload: "post", or "put" for servers without POST Object (R2, B2).
    ///     ca_bundle: a PEM file of certificates to trust beside the system's.
    ///     keep_original: keep what comes in beside what is made of it, never public.
    ///     create_only: False for servers that refuse If-None-Match.
    ///     retry: "web_request" (30 s in all) or "batch" (180 s).
    ///     deadline: another deadline for every operation, seconds or a timedelta.
    ///     max_decodes: images decoded at once in this process. Default the cores, 4 at most.
    ///     decode_wait: how long a caller waits for its turn, seconds or a timedelta. Default 10.
    ///     max_upload_bytes: largest direct upload. Default 10 MiB.
    ///     former_urls: base URLs that the store once had; their URLs are its own still.
    ///     fetch_hosts: hosts that upload_from_url may ask, "photos.example.org", "*.example.org" or "*".
    ///     inspector: a callable that looks at each image before it is published, or its "module:name".
    ///
    /// Raises:
    ///     ConfigurationError: names the keyword and the remedy.
    ///     TypeError: an unexpected keyword, one of local's own among them.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.s3("lab-images", region="eu-central-1",
    ///     ...                       variants={"thumb": {"max_width": 320, "max_height": 320}})
    ///     >>> store.public_url("components/board.jpg")
    ///     'https://lab-images.s3.eu-central-1.amazonaws.com/components/board.jpg'
    #[classmethod]
    #[pyo3(
        signature = (bucket, **keywords),
        text_signature = "($cls, bucket, *, region=None, endpoint_url=None, access_key_id=None, \
                          secret_access_key=None, session_token=None, prefix='components', \
                          cloudfront_domain=None, optimize=None, variants=None, limits=None, \
                          addressing='auto', accelerate=False, dual_stack=False, \
                          cloudfront_key_pair_id=None, cloudfront_private_key=None, \
                          cloudfront_private_key_path=None, cloudfront_distribution_id=None, \
                          sse_kms_key_id=None, \
                          storage_class=None, public_endpoint=None, direct_upload='post', \
                          ca_bundle=None, cache_control=None, keep_original=False, create_only=True, \
                          retry='web_request', deadline=None, max_decodes=None, decode_wait=None, \
                          max_upload_bytes=None, former_urls=None, fetch_hosts=None, inspector=None)"
    )]
    fn s3(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        bucket: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        guard(|| {
            let builder = Config::builder().s3(text("bucket", bucket)?);
            let config = configure("s3", builder, keywords)?;
            let recipe = if gives_secret(keywords)? {
                Recipe::Stays(GIVEN_SECRETS)
            } else {
                Recipe::Code("s3", bucket.clone().unbind(), copied(keywords)?)
            };
            Self::open(py, config, keywords, recipe)
        })
    }

    /// A store in a directory, which is made when the first image is written.
    ///
    /// Args:
    ///     directory: str or path object.
    ///     base_url: where the application serves it: a path or an http(s) URL.
    ///     secret: 32 bytes at least; with it, presigned requests work without S3.
    ///     fsync: flush every file to the disk before it counts as stored.
    ///     optimize, variants, limits, prefix, cache_control, keep_original, create_only, retry, deadline,
    ///         max_decodes, decode_wait, max_upload_bytes, former_urls, fetch_hosts,
    ///         inspector: as s3.
    ///
    /// Raises:
    ///     ConfigurationError: names the keyword and the remedy.
    ///     TypeError: an unexpected keyword, one of s3's own among them.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.local(tmp_path)
    ///     >>> store.upload(photo).url.startswith("/uploads/components/")
    ///     True
    #[classmethod]
    #[pyo3(
        signature = (directory, **keywords),
        text_signature = "($cls, directory, *, base_url='/uploads', secret=None, \
                          prefix='components', optimize=None, variants=None, limits=None, \
                          fsync=False, cache_control=None, keep_original=False, create_only=True, \
                          retry='web_request', deadline=None, max_decodes=None, decode_wait=None, \
                          max_upload_bytes=None, former_urls=None, fetch_hosts=None, inspector=None)"
    )]
    fn local(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        directory: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        guard(|| {
            let path: PathBuf = plain("directory", "str or a path object", directory)?;
            if path.to_str().is_none() {
                return Err(invalid_argument("directory", "it is not UTF-8"));
            }
            let config = configure("local", Config::builder().local(&path), keywords)?;
            let recipe = if gives_secret(keywords)? {
                Recipe::Stays(GIVEN_SECRETS)
            } else {
                Recipe::Code("local", directory.clone().unbind(), copied(keywords)?)
            };
            Self::open(py, config, keywords, recipe)
        })
    }

    /// A store in memory, for tests. It belongs to the process that uses it: after a fork the child's is
    /// empty.
    ///
    /// Args:
    ///     base_url: where the application serves it, for tests of whole applications.
    ///     secret: 32 bytes at least; with it, presigned requests work.
    ///     optimize, variants, limits, prefix, cache_control, keep_original, create_only, retry, deadline,
    ///         max_decodes, decode_wait, max_upload_bytes, former_urls, fetch_hosts,
    ///         inspector: as s3.
    ///
    /// Raises:
    ///     ConfigurationError: names the keyword and the remedy.
    ///     TypeError: an unexpected keyword, one of s3's own among them.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> ImageStore.memory().upload(photo).url.startswith("memory://lablink/components/")
    ///     True
    #[classmethod]
    #[pyo3(
        signature = (**keywords),
        text_signature = "($cls, *, base_url=None, secret=None, prefix='components', optimize=None, \
                          variants=None, limits=None, cache_control=None, keep_original=False, create_only=True, \
                          retry='web_request', deadline=None, max_decodes=None, decode_wait=None, \
                          max_upload_bytes=None, former_urls=None, fetch_hosts=None, inspector=None)"
    )]
    fn memory(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        guard(|| {
            let config = configure("memory", Config::builder().memory(), keywords)?;
            Self::open(py, config, keywords, Recipe::Stays(IN_MEMORY))
        })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let restore = py.get_type::<Self>().getattr("_restore")?;
        let keywords = |keywords: &Option<Py<PyDict>>| {
            keywords.as_ref().map(|keywords| keywords.clone_ref(py))
        };
        let arguments = match &self.recipe {
            Recipe::Environment(variables, given) => {
                ("env", variables.clone_ref(py).into_any(), keywords(given)).into_pyobject(py)?
            }
            Recipe::Code(constructor, first, given) => {
                (*constructor, first.clone_ref(py), keywords(given)).into_pyobject(py)?
            }
            Recipe::Stays(reason) => {
                return Err(not_supported(
                    &format!("this store cannot be pickled: {reason}"),
                    "build it in the worker, or let both processes take it from the environment",
                ));
            }
        };
        Ok((restore, arguments.into_any()))
    }

    /// Rebuilds a pickled store.
    #[classmethod]
    fn _restore<'py>(
        class: &Bound<'py, PyType>,
        py: Python<'py>,
        constructor: &str,
        first: Bound<'py, PyAny>,
        keywords: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let keywords = keywords.as_ref();
        match constructor {
            "env" => {
                let arrived = environment_module(py)?.call_method1("arrived", (&first,))?;
                guard(|| {
                    let config = from_variables(variables(&arrived)?, keywords)?;
                    let carried = first.cast_into::<PyDict>()?.unbind();
                    let recipe = Recipe::Environment(carried, copied(keywords)?);
                    Self::open(py, config, keywords, recipe)
                })
            }
            "s3" => Self::s3(class, py, &first, keywords),
            "local" => Self::local(class, py, &first, keywords),
            _ => Err(invalid_argument(
                "pickle",
                "it was pickled by another version",
            )),
        }
    }
}
