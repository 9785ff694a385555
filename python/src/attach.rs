//! The way of our own threads into Python, and that none is there while the interpreter shuts down.
//!
//! CPython ends a thread that asks for the GIL then, wherever it is; what Rust drops on the way uses the GIL again, and
//! the process aborts. So before that, `atexit` closes the way and waits for those who are inside.

use std::convert::Infallible;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use crate::slot::Slot;

/// How long the end of the process waits: an inspector may hang.
const PATIENCE: Duration = Duration::from_secs(5);

static WAY: Slot<Way> = Slot::new();

#[derive(Default)]
struct Way {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

impl Way {
    fn of_this_process() -> &'static Self {
        let Ok(way) = WAY.get_or_try_init(|| Ok::<_, Infallible>(Self::default()));
        way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that is inside.
struct Inside(&'static Way);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.left.notify_all();
    }
}

/// Does something in Python, in a thread that Python did not make; `None` if the interpreter is shutting down.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let way = Way::of_this_process();
    let inside = {
        let mut state = way.state();
        if state.closed {
            return None;
        }
        state.inside += 1;
        Inside(way)
    };
    let done = Python::try_attach(work);
    drop(inside);
    done
}

/// Has the interpreter close the way before it shuts down.
pub(crate) fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close = wrap_pyfunction!(close, module)?;
    let atexit = module.py().import("atexit")?;
    atexit.call_method1("register", (close,)).map(drop)
}

#[pyfunction]
fn close(py: Python<'_>) {
    // Whoever is inside wants the GIL.
    py.detach(|| {
        let way = Way::of_this_process();
        let mut state = way.state();
        state.closed = true;
        let inside = |state: &mut State| state.inside > 0;
        drop(way.left.wait_timeout_while(state, PATIENCE, inside));
    });
}
