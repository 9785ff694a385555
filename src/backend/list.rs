//! Listing what lies under a prefix, in flat memory.

#[cfg(feature = "s3")]
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::Backend;
#[cfg(feature = "s3")]
use super::Medium;
use super::deadline::StorageResult;
use super::error::Operation;
#[cfg(feature = "s3")]
use super::error::StorageError;
use super::object::ObjectInfo;
use crate::key::ObjectKey;
#[cfg(feature = "s3")]
use crate::kind::ErrorKind;

/// Most names of what is passed over that are kept; the rest is counted.
const NAMED: usize = 1000;

/// What listings have passed over because it can be no key of this crate: how many, and the first names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unnamable(Arc<Mutex<(u64, Vec<String>)>>);

impl Unnamable {
    fn add(&self, name: String) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.0 += 1;
        if found.1.len() < NAMED {
            found.1.push(name);
        }
    }

    /// The count and the names up to now; it begins anew.
    pub(crate) fn take(&self) -> (u64, Vec<String>) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Backend {
    /// The objects whose keys lie under `prefix` (whole segments; all of them for the empty prefix), in
    /// no particular order. Lazy: a page, or a batch of directory entries, is read when it is asked for,
    /// each within the deadline. What cannot be a key of this crate is passed over. The stream ends
    /// after its first error.
    pub(crate) fn list(&self, prefix: &str) -> BoxStream<'static, StorageResult<ObjectInfo>> {
        let passed_over = Unnamable::default();
        self.list_noting(prefix, &passed_over)
            .chain(
                stream::once(async move { passed_over.take().0 }).filter_map(
                    |passed_over| async move {
                        if passed_over > 0 {
                            tracing::warn!(passed_over, "skipped keys that no image can have");
                        }
                        None
                    },
                ),
            )
            .boxed()
    }

    /// The same for whoever tells what is passed over.
    pub(crate) fn list_noting(
        &self,
        prefix: &str,
        passed_over: &Unnamable,
    ) -> BoxStream<'static, StorageResult<ObjectInfo>> {
        let path = match Path::parse(prefix) {
            Ok(path) => path,
            Err(error) => {
                let context = self.context(Operation::List, None);
                let error = context.failed(&self.call(), error.into());
                return stream::once(async { Err(error) }).boxed();
            }
        };
        let prefix = prefix.to_owned();
        let ours = {
            let (backend, prefix, passed_over) =
                (self.clone(), prefix.clone(), passed_over.clone());
            move |meta| {
                let info = backend.listed(&prefix, meta, &passed_over);
                async { Ok(info) }
            }
        };
        self.metas(prefix, path, passed_over.clone())
            .try_filter_map(ours)
            .boxed()
    }

    fn metas(
        &self,
        prefix: String,
        path: Path,
        passed_over: Unnamable,
    ) -> BoxStream<'static, StorageResult<ObjectMeta>> {
        #[cfg(feature = "s3")]
        if let Medium::S3(_) = &self.inner.kind {
            return self.pages(prefix, passed_over);
        }
        let _ = (prefix, passed_over);
        let backend = self.clone();
        let listed = self.inner.store.list(Some(&path));
        stream::unfold(Some(listed), move |listed| {
            let backend = backend.clone();
            async move {
                let mut listed = listed?;
                let call = backend.call();
                let context = backend.context(Operation::List, None);
                match backend.bounded(&call, context, listed.try_next()).await {
                    Ok(Some(meta)) => Some((Ok(meta), Some(listed))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            }
        })
        .boxed()
    }

    /// The objects of a bucket, page by page.
    #[cfg(feature = "s3")]
    fn pages(
        &self,
        prefix: String,
        passed_over: Unnamable,
    ) -> BoxStream<'static, StorageResult<ObjectMeta>> {
        let backend = self.clone();
        // A server that sends us in a circle would list for ever.
        let begun: HashSet<String> = HashSet::new();
        stream::unfold(Some((None::<String>, begun)), move |from| {
            let (backend, prefix, passed_over) =
                (backend.clone(), prefix.clone(), passed_over.clone());
            async move {
                let (from, mut begun) = from?;
                let Medium::S3(s3) = &backend.inner.kind else {
                    return None;
                };
                let call = backend.call();
                let context = backend.context(Operation::List, None);
                let page = || s3.page(&prefix, from.clone(), None);
                let page = match backend.renewing(&call, context, page).await {
                    Ok(page) => page,
                    Err(error) => return Some((vec![Err(error)], None)),
                };
                for name in page.passed_over {
                    passed_over.add(name);
                }
                let mut objects: Vec<StorageResult<ObjectMeta>> =
                    page.objects.into_iter().map(Ok).collect();
                let next = match page.next {
                    Some(next) if !begun.insert(next.clone()) => {
                        objects.push(Err(StorageError::new(
                            ErrorKind::Internal,
                            Operation::List,
                            "the server lists the same page again and again",
                        )
                        .with_bucket(backend.bucket())));
                        None
                    }
                    Some(next) => Some((Some(next), begun)),
                    None => None,
                };
                Some((objects, next))
            }
        })
        .flat_map(stream::iter)
        .boxed()
    }

    /// A listed object, if it is one of ours.
    fn listed(
        &self,
        prefix: &str,
        meta: ObjectMeta,
        passed_over: &Unnamable,
    ) -> Option<ObjectInfo> {
        let Ok(key) = ObjectKey::parse(meta.location.as_ref()) else {
            passed_over.add(meta.location.to_string());
            return None;
        };
        // The consoles' folders are empty objects whose names end in '/', which object_store drops.
        let is_folder = meta.size == 0 && key.extension().is_none();
        let ours = key.is_under(prefix) && !is_folder;
        ours.then(|| self.described(key, &meta, None, None, false))
    }
}
