//! The images that the URLs of a column lead to, as images of the store.

use std::io::BufRead;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::optimize::{derived_id, formats};
use super::url_map::{UrlMap, UrlMapWriter};
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::ops::lines::Lines;
use crate::ops::lines::shown;
use crate::store::ImageStore;

/// Most failures told one by one; the rest is counted.
const DETAILS: usize = 1000;

/// Options of [`migrate_urls`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UrlOptions {
    /// Only says what would be done: nothing is fetched.
    pub dry_run: bool,
    /// Where to write old and new URLs.
    pub url_map: Option<UrlMap>,
    /// Images under way at once, 1 to 64. 8 by default.
    pub concurrency: usize,
}

impl Default for UrlOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            url_map: None,
            concurrency: 8,
        }
    }
}

impl UrlOptions {
    /// Only says what would be done.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Writes old and new URLs.
    #[must_use]
    pub fn with_url_map(mut self, map: UrlMap) -> Self {
        self.url_map = Some(map);
        self
    }

    /// Sets how many images are under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }
}

/// The outcome of one URL.
#[derive(Debug)]
#[non_exhaustive]
pub enum UrlMigrated {
    /// Its image is stored now. In a dry run: it would be fetched.
    #[non_exhaustive]
    Stored {
        /// The URL.
        url: String,
        /// Bytes stored.
        bytes: u64,
        /// The new URL; unknown in a dry run.
        new_url: Option<String>,
    },
    /// An earlier run has stored its image.
    #[non_exhaustive]
    Present {
        /// The URL.
        url: String,
        /// The new URL.
        new_url: String,
    },
    /// It is this store's own URL, and stays as it is.
    #[non_exhaustive]
    Own {
        /// The URL.
        url: String,
    },
    /// Its image could not be taken over.
    #[non_exhaustive]
    Failed(UrlFailure),
}

/// A URL whose image could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UrlFailure {
    /// The URL's first 100 characters, without userinfo, query and fragment: those may carry secrets.
    pub url: String,
    /// The kind of the failure.
    pub kind: ErrorKind,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The outcome of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UrlReport {
    /// True after a dry run, in which nothing is fetched.
    pub dry_run: bool,
    /// Images that were stored, or would be fetched.
    pub stored: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Images that an earlier run has stored.
    pub present: u64,
    /// URLs of this very store, which stay as they are.
    pub own: u64,
    /// Images that could not be taken over.
    pub failed: u64,
    /// The first thousand failures.
    pub failures: Vec<UrlFailure>,
}

/// Fetches the image of each URL, one a line, and stores it as
/// [`upload_from_url`](ImageStore::upload_from_url) does, under a key that follows from the URL: run again, it
/// fetches what is missing. A URL that fails does not stop the rest.
///
/// # Errors
///
/// `NotSupported` where the store may fetch from no host; `InvalidArgument` for a list that cannot be read, a map
/// that cannot be written, or a concurrency outside 1 to 64; and what would keep every other image away from the
/// store, too.
pub async fn migrate_urls(
    store: &ImageStore,
    urls: impl BufRead,
    options: &UrlOptions,
    mut each: impl FnMut(&UrlMigrated),
) -> Result<UrlReport> {
    let invalid = |name, reason| Err(Error::InvalidArgument { name, reason });
    if !(1..=64).contains(&options.concurrency) {
        return invalid("concurrency", "it is not within 1 to 64".to_owned());
    }
    let map = options.url_map.as_ref().filter(|_| !options.dry_run);
    let mut map = map.map(UrlMapWriter::create).transpose()?;
    let mut report = UrlReport {
        dry_run: options.dry_run,
        ..UrlReport::default()
    };
    let lines = Lines(urls).filter(|line| !line.as_ref().is_ok_and(|line| bare(line).is_empty()));
    let mut done = stream::iter(lines)
        .map(|line| async {
            let line = line.map_err(|error| Error::InvalidArgument {
                name: "from_urls",
                reason: error.to_string(),
            })?;
            take(store, bare(&line), options.dry_run).await
        })
        .buffer_unordered(options.concurrency);
    while let Some(migrated) = done.next().await.transpose()? {
        let named = match &migrated {
            UrlMigrated::Stored { url, new_url, .. } => new_url.as_ref().map(|new| (url, new)),
            UrlMigrated::Present { url, new_url } => Some((url, new_url)),
            _ => None,
        };
        if let (Some(map), Some((old, new))) = (&mut map, named) {
            map.row(old, new)?;
        }
        each(&migrated);
        report.add(migrated);
    }
    if let Some(map) = map {
        map.finish()?;
    }
    Ok(report)
}

/// A line without the white space and the quotes around its URL.
fn bare(line: &str) -> &str {
    line.trim_matches(|letter: char| letter.is_whitespace() || letter == '"')
}

/// Takes one image over.
///
/// # Errors
///
/// What every other image would meet, too.
async fn take(store: &ImageStore, url: &str, dry_run: bool) -> Result<UrlMigrated> {
    match try_to_take(store, url, dry_run).await {
        Ok(migrated) => Ok(migrated),
        Err(error) if error.concerns_every_object() || is_off(&error) => Err(error),
        Err(error) => Ok(UrlMigrated::Failed(UrlFailure {
            url: shown(store, url),
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint(),
        })),
    }
}

fn is_off(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotSupported | ErrorKind::Configuration
    )
}

async fn try_to_take(store: &ImageStore, text: &str, dry_run: bool) -> Result<UrlMigrated> {
    let url = text.to_owned();
    if store.key_from_url(text).is_ok() {
        return Ok(UrlMigrated::Own { url });
    }
    store.may_fetch(text)?;
    let (prefix, id) = (store.config().prefix(), derived_id(text));
    for format in formats(store.config().optimize().format) {
        // The main object is written last: where it is, all of the image is.
        let key = ObjectKey::for_upload(prefix, id, format)?;
        if store.exists(&key).await? {
            let new_url = store.public_url(&key);
            return Ok(UrlMigrated::Present { url, new_url });
        }
    }
    if dry_run {
        return Ok(UrlMigrated::Stored {
            url,
            bytes: 0,
            new_url: None,
        });
    }
    let fetched = store.fetch(text, None).await?;
    let stored = store
        .upload_as(prefix, id, fetched.bytes, false, false)
        .await?;
    let image = stored.ok_or_else(|| Error::internal("an image was not stored"))?;
    Ok(UrlMigrated::Stored {
        url,
        bytes: image.size,
        new_url: Some(image.url),
    })
}

impl UrlReport {
    /// Returns whether everything that was to be taken over is in the store.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && !self.dry_run
    }

    fn add(&mut self, migrated: UrlMigrated) {
        match migrated {
            UrlMigrated::Stored { bytes, .. } => {
                self.stored += 1;
                self.bytes += bytes;
            }
            UrlMigrated::Present { .. } => self.present += 1,
            UrlMigrated::Own { .. } => self.own += 1,
            UrlMigrated::Failed(failure) => {
                self.failed += 1;
                if self.failures.len() < DETAILS {
                    self.failures.push(failure);
                }
            }
        }
    }
}
