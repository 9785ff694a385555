//! A directory as an object store.
//!
//! object_store's own `LocalFileSystem` follows symbolic links out of its root, wants the root to exist, needs
//! hard links, cannot stage a file whose name is as long as names may be, and fails a whole listing over one odd
//! file name. This one holds every [`ObjectKey`](crate::ObjectKey) and nothing else.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::directory::{Directory, Entry, EntryKind, is_link};
use super::walk::{Walk, list, staging_name};
use crate::config::LocalConfig;

/// Number of times that a write starts over when its directory is removed meanwhile.
const MAX_RESTARTS: usize = 16;

/// First segments of keys whose files are for nobody else on the machine.
const PRIVATE: [&str; 2] = [crate::key::PENDING, crate::key::ORIGINALS];

/// Files under a directory, which is made when the first one is written.
#[derive(Debug, Clone)]
pub(super) struct LocalFiles {
    root: PathBuf,
    fsync: bool,
}

/// The directory and file name of a key.
struct Place<'a> {
    /// The directories on the way, from the root, each with the segment that leads on from it.
    above: Vec<(Directory, &'a str)>,
    directory: Directory,
    name: &'a str,
    private: bool,
}

/// An object to be written.
struct Put {
    location: Path,
    payload: PutPayload,
    /// False to replace what is there.
    create: bool,
    /// Gone when nobody waits for it any more.
    caller: Weak<()>,
}

impl Put {
    /// Refuses what nobody waits for: a caller whose time is over takes back what it wrote, and nothing may come
    /// after that.
    fn check_caller(&self) -> io::Result<()> {
        match self.caller.strong_count() {
            0 => Err(io::Error::other("nobody waits for it any more")),
            _ => Ok(()),
        }
    }
}

impl LocalFiles {
    /// # Errors
    ///
    /// The current directory's, where `directory` is relative to it.
    pub(super) fn new(config: &LocalConfig) -> io::Result<Self> {
        Ok(Self {
            root: std::path::absolute(&config.directory)?,
            fsync: config.fsync,
        })
    }

    pub(super) fn root(&self) -> &FsPath {
        &self.root
    }

    /// Returns whether the file system has room for bytes but not for one more file.
    pub(super) fn lacks_inodes(&self) -> bool {
        #[cfg(unix)]
        let lacks = rustix::fs::statvfs(&self.root)
            .is_ok_and(|disk| disk.f_files > 0 && disk.f_favail == 0 && disk.f_bavail > 0);
        #[cfg(not(unix))]
        let lacks = false;
        lacks
    }

    /// Reads the root's entry, or that of the directory in which it would be made.
    pub(super) fn check(&self) -> io::Result<()> {
        for directory in self.root.ancestors() {
            match fs::metadata(directory) {
                Ok(metadata) if metadata.is_dir() => return Ok(()),
                Ok(_) => {
                    let problem = format!("{directory:?} is not a directory");
                    return Err(io::Error::new(ErrorKind::NotADirectory, problem));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    /// The directory that a key's file lies in, those above it, and the file's name.
    ///
    /// Everything below the root is opened segment by segment: no link on the way is followed.
    fn descend<'a>(&self, location: &'a Path, make: bool) -> io::Result<Place<'a>> {
        if make {
            self.make_root()?;
        }
        let mut segments: Vec<&str> = location.as_ref().split('/').collect();
        let name = segments.pop().unwrap_or_default();
        let private = segments
            .first()
            .is_some_and(|first| PRIVATE.contains(first));
        let mut place = Place {
            above: Vec::with_capacity(segments.len()),
            directory: Directory::open(&self.root)?,
            name,
            private,
        };
        for segment in segments {
            let below = match place.directory.enter(segment) {
                Err(error) if make && error.kind() == ErrorKind::NotFound => {
                    place.directory.make(segment, private)?;
                    self.sync(&place.directory)?;
                    place.directory.enter(segment)
                }
                entered => entered,
            }?;
            let above = std::mem::replace(&mut place.directory, below);
            place.above.push((above, segment));
        }
        Ok(place)
    }

    fn make_root(&self) -> io::Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        let missing = self.root.ancestors().take_while(|path| !path.is_dir());
        let missing: Vec<&FsPath> = missing.filter(|path| *path != FsPath::new("")).collect();
        missing
            .into_iter()
            .rev()
            .try_for_each(|path| self.make_directory(path))
    }

    fn make_directory(&self, path: &FsPath) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => match path.parent() {
                Some(parent) if self.fsync => Directory::open(parent)?.sync(),
                _ => Ok(()),
            },
        }
    }

    /// Makes the directory's entries last, where that was asked for.
    fn sync(&self, directory: &Directory) -> io::Result<()> {
        if self.fsync { directory.sync() } else { Ok(()) }
    }

    fn put(&self, put: &Put) -> io::Result<String> {
        let mut restarts = 0;
        loop {
            match self.try_put(put) {
                // A delete took the empty directory away between its making and its use.
                Err(error) if error.kind() == ErrorKind::NotFound && restarts < MAX_RESTARTS => {
                    restarts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Writes beside the destination and moves into place: a reader sees all of it or nothing.
    fn try_put(&self, put: &Put) -> io::Result<String> {
        put.check_caller()?;
        let place = self.descend(&put.location, true)?;
        let staging = staging_name();
        let written = self
            .write_staging(&place, &staging, &put.payload)
            .and_then(|e_tag| {
                put.check_caller()?;
                if put.create {
                    place.directory.publish(&staging, place.name)?;
                } else {
                    place.directory.replace(&staging, place.name)?;
                }
                Ok(e_tag)
            });
        if written.is_err() {
            place.directory.remove(&staging).ok();
        }
        let e_tag = written?;
        self.sync(&place.directory)?;
        Ok(e_tag)
    }

    fn write_staging(
        &self,
        place: &Place<'_>,
        staging: &str,
        payload: &PutPayload,
    ) -> io::Result<String> {
        let mut file = place.directory.create(staging, place.private)?;
        for part in payload {
            file.write_all(part)?;
        }
        if self.fsync {
            file.sync_all()?;
        }
        Ok(e_tag(&Entry::of(&file.metadata()?)))
    }

    fn get(&self, location: Path, options: &GetOptions) -> Result<GetResult> {
        let failed = |error| as_store_error(error, &location);
        let place = self.descend(&location, false).map_err(failed)?;
        let (file, entry) = place.directory.read(place.name).map_err(failed)?;
        let path = self.root.join(location.as_ref());
        let meta = object_meta(location, &entry);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            None => 0..meta.size,
            Some(range) => range.as_range(meta.size).map_err(generic)?,
        };
        Ok(GetResult {
            payload: GetResultPayload::File(file, path),
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Default::default(),
        })
    }

    fn delete(&self, location: &Path) -> io::Result<()> {
        let place = match self.descend(location, false) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            place => place?,
        };
        match place.directory.kind_of(place.name) {
            Ok(EntryKind::Directory) => return Ok(()),
            Ok(EntryKind::Link) => return Err(is_link(place.name)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            _ => {}
        }
        match place.directory.remove(place.name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.sync(&place.directory)?;
        // An object store has no empty directories. Those still in use refuse to go.
        for (above, name) in place.above.iter().rev() {
            if above.remove_directory(name).is_err() {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for LocalFiles {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(unsupported("conditional overwriting")),
        };
        // Gone with this future.
        let waiting = Arc::new(());
        let put = Put {
            location: location.clone(),
            payload,
            create,
            caller: Arc::downgrade(&waiting),
        };
        let store = self.clone();
        let e_tag = blocking(move || {
            let (stored, location) = (store.put(&put), &put.location);
            stored.map_err(|error| match error.kind() {
                // An object lies where this key needs a directory.
                ErrorKind::NotADirectory if store.root.is_dir() => Error::AlreadyExists {
                    path: location.to_string(),
                    source: error.into(),
                },
                // It is not the object that is missing: its directory cannot be made.
                ErrorKind::NotFound | ErrorKind::NotADirectory => generic(error),
                _ => as_store_error(error, location),
            })
        })
        .await?;
        Ok(PutResult {
            e_tag: Some(e_tag),
            version: None,
            extensions: Default::default(),
        })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("multipart upload"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, location) = (self.clone(), location.clone());
        blocking(move || store.get(location, &options)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                blocking(move || {
                    let location = location?;
                    let deleted = store.delete(&location);
                    deleted.map_err(|error| as_store_error(error, &location))?;
                    Ok(location)
                })
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        list(Walk::new(&self.root, prefix.unwrap_or(&Path::default())))
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(unsupported("listing by directory"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unsupported("copying"))
    }
}

impl fmt::Display for LocalFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files under {}", self.root.display())
    }
}

pub(super) fn object_meta(location: Path, entry: &Entry) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: entry.modified.into(),
        size: entry.size,
        e_tag: Some(e_tag(entry)),
        version: None,
    }
}

/// Changes when the file is replaced or written to.
fn e_tag(entry: &Entry) -> String {
    let modified = entry.modified.duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = modified.unwrap_or_default().as_nanos();
    format!("{:x}-{nanoseconds:x}-{:x}", entry.inode, entry.size)
}

/// Runs file system calls off the async threads.
pub(super) async fn blocking<T, F>(call: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(call).await?
}

fn as_store_error(error: io::Error, location: &Path) -> Error {
    let path = location.to_string();
    match error.kind() {
        // A file where the key has a directory: the key's object is not there.
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::NotFound {
            path,
            source: error.into(),
        },
        ErrorKind::AlreadyExists => Error::AlreadyExists {
            path,
            source: error.into(),
        },
        ErrorKind::PermissionDenied => Error::PermissionDenied {
            path,
            source: error.into(),
        },
        _ => generic(error),
    }
}

pub(super) fn generic(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic {
        store: "files",
        source: error.into(),
    }
}

fn unsupported(operation: &str) -> Error {
    Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "local files".to_owned(),
    }
}
