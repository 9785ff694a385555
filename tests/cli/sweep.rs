//! `sweep` on local files: what is found, what is removed, what is refused.

use crate::common::images;
use crate::shell::Shell;

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
    // A young image is no orphan: its row may be on the way.
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
    ] {
        let refused = shell.run_with_stdin(&sweep, list.as_bytes());
        assert_eq!((refused.code, left(&shell)), (1, 12), "{}", refused.err);
        assert_eq!(refused.json()["error"], "invalid_argument");
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
    let young = shell.run(&["sweep", "--delete", "--json"]).ok().json();
    assert_eq!(young["removed"], 0);
    for file in [&pending, &staging] {
        let file = std::fs::File::options()
            .write(true)
            .open(file)
            .expect("opened");
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
        file.set_modified(old).expect("aged");
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
        // A folder with an image in it is no image with a variant.
        "components/boards/6.jpg".to_owned(),
        // Not verified yet, and nobody's image.
        format!("pending/components/{kept}.jpg"),
        // Another prefix's images are none of this store's.
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
