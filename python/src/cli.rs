//! The command line, the same code as the binary's.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::error::guard;
use crate::inspector::load;
use crate::logging;
use crate::store::variables;

/// Runs one command of the command line: for `python -m lablink_storage` and `flask storage`.
///
/// It writes to the process's own stdout and stderr.
///
/// Args:
///     args: the arguments, beginning with the program's name.
///     env: variables to look at instead of the process's.
///
/// Returns:
///     The exit code: 0 done, 1 it failed, 2 wrong usage.
#[pyfunction]
#[pyo3(signature = (args, env=None))]
pub(crate) fn run_cli(
    py: Python<'_>,
    args: Vec<OsString>,
    env: Option<&Bound<'_, PyAny>>,
) -> PyResult<u8> {
    guard(|| {
        let variables = env.map(variables).transpose()?;
        logging::refresh(py);
        Ok(py.detach(|| {
            logging::at_once(|| lablink_storage::cli::run_loading(args, variables, load))
        }))
    })
}
