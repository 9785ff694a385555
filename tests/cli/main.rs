//! The built binary: every command by itself, and the operations against a real S3 server.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod doctor;
mod events;
mod migrate;
mod setup;
mod shell;
mod sweep;
