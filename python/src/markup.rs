//! A stored image in a page: what `lablink_storage._types.StoredImage` asks for.

use lablink_storage as core;
use pyo3::prelude::*;

use crate::error::invalid_argument;

/// The value of a `srcset` attribute. `image` is the image's JSON.
#[pyfunction]
pub(crate) fn srcset(image: &str) -> PyResult<String> {
    Ok(stored(image)?.srcset())
}

/// A `<picture>` element.
#[pyfunction]
pub(crate) fn picture(image: &str, sizes: &str, alt: &str) -> PyResult<String> {
    Ok(stored(image)?.picture(sizes, alt))
}

/// A placeholder as a `data:` URL.
#[pyfunction]
pub(crate) fn placeholder_url(placeholder: &str) -> Option<String> {
    core::placeholder_url(placeholder)
}

fn stored(image: &str) -> PyResult<core::StoredImage> {
    serde_json::from_str(image)
        .map_err(|error| invalid_argument("image", &format!("it is not a stored image: {error}")))
}
