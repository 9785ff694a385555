//! The forward DCT (ITU-T T.81, A.3.3) of eight points, over several blocks at once: the flow graph of Arai,
//! Agui and Nakajima (1988), with five multiplications, and factors of its output that move into quantisation.

use std::f64::consts::{PI, SQRT_2};

use crate::optimize::codec::jpeg::lanes::Lanes;

/// What coefficient `u` of [`forward`] is too large by.
pub(super) fn postscale(u: usize) -> f64 {
    let factor = if u == 0 {
        1.0
    } else {
        SQRT_2 * (u as f64 * PI / 16.0).cos()
    };
    factor * 8f64.sqrt()
}

/// The coefficients of as many samples.
#[inline(always)]
pub(super) fn forward(x: [Lanes; 8]) -> [Lanes; 8] {
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
    use crate::optimize::codec::jpeg::lanes::WIDTH;

    #[test]
    fn it_is_the_defining_sum() {
        let sample = |x: usize, lane: usize| ((x * 37 + x * x * 13 + lane * 91) % 256) as f64;
        let lanes =
            std::array::from_fn(|x| Lanes(std::array::from_fn(|lane| sample(x, lane) as f32)));
        let result = forward(lanes);
        for (u, lane) in (0..8).flat_map(|u| (0..WIDTH).map(move |lane| (u, lane))) {
            let norm = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
            let wave = |x: usize| ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
            let sum: f64 = (0..8).map(|x| sample(x, lane) * wave(x)).sum();
            let expected = norm / 2.0 * sum;
            let value = f64::from(result[u].0[lane]) / postscale(u);
            assert!(
                (value - expected).abs() < 1e-3,
                "{u}: {value} for {expected}"
            );
        }
    }
}
