//! JPEG with mozjpeg's quantisation tables and Huffman codes made for the image.

use super::super::jpeg::encode::{EncodeOptions, Picture, Samples, encode as encode_picture};
use super::super::raster::{Frame, Layout, Raster};
use super::super::ycbcr;
use super::super::{OptimizeError, OptimizeOptions};

pub(super) fn encode(
    frame: &Frame,
    options: &OptimizeOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, OptimizeError> {
    let converted;
    let frame = match frame {
        Frame::Packed(raster) if raster.layout == Layout::Rgb => {
            converted = ycbcr::from_rgb(raster);
            &converted
        }
        frame => frame,
    };
    let picture = match frame {
        Frame::Ycc420(planes) => Picture::YCbCr420(planes.each_ref().map(samples)),
        Frame::Packed(raster) => Picture::Gray(samples(raster)),
    };
    let exif: Option<Vec<u8>> = exif.map(|tiff| [&b"Exif\0\0"[..], tiff].concat());
    let segments: Vec<(u8, &[u8])> = exif.iter().map(|body| (1, &body[..])).collect();
    let mut settings = EncodeOptions::new(options.quality);
    settings.segments = &segments;
    let run = |settings: &EncodeOptions<'_>| {
        encode_picture(&picture, settings)
            .map_err(|error| OptimizeError::invalid(format!("not encodable as JPEG: {error}")))
    };
    let baseline = run(&settings)?;
    if !options.progressive {
        return Ok(baseline);
    }
    settings.progressive = true;
    let progressive = run(&settings)?;
    Ok(if progressive.len() < baseline.len() {
        progressive
    } else {
        baseline
    })
}

fn samples(raster: &Raster) -> Samples<'_> {
    Samples {
        width: raster.width,
        height: raster.height,
        stride: raster.stride,
        data: &raster.data,
    }
}
