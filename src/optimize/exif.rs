//! The three things in EXIF that matter here: orientation, copyright and artist.
//!
//! EXIF is a TIFF 6.0 structure: a byte order mark, and directories of 12-byte entries
//! (TIFF 6.0, section 2; Exif 2.32, section 4.6).

const ARTIST: u16 = 0x013b;
const COPYRIGHT: u16 = 0x8298;
const ORIENTATION: u16 = 0x0112;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
/// Longer notices are cut; they have to fit one JPEG segment together.
const MAX_TEXT: usize = 8192;

/// The block itself: some writers keep the prefix of JPEG segments in front of it.
pub(super) fn without_prefix(exif: &[u8]) -> &[u8] {
    exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)
}

/// The orientation that an EXIF block asks for, 1 to 8; 1 where it is absent or invalid.
pub(super) fn orientation(tiff: &[u8]) -> u8 {
    let asked = Reader::new(tiff).and_then(|reader| reader.orientation());
    let asked = asked.and_then(|value| u8::try_from(value).ok());
    asked.filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

/// Who made the picture and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Credits {
    artist: Option<Vec<u8>>,
    copyright: Option<Vec<u8>>,
}

impl Credits {
    /// The credits of an EXIF block; none where it is damaged.
    pub(super) fn read(tiff: &[u8]) -> Self {
        Self::try_read(tiff).unwrap_or_default()
    }

    fn try_read(tiff: &[u8]) -> Option<Self> {
        let reader = Reader::new(tiff)?;
        let mut credits = Self::default();
        for at in reader.entries() {
            match reader.u16(at) {
                Some(ARTIST) => credits.artist = reader.text(at),
                Some(COPYRIGHT) => credits.copyright = reader.text(at),
                _ => {}
            }
        }
        Some(credits)
    }

    /// A TIFF structure with these credits and nothing else; `None` where there are none.
    pub(super) fn to_tiff(&self) -> Option<Vec<u8>> {
        let texts: Vec<(u16, &[u8])> = [(ARTIST, &self.artist), (COPYRIGHT, &self.copyright)]
            .into_iter()
            .filter_map(|(tag, text)| Some((tag, text.as_deref()?)))
            .collect();
        if texts.is_empty() {
            return None;
        }
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        tiff.extend_from_slice(&(texts.len() as u16).to_le_bytes());
        let mut data_at = 8 + 2 + 12 * texts.len() + 4;
        let mut data = Vec::new();
        for (tag, text) in texts {
            let mut value = text.to_vec();
            value.push(0);
            tiff.extend_from_slice(&tag.to_le_bytes());
            tiff.extend_from_slice(&ASCII.to_le_bytes());
            tiff.extend_from_slice(&(value.len() as u32).to_le_bytes());
            if value.len() <= 4 {
                value.resize(4, 0);
                tiff.extend_from_slice(&value);
            } else {
                tiff.extend_from_slice(&(data_at as u32).to_le_bytes());
                // Values begin on a word boundary.
                value.resize(value.len().next_multiple_of(2), 0);
                data_at += value.len();
                data.extend_from_slice(&value);
            }
        }
        tiff.extend_from_slice(&[0; 4]);
        tiff.extend_from_slice(&data);
        Some(tiff)
    }
}

struct Reader<'a> {
    tiff: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(tiff: &'a [u8]) -> Option<Self> {
        let big_endian = match tiff.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        Some(Self { tiff, big_endian })
    }

    /// The offsets of the first directory's entries, as far as the data goes.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let directory = self.u32(4).and_then(|at| usize::try_from(at).ok());
        let directory = directory.unwrap_or(usize::MAX);
        let count = usize::from(self.u16(directory).unwrap_or(0));
        let fits = self.tiff.len().saturating_sub(directory).saturating_sub(2) / 12;
        (0..count.min(fits)).map(move |entry| directory + 2 + 12 * entry)
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.tiff.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes(at)?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes(at)?;
        Some(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn orientation(&self) -> Option<u32> {
        self.entries()
            .filter(|&at| self.u16(at) == Some(ORIENTATION))
            .find_map(|at| match (self.u16(at + 2)?, self.u32(at + 4)?) {
                (SHORT, 1) => self.u16(at + 8).map(u32::from),
                // Some writers give it as a 32-bit number, and readers take it.
                (LONG, _) => self.u32(at + 8),
                _ => None,
            })
    }

    /// The text of the entry at `at`: ASCII (in practice UTF-8), ended by a zero byte.
    fn text(&self, at: usize) -> Option<Vec<u8>> {
        if self.u16(at + 2)? != ASCII {
            return None;
        }
        let count = usize::try_from(self.u32(at + 4)?).ok()?;
        let start = if count <= 4 {
            at + 8
        } else {
            usize::try_from(self.u32(at + 8)?).ok()?
        };
        let text = self.tiff.get(start..start.checked_add(count)?)?;
        // A copyright has two parts, photographer and editor, with a zero byte between them.
        let end = text.iter().rposition(|&byte| byte != 0)?;
        let text = text[..=end].iter().take(MAX_TEXT);
        let text: Vec<u8> = text
            .copied()
            .filter(|&byte| byte == 0 || byte >= b' ')
            .collect();
        let blank = text.iter().all(|&byte| byte == 0 || byte == b' ');
        (!blank).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Big-endian, written by hand: orientation 6, artist "Ada Lovelace", copyright "(c)".
    fn block() -> Vec<u8> {
        let mut tiff = b"MM\0*\0\0\0\x08\0\x03".to_vec();
        tiff.extend_from_slice(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        tiff.extend_from_slice(b"\x01\x3b\0\x02\0\0\0\x0d\0\0\0\x32");
        tiff.extend_from_slice(b"\x82\x98\0\x02\0\0\0\x04(c)\0");
        tiff.extend_from_slice(b"\0\0\0\0Ada Lovelace\0");
        tiff
    }

    #[test]
    fn reads_orientation_and_credits() {
        assert_eq!(orientation(&block()), 6);
        let credits = Credits::read(&block());
        assert_eq!(credits.artist.as_deref(), Some(&b"Ada Lovelace"[..]));
        assert_eq!(credits.copyright.as_deref(), Some(&b"(c)"[..]));
    }

    #[test]
    fn writes_credits_that_read_back_and_no_orientation() {
        let credits = Credits::read(&block());
        let tiff = credits.to_tiff().expect("credits");
        assert_eq!(Credits::read(&tiff), credits);
        assert_eq!(orientation(&tiff), 1);
        assert_eq!(Credits::default().to_tiff(), None);
    }

    #[test]
    fn damage_is_no_orientation_and_no_credits() {
        let block = block();
        for end in 0..block.len() {
            let _ = orientation(&block[..end]);
            let _ = Credits::read(&block[..end]);
        }
        assert_eq!(Credits::read(b"II*\0\xff\xff\xff\xff"), Credits::default());
        assert_eq!(orientation(b"not TIFF"), 1);
    }
}
