//! The way of one image: open, decode once, then for every result resize, turn, convert, encode.

use crate::format::ImageFormat;

use super::attention::Attention;
use super::budget::Budget;
use super::codec::{Codec, Decoded, Wanted, codec};
use super::color::{Converter, cmyk_to_rgb};
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
    Gravity, OptimizeError, OptimizeOptions, OptimizedImage, OutputFormat, alpha, attention, ycbcr,
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
    let mut job = Job {
        opaque: is_opaque(&pixels),
        converter: Converter::new(&color, layout),
        credits: facts.exif.as_deref().map(Credits::read).unwrap_or_default(),
        resizer: Resizer::default(),
        attention: None,
        looks: None,
        budget: &budget,
        keepable: !(decoded.truncated || decoded.spare || decoded.damaged > 0.0),
        damaged: decoded.damaged,
        source,
        pixels,
        upright,
    };
    let main = job.make(options)?;
    let variants = variants
        .iter()
        .map(|options| job.make(options))
        .collect::<Result<_, _>>()?;
    let picture = picture.map(|options| job.picture(&options)).transpose()?;
    Ok((main, variants, picture))
}

/// A decoded source, and what every result of it needs.
struct Job<'a> {
    source: Source<'a>,
    pixels: Pixels,
    upright: Upright,
    opaque: bool,
    /// Whether decoding found nothing that keeps the source from being stored as it is.
    keepable: bool,
    damaged: f64,
    /// To sRGB, where the pixels are not.
    converter: Option<Converter>,
    credits: Credits,
    resizer: Resizer,
    /// Of the first result, for all of them.
    looks: Option<Looks>,
    /// Found for the first result that asks for it.
    attention: Option<Attention>,
    budget: &'a Budget<'a>,
}

impl Job<'_> {
    fn make(&mut self, options: &OptimizeOptions) -> Result<OptimizedImage, OptimizeError> {
        self.budget.check_time()?;
        let format = options.format.of(self.opaque);
        let codec = codec(format);
        let facts = self.source.file.facts();
        let (width, height) = self.upright.size(facts.width, facts.height);
        let plan = self.plan(width, height, options)?;
        // Planes go as they are where both ends have them.
        let planar =
            (codec.takes_planes)(options) && self.converter.is_none() && plan.canvas.is_none();
        let frame = self.frame(&plan, planar)?;
        self.budget.check_time()?;
        let mut frame = self.finish(frame, &plan, &codec, options);
        let Looks { placeholder, dhash } = match &self.looks {
            Some(made) => made.clone(),
            None => {
                let made = Looks::of(&mut frame, &mut self.resizer)?;
                self.looks.insert(made).clone()
            }
        };

        let exif = if options.keep_copyright {
            self.credits.to_tiff()
        } else {
            None
        };
        let mut data = (codec.encode)(frame, options, exif.as_deref(), self.budget)?;
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
        let (width, height) = plan.size();
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

    /// The whole picture, small, over white.
    fn picture(&mut self, options: &OptimizeOptions) -> Result<Picture, OptimizeError> {
        self.budget.check_time()?;
        let facts = self.source.file.facts();
        let (width, height) = self.upright.size(facts.width, facts.height);
        let plan = Plan::new(width, height, options);
        let frame = self.frame(&plan, false)?;
        match self.finish(frame, &plan, &codec(ImageFormat::Jpeg), options) {
            Frame::Packed(raster) => Ok(Picture::new(raster)),
            Frame::Ycc420(planes) => Ok(Picture::new(ycbcr::planes_to_rgb(&planes, Matrix::JFIF))),
        }
    }

    /// The plan for one result, with the subject found if it is asked for.
    fn plan(
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
                let frame = self.frame(&Plan::new(width, height, &small), false)?;
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
    fn is_keepable(&self) -> bool {
        self.keepable && self.converter.is_none() && self.upright.is_identity()
    }

    /// The part of the source that the plan wants, at the plan's size, upright, in sRGB.
    fn frame(&mut self, plan: &Plan, planar: bool) -> Result<Frame, OptimizeError> {
        let upright = self.upright;
        let facts = self.source.file.facts();
        let stored = (facts.width, facts.height);
        let upright_size = upright.size(stored.0, stored.1);
        let crop = plan.stored_crop(upright, upright_size.0, upright_size.1);
        let (width, height) = upright.size(plan.width as usize, plan.height as usize);
        let resizer = &mut self.resizer;
        let mut plane = |component: &mut Component, crop, width, height| {
            resample(component, stored, crop, width, height, resizer)
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
                let planar = planar && *matrix == Matrix::JFIF;
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
    fn finish(&self, frame: Frame, plan: &Plan, codec: &Codec, options: &OptimizeOptions) -> Frame {
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
