//! `kill -9` in the middle of a hundred local uploads: what is listed afterwards is whole.
#![cfg(all(feature = "local", unix))]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use lablink_storage::{ImageStore, ObjectInfo, OptimizeOptions, UploadOptions, Variant};

const CHILD: &str = "LABLINK_STORAGE_CRASH_TEST_DIR";

/// A photograph-like JPEG, big enough that writing it takes more than one call.
fn photo() -> Vec<u8> {
    let (width, height) = (400_u16, 300_u16);
    let mut noise = 1_u32;
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for _ in 0..usize::from(width) * usize::from(height) * 3 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pixels.push((noise >> 24) as u8);
    }
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    let encoded = encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb);
    encoded.expect("pixels fit");
    jpeg
}

fn store(directory: &Path) -> ImageStore {
    let thumb = OptimizeOptions::default().with_max_size(100, 100);
    ImageStore::builder()
        .local(directory)
        // Flushing makes a write long, and being killed in the middle of one likely.
        .with_fsync(true)
        .with_variant(Variant::new("thumb", thumb).expect("a name"))
        .build()
        .expect("opened")
}

/// Not a test of its own: the process that is killed. It says the key of each upload that is done.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let store = store(Path::new(&directory));
    let photo = photo();
    let uploads =
        stream::iter(0..100).map(|_| store.upload(photo.clone(), UploadOptions::default()));
    let mut uploads = uploads.buffer_unordered(4);
    while let Some(image) = uploads.next().await {
        println!("done {}", image.expect("uploaded").key);
    }
}

/// Starts the hundred uploads, kills the process after `uploads` of them and a while, and returns the
/// keys that it had been told were stored.
fn run_and_kill(directory: &Path, uploads: usize, then: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut done = Vec::new();
    let mut killed = false;
    for line in output.lines() {
        let line = line.expect("text");
        // The test harness writes its own words on the same line.
        if let Some((_, key)) = line.split_once("done ") {
            done.push(key.to_owned());
        }
        if done.len() == uploads && !killed {
            killed = true;
            std::thread::sleep(then);
            // SIGKILL: nothing in the process can tidy up.
            child.kill().expect("killed");
        }
    }
    let status = child.wait().expect("ended");
    assert!(!status.success(), "it was killed in the middle: {status}");
    assert!(done.len() < 100, "it was killed in the middle");
    done
}

#[tokio::test]
async fn what_is_listed_after_a_kill_is_whole() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path());
    let mut done = HashSet::new();
    for round in 0..5 {
        let then = Duration::from_millis(7 * round);
        done.extend(run_and_kill(directory.path(), 3, then));
    }
    let listed: Vec<ObjectInfo> = store.list(None).try_collect().await.expect("listed");
    for info in &listed {
        let object = store.get(&info.key).await.expect("readable");
        assert_eq!(object.bytes.len() as u64, info.size);
        assert!(
            object.bytes.starts_with(b"\xff\xd8") && object.bytes.ends_with(b"\xff\xd9"),
            "{} breaks off",
            info.key
        );
        // Nothing is promised about an image whose upload did not return, except this: where the main
        // object is, its variants are.
        if info.variant.is_none() {
            let thumb = lablink_storage::variant_key(&info.key, "thumb").expect("a key");
            assert!(
                store.exists(&thumb).await.expect("asked"),
                "{thumb} is missing"
            );
        }
    }
    let keys: HashSet<String> = listed.iter().map(|info| info.key.to_string()).collect();
    let lost: Vec<&String> = done.difference(&keys).collect();
    assert!(lost.is_empty(), "stored, and gone: {lost:?}");

    store.sweep(Duration::ZERO, false).await.expect("swept");
    let mut left = Vec::new();
    let mut directories = vec![directory.path().to_owned()];
    while let Some(next) = directories.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().contains('#') {
                left.push(path);
            }
        }
    }
    assert!(left.is_empty(), "left after the sweep: {left:?}");
}
