//! One-dimensional inverse DCTs of 1 to 8 points, over several blocks at once.
//!
//! Eight, four and two points are the flow graphs of Arai, Agui and Nakajima ("A fast DCT-SQ scheme for
//! images", 1988), whose input scaling moves into the dequantisation; the others use the symmetry of
//! their matrices.

use std::f64::consts::PI;

use super::lanes::Lanes;

/// What [`inverse`] of `points` points expects coefficient `u` to be multiplied by.
pub(super) fn prescale(points: usize, u: usize) -> f64 {
    let cosine = |numerator: usize| (numerator as f64 * PI / (2 * points) as f64).cos();
    match (points, u) {
        (_, 0) => 0.125f64.sqrt(),
        (1 | 2 | 3 | 4 | 8, _) => 0.5 * cosine(u),
        (6, 2 | 4) => 0.5 * cosine(u),
        (6, _) => 0.5 * cosine(3),
        _ => 0.5,
    }
}

const SQRT_2: f32 = std::f32::consts::SQRT_2;

/// The samples of as many coefficients, in place.
#[inline(always)]
pub(super) fn inverse(values: &mut [Lanes]) {
    match values {
        [a, b] => (*a, *b) = (*a + *b, *a - *b),
        [a, b, c] => [*a, *b, *c] = three(*a, *b, *c),
        [a, b, c, d] => [*a, *b, *c, *d] = four(*a, *b, *c, *d),
        &mut [a, b, c, d, e] => values.copy_from_slice(&five([a, b, c, d, e])),
        &mut [a, b, c, d, e, f] => values.copy_from_slice(&six([a, b, c, d, e, f])),
        &mut [a, b, c, d, e, f, g] => values.copy_from_slice(&seven([a, b, c, d, e, f, g])),
        &mut [a, b, c, d, e, f, g, h] => values.copy_from_slice(&eight([a, b, c, d, e, f, g, h])),
        _ => {}
    }
}

#[inline(always)]
fn three(x0: Lanes, x1: Lanes, x2: Lanes) -> [Lanes; 3] {
    let even = x0 + x2;
    [even + x1, x0 - (x2 + x2), even - x1]
}

#[inline(always)]
fn four(x0: Lanes, x1: Lanes, x2: Lanes, x3: Lanes) -> [Lanes; 4] {
    let (even_0, even_1) = (x0 + x2, x0 - x2);
    let odd_0 = x1 + x3;
    let odd_1 = (x1 - x3) * SQRT_2 - odd_0;
    [
        even_0 + odd_0,
        even_1 + odd_1,
        even_1 - odd_1,
        even_0 - odd_0,
    ]
}

#[inline(always)]
fn five(x: [Lanes; 5]) -> [Lanes; 5] {
    // cos(k pi / 10)
    const C1: f32 = 0.951_056_5;
    const C2: f32 = 0.809_017;
    const C3: f32 = 0.587_785_24;
    const C4: f32 = 0.309_017;
    let even_0 = x[0] + x[2] * C2 + x[4] * C4;
    let even_1 = x[0] - x[2] * C4 - x[4] * C2;
    let odd_0 = x[1] * C1 + x[3] * C3;
    let odd_1 = x[1] * C3 - x[3] * C1;
    [
        even_0 + odd_0,
        even_1 + odd_1,
        x[0] - x[2] + x[4],
        even_1 - odd_1,
        even_0 - odd_0,
    ]
}

#[inline(always)]
fn six(x: [Lanes; 6]) -> [Lanes; 6] {
    // cos(5 pi / 12) / cos(3 pi / 12); cos(pi / 12) is the sum of the two.
    const RATIO: f32 = 0.366_025_4;
    let [even_0, even_1, even_2] = three(x[0], x[2], x[4]);
    let shared = (x[1] + x[5]) * RATIO;
    let odd_0 = shared + x[1] + x[3];
    let odd_1 = x[1] - x[3] - x[5];
    let odd_2 = shared + x[5] - x[3];
    [
        even_0 + odd_0,
        even_1 + odd_1,
        even_2 + odd_2,
        even_2 - odd_2,
        even_1 - odd_1,
        even_0 - odd_0,
    ]
}

#[inline(always)]
fn seven(x: [Lanes; 7]) -> [Lanes; 7] {
    // cos(k pi / 14)
    const C1: f32 = 0.974_927_9;
    const C2: f32 = 0.900_968_9;
    const C3: f32 = 0.781_831_5;
    const C4: f32 = 0.623_489_8;
    const C5: f32 = 0.433_883_73;
    const C6: f32 = 0.222_520_93;
    let even_0 = x[0] + x[2] * C2 + x[4] * C4 + x[6] * C6;
    let even_1 = x[0] + x[2] * C6 - x[4] * C2 - x[6] * C4;
    let even_2 = x[0] - x[2] * C4 - x[4] * C6 + x[6] * C2;
    let middle = x[0] - x[2] + x[4] - x[6];
    let odd_0 = x[1] * C1 + x[3] * C3 + x[5] * C5;
    let odd_1 = x[1] * C3 - x[3] * C5 - x[5] * C1;
    let odd_2 = x[1] * C5 - x[3] * C1 + x[5] * C3;
    [
        even_0 + odd_0,
        even_1 + odd_1,
        even_2 + odd_2,
        middle,
        even_2 - odd_2,
        even_1 - odd_1,
        even_0 - odd_0,
    ]
}

#[inline(always)]
fn eight(x: [Lanes; 8]) -> [Lanes; 8] {
    let [even_0, even_1, even_2, even_3] = four(x[0], x[2], x[4], x[6]);
    // 2 cos(pi / 8), and its sum with and difference to the terms of the rotation by it.
    const ROTATE: f32 = 1.847_759_1;
    const MINUS: f32 = 1.082_392_2;
    const PLUS: f32 = 2.613_125_9;
    let (sum_53, difference_53) = (x[5] + x[3], x[5] - x[3]);
    let (sum_17, difference_17) = (x[1] + x[7], x[1] - x[7]);
    let odd_0 = sum_17 + sum_53;
    let rotated = (difference_53 + difference_17) * ROTATE;
    let odd_1 = rotated - difference_53 * PLUS - odd_0;
    let odd_2 = (sum_17 - sum_53) * SQRT_2 - odd_1;
    let odd_3 = rotated - difference_17 * MINUS - odd_2;
    [
        even_0 + odd_0,
        even_1 + odd_1,
        even_2 + odd_2,
        even_3 + odd_3,
        even_3 - odd_3,
        even_2 - odd_2,
        even_1 - odd_1,
        even_0 - odd_0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::codec::jpeg::lanes::WIDTH;

    #[test]
    fn every_length_is_its_defining_sum() {
        for points in 1..=8 {
            let coefficients: Vec<f64> = (0..points)
                .map(|u| [90.0, -70.0, 31.0, 13.0][u % 4])
                .collect();
            let mut values: Vec<Lanes> = (0..points)
                .map(|u| Lanes([(coefficients[u] * prescale(points, u)) as f32; WIDTH]))
                .collect();
            inverse(&mut values);
            for (x, value) in values.iter().enumerate() {
                let expected: f64 = (0..points)
                    .map(|u| {
                        let norm = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
                        let angle = (2 * x + 1) as f64 * u as f64 * PI / (2 * points) as f64;
                        norm / 2.0 * coefficients[u] * angle.cos()
                    })
                    .sum();
                assert!(
                    (f64::from(value.0[0]) - expected).abs() < 1e-4,
                    "{points} points, sample {x}"
                );
            }
        }
    }
}
