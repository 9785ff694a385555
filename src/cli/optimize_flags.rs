//! The optimizer's options as they are typed. What is not typed is as the store has it.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Result;
use crate::optimize::{Animation, Fit, Gravity, OptimizeOptions, OutputFormat};

#[derive(Debug, Args)]
#[command(next_help_heading = "Image options (by default those of LABLINK_STORAGE_OPTIMIZE)")]
pub(super) struct OptimizeFlags {
    /// Largest width in pixels
    #[arg(long, value_name = "PIXELS")]
    max_width: Option<u32>,
    /// Largest height in pixels
    #[arg(long, value_name = "PIXELS")]
    max_height: Option<u32>,
    /// Way to fit the image to the box of width and height
    #[arg(long, value_enum)]
    fit: Option<FitName>,
    /// Which part stays when cover crops: center, a direction such as north or southwest, attention, or a
    /// point such as 0.3,0.5, from the left and the top
    #[arg(long, value_name = "PART")]
    gravity: Option<Gravity>,
    /// Quality from 1 to 100
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: Option<u8>,
    /// Output format; auto is JPEG for opaque images and WebP for others
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Matte behind transparent pixels, and the bars of contain
    #[arg(long, value_name = "#RRGGBB", value_parser = colour)]
    background: Option<[u8; 3]>,
    /// Progressive JPEG: a little more CPU, a few percent fewer bytes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    progressive: Option<bool>,
    /// Lossless WebP
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    lossless: Option<bool>,
    /// PNG of a drawing with 256 colours that stand for all, where the difference does not show
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    palette: Option<bool>,
    /// Speed of the AVIF encoder, 1 to 10; slower ones make smaller files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    speed: Option<u8>,
    /// Treatment of animations
    #[arg(long, value_enum)]
    animation: Option<AnimationName>,
    /// Keep the copyright notice and the artist
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    keep_copyright: Option<bool>,
    /// Take a truncated file as far as it decodes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    accept_truncated: Option<bool>,
    /// Largest share of a picture that may be lost to damage, 0 to 1
    #[arg(long, value_name = "SHARE")]
    max_damage: Option<f64>,
    /// Largest file
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Most pixels of a picture
    #[arg(long, value_name = "N")]
    max_pixels: Option<u64>,
    /// Largest width or height of a source
    #[arg(long, value_name = "PIXELS")]
    max_side: Option<u32>,
    /// Most scans of a progressive JPEG
    #[arg(long, value_name = "N")]
    max_scans: Option<u32>,
    /// Most frames of an animation
    #[arg(long, value_name = "N")]
    max_frames: Option<u32>,
    /// Most memory for one image
    #[arg(long, value_name = "BYTES")]
    max_decode_bytes: Option<u64>,
    /// Longest time for one image
    #[arg(long, value_name = "SECONDS")]
    max_duration: Option<f64>,
}

impl OptimizeFlags {
    /// The options with what was typed in their place.
    pub(super) fn over(&self, mut options: OptimizeOptions) -> Result<OptimizeOptions> {
        fn set<T: Clone>(typed: &Option<T>, option: &mut T) {
            if let Some(typed) = typed {
                option.clone_from(typed);
            }
        }
        set(&self.max_width, &mut options.max_width);
        set(&self.max_height, &mut options.max_height);
        set(&self.fit.map(Fit::from), &mut options.fit);
        set(&self.gravity, &mut options.gravity);
        set(&self.quality, &mut options.quality);
        set(&self.format.map(OutputFormat::from), &mut options.format);
        set(&self.background, &mut options.background);
        set(&self.progressive, &mut options.progressive);
        set(&self.lossless, &mut options.lossless);
        set(&self.palette, &mut options.palette);
        set(&self.speed, &mut options.speed);
        set(&self.animation.map(Animation::from), &mut options.animation);
        set(&self.keep_copyright, &mut options.keep_copyright);
        set(&self.accept_truncated, &mut options.accept_truncated);
        set(&self.max_damage, &mut options.max_damage);
        let limits = &mut options.limits;
        set(&self.max_bytes, &mut limits.max_bytes);
        set(&self.max_pixels, &mut limits.max_pixels);
        set(&self.max_side, &mut limits.max_side);
        set(&self.max_scans, &mut limits.max_scans);
        set(&self.max_frames, &mut limits.max_frames);
        set(&self.max_decode_bytes, &mut limits.max_decode_bytes);
        if let Some(seconds) = self.max_duration {
            limits.max_duration = Duration::try_from_secs_f64(seconds).map_err(|_| {
                super::Failure::usage("--max-duration takes seconds, such as 20 or 0.5")
            })?;
        }
        Ok(options)
    }
}

/// Names on the command line for the values of a library's enum.
macro_rules! names {
    ($name:ident for $value:ident { $($variant:ident),* $(,)? }) => {
        #[derive(Debug, Clone, Copy, ValueEnum)]
        enum $name { $($variant),* }

        impl From<$name> for $value {
            fn from(name: $name) -> Self {
                match name { $($name::$variant => Self::$variant),* }
            }
        }
    };
}

names!(FitName for Fit { Inside, Contain, Cover });
names!(AnimationName for Animation { FirstFrame, Reject, Keep });

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jpeg,
    Webp,
    Png,
    Avif,
    Auto,
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::WebP,
            Format::Png => Self::Png,
            Format::Avif => Self::Avif,
            Format::Auto => Self::Auto,
        }
    }
}

fn colour(text: &str) -> std::result::Result<[u8; 3], String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let digit = |at: usize| {
        digits
            .get(at..at + 2)
            .map(|pair| u8::from_str_radix(pair, 16))
    };
    match (digits.len(), digit(0), digit(2), digit(4)) {
        (6, Some(Ok(red)), Some(Ok(green)), Some(Ok(blue))) => Ok([red, green, blue]),
        _ => Err("expected a colour such as #ffffff".to_owned()),
    }
}
