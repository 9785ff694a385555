//! What comes a piece at a time: listings by the page, and the bytes of an object.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lablink_storage as core;
use lablink_storage::{ObjectInfo, Result};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tokio::sync::Mutex;

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::{guard, storage};
use crate::options::{key, number};
use crate::results;

/// Entries of a listing that are taken over at once.
const PAGE: usize = 1000;

enum Piece {
    Page(Vec<Result<ObjectInfo>>),
    Bytes(bytes::Bytes),
}

/// The pieces of a listing or of an object, one after the other.
#[pyclass(frozen, module = "lablink_storage")]
pub(crate) struct Pieces {
    stream: Arc<Mutex<BoxStream<'static, Result<Piece>>>>,
}

impl Pieces {
    fn new(stream: BoxStream<'static, Result<Piece>>) -> Self {
        Self {
            stream: Arc::new(Mutex::new(stream)),
        }
    }
}

#[pymethods]
impl Pieces {
    /// The next piece, and `None` after the last.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let stream = Arc::clone(&self.stream);
            let work = async move { stream.lock().await.next().await.transpose() };
            answer(py, work, |py, piece| match piece {
                None => Ok(py.None().into_bound(py)),
                Some(Piece::Bytes(bytes)) => Ok(PyBytes::new(py, &bytes).into_any()),
                Some(Piece::Page(page)) => {
                    let listed = PyList::empty(py);
                    for info in page {
                        match info {
                            Ok(info) => listed.append(results::object_info(py, &info)?)?,
                            // Raised once what was listed before it has been looked at.
                            Err(error) => listed.append(storage(error).into_value(py))?,
                        }
                    }
                    Ok(listed.into_any())
                }
            })
        })
    }
}

#[pymethods]
impl ImageStore {
    /// The pages of a listing.
    #[pyo3(signature = (prefix=None))]
    fn _pages(&self, py: Python<'_>, prefix: Option<&Bound<'_, PyAny>>) -> PyResult<Pieces> {
        guard(|| {
            let prefix = prefix.map(key).transpose()?;
            let listed = self.client(py)?.list(prefix.as_deref());
            let pages = listed.ready_chunks(PAGE).map(|page| Ok(Piece::Page(page)));
            Ok(Pieces::new(pages.boxed()))
        })
    }

    /// An object's `ObjectInfo` and `Pieces`.
    #[pyo3(signature = (key, start=None, end=None))]
    fn _open<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        start: Option<&Bound<'py, PyAny>>,
        end: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let bound = |name, value: Option<&Bound<'py, PyAny>>| {
                value.map(|value| number::<u64>(name, value)).transpose()
            };
            let range: Option<Range<u64>> = match (bound("start", start)?, bound("end", end)?) {
                (None, None) => None,
                (start, end) => Some(start.unwrap_or(0)..end.unwrap_or(u64::MAX)),
            };
            let work = async move { client.get_stream(&key, range).await };
            answer(py, work, |py, object: core::ObjectStream| {
                let info = results::object_info(py, &object.info)?;
                let pieces = Pieces::new(object.map(|piece| piece.map(Piece::Bytes)).boxed());
                Ok((info, pieces).into_pyobject(py)?.into_any())
            })
        })
    }
}
