//! From the coded pictures of a file to the one that it shows.

use heifer_isobmff::boxes::Property;

use crate::optimize::OptimizeError;
use crate::optimize::alpha::divided;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{Decoded, be_u16, be_u32, byte_count};
use crate::optimize::color::ColorTag;
use crate::optimize::geometry::Rect;
use crate::optimize::raster::{Component, Layout, Pixels, Range, Raster};
use crate::optimize::resize::{Resizer, resample};
use crate::optimize::ycbcr::{self, Matrix};

use super::planes::{Canvas, IDENTITY};
use super::{Bitstream, CodePoints, HeifFile, Picture};

pub(super) fn decode(file: &HeifFile<'_>, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
    let (mut canvas, points) = assemble(file, &file.picture, budget)?;
    let alpha = match &file.alpha {
        Some(alpha) => Some(assemble(file, &alpha.picture, budget)?.0),
        None => None,
    };
    let shown = &file.shown;
    let (across, down) = canvas.sampling;
    // A window, or alpha, that does not fit the samples of chroma needs one for every pixel.
    let odd = !(shown.left.is_multiple_of(across) && shown.top.is_multiple_of(down));
    if canvas.planes.len() > 1 && (odd || alpha.is_some()) {
        budget.check_memory(byte_count(canvas.width, canvas.height, 8))?;
        canvas = in_full(canvas)?;
    }
    let size = (canvas.width, canvas.height);
    let window = (shown.left, shown.top);
    canvas.crop(window, shown.width, shown.height);
    let alpha = match alpha {
        Some(mut alpha) => {
            if (alpha.width, alpha.height) != size {
                alpha.planes.truncate(1);
                (alpha.width, alpha.height) = size;
                alpha = in_full(alpha)?;
            }
            alpha.crop(window, shown.width, shown.height);
            alpha.planes.into_iter().next()
        }
        None => None,
    };
    budget.check_time()?;
    let gray = canvas.planes.len() == 1;
    let color = color_tag(file, points, gray);
    let matrix = matrix(points)?;
    let pixels = match <[Component; 3]>::try_from(canvas.components()) {
        Ok(planes) => colors(file, planes, matrix, alpha),
        Err(mut planes) => match (planes.pop(), alpha) {
            (Some(gray), None) => Pixels::Packed(gray),
            (Some(gray), Some(alpha)) => {
                Pixels::Packed(Component::whole(with_alpha(file, &gray.raster, &alpha)))
            }
            (None, _) => return Err(OptimizeError::invalid("a HEIF picture without planes")),
        },
    };
    Ok(Decoded::new(pixels, color, false))
}

/// Decodes the parts of a picture onto a canvas of its size.
fn assemble(
    file: &HeifFile<'_>,
    picture: &Picture,
    budget: &Budget<'_>,
) -> Result<(Canvas, CodePoints), OptimizeError> {
    let (width, height) = picture.tile;
    budget.check_memory(
        byte_count(picture.width, picture.height, 3)
            + byte_count(width, height, 1) * file.coding.bytes_per_pixel,
    )?;
    let stated = file.code_points(picture);
    let mut made: Option<(Canvas, CodePoints)> = None;
    for (index, &tile) in (0..).zip(&picture.tiles) {
        budget.check_time()?;
        let container = &file.container;
        let mut properties = container.properties(tile);
        let hevc = properties.find_map(|property| match property {
            Property::HevcConfig(config) => Some(config),
            _ => None,
        });
        let bitstream = Bitstream {
            data: container.data(tile)?,
            width,
            height,
            hevc,
            operating_point: unknown(file, tile, b"a1op").map_or(0, |point| point[0]),
        };
        let coded = (file.coding.decode)(&bitstream, budget)?;
        budget.check_time()?;
        let size = coded
            .planes
            .first()
            .map_or((0, 0), |luma| (luma.width, luma.height));
        if size.0 < width || size.1 < height {
            return Err(OptimizeError::invalid(
                "a HEIF picture smaller than its size says",
            ));
        }
        let (canvas, points) = made.get_or_insert_with(|| {
            let canvas = Canvas::for_pictures_like(&coded, picture.width, picture.height);
            (canvas, stated.unwrap_or(coded.points))
        });
        let corner = (
            index % picture.columns * width,
            index / picture.columns * height,
        );
        canvas.put(&coded, corner, *points)?;
    }
    made.ok_or_else(|| OptimizeError::invalid("a HEIF picture of no tiles"))
}

/// A property that the container's reader leaves as bytes, unless it is empty.
fn unknown<'a>(file: &'a HeifFile<'_>, item: u32, kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut properties = file.container.properties(item);
    properties.find_map(|property| match property {
        Property::Unknown(found, bytes) if found.0 == *kind && !bytes.is_empty() => {
            Some(bytes.as_slice())
        }
        _ => None,
    })
}

/// The canvas with a sample for every pixel in each plane.
fn in_full(canvas: Canvas) -> Result<Canvas, OptimizeError> {
    let (width, height) = (canvas.width, canvas.height);
    let whole = Rect {
        left: 0.0,
        top: 0.0,
        width: width.into(),
        height: height.into(),
    };
    let mut resizer = Resizer::default();
    let (across, down) = (width as usize, height as usize);
    let planes = canvas.components().into_iter().map(|mut component| {
        resample(
            &mut component,
            (width, height),
            whole,
            across,
            down,
            &mut resizer,
            true,
        )
    });
    Ok(Canvas {
        width,
        height,
        sampling: (1, 1),
        planes: planes.collect::<Result<_, _>>()?,
    })
}

fn colors(
    file: &HeifFile<'_>,
    planes: [Component; 3],
    matrix: Option<Matrix>,
    alpha: Option<Raster>,
) -> Pixels {
    let Some(alpha) = alpha else {
        let [first, second, third] = planes;
        return match matrix {
            Some(matrix) => Pixels::Ycc(Box::new([first, second, third]), Range::Full, matrix),
            None => Pixels::Rgb(Box::new([third, first, second])),
        };
    };
    let planes = planes.map(|component| component.raster);
    let colors = match matrix {
        Some(matrix) => ycbcr::planes_to_rgb(&planes, matrix),
        None => {
            let [green, blue, red] = planes;
            ycbcr::interleave(&[red, green, blue])
        }
    };
    Pixels::Packed(Component::whole(with_alpha(file, &colors, &alpha)))
}

/// Colours, or gray, beside their alpha, and divided by it where they were multiplied.
fn with_alpha(file: &HeifFile<'_>, colors: &Raster, alpha: &Raster) -> Raster {
    let channels = colors.layout.channels();
    let premultiplied = file.alpha.as_ref().is_some_and(|alpha| alpha.premultiplied);
    let mut data = Vec::with_capacity(alpha.data.len() * (channels + 1));
    for (pixel, &alpha) in colors.data.chunks_exact(channels).zip(&alpha.data) {
        data.extend(pixel.iter().map(|&value| match premultiplied {
            true => divided(value, alpha),
            false => value,
        }));
        data.push(alpha);
    }
    let layout = match colors.layout {
        Layout::Gray => Layout::GrayAlpha,
        _ => Layout::Rgba,
    };
    Raster::new(layout, colors.width, colors.height, data)
}

/// A profile comes first, then code points. As in browsers, curves like that of television are sRGB's.
fn color_tag(file: &HeifFile<'_>, points: CodePoints, gray: bool) -> ColorTag {
    if let Some(profile) = file.profile() {
        return ColorTag::of_profile(profile.to_vec(), gray);
    }
    let primaries = match points.primaries {
        2 => 1,
        told => told,
    };
    let transfer = match points.transfer {
        1 | 2 | 6 | 14 | 15 => 13,
        told => told,
    };
    if (primaries, transfer) == (1, 13) {
        return ColorTag::Srgb;
    }
    let tag = ColorTag::from_code_points(primaries, transfer, peak_nits(file));
    tag.unwrap_or(ColorTag::Srgb)
}

/// The brightest light of the picture, or of the screen it was made on, where the file tells.
fn peak_nits(file: &HeifFile<'_>) -> Option<f32> {
    let item = file.picture.item;
    let content = unknown(file, item, b"clli").and_then(|levels| be_u16(levels, 0));
    let content = content.filter(|&level| level > 0).map(f32::from);
    let screen = || {
        let volume = unknown(file, item, b"mdcv")?;
        let most = be_u32(volume, 16).filter(|&light| light > 0)?;
        Some(most as f32 / 10_000.0)
    };
    content.or_else(screen)
}

/// The matrix of Y'CbCr; `None` for green, blue and red (ITU-T H.273, table 4).
fn matrix(points: CodePoints) -> Result<Option<Matrix>, OptimizeError> {
    Ok(Some(match points.matrix {
        IDENTITY => return Ok(None),
        1 => Matrix::of_luma(0.2126, 0.0722),
        4 => Matrix::of_luma(0.30, 0.11),
        7 => Matrix::of_luma(0.212, 0.087),
        8 => Matrix::YCGCO,
        9 => Matrix::of_luma(0.2627, 0.0593),
        2 | 5 | 6 => Matrix::JFIF,
        _ => {
            return Err(OptimizeError::UnsupportedFormat {
                name: "HEIF with a rare matrix of colours",
            });
        }
    }))
}
