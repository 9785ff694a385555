//! Waiting under gevent: the other greenlets of the thread go on meanwhile.
//!
//! Where gevent has patched `threading`, a call's work runs on the runtime, and the greenlet that called
//! sleeps in gevent's hub until it is woken. No thread waits for it.

use std::future::Future;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use lablink_storage::Result;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use crate::asynchronous::wakeups;
use crate::error::{defect, internal};
use crate::logging;
use crate::runtime::runtime;

/// gevent's hub, where its greenlets take the place of threads and this is one that may wait.
pub(crate) fn hub(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let modules = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    let Some(monkey) = modules.get_item("gevent.monkey")? else {
        return Ok(None);
    };
    let is_patched = monkey.call_method1("is_module_patched", ("threading",))?;
    if !is_patched.is_truthy()? {
        return Ok(None);
    }
    let hub = PyModule::import(py, "gevent")?.call_method0("get_hub")?;
    let current = PyModule::import(py, "greenlet")?.call_method0("getcurrent")?;
    Ok((!current.is(&hub)).then_some(hub))
}

enum State<T, U> {
    Running,
    Done(std::thread::Result<Result<T>>),
    /// Nobody waits any more: how to undo what is done.
    Abandoned(U),
}

/// Runs a future to its end while this greenlet sleeps. What is raised in it meanwhile (`Timeout`,
/// `KeyboardInterrupt`) ends the work; what was done already is undone.
pub(crate) fn wait<T: Send + 'static, U: FnOnce(T) + Send + 'static>(
    hub: &Bound<'_, PyAny>,
    work: impl Future<Output = Result<T>> + Send + 'static,
    undo: U,
) -> PyResult<Result<T>> {
    let py = hub.py();
    logging::refresh(py);
    let waiter = PyModule::import(py, "gevent.hub")?.call_method1("Waiter", (hub,))?;
    let watcher = hub.getattr("loop")?.call_method0("async_")?;
    // Before the work begins: a wake-up that comes first is kept by the waiter.
    watcher.call_method1("start", (waiter.getattr("switch")?, py.None()))?;
    let state = Arc::new(Mutex::new(State::Running));
    let (shared, wakeups, awake) = (
        Arc::clone(&state),
        wakeups()?.clone(),
        watcher.clone().unbind(),
    );
    let runtime = runtime().map_err(|error| internal(&format!("no runtime: {error}")))?;
    let task = runtime.spawn(async move {
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        ended(&shared, outcome);
        let wake = move |py: Python<'_>| awake.call_method0(py, "send").map(drop);
        wakeups.send(Box::new(wake)).ok();
    });
    let woken = waiter.call_method0("get");
    let stopped = watcher
        .call_method0("stop")
        .and_then(|_| watcher.call_method0("close"));
    let mut state = lock(&state);
    match (
        woken.and(stopped),
        mem::replace(&mut *state, State::Running),
    ) {
        (Ok(_), State::Done(Ok(outcome))) => Ok(outcome),
        (Ok(_), State::Done(Err(_panic))) => Err(defect()),
        (Ok(_), _) => Err(internal("a greenlet was woken before its call had ended")),
        (Err(error), State::Done(outcome)) => {
            if let Ok(Ok(done)) = outcome {
                undo(done);
            }
            Err(error)
        }
        (Err(error), _) => {
            *state = State::Abandoned(undo);
            task.abort();
            Err(error)
        }
    }
}

fn ended<T, U: FnOnce(T)>(state: &Mutex<State<T, U>>, outcome: std::thread::Result<Result<T>>) {
    let mut state = lock(state);
    match mem::replace(&mut *state, State::Running) {
        State::Abandoned(undo) => {
            if let Ok(Ok(done)) = outcome {
                undo(done);
            }
        }
        _ => *state = State::Done(outcome),
    }
}

fn lock<T, U>(state: &Mutex<State<T, U>>) -> MutexGuard<'_, State<T, U>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
