//! Scans that refine a band of AC coefficients by one bit (ITU-T T.81, G.1.2.3).

use super::{
    super::{
        Job,
        error::Error,
        header::{Scan, Tables},
        intervals::Intervals,
        source::Source,
        symbols::Symbols,
    },
    store::Store,
};

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
        symbols: Symbols::new(tables.ac_code(component.ac_table)?),
        first: scan.band.0.into(),
        last: scan.band.1.into(),
        step: 1 << scan.low,
    };
    // Blocks, this one among them, that have no new coefficient up to the end of the band.
    let mut run = 0;
    for y in 0..store.grid.blocks_down {
        job.check_deadline()?;
        for x in 0..store.grid.blocks_across {
            if intervals.next() {
                run = 0;
            }
            if intervals.is_dry() {
                intervals.lose(1);
            } else {
                band.block(&mut intervals.source, store, x, y, &mut run);
                intervals.settle();
            }
            intervals.advance(1);
        }
    }
    Ok(store.grid.blocks_across * store.grid.blocks_down)
}

struct Band<'t> {
    symbols: Symbols<'t>,
    first: u32,
    last: u32,
    /// The weight of the bit that this scan adds.
    step: i16,
}

/// The coefficients below `index`.
fn below(index: u32) -> u64 {
    1u64.checked_shl(index).unwrap_or(0).wrapping_sub(1)
}

impl Band<'_> {
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
        let Some(mask) = store.nonzero.get_mut(mask_at) else {
            return;
        };
        let mut block = Block {
            coefficients: &mut store.coefficients,
            at,
            places: &store.places,
            wanted: store.wanted,
        };
        let band = below(self.last + 1) & !below(self.first);
        let old = *mask & band;
        let mut index = self.first;
        while *run == 0 && index <= self.last {
            source.refill();
            let symbol = self.symbols.take_any(source);
            let (zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            let value = match size {
                0 if zeros < 15 => {
                    *run = (1 << zeros) + source.bits.take(zeros) as usize;
                    break;
                }
                0 => 0,
                // A new coefficient has one bit; libjpeg takes others for that.
                _ if source.bits.take(1) != 0 => self.step,
                _ => -self.step,
            };
            // The coefficient comes after `zeros` others that are zero so far.
            let mut free = band & !old & !below(index);
            for _ in 0..zeros {
                free &= free.wrapping_sub(1);
            }
            source.odd |= free == 0 || size > 1;
            // One that finds no free place comes behind the band, as with libjpeg.
            let place = free.trailing_zeros().min(self.last + 1);
            block.correct(source, old & below(place) & !below(index), self.step);
            let place = place.min(63);
            if value != 0 {
                block.put(place, value);
                *mask |= 1 << place;
            }
            index = place + 1;
        }
        if *run > 0 {
            *run -= 1;
            block.correct(source, old & !below(index), self.step);
        }
    }
}

struct Block<'s> {
    coefficients: &'s mut [i16],
    at: usize,
    places: &'s [u16; 64],
    /// The coefficients up to the last one that is kept.
    wanted: u64,
}

impl Block<'_> {
    #[inline(always)]
    fn put(&mut self, index: u32, value: i16) {
        let place = usize::from(self.places[index as usize & 63]);
        if let Some(coefficient) = self.coefficients.get_mut(self.at + place) {
            *coefficient = value;
        }
    }

    /// Takes a bit for each coefficient of `set` and moves it away from zero where that is 1.
    #[inline(always)]
    fn correct(&mut self, source: &mut Source<'_>, set: u64, step: i16) {
        // Half the coefficients at a time: never more bits than a refill gives.
        for mut half in [set & below(32), set & !below(32)] {
            if half == 0 {
                continue;
            }
            source.refill();
            let mut bits = source.bits.next;
            source.bits.consume(half.count_ones());
            half &= self.wanted;
            while half != 0 {
                let place = usize::from(self.places[half.trailing_zeros() as usize & 63]);
                if let Some(coefficient) = self.coefficients.get_mut(self.at + place) {
                    let away = if *coefficient < 0 { -step } else { step };
                    let moved = if bits >> 63 != 0 { away } else { 0 };
                    *coefficient = coefficient.wrapping_add(moved);
                }
                bits <<= 1;
                half &= half - 1;
            }
        }
    }
}
