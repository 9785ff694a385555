//! Memory is bounded by configuration and not by the number of callers, and who waits too long is told.
#![cfg(feature = "store")]

use std::time::{Duration, Instant};

use crate::common::images;
use futures_util::future::join_all;
use lablink_storage::{ErrorKind, ImageStore, UploadOptions};

/// Forgets the peak so far (Linux, proc(5): clear_refs).
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
}

/// The most memory that this process has had since, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("Linux tells the peak");
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<u64>()
        .expect("a number")
        / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_need_no_more_memory_than_configured() {
    let _alone = crate::ALONE.lock().await;
    const CALLERS: usize = 8;
    // 12 megapixels of RGB: 36 MB of pixels, from a small file.
    let png = bytes::Bytes::from(images::png_rgb(4000, 3000));
    let store = |decodes, wait| {
        ImageStore::builder()
            .memory()
            .with_optimize(crate::common::patient())
            .with_max_decodes(decodes)
            .with_decode_wait(wait)
            .build()
            .expect("valid")
    };

    // One image alone shows what one turn needs.
    let patient = store(2, Duration::from_secs(600));
    forget_peak();
    patient
        .upload(png.clone(), UploadOptions::default())
        .await
        .expect("stored");
    let alone = peak();

    // Many at once, two at a time: everyone is served.
    forget_peak();
    let uploads = (0..CALLERS).map(|_| {
        let (store, png) = (patient.clone(), png.clone());
        tokio::spawn(async move { store.upload(png, UploadOptions::default()).await })
    });
    for upload in join_all(uploads).await {
        upload.expect("no panic").expect("stored");
    }
    let many = peak();
    println!("{CALLERS} callers, 2 at a time: {many} MiB at the peak; one alone: {alone} MiB");
    // Two decodes, and what the allocator has not given back yet; without a bound it is far more.
    assert!(
        many < 3 * alone,
        "{CALLERS} callers: {many} MiB at the peak, one alone {alone} MiB"
    );

    // Impatient callers are told so in time, and that it is worth trying again.
    let wait = Duration::from_millis(20);
    let busy = store(1, wait);
    let began = Instant::now();
    let uploads = (0..CALLERS).map(|_| {
        let (store, png) = (busy.clone(), png.clone());
        tokio::spawn(async move {
            (
                store.upload(png, UploadOptions::default()).await,
                began.elapsed(),
            )
        })
    });
    let mut stored = 0;
    for upload in join_all(uploads).await {
        match upload.expect("no panic") {
            (Ok(_), _) => stored += 1,
            (Err(error), after) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.is_retryable());
                assert!(error.hint().is_some_and(|hint| hint.contains("try again")));
                assert!(
                    after < wait + Duration::from_secs(2),
                    "told after {after:?}"
                );
            }
        }
    }
    assert!(
        (1..CALLERS).contains(&stored),
        "{stored} of {CALLERS} had their turn"
    );
    busy.upload(png, UploadOptions::default())
        .await
        .expect("a turn is free again");
}
