//! `kill -9` in the middle of local uploads, a hundred times under `--full`: what is listed afterwards is
//! whole, and a sweep that knows of no list finds the rest.
#![cfg(all(feature = "local", unix))]

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use lablink_storage::ops::{SweepOptions, sweep};
use lablink_storage::{
    ImageStore, ImageStoreBuilder, Limits, ObjectInfo, OptimizeOptions, OutputFormat,
    UploadOptions, Variant,
};

const CHILD: &str = "LABLINK_STORAGE_CRASH_TEST_DIR";

/// Noise as PNG, which no encoder makes small: writing 3 MB takes long enough to be killed in the middle.
fn photo() -> Vec<u8> {
    noise(1000)
}

/// As many pixels of noise in a row and in a column.
pub fn noise(side: usize) -> Vec<u8> {
    let mut noise = 1_u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let pixels: Vec<u8> = (0..side * side * 3).map(|_| next()).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels fit");
    writer.finish().expect("the end");
    bytes
}

pub fn refined(builder: ImageStoreBuilder) -> ImageStore {
    let thumb = OptimizeOptions::default().with_max_size(100, 100);
    builder
        // A busy machine takes its time.
        .with_decode_wait(Duration::from_secs(600))
        .with_deadline(Duration::from_secs(600))
        .with_optimize(
            OptimizeOptions::default()
                .with_format(OutputFormat::Png)
                .with_limits(Limits::default().with_max_duration(Duration::from_secs(600))),
        )
        .with_variant(Variant::new("thumb", thumb).expect("a name"))
        .with_keep_original(true)
        .build()
        .expect("opened")
}

/// How many originals lie in a directory.
pub fn originals(directory: &Path) -> usize {
    let apart = directory.join("originals");
    files(&apart).len()
}

pub fn store(directory: &Path) -> ImageStore {
    refined(ImageStore::builder().local(directory).with_fsync(true))
}

/// Not a test of its own: the process that is killed. It says the key of each upload that is done.
#[tokio::test]
#[ignore = "what_is_listed_after_a_kill_is_whole starts it"]
async fn child() {
    let directory = std::env::var_os(CHILD);
    let directory = directory.expect("started by what_is_listed_after_a_kill_is_whole");
    let store = store(Path::new(&directory));
    let photo = photo();
    let uploads =
        stream::iter(0..100).map(|_| store.upload(photo.clone(), UploadOptions::default()));
    let mut uploads = uploads.buffer_unordered(4);
    while let Some(image) = uploads.next().await {
        println!("done {}", image.expect("uploaded").key);
    }
}

/// When the process is killed, once enough uploads are done.
enum Moment {
    /// At the sight of an image that is not so many bytes long yet.
    Writing(u64),
    /// After a share of the time that an upload has taken so far, decoding included.
    Share(f64),
}

/// Starts the hundred uploads and, once `uploads` of them are done, kills the process. Returns the keys that it
/// said were stored.
fn run_and_kill(directory: &Path, uploads: usize, moment: &Moment) -> Vec<String> {
    let started = Instant::now();
    let mut child = crate::common::alone(module_path!(), "child")
        .arg("--ignored")
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
    match moment {
        Moment::Share(share) => {
            std::thread::sleep(started.elapsed().mul_f64(share / done.len() as f64));
        }
        // Main objects, which are large and written last, lie directly under the prefix. What an earlier kill
        // left there does not grow any more.
        Moment::Writing(whole) => {
            let directory = directory.join("components");
            let before: HashSet<OsString> = sizes(&directory).into_keys().collect();
            let growing = |(name, size): (OsString, u64)| !before.contains(&name) && size < *whole;
            while !sizes(&directory).into_iter().any(growing) {
                assert!(child.try_wait().expect("asked").is_none(), "it ended early");
            }
        }
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

/// The files of a directory, and how large they are.
fn sizes(directory: &Path) -> HashMap<OsString, u64> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.file_name(), metadata.len()))
    });
    files.collect()
}

/// Every file under a directory, whatever its name.
pub fn files(directory: &Path) -> HashSet<PathBuf> {
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

pub fn is_staging(path: &Path) -> bool {
    path.to_string_lossy().contains('#')
}

#[tokio::test]
async fn what_is_listed_after_a_kill_is_whole() {
    // The same image in memory says what each object has to be, byte for byte.
    let memory = refined(ImageStore::builder().memory());
    let image = memory.upload(photo(), UploadOptions::default()).await;
    let image = image.expect("uploaded");
    let main = memory.get(&image.key).await.expect("there").bytes;
    let thumb = memory.get(&image.variants["thumb"].key).await;
    let thumb = thumb.expect("there").bytes;
    assert!(
        main.len() > 2 << 20,
        "{} bytes are written in no time",
        main.len()
    );

    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path());
    let mut done = HashSet::new();
    let mut half_written = 0;
    let full = crate::common::full();
    for round in 0..if full { 100 } else { 8 } {
        // Half of them in the middle of a write, and half spread over all that an upload does.
        let moment = match round % 2 {
            0 => Moment::Writing(main.len() as u64),
            _ => Moment::Share((round * 37 % 100) as f64 / 50.0),
        };
        let kept = run_and_kill(directory.path(), 1 + round % 3, &moment);
        done.extend(kept);
        let files = files(directory.path());
        let torn = |file: &&PathBuf| {
            let is_main = file.parent() == Some(&directory.path().join("components"));
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            is_staging(file) && is_main && size < main.len() as u64
        };
        half_written = files.iter().filter(torn).count();
        if half_written >= 3 && !full {
            break;
        }
    }
    println!(
        "{half_written} writes were cut, {} uploads done",
        done.len()
    );
    let listed: Vec<ObjectInfo> = store.list(None).try_collect().await.expect("listed");
    for info in &listed {
        let object = store.get(&info.key).await.expect("readable");
        let whole = if info.variant.is_some() {
            &thumb
        } else {
            &main
        };
        assert!(object.bytes == *whole, "{} is not whole", info.key);
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
    age(directory.path());
    let options = SweepOptions::default().with_delete(true);
    let swept = sweep(&store, &options, |_| {}).await.expect("swept");
    assert!(swept.is_complete(), "{swept:?}");
    let left: Vec<PathBuf> = files(directory.path())
        .into_iter()
        .filter(|file| is_staging(file))
        .collect();
    assert!(left.is_empty(), "left after the sweep: {left:?}");
    let listed = store.list_all(None).await.expect("listed");
    let (thumbs, images): (Vec<_>, Vec<_>) = listed.iter().partition(|info| info.variant.is_some());
    assert_eq!(thumbs.len(), images.len(), "no thumb is alone");
    assert_eq!(originals(directory.path()), images.len(), "no original is");
    let images: HashSet<String> = images.iter().map(|info| info.key.to_string()).collect();
    let lost: Vec<&String> = done.difference(&images).collect();
    assert!(lost.is_empty(), "stored, and swept away: {lost:?}");
}

/// As if all of it lay there for two days.
pub fn age(directory: &Path) {
    let old = SystemTime::now() - Duration::from_secs(2 * 86_400);
    for file in files(directory) {
        let file = std::fs::File::options().write(true).open(file);
        file.expect("opened").set_modified(old).expect("aged");
    }
}
