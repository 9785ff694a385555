//! Reads bytes from what a Python caller passes in, and never more than the limit allows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pyo3::exceptions::{PyAttributeError, PyIsADirectoryError, PyOSError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

use crate::error::{invalid_argument, too_large};
use crate::options::plain;

/// Bytes that are read from a file object at once: most uploads come in one piece, and are not copied.
const CHUNK: usize = 8 << 20;

/// Reads `object`: `bytes`, another buffer, `os.PathLike`, or a binary file object.
///
/// `bytes` are shared and not copied, and left to the callee's own limit. Other buffers are copied, because
/// their owner may change them while the GIL is released. A file object is read from where it stands, put
/// back there if it can seek, and not closed. From a file at most one byte more than `most` is read, which is enough for
/// the callee to refuse it.
pub(crate) fn read(object: &Bound<'_, PyAny>, most: u64) -> PyResult<Bytes> {
    let py = object.py();
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(shared(bytes.clone()));
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
    if let Ok(buffer) = PyMemoryView::from(object) {
        let size: usize = buffer.getattr("nbytes")?.extract()?;
        if size > most {
            return Err(too_large(size, most as u64));
        }
        let copy = buffer.call_method0("tobytes")?;
        return Ok(shared(copy.cast_into::<PyBytes>()?));
    }
    if object.hasattr("__fspath__")? {
        let path: PathBuf = plain("file", "a path object", object)?;
        return Ok(py.detach(|| read_path(&path, most))?.into());
    }
    if object.hasattr("read")? {
        return read_file_object(object, most);
    }
    let hint = if object.is_instance_of::<PyString>() {
        "; a path is given as pathlib.Path"
    } else {
        ""
    };
    Err(PyTypeError::new_err(format!(
        "expected bytes, bytearray, memoryview, os.PathLike or a binary file object, not {}{hint}",
        object.get_type().name()?
    )))
}

/// The file's name on the user's machine: that of a werkzeug `FileStorage`, or the path's last part.
pub(crate) fn name_of(object: &Bound<'_, PyAny>) -> Option<String> {
    for attribute in ["filename", "name"] {
        if let Ok(Some(name)) = object.getattr_opt(attribute)
            && let Ok(name) = name.extract::<String>()
        {
            let name = name.rsplit(['/', '\\']).next().unwrap_or(&name).to_owned();
            return (!name.is_empty()).then_some(name);
        }
    }
    None
}

fn shared(bytes: Bound<'_, PyBytes>) -> Bytes {
    Bytes::from_owner(PyBackedBytes::from(bytes))
}

fn read_path(path: &Path, most: usize) -> PyResult<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        let path = path.display();
        return Err(PyIsADirectoryError::new_err(format!(
            "{path} is a directory"
        )));
    }
    if !metadata.is_file() {
        return Err(invalid_argument("file", "the path is not a regular file"));
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > most {
        return Err(too_large(size, most as u64));
    }
    let mut bytes = Vec::with_capacity(size);
    File::open(path)?
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_file_object(file: &Bound<'_, PyAny>, most: usize) -> PyResult<Bytes> {
    // A socket, a pipe, a request's stream: what cannot say where it stands, or cannot go back there, stays
    // where reading left it.
    let start = file.call_method0("tell").ok();
    let outcome = read_capped(file, most);
    if let Some(start) = start
        && let Err(error) = file.call_method1("seek", (start,))
        && outcome.is_ok()
        && !is_unseekable(file.py(), &error)
    {
        return Err(error);
    }
    outcome
}

/// Returns whether a failed `seek` means that the stream cannot seek: `io.UnsupportedOperation` and a pipe's
/// `ESPIPE` are both an `OSError`.
fn is_unseekable(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyOSError>(py) || error.is_instance_of::<PyAttributeError>(py)
}

fn read_capped(file: &Bound<'_, PyAny>, most: usize) -> PyResult<Bytes> {
    let first = read_chunk(file, CHUNK.min(most + 1))?;
    if first.as_bytes().is_empty() {
        return Ok(Bytes::new());
    }
    let mut gathered: Option<Vec<u8>> = None;
    loop {
        let have = gathered.as_ref().map_or(first.as_bytes().len(), Vec::len);
        if have > most {
            break;
        }
        let next = read_chunk(file, CHUNK.min(most + 1 - have))?;
        if next.as_bytes().is_empty() {
            break;
        }
        gathered
            .get_or_insert_with(|| first.as_bytes().to_vec())
            .extend_from_slice(next.as_bytes());
    }
    Ok(match gathered {
        Some(bytes) => bytes.into(),
        None => shared(first),
    })
}

fn read_chunk<'py>(file: &Bound<'py, PyAny>, size: usize) -> PyResult<Bound<'py, PyBytes>> {
    let chunk = file.call_method1("read", (size,))?;
    if let Ok(bytes) = chunk.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if let Ok(bytes) = chunk.cast::<PyByteArray>() {
        return Ok(PyBytes::new(file.py(), &bytes.to_vec()));
    }
    if chunk.is_none() {
        return Err(invalid_argument(
            "file",
            "it is in non-blocking mode and has nothing to read yet",
        ));
    }
    Err(PyTypeError::new_err(
        "the file object returns text: open it in binary mode, 'rb'",
    ))
}
