//! The URLs that an object had, for the map.

use super::copy::{Copier, CopyError};
use super::report::Migrated;
use super::spellings;
use crate::key::{ObjectKey, percent_encode_path};
use crate::kind::ErrorKind;

pub(super) struct OldUrls {
    url: String,
    spellings: Vec<String>,
}

impl OldUrls {
    /// Without a map, the first URL is enough.
    pub(super) async fn of(copier: &Copier, key: &ObjectKey) -> Result<Self, CopyError> {
        let (bases, path) = match &copier.options.old_base_url {
            Some(base) => {
                let base = base.trim_end_matches('/').to_owned();
                (vec![base], copier.source.relative(key))
            }
            None => (copier.source.old_bases(), key.as_str()),
        };
        let mut urls = Vec::new();
        let encoded = percent_encode_path(path);
        for base in &bases {
            urls.push(format!("{base}/{encoded}"));
        }
        if copier.options.url_map.is_some() {
            let folder = key.as_str().strip_suffix(path).unwrap_or_default();
            for spelling in spellings::of(path) {
                if !is_anothers(copier, key, folder, &spelling).await? {
                    urls.extend(bases.iter().map(|base| format!("{base}/{spelling}")));
                }
            }
        }
        Ok(Self {
            url: urls.remove(0),
            spellings: urls,
        })
    }

    pub(super) fn copied(self, key: ObjectKey, bytes: u64, new_url: Option<String>) -> Migrated {
        Migrated::Copied {
            key,
            bytes,
            old_url: self.url,
            spellings: self.spellings,
            new_url,
        }
    }

    pub(super) fn present(self, key: ObjectKey, new_url: String) -> Migrated {
        Migrated::Present {
            key,
            old_url: self.url,
            spellings: self.spellings,
            new_url,
        }
    }
}

/// Returns whether a spelling of this name is also the name of another object: `a+b` of `a b`.
async fn is_anothers(
    copier: &Copier,
    key: &ObjectKey,
    folder: &str,
    spelling: &str,
) -> Result<bool, CopyError> {
    for reading in spellings::readings(spelling) {
        let Ok(other) = ObjectKey::parse(format!("{folder}{reading}")) else {
            continue;
        };
        if other == *key {
            continue;
        }
        match copier.source.store().backend().head(&other).await {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
