//! AVIF out, through rav1e: 8 bits, chroma of half the size, alpha as a picture of its own.

use std::time::Duration;

use avif_serialize::Aviffy;
use avif_serialize::constants::MatrixCoefficients as Matrix;
use rav1e::prelude::*;

use crate::optimize::budget::Budget;
use crate::optimize::codec::byte_count;
use crate::optimize::raster::{Frame, Layout, Raster};
use crate::optimize::{OptimizeError, OptimizeOptions, alpha, ycbcr};

/// What the encoder holds for each pixel, in bytes, as measured.
const BYTES_PER_PIXEL: usize = 24;

/// Time that is enough for a pixel on any machine and at the usual speeds: no need to measure first.
const AMPLE: Duration = Duration::from_micros(5);

/// The side of a patch that is encoded to see how long the whole will take. Nine of them are, from all over
/// the picture.
const PATCH: usize = 128;

/// AV1's quantizer at qualities of ours, and linear in between: where SSIMULACRA2 lies between that of JPEG and
/// that of WebP, in the mean of photographs at 1200 pixels. The ends are chosen.
const QUANTIZERS: [(f32, f32); 7] = [
    (1.0, 255.0),
    (50.0, 147.0),
    (60.0, 137.0),
    (75.0, 115.0),
    (85.0, 85.0),
    (95.0, 32.0),
    (100.0, 10.0),
];

pub(super) fn encode(
    frame: Frame,
    options: &OptimizeOptions,
    exif: Option<&[u8]>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let (width, height) = frame.size();
    let (planes, transparency) = match frame {
        Frame::Ycc420(planes) => (planes, None),
        Frame::Packed(raster) => split(raster),
    };
    budget.check_memory(byte_count(width as u32, height as u32, BYTES_PER_PIXEL))?;
    let quantizer = quantizer(options.quality);
    let encoder = |quantizer| Encoder {
        quantizer,
        speed: options.speed,
        budget,
    };
    let color = encoder(quantizer).encode(&*planes)?;
    // Edges of a mask show more than those of colours.
    let mask = transparency.map(|mask| encoder(quantizer / 2).encode(&[mask]));
    let mask = mask.transpose()?;
    let mut file = Aviffy::new();
    file.set_matrix_coefficients(Matrix::Bt601)
        .set_full_color_range(true)
        .set_chroma_subsampling((true, true));
    if let Some(exif) = exif {
        file.set_exif(exif.to_vec());
    }
    Ok(file.to_vec(&color, mask.as_deref(), width as u32, height as u32, 8))
}

/// The planes of packed pixels, and their alpha where they have some.
fn split(raster: Raster) -> (Box<[Raster; 3]>, Option<Raster>) {
    let raster = alpha::expand_gray(raster);
    let mask = (raster.layout == Layout::Rgba).then(|| {
        let (pixels, _) = raster.data.as_chunks::<4>();
        let mask = pixels.iter().map(|pixel| pixel[3]).collect();
        Raster::new(Layout::Gray, raster.width, raster.height, mask)
    });
    (ycbcr::planes_of(&alpha::drop_alpha(raster)), mask)
}

fn quantizer(quality: u8) -> usize {
    let quality = f32::from(quality);
    let above = QUANTIZERS.partition_point(|&(known, _)| known < quality);
    let above = above.clamp(1, QUANTIZERS.len() - 1);
    let ((from, first), (to, last)) = (QUANTIZERS[above - 1], QUANTIZERS[above]);
    (first + (last - first) * (quality - from) / (to - from)).round() as usize
}

struct Encoder<'a> {
    quantizer: usize,
    speed: u8,
    budget: &'a Budget<'a>,
}

impl Encoder<'_> {
    /// Encodes three planes, or one alone, if there is time for it: once it has begun it cannot be stopped.
    fn encode(&self, planes: &[Raster]) -> Result<Vec<u8>, OptimizeError> {
        let pixels = planes[0].width * planes[0].height;
        let sample = 9 * PATCH * PATCH;
        let ample = AMPLE.saturating_mul(u32::try_from(pixels).unwrap_or(u32::MAX));
        if pixels > 2 * sample && self.budget.remaining() < ample {
            let before = self.budget.remaining();
            self.run(&patches(planes))?;
            let spent = before.saturating_sub(self.budget.remaining());
            let expected = spent.mul_f64(pixels as f64 / sample as f64);
            self.budget.check_time_for(expected)?;
        }
        self.budget.check_time()?;
        self.run(planes)
    }

    fn run(&self, planes: &[Raster]) -> Result<Vec<u8>, OptimizeError> {
        let failed = || OptimizeError::invalid("the AVIF encoder failed");
        let mut config = EncoderConfig::with_speed_preset(self.speed);
        (config.width, config.height) = (planes[0].width, planes[0].height);
        config.still_picture = true;
        config.bit_depth = 8;
        config.pixel_range = PixelRange::Full;
        config.quantizer = self.quantizer;
        config.chroma_sampling = match planes.len() {
            1 => ChromaSampling::Cs400,
            _ => ChromaSampling::Cs420,
        };
        if planes.len() > 1 {
            config.color_description = Some(ColorDescription {
                color_primaries: ColorPrimaries::BT709,
                transfer_characteristics: TransferCharacteristics::SRGB,
                matrix_coefficients: MatrixCoefficients::BT601,
            });
        }
        // A server's parallelism is many images at once, and a forked process has no threads of a pool.
        let config = Config::new().with_encoder_config(config).with_threads(1);
        let mut context: Context<u8> = config.new_context().map_err(|_| failed())?;
        let mut frame = context.new_frame();
        for (target, plane) in frame.planes.iter_mut().zip(planes) {
            target.copy_from_raw_u8(&plane.data, plane.stride, 1);
        }
        context.send_frame(frame).map_err(|_| failed())?;
        context.flush();
        loop {
            match context.receive_packet() {
                Ok(packet) => return Ok(packet.data),
                Err(EncoderStatus::Encoded) => {}
                Err(_) => return Err(failed()),
            }
        }
    }
}

/// Nine patches of the picture side by side.
fn patches(planes: &[Raster]) -> Vec<Raster> {
    let (width, height) = (planes[0].width, planes[0].height);
    let each = |plane: &Raster| {
        let half = plane.width < width || plane.height < height;
        let side = if half { PATCH / 2 } else { PATCH };
        let corner = |length: usize, at: usize| length.saturating_sub(side) * at / 2;
        let mut data = Vec::with_capacity(9 * side * side);
        for (down, y) in (0..3).flat_map(|down| (0..side).map(move |y| (down, y))) {
            let row = (corner(plane.height, down) + y).min(plane.height - 1);
            for across in 0..3 {
                let from = corner(plane.width, across);
                let columns = (from..from + side).map(|x| x.min(plane.width - 1));
                data.extend(columns.map(|x| plane.data[row * plane.stride + x]));
            }
        }
        Raster::new(Layout::Gray, 3 * side, 3 * side, data)
    };
    planes.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::quantizer;

    #[test]
    fn better_quality_never_has_a_coarser_quantizer() {
        let all: Vec<usize> = (1..=100).map(quantizer).collect();
        assert!(all.is_sorted_by(|one, other| one >= other), "{all:?}");
        assert_eq!((all[0], all[84], all[99]), (255, 85, 10));
    }
}
