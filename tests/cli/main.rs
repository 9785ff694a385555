//! The built binary: every command by itself, and the operations against a real S3 server.

#[path = "../common/mod.rs"]
mod common;

mod authority;
mod cloudfront;
mod commands;
mod distribution;
mod doctor;
mod events;
mod examples;
mod many;
mod migrate;
mod migrate_answers;
mod migrate_in_place;
mod migrate_passed_over;
mod promote;
mod regenerate;
mod regenerate_on_s3;
mod setup;
mod shell;
mod sweep;
mod trouble;
