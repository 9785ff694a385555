//! Reads objects of a listing, without believing every answer.

use bytes::Bytes;
use md5::{Digest, Md5};

use super::Backend;
use super::deadline::StorageResult;
use super::error::{Operation, StorageError};
use super::object::ObjectInfo;
use crate::kind::ErrorKind;

/// An object that was read, and whether its bytes are known to be right.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) info: ObjectInfo,
    pub(crate) bytes: Bytes,
    /// True if their MD5 is that of the listing, or if they come from the file system.
    pub(crate) proven: bool,
}

impl Backend {
    /// Reads an object of a listing and compares the two: the size, the entity tag
    /// and, where that is the MD5 of the bytes, the bytes. What does not fit is read once more.
    ///
    /// # Errors
    ///
    /// `Internal` for an answer that is not the object; else as [`get`](Self::get).
    pub(crate) async fn get_listed(
        &self,
        listed: &ObjectInfo,
        max_bytes: u64,
    ) -> StorageResult<Listed> {
        match self.compared(listed, max_bytes).await {
            Err(error) if error.kind() == ErrorKind::Internal => {
                self.compared(listed, max_bytes).await
            }
            outcome => outcome,
        }
    }

    async fn compared(&self, listed: &ObjectInfo, max_bytes: u64) -> StorageResult<Listed> {
        let (info, bytes) = self.get(&listed.key, max_bytes).await?;
        let differs = |problem: String| {
            StorageError::new(ErrorKind::Internal, Operation::Get, problem)
                .with_key(Some(&listed.key))
                .with_bucket(self.bucket())
                .with_hint(
                    "run it again; if it happens again, the server or a proxy in front of it changes the bytes",
                )
        };
        let length = bytes.len() as u64;
        if length != listed.size {
            let size = listed.size;
            return Err(differs(format!(
                "{length} bytes were received, but the listing says {size}"
            )));
        }
        let is_same = is_same(listed.e_tag.as_deref(), info.e_tag.as_deref());
        let md5 = listed.e_tag.as_deref().and_then(as_md5);
        let matches = md5.map(|md5| *md5 == *hex(&Md5::digest(&bytes)));
        match (matches, is_same) {
            // With its entity tag came bytes that the HTTP layer has compared with it, unless it is no MD5
            // at all: the object is encrypted with a key of its own.
            (Some(false), None | Some(false)) => Err(differs(
                "the received bytes do not match the ETag of the listing".to_owned(),
            )),
            (None, Some(false)) => Err(differs(
                "its ETag differs from the one in the listing".to_owned(),
            )),
            _ => Ok(Listed {
                proven: matches == Some(true) || self.name() == "local",
                info,
                bytes,
            }),
        }
    }
}

/// The MD5 that an entity tag is, unless the object came in parts.
fn as_md5(e_tag: &str) -> Option<String> {
    let digits = e_tag.len() == 32 && e_tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| e_tag.to_ascii_lowercase())
}

/// Returns whether two entity tags are the same, where both are there.
fn is_same(listed: Option<&str>, read: Option<&str>) -> Option<bool> {
    let strong = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_owned();
    Some(strong(listed?) == strong(read?))
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
