//! The optimizer and its codecs, through the crate's public face. No storage, no server.

#[path = "../common/mod.rs"]
mod common;

mod corpus;
mod jpeg_decoder;
mod jpeg_encoder;
mod limits;
mod optimize;
