//! ThumbHash placeholders: <https://evanw.github.io/thumbhash/>.

use std::f32::consts::PI;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::OptimizeError;
use super::alpha::rgba;
use super::dhash::dhash;
use super::raster::Frame;
use super::resize::{Resizer, shrink};
use super::ycbcr;

/// The longer side of what is hashed. The hash keeps seven frequencies along it: more pixels change nothing.
const SIDE: usize = 48;

/// How a result looks: a blurred preview, and a hash that pictures like it share.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    /// In base64.
    pub(super) placeholder: String,
    /// In hexadecimal.
    pub(super) dhash: String,
}

impl Looks {
    pub(super) fn of(frame: &mut Frame, resizer: &mut Resizer) -> Result<Self, OptimizeError> {
        let (width, height) = frame.size();
        let longer = width.max(height);
        let scaled = |side: usize| (side * SIDE.min(longer) / longer).max(1);
        let (small_width, small_height) = (scaled(width), scaled(height));
        let mut small = |raster| shrink(raster, small_width, small_height, resizer);
        let raster = match frame {
            Frame::Packed(raster) => small(raster)?,
            Frame::Ycc420(planes) => {
                let [y, cb, cr] = &mut **planes;
                ycbcr::planes_to_rgb(&[small(y)?, small(cb)?, small(cr)?], ycbcr::Matrix::JFIF)
            }
        };
        let pixels = raster.data.chunks_exact(raster.layout.channels());
        let pixels: Vec<[u8; 4]> = pixels.map(|pixel| rgba(raster.layout, pixel)).collect();
        Ok(Self {
            placeholder: STANDARD.encode(hash(small_width, small_height, &pixels)),
            dhash: dhash(small_width, small_height, &pixels),
        })
    }
}

/// The bytes of the hash, as the reference implementation has them.
fn hash(width: usize, height: usize, pixels: &[[u8; 4]]) -> Vec<u8> {
    let [alpha_sum, sums @ ..] = pixels.iter().fold([0; 4], |sums, pixel| {
        let [red, green, blue, alpha] = pixel.map(u64::from);
        let [alphas, reds, greens, blues] = sums;
        [
            alphas + alpha,
            reds + alpha * red,
            greens + alpha * green,
            blues + alpha * blue,
        ]
    });
    let average = sums.map(|sum| sum as f32 / (255 * alpha_sum).max(1) as f32);
    let has_alpha = pixels.iter().any(|pixel| pixel[3] < 255);

    // Luminance, yellow against blue, red against green, over the average colour; and alpha.
    let mut channels = [const { Vec::new() }; 4];
    for pixel in pixels {
        let [red, green, blue, alpha] = pixel.map(|value| f32::from(value) / 255.0);
        let over = |value, behind| behind * (1.0 - alpha) + alpha * value;
        let [r, g, b] = [
            over(red, average[0]),
            over(green, average[1]),
            over(blue, average[2]),
        ];
        let values = [(r + g + b) / 3.0, (r + g) / 2.0 - b, r - g, alpha];
        for (channel, value) in channels.iter_mut().zip(values) {
            channel.push(value);
        }
    }
    let [luminance, yellow, red, alpha] = &channels;
    let most = if has_alpha { 5.0 } else { 7.0 };
    let longer = width.max(height) as f32;
    let frequencies = |side: usize| ((most * side as f32 / longer).round() as usize).max(1);
    let (across, down) = (frequencies(width), frequencies(height));
    let (along, downwards) = (cosines(across.max(5), width), cosines(down.max(5), height));
    let waves =
        |channel: &[f32], x: usize, y: usize| Waves::of(channel, &along[..x], &downwards[..y]);
    let luminance = waves(luminance, across.max(3), down.max(3));
    let (yellow, red) = (waves(yellow, 3, 3), waves(red, 3, 3));
    let alpha = has_alpha.then(|| waves(alpha, 5, 5));

    let is_landscape = width > height;
    let scaled = |value: f32, most: f32| (most * value).round() as u32;
    let header = scaled(luminance.mean, 63.0)
        | ((31.5 + 31.5 * yellow.mean).round() as u32 * (1 << 6))
        | ((31.5 + 31.5 * red.mean).round() as u32 * (1 << 12))
        | (scaled(luminance.scale, 31.0) << 18)
        | (u32::from(has_alpha) << 23);
    let shape = (if is_landscape { down } else { across }) as u32
        | (scaled(yellow.scale, 63.0) << 3)
        | (scaled(red.scale, 63.0) << 9)
        | (u32::from(is_landscape) << 15);
    let mut bytes = header.to_le_bytes()[..3].to_vec();
    bytes.extend_from_slice(&shape.to_le_bytes()[..2]);
    if let Some(alpha) = &alpha {
        bytes.push((scaled(alpha.mean, 15.0) | (scaled(alpha.scale, 15.0) << 4)) as u8);
    }
    let all = [Some(&luminance), Some(&yellow), Some(&red), alpha.as_ref()];
    let nibbles = all.into_iter().flatten().flat_map(Waves::nibbles);
    let nibbles: Vec<u8> = nibbles.collect();
    bytes.extend(nibbles.chunks(2).map(|pair| match *pair {
        [low, high] => low | high << 4,
        _ => pair[0],
    }));
    bytes
}

/// The lowest frequencies of a channel (a cosine transform, those within a triangle).
struct Waves {
    mean: f32,
    scale: f32,
    others: Vec<f32>,
}

impl Waves {
    /// The frequencies of these waves: first down the columns, all of them at once, then along the row of sums.
    fn of(channel: &[f32], along: &[Vec<f32>], downwards: &[Vec<f32>]) -> Self {
        let (across, down) = (along.len(), downwards.len());
        let width = along.first().map_or(1, Vec::len);
        let mut values = Vec::new();
        for (y, wave) in downwards.iter().enumerate() {
            let mut sums = vec![0.0; width];
            for (row, weight) in channel.chunks_exact(width).zip(wave) {
                for (sum, sample) in sums.iter_mut().zip(row) {
                    *sum += sample * weight;
                }
            }
            let within = along.iter().enumerate();
            let within = within.take_while(|(x, _)| x * down < across * (down - y));
            values.extend(within.map(|(_, wave)| dot(&sums, wave) / channel.len() as f32));
        }
        let mean = values.remove(0);
        let scale = values
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()));
        Self {
            mean,
            scale,
            others: values,
        }
    }

    fn nibbles(&self) -> impl Iterator<Item = u8> {
        self.others.iter().map(|value| {
            let share = if self.scale > 0.0 {
                0.5 + 0.5 / self.scale * value
            } else {
                *value
            };
            (15.0 * share).round() as u8
        })
    }
}

/// The first `count` waves over `length` samples.
fn cosines(count: usize, length: usize) -> Vec<Vec<f32>> {
    let wave = |frequency: usize| {
        let step = PI / length as f32 * frequency as f32;
        (0..length)
            .map(|at| (step * (at as f32 + 0.5)).cos())
            .collect()
    };
    (0..count).map(wave).collect()
}

fn dot(samples: &[f32], wave: &[f32]) -> f32 {
    samples
        .iter()
        .zip(wave)
        .map(|(sample, wave)| sample * wave)
        .sum()
}
