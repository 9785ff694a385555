//! How a picture of one size becomes one of another: what is cut out, how large it gets, where on a canvas
//! it stands.

use super::orientation::Upright;
use super::{Fit, Gravity, OptimizeOptions};

/// A rectangle in pixels; its edges may fall within pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What becomes of an upright picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    /// The part of the upright source that is used.
    pub(super) crop: Rect,
    /// Its size in the result.
    pub(super) width: u32,
    pub(super) height: u32,
    /// The size of the result, and where the picture stands on it, if that is not the picture itself.
    pub(super) canvas: Option<Canvas>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) left: u32,
    pub(super) top: u32,
}

impl Plan {
    /// The plan for an upright source of `width` x `height` pixels.
    pub(super) fn new(width: u32, height: u32, options: &OptimizeOptions) -> Self {
        let whole = Rect {
            left: 0.0,
            top: 0.0,
            width: width.into(),
            height: height.into(),
        };
        let (box_width, box_height) = (options.max_width, options.max_height);
        match options.fit {
            Fit::Inside => {
                let (width, height) = inside(width, height, box_width, box_height);
                Self {
                    crop: whole,
                    width,
                    height,
                    canvas: None,
                }
            }
            Fit::Contain => {
                let (width, height) = inside(width, height, box_width, box_height);
                let canvas = (width, height) != (box_width, box_height);
                Self {
                    crop: whole,
                    width,
                    height,
                    canvas: canvas.then_some(Canvas {
                        width: box_width,
                        height: box_height,
                        left: (box_width - width) / 2,
                        top: (box_height - height) / 2,
                    }),
                }
            }
            Fit::Cover => cover(width, height, options),
        }
    }

    /// The size of the result.
    pub(super) fn size(&self) -> (u32, u32) {
        self.canvas.map_or((self.width, self.height), |canvas| {
            (canvas.width, canvas.height)
        })
    }

    /// Whether an upright source of this size is the result as it stands.
    pub(super) fn is_identity(&self, width: u32, height: u32) -> bool {
        self.canvas.is_none()
            && (self.width, self.height) == (width, height)
            && (self.crop.width, self.crop.height) == (f64::from(width), f64::from(height))
    }

    /// Source pixels per pixel of the result, the finer axis.
    pub(super) fn reduction(&self) -> f64 {
        (self.crop.width / f64::from(self.width)).min(self.crop.height / f64::from(self.height))
    }

    /// The crop in the stored picture, whose upright size is `width` x `height`.
    pub(super) fn stored_crop(&self, upright: Upright, width: u32, height: u32) -> Rect {
        let Rect {
            mut left,
            mut top,
            width: crop_width,
            height: crop_height,
        } = self.crop;
        if upright.flip_x {
            left = f64::from(width) - left - crop_width;
        }
        if upright.flip_y {
            top = f64::from(height) - top - crop_height;
        }
        let (left, top) = upright.size(left, top);
        let (width, height) = upright.size(crop_width, crop_height);
        Rect {
            left,
            top,
            width,
            height,
        }
    }
}

/// The largest size of the same shape that fits the box, the shorter side rounded to nearest and at least
/// 1; never larger than the source.
fn inside(width: u32, height: u32, box_width: u32, box_height: u32) -> (u32, u32) {
    if width <= box_width && height <= box_height {
        return (width, height);
    }
    let (w, h) = (u64::from(width), u64::from(height));
    let (bw, bh) = (u64::from(box_width), u64::from(box_height));
    if w * bh >= h * bw {
        (box_width, scaled(h, bw, w, box_height))
    } else {
        (scaled(w, bh, h, box_width), box_height)
    }
}

/// `side * to / from`, rounded to nearest, 1 to `limit`.
fn scaled(side: u64, to: u64, from: u64, limit: u32) -> u32 {
    let rounded = (2 * side * to + from) / (2 * from);
    u32::try_from(rounded).unwrap_or(limit).clamp(1, limit)
}

fn cover(width: u32, height: u32, options: &OptimizeOptions) -> Plan {
    let (w, h) = (f64::from(width), f64::from(height));
    let (bw, bh) = (f64::from(options.max_width), f64::from(options.max_height));
    let enlargement = (w / bw).min(h / bh);
    let (mut crop_width, mut crop_height) = ((bw * enlargement).min(w), (bh * enlargement).min(h));
    let (mut out_width, mut out_height) = (options.max_width, options.max_height);
    if enlargement < 1.0 {
        // The picture is smaller than the box: only its shape becomes the box's, pixel by pixel.
        crop_width = crop_width.round().max(1.0);
        crop_height = crop_height.round().max(1.0);
        (out_width, out_height) = (crop_width as u32, crop_height as u32);
    }
    let (x, y) = position(options.gravity, (crop_width / w, crop_height / h));
    let (mut left, mut top) = ((w - crop_width) * x, (h - crop_height) * y);
    if enlargement < 1.0 {
        (left, top) = (left.floor(), top.floor());
    }
    Plan {
        crop: Rect {
            left,
            top,
            width: crop_width,
            height: crop_height,
        },
        width: out_width,
        height: out_height,
        canvas: None,
    }
}

/// Where the slack goes: the share of it that is cut off on the left and at the top, for a crop that has these
/// shares of the width and the height.
fn position(gravity: Gravity, (width, height): (f64, f64)) -> (f64, f64) {
    let around = |middle: f64, share: f64| match 1.0 - share {
        slack if slack > 0.0 => ((middle - share / 2.0) / slack).clamp(0.0, 1.0),
        _ => 0.5,
    };
    match gravity {
        // Where the subject is, is for whoever has the pixels to find.
        Gravity::Center | Gravity::Attention => (0.5, 0.5),
        Gravity::North => (0.5, 0.0),
        Gravity::NorthEast => (1.0, 0.0),
        Gravity::East => (1.0, 0.5),
        Gravity::SouthEast => (1.0, 1.0),
        Gravity::South => (0.5, 1.0),
        Gravity::SouthWest => (0.0, 1.0),
        Gravity::West => (0.0, 0.5),
        Gravity::NorthWest => (0.0, 0.0),
        Gravity::Point(x, y) => (around(x, width), around(y, height)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(width: u32, height: u32, fit: Fit) -> Plan {
        let options = OptimizeOptions::default()
            .with_max_size(1200, 800)
            .with_fit(fit);
        Plan::new(width, height, &options)
    }

    #[test]
    fn inside_keeps_the_shape_and_never_enlarges() {
        assert_eq!(plan(2400, 1200, Fit::Inside).size(), (1200, 600));
        assert_eq!(plan(1000, 4000, Fit::Inside).size(), (200, 800));
        assert_eq!(plan(300, 200, Fit::Inside).size(), (300, 200));
        // 1201 x 3 would be 2.9975 high; 16384 x 1 must not vanish.
        assert_eq!(plan(1201, 3, Fit::Inside).size(), (1200, 3));
        assert_eq!(plan(16384, 1, Fit::Inside).size(), (1200, 1));
        assert!(plan(1200, 800, Fit::Inside).is_identity(1200, 800));
    }

    #[test]
    fn contain_centres_on_a_canvas_of_the_box() {
        let plan = plan(2400, 1200, Fit::Contain);
        assert_eq!((plan.width, plan.height), (1200, 600));
        let canvas = plan.canvas.expect("a canvas");
        assert_eq!((canvas.width, canvas.height), (1200, 800));
        assert_eq!((canvas.left, canvas.top), (0, 100));
    }

    #[test]
    fn cover_crops_to_the_shape_of_the_box() {
        let wide = plan(4800, 1600, Fit::Cover);
        assert_eq!(wide.size(), (1200, 800));
        assert_eq!((wide.crop.left, wide.crop.width), (1200.0, 2400.0));
        // Smaller than the box: 600 x 900 keeps its pixels and takes the box's 3:2.
        let small = plan(600, 900, Fit::Cover);
        assert_eq!(small.size(), (600, 400));
        assert_eq!((small.crop.top, small.crop.height), (250.0, 400.0));
    }

    #[test]
    fn a_crop_follows_the_orientation_back_to_the_stored_picture() {
        let options = OptimizeOptions::default()
            .with_max_size(10, 10)
            .with_fit(Fit::Cover)
            .with_gravity(Gravity::North);
        // Stored 60 x 20, turned by 90 degrees clockwise: upright 20 x 60. The upright top is the stored
        // left edge.
        let plan = Plan::new(20, 60, &options);
        let upright = Upright::from_exif(6);
        let crop = plan.stored_crop(upright, 20, 60);
        assert_eq!(
            (crop.left, crop.top, crop.width, crop.height),
            (0.0, 0.0, 20.0, 20.0)
        );
        let upright = Upright::from_exif(8);
        let crop = plan.stored_crop(upright, 20, 60);
        assert_eq!((crop.left, crop.top), (40.0, 0.0));
    }
}
