//! What a caller can ask of the optimizer.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::geometry::Plan;
use super::{Gravity, Limits, OptimizeError};
use crate::format::ImageFormat;

/// `"#rrggbb"`, or three numbers of 0 to 255.
fn colour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 3], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Colour {
        Parts([u8; 3]),
        Text(String),
    }
    let wrong = || D::Error::custom("a colour is \"#rrggbb\" or three numbers of 0 to 255");
    match Colour::deserialize(deserializer).map_err(|_| wrong())? {
        Colour::Parts(parts) => Ok(parts),
        Colour::Text(text) => {
            let digits = text.strip_prefix('#').filter(|digits| {
                digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
            let rgb = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            rgb.map(|rgb| [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])
                .ok_or_else(wrong)
        }
    }
}

/// The largest box, in pixels a side.
const MAX_BOX: u32 = 16_384;

/// How [`optimize`](crate::optimize()) is to treat an image.
///
/// The defaults: fit inside 1200 x 1200 pixels without ever enlarging, Lanczos3, JPEG at quality 85,
/// a white matte where the output has no alpha, orientation applied, sRGB out, metadata dropped, the
/// first frame of an animation, and at most 5 % of the picture lost to damage.
///
/// ```
/// use lablink_storage::{OptimizeOptions, OutputFormat};
///
/// let options = OptimizeOptions::default().with_max_size(640, 640).with_format(OutputFormat::WebP);
/// assert_eq!(options.quality, 85);
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OptimizeOptions {
    /// Width of the box, in pixels after orientation; 1 to 16384.
    pub max_width: u32,
    /// Height of the box, in pixels after orientation; 1 to 16384.
    pub max_height: u32,
    /// How the image is fitted to the box.
    pub fit: Fit,
    /// Which part stays when [`Fit::Cover`] crops.
    pub gravity: Gravity,
    /// Encoder quality, 1 to 100; lossless output ignores it.
    pub quality: u8,
    /// Format of the result.
    pub format: OutputFormat,
    /// Matte behind transparent pixels where the output has no alpha, and the bars of [`Fit::Contain`]:
    /// red, green, blue in sRGB.
    #[serde(deserialize_with = "colour")]
    pub background: [u8; 3],
    /// Progressive JPEG: a little more CPU, a few percent fewer bytes.
    pub progressive: bool,
    /// Lossless WebP.
    pub lossless: bool,
    /// PNG of a drawing or a screenshot with 256 colours that stand for all that resizing made, where the
    /// difference does not show and the file is smaller. Photographs never are.
    pub palette: bool,
    /// Speed of the AVIF encoder, 1 to 10: slower ones make smaller files.
    pub speed: u8,
    /// What becomes of animations.
    pub animation: Animation,
    /// Keep the copyright notice and the artist (EXIF 0x8298 and 0x013B) in the result.
    pub keep_copyright: bool,
    /// Take a truncated file as far as it decodes, instead of refusing it.
    pub accept_truncated: bool,
    /// The largest share of a picture that may be lost to damage inside its file, 0 to 1; beyond it the
    /// file is refused. [`SourceInfo::damaged`](crate::SourceInfo::damaged) tells the share.
    pub max_damage: f64,
    /// What a file may cost.
    pub limits: Limits,
}

impl Default for OptimizeOptions {
    fn default() -> Self {
        Self {
            max_width: 1200,
            max_height: 1200,
            fit: Fit::Inside,
            gravity: Gravity::Center,
            quality: 85,
            format: OutputFormat::Jpeg,
            background: [255; 3],
            progressive: false,
            lossless: false,
            palette: true,
            speed: 8,
            animation: Animation::FirstFrame,
            keep_copyright: false,
            accept_truncated: false,
            max_damage: 0.05,
            limits: Limits::default(),
        }
    }
}

impl OptimizeOptions {
    /// Returns the size in which an upright picture of `width` x `height` pixels comes out.
    ///
    /// ```
    /// use lablink_storage::OptimizeOptions;
    ///
    /// let thumb = OptimizeOptions::default().with_max_size(320, 320);
    /// assert_eq!(thumb.output_size(4000, 3000), (320, 240));
    /// ```
    pub fn output_size(&self, width: u32, height: u32) -> (u32, u32) {
        Plan::new(width, height, self).size()
    }

    /// Checks every option against its range.
    pub(crate) fn validate(&self) -> Result<(), OptimizeError> {
        let invalid = |name, reason: &str| {
            Err(OptimizeError::InvalidOption {
                name,
                reason: reason.into(),
            })
        };
        let (side, share) = (1..=MAX_BOX, 0.0..=1.0);
        if !side.contains(&self.max_width) {
            return invalid("max_width", "must be 1 to 16384 pixels");
        }
        if !side.contains(&self.max_height) {
            return invalid("max_height", "must be 1 to 16384 pixels");
        }
        if !(1..=100).contains(&self.quality) {
            return invalid("quality", "must be 1 to 100");
        }
        if !(1..=10).contains(&self.speed) {
            return invalid("speed", "must be 1 to 10");
        }
        if let Gravity::Point(x, y) = self.gravity
            && !(share.contains(&x) && share.contains(&y))
        {
            return invalid("gravity", "a point must be 0 to 1 across and 0 to 1 down");
        }
        if !share.contains(&self.max_damage) {
            return invalid("max_damage", "must be 0 to 1");
        }
        let lossy_webp = self.format == OutputFormat::WebP && !self.lossless;
        if lossy_webp && !cfg!(feature = "webp") {
            return invalid(
                "format",
                "lossy WebP needs the cargo feature \"webp\"; ask for lossless WebP, JPEG or PNG",
            );
        }
        if self.animation == Animation::Keep {
            if !matches!(self.format, OutputFormat::WebP | OutputFormat::Auto) {
                return invalid(
                    "animation",
                    "\"keep\" makes WebP: it wants the format webp or auto",
                );
            }
            if !cfg!(feature = "webp") {
                return invalid("animation", "\"keep\" needs the cargo feature \"webp\"");
            }
        }
        if self.format == OutputFormat::Avif && !cfg!(feature = "avif") {
            return invalid(
                "format",
                "AVIF needs the cargo feature \"avif\"; ask for WebP, JPEG or PNG",
            );
        }
        Ok(())
    }

    /// Sets the box that the image has to fit, in pixels.
    #[must_use]
    pub fn with_max_size(mut self, width: u32, height: u32) -> Self {
        (self.max_width, self.max_height) = (width, height);
        self
    }

    /// Sets how the image is fitted to the box.
    #[must_use]
    pub fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// Sets which part stays when [`Fit::Cover`] crops.
    #[must_use]
    pub fn with_gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// Sets the encoder quality, 1 to 100.
    #[must_use]
    pub fn with_quality(mut self, quality: u8) -> Self {
        self.quality = quality;
        self
    }

    /// Sets the format of the result.
    #[must_use]
    pub fn with_format(mut self, format: OutputFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the format, and has animations only where it can hold them.
    #[cfg_attr(not(feature = "store"), allow(dead_code))]
    pub(crate) fn in_format(mut self, format: OutputFormat) -> Self {
        let holds = matches!(format, OutputFormat::WebP | OutputFormat::Auto);
        if self.animation == Animation::Keep && !holds {
            self.animation = Animation::FirstFrame;
        }
        self.format = format;
        self
    }

    /// Sets the matte: red, green, blue in sRGB.
    #[must_use]
    pub fn with_background(mut self, background: [u8; 3]) -> Self {
        self.background = background;
        self
    }

    /// Asks for progressive JPEG.
    #[must_use]
    pub fn with_progressive(mut self, progressive: bool) -> Self {
        self.progressive = progressive;
        self
    }

    /// Asks for lossless WebP.
    #[must_use]
    pub fn with_lossless(mut self, lossless: bool) -> Self {
        self.lossless = lossless;
        self
    }

    /// Lets PNG have a palette that is nearly the same.
    #[must_use]
    pub fn with_palette(mut self, palette: bool) -> Self {
        self.palette = palette;
        self
    }

    /// Sets the speed of the AVIF encoder, 1 to 10.
    #[must_use]
    pub fn with_speed(mut self, speed: u8) -> Self {
        self.speed = speed;
        self
    }

    /// Sets what becomes of animations.
    #[must_use]
    pub fn with_animation(mut self, animation: Animation) -> Self {
        self.animation = animation;
        self
    }

    /// Keeps the copyright notice and the artist.
    #[must_use]
    pub fn with_keep_copyright(mut self, keep: bool) -> Self {
        self.keep_copyright = keep;
        self
    }

    /// Takes truncated files as far as they decode.
    #[must_use]
    pub fn with_accept_truncated(mut self, accept: bool) -> Self {
        self.accept_truncated = accept;
        self
    }

    /// Sets the largest share of a picture that may be lost to damage, 0 to 1.
    #[must_use]
    pub fn with_max_damage(mut self, share: f64) -> Self {
        self.max_damage = share;
        self
    }

    /// Sets what a file may cost.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// How an image is fitted to the box. None of them enlarges the picture itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Fit {
    /// As large as the box allows, its own shape kept: the result may be smaller than the box.
    #[default]
    Inside,
    /// As `Inside`, then centred on a canvas of exactly the box, filled with the background.
    Contain,
    /// Fills the box and crops what does not fit; a smaller image is cropped to the box's shape.
    Cover,
}

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutputFormat {
    /// JPEG; transparency goes onto the matte.
    #[default]
    Jpeg,
    /// WebP, lossy unless asked otherwise.
    WebP,
    /// PNG; with a palette where at most 256 colours are lossless, or of a drawing do not show.
    Png,
    /// AVIF, with the cargo feature `avif`: a quarter to a third fewer bytes than JPEG, for many times the CPU.
    Avif,
    /// JPEG where every pixel is opaque, else WebP.
    Auto,
}

impl OutputFormat {
    /// Returns the format, where it does not depend on the picture.
    pub(crate) fn fixed(self) -> Option<ImageFormat> {
        match self {
            Self::Jpeg => Some(ImageFormat::Jpeg),
            Self::Png => Some(ImageFormat::Png),
            Self::WebP => Some(ImageFormat::WebP),
            Self::Avif => Some(ImageFormat::Avif),
            Self::Auto => None,
        }
    }

    /// What a picture is written as.
    pub(crate) fn of(self, is_opaque: bool) -> ImageFormat {
        self.fixed().unwrap_or(if is_opaque {
            ImageFormat::Jpeg
        } else {
            ImageFormat::WebP
        })
    }
}

/// What becomes of an animation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Animation {
    /// The first frame is the image.
    #[default]
    FirstFrame,
    /// Files with more than one frame are refused.
    Reject,
    /// Animations come out as animated WebP, every frame fitted, with their times and their number of
    /// plays. It wants the format WebP or `Auto`, and the cargo feature `webp`.
    Keep,
}
