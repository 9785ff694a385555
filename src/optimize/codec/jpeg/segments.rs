//! Marker segments (ITU-T T.81, B.1.1): where the next one is and what it holds.

use super::error::Error;

// Marker codes, second bytes (T.81, table B.1).
pub(super) const SOF0: u8 = 0xC0;
pub(super) const SOF1: u8 = 0xC1;
pub(super) const SOF2: u8 = 0xC2;
pub(super) const SOF15: u8 = 0xCF;
pub(super) const DHT: u8 = 0xC4;
pub(super) const JPG: u8 = 0xC8;
pub(super) const DAC: u8 = 0xCC;
pub(super) const RST0: u8 = 0xD0;
pub(super) const RST7: u8 = 0xD7;
pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DNL: u8 = 0xDC;
pub(super) const DRI: u8 = 0xDD;
pub(super) const DHP: u8 = 0xDE;
pub(super) const APP0: u8 = 0xE0;
pub(super) const APP14: u8 = 0xEE;
pub(super) const APP1: u8 = 0xE1;
pub(super) const APP2: u8 = 0xE2;
pub(super) const APP15: u8 = 0xEF;
pub(super) const COM: u8 = 0xFE;

/// One marker segment.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    /// The marker's second byte.
    pub marker: u8,
    /// What follows the length, empty for markers without one.
    pub body: &'a [u8],
    /// Where the next byte after the segment is.
    pub end: usize,
}

/// The first marker segment at or after `at`, or `None` where the data ends before one begins.
///
/// As libjpeg does, bytes that belong to no segment are skipped, and with them restart markers that
/// are out of place.
pub(super) fn next_segment(data: &[u8], mut at: usize) -> Result<Option<Segment<'_>>, Error> {
    loop {
        let Some(skipped) = data.get(at..).and_then(find_ff) else {
            return Ok(None);
        };
        at += skipped + 1;
        // Any number of fill bytes 0xFF may precede the code (B.1.1.2).
        while data.get(at) == Some(&0xFF) {
            at += 1;
        }
        let Some(&marker) = data.get(at) else {
            return Ok(None);
        };
        at += 1;
        match marker {
            // None below SOF0 is in use.
            0..SOF0 | RST0..=RST7 => continue,
            SOI => return Err(Error::Damaged("a second image begins inside the first")),
            EOI => {
                return Ok(Some(Segment {
                    marker,
                    body: &[],
                    end: at,
                }));
            }
            _ => {}
        }
        let length = match data.get(at..at + 2) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(Error::Truncated),
        };
        // A length below 2 stands for a segment without a body, as with libjpeg.
        let end = at + length.max(2);
        let body = data.get(at + 2..end).ok_or(Error::Truncated)?;
        return Ok(Some(Segment { marker, body, end }));
    }
}

/// Where the next marker is at or after `at`, fill bytes and stuffed bytes passed over; the end of the data
/// where there is none.
pub(super) fn marker_at(data: &[u8], mut at: usize) -> usize {
    while let Some(skipped) = data.get(at..).and_then(find_ff) {
        at += skipped;
        match data.get(at + 1) {
            Some(0) => at += 2,
            // A fill byte.
            Some(0xFF) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    data.len()
}

/// Where the marker is that ends the scan whose data begins at `at`.
pub(super) fn scan_end(data: &[u8], at: usize) -> usize {
    let mut at = marker_at(data, at);
    while let Some(RST0..=RST7) = data.get(at + 1) {
        at = marker_at(data, at + 2);
    }
    at
}

/// The first 0xFF, looked for in blocks that the compiler can compare at once.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let is_plain = |block: &&[u8]| {
        !block
            .iter()
            .fold(false, |found, &byte| found | (byte == 0xFF))
    };
    let skipped = bytes.chunks_exact(BLOCK).take_while(is_plain).count() * BLOCK;
    let offset = bytes
        .get(skipped..)?
        .iter()
        .position(|&byte| byte == 0xFF)?;
    Some(skipped + offset)
}

/// The fields of a segment's body, read from front to back.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        let (&value, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(value)
    }

    /// One byte as two fields of four bits.
    pub fn nibbles(&mut self) -> Result<(u8, u8), Error> {
        let value = self.u8()?;
        Ok((value >> 4, value & 15))
    }

    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (&value, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(value)
    }

    pub fn bytes(&mut self, count: usize) -> Result<&[u8], Error> {
        let (value, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(value)
    }
}

const SHORT: Error = Error::Damaged("a segment is shorter than its contents");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_bytes_garbage_and_stray_restarts_are_skipped() {
        let data = [
            0x00, 0x12, 0xFF, 0x00, 0xFF, RST0, 0xFF, 0xFF, 0xFF, DRI, 0x00, 0x04, 0x01, 0x02, 0x77,
        ];
        let segment = next_segment(&data, 0)
            .expect("well formed")
            .expect("there is one");
        assert_eq!(
            (segment.marker, segment.body, segment.end),
            (DRI, &[1, 2][..], 14)
        );
        assert!(
            next_segment(&data, segment.end)
                .expect("no error")
                .is_none()
        );
    }

    #[test]
    fn a_length_that_lies_is_an_error() {
        let empty = next_segment(&[0xFF, DQT, 0x00, 0x01], 0).expect("no error");
        assert!(empty.is_some_and(|segment| segment.body.is_empty() && segment.end == 4));
        let cases: [(&[u8], Error); 2] = [
            (&[0xFF, DQT, 0x00, 0x05, 1, 2], Error::Truncated),
            (&[0xFF, DQT, 0x00], Error::Truncated),
        ];
        for (data, expected) in cases {
            assert_eq!(next_segment(data, 0).err(), Some(expected), "{data:02x?}");
        }
    }
}
