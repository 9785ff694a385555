//! An object a piece at a time, so that serving or copying it costs the memory of a piece.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, future};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use super::reference::KeyOrUrl;
use super::{ImageStore, traced};
use crate::backend::{Backend, ObjectInfo, Operation, StorageError};
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// A stored object whose bytes come a piece at a time: a [`Stream`] of [`Bytes`].
#[non_exhaustive]
pub struct ObjectStream {
    /// The properties of the whole object.
    pub info: ObjectInfo,
    /// Which of its bytes come.
    pub range: Range<u64>,
    pieces: BoxStream<'static, Result<Bytes>>,
}

impl ImageStore {
    /// Fetches an object, or a range of its bytes, a piece at a time; an end beyond the object is its end.
    /// Each piece has the store's deadline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::ImageStore;
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, ()).await?;
    /// let mut object = store.get_stream(&image.key, None).await?;
    /// let mut received = 0;
    /// while let Some(bytes) = object.next().await {
    ///     received += bytes?.len() as u64;
    /// }
    /// assert_eq!(received, image.size);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_range`](Self::get_range), at once or from the stream, which ends after an error; and
    /// `Unavailable` from the stream for an object that was replaced meanwhile.
    pub async fn get_stream(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        range: Option<Range<u64>>,
    ) -> Result<ObjectStream> {
        let span = tracing::info_span!("get_stream", key = tracing::field::Empty, ?range);
        traced(span, async {
            let key = self.key_of(key)?.into_owned();
            let backend = &self.inner.backend;
            let whole = range.is_none();
            let range = range.unwrap_or(0..u64::MAX);
            let first = range.start..range.end.min(range.start.saturating_add(PIECE));
            let (info, bytes) = match backend.get_range(&key, first).await {
                // Of nothing there is no first byte.
                Err(error) if whole && error.kind() == ErrorKind::InvalidArgument => {
                    match backend.head(&key).await {
                        Ok(info) if info.size == 0 => (info, Bytes::new()),
                        _ => return Err(error.into()),
                    }
                }
                read => read?,
            };
            let range = range.start..range.end.min(info.size);
            let left = range.start + bytes.len() as u64..range.end;
            let rest = rest(backend.clone(), key, info.e_tag.clone(), left);
            let pieces = stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).chain(rest);
            Ok(ObjectStream {
                info,
                range,
                pieces: pieces.boxed(),
            })
        })
        .await
    }
}

/// The pieces after the first, as long as it is the same object.
fn rest(
    backend: Backend,
    key: ObjectKey,
    e_tag: Option<String>,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::unfold(Some(range), move |range| {
        let (backend, key, e_tag) = (backend.clone(), key.clone(), e_tag.clone());
        async move {
            let range = range.filter(|range| !range.is_empty())?;
            let piece = range.start..range.end.min(range.start + PIECE);
            match backend.get_range(&key, piece).await {
                Ok((info, bytes)) if info.e_tag == e_tag && !bytes.is_empty() => {
                    let next = range.start + bytes.len() as u64..range.end;
                    Some((Ok(bytes), Some(next)))
                }
                Ok(_) => Some((Err(replaced(&key)), None)),
                Err(error) => Some((Err(error.into()), None)),
            }
        }
    })
}

/// That the bytes at hand are not those that were looked at before.
pub(crate) fn replaced(key: &ObjectKey) -> Error {
    StorageError::new(
        ErrorKind::Unavailable,
        Operation::Get,
        "the object was replaced while it was read",
    )
    .with_key(Some(key))
    .with_hint("read it again from its beginning")
    .into()
}

impl ObjectStream {
    /// The next piece; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        future::poll_fn(|context| self.pieces.as_mut().poll_next(context)).await
    }
}

impl Stream for ObjectStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.as_mut().poll_next(context)
    }
}

impl fmt::Debug for ObjectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream")
            .field("info", &self.info)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
