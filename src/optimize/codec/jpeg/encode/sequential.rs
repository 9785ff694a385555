//! The one scan of a baseline file (ITU-T T.81, F.1.2).

use super::{
    Coefficients,
    blocks::{Block, Blocks},
    tokens::{AC, DC, Tokens},
    writer::{ScanHeader, Writer},
};

pub(super) fn write(coefficients: &Coefficients, writer: &mut Writer) {
    let blocks = coefficients.components.iter().map(|one| &one.blocks);
    let mut tokens = Tokens::with_capacity(blocks.map(Blocks::symbols).sum());
    let mut predictions = [0; 3];
    for y in 0..coefficients.down {
        for x in 0..coefficients.across {
            for (component, prediction) in coefficients.components.iter().zip(&mut predictions) {
                for j in 0..component.vertical {
                    for i in 0..component.horizontal {
                        let (x, y) = (x * component.horizontal + i, y * component.vertical + j);
                        let block = component.blocks.get(x, y);
                        tokens.reserve();
                        write_block(&mut tokens, component.table, block, prediction);
                    }
                }
            }
        }
    }
    let components: Vec<usize> = (0..coefficients.components.len()).collect();
    let header = ScanHeader {
        components: &components,
        band: (0, 63),
        high: 0,
        low: 0,
    };
    writer.scan(coefficients, &header, &tokens);
}

/// The tokens of a block; in the padding of an MCU it is flat, of the brightness before it.
#[inline(always)]
fn write_block(tokens: &mut Tokens, table: usize, block: Option<Block<'_>>, prediction: &mut i32) {
    let Some(block) = block else {
        tokens.push_value(DC + table, 0, 0);
        tokens.push(AC + table, 0, 0, 0);
        return;
    };
    let dc = block.coefficient(0);
    tokens.push_value(DC + table, 0, dc - *prediction);
    *prediction = dc;
    let (mut left, mut last) = (block.nonzero & !1, 0);
    while left != 0 {
        let k = left.trailing_zeros();
        let mut run = k - last - 1;
        while run > 15 {
            tokens.push(AC + table, 0xF0, 0, 0);
            run -= 16;
        }
        tokens.push_value(AC + table, run, block.coefficient(k));
        last = k;
        left &= left - 1;
    }
    if last < 63 {
        tokens.push(AC + table, 0, 0, 0);
    }
}
