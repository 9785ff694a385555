//! The markers of a JPEG file (ITU-T T.81, annex B), without decoding any of its data.

use std::borrow::Cow;

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::{Details, Header, MAX_PROFILE_BYTES, be_u16};

pub(in super::super) const SOI: u8 = 0xd8;
pub(in super::super) const EOI: u8 = 0xd9;
pub(in super::super) const SOS: u8 = 0xda;
pub(in super::super) const APP0: u8 = 0xe0;
pub(in super::super) const APP14: u8 = 0xee;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP15: u8 = 0xef;
const COM: u8 = 0xfe;
const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";

/// One component of the frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Component {
    pub(in super::super) id: u8,
    pub(in super::super) horizontal: u8,
    pub(in super::super) vertical: u8,
}

/// What the markers say.
#[derive(Debug)]
pub(in super::super) struct JpegHeader<'a> {
    /// The second byte of the SOF marker: 0xc0 baseline, 0xc2 progressive, …
    pub(in super::super) process: u8,
    pub(in super::super) precision: u8,
    pub(in super::super) components: Vec<Component>,
    /// The colour transform that an Adobe segment names.
    pub(in super::super) adobe: Option<u8>,
    pub(in super::super) jfif: bool,
    /// The ICC profile (ICC.1:2022, annex B.4), if it is whole.
    pub(in super::super) profile: Option<Cow<'a, [u8]>>,
}

impl JpegHeader<'_> {
    pub(in super::super) fn is_progressive(&self) -> bool {
        self.process == 0xc2
    }

    /// Whether three components are red, green and blue instead of luma and chroma. The rules that libjpeg
    /// made the standard: JFIF says Y'CbCr, Adobe says which, and without either the identifiers tell.
    pub(in super::super) fn is_rgb(&self) -> bool {
        if self.components.len() != 3 || self.jfif {
            return false;
        }
        match self.adobe {
            Some(transform) => transform == 0,
            None => self
                .components
                .iter()
                .map(|component| component.id)
                .eq(*b"RGB"),
        }
    }
}

/// A marker segment, or what follows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Segment<'a> {
    pub(in super::super) marker: u8,
    /// What follows the length; empty for markers that stand alone.
    pub(in super::super) payload: &'a [u8],
    /// Where the byte after the payload stands.
    pub(in super::super) end: usize,
}

/// The segment that begins at or after `at`; bytes that belong to none are skipped, as every decoder does.
/// `None` at the end of the data or where a segment is cut off.
pub(in super::super) fn next_segment(bytes: &[u8], at: usize) -> Option<Segment<'_>> {
    let mut at = at;
    loop {
        at += find_ff(bytes.get(at..)?)?;
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        match marker {
            0 => {}
            // TEM, RSTn, SOI and EOI have no length.
            0x01 | 0xd0..=0xd9 => {
                return Some(Segment {
                    marker,
                    payload: &[],
                    end: at,
                });
            }
            _ => {
                let end = at.checked_add(be_u16(bytes, at)?.max(2).into())?;
                let payload = bytes.get(at + 2..end)?;
                return Some(Segment {
                    marker,
                    payload,
                    end,
                });
            }
        }
    }
}

/// The offset of the marker that ends the entropy-coded data beginning at `at`.
pub(in super::super) fn entropy_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(offset) = bytes.get(at..).and_then(find_ff) {
        at += offset;
        match bytes.get(at + 1) {
            Some(0 | 0xd0..=0xd7) => at += 2,
            // A fill byte.
            Some(0xff) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    bytes.len()
}

/// The first 0xff, looked for in blocks that the compiler can compare at once.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let blocks = bytes.chunks_exact(BLOCK);
    let skipped = blocks
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |found, &byte| found | (byte == 0xff))
        })
        .count()
        * BLOCK;
    let offset = bytes[skipped..].iter().position(|&byte| byte == 0xff)?;
    Some(skipped + offset)
}

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let mut frame: Option<(u8, &[u8])> = None;
    let (mut exif, mut profile) = (None, Profile::default());
    let (mut adobe, mut jfif, mut has_metadata) = (None, false, false);
    let mut scans = 0;
    let mut at = 2;
    loop {
        let Some(segment) = next_segment(bytes, at) else {
            // What the decoder is given may still be a whole picture without its EOI.
            if scans == 0 {
                return Err(OptimizeError::invalid(
                    "truncated JPEG: the file ends before its image data",
                ));
            }
            break;
        };
        let payload = segment.payload;
        at = segment.end;
        match segment.marker {
            0xc0..=0xcf if !matches!(segment.marker, 0xc4 | 0xc8 | 0xcc) => {
                if frame.is_some() {
                    return Err(OptimizeError::invalid("a JPEG with two frame headers"));
                }
                frame = Some((segment.marker, payload));
                let (width, height) = frame_size(payload)?;
                budget.check_size(width, height)?;
            }
            SOS => {
                scans += 1;
                budget.check_scans(scans)?;
                let Some((process, frame)) = frame else {
                    return Err(OptimizeError::invalid(
                        "a JPEG scan before its frame header",
                    ));
                };
                let whole = payload.first() == frame.get(5);
                if process != 0xc2 && whole {
                    break;
                }
                at = entropy_end(bytes, at);
            }
            EOI => break,
            APP0 if payload.starts_with(b"JFIF\0") => jfif = true,
            APP1 if payload.starts_with(EXIF) => {
                has_metadata = true;
                exif = exif.or(Some(Cow::Borrowed(&payload[EXIF.len()..])));
            }
            APP2 if payload.starts_with(ICC) => {
                has_metadata = true;
                profile.push(&payload[ICC.len()..])?;
            }
            APP14 if payload.starts_with(b"Adobe") && payload.len() >= 12 => {
                adobe = Some(payload[11]);
            }
            APP0..=APP15 | COM => has_metadata = true,
            _ => {}
        }
    }
    let Some((process, frame)) = frame else {
        return Err(OptimizeError::invalid("a JPEG without a frame header"));
    };
    let (width, height) = frame_size(frame)?;
    Ok(Header {
        format: ImageFormat::Jpeg,
        width,
        height,
        frames: 1,
        exif,
        // Something behind the picture: MPO, a gain map, a video.
        has_metadata: has_metadata || !bytes.ends_with(&[0xff, EOI]),
        details: Details::Jpeg(JpegHeader {
            process,
            precision: frame.first().copied().unwrap_or(0),
            components: components(frame)?,
            adobe,
            jfif,
            profile: profile.assemble(),
        }),
    })
}

fn frame_size(frame: &[u8]) -> Result<(u32, u32), OptimizeError> {
    let size = be_u16(frame, 1).zip(be_u16(frame, 3));
    let (height, width) =
        size.ok_or_else(|| OptimizeError::invalid("a short JPEG frame header"))?;
    if height == 0 {
        return Err(OptimizeError::invalid(
            "a JPEG that gives its height after its data (DNL) or has none",
        ));
    }
    Ok((width.into(), height.into()))
}

fn components(frame: &[u8]) -> Result<Vec<Component>, OptimizeError> {
    let short = || OptimizeError::invalid("a short JPEG frame header");
    let count = usize::from(*frame.get(5).ok_or_else(short)?);
    let specifications = frame.get(6..6 + 3 * count).ok_or_else(short)?;
    let component = |specification: &[u8]| Component {
        id: specification[0],
        horizontal: specification[1] >> 4,
        vertical: specification[1] & 15,
    };
    Ok(specifications.chunks_exact(3).map(component).collect())
}

/// The numbered parts of an ICC profile.
#[derive(Default)]
struct Profile<'a> {
    parts: Vec<(u8, &'a [u8])>,
    count: u8,
    bytes: u64,
}

impl<'a> Profile<'a> {
    fn push(&mut self, payload: &'a [u8]) -> Result<(), OptimizeError> {
        let &[number, count, ref data @ ..] = payload else {
            return Ok(());
        };
        self.bytes += data.len() as u64;
        if self.bytes > MAX_PROFILE_BYTES {
            return Err(OptimizeError::LimitExceeded {
                what: "bytes of colour profile",
                value: self.bytes,
                limit: MAX_PROFILE_BYTES,
            });
        }
        self.count = count;
        self.parts.push((number, data));
        Ok(())
    }

    /// The profile, if each of its parts is there once.
    fn assemble(mut self) -> Option<Cow<'a, [u8]>> {
        self.parts.sort_by_key(|&(number, _)| number);
        let numbers = self.parts.iter().map(|&(number, _)| number);
        if self.parts.is_empty() || !numbers.eq(1..=self.count) {
            return None;
        }
        Some(match self.parts[..] {
            [(_, data)] => Cow::Borrowed(data),
            _ => Cow::Owned(
                self.parts
                    .iter()
                    .flat_map(|&(_, data)| data)
                    .copied()
                    .collect(),
            ),
        })
    }
}
