//! ThumbHash placeholders: <https://evanw.github.io/thumbhash/>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::OptimizeError;
use super::raster::{Frame, Layout};
use super::resize::{Resizer, shrink};
use super::ycbcr;

/// The longer side of what is hashed. The hash keeps seven frequencies along it: more pixels change nothing.
const SIDE: usize = 48;

/// The placeholder of a result, in base64.
pub(super) fn placeholder(
    frame: &mut Frame,
    resizer: &mut Resizer,
) -> Result<String, OptimizeError> {
    let (width, height) = frame.size();
    let longer = width.max(height);
    let scaled = |side: usize| (side * SIDE.min(longer) / longer).max(1);
    let (small_width, small_height) = (scaled(width), scaled(height));
    let mut small = |raster| shrink(raster, small_width, small_height, resizer);
    let raster = match frame {
        Frame::Packed(raster) => small(raster)?,
        Frame::Ycc420(planes) => {
            let [y, cb, cr] = &mut **planes;
            ycbcr::planes_to_rgb(&[small(y)?, small(cb)?, small(cr)?])
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
