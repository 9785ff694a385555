//! Image formats, their MIME types and extensions, and the sniffer, which looks at the bytes and never at a
//! name.

use std::fmt;

/// The formats, a row each: the variant, its name, MIME type and extension, whether it is read, whether bytes
/// begin as its files do, and its documentation.
macro_rules! formats {
    ($($(#[$attribute:meta])* $variant:ident, $name:literal, $mime:literal, $extension:literal, $read:expr, $begins:expr;)*) => {
        /// A raster format that can be served.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ImageFormat {
            $($(#[$attribute])* $variant,)*
        }

        impl ImageFormat {
            /// Every format, whether it is accepted or not.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The MIME type, as in `Content-Type`.
            pub const fn mime_type(self) -> &'static str {
                match self {
                    $(Self::$variant => $mime,)*
                }
            }

            /// The file extension, without a dot.
            pub const fn extension(self) -> &'static str {
                match self {
                    $(Self::$variant => $extension,)*
                }
            }

            /// True if images of this format are taken in: always, or because its cargo feature is on.
            pub const fn is_accepted(self) -> bool {
                match self {
                    $(Self::$variant => $read,)*
                }
            }

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Whether bytes have its signature.
            fn begins(self, bytes: &[u8]) -> bool {
                let begins: fn(&[u8]) -> bool = match self {
                    $(Self::$variant => $begins,)*
                };
                begins(bytes)
            }
        }
    };
}

formats! {
    /// JPEG (ITU-T T.81), MPO and Ultra HDR included: their first picture is a plain JPEG.
    Jpeg, "JPEG", "image/jpeg", "jpg", true, |bytes| bytes.starts_with(b"\xff\xd8\xff");
    /// PNG, APNG included.
    Png, "PNG", "image/png", "png", true, |bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    /// WebP: lossy, lossless, animated.
    WebP, "WebP", "image/webp", "webp", true, |bytes| is_riff(bytes, b"WEBP");
    /// GIF 87a and 89a.
    Gif, "GIF", "image/gif", "gif", true, |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a");
    /// AVIF: stills, and of a sequence its primary picture. Read with the feature `avif-decode`.
    Avif, "AVIF", "image/avif", "avif", cfg!(feature = "avif-decode"), |bytes| iso_media_name(bytes) == Some("AVIF");
    /// HEIC and HEIF with HEVC inside, as iPhones write them. Read with the feature `heic`.
    Heic, "HEIC", "image/heic", "heic", cfg!(feature = "heic"), |bytes| iso_media_name(bytes) == Some("HEIC");
    /// Windows and OS/2 bitmaps. Read with the feature `bmp`.
    Bmp, "BMP", "image/bmp", "bmp", cfg!(feature = "bmp"), is_bmp;
    /// TIFF, of several pages the first. Read with the feature `tiff`.
    Tiff, "TIFF", "image/tiff", "tiff", cfg!(feature = "tiff"), |bytes| TIFF_SIGNATURES.iter().any(|signature| bytes.starts_with(signature));
}

impl ImageFormat {
    /// The format of a MIME type; case and parameters (`; charset=…`) do not matter.
    pub fn from_mime_type(mime: &str) -> Option<Self> {
        /// Other names that browsers and programs send.
        const ALIASES: &[(&str, ImageFormat)] = &[
            ("image/jpg", ImageFormat::Jpeg),
            ("image/heif", ImageFormat::Heic),
            ("image/x-ms-bmp", ImageFormat::Bmp),
            ("image/tif", ImageFormat::Tiff),
        ];
        let essence = mime.split(';').next().unwrap_or(mime).trim();
        let names = Self::ALL.map(|format| (format.mime_type(), format));
        let mut names = names.iter().chain(ALIASES);
        names
            .find(|(name, _)| essence.eq_ignore_ascii_case(name))
            .map(|&(_, format)| format)
    }

    /// The format that a file extension (without a dot, in any case) stands for.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let mime = mime_guess::from_ext(extension).first_raw()?;
        Self::from_mime_type(mime)
    }

    /// The name of a format that is not accepted, by its MIME type: `"HEIC"`, `"SVG"`, …
    #[cfg(feature = "store")]
    pub(crate) fn foreign_mime_name(mime: &str) -> Option<&'static str> {
        let essence = mime.split(';').next().unwrap_or(mime).trim();
        Some(match essence.to_ascii_lowercase().as_str() {
            "image/heic-sequence" | "image/heif-sequence" => "HEIC",
            "image/jxl" => "JPEG XL",
            "image/svg+xml" => "SVG",
            "image/x-icon" | "image/vnd.microsoft.icon" => "ICO",
            "application/pdf" => "PDF",
            "text/html" => "HTML",
            _ => return Self::from_mime_type(mime).map(Self::name),
        })
    }

    /// Recognises the format by the signature of the bytes.
    ///
    /// ```
    /// use lablink_storage::ImageFormat;
    ///
    /// assert_eq!(ImageFormat::sniff(b"GIF89a"), Ok(ImageFormat::Gif));
    /// assert_eq!(ImageFormat::sniff(b"%PDF-1.7").unwrap_err().name, Some("PDF"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Unrecognized`], which names the format where it is a known one that is not accepted.
    pub fn sniff(bytes: &[u8]) -> Result<Self, Unrecognized> {
        let mut accepted = Self::ALL.into_iter().filter(|format| format.is_accepted());
        let found = accepted.find(|format| format.begins(bytes));
        found.ok_or_else(|| Unrecognized {
            name: foreign_name(bytes),
            is_empty: bytes.is_empty(),
        })
    }
}

/// As its MIME type.
impl serde::Serialize for ImageFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.mime_type())
    }
}

impl<'de> serde::Deserialize<'de> for ImageFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_mime_type(&name)
            .ok_or_else(|| serde::de::Error::custom("it is not the type of an accepted image"))
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes in none of the accepted formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unrecognized {
    /// The format that it is, where its signature is known: `"HEIC"`, `"SVG"`, `"PDF"`, …
    pub name: Option<&'static str>,
    /// True if there are no bytes at all: no file was chosen, or it had been read to its end.
    pub is_empty: bool,
}

fn is_riff(bytes: &[u8], kind: &[u8; 4]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(kind)
}

/// The name of a known format that is not accepted. Signatures as in the WHATWG MIME sniffing standard
/// (<https://mimesniff.spec.whatwg.org/>) and the formats' own specifications.
fn foreign_name(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"%PDF-", "PDF"),
        (b"BM", "BMP"),
        (b"8BPS", "Photoshop"),
        (b"\0\0\x01\0", "ICO"),
        (b"\0\0\x02\0", "CUR"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b", "gzip"),
        (b"\x7fELF", "ELF"),
        (b"MZ", "Windows program"),
        (b"%!PS", "PostScript"),
        (b"qoif", "QOI"),
        (b"\x1aE\xdf\xa3", "WebM"),
    ];
    if let Some(name) = iso_media_name(bytes) {
        return Some(name);
    }
    if ImageFormat::Tiff.begins(bytes) {
        return Some("TIFF");
    }
    SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
        .map(|&(_, name)| name)
        .or_else(|| markup_name(bytes))
}

/// TIFF of both byte orders (TIFF 6.0, section 2), and BigTIFF.
const TIFF_SIGNATURES: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

/// Two letters would be too little: the size of the second header has to be one that there is.
fn is_bmp(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18).and_then(|size| size.try_into().ok());
    let known = [12, 16, 40, 52, 56, 64, 108, 124];
    bytes.starts_with(b"BM") && size.is_some_and(|size| known.contains(&u32::from_le_bytes(size)))
}

/// The kind of an ISO base media file by its brands (ISO/IEC 14496-12, section 4.3).
fn iso_media_name(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) != Some(b"ftyp") {
        return None;
    }
    // The major brand may be a generic one: the compatible brands that follow tell which codec it is.
    let size = bytes.get(..4).and_then(|size| size.try_into().ok());
    let size = size.map_or(0, |size| u32::from_be_bytes(size) as usize);
    let compatible = bytes.get(16..size.min(256).min(bytes.len()));
    let major = bytes.get(8..12);
    let mut brands = major
        .into_iter()
        .chain(compatible.unwrap_or_default().chunks_exact(4));
    let kind = brands.find_map(|brand| match brand {
        b"avif" | b"avis" => Some("AVIF"),
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => Some("HEIC"),
        _ => None,
    });
    Some(match (kind, major) {
        (Some(kind), _) => kind,
        (None, Some(b"mif1" | b"msf1" | b"mif2" | b"miaf")) => "HEIC",
        _ => "MP4",
    })
}

fn markup_name(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(1024)];
    // A byte order mark or UTF-16 does not hide markup: drop what is not ASCII text.
    let text: String = head
        .iter()
        .filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let text = text.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    if text.contains("<svg") {
        Some("SVG")
    } else if [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<script",
        "<iframe",
    ]
    .iter()
    .any(|tag| text.contains(tag))
    {
        Some("HTML")
    } else if text.starts_with("<?xml") {
        Some("XML")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_types_and_extensions_round_trip() {
        for format in ImageFormat::ALL {
            assert_eq!(
                ImageFormat::from_mime_type(format.mime_type()),
                Some(format)
            );
            assert_eq!(
                ImageFormat::from_extension(format.extension()),
                Some(format)
            );
        }
        assert_eq!(
            ImageFormat::from_mime_type("IMAGE/PNG; x=y"),
            Some(ImageFormat::Png)
        );
        assert_eq!(ImageFormat::from_extension("JPEG"), Some(ImageFormat::Jpeg));
        assert_eq!(ImageFormat::from_extension("TIF"), Some(ImageFormat::Tiff));
        assert_eq!(ImageFormat::from_extension("heif"), Some(ImageFormat::Heic));
        assert_eq!(ImageFormat::from_mime_type("image/svg+xml"), None);
        assert_eq!(ImageFormat::from_extension("svg"), None);
    }

    /// The name of a format, taken in or refused.
    fn name(bytes: &[u8]) -> Option<&'static str> {
        match ImageFormat::sniff(bytes) {
            Ok(format) => Some(format.name()),
            Err(refused) => refused.name,
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        assert_eq!(
            name(b"\xef\xbb\xbf <!-- x --> <svg xmlns='...'>"),
            Some("SVG")
        );
        assert_eq!(name(b"\xff\xfe<\0s\0v\0g\0"), Some("SVG"));
        assert_eq!(name(b"<!DOCTYPE HTML><p>"), Some("HTML"));
        assert_eq!(name(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(name(b""), None);
        assert_eq!(name(b"hello"), None);
        assert_eq!(name(b"\0\0\0\x14ftypisom\0\0\0\0mp42"), Some("MP4"));
    }

    #[test]
    fn what_a_feature_adds_is_named_without_it() {
        let bmp = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";
        let files: [(&[u8], ImageFormat); 7] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ImageFormat::Heic),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix", ImageFormat::Heic),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", ImageFormat::Avif),
            (b"\0\0\0\x14ftypavis\0\0\0\0avis", ImageFormat::Avif),
            (b"II*\0\x08\0\0\0", ImageFormat::Tiff),
            (b"MM\0+\0\x08\0\0", ImageFormat::Tiff),
            (bmp, ImageFormat::Bmp),
        ];
        for (bytes, format) in files {
            assert_eq!(name(bytes), Some(format.name()));
            assert_eq!(ImageFormat::sniff(bytes).is_ok(), format.is_accepted());
        }
        assert!(ImageFormat::sniff(b"BMW, Mercedes and other makers").is_err());
    }
}
