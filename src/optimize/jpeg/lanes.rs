//! Values side by side: plain arithmetic on all of them at once, which becomes vector instructions.

use std::ops::{Add, Mul, Sub};

/// Values in it.
pub(super) const WIDTH: usize = 8;

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

    /// Rounded to the nearest integer, 128 added, and clamped to 0..=255.
    #[inline(always)]
    pub fn samples(self) -> [u16; W] {
        // 1.5 * 2^23: the sum's fraction is cut off by rounding, and its low bits are an integer.
        const SHIFT: f32 = 12_582_912.0;
        std::array::from_fn(|l| {
            let value = (self.0[l] + (SHIFT + 128.0)).to_bits() as i32 - SHIFT.to_bits() as i32;
            let value = value.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            value.clamp(0, 255) as u16
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
    fn samples_are_rounded_shifted_and_clamped() {
        let values = Lanes([-500.0, -128.4, -127.6, 0.0, 0.6, 126.7, 127.4, 1e5]);
        assert_eq!(values.samples(), [0, 0, 0, 128, 129, 255, 255, 255]);
    }
}
