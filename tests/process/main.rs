//! Tests that look at the whole process, its memory and its files, and so run one at a time.
#![cfg(all(feature = "s3", feature = "local"))]

#[path = "../common/mod.rs"]
mod common;

mod concurrency;
mod soak;

/// Held by the test whose turn it is.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
