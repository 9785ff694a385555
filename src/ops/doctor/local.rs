//! The directory: whether it can be written, whether there is room, and what was left in it.

use std::path::Path;
use std::time::Duration;

use super::http::Http;
use super::objects::NAMES;
use super::{Examination, Finding};

/// With less room than this, uploads fail.
const TOO_LITTLE: u64 = 64 << 20;

/// With less room than this, they soon will.
const LITTLE: u64 = 1 << 30;

/// An unfinished write this old belongs to a process that is gone.
const LEFTOVER: Duration = Duration::from_secs(3600);

impl Examination<'_> {
    pub(super) async fn local(&mut self) {
        let Some(local) = self.store.config().local() else {
            return;
        };
        let directory = local.directory().to_owned();
        if !self.directory(&directory) || !self.space(&directory) {
            let why = "it needs a directory with room";
            self.findings.skip_all(&NAMES, why);
            self.findings.skipped("leftovers", why);
            return;
        }
        self.objects().await;
        match Http::new(super::STEP, self.store.config()) {
            Ok(http) => self.originals_private(&http).await,
            Err(problem) => self
                .findings
                .warning("originals_private", Finding::new(problem, "try again")),
        }
        self.remove_probes().await;
        self.leftovers().await;
        if !self.options.origins.is_empty() {
            let why = "local files are served by the application, with its own CORS headers";
            self.findings.skipped("cors", why);
        }
    }

    fn directory(&mut self, directory: &Path) -> bool {
        let shown = directory.display();
        match std::fs::metadata(directory) {
            Ok(found) if found.is_dir() => {
                self.findings.ok("directory", format!("{shown} exists"));
                true
            }
            Ok(_) => {
                self.findings.failure(
                    "directory",
                    Finding::new(
                        format!("{shown} is not a directory"),
                        "set LABLINK_STORAGE_DIR to a directory",
                    ),
                );
                false
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.findings.ok(
                    "directory",
                    format!("{shown} does not exist yet; the first upload creates it"),
                );
                true
            }
            Err(error) => {
                self.findings.failure("directory", Finding::new(
                    format!("{shown}: {error}"),
                    "let the application's user read the directory and those above it, or set LABLINK_STORAGE_DIR",
                ));
                false
            }
        }
    }

    fn space(&mut self, directory: &Path) -> bool {
        let there = directory.ancestors().find(|path| path.exists());
        let Some(free) = there.and_then(free_bytes) else {
            self.findings.skipped("space", "this system does not tell");
            return true;
        };
        let message = format!("{} MiB free", free >> 20);
        let hint = "make room, move the directory to a larger disk (LABLINK_STORAGE_DIR), or run lablink-storage sweep";
        if free < TOO_LITTLE {
            self.findings.failure(
                "space",
                Finding::new(format!("the disk is full: {message}"), hint),
            );
            return false;
        }
        if free < LITTLE {
            self.findings.warning("space", Finding::new(message, hint));
        } else {
            self.findings.ok("space", message);
        }
        true
    }

    async fn leftovers(&mut self) {
        let mut count = 0;
        let looked = self
            .within(self.backend().sweep_staging(LEFTOVER, true, &mut count))
            .await;
        match looked.map(|()| count) {
            Ok(0) => self.findings.ok("leftovers", "no unfinished writes"),
            Ok(count) => self.findings.warning(
                "leftovers",
                Finding::new(
                    format!("{count} unfinished writes of processes that are gone"),
                    "remove them: lablink-storage sweep --delete",
                ),
            ),
            Err(trouble) => self.findings.warning("leftovers", trouble),
        }
    }
}

/// Returns the bytes that an unprivileged process may still write on the file system of `path`.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}
