//! A directory below the root of a local store, entered one segment at a time: no symbolic link on the way
//! is followed, and files come into place whole and only where nothing is.

#[cfg(unix)]
mod by_descriptor;
#[cfg(not(unix))]
mod by_path;

#[cfg(unix)]
pub(super) use by_descriptor::Directory;
#[cfg(not(unix))]
pub(super) use by_path::Directory;

use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

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
    fn ways() -> [(&'static str, Way); 4] {
        [
            ("rename", Directory::rename_new as Way),
            ("link", Directory::link),
            ("claim", Directory::rename_claimed),
            ("whichever works", Directory::publish),
        ]
    }

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
