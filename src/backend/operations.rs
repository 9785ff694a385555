//! The operations, each with its deadline and its record of what the server said.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Attribute, Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStoreExt};

use super::call::{Call, CallFailure, Problem};
use super::classify::Context;
use super::deadline::StorageResult;
use super::error::{Operation, StorageError};
use super::object::{ObjectInfo, bare_e_tag};
use super::{Backend, HEALTH_DEADLINE, Medium};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// Largest object that is read for its size, where the server does not name it.
const MAX_MEASURED: u64 = 128 << 20;

/// The stored path of a key: the same for every operation and every backend.
pub(super) fn stored_path(key: &ObjectKey) -> Result<Path, Error> {
    Ok(Path::parse(key.as_str())?)
}

impl Backend {
    /// Reads an object of at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `LimitExceeded` for a larger object, before its bytes are read.
    pub(crate) async fn get(
        &self,
        key: &ObjectKey,
        max_bytes: u64,
    ) -> StorageResult<(ObjectInfo, Bytes)> {
        self.read(key, None, self.call().reading(max_bytes)).await
    }

    /// Reads a range of an object, cut to what the object has; the info tells the whole object's size.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InvalidArgument` for a range that is empty or begins at or after the end.
    pub(crate) async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
    ) -> StorageResult<(ObjectInfo, Bytes)> {
        if range.is_empty() {
            return Err(self.bad_range(key));
        }
        let most = range.end - range.start;
        self.read(key, Some(range), self.call().reading(most)).await
    }

    pub(super) async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        call: Arc<Call>,
    ) -> StorageResult<(ObjectInfo, Bytes)> {
        self.read_version(key, None, range, call).await
    }

    /// Reads an object, or one of its earlier versions.
    pub(super) async fn read_version(
        &self,
        key: &ObjectKey,
        version: Option<&str>,
        range: Option<Range<u64>>,
        call: Arc<Call>,
    ) -> StorageResult<(ObjectInfo, Bytes)> {
        let max_bytes = call.most();
        let operation = match version {
            Some(_) => Operation::GetVersion,
            None => Operation::Get,
        };
        let context = self.context(operation, Some(key));
        let start = range.as_ref().map(|range| range.start);
        let read = || async {
            let mut options = GetOptions::new();
            options.range = range.clone().map(GetRange::Bounded);
            options.version = version.map(str::to_owned);
            let found = self
                .inner
                .store
                .get_opts(&stored_path(key)?, options)
                .await?;
            let info = self.info(key, &found);
            let length = found.range.end.saturating_sub(found.range.start);
            if length > max_bytes {
                return Ok(Err(info.size));
            }
            let bytes = found.bytes().await?;
            if bytes.len() as u64 != length {
                return Err(truncated(length, bytes.len()));
            }
            call.moves(bytes.len());
            Ok(Ok((info, bytes)))
        };
        match self.renewing(&call, context, read).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(size)) => Err(StorageError::new(
                ErrorKind::LimitExceeded,
                Operation::Get,
                format!("the object has {size} bytes, at most {max_bytes} allowed"),
            )
            .with_key(Some(key))
            .with_bucket(self.bucket())),
            Err(error) => match start {
                Some(start) if self.ends_before(key, start).await => Err(self.bad_range(key)),
                _ => Err(error),
            },
        }
    }

    /// Returns whether a failed read asked for bytes after the end, which stores report in many ways.
    async fn ends_before(&self, key: &ObjectKey, start: u64) -> bool {
        self.head(key).await.is_ok_and(|info| info.size <= start)
    }

    fn bad_range(&self, key: &ObjectKey) -> StorageError {
        StorageError::new(
            ErrorKind::InvalidArgument,
            Operation::Get,
            "the range is empty, or begins after the object's end",
        )
        .with_key(Some(key))
        .with_bucket(self.bucket())
        .with_hint("ask for bytes that the object has: see its size")
    }

    /// Tells about an object without reading it.
    ///
    /// # Errors
    ///
    /// `NotFound`, and the kinds of the backend.
    pub(crate) async fn head(&self, key: &ObjectKey) -> StorageResult<ObjectInfo> {
        let call = self.call();
        let context = self.context(Operation::Head, Some(key));
        let head = || async {
            let options = GetOptions::new().with_head(true);
            let path = stored_path(key)?;
            let found = self.inner.store.get_opts(&path, options).await?;
            Ok((self.info(key, &found), names_size(&found)))
        };
        let same = self.until(call.deadline());
        match self.renewing(&call, context, head).await {
            Ok((info, true)) => Ok(info),
            // Proxies that compress leave the length out.
            Ok((_, false)) => {
                let whole = same.read(key, None, same.call().reading(MAX_MEASURED));
                let (info, _) = Box::pin(whole).await?;
                Ok(info)
            }
            Err(error) if self.leaves_open(&call) => match same.asked_for(key).await {
                // Without an explanation it stays at that, but for an absence: the bucket may be what is missing, and
                // the object where it was.
                Err(explained)
                    if explained.code().is_none() && error.kind() != ErrorKind::NotFound =>
                {
                    Err(error)
                }
                outcome => outcome,
            },
            Err(error) => Err(error),
        }
    }

    /// Returns whether an answer to HEAD, which has no body, does not show what went wrong: a missing object or
    /// a missing bucket, a missing permission or a wrong secret.
    fn leaves_open(&self, call: &Call) -> bool {
        let Some(CallFailure::Answer(answer)) = call.failure() else {
            return false;
        };
        answer.code.is_none()
            && match answer.status {
                400 | 403 => true,
                // Once the bucket is known to be there, it can only be the object, if S3 says so.
                404 => !answer.of_s3 || !self.inner.answered.load(Ordering::Relaxed),
                _ => false,
            }
    }

    /// Asks again for the first byte: that answer has words.
    async fn asked_for(&self, key: &ObjectKey) -> StorageResult<ObjectInfo> {
        let call = self.call();
        let context = self.context(Operation::Head, Some(key));
        let read = || async {
            let mut options = GetOptions::new();
            options.range = Some(GetRange::Bounded(0..1));
            let path = stored_path(key)?;
            let found = self.inner.store.get_opts(&path, options).await?;
            Ok(self.info(key, &found))
        };
        self.renewing(&call, context, read).await
    }

    /// Removes an object; one that is not there is as good as removed.
    ///
    /// # Errors
    ///
    /// The kinds of the backend, `NotFound` never.
    pub(crate) async fn delete(&self, key: &ObjectKey) -> StorageResult<()> {
        let call = self.call();
        let context = self.context(Operation::Delete, Some(key));
        let delete = || async { self.inner.store.delete(&stored_path(key)?).await };
        match self.renewing(&call, context, delete).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            // S3 says 204. Whoever says something else may have removed nothing.
            Ok(()) if ![0, 204].contains(&call.status()) => {
                self.until(call.deadline()).gone(key).await
            }
            outcome => outcome,
        }
    }

    /// What a server says of a removal is not so.
    pub(super) fn still_there(&self, operation: Operation, key: &ObjectKey) -> StorageError {
        StorageError::new(
            ErrorKind::Unavailable,
            operation,
            "the server answered that the object was removed, but still has it",
        )
        .with_key(Some(key))
        .with_bucket(self.bucket())
        .with_hint("try again; if it happens again, check the proxy in front of the server")
    }

    async fn gone(&self, key: &ObjectKey) -> StorageResult<()> {
        match self.head(key).await {
            Ok(_) => Err(self.still_there(Operation::Delete, key)),
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::AccessDenied].contains(&error.kind()) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Runs one operation, and once more where S3 found its credentials ended and others can be had.
    pub(super) async fn renewing<T, F: Future<Output = Result<T, Error>>>(
        &self,
        call: &Arc<Call>,
        context: Context<'_>,
        operation: impl Fn() -> F,
    ) -> StorageResult<T> {
        let outcome = self.bounded(call, context, operation()).await;
        #[cfg(feature = "s3")]
        if let (Err(error), Medium::S3(s3)) = (&outcome, &self.inner.kind)
            && matches!(
                error.code(),
                Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")
            )
            && s3.renew_credentials().await
        {
            return self.bounded(call, context, operation()).await;
        }
        outcome
    }

    /// One bounded read that tells whether the backend answers; nothing is created or written.
    ///
    /// # Errors
    ///
    /// The kinds of the backend, after 5 s at most.
    pub(crate) async fn health(&self, prefix: &str) -> StorageResult<()> {
        let call = Arc::new(Call::new(self.deadline().at_most(HEALTH_DEADLINE)));
        let context = self.context(Operation::Health, None);
        self.renewing(&call, context, || self.look(prefix)).await
    }

    async fn look(&self, prefix: &str) -> Result<(), Error> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Medium::S3(s3) => s3.look(prefix).await,
            #[cfg(feature = "local")]
            Medium::Local(files) => {
                let files = files.clone();
                super::local::blocking(move || files.check().map_err(super::local::generic)).await
            }
            Medium::Memory => Ok(()),
            Medium::Custom { .. } => {
                let path = Path::parse(prefix)?;
                self.inner.store.list(Some(&path)).try_next().await?;
                Ok(())
            }
        }
    }

    /// Removes what unfinished writes left that are older than `older_than`, unless it is a dry run, and
    /// counts it in `found` as it goes. Backends whose server sees to that itself have nothing to remove.
    /// The deadline is for each batch of directory entries, not for all of them.
    ///
    /// # Errors
    ///
    /// The kinds of the backend.
    pub(crate) async fn sweep_staging(
        &self,
        older_than: Duration,
        dry_run: bool,
        found: &mut usize,
    ) -> StorageResult<()> {
        #[cfg(feature = "local")]
        if let Medium::Local(files) = &self.inner.kind {
            let start = super::walk::Walk::new(files.root(), &Path::default());
            let mut walk = Some(start);
            while let Some(rest) = walk.take() {
                let step = self.off_thread(move || rest.staging(older_than, !dry_run));
                let (count, rest) = step.await?;
                *found += count;
                walk = rest;
            }
        }
        let _ = (older_than, dry_run, found);
        Ok(())
    }

    /// One step of a sweep through files.
    #[cfg(feature = "local")]
    async fn off_thread<T: Send + 'static>(
        &self,
        step: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> StorageResult<T> {
        let call = self.call();
        let context = self.context(Operation::Sweep, None);
        let step = super::local::blocking(move || step().map_err(super::local::generic));
        self.bounded(&call, context, step).await
    }

    fn info(&self, key: &ObjectKey, found: &GetResult) -> ObjectInfo {
        let attribute = |name| found.attributes.get(&name).map(|value| value.to_string());
        let content_type = attribute(Attribute::ContentType);
        let cache_control = attribute(Attribute::CacheControl);
        let untold = found.attributes.is_empty();
        self.described(
            key.clone(),
            &found.meta,
            content_type,
            cache_control,
            untold,
        )
    }

    pub(super) fn described(
        &self,
        key: ObjectKey,
        meta: &ObjectMeta,
        content_type: Option<String>,
        cache_control: Option<String>,
        untold: bool,
    ) -> ObjectInfo {
        let from_name = match &self.inner.kind {
            #[cfg(feature = "local")]
            Medium::Local(_) => true,
            // One that answered without any has none, whether it said so when it was written to or not.
            Medium::Custom { without_attributes } => {
                untold || without_attributes.load(Ordering::Relaxed)
            }
            _ => false,
        };
        let (content_type, cache_control) = if from_name {
            (
                content_type.or_else(|| Some(content_type_of(&key).to_owned())),
                cache_control.or_else(|| Some(self.inner.cache_control.clone())),
            )
        } else {
            (content_type, cache_control)
        };
        ObjectInfo {
            key,
            size: meta.size,
            content_type,
            cache_control,
            e_tag: bare_e_tag(meta.e_tag.clone()),
            last_modified: meta.last_modified.into(),
            variant: None,
        }
    }
}

/// The type that a key's extension stands for: the extension follows from the bytes when they are stored.
fn content_type_of(key: &ObjectKey) -> &'static str {
    let format = key.extension().and_then(ImageFormat::from_extension);
    format.map_or("application/octet-stream", ImageFormat::mime_type)
}

/// Returns whether the answer named the object's size.
fn names_size(found: &GetResult) -> bool {
    #[cfg(feature = "s3")]
    if let Some(told) = found.extensions.get::<super::s3::Told>() {
        return told.sized;
    }
    let _ = found;
    true
}

fn truncated(expected: u64, got: usize) -> Error {
    Error::Generic {
        store: "object store",
        source: Problem::new(format!("received {got} of {expected} bytes")).into(),
    }
}
