//! The file name that a download is saved under.

use super::error::SignError;
use crate::key::percent_encode_component;

/// Longest name, in characters; file systems take 255 bytes.
const MAX_CHARACTERS: usize = 200;

/// `Content-Disposition: attachment` with a file name, as
/// [RFC 6266](https://www.rfc-editor.org/rfc/rfc6266) and
/// [RFC 8187](https://www.rfc-editor.org/rfc/rfc8187) (which replaced RFC 5987) have it: the name in
/// ASCII for everybody, and in UTF-8 where that loses something.
///
/// Only what follows the last `/` or `\` is used. Control characters and the marks that turn the
/// direction of text around are dropped: they make `gpj.exe` look like `exe.jpg`.
///
/// ```
/// use lablink_storage::sign::content_disposition;
///
/// assert_eq!(content_disposition("board.png")?, "attachment; filename=\"board.png\"");
/// assert_eq!(
///     content_disposition("Müller €.png")?,
///     "attachment; filename=\"M_ller _.png\"; filename*=UTF-8''M%C3%BCller%20%E2%82%AC.png",
/// );
/// # Ok::<(), lablink_storage::sign::SignError>(())
/// ```
///
/// # Errors
///
/// [`SignError::InvalidArgument`] where no name is left, or it has more than 200 characters.
pub fn content_disposition(file_name: &str) -> Result<String, SignError> {
    let invalid = |reason| Err(SignError::argument("download_as", reason));
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = base
        .chars()
        .filter(|&character| !character.is_control() && !turns_text(character))
        .collect();
    let name = name.trim();
    if name.is_empty() || matches!(name, "." | "..") {
        return invalid("must be a file name");
    }
    if name.chars().count() > MAX_CHARACTERS {
        return invalid("must have at most 200 characters");
    }
    // RFC 6266 appendix D: in the quoted form avoid what browsers read differently, `%`, `"` and `\`.
    let fallback: String = name
        .chars()
        .map(|character| match character {
            '"' | '%' => '_',
            ' '..='~' => character,
            _ => '_',
        })
        .collect();
    if fallback == name {
        return Ok(format!("attachment; filename=\"{fallback}\""));
    }
    let encoded = percent_encode_component(name);
    Ok(format!(
        "attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"
    ))
}

/// Unicode's bidirectional marks, embeddings, overrides and isolates.
fn turns_text(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::content_disposition;

    #[test]
    fn names_cannot_leave_their_quotes_or_their_folder() {
        for (name, expected) in [
            (
                "a\"; x=\"b.png",
                "attachment; filename=\"a_; x=_b.png\"; filename*=UTF-8''a%22%3B%20x%3D%22b.png",
            ),
            ("../../etc/a b.png", "attachment; filename=\"a b.png\""),
            (
                "C:\\Users\\me\\board.png",
                "attachment; filename=\"board.png\"",
            ),
            (
                "a\r\nSet-Cookie: x.png",
                "attachment; filename=\"aSet-Cookie: x.png\"",
            ),
            (
                "100%.png",
                "attachment; filename=\"100_.png\"; filename*=UTF-8''100%25.png",
            ),
            (
                "photo\u{202e}gpj.exe",
                "attachment; filename=\"photogpj.exe\"",
            ),
            // RFC 8187 section 3.2.2's own example value.
            (
                "£ and € rates",
                "attachment; filename=\"_ and _ rates\"; filename*=UTF-8''%C2%A3%20and%20%E2%82%AC%20rates",
            ),
        ] {
            assert_eq!(content_disposition(name).expect(name), expected);
        }
        for name in ["", "/", "a/", "..", " \n ", &"a".repeat(201)] {
            assert!(content_disposition(name).is_err(), "{name:?}");
        }
    }
}
