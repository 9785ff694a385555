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
        let (coefficients, _) = groups.as_chunks::<LANES>();
        let mut rows = [Row::default(); N];
        for (index, group) in coefficients.chunks_exact(N * N + 1).enumerate() {
            for part in (0..LANES).step_by(WIDTH) {
                self.dequantize(group, part, &mut rows);
                for u in 0..N {
                    transform_column(&mut rows, u);
                }
                let x = (index * LANES + part) * N;
                for (y, row) in rows.iter().enumerate() {
                    let words = transform_row::<N>(row);
                    let at = y * stride + x;
                    if let Some(out) = samples.get_mut(at..at + WIDTH * N) {
                        store::<N>(words, out);
                    }
                }
            }
        }
    }

    /// The coefficients of the blocks from `part` on, as they were before quantisation.
    #[inline(always)]
    fn dequantize<const N: usize>(&self, group: &[[i16; LANES]], part: usize, rows: &mut [Row; N]) {
        let lines = group.chunks_exact(N).zip(self.factors.chunks_exact(N));
        for (row, (coefficients, factors)) in rows.iter_mut().zip(lines) {
            for ((value, lanes), &factor) in row.iter_mut().zip(coefficients).zip(factors) {
                if let Some(lanes) = lanes.get(part..).and_then(|lanes| lanes.first_chunk()) {
                    *value = Lanes::scaled(lanes, factor);
                }
            }
        }
        // The level shift (A.3.1): a block's coefficient 0 adds as much to each of its samples.
        rows[0][0] = rows[0][0] + Lanes([128.0; WIDTH]);
    }
}

/// A row of [`WIDTH`] blocks; only the first N values are in use.
type Row = [Lanes; 8];

/// Transforms the column of frequency `u`.
///
/// This and the next are functions of their own, because the compiler would vectorise over columns, whose
/// values are far apart, instead of over blocks.
#[inline(never)]
fn transform_column<const N: usize>(rows: &mut [Row; N], u: usize) {
    let mut column: [Lanes; N] = std::array::from_fn(|v| rows[v][u % 8]);
    inverse(&mut column);
    for (row, value) in rows.iter_mut().zip(column) {
        row[u % 8] = value;
    }
}

/// Transforms a row to samples: words of the first four and of the other four of each block.
#[inline(never)]
fn transform_row<const N: usize>(row: &Row) -> [[u32; WIDTH]; 2] {
    let mut row = *row;
    inverse(&mut row[..N]);
    let [low, high] = row.as_chunks().0 else {
        return Default::default();
    };
    let high = if N > 4 {
        Lanes::bytes(high)
    } else {
        [0; WIDTH]
    };
    [Lanes::bytes(low), high]
}

/// Stores a row of samples block by block.
#[inline(always)]
fn store<const N: usize>([low, high]: [[u32; WIDTH]; 2], out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<N>();
    for ((block, low), high) in out.iter_mut().zip(low).zip(high) {
        let bytes = (u64::from(low) | u64::from(high) << 32).to_le_bytes();
        if let Some(bytes) = bytes.first_chunk() {
            *block = *bytes;
        }
    }
}
