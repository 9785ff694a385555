//! The store before every backend: memory, local files, a server that fails on purpose, a real S3 server.

#[path = "../common/mod.rs"]
mod common;

mod all_or_nothing;
mod api;
mod conformance;
mod crash;
mod crash_promoting;
mod credentials;
mod faults;
mod fetch;
mod fetch_table;
mod formats;
mod inspector;
mod life;
mod migrate_originals;
mod noted;
mod presign;
mod presign_urls;
mod purge;
mod s3;
mod secrets;
mod signed_urls;
mod tracing;
mod vectors;
mod versions;
