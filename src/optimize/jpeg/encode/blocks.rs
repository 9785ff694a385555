//! Quantised coefficients of a plane.

use super::{
    super::geometry::ZIGZAG,
    Samples,
    fdct::{forward_2d, postscale},
    quantization::Quantization,
};

/// The largest coefficient that can be coded with 8-bit samples (ITU-T T.81, F.1.2).
const MAX: i16 = 1023;

/// The blocks of one component, those of the image alone.
pub(super) struct Blocks {
    across: usize,
    blocks: Vec<Block>,
}

/// One block of quantised coefficients.
pub(super) struct Block {
    /// In natural order.
    coefficients: [i16; 64],
    /// Bit k tells whether coefficient k in zigzag order is not zero.
    pub nonzero: u64,
}

/// For each vertical frequency, and for each set of horizontal ones, the same set in zigzag order.
static SPREAD: [[u64; 256]; 8] = {
    let mut spread = [[0; 256]; 8];
    let mut k = 0;
    while k < 64 {
        let (v, u) = (ZIGZAG[k] as usize / 8, ZIGZAG[k] % 8);
        let mut set = 0;
        while set < 256 {
            spread[v][set] |= ((set as u64 >> u) & 1) << k;
            set += 1;
        }
        k += 1;
    }
    spread
};

impl Block {
    /// Coefficient k in zigzag order.
    #[inline(always)]
    pub fn coefficient(&self, k: u32) -> i32 {
        self.coefficients[usize::from(ZIGZAG[k as usize % 64])].into()
    }

    #[inline(always)]
    fn new(rows: &[[f32; 8]; 8], factors: &[[f32; 8]; 8]) -> Self {
        // 1.5 * 2^23: the sum's fraction is cut off by rounding, and its low bits are an integer.
        const SHIFT: f32 = 12_582_912.0;
        let mut values = forward_2d(rows);
        // The level shift of A.3.1 changes nothing but the sum of all samples.
        values[0][0] -= 128.0 * 64.0;
        let mut coefficients = [0; 64];
        let mut nonzero = 0;
        let rows = coefficients.as_chunks_mut::<8>().0.iter_mut();
        for (v, (out, (row, factors))) in rows.zip(values.iter().zip(factors)).enumerate() {
            *out = std::array::from_fn(|u| {
                let scaled = row[u] * factors[u] + SHIFT;
                (scaled.to_bits() as i16).clamp(-MAX, MAX)
            });
            let flags = out.map(|value| u8::from(value != 0));
            // Multiplication brings the lowest bits of eight bytes together in the highest byte.
            let set = u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            nonzero |= SPREAD[v][set as usize % 256];
        }
        Self {
            coefficients,
            nonzero,
        }
    }
}

impl Blocks {
    /// Transforms and quantises a plane; its last column and row are repeated up to whole blocks.
    pub fn new(plane: &Samples<'_>, quantization: &Quantization) -> Self {
        let factor = |u: usize, v: usize| {
            let value = f64::from(quantization.values()[v * 8 + u]);
            (1.0 / (value * postscale(u) * postscale(v))) as f32
        };
        let factors = std::array::from_fn(|v| std::array::from_fn(|u| factor(u, v)));
        let (across, down) = (plane.width.div_ceil(8), plane.height.div_ceil(8));
        let mut blocks = Vec::with_capacity(across * down);
        for top in (0..plane.height).step_by(8) {
            let rows: [&[u8]; 8] = std::array::from_fn(|y| {
                let start = (top + y).min(plane.height - 1) * plane.stride;
                plane
                    .data
                    .get(start..start + plane.width)
                    .unwrap_or_default()
            });
            for left in (0..plane.width).step_by(8) {
                let samples = rows.map(|row| match row.get(left..left + 8) {
                    Some(whole) => std::array::from_fn(|x| f32::from(whole[x])),
                    None => edge(row.get(left..).unwrap_or_default()),
                });
                blocks.push(Block::new(&samples, &factors));
            }
        }
        Self { across, blocks }
    }

    /// The block at `x`, `y`; `None` in the padding of an MCU.
    #[inline(always)]
    pub fn get(&self, x: usize, y: usize) -> Option<&Block> {
        if x >= self.across {
            return None;
        }
        self.blocks.get(y * self.across + x)
    }

    /// All blocks, row by row.
    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }
}

/// The samples up to the edge, the last one repeated.
#[cold]
fn edge(row: &[u8]) -> [f32; 8] {
    let last = row.last().copied().unwrap_or_default();
    std::array::from_fn(|x| f32::from(row.get(x).copied().unwrap_or(last)))
}
