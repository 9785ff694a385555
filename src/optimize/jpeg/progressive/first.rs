//! First scans of a band of AC coefficients (ITU-T T.81, G.1.2.2).

use super::{
    super::{
        Job,
        error::Error,
        header::{Scan, Tables},
        huffman::extend,
        intervals::{Due, Intervals, Outcome},
        pairs::AcPairs,
        source::{Bits, Source},
    },
    store::Store,
};

/// The largest size of an AC coefficient with 8-bit samples.
const MAX_SIZE: u32 = 10;

/// Decodes the scan; whether the file goes on behind it.
pub(super) fn decode(
    job: &Job<'_>,
    tables: &Tables,
    scan: &Scan,
    intervals: &mut Intervals<'_>,
    stores: &mut [Store],
) -> Result<bool, Error> {
    let Some(component) = scan.components.first() else {
        return Ok(true);
    };
    let Some(store) = stores.get_mut(component.index) else {
        return Ok(true);
    };
    let band = Band {
        pairs: AcPairs::new(tables.ac_code(component.ac_table)?),
        before: u32::from(scan.band.0) - 1,
        last: scan.band.1.into(),
        low: scan.low.into(),
    };
    // Blocks that an end-of-band symbol has ended before they began.
    let mut run = 0;
    for y in 0..store.grid.blocks_down {
        job.check_deadline()?;
        let mut x = 0;
        while x < store.grid.blocks_across {
            match intervals.next()? {
                Due::Nothing => {}
                Due::Restart => run = 0,
                Due::End => return Ok(false),
            }
            if run > 0 {
                let skipped = run.min(store.grid.blocks_across - x).min(intervals.left());
                run -= skipped;
                x += skipped;
                intervals.advance(skipped);
                continue;
            }
            let outcome = band.block(&mut intervals.source, store, x, y, &mut run);
            if outcome != Outcome::Done {
                return intervals.settle(outcome);
            }
            x += 1;
            intervals.advance(1);
        }
        if !intervals.settle(Outcome::Done)? {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Band<'t> {
    pairs: AcPairs<'t>,
    /// The coefficient before the band's first, and its last.
    before: u32,
    last: u32,
    low: u32,
}

impl Band<'_> {
    /// Decodes one block; `run` becomes the number of blocks after it that have nothing in this band.
    #[inline(always)]
    fn block(
        &self,
        source: &mut Source<'_>,
        store: &mut Store,
        x: usize,
        y: usize,
        run: &mut usize,
    ) -> Outcome {
        let (at, mask_at) = (store.at(x, y), store.mask_at(x, y));
        let mut nonzero = 0;
        let mut put = |index: u32, value: i16| {
            let place = usize::from(store.places[index as usize & 63]);
            if let Some(coefficient) = store.coefficients.get_mut(at + place) {
                *coefficient = value << self.low;
            }
            nonzero |= u64::from(value != 0) << (index & 63);
        };
        let mut index = self.before;
        let outcome = loop {
            if !source.refill() {
                break Outcome::Dry;
            }
            let look = self.pairs.look(source.bits.next);
            let (advance_1, value_1) = look.first();
            let (advance_2, value_2) = look.second();
            if index + advance_2 < self.last {
                put(index + advance_2, value_2);
                put(index + advance_1, value_1);
                source.bits.consume(look.bits());
                if look.ends() {
                    break Outcome::Done;
                }
                index += advance_2;
                continue;
            }
            match self.single(&mut source.bits, index) {
                None => break Outcome::Bad,
                Some(Single::EndOfBand { after }) => {
                    *run = after;
                    break Outcome::Done;
                }
                Some(Single::Coefficient { index: next, value }) => {
                    put(next, value);
                    index = next;
                    if index == self.last {
                        break Outcome::Done;
                    }
                }
            }
        };
        if let Some(mask) = store.nonzero.get_mut(mask_at) {
            *mask |= nonzero;
        }
        outcome
    }

    /// Takes one symbol where the look is not enough.
    fn single(&self, bits: &mut Bits, after: u32) -> Option<Single> {
        let symbol = u32::from(self.pairs.symbol(bits)?);
        let (run, size) = (symbol >> 4, symbol & 15);
        if size == 0 && run < 15 {
            let more = bits.take(run) as usize;
            return Some(Single::EndOfBand {
                after: (1 << run) - 1 + more,
            });
        }
        let value = extend(bits.take(size), size) as i16;
        let index = after + run + 1;
        (index <= self.last && size <= MAX_SIZE).then_some(Single::Coefficient { index, value })
    }
}

enum Single {
    EndOfBand { after: usize },
    Coefficient { index: u32, value: i16 },
}
