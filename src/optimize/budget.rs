//! What one image may cost, checked before memory is spent and while time passes.

use std::time::Duration;

use super::{Limits, OptimizeError, OptimizeOptions};

/// The limits of one call, and when its time is over.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    pub(super) accept_truncated: bool,
    /// The share of a picture that may be lost.
    pub(super) max_damage: f64,
    /// By the clock of [`processor_time`].
    started: Duration,
}

impl<'a> Budget<'a> {
    pub(super) fn new(options: &'a OptimizeOptions) -> Self {
        Self {
            limits: &options.limits,
            accept_truncated: options.accept_truncated,
            max_damage: options.max_damage,
            started: processor_time(),
        }
    }

    /// A file that ends early: an error, unless such files are accepted.
    pub(super) fn truncated(&self, what: &str) -> Result<(), OptimizeError> {
        if !self.accept_truncated {
            return Err(OptimizeError::invalid(format!("truncated file: {what}")));
        }
        Ok(())
    }

    /// Refuses a picture of which more was lost than the caller takes.
    pub(super) fn check_damage(&self, damaged: f64) -> Result<(), OptimizeError> {
        if damaged <= self.max_damage {
            return Ok(());
        }
        Err(OptimizeError::invalid(format!(
            "damaged file: {:.1} % of the picture is lost, at most {:.1} % is accepted",
            damaged * 100.0,
            self.max_damage * 100.0
        )))
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

    /// The time that is left.
    #[cfg(feature = "avif")]
    pub(super) fn remaining(&self) -> Duration {
        let elapsed = processor_time().saturating_sub(self.started);
        self.limits.max_duration.saturating_sub(elapsed)
    }

    /// Whether the time is over; called at every row or so.
    pub(super) fn check_time(&self) -> Result<(), OptimizeError> {
        self.check_time_for(Duration::ZERO)
    }

    /// Whether the time would be over after work that takes this long, and cannot be stopped.
    pub(super) fn check_time_for(&self, expected: Duration) -> Result<(), OptimizeError> {
        let elapsed = processor_time().saturating_sub(self.started) + expected;
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
