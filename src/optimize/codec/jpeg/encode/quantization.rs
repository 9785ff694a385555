//! Quantisation tables.

/// The table that mozjpeg uses by default (its number 3) and ImageMagick introduced, by N. Robidoux, in
/// natural order; for luma and chroma alike.
const ROBIDOUX: [u16; 64] = [
    16, 16, 16, 18, 25, 37, 56, 85, //
    16, 17, 20, 27, 34, 40, 53, 75, //
    16, 20, 24, 31, 43, 62, 91, 135, //
    18, 27, 31, 40, 53, 74, 106, 156, //
    25, 34, 43, 53, 69, 94, 131, 189, //
    37, 40, 62, 74, 94, 124, 169, 238, //
    56, 53, 91, 106, 131, 169, 226, 311, //
    85, 75, 135, 156, 189, 238, 311, 418,
];

/// One quantisation table, each value 1 to 255, in natural order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantization([u8; 64]);

impl Quantization {
    /// Robidoux's table at a quality of 1 to 100.
    pub fn new(quality: u8) -> Self {
        Self::scaled(&ROBIDOUX, quality)
    }

    /// A table in natural order, scaled for a quality of 1 to 100 as libjpeg does
    /// (`jpeg_quality_scaling`): unchanged at 50.
    pub fn scaled(table: &[u16; 64], quality: u8) -> Self {
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 {
            5000 / quality
        } else {
            200 - 2 * quality
        };
        Self(table.map(|value| ((u32::from(value) * percent + 50) / 100).clamp(1, 255) as u8))
    }

    /// The values in natural order, row by row.
    pub fn values(&self) -> &[u8; 64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_that_of_libjpeg() {
        assert_eq!(Quantization::new(50).values()[..4], [16, 16, 16, 18]);
        // 16 * 30 % = 4.8, 18 * 30 % = 5.4, 37 * 30 % = 11.1, 418 * 30 % = 125.4
        let at_85 = Quantization::new(85);
        assert_eq!(
            (
                at_85.values()[0],
                at_85.values()[3],
                at_85.values()[5],
                at_85.values()[63]
            ),
            (5, 5, 11, 125)
        );
        assert_eq!(Quantization::new(100).values(), &[1; 64]);
        assert_eq!(Quantization::new(1).values()[0], 255);
    }
}
