//! Where images come from and where they go.

use std::path::{Path, PathBuf};

use crate::config::{ConfigBuilder, RetryPreset};
use crate::error::{Error, Result};
use crate::key::{InvalidKey, ObjectKey};
use crate::store::ImageStore;

/// A part of a store: all keys under a prefix, which may be empty.
#[derive(Debug, Clone)]
pub struct Place {
    store: ImageStore,
    prefix: String,
    /// Where optimized images go: a prefix always, for nothing else is public.
    image_prefix: String,
}

impl Place {
    /// The objects of `store` under its own prefix.
    pub fn of_store(store: ImageStore) -> Self {
        let prefix = store.config().prefix().to_owned();
        Self::new(store, &prefix, "components")
    }

    /// A directory, or `s3://bucket/prefix`, opened with what `vars` (the process's environment, as a
    /// rule) say about credentials, region, endpoint and URLs.
    ///
    /// `CLOUDFRONT_DOMAIN` counts for the bucket that `AWS_S3_BUCKET` names only, and
    /// `LABLINK_STORAGE_BASE_URL` stands for `LABLINK_STORAGE_DIR`: old URLs of a directory in it follow
    /// from that, and those of a directory elsewhere begin with it.
    ///
    /// ```
    /// # if cfg!(not(feature = "local")) {
    /// #     return Ok(());
    /// # }
    /// use lablink_storage::ErrorKind;
    /// use lablink_storage::ops::Place;
    ///
    /// let place = Place::open("./uploads", std::env::vars())?;
    /// assert_eq!(place.prefix(), ""); // all of the directory
    ///
    /// let error = Place::open("ftp://example.com/images", std::env::vars()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a place that is written in another way; `Configuration` where it cannot be
    /// opened.
    pub fn open(place: &str, vars: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let vars: Vec<(String, String)> = vars.into_iter().collect();
        match place.split_once("://") {
            Some(("s3", rest)) => Self::bucket(place, rest, vars),
            Some(_) => Err(invalid(place, "neither a directory nor s3://bucket/prefix")),
            None if place.is_empty() => Err(invalid(place, "empty")),
            None => Self::directory(Path::new(place), vars),
        }
    }

    fn bucket(place: &str, rest: &str, mut vars: Vec<(String, String)>) -> Result<Self> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty() {
            return Err(invalid(place, "without a bucket"));
        }
        if !prefix.is_empty() {
            ObjectKey::parse(prefix)?;
        }
        let own = |(name, value): &(String, String)| name == "AWS_S3_BUCKET" && value == bucket;
        if !vars.iter().any(own) {
            vars.retain(|(name, _)| !name.starts_with("CLOUDFRONT_"));
        }
        vars.retain(|(name, _)| name != "AWS_S3_BUCKET");
        let image_prefix = image_prefix(&vars);
        let config = ConfigBuilder::from_vars(vars)
            .and_then(|builder| {
                builder
                    .s3(bucket)
                    .with_prefix(prefix)
                    .with_retry(RetryPreset::Batch)
                    .build()
            })
            .map_err(Error::from)?;
        Ok(Self::new(
            ImageStore::from_config(config)?,
            prefix,
            &image_prefix,
        ))
    }

    fn directory(directory: &Path, mut vars: Vec<(String, String)>) -> Result<Self> {
        let served = value(&vars, "LABLINK_STORAGE_DIR").unwrap_or("./uploads");
        let base = value(&vars, "LABLINK_STORAGE_BASE_URL").unwrap_or("/uploads");
        let base = match relative(directory, Path::new(served)) {
            Some(inner) if !inner.is_empty() => format!(
                "{}/{}",
                base.trim_end_matches('/'),
                crate::key::percent_encode_path(&inner)
            ),
            _ => base.to_owned(),
        };
        let image_prefix = image_prefix(&vars);
        vars.retain(|(name, _)| {
            name != "AWS_S3_BUCKET"
                && name != "LABLINK_STORAGE_REQUIRE_S3"
                && !name.starts_with("CLOUDFRONT_")
        });
        let config = ConfigBuilder::from_vars(vars)
            .and_then(|builder| {
                builder
                    .local(directory)
                    .with_base_url(base)
                    .with_prefix("")
                    .with_retry(RetryPreset::Batch)
                    .build()
            })
            .map_err(Error::from)?;
        Ok(Self::new(
            ImageStore::from_config(config)?,
            "",
            &image_prefix,
        ))
    }

    fn new(store: ImageStore, prefix: &str, otherwise: &str) -> Self {
        Self {
            store,
            prefix: prefix.to_owned(),
            image_prefix: if prefix.is_empty() { otherwise } else { prefix }.to_owned(),
        }
    }

    /// The store that it is a part of.
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// The prefix; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Tells `each` the files of a directory whose names can be no keys: listings pass over them, and they
    /// must not be lost without a word.
    pub(super) fn unnamable(&self, mut each: impl FnMut(String)) {
        let Some(local) = self.store.config().local() else {
            return;
        };
        let root = local.directory().to_owned();
        let mut directories = vec![root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                let inner = path.strip_prefix(&root).unwrap_or(&path);
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                let named = inner.to_str().is_some_and(|name| {
                    ObjectKey::parse(name.replace(std::path::MAIN_SEPARATOR, "/")).is_ok()
                });
                if is_directory && !hidden {
                    directories.push(path);
                } else if !named && !hidden {
                    each(inner.to_string_lossy().into_owned());
                }
            }
        }
    }

    pub(super) fn image_prefix(&self) -> &str {
        &self.image_prefix
    }

    /// What follows the prefix in a key of this place.
    pub(super) fn relative<'k>(&self, key: &'k ObjectKey) -> &'k str {
        if self.prefix.is_empty() {
            return key.as_str();
        }
        let rest = key.as_str().strip_prefix(self.prefix.as_str());
        rest.and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(key.as_str())
    }

    pub(super) fn key(&self, relative: &str) -> Result<ObjectKey, InvalidKey> {
        if self.prefix.is_empty() {
            ObjectKey::parse(relative)
        } else {
            ObjectKey::parse(format!("{}/{relative}", self.prefix))
        }
    }

    /// Whether keys of one are keys of the other too.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.root(), other.root());
        let inside = |inner: &str, outer: &str| {
            outer.is_empty()
                || inner == outer
                || inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        match (ours, theirs) {
            (Some((ours, ours_in)), Some((theirs, theirs_in))) => {
                ours == theirs && (inside(&ours_in, &theirs_in) || inside(&theirs_in, &ours_in))
            }
            _ => false,
        }
    }

    /// What is shared, and where in it this place is.
    fn root(&self) -> Option<(String, String)> {
        let config = self.store.config();
        if let Some(s3) = config.s3() {
            let server = s3.endpoint().unwrap_or("aws");
            return Some((format!("{server} {}", s3.bucket()), self.prefix.clone()));
        }
        let directory = config.local()?.directory();
        let directory = real(directory)?;
        let inner = directory.to_string_lossy().replace('\\', "/");
        let inner = inner.trim_matches('/');
        let whole = if self.prefix.is_empty() {
            inner.to_owned()
        } else {
            format!("{inner}/{}", self.prefix)
        };
        Some(("directory".to_owned(), whole))
    }
}

fn invalid(place: &str, reason: &str) -> Error {
    Error::InvalidArgument {
        name: "place",
        reason: format!(
            "{:?} is {reason}",
            place.chars().take(100).collect::<String>()
        ),
    }
}

fn value<'v>(vars: &'v [(String, String)], name: &str) -> Option<&'v str> {
    vars.iter()
        .find(|(known, value)| known == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

fn image_prefix(vars: &[(String, String)]) -> String {
    value(vars, "LABLINK_STORAGE_PREFIX")
        .unwrap_or("components")
        .to_owned()
}

/// Where `directory` lies in `outer`, if it does.
fn relative(directory: &Path, outer: &Path) -> Option<String> {
    let (directory, outer) = (real(directory)?, real(outer)?);
    let inner = directory.strip_prefix(&outer).ok()?;
    Some(inner.to_string_lossy().replace('\\', "/"))
}

/// The directory without links, as far as it exists.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|ancestor| ancestor.exists())?;
    let rest = path.strip_prefix(there).ok()?;
    Some(there.canonicalize().ok()?.join(rest))
}
