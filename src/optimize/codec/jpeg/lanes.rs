//! Values side by side: plain arithmetic on all of them at once, which becomes vector instructions.

use std::ops::{Add, Mul, Sub};

/// Values in it.
pub(super) const WIDTH: usize = 4;

/// One value each of neighbours that the same is done to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes<const W: usize = WIDTH>(pub [f32; W]);

impl<const W: usize> Default for Lanes<W> {
    #[inline(always)]
    fn default() -> Self {
        Self([0.0; W])
    }
}

impl<const W: usize> Lanes<W> {
    #[inline(always)]
    pub fn scaled(values: &[i16; W], factor: f32) -> Self {
        Self(std::array::from_fn(|l| f32::from(values[l]) * factor))
    }

    /// The samples from `from` on.
    #[inline(always)]
    pub fn from_samples<const N: usize>(samples: &[u8; N], from: usize) -> Self {
        Self(std::array::from_fn(|l| f32::from(samples[from + l])))
    }

    /// Times `factor`, rounded to the nearest integer, but to the smaller one up to `dead_zone` beyond the
    /// middle; and clamped to what can be coded with 8-bit samples (ITU-T T.81, F.1.2).
    #[inline(always)]
    pub fn quantized(self, factor: f32, dead_zone: f32) -> [i16; W] {
        // 1.5 * 2^23: the sum's fraction is cut off by rounding, and its low bits are an integer.
        const SHIFT: f32 = 12_582_912.0;
        std::array::from_fn(|l| {
            let value = self.0[l] * factor;
            let value = if value > -1023.0 { value } else { -1023.0 };
            let value = if value < 1023.0 { value } else { 1023.0 };
            (value - dead_zone.copysign(value) + SHIFT).to_bits() as i16
        })
    }

    /// Four values each as bytes of one word, the first one lowest: clamped to 0..=255 and rounded to the
    /// nearest integer.
    #[inline(always)]
    pub fn bytes([a, b, c, d]: &[Self; 4]) -> [u32; W] {
        // The low bits of the sum with 2^23 are an integer: the fraction was cut off by rounding.
        const SHIFT: f32 = 8_388_608.0;
        // What remains of the exponents of the four in the sum: those of three are shifted out.
        const EXPONENT: u32 = SHIFT.to_bits();
        let byte = |value: f32| {
            // As comparisons, which are one instruction each: no value is NaN.
            let value = if value > 0.0 { value } else { 0.0 };
            let value = if value < 255.0 { value } else { 255.0 };
            (value + SHIFT).to_bits()
        };
        std::array::from_fn(|l| {
            (byte(a.0[l]) - EXPONENT)
                .wrapping_add(byte(b.0[l]) << 8)
                .wrapping_add(byte(c.0[l]) << 16)
                .wrapping_add(byte(d.0[l]) << 24)
        })
    }
}

impl<const W: usize> Add for Lanes<W> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|l| self.0[l] + other.0[l]))
    }
}

impl<const W: usize> Sub for Lanes<W> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|l| self.0[l] - other.0[l]))
    }
}

impl<const W: usize> Mul<f32> for Lanes<W> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self(std::array::from_fn(|l| self.0[l] * factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rounded_and_clamped() {
        let lanes = [[-500.0, 254.4], [-0.4, 254.6], [0.6, 255.4], [127.4, 1e5]].map(Lanes);
        assert_eq!(
            Lanes::bytes(&lanes).map(u32::to_le_bytes),
            [[0, 0, 1, 127], [254, 255, 255, 255]]
        );
    }
}
