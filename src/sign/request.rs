//! Signed requests and forms.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::key::ObjectKey;

/// The HTTP method that a presigned request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Read the object.
    Get,
    /// Write the object.
    Put,
}

impl Method {
    /// `GET` or `PUT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request that anyone who has it can make until it expires.
///
/// The URL carries the signature and maybe a session token, so `Debug` shows it without its query.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PresignedRequest {
    /// The method that was signed; no other works.
    pub method: Method,
    /// The URL with its signature.
    pub url: String,
    /// Headers that were signed and have to be sent exactly like this; none for a GET.
    #[serde(serialize_with = "as_map")]
    pub headers: Vec<(String, String)>,
    /// The key.
    pub key: ObjectKey,
    /// Of a PUT that a store hands out, the public URL: of a pending key, the one after `promote`.
    pub file_url: Option<String>,
    /// Its end: the earlier of the expiry asked for and the end of the credentials.
    #[serde(serialize_with = "as_rfc_3339")]
    pub expires_at: SystemTime,
}

impl PresignedRequest {
    /// A GET without headers, signed elsewhere.
    #[cfg(feature = "store")]
    pub(crate) fn get(url: String, key: ObjectKey, expires_at: SystemTime) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: Vec::new(),
            key,
            file_url: None,
            expires_at,
        }
    }
}

impl fmt::Debug for PresignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedRequest")
            .field("method", &self.method)
            .field("url", &without_query(&self.url))
            .field("headers", &names(&self.headers))
            .field("key", &self.key)
            .field("file_url", &self.file_url)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// A browser form that uploads one file until it expires.
///
/// Send the fields in their order and the file last, in a part called `file`, as
/// `multipart/form-data`. It can be used again until it expires. `Debug` shows the fields' names only. It
/// serializes as a page wants it: the fields as an object in their order, the time as RFC 3339.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PresignedPost {
    /// The URL that the form is posted to.
    pub url: String,
    /// The form's fields in the order to send them in, before the file.
    #[serde(serialize_with = "as_map")]
    pub fields: Vec<(String, String)>,
    /// The key that the upload gets.
    pub key: ObjectKey,
    /// The public URL: of a pending key, the one after `promote`.
    pub file_url: String,
    /// Its end: the earlier of the expiry asked for and the end of the credentials.
    #[serde(serialize_with = "as_rfc_3339")]
    pub expires_at: SystemTime,
}

impl PresignedPost {
    /// Puts a signed form together, where the pieces come from different rooms.
    pub fn new(
        url: String,
        fields: Vec<(String, String)>,
        key: ObjectKey,
        file_url: String,
        expires_at: SystemTime,
    ) -> Self {
        Self {
            url,
            fields,
            key,
            file_url,
            expires_at,
        }
    }
}

impl fmt::Debug for PresignedPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedPost")
            .field("url", &self.url)
            .field("fields", &names(&self.fields))
            .field("key", &self.key)
            .field("file_url", &self.file_url)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// Cookies that open a CloudFront distribution, or a part of it, until they expire.
///
/// Set them for the CDN's domain, `Secure` and `HttpOnly`. `Debug` shows their names only.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignedCookies {
    /// Names and values.
    #[serde(serialize_with = "as_map")]
    pub cookies: Vec<(String, String)>,
    /// The URLs that they open; may have `*` and `?`.
    pub resource: String,
    /// Their end.
    #[serde(serialize_with = "as_rfc_3339")]
    pub expires_at: SystemTime,
}

impl fmt::Debug for SignedCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCookies")
            .field("cookies", &names(&self.cookies))
            .field("resource", &self.resource)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An object whose members keep their order.
fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// In UTC, to the second.
fn as_rfc_3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::<Utc>::from(*time);
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}
