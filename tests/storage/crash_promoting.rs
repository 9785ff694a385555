//! `kill -9` at any moment of promotions: nothing is lost, nothing half is listed, and what is left is found by
//! a sweep that knows of no list, or promoted after all.
#![cfg(all(feature = "local", unix))]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use lablink_storage::ops::{SweepOptions, sweep};
use lablink_storage::{ErrorKind, ImageFormat, ImageStore, ObjectKey, UploadOptions, variant_key};

use super::crash::{age, files, is_staging, noise, originals, refined, store};

const CHILD: &str = "LABLINK_STORAGE_CRASHING_PROMOTIONS_DIR";

/// How many promotions each process is to make.
const PROMOTIONS: usize = 8;

/// Not a test of its own: the process that is killed. It says when it begins and the key of each promotion
/// that is done.
#[tokio::test]
#[ignore = "promotions_that_are_killed_lose_nothing starts it"]
async fn promoting_child() {
    let directory = std::env::var_os(CHILD);
    let directory = directory.expect("started by promotions_that_are_killed_lose_nothing");
    let directory = Path::new(&directory);
    let store = store(directory);
    let pending = pending(directory);
    println!("begun");
    let promotions = pending.iter().map(|key| store.promote(key));
    let promotions: Vec<_> = promotions.collect();
    let mut promotions = stream::iter(promotions).buffer_unordered(4);
    while let Some(image) = promotions.next().await {
        println!("done {}", image.expect("promoted").key);
    }
}

/// The keys of the pending uploads.
fn pending(directory: &Path) -> Vec<ObjectKey> {
    let names = std::fs::read_dir(directory.join("pending/components"));
    let names = names.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.ends_with(".png") && !name.contains('#'))
        .map(|name| ObjectKey::parse(format!("pending/components/{name}")).expect("a key"))
        .collect()
}

fn put_pending(directory: &Path, photo: &[u8]) -> Vec<ObjectKey> {
    let folder = directory.join("pending/components");
    std::fs::create_dir_all(folder).expect("made");
    (0..PROMOTIONS)
        .map(|_| {
            let id = uuid::Uuid::new_v4();
            let key = ObjectKey::for_pending("components", id, ImageFormat::Png).expect("a key");
            std::fs::write(directory.join(key.as_str()), photo).expect("written");
            key
        })
        .collect()
}

/// Starts the promotions and kills the process so long after it began, or lets it end. Returns the keys that
/// it said were promoted.
fn promote_and_kill(directory: &Path, after: Option<Duration>) -> Vec<ObjectKey> {
    let mut child = crate::common::alone(module_path!(), "promoting_child")
        .arg("--ignored")
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    // The test harness writes its own words on the same line.
    let mut begun = output.by_ref().map_while(Result::ok);
    assert!(begun.any(|line| line.ends_with("begun")), "it ended early");
    if let Some(after) = after {
        std::thread::sleep(after);
        // SIGKILL: nothing in the process can tidy up.
        child.kill().expect("killed");
    }
    let done = output.map_while(Result::ok);
    let done = done.filter_map(|line| {
        let (_, key) = line.split_once("done ")?;
        Some(ObjectKey::parse(key).expect("a key"))
    });
    let done = done.collect();
    child.wait().expect("ended");
    done
}

struct Whole {
    main: Vec<u8>,
    thumb: Vec<u8>,
}

impl Whole {
    /// The same image in memory says what each object has to be, byte for byte.
    async fn of(photo: &[u8]) -> Self {
        let memory = refined(ImageStore::builder().memory());
        let image = memory
            .upload(photo.to_vec(), UploadOptions::default())
            .await;
        let image = image.expect("uploaded");
        let bytes = async |key: &ObjectKey| memory.get(key).await.expect("there").bytes.to_vec();
        Self {
            main: bytes(&image.key).await,
            thumb: bytes(&image.variants["thumb"].key).await,
        }
    }

    /// Whether the image is there; it is whole then.
    async fn is_there(&self, store: &ImageStore, key: &ObjectKey) -> bool {
        match store.get(key).await {
            Ok(main) => assert!(main.bytes == self.main, "{key} is torn"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                return false;
            }
        }
        let thumb = variant_key(key, "thumb").expect("a key");
        let thumb = store.get(&thumb).await.expect("beside its image");
        assert!(thumb.bytes == self.thumb, "the thumb of {key} is torn");
        true
    }
}

fn image_of(pending: &ObjectKey) -> ObjectKey {
    let key = pending.as_str().trim_start_matches("pending/");
    ObjectKey::parse(key).expect("a key")
}

#[tokio::test]
async fn promotions_that_are_killed_lose_nothing() {
    let photo = noise(150);
    let whole = Whole::of(&photo).await;
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let store = store(directory);
    put_pending(directory, &photo);
    // As long as all of them take is the measure of the moments.
    let began = Instant::now();
    assert_eq!(promote_and_kill(directory, None).len(), PROMOTIONS);
    let longest = began.elapsed();

    let rounds = if crate::common::full() { 100 } else { 6 };
    let (mut done_in_all, mut half) = (0, 0);
    for round in 0..rounds {
        let uploads = put_pending(directory, &photo);
        let moment = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        let done = promote_and_kill(directory, Some(longest * moment / 255));
        done_in_all += done.len();
        for key in &done {
            assert!(whole.is_there(&store, key).await, "{key} was promoted");
        }
        for upload in &uploads {
            let promoted = whole.is_there(&store, &image_of(upload)).await;
            let waits = directory.join(upload.as_str()).exists();
            assert!(promoted || waits, "{upload} is lost");
            let thumb = variant_key(&image_of(upload), "thumb").expect("a key");
            half += usize::from(!promoted && store.exists(&thumb).await.expect("asked"));
        }
        if round % 2 == 0 {
            for upload in pending(directory) {
                store.promote(&upload).await.expect("after all");
                assert!(whole.is_there(&store, &image_of(&upload)).await);
            }
        }
        age(directory);
        let options = SweepOptions::default().with_delete(true);
        let swept = sweep(&store, &options, |_| {}).await.expect("swept");
        assert!(swept.is_complete(), "{swept:?}");
        for file in files(directory) {
            let name = file.strip_prefix(directory).expect("inside");
            let is_pending = name.starts_with("pending");
            assert!(!is_staging(&file) && !is_pending, "{name:?} stays");
        }
        let listed = store.list_all(None).await.expect("listed");
        let images = listed.iter().filter(|info| info.variant.is_none());
        let images: HashSet<&str> = images.map(|info| info.key.as_str()).collect();
        // Each has its thumb and its original, and none of those is alone.
        assert_eq!(listed.len(), images.len() * 2, "after round {round}");
        assert_eq!(originals(directory), images.len(), "after round {round}");
    }
    println!("{done_in_all} promotions done, {half} cut between the variant and the image");
    // Six kills at random may all come too early or too late; of a hundred, some come in the middle.
    if crate::common::full() {
        let all = rounds * PROMOTIONS;
        assert!(
            (1..all).contains(&done_in_all),
            "{done_in_all} of {all} promotions were done"
        );
        assert!(half > 0, "no kill came in the middle of a promotion");
    }
}
