//! A file that came in, opened: its format, its parts, and what it says of itself. Every limit that can be
//! checked before anything is decoded is checked here.

use crate::format::ImageFormat;

use super::budget::Budget;
use super::codec::{File, codec};
use super::{Animation, OptimizeError, OptimizeOptions, SourceInfo, exif};

/// An accepted file. Its parts are found once; decoding and stripping know where they are.
pub(super) struct Source<'a> {
    pub(super) format: ImageFormat,
    pub(super) file: Box<dyn File + 'a>,
    /// Bytes of the file.
    size: usize,
}

impl<'a> Source<'a> {
    /// Opens a file and checks it against the limits.
    pub(super) fn open(
        bytes: &'a [u8],
        options: &OptimizeOptions,
        budget: &Budget<'_>,
    ) -> Result<Self, OptimizeError> {
        budget.check_bytes(bytes.len())?;
        let format = ImageFormat::sniff(bytes)?;
        let file = (codec(format).open)(bytes, budget)?;
        let facts = file.facts();
        budget.check_size(facts.width, facts.height)?;
        budget.check_frames(facts.frames)?;
        if facts.frames > 1 && options.animation == Animation::Reject {
            return Err(OptimizeError::invalid(format!(
                "an animation of {} frames, where a still image is asked for",
                facts.frames
            )));
        }
        Ok(Self {
            format,
            file,
            size: bytes.len(),
        })
    }

    /// The orientation that the file or its EXIF block asks for, 1 to 8.
    pub(super) fn orientation(&self) -> u8 {
        let facts = self.file.facts();
        let of_exif = || facts.exif.as_deref().map(exif::orientation);
        facts.orientation.or_else(of_exif).unwrap_or(1)
    }

    pub(super) fn info(&self, damaged: f64) -> SourceInfo {
        let facts = self.file.facts();
        SourceInfo {
            format: self.format,
            size: self.size as u64,
            sha256: String::new(),
            width: facts.width,
            height: facts.height,
            orientation: self.orientation(),
            frames: facts.frames,
            frames_dropped: facts.frames.saturating_sub(1),
            metadata_stripped: facts.has_metadata,
            damaged,
        }
    }
}
