//! EXIF orientation as two steps on stored pixels: an optional transposition, then mirroring.

/// How stored pixels become upright ones: first `transpose` (rows become columns), then `flip_x` and
/// `flip_y` of the transposed picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Upright {
    pub(super) transpose: bool,
    pub(super) flip_x: bool,
    pub(super) flip_y: bool,
}

impl Upright {
    /// What an EXIF orientation of 1 to 8 asks for (TIFF 6.0, tag 274); nothing for any other value.
    pub(super) fn from_exif(orientation: u8) -> Self {
        let (transpose, flip_x, flip_y) = match orientation {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self {
            transpose,
            flip_x,
            flip_y,
        }
    }

    pub(super) fn is_identity(self) -> bool {
        self == Self::default()
    }

    /// The size after turning.
    pub(super) fn size<T>(self, width: T, height: T) -> (T, T) {
        if self.transpose {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Whether the stored picture's own axes are mirrored.
    pub(super) fn stored_flips(self) -> (bool, bool) {
        self.size(self.flip_x, self.flip_y)
    }

    /// Turns `width` x `height` stored pixels of `N` bytes.
    pub(super) fn apply<const N: usize>(self, data: &[u8], width: usize, height: usize) -> Vec<u8> {
        let (pixels, _) = data.as_chunks::<N>();
        let (out_width, out_height) = self.size(width, height);
        let mut turned = vec![[0; N]; out_width * out_height];
        if !self.transpose {
            for (y, row) in turned.chunks_exact_mut(width.max(1)).enumerate() {
                let from = if self.flip_y { height - 1 - y } else { y } * width;
                row.copy_from_slice(&pixels[from..from + width]);
                if self.flip_x {
                    row.reverse();
                }
            }
            return turned.into_flattened();
        }
        // In tiles, so that reading along columns stays within the cache.
        const TILE: usize = 32;
        for tile_y in (0..out_height).step_by(TILE) {
            for tile_x in (0..out_width).step_by(TILE) {
                for y in tile_y..(tile_y + TILE).min(out_height) {
                    let stored_x = if self.flip_y { out_height - 1 - y } else { y };
                    for x in tile_x..(tile_x + TILE).min(out_width) {
                        let stored_y = if self.flip_x { out_width - 1 - x } else { x };
                        turned[y * out_width + x] = pixels[stored_y * width + stored_x];
                    }
                }
            }
        }
        turned.into_flattened()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters of a 3 x 2 picture `abc/def` in each orientation, read off the pictures of
    /// TIFF 6.0, tag 274: what the zeroth row and column stand for.
    #[test]
    fn all_eight_orientations() {
        let stored = b"abcdef";
        let expected: [(&[u8], (usize, usize)); 8] = [
            (b"abcdef", (3, 2)),
            (b"cbafed", (3, 2)),
            (b"fedcba", (3, 2)),
            (b"defabc", (3, 2)),
            (b"adbecf", (2, 3)),
            (b"daebfc", (2, 3)),
            (b"fcebda", (2, 3)),
            (b"cfbead", (2, 3)),
        ];
        for (code, (letters, size)) in (1..).zip(expected) {
            let upright = Upright::from_exif(code);
            assert_eq!(
                upright.apply::<1>(stored, 3, 2),
                letters,
                "orientation {code}"
            );
            assert_eq!(upright.size(3, 2), size);
        }
    }
}
