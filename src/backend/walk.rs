//! Listing a directory tree, a batch at a time.

use std::io::{self, ErrorKind};
use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ObjectMeta, Result};
use uuid::Uuid;

use super::directory::{Directory, Entry, EntryKind, Names};
use super::local::{blocking, generic, object_meta};

/// Entries that are read in one go off the async threads.
const BATCH: usize = 512;

/// Longest time of a batch: on a slow disk the deadline holds for a batch, not for the whole walk.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// Suffix behind the UUID in the name of an unfinished write. With it the name is not a valid key.
const STAGING: &str = "#1";

/// The regular files under a prefix, depth first and in no order. Each directory is entered from the one above it, so
/// that no link leads out, not even one that is put there meanwhile.
#[derive(Debug)]
pub(super) struct Walk {
    /// The root and the prefix, until the first step.
    start: Option<(PathBuf, Path)>,
    /// The directories on the way to here.
    open: Vec<Level>,
    /// What is to be told at the next step.
    failed: Option<io::Error>,
}

#[derive(Debug)]
struct Level {
    directory: Directory,
    /// The names that are left of it.
    names: Names,
    /// What the keys in it begin with.
    prefix: String,
}

impl Level {
    fn new(directory: Directory, prefix: String) -> io::Result<Self> {
        let names = directory.names()?;
        Ok(Self {
            directory,
            names,
            prefix,
        })
    }
}

impl Walk {
    pub(super) fn new(root: &FsPath, prefix: &Path) -> Self {
        Self {
            start: Some((root.to_owned(), prefix.clone())),
            open: Vec::new(),
            failed: None,
        }
    }

    /// Counts the next unfinished writes that are older than `older_than`, and removes them if so wanted; the rest of
    /// the walk if there is more.
    pub(super) fn staging(
        mut self,
        older_than: Duration,
        remove: bool,
    ) -> io::Result<(usize, Option<Self>)> {
        let (began, now) = (Instant::now(), SystemTime::now());
        let (mut found, mut looked_at) = (0, 0);
        while looked_at < BATCH && began.elapsed() < BATCH_TIME {
            match self.next_staging(older_than, now, remove) {
                Ok(Some(is_one)) => found += usize::from(is_one),
                Ok(None) => return Ok((found, None)),
                Err(error) if found == 0 => return Err(error),
                // What was removed is told first.
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            looked_at += 1;
        }
        Ok((found, Some(self)))
    }

    /// Returns whether the next file is an unfinished write; `None` at the end.
    fn next_staging(
        &mut self,
        older_than: Duration,
        now: SystemTime,
        remove: bool,
    ) -> io::Result<Option<bool>> {
        let Some((name, entry)) = self.advance()? else {
            return Ok(None);
        };
        let age = now.duration_since(entry.modified).unwrap_or_default();
        let is_one = is_staging(&name) && age >= older_than;
        if let (true, true, Some(level)) = (is_one, remove, self.open.last()) {
            unless_gone(level.directory.remove(&name))?;
        }
        Ok(Some(is_one))
    }

    /// The next file, by its name in the directory that is open last.
    fn advance(&mut self) -> io::Result<Option<(String, Entry)>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some((root, prefix)) = self.start.take() {
            self.open.extend(unless_gone(enter(&root, &prefix))?);
        }
        loop {
            let Some(level) = self.open.last_mut() else {
                return Ok(None);
            };
            let Some(name) = level.names.next() else {
                self.open.pop();
                continue;
            };
            let name = name?;
            let Some(entry) = unless_gone(level.directory.look(&name))? else {
                continue;
            };
            match entry.kind {
                EntryKind::File => return Ok(Some((name, entry))),
                EntryKind::Directory => {
                    let prefix = format!("{}{name}/", level.prefix);
                    let below = match level.directory.enter(&name) {
                        // It has become a link.
                        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                            match level.directory.kind_of(&name) {
                                Ok(EntryKind::Directory) => return Err(error),
                                _ => continue,
                            }
                        }
                        below => unless_gone(below)?,
                    };
                    let below = below.map(|below| Level::new(below, prefix));
                    self.open.extend(below.transpose()?);
                }
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }

    /// The next objects; files that are not part of a key are passed over.
    fn objects(&mut self) -> Vec<io::Result<ObjectMeta>> {
        let began = Instant::now();
        let mut batch = Vec::new();
        let mut looked_at = 0;
        while looked_at < BATCH && began.elapsed() < BATCH_TIME {
            looked_at += 1;
            match self.advance() {
                Ok(None) => break,
                Ok(Some((name, _))) if is_staging(&name) => {}
                Ok(Some((name, entry))) => {
                    let prefix = self.open.last().map_or("", |level| &level.prefix);
                    let key = Path::parse(format!("{prefix}{name}"));
                    batch.extend(key.ok().map(|key| Ok(object_meta(key, &entry))));
                }
                Err(error) => {
                    // What cannot be read now cannot be read by asking again.
                    self.open.clear();
                    batch.push(Err(error));
                }
            }
        }
        batch
    }

    fn has_ended(&self) -> bool {
        self.start.is_none() && self.open.is_empty()
    }
}

/// Opens the directory that a prefix is.
fn enter(root: &FsPath, prefix: &Path) -> io::Result<Level> {
    let mut directory = Directory::open(root)?;
    let mut keys = String::new();
    for segment in prefix.as_ref().split('/').filter(|part| !part.is_empty()) {
        directory = directory.enter(segment)?;
        keys.push_str(segment);
        keys.push('/');
    }
    Level::new(directory, keys)
}

/// Turns "not found" into `None`: another process removed the file meanwhile, or never made it.
fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A file name for a write that is not finished: neither listed nor read.
pub(super) fn staging_name() -> String {
    format!(".{}{STAGING}", Uuid::new_v4())
}

/// Returns whether a file name is one that [`staging_name`] makes, and not a person's `Board #2`.
fn is_staging(name: &str) -> bool {
    let id = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(STAGING));
    id.is_some_and(|id| {
        Uuid::try_parse(id).is_ok_and(|parsed| parsed.hyphenated().to_string() == id)
    })
}

/// The objects of a walk.
pub(super) fn list(walk: Walk) -> BoxStream<'static, Result<ObjectMeta>> {
    stream::unfold(Some(walk), |walk| async move {
        let mut walk = walk?;
        let read = blocking(move || {
            let batch = walk.objects();
            Ok((batch, walk))
        });
        Some(match read.await {
            Ok((batch, walk)) => {
                let batch: Vec<Result<ObjectMeta>> = batch
                    .into_iter()
                    .map(|entry| entry.map_err(generic))
                    .collect();
                // Files that are passed over can leave a batch empty before the end.
                (batch, (!walk.has_ended()).then_some(walk))
            }
            Err(error) => (vec![Err(error)], None),
        })
    })
    .flat_map(stream::iter)
    .boxed()
}
