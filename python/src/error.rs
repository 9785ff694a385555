//! From Rust's errors, and its panics, to the exceptions of `lablink_storage`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lablink_storage::{Error, ErrorKind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

use crate::logging;

static EXCEPTIONS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Imports the exceptions while the module is, so that nothing is initialized when threads run.
pub(crate) fn init(py: Python<'_>) -> PyResult<()> {
    let module = PyModule::import(py, "lablink_storage._exceptions")?.unbind();
    EXCEPTIONS.get_or_init(py, || module);
    Ok(())
}

fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Configuration => "ConfigurationError",
        ErrorKind::InvalidArgument => "InvalidArgumentError",
        ErrorKind::InvalidKey => "InvalidKeyError",
        ErrorKind::ForeignUrl => "ForeignUrlError",
        ErrorKind::InvalidImage => "InvalidImageError",
        ErrorKind::LimitExceeded => "LimitExceededError",
        ErrorKind::UnsupportedFormat => "UnsupportedFormatError",
        ErrorKind::PolicyViolation => "PolicyViolationError",
        ErrorKind::Rejected => "RejectedError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::AlreadyExists => "AlreadyExistsError",
        ErrorKind::NotSupported => "NotSupportedError",
        ErrorKind::Credentials => "CredentialsError",
        ErrorKind::AccessDenied => "AccessDeniedError",
        ErrorKind::NoSuchBucket => "NoSuchBucketError",
        ErrorKind::Unavailable => "UnavailableError",
        ErrorKind::Timeout => "StorageTimeoutError",
        _ => "InternalError",
    }
}

#[derive(Default)]
struct Details<'a> {
    hint: Option<String>,
    retryable: bool,
    code: Option<&'a str>,
    request_id: Option<&'a str>,
}

fn raise(kind: ErrorKind, message: &str, details: Details<'_>) -> PyErr {
    Python::attach(|py| {
        let module = match EXCEPTIONS.get(py) {
            Some(module) => module.bind(py).clone(),
            None => PyModule::import(py, "lablink_storage._exceptions")?,
        };
        let arguments = (
            message,
            details.hint,
            details.retryable,
            details.code,
            details.request_id,
        );
        let exception = module.getattr(class_name(kind))?.call1(arguments)?;
        Ok(PyErr::from_value(exception))
    })
    .unwrap_or_else(|error: PyErr| error)
}

/// The exception of an error's kind.
pub(crate) fn storage(error: Error) -> PyErr {
    let details = Details {
        hint: error.hint(),
        retryable: error.is_retryable(),
        code: error.code(),
        request_id: error.request_id(),
    };
    let raised = raise(error.kind(), &error.to_string(), details);
    Python::attach(|py| {
        raised.set_cause(py, cause(py, &error.causes()));
        raised.value(py).setattr("_is_ours", true).ok();
    });
    raised
}

/// Builds the chain of exceptions that `__cause__` leads along.
fn cause(py: Python<'_>, causes: &[String]) -> Option<PyErr> {
    causes.iter().rev().fold(None, |behind, words| {
        let raised = PyRuntimeError::new_err(words.clone());
        raised.set_cause(py, behind);
        Some(raised)
    })
}

/// Whether an inspector raised `RejectedError`.
pub(crate) fn is_rejection(py: Python<'_>, error: &PyErr) -> bool {
    let module = EXCEPTIONS.get(py).map(|module| module.bind(py));
    let class = module.and_then(|module| module.getattr(class_name(ErrorKind::Rejected)).ok());
    class.is_some_and(|class| error.is_instance(py, &class))
}

/// `ConfigurationError`.
pub(crate) fn configuration(name: &str, problem: &str, remedy: &str) -> PyErr {
    let details = Details {
        hint: Some(remedy.to_owned()),
        ..Details::default()
    };
    raise(
        ErrorKind::Configuration,
        &format!("{name} {problem}"),
        details,
    )
}

/// `InvalidArgumentError`.
pub(crate) fn invalid_argument(name: &str, reason: &str) -> PyErr {
    let details = Details {
        hint: Some("correct the argument".to_owned()),
        ..Details::default()
    };
    let message = format!("invalid argument {name}: {reason}");
    raise(ErrorKind::InvalidArgument, &message, details)
}

/// `InvalidKeyError`.
pub(crate) fn invalid_key(reason: &str) -> PyErr {
    let details = Details {
        hint: Some("use a key that this store gave out".to_owned()),
        ..Details::default()
    };
    let message = format!("invalid object key: {reason}");
    raise(ErrorKind::InvalidKey, &message, details)
}

/// `NotSupportedError`.
pub(crate) fn not_supported(message: &str, hint: &str) -> PyErr {
    let details = Details {
        hint: Some(hint.to_owned()),
        ..Details::default()
    };
    raise(ErrorKind::NotSupported, message, details)
}

/// `LimitExceededError` for an input that was not even read to its end.
pub(crate) fn too_large(size: usize, limit: u64) -> PyErr {
    let details = Details {
        hint: Some(format!("send a file of at most {limit} bytes")),
        ..Details::default()
    };
    let message = format!("image over the limit: bytes is {size}, at most {limit} allowed");
    raise(ErrorKind::LimitExceeded, &message, details)
}

/// `InternalError`.
pub(crate) fn internal(message: &str) -> PyErr {
    raise(ErrorKind::Internal, message, Details::default())
}

/// `InternalError` for a panic, whose message may quote what it was working on: it goes to stderr only.
pub(crate) fn defect() -> PyErr {
    internal("this is a defect in lablink-storage; please report it")
}

/// Whoever answers it need not log it again. What takes no attribute is logged twice.
fn mark_logged(py: Python<'_>, error: &PyErr) {
    error.value(py).setattr("_is_logged", true).ok();
}

/// An error of the store's own, about which it has written a line where warnings are heard.
pub(crate) fn is_logged(error: PyErr) -> PyErr {
    if logging::hears_warnings() {
        Python::attach(|py| mark_logged(py, &error));
    }
    error
}

/// Runs a call that Python makes: turns a panic into `InternalError`, because `PanicException` is no
/// `Exception` and would end a worker, and hands the events of the call to the logger.
pub(crate) fn guard<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let warnings = logging::warnings();
    let outcome = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(defect()));
    Python::attach(|py| {
        if let Err(error) = &outcome
            && logging::warnings() != warnings
        {
            mark_logged(py, error);
        }
        logging::deliver(py);
    });
    outcome
}
