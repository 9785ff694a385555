//! From whatever colours a file has to sRGB.

use std::sync::Arc;

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    MatrixCoefficients, RenderingIntent, ToneReprCurve, TransferCharacteristics, TransformExecutor,
    TransformOptions, XyY,
};

use super::raster::{Layout, Raster};
use super::tone::{ToneMap, Transfer};

/// What a file says its numbers mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ColorTag {
    /// sRGB, or nothing: the web takes that for sRGB.
    Srgb,
    Icc(Vec<u8>),
    /// A profile for red, green and blue that a gray picture has.
    GrayAxis(Vec<u8>),
    /// Code points of ITU-T H.273, for RGB in full range.
    Cicp {
        primaries: CicpColorPrimaries,
        transfer: TransferCharacteristics,
    },
    /// The same for light brighter than white, and the brightest, if the file tells.
    Hdr {
        primaries: CicpColorPrimaries,
        transfer: Transfer,
        peak_nits: Option<f32>,
    },
    /// PNG's gAMA, the exponent that was applied, and cHRM: white, red, green, blue.
    Gamma {
        exponent: f32,
        chromaticities: Option<[(f32, f32); 4]>,
    },
}

/// A conversion of one layout to sRGB: gray stays gray, CMYK becomes RGB, alpha stays as it is.
pub(super) struct Converter {
    from: Layout,
    to: Layout,
    transform: Transform,
}

enum Transform {
    Profile(Arc<dyn TransformExecutor<u8> + Send + Sync>),
    Tone(Box<ToneMap>),
}

impl Converter {
    /// The conversion that pixels of this layout need; `None` where they are sRGB as they stand, or the tag
    /// is of no use (a damaged profile, or one for another kind of colour).
    pub(super) fn new(tag: &ColorTag, layout: Layout) -> Option<Self> {
        if let &ColorTag::Hdr {
            primaries,
            transfer,
            peak_nits,
        } = tag
        {
            let map = ToneMap::new(primaries, transfer, peak_nits);
            return Some(Self {
                from: layout,
                to: layout,
                transform: Transform::Tone(Box::new(map)),
            });
        }
        let profile = tag.profile(matches!(layout, Layout::Gray | Layout::GrayAlpha))?;
        let to = match layout {
            Layout::Cmyk => Layout::Rgb,
            other => other,
        };
        let gray = matches!(layout, Layout::Gray | Layout::GrayAlpha);
        let space = match layout {
            Layout::Gray | Layout::GrayAlpha => DataColorSpace::Gray,
            Layout::Rgb | Layout::Rgba => DataColorSpace::Rgb,
            Layout::Cmyk => DataColorSpace::Cmyk,
        };
        if profile.color_space != space {
            return None;
        }
        let srgb = if gray {
            gray_of(ColorProfile::new_srgb())
        } else {
            ColorProfile::new_srgb()
        };
        let options = TransformOptions {
            rendering_intent: RenderingIntent::Perceptual,
            ..TransformOptions::default()
        };
        let transform = profile
            .create_transform_8bit(moxcms_layout(layout), &srgb, moxcms_layout(to), options)
            .ok()?;
        let converter = Self {
            from: layout,
            to,
            transform: Transform::Profile(transform),
        };
        (!converter.is_identity()).then_some(converter)
    }

    /// Whether colours all over the cube stay where they are: an sRGB profile by whatever name.
    fn is_identity(&self) -> bool {
        /// Rounding, and the approximations that real sRGB profiles hold.
        const TOLERANCE: u8 = 2;
        if self.from == Layout::Cmyk {
            return false;
        }
        let channels = self.from.channels();
        let colors = channels - usize::from(self.from.has_alpha());
        const STEPS: usize = 9;
        let probes: Vec<u8> = (0..STEPS.pow(colors as u32))
            .flat_map(|probe| {
                (0..channels).map(move |channel| {
                    if channel >= colors {
                        return 255;
                    }
                    let step = probe / STEPS.pow(channel as u32) % STEPS;
                    (step * 255 / (STEPS - 1)) as u8
                })
            })
            .collect();
        let Transform::Profile(transform) = &self.transform else {
            return false;
        };
        let mut converted = vec![0; probes.len()];
        if transform.transform(&probes, &mut converted).is_err() {
            return true;
        }
        probes
            .iter()
            .zip(&converted)
            .all(|(&before, &after)| before.abs_diff(after) <= TOLERANCE)
    }

    /// Converts a raster; `None` if the library refuses, which it does for sizes that do not match.
    pub(super) fn convert(&self, raster: &Raster) -> Option<Raster> {
        debug_assert_eq!(raster.layout, self.from);
        let transform = match &self.transform {
            Transform::Profile(transform) => transform,
            Transform::Tone(map) => return Some(map.convert(raster)),
        };
        let pixels = raster.width * raster.height;
        let mut data = vec![0; pixels * self.to.channels()];
        transform.transform(&raster.data, &mut data).ok()?;
        Some(Raster::new(self.to, raster.width, raster.height, data))
    }
}

impl ColorTag {
    /// The tag of a profile. Browsers apply one for red, green and blue to a gray picture, too, as to one whose
    /// three channels are equal.
    pub(super) fn of_profile(profile: Vec<u8>, gray: bool) -> Self {
        /// Where a profile says what colours it is for (ICC.1:2022, section 7.2).
        const SPACE: std::ops::Range<usize> = 16..20;
        if gray && profile.get(SPACE) == Some(b"RGB ") {
            return Self::GrayAxis(profile);
        }
        Self::Icc(profile)
    }

    /// The tag of H.273's code points; `None` where they leave open what is meant.
    pub(super) fn from_code_points(
        primaries: u8,
        transfer: u8,
        peak_nits: Option<f32>,
    ) -> Option<Self> {
        let primaries = CicpColorPrimaries::try_from(primaries).ok()?;
        ColorPrimaries::try_from(primaries).ok()?;
        let transfer = TransferCharacteristics::try_from(transfer).ok()?;
        ToneReprCurve::try_from(transfer).ok()?;
        let hdr = |transfer| Self::Hdr {
            primaries,
            transfer,
            peak_nits,
        };
        Some(match transfer {
            TransferCharacteristics::Smpte2084 => hdr(Transfer::Pq),
            TransferCharacteristics::Hlg => hdr(Transfer::Hlg),
            transfer => Self::Cicp {
                primaries,
                transfer,
            },
        })
    }

    fn profile(&self, gray: bool) -> Option<ColorProfile> {
        let profile = match self {
            Self::Srgb | Self::Hdr { .. } => return None,
            Self::GrayAxis(profile) => ColorProfile::new_from_slice(profile).ok()?,
            Self::Icc(profile) => return ColorProfile::new_from_slice(profile).ok(),
            &Self::Cicp {
                primaries,
                transfer,
            } => cicp_profile(primaries, transfer),
            &Self::Gamma {
                exponent,
                chromaticities,
            } => gamma_profile(exponent, chromaticities)?,
        };
        Some(if gray { gray_of(profile) } else { profile })
    }
}

fn cicp_profile(primaries: CicpColorPrimaries, transfer: TransferCharacteristics) -> ColorProfile {
    ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: transfer,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    })
}

fn gamma_profile(exponent: f32, chromaticities: Option<[(f32, f32); 4]>) -> Option<ColorProfile> {
    /// 1 / 2.2 alone is what writers put there when they mean sRGB (PNG third edition, section 11.3.2.2).
    /// Beside chromaticities browsers take it at its word.
    const SRGB: f32 = 0.45455;
    if !(0.05..=5.0).contains(&exponent) {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    if let Some([white, red, green, blue]) = chromaticities {
        let plausible = |&(x, y): &(f32, f32)| x >= 0.0 && y > 0.0 && x + y <= 1.1;
        if ![white, red, green, blue].iter().all(plausible) {
            return None;
        }
        let point = |(x, y)| Chromaticity::new(x, y);
        profile.update_rgb_colorimetry(
            XyY {
                x: white.0.into(),
                y: white.1.into(),
                yb: 1.0,
            },
            ColorPrimaries {
                red: point(red),
                green: point(green),
                blue: point(blue),
            },
        );
    }
    if chromaticities.is_some() || (exponent - SRGB).abs() > 0.01 {
        let curve = ToneReprCurve::Parametric(vec![1.0 / exponent]);
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    Some(profile)
}

/// The gray axis of an RGB profile.
fn gray_of(rgb: ColorProfile) -> ColorProfile {
    let mut gray = ColorProfile::new_gray_with_gamma(2.2);
    gray.gray_trc = rgb.red_trc;
    gray
}

fn moxcms_layout(layout: Layout) -> moxcms::Layout {
    match layout {
        Layout::Gray => moxcms::Layout::Gray,
        Layout::GrayAlpha => moxcms::Layout::GrayAlpha,
        Layout::Rgb => moxcms::Layout::Rgb,
        Layout::Rgba | Layout::Cmyk => moxcms::Layout::Rgba,
    }
}

/// CMYK without a profile, each ink filtering what the others let through.
pub(super) fn cmyk_to_rgb(raster: &Raster) -> Raster {
    debug_assert_eq!(raster.layout, Layout::Cmyk);
    let (pixels, _) = raster.data.as_chunks::<4>();
    let data = pixels
        .iter()
        .flat_map(|&[cyan, magenta, yellow, black]| {
            let paper = 255 - u32::from(black);
            [cyan, magenta, yellow].map(|ink| (((255 - u32::from(ink)) * paper + 127) / 255) as u8)
        })
        .collect();
    Raster::new(Layout::Rgb, raster.width, raster.height, data)
}
