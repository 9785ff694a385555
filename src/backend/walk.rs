//! Listing a directory tree, a batch at a time.

use std::collections::VecDeque;
use std::fs::{self, Metadata, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Path as FsPath, PathBuf};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ObjectMeta, Result};

use super::local::{blocking, generic, object_meta};

/// Entries that are read in one go off the async threads.
const BATCH: usize = 512;

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

/// What another process removed meanwhile, or never made, is not there: no failure.
fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether a file name is that of an unfinished write, of this store or of object_store's own.
pub(super) fn is_staging(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The objects under `directory`, with keys relative to `root`. File names that are no part of a key
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
                let batch: VecDeque<_> = walk
                    .by_ref()
                    .take(BATCH)
                    .filter_map(|entry| as_object(&root, entry))
                    .collect();
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
