//! One interpreter for each process.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

/// `builtins` of the interpreter that imported this module first. Every interpreter has its own, and while
/// it is held here no other can get its address.
static BUILTINS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Refuses to be imported by a second interpreter of this process, as other PyO3 modules do: it would share
/// the first one's exceptions, which its `except` clauses do not catch, and its logger.
pub(crate) fn claim(py: Python<'_>) -> PyResult<()> {
    let builtins = PyModule::import(py, "builtins")?;
    let first = BUILTINS.get_or_init(py, || builtins.clone().unbind());
    if first.bind(py).is(&builtins) {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "lablink_storage was imported by another interpreter of this process, and one process can have \
         it once: give each application a process of its own, or run them in the main interpreter \
         (mod_wsgi: WSGIApplicationGroup %{GLOBAL})",
    ))
}
