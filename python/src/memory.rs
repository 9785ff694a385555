//! Keeps the memory of a finished image for the next one, where glibc would return it to the system.

use std::hint::black_box;
use std::sync::Once;

/// More than an ordinary photograph needs at once while it is decoded, resized and encoded.
const KEPT: usize = 16 << 20;

/// Makes glibc keep an image's memory for the next one.
///
/// It would give it back after every image and then pay for every page anew: a fifth of all CPU time of an
/// upload. Its thresholds follow the largest block that was ever freed (`mallopt(3)`, "dynamic mmap
/// threshold"), so this does no more than one large upload would, and nothing where they were set by hand.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(KEPT))));
}
