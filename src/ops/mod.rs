//! Operations: everything around the images that is not an upload.
//!
//! | | what it does |
//! |---|---|
//! | [`Setup`] | the documents and the script that make a healthy bucket |
//!
//! The command line and `flask storage …` are thin faces on these.

mod setup;

pub use setup::{Archive, InvalidSetup, Setup, SetupOptions};
