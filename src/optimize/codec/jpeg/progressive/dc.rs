//! Scans of DC coefficients (ITU-T T.81, G.1.2.1).

use super::{
    super::{
        Job,
        error::Error,
        header::{Scan, Tables},
        huffman::extend,
        intervals::Intervals,
        source::Source,
        symbols::Symbols,
    },
    store::Store,
};

/// The largest size of a DC difference with 8-bit samples.
const MAX_SIZE: u32 = 11;

/// Decodes the scan; how many MCUs it has.
pub(super) fn decode(
    job: &Job<'_>,
    tables: &Tables,
    scan: &Scan,
    intervals: &mut Intervals<'_>,
    stores: &mut [Store],
) -> Result<usize, Error> {
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
            if intervals.next() {
                parts.iter_mut().for_each(|part| part.prediction = 0);
            }
            if intervals.is_dry() || intervals.source.is_exhausted() {
                intervals.lose(1);
            }
            if !intervals.is_dry() {
                mcu(x, y, scan, &mut intervals.source, &mut parts, stores);
                intervals.settle();
            }
            intervals.advance(1);
        }
    }
    Ok(across * down)
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
    source: &mut Source<'_>,
    parts: &mut [Part<'_>],
    stores: &mut [Store],
) {
    for part in parts {
        let Some(store) = stores.get_mut(part.index) else {
            continue;
        };
        for j in 0..part.size.1 {
            for i in 0..part.size.0 {
                let at = store.at(x * part.size.0 + i, y * part.size.1 + j);
                let Some(dc) = store.coefficients.get_mut(at) else {
                    continue;
                };
                source.refill();
                let Some(symbols) = &part.symbols else {
                    *dc |= (source.bits.take(1) << scan.low) as i16;
                    continue;
                };
                let mut size = u32::from(symbols.take_any(source));
                if size > MAX_SIZE {
                    source.odd = true;
                    // No decoder takes a longer one than of 15 bits.
                    size = if size < 16 { size } else { 0 };
                }
                part.prediction = part
                    .prediction
                    .wrapping_add(extend(source.bits.take(size), size));
                *dc = (part.prediction << scan.low) as i16;
            }
        }
    }
}
