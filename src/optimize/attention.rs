//! Where a picture has its subject: a measure of edges, saturation and skin, as libvips' smart crop describes
//! it (<https://www.libvips.org/API/current/method.Image.smartcrop.html>).

use super::alpha::rgba;
use super::raster::Raster;

/// The longer side of the picture that is looked at.
pub(super) const SIDE: u32 = 96;

/// The direction of skin in linear red, green and blue; brightness moves along it.
const SKIN: [f32; 3] = [0.78, 0.57, 0.44];
/// How much counts of what each measure has at most, beside edges.
const SKIN_WEIGHT: f32 = 0.8;
const SATURATION_WEIGHT: f32 = 0.3;

/// How much draws the eye in each column and each row.
pub(super) struct Attention {
    columns: Vec<f32>,
    rows: Vec<f32>,
}

impl Attention {
    /// Looks at a small picture in sRGB.
    pub(super) fn of(picture: &Raster) -> Self {
        let (width, height) = (picture.width, picture.height);
        let pixels = picture.data.chunks_exact(picture.layout.channels());
        let pixels: Vec<[f32; 4]> = pixels
            .map(|pixel| rgba(picture.layout, pixel).map(|value| f32::from(value) / 255.0))
            .collect();
        let lights: Vec<f32> = pixels
            .iter()
            .map(|[red, green, blue, alpha]| alpha * (0.299 * red + 0.587 * green + 0.114 * blue))
            .collect();
        let light = |x: usize, y: usize| lights[y.min(height - 1) * width + x.min(width - 1)];
        let mut attention = Self {
            columns: vec![0.0; width],
            rows: vec![0.0; height],
        };
        for (at, &[red, green, blue, alpha]) in pixels.iter().enumerate() {
            let (x, y) = (at % width, at / width);
            let around = light(x.saturating_sub(1), y)
                + light(x + 1, y)
                + light(x, y.saturating_sub(1))
                + light(x, y + 1);
            let edge = (4.0 * light(x, y) - around).abs().min(1.0);
            let score = edge + alpha * (skin([red, green, blue]) + saturation([red, green, blue]));
            attention.columns[x] += score;
            attention.rows[y] += score;
        }
        attention
    }

    /// The middle of the crop with the most in it, as shares of the picture; `width` and `height` are the
    /// crop's.
    pub(super) fn focus(&self, width: f64, height: f64) -> (f64, f64) {
        (best(&self.columns, width), best(&self.rows, height))
    }
}

/// 0 to [`SKIN_WEIGHT`]: how near a colour comes to that of skin, of any brightness but darkness.
fn skin(color: [f32; 3]) -> f32 {
    let length = color.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !(0.35..1.6).contains(&length) {
        return 0.0;
    }
    let [dr, dg, db] = [0, 1, 2].map(|at| color[at] / length - SKIN[at]);
    let near = 1.0 - (dr * dr + dg * dg + db * db).sqrt();
    // Gray is at 0.76.
    ((near - 0.85) / 0.15).max(0.0) * SKIN_WEIGHT
}

/// 0 to [`SATURATION_WEIGHT`]: how far a colour is from gray. In darkness colours do not count.
fn saturation([red, green, blue]: [f32; 3]) -> f32 {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most < 0.15 {
        return 0.0;
    }
    (most - least) / most * most.min(0.5) * 2.0 * SATURATION_WEIGHT
}

/// The middle of the window, `share` of all, that has the most in it; what is near its middle counts more. Of
/// equals the one nearest to the picture's middle.
fn best(profile: &[f32], share: f64) -> f64 {
    let length = profile.len() as f64;
    let window = (share * length).clamp(1.0, length);
    let middles = (0..=(length - window) as usize).map(|left| left as f64 + window / 2.0);
    let score = |middle: f64| -> f64 {
        let weighted = profile.iter().enumerate().map(|(at, &value)| {
            let distance = (at as f64 + 0.5 - middle) / (window / 2.0);
            f64::from(value) * (1.0 - distance * distance).max(0.0)
        });
        weighted.sum()
    };
    let scored: Vec<(f64, f64)> = middles.map(|middle| (score(middle), middle)).collect();
    let most = scored.iter().map(|&(score, _)| score).fold(0.0, f64::max);
    // Less than a thousandth is no difference.
    let best = scored.iter().filter(|(score, _)| *score >= 0.999 * most);
    let off_middle = |middle: f64| (middle - length / 2.0).abs();
    let nearest = best.min_by(|a, b| off_middle(a.1).total_cmp(&off_middle(b.1)));
    nearest.map_or(0.5, |(_, middle)| middle / length)
}
