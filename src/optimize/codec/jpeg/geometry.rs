//! How blocks lie in a component, and how their coefficients lie in memory.
//!
//! Coefficients of [`LANES`] blocks that are neighbours in a row form a group: all their coefficients of
//! one frequency are neighbours, so that plain code over a group becomes vector instructions. At N/8 only
//! the N x N lowest frequencies have a place; all others share one more, which nobody reads.

use super::{
    error::Error,
    types::{Header, Plane},
};

/// Blocks in a group.
pub(super) const LANES: usize = 16;

/// Natural (row by row) position of each coefficient in zigzag order (T.81, figure 5).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, //
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, //
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, //
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The frame in MCUs of an interleaved scan (A.2.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct McuGrid {
    pub across: usize,
    pub down: usize,
}

/// One component at its scale.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// Blocks of an interleaved MCU; 1 x 1 where the frame has one component only.
    pub horizontal: usize,
    pub vertical: usize,
    /// Blocks that hold samples of the image, which are those of a scan of this component alone (A.2.2).
    pub blocks_across: usize,
    pub blocks_down: usize,
    /// The scale in eighths: samples a block has in each direction.
    pub eighths: usize,
    /// Groups in a row of blocks, and rows of blocks, padding included.
    pub groups: usize,
    pub rows: usize,
    /// The exact size at this scale.
    exact: (f64, f64),
}

impl Grid {
    /// The grids of every component, with the scales that `scale` wants for their full sizes.
    pub fn all(header: &Header, scale: &dyn Fn(usize, f64, f64) -> usize) -> (McuGrid, Vec<Grid>) {
        let alone = header.components.len() == 1;
        let factors: Vec<(usize, usize)> = header
            .components
            .iter()
            .map(|component| match alone {
                true => (1, 1),
                false => (component.horizontal.into(), component.vertical.into()),
            })
            .collect();
        let widest = factors.iter().map(|factor| factor.0).max().unwrap_or(1);
        let tallest = factors.iter().map(|factor| factor.1).max().unwrap_or(1);
        let (width, height) = (header.width as usize, header.height as usize);
        let mcus = McuGrid {
            across: width.div_ceil(8 * widest),
            down: height.div_ceil(8 * tallest),
        };
        let grid = |(index, &(horizontal, vertical)): (usize, &(usize, usize))| {
            let full = (
                (width * horizontal) as f64 / widest as f64,
                (height * vertical) as f64 / tallest as f64,
            );
            let eighths = scale(index, full.0, full.1).clamp(1, 8);
            Grid {
                horizontal,
                vertical,
                blocks_across: (width * horizontal).div_ceil(widest).div_ceil(8),
                blocks_down: (height * vertical).div_ceil(tallest).div_ceil(8),
                eighths,
                groups: mcus.across.div_ceil(LANES) * horizontal,
                rows: mcus.down * vertical,
                exact: (full.0 * eighths as f64 / 8.0, full.1 * eighths as f64 / 8.0),
            }
        };
        (mcus, factors.iter().enumerate().map(grid).collect())
    }

    /// Coefficients of a group.
    pub fn group_len(&self) -> usize {
        (self.eighths * self.eighths + 1) * LANES
    }

    /// Samples from one row of the plane to the next.
    pub fn stride(&self) -> usize {
        self.groups * LANES * self.eighths
    }

    /// Bytes of the plane.
    pub fn plane_bytes(&self) -> u64 {
        self.stride() as u64 * (self.rows * self.eighths) as u64
    }

    /// An empty plane.
    pub fn plane(&self) -> Plane {
        Plane {
            eighths: self.eighths,
            width: self.exact.0.ceil() as usize,
            height: self.exact.1.ceil() as usize,
            exact_width: self.exact.0,
            exact_height: self.exact.1,
            stride: self.stride(),
            data: vec![0; self.stride() * self.rows * self.eighths],
        }
    }

    /// For each coefficient in zigzag order, where in its group that of the first block lies.
    pub fn places(&self) -> [u16; 64] {
        ZIGZAG.map(|natural| {
            let (v, u) = (usize::from(natural / 8), usize::from(natural % 8));
            let place = match u < self.eighths && v < self.eighths {
                true => v * self.eighths + u,
                false => self.eighths * self.eighths,
            };
            (place * LANES) as u16
        })
    }
}

/// Refuses what would need more memory than allowed, before it is allocated.
pub(super) fn check_bytes(value: u64, limit: u64) -> Result<(), Error> {
    match value > limit {
        true => Err(Error::LimitExceeded {
            what: "JPEG decode memory in bytes",
            value,
            limit,
        }),
        false => Ok(()),
    }
}
