//! `kill -9` in the middle of a hundred local uploads: what is listed afterwards is whole.
#![cfg(all(feature = "local", unix))]

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use lablink_storage::{ImageStore, ObjectInfo, OptimizeOptions, UploadOptions, Variant};

const CHILD: &str = "LABLINK_STORAGE_CRASH_TEST_DIR";

/// Noise, which no encoder makes small: writing it takes a while.
fn photo() -> Vec<u8> {
    let (width, height) = (400_u16, 300_u16);
    let mut noise = 1_u32;
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for _ in 0..usize::from(width) * usize::from(height) * 3 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pixels.push((noise >> 24) as u8);
    }
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 100);
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
        // A busy machine is no reason to give up.
        .with_decode_wait(Duration::from_secs(600))
        .with_deadline(Duration::from_secs(600))
        .with_optimize(OptimizeOptions::default().with_quality(100))
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

/// Starts the hundred uploads and kills the process while it writes a file that was not there after
/// `uploads` of them. Returns the keys that it said were stored.
fn run_and_kill(directory: &Path, uploads: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut done = Vec::new();
    for line in output.by_ref() {
        // The test harness writes its own words on the same line.
        if let Some((_, key)) = line.expect("text").split_once("done ") {
            done.push(key.to_owned());
        }
        if done.len() == uploads {
            break;
        }
    }
    // Main objects, which are large and written last, lie directly under the prefix.
    let directory = directory.join("components");
    let before = names(&directory);
    while names(&directory).is_subset(&before) {
        assert!(child.try_wait().expect("asked").is_none(), "it ended early");
    }
    // SIGKILL: nothing in the process can tidy up.
    child.kill().expect("killed");
    let status = child.wait().expect("ended");
    assert!(!status.success(), "it was killed in the middle: {status}");
    let rest = output.map_while(Result::ok);
    done.extend(rest.filter_map(|line| Some(line.split_once("done ")?.1.to_owned())));
    assert!(done.len() < 100, "it was killed in the middle");
    done
}

/// The names in a directory that are not a variants' directory's.
fn names(directory: &Path) -> HashSet<OsString> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().contains('.'))
        .collect()
}

/// Every file under a directory, whatever its name.
fn files(directory: &Path) -> HashSet<PathBuf> {
    let mut files = HashSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        // Directories come and go while the child is at work.
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            } else {
                files.insert(entry.path());
            }
        }
    }
    files
}

fn is_staging(path: &Path) -> bool {
    path.to_string_lossy().contains('#')
}

#[tokio::test]
async fn what_is_listed_after_a_kill_is_whole() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path());
    let mut done = HashSet::new();
    let mut half_written = 0;
    for round in 0..15 {
        done.extend(run_and_kill(directory.path(), 1 + round % 5));
        half_written = files(directory.path())
            .iter()
            .filter(|file| is_staging(file))
            .count();
        if half_written >= 3 {
            break;
        }
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

    assert!(half_written > 0, "no kill came in the middle of a write");
    store.sweep(Duration::ZERO, false).await.expect("swept");
    let left: Vec<PathBuf> = files(directory.path())
        .into_iter()
        .filter(|file| is_staging(file))
        .collect();
    assert!(left.is_empty(), "left after the sweep: {left:?}");
}
