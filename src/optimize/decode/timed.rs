//! A file in memory that cannot be read any more once the time is over: what stops a decoder that has no
//! deadline of its own.

use std::io::{BufRead, Cursor, Error, Read, Result, Seek, SeekFrom};

use super::super::budget::Budget;

/// A look at the clock costs more than most reads. So each counts, those in zune-jpeg's hot loop, of four
/// bytes, the least: of the others there are a few in every scan, which may need few bytes and much time.
const HOT_BYTES: usize = 4;
const HOT: u32 = 1;
const OTHER: u32 = 16;
const LOOK_AT: u32 = 512;

pub(super) struct Timed<'a> {
    bytes: Cursor<&'a [u8]>,
    budget: &'a Budget<'a>,
    counted: u32,
    over: bool,
}

impl<'a> Timed<'a> {
    pub(super) fn new(bytes: &'a [u8], budget: &'a Budget<'a>) -> Self {
        Self {
            bytes: Cursor::new(bytes),
            budget,
            counted: 0,
            over: false,
        }
    }

    #[inline]
    fn count(&mut self, weight: u32) -> Result<()> {
        self.counted += weight;
        if self.counted >= LOOK_AT {
            self.counted = 0;
            self.over |= self.budget.check_time().is_err();
        }
        if self.over {
            return Err(Error::other("the time is over"));
        }
        Ok(())
    }
}

impl Read for Timed<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let hot = buffer.len() == HOT_BYTES;
        self.count(if hot { HOT } else { OTHER })?;
        self.bytes.read(buffer)
    }
}

impl BufRead for Timed<'_> {
    #[inline]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.count(0)?;
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for Timed<'_> {
    #[inline]
    fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        self.count(OTHER)?;
        self.bytes.seek(position)
    }
}
