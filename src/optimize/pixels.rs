//! Pictures that are in memory already, as [`image::DynamicImage`].

use image::{ColorType, DynamicImage};

use super::{OptimizeError, OptimizeOptions, OptimizedImage, optimize};

/// As [`optimize`](super::optimize()), of pixels in place of a file: sRGB, of any kind, upright. Those of more
/// than 8 bits become 8 bits.
///
/// They are packed as a PNG first, which is what the result's [`source`](OptimizedImage::source) tells of;
/// `max_bytes` of the limits does not apply.
///
/// ```
/// use lablink_storage::image::{DynamicImage, Rgb, RgbImage};
/// use lablink_storage::{OptimizeOptions, optimize_image};
///
/// let blue = DynamicImage::from(RgbImage::from_pixel(1600, 800, Rgb([20, 60, 160])));
/// let small = optimize_image(&blue, &OptimizeOptions::default())?;
/// assert_eq!((small.width, small.height), (1200, 600));
/// # Ok::<(), lablink_storage::OptimizeError>(())
/// ```
///
/// # Errors
///
/// [`OptimizeError`]: the picture has no pixels, is over a limit, or an option is outside its range.
pub fn optimize_image(
    image: &DynamicImage,
    options: &OptimizeOptions,
) -> Result<OptimizedImage, OptimizeError> {
    optimize(&to_png(image, options)?, &of_any_size(options.clone()))
}

/// The options without the limit on a file's bytes: there is no file.
pub(crate) fn of_any_size(mut options: OptimizeOptions) -> OptimizeOptions {
    options.limits.max_bytes = u64::MAX;
    options
}

/// A PNG that is made fast. The limits are checked first.
pub(crate) fn to_png(
    image: &DynamicImage,
    options: &OptimizeOptions,
) -> Result<Vec<u8>, OptimizeError> {
    let (width, height) = (image.width(), image.height());
    super::budget::Budget::new(options).check_size(width, height)?;
    let converted = match image.color() {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => None,
        ColorType::L16 => Some(image.to_luma8().into()),
        ColorType::La16 => Some(image.to_luma_alpha8().into()),
        ColorType::Rgb16 | ColorType::Rgb32F => Some(image.to_rgb8().into()),
        _ => Some(image.to_rgba8().into()),
    };
    let image: &DynamicImage = converted.as_ref().unwrap_or(image);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(match image.color() {
        ColorType::L8 => png::ColorType::Grayscale,
        ColorType::La8 => png::ColorType::GrayscaleAlpha,
        ColorType::Rgb8 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fastest);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(image.as_bytes())?;
        writer.finish()
    });
    written.map_err(|_| OptimizeError::invalid("pixels that do not fit their size"))?;
    Ok(bytes)
}
