//! The forward DCT (ITU-T T.81, A.3.3), with the flow graph of Arai, Agui and Nakajima (1988): five
//! multiplications, and factors of its output that move into quantisation.

use std::f64::consts::{PI, SQRT_2};

use super::super::lanes::Lanes;

/// What coefficient `u` of [`forward`] is too large by, in each direction.
pub(super) fn postscale(u: usize) -> f64 {
    let factor = if u == 0 {
        1.0
    } else {
        SQRT_2 * (u as f64 * PI / 16.0).cos()
    };
    factor * 8f64.sqrt()
}

/// The coefficients of a block, by row of samples: first index v, second u.
///
/// Four columns, and then four rows, at a time: their values stay in registers.
#[inline(always)]
pub(super) fn forward_2d(rows: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    transformed(&transformed(rows))
}

/// The columns transformed, and then columns and rows exchanged.
#[inline(always)]
fn transformed(rows: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut result = [[0.0; 8]; 8];
    for (left, out) in [0, 4].into_iter().zip(result.as_chunks_mut::<4>().0) {
        let columns = forward(std::array::from_fn(|y| {
            Lanes(std::array::from_fn(|x| rows[y][left + x]))
        }));
        for (x, column) in out.iter_mut().enumerate() {
            *column = std::array::from_fn(|v| columns[v].0[x]);
        }
    }
    result
}

#[inline(always)]
fn forward(x: [Lanes<4>; 8]) -> [Lanes<4>; 8] {
    // cos(pi / 4), and the terms of the rotation by pi / 8: cos and sin of 3 pi / 8 with it.
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const SINE: f32 = 0.382_683_43;
    const MINUS: f32 = 0.541_196_1;
    const PLUS: f32 = 1.306_563;
    let (sum_0, sum_1, sum_2, sum_3) = (x[0] + x[7], x[1] + x[6], x[2] + x[5], x[3] + x[4]);
    let (odd_0, odd_1, odd_2, odd_3) = (x[3] - x[4], x[2] - x[5], x[1] - x[6], x[0] - x[7]);
    let (even_0, even_3) = (sum_0 + sum_3, sum_0 - sum_3);
    let (even_1, even_2) = (sum_1 + sum_2, sum_1 - sum_2);
    let middle = (even_2 + even_3) * HALF;
    let (a, b, c) = (odd_0 + odd_1, odd_1 + odd_2, odd_2 + odd_3);
    let shared = (a - c) * SINE;
    let (low, high) = (a * MINUS + shared, c * PLUS + shared);
    let half = b * HALF;
    let (plus, minus) = (odd_3 + half, odd_3 - half);
    [
        even_0 + even_1,
        plus + high,
        even_3 + middle,
        minus - low,
        even_0 - even_1,
        minus + low,
        even_3 - middle,
        plus - high,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_defining_sum() {
        let sample = |x: usize, y: usize| ((x * 37 + y * 91 + x * y * 13) % 256) as f64;
        let rows = std::array::from_fn(|y| std::array::from_fn(|x| sample(x, y) as f32));
        let result = forward_2d(&rows);
        for (u, v) in (0..8).flat_map(|u| (0..8).map(move |v| (u, v))) {
            let norm = |u: usize| if u == 0 { 0.5f64.sqrt() } else { 1.0 };
            let wave = |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
            let sum: f64 = (0..64)
                .map(|at| sample(at % 8, at / 8) * wave(at % 8, u) * wave(at / 8, v))
                .sum();
            let expected = norm(u) * norm(v) / 4.0 * sum;
            let value = f64::from(result[v][u]) / postscale(u) / postscale(v);
            assert!(
                (value - expected).abs() < 1e-3,
                "{u} {v}: {value} for {expected}"
            );
        }
    }
}
