//! A stored image in a page: HTML that lets the browser choose among its variants.

use std::fmt::Write as _;

use super::image::StoredImage;
use crate::format::ImageFormat;
use crate::optimize::{is_transparent, placeholder_url};

/// The formats that a browser is offered first, the best before the others. An older one passes over what it
/// does not know, and takes the image itself.
const PREFERRED: [ImageFormat; 2] = [ImageFormat::Avif, ImageFormat::WebP];

/// A file that shows the whole image.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    url: &'a str,
    content_type: &'static str,
    width: u32,
    height: u32,
}

impl StoredImage {
    /// Returns the value of a `srcset` attribute, escaped for HTML: the image and the variants in its format
    /// that show the whole of it, by their width. Cropped variants show something else and are left out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, OptimizeOptions, Variant};
    ///
    /// let card = Variant::new("card", OptimizeOptions::default().with_max_size(600, 600))?;
    /// let store = ImageStore::builder().memory().with_variant(card).build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, ()).await?;
    /// let card = &image.variants["card"].url;
    /// assert_eq!(image.srcset(), format!("{card} 600w, {} 1200w", image.url));
    /// # Ok(())
    /// # }
    /// ```
    pub fn srcset(&self) -> String {
        srcset(&self.candidates(self.content_type))
    }

    /// Returns a `<picture>` element, escaped: a source for each better format that variants have, and an
    /// `<img>` with a `srcset`, the size, and a blurred preview behind it while it loads.
    ///
    /// `sizes` is the width that the page gives the image, such as `"(max-width: 600px) 100vw, 600px"`, and
    /// `alt` its description, which may be empty for an image that is decoration.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, OptimizeOptions, Variant};
    ///
    /// let card = Variant::new("card", OptimizeOptions::default().with_max_size(600, 600))?;
    /// let store = ImageStore::builder().memory().with_variant(card).build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, ()).await?;
    /// let html = image.picture("100vw", "A \"board\"");
    /// assert!(html.starts_with("<picture><img src="));
    /// assert!(html.contains("alt=\"A &quot;board&quot;\""));
    /// # Ok(())
    /// # }
    /// ```
    pub fn picture(&self, sizes: &str, alt: &str) -> String {
        let sizes = escaped(sizes);
        let fallback = self.fallback();
        let mut html = "<picture>".to_owned();
        let better = PREFERRED.map(ImageFormat::mime_type).into_iter();
        for format in better.take_while(|format| *format != fallback) {
            let candidates = self.candidates(format);
            if !candidates.is_empty() {
                let srcset = srcset(&candidates);
                // Writing to a String cannot fail.
                let _ = write!(
                    html,
                    "<source type=\"{format}\" srcset=\"{srcset}\" sizes=\"{sizes}\">"
                );
            }
        }
        let candidates = self.candidates(fallback);
        let own = candidates
            .iter()
            .find(|candidate| candidate.url == self.url);
        if let Some(shown) = own.or(candidates.last()) {
            let _ = write!(
                html,
                "<img src=\"{}\" srcset=\"{}\" sizes=\"{sizes}\" width=\"{}\" height=\"{}\" alt=\"{}\" \
                 loading=\"lazy\"{}>",
                escaped(shown.url),
                srcset(&candidates),
                shown.width,
                shown.height,
                escaped(alt),
                self.preview(),
            );
        }
        html + "</picture>"
    }

    /// Returns the [placeholder](Self::placeholder) as a `data:` URL: a PNG of at most 32 pixels a side.
    pub fn placeholder_url(&self) -> Option<String> {
        placeholder_url(&self.placeholder)
    }

    /// The preview as a background; not behind transparent parts, where it would stay.
    fn preview(&self) -> String {
        let opaque = !is_transparent(&self.placeholder);
        let url = self.placeholder_url().filter(|_| opaque);
        url.map_or_else(String::new, |url| {
            format!(" style=\"background:url({url}) center/cover no-repeat\"")
        })
    }

    /// The type that every browser shows: the image's own, or that of a variant.
    fn fallback(&self) -> &'static str {
        let is_new = |format: &str| PREFERRED.iter().any(|new| new.mime_type() == format);
        let types = self.variants.values().map(|variant| variant.content_type);
        let known = |format: &&'static str| !is_new(format) && !self.candidates(format).is_empty();
        std::iter::once(self.content_type)
            .chain(types)
            .find(known)
            .unwrap_or(self.content_type)
    }

    /// The files of a type that show the whole image, the narrowest first, one of each width.
    fn candidates(&self, content_type: &str) -> Vec<Candidate<'_>> {
        let main = Candidate {
            url: &self.url,
            content_type: self.content_type,
            width: self.width,
            height: self.height,
        };
        let variants = self.variants.values().map(|variant| Candidate {
            url: &variant.url,
            content_type: variant.content_type,
            width: variant.width,
            height: variant.height,
        });
        let all = std::iter::once(main).chain(variants);
        let mut found: Vec<_> = all
            .filter(|candidate| candidate.content_type == content_type)
            .filter(|candidate| self.is_shown_whole(candidate))
            .collect();
        found.sort_by_key(|candidate| candidate.width);
        found.dedup_by_key(|candidate| candidate.width);
        found
    }

    /// Returns whether a file has the image's shape, but for the rounding of its shorter side.
    fn is_shown_whole(&self, candidate: &Candidate<'_>) -> bool {
        let [width, height] = [self.width, self.height].map(u64::from);
        let [own_width, own_height] = [candidate.width, candidate.height].map(u64::from);
        (own_width * height).abs_diff(own_height * width) <= width.max(height)
    }
}

fn srcset(candidates: &[Candidate<'_>]) -> String {
    let each = candidates
        .iter()
        .map(|candidate| format!("{} {}w", escaped(candidate.url), candidate.width));
    each.collect::<Vec<_>>().join(", ")
}

/// Text for an attribute's value in double or single quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
