//! Folders, stdin, several at once, and results that must not replace one another.

use serde_json::Value;

use crate::common::images;
use crate::shell::{Done, Shell};

fn files(list: &Value) -> Vec<&str> {
    let entries = list.as_array().expect("a list").iter();
    entries
        .map(|entry| entry["file"].as_str().expect("a file"))
        .collect()
}

fn size_of(shell: &Shell, name: &str) -> (u32, u32) {
    let bytes = std::fs::read(shell.path(name)).expect(name);
    let looked = lablink_storage::optimize(&bytes, &lablink_storage::OptimizeOptions::default());
    let source = looked
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .source;
    (source.width, source.height)
}

fn album(shell: &Shell) {
    for (name, width) in [
        ("a/same.jpg", 40),
        ("a/deep/one.JPG", 41),
        ("b/same.png", 0),
        ("b/two.jpg", 42),
    ] {
        let bytes = match width {
            0 => images::png_rgb(43, 30),
            width => images::jpeg(width, 30),
        };
        shell.write(&format!("album/{name}"), &bytes);
    }
    shell.write("album/a/notes.txt", b"just words");
    shell.write("album/.thumbnails/x.jpg", &images::jpeg(8, 8));
    shell.write("album/a/broken.jpg", b"no image");
}

const IN_ORDER: [&str; 4] = [
    "album/a/deep/one.JPG",
    "album/a/same.jpg",
    "album/b/same.png",
    "album/b/two.jpg",
];

#[test]
fn folders_go_in_order_whatever_runs_at_once() {
    let shell = Shell::new();
    album(&shell);
    for jobs in ["1", "4"] {
        let out = format!("small{jobs}");
        let optimized = shell.run(&["optimize", "album", "-o", &out, "-j", jobs, "--json"]);
        let stored = shell.run(&["put", "album", "-j", jobs, "--json"]);
        for done in [&optimized, &stored] {
            let report = done.json();
            assert_eq!(
                (done.code, files(&report["images"])),
                (1, IN_ORDER.to_vec())
            );
            assert_eq!(files(&report["failures"]), ["album/a/broken.jpg"]);
            assert!(
                done.err.contains("album/a/notes.txt: skipped"),
                "{}",
                done.err
            );
            assert!(!done.err.contains(".thumbnails"), "{}", done.err);
        }
        assert!(
            stored.err.contains("4 of 5 stored, 1 failed"),
            "{}",
            stored.err
        );
        assert!(
            optimized.err.contains("4 of 5 optimized, 1 failed"),
            "{}",
            optimized.err
        );
        // Each below the directory as it lay in the folder.
        for (name, width) in [
            ("a/deep/one", 41),
            ("a/same", 40),
            ("b/same", 43),
            ("b/two", 42),
        ] {
            assert_eq!(size_of(&shell, &format!("{out}/{name}.jpg")), (width, 30));
        }
    }
}

#[test]
fn no_result_replaces_another_or_what_was_there() {
    let shell = Shell::new();
    shell.write("photos/board.jpg", &images::jpeg(40, 30));
    shell.write("photos/board.png", &images::png_rgb(50, 30));
    shell.write("other/board.jpg", &images::jpeg(60, 30));
    let kept = shell.write("small/there.jpg", b"somebody's");
    shell.write("there.jpg", &images::jpeg(70, 30));
    let args = [
        "optimize",
        "photos/board.jpg",
        "photos/board.png",
        "other/board.jpg",
        "there.jpg",
    ];
    for jobs in ["1", "4"] {
        let shown: Done = shell.run(&[&args[..], &["-o", "small", "-j", jobs, "--json"]].concat());
        let report = shown.json();
        let failures = report["failures"].as_array().expect("failures");
        assert_eq!(shown.code, 1, "{report:#}");
        for failure in failures {
            assert_eq!(failure["error"], "already_exists", "{failure}");
            assert!(failure["hint"].is_string(), "{failure}");
        }
        assert!(failures.len() >= 3, "{report:#}");
        assert_eq!(std::fs::read(&kept).expect("there"), b"somebody's");
        let _ = std::fs::remove_file(shell.path("small/board.jpg"));
    }
    let over = [
        "optimize",
        "there.jpg",
        "photos/board.jpg",
        "photos/board.png",
        "-o",
        "small",
        "--overwrite",
    ];
    let over = shell.run(&over);
    assert!(
        over.code == 1 && over.err.contains("is the result of photos/board.jpg"),
        "{}",
        over.err
    );
    assert_eq!(size_of(&shell, "small/there.jpg"), (70, 30));
    assert_eq!(size_of(&shell, "small/board.jpg"), (40, 30));
    let left = std::fs::read_dir(shell.path("small"))
        .expect("listed")
        .count();
    assert_eq!(left, 2, "nothing unfinished");
}

#[test]
fn an_image_from_stdin() {
    let shell = Shell::new();
    let photo = images::jpeg(64, 48);
    let put = shell
        .run_with_stdin(&["put", "-", "--json"], &photo)
        .ok()
        .json();
    assert_eq!(put["images"][0]["file"], "-");
    let mut command = shell.command(crate::shell::BINARY);
    command
        .args([
            "optimize",
            "-",
            "--fit",
            "cover",
            "--max-width",
            "20",
            "--max-height",
            "20",
            "--format",
            "png",
        ])
        .stdin(std::fs::File::open(shell.write("in.jpg", &photo)).expect("opened"));
    let output = command.output().expect("ran");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    shell.write("out.png", &output.stdout);
    assert_eq!(size_of(&shell, "out.png"), (20, 20));
    shell
        .run_with_stdin(&["optimize", "-", "-o", "small"], &photo)
        .ok();
    assert_eq!(size_of(&shell, "small/stdin.jpg"), (64, 48));
    for wrong in [
        &["put", "-", "-"][..],
        &["optimize", "in.jpg"],
        &["optimize", "-", "in.jpg"],
        &["optimize", "-", "--json"],
    ] {
        let done = shell.run_with_stdin(wrong, &photo);
        assert_eq!(done.code, 2, "{wrong:?}: {}", done.err);
    }
    let refused = shell.run_with_stdin(&["optimize", "-"], b"just words");
    assert!(
        refused.code == 1 && refused.out.is_empty(),
        "{}",
        refused.err
    );
}

/// What the environment says of images counts here, too; what is typed goes first.
#[test]
fn options_are_those_of_the_store_unless_typed() {
    let shell = Shell::new();
    shell.write("in.jpg", &images::jpeg(64, 48));
    let shell = shell.with(
        "LABLINK_STORAGE_OPTIMIZE",
        r#"{"max_width": 32, "format": "webp"}"#,
    );
    shell.run(&["optimize", "in.jpg", "-o", "small"]).ok();
    assert_eq!(size_of(&shell, "small/in.webp"), (32, 24));
    let typed = [
        "optimize",
        "in.jpg",
        "-o",
        "small",
        "--format",
        "png",
        "--max-width",
        "16",
    ];
    shell.run(&typed).ok();
    assert_eq!(size_of(&shell, "small/in.png"), (16, 12));
    let tight = shell.run(&["optimize", "in.jpg", "-o", "small", "--max-bytes", "100"]);
    assert!(
        tight.code == 1 && tight.err.contains("larger than 100 B"),
        "{}",
        tight.err
    );
}

#[test]
fn completions_and_pages() {
    let shell = Shell::new();
    shell.write(
        "complete",
        shell.run(&["completions", "bash"]).ok().out.as_bytes(),
    );
    // As bash calls it: the words so far, the one that is completed and the one before.
    let program = r#"source complete
        complete_last() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _lablink__storage lablink-storage "${!#}" "${@:$#-1:1}"
            echo "${COMPREPLY[@]}"
        }
        complete_last lablink-storage sw
        complete_last lablink-storage put --jo
        complete_last lablink-storage presign po
        complete_last lablink-storage optimize --format j"#;
    let mut command = shell.command("bash");
    command.args(["-c", program]);
    let completed = crate::shell::finish(command, b"").ok().out;
    let completed: Vec<&str> = completed.lines().collect();
    assert_eq!(completed, ["sweep", "--jobs", "post", "jpeg"]);
    for name in ["zsh", "fish"] {
        assert!(
            shell
                .run(&["completions", name])
                .ok()
                .out
                .contains("handle-event")
        );
    }
    let page = shell.run(&["man"]).ok().out;
    assert!(
        page.starts_with(".ie") && page.contains("lablink\\-storage"),
        "{page:.200}"
    );
    shell.run(&["man", "-o", "man1"]).ok();
    for name in [
        "lablink-storage.1",
        "lablink-storage-sweep.1",
        "lablink-storage-presign-post.1",
    ] {
        assert!(shell.path(&format!("man1/{name}")).exists(), "{name}");
    }
    assert!(
        shell
            .run(&["--help"])
            .ok()
            .out
            .contains("130 ended by Ctrl-C")
    );
}

/// `script` gives the command a terminal.
#[test]
fn doctor_has_colours_on_a_terminal() {
    let shell = Shell::new().with("TERM", "xterm");
    let run = |shell: &Shell| {
        let mut command = shell.command("script");
        let doctor = format!("{} doctor", crate::shell::BINARY);
        command.args(["-qec", &doctor, "/dev/null"]);
        crate::shell::finish(command, b"").out
    };
    let colours = run(&shell);
    assert!(
        colours.contains("\u{1b}[32mok     \u{1b}[0m put"),
        "{colours:?}"
    );
    let plain = run(&shell.with("NO_COLOR", "1"));
    assert!(plain.contains("ok      put"), "{plain:?}");
}

/// A listing that breaks off still gives a whole document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_breaks_off_is_still_one_document() {
    use crate::common::faulty::{Fault, Faulty};
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>\
        <Contents><Key>components/a.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag>\
        <Size>3</Size></Contents></ListBucketResult>";
    let server = Faulty::start(move |_, before| match before {
        0 => Some(Fault::Answer(200, Vec::new(), page.into())),
        _ => Some(Fault::error(403, "AccessDenied")),
    })
    .await;
    let shell = Shell::new()
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_ENDPOINT_URL_S3", &server.url())
        .with("AWS_ACCESS_KEY_ID", &"A".repeat(16))
        .with("AWS_SECRET_ACCESS_KEY", &"b".repeat(20));
    let done = tokio::task::spawn_blocking(move || shell.run(&["ls", "--json"]));
    let done = done.await.expect("ran");
    let report = done.json();
    assert_eq!(
        (done.code, report["error"].as_str()),
        (1, Some("access_denied")),
        "{report:#}"
    );
    assert_eq!(report["objects"][0]["key"], "components/a.jpg");
}
