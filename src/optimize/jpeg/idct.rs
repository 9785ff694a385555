//! The inverse DCT at N/8 (ITU-T T.81, A.3.3): N x N samples from the N x N lowest frequencies.
//!
//! The N-point transform of a block's low frequencies is the block without its high ones, sampled at N
//! points: an ideal low-pass and no average over pixels. With the normalisation of A.3.3, C(u)/2 in each
//! direction, the brightness stays what it was at every N.

use super::{
    geometry::{LANES, ZIGZAG},
    lanes::{Lanes, WIDTH},
    points::{inverse, prescale},
};

/// Dequantises and transforms the blocks of one component.
pub(super) struct Kernel {
    eighths: usize,
    /// Quantisation values in natural order, times what the transform leaves to its input.
    factors: [f32; 64],
}

impl Kernel {
    /// For N = `eighths`, 1 to 8; the quantisation values are in zigzag order.
    pub fn new(eighths: usize, quantization: &[u16; 64]) -> Self {
        let mut factors = [0.0; 64];
        for (&natural, &value) in ZIGZAG.iter().zip(quantization) {
            let (v, u) = (usize::from(natural / 8), usize::from(natural % 8));
            if let (true, true, Some(factor)) =
                (u < eighths, v < eighths, factors.get_mut(v * eighths + u))
            {
                *factor = (f64::from(value) * prescale(eighths, v) * prescale(eighths, u)) as f32;
            }
        }
        Self { eighths, factors }
    }

    /// Transforms groups that lie side by side; the first sample goes to the beginning of `samples`,
    /// whose rows are `stride` apart.
    pub fn groups(&self, groups: &[i16], samples: &mut [u8], stride: usize) {
        match self.eighths {
            1 => self.run::<1>(groups, samples, stride),
            2 => self.run::<2>(groups, samples, stride),
            3 => self.run::<3>(groups, samples, stride),
            4 => self.run::<4>(groups, samples, stride),
            5 => self.run::<5>(groups, samples, stride),
            6 => self.run::<6>(groups, samples, stride),
            7 => self.run::<7>(groups, samples, stride),
            _ => self.run::<8>(groups, samples, stride),
        }
    }

    fn run<const N: usize>(&self, groups: &[i16], samples: &mut [u8], stride: usize) {
        let factors: &[f32; 64] = &self.factors;
        for (index, group) in groups.chunks_exact((N * N + 1) * LANES).enumerate() {
            for part in (0..LANES).step_by(WIDTH) {
                let mut columns = [[Lanes::default(); N]; N];
                for u in 0..N {
                    let mut column = [Lanes::default(); N];
                    for (v, value) in column.iter_mut().enumerate() {
                        let at = (v * N + u) * LANES + part;
                        if let Some(lanes) = group.get(at..).and_then(|rest| rest.first_chunk()) {
                            *value = Lanes::scaled(lanes, factors[(v * N + u) & 63]);
                        }
                    }
                    inverse(&mut column);
                    for (row, value) in columns.iter_mut().zip(column) {
                        row[u] = value;
                    }
                }
                let x = (index * LANES + part) * N;
                for (y, mut row) in columns.into_iter().enumerate() {
                    inverse(&mut row);
                    let at = y * stride + x;
                    if let Some(out) = samples.get_mut(at..at + WIDTH * N) {
                        store(&row, out);
                    }
                }
            }
        }
    }
}

/// Rounds a row of samples of [`WIDTH`] blocks, shifts their level (A.3.1) and stores them block by block.
#[inline(always)]
fn store<const N: usize>(row: &[Lanes; N], out: &mut [u8]) {
    let samples: [[u16; WIDTH]; N] = std::array::from_fn(|x| row[x].samples());
    // Two neighbours in a word, the left one first in memory.
    let pair = |x: usize| -> [u16; WIDTH] {
        let (left, right) = (samples.get(x), samples.get(x + 1));
        std::array::from_fn(|l| {
            left.map_or(0, |left| left[l]) | right.map_or(0, |right| right[l] << 8)
        })
    };
    let [a, b, c, d] = [pair(0), pair(2), pair(4), pair(6)];
    for (l, block) in out.chunks_exact_mut(N).enumerate() {
        let low = u32::from(a[l & (WIDTH - 1)]) | u32::from(b[l & (WIDTH - 1)]) << 16;
        let high = u32::from(c[l & (WIDTH - 1)]) | u32::from(d[l & (WIDTH - 1)]) << 16;
        let bytes = (u64::from(low) | u64::from(high) << 32).to_le_bytes();
        block.copy_from_slice(&bytes[..N]);
    }
}
