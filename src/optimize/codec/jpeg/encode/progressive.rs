//! The scans of a progressive file (ITU-T T.81, G.1.2), in the order that libjpeg uses
//! (`jpeg_simple_progression`): a coarse image early, and chroma before fine luma.

use super::{
    Coefficients,
    blocks::Block,
    tokens::{AC, DC, Tokens},
    writer::{ScanHeader, Writer},
};

/// A scan: components, first and last coefficient, bit position before and after.
type Scan = (&'static [usize], u8, u8, u8, u8);

const GRAY: [Scan; 6] = [
    (&[0], 0, 0, 0, 1),
    (&[0], 1, 5, 0, 2),
    (&[0], 6, 63, 0, 2),
    (&[0], 1, 63, 2, 1),
    (&[0], 0, 0, 1, 0),
    (&[0], 1, 63, 1, 0),
];

const COLOR: [Scan; 10] = [
    (&[0, 1, 2], 0, 0, 0, 1),
    (&[0], 1, 5, 0, 2),
    (&[2], 1, 63, 0, 1),
    (&[1], 1, 63, 0, 1),
    (&[0], 6, 63, 0, 2),
    (&[0], 1, 63, 2, 1),
    (&[0, 1, 2], 0, 0, 1, 0),
    (&[2], 1, 63, 1, 0),
    (&[1], 1, 63, 1, 0),
    (&[0], 1, 63, 1, 0),
];

pub(super) fn write(coefficients: &Coefficients, writer: &mut Writer) {
    let scans: &[Scan] = if coefficients.components.len() > 1 {
        &COLOR
    } else {
        &GRAY
    };
    let mut tokens = Tokens::default();
    for &(components, from, to, high, low) in scans {
        tokens.clear();
        match (from, components) {
            (0, _) => dc_scan(coefficients, &mut tokens, high, low),
            (_, &[index, ..]) => {
                if let Some(component) = coefficients.components.get(index) {
                    let mut band = Band::new(&mut tokens, AC + component.table, (from, to), low);
                    for block in component.blocks.iter() {
                        match high {
                            0 => band.first(block),
                            _ => band.refine(block),
                        }
                    }
                    band.end_run();
                }
            }
            _ => {}
        }
        writer.scan(
            coefficients,
            &ScanHeader {
                components,
                band: (from, to),
                high,
                low,
            },
            &tokens,
        );
    }
}

/// G.1.2.1. In the padding of an MCU, the brightness stays what it was.
fn dc_scan(coefficients: &Coefficients, tokens: &mut Tokens, high: u8, low: u8) {
    let mut predictions = [0; 3];
    for y in 0..coefficients.down {
        for x in 0..coefficients.across {
            for (component, prediction) in coefficients.components.iter().zip(&mut predictions) {
                for j in 0..component.vertical {
                    for i in 0..component.horizontal {
                        let (x, y) = (x * component.horizontal + i, y * component.vertical + j);
                        let block = component.blocks.get(x, y);
                        let dc = block.map_or(*prediction, |block| block.coefficient(0) >> low);
                        match high {
                            0 => tokens.push_value(DC + component.table, 0, dc - *prediction),
                            _ => tokens.push_bits(1, dc as u32),
                        }
                        *prediction = dc;
                    }
                }
            }
        }
    }
}

/// The longest run of blocks that a symbol can tell.
const MAX_RUN: u32 = 0x7FFF;
/// Correction bits that may wait for the end of a run.
const MAX_WAITING: usize = 1000;

/// A scan of AC coefficients.
struct Band<'t> {
    tokens: &'t mut Tokens,
    table: usize,
    last: u32,
    low: u8,
    /// The coefficients of the band.
    set: u64,
    /// Blocks in a row that have nothing more in the band.
    run: u32,
    /// Correction bits of these blocks, and of the block at hand.
    waiting: Vec<bool>,
    corrections: Vec<bool>,
}

impl<'t> Band<'t> {
    fn new(tokens: &'t mut Tokens, table: usize, (from, to): (u8, u8), low: u8) -> Self {
        Self {
            tokens,
            table,
            last: to.into(),
            low,
            set: u64::MAX << from & u64::MAX >> (63 - to),
            run: 0,
            waiting: Vec::new(),
            corrections: Vec::new(),
        }
    }

    /// G.1.2.2.
    #[inline(always)]
    fn first(&mut self, block: Block<'_>) {
        self.tokens.reserve();
        let (mut left, mut last) = (block.nonzero & self.set, self.set.trailing_zeros() - 1);
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let coefficient = block.coefficient(k);
            let magnitude = coefficient.abs() >> self.low;
            if magnitude == 0 {
                continue;
            }
            self.end_run();
            let mut zeros = k - last - 1;
            while zeros > 15 {
                self.tokens.push(self.table, 0xF0, 0, 0);
                zeros -= 16;
            }
            self.tokens
                .push_value(self.table, zeros, coefficient.signum() * magnitude);
            last = k;
        }
        if last < self.last {
            self.add_to_run();
        }
    }

    /// G.1.2.3.
    #[inline(always)]
    fn refine(&mut self, block: Block<'_>) {
        self.tokens.reserve();
        let magnitude = |k: u32| block.coefficient(k).abs() >> self.low;
        // Zeros behind the last new coefficient belong to the end of the band.
        let (mut left, mut newest, mut old) = (block.nonzero & self.set, 0, 0u64);
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            match magnitude(k) {
                0 => {}
                1 => newest = k,
                _ => old |= 1 << k,
            }
        }
        let (mut left, mut zeros, mut last) =
            (block.nonzero & self.set, 0, self.set.trailing_zeros() - 1);
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let coefficient = block.coefficient(k);
            let magnitude = coefficient.abs() >> self.low;
            if magnitude == 0 {
                continue;
            }
            zeros += k - last - 1;
            last = k;
            while zeros > 15 && k <= newest {
                self.end_run();
                self.tokens.push(self.table, 0xF0, 0, 0);
                zeros -= 16;
                push_all(self.tokens, &mut self.corrections);
            }
            if old >> k & 1 != 0 {
                self.corrections.push(magnitude & 1 != 0);
                continue;
            }
            self.end_run();
            self.tokens
                .push(self.table, zeros << 4 | 1, 1, u32::from(coefficient > 0));
            push_all(self.tokens, &mut self.corrections);
            zeros = 0;
        }
        if zeros + (self.last - last) > 0 || !self.corrections.is_empty() {
            self.waiting.append(&mut self.corrections);
            self.add_to_run();
        }
    }

    fn add_to_run(&mut self) {
        self.run += 1;
        if self.run == MAX_RUN || self.waiting.len() > MAX_WAITING {
            self.end_run();
        }
    }

    /// Writes the blocks that have ended, and what waited for that.
    #[inline(always)]
    fn end_run(&mut self) {
        if self.run > 0 {
            let size = self.run.ilog2();
            self.tokens.push(self.table, size << 4, size, self.run);
            self.run = 0;
            push_all(self.tokens, &mut self.waiting);
        }
    }
}

fn push_all(tokens: &mut Tokens, bits: &mut Vec<bool>) {
    for bits in bits.chunks(15) {
        let value = bits
            .iter()
            .fold(0, |value, &bit| value << 1 | u32::from(bit));
        tokens.push_bits(bits.len() as u32, value);
    }
    bits.clear();
}
