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
