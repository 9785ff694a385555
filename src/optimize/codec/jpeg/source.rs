//! The bits of one scan (ITU-T T.81, B.1.1.5 and F.2.2.5).
//!
//! Stuffed zero bytes are taken out in chunks, ahead of decoding, so that a refill is one unconditional
//! load of eight bytes. Past the last byte of an interval there are zeros without end, and
//! [`Source::overrun`] tells whether any of them was consumed.

use super::segments::{EOI, RST0, RST7, SOF0, marker_at};

/// Bytes that one filling of the window may add.
const CHUNK: usize = 8192;
/// Zeros that are added at a time after the last byte.
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

/// What stands behind the data of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing: the file ends.
    Cut,
    /// The marker of the image's end.
    Image,
    /// Another marker.
    Marker,
}

/// Entropy-coded data, interval by interval.
pub(super) struct Source<'a> {
    data: &'a [u8],
    /// Where in `data` the interval begins.
    begin: usize,
    /// Bytes of the interval that are in the window no more.
    dropped: u64,
    /// The next byte of `data` that is not in the window yet; at the end of an interval its marker.
    next: usize,
    window: Box<[u8]>,
    /// Bytes in the window.
    len: usize,
    /// Where in the window the interval ends, once its end has been seen; before it, where that has been
    /// dropped.
    end: Option<i64>,
    pub bits: Bits,
    /// Whether there was anything that no encoder writes.
    pub odd: bool,
}

impl<'a> Source<'a> {
    /// The data that begins at `at`.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        let mut source = Self {
            data,
            begin: at,
            dropped: 0,
            next: at,
            window: vec![0; CHUNK + 2 * STEP + PADDING].into_boxed_slice(),
            len: 0,
            end: None,
            bits: Bits::default(),
            odd: false,
        };
        source.fill();
        source
    }

    /// What can be read without asking for more.
    #[inline(always)]
    pub fn window(&self) -> &[u8] {
        self.window.get(..self.len).unwrap_or_default()
    }

    /// Refills the bits, from further data where needed.
    #[inline(always)]
    pub fn refill(&mut self) {
        let mut bits = self.bits;
        let filled = bits.refill(self.window());
        self.bits = bits;
        if !filled {
            self.refill_slowly();
        }
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) {
        self.fill();
        let mut bits = self.bits;
        bits.refill(self.window());
        self.bits = bits;
    }

    /// Whether bits past the end of the interval have been consumed.
    #[inline(always)]
    pub fn overrun(&self) -> bool {
        self.unread_bits().is_some_and(|bits| bits < 0)
    }

    /// Whether no bit of the interval is left.
    pub fn is_exhausted(&self) -> bool {
        self.unread_bits().is_some_and(|bits| bits <= 0)
    }

    /// Bits of the interval that are left, where its end is in the window.
    #[inline(always)]
    fn unread_bits(&self) -> Option<i64> {
        let consumed = self.bits.at as i64 * 8 - i64::from(self.bits.count & 63);
        self.end.map(|end| end * 8 - consumed)
    }

    /// Bits of the interval that have been consumed.
    pub fn tell(&self) -> u64 {
        (self.dropped + self.bits.at as u64) * 8 - u64::from(self.bits.count & 63)
    }

    /// Goes back to where `bits` bits of the interval have been consumed.
    #[cold]
    pub fn seek(&mut self, bits: u64) {
        /// Bits that a refill is enough for.
        const STEP: u64 = 48;
        self.begin(self.begin);
        for _ in 0..bits / STEP {
            self.refill();
            self.bits.consume(STEP as u32);
        }
        self.refill();
        self.bits.consume((bits % STEP) as u32);
    }

    /// What ends the data; of use once the end of the interval has been seen.
    pub fn ending(&self) -> Ending {
        match self.data.get(self.next..) {
            None | Some([] | [0xFF]) => Ending::Cut,
            Some([0xFF, EOI, ..]) => Ending::Image,
            Some(_) => Ending::Marker,
        }
    }

    /// Goes on behind the restart marker that is due; `index` counts them from 0. `false` where the data
    /// in front of it seems to be lost: then the interval is empty.
    ///
    /// What is left of this interval is skipped. A marker that is not the due one is dealt with as libjpeg
    /// does (`jpeg_resync_to_restart`): one of the next two is waited for, one of the last two is passed
    /// over, and of all others it is taken for the due one.
    pub fn restart(&mut self, index: usize) -> bool {
        self.odd |= !self.is_read();
        if self.end.is_none() {
            self.next = marker_at(self.data, self.next);
        }
        self.odd |= self.data.get(self.next + 1) != Some(&(RST0 + (index % 8) as u8));
        loop {
            let marker = self.data.get(self.next + 1).copied().unwrap_or(EOI);
            match marker {
                RST0..=RST7 => match (usize::from(marker - RST0) + 8 - index % 8) % 8 {
                    1 | 2 => break,
                    6 | 7 => {}
                    _ => {
                        self.begin(self.next + 2);
                        return true;
                    }
                },
                SOF0.. => break,
                _ => {}
            }
            self.next = marker_at(self.data, self.next + 2);
        }
        self.begin = self.next;
        (self.len, self.dropped, self.bits) = (0, 0, Bits::default());
        self.end = Some(0);
        self.pad();
        false
    }

    /// Begins an interval at `at`.
    fn begin(&mut self, at: usize) {
        (self.begin, self.next) = (at, at);
        (self.len, self.dropped, self.bits) = (0, 0, Bits::default());
        self.end = None;
        self.fill();
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

    /// Drops what was read from the window and adds a chunk, or zeros where the interval has no more.
    fn fill(&mut self) {
        let read = self.bits.at.min(self.len);
        self.window.copy_within(read..self.len, 0);
        self.len -= read;
        self.bits.at -= read;
        self.dropped += read as u64;
        if let Some(end) = &mut self.end {
            *end -= read as i64;
            self.pad();
            return;
        }
        while self.len < CHUNK && self.end.is_none() {
            self.unstuff();
        }
    }

    /// Adds zeros.
    fn pad(&mut self) {
        if let Some(padding) = self.window.get_mut(self.len..self.len + PADDING) {
            padding.fill(0);
            self.len += PADDING;
        }
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
                self.end = Some(self.len as i64);
                self.pad();
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
        let byte = |source: &mut Source<'_>| {
            source.refill();
            source.bits.take(8) as u8
        };
        (0..count).map(|_| byte(source)).collect()
    }

    #[test]
    fn stuffing_is_removed_and_the_interval_ends_at_its_marker() {
        let data = [1, 0xFF, 0, 2, 0xFF, 0xFF, 0xD0, 3, 0xFF, 0xD9];
        let mut source = Source::new(&data, 0);
        assert_eq!(read(&mut source, 3), [1, 0xFF, 2]);
        assert!(!source.overrun() && source.ending() == Ending::Marker);
        assert!(source.restart(0));
        assert_eq!(read(&mut source, 1), [3]);
        assert!(source.ending() == Ending::Image && !source.overrun());
        assert_eq!(read(&mut source, 100), [0; 100]);
        assert!(source.overrun());
    }

    /// As `jpeg_resync_to_restart` of libjpeg decides.
    #[test]
    fn a_restart_that_is_not_due_is_waited_for_passed_over_or_taken() {
        let data = [1, 2, 0xFF, 0xD3, 3, 0xFF, 0xD4, 4, 0xFF, 0xD9];
        // What is due, and the first byte of the interval, 0 where it is empty.
        let cases = [
            (3, 3),
            (2, 0),
            (1, 0),
            (4, 4),
            (5, 0),
            (0, 3),
            (7, 3),
            (11, 3),
        ];
        for (index, expected) in cases {
            let mut source = Source::new(&data, 0);
            read(&mut source, 1);
            assert_eq!(source.restart(index), expected != 0, "RST{index}");
            assert_eq!(read(&mut source, 1), [expected], "RST{index}");
        }
        let mut source = Source::new(&data, 0);
        assert!(!source.restart(2));
        assert!(source.restart(3), "it is still there");
    }

    #[test]
    fn seeking_finds_every_bit_again() {
        let data: Vec<u8> = (0..40_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .map(|byte| byte.min(0xFE))
            .collect();
        let mut source = Source::new(&data, 0);
        for _ in 0..5 {
            read(&mut source, 6001);
            source.refill();
            source.bits.consume(3);
            let (at, expected) = (source.tell(), read(&mut source, 5));
            read(&mut source, 1000);
            source.seek(at);
            assert_eq!((source.tell(), read(&mut source, 5)), (at, expected));
        }
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
        assert!(source.ending() == Ending::Image && !source.overrun());
    }
}
