//! The entropy-coded blocks of a sequential scan (ITU-T T.81, F.2.2 and E.2.4).

use std::hint::select_unpredictable;

use super::{
    error::Error,
    intervals::{Due, Intervals, Outcome},
    pairs::{LOOK, Look, MAX_BITS, Pairs},
    source::Bits,
    strip::{Blocks, MAX_SLOTS, Strip},
};

/// Looks that the bits of one refill are enough for, even if the last one leads to the longest symbol.
const LOOKS: usize = 3;
const _: () = assert!((LOOKS as u32 - 1) * LOOK + MAX_BITS <= 56);

pub(super) struct Entropy<'a, 't> {
    /// In blocks.
    intervals: Intervals<'a>,
    pairs: Pairs<'t>,
    /// The last DC coefficient of each component of the scan.
    predictions: [i16; 4],
    /// The file has ended.
    dry: bool,
}

impl<'a, 't> Entropy<'a, 't> {
    pub fn new(intervals: Intervals<'a>, pairs: Pairs<'t>) -> Self {
        Self {
            intervals,
            pairs,
            predictions: [0; 4],
            dry: false,
        }
    }

    /// Whether the file ended before the blocks did.
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// Whether nothing is left of the scan.
    pub fn is_spent(&mut self) -> bool {
        self.intervals.source.is_spent()
    }

    /// Where the marker that ends the scan is looked for.
    pub fn position(&self) -> usize {
        self.intervals.source.position()
    }

    /// Decodes the first `count` blocks of the strip. Where the file ends, the rest stays zero.
    pub fn decode(&mut self, strip: &mut Strip, count: usize) -> Result<(), Error> {
        let mut from = 0;
        while from < count && !self.dry {
            match self.intervals.next()? {
                Due::Nothing => {}
                Due::Restart => self.predictions = [0; 4],
                Due::End => {
                    self.dry = true;
                    break;
                }
            }
            let to = count.min(from.saturating_add(self.intervals.left()));
            let outcome = self.blocks(strip, from, to);
            self.dry = !self.intervals.settle(outcome)?;
            self.predict(strip, from, to);
            self.intervals.advance(to - from);
            from = to;
        }
        Ok(())
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

    /// Decodes the blocks `from..to` of the strip.
    #[inline(never)]
    fn blocks(&mut self, strip: &mut Strip, from: usize, to: usize) -> Outcome {
        let (source, pairs) = (&mut self.intervals.source, &self.pairs);
        let blocks = &mut *strip.blocks;
        let component = blocks.slots[from % MAX_SLOTS].component();
        let Some(&(table, _)) = pairs.bases.get(component) else {
            return Outcome::Bad;
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
            if outcome != Outcome::Dry || !source.refill() {
                return outcome;
            }
            walk.bits = source.bits;
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
    fn run(&mut self, pairs: &Pairs<'_>, blocks: &mut Blocks, window: &[u8], to: usize) -> Outcome {
        while self.block < to {
            if !self.bits.refill(window) {
                return Outcome::Dry;
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
                return Outcome::Bad;
            }
        }
        Outcome::Done
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
