//! New sizes for images that are there already, by processes that are killed on the way and beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::common::s3::Server;
use crate::migrate::watched;
use crate::migrate_answers::{against, run};
use crate::shell::{BINARY, Shell, finish, killed};

pub const THUMB: &str = r#"{"thumb": {"max_width": 16, "max_height": 16}}"#;

/// Small images as uploads leave them, half of them with an original.
fn fill(shell: &Shell, count: usize) -> Vec<PathBuf> {
    let (image, original) = (images::jpeg(24, 16), images::jpeg(48, 32));
    (0..count)
        .map(|number| {
            let id = uuid::Uuid::from_u128(number as u128 + 1);
            if number % 2 == 0 {
                shell.write(&format!("uploads/originals/components/{id}"), &original);
            }
            shell.write(&format!("uploads/components/{id}.jpg"), &image)
        })
        .collect()
}

fn state(file: &Path) -> (Vec<u8>, SystemTime) {
    let modified = std::fs::metadata(file).and_then(|found| found.modified());
    (std::fs::read(file).expect("there"), modified.expect("told"))
}

fn thumbs(mains: &[PathBuf]) -> BTreeMap<PathBuf, SystemTime> {
    let thumb = mains
        .iter()
        .map(|main| main.with_extension("").join("thumb.jpg"));
    let there = thumb.filter_map(|thumb| {
        let modified = std::fs::metadata(&thumb).ok()?.modified().ok()?;
        Some((thumb, modified))
    });
    there.collect()
}

#[tokio::test]
async fn killed_three_times_and_nothing_is_lost_or_made_twice() {
    let count = if crate::common::full() { 1000 } else { 200 };
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let mains = fill(&shell, count);
    let before: Vec<_> = mains.iter().map(|main| state(main)).collect();

    for kill in 1..=3 {
        let enough = count * kill / 5;
        killed(&shell, &["regenerate"], async || {
            thumbs(&mains).len() >= enough
        })
        .await;
    }
    let made = thumbs(&mains);
    assert!(made.len() < count, "killed on the way");

    let report = shell.run(&["regenerate", "--json"]).ok().json();
    assert_eq!(report["images"], count);
    assert_eq!(
        report["complete"].as_u64(),
        Some(made.len() as u64),
        "it goes on where it stopped"
    );
    assert_eq!(report["made"].as_u64(), Some((count - made.len()) as u64));
    let all = thumbs(&mains);
    assert_eq!(all.len(), count);
    assert!(
        made.iter().all(|(thumb, when)| all[thumb] == *when),
        "none was made twice"
    );
    for thumb in all.keys() {
        let bytes = std::fs::read(thumb).expect("there");
        let image = lablink_storage::optimize(&bytes, &Default::default()).expect("whole");
        assert_eq!((image.width, image.height), (16, 11));
    }
    assert_eq!(
        before,
        mains.iter().map(|main| state(main)).collect::<Vec<_>>()
    );

    let again = shell.run(&["regenerate", "--json"]).ok().json();
    assert_eq!(
        (&again["complete"], &again["made"]),
        (&count.into(), &0.into())
    );
    assert_eq!(thumbs(&mains), all);
}

/// What each of so many shards tells that run at once.
fn shards(shell: &Shell, count: usize) -> Vec<serde_json::Value> {
    let shards: Vec<_> = (1..=count)
        .map(|index| {
            let mut command = shell.command(BINARY);
            let shard = format!("{index}/{count}");
            command.args(["regenerate", "--json", "--shard", &shard]);
            std::thread::spawn(move || finish(command, b""))
        })
        .collect();
    let shards = shards
        .into_iter()
        .map(|shard| shard.join().expect("ran").ok().json());
    shards.collect()
}

#[test]
fn three_shards_at_once_make_each_image_once() {
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let mains = fill(&shell, 300);
    let shards = shards(&shell, 3);
    let sum = |name: &str| -> u64 { shards.iter().filter_map(|one| one[name].as_u64()).sum() };
    assert_eq!((sum("images"), sum("made"), sum("present")), (300, 300, 0));
    assert!(shards.iter().all(|shard| shard["made"].as_u64() > Some(50)));
    assert_eq!(thumbs(&mains).len(), 300);

    let wrong = shell.run(&["regenerate", "--shard", "4/3"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn a_damaged_image_is_named_and_the_rest_is_done() {
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let mains = fill(&shell, 20);
    // It has no original that could be read in its place.
    std::fs::write(&mains[7], b"\xff\xd8\xff\xe0 half a picture").expect("damaged");
    let done = shell.run(&["regenerate", "--json"]);
    assert_eq!(done.code, 1);
    let report = done.json();
    assert_eq!(
        (&report["made"], &report["failed"]),
        (&19.into(), &1.into())
    );
    let name = mains[7]
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let named = report["failures"][0]["image"].as_str().expect("a key");
    assert!(
        named.ends_with(&name) && done.err.contains(&name),
        "{named} {}",
        done.err
    );
    assert_eq!(report["failures"][0]["kind"], "invalid_image");
}

/// `components/<id>` of an image on a server in this process.
pub fn stem(number: usize) -> String {
    format!("components/{}", uuid::Uuid::from_u128(number as u128 + 1))
}

/// A bucket of images, some of which may be listed and not read.
async fn partly_closed(count: usize, is_closed: fn(usize) -> bool) -> Faulty {
    let path = |number| format!("/lab-images/{}.jpg", stem(number));
    let closed: BTreeSet<String> = (0..count).filter(|at| is_closed(*at)).map(path).collect();
    let server = Faulty::start(move |request, _| {
        let is_refused = request.is("GET") && closed.contains(&request.path);
        is_refused.then(|| Fault::error(403, "AccessDenied"))
    })
    .await;
    for number in 0..count {
        server.store(&path(number), images::jpeg(24, 16));
    }
    server
}

/// A file of root's, or an object under another key of KMS, ended each run at the same place: what came after it
/// was never done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_without_access_is_named_and_the_rest_is_done() {
    let server = partly_closed(20, |number| [3, 4, 11].contains(&number)).await;
    let shell = against(&server).with("LABLINK_STORAGE_VARIANTS", THUMB);
    let (done, shell) = run(shell, &["regenerate", "--json"]).await;
    let report = done.json();
    assert_eq!(
        (done.code, &report["made"], &report["failed"]),
        (1, &17.into(), &3.into()),
        "{report:#}"
    );
    assert!(report["stopped"].is_null(), "{report:#}");
    assert_eq!(report["failures"][0]["kind"], "access_denied");
    assert!(done.err.contains(&format!("{}.jpg", stem(11))));
    let (again, _) = run(shell, &["regenerate", "--json"]).await;
    assert_eq!(again.json()["complete"], 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_that_is_denied_to_all_ends_the_run() {
    let server = partly_closed(200, |_| true).await;
    let shell = against(&server).with("LABLINK_STORAGE_VARIANTS", THUMB);
    let (done, shell) = run(shell, &["regenerate", "--json"]).await;
    let report = done.json();
    let failed = report["failed"].as_u64().expect("a number");
    // Those under way are finished.
    assert!((5..100).contains(&failed), "{report:#}");
    assert_eq!((done.code, &report["made"]), (1, &0.into()));
    let stopped = report["stopped"].as_str().expect("words");
    assert!(stopped.contains("access denied"), "{stopped}");
    assert!(done.err.contains("it goes on where it stopped"));
    let (anew, _) = run(shell, &["regenerate", "--all"]).await;
    assert!(
        anew.err.contains("with --all or --main it starts over"),
        "{}",
        anew.err
    );
}

/// One of two variants was replaced, and the other failed: nobody told the CDN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_replaced_before_a_failure_is_to_be_invalidated() {
    // The first fails for this image alone, the second would for every other.
    for (code, failed) in [("AccessDenied", 1), ("InvalidAccessKeyId", 0)] {
        let server = Faulty::start(move |request, _| {
            let is_refused = request.is("PUT") && request.path.ends_with("/card.jpg");
            is_refused.then(|| Fault::error(403, code))
        })
        .await;
        for part in [".jpg", "/thumb.jpg", "/card.jpg"] {
            let path = format!("/lab-images/{}{part}", stem(0));
            server.store(&path, images::jpeg(24, 16));
        }
        let both = r#"{"thumb": {"max_width": 8}, "card": {"max_width": 12}}"#;
        let shell = against(&server).with("LABLINK_STORAGE_VARIANTS", both);
        let (done, _) = run(shell, &["regenerate", "--all", "--json"]).await;
        let report = done.json();
        assert_eq!(
            (done.code, report["failed"].as_u64()),
            (1, Some(failed)),
            "{report:#}"
        );
        assert_eq!(report["stopped"].is_null(), failed == 1, "{report:#}");
        let paths = report["invalidate"].as_array().expect("paths");
        let has = |name: &str| {
            let mut paths = paths.iter().filter_map(|path| path.as_str());
            paths.any(|path| path.ends_with(name))
        };
        assert!(has("/thumb.jpg") && has("/card.jpg"), "{report:#}");
    }
}

#[test]
fn a_list_of_keys_is_all_that_is_touched() {
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let mains = fill(&shell, 10);
    let key = |at: usize| {
        let name = mains[at].file_name().expect("a name").to_string_lossy();
        format!("components/{name}")
    };
    let stem = key(1).trim_end_matches(".jpg").to_owned();
    let list = format!(
        "{}\n\n/uploads/{stem}/thumb.jpg\nhttps://elsewhere.example.org/a.jpg?key=hush\n",
        key(0)
    );
    let done = shell.run_with_stdin(&["regenerate", "--keys", "-", "--json"], list.as_bytes());
    assert_eq!(done.code, 1);
    let report = done.json();
    assert_eq!((&report["made"], &report["failed"]), (&2.into(), &1.into()));
    assert_eq!(report["failures"][0]["kind"], "foreign_url");
    assert!(!done.err.contains("hush") && !done.out.contains("hush"));
    let made: BTreeSet<_> = thumbs(&mains).into_keys().collect();
    assert_eq!(made.len(), 2);
}

#[test]
fn pruning_removes_what_is_configured_no_more() {
    let both = r#"{"thumb": {"max_width": 16}, "card": {"max_width": 20}}"#;
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", both);
    let mains = fill(&shell, 5);
    shell.run(&["regenerate"]).ok();
    let shell = shell.with("LABLINK_STORAGE_VARIANTS", THUMB);
    // By hand beside it, and no variant: it stays.
    let note = mains[0].with_extension("").join("README");
    std::fs::write(&note, "a note").expect("written");

    let dry = shell
        .run(&["regenerate", "--prune", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!(dry["pruned"], 5);
    let card = |main: &PathBuf| main.with_extension("").join("card.jpg");
    assert!(mains.iter().all(|main| card(main).exists()));
    assert_eq!(
        shell.run(&["regenerate", "--json"]).ok().json()["pruned"],
        0
    );
    assert_eq!(
        shell.run(&["regenerate", "--prune", "--json"]).ok().json()["pruned"],
        5
    );
    assert!(
        mains
            .iter()
            .all(|main| !card(main).exists() && main.exists())
    );
    assert!(note.exists() && thumbs(&mains).len() == 5);

    // Without any variant, the configuration is the likelier mistake.
    let shell = shell.with("LABLINK_STORAGE_VARIANTS", "");
    let refused = shell.run(&["regenerate", "--prune", "--json"]);
    assert_eq!(
        (refused.code, thumbs(&mains).len()),
        (1, 5),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let forced = shell
        .run(&["regenerate", "--prune", "--force", "--json"])
        .ok()
        .json();
    assert_eq!((&forced["pruned"], thumbs(&mains).len()), (&5.into(), 0));
}

#[test]
fn all_and_main_keep_keys_and_say_what_to_invalidate() {
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let mains = fill(&shell, 4);
    shell.run(&["regenerate"]).ok();
    let before: Vec<_> = mains.iter().map(|main| state(main)).collect();
    let shell = shell
        .with("LABLINK_STORAGE_OPTIMIZE", r#"{"quality": 30}"#)
        .with(
            "LABLINK_STORAGE_VARIANTS",
            r#"{"thumb": {"max_width": 12}}"#,
        );
    let dry = shell
        .run(&["regenerate", "--main", "--all", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!((&dry["mains"], &dry["made"]), (&2.into(), &4.into()));
    assert_eq!(
        before,
        mains.iter().map(|main| state(main)).collect::<Vec<_>>()
    );

    let done = shell.run(&["regenerate", "--main", "--all", "--json"]).ok();
    let report = done.json();
    assert_eq!(
        (&report["mains"], &report["without_original"]),
        (&2.into(), &2.into())
    );
    assert_eq!(report["made"], 4);
    let paths = report["invalidate"].as_array().expect("paths");
    assert_eq!(paths.len(), 2 + 4);
    assert!(done.err.contains("invalidate"), "{}", done.err);
    for (at, main) in mains.iter().enumerate() {
        let bytes = std::fs::read(main).expect("still there");
        let anew = at % 2 == 0;
        assert_eq!(bytes != before[at].0, anew, "of an original alone");
        if anew {
            let image = lablink_storage::optimize(&bytes, &Default::default()).expect("whole");
            assert_eq!((image.width, image.height), (48, 32));
        }
        let thumb = std::fs::read(main.with_extension("").join("thumb.jpg")).expect("there");
        let thumb = lablink_storage::optimize(&thumb, &Default::default()).expect("whole");
        assert_eq!(thumb.width, 12);
    }
}

/// The same before a server: one listing tells what is missing, what is there is not asked for, shards share the
/// work, and a damaged object does not stop the rest.
#[tokio::test]
async fn before_a_real_server_too() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys)
        .with("LABLINK_STORAGE_KEEP_ORIGINAL", "true");
    shell.write("photo.png", &images::png_rgb(64, 48));
    let put = ["put", "--json", "-j", "4"].iter().copied();
    let put: Vec<&str> = put.chain(std::iter::repeat_n("photo.png", 30)).collect();
    let put = shell.run(&put).ok().json();
    let mains = put["images"].as_array().expect("images").clone();
    let keys = bucket.keys().await;

    let shell = shell.with("LABLINK_STORAGE_VARIANTS", THUMB);
    let report = shell.run(&["regenerate", "--json"]).ok().json();
    assert_eq!(
        (&report["made"], &report["failed"]),
        (&30.into(), &0.into())
    );
    assert_eq!(bucket.keys().await.len(), keys.len() + 30);
    let listed = shell.run(&["ls", "--json"]).ok().json();
    let listed = listed["objects"].as_array().expect("objects");
    for main in &mains {
        let found = listed.iter().find(|object| object["key"] == main["key"]);
        assert_eq!(
            found.expect("listed")["e_tag"],
            main["e_tag"],
            "it is the same as before"
        );
    }
    let again = shell.run(&["regenerate", "--json"]).ok().json();
    assert_eq!(
        (&again["complete"], &again["made"]),
        (&30.into(), &0.into())
    );

    // A second variant, by three machines at once.
    let two = r#"{"thumb": {"max_width": 16, "max_height": 16}, "card": {"max_width": 20}}"#;
    let shell = shell.with("LABLINK_STORAGE_VARIANTS", two);
    let shards = shards(&shell, 3);
    let sum = |name: &str| -> u64 { shards.iter().filter_map(|one| one[name].as_u64()).sum() };
    assert_eq!((sum("images"), sum("made"), sum("present")), (30, 30, 0));
    assert_eq!(bucket.keys().await.len(), keys.len() + 60);

    // A third, with one image damaged: its original, which is read first, and the main object.
    let damaged = mains[7]["key"].as_str().expect("a key");
    let original = mains[7]["original"].as_str().expect("kept");
    for key in [original, damaged] {
        let half = &b"\xff\xd8\xff\xe0 half a picture"[..];
        bucket.send("PUT", &format!("/{key}"), half).await.ok();
    }
    let three = r#"{"thumb": {"max_width": 16, "max_height": 16}, "card": {"max_width": 20}, "list": {"max_width": 24}}"#;
    let shell = shell.with("LABLINK_STORAGE_VARIANTS", three);
    let done = shell.run(&["regenerate", "--json"]);
    let report = done.json();
    assert_eq!(
        (done.code, &report["made"], &report["failed"]),
        (1, &29.into(), &1.into()),
        "{report:#}"
    );
    let failure = &report["failures"][0];
    assert_eq!(
        (&failure["image"], &failure["kind"]),
        (&mains[7]["key"], &"invalid_image".into())
    );
    assert!(report["stopped"].is_null(), "{report:#}");
    assert!(done.err.contains(damaged), "{}", done.err);
    let all = bucket.keys().await;
    assert_eq!(all.len(), keys.len() + 60 + 29);
    let folder = damaged.trim_end_matches(".jpg");
    assert!(!all.contains(&format!("{folder}/list.jpg")));
}

/// Flat: ten times the images need no more memory.
#[tokio::test]
async fn memory_does_not_grow_with_the_number_of_images() {
    let (few, many) = if crate::common::full() {
        (1000, 10_000)
    } else {
        (100, 1000)
    };
    let mut peaks = Vec::new();
    for count in [few, many] {
        let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
        let mains = fill(&shell, count);
        let (output, peak) = watched(&shell, &["regenerate", "--json"]).await;
        assert!(output.status.success());
        assert_eq!(thumbs(&mains).len(), count);
        peaks.push(peak);
    }
    println!("peak at {few} and {many} images: {peaks:?} KiB");
    assert!(peaks[1] as f64 <= peaks[0] as f64 * 1.1, "{peaks:?} KiB");
}
