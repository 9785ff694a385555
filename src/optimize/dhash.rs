//! A difference hash: 64 bits that stay nearly the same when a picture is resized or compressed again, and
//! nearly those of Python's imagehash.

use super::resize::lanczos3_weight;

/// Columns and rows that are compared.
const COLUMNS: usize = 9;
const ROWS: usize = 8;

/// The hash of a small picture, in hexadecimal: a bit for each pair of neighbours in 8 rows of 9 grey values, set
/// where the right one is brighter. What is transparent counts as white.
pub(super) fn dhash(width: usize, height: usize, pixels: &[[u8; 4]]) -> String {
    let grey: Vec<f64> = pixels.iter().map(brightness).collect();
    let across: [_; COLUMNS] = std::array::from_fn(|column| span(column, COLUMNS, width));
    let mut hash = 0_u64;
    for row in 0..ROWS {
        let down = span(row, ROWS, height);
        let values = across
            .each_ref()
            .map(|across| mean(&grey, width, across, &down));
        for pair in values.windows(2) {
            hash = hash << 1 | u64::from(pair[1] > pair[0]);
        }
    }
    format!("{hash:016x}")
}

/// ITU-R BT.601, over white.
fn brightness(pixel: &[u8; 4]) -> f64 {
    let [red, green, blue, alpha] = pixel.map(f64::from);
    let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    let alpha = alpha / 255.0;
    // Whole steps: what differs by less is noise of rounding.
    (grey * alpha + 255.0 * (1.0 - alpha)).round()
}

/// The pixels that part `index` of `count` is made of, and their weights: Lanczos with three lobes, as common
/// implementations resize.
fn span(index: usize, count: usize, size: usize) -> Vec<(usize, f64)> {
    let step = size as f64 / count as f64;
    let (center, scale) = ((index as f64 + 0.5) * step, step.max(1.0));
    let first = (center - 3.0 * scale).max(0.0) as usize;
    (first..size)
        .take_while(|&at| (at as f64) < center + 3.0 * scale)
        .map(|at| (at, lanczos3_weight((at as f64 + 0.5 - center) / scale)))
        .collect()
}

fn mean(grey: &[f64], width: usize, across: &[(usize, f64)], down: &[(usize, f64)]) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (y, tall) in down {
        for (x, wide) in across {
            sum += grey[y * width + x] * tall * wide;
            weight += tall * wide;
        }
    }
    // To a hundredth: sums of the same values in another order are the same.
    (sum / weight * 100.0).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, grey: impl Fn(usize, usize) -> u8) -> Vec<[u8; 4]> {
        let place = |at: usize| (at % width, at / width);
        (0..width * height)
            .map(|at| {
                let (x, y) = place(at);
                let value = grey(x, y);
                [value, value, value, 255]
            })
            .collect()
    }

    #[test]
    fn bits_are_set_where_it_becomes_brighter() {
        let rising = picture(48, 36, |x, _| x as u8 * 5);
        assert_eq!(dhash(48, 36, &rising), "ffffffffffffffff");
        let falling = picture(48, 36, |x, _| 250 - x as u8 * 5);
        assert_eq!(dhash(48, 36, &falling), "0000000000000000");
        let flat = picture(48, 36, |_, _| 77);
        assert_eq!(dhash(48, 36, &flat), "0000000000000000");
        // The first row is the first byte.
        let first = picture(9, 8, |x, y| if y == 0 { x as u8 * 9 } else { 0 });
        assert_eq!(dhash(9, 8, &first), "ff00000000000000");
        let clear = vec![[0, 0, 0, 0]; 48 * 2];
        assert_eq!(dhash(48, 2, &clear), "0000000000000000");
        assert_eq!(dhash(1, 1, &[[1, 2, 3, 255]]), "0000000000000000");
    }
}
