//! JPEG with mozjpeg's quantisation tables and optimized Huffman codes.

use jpeg_encoder::{
    Encoder, EncodingError, ImageBuffer, JpegColorType, QuantizationTableType, SamplingFactor,
};

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
    let baseline = run(frame, options.quality, false, exif)?;
    if !options.progressive {
        return Ok(baseline);
    }
    let progressive = run(frame, options.quality, true, exif)?;
    Ok(if progressive.len() < baseline.len() {
        progressive
    } else {
        baseline
    })
}

fn run(
    frame: &Frame,
    quality: u8,
    progressive: bool,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, OptimizeError> {
    let failed =
        |error: EncodingError| OptimizeError::invalid(format!("not encodable as JPEG: {error}"));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_quantization_tables(
        QuantizationTableType::ImageMagick,
        QuantizationTableType::ImageMagick,
    );
    encoder.set_optimized_huffman_tables(true);
    encoder.set_progressive(progressive);
    if let Some(tiff) = exif {
        let segment: Vec<u8> = [&b"Exif\0\0"[..], tiff].concat();
        encoder.add_app_segment(1, segment).map_err(failed)?;
    }
    match frame {
        Frame::Ycc420(planes) => {
            encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
            encoder.encode_image(Planes(planes)).map_err(failed)?;
        }
        Frame::Packed(raster) => encoder.encode_image(Gray(raster)).map_err(failed)?,
    }
    Ok(bytes)
}

struct Planes<'a>(&'a [Raster; 3]);

impl ImageBuffer for Planes<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.0[0].width as u16
    }

    fn height(&self) -> u16 {
        self.0[0].height as u16
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let [luma, cb, cr] = self.0;
        let width = luma.width;
        let y = usize::from(y);
        buffers[0].extend_from_slice(&luma.data[y * width..(y + 1) * width]);
        for (plane, buffer) in [cb, cr].into_iter().zip(&mut buffers[1..]) {
            let row = &plane.data[y / 2 * plane.width..(y / 2 + 1) * plane.width];
            buffer.extend(row.iter().flat_map(|&value| [value; 2]).take(width));
        }
    }
}

struct Gray<'a>(&'a Raster);

impl ImageBuffer for Gray<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Luma
    }

    fn width(&self) -> u16 {
        self.0.width as u16
    }

    fn height(&self) -> u16 {
        self.0.height as u16
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (y, width) = (usize::from(y), self.0.width);
        buffers[0].extend_from_slice(&self.0.data[y * width..(y + 1) * width]);
    }
}
