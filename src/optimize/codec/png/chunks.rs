//! The chunks of a PNG file (PNG third edition, section 5).

use super::be_u32;

/// A chunk: its type, its data, its checksum, and where it begins and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) kind: [u8; 4],
    pub(super) data: &'a [u8],
    checksum: u32,
    pub(super) begin: usize,
    pub(super) end: usize,
}

impl<'a> Chunk<'a> {
    /// The chunk at `begin`; `None` at the end of the data or where a chunk is cut off.
    pub(super) fn at(bytes: &'a [u8], begin: usize) -> Option<Self> {
        let length = usize::try_from(be_u32(bytes, begin)?).ok()?;
        let kind = bytes.get(begin.checked_add(4)?..begin.checked_add(8)?)?;
        let end = begin.checked_add(12)?.checked_add(length)?;
        Some(Self {
            kind: kind.try_into().ok()?,
            data: bytes.get(begin + 8..end - 4)?,
            checksum: be_u32(bytes, end - 4)?,
            begin,
            end,
        })
    }

    /// Whether the checksum is right. Browsers ignore metadata where it is not.
    pub(super) fn is_sound(&self) -> bool {
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
pub(super) fn write_chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    out.extend_from_slice(&kind);
    out.extend_from_slice(data);
    out.extend_from_slice(&checksum(kind, data).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_png() {
        // The empty IEND chunk, as it ends every PNG file.
        let mut chunk = Vec::new();
        write_chunk(&mut chunk, *b"IEND", &[]);
        assert_eq!(chunk, b"\0\0\0\0IEND\xae\x42\x60\x82");
    }
}
