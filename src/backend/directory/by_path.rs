//! Directories by path, for systems without descriptors of directories: each segment is checked before it is
//! used.

use std::fs::{self, File, OpenOptions, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Entry, EntryKind, is_link};

#[derive(Debug)]
pub(in crate::backend) struct Directory(PathBuf);

#[derive(Debug)]
pub(in crate::backend) struct Names(ReadDir);

impl Iterator for Names {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(|entry| {
            let name = entry.map(|entry| entry.file_name().into_string().ok());
            name.transpose()
        })
    }
}

impl Directory {
    pub(in crate::backend) fn open(path: &Path) -> io::Result<Self> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Self(path.to_owned())),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(in crate::backend) fn enter(&self, name: &str) -> io::Result<Self> {
        match self.kind_of(name)? {
            EntryKind::Directory => Ok(Self(self.0.join(name))),
            EntryKind::Link => Err(is_link(name)),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(in crate::backend) fn make(&self, name: &str, _private: bool) -> io::Result<()> {
        match fs::create_dir(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    pub(in crate::backend) fn create(&self, name: &str, _private: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).open(self.0.join(name))
    }

    pub(in crate::backend) fn read(&self, name: &str) -> io::Result<(File, Entry)> {
        match self.kind_of(name)? {
            EntryKind::File => {}
            EntryKind::Link => return Err(is_link(name)),
            _ => return Err(ErrorKind::NotFound.into()),
        }
        let file = File::open(self.0.join(name))?;
        let entry = Entry::of(&file.metadata()?);
        Ok((file, entry))
    }

    pub(in crate::backend) fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        self.look(name).map(|entry| entry.kind)
    }

    pub(in crate::backend) fn names(&self) -> io::Result<Names> {
        fs::read_dir(&self.0).map(Names)
    }

    pub(in crate::backend) fn look(&self, name: &str) -> io::Result<Entry> {
        fs::symlink_metadata(self.0.join(name)).map(|metadata| Entry::of(&metadata))
    }

    pub(in crate::backend) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(in crate::backend) fn remove_directory(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    pub(in crate::backend) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    pub(super) fn rename_new(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::hard_link(self.0.join(from), self.0.join(to)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
            // Windows has many words for a file system that has no links.
            Err(_) => Err(ErrorKind::Unsupported.into()),
            Ok(()) => {
                self.remove(from).ok();
                Ok(())
            }
        }
    }

    /// Directories cannot be opened as files on Windows, and need not be.
    pub(in crate::backend) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
