//! The coefficients of one component, between its scans.

use crate::optimize::codec::jpeg::{
    geometry::{Grid, LANES},
    header::Scan,
};

pub(super) struct Store {
    pub grid: Grid,
    /// Rows of groups, laid out as `geometry` tells.
    pub coefficients: Vec<i16>,
    /// For each block, row by row: bit k tells whether coefficient k in zigzag order is not zero.
    pub nonzero: Vec<u64>,
    pub places: [u16; 64],
    /// The coefficients in zigzag order up to the last one that has a place of its own.
    pub wanted: u64,
    /// The share of the blocks that has no DC coefficient.
    pub lost: f64,
    /// For each coefficient, the bit position it has come down to.
    progress: [Option<u8>; 64],
}

impl Store {
    /// Bytes that a store of this grid takes.
    pub fn bytes(grid: &Grid) -> u64 {
        let groups = (grid.groups * grid.rows) as u64;
        groups * (grid.group_len() * size_of::<i16>() + LANES * size_of::<u64>()) as u64
    }

    pub fn new(grid: &Grid) -> Self {
        let groups = grid.groups * grid.rows;
        let places = grid.places();
        let elsewhere = grid.group_len() - LANES;
        let last = places
            .iter()
            .rposition(|&place| usize::from(place) != elsewhere);
        Self {
            coefficients: vec![0; groups * grid.group_len()],
            nonzero: vec![0; groups * LANES],
            places,
            wanted: u64::MAX >> (63 - last.unwrap_or(63)),
            lost: 1.0,
            progress: [None; 64],
            grid: grid.clone(),
        }
    }

    /// Where the non-zero coefficients of a block are noted.
    #[inline(always)]
    pub fn mask_at(&self, x: usize, y: usize) -> usize {
        y * self.grid.groups * LANES + x
    }

    /// Where the DC coefficient of a block lies.
    #[inline(always)]
    pub fn at(&self, x: usize, y: usize) -> usize {
        (y * self.grid.groups + x / LANES) * self.grid.group_len() + x % LANES
    }

    /// The rows of groups.
    pub fn rows(&self) -> impl Iterator<Item = &[i16]> {
        self.coefficients
            .chunks_exact(self.grid.groups * self.grid.group_len())
    }

    /// Notes that a scan comes; whether it goes on where the one before ended (G.1.1.1.2).
    pub fn note(&mut self, scan: &Scan) -> bool {
        let (from, to) = (usize::from(scan.band.0), usize::from(scan.band.1));
        let mut goes_on = true;
        for progress in self.progress.get_mut(from..=to).unwrap_or_default() {
            goes_on &= match *progress {
                None => scan.high == 0,
                Some(low) => scan.high == low && scan.low + 1 == scan.high,
            };
            *progress = Some(scan.low);
        }
        goes_on
    }

    /// Whether there is anything of the image.
    pub fn has_begun(&self) -> bool {
        self.progress[0].is_some()
    }

    /// Whether every coefficient has come in full.
    pub fn is_complete(&self) -> bool {
        self.progress.iter().all(|&progress| progress == Some(0))
    }
}
