//! HMAC-SHA256 over aws-lc-rs.

use aws_lc_rs::{constant_time, hmac};

pub(crate) use crate::digest::{hex, sha256_hex};

pub(super) fn hmac_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

pub(super) fn hmac_hex(key: &hmac::Key, data: &[u8]) -> String {
    hex(hmac::sign(key, data).as_ref())
}

/// Compares two texts, in a time that does not depend on where they differ.
pub(super) fn equal(left: &str, right: &str) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
