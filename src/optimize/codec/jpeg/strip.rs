//! The coefficients of a few MCUs of a sequential scan, between entropy decoding and inverse DCT.

use super::{
    Job, error::Error, geometry::LANES, header::Scan, idct::Kernel, pairs::Pairs, types::Plane,
};

/// MCUs of a strip: every component has whole groups of blocks in them, and their coefficients stay in
/// the nearest cache until the inverse DCT has used them.
pub(super) const STRIP: usize = LANES;
/// The most blocks an MCU may have (T.81, B.2.3).
const MAX_BLOCKS: usize = 10;

/// What a strip can hold, as powers of two so that a mask is all the check an index needs.
pub(super) const MAX_SLOTS: usize = 256;
pub(super) const MAX_COEFFICIENTS: usize = 1 << 14;
const _: () = assert!(MAX_BLOCKS * STRIP <= MAX_SLOTS);
const _: () = assert!(MAX_BLOCKS * 65 * LANES <= MAX_COEFFICIENTS);

/// Where a block of a strip goes and which tables it uses.
///
/// Fields of their own, so that the choice between two tables is one instruction behind the look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    at: u16,
    /// The component's place in the scan, times 64.
    places: u16,
    ac: u16,
    next_dc: u16,
}

impl Slot {
    /// Where in the strip its DC coefficient lies.
    #[inline(always)]
    pub fn at(self) -> usize {
        usize::from(self.at)
    }

    /// The component's place in the scan.
    pub fn component(self) -> usize {
        usize::from(self.places / 64)
    }

    /// Its AC table in [`Pairs`].
    #[inline(always)]
    pub fn ac(self) -> u32 {
        self.ac.into()
    }

    /// The DC table of the block after it.
    #[inline(always)]
    pub fn next_dc(self) -> u32 {
        self.next_dc.into()
    }
}

/// One component of the scan.
struct Part {
    /// Its place in the frame.
    index: usize,
    /// Blocks of an MCU.
    horizontal: usize,
    vertical: usize,
    /// Where its groups begin in the strip; a row of blocks has `horizontal` of them.
    begin: usize,
    group_len: usize,
    kernel: Kernel,
}

/// What decoding a block looks at and writes to, side by side in memory.
pub(super) struct Blocks {
    /// The blocks of a whole strip in the order of the scan.
    pub slots: [Slot; MAX_SLOTS],
    /// For each component of the scan, where in a group each coefficient in zigzag order goes.
    pub places: [u16; 256],
    pub coefficients: [i16; MAX_COEFFICIENTS],
}

impl Blocks {
    #[inline(always)]
    pub fn put(&mut self, slot: Slot, index: u32, value: i16) {
        let place = self.places[(u32::from(slot.places) | index) as usize % 256];
        self.coefficients[(slot.at() + usize::from(place)) % MAX_COEFFICIENTS] = value;
    }
}

pub(super) struct Strip {
    /// MCUs of the scan.
    pub across: usize,
    pub down: usize,
    /// Blocks of an MCU.
    pub per_mcu: usize,
    pub blocks: Box<Blocks>,
    /// Coefficients that are in use.
    len: usize,
    parts: Vec<Part>,
}

impl Strip {
    pub fn new(
        job: &Job<'_>,
        tables: &[Option<[u16; 64]>],
        scan: &Scan,
        pairs: &Pairs<'_>,
    ) -> Result<Self, Error> {
        let mut parts: Vec<Part> = Vec::new();
        let mut places = [0; 256];
        let (mut across, mut down) = (job.mcus.across, job.mcus.down);
        let mut len = 0;
        for (component, places) in scan.components.iter().zip(places.chunks_exact_mut(64)) {
            let grid = job.grid(component.index)?;
            // A component on its own comes block by block, without the padding of MCUs (A.2.2).
            let (horizontal, vertical) = match scan.components.len() {
                1 => (1, 1),
                _ => (grid.horizontal, grid.vertical),
            };
            if scan.components.len() == 1 {
                (across, down) = (grid.blocks_across, grid.blocks_down);
            }
            places.copy_from_slice(&grid.places());
            parts.push(Part {
                index: component.index,
                horizontal,
                vertical,
                begin: len,
                group_len: grid.group_len(),
                kernel: Kernel::new(grid.eighths, quantization(tables, component.index)?),
            });
            len += grid.group_len() * horizontal * vertical;
        }
        let per_mcu = parts
            .iter()
            .map(|part| part.horizontal * part.vertical)
            .sum();
        if per_mcu > MAX_BLOCKS {
            return Err(Error::Damaged("more than ten blocks in an MCU"));
        }
        let blocks = Box::new(Blocks {
            slots: slots(&parts, &pairs.bases),
            places,
            coefficients: [0; MAX_COEFFICIENTS],
        });
        Ok(Self {
            across,
            down,
            per_mcu,
            blocks,
            len,
            parts,
        })
    }

    /// Clears the coefficients of the blocks `from..to`.
    #[cold]
    pub fn clear(&mut self, from: usize, to: usize) {
        let Blocks {
            slots,
            places,
            coefficients,
        } = &mut *self.blocks;
        for slot in slots.get(from..to).unwrap_or_default() {
            let places = places.chunks_exact(64).nth(slot.component());
            for &place in places.unwrap_or_default() {
                if let Some(coefficient) = coefficients.get_mut(slot.at() + usize::from(place)) {
                    *coefficient = 0;
                }
            }
        }
    }

    /// Turns the coefficients into samples, those of the MCUs from `begin` on in row `row`, and clears
    /// them for the next strip.
    pub fn reconstruct(&mut self, row: usize, begin: usize, planes: &mut [Plane]) {
        for part in &self.parts {
            let Some(plane) = planes.get_mut(part.index) else {
                continue;
            };
            let row_len = part.group_len * part.horizontal;
            let groups = self
                .blocks
                .coefficients
                .get(part.begin..)
                .unwrap_or_default();
            for (j, groups) in groups.chunks_exact(row_len).take(part.vertical).enumerate() {
                let y = (row * part.vertical + j) * plane.eighths;
                let x = begin * part.horizontal * plane.eighths;
                let rows = plane
                    .data
                    .get_mut(y * plane.stride + x..)
                    .unwrap_or_default();
                part.kernel.groups(groups, rows, plane.stride);
            }
        }
        self.blocks
            .coefficients
            .get_mut(..self.len)
            .unwrap_or_default()
            .fill(0);
    }
}

fn quantization(tables: &[Option<[u16; 64]>], index: usize) -> Result<&[u16; 64], Error> {
    let table = tables.get(index).and_then(Option::as_ref);
    table.ok_or(Error::Damaged("no quantisation table for a component"))
}

/// The blocks of a strip, MCU by MCU (A.2.3).
fn slots(parts: &[Part], bases: &[(u16, u16)]) -> [Slot; MAX_SLOTS] {
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    for mcu in 0..STRIP {
        for (component, part) in parts.iter().enumerate() {
            for (j, i) in (0..part.vertical).flat_map(|j| (0..part.horizontal).map(move |i| (j, i)))
            {
                let x = mcu * part.horizontal + i;
                let group = j * part.horizontal + x / LANES;
                blocks.push((part.begin + group * part.group_len + x % LANES, component));
            }
        }
    }
    let mut slots = [Slot::default(); MAX_SLOTS];
    // The strip after this one begins with the same component.
    let after = blocks.iter().cycle().skip(1);
    for ((slot, &(at, component)), &(_, next)) in slots.iter_mut().zip(&blocks).zip(after) {
        if let (Some(&(_, ac)), Some(&(next_dc, _))) = (bases.get(component), bases.get(next)) {
            *slot = Slot {
                at: at as u16,
                places: component as u16 * 64,
                ac,
                next_dc,
            };
        }
    }
    slots
}
