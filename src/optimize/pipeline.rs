//! The way of one image: open, decode once, then for every result resize, turn, convert, encode.

use std::collections::HashSet;

use crate::format::ImageFormat;

use super::attention::Attention;
use super::budget::Budget;
use super::codec::{Codec, Decoded, Wanted, codec};
use super::color::{ColorTag, Converter, cmyk_to_rgb};
use super::exif::Credits;
use super::geometry::{Plan, Rect};
use super::orientation::Upright;
use super::picture::{Picture, SIDE};
use super::placeholder::Looks;
use super::raster::{Component, Frame, Layout, Pixels, Range, Raster};
use super::resize::{Resizer, resample};
use super::source::Source;
use super::ycbcr::Matrix;
use super::{
    Animation, Gravity, OptimizeError, OptimizeOptions, OptimizedImage, OutputFormat, alpha,
    attention, ycbcr,
};

pub(super) fn run(
    bytes: &[u8],
    options: &OptimizeOptions,
    variants: &[OptimizeOptions],
    with_picture: bool,
) -> Result<(OptimizedImage, Vec<OptimizedImage>, Option<Picture>), OptimizeError> {
    for options in std::iter::once(options).chain(variants) {
        options.validate()?;
    }
    let budget = Budget::new(options);
    let source = Source::open(bytes, options, &budget)?;
    let upright = Upright::from_exif(source.orientation());
    let facts = source.file.facts();
    let (width, height) = upright.size(facts.width, facts.height);
    let mut wanted = Wanted {
        reduction: f64::INFINITY,
        half_chroma: true,
    };
    let picture = with_picture.then(|| OptimizeOptions::default().with_max_size(SIDE, SIDE));
    for options in std::iter::once(options).chain(variants).chain(&picture) {
        let plan = Plan::new(width, height, options);
        wanted.reduction = wanted.reduction.min(plan.reduction());
        wanted.half_chroma &= options.format != OutputFormat::Png && !options.lossless;
    }
    budget.check_time()?;
    let decoded = source.file.decode(wanted, &budget)?;
    // What was cut off was to be taken, however much it is.
    if !decoded.truncated {
        budget.check_damage(decoded.damaged)?;
    }
    let Decoded { pixels, color, .. } = decoded;
    let layout = match &pixels {
        Pixels::Packed(component) => component.raster.layout,
        Pixels::Ycc(..) | Pixels::Rgb(_) => Layout::Rgb,
        Pixels::Cmyk(..) => Layout::Cmyk,
    };
    let to_png = |options: &OptimizeOptions| options.format == OutputFormat::Png && options.palette;
    let to_png = std::iter::once(options).chain(variants).any(to_png);
    let mut job = Job {
        is_drawing: to_png && has_few_colors(&pixels),
        opaque: is_opaque(&pixels),
        converter: Converter::new(&color, layout),
        credits: facts.exif.as_deref().map(Credits::read).unwrap_or_default(),
        resizer: Resizer::default(),
        attention: None,
        looks: None,
        budget: &budget,
        keepable: !(decoded.truncated || decoded.spare || decoded.damaged > 0.0),
        damaged: decoded.damaged,
        source: &source,
        pixels,
        upright,
    };
    let picture = picture.map(|options| job.picture(&options)).transpose()?;
    let (main, variants) = job.all(options, variants, &color)?;
    Ok((main, variants, picture))
}

/// A decoded source, and what every result of it needs.
pub(super) struct Job<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) pixels: Pixels,
    pub(super) upright: Upright,
    pub(super) opaque: bool,
    /// Whether the source has few colours for its size.
    is_drawing: bool,
    /// Whether decoding found nothing that keeps the source from being stored as it is.
    keepable: bool,
    pub(super) damaged: f64,
    /// To sRGB, where the pixels are not.
    pub(super) converter: Option<Converter>,
    credits: Credits,
    resizer: Resizer,
    /// Of the first result, for all of them.
    looks: Option<Looks>,
    /// Found for the first result that asks for it.
    attention: Option<Attention>,
    pub(super) budget: &'a Budget<'a>,
}

/// How a frame is taken from the pixels.
#[derive(Clone, Copy, Default)]
pub(super) struct Taking {
    /// In planes, where the pixels are.
    planar: bool,
    /// As the last of all, after which the pixels are gone.
    last: bool,
}

impl<'a> Job<'a> {
    /// The main result and the others. What is animated is made last: its frames take the place of the first.
    fn all(
        &mut self,
        options: &'a OptimizeOptions,
        variants: &'a [OptimizeOptions],
        color: &ColorTag,
    ) -> Result<(OptimizedImage, Vec<OptimizedImage>), OptimizeError> {
        let frames = self.source.file.facts().frames;
        let keeps = options.animation == Animation::Keep && frames > 1;
        let (mut made, mut animated) = (Vec::new(), Vec::new());
        for (index, options) in std::iter::once(options).chain(variants).enumerate() {
            if keeps && matches!(options.format, OutputFormat::WebP | OutputFormat::Auto) {
                if index == 0 {
                    self.look_at(options)?;
                }
                animated.push((index, options));
            } else {
                let last = index == variants.len() && animated.is_empty();
                made.push((index, self.make(options, last)?));
            }
        }
        #[cfg(feature = "webp")]
        if !animated.is_empty() {
            made.extend(super::animate::make(self, color, &animated)?);
        }
        #[cfg(not(feature = "webp"))]
        let _ = (color, animated);
        made.sort_by_key(|&(index, _)| index);
        let mut made = made.into_iter().map(|(_, image)| image);
        let main = made
            .next()
            .ok_or_else(|| OptimizeError::invalid("no image was made"))?;
        Ok((main, made.collect()))
    }

    /// Makes one result; the last gives the memory of the pixels back before it is encoded, which takes as much.
    pub(super) fn make(
        &mut self,
        options: &OptimizeOptions,
        last: bool,
    ) -> Result<OptimizedImage, OptimizeError> {
        self.budget.check_time()?;
        let format = options.format.of(self.opaque);
        let codec = codec(format);
        let facts = self.source.file.facts();
        let (width, height) = self.upright.size(facts.width, facts.height);
        let plan = self.plan(width, height, options)?;
        // Planes go as they are where both ends have them.
        let planar =
            (codec.takes_planes)(options) && self.converter.is_none() && plan.canvas.is_none();
        let frame = self.frame(&plan, Taking { planar, last })?;
        self.budget.check_time()?;
        let mut frame = self.finish(frame, &plan, &codec, options);
        self.looks(&mut frame)?;
        if last {
            self.resizer = Resizer::default();
        }
        let exif = self.exif(options);
        // What is not resized has no new colours.
        let resized = !plan.is_identity(width, height);
        let palette = options.palette && self.is_drawing && resized;
        let encoded = options.clone().with_palette(palette);
        let mut data = (codec.encode)(frame, &encoded, exif.as_deref(), self.budget)?;
        self.budget.check_time()?;
        if format == self.source.format
            && plan.is_identity(width, height)
            && self.is_keepable()
            && let Some(kept) = self.source.file.strip(exif.as_deref())
            && kept.len() <= data.len()
            && !self.source.file.has_spare(self.budget)?
        {
            data = kept;
        }
        self.result(data, format, &plan)
    }

    /// A file that was made by this plan, with all that is known of it.
    pub(super) fn result(
        &self,
        data: Vec<u8>,
        format: ImageFormat,
        plan: &Plan,
    ) -> Result<OptimizedImage, OptimizeError> {
        let (width, height) = plan.size();
        let looks = self.looks.clone();
        let Looks { placeholder, dhash } =
            looks.ok_or_else(|| OptimizeError::invalid("nobody looked at the image"))?;
        Ok(OptimizedImage {
            data: data.into(),
            format,
            width,
            height,
            placeholder,
            dhash,
            source: self.source.info(self.damaged),
        })
    }

    /// Takes down how the first of all results looks.
    fn looks(&mut self, frame: &mut Frame) -> Result<(), OptimizeError> {
        if self.looks.is_none() {
            self.looks = Some(Looks::of(frame, &mut self.resizer)?);
        }
        Ok(())
    }

    /// The same for a result that is made after others.
    fn look_at(&mut self, options: &OptimizeOptions) -> Result<(), OptimizeError> {
        let facts = self.source.file.facts();
        let (width, height) = self.upright.size(facts.width, facts.height);
        let plan = self.plan(width, height, options)?;
        let frame = self.frame(&plan, Taking::default())?;
        let mut frame = self.finish(frame, &plan, &codec(ImageFormat::WebP), options);
        self.looks(&mut frame)
    }

    /// The EXIF block of a result.
    pub(super) fn exif(&self, options: &OptimizeOptions) -> Option<Vec<u8>> {
        self.credits.to_tiff().filter(|_| options.keep_copyright)
    }

    /// The whole picture, small, over white.
    fn picture(&mut self, options: &OptimizeOptions) -> Result<Picture, OptimizeError> {
        self.budget.check_time()?;
        let facts = self.source.file.facts();
        let (width, height) = self.upright.size(facts.width, facts.height);
        let plan = Plan::new(width, height, options);
        let frame = self.frame(&plan, Taking::default())?;
        match self.finish(frame, &plan, &codec(ImageFormat::Jpeg), options) {
            Frame::Packed(raster) => Ok(Picture::new(raster)),
            Frame::Ycc420(planes) => Ok(Picture::new(ycbcr::planes_to_rgb(&planes, Matrix::JFIF))),
        }
    }

    /// The plan for one result, with the subject found if it is asked for.
    pub(super) fn plan(
        &mut self,
        width: u32,
        height: u32,
        options: &OptimizeOptions,
    ) -> Result<Plan, OptimizeError> {
        let plan = Plan::new(width, height, options);
        let crop = plan.crop;
        let shares = (
            crop.width / f64::from(width),
            crop.height / f64::from(height),
        );
        if options.gravity != Gravity::Attention || shares == (1.0, 1.0) {
            return Ok(plan);
        }
        let attention = match &self.attention {
            Some(attention) => attention,
            None => {
                let small =
                    OptimizeOptions::default().with_max_size(attention::SIDE, attention::SIDE);
                let frame = self.frame(&Plan::new(width, height, &small), Taking::default())?;
                let Frame::Packed(picture) = frame else {
                    return Ok(plan);
                };
                self.attention.insert(Attention::of(&picture))
            }
        };
        let (x, y) = attention.focus(shares.0, shares.1);
        let options = options.clone().with_gravity(Gravity::Point(x, y));
        Ok(Plan::new(width, height, &options))
    }

    /// Whether the source shows the same without its metadata.
    pub(super) fn is_keepable(&self) -> bool {
        self.keepable && self.converter.is_none() && self.upright.is_identity()
    }

    /// The part of the source that the plan wants, at the plan's size, upright, in sRGB.
    pub(super) fn frame(&mut self, plan: &Plan, taking: Taking) -> Result<Frame, OptimizeError> {
        let upright = self.upright;
        let facts = self.source.file.facts();
        let stored = (facts.width, facts.height);
        let upright_size = upright.size(stored.0, stored.1);
        let crop = plan.stored_crop(upright, upright_size.0, upright_size.1);
        let (width, height) = upright.size(plan.width as usize, plan.height as usize);
        let resizer = &mut self.resizer;
        let mut plane = |component: &mut Component, crop, width, height| {
            resample(component, stored, crop, width, height, resizer, taking.last)
                .map(|raster| turn(raster, upright))
        };
        match &mut self.pixels {
            Pixels::Packed(component) => {
                let raster = plane(component, crop, width, height)?;
                Ok(Frame::Packed(to_srgb(raster, self.converter.as_ref())))
            }
            Pixels::Rgb(components) => {
                let [red, green, blue] = &mut **components;
                let raster = ycbcr::interleave(&[
                    plane(red, crop, width, height)?,
                    plane(green, crop, width, height)?,
                    plane(blue, crop, width, height)?,
                ]);
                Ok(Frame::Packed(to_srgb(raster, self.converter.as_ref())))
            }
            Pixels::Cmyk(components, black, inks) => {
                let [cyan, magenta, yellow] = &mut **components;
                let raster = ycbcr::cmyk(
                    &[
                        plane(cyan, crop, width, height)?,
                        plane(magenta, crop, width, height)?,
                        plane(yellow, crop, width, height)?,
                        plane(black, crop, width, height)?,
                    ],
                    *inks,
                );
                Ok(Frame::Packed(to_srgb(raster, self.converter.as_ref())))
            }
            Pixels::Ycc(components, range, matrix) => {
                let planar = taking.planar && *matrix == Matrix::JFIF;
                let (chroma_crop, chroma_width, chroma_height) = if planar {
                    halved(crop, width, height, upright)
                } else {
                    (crop, width, height)
                };
                let [y, cb, cr] = &mut **components;
                let mut planes = Box::new([
                    plane(y, crop, width, height)?,
                    plane(cb, chroma_crop, chroma_width, chroma_height)?,
                    plane(cr, chroma_crop, chroma_width, chroma_height)?,
                ]);
                if *range == Range::Limited {
                    ycbcr::expand_range(&mut planes);
                }
                if planar {
                    return Ok(Frame::Ycc420(planes));
                }
                Ok(Frame::Packed(to_srgb(
                    ycbcr::planes_to_rgb(&planes, *matrix),
                    self.converter.as_ref(),
                )))
            }
        }
    }

    /// Alpha and canvas as the output format has them.
    pub(super) fn finish(
        &self,
        frame: Frame,
        plan: &Plan,
        codec: &Codec,
        options: &OptimizeOptions,
    ) -> Frame {
        let Frame::Packed(mut raster) = frame else {
            return frame;
        };
        if self.opaque {
            raster = alpha::drop_alpha(raster);
        } else if !codec.has_alpha {
            raster = alpha::flatten(raster, options.background);
        }
        if let Some(canvas) = plan.canvas {
            raster = alpha::on_canvas(raster, canvas, options.background);
        }
        Frame::Packed(raster)
    }
}

/// Whether a picture has so few colours that it is no photograph.
fn has_few_colors(pixels: &Pixels) -> bool {
    const MOST: usize = 4096;
    let Pixels::Packed(component) = pixels else {
        return false;
    };
    let raster = &component.raster;
    // A small photograph has no more colours than pixels.
    let most = MOST.min(raster.width * raster.height / 16).max(256);
    let (mut colors, mut last) = (HashSet::new(), None);
    for row in raster.rows() {
        for pixel in row.chunks_exact(raster.layout.channels()) {
            if last != Some(pixel) && colors.insert(pixel) && colors.len() > most {
                return false;
            }
            last = Some(pixel);
        }
    }
    true
}

fn is_opaque(pixels: &Pixels) -> bool {
    match pixels {
        Pixels::Packed(component) => component.raster.is_opaque(),
        Pixels::Ycc(..) | Pixels::Rgb(_) | Pixels::Cmyk(..) => true,
    }
}

/// The window and size of chroma planes of half the size. They cover an even number of luma pixels, so that
/// at an odd size half a chroma sample lies beyond the right and bottom edges: of the upright picture, that
/// is, which may be the left and top ones of the stored picture.
fn halved(crop: Rect, width: usize, height: usize, upright: Upright) -> (Rect, usize, usize) {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let pixel_width = crop.width / width as f64;
    let pixel_height = crop.height / height as f64;
    let (flip_x, flip_y) = upright.stored_flips();
    let (odd_x, odd_y) = ((width % 2) as f64, (height % 2) as f64);
    let window = Rect {
        left: crop.left - if flip_x { odd_x * pixel_width } else { 0.0 },
        top: crop.top - if flip_y { odd_y * pixel_height } else { 0.0 },
        width: 2.0 * half_width as f64 * pixel_width,
        height: 2.0 * half_height as f64 * pixel_height,
    };
    (window, half_width, half_height)
}

fn turn(raster: Raster, upright: Upright) -> Raster {
    if upright.is_identity() {
        return raster;
    }
    let (width, height) = (raster.width, raster.height);
    let data = match raster.layout.channels() {
        1 => upright.apply::<1>(&raster.data, width, height),
        2 => upright.apply::<2>(&raster.data, width, height),
        3 => upright.apply::<3>(&raster.data, width, height),
        _ => upright.apply::<4>(&raster.data, width, height),
    };
    let (width, height) = upright.size(width, height);
    Raster::new(raster.layout, width, height, data)
}

fn to_srgb(raster: Raster, converter: Option<&Converter>) -> Raster {
    let converted = converter.and_then(|converter| converter.convert(&raster));
    match converted {
        Some(converted) => converted,
        None if raster.layout == Layout::Cmyk => cmyk_to_rgb(&raster),
        None => raster,
    }
}
