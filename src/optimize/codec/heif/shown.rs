//! The part of a coded picture that is shown, and how it is turned: the properties `clap`, `irot` and `imir`
//! (ISO/IEC 23008-12, section 6.5).

use heifer_isobmff::boxes::Property;

use crate::optimize::orientation::Upright;

/// A window in the coded picture, and how to turn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    upright: Upright,
}

impl Shown {
    /// The picture of this size with its properties, which apply in their order.
    pub(super) fn of<'a>(
        (width, height): (u32, u32),
        properties: impl Iterator<Item = &'a Property>,
    ) -> Self {
        let mut shown = Self {
            left: 0,
            top: 0,
            width,
            height,
            upright: Upright::default(),
        };
        for property in properties {
            match *property {
                Property::Rotation(quarters) => (0..quarters).for_each(|_| shown.turn()),
                // Top and bottom change places, or left and right do.
                Property::Mirror(true) => shown.upright.flip_y ^= true,
                Property::Mirror(false) => shown.upright.flip_x ^= true,
                Property::CleanAperture {
                    width,
                    height,
                    horiz_offset,
                    vert_offset,
                } => shown.crop((width, horiz_offset), (height, vert_offset)),
                _ => {}
            }
        }
        shown
    }

    /// The EXIF orientation that stands for the turns, 1 to 8.
    pub(super) fn orientation(&self) -> u8 {
        let mut codes = 1..=8;
        let code = codes.find(|&code| Upright::from_exif(code) == self.upright);
        code.unwrap_or(1)
    }

    /// Turns by a quarter to the left: rows become columns, and what was right is on top.
    fn turn(&mut self) {
        let Upright {
            transpose,
            flip_x,
            flip_y,
        } = self.upright;
        self.upright = Upright {
            transpose: !transpose,
            flip_x: flip_y,
            flip_y: !flip_x,
        };
    }

    /// Keeps a window of the picture as it is turned so far. One that is not within it has no effect, as in
    /// browsers.
    fn crop(&mut self, across: Aperture, down: Aperture) {
        let (width, height) = self.upright.size(self.width, self.height);
        let window = span(width, across).zip(span(height, down));
        let Some(((left, across), (top, down))) = window else {
            return;
        };
        let left = if self.upright.flip_x {
            width - left - across
        } else {
            left
        };
        let top = if self.upright.flip_y {
            height - top - down
        } else {
            top
        };
        let (left, top) = self.upright.size(left, top);
        let (across, down) = self.upright.size(across, down);
        self.left += left;
        self.top += top;
        (self.width, self.height) = (across, down);
    }
}

/// How long, and how far the middle is from that of the picture; each as a fraction.
type Aperture = ((u32, u32), (i32, u32));

/// Where an aperture begins and how long it is (ISO/IEC 14496-12, section 12.1.4).
fn span(whole: u32, (length, offset): Aperture) -> Option<(u32, u32)> {
    if length.1 == 0 || offset.1 == 0 {
        return None;
    }
    let length = (f64::from(length.0) / f64::from(length.1)).round();
    let middle = f64::from(offset.0) / f64::from(offset.1) + f64::from(whole) / 2.0;
    let begin = (middle - length / 2.0).round();
    let fits = length >= 1.0 && begin >= 0.0 && begin + length <= f64::from(whole);
    fits.then_some((begin as u32, length as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aperture(width: u32, height: u32, right: i32, down: i32) -> Property {
        Property::CleanAperture {
            width: (width, 1),
            height: (height, 1),
            horiz_offset: (right, 1),
            vert_offset: (down, 1),
        }
    }

    fn window(shown: Shown) -> (u32, u32, u32, u32) {
        (shown.left, shown.top, shown.width, shown.height)
    }

    /// EXIF 8 is to be turned to the left, 6 to the right (TIFF 6.0, tag 274).
    #[test]
    fn turns_and_mirrors_are_orientations() {
        let orientation =
            |properties: &[Property]| Shown::of((4, 2), properties.iter()).orientation();
        let turned = |quarters| orientation(&[Property::Rotation(quarters)]);
        assert_eq!([0, 1, 2, 3].map(turned), [1, 8, 3, 6]);
        assert_eq!(orientation(&[Property::Mirror(false)]), 2);
        assert_eq!(orientation(&[Property::Mirror(true)]), 4);
        // First turned to the left, then left and right exchanged: rows become columns.
        let mirrored =
            |exchanged| orientation(&[Property::Rotation(1), Property::Mirror(exchanged)]);
        assert_eq!((mirrored(false), mirrored(true)), (7, 5));
    }

    #[test]
    fn a_window_is_found_in_the_coded_picture() {
        let of = |properties: &[Property]| window(Shown::of((100, 60), properties.iter()));
        assert_eq!(of(&[aperture(40, 20, -30, -20)]), (0, 0, 40, 20));
        assert_eq!(of(&[aperture(40, 20, 30, 20)]), (60, 40, 40, 20));
        // Behind a turn the window is one of the turned picture: its top is the right of the coded one.
        let turned = [Property::Rotation(1), aperture(60, 10, 0, -45)];
        assert_eq!(of(&turned), (90, 0, 10, 60));
        // Beyond the picture, or empty: as if it were not there.
        for odd in [
            aperture(40, 20, 31, 0),
            aperture(0, 20, 0, 0),
            aperture(101, 20, 0, 0),
        ] {
            assert_eq!(of(&[odd]), (0, 0, 100, 60));
        }
    }
}
