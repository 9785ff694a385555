//! Sequential files (ITU-T T.81, F.2): one interleaved scan, or several of some components each.

use super::{
    Job,
    entropy::Entropy,
    error::Error,
    geometry::Grid,
    header::{Reader, Scan},
    intervals::Intervals,
    pairs::Pairs,
    source::Source,
    strip::{STRIP, Strip},
    types::Plane,
};

/// Decodes all scans; the planes, and whether the file ended early.
pub(super) fn decode(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    first: Scan,
) -> Result<(Vec<Plane>, bool), Error> {
    job.check_bytes(0)?;
    let mut planes: Vec<Plane> = job.grids.iter().map(Grid::plane).collect();
    let mut seen = vec![false; planes.len()];
    let (mut next, mut truncated, mut scans) = (Some(first), false, 0);
    while let Some(scan) = next.take() {
        scans += 1;
        job.check_scans(scans)?;
        for component in &scan.components {
            match seen.get_mut(component.index) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::Unsupported("a component in two sequential scans")),
            }
        }
        truncated = decode_scan(job, reader, &scan, &mut planes)?;
        if truncated {
            break;
        }
        if seen.iter().all(|&seen| seen) {
            // Without an end marker the image is whole nevertheless.
            reader.spare |= !matches!(reader.next_scan(), Ok(None) | Err(Error::Truncated));
            break;
        }
        match reader.next_scan() {
            Err(Error::Truncated) => truncated = true,
            Ok(None) => return Err(Error::Damaged("a component has no scan")),
            other => next = other?,
        }
    }
    if truncated && !job.limits.accept_truncated {
        return Err(Error::Truncated);
    }
    for (plane, _) in planes.iter_mut().zip(&seen).filter(|(_, seen)| !**seen) {
        plane.data.fill(128);
    }
    Ok((planes, truncated))
}

/// Decodes one scan; whether the file ended in it.
fn decode_scan(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    scan: &Scan,
    planes: &mut [Plane],
) -> Result<bool, Error> {
    if scan.band != (0, 63) || (scan.high, scan.low) != (0, 0) {
        return Err(Error::Damaged(
            "a sequential scan of a part of the coefficients",
        ));
    }
    let pairs = Pairs::new(&reader.tables, &scan.components)?;
    let mut strip = Strip::new(job, reader, scan, &pairs)?;
    let interval = usize::from(reader.tables.restart_interval) * strip.per_mcu;
    let intervals = Intervals::new(Source::new(reader.data, scan.data), interval);
    let mut entropy = Entropy::new(intervals, pairs);
    for row in 0..strip.down {
        job.check_deadline()?;
        for begin in (0..strip.across).step_by(STRIP) {
            let mcus = STRIP.min(strip.across - begin);
            let count = mcus * strip.per_mcu;
            entropy.decode(&mut strip, count)?;
            // What decoded of the first strip alone is no image.
            if entropy.is_dry() && (!job.limits.accept_truncated || (row, begin) == (0, 0)) {
                return Err(Error::Truncated);
            }
            strip.reconstruct(row, begin, planes);
        }
    }
    reader.spare |= !entropy.is_spent();
    reader.at = entropy.position();
    Ok(entropy.is_dry())
}
