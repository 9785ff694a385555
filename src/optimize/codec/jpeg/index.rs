//! What a file says of itself: its segments, found once, and what those that are no data mean.

use std::borrow::Cow;
use std::slice;

use crate::optimize::codec::{Facts, MAX_PROFILE_BYTES, be_u16};

use super::error::Error;
use super::segments::{
    APP0, APP1, APP2, APP14, APP15, COM, DAC, DHT, DRI, EOI, Fields, JPG, SOF0, SOF1, SOF2, SOF15,
    SOI, SOS, Segment, next_segment, scan_end,
};
use super::types::{Color, Component, Header, Process};

/// What goes before an EXIF block.
pub(super) const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
/// More tables and scans than any file has: each takes memory here.
const MAX_SEGMENTS: usize = 1 << 16;

/// A file whose segments are found.
pub(super) struct Index<'a> {
    data: &'a [u8],
    /// Tables, frame and scans: to the end marker, or to a scan of all components that need not be followed by
    /// another.
    segments: Vec<Segment<'a>>,
    /// What stands in front of the first scan.
    pub header: Header,
    pub facts: Facts<'a>,
    pub jfif: bool,
    pub profile: Profile<'a>,
}

impl<'a> Index<'a> {
    pub fn new(data: &'a [u8], max_scans: u32) -> Result<Self, Error> {
        if !data.starts_with(&[0xFF, SOI]) {
            return Err(Error::Damaged("no SOI marker at the beginning"));
        }
        let mut found = Found::default();
        let (mut segments, mut at) = (Vec::new(), 2);
        loop {
            let segment = match next_segment(data, at) {
                Ok(Some(segment)) => segment,
                // What is there may still be a whole picture without its end.
                _ if found.scans > 0 => break,
                Ok(None) => return Err(Error::Truncated),
                Err(error) => return Err(error),
            };
            at = segment.end;
            if found.take(&segment)? {
                continue;
            }
            if segments.len() == MAX_SEGMENTS {
                return Err(Error::Damaged("more tables and scans than any picture has"));
            }
            segments.push(segment);
            match segment.marker {
                EOI => break,
                SOS => {
                    super::check_scans(found.scans, max_scans)?;
                    if found.is_whole(&segment) {
                        break;
                    }
                    at = scan_end(data, at);
                }
                _ => {}
            }
        }
        let header = found.header()?;
        let mut facts = found.facts;
        (facts.width, facts.height, facts.frames) = (header.width, header.height, 1);
        // Something behind the picture: MPO, a gain map, a video.
        facts.has_metadata |= !data.ends_with(&[0xFF, EOI]);
        Ok(Self {
            data,
            segments,
            header,
            facts,
            jfif: found.jfif,
            profile: found.profile,
        })
    }

    /// The segments from the first one on.
    pub fn segments(&self) -> Segments<'_> {
        Segments {
            data: self.data,
            found: self.segments.iter(),
            at: 2,
        }
    }
}

/// The segments of a file in their order: those that were found before, then what follows them.
pub(super) struct Segments<'a> {
    pub data: &'a [u8],
    found: slice::Iter<'a, Segment<'a>>,
    /// Where the one after them is looked for: behind the data of a scan once that has been read.
    pub at: usize,
}

impl<'a> Segments<'a> {
    pub fn next(&mut self) -> Result<Segment<'a>, Error> {
        let segment = match self.found.next() {
            Some(segment) => *segment,
            None => next_segment(self.data, self.at)?.ok_or(Error::Truncated)?,
        };
        self.at = segment.end;
        Ok(segment)
    }
}

/// What the segments say, one by one.
#[derive(Default)]
struct Found<'a> {
    frame: Option<Frame>,
    scans: u32,
    jfif: bool,
    adobe_transform: Option<u8>,
    restart_interval: u16,
    profile: Profile<'a>,
    facts: Facts<'a>,
}

impl<'a> Found<'a> {
    /// Takes down what a segment says; whether that is nothing about the samples.
    fn take(&mut self, segment: &Segment<'a>) -> Result<bool, Error> {
        let body = segment.body;
        match segment.marker {
            APP0 if self.scans == 0 && body.starts_with(b"JFIF\0") => self.jfif = true,
            // ITU-T T.872, 6.5.3: "Adobe", version, two flag words, transform.
            APP14 if self.scans == 0 && body.starts_with(b"Adobe") && body.len() >= 12 => {
                self.adobe_transform = Some(body[11]);
            }
            APP1 if body.starts_with(EXIF) => {
                self.facts.has_metadata = true;
                let exif = Cow::Borrowed(&body[EXIF.len()..]);
                self.facts.exif.get_or_insert(exif);
            }
            APP2 if body.starts_with(ICC) => {
                self.facts.has_metadata = true;
                self.profile.push(&body[ICC.len()..])?;
            }
            APP0..=APP15 | COM => self.facts.has_metadata = true,
            DRI if self.scans == 0 => {
                self.restart_interval = be_u16(body, 0).unwrap_or(0);
                return Ok(false);
            }
            SOS if self.frame.is_none() => return Err(NO_FRAME),
            SOS => {
                self.scans += 1;
                return Ok(false);
            }
            marker if is_frame(marker) => {
                if self.frame.is_some() {
                    return Err(SECOND_FRAME);
                }
                self.frame = Some(Frame::parse(marker, Fields(body))?);
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether a scan is all there is: sequential, with every component in it.
    fn is_whole(&self, scan: &Segment<'_>) -> bool {
        self.frame.as_ref().is_some_and(|frame| {
            let components = scan.body.first().copied().map(usize::from);
            frame.process != Process::Progressive && components == Some(frame.components.len())
        })
    }

    fn header(&self) -> Result<Header, Error> {
        let frame = self.frame.as_ref().filter(|_| self.scans > 0);
        let frame = frame.ok_or(super::NO_SCAN)?;
        let ids = frame.components.iter().map(|component| component.id);
        Ok(Header {
            width: frame.width.into(),
            height: frame.height.into(),
            precision: frame.precision,
            process: frame.process,
            color: Color::new(ids, self.jfif, self.adobe_transform),
            components: frame.components.clone(),
            adobe_transform: self.adobe_transform,
            restart_interval: self.restart_interval,
        })
    }
}

/// Whether a marker begins a frame. Three between SOF0 and SOF15 do not.
pub(super) fn is_frame(marker: u8) -> bool {
    (SOF0..=SOF15).contains(&marker) && !matches!(marker, DHT | JPG | DAC)
}

const NO_FRAME: Error = Error::Damaged("no frame before the first scan");
pub(super) const SECOND_FRAME: Error = Error::Damaged("a second frame header");

struct Frame {
    width: u16,
    height: u16,
    precision: u8,
    process: Process,
    components: Vec<Component>,
}

impl Frame {
    /// B.2.2.
    fn parse(marker: u8, mut fields: Fields<'_>) -> Result<Self, Error> {
        let precision = fields.u8()?;
        let height = fields.u16()?;
        let width = fields.u16()?;
        if width == 0 {
            return Err(Error::Damaged("the width is 0"));
        }
        if height == 0 {
            return Err(Error::Unsupported(
                "JPEG that gives its height after its data (DNL)",
            ));
        }
        let mut components: Vec<Component> = Vec::new();
        for _ in 0..fields.u8()? {
            let id = fields.u8()?;
            let (horizontal, vertical) = fields.nibbles()?;
            let quantization = fields.u8()?;
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                return Err(Error::Damaged("a sampling factor is not 1 to 4"));
            }
            if quantization > 3 {
                return Err(Error::Damaged("there are four quantisation tables only"));
            }
            components.push(Component {
                id,
                horizontal,
                vertical,
                quantization,
            });
        }
        if components.is_empty() {
            return Err(Error::Damaged("a frame without components"));
        }
        let process = match marker {
            SOF0 => Process::Baseline,
            SOF1 => Process::Extended,
            SOF2 => Process::Progressive,
            0xC3 | 0xCB => Process::Lossless,
            0xC9 | 0xCA => Process::Arithmetic,
            _ => Process::Hierarchical,
        };
        Ok(Self {
            width,
            height,
            precision,
            process,
            components,
        })
    }
}

/// The numbered parts of an ICC profile (ICC.1:2022, annex B.4).
#[derive(Default)]
pub(super) struct Profile<'a> {
    parts: Vec<(u8, &'a [u8])>,
    count: u8,
    bytes: u64,
}

impl<'a> Profile<'a> {
    fn push(&mut self, payload: &'a [u8]) -> Result<(), Error> {
        let &[number, count, ref data @ ..] = payload else {
            return Ok(());
        };
        self.bytes += data.len() as u64;
        if self.bytes > MAX_PROFILE_BYTES {
            return Err(Error::LimitExceeded {
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
    pub fn assemble(&self) -> Option<Vec<u8>> {
        let mut parts = self.parts.clone();
        parts.sort_by_key(|&(number, _)| number);
        let numbers = parts.iter().map(|&(number, _)| number);
        let is_whole = !parts.is_empty() && numbers.eq(1..=self.count);
        is_whole.then(|| parts.iter().flat_map(|&(_, data)| data).copied().collect())
    }
}
