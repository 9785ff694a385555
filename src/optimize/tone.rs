//! From PQ and HLG to sRGB, as browsers show them on a screen that is no brighter than white.
//!
//! Chromium maps with the reference white tone mapping operator of SMPTE ST 2094-50: light up to the
//! reference white is dimmed by a factor, what is brighter goes along a parabola to white. The brightest
//! channel in BT.2020 decides how much; the others follow, so that the hue stays.

use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, Matrix3d, MatrixCoefficients,
    TransferCharacteristics,
};

use super::raster::{Layout, Raster};

/// The reference white, in candelas per square metre (ITU-R BT.2408, section 2.1).
const WHITE_NITS: f32 = 203.0;
/// The brightest light, where nothing says otherwise; of HLG always (BT.2100, table 5).
const PEAK_NITS: f32 = 1000.0;
/// BT.2020's share of each channel in luminance.
const LUMINANCE: [f32; 3] = [0.2627, 0.6780, 0.0593];
/// Entries of the table to sRGB: more make no difference at 8 bits.
const STEPS: usize = 1 << 12;

/// How samples stand for light (ITU-T H.273, table 3: 16 and 18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    Pq,
    Hlg,
}

/// A conversion to sRGB; alpha stays as it is.
pub(super) struct ToneMap {
    transfer: Transfer,
    /// The light of each sample, 1 being the reference white (HLG: of the scene, 1 its peak).
    light: [f32; 256],
    to_bt2020: [[f32; 3]; 3],
    to_srgb: [[f32; 3]; 3],
    curve: Curve,
    /// Samples of sRGB by light.
    encoded: Vec<u8>,
}

impl ToneMap {
    pub(super) fn new(
        primaries: CicpColorPrimaries,
        transfer: Transfer,
        peak_nits: Option<f32>,
    ) -> Self {
        let peak = match transfer {
            Transfer::Pq => peak_nits.unwrap_or(PEAK_NITS),
            Transfer::Hlg => PEAK_NITS,
        };
        let bt2020 = with_primaries(CicpColorPrimaries::Bt2020);
        let to_bt2020 = with_primaries(primaries).transform_matrix(&bt2020);
        let to_srgb = bt2020.transform_matrix(&ColorProfile::new_srgb());
        let light = match transfer {
            Transfer::Pq => |sample| pq(sample) / WHITE_NITS,
            Transfer::Hlg => hlg,
        };
        Self {
            transfer,
            light: std::array::from_fn(|sample| light(sample as f32 / 255.0)),
            to_bt2020: single(to_bt2020),
            to_srgb: single(to_srgb),
            curve: Curve::new((peak / WHITE_NITS).max(1.0)),
            encoded: (0..=STEPS)
                .map(|step| srgb(step as f32 / STEPS as f32))
                .collect(),
        }
    }

    pub(super) fn convert(&self, raster: &Raster) -> Raster {
        let channels = raster.layout.channels();
        let mut data = raster.data.clone();
        for pixel in data.chunks_exact_mut(channels) {
            match (raster.layout, pixel) {
                (Layout::Gray | Layout::GrayAlpha, [gray, ..]) => {
                    [*gray, ..] = self.map([*gray; 3])
                }
                (_, [red, green, blue, ..]) => {
                    [*red, *green, *blue] = self.map([*red, *green, *blue]);
                }
                _ => {}
            }
        }
        Raster::new(raster.layout, raster.width, raster.height, data)
    }

    fn map(&self, samples: [u8; 3]) -> [u8; 3] {
        let light = samples.map(|sample| self.light[usize::from(sample)]);
        let mut light = times(&self.to_bt2020, light);
        if self.transfer == Transfer::Hlg {
            // BT.2100, table 5: the opto-optical transfer at a peak of 1000.
            let luminance: f32 = LUMINANCE
                .iter()
                .zip(light)
                .map(|(share, light)| share * light)
                .sum();
            let system = luminance.max(0.0).powf(0.2) * PEAK_NITS / WHITE_NITS;
            light = light.map(|light| light * system);
        }
        let gain = self.curve.gain(light[0].max(light[1]).max(light[2]));
        times(&self.to_srgb, light.map(|light| light * gain)).map(|light| {
            let step = light.clamp(0.0, 1.0) * STEPS as f32;
            self.encoded[(step + 0.5) as usize]
        })
    }
}

/// How bright light becomes: a line to the reference white, then a parabola (a quadratic Bezier curve) to
/// white at the peak.
struct Curve {
    peak: f32,
    /// What the reference white becomes.
    white: f32,
    middle: [f32; 2],
}

impl Curve {
    fn new(peak: f32) -> Self {
        // How much of the way from the line's end to where it would meet white the middle point goes.
        const BEND: f32 = 0.65;
        let headroom = peak.log2() / (PEAK_NITS / WHITE_NITS).log2();
        let white = 1.0 - 0.5 * headroom.min(1.0);
        Self {
            peak,
            white,
            middle: [1.0 - BEND + BEND / white, (1.0 - BEND) * white + BEND],
        }
    }

    /// By what to multiply light whose brightest channel is `light`.
    fn gain(&self, light: f32) -> f32 {
        if light <= 1.0 {
            return self.white;
        }
        if light >= self.peak {
            return 1.0 / light;
        }
        let [x, y] = self.middle;
        // Where along the curve its x is `light`: a t^2 + 2 b t + 1 - light = 0.
        let (a, b) = (1.0 - 2.0 * x + self.peak, x - 1.0);
        let root = (b * b - a * (1.0 - light)).max(0.0).sqrt();
        let t = (light - 1.0) / (b + root);
        let bright = self.white + 2.0 * (y - self.white) * t + (self.white - 2.0 * y + 1.0) * t * t;
        bright / light
    }
}

/// SMPTE ST 2084, equation 4.1, in candelas per square metre.
fn pq(sample: f32) -> f32 {
    let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 32.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0);
    let power = sample.powf(1.0 / m2);
    10_000.0 * ((power - c1).max(0.0) / (c2 - c3 * power)).powf(1.0 / m1)
}

/// The light of the scene (BT.2100, table 5: the inverse of the opto-electronic transfer).
fn hlg(sample: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    if sample <= 0.5 {
        return sample * sample / 3.0;
    }
    (((sample - c) / a).exp() + b) / 12.0
}

/// IEC 61966-2-1.
fn srgb(light: f32) -> u8 {
    let sample = if light <= 0.003_130_8 {
        12.92 * light
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    (sample * 255.0 + 0.5) as u8
}

fn with_primaries(primaries: CicpColorPrimaries) -> ColorProfile {
    ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: TransferCharacteristics::Linear,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    })
}

fn single(matrix: Matrix3d) -> [[f32; 3]; 3] {
    matrix.v.map(|row| row.map(|value| value as f32))
}

fn times(matrix: &[[f32; 3]; 3], vector: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}
