//! Tests of the behaviour that all backends share, and of the local one's own. S3 is in tests/storage/faults.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::ObjectStore;

use super::{Backend, ObjectInfo, Presigner, PutOptions};
use crate::config::Config;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

const OPTIONS: PutOptions = PutOptions {
    content_type: std::borrow::Cow::Borrowed("image/png"),
    cache_control: String::new(),
    create: true,
};

pub(super) fn options(create: bool) -> PutOptions {
    PutOptions {
        cache_control: "public, max-age=31536000, immutable".to_owned(),
        create,
        ..OPTIONS
    }
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("valid")
}

fn local(directory: &Path) -> Backend {
    let config = Config::builder().local(directory).build();
    Backend::open(&config.expect("valid")).expect("opened")
}

fn custom(store: Arc<dyn ObjectStore>) -> Backend {
    let config = Config::builder().custom().build();
    Backend::custom(store, &config.expect("valid"))
}

/// Every backend that needs no server, and a directory to remove.
fn backends() -> (tempfile::TempDir, Vec<Backend>) {
    let directory = tempfile::tempdir().expect("a directory");
    let memory = Config::builder().memory().build().expect("valid");
    let brought = directory.path().join("brought");
    fs::create_dir(&brought).expect("made");
    let brought = object_store::local::LocalFileSystem::new_with_prefix(brought).expect("opened");
    let backends = vec![
        Backend::open(&memory).expect("opened"),
        local(&directory.path().join("not/there/yet")),
        // One that takes attributes and one that refuses them and minds deleting what is not there.
        custom(Arc::new(object_store::memory::InMemory::new())),
        custom(Arc::new(brought)),
    ];
    (directory, backends)
}

async fn listed(backend: &Backend, prefix: &str) -> Vec<String> {
    let infos: Vec<ObjectInfo> = backend.list(prefix).try_collect().await.expect("listed");
    let mut keys: Vec<String> = infos.iter().map(|info| info.key.to_string()).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn what_is_put_is_there_until_it_is_deleted() {
    let (_directory, backends) = backends();
    for backend in &backends {
        let name = backend.name();
        let key = key("components/ü b+c%20[d].png");
        let bytes = Bytes::from_static(b"0123456789");
        assert!(backend.health("components").await.is_ok(), "{name}");
        assert_eq!(listed(backend, "").await, [""; 0], "{name}");

        let stored = backend.put(&key, bytes.clone(), &options(true)).await;
        let stored = stored.expect(name);
        let (info, found) = backend.get(&key, 10).await.expect(name);
        assert_eq!((found, info.size), (bytes, 10), "{name}");
        assert_eq!(info.content_type.as_deref(), Some("image/png"), "{name}");
        let cache = "public, max-age=31536000, immutable";
        assert_eq!(info.cache_control.as_deref(), Some(cache), "{name}");
        assert_eq!(info.e_tag, stored.e_tag, "{name}");
        assert_eq!(backend.head(&key).await.expect(name), info, "{name}");
        assert_eq!(
            listed(backend, "components").await,
            [key.as_str()],
            "{name}"
        );
        assert_eq!(listed(backend, "comp").await, [""; 0], "{name}");

        backend.delete(&key).await.expect(name);
        backend.delete(&key).await.expect(name);
        for error in [
            backend.head(&key).await.expect_err(name),
            backend.get(&key, 10).await.map(drop).expect_err(name),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
            assert_eq!(error.key(), Some(&key));
        }
        assert_eq!(listed(backend, "").await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn create_never_overwrites_and_overwrite_does() {
    let (_directory, backends) = backends();
    for backend in &backends {
        let name = backend.name();
        let key = key("components/a/b/c.png");
        let put = |bytes: &'static [u8], create: bool| {
            let (backend, key) = (backend.clone(), key.clone());
            async move {
                let bytes = Bytes::from_static(bytes);
                backend.put(&key, bytes, &options(create)).await
            }
        };
        let first = put(b"first", true).await.expect(name);
        let error = put(b"second", true).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
        assert!(!error.is_retryable());
        assert_eq!(backend.get(&key, 99).await.expect(name).1, &b"first"[..]);
        let third = put(b"third", false).await.expect(name);
        assert_ne!(first.e_tag, third.e_tag, "{name}");
        assert_eq!(backend.get(&key, 99).await.expect(name).1, &b"third"[..]);
    }
}

#[tokio::test]
async fn reading_is_bounded_and_ranged() {
    let (_directory, backends) = backends();
    for backend in &backends {
        let name = backend.name();
        let key = key("a.png");
        let bytes = Bytes::from_static(b"0123456789");
        backend.put(&key, bytes, &options(true)).await.expect(name);
        let error = backend.get(&key, 9).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{name}");
        let (info, part) = backend.get_range(&key, 2..5).await.expect(name);
        assert_eq!((part.as_ref(), info.size), (&b"234"[..], 10), "{name}");
        let (_, rest) = backend.get_range(&key, 8..99).await.expect(name);
        assert_eq!(rest.as_ref(), b"89", "{name}");
        for range in [10..11, 12..20, 3..3] {
            let error = backend.get_range(&key, range).await.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        }
    }
}

#[tokio::test]
async fn of_many_creators_one_wins() {
    let (_directory, backends) = backends();
    for backend in &backends {
        let key = key("components/race.png");
        let tries = (0..16_u8).map(|writer| {
            let (backend, key) = (backend.clone(), key.clone());
            tokio::spawn(async move {
                let bytes = Bytes::from(vec![writer; 1000]);
                backend.put(&key, bytes, &options(true)).await.is_ok()
            })
        });
        let mut winners = Vec::new();
        for (writer, done) in tries.collect::<Vec<_>>().into_iter().enumerate() {
            if done.await.expect("no panic") {
                winners.push(writer);
            }
        }
        let (_, bytes) = backend.get(&key, 1000).await.expect("there");
        assert_eq!(winners, [usize::from(bytes[0])], "{}", backend.name());
    }
}

#[tokio::test]
async fn longest_keys_fit_everywhere() {
    let (_directory, backends) = backends();
    let long = format!("{}/{}.png", "ä".repeat(127), "b".repeat(251));
    // object_store's own directory needs room in the name for staging; ours does not.
    for backend in &backends[..3] {
        let key = key(&long);
        let bytes = Bytes::from_static(b"x");
        backend.put(&key, bytes, &options(true)).await.expect("put");
        assert_eq!(listed(backend, "").await, [long.as_str()]);
        backend.delete(&key).await.expect("deleted");
    }
}

#[tokio::test]
async fn nobody_signs_what_nobody_can_check() {
    let (_directory, backends) = backends();
    for backend in &backends {
        let error = backend.signer().await.map(drop).expect_err("no signer");
        assert_eq!(error.kind(), ErrorKind::NotSupported);
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn opening_and_looking_make_no_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("uploads");
    let backend = local(&root);
    backend.health("components").await.expect("healthy");
    backend.delete(&key("a.png")).await.expect("nothing to do");
    assert_eq!(listed(&backend, "").await, [""; 0]);
    assert!(!root.exists());

    fs::write(&root, "a file").expect("written");
    let error = backend.health("").await.expect_err("no directory");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error
            .hint()
            .expect("a hint")
            .contains("LABLINK_STORAGE_DIR")
    );
}

#[tokio::test]
async fn deleting_leaves_no_empty_directories_and_takes_no_full_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let backend = local(directory.path());
    for name in ["p/a/1.png", "p/a/2.png"] {
        let bytes = Bytes::from_static(b"x");
        backend
            .put(&key(name), bytes, &options(true))
            .await
            .expect("put");
    }
    // A directory is not an object.
    backend.delete(&key("p/a")).await.expect("nothing to do");
    backend.delete(&key("p/a/1.png")).await.expect("deleted");
    assert_eq!(listed(&backend, "p").await, ["p/a/2.png"]);
    backend.delete(&key("p/a/2.png")).await.expect("deleted");
    assert!(directory.path().exists() && !directory.path().join("p").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_leave_the_root_are_refused() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().expect("a directory");
    let (root, outside) = (
        directory.path().join("root"),
        directory.path().join("outside"),
    );
    fs::create_dir_all(root.join("inner")).expect("made");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("secret.png"), "secret").expect("written");
    fs::write(root.join("inner/a.png"), "mine").expect("written");
    symlink(&outside, root.join("out")).expect("linked");
    symlink(outside.join("secret.png"), root.join("s.png")).expect("linked");
    symlink(root.join("inner/a.png"), root.join("b.png")).expect("linked");
    let backend = local(&root);

    for name in ["out/secret.png", "s.png"] {
        let error = backend.get(&key(name), 99).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{name}");
        assert_eq!(
            backend.head(&key(name)).await.expect_err(name).kind(),
            ErrorKind::AccessDenied
        );
    }
    for name in ["out/new.png", "out/deep/new.png"] {
        let bytes = Bytes::from_static(b"x");
        let error = backend.put(&key(name), bytes, &options(false)).await;
        assert_eq!(error.expect_err(name).kind(), ErrorKind::AccessDenied);
    }
    let error = backend.delete(&key("out/secret.png")).await;
    assert_eq!(error.expect_err("refused").kind(), ErrorKind::AccessDenied);
    assert_eq!(fs::read_dir(&outside).expect("there").count(), 1);
    assert_eq!(listed(&backend, "").await, ["inner/a.png"]);
    // One that stays inside is not the store's either.
    let error = backend.get(&key("b.png"), 99).await.expect_err("a link");
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert!(error.hint().expect("a hint").contains("link"));
    assert!(crate::causes::words(&error).contains("b.png"));
    assert_eq!(
        backend.get(&key("inner/a.png"), 99).await.expect("there").1,
        "mine"
    );
}

/// A directory on the way becomes a link, and back, while it is read from, written to, listed and swept.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_leads_outside() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    let directory = tempfile::tempdir().expect("a directory");
    let (root, outside) = (
        directory.path().join("root"),
        directory.path().join("outside"),
    );
    for place in [&root.join("real"), &outside] {
        fs::create_dir_all(place).expect("made");
    }
    fs::write(root.join("real/a.png"), "mine").expect("written");
    fs::write(outside.join("a.png"), "secret").expect("written");
    fs::write(outside.join("b.png"), "secret").expect("written");
    let unfinished = format!(".{}#1", uuid::Uuid::new_v4());
    fs::write(outside.join(&unfinished), "another's").expect("written");
    symlink(&outside, root.join("link")).expect("linked");
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (stop, root) = (Arc::clone(&stop), root.clone());
        move || {
            let at = root.join("on the way");
            while !stop.load(Ordering::Relaxed) {
                for turn in ["real", "link"] {
                    fs::rename(root.join(turn), &at).expect("renamed");
                    fs::rename(&at, root.join(turn)).expect("renamed");
                }
            }
        }
    });
    let backend = local(&root);
    let mut read = 0;
    for _ in 0..2000 {
        if let Ok((_, bytes)) = backend.get(&key("on the way/a.png"), 99).await {
            assert_eq!(bytes, "mine");
            read += 1;
        }
        // Of this name there is one outside alone.
        backend.delete(&key("on the way/b.png")).await.ok();
        let found = backend.list("").try_collect::<Vec<_>>().await;
        for info in found.unwrap_or_default() {
            assert!(!info.key.as_str().ends_with("b.png"), "{}", info.key);
        }
        let swept = backend.sweep_staging(Duration::ZERO, false, &mut 0).await;
        swept.ok();
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().expect("no panic");
    assert!(read > 0, "it was never there");
    assert_eq!(fs::read_dir(&outside).expect("there").count(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn what_waits_to_be_looked_at_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let backend = local(directory.path());
    for name in ["pending/components/a.png", "components/a.png"] {
        let bytes = Bytes::from_static(b"x");
        let put = backend.put(&key(name), bytes, &options(true)).await;
        put.expect("put");
    }
    let mode = |name: &str| {
        let metadata = fs::metadata(directory.path().join(name)).expect("there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("pending"), 0o700);
    assert_eq!(mode("pending/components"), 0o700);
    assert_eq!(mode("pending/components/a.png"), 0o600);
    assert_ne!(mode("components/a.png"), 0o600);
}

#[tokio::test]
async fn odd_files_do_not_break_a_listing() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    for name in ["good.png", "a.png#1", "bad\nname.png", "back\\slash.png"] {
        fs::write(root.join(name), "x").expect("written");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"latin1-\xe4.png");
        fs::write(root.join(name), "x").expect("written");
    }
    assert_eq!(listed(&local(root), "").await, ["good.png"]);
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept_once_they_are_old() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    fs::create_dir(root.join("p")).expect("made");
    fs::write(root.join("p/a.png"), "whole").expect("written");
    for id in [
        "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "7f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    ] {
        fs::write(root.join(format!("p/.{id}#1")), "half").expect("written");
    }
    // A person's files, which the store never wrote.
    let others = ["p/Board #2", "p/a.png#1", "p/.0b8d#1", "p/.board#1"];
    for name in others {
        fs::write(root.join(name), "whole").expect("written");
    }
    let backend = local(root);
    let sweep = |age: u64, dry_run: bool| {
        let backend = backend.clone();
        async move {
            let mut found = 0;
            let swept = backend.sweep_staging(Duration::from_secs(age), dry_run, &mut found);
            swept.await.expect("swept");
            found
        }
    };
    assert_eq!(sweep(3600, false).await, 0);
    assert_eq!(sweep(0, true).await, 2);
    assert_eq!(sweep(0, false).await, 2);
    assert_eq!(sweep(0, false).await, 0);
    assert_eq!(listed(&backend, "").await, ["p/a.png"]);
    for name in others {
        assert!(root.join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_listing_is_longer_than_a_batch() {
    let directory = tempfile::tempdir().expect("a directory");
    for index in 0..1500 {
        let folder = directory.path().join(format!("p/{}", index % 7));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(format!("{index}.png")), "x").expect("written");
        fs::write(folder.join(format!("{index}.png#1")), "x").expect("written");
    }
    let keys = listed(&local(directory.path()), "p").await;
    assert_eq!(keys.len(), 1500);
}

#[tokio::test]
async fn a_file_in_the_way_is_told_as_such() {
    let directory = tempfile::tempdir().expect("a directory");
    let backend = local(directory.path());
    let put = |name: &str| {
        let (backend, key) = (backend.clone(), key(name));
        async move {
            backend
                .put(&key, Bytes::from_static(b"x"), &options(true))
                .await
        }
    };
    put("a.png").await.expect("put");
    let error = put("a.png/b.png").await.expect_err("a file is there");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let error = backend.get(&key("a.png/b.png"), 9).await.expect_err("none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
