//! The entropy-coded blocks of a sequential scan (ITU-T T.81, F.2.2 and E.2.4).

use super::{
    error::Error,
    intervals::{Due, Intervals, Outcome},
    pairs::{LOOK, Pairs},
    source::Bits,
    strip::{Slot, Strip},
};

/// Looks that the bits of one refill are enough for.
const LOOKS: usize = 4;
const _: () = assert!(LOOKS as u32 * LOOK <= 56);

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
        for slot in strip.slots.get(from..to).unwrap_or_default() {
            let dc = strip.coefficients.get_mut(slot.at as usize);
            let prediction = self.predictions.get_mut(usize::from(slot.component));
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
        let Strip {
            slots,
            places,
            coefficients,
            ..
        } = strip;
        let mut target = Target {
            slots,
            places,
            coefficients,
        };
        let Some(first) = target.slots.get(from) else {
            return Outcome::Bad;
        };
        let mut walk = Walk {
            bits: source.bits,
            block: from,
            index: 0,
            table: u32::from(first.dc),
        };
        let outcome = loop {
            if walk.block + LOOKS <= to && walk.bits.refill(source.window()) {
                let mut plain = true;
                for _ in 0..LOOKS {
                    plain = plain && walk.step(pairs, &mut target);
                }
                if plain {
                    continue;
                }
            } else if walk.block >= to {
                break Outcome::Done;
            }
            // One symbol at a time: near the end of the blocks or of the window, and where a look was
            // not enough.
            if !walk.bits.refill(source.window()) {
                source.bits = walk.bits;
                if !source.refill() {
                    break Outcome::Dry;
                }
                walk.bits = source.bits;
            }
            if !walk.step(pairs, &mut target) && !walk.single(pairs, &mut target) {
                break Outcome::Bad;
            }
        };
        source.bits = walk.bits;
        outcome
    }
}

/// Where the coefficients go.
struct Target<'s> {
    slots: &'s [Slot],
    places: &'s [u16; 256],
    coefficients: &'s mut [i16],
}

impl Target<'_> {
    #[inline(always)]
    fn put(&mut self, slot: Slot, index: u32, value: i16) {
        let place = self.places[(u32::from(slot.places) | index) as usize & 255];
        if let Some(coefficient) = self
            .coefficients
            .get_mut(slot.at as usize + usize::from(place))
        {
            *coefficient = value;
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
    /// Takes one look; `false`, and nothing taken, where that is not enough.
    ///
    /// There is no branch on where a block ends: what comes next is selected. A look with one
    /// coefficient writes it twice.
    #[inline(always)]
    fn step(&mut self, pairs: &Pairs<'_>, target: &mut Target<'_>) -> bool {
        let Some(&slot) = target.slots.get(self.block) else {
            return false;
        };
        let look = pairs.look(self.table, self.bits.next);
        let (advance_1, value_1) = look.first();
        let (advance_2, value_2) = look.second();
        let (index_1, index_2) = (self.index + advance_1, self.index + advance_2);
        if index_2 >= 63 {
            return false;
        }
        target.put(slot, index_2, value_2);
        target.put(slot, index_1, value_1);
        self.bits.consume(look.bits());
        let ends = look.ends();
        self.table = std::hint::select_unpredictable(ends != 0, slot.next_dc, slot.ac).into();
        self.index = std::hint::select_unpredictable(ends != 0, 0, index_2);
        self.block += ends;
        true
    }

    /// Takes the one symbol that a look was not enough for; `false` where there is none.
    #[inline(always)]
    fn single(&mut self, pairs: &Pairs<'_>, target: &mut Target<'_>) -> bool {
        let Some(&slot) = target.slots.get(self.block) else {
            return false;
        };
        let look = pairs.look(self.table, self.bits.next);
        let Some(single) = pairs.rare(self.table, self.bits.next, look, self.index) else {
            return false;
        };
        target.put(slot, single.index, single.value);
        self.bits.consume(single.bits);
        if single.ends {
            self.block += 1;
            self.index = 0;
            self.table = slot.next_dc.into();
        } else {
            self.index = single.index;
            self.table = slot.ac.into();
        }
        true
    }
}
