//! The chunks of a PNG file (PNG third edition, section 5), without inflating any of them.

use std::borrow::Cow;

use fdeflate::BoundedDecompressionError;

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::{Details, Header, MAX_PROFILE_BYTES, be_u32};

/// Text chunks beyond this are not even looked at; a raw EXIF profile is 64 KiB at most, in hexadecimal.
const MAX_TEXT: usize = 1 << 18;
/// The keywords under which ImageMagick keeps EXIF in a text chunk.
const RAW_PROFILES: [&[u8]; 2] = [b"Raw profile type exif\0", b"Raw profile type APP1\0"];

/// What the chunks say.
#[derive(Debug)]
pub(in super::super) struct PngHeader<'a> {
    pub(in super::super) interlaced: bool,
    /// The first frame of an animation whose still image is not part of it.
    pub(in super::super) frame: Option<Frame>,
    /// Whether the decoder is given the chunks that make the picture and no others.
    is_odd: bool,
    /// The iCCP chunk.
    profile: Option<&'a [u8]>,
}

/// A frame of an APNG, and where it stands on the canvas (PNG third edition, section 11.3.6.2).
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Frame {
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
    pub(in super::super) left: u32,
    pub(in super::super) top: u32,
    /// Where its data begins in the file.
    data_at: usize,
}

impl PngHeader<'_> {
    /// The colour profile (PNG third edition, section 11.3.2.3); `None` where it is damaged. The decoder's
    /// own reader does not tell a damaged one from one that is too large.
    pub(in super::super) fn profile(&self) -> Result<Option<Vec<u8>>, OptimizeError> {
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
                Err(OptimizeError::LimitExceeded {
                    what: "bytes of colour profile",
                    value: MAX_PROFILE_BYTES + 1,
                    limit: MAX_PROFILE_BYTES,
                })
            }
        }
    }
}

/// A chunk: its type, its data, its checksum, and where the next one begins.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Chunk<'a> {
    pub(in super::super) kind: [u8; 4],
    pub(in super::super) data: &'a [u8],
    checksum: u32,
    pub(in super::super) end: usize,
}

impl Chunk<'_> {
    /// Whether the checksum is right. Browsers ignore metadata where it is not.
    fn is_sound(&self) -> bool {
        checksum(self.kind, self.data) == self.checksum
    }
}

/// The CRC of a chunk (PNG third edition, section 5.5).
fn checksum(kind: [u8; 4], data: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&kind);
    hasher.update(data);
    hasher.finalize()
}

/// Appends a chunk with its checksum.
pub(in super::super) fn write_chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    out.extend_from_slice(&kind);
    out.extend_from_slice(data);
    out.extend_from_slice(&checksum(kind, data).to_be_bytes());
}

/// The chunk at `at`; `None` at the end of the data or where a chunk is cut off.
pub(in super::super) fn chunk_at(bytes: &[u8], at: usize) -> Option<Chunk<'_>> {
    let length = usize::try_from(be_u32(bytes, at)?).ok()?;
    let kind = bytes.get(at.checked_add(4)?..at.checked_add(8)?)?;
    let end = at.checked_add(12)?.checked_add(length)?;
    let data = bytes.get(at + 8..end - 4)?;
    Some(Chunk {
        kind: kind.try_into().ok()?,
        data,
        checksum: be_u32(bytes, end - 4)?,
        end,
    })
}

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let header = chunk_at(bytes, 8)
        .filter(|chunk| &chunk.kind == b"IHDR" && chunk.data.len() == 13)
        .ok_or_else(|| OptimizeError::invalid("a PNG without its header"))?;
    let size = be_u32(header.data, 0).zip(be_u32(header.data, 4));
    let (width, height) = size.unwrap_or_default();
    budget.check_size(width, height)?;

    let (mut exif, mut frames, mut has_metadata, mut ended) = (None, 1, false, false);
    let (mut compressed_profile, mut profile, mut has_data) = (false, None, false);
    let (mut is_animated, mut is_odd) = (false, false);
    let (mut control, mut frame) = (None, None);
    let mut at = header.end;
    while let Some(chunk) = chunk_at(bytes, at) {
        let begin = at;
        at = chunk.end;
        match &chunk.kind {
            b"IEND" => {
                ended = true;
                break;
            }
            b"IDAT" => has_data = true,
            b"PLTE" => is_odd |= !chunk.data.len().is_multiple_of(3),
            b"tRNS" => {}
            b"acTL" if !has_data && chunk.is_sound() => {
                let count = be_u32(chunk.data, 0).unwrap_or(0);
                (is_animated, is_odd) = (count > 0, true);
                frames = count.max(1);
            }
            b"acTL" => {}
            // The still image is a frame where a frame control stands before it.
            b"fcTL" => control = control.or(Some((has_data, chunk.data))),
            b"fdAT" if frame.is_none() && is_animated => {
                frame = Some((control, begin));
            }
            b"fdAT" => {}
            b"iCCP" if !has_data => {
                has_metadata = true;
                profile = profile.or(chunk.is_sound().then_some(chunk.data));
            }
            // Behind the image data an orientation is too late for browsers.
            b"eXIf" if !has_data && chunk.is_sound() => {
                has_metadata = true;
                exif = Some(Cow::Borrowed(strip_exif_prefix(chunk.data)));
            }
            b"tEXt" if exif.is_none() => {
                has_metadata = true;
                exif = raw_profile(chunk.data).map(Cow::Owned);
            }
            b"zTXt" => {
                has_metadata = true;
                compressed_profile |= chunk.data.len() <= MAX_TEXT
                    && RAW_PROFILES.iter().any(|key| chunk.data.starts_with(key));
            }
            _ => has_metadata = true,
        }
    }
    // What there is of a chunk that is cut off may be worth something.
    has_data |= !ended && bytes.get(at + 4..at + 8) == Some(b"IDAT");
    if !has_data {
        return Err(OptimizeError::invalid("a PNG without image data"));
    }
    if exif.is_none() && compressed_profile {
        exif = compressed_raw_profile(bytes).map(Cow::Owned);
    }
    let frame = match frame {
        Some((Some((true, control)), data_at)) => Frame::read(control, data_at, width, height),
        _ => None,
    };
    Ok(Header {
        format: ImageFormat::Png,
        width,
        height,
        frames,
        exif,
        has_metadata: has_metadata || at < bytes.len(),
        details: Details::Png(PngHeader {
            interlaced: header.data[12] != 0,
            frame,
            is_odd,
            profile,
        }),
    })
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

impl PngHeader<'_> {
    /// The file as its decoder takes it: without what it refuses and no picture needs, and with the frame
    /// that is wanted in the place of the still image.
    pub(in super::super) fn decodable<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.is_odd {
            return Cow::Borrowed(bytes);
        }
        let mut file = bytes[..8].to_vec();
        let (mut at, mut has_data, mut ended) = (8, false, false);
        while let Some(chunk) = chunk_at(bytes, at) {
            let begin = at;
            at = chunk.end;
            match &chunk.kind {
                b"IHDR" => {
                    let mut header = chunk.data.to_vec();
                    if let (Some(frame), Some(size)) = (self.frame, header.get_mut(..8)) {
                        size[..4].copy_from_slice(&frame.width.to_be_bytes());
                        size[4..].copy_from_slice(&frame.height.to_be_bytes());
                    }
                    write_chunk(&mut file, chunk.kind, &header);
                }
                // Bytes that are no whole colour are none.
                b"PLTE" => {
                    let whole = chunk.data.len() / 3 * 3;
                    write_chunk(&mut file, chunk.kind, &chunk.data[..whole]);
                }
                b"IDAT" => {
                    has_data = true;
                    if self.frame.is_none() {
                        file.extend_from_slice(&bytes[begin..at]);
                    }
                }
                b"fdAT" if self.frame.is_some_and(|frame| begin >= frame.data_at) => {
                    write_chunk(&mut file, *b"IDAT", chunk.data.get(4..).unwrap_or_default());
                }
                b"fcTL" if self.frame.is_some_and(|frame| begin > frame.data_at) => {
                    ended = true;
                    break;
                }
                b"IEND" => {
                    ended = true;
                    break;
                }
                b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"mDCV" | b"cLLI"
                    if !has_data =>
                {
                    file.extend_from_slice(&bytes[begin..at]);
                }
                _ => {}
            }
        }
        if ended {
            // The decoder hands out the last rows when the next chunk begins.
            write_chunk(&mut file, *b"IEND", &[]);
        } else if self.frame.is_none() {
            // What there is of data that is cut off.
            file.extend_from_slice(bytes.get(at..).unwrap_or_default());
        }
        Cow::Owned(file)
    }
}

/// Some writers keep the JPEG prefix in front of the TIFF structure.
pub(super) fn strip_exif_prefix(exif: &[u8]) -> &[u8] {
    exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)
}

/// The EXIF block in an ImageMagick text chunk: a newline, the profile's name, its length, then
/// hexadecimal digits in lines.
fn raw_profile(data: &[u8]) -> Option<Vec<u8>> {
    let text = RAW_PROFILES
        .iter()
        .find_map(|key| data.strip_prefix(*key))?;
    hexadecimal_profile(text.get(..MAX_TEXT).unwrap_or(text))
}

fn hexadecimal_profile(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    // The name, after an empty line, and the length, which the digits tell as well.
    lines.find(|line| !line.is_empty())?;
    let length: usize = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let digits: Vec<u8> = lines
        .flatten()
        .map(|&digit| char::from(digit).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let profile: Vec<u8> = pairs.iter().map(|&[high, low]| high << 4 | low).collect();
    (profile.len() == length).then(|| strip_exif_prefix(&profile).to_vec())
}

/// As [`raw_profile`], from a compressed chunk.
fn compressed_raw_profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_ignore_iccp_chunk(true);
    let reader = decoder.read_info().ok()?;
    let chunks = reader.info().compressed_latin1_text.iter();
    chunks
        .filter(|chunk| {
            RAW_PROFILES
                .iter()
                .any(|key| key.strip_suffix(b"\0") == Some(chunk.keyword.as_bytes()))
        })
        .find_map(|chunk| {
            let mut chunk = chunk.clone();
            chunk.decompress_text_with_limit(MAX_TEXT).ok()?;
            hexadecimal_profile(chunk.get_text().ok()?.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_profile_is_hexadecimal_text() {
        let text = b"Raw profile type exif\0\nexif\n       8\n45786966\n00004d4d\n";
        assert_eq!(raw_profile(text).as_deref(), Some(&b"MM"[..]));
        assert_eq!(
            raw_profile(b"Raw profile type exif\0\nexif\n 9\n4d4d\n"),
            None
        );
        assert_eq!(
            raw_profile(b"Raw profile type exif\0\nexif\n 1\nzz\n"),
            None
        );
        assert_eq!(raw_profile(b"Comment\0\nexif\n 2\n4d4d\n"), None);
    }
}
