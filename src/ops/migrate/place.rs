//! Sources and targets of migrations.

use std::fs::ReadDir;
use std::path::{Path, PathBuf};

use crate::config::{ConfigBuilder, RetryPreset};
use crate::error::{Error, Result};
use crate::key::{InvalidKey, ORIGINALS, ObjectKey};
use crate::store::{ImageStore, LoadInspector};

/// A part of a store: all keys under a prefix, which may be empty.
#[derive(Debug, Clone)]
pub struct Place {
    store: ImageStore,
    prefix: String,
    /// The prefix of the store that it is in: nothing else of it is public. `None` for a directory that no
    /// store is in.
    home: Option<String>,
    /// Prefix of optimized images.
    image_prefix: String,
}

impl Place {
    /// The objects of `store` under its own prefix.
    pub fn of_store(store: ImageStore) -> Self {
        let prefix = store.config().prefix().to_owned();
        Self::new(store, &prefix, Some(prefix.clone()), "components")
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
        Self::open_loading(place, vars, None)
    }

    /// The same with the inspector that the variables name.
    pub(crate) fn open_loading(
        place: &str,
        vars: impl IntoIterator<Item = (String, String)>,
        load: Option<LoadInspector>,
    ) -> Result<Self> {
        let vars: Vec<(String, String)> = vars.into_iter().collect();
        match place.split_once("://") {
            Some(("s3", rest)) => Self::bucket(place, rest, vars, load),
            Some(_) => Err(invalid(place, "neither a directory nor s3://bucket/prefix")),
            None if place.is_empty() => Err(invalid(place, "empty")),
            None => Self::directory(Path::new(place), vars, load),
        }
    }

    fn bucket(
        place: &str,
        rest: &str,
        mut vars: Vec<(String, String)>,
        load: Option<LoadInspector>,
    ) -> Result<Self> {
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
        let store = ImageStore::from_config_loading(config, load)?;
        let home = Some(image_prefix.clone());
        Ok(Self::new(store, prefix, home, &image_prefix))
    }

    /// A directory within the one that the store serves is a part of that store; any other is a place of
    /// its own.
    fn directory(
        directory: &Path,
        mut vars: Vec<(String, String)>,
        load: Option<LoadInspector>,
    ) -> Result<Self> {
        let served = value(&vars, "LABLINK_STORAGE_DIR").unwrap_or("./uploads");
        let served = Path::new(served).to_owned();
        let image_prefix = image_prefix(&vars);
        let prefix = relative(directory, &served)
            .filter(|inner| inner.is_empty() || ObjectKey::parse(inner.as_str()).is_ok());
        let in_use = value(&vars, "AWS_S3_BUCKET").is_none();
        let home = (in_use && prefix.is_some()).then(|| image_prefix.clone());
        let root = if prefix.is_some() { &served } else { directory };
        vars.retain(|(name, _)| {
            name != "AWS_S3_BUCKET"
                && name != "LABLINK_STORAGE_REQUIRE_S3"
                && !name.starts_with("CLOUDFRONT_")
        });
        let prefix = prefix.unwrap_or_default();
        let config = ConfigBuilder::from_vars(vars)
            .and_then(|builder| {
                builder
                    .local(root)
                    .with_prefix(prefix.as_str())
                    .with_retry(RetryPreset::Batch)
                    .build()
            })
            .map_err(Error::from)?;
        let store = ImageStore::from_config_loading(config, load)?;
        Ok(Self::new(store, &prefix, home, &image_prefix))
    }

    fn new(store: ImageStore, prefix: &str, home: Option<String>, otherwise: &str) -> Self {
        Self {
            store,
            prefix: prefix.to_owned(),
            home,
            image_prefix: if prefix.is_empty() { otherwise } else { prefix }.to_owned(),
        }
    }

    /// Returns the consequences of putting images here, if the place is in a store but outside its prefix.
    pub fn outside_prefix(&self) -> Option<String> {
        let home = self.home.as_deref()?;
        if is_inside(&self.prefix, home) {
            return None;
        }
        let place = match (self.store.config().s3(), self.prefix.as_str()) {
            (Some(s3), "") => format!("the root of bucket {}", s3.bucket()),
            (None, "") => "the root of the upload directory".to_owned(),
            (_, prefix) => format!("{prefix}/"),
        };
        Some(format!(
            "{place} is outside the store's prefix {home}/: images there are not public, not listed, \
             and not found by their URLs"
        ))
    }

    /// Returns this place moved inside the store's prefix, as it is written on a command line.
    pub fn inside_prefix(&self) -> Option<String> {
        let home = self.home.as_deref()?;
        let config = self.store.config();
        match (config.s3(), config.local()) {
            (Some(s3), _) => Some(format!("s3://{}/{home}", s3.bucket())),
            (_, Some(local)) => Some(local.directory().join(home).display().to_string()),
            _ => None,
        }
    }

    /// The directory that the keys of this place are files in.
    pub(super) fn directory_root(&self) -> Option<PathBuf> {
        let local = self.store.config().local()?;
        Some(local.directory().to_owned())
    }

    /// Returns the bases of this place's URLs: the public one, the bucket's own behind a CDN, and former ones.
    pub(super) fn old_bases(&self) -> Vec<String> {
        let urls = self.store.config().urls();
        let mut bases = vec![urls.public_base()];
        if urls.bucket_url() != bases[0] {
            bases.push(urls.bucket_url());
        }
        bases.extend(urls.former_bases());
        bases
    }

    /// The store that it is a part of.
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// The prefix; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Calls `each` with the entries that a listing of a directory skips, which must not be lost silently.
    pub(super) async fn passed_over(&self, mut each: impl FnMut(PassedOver)) {
        let Some(root) = self.directory_root() else {
            return;
        };
        let top = root.join(&self.prefix);
        let mut walk = Walk {
            root,
            open: Vec::new(),
        };
        let begun = tokio::task::spawn_blocking(move || {
            walk.open.extend(std::fs::read_dir(top));
            walk
        });
        let Ok(mut walk) = begun.await else { return };
        while !walk.open.is_empty() {
            let step = tokio::task::spawn_blocking(move || {
                let found: Vec<_> = (0..STEP).filter_map(|_| walk.step()).collect();
                (walk, found)
            });
            let Ok((rest, found)) = step.await else {
                return;
            };
            walk = rest;
            found.into_iter().for_each(&mut each);
        }
    }

    pub(super) fn image_prefix(&self) -> &str {
        &self.image_prefix
    }

    /// Returns the part of a key behind this place's prefix.
    pub(super) fn relative<'k>(&self, key: &'k ObjectKey) -> &'k str {
        if self.prefix.is_empty() {
            return key.as_str();
        }
        let rest = key.as_str().strip_prefix(self.prefix.as_str());
        rest.and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(key.as_str())
    }

    /// The prefix of the originals of this place, where its own listing has none of them.
    pub(super) fn originals_prefix(&self) -> Option<String> {
        (!self.prefix.is_empty()).then(|| format!("{ORIGINALS}/{}", self.prefix))
    }

    /// What follows the prefix in the key of an original of this place.
    pub(super) fn relative_original<'k>(&self, key: &'k ObjectKey) -> &'k str {
        let inner = key.as_str().strip_prefix(ORIGINALS);
        let inner = inner.and_then(|inner| inner.strip_prefix('/'));
        let inner = inner.unwrap_or(key.as_str());
        let rest = inner.strip_prefix(self.prefix.as_str());
        rest.map_or(inner, |rest| rest.trim_start_matches('/'))
    }

    pub(super) fn original_key(&self, relative: &str) -> Result<ObjectKey, InvalidKey> {
        ObjectKey::parse(format!("{ORIGINALS}/{}", self.key(relative)?))
    }

    pub(super) fn key(&self, relative: &str) -> Result<ObjectKey, InvalidKey> {
        if self.prefix.is_empty() {
            ObjectKey::parse(relative)
        } else {
            ObjectKey::parse(format!("{}/{relative}", self.prefix))
        }
    }

    /// Returns whether keys of one are keys of the other too.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.root(), other.root());
        match (ours, theirs) {
            (Some((ours, ours_in)), Some((theirs, theirs_in))) => {
                ours == theirs
                    && (is_inside(&ours_in, &theirs_in) || is_inside(&theirs_in, &ours_in))
            }
            _ => false,
        }
    }

    /// Returns whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.root().is_some() && self.root() == other.root()
    }

    /// Returns the bucket or disk, and the path of this place in it.
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

/// An entry that a listing of a directory leaves out.
pub(super) enum PassedOver {
    /// A file whose name can be no key.
    Unnamable(String),
    /// A symbolic link, which is not followed.
    Link(String),
}

/// Entries that are looked at in one go, off the async threads.
const STEP: usize = 1000;

/// A walk through directories that holds one of each level open, however many there are.
struct Walk {
    root: PathBuf,
    open: Vec<ReadDir>,
}

impl Walk {
    /// Looks at the next entry. Hidden files are not reported.
    fn step(&mut self) -> Option<PassedOver> {
        let Some(entry) = self.open.last_mut()?.next() else {
            self.open.pop();
            return None;
        };
        let entry = entry.ok()?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            return None;
        }
        let path = entry.path();
        let inner = path.strip_prefix(&self.root).unwrap_or(&path);
        let name = || inner.to_string_lossy().into_owned();
        let is_key =
            |name: &str| ObjectKey::parse(name.replace(std::path::MAIN_SEPARATOR, "/")).is_ok();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                self.open.extend(std::fs::read_dir(&path));
                None
            }
            Ok(kind) if kind.is_symlink() => Some(PassedOver::Link(name())),
            _ if !inner.to_str().is_some_and(is_key) => Some(PassedOver::Unnamable(name())),
            _ => None,
        }
    }
}

/// Returns whether `inner` is `outer`, or lies below it.
fn is_inside(inner: &str, outer: &str) -> bool {
    outer.is_empty()
        || inner == outer
        || inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
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

/// Returns the path of `directory` inside `outer`, if it lies there.
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
