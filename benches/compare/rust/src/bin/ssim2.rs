//! SSIMULACRA2 of raw pictures: one JSON request a line in, one score a line out.
//!
//! A request is `{"reference", "distorted", "width", "height"}`: the reference a file of three planes of
//! f32 (sRGB-coded, 0 to 1, native byte order), the distorted picture one of interleaved 8-bit sRGB.

use std::io::{BufRead, Write};

use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match score(&request) {
            Ok(score) => json!({ "score": score }),
            Err(e) => json!({ "error": e.to_string() }),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn score(request: &Value) -> Result<f64, Failure> {
    let text = |name: &str| request[name].as_str().ok_or_else(|| format!("no {name}"));
    let side = |name: &str| request[name].as_u64().ok_or_else(|| format!("no {name}"));
    let (width, height) = (side("width")? as usize, side("height")? as usize);
    let planes = std::fs::read(text("reference")?)?;
    if planes.len() != width * height * 12 {
        return Err("the reference has another size".into());
    }
    let plane = width * height * 4;
    // Interleaved and in linear light.
    let mut linear = Vec::with_capacity(planes.len());
    for at in (0..plane).step_by(4) {
        for channel in 0..3 {
            let from = channel * plane + at;
            let coded = f32::from_ne_bytes(planes[from..from + 4].try_into()?);
            linear.extend_from_slice(&to_linear(coded.clamp(0.0, 1.0)).to_ne_bytes());
        }
    }
    let (w, h) = (width as u32, height as u32);
    let reference = PixelSlice::new(&linear, w, h, width * 12, PixelDescriptor::RGBF32_LINEAR)?;
    let distorted = std::fs::read(text("distorted")?)?;
    let distorted = PixelSlice::new(&distorted, w, h, width * 3, PixelDescriptor::RGB8_SRGB)?;
    Ok(Ssimulacra2Reference::new(&reference)?.compare(&distorted)?)
}

/// The sRGB transfer function, IEC 61966-2-1.
fn to_linear(coded: f32) -> f32 {
    if coded <= 0.04045 {
        coded / 12.92
    } else {
        ((coded + 0.055) / 1.055).powf(2.4)
    }
}
