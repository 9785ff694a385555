//! Many callers for a while: what one stores it gets back, callers who go away leave nothing half there,
//! and in the end there are no more files open and hardly more memory in use than after the first part.
//!
//! Five seconds a backend; five minutes in all under `tests/run --full`.
#![cfg(all(feature = "s3", feature = "local"))]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::images;
use crate::common::s3::Server;
use bytes::Bytes;
use futures_util::TryStreamExt;
use lablink_storage::{
    ErrorKind, ImageStore, ObjectKey, OptimizeOptions, UploadOptions, Variant, optimize,
    variant_key,
};

const CALLERS: u64 = 8;
/// Connections that a caller may leave open for later: it asks for the other formats of an image all at once.
const CONNECTIONS: u64 = 7;

/// What callers send, with what is stored of it.
struct Photo {
    sent: Bytes,
    stored: Bytes,
}

fn photos() -> Arc<[Photo]> {
    (0..6u16)
        .map(|index| {
            let sent = match index {
                5 => images::png_rgb(300, 200),
                _ => images::jpeg_with_exif(
                    160 + 90 * index,
                    120 + 50 * index,
                    Some(1 + index as u8),
                ),
            };
            let stored = optimize(&sent, &crate::common::patient())
                .expect("an image")
                .data;
            Photo {
                sent: sent.into(),
                stored,
            }
        })
        .collect()
}

/// Files this process has open, and its memory in MiB (Linux, proc(5)).
fn held() -> (usize, u64) {
    let files = std::fs::read_dir("/proc/self/fd").expect("Linux lists them");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    (files.count(), memory.expect("Linux tells it") / 1024)
}

/// What one caller does until `end`; how often it stored an image.
async fn call(store: ImageStore, photos: Arc<[Photo]>, caller: u64, end: Instant) -> u64 {
    static ROUNDS: AtomicU64 = AtomicU64::new(0);
    let mut stored = 0;
    let mut usual = Duration::ZERO;
    while Instant::now() < end {
        let began = Instant::now();
        let round = ROUNDS.fetch_add(1, Ordering::Relaxed);
        let photo = &photos[(round + caller) as usize % photos.len()];
        let upload = store.upload(photo.sent.clone(), UploadOptions::default());
        if round.is_multiple_of(5) {
            // A caller who does not wait, at another moment each time.
            let patience = usual * (round * 7 % 16) as u32 / 10;
            drop(tokio::time::timeout(patience, upload).await);
            continue;
        }
        if round.is_multiple_of(7) {
            let cut = photo.sent.slice(..photo.sent.len() / 2);
            let error = store.upload(cut, UploadOptions::default()).await;
            assert_eq!(
                error.expect_err("half a file").kind(),
                ErrorKind::InvalidImage
            );
        }
        let image = upload.await.expect("stored");
        usual = began.elapsed();
        let object = store.get(&image.key).await.expect("there");
        assert_eq!(object.bytes, photo.stored, "{}", image.key);
        assert!(
            store
                .exists(&image.variants["thumb"].key)
                .await
                .expect("an answer")
        );
        store.delete_url(&image.url).await.expect("deleted");
        assert!(!store.exists(&image.key).await.expect("an answer"));
        stored += 1;
    }
    stored
}

/// All callers at once for so long; how many images they stored.
async fn part(store: &ImageStore, photos: &Arc<[Photo]>, lasts: Duration) -> u64 {
    let end = Instant::now() + lasts;
    let callers = (0..CALLERS).map(|caller| {
        let (store, photos) = (store.clone(), Arc::clone(photos));
        tokio::spawn(call(store, photos, caller, end))
    });
    let counts = futures_util::future::try_join_all(callers);
    counts.await.expect("no caller failed").into_iter().sum()
}

/// Removes what callers who went away left, which has to be whole images as soon as the last write is over;
/// how many there were.
async fn leftovers(store: &ImageStore) -> usize {
    let (mut found, mut progress) = (0, Instant::now());
    loop {
        let listed: Vec<_> = store.list(None).try_collect().await.expect("a listing");
        if listed.is_empty() {
            return found;
        }
        let keys: BTreeSet<&ObjectKey> = listed.iter().map(|object| &object.key).collect();
        for main in &keys {
            // A variant has none of its own.
            if variant_key(main, "thumb").is_ok_and(|thumb| keys.contains(&thumb)) {
                let data = store.get(main).await.expect("there").bytes;
                optimize(&data, &crate::common::patient()).expect("a whole image");
                store.delete(main).await.expect("deleted");
                found += 1;
                progress = Instant::now();
            }
        }
        let waited = progress.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "half an image stays: {keys:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_left_or_hoarded() {
    let _alone = crate::ALONE.lock().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut places = vec![
        ("memory", ImageStore::builder().memory()),
        (
            "local",
            ImageStore::builder()
                .local(directory.path())
                .with_fsync(false),
        ),
    ];
    let bucket = match Server::from_env() {
        Some(server) => Some(server.bucket().await),
        None => None,
    };
    if let Some(bucket) = &bucket {
        places.push(("s3", bucket.store()));
    }
    let whole = Duration::from_secs(if crate::common::full() { 100 } else { 5 });
    let photos = photos();
    for (name, builder) in places {
        let thumb = OptimizeOptions::default().with_max_size(40, 40);
        let store = builder
            .with_optimize(crate::common::patient())
            .with_variant(Variant::new("thumb", thumb).expect("a name"))
            .with_decode_wait(Duration::from_secs(60))
            .build()
            .expect("valid");
        let first = part(&store, &photos, whole / 5).await;
        let left = leftovers(&store).await;
        let (files, memory) = held();
        let rest = part(&store, &photos, whole * 4 / 5).await;
        let left = left + leftovers(&store).await;
        let (files_after, memory_after) = held();
        println!(
            "{name}: {} images, {left} of callers who went away; files {files} then {files_after}, \
             memory {memory} MiB then {memory_after}",
            first + rest
        );
        let spare = CALLERS * if name == "s3" { CONNECTIONS } else { 1 };
        assert!(
            files_after <= files + spare as usize,
            "{name}: {files_after} files open"
        );
        assert!(memory_after <= memory + 16, "{name}: {memory_after} MiB");
    }
}
