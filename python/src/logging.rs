//! Forwards the crate's `tracing` events to Python's logger `lablink_storage`.
//!
//! While the logger is off, an event costs one atomic load. Spans are kept while they are open, so that an
//! event says which operation it belongs to.
//!
//! Events are queued, and the Python thread that called hands them to the logger, outside of the runtime
//! and without a lock. A handler may thus call the store itself; and a worker never waits for a handler's
//! lock that is held by a thread which waits for this worker. What such a call of a handler's own would
//! log is dropped, or the log would feed itself.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::attach::attach;
use crate::slot::Slot;

static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The logger's effective level as it was when Python last called; Python's numbers (WARNING is 30).
static THRESHOLD: AtomicU8 = AtomicU8::new(30);

/// Above every level.
const OFF: u8 = 255;

/// Events that may wait for a Python thread. Beyond that the newest are dropped.
const MOST_WAITING: usize = 4096;

struct Waiting {
    level: u8,
    text: String,
}

/// The events of this process that no handler has seen yet.
static QUEUE: Slot<Mutex<VecDeque<Waiting>>> = Slot::new();

/// Number of running calls during which no Python thread takes events from the queue: the command line's.
static AT_ONCE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// True while this thread is running the logger's handlers.
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
    /// Number of warnings and errors forwarded from this thread.
    static WARNINGS: Cell<u64> = const { Cell::new(0) };
}

fn queue() -> MutexGuard<'static, VecDeque<Waiting>> {
    mine(&QUEUE)
}

/// The number of warnings and errors that this thread has forwarded so far.
pub(crate) fn warnings() -> u64 {
    WARNINGS.get()
}

/// Hands what has been queued to the logger, with all its handlers.
pub(crate) fn deliver(py: Python<'_>) {
    if DELIVERING.get() {
        return;
    }
    let batch = std::mem::take(&mut *queue());
    if batch.is_empty() {
        return;
    }
    let _delivering = Delivering::begin();
    for Waiting { level, text } in batch {
        log(py, level, &text);
    }
}

struct Delivering;

impl Delivering {
    fn begin() -> Self {
        DELIVERING.set(true);
        Self
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        DELIVERING.set(false);
    }
}

/// Runs a call during which events go to the logger from the threads where they happen.
pub(crate) fn at_once<T>(call: impl FnOnce() -> T) -> T {
    struct Count;
    impl Drop for Count {
        fn drop(&mut self) {
            AT_ONCE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    AT_ONCE.fetch_add(1, Ordering::Relaxed);
    let _count = Count;
    call()
}

fn log(py: Python<'_>, level: u8, text: &str) {
    if let Some(logger) = LOGGER.get(py) {
        // A handler that raises is the application's affair, not this operation's.
        if let Err(error) = logger.bind(py).call_method1("log", (level, text)) {
            error.write_unraisable(py, None);
        }
    }
}

pub(crate) fn init() {
    // Fails only if this module were loaded twice in one process; the first forwarder stays.
    tracing::subscriber::set_global_default(Forwarder).ok();
}

/// The logger: looked up by the first call, because not every program that imports this package logs.
fn logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let look_up = || {
        let logging = py.import("logging")?;
        let logger = logging.call_method1("getLogger", ("lablink_storage",))?;
        Ok::<_, PyErr>(logger.unbind())
    };
    Ok(LOGGER.get_or_try_init(py, look_up)?.bind(py))
}

/// Looks at the logger's level: once a call, because asking for every event would need the GIL.
pub(crate) fn refresh(py: Python<'_>) {
    let level = logger(py)
        .and_then(|logger| logger.call_method0("getEffectiveLevel")?.extract::<u64>())
        .map_or(30, |level| u8::try_from(level).unwrap_or(OFF));
    THRESHOLD.store(level, Ordering::Relaxed);
}

/// Returns whether warnings went to the logger when Python last called.
pub(crate) fn hears_warnings() -> bool {
    THRESHOLD.load(Ordering::Relaxed) <= 30
}

fn python_level(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

struct Span {
    text: String,
    parent: Option<u64>,
    references: usize,
    /// Opened by a call that a handler makes.
    muted: bool,
}

/// The open spans of this process: what a fork leaves behind is not looked at again.
static SPANS: Slot<Mutex<HashMap<u64, Span>>> = Slot::new();
static NEXT_SPAN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn spans() -> MutexGuard<'static, HashMap<u64, Span>> {
    mine(&SPANS)
}

/// This process's own, locked.
fn mine<T: Default>(slot: &Slot<Mutex<T>>) -> MutexGuard<'_, T> {
    let made = slot.get_or_try_init(|| Ok::<_, Infallible>(Mutex::default()));
    let mutex = match made {
        Ok(mutex) => mutex,
        Err(never) => match never {},
    };
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current() -> Option<u64> {
    ENTERED.with(|entered| entered.try_borrow().ok()?.last().copied())
}

struct Forwarder;

impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target().starts_with("lablink_storage") {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let threshold = THRESHOLD.load(Ordering::Relaxed);
        if metadata.is_span() {
            threshold != OFF
        } else {
            python_level(metadata.level()) >= threshold
        }
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut text = attributes.metadata().name().to_owned();
        attributes.record(&mut Words(&mut text));
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => current(),
            None => None,
        };
        let id = NEXT_SPAN.fetch_add(1, Ordering::Relaxed);
        let mut spans = spans();
        let muted = DELIVERING.get()
            || parent.is_some_and(|parent| spans.get(&parent).is_some_and(|span| span.muted));
        let span = Span {
            text,
            parent,
            references: 1,
            muted,
        };
        spans.insert(id, span);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut text = String::new();
        values.record(&mut Words(&mut text));
        if let Some(span) = spans().get_mut(&span.into_u64()) {
            span.text.push_str(&text);
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if DELIVERING.get() {
            return;
        }
        let mut text = String::new();
        {
            let spans = spans();
            let mut id = match event.parent() {
                Some(parent) => Some(parent.into_u64()),
                None => current(),
            };
            let mut outwards = Vec::new();
            while let Some(span) = id.and_then(|id| spans.get(&id)) {
                if span.muted {
                    return;
                }
                outwards.push(span.text.as_str());
                id = span.parent;
            }
            for span in outwards.iter().rev() {
                text.push_str(span);
                text.push_str(": ");
            }
        }
        let mut words = String::new();
        event.record(&mut Words(&mut words));
        text.push_str(words.trim_start());
        let level = python_level(event.metadata().level());
        if level >= python_level(&Level::WARN) {
            WARNINGS.set(WARNINGS.get() + 1);
        }
        if AT_ONCE.load(Ordering::Relaxed) > 0 {
            // `None` where the interpreter is shutting down: then nobody listens any more.
            attach(|py| log(py, level, &text));
            return;
        }
        let mut queue = queue();
        if queue.len() < MOST_WAITING {
            queue.push_back(Waiting { level, text });
        }
    }

    fn enter(&self, span: &Id) {
        ENTERED.with(|entered| {
            if let Ok(mut entered) = entered.try_borrow_mut() {
                entered.push(span.into_u64());
            }
        });
    }

    fn exit(&self, span: &Id) {
        ENTERED.with(|entered| {
            if let Ok(mut entered) = entered.try_borrow_mut()
                && let Some(at) = entered.iter().rposition(|id| *id == span.into_u64())
            {
                entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = spans().get_mut(&id.into_u64()) {
            span.references += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let id = id.into_u64();
        let mut spans = spans();
        let Some(span) = spans.get_mut(&id) else {
            return false;
        };
        span.references -= 1;
        let closed = span.references == 0;
        if closed {
            spans.remove(&id);
        }
        closed
    }
}

/// Writes fields as ` name=value`, the message without its name, control characters escaped.
struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push(' ');
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push('=');
        }
        // Writing into a `String` cannot fail.
        write!(OneLine(self.0), "{value:?}").ok();
    }
}

struct OneLine<'a>(&'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}
