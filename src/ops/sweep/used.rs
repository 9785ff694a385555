//! The URLs that a database still has, and which of the store's keys they may mean.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::BufRead;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::key::ObjectKey;
use crate::ops::lines::shown;
use crate::ops::lines::{Lines, MAX_LINE};
use crate::ops::part::Part;
use crate::store::ImageStore;

/// Most lines without a key that are shown.
const SHOWN: usize = 3;

/// Most characters of one that are shown.
const SHOWN_LENGTH: usize = 80;

/// Most layers of percent-encoding of a line.
const ENCODINGS: usize = 3;

/// Characters that end a URL in a line: the next field, a quote, a query.
const ENDS: [char; 12] = ['?', '#', '&', '"', '\'', ',', ';', '|', '<', '>', ' ', '\t'];

/// The URLs that are still used, as a database gives them.
///
/// A line names a key where any end of its decoded path is one under the store's prefix, whatever the
/// host: addresses change, and old ones stay in databases. Only fingerprints are kept, 8 bytes for each
/// key. Should two keys ever share one, an orphan stays; nothing that is used can be taken for an orphan.
#[derive(Debug, Clone, Default)]
pub struct UsedUrls {
    prints: HashSet<u64>,
    /// Lines that name a key under the store's prefix.
    pub known: u64,
    /// Lines that name none.
    pub foreign: u64,
    /// The first lines that name none, with their numbers, cut short and without userinfo and query.
    pub examples: Vec<(u64, String)>,
}

impl UsedUrls {
    /// Reads one URL or key a line. Empty lines are passed over.
    ///
    /// ```
    /// use lablink_storage::ImageStore;
    /// use lablink_storage::ops::UsedUrls;
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// let list = "memory://lablink/components/a.jpg\n\
    ///     https://old.example.org/uploads/components/b.jpg\n\
    ///     https://example.com/c.jpg\n";
    /// let used = UsedUrls::read(&store, list.as_bytes())?;
    /// assert_eq!((used.known, used.foreign), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The reader's.
    pub fn read(store: &ImageStore, lines: impl BufRead) -> std::io::Result<Self> {
        let mut used = Self::default();
        for (number, line) in (1..).zip(Lines(lines)) {
            let line = line?;
            if line.len() > MAX_LINE {
                used.foreign(store, number, &line);
            } else {
                used.add_line(store, number, &line);
            }
        }
        Ok(used)
    }

    /// Adds one URL or key.
    pub fn add(&mut self, store: &ImageStore, url: &str) {
        self.add_line(store, self.known + self.foreign + 1, url);
    }

    fn add_line(&mut self, store: &ImageStore, number: u64, line: &str) {
        let text = line.trim_matches(|letter: char| letter.is_whitespace() || letter == '"');
        if text.is_empty() {
            return;
        }
        let mut named = false;
        each_key(text, store.config().prefix(), |key| {
            named = true;
            self.prints.insert(fingerprint(key.as_str()));
            if let Some(part) = Part::of(&key) {
                self.prints.insert(fingerprint(part.image()));
            }
        });
        if named {
            self.known += 1;
        } else {
            self.foreign(store, number, text);
        }
    }

    fn foreign(&mut self, store: &ImageStore, number: u64, line: &str) {
        self.foreign += 1;
        if self.examples.len() < SHOWN {
            let line = line.split(['\n', '\r']).next().unwrap_or_default();
            let line = shown(store, line);
            let line = line.chars().take(SHOWN_LENGTH).collect();
            self.examples.push((number, line));
        }
    }

    /// Returns whether the object, or the image that it belongs to, is used.
    pub(super) fn has(&self, key: &ObjectKey) -> bool {
        self.prints.contains(&fingerprint(key.as_str()))
            || Part::of(key).is_some_and(|part| self.prints.contains(&fingerprint(part.image())))
    }
}

/// The same in one process, which is all that is needed, and for every way in which Unicode may write the
/// same text: file systems and databases differ.
pub(super) fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(text)
        .hash(&mut hasher);
    hasher.finish()
}

/// Every key under the prefix that `text` may name.
fn each_key(text: &str, prefix: &str, mut each: impl FnMut(ObjectKey)) {
    let text = text.replace('\\', "/");
    // Forms have a plus for a space, and decode it before the escapes.
    for mut reading in [text.replace('+', " "), text] {
        for _ in 0..=ENCODINGS {
            each_key_in(&reading, prefix, &mut each);
            let decoded = decode(&reading);
            if decoded == reading {
                break;
            }
            reading = decoded;
        }
    }
}

fn each_key_in(text: &str, prefix: &str, each: &mut impl FnMut(ObjectKey)) {
    for start in starts(text, prefix) {
        let whole = &text[start..];
        let url = whole.split(['?', '#']).next().unwrap_or_default();
        let field = whole.split(ENDS).next().unwrap_or_default();
        for end in [whole, url, field] {
            if let Ok(key) = ObjectKey::parse(end)
                && key.is_under(prefix)
            {
                each(key);
            }
        }
    }
}

/// Returns the positions where keys under the prefix may begin. Without a prefix, that is every segment.
fn starts(text: &str, prefix: &str) -> Vec<usize> {
    if prefix.is_empty() {
        let segments = text.match_indices('/').map(|(at, _)| at + 1);
        return std::iter::once(0).chain(segments).collect();
    }
    let folder = format!("{prefix}/");
    text.match_indices(&folder).map(|(at, _)| at).collect()
}

/// Decodes what is a valid escape and leaves the rest; as it is where the result would be no text.
fn decode(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

    fn used(line: &str) -> UsedUrls {
        let store = ImageStore::builder().memory().build().expect("a store");
        UsedUrls::read(&store, line.as_bytes()).expect("read")
    }

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).expect(text)
    }

    #[test]
    fn a_key_is_used_whatever_comes_before_it() {
        for line in [
            format!("components/{ID}.jpg"),
            format!("/uploads/components/{ID}.jpg"),
            format!("https://old.example.org/uploads/components/{ID}.jpg?v=1#top"),
            format!("https://lab.s3.eu-west-1.amazonaws.com/components/{ID}.jpg"),
            format!("http://localhost:9000/lab/components%2F{ID}.jpg"),
            format!(
                "https://proxy.example.org/image?url=https%253A%252F%252Fb%252Fcomponents%252F{ID}.jpg&w=3"
            ),
            format!("uploads\\components\\{ID}.jpg"),
            format!("17,\"https://cdn.example.org/components/{ID}.jpg\",Board"),
            // The database has the thumbnail alone, or the name from before the format changed.
            format!("/uploads/components/{ID}/thumb.webp"),
            format!("/uploads/components/{ID}.png"),
        ] {
            let used = used(&line);
            assert_eq!((used.known, used.foreign), (1, 0), "{line}");
            for part in [
                format!("components/{ID}.jpg"),
                format!("components/{ID}/thumb.webp"),
                format!("originals/components/{ID}"),
            ] {
                assert!(used.has(&key(&part)), "{line} {part}");
            }
            assert!(!used.has(&key("components/7f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg")));
        }
    }

    #[test]
    fn every_spelling_of_a_name_is_the_same_name() {
        for line in [
            "/uploads/components/B\u{fc}ro 1+2.jpg",
            "/uploads/components/Bu\u{308}ro 1+2.jpg",
            "/uploads/components/B%C3%BCro%201%2B2.jpg",
            "/uploads/components/B%c3%bcro+1%2B2.jpg",
        ] {
            for stored in [
                "components/B\u{fc}ro 1+2.jpg",
                "components/Bu\u{308}ro 1+2.jpg",
            ] {
                assert!(used(line).has(&key(stored)), "{line} {stored}");
            }
        }
        let odd = used("/uploads/components/100%.jpg\n/uploads/components/what?.jpg");
        assert!(odd.has(&key("components/100%.jpg")) && odd.has(&key("components/what?.jpg")));
    }

    #[test]
    fn a_line_without_a_key_is_shown_without_userinfo_and_query() {
        let used = used(
            "image_url\n\nhttps://example.org/a.jpg?X-Amz-Signature=hush\n\
             https://reader:hush@example.org/a.jpg#top\n",
        );
        assert_eq!((used.known, used.foreign), (0, 3));
        let shown = [
            (1, "image_url".to_owned()),
            (3, "https://example.org/a.jpg".to_owned()),
            (4, "…@example.org/a.jpg".to_owned()),
        ];
        assert_eq!(used.examples, shown);
    }
}
