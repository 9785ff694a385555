//! PNG: its chunks, found without inflating any of them.

mod chunks;
mod decode;
mod encode;
#[cfg(feature = "webp")]
mod play;
mod quantize;
mod spare;
mod strip;
mod text;

use std::borrow::Cow;

use fdeflate::BoundedDecompressionError;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
use crate::optimize::exif::without_prefix;
#[cfg(feature = "webp")]
use crate::optimize::raster::Raster;

use super::{Codec, Decoded, Facts, File, MAX_PROFILE_BYTES, Wanted, be_u32, check_profile};
use chunks::Chunk;

pub(super) const CODEC: Codec = Codec {
    open: |bytes, budget| PngFile::open(bytes, budget),
    encode: |frame, options, exif, budget| encode::encode(frame, options.palette, exif, budget),
    has_alpha: true,
    takes_planes: |_| false,
};

/// A frame control, and whether it stands behind image data.
type Control<'a> = (bool, &'a [u8]);

/// A file whose chunks are found.
#[derive(Default)]
struct PngFile<'a> {
    facts: Facts<'a>,
    bytes: &'a [u8],
    /// Where the chunks that a picture may need begin, in their order: of a hostile file there can be millions.
    chunks: Vec<usize>,
    /// Where the chunks end, and whether they end as they should.
    end: usize,
    ended: bool,
    depth: u8,
    color: u8,
    interlaced: bool,
    has_data: bool,
    /// The first frame control.
    control: Option<Control<'a>>,
    is_animated: bool,
    /// Where the data of the first frame begins, and the control in front of it.
    first_frame: Option<(Option<Control<'a>>, usize)>,
    /// That frame, where the still image is not part of the animation.
    frame: Option<Frame>,
    /// Whether the decoder is given the chunks that make the picture and no others.
    is_odd: bool,
    /// The iCCP chunk.
    profile: Option<&'a [u8]>,
    /// A chunk that may hold EXIF, if no other does.
    compressed_exif: Option<&'a [u8]>,
}

/// A frame of an APNG, and where it stands on the canvas (PNG third edition, section 11.3.6.2).
#[derive(Clone, Copy)]
struct Frame {
    width: u32,
    height: u32,
    left: u32,
    top: u32,
    /// Where its data begins in the file.
    data_at: usize,
}

impl Frame {
    /// The frame that a frame control describes; `None` where it is not within the canvas.
    fn read(control: &[u8], data_at: usize, width: u32, height: u32) -> Option<Self> {
        let number = |at| be_u32(control, at);
        let frame = Self {
            width: number(4)?,
            height: number(8)?,
            left: number(12)?,
            top: number(16)?,
            data_at,
        };
        let fits = frame.width > 0
            && frame.height > 0
            && frame.left.checked_add(frame.width)? <= width
            && frame.top.checked_add(frame.height)? <= height;
        fits.then_some(frame)
    }
}

impl<'a> PngFile<'a> {
    fn open(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError> {
        let header = Chunk::at(bytes, 8)
            .filter(|chunk| &chunk.kind == b"IHDR" && chunk.data.len() == 13)
            .ok_or_else(|| OptimizeError::invalid("a PNG without its header"))?;
        let size = be_u32(header.data, 0).zip(be_u32(header.data, 4));
        let (width, height) = size.unwrap_or_default();
        budget.check_size(width, height)?;
        let mut file = Self {
            bytes,
            depth: header.data[8],
            color: header.data[9],
            interlaced: header.data[12] != 0,
            ..Self::default()
        };
        (file.facts.width, file.facts.height, file.facts.frames) = (width, height, 1);
        file.walk();
        // What there is of a chunk that is cut off may be worth something.
        let cut_off = !file.ended && bytes.get(file.end + 4..file.end + 8) == Some(b"IDAT");
        if !file.has_data && !cut_off {
            return Err(OptimizeError::invalid("a PNG without image data"));
        }
        if let (None, Some(chunk)) = (&file.facts.exif, file.compressed_exif) {
            file.facts.exif = text::compressed_profile(chunk).map(Cow::Owned);
        }
        if let Some((Some((true, control)), data_at)) = file.first_frame {
            file.frame = Frame::read(control, data_at, width, height);
        }
        Ok(Box::new(file))
    }

    /// Finds all chunks.
    fn walk(&mut self) {
        self.end = 8;
        while !self.ended
            && let Some(chunk) = Chunk::at(self.bytes, self.end)
        {
            self.end = chunk.end;
            if self.is_metadata(&chunk) {
                self.facts.has_metadata = true;
            } else {
                self.chunks.push(chunk.begin);
            }
        }
        self.facts.has_metadata |= self.end < self.bytes.len();
    }

    /// Takes down what a chunk says; whether that is nothing about the pixels.
    fn is_metadata(&mut self, chunk: &Chunk<'a>) -> bool {
        match &chunk.kind {
            b"IHDR" | b"tRNS" => {}
            b"IEND" => self.ended = true,
            b"IDAT" => self.has_data = true,
            b"PLTE" => self.is_odd |= !chunk.data.len().is_multiple_of(3),
            b"acTL" if !self.has_data && chunk.is_sound() => {
                let count = be_u32(chunk.data, 0).unwrap_or(0);
                (self.is_animated, self.is_odd) = (count > 0, true);
                self.facts.frames = count.max(1);
                self.facts.plays = be_u32(chunk.data, 4).unwrap_or(0);
            }
            b"acTL" => {}
            // The still image is a frame where a frame control stands before it.
            b"fcTL" => self.control = self.control.or(Some((self.has_data, chunk.data))),
            b"fdAT" if self.first_frame.is_none() && self.is_animated => {
                self.first_frame = Some((self.control, chunk.begin));
            }
            b"fdAT" => {}
            b"iCCP" if !self.has_data => {
                self.profile = self.profile.or(chunk.is_sound().then_some(chunk.data));
                return true;
            }
            // Behind the image data an orientation is too late for browsers.
            b"eXIf" if !self.has_data && chunk.is_sound() => {
                self.facts.exif = Some(Cow::Borrowed(without_prefix(chunk.data)));
                return true;
            }
            b"tEXt" if self.facts.exif.is_none() => {
                self.facts.exif = text::raw_profile(chunk.data).map(Cow::Owned);
                return true;
            }
            b"zTXt"
                if !self.has_data
                    && text::is_compressed_profile(chunk.data)
                    && chunk.is_sound() =>
            {
                self.compressed_exif = self.compressed_exif.or(Some(chunk.data));
                return true;
            }
            b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"mDCV" | b"cLLI" if !self.has_data => {
                self.facts.has_metadata = true;
            }
            _ => return true,
        }
        false
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> {
        let bytes = self.bytes;
        self.chunks
            .iter()
            .filter_map(move |&at| Chunk::at(bytes, at))
    }

    /// The colour profile (PNG third edition, section 11.3.2.3); `None` where it is damaged. The decoder's
    /// own reader does not tell a damaged one from one that is too large.
    fn profile(&self) -> Result<Option<Vec<u8>>, OptimizeError> {
        let Some(chunk) = self.profile else {
            return Ok(None);
        };
        // A name, which ends with a zero byte, and the method, of which there is one.
        let name = chunk.iter().take(80).position(|&byte| byte == 0);
        let Some([0, deflated @ ..]) = name.and_then(|end| chunk.get(end + 1..)) else {
            return Ok(None);
        };
        match fdeflate::decompress_to_vec_bounded(deflated, MAX_PROFILE_BYTES as usize) {
            Ok(profile) => Ok(Some(profile)),
            Err(BoundedDecompressionError::DecompressionError { .. }) => Ok(None),
            Err(BoundedDecompressionError::OutputTooLarge { .. }) => {
                check_profile(MAX_PROFILE_BYTES + 1).map(|()| None)
            }
        }
    }
}

impl File for PngFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }

    #[cfg(feature = "webp")]
    fn play(
        &self,
        budget: &Budget<'_>,
        show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
    ) -> Result<(), OptimizeError> {
        play::play(self, budget, show)
    }

    fn strip(&self, exif: Option<&[u8]>) -> Option<Vec<u8>> {
        strip::strip(self, exif)
    }

    fn has_spare(&self, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
        Ok(self.interlaced || !spare::is_all_rows(self, budget)?)
    }
}
