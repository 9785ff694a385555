//! Calls that asyncio awaits.
//!
//! The work runs on the runtime of the process, and a future of the caller's loop is told how it ended. One
//! thread for each process hands results over, and it alone waits for the GIL: no call has a thread of its
//! own, and the runtime never waits for Python.

use std::cell::Cell;
use std::future::Future;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError, mpsc};
use std::{process, thread};

use futures_util::FutureExt;
use lablink_storage as core;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tokio::task::AbortHandle;

use crate::attach::attach;
use crate::error::{defect, internal, is_logged, storage};
use crate::runtime::{runtime, wait};
use crate::slot::Slot;
use crate::{greenlets, logging};

thread_local! {
    /// True while `start` calls a method.
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

/// Calls a method of a store, or of what one of its methods gave, and returns what is to be awaited instead
/// of waiting for it. A loop has to run in this thread.
#[pyfunction]
#[pyo3(signature = (method, *args, **keywords))]
pub(crate) fn start<'py>(
    method: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    STARTING.set(true);
    let started = method.call(args, keywords);
    STARTING.set(false);
    started
}

/// Does a method's work and returns what it answers with; or, where [`start`] called it, what to await.
pub(crate) fn answer<'py, T: Send + 'static>(
    py: Python<'py>,
    work: impl Future<Output = core::Result<T>> + Send + 'static,
    convert: impl for<'a> FnOnce(Python<'a>, T) -> PyResult<Bound<'a, PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    answer_or_undo(py, work, convert, |_| {})
}

/// The same for work that leaves something behind. Where it was done before its caller's cancellation
/// reached it, nobody learns of it, and it is undone.
pub(crate) fn answer_or_undo<'py, T: Send + 'static>(
    py: Python<'py>,
    work: impl Future<Output = core::Result<T>> + Send + 'static,
    convert: impl for<'a> FnOnce(Python<'a>, T) -> PyResult<Bound<'a, PyAny>> + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    if !STARTING.take() {
        return convert(py, wait_for(py, work, undo)?.map_err(storage)?);
    }
    logging::refresh(py);
    let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
    let future = event_loop.call_method0("create_future")?;
    let context = py.import("contextvars")?.call_method0("copy_context")?;
    let waiting = (
        event_loop.unbind(),
        future.clone().unbind(),
        context.unbind(),
    );
    let wakeups = wakeups()?.clone();
    let runtime = runtime().map_err(|error| internal(&format!("no runtime: {error}")))?;
    let task = runtime.spawn(async move {
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        let settle: Settle = Box::new(move |future| match (outcome, future) {
            (Ok(Ok(done)), Some(future)) => {
                let converted = convert(future.py(), done);
                settle(future, converted)
            }
            (Ok(Ok(done)), None) => {
                undo(done);
                Ok(())
            }
            (Ok(Err(error)), Some(future)) => settle(future, Err(is_logged(storage(error)))),
            (Err(_panic), Some(future)) => settle(future, Err(defect())),
            (_, None) => Ok(()),
        });
        let settled = Settled::new(settle);
        let wake = Box::new(move |py: Python<'_>| wake(py, waiting, settled));
        wakeups.send(wake).ok();
    });
    let cancel = Cancel {
        task: Some(task.abort_handle()),
        pid: process::id(),
    };
    future.call_method1("add_done_callback", (cancel,))?;
    Ok(future)
}

/// Waits for work in the way of the caller: in a greenlet, while the others of its thread go on.
pub(crate) fn wait_for<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = core::Result<T>> + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> PyResult<core::Result<T>> {
    match greenlets::hub(py)? {
        Some(hub) => greenlets::wait(&hub, work, undo),
        None => wait(py, work),
    }
}

/// Ends the work when its future is cancelled. A done callback of the future, which is also called when the
/// work has ended itself.
#[pyclass(frozen)]
struct Cancel {
    task: Option<AbortHandle>,
    pid: u32,
}

#[pymethods]
impl Cancel {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        if let Some(task) = &self.task
            && self.pid == process::id()
        {
            task.abort();
        }
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        // A task of the parent's is not to be touched: its runtime has no threads here.
        if self.pid != process::id() {
            mem::forget(self.task.take());
        }
    }
}

/// Tells a future how the work ended; or, without one, undoes the work.
type Settle = Box<dyn FnOnce(Option<&Bound<'_, PyAny>>) -> PyResult<()> + Send>;

fn settle(future: &Bound<'_, PyAny>, outcome: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
    match outcome {
        Ok(value) => future.call_method1("set_result", (value,))?,
        Err(error) => future.call_method1("set_exception", (error.into_value(future.py()),))?,
    };
    Ok(())
}

/// What the loop calls once the work has ended.
#[pyclass(frozen)]
struct Settled {
    settle: Mutex<Option<Settle>>,
    pid: u32,
}

impl Settled {
    fn new(settle: Settle) -> Self {
        Self {
            settle: Mutex::new(Some(settle)),
            pid: process::id(),
        }
    }

    fn take(&self) -> Option<Settle> {
        let mut settle = self.settle.lock().unwrap_or_else(PoisonError::into_inner);
        settle.take()
    }
}

#[pymethods]
impl Settled {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let is_done = future.call_method0("done")?.is_truthy()?;
        let settled = match self.take() {
            Some(settle) => settle((!is_done).then_some(future)),
            None => Ok(()),
        };
        logging::deliver(future.py());
        settled
    }
}

impl Drop for Settled {
    /// A loop that was closed calls nobody any more.
    fn drop(&mut self) {
        if let Some(settle) = self.take() {
            match self.pid == process::id() {
                true => drop(settle(None)),
                false => mem::forget(settle),
            }
        }
    }
}

/// Tells somebody that a result is there.
type Wake = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;

static WAKEUPS: Slot<mpsc::Sender<Wake>> = Slot::new();

pub(crate) fn wakeups() -> PyResult<&'static mpsc::Sender<Wake>> {
    WAKEUPS.get_or_try_init(|| {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("lablink-wakeups".to_owned())
            .spawn(move || hand_over(&receiver))
            .map_err(|error| internal(&format!("no thread for results: {error}")))?;
        Ok(sender)
    })
}

fn hand_over(wakeups: &mpsc::Receiver<Wake>) {
    while let Ok(first) = wakeups.recv() {
        let handed = attach(|py| {
            let more = std::iter::from_fn(|| wakeups.try_recv().ok());
            for wake in std::iter::once(first).chain(more) {
                // A loop that is closed takes nothing: then nobody waits for it any more.
                wake(py).ok();
            }
        });
        // The interpreter is shutting down.
        if handed.is_none() {
            return;
        }
    }
}

/// Has a loop settle a future in the context of its call.
fn wake(
    py: Python<'_>,
    (event_loop, future, context): (Py<PyAny>, Py<PyAny>, Py<PyAny>),
    settled: Settled,
) -> PyResult<()> {
    let in_context = PyDict::new(py);
    in_context.set_item("context", context)?;
    event_loop.bind(py).call_method(
        "call_soon_threadsafe",
        (settled, future),
        Some(&in_context),
    )?;
    Ok(())
}
