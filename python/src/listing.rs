//! The iterator that `ImageStore.list` gives.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lablink_storage::{ObjectInfo, Result};
use pyo3::prelude::*;

use crate::error::{guard, internal, storage};
use crate::results;
use crate::runtime::wait;
use crate::slot::Slot;

/// Entries that are taken over at once, so that one page of a listing costs one wait.
const PAGE: usize = 1000;

struct Pages {
    stream: futures_util::stream::ReadyChunks<BoxStream<'static, Result<ObjectInfo>>>,
    page: std::vec::IntoIter<Result<ObjectInfo>>,
    ended: bool,
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
            stream: stream.ready_chunks(PAGE),
            page: Vec::new().into_iter(),
            ended: false,
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
        if pages.ended {
            return Ok(None);
        }
        match wait(py, pages.stream.next())? {
            Some(page) => pages.page = page.into_iter(),
            None => pages.ended = true,
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
                pages.ended = true;
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
