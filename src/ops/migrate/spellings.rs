//! The ways in which a database may have spelled the URL of a name with more in it than letters.

use std::collections::BTreeSet;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::key::percent_encode_path;

/// Characters that the URL standard encodes in paths (<https://url.spec.whatwg.org/#path-percent-encode-set>).
const BROWSER: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// All but RFC 3986's unreserved characters and `/`.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// JavaScript's encodeURIComponent, segment by segment.
const COMPONENT: &AsciiSet = &STRICT
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// JavaScript's encodeURI.
const ENCODE_URI: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');

/// Characters that Werkzeug's url_for encodes.
const WERKZEUG: &AsciiSet = &ENCODE_URI.add(b'?').add(b'#');

/// Every spelling of a path but the one that the store itself uses; none for plain names.
pub(super) fn of(path: &str) -> BTreeSet<String> {
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(path);
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(path);
    let mut spellings = BTreeSet::new();
    for text in [path, &composed, &decomposed] {
        let strict = percent_encode_path(text);
        spellings.insert(text.to_owned());
        spellings.insert(text.replace(' ', "%20"));
        spellings.insert(text.replace(' ', "+"));
        spellings.insert(strict.replace("%20", "+"));
        spellings.insert(lower_case(&strict));
        for set in [BROWSER, COMPONENT, ENCODE_URI, WERKZEUG] {
            spellings.insert(utf8_percent_encode(text, set).to_string());
        }
        spellings.insert(strict);
    }
    spellings.remove(&percent_encode_path(path));
    spellings
}

/// The escapes in lower case.
fn lower_case(encoded: &str) -> String {
    let mut escapes = encoded.split('%');
    let mut text = escapes.next().unwrap_or_default().to_owned();
    for escape in escapes {
        let (digits, rest) = escape.split_at(escape.len().min(2));
        text.push('%');
        text.push_str(&digits.to_ascii_lowercase());
        text.push_str(rest);
    }
    text
}

/// Returns the other names that a spelling may stand for.
pub(super) fn readings(spelling: &str) -> [String; 2] {
    let decoded = percent_encoding::percent_decode_str(spelling).decode_utf8_lossy();
    [spelling.to_owned(), decoded.into_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_have_one_spelling() {
        assert!(of("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg").is_empty());
    }

    /// Each as the function or program that is named makes it.
    #[test]
    fn names_as_people_give_them() {
        let spellings = of("B\u{fc}ro 1+2 it's.jpg");
        for spelling in [
            "B\u{fc}ro 1+2 it's.jpg",          // nothing encoded
            "Bu\u{308}ro 1+2 it's.jpg",        // as macOS names files
            "B\u{fc}ro%201+2%20it's.jpg",      // an address bar
            "B%C3%BCro%201+2%20it's.jpg",      // new URL(…).href, encodeURI, url_for
            "B%C3%BCro%201%2B2%20it's.jpg",    // encodeURIComponent
            "B%C3%BCro+1%2B2+it%27s.jpg",      // Python's quote_plus
            "B%c3%bcro%201%2b2%20it%27s.jpg",  // escapes in lower case
            "Bu%CC%88ro%201%2B2%20it%27s.jpg", // Python's quote of what macOS names
        ] {
            assert!(spellings.contains(spelling), "{spelling}: {spellings:#?}");
        }
        // Python's quote, which is the store's own.
        assert!(!spellings.contains("B%C3%BCro%201%2B2%20it%27s.jpg"));
    }
}
