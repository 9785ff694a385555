//! Results of the calls, as the dataclasses of `lablink_storage._types`.

use std::collections::BTreeMap;

use lablink_storage as core;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyModule};

static TYPES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The classes, imported when the first store is made and not with the package: `dataclasses` takes longer
/// than all the rest. And not later, so that no thread is in the middle of it when another one forks.
pub(crate) fn types(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    let import = || Ok::<_, PyErr>(PyModule::import(py, "lablink_storage._types")?.unbind());
    Ok(TYPES.get_or_try_init(py, import)?.bind(py))
}

/// Calls a class of `_types` with keywords.
macro_rules! make {
    ($py:expr, $class:literal, { $($name:ident: $value:expr),* $(,)? }) => {{
        let py: Python<'_> = $py;
        let keywords = PyDict::new(py);
        $(keywords.set_item(pyo3::intern!(py, stringify!($name)), $value)?;)*
        class(py, pyo3::intern!(py, $class))?.call((), Some(&keywords))
    }};
}

fn class<'py>(
    py: Python<'py>,
    name: &Bound<'py, pyo3::types::PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    types(py)?.getattr(name)
}

type Object<'py> = PyResult<Bound<'py, PyAny>>;

fn source_info<'py>(py: Python<'py>, source: &core::SourceInfo) -> Object<'py> {
    make!(py, "SourceInfo", {
        format: source.format.mime_type(),
        size: source.size,
        sha256: &source.sha256,
        width: source.width,
        height: source.height,
        orientation: source.orientation,
        frames: source.frames,
        frames_dropped: source.frames_dropped,
        metadata_stripped: source.metadata_stripped,
        damaged: source.damaged,
    })
}

pub(crate) fn optimized_image<'py>(py: Python<'py>, image: &core::OptimizedImage) -> Object<'py> {
    make!(py, "OptimizedImage", {
        data: PyBytes::new(py, &image.data),
        content_type: image.content_type(),
        width: image.width,
        height: image.height,
        format: image.format.to_string().to_ascii_lowercase(),
        placeholder: &image.placeholder,
        dhash: &image.dhash,
        source: source_info(py, &image.source)?,
    })
}

pub(crate) fn inspection<'py>(py: Python<'py>, image: &core::Inspection) -> Object<'py> {
    let context = match &image.context {
        Some(context) => {
            let loads = py.import("json")?.getattr("loads")?;
            Some(loads.call1((context.to_string(),))?)
        }
        None => None,
    };
    make!(py, "Inspection", {
        data: PyBytes::new(py, &image.data),
        picture: PyBytes::new(py, &image.picture.to_png()),
        source: source_info(py, &image.source)?,
        dhash: &image.dhash,
        filename: &image.filename,
        context: context,
    })
}

fn stored_variants<'py>(
    py: Python<'py>,
    variants: &BTreeMap<String, core::StoredVariant>,
) -> PyResult<Bound<'py, PyDict>> {
    let by_name = PyDict::new(py);
    for (name, variant) in variants {
        by_name.set_item(name, stored_variant(py, variant)?)?;
    }
    Ok(by_name)
}

pub(crate) fn stored_variant<'py>(py: Python<'py>, variant: &core::StoredVariant) -> Object<'py> {
    make!(py, "StoredVariant", {
        key: variant.key.as_str(),
        url: &variant.url,
        content_type: variant.content_type,
        size: variant.size,
        width: variant.width,
        height: variant.height,
        e_tag: &variant.e_tag,
    })
}

pub(crate) fn stored_image<'py>(py: Python<'py>, image: &core::StoredImage) -> Object<'py> {
    make!(py, "StoredImage", {
        key: image.key.as_str(),
        url: &image.url,
        content_type: image.content_type,
        size: image.size,
        width: image.width,
        height: image.height,
        e_tag: &image.e_tag,
        sha256: &image.sha256,
        placeholder: &image.placeholder,
        dhash: &image.dhash,
        variants: stored_variants(py, &image.variants)?,
        source: source_info(py, &image.source)?,
        original: image.original.as_ref().map(core::ObjectKey::as_str),
    })
}

pub(crate) fn object_info<'py>(py: Python<'py>, info: &core::ObjectInfo) -> Object<'py> {
    make!(py, "ObjectInfo", {
        key: info.key.as_str(),
        size: info.size,
        content_type: &info.content_type,
        cache_control: &info.cache_control,
        e_tag: &info.e_tag,
        last_modified: info.last_modified,
        variant: &info.variant,
    })
}

pub(crate) fn object_versions<'py>(
    py: Python<'py>,
    versions: &[core::ObjectVersion],
) -> Object<'py> {
    let all = PyList::empty(py);
    for version in versions {
        all.append(make!(py, "ObjectVersion", {
            version: &version.version,
            is_latest: version.is_latest,
            is_deleted: version.is_deleted,
            size: version.size,
            e_tag: &version.e_tag,
            last_modified: version.last_modified,
        })?)?;
    }
    Ok(all.into_any())
}

pub(crate) fn status<'py>(py: Python<'py>, status: &core::Status) -> Object<'py> {
    make!(py, "Status", {
        enabled: status.enabled,
        accessible: status.accessible,
        backend: status.backend,
        bucket: &status.bucket,
        region: &status.region,
        message: &status.message,
        error: &status.error,
        hint: &status.hint,
    })
}

fn pairs<'py>(py: Python<'py>, pairs: &[(String, String)]) -> PyResult<Bound<'py, PyDict>> {
    let ordered = PyDict::new(py);
    for (name, value) in pairs {
        ordered.set_item(name, value)?;
    }
    Ok(ordered)
}

pub(crate) fn presigned_request<'py>(
    py: Python<'py>,
    request: &core::PresignedRequest,
) -> Object<'py> {
    make!(py, "PresignedRequest", {
        method: request.method.as_str(),
        url: &request.url,
        headers: pairs(py, &request.headers)?,
        key: request.key.as_str(),
        file_url: &request.file_url,
        expires_at: request.expires_at,
    })
}

pub(crate) fn presigned_post<'py>(py: Python<'py>, post: &core::PresignedPost) -> Object<'py> {
    make!(py, "PresignedPost", {
        url: &post.url,
        fields: pairs(py, &post.fields)?,
        key: post.key.as_str(),
        file_url: &post.file_url,
        expires_at: post.expires_at,
    })
}

pub(crate) fn signed_cookies<'py>(py: Python<'py>, cookies: &core::SignedCookies) -> Object<'py> {
    make!(py, "SignedCookies", {
        cookies: pairs(py, &cookies.cookies)?,
        expires_at: cookies.expires_at,
    })
}

pub(crate) fn get_overrides<'py>(
    py: Python<'py>,
    headers: &core::sign::ResponseHeaders,
) -> Object<'py> {
    make!(py, "GetOverrides", {
        content_type: &headers.content_type,
        content_disposition: &headers.content_disposition,
    })
}

pub(crate) fn received_post<'py>(py: Python<'py>, post: &core::ReceivedPost) -> Object<'py> {
    make!(py, "ReceivedPost", {
        key: post.key.as_str(),
        status: post.status,
        e_tag: &post.e_tag,
        size: post.size,
    })
}

pub(crate) fn sweep_report<'py>(py: Python<'py>, report: &core::SweepReport) -> Object<'py> {
    let found = report
        .found
        .iter()
        .map(|object| make!(py, "SweptObject", { key: object.key.as_str(), size: object.size }))
        .collect::<PyResult<Vec<_>>>()?;
    let failures: Vec<(&str, &str)> = report
        .failures
        .iter()
        .map(|(key, reason)| (key.as_str(), reason.as_str()))
        .collect();
    make!(py, "SweepReport", {
        found: found,
        removed: report.removed,
        staging_files: report.staging_files,
        failures: failures,
        stopped: report.stopped.as_deref(),
    })
}

pub(crate) fn regenerate_report<'py>(
    py: Python<'py>,
    report: &core::ops::RegenerateReport,
) -> Object<'py> {
    let failures = report.failures.iter().map(|failure| {
        make!(py, "RegenerateFailure", {
            image: &failure.image,
            kind: failure.kind.as_str(),
            message: &failure.message,
            hint: &failure.hint,
        })
    });
    let purge_failure = report.purge_failure.as_ref().map(|failure| {
        make!(py, "PurgeFailure", {
            kind: failure.kind.as_str(),
            message: &failure.message,
            hint: &failure.hint,
        })
    });
    let purge_failure = purge_failure.transpose()?;
    make!(py, "RegenerateReport", {
        dry_run: report.dry_run,
        images: report.images,
        complete: report.complete,
        made: report.made,
        present: report.present,
        mains: report.mains,
        without_original: report.without_original,
        bytes: report.bytes,
        pruned: report.pruned,
        failed: report.failed,
        failures: failures.collect::<PyResult<Vec<_>>>()?,
        invalidate: &report.invalidate,
        purged: report.purged,
        purge_failure: purge_failure,
        stopped: &report.stopped,
        hint: &report.hint,
    })
}
