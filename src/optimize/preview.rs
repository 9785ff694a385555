//! What a ThumbHash shows, as an image that a page can carry.

use std::f32::consts::PI;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longer side of the image.
const SIDE: f32 = 32.0;

/// How many cosines over the luminance of a hash at most, over its other colours, and over its alpha.
const MOST: (usize, usize) = (7, 5);

/// Returns the preview that a placeholder stands for as a `data:` URL: a PNG of at most 32 pixels a side.
/// `None` for text that is no placeholder.
///
/// ```
/// use lablink_storage::{OptimizeOptions, optimize, placeholder_url};
///
/// let photo = std::fs::read("examples/photo.jpg")?;
/// let image = optimize(&photo, &OptimizeOptions::default())?;
/// let url = placeholder_url(&image.placeholder).expect("a placeholder");
/// assert!(url.starts_with("data:image/png;base64,"));
/// assert_eq!(placeholder_url("no placeholder"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn placeholder_url(placeholder: &str) -> Option<String> {
    let hash = STANDARD.decode(placeholder).ok()?;
    let (width, height, pixels) = decode(&hash)?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(if has_alpha(&hash) {
        png::ColorType::Rgba
    } else {
        png::ColorType::Rgb
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(&file)))
}

/// Returns whether a placeholder is of a picture with transparent parts.
#[cfg(feature = "store")]
pub(crate) fn is_transparent(placeholder: &str) -> bool {
    STANDARD
        .decode(placeholder)
        .is_ok_and(|hash| has_alpha(&hash))
}

fn has_alpha(hash: &[u8]) -> bool {
    hash.get(2).is_some_and(|byte| byte & 0x80 != 0)
}

/// The picture of a hash, as the reference implementation shows it: RGB, or RGBA where it has alpha.
fn decode(hash: &[u8]) -> Option<(usize, usize, Vec<u8>)> {
    let (head, has_alpha) = (hash.get(..5)?, has_alpha(hash));
    let header = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let shape = u32::from(u16::from_le_bytes([head[3], head[4]]));
    let field = |from: u32, at: u32, bits: u32| (from >> at & ((1 << bits) - 1)) as f32;
    let is_landscape = shape >> 15 != 0;
    let (other, longer) = (
        (shape & 7) as usize,
        if has_alpha { MOST.1 } else { MOST.0 },
    );
    let (across, down) = if is_landscape {
        (longer, other)
    } else {
        (other, longer)
    };
    let ratio = across as f32 / down.max(1) as f32;
    if across == 0 || down == 0 {
        return None;
    }
    let mut nibbles = Nibbles {
        bytes: hash.get(if has_alpha { 6 } else { 5 }..)?,
        at: 0,
    };
    let luminance = Waves::read(
        &mut nibbles,
        across.max(3),
        down.max(3),
        field(header, 18, 5) / 31.0,
    )?;
    let yellow = Waves::read(&mut nibbles, 3, 3, field(shape, 3, 6) / 63.0 * 1.25)?;
    let red = Waves::read(&mut nibbles, 3, 3, field(shape, 9, 6) / 63.0 * 1.25)?;
    let means = [
        field(header, 0, 6) / 63.0,
        field(header, 6, 6) / 31.5 - 1.0,
        field(header, 12, 6) / 31.5 - 1.0,
    ];
    let alpha = match hash.get(5).filter(|_| has_alpha) {
        Some(byte) => {
            let waves = Waves::read(&mut nibbles, 5, 5, f32::from(byte >> 4) / 15.0)?;
            Some((f32::from(byte & 15) / 15.0, waves))
        }
        None => None,
    };
    let side = |share: f32| (SIDE * share).round().max(1.0) as usize;
    let (width, height) = (side(ratio.min(1.0)), side((1.0 / ratio).min(1.0)));
    let mut pixels = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let at = |waves: &Waves| {
                waves.at(
                    (x as f32 + 0.5) / width as f32,
                    (y as f32 + 0.5) / height as f32,
                )
            };
            let l = means[0] + at(&luminance);
            let (p, q) = (means[1] + at(&yellow), means[2] + at(&red));
            let blue = l - 2.0 / 3.0 * p;
            let red = (3.0 * l - blue + q) / 2.0;
            let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8;
            pixels.extend([red, red - q, blue].map(byte));
            pixels.extend(alpha.as_ref().map(|(mean, waves)| byte(mean + at(waves))));
        }
    }
    Some((width, height, pixels))
}

struct Nibbles<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Nibbles<'_> {
    fn next(&mut self) -> Option<f32> {
        let byte = self.bytes.get(self.at / 2)?;
        let nibble = byte >> (self.at % 2 * 4) & 15;
        self.at += 1;
        Some(f32::from(nibble) / 7.5 - 1.0)
    }
}

/// The amplitudes of a channel by the frequency across and down, without the mean.
struct Waves(Vec<(f32, f32, f32)>);

impl Waves {
    fn read(nibbles: &mut Nibbles<'_>, across: usize, down: usize, scale: f32) -> Option<Self> {
        let mut waves = Vec::new();
        for y in 0..down {
            let within = (0..across).take_while(|x| x * down < across * (down - y));
            for x in within.filter(|x| x + y > 0) {
                waves.push((x as f32, y as f32, nibbles.next()? * scale));
            }
        }
        Some(Self(waves))
    }

    fn at(&self, across: f32, down: f32) -> f32 {
        let wave = |&(x, y, amplitude): &(f32, f32, f32)| {
            amplitude * 2.0 * (PI * x * across).cos() * (PI * y * down).cos()
        };
        self.0.iter().map(wave).sum()
    }
}
