//! S3 event notifications: a direct upload that arrived is promoted.

mod parse;

pub use parse::{InvalidEvent, MAX_EVENT_BYTES, Notice, ObjectEvent, parse_event};
