//! Progressive files (ITU-T T.81, annex G): every coefficient comes in several scans.
//!
//! Of each block only the N x N coefficients that are wanted are kept, and one bit for each of the 64
//! that tells whether it is zero: refinement needs no more of those that are not kept.

mod dc;
mod first;
mod refine;
mod store;

use super::{
    Decoded, Job,
    error::Error,
    header::{Reader, Scan},
    idct::Kernel,
    intervals::Intervals,
    source::Source,
};
use store::Store;

/// Decodes all scans.
pub(super) fn decode(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    first: Scan,
) -> Result<Decoded, Error> {
    job.check_bytes(job.grids.iter().map(Store::bytes).sum())?;
    let mut stores: Vec<Store> = job.grids.iter().map(Store::new).collect();
    let mut tables = vec![None; stores.len()];
    let (mut scans, mut next, mut truncated) = (0, Some(first), false);
    while let Some(scan) = next.take() {
        scans += 1;
        job.check_scans(scans)?;
        job.latch_tables(reader, &scan, &mut tables)?;
        truncated = decode_scan(job, reader, &scan, &mut stores)?;
        if truncated {
            break;
        }
        match reader.next_scan() {
            // Without an EOI marker the image is whole if nothing of it can follow.
            Err(Error::Truncated) => truncated = !stores.iter().all(Store::is_complete),
            other => next = other?,
        }
    }
    truncated |= !stores.iter().all(Store::has_begun);
    let is_nothing = !stores.iter().any(Store::has_begun);
    if is_nothing || (truncated && !job.limits.accept_truncated) {
        return Err(Error::Truncated);
    }
    let damaged = stores.iter().map(|store| store.lost).fold(0.0, f64::max);
    let planes = stores
        .into_iter()
        .zip(&job.grids)
        .zip(tables)
        .map(|((store, grid), table)| {
            let mut plane = grid.plane();
            let kernel = Kernel::new(grid.eighths, &table.unwrap_or([1; 64]));
            let row_len = plane.stride * plane.eighths;
            for (row, samples) in store.rows().zip(plane.data.chunks_exact_mut(row_len)) {
                job.check_deadline()?;
                kernel.groups(row, samples, plane.stride);
            }
            Ok(plane)
        });
    Ok(Decoded {
        planes: planes.collect::<Result<_, Error>>()?,
        truncated,
        damaged,
    })
}

/// Decodes one scan; whether the file ended in it.
fn decode_scan(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    scan: &Scan,
    stores: &mut [Store],
) -> Result<bool, Error> {
    let (from, to) = scan.band;
    let band_is_sound = match from {
        0 => to == 0,
        _ => from <= to && to < 64 && scan.components.len() == 1,
    };
    if !band_is_sound || scan.low > 13 {
        return Err(Error::Damaged("a progressive scan of an impossible band"));
    }
    // A refinement adds exactly one bit (G.1.1.1.2). Other decoders may take what is none.
    if scan.high != 0 && scan.low + 1 != scan.high {
        return Err(Error::Damaged(
            "a progressive scan that refines by more than a bit",
        ));
    }
    for component in &scan.components {
        let store = stores
            .get_mut(component.index)
            .ok_or(Error::Damaged("a component is missing"))?;
        reader.spare |= !store.note(scan);
    }
    let source = Source::new(reader.segments.data, scan.data);
    let mut intervals = Intervals::new(source, reader.tables.restart_interval.into());
    let total = match (from, scan.high) {
        (0, _) => dc::decode(job, &reader.tables, scan, &mut intervals, stores)?,
        (_, 0) => first::decode(job, &reader.tables, scan, &mut intervals, stores)?,
        _ => refine::decode(job, &reader.tables, scan, &mut intervals, stores)?,
    };
    reader.spare |= intervals.source.odd || !intervals.source.is_spent();
    reader.segments.at = intervals.source.position();
    let tally = intervals.tally;
    if (from, scan.high) == (0, 0) {
        // What has no DC has nothing: of the others less is known, and no more.
        for component in &scan.components {
            if let Some(store) = stores.get_mut(component.index) {
                store.lost = tally.share(total);
            }
        }
        if tally.is_nothing(total, 1) {
            return Err(Error::Truncated);
        }
    }
    Ok(tally.is_truncated(total, job.limits.max_damage))
}
