//! Which files a command is to go through: as they were named, those of folders, and stdin.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Result;
use super::output::{Failure, Output, size};
use crate::kind::ErrorKind;

/// One image that goes in.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// `None` is stdin.
    path: Option<PathBuf>,
    /// Its path inside the folder that was named; just its name where it was named itself.
    pub(super) inner: PathBuf,
}

impl Input {
    pub(super) fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "-".to_owned(),
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads it unless it is larger than anything that would be taken. The caller names it.
    pub(super) fn read(&self, most: u64) -> Result<Vec<u8>> {
        match &self.path {
            Some(path) => fs::File::open(path).and_then(|file| bounded(file, most)),
            None => bounded(io::stdin().lock(), most),
        }
        .map_err(|error| Failure::io(&error, error.to_string()))?
        .ok_or_else(|| {
            Failure::new(
                ErrorKind::LimitExceeded,
                format!("larger than {}", size(most)),
            )
        })
    }
}

/// A list of lines: a file, or stdin for `-`.
pub(super) fn lines_of(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = fs::File::open(file).map_err(|error| Failure::file(file, &error))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn bounded(reader: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// The inputs that `named` stands for, in its order: `-` is stdin, a folder is every image below it in the
/// order of names. Other files in a folder are skipped with a note.
///
/// # Errors
///
/// For a folder that cannot be read, and for stdin named twice.
pub(super) fn expand(named: &[PathBuf], output: Output) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in named {
        if path == Path::new("-") {
            if inputs.iter().any(|input| input.path.is_none()) {
                return Err(Failure::usage("- is named twice, and there is one stdin"));
            }
            let inner = PathBuf::from("stdin");
            inputs.push(Input { path: None, inner });
        } else if path.is_dir() {
            folder(path, path, &mut inputs, output)?;
        } else {
            let inner = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
            let path = Some(path.clone());
            inputs.push(Input { path, inner });
        }
    }
    Ok(inputs)
}

fn folder(root: &Path, directory: &Path, inputs: &mut Vec<Input>, output: Output) -> Result<()> {
    let failure = |error: io::Error| Failure::file(directory, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failure)? {
        let entry = entry.map_err(failure)?;
        // Of the entry itself: links could lead round in a circle.
        entries.push((entry.path(), entry.file_type().map_err(failure)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, kind) in entries {
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            folder(root, &path, inputs, output)?;
        } else if kind.is_file() && is_named_as_an_image(&path) {
            let inner = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let path = Some(path);
            inputs.push(Input { path, inner });
        } else {
            output.note(format_args!(
                "{}: skipped: its name is not that of an image",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Images that are not accepted count: they are refused by name, and not passed over.
fn is_named_as_an_image(path: &Path) -> bool {
    let mime = mime_guess::from_path(path).first_raw();
    mime.is_some_and(|mime| mime.starts_with("image/"))
}
