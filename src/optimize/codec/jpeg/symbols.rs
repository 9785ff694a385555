//! Huffman symbols one at a time, for the scans of a progressive file and for damaged ones.

use super::{
    huffman::Code,
    source::{Bits, Source},
};

/// Bits that are looked at together; longer codes are searched for.
const LOOK: u32 = 9;

pub(super) struct Symbols<'t> {
    table: Vec<u16>,
    code: &'t Code,
}

impl<'t> Symbols<'t> {
    pub fn new(code: &'t Code) -> Self {
        Self {
            table: code.table(LOOK),
            code,
        }
    }

    /// Takes the next symbol; `None` where the bits, at least 16 of which are valid, begin with no code.
    #[inline(always)]
    fn take(&self, bits: &mut Bits) -> Option<u8> {
        let index = (bits.next >> (64 - LOOK)) as usize;
        let entry = self.table.get(index).copied().unwrap_or_default();
        let (length, symbol) = match entry {
            0 => self.code.find((bits.next >> 48) as u16)?,
            _ => (u32::from(entry >> 8), entry as u8),
        };
        bits.consume(length);
        Some(symbol)
    }

    /// As [`Symbols::take`]; bits that are no code are dropped, as libjpeg does it, for a symbol 0.
    #[inline(always)]
    pub fn take_any(&self, source: &mut Source<'_>) -> u8 {
        /// How far libjpeg looks for a code.
        const NO_CODE: u32 = 17;
        self.take(&mut source.bits).unwrap_or_else(|| {
            source.bits.consume(NO_CODE);
            source.odd = true;
            0
        })
    }
}
