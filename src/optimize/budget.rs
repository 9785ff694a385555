//! What one image may cost, checked before memory is spent and while time passes.

use std::cell::Cell;
use std::time::Duration;

use super::{Limits, OptimizeError};

/// The limits of one call, and when its time is over.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    pub(super) accept_truncated: bool,
    /// By the clock of [`processor_time`].
    started: Duration,
    /// Set where a decoder took less than the whole file.
    truncated: Cell<bool>,
    /// Set where the file has bytes that its picture did not need.
    spare: Cell<bool>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits, accept_truncated: bool) -> Self {
        Self {
            limits,
            accept_truncated,
            started: processor_time(),
            truncated: Cell::new(false),
            spare: Cell::new(false),
        }
    }

    /// A file that ends early: an error, unless such files are accepted.
    pub(super) fn truncated(&self, what: &str) -> Result<(), OptimizeError> {
        if !self.accept_truncated {
            return Err(OptimizeError::invalid(format!("truncated file: {what}")));
        }
        self.truncated.set(true);
        Ok(())
    }

    /// Whether [`Budget::truncated`] let something through.
    pub(super) fn is_truncated(&self) -> bool {
        self.truncated.get()
    }

    /// Bytes among the picture's own that it did not need: such a source is not kept.
    pub(super) fn note_spare(&self) {
        self.spare.set(true);
    }

    pub(super) fn has_spare(&self) -> bool {
        self.spare.get()
    }

    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), OptimizeError> {
        at_most("bytes", bytes as u64, self.limits.max_bytes)
    }

    /// The size of a picture, or of the canvas of an animation.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), OptimizeError> {
        if width == 0 || height == 0 {
            return Err(OptimizeError::invalid("the image has no pixels"));
        }
        let side = width.max(height);
        at_most("pixels a side", side.into(), self.limits.max_side.into())?;
        let pixels = u64::from(width) * u64::from(height);
        at_most("pixels", pixels, self.limits.max_pixels)
    }

    pub(super) fn check_scans(&self, scans: u32) -> Result<(), OptimizeError> {
        at_most("JPEG scans", scans.into(), self.limits.max_scans.into())
    }

    pub(super) fn check_frames(&self, frames: u32) -> Result<(), OptimizeError> {
        at_most("frames", frames.into(), self.limits.max_frames.into())
    }

    /// Memory that a decoder is about to hold.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<(), OptimizeError> {
        at_most(
            "bytes of decode memory",
            bytes,
            self.limits.max_decode_bytes,
        )
    }

    /// Whether the time is over; called at every row or so.
    pub(super) fn check_time(&self) -> Result<(), OptimizeError> {
        let elapsed = processor_time().saturating_sub(self.started);
        if elapsed > self.limits.max_duration {
            return Err(OptimizeError::LimitExceeded {
                what: "milliseconds",
                value: millis(elapsed),
                limit: millis(self.limits.max_duration),
            });
        }
        Ok(())
    }
}

/// What this thread has had of a processor: a busy machine does not make an image expensive.
#[cfg(unix)]
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The time that has gone by, where there is no such clock.
#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn at_most(what: &'static str, value: u64, limit: u64) -> Result<(), OptimizeError> {
    if value > limit {
        return Err(OptimizeError::LimitExceeded { what, value, limit });
    }
    Ok(())
}
