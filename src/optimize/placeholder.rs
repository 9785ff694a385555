//! ThumbHash placeholders: <https://evanw.github.io/thumbhash/>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fast_image_resize::Resizer;

use super::OptimizeError;
use super::geometry::Rect;
use super::raster::{Component, Frame, Layout, Raster};
use super::resize::resample;
use super::ycbcr;

/// The longer side of what is hashed. The hash keeps seven frequencies along it: more pixels change nothing.
const SIDE: usize = 48;

/// The placeholder of a result, in base64.
pub(super) fn placeholder(frame: &Frame, resizer: &mut Resizer) -> Result<String, OptimizeError> {
    let (width, height) = frame.size();
    let longer = width.max(height);
    let shrink = |side: usize| (side * SIDE.min(longer) / longer).max(1);
    let (small_width, small_height) = (shrink(width), shrink(height));
    let whole = Rect {
        left: 0.0,
        top: 0.0,
        width: width as f64,
        height: height as f64,
    };
    let picture = (width as u32, height as u32);
    let mut small = |raster: &Raster, extent: (f64, f64)| {
        let component = Component {
            raster: raster.clone(),
            extent,
        };
        resample(
            &component,
            picture,
            whole,
            small_width,
            small_height,
            resizer,
        )
    };
    let raster = match frame {
        Frame::Packed(raster) => small(raster, (width as f64, height as f64))?,
        Frame::Ycc420(planes) => {
            let [y, cb, cr] = &**planes;
            let half = (width as f64 / 2.0, height as f64 / 2.0);
            ycbcr::planes_to_rgb(&[
                small(y, (width as f64, height as f64))?,
                small(cb, half)?,
                small(cr, half)?,
            ])
        }
    };
    let channels = raster.layout.channels();
    let rgba: Vec<u8> = raster
        .data
        .chunks_exact(channels)
        .flat_map(|pixel| match (raster.layout, pixel) {
            (Layout::Gray, &[gray]) => [gray, gray, gray, 255],
            (Layout::GrayAlpha, &[gray, alpha]) => [gray, gray, gray, alpha],
            (_, &[red, green, blue]) => [red, green, blue, 255],
            (_, &[red, green, blue, alpha]) => [red, green, blue, alpha],
            _ => [0; 4],
        })
        .collect();
    Ok(STANDARD.encode(thumbhash::rgba_to_thumb_hash(
        small_width,
        small_height,
        &rgba,
    )))
}
