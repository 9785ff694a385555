//! Every step starts from the descriptor of the directory before it. A path that is looked at first and
//! opened afterwards could become a link in between.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{EntryKind, is_link};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

#[derive(Debug)]
pub(in crate::backend) struct Directory(OwnedFd);

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
    pub(in crate::backend) fn read(&self, name: &str) -> io::Result<(File, Metadata)> {
        // Opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NXIO) => return Err(ErrorKind::NotFound.into()),
            Err(errno) => return Err(self.unless_link(name, errno)),
        };
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok((file, metadata))
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    pub(in crate::backend) fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
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
