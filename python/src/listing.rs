//! The iterator that `ImageStore.list` gives.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, ReadyChunks};
use lablink_storage::{ObjectInfo, Result};
use pyo3::prelude::*;

use crate::asynchronous::wait_for;
use crate::error::{guard, internal, storage};
use crate::results;
use crate::slot::Slot;

/// Entries that are taken over at once, so that one page of a listing costs one wait.
const PAGE: usize = 1000;

struct Pages {
    /// `None` at its end, after an error, and where a wait for it was interrupted.
    stream: Option<ReadyChunks<BoxStream<'static, Result<ObjectInfo>>>>,
    page: std::vec::IntoIter<Result<ObjectInfo>>,
}

/// Iterates over what a store holds, page by page as it is read. Made by ImageStore.list.
#[pyclass(frozen, module = "lablink_storage")]
pub(crate) struct ObjectIterator {
    // `None` while a thread waits for the next page: another one that asks meanwhile is told so.
    pages: Slot<Mutex<Option<Pages>>>,
}

impl ObjectIterator {
    pub(crate) fn new(stream: BoxStream<'static, Result<ObjectInfo>>) -> Self {
        let pages = Pages {
            stream: Some(stream.ready_chunks(PAGE)),
            page: Vec::new().into_iter(),
        };
        Self {
            pages: Slot::with(Mutex::new(Some(pages))),
        }
    }

    fn swap(&self, pages: Option<Pages>) -> PyResult<Option<Pages>> {
        let slot = self
            .pages
            .get()
            .ok_or_else(|| internal("this listing was begun by another process: list again"))?;
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut *held, pages))
    }
}

fn next(py: Python<'_>, pages: &mut Pages) -> PyResult<Option<Result<ObjectInfo>>> {
    loop {
        if let Some(item) = pages.page.next() {
            return Ok(Some(item));
        }
        let Some(mut stream) = pages.stream.take() else {
            return Ok(None);
        };
        let work = async move {
            let page = stream.next().await;
            Ok((stream, page))
        };
        let (stream, page) = wait_for(py, work, drop)?.map_err(storage)?;
        if let Some(page) = page {
            pages.stream = Some(stream);
            pages.page = page.into_iter();
        }
    }
}

#[pymethods]
impl ObjectIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(|| {
            let Some(mut pages) = self.swap(None)? else {
                return Err(internal("two threads iterate over one listing"));
            };
            let item = next(py, &mut pages);
            if !matches!(item, Ok(Some(Ok(_)))) {
                pages.stream = None;
            }
            self.swap(Some(pages))?;
            match item? {
                Some(Ok(info)) => results::object_info(py, &info).map(Some),
                Some(Err(error)) => Err(storage(error)),
                None => Ok(None),
            }
        })
    }
}
