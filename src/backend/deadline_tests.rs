//! Tests of what a deadline bounds where the disk is slow, or holds very much.

use std::fs;
use std::time::Duration;

use bytes::Bytes;

use super::Backend;
use super::tests::{key, options};
use crate::config::Config;
use crate::kind::ErrorKind;

/// The disk is so slow that the caller's time is over before its file is written.
#[test]
fn nothing_is_written_after_the_deadline() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("started");
    let directory = tempfile::tempdir().expect("a directory");
    let config = Config::builder().local(directory.path());
    let config = config.with_deadline(Duration::from_millis(100)).build();
    let backend = Backend::open(&config.expect("valid")).expect("opened");
    runtime.block_on(async {
        let (free, held) = std::sync::mpsc::channel::<()>();
        let disk = tokio::task::spawn_blocking(move || held.recv().ok());
        let (name, bytes) = (key("components/a.png"), Bytes::from_static(b"x"));
        for create in [true, false] {
            let put = backend.put(&name, bytes.clone(), &options(create)).await;
            assert_eq!(put.expect_err("too late").kind(), ErrorKind::Timeout);
        }
        drop(free);
        disk.await.expect("free");
        // Whatever waited for the one thread has been there before this.
        tokio::task::spawn_blocking(|| ()).await.expect("its turn");
        assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 0);
    });
}

/// However many files there are, the deadline is that of a batch. Of a batch that the machine had no time for
/// there is a second try, with more files and more time: a deadline of the whole walk passes in none.
#[tokio::test]
async fn a_walk_may_take_longer_than_the_deadline() {
    for size in [1, 2, 4] {
        let (files, deadline) = (40_000 * size, Duration::from_millis(150) * size);
        let directory = tempfile::tempdir().expect("a directory");
        for _ in 0..files {
            let name = format!(".{}#1", uuid::Uuid::new_v4());
            fs::write(directory.path().join(name), "").expect("written");
        }
        let config = Config::builder().local(directory.path());
        let config = config.with_deadline(deadline).build();
        let backend = Backend::open(&config.expect("valid")).expect("opened");
        let (mut found, started) = (0, std::time::Instant::now());
        let swept = backend.sweep_staging(Duration::ZERO, false, &mut found);
        match swept.await {
            Err(error) if error.kind() == ErrorKind::Timeout && size < 4 => continue,
            swept => swept.expect("swept"),
        }
        assert_eq!(found, files as usize);
        assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 0);
        let took = started.elapsed();
        assert!(took > deadline, "more files are needed: {took:?}");
        return;
    }
}
