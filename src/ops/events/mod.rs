//! S3 event notifications: a direct upload that arrived is promoted.

mod handle;
mod parse;

pub use handle::{EventOutcome, EventReport, handle_event};
pub use parse::{InvalidEvent, MAX_EVENT_BYTES, Notice, ObjectEvent, parse_event};
