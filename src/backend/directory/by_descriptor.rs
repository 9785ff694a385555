//! Every step starts from the descriptor of the directory before it. A path that is looked at first and
//! opened afterwards could become a link in between.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Entry, EntryKind, is_link};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

#[derive(Debug)]
pub(in crate::backend) struct Directory(OwnedFd);

#[derive(Debug)]
pub(in crate::backend) struct Names(Dir);

impl Iterator for Names {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let name = match self.0.read()? {
                Ok(entry) => entry.file_name().to_str().map(str::to_owned),
                Err(errno) => return Some(Err(errno.into())),
            };
            if let Ok(name) = name
                && !matches!(name.as_str(), "." | "..")
            {
                return Some(Ok(name));
            }
        }
    }
}

impl Directory {
    /// Opens the root. Links on its path are the operator's own and are followed.
    pub(in crate::backend) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, DIRECTORY, Mode::empty())?))
    }

    pub(in crate::backend) fn enter(&self, name: &str) -> io::Result<Self> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let opened = rustix::fs::openat(&self.0, name, flags, Mode::empty());
        opened
            .map(Self)
            .map_err(|errno| self.unless_link(name, errno))
    }

    /// Makes a directory, unless it is there.
    pub(in crate::backend) fn make(&self, name: &str, private: bool) -> io::Result<()> {
        let mode = Mode::from_raw_mode(if private { 0o700 } else { 0o777 });
        match rustix::fs::mkdirat(&self.0, name, mode) {
            Err(errno) if errno != Errno::EXIST => Err(errno.into()),
            _ => Ok(()),
        }
    }

    pub(in crate::backend) fn create(&self, name: &str, private: bool) -> io::Result<File> {
        let mode = Mode::from_raw_mode(if private { 0o600 } else { 0o666 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, mode)?.into())
    }

    /// Opens a regular file; what else there may be is as good as nothing.
    pub(in crate::backend) fn read(&self, name: &str) -> io::Result<(File, Entry)> {
        // Opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NXIO) => return Err(ErrorKind::NotFound.into()),
            Err(errno) => return Err(self.unless_link(name, errno)),
        };
        let entry = Entry::of(&file.metadata()?);
        match entry.kind {
            EntryKind::File => Ok((file, entry)),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(in crate::backend) fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        self.look(name).map(|entry| entry.kind)
    }

    /// The names in it, those that are no text left out. To be asked for once: the descriptor remembers how far they
    /// were read.
    pub(in crate::backend) fn names(&self) -> io::Result<Names> {
        Ok(Names(Dir::new(self.0.try_clone()?)?))
    }

    pub(in crate::backend) fn look(&self, name: &str) -> io::Result<Entry> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        // The types of these numbers differ from system to system. Nothing here is from before 1970.
        let modified = Duration::new(
            u64::try_from(stat.st_mtime).unwrap_or(0),
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        );
        Ok(Entry {
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => EntryKind::File,
                FileType::Directory => EntryKind::Directory,
                FileType::Symlink => EntryKind::Link,
                _ => EntryKind::Other,
            },
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: SystemTime::UNIX_EPOCH + modified,
            inode: stat.st_ino,
        })
    }

    pub(in crate::backend) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub(in crate::backend) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    pub(in crate::backend) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    pub(super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            Ok(rustix::fs::renameat_with(
                &self.0, from, &self.0, to, flags,
            )?)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        {
            let _ = (from, to);
            Err(Errno::NOSYS.into())
        }
    }

    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
        // The other name is of no use any more; one that stays is found by a sweep.
        self.remove(from).ok();
        Ok(())
    }

    pub(in crate::backend) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// A link is refused with ELOOP, or with ENOTDIR where a directory was wanted.
    fn unless_link(&self, name: &str, errno: Errno) -> io::Error {
        let refused = matches!(errno, Errno::LOOP | Errno::NOTDIR | Errno::MLINK);
        if refused && self.kind_of(name).is_ok_and(|kind| kind == EntryKind::Link) {
            return is_link(name);
        }
        errno.into()
    }
}
