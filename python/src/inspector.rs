//! A Python callable that looks at each new image before it is stored.

use std::sync::Arc;

use lablink_storage as core;
use lablink_storage::{InspectError, Inspecting, Inspection, Inspector};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::error::{configuration, invalid_argument, is_rejection};
use crate::results;

/// The callable, in a thread where it may wait.
struct Callable(Py<PyAny>);

impl Inspector for Callable {
    fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a> {
        Box::pin(async move {
            let callable = Python::attach(|py| self.0.clone_ref(py));
            let image = image.clone();
            let asked = tokio::task::spawn_blocking(move || {
                Python::attach(|py| ask(py, callable.bind(py), &image))
            });
            asked.await?
        })
    }
}

/// Agrees where the callable returns None, and only there.
fn ask(
    py: Python<'_>,
    callable: &Bound<'_, PyAny>,
    image: &Inspection,
) -> Result<(), InspectError> {
    let answer = results::inspection(py, image).and_then(|image| callable.call1((image,)));
    match answer {
        Ok(answer) if answer.is_none() => Ok(()),
        Ok(answer) => {
            let given = answer.get_type().to_string();
            let problem = "the inspector has to return None, or raise RejectedError; it returned";
            Err(InspectError::failed(format!("{problem} {given}")))
        }
        Err(error) if is_rejection(py, &error) => {
            Err(InspectError::rejected(error.value(py).to_string()))
        }
        Err(error) => Err(InspectError::failed(error.to_string())),
    }
}

/// The callable as the crate's inspector.
pub(crate) fn inspector(py: Python<'_>, callable: &Py<PyAny>) -> Arc<dyn Inspector> {
    Arc::new(Callable(callable.clone_ref(py)))
}

/// The callable of a store: the one among its keywords, else the one that its configuration names.
pub(crate) fn find(
    py: Python<'_>,
    config: &core::Config,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Option<Py<PyAny>>> {
    let given = keywords.map(|keywords| keywords.get_item("inspector"));
    if let Some(given) = given.transpose()?.flatten()
        && !given.is_instance_of::<PyString>()
        && !given.is_none()
    {
        return Ok(Some(given.unbind()));
    }
    let Some(name) = config.inspector() else {
        return Ok(None);
    };
    let found = import(py, name).map_err(|error| {
        let problem = format!("names {name}, which cannot be imported: {error}");
        configuration(
            "LABLINK_STORAGE_INSPECTOR",
            &problem,
            "name one as module:callable",
        )
    });
    found.map(Some)
}

/// The callable that `module:callable` names.
fn import(py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
    let (module, path) = name.split_once(':').unwrap_or((name, ""));
    let mut found = py.import(module)?.into_any();
    for attribute in path.split('.') {
        found = found.getattr(attribute)?;
    }
    if !found.is_callable() {
        return Err(invalid_argument("inspector", "it is not callable"));
    }
    Ok(found.unbind())
}

/// Finds the inspector of the command line.
pub(crate) fn load(name: &str) -> Result<Arc<dyn Inspector>, String> {
    Python::attach(|py| {
        let import = || {
            results::types(py)?;
            import(py, name)
        };
        let callable = import().map_err(|error| error.to_string())?;
        Ok(inspector(py, &callable))
    })
}
