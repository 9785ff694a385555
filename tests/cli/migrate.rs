//! Many images from a directory to a bucket, by a process that is killed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;

use crate::common::images;
use crate::common::s3::{Handle, Server};
use crate::shell::{BINARY, Shell, killed};

/// Photographs in folders, each different, with names as people give them.
fn fill(shell: &Shell, count: usize) -> BTreeMap<String, Vec<u8>> {
    let base = images::jpeg(48, 32);
    (0..count)
        .map(|number| {
            // What follows the end of a JPEG is part of the file: sizes from 2 to 40 KB.
            let mut bytes = base.clone();
            let mut state = number as u32 + 1;
            for _ in 0..1000 + number * 7919 % 38_000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push((state >> 24) as u8);
            }
            let name = match number % 3 {
                0 => format!("components/{}.jpg", uuid::Uuid::from_u128(number as u128)),
                1 => format!("components/Foto {number} ü+%.jpg"),
                _ => format!("components/{}/img_{number}.JPG", number % 10),
            };
            shell.write(&format!("uploads/{name}"), &bytes);
            (name, bytes)
        })
        .collect()
}

async fn stored(bucket: &Handle) -> BTreeSet<String> {
    let keys = bucket.keys().await;
    let all: BTreeSet<String> = keys.iter().cloned().collect();
    assert_eq!(all.len(), keys.len(), "no key twice");
    all
}

/// Runs a migration to its end and tells its peak memory in KiB.
pub async fn watched(shell: &Shell, args: &[&str]) -> (std::process::Output, u64) {
    let mut child = shell
        .command(BINARY)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        peak = peak.max(peak_memory(child.id()).unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (child.wait_with_output().expect("ended"), peak)
}

fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// As RFC 3986 has it, which is what a public URL shows.
fn encoded(name: &str) -> String {
    name.replace('%', "%25")
        .replace(' ', "%20")
        .replace('ü', "%C3%BC")
        .replace('+', "%2B")
}

#[tokio::test]
async fn killed_three_times_and_nothing_is_lost() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let count = if crate::common::full() { 2000 } else { 240 };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let files = fill(&shell, count);
    let target = format!("s3://{}/components", bucket.name);
    let args = [
        "migrate",
        "uploads/components",
        target.as_str(),
        "--url-map",
        "map.csv",
        "--json",
    ];

    let dry = shell.run(&[&args[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!(dry["copied"].as_u64(), Some(count as u64));
    assert!(bucket.keys().await.is_empty() && !shell.path("map.csv").exists());

    for kill in 1..=3 {
        let enough = count * kill / 4;
        killed(&shell, &args, async || bucket.keys().await.len() >= enough).await;
        let there = stored(&bucket).await.len();
        assert!(there < count, "killed on the way, at {there} of {count}");
        assert!(!shell.path("map.csv").exists(), "no half a map");
    }
    let before = stored(&bucket).await.len() as u64;

    let (output, peak) = watched(&shell, &args).await;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert!(output.status.success(), "{report:#}");
    println!("{count} images, {before} there before the last run, peak {peak} KiB: {report}");
    assert_eq!(
        report["present"].as_u64(),
        Some(before),
        "only what is missing is copied"
    );
    assert_eq!(report["copied"].as_u64(), Some(count as u64 - before));
    // Flat: a run over all of them, each read twice and compared, needs what one over a few needs.
    let (whole, all) = watched(&shell, &args).await;
    assert!(whole.status.success());
    let few = Shell::s3(&server, &bucket.name, &server.keys);
    for (name, bytes) in files.iter().take(24) {
        few.write(&format!("uploads/{name}"), bytes);
    }
    let (some, little) = watched(&few, &args).await;
    assert!(some.status.success());
    let volume: usize = files.values().map(Vec::len).sum::<usize>() / 1024;
    println!(
        "peak {peak} KiB, over all {all} KiB, over 24 {little} KiB, of {volume} KiB of images"
    );
    assert!(peak.max(all) < 64 * 1024, "{peak} and {all} KiB at most");
    assert!(
        all < little + 4 * 1024,
        "{all} KiB for {count}, {little} KiB for 24"
    );

    assert_eq!(stored(&bucket).await.len(), count);
    let handle: &Handle = &bucket;
    let mut read = futures_util::stream::iter(&files)
        .map(|(name, bytes)| async move {
            let reply = handle
                .send("GET", &format!("/{}", encoded(name)), "")
                .await
                .ok();
            (
                name,
                reply.body == *bytes && reply.header("content-type") == "image/jpeg",
            )
        })
        .buffer_unordered(16);
    while let Some((name, same)) = read.next().await {
        assert!(same, "{name} is not what it was");
    }
    let map = std::fs::read_to_string(shell.path("map.csv")).expect("a map");
    let rows: BTreeSet<&str> = map.lines().skip(1).collect();
    assert_eq!(map.lines().count(), rows.len() + 1, "each URL once");
    // Those of a third have more than one spelling.
    assert!(rows.len() > count * 2, "{} of {count}", rows.len());
    for name in files.keys() {
        let name = encoded(name);
        let row = format!("/uploads/{name},{}/{}/{name}", server.endpoint, bucket.name);
        assert!(rows.contains(row.as_str()), "{row}");
        assert!(shell.path("uploads").is_dir(), "the source stays");
    }
}

#[tokio::test]
async fn optimized_images_are_made_once() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    for number in 0..6u16 {
        shell.write(
            &format!("uploads/components/{number}.png"),
            &images::png_rgb(40 + number, 30),
        );
    }
    shell.write("uploads/components/notes.txt", b"just words");
    shell.write("uploads/components/.DS_Store", b"hidden");
    let target = format!("s3://{}/components", bucket.name);
    let args = [
        "migrate",
        "uploads/components",
        target.as_str(),
        "--optimize",
        "--url-map",
        "map.sql",
        "--json",
    ];
    let first = shell.run(&args);
    let report = first.json();
    assert_eq!(
        (
            first.code,
            report["copied"].as_u64(),
            report["left_out"].as_u64()
        ),
        (0, Some(6), Some(2)),
        "{report:#}"
    );
    assert!(
        first
            .err
            .contains("components/notes.txt: left out: not an image"),
        "{}",
        first.err
    );
    let keys = bucket.keys().await;
    let plain: Vec<String> = keys.iter().map(|key| key.replace("%2F", "/")).collect();
    assert!(
        plain.len() == 6
            && plain
                .iter()
                .all(|key| key.starts_with("components/") && key.ends_with(".jpg"))
    );
    let again = shell.run(&args).json();
    assert_eq!(
        (again["copied"].as_u64(), again["present"].as_u64()),
        (Some(0), Some(6))
    );
    assert_eq!(bucket.keys().await, keys, "none twice");
    let map = std::fs::read_to_string(shell.path("map.sql")).expect("a map");
    assert_eq!(map.matches("'/uploads/components/").count(), 6, "{map}");
    assert!(
        map.contains(r#"UPDATE "components" SET "image_url""#),
        "{map}"
    );
}

/// The second run did not look for what the first had made, and made all of it once more.
#[cfg(feature = "avif")]
#[test]
fn images_in_avif_are_made_once() {
    let shell = Shell::new().with("LABLINK_STORAGE_OPTIMIZE", r#"{"format": "avif"}"#);
    for name in ["a", "b"] {
        shell.write(&format!("old/{name}.png"), &images::png_rgb(40, 30));
    }
    let args = [
        "migrate",
        "old",
        "uploads/components",
        "--optimize",
        "--json",
    ];
    for (copied, present) in [(2, 0), (0, 2)] {
        let report = shell.run(&args).ok().json();
        assert_eq!(
            (report["copied"].as_u64(), report["present"].as_u64()),
            (Some(copied), Some(present)),
            "{report:#}"
        );
    }
    let listed = shell.run(&["ls", "--json"]).ok().json()["objects"].clone();
    let listed = listed.as_array().expect("objects");
    let is_avif = |object: &serde_json::Value| {
        let key = object["key"].as_str().expect("a key");
        key.ends_with(".avif")
    };
    assert_eq!(listed.len(), 2, "{listed:#?}");
    assert!(listed.iter().all(is_avif), "{listed:#?}");
}

/// Other applications name folders by ids, too. What lay in them was taken for variants, left out, and the run
/// was complete.
#[test]
fn images_in_folders_that_are_named_by_ids_are_no_variants() {
    let shell = Shell::new();
    let alone = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    let beside = "7f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    for (name, width) in [
        (format!("{alone}/front.jpg"), 40),
        (format!("{alone}/back.jpg"), 41),
        (format!("{beside}.png"), 42),
        (format!("{beside}/thumb.jpg"), 43),
    ] {
        for folder in ["old", "uploads/raw"] {
            shell.write(&format!("{folder}/{name}"), &images::jpeg(width, 30));
        }
    }
    let args = [
        "migrate",
        "old",
        "uploads/components",
        "--optimize",
        "--json",
    ];
    let dry = shell.run(&[&args[..], &["--dry-run"]].concat()).ok().json();
    let first = shell.run(&args).ok();
    for report in [&dry, &first.json()] {
        assert_eq!(
            (report["copied"].as_u64(), report["left_out"].as_u64()),
            (Some(3), Some(1)),
            "{report:#}"
        );
    }
    let named = format!("{beside}/thumb.jpg: left out: a variant");
    assert!(first.err.contains(&named), "{}", first.err);
    let again = shell.run(&args).ok().json();
    assert_eq!(
        (again["copied"].as_u64(), again["present"].as_u64()),
        (Some(0), Some(3)),
        "{again:#}"
    );
    // The image of that id is there, and not among what is moved.
    let folder = format!("uploads/raw/{beside}");
    let inner = shell.run(&["migrate", &folder, "new", "--optimize", "--json"]);
    assert_eq!(inner.ok().json()["copied"], 1);
}

#[test]
fn what_lies_at_the_target_is_never_overwritten() {
    let shell = Shell::new();
    shell.write("old/a.jpg", &images::jpeg(32, 16));
    shell.write("new/a.jpg", &images::jpeg(16, 32));
    let done = shell.run(&["migrate", "old", "new", "--json"]);
    assert_eq!((done.code, done.json()["failed"].as_u64()), (1, Some(1)));
    assert_eq!(
        std::fs::read(shell.path("new/a.jpg")).expect("there"),
        images::jpeg(16, 32)
    );
    for (source, target) in [("old", "old"), ("old", "old/inner"), (".", "new")] {
        let lies = shell.run(&["migrate", source, target, "--json"]);
        assert_eq!(
            (lies.code, lies.json()["error"].as_str()),
            (1, Some("invalid_argument")),
            "{source} {target}"
        );
    }
    // A file that can be no key is not lost without a word.
    shell.write("odd/back\\slash.jpg", &images::jpeg(8, 8));
    let odd = shell.run(&["migrate", "odd", "elsewhere", "--json"]);
    assert_eq!(
        (odd.code, odd.json()["unnamable"][0].as_str()),
        (1, Some("back\\slash.jpg"))
    );
    assert_eq!(shell.run(&["migrate", "no-such-directory", "new"]).code, 1);
    assert_eq!(shell.run(&["migrate", "ftp://host/x", "new"]).code, 1);
}

/// Without an allowed host nothing is asked; a source and a list are not both meant.
#[test]
fn from_urls_says_what_it_needs() {
    let shell = Shell::new();
    let urls = b"http://reader:hush@127.0.0.1/a.jpg?key=hush\n/uploads/components/a.jpg\n";
    let done = shell.run_with_stdin(&["migrate", "--from-urls", "-"], urls);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("set LABLINK_STORAGE_FETCH_HOSTS"),
        "{done:?}"
    );

    let shell = shell.with("LABLINK_STORAGE_FETCH_HOSTS", "*");
    shell.write("urls.txt", urls);
    let done = shell.run(&["migrate", "--from-urls", "urls.txt", "--json"]);
    assert_eq!(done.code, 1);
    let report = done.json();
    assert_eq!(
        (&report["own"], &report["failed"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    assert_eq!(report["failures"][0]["kind"], "policy_violation");
    assert_eq!(report["failures"][0]["url"], "…@127.0.0.1/a.jpg");
    assert!(!done.err.contains("hush"), "{}", done.err);

    assert_eq!(
        shell
            .run(&["migrate", "a", "b", "--from-urls", "urls.txt"])
            .code,
        2
    );
    assert_eq!(shell.run(&["migrate", "a"]).code, 2);
}
