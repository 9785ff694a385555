//! A store in memory that notes what is asked of it, and waits or interferes where a test says so.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

type Hook = Arc<dyn Fn(&str, &Path) -> BoxFuture<'static, ()> + Send + Sync>;

/// Calls as they begin: `put`, `get`, `head`, `delete` or `list`, and the key.
pub struct Noted {
    pub inner: Arc<InMemory>,
    calls: Mutex<Vec<(&'static str, String)>>,
    before: Mutex<Option<Hook>>,
    after: Mutex<Option<Hook>>,
}

impl Noted {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(InMemory::new()),
            calls: Mutex::default(),
            before: Mutex::default(),
            after: Mutex::default(),
        })
    }

    /// What was asked since the last look.
    pub fn calls(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut *self.calls.lock().expect("one at a time"))
    }

    /// What was asked since the last look, of one kind.
    pub fn calls_of(&self, kind: &str) -> Vec<String> {
        let calls = self
            .calls()
            .into_iter()
            .filter(|(called, _)| *called == kind);
        calls.map(|(_, key)| key).collect()
    }

    /// Awaits what `hook` says before each call.
    pub fn before(
        &self,
        hook: impl Fn(&str, &Path) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        *self.before.lock().expect("one at a time") = Some(Arc::new(hook));
    }

    /// The same after each put.
    pub fn after(
        &self,
        hook: impl Fn(&str, &Path) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        *self.after.lock().expect("one at a time") = Some(Arc::new(hook));
    }

    async fn note(&self, call: &'static str, location: &Path) {
        let key = location.to_string();
        self.calls.lock().expect("one at a time").push((call, key));
        let hook = self.before.lock().expect("one at a time").clone();
        if let Some(hook) = hook {
            hook(call, location).await;
        }
    }
}

impl fmt::Debug for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noted")
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noted")
    }
}

#[async_trait]
impl ObjectStore for Noted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.note("put", location).await;
        let put = self.inner.put_opts(location, payload, options).await;
        let hook = self.after.lock().expect("one at a time").clone();
        if let Some(hook) = hook {
            hook("put", location).await;
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let call = if options.head { "head" } else { "get" };
        self.note(call, location).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let location = prefix.cloned().unwrap_or_default();
        self.calls
            .lock()
            .expect("one at a time")
            .push(("list", location.to_string()));
        self.inner.list(prefix).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
