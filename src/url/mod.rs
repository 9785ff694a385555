//! From a key to its URL and back, for every form that a bucket, a CDN or a directory can have.
//!
//! [`Urls`] is a plain value: it knows where the objects are reached, sends no request and keeps no state.
//! Every address is a *base*, a scheme, a host and a path; the URL of a key is the base, `/` and the
//! key percent-encoded. Reading a URL compares the raw text with the bases that the store may have
//! been addressed by, and decodes once; nothing is normalised first, so nothing can be smuggled.

mod base;
mod error;
mod location;
mod partition;
mod s3;
#[cfg(test)]
mod tests;

pub use error::{AddressSetting, ForeignUrl, InvalidAddress, InvalidReference};
pub use location::{Addressing, Location, S3Location};
#[cfg(feature = "store")]
pub(crate) use partition::Partition;

use base::Base;

use crate::key::{ORIGINALS, ObjectKey, PENDING};

/// Longest URL of an upload, in characters, that is promised for AWS: it has to fit a 255-character
/// database column.
const MAX_UPLOAD_URL: usize = 255;

/// Characters of the longest `/<uuid>.<extension>`.
const UPLOAD_NAME: usize = "/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.webp".len();

/// URLs of keys, and the keys of URLs.
///
/// ```
/// use lablink_storage::{Location, ObjectKey, S3Location, Urls};
///
/// let urls = Urls::new(Location::S3(S3Location::new("lab", "eu-central-1")), None, "components")?;
/// let key = ObjectKey::parse("components/board 1.png")?;
/// let url = urls.public_url(&key);
/// assert_eq!(url, "https://lab.s3.eu-central-1.amazonaws.com/components/board%201.png");
/// assert_eq!(urls.key_from_url(&url)?, key);
/// assert!(urls.key_from_url("https://other.s3.eu-central-1.amazonaws.com/components/a.png").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    location: Location,
    prefix: String,
    /// The base of public URLs.
    public: Base,
    /// The base that browsers' requests are signed for; never the CDN.
    object: Base,
    /// The base of the store's own requests.
    server: Base,
    /// Every base of this store, those three included.
    known: Vec<Base>,
    /// Those that it once had.
    former: Vec<Base>,
    path_style: bool,
}

impl Urls {
    /// Checks the location, the CloudFront domain (a bare domain or an `https` URL) and the key prefix
    /// (whole segments, or empty) together.
    ///
    /// ```
    /// use lablink_storage::{Location, S3Location, Urls};
    ///
    /// let bucket = S3Location::new("lab", "eu-central-1");
    /// let urls = Urls::new(Location::S3(bucket), Some("cdn.example.org"), "components")?;
    /// assert_eq!(urls.public_base(), "https://cdn.example.org");
    /// assert_eq!(urls.bucket_url(), "https://lab.s3.eu-central-1.amazonaws.com");
    ///
    /// let error = Urls::new(Location::Memory, None, "/components").unwrap_err();
    /// assert_eq!(error.setting.as_str(), "prefix");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] naming the setting and what is wrong with it.
    pub fn new(
        location: Location,
        cloudfront_domain: Option<&str>,
        prefix: &str,
    ) -> Result<Self, InvalidAddress> {
        check_prefix(prefix)?;
        let plain = |base: Base| s3::Bases {
            object: base.clone(),
            server: base.clone(),
            known: vec![base],
            path_style: false,
        };
        let s3::Bases {
            object,
            server,
            mut known,
            path_style,
        } = match &location {
            Location::S3(bucket) => s3::bases(bucket)?,
            Location::Local { base_url } => plain(
                Base::parse_local(base_url)
                    .map_err(|reason| InvalidAddress::new(AddressSetting::BaseUrl, reason))?,
            ),
            Location::Memory => plain(Base::opaque("memory")),
            Location::Custom => plain(Base::opaque("object")),
        };
        let public = match cloudfront_domain {
            None => object.clone(),
            Some(domain) => {
                let base = Base::parse_cdn(domain).map_err(|reason| {
                    InvalidAddress::new(AddressSetting::CloudFrontDomain, reason)
                })?;
                if known.iter().any(|other| other.overlaps(&base)) {
                    return Err(InvalidAddress::new(
                        AddressSetting::CloudFrontDomain,
                        "it is the host of the objects themselves",
                    ));
                }
                known.insert(0, base.clone());
                base
            }
        };
        let urls = Self {
            location,
            prefix: prefix.to_owned(),
            public,
            object,
            server,
            known,
            former: Vec::new(),
            path_style,
        };
        urls.check_length()?;
        Ok(urls)
    }

    /// Recognizes base URLs that the store once had: the key is what follows one of them, prefix included.
    /// No URL is ever made of them.
    ///
    /// ```
    /// use lablink_storage::{Location, Urls};
    ///
    /// let urls = Urls::new(Location::Local { base_url: "/images".into() }, None, "components")?;
    /// let urls = urls.with_former(["/uploads", "https://d111111abcdef8.cloudfront.net"])?;
    /// let key = urls.key_from_url("https://d111111abcdef8.cloudfront.net/components/a.png")?;
    /// assert_eq!(urls.key_from_url("/uploads/components/a.png")?, key);
    /// assert_eq!(urls.public_url(&key), "/images/components/a.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] for one that is neither a path nor an `http(s)` URL.
    pub fn with_former<T: AsRef<str>>(
        mut self,
        bases: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidAddress> {
        for base in bases {
            let base = Base::parse_former(base.as_ref())
                .map_err(|reason| InvalidAddress::new(AddressSetting::FormerUrls, reason))?;
            if !self.known.contains(&base) && !self.former.contains(&base) {
                self.former.push(base);
            }
        }
        Ok(self)
    }

    /// The bases that the store once had, those with a host under both schemes.
    #[cfg(feature = "ops")]
    pub(crate) fn former_bases(&self) -> impl Iterator<Item = String> {
        self.former.iter().flat_map(Base::spelled_out)
    }

    fn check_length(&self) -> Result<(), InvalidAddress> {
        let Location::S3(S3Location { endpoint: None, .. }) = self.location else {
            return Ok(());
        };
        let prefix = crate::key::percent_encode_path(&self.prefix);
        let longest = self.public.to_string().len() + 1 + prefix.len() + UPLOAD_NAME;
        if longest > MAX_UPLOAD_URL {
            return Err(InvalidAddress::new(
                AddressSetting::Prefix,
                "with it the URL of an upload is longer than 255 characters",
            ));
        }
        Ok(())
    }

    /// Returns the place of the objects.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The key prefix, without a `/` at either end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns whether the bucket stands in the path of object URLs and not in their host.
    pub fn is_path_style(&self) -> bool {
        self.path_style
    }

    /// The URL that anybody may read `key` at: the CloudFront domain if there is one, else the
    /// object's own URL.
    ///
    /// A pending key is never in a public URL: for one, this is the URL of the key that it has once it
    /// is promoted.
    pub fn public_url(&self, key: &ObjectKey) -> String {
        let path = key.percent_encoded();
        let public = match path.strip_prefix(PENDING) {
            Some(rest) if key.is_pending() => rest.trim_start_matches('/'),
            _ => &path,
        };
        format!("{}/{public}", self.public)
    }

    /// The path of a key's public URL, and so of what a CDN holds of it.
    #[cfg(feature = "store")]
    pub(crate) fn public_path(&self, encoded_key: &str) -> String {
        format!("{}/{encoded_key}", self.public.path())
    }

    /// The URL of the object itself, on the host that requests are signed for; pending keys have one too.
    pub fn object_url(&self, key: &ObjectKey) -> String {
        format!("{}/{}", self.object, key.percent_encoded())
    }

    /// Returns the address of the store's own requests: the bucket's URL on the endpoint itself.
    pub fn server_url(&self) -> String {
        self.server.to_string()
    }

    /// Returns the beginning of every [`object_url`](Self::object_url), without the last `/`: the bucket's own
    /// URL, which a form is posted to.
    pub fn bucket_url(&self) -> String {
        self.object.to_string()
    }

    /// Returns the beginning of every [`public_url`](Self::public_url), without the last `/`.
    pub fn public_base(&self) -> String {
        self.public.to_string()
    }

    /// The key that `url` names: the inverse of [`public_url`](Self::public_url), for every form in
    /// which this store's own bucket may have been addressed. Query and fragment are ignored.
    ///
    /// On AWS these are the virtual-hosted and path-style forms of the regional, the dual-stack and the
    /// legacy global host, the accelerate hosts, and the CloudFront domain; with a custom endpoint only
    /// that (and CloudFront); else the local base URL or `memory://lablink/`.
    ///
    /// ```
    /// use lablink_storage::{Location, S3Location, Urls};
    ///
    /// let urls = Urls::new(Location::S3(S3Location::new("lab", "eu-central-1")), None, "components")?;
    /// let key = urls.key_from_url("https://lab.s3.eu-central-1.amazonaws.com/components/a%20b.png")?;
    /// assert_eq!(key.as_str(), "components/a b.png");
    /// // The same object, addressed in the path.
    /// assert_eq!(urls.key_from_url("https://s3.eu-central-1.amazonaws.com/lab/components/a%20b.png")?, key);
    ///
    /// let outside = urls.key_from_url("https://lab.s3.eu-central-1.amazonaws.com/backups/a.png");
    /// assert_eq!(outside.unwrap_err().reason, "its key is outside the store's prefix");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ForeignUrl`] for anything else: another bucket, region, host or port, userinfo, a backslash,
    /// white space, a control character, a dot segment (encoded ones too), an escape that is not UTF-8,
    /// a raw `+` (S3 reads it as a space, others do not), a pending key, an original's, a key outside the
    /// prefix.
    pub fn key_from_url(&self, url: &str) -> Result<ObjectKey, ForeignUrl> {
        let foreign = |reason| ForeignUrl::new(url, reason);
        let parts = base::split(url).map_err(foreign)?;
        let mut refused = "it is not an address of this store (another bucket, region or host)";
        // The first base under which it names a key; else what is wrong under the first that it has.
        for (at, encoded) in self
            .known
            .iter()
            .chain(&self.former)
            .filter_map(|base| base.strip(&parts))
            .enumerate()
        {
            match self.key_of_path(encoded) {
                Ok(key) => return Ok(key),
                Err(reason) if at == 0 => refused = reason,
                Err(_) => {}
            }
        }
        Err(foreign(refused))
    }

    fn key_of_path(&self, encoded: &str) -> Result<ObjectKey, &'static str> {
        let key = ObjectKey::parse(base::decode(encoded)?).map_err(|error| error.reason)?;
        if key.is_pending() {
            return Err("a pending object has no public URL");
        }
        if key.is_original() {
            return Err("an original has no public URL");
        }
        if !key.is_under(&self.prefix) {
            return Err("its key is outside the store's prefix");
        }
        Ok(key)
    }

    /// The key that `text` is, or names, where either may be given: a URL is what has a scheme or
    /// begins with `/`.
    ///
    /// ```
    /// use lablink_storage::{InvalidReference, Location, Urls};
    ///
    /// let urls = Urls::new(Location::Local { base_url: "/uploads".into() }, None, "components")?;
    /// let key = urls.parse_key_or_url("/uploads/components/board.png")?;
    /// assert_eq!(urls.parse_key_or_url("components/board.png")?, key);
    ///
    /// let error = urls.parse_key_or_url("/elsewhere/components/board.png").unwrap_err();
    /// assert!(matches!(error, InvalidReference::Url(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidReference`]: [`ForeignUrl`] of a URL, [`InvalidKey`](crate::InvalidKey) of a key.
    pub fn parse_key_or_url(&self, text: &str) -> Result<ObjectKey, InvalidReference> {
        if is_url(text) {
            Ok(self.key_from_url(text)?)
        } else {
            Ok(ObjectKey::parse(text)?)
        }
    }
}

/// Returns whether `text`, where a key or a URL may be given, is a URL: it has a scheme (RFC 3986 section 3.1)
/// or begins with `/`.
pub(crate) fn is_url(text: &str) -> bool {
    if text.starts_with('/') {
        return true;
    }
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn check_prefix(prefix: &str) -> Result<(), InvalidAddress> {
    if prefix.is_empty() {
        return Ok(());
    }
    let invalid = |reason| InvalidAddress::new(AddressSetting::Prefix, reason);
    let key = ObjectKey::parse(prefix).map_err(|error| invalid(error.reason))?;
    if prefix == PENDING || key.is_pending() {
        return Err(invalid(
            "'pending' is where direct uploads wait to be verified",
        ));
    }
    if prefix == ORIGINALS || key.is_original() {
        return Err(invalid(
            "'originals' is where what came in is kept, never public",
        ));
    }
    Ok(())
}
