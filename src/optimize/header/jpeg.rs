//! The markers of a JPEG file (ITU-T T.81, annex B), without decoding any of its data.

use std::borrow::Cow;

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::jpeg::Color;
use super::super::jpeg::segments::{
    APP0, APP1, APP2, APP14, APP15, COM, DAC, DHT, EOI, JPG, SOF0, SOF2, SOF15, SOS, next_segment,
    scan_end,
};
use super::{Details, Header, MAX_PROFILE_BYTES, be_u16};

const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";

/// What the markers say.
#[derive(Debug)]
pub(in super::super) struct JpegHeader<'a> {
    /// What the components mean.
    pub(in super::super) color: Color,
    /// The colour transform that an Adobe segment names.
    pub(in super::super) adobe: Option<u8>,
    pub(in super::super) jfif: bool,
    /// The ICC profile (ICC.1:2022, annex B.4), if it is whole.
    pub(in super::super) profile: Option<Cow<'a, [u8]>>,
}

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let mut frame: Option<(u8, &[u8])> = None;
    let (mut exif, mut profile) = (None, Profile::default());
    let (mut adobe, mut jfif, mut has_metadata) = (None, false, false);
    let mut scans = 0;
    let mut at = 2;
    loop {
        // What the decoder is given may still be a whole picture without its end.
        let Some(segment) = next_segment(bytes, at).ok().flatten() else {
            if scans == 0 {
                return Err(OptimizeError::invalid(
                    "truncated JPEG: the file ends before its image data",
                ));
            }
            break;
        };
        let payload = segment.body;
        at = segment.end;
        match segment.marker {
            SOF0..=SOF15 if !matches!(segment.marker, DHT | JPG | DAC) => {
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
                if process != SOF2 && whole {
                    break;
                }
                at = scan_end(bytes, at);
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
    let Some((_, frame)) = frame else {
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
            color: Color::new(component_ids(frame)?.iter().copied(), jfif, adobe),
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
        return Err(OptimizeError::UnsupportedFormat {
            name: "JPEG that gives its height after its data (DNL)",
        });
    }
    Ok((width.into(), height.into()))
}

fn component_ids(frame: &[u8]) -> Result<Vec<u8>, OptimizeError> {
    let short = || OptimizeError::invalid("a short JPEG frame header");
    let count = usize::from(*frame.get(5).ok_or_else(short)?);
    let specifications = frame.get(6..6 + 3 * count).ok_or_else(short)?;
    Ok(specifications.iter().step_by(3).copied().collect())
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
