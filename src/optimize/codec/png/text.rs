//! EXIF as ImageMagick keeps it: in hexadecimal, in a text chunk.

use crate::optimize::exif::without_prefix;

/// Text chunks beyond this are not even looked at; a raw EXIF profile is 64 KiB at most, in hexadecimal.
const MAX_TEXT: usize = 1 << 18;
/// The keywords of such chunks.
const KEYWORDS: [&[u8]; 2] = [b"Raw profile type exif\0", b"Raw profile type APP1\0"];

/// The text behind one of the keywords.
fn profile_text(chunk: &[u8]) -> Option<&[u8]> {
    KEYWORDS.iter().find_map(|key| chunk.strip_prefix(*key))
}

/// The EXIF block in a tEXt chunk.
pub(super) fn raw_profile(chunk: &[u8]) -> Option<Vec<u8>> {
    let text = profile_text(chunk)?;
    hexadecimal_profile(text.get(..MAX_TEXT).unwrap_or(text))
}

/// Whether a zTXt chunk is one that [`compressed_profile`] reads.
pub(super) fn is_compressed_profile(chunk: &[u8]) -> bool {
    chunk.len() <= MAX_TEXT && profile_text(chunk).is_some()
}

/// The EXIF block in a zTXt chunk.
pub(super) fn compressed_profile(chunk: &[u8]) -> Option<Vec<u8>> {
    // The method, of which there is one, and the data.
    let [0, deflated @ ..] = profile_text(chunk)? else {
        return None;
    };
    hexadecimal_profile(&fdeflate::decompress_to_vec_bounded(deflated, MAX_TEXT).ok()?)
}

/// A newline, the profile's name, its length, then hexadecimal digits in lines.
fn hexadecimal_profile(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    // The name, after an empty line, and the length, which the digits tell as well.
    lines.find(|line| !line.is_empty())?;
    let length: usize = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let digits: Vec<u8> = lines
        .flatten()
        .map(|&digit| char::from(digit).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let profile: Vec<u8> = pairs.iter().map(|&[high, low]| high << 4 | low).collect();
    (profile.len() == length).then(|| without_prefix(&profile).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_profile_is_hexadecimal_text() {
        let text = b"Raw profile type exif\0\nexif\n       8\n45786966\n00004d4d\n";
        assert_eq!(raw_profile(text).as_deref(), Some(&b"MM"[..]));
        assert_eq!(
            raw_profile(b"Raw profile type exif\0\nexif\n 9\n4d4d\n"),
            None
        );
        assert_eq!(
            raw_profile(b"Raw profile type exif\0\nexif\n 1\nzz\n"),
            None
        );
        assert_eq!(raw_profile(b"Comment\0\nexif\n 2\n4d4d\n"), None);
    }
}
