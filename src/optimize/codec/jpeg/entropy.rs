//! The entropy-coded blocks of a sequential scan (ITU-T T.81, F.2.2 and E.2.4).

use std::hint::select_unpredictable;

use super::{
    huffman::extend,
    intervals::Intervals,
    pairs::{LOOK, Look, MAX_BITS, Pairs},
    source::{Bits, Source},
    strip::{Blocks, MAX_SLOTS, Strip},
    symbols::Symbols,
};

/// Looks that the bits of one refill are enough for, even if the last one leads to the longest symbol.
const LOOKS: usize = 3;
const _: () = assert!((LOOKS as u32 - 1) * LOOK + MAX_BITS <= 56);

pub(super) struct Entropy<'a, 't> {
    /// In blocks.
    pub intervals: Intervals<'a>,
    pairs: Pairs<'t>,
    /// The last DC coefficient of each component of the scan.
    predictions: [i16; 4],
    /// From where an interval is damaged to its end.
    damaged: bool,
    /// Made when it is needed first.
    careful: Option<Careful<'t>>,
}

/// How a run of blocks came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    /// The window has too few bytes.
    Dry,
    /// The bits are no code, or mean nothing where they are.
    Bad,
}

impl<'a, 't> Entropy<'a, 't> {
    pub fn new(intervals: Intervals<'a>, pairs: Pairs<'t>) -> Self {
        Self {
            intervals,
            pairs,
            predictions: [0; 4],
            damaged: false,
            careful: None,
        }
    }

    /// Decodes the first `count` blocks of the strip; those that have no data stay zero.
    pub fn decode(&mut self, strip: &mut Strip, count: usize) {
        let mut from = 0;
        while from < count {
            if self.intervals.next() {
                self.predictions = [0; 4];
                self.damaged = false;
            }
            let to = count.min(from.saturating_add(self.intervals.left()));
            let read = match self.intervals.is_dry() {
                true => from,
                false => self.interval(strip, from, to),
            };
            self.predict(strip, from, read);
            if read < to {
                self.intervals.lose(to - read);
            }
            self.intervals.advance(to - from);
            from = to;
        }
    }

    /// Decodes the blocks `from..to`, all of one interval; up to which of them there was data.
    fn interval(&mut self, strip: &mut Strip, from: usize, to: usize) -> usize {
        if !self.damaged {
            let before = self.intervals.source.tell();
            if self.blocks(strip, from, to) && !self.intervals.source.overrun() {
                return to;
            }
            self.intervals.source.seek(before);
            self.intervals.source.odd = true;
            strip.clear(from, to);
            self.damaged = true;
        }
        let pairs = &self.pairs;
        let careful = self.careful.get_or_insert_with(|| Careful::new(pairs));
        for begin in (from..to).step_by(strip.per_mcu) {
            let source = &mut self.intervals.source;
            let is_empty = source.is_exhausted();
            let end = begin + strip.per_mcu;
            for block in begin..end {
                careful.block(source, &mut strip.blocks, block);
            }
            self.intervals.settle();
            if self.intervals.is_dry() {
                // This MCU shows what zeros decode to; if there was not a bit of it, it is lost as well.
                self.intervals.lose(if is_empty { end - begin } else { 0 });
                return end;
            }
        }
        to
    }

    /// Adds up the DC differences of blocks that were decoded (F.2.2.1).
    fn predict(&mut self, strip: &mut Strip, from: usize, to: usize) {
        let Blocks {
            slots,
            coefficients,
            ..
        } = &mut *strip.blocks;
        for slot in slots.get(from..to).unwrap_or_default() {
            let dc = coefficients.get_mut(slot.at());
            let prediction = self.predictions.get_mut(slot.component());
            if let (Some(dc), Some(prediction)) = (dc, prediction) {
                *dc = dc.wrapping_add(*prediction);
                *prediction = *dc;
            }
        }
    }

    /// Decodes the blocks `from..to` of the strip; whether all bits were symbols that belong there.
    #[inline(never)]
    fn blocks(&mut self, strip: &mut Strip, from: usize, to: usize) -> bool {
        let (source, pairs) = (&mut self.intervals.source, &self.pairs);
        let blocks = &mut *strip.blocks;
        let component = blocks.slots[from % MAX_SLOTS].component();
        let Some(&(table, _)) = pairs.bases.get(component) else {
            return false;
        };
        let mut walk = Walk {
            bits: source.bits,
            block: from,
            index: 0,
            table: table.into(),
        };
        loop {
            let outcome = walk.run(pairs, blocks, source.window(), to);
            source.bits = walk.bits;
            if outcome != Progress::Dry {
                return outcome == Progress::Done;
            }
            source.refill();
            walk.bits = source.bits;
        }
    }
}

/// Symbol by symbol what libjpeg makes of damaged data (`decode_mcu_slow`).
struct Careful<'t> {
    /// The DC and the AC code of each component of the scan.
    codes: Vec<(Symbols<'t>, Symbols<'t>)>,
}

impl<'t> Careful<'t> {
    fn new(pairs: &Pairs<'t>) -> Self {
        let codes = pairs.component_codes();
        Self {
            codes: codes
                .map(|(dc, ac)| (Symbols::new(dc), Symbols::new(ac)))
                .collect(),
        }
    }

    fn block(&self, source: &mut Source<'_>, blocks: &mut Blocks, block: usize) {
        let slot = blocks.slots[block % MAX_SLOTS];
        let Some((dc, ac)) = self.codes.get(slot.component()) else {
            return;
        };
        source.refill();
        let size = dc.take_any(source);
        // No decoder takes a longer one.
        let size = if size < 16 { u32::from(size) } else { 0 };
        blocks.put(slot, 0, extend(source.bits.take(size), size) as i16);
        let mut index = 1;
        while index < 64 {
            source.refill();
            let symbol = u32::from(ac.take_any(source));
            let (run, size) = (symbol >> 4, symbol & 15);
            index += run;
            match (run, size) {
                (15, 0) => {}
                (_, 0) => break,
                // What is beyond the block ends up in its last place.
                _ => {
                    let value = extend(source.bits.take(size), size) as i16;
                    blocks.put(slot, index.min(63), value);
                }
            }
            index += 1;
        }
    }
}

/// How far decoding has come; small enough to live in registers.
#[derive(Clone, Copy)]
struct Walk {
    bits: Bits,
    block: usize,
    /// The last coefficient of the block, 0 to 62.
    index: u32,
    /// The table of the next look.
    table: u32,
}

impl Walk {
    /// Decodes up to the block `to`, or until the window has too few bytes.
    #[inline(always)]
    fn run(
        &mut self,
        pairs: &Pairs<'_>,
        blocks: &mut Blocks,
        window: &[u8],
        to: usize,
    ) -> Progress {
        while self.block < to {
            if !self.bits.refill(window) {
                return Progress::Dry;
            }
            // A look ends at most one block.
            let looks = if self.block + LOOKS <= to { LOOKS } else { 1 };
            let missed = match looks {
                1 => self.step(pairs, blocks),
                _ => (0..LOOKS).find_map(|_| self.step(pairs, blocks)),
            };
            if let Some(look) = missed
                && !self.single(look, pairs, blocks)
            {
                return Progress::Bad;
            }
        }
        Progress::Done
    }

    /// Takes one look, or, where that is not enough, returns it and takes nothing.
    ///
    /// There is no branch on where a block ends: what comes next is selected. A look with one
    /// coefficient writes it twice.
    #[inline(always)]
    fn step(&mut self, pairs: &Pairs<'_>, blocks: &mut Blocks) -> Option<Look> {
        let slot = blocks.slots[self.block % MAX_SLOTS];
        let look = pairs.look(self.table, self.bits.next);
        let (advance_1, value_1) = look.first();
        let (advance_2, value_2) = look.second();
        let (index_1, index_2) = (self.index + advance_1, self.index + advance_2);
        if index_2 >= 63 {
            return Some(look);
        }
        blocks.put(slot, index_2, value_2);
        blocks.put(slot, index_1, value_1);
        self.bits.consume(look.bits());
        self.table = select_unpredictable(look.ends(), slot.next_dc(), slot.ac());
        self.index = select_unpredictable(look.ends(), 0, index_2);
        self.block += usize::from(look.ends());
        None
    }

    /// Takes the one symbol that a look was not enough for; `false` where there is none.
    #[inline(always)]
    fn single(&mut self, look: Look, pairs: &Pairs<'_>, blocks: &mut Blocks) -> bool {
        let slot = blocks.slots[self.block % MAX_SLOTS];
        let Some(single) = pairs.rare(self.table, self.bits.next, look, self.index) else {
            return false;
        };
        blocks.put(slot, single.index, single.value);
        self.bits.consume(single.bits);
        if single.ends {
            self.block += 1;
            self.index = 0;
            self.table = slot.next_dc();
        } else {
            self.index = single.index;
            self.table = slot.ac();
        }
        true
    }
}
