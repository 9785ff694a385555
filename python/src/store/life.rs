//! New sizes for images that were stored long ago, all at once or on demand.

use lablink_storage::ops::{RegenerateOptions, Shard, handle_event, regenerate};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::{guard, invalid_argument, storage};
use crate::options::{key, optional_text, text};
use crate::results;

#[pymethods]
impl ImageStore {
    /// Makes a variant of a stored image unless it is there: for lazy variants, which uploads do not write.
    ///
    /// Args:
    ///     key: key or public URL of the image.
    ///     name: the variant's name.
    ///
    /// Returns:
    ///     StoredVariant. Callers in one process share one decode.
    ///
    /// Raises:
    ///     InvalidArgumentError: the store has no variant of that name.
    ///     NotFoundError: there is no such image.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(variants={"poster": {"max_width": 640, "lazy": True}})
    ///     >>> image = store.upload(photo)
    ///     >>> dict(image.variants)
    ///     {}
    ///     >>> store.ensure_variant(image.key, "poster").url == store.variant_url(image.key, "poster")
    ///     True
    #[pyo3(signature = (key, name))]
    fn ensure_variant<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let name = text("name", name)?;
            let work = async move { client.ensure_variant(&key, &name).await };
            answer(py, work, |py, variant| {
                results::stored_variant(py, &variant)
            })
        })
    }

    /// The URL that a route redirects to for a variant, which is made if it is not there.
    fn _serve_variant<'py>(
        &self,
        py: Python<'py>,
        key: String,
        name: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let client = self.client(py)?.clone();
            let work = async move { client.serve_variant(&key, &name).await };
            answer(py, work, |py, url| Ok(PyString::new(py, &url).into_any()))
        })
    }

    /// Promotes the direct uploads that an S3 event notification tells of: bare, or wrapped by SNS, SQS or both.
    ///
    /// Handling the same notification again does no harm. What is no pending upload of this store's own bucket
    /// and prefix is skipped with a reason, and no URL in it is ever fetched.
    ///
    /// Args:
    ///     event: the notification, as JSON text or as the objects of it.
    ///
    /// Returns:
    ///     A dict: "ok", False where the notification should come again, and "outcomes", a dict for each thing
    ///     that it told: "outcome" is "promoted", "skipped", "refused" or "failed".
    ///
    /// Raises:
    ///     InvalidArgumentError: it is no S3 notification.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> ImageStore.memory().handle_event({"Records": []})
    ///     {'ok': True, 'outcomes': []}
    #[pyo3(signature = (event))]
    fn handle_event<'py>(
        &self,
        py: Python<'py>,
        event: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let document: String = match event.is_instance_of::<PyString>() {
                true => text("event", event)?,
                false => py
                    .import("json")?
                    .call_method1("dumps", (event,))?
                    .extract()?,
            };
            let client = self.client(py)?.clone();
            let work = async move { Ok(handle_event(&client, document.as_bytes()).await?) };
            answer(py, work, |py, report| {
                let outcomes = serde_json::to_string(&report.outcomes)
                    .map_err(|error| invalid_argument("event", &error.to_string()))?;
                let told = PyDict::new(py);
                told.set_item("ok", report.is_done())?;
                let outcomes = py.import("json")?.call_method1("loads", (outcomes,))?;
                told.set_item("outcomes", outcomes)?;
                Ok(told.into_any())
            })
        })
    }

    /// Makes the configured variants that images lack, from the original where one was kept.
    ///
    /// A listing alone decides what is missing. Run it again after an interruption: it goes on where it
    /// stopped. An image that cannot be read is in the report and does not stop the rest.
    ///
    /// Args:
    ///     variants: names of the variants to make, lazy ones too. Default all that are not lazy.
    ///     all: make variants anew that are there.
    ///     main: make main images anew too, where an original was kept; keys and URLs stay.
    ///     prune: remove variants whose name is no longer configured, and those in a former format.
    ///     keys: only these images, by key or URL.
    ///     prefix: only images under this prefix.
    ///     shard: only the images of this shard, "2/3" or (2, 3) for the second of three machines.
    ///     dry_run: only report what would be done.
    ///     force: prune although no variant is configured at all.
    ///
    /// Returns:
    ///     RegenerateReport.
    ///
    /// Raises:
    ///     InvalidArgumentError: a variant that is not configured, an impossible shard, or pruning without
    ///         any variant.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> image = ImageStore.local(tmp_path).upload(photo)
    ///     >>> store = ImageStore.local(tmp_path, variants={"thumb": {"max_width": 320}})
    ///     >>> report = store.regenerate()
    ///     >>> report.images, report.made, report.failed
    ///     (1, 1, 0)
    ///     >>> store.exists(store.variant_url(image.key, "thumb"))
    ///     True
    #[pyo3(signature = (*, variants=None, all=false, main=false, prune=false, keys=None, prefix=None, shard=None, dry_run=false, force=false))]
    // A keyword each.
    #[allow(clippy::too_many_arguments)]
    fn regenerate<'py>(
        &self,
        py: Python<'py>,
        variants: Option<&Bound<'py, PyAny>>,
        all: bool,
        main: bool,
        prune: bool,
        keys: Option<&Bound<'py, PyAny>>,
        prefix: Option<&Bound<'py, PyAny>>,
        shard: Option<&Bound<'py, PyAny>>,
        dry_run: bool,
        force: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let mut options = RegenerateOptions::default()
                .with_all(all)
                .with_main(main)
                .with_prune(prune)
                .with_dry_run(dry_run)
                .with_force(force);
            if let Some(names) = variants {
                options = options.with_variants(texts("variants", names)?);
            }
            if let Some(keys) = keys {
                options = options.with_keys(texts("keys", keys)?);
            }
            options.prefix = optional_text("prefix", prefix)?;
            options.shard = shard.map(shard_of).transpose()?;
            let client = self.client(py)?.clone();
            let work = async move { regenerate(&client, &options).await };
            answer(py, work, |py, report| {
                results::regenerate_report(py, &report)
            })
        })
    }
}

/// Several texts, and not one whose letters would be taken for them.
fn texts(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if values.is_instance_of::<PyString>() {
        return Err(invalid_argument(name, "expected several str, not one"));
    }
    values.try_iter()?.map(|value| key(&value?)).collect()
}

/// `"2/3"` or `(2, 3)`.
fn shard_of(value: &Bound<'_, PyAny>) -> PyResult<Shard> {
    if value.is_instance_of::<PyString>() {
        return text("shard", value)?.parse().map_err(storage);
    }
    let numbers: (u32, u32) = value
        .extract()
        .map_err(|_| invalid_argument("shard", "expected 'I/N' or (I, N), such as (2, 3)"))?;
    Shard::new(numbers.0, numbers.1).map_err(storage)
}
