//! The coefficients of a few MCUs of a sequential scan, between entropy decoding and inverse DCT.

use super::{
    Job,
    error::Error,
    geometry::LANES,
    header::{Reader, Scan},
    idct::Kernel,
    pairs::Pairs,
    types::Plane,
};

/// MCUs of a strip: every component has whole groups of blocks in them, and their coefficients stay in
/// the nearest cache until the inverse DCT has used them.
pub(super) const STRIP: usize = LANES;
/// The most blocks an MCU may have (T.81, B.2.3).
const MAX_BLOCKS: usize = 10;

/// Where a block of a strip goes and which tables it uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Where in the strip its DC coefficient lies.
    pub at: u32,
    /// Its tables in [`Pairs`], and the first one of the block after it.
    pub dc: u16,
    pub ac: u16,
    pub next_dc: u16,
    /// Which of [`Strip::places`] it uses: the component's place in the scan, times 64.
    pub places: u16,
    /// The component's place in the scan.
    pub component: u16,
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

pub(super) struct Strip {
    /// MCUs of the scan.
    pub across: usize,
    pub down: usize,
    /// Blocks of an MCU.
    pub per_mcu: usize,
    /// The blocks of a whole strip in the order of the scan.
    pub slots: Vec<Slot>,
    /// For each component of the scan, where in a group each coefficient in zigzag order goes.
    pub places: [u16; 256],
    pub coefficients: Vec<i16>,
    parts: Vec<Part>,
}

impl Strip {
    pub fn new(
        job: &Job<'_>,
        reader: &Reader<'_>,
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
                kernel: Kernel::new(grid.eighths, job.quantization(reader, component.index)?),
            });
            len += grid.group_len() * horizontal * vertical;
        }
        let per_mcu = parts
            .iter()
            .map(|part| part.horizontal * part.vertical)
            .sum();
        if per_mcu > MAX_BLOCKS {
            return Err(Error::Unsupported("more than ten blocks in an MCU"));
        }
        let slots = slots(&parts, &pairs.bases);
        Ok(Self {
            across,
            down,
            per_mcu,
            slots,
            places,
            coefficients: vec![0; len],
            parts,
        })
    }

    /// Turns the coefficients into samples, those of the MCUs from `begin` on in row `row`, and clears
    /// them for the next strip.
    pub fn reconstruct(&mut self, row: usize, begin: usize, planes: &mut [Plane]) {
        for part in &self.parts {
            let Some(plane) = planes.get_mut(part.index) else {
                continue;
            };
            let row_len = part.group_len * part.horizontal;
            let groups = self.coefficients.get(part.begin..).unwrap_or_default();
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
        self.coefficients.fill(0);
    }
}

/// The blocks of a strip, MCU by MCU (A.2.3).
fn slots(parts: &[Part], bases: &[(u16, u16)]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for mcu in 0..STRIP {
        for (component, (part, &(dc, ac))) in parts.iter().zip(bases).enumerate() {
            for j in 0..part.vertical {
                for i in 0..part.horizontal {
                    let x = mcu * part.horizontal + i;
                    let group = j * part.horizontal + x / LANES;
                    slots.push(Slot {
                        at: (part.begin + group * part.group_len + x % LANES) as u32,
                        dc,
                        ac,
                        next_dc: dc,
                        places: (component * 64) as u16,
                        component: component as u16,
                    });
                }
            }
        }
    }
    // The strip after this one begins with the same component.
    let after: Vec<u16> = slots
        .iter()
        .cycle()
        .skip(1)
        .map(|slot| slot.dc)
        .take(slots.len())
        .collect();
    for (slot, dc) in slots.iter_mut().zip(after) {
        slot.next_dc = dc;
    }
    slots
}
