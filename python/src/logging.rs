//! Forwards the crate's `tracing` events to Python's logger `lablink_storage`.
//!
//! While the logger is off, an event costs one atomic load. Spans are kept while they are open, so that an
//! event says which operation it belongs to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::slot::Slot;

static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The logger's effective level as it was when Python last called; Python's numbers (WARNING is 30).
static THRESHOLD: AtomicU8 = AtomicU8::new(30);

/// Above every level.
const OFF: u8 = 255;

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
}

/// The open spans of this process: what a fork leaves behind is not looked at again.
static SPANS: Slot<Mutex<HashMap<u64, Span>>> = Slot::new();
static NEXT_SPAN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn spans() -> MutexGuard<'static, HashMap<u64, Span>> {
    let made = SPANS.get_or_try_init(|| Ok::<_, Infallible>(Mutex::default()));
    let spans = match made {
        Ok(spans) => spans,
        Err(never) => match never {},
    };
    spans.lock().unwrap_or_else(PoisonError::into_inner)
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
        let span = Span {
            text,
            parent,
            references: 1,
        };
        spans().insert(id, span);
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
        let mut text = String::new();
        {
            let spans = spans();
            let mut id = match event.parent() {
                Some(parent) => Some(parent.into_u64()),
                None => current(),
            };
            let mut outwards = Vec::new();
            while let Some(span) = id.and_then(|id| spans.get(&id)) {
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
        // `None` where the interpreter is shutting down: then nobody listens any more.
        Python::try_attach(|py| {
            if let Some(logger) = LOGGER.get(py) {
                // A handler that raises is the application's affair, not this operation's.
                if let Err(error) = logger.bind(py).call_method1("log", (level, text)) {
                    error.write_unraisable(py, None);
                }
            }
        });
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
