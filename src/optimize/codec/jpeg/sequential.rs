//! Sequential files (ITU-T T.81, F.2): one interleaved scan, or several of some components each.

use super::{
    Decoded, Job,
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

/// Decodes all scans.
pub(super) fn decode(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    first: Scan,
) -> Result<Decoded, Error> {
    job.check_bytes(0)?;
    let mut planes: Vec<Plane> = job.grids.iter().map(Grid::plane).collect();
    let mut tables = vec![None; planes.len()];
    // Of each component, the share that is lost.
    let mut lost: Vec<Option<f64>> = vec![None; planes.len()];
    let interleaved = first.components.len() == planes.len();
    let (mut next, mut truncated, mut scans) = (Some(first), false, 0);
    while let Some(scan) = next.take() {
        scans += 1;
        job.check_scans(scans)?;
        job.latch_tables(reader, &scan, &mut tables)?;
        let (share, cut) = decode_scan(job, reader, &scan, &tables, &mut planes)?;
        for component in &scan.components {
            if let Some(lost) = lost.get_mut(component.index) {
                // A scan that comes again replaces what was there.
                reader.spare |= lost.is_some();
                *lost = Some(share);
            }
        }
        truncated = cut;
        let whole = lost.iter().all(Option::is_some);
        match reader.next_scan() {
            _ if truncated => break,
            Ok(None) => break,
            // Without an end marker the image is whole nevertheless.
            Err(Error::Truncated) if whole => break,
            Err(Error::Truncated) => {
                truncated = true;
                break;
            }
            // What follows a whole image is not of it.
            _ if whole && interleaved => {
                reader.spare = true;
                break;
            }
            Err(_) if whole => {
                reader.spare = true;
                break;
            }
            other => next = other?,
        }
    }
    let damaged = lost.iter().map(|lost| lost.unwrap_or(1.0));
    let damaged = damaged.fold(0.0, f64::max);
    truncated |= lost.iter().any(Option::is_none);
    if truncated && !job.limits.accept_truncated {
        return Err(Error::Truncated);
    }
    for (plane, _) in planes
        .iter_mut()
        .zip(&lost)
        .filter(|(_, lost)| lost.is_none())
    {
        plane.data.fill(128);
    }
    Ok(Decoded {
        planes,
        truncated,
        damaged,
    })
}

/// Decodes one scan; the share of it that is lost, and whether the file ended in it.
fn decode_scan(
    job: &Job<'_>,
    reader: &mut Reader<'_>,
    scan: &Scan,
    tables: &[Option<[u16; 64]>],
    planes: &mut [Plane],
) -> Result<(f64, bool), Error> {
    let pairs = Pairs::new(&reader.tables, &scan.components)?;
    let mut strip = Strip::new(job, tables, scan, &pairs)?;
    let interval = usize::from(reader.tables.restart_interval) * strip.per_mcu;
    let intervals = Intervals::new(Source::new(reader.segments.data, scan.data), interval);
    let mut entropy = Entropy::new(intervals, pairs);
    let total = strip.across * strip.down * strip.per_mcu;
    let max_damage = job.limits.max_damage;
    for row in 0..strip.down {
        job.check_deadline()?;
        for begin in (0..strip.across).step_by(STRIP) {
            let count = STRIP.min(strip.across - begin) * strip.per_mcu;
            entropy.decode(&mut strip, count);
            strip.reconstruct(row, begin, planes);
        }
        let truncated = entropy.intervals.tally.is_truncated(total, max_damage);
        if truncated && !job.limits.accept_truncated {
            return Err(Error::Truncated);
        }
    }
    let Intervals { source, tally, .. } = &mut entropy.intervals;
    // What decoded of the first strip alone is no image.
    if tally.is_nothing(total, STRIP.min(strip.across) * strip.per_mcu) {
        return Err(Error::Truncated);
    }
    reader.spare |= source.odd || !source.is_spent();
    reader.segments.at = source.position();
    Ok((tally.share(total), tally.is_truncated(total, max_damage)))
}
