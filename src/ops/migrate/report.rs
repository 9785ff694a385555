//! Options and report of a migration.

use std::borrow::Cow;

use serde::Serialize;

use super::url_map::UrlMap;
use crate::error::Error;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// Most failures, and most objects left out, that are listed one by one; the rest is counted.
const DETAILS: usize = 1000;

/// Options of a migration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// True to optimize images on the way, under new keys.
    pub optimize: bool,
    /// True to report what would be done, and write nothing.
    pub dry_run: bool,
    /// The file for old and new URLs.
    pub url_map: Option<UrlMap>,
    /// The beginning of the old URLs, where it differs from that of the source's own.
    pub old_base_url: Option<String>,
    /// True to treat an object of the same size at the target as the same, without reading both.
    pub quick: bool,
    /// True to copy files that are not images, too.
    pub all_files: bool,
    /// True to allow a target outside the store's prefix, where nothing is public, listed or removed.
    pub outside_prefix: bool,
    /// Objects under way at once, 1 to 64. 8 by default.
    pub concurrency: usize,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self {
            optimize: false,
            dry_run: false,
            url_map: None,
            old_base_url: None,
            quick: false,
            all_files: false,
            outside_prefix: false,
            concurrency: 8,
        }
    }
}

impl MigrateOptions {
    /// Optimizes images on the way.
    #[must_use]
    pub fn with_optimize(mut self, optimize: bool) -> Self {
        self.optimize = optimize;
        self
    }

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

    /// Sets what old URLs begin with.
    #[must_use]
    pub fn with_old_base_url(mut self, url: impl Into<String>) -> Self {
        self.old_base_url = Some(url.into());
        self
    }

    /// Takes an object of the same size for the same.
    #[must_use]
    pub fn with_quick(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    /// Copies files that are not images, too.
    #[must_use]
    pub fn with_all_files(mut self, all_files: bool) -> Self {
        self.all_files = all_files;
        self
    }

    /// Lets the target lie outside the store's prefix.
    #[must_use]
    pub fn with_outside_prefix(mut self, outside_prefix: bool) -> Self {
        self.outside_prefix = outside_prefix;
        self
    }

    /// Sets how many objects are under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }
}

/// The outcome for one object of the source.
#[derive(Debug)]
#[non_exhaustive]
pub enum Migrated {
    /// It is at the target now, and verified. In a dry run: it would be.
    #[non_exhaustive]
    Copied {
        /// Its key at the source.
        key: ObjectKey,
        /// Bytes at the target.
        bytes: u64,
        /// Its old URL.
        old_url: String,
        /// Other spellings of it, as databases have them: nothing encoded, or less, or more.
        spellings: Vec<String>,
        /// Its new URL; unknown in a dry run that would optimize.
        new_url: Option<String>,
    },
    /// It was at the target already.
    #[non_exhaustive]
    Present {
        /// Its key at the source.
        key: ObjectKey,
        /// Its old URL.
        old_url: String,
        /// Other spellings of it.
        spellings: Vec<String>,
        /// Its new URL.
        new_url: String,
    },
    /// The original of an image is at the target, and verified. In a dry run: it would be. It has no URL.
    #[non_exhaustive]
    Original {
        /// Its key at the source.
        key: ObjectKey,
        /// Its bytes.
        bytes: u64,
        /// False where it was there already.
        is_new: bool,
    },
    /// It is nothing to be moved.
    #[non_exhaustive]
    LeftOut {
        /// Its key at the source.
        key: ObjectKey,
        /// The reason.
        reason: Cow<'static, str>,
    },
    /// It could not be moved.
    #[non_exhaustive]
    Failed(MigrateFailure),
}

impl Migrated {
    /// Its key at the source.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Copied { key, .. }
            | Self::Present { key, .. }
            | Self::Original { key, .. }
            | Self::LeftOut { key, .. } => key,
            Self::Failed(failure) => &failure.key,
        }
    }

    /// Old URLs with the new one, for the map.
    pub(super) fn urls(&self) -> impl Iterator<Item = (&str, &str)> {
        let (old, spellings, new) = match self {
            Self::Copied {
                old_url,
                spellings,
                new_url: Some(new_url),
                ..
            }
            | Self::Present {
                old_url,
                spellings,
                new_url,
                ..
            } => (Some(old_url), spellings.as_slice(), new_url.as_str()),
            _ => (None, &[][..], ""),
        };
        old.into_iter()
            .chain(spellings)
            .map(move |old| (old.as_str(), new))
    }
}

/// An object that could not be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrateFailure {
    /// Its key at the source.
    pub key: ObjectKey,
    /// The kind of the failure.
    pub kind: ErrorKind,
    /// The error.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl MigrateFailure {
    pub(super) fn new(key: ObjectKey, error: &Error) -> Self {
        Self {
            key,
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// The report of a migration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrateReport {
    /// True if nothing was written.
    pub dry_run: bool,
    /// Objects that were copied, or would be.
    pub copied: u64,
    /// Bytes that were written, or would be.
    pub bytes: u64,
    /// Objects that were at the target already.
    pub present: u64,
    /// Originals that were copied, or would be.
    pub originals: u64,
    /// True if the originals of the source may not be listed: if there are any, they are left where they are.
    /// Where the source keeps originals, that is an error.
    pub originals_unlisted: bool,
    /// Objects that are nothing to be moved.
    pub left_out: u64,
    /// Objects that have another content type now: that of their bytes.
    pub type_changed: u64,
    /// Objects that could not be moved.
    pub failed: u64,
    /// Files and objects whose names can be no keys (control characters, backslashes, `#` and digits at the end;
    /// in a bucket `//` and dot segments, too): rename them and run again. The first thousand. Files count as failed;
    /// objects, which may be anybody's, as left out.
    pub unnamable: Vec<String>,
    /// Symbolic links, which are not followed. The first thousand; all of them count as left out.
    pub links: Vec<String>,
    /// The first thousand failures.
    pub failures: Vec<MigrateFailure>,
    /// The first thousand that were left out, and why.
    pub left_out_keys: Vec<(ObjectKey, Cow<'static, str>)>,
}

impl MigrateReport {
    /// Returns whether everything that was to be moved is at the target.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && !self.dry_run
    }
}

#[derive(Debug, Default)]
pub(super) struct Tally(MigrateReport);

impl Tally {
    pub(super) fn add(&mut self, migrated: Migrated) {
        let report = &mut self.0;
        match migrated {
            Migrated::Copied { bytes, .. } => {
                report.copied += 1;
                report.bytes += bytes;
            }
            Migrated::Present { .. } => report.present += 1,
            Migrated::Original { bytes, is_new, .. } => {
                report.originals += u64::from(is_new);
                report.bytes += if is_new { bytes } else { 0 };
            }
            Migrated::LeftOut { key, reason } => {
                report.left_out += 1;
                if report.left_out_keys.len() < DETAILS {
                    report.left_out_keys.push((key, reason));
                }
            }
            Migrated::Failed(failure) => {
                report.failed += 1;
                if report.failures.len() < DETAILS {
                    report.failures.push(failure);
                }
            }
        }
    }

    pub(super) fn unnamable(&mut self, name: String) {
        self.0.failed += 1;
        if self.0.unnamable.len() < DETAILS {
            self.0.unnamable.push(name);
        }
    }

    /// What a listing has passed over: how many, and the first names.
    pub(super) fn passed_over(&mut self, (count, names): (u64, Vec<String>)) {
        self.0.left_out += count;
        let room = DETAILS.saturating_sub(self.0.unnamable.len());
        self.0.unnamable.extend(names.into_iter().take(room));
    }

    pub(super) fn originals_unlisted(&mut self, originals_unlisted: bool) {
        self.0.originals_unlisted = originals_unlisted;
    }

    pub(super) fn link(&mut self, name: String) {
        self.0.left_out += 1;
        if self.0.links.len() < DETAILS {
            self.0.links.push(name);
        }
    }

    pub(super) fn finish(mut self, dry_run: bool, type_changed: u64) -> MigrateReport {
        self.0.dry_run = dry_run;
        self.0.type_changed = type_changed;
        self.0
    }
}
