//! First scans of a band of AC coefficients (ITU-T T.81, G.1.2.2).

use super::{
    super::{
        Job,
        error::Error,
        header::{Scan, Tables},
        huffman::extend,
        intervals::Intervals,
        pairs::AcPairs,
        source::Source,
    },
    store::Store,
};

/// The largest size of an AC coefficient with 8-bit samples.
const MAX_SIZE: u32 = 10;

/// Decodes the scan; how many blocks it has.
pub(super) fn decode(
    job: &Job<'_>,
    tables: &Tables,
    scan: &Scan,
    intervals: &mut Intervals<'_>,
    stores: &mut [Store],
) -> Result<usize, Error> {
    let Some(component) = scan.components.first() else {
        return Ok(0);
    };
    let Some(store) = stores.get_mut(component.index) else {
        return Ok(0);
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
            if intervals.next() {
                run = 0;
            }
            if intervals.is_dry() {
                intervals.lose(1);
                intervals.advance(1);
                x += 1;
                continue;
            }
            if run > 0 {
                let skipped = run.min(store.grid.blocks_across - x).min(intervals.left());
                run -= skipped;
                x += skipped;
                intervals.advance(skipped);
                continue;
            }
            band.block(&mut intervals.source, store, x, y, &mut run);
            intervals.settle();
            x += 1;
            intervals.advance(1);
        }
    }
    Ok(store.grid.blocks_across * store.grid.blocks_down)
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
    ) {
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
        loop {
            source.refill();
            let look = self.pairs.look(source.bits.next);
            let (advance_1, value_1) = look.first();
            let (advance_2, value_2) = look.second();
            if index + advance_2 < self.last {
                put(index + advance_2, value_2);
                put(index + advance_1, value_1);
                source.bits.consume(look.bits());
                if look.ends() {
                    break;
                }
                index += advance_2;
                continue;
            }
            match self.single(source, index) {
                Single::EndOfBand { after } => {
                    *run = after;
                    break;
                }
                Single::Coefficient { index: next, value } => {
                    // What is beyond the band is taken, as libjpeg takes it.
                    if value != 0 {
                        put(next.min(63), value);
                    }
                    index = next;
                    if index >= self.last {
                        break;
                    }
                }
            }
        }
        if let Some(mask) = store.nonzero.get_mut(mask_at) {
            *mask |= nonzero;
        }
    }

    /// Takes one symbol where the look is not enough.
    fn single(&self, source: &mut Source<'_>, after: u32) -> Single {
        let symbol = u32::from(self.pairs.symbol(source));
        let (run, size) = (symbol >> 4, symbol & 15);
        if size == 0 && run < 15 {
            let more = source.bits.take(run) as usize;
            return Single::EndOfBand {
                after: (1 << run) - 1 + more,
            };
        }
        let value = extend(source.bits.take(size), size) as i16;
        let index = after + run + 1;
        source.odd |= index > self.last || size > MAX_SIZE;
        Single::Coefficient { index, value }
    }
}

enum Single {
    EndOfBand { after: usize },
    Coefficient { index: u32, value: i16 },
}
