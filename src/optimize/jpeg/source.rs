//! The bits of one scan (ITU-T T.81, B.1.1.5 and F.2.2.5).
//!
//! Stuffed zero bytes are taken out in chunks, ahead of decoding, so that a refill is one unconditional
//! load of eight bytes. Past the last byte of an interval there are zeros, and [`Source::overrun`] tells
//! whether any of them was consumed.

use super::segments::{EOI, RST0, RST7};

/// Bytes that one filling of the window may add.
const CHUNK: usize = 8192;
/// Zeros after the last byte: enough that a refill fails only when some of them have been consumed.
const PADDING: usize = 16;
/// Bytes that are looked at together for a marker.
const STEP: usize = 32;

/// The next bits, in a form that stays in registers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The bits, the next one highest; those below the first `count` are a preview, not to be trusted.
    pub next: u64,
    /// How many of them are valid, modulo 64; after a refill at least 56.
    count: u32,
    /// Bytes of the window that are in `next` as a whole.
    at: usize,
}

impl Bits {
    /// Loads bytes until at least 56 bits are valid; `false` where the window has too few.
    #[inline(always)]
    pub fn refill(&mut self, window: &[u8]) -> bool {
        let Some(bytes) = window.get(self.at..).and_then(|rest| rest.first_chunk()) else {
            return false;
        };
        // The bytes of this load that do not fit as a whole are loaded again next time: same bits.
        self.count &= 63;
        self.next |= u64::from_be_bytes(*bytes) >> self.count;
        let whole = (63 - self.count) >> 3;
        self.at += whole as usize;
        self.count += whole * 8;
        true
    }

    /// Drops `count` modulo 64 bits, at most as many as are valid.
    #[inline(always)]
    pub fn consume(&mut self, count: u32) {
        self.next <<= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// Takes the next `count` bits, 0 to 16.
    #[inline(always)]
    pub fn take(&mut self, count: u32) -> u32 {
        let value = ((self.next >> 1) >> (63 - (count & 63))) as u32;
        self.consume(count);
        value
    }
}

/// Entropy-coded data, interval by interval.
pub(super) struct Source<'a> {
    data: &'a [u8],
    /// The next byte of `data` that is not in the window yet; at the end of an interval its marker.
    next: usize,
    window: Box<[u8]>,
    /// Bytes in the window.
    len: usize,
    /// Where in the window the interval ends, once its end has been seen.
    end: Option<usize>,
    pub bits: Bits,
}

impl<'a> Source<'a> {
    /// The data that begins at `at`.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        let mut source = Self {
            data,
            next: at,
            window: vec![0; CHUNK + 2 * STEP + PADDING].into_boxed_slice(),
            len: 0,
            end: None,
            bits: Bits::default(),
        };
        source.fill();
        source
    }

    /// What can be read without asking for more.
    #[inline(always)]
    pub fn window(&self) -> &[u8] {
        self.window.get(..self.len).unwrap_or_default()
    }

    /// Refills the bits, from further data where needed; `false` only after the end of the interval was
    /// overrun.
    #[inline(always)]
    pub fn refill(&mut self) -> bool {
        let mut bits = self.bits;
        let filled = bits.refill(self.window());
        self.bits = bits;
        filled || self.refill_slowly()
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) -> bool {
        if !self.fill() {
            return false;
        }
        let mut bits = self.bits;
        let filled = bits.refill(self.window());
        self.bits = bits;
        filled
    }

    /// Whether bits past the end of the interval have been consumed.
    pub fn overrun(&self) -> bool {
        self.unread_bits().is_some_and(|bits| bits < 0)
    }

    /// Whether so few bits are left that the next symbol, at most 16 bits and 14 more, may be cut off.
    pub fn nearly_over(&self) -> bool {
        self.unread_bits().is_some_and(|bits| bits < 30)
    }

    /// Bits of the interval that are left, where its end is in the window.
    fn unread_bits(&self) -> Option<i64> {
        let consumed = self.bits.at as i64 * 8 - i64::from(self.bits.count & 63);
        self.end.map(|end| end as i64 * 8 - consumed)
    }

    /// Whether no marker but that of the image's end follows: what is missing was cut off.
    pub fn at_end_of_file(&self) -> bool {
        matches!(
            self.data.get(self.next..),
            None | Some([] | [0xFF] | [0xFF, EOI, ..])
        )
    }

    /// Goes on behind the restart marker that ends this interval; `index` counts them from 0.
    /// `false` where that marker does not follow at once.
    pub fn restart(&mut self, index: usize) -> bool {
        let marker = RST0 + (index % 8) as u8;
        if !self.is_read() || self.data.get(self.next + 1) != Some(&marker) {
            return false;
        }
        self.next += 2;
        (self.len, self.end, self.bits) = (0, None, Bits::default());
        self.fill();
        true
    }

    /// Whether nothing is left of the scan.
    pub fn is_spent(&mut self) -> bool {
        let read = self.is_read();
        let marker = self.data.get(self.next + 1).copied();
        read && !marker.is_some_and(|marker| (RST0..=RST7).contains(&marker))
    }

    /// Whether nothing is left of the interval but the padding of its last byte (F.1.2.3).
    fn is_read(&mut self) -> bool {
        if self.end.is_none() {
            self.fill();
        }
        let unread = self.unread_bits();
        unread.is_some_and(|bits| (0..8).contains(&bits))
    }

    /// Where the marker that ends the scan is looked for: what is left of the data is skipped.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Drops what was read from the window and adds a chunk; `false` where the interval has no more.
    fn fill(&mut self) -> bool {
        let read = self.bits.at.min(self.len);
        self.window.copy_within(read..self.len, 0);
        self.len -= read;
        self.bits.at -= read;
        if let Some(end) = &mut self.end {
            *end = end.saturating_sub(read);
            return false;
        }
        while self.len < CHUNK && self.end.is_none() {
            self.unstuff();
        }
        true
    }

    /// Moves a few bytes into the window, up to the next 0xFF and what it stands for.
    #[inline(always)]
    fn unstuff(&mut self) {
        let rest = self.data.get(self.next..).unwrap_or_default();
        let target = self.window.get_mut(self.len..).unwrap_or_default();
        if let (Some(from), Some(to)) =
            (rest.first_chunk::<STEP>(), target.first_chunk_mut::<STEP>())
        {
            *to = *from;
            let marked = from
                .iter()
                .fold(false, |marked, &byte| marked | (byte == 0xFF));
            let plain = match marked {
                false => STEP,
                true => from.iter().position(|&byte| byte == 0xFF).unwrap_or(STEP),
            };
            self.len += plain;
            self.next += plain;
            if !marked {
                return;
            }
        }
        let rest = self.data.get(self.next..).unwrap_or_default();
        let (byte, taken) = match rest {
            [0xFF, 0x00, ..] => (0xFF, 2),
            // Fill bytes before a marker (B.1.1.2).
            [0xFF, 0xFF, ..] => {
                self.next += 1;
                return;
            }
            [] | [0xFF, ..] => {
                self.end = Some(self.len);
                if let Some(padding) = self.window.get_mut(self.len..self.len + PADDING) {
                    padding.fill(0);
                    self.len += PADDING;
                }
                return;
            }
            &[byte, ..] => (byte, 1),
        };
        if let Some(slot) = self.window.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
        self.next += taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `count` bytes bit by bit.
    fn read(source: &mut Source<'_>, count: usize) -> Vec<u8> {
        let byte = |source: &mut Source<'_>| source.refill().then(|| source.bits.take(8) as u8);
        (0..count).filter_map(|_| byte(source)).collect()
    }

    #[test]
    fn stuffing_is_removed_and_the_interval_ends_at_its_marker() {
        let data = [1, 0xFF, 0, 2, 0xFF, 0xFF, 0xD0, 3, 0xFF, 0xD9];
        let mut source = Source::new(&data, 0);
        assert_eq!(read(&mut source, 3), [1, 0xFF, 2]);
        assert!(!source.overrun() && !source.at_end_of_file());
        assert!(source.restart(0));
        assert_eq!(read(&mut source, 1), [3]);
        assert!(source.at_end_of_file() && !source.overrun());
        assert_eq!(read(&mut source, 1), [0]);
        assert!(source.overrun());
    }

    #[test]
    fn a_restart_has_to_be_the_next_one_and_follow_at_once() {
        let data = [1, 2, 0xFF, 0xD1, 3, 0xFF, 0xD9];
        let mut source = Source::new(&data, 0);
        read(&mut source, 2);
        assert!(!source.restart(0), "RST1 where RST0 is due");
        let mut source = Source::new(&data, 0);
        read(&mut source, 1);
        assert!(!source.restart(1), "a byte is left");
        let mut source = Source::new(&data, 0);
        read(&mut source, 2);
        assert!(source.restart(9));
    }

    #[test]
    fn long_data_passes_through_the_window_unchanged() {
        let plain: Vec<u8> = (0..100_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut stuffed = Vec::new();
        for &byte in &plain {
            stuffed.push(byte);
            if byte == 0xFF {
                stuffed.push(0);
            }
        }
        stuffed.extend([0xFF, 0xD9]);
        let mut source = Source::new(&stuffed, 0);
        assert_eq!(read(&mut source, plain.len()), plain);
        assert!(source.at_end_of_file() && !source.overrun());
    }
}
