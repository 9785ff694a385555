//! The part of a URL before the key, and a reader of URLs that normalises nothing.

use std::fmt;

/// The host of the URLs that nothing fetches.
const OPAQUE_HOST: &str = "lablink";

/// The scheme of a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// No scheme and no host: a path on whatever site the page is on.
    None,
    Http,
    Https,
    /// `https` where it is written, either where it is read: AWS answers on both.
    AnyHttp,
    /// A scheme of our own.
    Opaque(&'static str),
}

impl Scheme {
    fn matches(self, scheme: Option<&str>) -> bool {
        let is = |name: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(name));
        match self {
            Self::None => scheme.is_none(),
            Self::Http => is("http"),
            Self::Https => is("https"),
            Self::AnyHttp => is("http") || is("https"),
            Self::Opaque(name) => is(name),
        }
    }

    /// Returns whether a URL can have a scheme of both.
    fn meets(self, other: Self) -> bool {
        let http = |scheme| matches!(scheme, Self::Http | Self::Https);
        self == other
            || (self == Self::AnyHttp && http(other))
            || (other == Self::AnyHttp && http(self))
    }
}

/// Scheme, host with port, and path: what comes before `/<key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    scheme: Scheme,
    /// Host and port, in lower case, without a default port.
    authority: String,
    /// Empty, or `/` and segments, without a `/` at the end; as written in URLs.
    path: String,
}

impl Base {
    pub(super) fn opaque(scheme: &'static str) -> Self {
        Self {
            scheme: Scheme::Opaque(scheme),
            authority: OPAQUE_HOST.to_owned(),
            path: String::new(),
        }
    }

    /// A host of AWS, with the bucket in the path unless that is empty.
    pub(super) fn aws(host: &str, bucket: &str) -> Self {
        let base = Self {
            scheme: Scheme::AnyHttp,
            authority: host.to_owned(),
            path: String::new(),
        };
        if bucket.is_empty() {
            base
        } else {
            base.with_path_segment(bucket)
        }
    }

    /// `http://` or `https://`, a host, perhaps a port and a path.
    pub(super) fn parse_http(url: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be http:// or https://, a host, and at most a port and a path";
        if url.contains(['?', '#']) {
            return Err("it must not have a query or a fragment");
        }
        let parts = split(url)?;
        let scheme = match parts.scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(FORM),
        };
        if !is_authority(parts.authority) {
            return Err(FORM);
        }
        Ok(Self {
            scheme,
            authority: parts.authority.to_ascii_lowercase(),
            path: base_path(parts.path)?,
        })
    }

    /// The local backend's base URL: a path or an `http(s)` URL.
    pub(super) fn parse_local(url: &str) -> Result<Self, &'static str> {
        if !url.starts_with('/') {
            return Self::parse_http(url)
                .map_err(|_| "must be a path like /uploads or an http(s) URL");
        }
        if url.contains(['?', '#']) {
            return Err("it must not have a query or a fragment");
        }
        Ok(Self {
            scheme: Scheme::None,
            authority: String::new(),
            path: base_path(split(url)?.path)?,
        })
    }

    /// A base that the store once had: either scheme where it has a host, as browsers may have used both.
    pub(super) fn parse_former(url: &str) -> Result<Self, &'static str> {
        let base = Self::parse_local(url)?;
        Ok(match base.scheme {
            Scheme::None => base,
            _ => base.with_scheme(Scheme::AnyHttp),
        })
    }

    /// The CDN's host: a bare domain or an `https` URL.
    pub(super) fn parse_cdn(domain: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be a domain like d111111abcdef8.cloudfront.net or an https URL";
        let base = if super::is_url(domain) && domain.contains("://") {
            Self::parse_http(domain)
        } else {
            Self::parse_http(&format!("https://{domain}"))
        }
        .map_err(|_| FORM)?;
        if base.scheme != Scheme::Https {
            return Err("must be https: images are not served unencrypted");
        }
        Ok(base.with_scheme(Scheme::AnyHttp))
    }

    /// What comes between the host and `/<key>`.
    #[cfg(feature = "store")]
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// As URLs have it, under each scheme that it may have.
    #[cfg(feature = "ops")]
    pub(super) fn spelled_out(&self) -> Vec<String> {
        let schemes = match self.scheme {
            Scheme::AnyHttp => vec![Scheme::Https, Scheme::Http],
            other => vec![other],
        };
        let spelled = |scheme| self.clone().with_scheme(scheme).to_string();
        schemes.into_iter().map(spelled).collect()
    }

    pub(super) fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    pub(super) fn with_path_segment(&self, segment: &str) -> Self {
        Self {
            path: format!("{}/{segment}", self.path),
            ..self.clone()
        }
    }

    pub(super) fn with_label(&self, label: &str) -> Self {
        Self {
            authority: format!("{label}.{}", self.authority),
            ..self.clone()
        }
    }

    /// This server's base without the bucket, if it has the bucket in its path, or before its host's name.
    pub(super) fn without_bucket(&self, bucket: &str, look_at_host: bool) -> Option<Self> {
        if let Some(path) = self.path.strip_suffix(bucket)
            && let Some(path) = path.strip_suffix('/')
        {
            return Some(Self {
                path: path.to_owned(),
                ..self.clone()
            });
        }
        let host = self.authority.strip_prefix(&bucket.to_ascii_lowercase())?;
        let authority = host.strip_prefix('.')?.to_owned();
        (look_at_host && self.has_host_name()).then(|| Self {
            authority,
            ..self.clone()
        })
    }

    /// Returns whether the host is a name that labels can be put before, and not an IP address.
    pub(super) fn has_host_name(&self) -> bool {
        let host = self.authority.split(':').next().unwrap_or_default();
        let last = host.rsplit('.').next().unwrap_or_default();
        !host.starts_with('[') && last.bytes().any(|byte| !byte.is_ascii_digit())
    }

    /// Returns whether one URL could lie under both bases and name two keys.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.scheme.meets(other.scheme) && self.authority == other.authority
    }

    /// The encoded key of a URL under this base.
    pub(super) fn strip<'a>(&self, parts: &Parts<'a>) -> Option<&'a str> {
        if !self.scheme.matches(parts.scheme)
            || !parts.authority.eq_ignore_ascii_case(&self.authority)
        {
            return None;
        }
        parts
            .path
            .strip_prefix(self.path.as_str())?
            .strip_prefix('/')
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authority, path, ..
        } = self;
        match self.scheme {
            Scheme::None => write!(f, "{path}"),
            Scheme::Http => write!(f, "http://{authority}{path}"),
            Scheme::Https | Scheme::AnyHttp => write!(f, "https://{authority}{path}"),
            Scheme::Opaque(scheme) => write!(f, "{scheme}://{authority}{path}"),
        }
    }
}

/// A base's path without the `/` at its end; segments of characters that stand for themselves.
fn base_path(path: &str) -> Result<String, &'static str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    for segment in path.split('/').skip(1) {
        if matches!(segment, "" | "." | "..") {
            return Err("its path must not have an empty or a dot segment");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if !segment.bytes().all(plain) {
            return Err("its path must be made of letters, digits and -_.~");
        }
    }
    Ok(path.to_owned())
}

/// A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0)
    });
    let host_ok = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            host.len() <= 253
                && host.split('.').all(|label| {
                    (1..=63).contains(&label.len())
                        && label.bytes().all(|byte| {
                            byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
                        })
                })
        }
    };
    port_ok && host_ok
}

/// A URL cut into pieces, none of them changed.
pub(super) struct Parts<'a> {
    scheme: Option<&'a str>,
    /// Without a port that is the scheme's default.
    authority: &'a str,
    path: &'a str,
}

/// Cuts a URL without interpreting it. What parsers disagree about is refused: browsers take `\` for
/// `/` and drop tabs and line ends, RFC 3986 knows neither.
pub(super) fn split(url: &str) -> Result<Parts<'_>, &'static str> {
    for character in url.chars() {
        if character.is_control() {
            return Err("it has a control character");
        }
        if character.is_whitespace() {
            return Err("it has white space");
        }
        if character == '\\' {
            return Err("it has a backslash");
        }
    }
    let url = url.split(['?', '#']).next().unwrap_or_default();
    if url.starts_with("//") {
        return Err("it has no scheme");
    }
    if url.starts_with('/') {
        return Ok(Parts {
            scheme: None,
            authority: "",
            path: url,
        });
    }
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme and host")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("it has userinfo");
    }
    let default_port = if scheme.eq_ignore_ascii_case("https") {
        ":443"
    } else if scheme.eq_ignore_ascii_case("http") {
        ":80"
    } else {
        ""
    };
    Ok(Parts {
        scheme: Some(scheme),
        authority: authority.strip_suffix(default_port).unwrap_or(authority),
        path,
    })
}

/// Percent-decodes a path exactly once.
pub(super) fn decode(encoded: &str) -> Result<String, &'static str> {
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or("it has a '%' that does not begin an escape")
    };
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            b'+' => return Err("it has a raw '+', which some servers read as a space"),
            b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                return Err("it has a character that URLs cannot have");
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| "its escapes are not UTF-8")
}
