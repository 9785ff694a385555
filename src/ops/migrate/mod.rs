//! Images from one place to another, without loss.

mod url_map;

pub use url_map::{UrlMap, UrlMapFormat};
