//! Listing a directory tree, a batch at a time.

use std::collections::VecDeque;
use std::fs::{self, Metadata, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ObjectMeta, Result};
use uuid::Uuid;

use super::local::{blocking, generic, object_meta};

/// Entries that are read in one go off the async threads.
const BATCH: usize = 512;

/// Longest time of a batch: on a slow disk the deadline holds for a batch, not for the whole walk.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// Suffix behind the UUID in the name of an unfinished write. With it the name is not a valid key.
const STAGING: &str = "#1";

/// The regular files under a directory, depth first and in no order. Symbolic links are not followed,
/// so that nothing is seen twice or from outside.
#[derive(Debug)]
pub(super) struct Walk {
    open: Vec<ReadDir>,
    next: Option<PathBuf>,
}

impl Walk {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            open: Vec::new(),
            next: Some(directory),
        }
    }

    /// The next unfinished writes that are older than `older_than`, and the rest of the walk if there is more.
    pub(super) fn staging(
        mut self,
        older_than: Duration,
    ) -> io::Result<(Vec<PathBuf>, Option<Self>)> {
        let (began, now) = (Instant::now(), SystemTime::now());
        let mut found = Vec::new();
        while found.len() < BATCH && began.elapsed() < BATCH_TIME {
            let Some((path, metadata)) = self.advance()? else {
                return Ok((found, None));
            };
            let name = path.file_name().and_then(|name| name.to_str());
            let age = now.duration_since(metadata.modified()?).unwrap_or_default();
            if name.is_some_and(is_staging) && age >= older_than {
                found.push(path);
            }
        }
        Ok((found, Some(self)))
    }

    fn advance(&mut self) -> io::Result<Option<(PathBuf, Metadata)>> {
        loop {
            if let Some(directory) = self.next.take() {
                self.open.extend(unless_gone(fs::read_dir(directory))?);
            }
            let Some(directory) = self.open.last_mut() else {
                return Ok(None);
            };
            let Some(entry) = directory.next() else {
                self.open.pop();
                continue;
            };
            let entry = entry?;
            // Of the entry itself: a link is a link here.
            let Some(metadata) = unless_gone(entry.metadata())? else {
                continue;
            };
            if metadata.is_dir() {
                self.next = Some(entry.path());
            } else if metadata.is_file() {
                return Ok(Some((entry.path(), metadata)));
            }
        }
    }
}

impl Iterator for Walk {
    type Item = io::Result<(PathBuf, Metadata)>;

    fn next(&mut self) -> Option<Self::Item> {
        let advanced = self.advance();
        if advanced.is_err() {
            // What cannot be read now cannot be read by asking again.
            self.open.clear();
        }
        advanced.transpose()
    }
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

/// The objects under `directory`, with keys relative to `root`. File names that are not part of a key
/// are passed over.
pub(super) fn list(root: PathBuf, directory: PathBuf) -> BoxStream<'static, Result<ObjectMeta>> {
    struct State {
        walk: Option<Walk>,
        batch: VecDeque<io::Result<ObjectMeta>>,
        root: PathBuf,
    }
    let state = State {
        walk: Some(Walk::new(directory)),
        batch: VecDeque::new(),
        root,
    };
    stream::unfold(state, |mut state| async move {
        if state.batch.is_empty() {
            let walk = state.walk.take()?;
            let root = state.root.clone();
            let read = blocking(move || {
                let mut walk = walk;
                let mut batch = VecDeque::new();
                let began = Instant::now();
                while batch.len() < BATCH && began.elapsed() < BATCH_TIME {
                    let Some(entry) = walk.next() else { break };
                    batch.extend(as_object(&root, entry));
                }
                Ok((batch, walk))
            });
            match read.await {
                Ok((batch, walk)) => {
                    // Files that are passed over can leave a batch empty before the end.
                    let ended = walk.open.is_empty() && walk.next.is_none();
                    state.walk = (!ended).then_some(walk);
                    state.batch = batch;
                }
                Err(error) => return Some((vec![Err(error)], state)),
            }
        }
        let ready = state.batch.drain(..).map(|entry| entry.map_err(generic));
        let ready: Vec<Result<ObjectMeta>> = ready.collect();
        Some((ready, state))
    })
    .flat_map(stream::iter)
    .boxed()
}

fn as_object(
    root: &FsPath,
    entry: io::Result<(PathBuf, Metadata)>,
) -> Option<io::Result<ObjectMeta>> {
    let (path, metadata) = match entry {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    let mut key = String::new();
    for segment in path.strip_prefix(root).ok()? {
        let segment = segment.to_str()?;
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(segment);
    }
    if is_staging(path.file_name()?.to_str()?) {
        return None;
    }
    let location = Path::parse(&key).ok()?;
    Some(Ok(object_meta(location, &metadata)))
}
