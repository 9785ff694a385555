//! The places that the suite runs on.

use std::sync::Arc;

use lablink_storage::{
    ErrorKind, ImageStore, ImageStoreBuilder, ObjectKey, OptimizeOptions, PresignPostOptions,
    Result, Variant,
};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Attribute, ObjectStore, PutOptions};
use tempfile::TempDir;

use crate::common::s3::{Bucket, Server};

/// Somewhere to store, empty at first, removed in the end.
pub struct Place {
    kind: Kind,
    /// Whether a content type is kept with the object or follows from its name: not so in a directory that
    /// somebody else's store writes.
    pub keeps_attributes: bool,
}

enum Kind {
    Memory,
    Local(TempDir),
    Ceph(Box<Bucket>),
    Brought {
        store: Arc<dyn ObjectStore>,
        _dir: Option<TempDir>,
    },
}

/// The variant that stores of this suite have.
pub const THUMB: &str = "thumb";

impl Place {
    pub async fn memory() -> Option<Self> {
        Some(Self::new(Kind::Memory))
    }

    pub async fn local() -> Option<Self> {
        Some(Self::new(Kind::Local(
            tempfile::tempdir().expect("a directory"),
        )))
    }

    pub async fn ceph() -> Option<Self> {
        let bucket = Server::from_env()?.bucket().await;
        Some(Self::new(Kind::Ceph(Box::new(bucket))))
    }

    /// A caller's own store that keeps attributes, and puts its own prefix before every path.
    pub async fn brought() -> Option<Self> {
        let store = PrefixStore::new(InMemory::new(), "elsewhere/in here");
        Some(Self::new(Kind::Brought {
            store: Arc::new(store),
            _dir: None,
        }))
    }

    /// A caller's own store that keeps no attributes.
    pub async fn brought_files() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let store = LocalFileSystem::new_with_prefix(dir.path()).expect("the directory is there");
        let mut place = Self::new(Kind::Brought {
            store: Arc::new(store),
            _dir: Some(dir),
        });
        place.keeps_attributes = false;
        Some(place)
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            keeps_attributes: true,
        }
    }

    /// Whether this is S3.
    pub fn is_s3(&self) -> bool {
        matches!(self.kind, Kind::Ceph(_))
    }

    /// A store here, without variants, to be refined.
    pub fn builder(&self) -> ImageStoreBuilder {
        let builder = ImageStore::builder();
        let builder = match &self.kind {
            Kind::Memory => builder.memory(),
            Kind::Local(dir) => builder.local(dir.path()),
            Kind::Ceph(bucket) => bucket.store(),
            Kind::Brought { store, .. } => builder.object_store(Arc::clone(store)),
        };
        match &self.kind {
            // What lets them take direct uploads themselves.
            Kind::Memory | Kind::Local(_) => {
                builder.with_secret("0123456789abcdef0123456789abcdef")
            }
            _ => builder,
        }
    }

    /// A store here with one variant, at most 40 pixels a side.
    pub fn store(&self) -> ImageStore {
        self.builder()
            .with_variant(thumb())
            .build()
            .expect("a valid configuration")
    }

    /// Puts an object here behind the store's back. Not in memory.
    pub async fn put_raw(&self, key: &str, bytes: impl Into<bytes::Bytes>, content_type: &str) {
        let bytes = bytes.into();
        match &self.kind {
            Kind::Memory => panic!("nobody but its store reaches into memory"),
            Kind::Local(dir) => {
                let path = dir.path().join(key);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
                std::fs::write(path, bytes).expect("a file");
            }
            Kind::Ceph(bucket) => {
                let path = ObjectKey::parse(key).expect("a key").percent_encoded();
                // Which the client leaves out where there is nothing to send.
                let length = bytes.len().to_string();
                let headers = [("content-type", content_type), ("content-length", &length)];
                let server = &bucket.server;
                server
                    .send(
                        &server.keys,
                        "PUT",
                        &format!("/{}/{path}", bucket.name),
                        &headers,
                        bytes,
                    )
                    .await
                    .ok();
            }
            Kind::Brought { store, .. } => {
                let mut options = PutOptions::default();
                if self.keeps_attributes {
                    options
                        .attributes
                        .insert(Attribute::ContentType, content_type.to_owned().into());
                }
                let path = Path::parse(key).expect("a path");
                store
                    .put_opts(&path, bytes.into(), options)
                    .await
                    .expect("stored");
            }
        }
    }

    /// Uploads directly, as a browser would have done, and tells the pending key.
    pub async fn put_pending(&self, store: &ImageStore, bytes: Vec<u8>) -> ObjectKey {
        match &self.kind {
            Kind::Memory | Kind::Local(_) => {
                let post = store
                    .presigned_post("photo.jpg", PresignPostOptions::default())
                    .await
                    .expect("signed");
                store
                    .receive_post(post.fields.clone(), bytes)
                    .await
                    .expect("received");
                post.key
            }
            _ => {
                let key = key(&format!("pending/components/{}.jpg", uuid::Uuid::new_v4()));
                self.put_raw(key.as_str(), bytes, "image/jpeg").await;
                key
            }
        }
    }

    /// Puts an empty object where a direct upload would be. In memory, where only forms lead, it is refused.
    pub async fn put_empty(&self, store: &ImageStore) -> Option<ObjectKey> {
        if let Kind::Memory = self.kind {
            let post = store
                .presigned_post("photo.jpg", PresignPostOptions::default())
                .await
                .expect("signed");
            let received = store.receive_post(post.fields, Vec::new()).await;
            assert_eq!(kind(received), ErrorKind::PolicyViolation);
            assert_eq!(kind(store.promote(&post.key).await), ErrorKind::NotFound);
            return None;
        }
        let key = key(&format!("pending/components/{}.jpg", uuid::Uuid::new_v4()));
        self.put_raw(key.as_str(), Vec::new(), "image/jpeg").await;
        Some(key)
    }

    /// Every key that is not pending, whatever its prefix; in memory, those of this store.
    pub async fn everything(&self, store: &ImageStore) -> Vec<String> {
        match self.kind {
            Kind::Memory => listed(store).await,
            _ => {
                let all = self.builder().with_prefix("").build().expect("valid");
                listed(&all).await
            }
        }
    }
}

/// The variant `thumb`.
pub fn thumb() -> Variant {
    Variant::new(THUMB, OptimizeOptions::default().with_max_size(40, 40)).expect("a valid name")
}

/// A key that is known to be valid.
pub fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a valid key")
}

/// What kind of error came, and a panic where none did.
#[track_caller]
pub fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.expect_err("this must fail").kind()
}

/// Every key that the store lists, sorted.
pub async fn listed(store: &ImageStore) -> Vec<String> {
    use futures_util::TryStreamExt;
    let mut keys: Vec<String> = store
        .list(None)
        .map_ok(|info| info.key.to_string())
        .try_collect()
        .await
        .expect("listed");
    keys.sort();
    keys
}
