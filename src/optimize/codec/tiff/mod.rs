//! TIFF, of its first page (TIFF 6.0, and BigTIFF): the tags, found without decoding any of the picture.

mod decode;
mod jpegs;
mod samples;

use std::borrow::Cow;
use std::io::Cursor;

use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::{Codec, Decoded, Facts, File, MAX_PROFILE_BYTES, READ_ALONE, Wanted};

pub(super) const CODEC: Codec = Codec {
    open: |bytes, budget| TiffFile::open(bytes, budget),
    encode: READ_ALONE,
    has_alpha: true,
    takes_planes: |_| false,
};

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

/// PhotometricInterpretation of a palette, and of gray.
const PALETTE: u8 = 3;
const GRAY: u8 = 1;

/// Entries of a list of tags that are looked at: all that TIFF 6.0 can have.
const MAX_ENTRIES: usize = 1 << 16;

/// The type of a text.
const TEXT: usize = 2;

struct TiffFile<'a> {
    /// As the decoder takes it.
    bytes: Cow<'a, [u8]>,
    facts: Facts<'a>,
    /// Red, green and blue of each index, one after the other.
    palette: Option<Vec<u8>>,
}

impl<'a> TiffFile<'a> {
    fn open(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError> {
        let entries = entries(bytes);
        // The decoder would print that one is too long.
        if entries
            .iter()
            .any(|entry| entry.kind == TEXT && entry.count > bytes.len())
        {
            return Err(OptimizeError::invalid("a damaged list of tags in a TIFF"));
        }
        let mut reader = reader(bytes, budget)?;
        refuse_raw(bytes, &entries, &mut reader)?;
        let (width, height) = reader.dimensions().map_err(error)?;
        budget.check_size(width, height)?;
        let orientation = reader.find_tag_unsigned(Tag::Orientation).ok().flatten();
        let mut file = Self {
            facts: Facts {
                width,
                height,
                frames: 1,
                plays: 1,
                has_metadata: has_metadata(&entries, &reader),
                orientation: Some(
                    orientation
                        .filter(|code| (1..=8).contains(code))
                        .unwrap_or(1),
                ),
                exif: Some(Cow::Borrowed(bytes)),
            },
            bytes: Cow::Borrowed(bytes),
            palette: None,
        };
        let kind = reader.find_tag_unsigned(Tag::PhotometricInterpretation);
        if kind.map_err(error)? == Some(PALETTE) {
            let colors = reader.get_tag_u16_vec(Tag::ColorMap).map_err(error)?;
            file.palette = Some(palette(&colors));
            // The decoder knows no palettes: it reads their indices as shades of gray.
            let mut copy = bytes.to_vec();
            let tag = Tag::PhotometricInterpretation.to_u16();
            let entry = entries.iter().find(|entry| entry.tag == tag);
            let gray = entry
                .and_then(|entry| copy.get_mut(entry.value..entry.value + 2))
                .filter(|value| value.contains(&PALETTE));
            for byte in gray.into_iter().flatten().filter(|byte| **byte == PALETTE) {
                *byte = GRAY;
            }
            file.bytes = Cow::Owned(copy);
        }
        Ok(Box::new(file))
    }
}

impl File for TiffFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }
}

fn reader<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Reader<'a>, OptimizeError> {
    let mut limits = Limits::default();
    limits.ifd_value_size = MAX_PROFILE_BYTES as usize;
    limits.decoding_buffer_size =
        usize::try_from(budget.limits.max_decode_bytes).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    let reader = Decoder::new(Cursor::new(bytes)).map_err(error)?;
    Ok(reader.with_limits(limits))
}

/// Cameras write their raw data as TIFF, too, where the first page is a small preview.
fn refuse_raw(
    bytes: &[u8],
    entries: &[Entry],
    reader: &mut Reader<'_>,
) -> Result<(), OptimizeError> {
    const DNG_VERSION: u16 = 50706;
    const REDUCED: u32 = 1;
    let has = |tag| entries.iter().any(|entry| entry.tag == tag);
    let (is_dng, has_parts) = (has(DNG_VERSION), has(Tag::SubIfd.to_u16()));
    let kind: Option<u32> = reader.find_tag_unsigned(Tag::NewSubfileType).ok().flatten();
    let is_preview = has_parts && kind.is_some_and(|kind| kind & REDUCED != 0);
    if is_dng || is_preview || bytes.get(8..10) == Some(b"CR") {
        return Err(OptimizeError::UnsupportedFormat { name: "camera raw" });
    }
    Ok(())
}

/// Whether there is anything that is not needed to show the first page.
fn has_metadata(entries: &[Entry], reader: &Reader<'_>) -> bool {
    /// Description, maker, model, software, date, artist, XMP, copyright, IPTC, Photoshop, EXIF, profile, GPS.
    const TAGS: [u16; 13] = [
        270, 271, 272, 305, 306, 315, 700, 33432, 33723, 34377, 34665, 34675, 34853,
    ];
    reader.more_images() || entries.iter().any(|entry| TAGS.contains(&entry.tag))
}

/// A colour map has all red, then all green, then all blue, in 16 bits. Some programs write 8.
fn palette(colors: &[u16]) -> Vec<u8> {
    let shift = if colors.iter().any(|&value| value > 255) {
        8
    } else {
        0
    };
    let count = colors.len() / 3;
    let channel = |index: usize| (colors[index] >> shift) as u8;
    let color = |index| [0, count, 2 * count].map(|first| channel(first + index));
    (0..count).flat_map(color).collect()
}

/// An entry of the first page's list of tags.
struct Entry {
    tag: u16,
    kind: usize,
    count: usize,
    /// Where its value stands, if it is a short one; else, where it is said where that stands.
    value: usize,
}

/// The list of tags of the first page (TIFF 6.0, section 2; BigTIFF), as far as the file has it. The decoder
/// cannot say what is in it without reading the values.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let little = bytes.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let number = match little {
            true => bytes.iter().rev().fold(0, fold),
            false => bytes.iter().fold(0, fold),
        };
        usize::try_from(number).ok()
    };
    let all = || {
        let big = number(2, 2)? == 43;
        let (offset, length, size, word) = if big { (8, 8, 20, 8) } else { (4, 2, 12, 4) };
        let list = number(offset, word)?;
        let count = number(list, length)?;
        let first = list.checked_add(length)?;
        let entry = |index: usize| {
            let at = first.checked_add(index.checked_mul(size)?)?;
            Some(Entry {
                tag: u16::try_from(number(at, 2)?).ok()?,
                kind: number(at + 2, 2)?,
                count: number(at + 4, word)?,
                value: at + 4 + word,
            })
        };
        // The list of a BigTIFF could be as long as the file.
        Some((0..count.min(MAX_ENTRIES)).map_while(entry).collect())
    };
    all().unwrap_or_default()
}

fn error(error: TiffError) -> OptimizeError {
    use std::io::ErrorKind;
    match error {
        TiffError::UnsupportedError(_) => OptimizeError::UnsupportedFormat {
            name: "TIFF of a rare kind",
        },
        TiffError::LimitsExceeded => OptimizeError::LimitExceeded {
            what: "bytes of a TIFF's part",
            value: MAX_PROFILE_BYTES + 1,
            limit: MAX_PROFILE_BYTES,
        },
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            OptimizeError::invalid("truncated TIFF")
        }
        _ => OptimizeError::invalid("a damaged TIFF"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(bytes: &[u8], tag: Tag) -> Option<usize> {
        let entries = entries(bytes);
        let mut found = entries.iter().filter(|entry| entry.tag == tag.to_u16());
        found.next().map(|entry| entry.value)
    }

    #[test]
    fn a_value_is_found_in_both_byte_orders() {
        let little = b"II*\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x05\0\0\0\x06\x01\x03\0\x01\0\0\0\x03\0\0\0";
        assert_eq!(value_of(little, Tag::PhotometricInterpretation), Some(30));
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x06\0\x03\0\0\0\x01\0\x03\0\0";
        assert_eq!(value_of(big, Tag::PhotometricInterpretation), Some(18));
        assert_eq!(value_of(little, Tag::Orientation), None);
        for end in 0..little.len() {
            let _ = value_of(&little[..end], Tag::Orientation);
        }
    }

    #[test]
    fn a_palette_of_16_or_8_bits_is_one_of_bytes() {
        assert_eq!(
            palette(&[0xff00, 0, 0x8000, 0, 0, 0x1234]),
            [255, 128, 0, 0, 0, 18]
        );
        assert_eq!(palette(&[255, 0, 1, 2, 3, 4]), [255, 1, 3, 0, 2, 4]);
    }
}
