//! Operations: everything around the images that is not an upload.
//!
//! | | what it does |
//! |---|---|
//! | [`Setup`] | the documents and the script that make a healthy bucket |
//! | [`parse_event`] | what an S3 event notification says |
//!
//! The command line and `flask storage …` are thin faces on these.

mod events;
mod migrate;
mod setup;

pub use events::{InvalidEvent, MAX_EVENT_BYTES, Notice, ObjectEvent, parse_event};
pub use migrate::{UrlMap, UrlMapFormat};
pub use setup::{Archive, InvalidSetup, Setup, SetupOptions};
