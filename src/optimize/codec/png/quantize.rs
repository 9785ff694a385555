//! A palette for more than 256 colours that are near each other: what resizing makes of a drawing.
//!
//! Boxes of colours are split where they differ most (median cut, by variance), the colours go to the nearest
//! palette entry, and each entry to the middle of its colours (k-means), a few times over. There is no dithering:
//! it costs bytes, and flat areas are what such pictures consist of.

use std::collections::HashMap;

/// Entries of a palette.
const ENTRIES: usize = 256;

/// Colours beyond which it is no drawing.
pub(super) const MAX_COLORS: usize = 1 << 14;

/// How often colours and entries take turns.
const ROUNDS: usize = 4;

/// The largest error, squared and summed over the channels, in the mean of all pixels: what is above it shows.
const MAX_ERROR: f64 = 6.0;

/// A colour and how many pixels have it.
type Counted = ([f32; 4], f32);

/// The palette entry for each colour.
pub(super) type Entries = HashMap<[u8; 4], [u8; 4]>;

/// Finds 256 colours that stand for all of these without a difference that shows; `None` where there are none.
pub(super) fn quantize(counts: &HashMap<[u8; 4], u32>) -> Option<Entries> {
    // In an order that does not depend on the hash.
    let mut colors: Vec<([u8; 4], u32)> = counts
        .iter()
        .map(|(&color, &count)| (color, count))
        .collect();
    colors.sort_unstable();
    let counted: Vec<Counted> = colors
        .iter()
        .map(|&(color, count)| (color.map(f32::from), count as f32))
        .collect();
    let mut palette = cut(&mut counted.clone());
    let mut nearest = Vec::new();
    for _ in 0..ROUNDS {
        nearest = counted
            .iter()
            .map(|(color, _)| nearest_of(&palette, color))
            .collect();
        settle(&mut palette, &counted, &nearest);
    }
    let entries = palette
        .iter()
        .map(|entry| entry.map(|value| value.round() as u8));
    let entries: Vec<[u8; 4]> = entries.collect();
    let mut error = 0.0;
    for ((color, count), &at) in counted.iter().zip(&nearest) {
        let entry = entries[at].map(f32::from);
        error += f64::from(distance(color, &entry) * *count);
    }
    let pixels: f64 = colors.iter().map(|&(_, count)| f64::from(count)).sum();
    if error > MAX_ERROR * pixels {
        return None;
    }
    let pairs = colors.iter().zip(nearest);
    Some(
        pairs
            .map(|(&(color, _), at)| (color, entries[at]))
            .collect(),
    )
}

/// Splits the colours into as many boxes as there are entries, and returns the middle of each.
fn cut(colors: &mut [Counted]) -> Vec<[f32; 4]> {
    let mut boxes = vec![Group::of(colors, 0)];
    while boxes.len() < ENTRIES {
        let widest = boxes.iter().enumerate();
        let widest = widest.max_by(|(_, one), (_, other)| one.spread.total_cmp(&other.spread));
        let Some((at, widest)) = widest.filter(|(_, widest)| widest.spread > 0.0) else {
            break;
        };
        let (from, channel, middle) = (widest.from, widest.channel, widest.middle[widest.channel]);
        let part = &mut colors[from..from + widest.length];
        part.sort_unstable_by(|(one, _), (other, _)| one[channel].total_cmp(&other[channel]));
        let half = part.partition_point(|(color, _)| color[channel] <= middle);
        let half = half.clamp(1, part.len() - 1);
        let (low, high) = part.split_at_mut(half);
        boxes[at] = Group::of(low, from);
        boxes.push(Group::of(high, from + half));
    }
    boxes.into_iter().map(|part| part.middle).collect()
}

/// Colours that are near each other.
struct Group {
    from: usize,
    length: usize,
    middle: [f32; 4],
    /// The channel in which they differ most, and by how much.
    channel: usize,
    spread: f32,
}

impl Group {
    fn of(colors: &[Counted], from: usize) -> Self {
        let middle = middle(colors.iter().copied());
        let mut spreads = [0.0; 4];
        for (color, count) in colors {
            for ((spread, value), middle) in spreads.iter_mut().zip(color).zip(middle) {
                // Rare colours are edges, which show as much as areas.
                *spread += (value - middle).powi(2) * count.sqrt();
            }
        }
        let (channel, spread) =
            (0..4)
                .map(|channel| (channel, spreads[channel]))
                .fold(
                    (0, 0.0),
                    |most, next| if next.1 > most.1 { next } else { most },
                );
        Self {
            from,
            length: colors.len(),
            middle,
            channel,
            spread: if colors.len() > 1 { spread } else { 0.0 },
        }
    }
}

fn middle(colors: impl Iterator<Item = Counted>) -> [f32; 4] {
    let (mut sums, mut weight) = ([0.0; 4], 0.0);
    for (color, count) in colors {
        for (sum, value) in sums.iter_mut().zip(color) {
            *sum += value * count;
        }
        weight += count;
    }
    sums.map(|sum| sum / f32::max(weight, 1.0))
}

/// Moves each entry to the middle of its colours, or to the one that most of its pixels have.
fn settle(palette: &mut [[f32; 4]], colors: &[Counted], nearest: &[usize]) {
    let mut members = vec![Vec::new(); palette.len()];
    for (&color, &at) in colors.iter().zip(nearest) {
        members[at].push(color);
    }
    for (entry, members) in palette.iter_mut().zip(members) {
        let total: f32 = members.iter().map(|(_, count)| count).sum();
        let most = members
            .iter()
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        match most {
            Some((color, count)) if *count > total / 2.0 => *entry = *color,
            Some(_) => *entry = middle(members.into_iter()),
            None => {}
        }
    }
}

fn nearest_of(palette: &[[f32; 4]], color: &[f32; 4]) -> usize {
    let (mut found, mut least) = (0, f32::INFINITY);
    for (at, entry) in palette.iter().enumerate() {
        let distance = distance(color, entry);
        if distance < least {
            (found, least) = (at, distance);
        }
    }
    found
}

fn distance(one: &[f32; 4], other: &[f32; 4]) -> f32 {
    let differences = one.iter().zip(other);
    differences.map(|(one, other)| (one - other).powi(2)).sum()
}
