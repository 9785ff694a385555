//! The Python module: a table of contents. Python's own part, `lablink_storage/`, has the exceptions, the
//! values that calls answer with, the drop-in and the Flask extension.

// The interface is documented where Python's users look: docstrings and stubs.
#![allow(missing_docs)]

mod asynchronous;
mod attach;
mod cli;
mod config;
mod error;
mod greenlets;
mod input;
mod inspector;
mod interpreter;
mod listing;
mod logging;
mod markup;
mod memory;
mod optimize;
mod options;
mod results;
mod runtime;
mod slot;
mod store;

/// The compiled part of `lablink_storage`.
#[pyo3::pymodule]
mod _lablink_storage {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use crate::asynchronous::start;
    #[pymodule_export]
    use crate::cli::run_cli;
    #[pymodule_export]
    use crate::config::settings;
    #[pymodule_export]
    use crate::listing::ObjectIterator;
    #[pymodule_export]
    use crate::markup::{picture, placeholder_url, srcset};
    #[pymodule_export]
    use crate::optimize::optimize;
    #[pymodule_export]
    use crate::store::ImageStore;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        crate::interpreter::claim(py)?;
        crate::error::init(py)?;
        crate::attach::init(module)?;
        crate::logging::init();
        lablink_storage::silence_caught_panics();
        let types = lablink_storage::ImageFormat::ALL.map(|format| format.mime_type());
        module.add("IMAGE_TYPES", PyTuple::new(py, types)?)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
