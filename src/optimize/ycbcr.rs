//! Between Y'CbCr and RGB: full range as JFIF defines it (ITU-T T.871, section 7), and from the limited
//! range of BT.601.

use super::raster::{Frame, Inks, Layout, Raster};

/// Fractional bits of the fixed-point coefficients.
const BITS: u32 = 16;
const HALF: i32 = 1 << (BITS - 1);

const fn fixed(value: f64) -> i32 {
    (value * (1 << BITS) as f64 + if value < 0.0 { -0.5 } else { 0.5 }) as i32
}

/// How much of each chroma is in red, green and blue, in fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matrix([[i32; 2]; 3]);

impl Matrix {
    /// That of JFIF and BT.601.
    pub(super) const JFIF: Self = Self::of_luma(0.299, 0.114);
    /// YCgCo (ITU-T H.273, equations 48 to 51), green being in the first chroma.
    #[cfg(any(feature = "avif-decode", feature = "heic"))]
    pub(super) const YCGCO: Self = Self([
        [fixed(-1.0), fixed(1.0)],
        [fixed(1.0), 0],
        [fixed(-1.0), fixed(-1.0)],
    ]);

    /// That of a luma with these shares of red and blue (ITU-T H.273, equations 41 to 43).
    pub(super) const fn of_luma(red: f64, blue: f64) -> Self {
        let green = 1.0 - red - blue;
        let (cb, cr) = (2.0 * (1.0 - blue), 2.0 * (1.0 - red));
        Self([
            [0, fixed(cr)],
            [fixed(-cb * blue / green), fixed(-cr * red / green)],
            [fixed(cb), 0],
        ])
    }

    #[inline]
    fn rgb(self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let y = (i32::from(y) << BITS) + HALF;
        let channel = |[of_cb, of_cr]: [i32; 2]| (y + of_cb * cb + of_cr * cr) >> BITS;
        self.0.map(|shares| channel(shares).clamp(0, 255) as u8)
    }
}

/// One full-range pixel of JFIF as red, green and blue.
#[inline]
pub(super) fn to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    Matrix::JFIF.rgb(y, cb, cr)
}

#[inline]
fn luma([r, g, b]: [i32; 3]) -> u8 {
    ((fixed(0.299) * r + fixed(0.587) * g + fixed(0.114) * b + HALF) >> BITS) as u8
}

/// Chroma of a sum of `1 << shift` pixels.
#[inline]
fn chroma([r, g, b]: [i32; 3], shift: u32) -> (u8, u8) {
    let offset = (128 << (BITS + shift)) + (HALF << shift);
    let clamp = |value: i64| (value >> (BITS + shift)).clamp(0, 255) as u8;
    let (r, g, b) = (i64::from(r), i64::from(g), i64::from(b));
    let sum = |kr: i32, kg: i32, kb: i32| {
        i64::from(kr) * r + i64::from(kg) * g + i64::from(kb) * b + i64::from(offset)
    };
    (
        clamp(sum(
            fixed(-0.168_735_892),
            fixed(-0.331_264_108),
            fixed(0.5),
        )),
        clamp(sum(
            fixed(0.5),
            fixed(-0.418_687_589),
            fixed(-0.081_312_411),
        )),
    )
}

/// Planes with halved chroma from red, green and blue; odd edges are replicated.
pub(super) fn from_rgb(rgb: &Raster) -> Frame {
    Frame::Ycc420(planes_of(rgb))
}

/// The same without a frame around them.
pub(super) fn planes_of(rgb: &Raster) -> Box<[Raster; 3]> {
    debug_assert_eq!(rgb.layout, Layout::Rgb);
    let (width, height) = (rgb.width, rgb.height);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut y = Vec::with_capacity(width * height);
    let mut cb = Vec::with_capacity(half_width * half_height);
    let mut cr = Vec::with_capacity(half_width * half_height);
    let wide = |pixel: &[u8; 3]| pixel.map(i32::from);
    let rows: Vec<&[u8]> = rgb.rows().collect();
    for pair in rows.chunks(2) {
        for row in pair {
            let (pixels, _) = row.as_chunks::<3>();
            y.extend(pixels.iter().map(|pixel| luma(wide(pixel))));
        }
        let (top, _) = pair[0].as_chunks::<3>();
        let (bottom, _) = pair[pair.len() - 1].as_chunks::<3>();
        for (above, below) in top.chunks(2).zip(bottom.chunks(2)) {
            let corners = [
                &above[0],
                &above[above.len() - 1],
                &below[0],
                &below[below.len() - 1],
            ];
            let mut sum = [0; 3];
            for pixel in corners {
                for (total, value) in sum.iter_mut().zip(wide(pixel)) {
                    *total += value;
                }
            }
            let (blue, red) = chroma(sum, 2);
            cb.push(blue);
            cr.push(red);
        }
    }
    Box::new([
        Raster::new(Layout::Gray, width, height, y),
        Raster::new(Layout::Gray, half_width, half_height, cb),
        Raster::new(Layout::Gray, half_width, half_height, cr),
    ])
}

/// Red, green and blue from three planes of the same size, full range.
pub(super) fn planes_to_rgb(planes: &[Raster; 3], matrix: Matrix) -> Raster {
    let [y, cb, cr] = planes;
    let samples = y.data.iter().zip(&cb.data).zip(&cr.data);
    let data = match matrix {
        // Numbers that the compiler knows are faster.
        Matrix::JFIF => samples
            .flat_map(|((&y, &cb), &cr)| to_rgb(y, cb, cr))
            .collect(),
        matrix => samples
            .flat_map(|((&y, &cb), &cr)| matrix.rgb(y, cb, cr))
            .collect(),
    };
    Raster::new(Layout::Rgb, y.width, y.height, data)
}

/// Packed pixels from planes of red, green and blue of the same size.
pub(super) fn interleave(planes: &[Raster; 3]) -> Raster {
    let [red, green, blue] = planes;
    let data = red
        .data
        .iter()
        .zip(&green.data)
        .zip(&blue.data)
        .flat_map(|((&red, &green), &blue)| [red, green, blue])
        .collect();
    Raster::new(Layout::Rgb, red.width, red.height, data)
}

/// Packed inks, 255 being full ink, from four planes of the same size (Adobe technical note 5116; libjpeg's
/// conversion is the common reading of it).
pub(super) fn cmyk(planes: &[Raster; 4], inks: Inks) -> Raster {
    let [first, second, third, black] = planes;
    let colors = first.data.iter().zip(&second.data).zip(&third.data);
    let data = colors
        .zip(&black.data)
        .flat_map(|(((&a, &b), &c), &black)| {
            let [cyan, magenta, yellow] = match inks {
                Inks::Inverted => [a, b, c].map(|ink| 255 - ink),
                Inks::Ycc => to_rgb(a, b, c),
            };
            [cyan, magenta, yellow, 255 - black]
        })
        .collect();
    Raster::new(Layout::Cmyk, first.width, first.height, data)
}

/// Stretches limited-range planes to full range, in place.
pub(super) fn expand_range(planes: &mut [Raster; 3]) {
    let table = |black: f64, span: f64, zero: f64| -> [u8; 256] {
        std::array::from_fn(|value| {
            let stretched = (value as f64 - black) * 255.0 / span + zero;
            stretched.round().clamp(0.0, 255.0) as u8
        })
    };
    let luma = table(16.0, 219.0, 0.0);
    let chroma = table(128.0, 224.0, 128.0);
    map_planes(planes, &luma, &chroma);
}

#[cfg(feature = "webp")]
/// Squeezes full-range planes into limited range, in place.
pub(super) fn compress_range(planes: &mut [Raster; 3]) {
    let table = |black: f64, span: f64, zero: f64| -> [u8; 256] {
        std::array::from_fn(|value| ((value as f64 - zero) * span / 255.0 + black).round() as u8)
    };
    let luma = table(16.0, 219.0, 0.0);
    let chroma = table(128.0, 224.0, 128.0);
    map_planes(planes, &luma, &chroma);
}

fn map_planes(planes: &mut [Raster; 3], luma: &[u8; 256], chroma: &[u8; 256]) {
    for (plane, table) in planes.iter_mut().zip([luma, chroma, chroma]) {
        for value in &mut plane.data {
            *value = table[usize::from(*value)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_are_those_of_jfif() {
        // ITU-T T.871: Y = 0.299 R + 0.587 G + 0.114 B; Cb = (B - Y) / 1.772 + 128; Cr = (R - Y) / 1.402 + 128
        assert_eq!(luma([255, 0, 0]), 76);
        assert_eq!(chroma([255, 0, 0], 0), (85, 255));
        assert_eq!(luma([0, 0, 255]), 29);
        assert_eq!(chroma([0, 0, 255], 0), (255, 107));
        assert_eq!(to_rgb(76, 85, 255), [254, 0, 0]);
        assert_eq!(to_rgb(128, 128, 128), [128; 3]);
    }

    #[test]
    fn other_matrices_are_those_of_h273() {
        // BT.709: R = Y + 1.5748 Cr; G = Y - 0.1873 Cb - 0.4681 Cr; B = Y + 1.8556 Cb
        let bt709 = Matrix::of_luma(0.2126, 0.0722);
        assert_eq!(bt709.rgb(100, 148, 118), [84, 101, 137]);
        assert_eq!(bt709.rgb(100, 128, 128), [100; 3]);
    }

    #[test]
    fn gray_survives_both_ways_exactly() {
        for gray in 0..=255u8 {
            let value = i32::from(gray);
            assert_eq!(luma([value; 3]), gray);
            assert_eq!(chroma([4 * value; 3], 2), (128, 128));
            assert_eq!(to_rgb(gray, 128, 128), [gray; 3]);
        }
    }
}
