//! The runtime of this process, and how a Python thread waits for it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::error::internal;
use crate::logging;
use crate::slot::Slot;

static RUNTIME: Slot<Runtime> = Slot::new();

/// Threads for files, names and inspectors, whatever the number of callers: further ones wait their turn. Of
/// inspectors there are fewer, because one that hangs keeps its thread.
const BLOCKING_THREADS: usize = 64;

/// Longest time that a signal handler waits for its turn.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) fn runtime() -> std::io::Result<&'static Runtime> {
    RUNTIME.get_or_try_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("lablink-storage")
            .enable_all()
            .build()
    })
}

/// Runs a future to its end with the GIL released; Python's signal handlers run meanwhile, and an
/// exception of theirs (`KeyboardInterrupt`) ends the wait and the operation.
pub(crate) fn wait<T: Send>(py: Python<'_>, work: impl Future<Output = T> + Send) -> PyResult<T> {
    logging::refresh(py);
    py.detach(|| {
        let runtime = runtime().map_err(|error| internal(&format!("no runtime: {error}")))?;
        let mut work = pin!(work);
        loop {
            // Handlers run outside of `block_on`, so that they may call this package themselves.
            let turn = async { tokio::time::timeout(SIGNAL_INTERVAL, work.as_mut()).await };
            match runtime.block_on(turn) {
                Ok(done) => return Ok(done),
                Err(_) => Python::attach(|py| {
                    logging::deliver(py);
                    py.check_signals()
                })?,
            }
        }
    })
}
