//! Quantised coefficients of a plane.

use super::{
    super::{
        geometry::ZIGZAG,
        lanes::{Lanes, WIDTH},
    },
    Samples,
    fdct::{forward, postscale},
    quantization::Quantization,
};

/// The first coefficient in zigzag order that a dead zone is for.
const FINE: u8 = 15;

/// Blocks that are transformed together.
const GROUP: usize = 8;

/// The coefficients of neighbours in zigzag order, those of one frequency side by side.
type Group = [[i16; GROUP]; 64];

/// The blocks of one component, those of the image alone.
pub(super) struct Blocks {
    across: usize,
    down: usize,
    /// Groups in a row of blocks.
    groups_across: usize,
    groups: Vec<Group>,
    /// For each block of each group, which of its coefficients are not zero.
    nonzero: Vec<[u64; GROUP]>,
}

/// One block of quantised coefficients.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    group: &'a Group,
    lane: usize,
    /// Bit k tells whether coefficient k in zigzag order is not zero.
    pub nonzero: u64,
}

impl Block<'_> {
    /// Coefficient k in zigzag order.
    #[inline(always)]
    pub fn coefficient(self, k: u32) -> i32 {
        self.group[k as usize % 64][self.lane % GROUP].into()
    }
}

impl Blocks {
    /// Transforms and quantises a plane; its last column and row are repeated up to whole blocks.
    ///
    /// Coefficients of fine detail are rounded to the smaller of two values up to `dead_zone` steps beyond the
    /// middle between them.
    pub fn new(plane: &Samples<'_>, quantization: &Quantization, dead_zone: f32) -> Self {
        let quantizer = Quantizer::new(quantization, dead_zone);
        let (across, down) = (plane.width.div_ceil(8), plane.height.div_ceil(8));
        let groups_across = across.div_ceil(GROUP);
        let mut groups = vec![[[0; GROUP]; 64]; groups_across * down];
        let mut nonzero = Vec::with_capacity(groups.len());
        for (y, row) in groups.chunks_exact_mut(groups_across).enumerate() {
            for (x, group) in row.iter_mut().enumerate() {
                let rows = std::array::from_fn(|line| {
                    let start = (y * 8 + line).min(plane.height - 1) * plane.stride;
                    let row = plane.data.get(start..start + plane.width);
                    piece(
                        row.and_then(|row| row.get(x * 8 * GROUP..))
                            .unwrap_or_default(),
                    )
                });
                quantizer.transform(&rows, group);
                nonzero.push(nonzero_of(group));
            }
        }
        Self {
            across,
            down,
            groups_across,
            groups,
            nonzero,
        }
    }

    /// The block at `x`, `y`; `None` in the padding of an MCU.
    #[inline(always)]
    pub fn get(&self, x: usize, y: usize) -> Option<Block<'_>> {
        if x >= self.across {
            return None;
        }
        let (index, lane) = (y * self.groups_across + x / GROUP, x % GROUP);
        let nonzero = self.nonzero.get(index)?[lane];
        let group = self.groups.get(index)?;
        Some(Block {
            group,
            lane,
            nonzero,
        })
    }

    /// Coefficients that are not zero, and two symbols more for each block: its first and its end.
    pub fn symbols(&self) -> usize {
        let blocks = self.nonzero.as_flattened();
        let nonzero = |block: &u64| block.count_ones() as usize + 2;
        blocks.iter().map(nonzero).sum()
    }

    /// All blocks, row by row.
    pub fn iter(&self) -> impl Iterator<Item = Block<'_>> {
        (0..self.down).flat_map(move |y| (0..self.across).filter_map(move |x| self.get(x, y)))
    }
}

/// The samples of one row of a group; the last one is repeated where the row ends.
#[inline(always)]
fn piece(row: &[u8]) -> [u8; 8 * GROUP] {
    match row.first_chunk() {
        Some(whole) => *whole,
        None => {
            let mut piece = [row.last().copied().unwrap_or_default(); 8 * GROUP];
            piece[..row.len()].copy_from_slice(row);
            piece
        }
    }
}

/// The samples of a row of a group, those of the same column of each block side by side: the transpose of
/// 8 x 8 bytes, by exchanging squares of 4, 2 and 1 of them.
#[inline(never)]
fn by_column(row: &[u8; 8 * GROUP]) -> [[u8; GROUP]; 8] {
    let (blocks, _) = row.as_chunks::<8>();
    let mut lines: [u64; 8] = std::array::from_fn(|block| u64::from_le_bytes(blocks[block]));
    for (distance, mask) in [
        (4, 0x0000_0000_FFFF_FFFF),
        (2, 0x0000_FFFF_0000_FFFF),
        (1, 0x00FF_00FF_00FF_00FF),
    ] {
        let shift = 8 * distance;
        for at in (0..8).filter(|at| at & distance == 0) {
            let (above, below) = (lines[at], lines[at + distance]);
            lines[at] = above & mask | (below & mask) << shift;
            lines[at + distance] = above >> shift & mask | below & !mask;
        }
    }
    lines.map(u64::to_le_bytes)
}

/// Which coefficients of each block are not zero.
#[inline(never)]
fn nonzero_of(group: &Group) -> [u64; GROUP] {
    let mut nonzero = [0; GROUP];
    for (quarter, frequencies) in group.as_chunks::<16>().0.iter().enumerate() {
        let (mut bits, mut bit) = ([0u16; GROUP], [1u16; GROUP]);
        for lanes in frequencies {
            for ((bits, bit), &coefficient) in bits.iter_mut().zip(&mut bit).zip(lanes) {
                *bits |= if coefficient == 0 { 0 } else { *bit };
                *bit <<= 1;
            }
        }
        for (nonzero, bits) in nonzero.iter_mut().zip(bits) {
            *nonzero |= u64::from(bits) << (16 * quarter);
        }
    }
    nonzero
}

/// The transform of blocks, and what its result is divided by.
struct Quantizer {
    /// For each coefficient in natural order.
    factors: [f32; 64],
    /// Its place in zigzag order.
    places: [u8; 64],
    dead_zone: f32,
}

impl Quantizer {
    fn new(quantization: &Quantization, dead_zone: f32) -> Self {
        let mut places = [0; 64];
        for (k, &natural) in (0..).zip(&ZIGZAG) {
            places[usize::from(natural)] = k;
        }
        let factors = std::array::from_fn(|natural| {
            let value = f64::from(quantization.values()[natural]);
            (1.0 / (value * postscale(natural / 8) * postscale(natural % 8))) as f32
        });
        Self {
            factors,
            places,
            dead_zone,
        }
    }

    /// The coefficients of the blocks that lie side by side in these rows.
    fn transform(&self, rows: &[[u8; 8 * GROUP]; 8], group: &mut Group) {
        let mut exact = [[0.0; GROUP]; 64];
        let rows = rows.each_ref().map(by_column);
        for part in (0..GROUP).step_by(WIDTH) {
            let mut transformed = [[Lanes::default(); 8]; 8];
            for (samples, row) in rows.iter().zip(&mut transformed) {
                transform_row(samples, part, row);
            }
            for u in 0..8 {
                transform_column(&transformed, u, part, &mut exact);
            }
        }
        // The level shift of A.3.1 changes nothing but the sum of all samples.
        exact[0] = exact[0].map(|sum| sum - 128.0 * 64.0);
        for ((exact, &factor), &place) in exact.iter().zip(&self.factors).zip(&self.places) {
            let dead_zone = if place < FINE { 0.0 } else { self.dead_zone };
            group[usize::from(place) % 64] = Lanes(*exact).quantized(factor, dead_zone);
        }
    }
}

/// Transforms a row of samples of the blocks from `part` on.
///
/// This and the next are functions of their own, because the compiler would vectorise over rows and columns,
/// whose values are far apart, instead of over blocks.
#[inline(never)]
fn transform_row(samples: &[[u8; GROUP]; 8], part: usize, row: &mut [Lanes; 8]) {
    *row = forward(std::array::from_fn(|x| {
        Lanes::from_samples(&samples[x], part)
    }));
}

/// Transforms the column of frequency `u` of the blocks from `part` on.
#[inline(never)]
fn transform_column(rows: &[[Lanes; 8]; 8], u: usize, part: usize, exact: &mut [[f32; GROUP]; 64]) {
    let column = forward(std::array::from_fn(|y| rows[y][u % 8]));
    for (v, value) in column.into_iter().enumerate() {
        if let Some(lanes) = exact[v * 8 + u % 8].get_mut(part..part + WIDTH) {
            lanes.copy_from_slice(&value.0);
        }
    }
}
