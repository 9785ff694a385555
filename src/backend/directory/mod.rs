//! A directory below the root of a local store, entered one segment at a time: no symbolic link on the way
//! is followed, and files come into place whole and only where nothing is.

#[cfg(unix)]
mod by_descriptor;
// In tests also where it is not used: both have to do the same.
#[cfg(any(not(unix), test))]
#[cfg_attr(unix, allow(dead_code))]
mod by_path;

#[cfg(unix)]
pub(super) use by_descriptor::{Directory, Names};
#[cfg(not(unix))]
pub(super) use by_path::{Directory, Names};

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// Number and length of the waits for somebody else's claim.
const WAITS: u32 = 200;
const WAIT: Duration = Duration::from_millis(5);

impl Directory {
    /// Moves a finished file to a name that nothing has yet.
    ///
    /// Not every file system can rename without replacing (NFS, many FUSE mounts), and not every one has hard
    /// links (exFAT, SMB shares). What is left then is a claim: a file that only one can make.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where the name is taken.
    pub(super) fn publish(&self, staging: &str, name: &str) -> io::Result<()> {
        for way in [Self::rename_new, Self::link] {
            match way(self, staging, name) {
                Err(error) if is_lacking(&error) => {}
                outcome => return outcome,
            }
        }
        self.rename_claimed(staging, name)
    }

    /// Renames while this process alone holds the claim of the name.
    fn rename_claimed(&self, staging: &str, name: &str) -> io::Result<()> {
        let claim = claim_name(name);
        let mut waits = 0;
        loop {
            match self.create(&claim, false) {
                Ok(_) => break,
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                // Whoever holds it is about to write that very name, or died: a sweep removes its claim.
                Err(error) if waits == WAITS => return Err(error),
                Err(_) => {
                    waits += 1;
                    thread::sleep(WAIT);
                }
            }
        }
        let outcome = match self.kind_of(name) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => self.replace(staging, name),
            Err(error) => Err(error),
        };
        self.remove(&claim).ok();
        outcome
    }
}

/// The kind of a directory entry, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    Link,
    Other,
}

/// What there is under a name, links not followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    /// In bytes.
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    /// 0 where the system has no such number.
    pub(super) inode: u64,
}

impl Entry {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => EntryKind::File,
            kind if kind.is_dir() => EntryKind::Directory,
            kind if kind.is_symlink() => EntryKind::Link,
            _ => EntryKind::Other,
        };
        Self {
            kind,
            size: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            inode,
        }
    }
}

/// Returns whether the file system lacks this operation.
fn is_lacking(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let lacking = [
            Errno::INVAL,
            Errno::NOSYS,
            Errno::OPNOTSUPP,
            Errno::NOTSUP,
            Errno::PERM,
            Errno::MLINK,
        ];
        let number = error.raw_os_error();
        lacking
            .iter()
            .any(|errno| Some(errno.raw_os_error()) == number)
    }
    #[cfg(not(unix))]
    {
        error.kind() == ErrorKind::Unsupported
    }
}

/// The claim of a name: like a staging file's name it is never a key, and a sweep removes it.
fn claim_name(name: &str) -> String {
    let digest = crate::sign::sha256_hex(name.as_bytes());
    let id = Uuid::try_parse(&digest[..32]).unwrap_or_default();
    format!(".{id}#1")
}

/// The refusal of a link, named.
pub(super) fn is_link(name: &str) -> io::Error {
    let problem = format!("{name:?} is a symbolic link, and links are not followed");
    io::Error::new(ErrorKind::PermissionDenied, problem)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Way = fn(&Directory, &str, &str) -> io::Result<()>;

    /// Each way on its own, because the one that a file system lacks cannot be had here.
    fn ways() -> Vec<(&'static str, Way)> {
        vec![
            #[cfg(unix)]
            ("rename", Directory::rename_new as Way),
            ("link", Directory::link as Way),
            ("claim", Directory::rename_claimed),
            ("whichever works", Directory::publish),
        ]
    }

    /// Runs the same steps in a directory of each kind.
    macro_rules! in_each_kind {
        ($($kind:ident),*) => {$(
            #[test]
            fn $kind() {
                use super::$kind::Directory;

                let root = tempfile::tempdir().expect("a directory");
                let at = |name: &str| root.path().join(name);
                fs::write(at("file"), "old").expect("written");
                let directory = Directory::open(root.path()).expect("opened");
                assert!(Directory::open(&at("file")).is_err());
                assert!(Directory::open(&at("missing")).is_err());

                for _ in 0..2 {
                    directory.make("sub", true).expect("made, or there");
                }
                let sub = directory.enter("sub").expect("entered");
                io::Write::write_all(&mut sub.create("a", true).expect("made"), b"a").expect("written");
                assert_eq!(fs::read(at("sub/a")).expect("there"), b"a");
                sub.sync().expect("synced");
                let kind = |outcome: io::Result<()>| outcome.expect_err("refused").kind();
                assert_eq!(kind(sub.create("a", false).map(drop)), ErrorKind::AlreadyExists);
                assert_eq!(kind(directory.enter("file").map(drop)), ErrorKind::NotADirectory);
                assert_eq!(kind(directory.enter("missing").map(drop)), ErrorKind::NotFound);
                assert_eq!(kind(directory.read("missing").map(drop)), ErrorKind::NotFound);
                assert_eq!(kind(directory.read("sub").map(drop)), ErrorKind::NotFound);
                assert_eq!(kind(directory.remove("missing")), ErrorKind::NotFound);
                let (mut file, entry) = directory.read("file").expect("read");
                let mut text = String::new();
                io::Read::read_to_string(&mut file, &mut text).expect("read");
                assert_eq!((text.as_str(), entry.size), ("old", 3));
                assert_eq!(directory.kind_of("file").expect("there"), EntryKind::File);
                assert_eq!(directory.kind_of("sub").expect("there"), EntryKind::Directory);
                let looked = directory.look("file").expect("there");
                assert_eq!((looked.size, looked.modified), (entry.size, entry.modified));
                assert_eq!((looked.inode, looked.kind), (entry.inode, EntryKind::File));
                let names = directory.names().expect("read").collect::<io::Result<Vec<_>>>();
                let mut names = names.expect("read");
                names.sort();
                assert_eq!(names, ["file", "sub"]);

                #[cfg(unix)]
                {
                    std::os::unix::fs::symlink("sub", at("link")).expect("linked");
                    std::os::unix::fs::symlink("file", at("file link")).expect("linked");
                    assert_eq!(directory.kind_of("link").expect("there"), EntryKind::Link);
                    assert_eq!(kind(directory.enter("link").map(drop)), ErrorKind::PermissionDenied);
                    assert_eq!(kind(directory.read("file link").map(drop)), ErrorKind::PermissionDenied);
                }

                assert_eq!(kind(sub.link("a", "a")), ErrorKind::AlreadyExists);
                sub.link("a", "b").expect("linked");
                assert!(!at("sub/a").exists() && at("sub/b").exists());
                fs::write(at("sub/c"), "c").expect("written");
                sub.replace("c", "b").expect("replaced");
                assert_eq!(fs::read(at("sub/b")).expect("there"), b"c");
                assert!(directory.remove_directory("sub").is_err());
                sub.remove("b").expect("removed");
                directory.remove_directory("sub").expect("removed");
                assert!(!at("sub").exists());
            }
        )*};
    }

    #[cfg(unix)]
    in_each_kind!(by_descriptor);
    in_each_kind!(by_path);

    #[test]
    fn a_name_that_is_taken_is_never_written_to() {
        for (way, publish) in ways() {
            let root = tempfile::tempdir().expect("a directory");
            let directory = Directory::open(root.path()).expect("opened");
            let read = |name: &str| fs::read_to_string(root.path().join(name));
            fs::write(root.path().join("new"), "new").expect("written");
            publish(&directory, "new", "a.png").expect(way);
            fs::write(root.path().join("other"), "other").expect("written");
            let error = publish(&directory, "other", "a.png").expect_err(way);
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{way}: {error}");
            assert_eq!(read("a.png").expect("there"), "new", "{way}");
            // What was staged may be there still, for the caller to remove; nothing else is.
            for staged in ["new", "other"] {
                fs::remove_file(root.path().join(staged)).ok();
            }
            assert_eq!(fs::read_dir(root.path()).expect("read").count(), 1, "{way}");
        }
    }

    #[test]
    fn of_many_only_one_gets_the_name_and_no_reader_sees_a_part() {
        for (way, publish) in ways() {
            let root = tempfile::tempdir().expect("a directory");
            let won = AtomicUsize::new(0);
            let whole = "x".repeat(1 << 16);
            thread::scope(|scope| {
                for writer in 0..8 {
                    let (root, won, whole) = (root.path(), &won, &whole);
                    scope.spawn(move || {
                        let directory = Directory::open(root).expect("opened");
                        let staging = format!("staging {writer}");
                        fs::write(root.join(&staging), whole).expect("written");
                        if publish(&directory, &staging, "a.png").is_ok() {
                            won.fetch_add(1, Ordering::SeqCst);
                        }
                        let seen = fs::read_to_string(root.join("a.png")).expect("there");
                        assert_eq!(seen.len(), whole.len());
                    });
                }
            });
            assert_eq!(won.into_inner(), 1, "{way}");
        }
    }

    #[test]
    fn what_a_file_system_lacks_is_told_from_what_fails() {
        #[cfg(unix)]
        for errno in [rustix::io::Errno::PERM, rustix::io::Errno::OPNOTSUPP] {
            assert!(is_lacking(&errno.into()), "{errno}");
        }
        #[cfg(unix)]
        for errno in [
            rustix::io::Errno::NOSPC,
            rustix::io::Errno::ROFS,
            rustix::io::Errno::EXIST,
        ] {
            assert!(!is_lacking(&errno.into()), "{errno}");
        }
    }
}
