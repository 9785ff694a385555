//! A Python callable that looks at each new image before it is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lablink_storage as core;
use lablink_storage::{InspectError, Inspecting, Inspection, Inspector};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::attach::attach;
use crate::error::{configuration, invalid_argument, is_rejection};
use crate::results;
use crate::slot::Slot;

/// Calls that may be under way at once in a process. No thread can be taken from one that hangs, and files and
/// names need some too.
const CALLS: usize = 16;

static TURNS: Slot<Turns> = Slot::new();

/// The turns of the calls: a thread keeps its own until the callable returns.
struct Turns {
    free: Arc<Semaphore>,
    /// Calls whose answer an upload still waits for.
    awaited: AtomicUsize,
}

impl Turns {
    fn of_this_process() -> Result<&'static Self, InspectError> {
        TURNS.get_or_try_init(|| {
            Ok(Self {
                free: Arc::new(Semaphore::new(CALLS)),
                awaited: AtomicUsize::new(0),
            })
        })
    }

    /// Waits for a turn, which a call that is still in its time may give back soon. Where all of them hang,
    /// nothing is waited for.
    async fn take(&self) -> Result<OwnedSemaphorePermit, InspectError> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(turn);
        }
        if self.awaited.load(Ordering::Relaxed) == 0 {
            return Err(InspectError::failed(format!(
                "the inspector hangs: {CALLS} calls were given up and have not returned; give whatever \
                 it asks a time limit of its own, such as requests.post(..., timeout=10)"
            )));
        }
        Ok(Arc::clone(&self.free).acquire_owned().await?)
    }

    fn waiting(&self) -> Awaited<'_> {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        Awaited(&self.awaited)
    }
}

/// An upload that waits for its answer; dropped with the answer, and when the deadline has passed.
struct Awaited<'a>(&'a AtomicUsize);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The callable, in a thread where it may wait.
struct Callable(Py<PyAny>);

impl Inspector for Callable {
    fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a> {
        Box::pin(async move {
            let turns = Turns::of_this_process()?;
            let turn = turns.take().await?;
            let _awaited = turns.waiting();
            let callable = attach(|py| self.0.clone_ref(py)).ok_or_else(shut_down)?;
            let image = image.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                attach(|py| ask(py, callable.bind(py), &image)).unwrap_or_else(|| Err(shut_down()))
            });
            asked.await?
        })
    }
}

fn shut_down() -> InspectError {
    InspectError::failed("the interpreter is shutting down")
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
