//! The operations, each with its deadline and its record of what the server said.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStoreExt,
    PutMode, PutPayload,
};

use super::call::{Call, Failure, Problem};
use super::deadline::Outcome;
use super::error::{Operation, StorageError};
use super::object::{ObjectInfo, PutOptions, PutOutcome, bare_e_tag};
use super::{Backend, HEALTH_DEADLINE, Kind};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// How often a create-only put is repeated after S3 found another write of the key in flight.
const CONFLICT_RETRIES: usize = 3;

/// The stored path of a key: the same for every operation and every backend.
fn stored_path(key: &ObjectKey) -> Result<Path, Error> {
    Ok(Path::parse(key.as_str())?)
}

impl Backend {
    /// Stores an object whole or not at all.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where `options.create` is set and the key is taken by another write; after a
    /// `Timeout` or `Unavailable` the object may be there all the same.
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        options: &PutOptions,
    ) -> Outcome<PutOutcome> {
        let call = Arc::new(Call::default());
        call.moves(bytes.len());
        let context = self.context(Operation::Put, Some(key));
        let stored = self
            .bounded(&call, context, self.try_put(&call, key, &bytes, options))
            .await;
        match stored {
            // The first try may have arrived and only its answer been lost: then it is our own.
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists
                    && options.create
                    && call.tries() > 1 =>
            {
                match self.get(key, bytes.len() as u64).await {
                    Ok((info, found)) if found == bytes => Ok(PutOutcome { e_tag: info.e_tag }),
                    _ => Err(error),
                }
            }
            stored => stored,
        }
    }

    async fn try_put(
        &self,
        call: &Call,
        key: &ObjectKey,
        bytes: &Bytes,
        options: &PutOptions,
    ) -> Result<PutOutcome, Error> {
        let path = stored_path(key)?;
        let mut conflicts = 0;
        loop {
            let attributes = self.attributes(options);
            let plain = attributes.is_empty();
            let mut put = object_store::PutOptions::from(attributes);
            put.mode = if options.create {
                PutMode::Create
            } else {
                PutMode::Overwrite
            };
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.inner.store.put_opts(&path, payload, put).await {
                Ok(stored) => {
                    return Ok(PutOutcome {
                        e_tag: bare_e_tag(stored.e_tag),
                    });
                }
                Err(Error::NotImplemented { .. }) if !plain && self.forgo_attributes() => {}
                Err(_) if call.is_write_conflict() && conflicts < CONFLICT_RETRIES => {
                    conflicts += 1;
                    tokio::time::sleep(Duration::from_millis(100 << conflicts)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads an object of at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `LimitExceeded` for a larger object, before its bytes are read.
    pub(crate) async fn get(
        &self,
        key: &ObjectKey,
        max_bytes: u64,
    ) -> Outcome<(ObjectInfo, Bytes)> {
        self.read(&Arc::default(), key, None, max_bytes).await
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
    ) -> Outcome<(ObjectInfo, Bytes)> {
        if range.is_empty() {
            return Err(self.bad_range(key));
        }
        let most = range.end - range.start;
        self.read(&Arc::default(), key, Some(range), most).await
    }

    pub(super) async fn read(
        &self,
        call: &Arc<Call>,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        max_bytes: u64,
    ) -> Outcome<(ObjectInfo, Bytes)> {
        let context = self.context(Operation::Get, Some(key));
        let start = range.as_ref().map(|range| range.start);
        let read = async {
            let mut options = GetOptions::new();
            options.range = range.map(GetRange::Bounded);
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
        match self.bounded(call, context, read).await {
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

    /// Whether a failed read asked for bytes after the end: stores have many words for it.
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
    pub(crate) async fn head(&self, key: &ObjectKey) -> Outcome<ObjectInfo> {
        let call = Arc::new(Call::default());
        let context = self.context(Operation::Head, Some(key));
        let head = async {
            let options = GetOptions::new().with_head(true);
            let path = stored_path(key)?;
            let found = self.inner.store.get_opts(&path, options).await?;
            Ok(self.info(key, &found))
        };
        let two_steps = async {
            match self.bounded(&call, context, head).await {
                Err(error) if self.leaves_open(&call) => self.explained(key, error).await,
                outcome => outcome,
            }
        };
        self.within(two_steps).await
    }

    /// Whether an answer to HEAD, which has no body, leaves open what went wrong: a missing object or
    /// a missing bucket, a missing permission or a wrong secret.
    fn leaves_open(&self, call: &Call) -> bool {
        let Some(Failure::Answer(answer)) = call.failure() else {
            return false;
        };
        answer.code.is_none()
            && match answer.status {
                400 | 403 => true,
                // Once the bucket is known to be there, it can only be the object.
                404 => !self.inner.answered.load(Ordering::Relaxed),
                _ => false,
            }
    }

    /// Asks again for the first byte: that answer has words.
    async fn explained(&self, key: &ObjectKey, error: StorageError) -> Outcome<ObjectInfo> {
        let call = Arc::new(Call::default());
        let context = self.context(Operation::Head, Some(key));
        let read = async {
            let mut options = GetOptions::new();
            options.range = Some(GetRange::Bounded(0..1));
            let path = stored_path(key)?;
            let found = self.inner.store.get_opts(&path, options).await?;
            Ok(self.info(key, &found))
        };
        match self.bounded(&call, context, read).await {
            Err(explained) if explained.code().is_none() => Err(error),
            outcome => outcome,
        }
    }

    /// Removes an object; one that is not there is as good as removed.
    ///
    /// # Errors
    ///
    /// The kinds of the backend, `NotFound` never.
    pub(crate) async fn delete(&self, key: &ObjectKey) -> Outcome<()> {
        let call = Arc::new(Call::default());
        let context = self.context(Operation::Delete, Some(key));
        let delete = async { self.inner.store.delete(&stored_path(key)?).await };
        match self.bounded(&call, context, delete).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// The objects whose keys lie under `prefix` (whole segments; all of them for the empty prefix), in
    /// no particular order. Lazy: a page, or a batch of directory entries, is read when it is asked for,
    /// each within the deadline. What cannot be a key of this crate is passed over. The stream ends
    /// after its first error.
    pub(crate) fn list(&self, prefix: &str) -> BoxStream<'static, Outcome<ObjectInfo>> {
        let backend = self.clone();
        let path = match Path::parse(prefix) {
            Ok(path) => path,
            Err(error) => {
                let context = self.context(Operation::List, None);
                let error = context.failed(&Call::default(), error.into());
                return stream::once(async { Err(error) }).boxed();
            }
        };
        let prefix = prefix.to_owned();
        let listed = self.inner.store.list(Some(&path));
        stream::unfold(Some(listed), move |listed| {
            let backend = backend.clone();
            async move {
                let mut listed = listed?;
                let call = Arc::new(Call::default());
                let context = backend.context(Operation::List, None);
                match backend.bounded(&call, context, listed.try_next()).await {
                    Ok(Some(meta)) => Some((Ok(meta), Some(listed))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            }
        })
        .try_filter_map({
            let backend = self.clone();
            move |meta| {
                let info = backend.listed(&prefix, meta);
                async { Ok(info) }
            }
        })
        .boxed()
    }

    /// One bounded read that tells whether the backend answers; nothing is created or written.
    ///
    /// # Errors
    ///
    /// The kinds of the backend, after 5 s at most.
    pub(crate) async fn health(&self, prefix: &str) -> Outcome<()> {
        let call = Arc::new(Call::default());
        let mut context = self.context(Operation::Health, None);
        context.deadline = context.deadline.min(HEALTH_DEADLINE);
        self.bounded(&call, context, self.look(prefix)).await
    }

    async fn look(&self, prefix: &str) -> Result<(), Error> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            Kind::S3(s3) => s3.look(prefix).await,
            #[cfg(feature = "local")]
            Kind::Local(files) => {
                let files = files.clone();
                super::local::blocking(move || files.check().map_err(super::local::generic)).await
            }
            Kind::Memory => Ok(()),
            Kind::Custom { .. } => {
                let path = Path::parse(prefix)?;
                self.inner.store.list(Some(&path)).try_next().await?;
                Ok(())
            }
        }
    }

    /// Removes what unfinished writes left that are older than `older_than`, unless it is a dry run, and
    /// counts it in `found` as it goes. Backends whose server sees to that itself have nothing to remove.
    /// The deadline is for each batch of directory entries and each removal, not for all of them.
    ///
    /// # Errors
    ///
    /// The kinds of the backend.
    pub(crate) async fn sweep_staging(
        &self,
        older_than: Duration,
        dry_run: bool,
        found: &mut usize,
    ) -> Outcome<()> {
        #[cfg(feature = "local")]
        if let Kind::Local(files) = &self.inner.kind {
            let mut walk = Some(super::walk::Walk::new(files.root().to_owned()));
            while let Some(rest) = walk.take() {
                let (batch, rest) = self.off_thread(move || rest.staging(older_than)).await?;
                for path in batch {
                    if !dry_run {
                        self.off_thread(move || unless_gone(std::fs::remove_file(path)))
                            .await?;
                    }
                    *found += 1;
                }
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
    ) -> Outcome<T> {
        let call = Arc::new(Call::default());
        let context = self.context(Operation::Sweep, None);
        let step = super::local::blocking(move || step().map_err(super::local::generic));
        self.bounded(&call, context, step).await
    }

    /// What an object is written with, where the store takes it.
    fn attributes(&self, options: &PutOptions) -> Attributes {
        let mut attributes = Attributes::new();
        let takes_any = match &self.inner.kind {
            // Both follow from the key and the configuration when it is read.
            #[cfg(feature = "local")]
            Kind::Local(_) => false,
            Kind::Custom { without_attributes } => !without_attributes.load(Ordering::Relaxed),
            _ => true,
        };
        if !takes_any {
            return attributes;
        }
        attributes.insert(
            Attribute::ContentType,
            options.content_type.clone().into_owned().into(),
        );
        attributes.insert(
            Attribute::CacheControl,
            options.cache_control.clone().into(),
        );
        #[cfg(feature = "s3")]
        if let Kind::S3(s3) = &self.inner.kind
            && let Some(class) = s3.storage_class()
        {
            attributes.insert(Attribute::StorageClass, class.to_owned().into());
        }
        attributes
    }

    /// Whether to write without attributes from now on, to a store that takes none.
    fn forgo_attributes(&self) -> bool {
        match &self.inner.kind {
            Kind::Custom { without_attributes } => {
                !without_attributes.swap(true, Ordering::Relaxed)
            }
            _ => false,
        }
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

    /// A listed object, if it is one of ours.
    fn listed(&self, prefix: &str, meta: ObjectMeta) -> Option<ObjectInfo> {
        let key = ObjectKey::parse(meta.location.as_ref()).ok()?;
        // The consoles' folders are empty objects whose names end in '/', which object_store drops.
        let is_folder = meta.size == 0 && key.extension().is_none();
        let ours = key.is_under(prefix) && !is_folder;
        ours.then(|| self.described(key, &meta, None, None, false))
    }

    fn described(
        &self,
        key: ObjectKey,
        meta: &ObjectMeta,
        content_type: Option<String>,
        cache_control: Option<String>,
        untold: bool,
    ) -> ObjectInfo {
        let from_name = match &self.inner.kind {
            #[cfg(feature = "local")]
            Kind::Local(_) => true,
            // One that answered without any has none, whether it said so when it was written to or not.
            Kind::Custom { without_attributes } => {
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

/// What another process removed meanwhile is gone, as it should be.
#[cfg(feature = "local")]
fn unless_gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn truncated(expected: u64, got: usize) -> Error {
    Error::Generic {
        store: "object store",
        source: Problem(format!("{got} of {expected} bytes came")).into(),
    }
}
