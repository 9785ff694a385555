//! Scans of DC coefficients (ITU-T T.81, G.1.2.1).

use super::{
    super::{
        Job,
        error::Error,
        header::{Scan, Tables},
        huffman::extend,
        intervals::{Due, Intervals, Outcome},
        symbols::Symbols,
    },
    store::Store,
};

/// The largest size of a DC difference with 8-bit samples.
const MAX_SIZE: u32 = 11;

/// Decodes the scan; whether the file goes on behind it.
pub(super) fn decode(
    job: &Job<'_>,
    tables: &Tables,
    scan: &Scan,
    intervals: &mut Intervals<'_>,
    stores: &mut [Store],
) -> Result<bool, Error> {
    let interleaved = scan.components.len() > 1;
    let (mut across, mut down) = (job.mcus.across, job.mcus.down);
    let mut parts = Vec::new();
    for component in &scan.components {
        let grid = job.grid(component.index)?;
        if !interleaved {
            (across, down) = (grid.blocks_across, grid.blocks_down);
        }
        let size = if interleaved {
            (grid.horizontal, grid.vertical)
        } else {
            (1, 1)
        };
        let symbols = match scan.high {
            0 => Some(Symbols::new(tables.dc_code(component.dc_table)?)),
            _ => None,
        };
        parts.push(Part {
            index: component.index,
            size,
            symbols,
            prediction: 0,
        });
    }
    for y in 0..down {
        job.check_deadline()?;
        for x in 0..across {
            match intervals.next()? {
                Due::Nothing => {}
                Due::Restart => parts.iter_mut().for_each(|part| part.prediction = 0),
                Due::End => return Ok(false),
            }
            let outcome = mcu(x, y, scan, intervals, &mut parts, stores);
            if outcome != Outcome::Done {
                return intervals.settle(outcome);
            }
            intervals.advance(1);
        }
        if !intervals.settle(Outcome::Done)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One component of the scan.
struct Part<'t> {
    index: usize,
    /// Blocks of an MCU, across and down.
    size: (usize, usize),
    /// In a first scan.
    symbols: Option<Symbols<'t>>,
    prediction: i32,
}

fn mcu(
    x: usize,
    y: usize,
    scan: &Scan,
    intervals: &mut Intervals<'_>,
    parts: &mut [Part<'_>],
    stores: &mut [Store],
) -> Outcome {
    let source = &mut intervals.source;
    for part in parts {
        let Some(store) = stores.get_mut(part.index) else {
            return Outcome::Bad;
        };
        for j in 0..part.size.1 {
            for i in 0..part.size.0 {
                let at = store.at(x * part.size.0 + i, y * part.size.1 + j);
                let Some(dc) = store.coefficients.get_mut(at) else {
                    return Outcome::Bad;
                };
                if !source.refill() {
                    return Outcome::Dry;
                }
                let Some(symbols) = &part.symbols else {
                    *dc |= (source.bits.take(1) << scan.low) as i16;
                    continue;
                };
                let size = match symbols.take(&mut source.bits) {
                    Some(size) if u32::from(size) <= MAX_SIZE => u32::from(size),
                    _ => return Outcome::Bad,
                };
                part.prediction = part
                    .prediction
                    .wrapping_add(extend(source.bits.take(size), size));
                *dc = (part.prediction << scan.low) as i16;
            }
        }
    }
    Outcome::Done
}
