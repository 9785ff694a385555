//! `sweep` on local files: what is found, what is removed, what is refused.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::shell::Shell;

const THUMB: &str = r#"{"thumb": {"max_width": 8}}"#;

fn filled(count: usize) -> (Shell, Vec<String>) {
    let shell = Shell::new();
    shell.write("good.jpg", &images::jpeg(32, 32));
    let mut args = vec!["put", "--json"];
    args.extend(std::iter::repeat_n("good.jpg", count));
    let put = shell.run(&args).ok().json();
    let images = put["images"].as_array().expect("images");
    let urls = images
        .iter()
        .map(|image| image["url"].as_str().expect("a URL").to_owned());
    (shell, urls.collect())
}

fn age(file: &Path, days: u64) {
    let opened = std::fs::File::options().write(true).open(file);
    let old = SystemTime::now() - Duration::from_secs(days * 86_400);
    opened.expect("opened").set_modified(old).expect("aged");
}

fn left(shell: &Shell) -> usize {
    shell.run(&["ls", "--json"]).ok().json()["objects"]
        .as_array()
        .map_or(0, Vec::len)
}

#[test]
fn orphans_go_only_when_asked_and_never_the_used_ones() {
    let (shell, urls) = filled(12);
    let used = urls[1..].join("\n");
    let sweep = ["sweep", "--older-than", "0s", "--used", "-", "--json"];
    let dry = shell.run_with_stdin(&sweep, used.as_bytes()).ok().json();
    assert_eq!(dry["orphans"].as_array().map(Vec::len), Some(1));
    assert!(urls[0].ends_with(dry["orphans"][0]["key"].as_str().expect("a key")));
    assert_eq!((dry["removed"].as_u64(), left(&shell)), (Some(0), 12));
    let real = [&sweep[..], &["--delete"]].concat();
    let removed = shell.run_with_stdin(&real, used.as_bytes()).ok().json();
    assert_eq!((removed["removed"].as_u64(), left(&shell)), (Some(1), 11));
    // A young image is not an orphan: its row may be on the way.
    let young = ["sweep", "--older-than", "1h", "--used", "-", "--json"];
    let young = shell.run_with_stdin(&young, urls[1].as_bytes()).ok().json();
    assert_eq!(young["orphans"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_list_that_is_cut_short_or_foreign_empties_nothing() {
    let (shell, urls) = filled(12);
    let sweep = [
        "sweep",
        "--older-than",
        "0s",
        "--used",
        "-",
        "--delete",
        "--json",
    ];
    for list in [
        urls[..5].join("\n"),
        String::new(),
        "https://elsewhere.example.org/a.jpg\n".into(),
        // Lines that name no key: a header, rows of another kind.
        format!("image_url\n{}", urls.join("\n")),
        // Keys of another store.
        urls.join("\n").replace('-', "0"),
    ] {
        let refused = shell.run_with_stdin(&sweep, list.as_bytes());
        assert_eq!((refused.code, left(&shell)), (1, 12), "{}", refused.err);
        assert_eq!(refused.json()["error"], "invalid_argument");
        assert!(refused.err.contains("--force"), "{}", refused.err);
    }
    let forced = [&sweep[..], &["--force"]].concat();
    shell
        .run_with_stdin(&forced, urls[..5].join("\n").as_bytes())
        .ok();
    assert_eq!(left(&shell), 5);
}

#[test]
fn old_pending_uploads_and_unfinished_files_go() {
    let (shell, _) = filled(1);
    let pending = "uploads/pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
    let pending = shell.write(pending, &images::jpeg(16, 16));
    let staging = shell.write(
        "uploads/components/.6f9619ff-8b86-4d01-b42d-00cf4fc964ff#1",
        b"half",
    );
    let person = shell.write("uploads/components/Board #2", b"a file of somebody's");
    age(&person, 3);
    let young = shell.run(&["sweep", "--delete", "--json"]).ok().json();
    assert_eq!(young["removed"], 0);
    for file in [&pending, &staging] {
        age(file, 3);
    }
    let warned = shell.run(&["doctor", "--json"]).ok().json();
    let leftovers = warned["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["name"] == "leftovers");
    assert_eq!(leftovers.expect("looked for")["status"], "warning");
    let swept = shell.run(&["sweep", "--delete", "--json"]).ok().json();
    assert_eq!(
        (
            swept["pending"].as_array().map(Vec::len),
            swept["staging_files"].as_u64()
        ),
        (Some(1), Some(1))
    );
    assert!(!pending.exists() && !staging.exists());
    assert!(person.exists(), "the store never wrote it");
    assert_eq!(left(&shell), 1);
}

/// Which of an image, its variants and what lies beside it is an orphan, for every way of naming it as used.
#[test]
fn an_image_and_its_variants_stay_or_go_together() {
    let shell = Shell::new();
    let (kept, gone, stray) = (
        "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "7f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "8f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    );
    for key in [
        format!("components/{kept}.jpg"),
        format!("components/{kept}/thumb.jpg"),
        format!("components/{kept}/large.jpg"),
        format!("components/{gone}.jpg"),
        format!("components/{gone}/thumb.jpg"),
        // Its image is long gone.
        format!("components/{stray}/thumb.jpg"),
        // A folder with an image in it is not an image with a variant.
        "components/boards/6.jpg".to_owned(),
        // Not verified yet, and nobody's image.
        format!("pending/components/{kept}.jpg"),
        // Another prefix's images are not this store's.
        "elsewhere/a.jpg".to_owned(),
    ] {
        shell.write(&format!("uploads/{key}"), &images::jpeg(8, 8));
    }
    let orphans = |used: &str| -> Vec<String> {
        let sweep = ["sweep", "--older-than", "0s", "--used", "-", "--json"];
        let swept = shell.run_with_stdin(&sweep, used.as_bytes()).ok().json();
        let keys = swept["orphans"].as_array().expect("orphans").iter();
        let mut keys: Vec<String> = keys
            .map(|each| each["key"].as_str().expect("a key").to_owned())
            .collect();
        keys.sort();
        keys
    };
    let of_gone = [
        format!("components/{gone}.jpg"),
        format!("components/{gone}/thumb.jpg"),
        format!("components/{stray}/thumb.jpg"),
    ];
    let board = "/uploads/components/boards/6.jpg";
    for used in [
        format!("/uploads/components/{kept}.jpg\n{board}"),
        format!("components/{kept}.jpg\ncomponents/boards/6.jpg\n"),
        // The database keeps the thumbnail alone.
        format!("/uploads/components/{kept}/thumb.jpg?v=2\r\n\r\n{board}\r\n"),
        // As CSV exports and careless columns have them.
        format!("  \"/uploads/components/{kept}.jpg\" \n{board}#top\n"),
        format!(
            "https://elsewhere.example.org/x.jpg\n{}\n{board}\n/uploads/components/{kept}.jpg",
            "x".repeat(20_000)
        ),
    ] {
        assert_eq!(orphans(&used), of_gone, "{used:.200}");
    }
    let folder = orphans(&format!("components/{kept}.jpg"));
    assert!(
        folder.len() == 4 && folder.contains(&"components/boards/6.jpg".to_owned()),
        "{folder:?}"
    );

    // Three of seven are more than a tenth.
    let real = [
        "sweep",
        "--older-than",
        "0s",
        "--used",
        "-",
        "--delete",
        "--json",
    ];
    let used = format!("components/{kept}.jpg\ncomponents/boards/6.jpg\n");
    let refused = shell.run_with_stdin(&real, used.as_bytes());
    assert_eq!((refused.code, left(&shell)), (1, 7), "{}", refused.err);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let forced = [&real[..], &["--force"]].concat();
    let swept = shell.run_with_stdin(&forced, used.as_bytes()).ok().json();
    // The pending one is older than nothing, too.
    assert_eq!((swept["removed"].as_u64(), left(&shell)), (Some(4), 4));
    assert!(shell.path("uploads/elsewhere/a.jpg").exists());
}

/// The base URL got a host; one row still has the old address.
#[test]
fn an_image_is_used_whatever_host_its_row_names() {
    let (shell, urls) = filled(12);
    let moved = urls[1..]
        .iter()
        .map(|url| format!("https://api.example.org{url}\n"));
    let rows = format!("{}\n{}", urls[0], moved.collect::<String>());
    let shell = shell.with(
        "LABLINK_STORAGE_BASE_URL",
        "https://api.example.org/uploads",
    );
    for url in &urls {
        age(&shell.path(url.trim_start_matches('/')), 2);
    }
    let sweep = ["sweep", "--used", "-", "--delete", "--json"];
    let swept = shell.run_with_stdin(&sweep, rows.as_bytes()).ok().json();
    assert_eq!((swept["removed"].as_u64(), left(&shell)), (Some(0), 12));
}

/// After a move to another host the old addresses lead to the same images, where they are named.
#[test]
fn former_addresses_lead_to_images_of_today() {
    let old = "https://old.example.org/uploads";
    let shell = Shell::new().with("LABLINK_STORAGE_BASE_URL", old);
    shell.write("a.jpg", &images::jpeg(64, 48));
    let put = [&["put", "--json"][..], &["a.jpg"; 12]].concat();
    let put = shell.run(&put).ok().json();
    let images = put["images"].as_array().expect("images").iter();
    let urls = images.map(|image| image["url"].as_str().expect("a URL").to_owned());
    let urls: Vec<String> = urls.collect();
    for url in &urls {
        age(&shell.path(&url.replace(old, "uploads")), 2);
    }
    let shell = shell.with("LABLINK_STORAGE_BASE_URL", "https://new.example.org/images");
    let foreign = shell.run(&["rm", "--json", &urls[0]]);
    assert_eq!((foreign.code, left(&shell)), (1, 12), "{}", foreign.out);
    let shell = shell.with("LABLINK_STORAGE_FORMER_URLS", old);
    shell.run(&["rm", &urls[0]]).ok();
    assert_eq!(left(&shell), 11);
    let sweep = ["sweep", "--used", "-", "--delete", "--json"];
    let used = urls[2..].join("\n");
    let swept = shell.run_with_stdin(&sweep, used.as_bytes()).ok().json();
    assert_eq!((swept["removed"].as_u64(), left(&shell)), (Some(1), 10));
    assert!(!shell.path(&urls[1].replace(old, "uploads")).exists());
}

/// What a delete or a promotion that was killed has left, found without a list.
#[test]
fn remains_of_images_that_are_gone() {
    let shell = Shell::new().with("LABLINK_STORAGE_VARIANTS", THUMB);
    let (there, gone, young) = (
        "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "7f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "8f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    );
    let theirs = "9f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    for key in [
        format!("components/{there}.webp"),
        // A variant may have a format of its own.
        format!("components/{there}/thumb.jpg"),
        format!("originals/components/{there}"),
        format!("components/{gone}/thumb.jpg"),
        format!("originals/components/{gone}"),
        // Nobody's variant: a person's folders, and files that an application kept so before it had this store.
        "components/boards/6.jpg".to_owned(),
        format!("components/{theirs}/photo.jpg"),
        format!("components/{theirs}/datasheet.pdf"),
        format!("components/{gone}/thumb.pdf"),
    ] {
        age(
            &shell.write(&format!("uploads/{key}"), &images::jpeg(8, 8)),
            2,
        );
    }
    shell.write(
        &format!("uploads/components/{young}/thumb.jpg"),
        &images::jpeg(8, 8),
    );
    let keys = |swept: &serde_json::Value| -> Vec<String> {
        let remains = swept["remains"].as_array().expect("remains").iter();
        let mut keys: Vec<_> = remains
            .map(|each| each["key"].as_str().expect("a key").to_owned())
            .collect();
        keys.sort();
        keys
    };
    let expected = [
        format!("components/{gone}/thumb.jpg"),
        format!("originals/components/{gone}"),
    ];
    // The age that a person gives does not make what is being written a remnant.
    for older_than in ["24h", "0s"] {
        let dry = shell
            .run(&["sweep", "--older-than", older_than, "--json"])
            .ok()
            .json();
        assert_eq!(keys(&dry), expected);
    }
    let swept = shell.run(&["sweep", "--delete", "--json"]).ok().json();
    assert_eq!(
        (keys(&swept), swept["removed"].as_u64()),
        (expected.to_vec(), Some(2))
    );
    for left in [
        format!("components/{there}/thumb.jpg"),
        format!("originals/components/{there}"),
        format!("components/{young}/thumb.jpg"),
        "components/boards/6.jpg".to_owned(),
        format!("components/{theirs}/photo.jpg"),
        format!("components/{theirs}/datasheet.pdf"),
        format!("components/{gone}/thumb.pdf"),
    ] {
        assert!(shell.path(&format!("uploads/{left}")).exists(), "{left}");
    }
    let again = shell.run(&["sweep", "--json"]).ok().json();
    assert!(keys(&again).is_empty());
}

/// A deletion that was killed after it had left its marker is finished.
#[test]
fn an_image_whose_deletion_was_cut_off_goes() {
    let shell = Shell::new();
    let cut_off = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    // Uploaded again under the same id; deleted just now; never deleted; restored.
    let others = ["7f", "8f", "9f", "5f"].map(|start| cut_off.replacen("6f", start, 1));
    let image = |id: &str, days: u64| {
        for key in [format!("{id}.jpg"), format!("{id}/thumb.jpg")] {
            let file = format!("uploads/components/{key}");
            age(&shell.write(&file, &images::jpeg(8, 8)), days);
        }
    };
    let marker = |id: &str, days: u64, body: &[u8]| {
        let file = format!("uploads/pending/components/{id}.gone");
        age(&shell.write(&file, body), days);
    };
    image(cut_off, 3);
    marker(cut_off, 2, b"1");
    image(&others[0], 2);
    marker(&others[0], 3, b"1");
    image(&others[1], 3);
    marker(&others[1], 0, b"1");
    image(&others[2], 3);
    // Deleted to the end, and back out of a backup.
    image(&others[3], 3);
    marker(&others[3], 2, b"");

    let expected = serde_json::json!([format!("components/{cut_off}.jpg")]);
    for (command, kept) in [
        (&["sweep", "--json"][..], 10),
        (&["sweep", "--delete", "--json"], 8),
    ] {
        let swept = shell.run(command).ok().json();
        let remains = swept["remains"].as_array().expect("remains").iter();
        let keys: serde_json::Value = remains.map(|each| each["key"].clone()).collect();
        assert_eq!((keys, left(&shell)), (expected.clone(), kept));
    }
    for other in others {
        assert!(
            shell
                .path(&format!("uploads/components/{other}.jpg"))
                .exists()
        );
    }
    let again = shell.run(&["sweep", "--json"]).ok().json();
    assert_eq!(again["remains"], serde_json::json!([]));
}

/// A used row protects what is left of its image, an original before all.
#[test]
fn remains_of_a_used_image_stay() {
    let (shell, urls) = filled(1);
    let gone = "7f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    let original = shell.write(
        &format!("uploads/originals/components/{gone}"),
        &images::jpeg(8, 8),
    );
    age(&original, 9);
    let used = format!("{}\n/uploads/components/{gone}.jpg", urls[0]);
    let sweep = ["sweep", "--used", "-", "--delete"];
    shell.run_with_stdin(&sweep, used.as_bytes()).ok();
    assert!(original.exists());
}

/// The marker of a deletion keeps its form from being used again for longer than any form holds.
#[test]
fn markers_of_deletions_go_after_eight_days() {
    let shell = Shell::new();
    let marker = |id: u32, days: u64| {
        let name =
            format!("uploads/pending/components/{id}f9619ff-8b86-4d01-b42d-00cf4fc964ff.gone");
        let file = shell.write(&name, b"");
        age(&file, days);
        file
    };
    let (young, old) = (marker(6, 7), marker(7, 9));
    let stranger = shell.write("uploads/pending/components/notes.txt", b"nobody's upload");
    age(&stranger, 30);
    let swept = shell
        .run(&["sweep", "--older-than", "0s", "--delete", "--json"])
        .ok()
        .json();
    assert_eq!(
        (swept["markers"].as_u64(), swept["removed"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(swept["pending"].as_array().map(Vec::len), Some(0));
    assert!(young.exists() && !old.exists() && stranger.exists());
}

/// Twelve old pending uploads on a server that takes some removals and then no more.
async fn failing(
    fault: impl Fn(&str, &str, usize) -> Option<Fault> + Send + Sync + 'static,
) -> (Faulty, Shell) {
    let server =
        Faulty::start(move |request, before| fault(&request.method, &request.path, before)).await;
    for number in 10..22 {
        server.store(
            &format!(
                "/lab-images/pending/components/{number}9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
            ),
            b"never promoted",
        );
        server.store(
            &format!("/lab-images/components/{number}9619ff-8b86-4d01-b42d-00cf4fc964ff/thumb.jpg"),
            b"its image is gone",
        );
    }
    let shell = Shell::new()
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_ENDPOINT_URL_S3", &server.url())
        .with("AWS_ACCESS_KEY_ID", &"A".repeat(16))
        .with("AWS_SECRET_ACCESS_KEY", &"b".repeat(20))
        .with("LABLINK_STORAGE_VARIANTS", THUMB);
    (server, shell)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_removed_is_reported_although_it_fails_later() {
    // The last listing is refused: the pending uploads are gone by then.
    let (server, shell) = failing(|method, path, before| {
        (method == "GET" && path.trim_end_matches('/') == "/lab-images" && before >= 4)
            .then(|| Fault::error(403, "AccessDenied"))
    })
    .await;
    let swept = tokio::task::spawn_blocking(move || shell.run(&["sweep", "--delete", "--json"]));
    let swept = swept.await.expect("ran");
    let report = swept.json();
    assert_eq!(
        (swept.code, report["removed"].as_u64()),
        (1, Some(12)),
        "{report:#}"
    );
    assert_eq!(report["pending"].as_array().map(Vec::len), Some(12));
    assert!(
        report["message"]
            .as_str()
            .is_some_and(|text| text.contains("AccessDenied"))
    );
    assert_eq!(server.objects().len(), 12);

    // One removal is refused, as all others would be: those that were under way are told of, no more begin.
    let (server, shell) = failing(|method, path, _| {
        (method == "DELETE" && path.contains("/139619ff"))
            .then(|| Fault::error(403, "AccessDenied"))
    })
    .await;
    let swept = tokio::task::spawn_blocking(move || shell.run(&["sweep", "--delete", "--json"]));
    let swept = swept.await.expect("ran");
    let report = swept.json();
    let gone = 24 - server.objects().len() as u64;
    assert_eq!(
        (swept.code, report["removed"].as_u64()),
        (1, Some(gone)),
        "{report:#}"
    );
    assert!(
        report["failed"].as_u64().is_some_and(|failed| failed >= 1),
        "{report:#}"
    );
}
