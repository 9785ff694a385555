//! The partitions of a VP8 key frame (RFC 6386, sections 9 and 19.2): as much as it takes to see whether one
//! of them is longer than its picture needs.

/// The frame tag, the start code and the size, in front of the first partition.
const HEADER: usize = 10;

/// The frame with `cut` bytes less at the end of its first partition; `None` where that cannot be, or where
/// the frame has more than one partition of coefficients, whose ends say nothing about the others.
pub(super) fn without_end_of_first_partition(frame: &[u8], cut: usize) -> Option<Vec<u8>> {
    let tag = u32::from_le_bytes([*frame.first()?, *frame.get(1)?, *frame.get(2)?, 0]);
    let length = usize::try_from(tag >> 5).ok()?;
    let end = HEADER.checked_add(length)?;
    let first = frame.get(HEADER..end)?;
    if coefficient_partitions(first) > 1 {
        return None;
    }
    let shorter = length.checked_sub(cut)?;
    let tag = (tag & 0x1f) | (shorter as u32) << 5;
    let mut file = tag.to_le_bytes()[..3].to_vec();
    file.extend_from_slice(&frame[3..end - cut]);
    file.extend_from_slice(&frame[end..]);
    Some(file)
}

/// How many partitions of coefficients the frame header in the first partition names (section 19.2).
fn coefficient_partitions(first: &[u8]) -> u32 {
    let mut bits = BoolReader::new(first);
    // Colour space and clamping.
    bits.literal(2);
    if bits.flag() {
        let updates_map = bits.flag();
        if bits.flag() {
            bits.flag();
            bits.optional_values(4, 7 + 1);
            bits.optional_values(4, 6 + 1);
        }
        if updates_map {
            bits.optional_values(3, 8);
        }
    }
    // The loop filter's type, level and sharpness.
    bits.literal(1 + 6 + 3);
    if bits.flag() && bits.flag() {
        bits.optional_values(8, 6 + 1);
    }
    1 << bits.literal(2)
}

/// The boolean decoder of section 7.3, for bits of even probability.
struct BoolReader<'a> {
    data: std::slice::Iter<'a, u8>,
    value: u32,
    range: u32,
    bit_count: u32,
}

impl<'a> BoolReader<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut data = data.iter();
        let mut next = || data.next().copied().map_or(0, u32::from);
        let value = next() << 8 | next();
        Self {
            data,
            value,
            range: 255,
            bit_count: 0,
        }
    }

    fn flag(&mut self) -> bool {
        let split = 1 + ((self.range - 1) >> 1);
        let set = self.value >= split << 8;
        if set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.value <<= 1;
            self.range <<= 1;
            self.bit_count += 1;
            if self.bit_count == 8 {
                self.bit_count = 0;
                self.value |= self.data.next().copied().map_or(0, u32::from);
            }
        }
        set
    }

    fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// Values of `bits` each, those that are there behind a flag.
    fn optional_values(&mut self, count: u32, bits: u32) {
        for _ in 0..count {
            if self.flag() {
                self.literal(bits);
            }
        }
    }
}
