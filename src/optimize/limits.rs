//! The limits that bound what a file can cost.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
}

/// What one file may cost, looked at before memory is spent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the encoded input. Default 32 MiB.
    pub max_bytes: u64,
    /// Pixels of the image, width times height. Default 64 million.
    pub max_pixels: u64,
    /// Pixels a side. Default 16384.
    pub max_side: u32,
    /// Scans of a JPEG: a pixel limit does not stop a small file with thousands of them. Default 100.
    pub max_scans: u32,
    /// Frames of an animation, even where only the first is decoded. Default 10,000.
    pub max_frames: u32,
    /// Bytes that decoding may hold at once. Default 512 MiB.
    pub max_decode_bytes: u64,
    /// CPU time that decoding, resizing and encoding may take together (on other systems than Unix: time
    /// that goes by). Default 10 s.
    #[serde(deserialize_with = "seconds")]
    pub max_duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_pixels: 64_000_000,
            max_side: 16_384,
            max_scans: 100,
            max_frames: 10_000,
            max_decode_bytes: 512 << 20,
            max_duration: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Sets the bytes of the encoded input.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the pixels of the image.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the pixels a side.
    #[must_use]
    pub fn with_max_side(mut self, side: u32) -> Self {
        self.max_side = side;
        self
    }

    /// Sets the scans of a JPEG.
    #[must_use]
    pub fn with_max_scans(mut self, scans: u32) -> Self {
        self.max_scans = scans;
        self
    }

    /// Sets the frames of an animation.
    #[must_use]
    pub fn with_max_frames(mut self, frames: u32) -> Self {
        self.max_frames = frames;
        self
    }

    /// Sets the bytes that decoding may hold at once.
    #[must_use]
    pub fn with_max_decode_bytes(mut self, bytes: u64) -> Self {
        self.max_decode_bytes = bytes;
        self
    }

    /// Sets the CPU time that one image may take.
    #[must_use]
    pub fn with_max_duration(mut self, duration: Duration) -> Self {
        self.max_duration = duration;
        self
    }
}
