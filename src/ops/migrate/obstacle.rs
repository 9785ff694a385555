//! Files where directories would have to be, and the other way about: object stores have both under one
//! name, directories do not.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::place::Place;
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// Returns the file or directory that is in the way of `key`, as an error.
pub(super) fn in_directory(root: &Path, key: &ObjectKey) -> Option<Error> {
    if root.join(key.as_str()).is_dir() {
        return Some(obstacle(format!(
            "{key} is a directory in {}, and this key needs a file of that name",
            root.display()
        )));
    }
    let file = folders(key.as_str()).find(|folder| root.join(folder).is_file())?;
    Some(needs_directory(file, &root.display().to_string()))
}

/// Looks for objects of the source that a directory could not hold beside others.
#[derive(Debug, Default)]
pub(super) struct SourceFolders {
    /// The folder that was looked at last: listings go through one after another.
    clear: Mutex<String>,
}

impl SourceFolders {
    /// Returns what would be in the way of this object once all of the source was in `target`.
    pub(super) async fn obstacle(
        &self,
        source: &Place,
        key: &ObjectKey,
        target: &Path,
    ) -> Result<Option<Error>> {
        let relative = source.relative(key);
        let Some((folder, _)) = relative.rsplit_once('/') else {
            return Ok(None);
        };
        if *self.clear.lock().unwrap_or_else(PoisonError::into_inner) == folder {
            return Ok(None);
        }
        for folder in folders(relative) {
            match source.store().backend().head(&source.key(folder)?).await {
                Ok(_) => return Ok(Some(needs_directory(folder, &target.display().to_string()))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        folder.clone_into(&mut self.clear.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(None)
    }
}

/// `a` and `a/b` of `a/b/c`.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn needs_directory(file: &str, root: &str) -> Error {
    obstacle(format!(
        "{file} is a file in {root}, and this key needs a directory of that name"
    ))
}

fn obstacle(reason: String) -> Error {
    Error::InvalidArgument {
        name: "target",
        reason,
    }
}
