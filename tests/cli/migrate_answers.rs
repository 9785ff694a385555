//! What `migrate` believes, names and leaves out: answers that lie, files that are not images, places where
//! nothing is public, names in every spelling.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::common::s3::Server;
use crate::shell::{Done, Shell};

const PAGE: &[u8] = b"<!DOCTYPE html><html><body>Access denied by the proxy</body></html>";

pub fn md5(bytes: &[u8]) -> String {
    let mut command = std::process::Command::new("md5sum");
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), bytes).expect("written");
    let output = child.wait_with_output().expect("it ends").stdout;
    String::from_utf8_lossy(&output[..32]).into_owned()
}

pub fn listing(objects: &[(&str, u64, &str)]) -> Vec<u8> {
    let contents = objects.iter().map(|(key, size, e_tag)| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;{e_tag}&quot;</ETag><Size>{size}</Size></Contents>"
        )
    });
    let contents: String = contents.collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
        .into_bytes()
}

pub fn is_listing(method: &str, path: &str) -> bool {
    method == "GET" && path.trim_end_matches('/') == "/lab-images"
}

pub fn against(server: &Faulty) -> Shell {
    Shell::new()
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_ENDPOINT_URL_S3", &server.url())
        .with("AWS_ACCESS_KEY_ID", &"A".repeat(16))
        .with("AWS_SECRET_ACCESS_KEY", &"b".repeat(20))
}

pub async fn run(shell: Shell, args: &'static [&'static str]) -> (Done, Shell) {
    let ran = tokio::task::spawn_blocking(move || (shell.run(args), shell));
    ran.await.expect("ran")
}

fn failures(report: &Value) -> Vec<String> {
    let failures = report["failures"].as_array().expect("failures").iter();
    let text = |failure: &Value| failure["message"].as_str().unwrap_or_default().to_owned();
    failures.map(text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_the_object_is_never_copied() {
    let photo = images::jpeg(64, 48);
    let mut flipped = photo.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let half = photo[..photo.len() / 2].to_vec();
    let mut page = PAGE.to_vec();
    page.resize(photo.len(), b' ');
    let digest = md5(&photo);
    let parts = format!("{digest}-3");
    for (name, e_tag, answer) in [
        // Its Content-Length is that of the half: the answer is whole by itself.
        ("half", digest.as_str(), half.clone()),
        ("half in parts", &parts, half),
        ("flipped", &digest, flipped),
        ("page", &digest, page.clone()),
        // Nothing proves the bytes, and they are not an image.
        ("page in parts", &parts, page),
    ] {
        let listed = listing(&[("components/board.jpg", photo.len() as u64, e_tag)]);
        let server = Faulty::start(move |request, _| {
            if is_listing(&request.method, &request.path) {
                return Some(Fault::Answer(200, Vec::new(), listed.clone()));
            }
            let headers = vec![
                ("content-type", "image/jpeg".to_owned()),
                ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
            ];
            Some(Fault::Answer(200, headers, answer.clone()))
        })
        .await;
        for args in [
            &["migrate", "s3://lab-images/components", "new", "--json"][..],
            &[
                "migrate",
                "s3://lab-images/components",
                "new",
                "--optimize",
                "--json",
            ],
        ] {
            let (done, shell) = run(against(&server), args).await;
            let report = done.json();
            assert_eq!(
                (done.code, report["copied"].as_u64()),
                (1, Some(0)),
                "{name}: {report:#}"
            );
            assert_eq!(failures(&report).len(), 1, "{name}: {report:#}");
            assert!(!shell.path("new").exists(), "{name}");
        }
    }
}

/// A passing fault is met with a second try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_once_is_read_again() {
    let photo = images::jpeg(64, 48);
    let listed = listing(&[("components/board.jpg", photo.len() as u64, &md5(&photo))]);
    let whole = photo.clone();
    let server = Faulty::start(move |request, before| {
        if is_listing(&request.method, &request.path) {
            return Some(Fault::Answer(200, Vec::new(), listed.clone()));
        }
        let bytes = if before == 0 { &whole[..100] } else { &whole };
        let modified = ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
        Some(Fault::Answer(200, vec![modified], bytes.to_vec()))
    })
    .await;
    let args = &["migrate", "s3://lab-images/components", "new", "--json"];
    let (done, shell) = run(against(&server), args).await;
    assert_eq!(done.ok().json()["copied"], 1);
    assert_eq!(
        std::fs::read(shell.path("new/board.jpg")).expect("there"),
        photo
    );
}

/// It stayed where everybody saw it, and in the way of every later run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reads_back_damaged_is_removed_and_made_by_the_next_run() {
    for args in [
        &["migrate", "old", "s3://lab-images/components", "--json"][..],
        &[
            "migrate",
            "old",
            "s3://lab-images/components",
            "--optimize",
            "--json",
        ],
    ] {
        let damaged = AtomicBool::new(false);
        let server = Faulty::start(move |request, _| {
            let is_read = request.is("GET")
                && request.path.starts_with("/lab-images/components/")
                && request.header("range").is_none();
            let modified = ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
            (is_read && !damaged.swap(true, Ordering::SeqCst))
                .then(|| Fault::Answer(200, vec![modified], b"other bytes".to_vec()))
        })
        .await;
        let shell = against(&server);
        shell.write("old/board.png", &images::png_rgb(64, 48));
        let (first, shell) = run(shell, args).await;
        let report = first.json();
        assert_eq!(
            (first.code, report["failed"].as_u64()),
            (1, Some(1)),
            "{report:#}"
        );
        let said = failures(&report).remove(0);
        assert!(said.contains("was removed again"), "{said}");
        let left = server.objects();
        assert!(left.is_empty(), "{:?}", left.keys());
        let (again, _) = run(shell, args).await;
        assert_eq!(again.ok().json()["copied"], 1);
        assert_eq!(server.objects().len(), 1);
    }
}

/// Where nobody can tell whether an image is beside it, it is neither left out without a word nor made an image.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_a_variant_and_cannot_be_told_is_named() {
    let photo = images::jpeg(16, 16);
    let key = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/board.jpg";
    let listed = listing(&[(key, photo.len() as u64, &md5(&photo))]);
    let server = Faulty::start(move |request, _| {
        if is_listing(&request.method, &request.path) {
            return Some(Fault::Answer(200, Vec::new(), listed.clone()));
        }
        let is_main = request.path.contains("00cf4fc964ff.");
        is_main.then(|| Fault::error(403, "AccessDenied"))
    })
    .await;
    server.store(&format!("/lab-images/{key}"), photo);
    let args = &[
        "migrate",
        "s3://lab-images/components",
        "new",
        "--optimize",
        "--json",
    ];
    let (done, shell) = run(against(&server), args).await;
    let report = done.json();
    assert_eq!(
        (done.code, report["failed"].as_u64()),
        (1, Some(1)),
        "{report:#}"
    );
    let said = failures(&report).remove(0);
    assert!(said.contains("access denied"), "{said}");
    assert!(!shell.path("new").exists());
}

/// A bucket that encrypts with KMS has entity tags that only look like an MD5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_e_tag_of_a_kms_bucket_is_no_digest() {
    let photo = images::jpeg(64, 48);
    let listed = listing(&[("components/board.jpg", photo.len() as u64, &"0".repeat(32))]);
    let answer = photo.clone();
    let server = Faulty::start(move |request, _| {
        if is_listing(&request.method, &request.path) {
            return Some(Fault::Answer(200, Vec::new(), listed.clone()));
        }
        let headers = vec![
            ("x-amz-server-side-encryption", "aws:kms".to_owned()),
            ("etag", format!("\"{}\"", "0".repeat(32))),
        ];
        Some(Fault::Answer(200, headers, answer.clone()))
    })
    .await;
    let args = &["migrate", "s3://lab-images/components", "new", "--json"];
    let (done, _) = run(against(&server), args).await;
    assert_eq!(done.ok().json()["copied"], 1);
}

/// S3 may hold both `x.jpg` and `x.jpg/y.jpg`; a directory cannot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_where_a_directory_is() {
    let photo = images::jpeg(16, 16);
    let keys = ["components/x.jpg", "components/x.jpg/y.jpg"];
    let digest = md5(&photo);
    let listed = keys.map(|key| (key, photo.len() as u64, digest.as_str()));
    let listed = listing(&listed);
    let server = Faulty::start(move |request, _| {
        is_listing(&request.method, &request.path)
            .then(|| Fault::Answer(200, Vec::new(), listed.clone()))
    })
    .await;
    for key in keys {
        server.store(&format!("/lab-images/{key}"), photo.clone());
    }
    for args in [
        &[
            "migrate",
            "s3://lab-images/components",
            "new",
            "--dry-run",
            "--json",
        ][..],
        &["migrate", "s3://lab-images/components", "new", "--json"],
    ] {
        let (done, _) = run(against(&server), args).await;
        let report = done.json();
        assert_eq!(
            (
                done.code,
                report["copied"].as_u64(),
                report["failed"].as_u64()
            ),
            (1, Some(1), Some(1)),
            "{report:#}"
        );
        let said = failures(&report).remove(0);
        assert!(
            said.contains("x.jpg is a file in") || said.contains("x.jpg is a directory in"),
            "{said}"
        );
        assert!(!done.err.contains("no such object"), "{}", done.err);
    }
}

#[test]
fn what_is_no_image_is_named_and_left_out() {
    let shell = Shell::new();
    let photo = images::jpeg(32, 24);
    shell.write("old/board.jpg", &photo);
    shell.write("old/really.png", &photo);
    shell.write("old/without", &photo);
    shell.write("old/page.jpg", PAGE);
    shell.write("old/plan.pdf", b"%PDF-1.7\n");
    let dry = shell
        .run(&["migrate", "old", "new", "--dry-run", "--json"])
        .ok()
        .json();
    let done = shell
        .run(&["migrate", "old", "new", "--url-map", "map.csv", "--json"])
        .ok();
    let report = done.json();
    for report in [&dry, &report] {
        assert_eq!(
            (report["copied"].as_u64(), report["left_out"].as_u64()),
            (Some(3), Some(2)),
            "{report:#}"
        );
    }
    for named in [
        "page.jpg: left out: HTML",
        "plan.pdf: left out: PDF",
        "--all-files",
    ] {
        assert!(done.err.contains(named), "{}", done.err);
    }
    // In a directory the name decides the type, so it follows the bytes; the map tells the database.
    for file in ["board.jpg", "really.jpg", "without.jpg"] {
        assert_eq!(
            std::fs::read(shell.path(&format!("new/{file}"))).expect(file),
            photo
        );
    }
    let map = std::fs::read_to_string(shell.path("map.csv")).expect("a map");
    assert!(
        map.contains("/uploads/really.png,/uploads/really.jpg"),
        "{map}"
    );
    assert_eq!(map.lines().count(), 4, "{map}");
    let again = shell.run(&["migrate", "old", "new", "--json"]).ok().json();
    assert_eq!(
        (again["copied"].as_u64(), again["present"].as_u64()),
        (Some(0), Some(3))
    );

    let all = shell
        .run(&["migrate", "old", "new", "--all-files", "--json"])
        .ok()
        .json();
    assert_eq!(
        (all["copied"].as_u64(), all["left_out"].as_u64()),
        (Some(2), Some(0))
    );
    assert_eq!(
        shell
            .run(&["migrate", "old", "new", "--all-files", "--optimize"])
            .code,
        2
    );
}

#[tokio::test]
async fn the_content_type_is_that_of_the_bytes() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    shell.write("old/really.png", &images::jpeg(32, 24));
    shell.write("old/page.jpg", PAGE);
    shell.write(
        "old/notes.svg",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>",
    );
    let target = format!("s3://{}/components", bucket.name);
    shell.run(&["migrate", "old", &target]).ok();
    assert_eq!(bucket.keys().await.len(), 1);
    shell.run(&["migrate", "old", &target, "--all-files"]).ok();
    for (key, expected) in [
        ("really.png", "image/jpeg"),
        ("page.jpg", "application/octet-stream"),
        ("notes.svg", "application/octet-stream"),
    ] {
        let reply = bucket
            .send("GET", &format!("/components/{key}"), "")
            .await
            .ok();
        assert_eq!(reply.header("content-type"), expected, "{key}");
    }
}

#[test]
fn a_place_outside_the_prefix_has_to_be_meant() {
    let shell = Shell::new();
    shell.write("flat/board.jpg", &images::jpeg(32, 24));
    let bucket = Shell::new().with("AWS_S3_BUCKET", "lab-images");
    bucket.write("flat/board.jpg", &images::jpeg(32, 24));
    for (shell, target, inside) in [
        (&bucket, "s3://lab-images", "s3://lab-images/components"),
        (&bucket, "s3://lab-images/", "s3://lab-images/components"),
        (&bucket, "s3://other/photos", "s3://other/components"),
        (
            &bucket,
            "s3://lab-images/components-old",
            "s3://lab-images/components",
        ),
        (&shell, "uploads", "uploads/components"),
        (&shell, "./uploads/boards", "uploads/components"),
    ] {
        let done = shell.run(&["migrate", "flat", target, "--dry-run", "--json"]);
        assert_eq!(
            (done.code, done.json()["error"].as_str()),
            (2, Some("invalid_argument")),
            "{target}"
        );
        for word in ["not public", "not listed", "--outside-prefix", inside] {
            assert!(done.err.contains(word), "{target}: {}", done.err);
        }
    }
    // Inside it, elsewhere altogether, or meant.
    for args in [
        &["uploads/components"][..],
        &["uploads/components/boards"],
        &["backup"],
        &["uploads", "--outside-prefix"],
    ] {
        shell.run(&[&["migrate", "flat"], args].concat()).ok();
    }
    let listed = shell.run(&["ls", "--json"]).ok().json();
    assert_eq!(listed["objects"].as_array().map(Vec::len), Some(2));
    let boards = shell.with("LABLINK_STORAGE_PREFIX", "boards");
    boards.run(&["migrate", "flat", "uploads/boards"]).ok();
    assert_eq!(
        boards.run(&["migrate", "flat", "uploads/components"]).code,
        2
    );
}

/// Rows as databases have them, each brought to the new URL by the SQL that SQLite runs.
#[test]
fn rows_in_every_spelling_follow() {
    let shell = Shell::new();
    let odd = "B\u{fc}ro 1+2 it's.jpg";
    // What one name is in another spelling of the other.
    for name in [odd, "a b.jpg", "a+b.jpg", "plain.jpg"] {
        shell.write(&format!("uploads/components/{name}"), &images::jpeg(16, 12));
    }
    let map = [
        "migrate",
        "uploads/components",
        "new",
        "--url-map",
        "map.sql",
        "--old-base-url",
        "/uploads/components",
    ];
    shell.run(&map).ok();
    let sql = std::fs::read_to_string(shell.path("map.sql")).expect("a map");
    let rows = [
        ("/uploads/components/B\u{fc}ro 1+2 it's.jpg", odd),
        ("/uploads/components/B%C3%BCro%201%2B2%20it%27s.jpg", odd),
        ("/uploads/components/B%C3%BCro%201+2%20it's.jpg", odd),
        ("/uploads/components/Bu\u{308}ro 1+2 it's.jpg", odd),
        ("/uploads/components/a b.jpg", "a b.jpg"),
        ("/uploads/components/a%20b.jpg", "a b.jpg"),
        ("/uploads/components/a+b.jpg", "a+b.jpg"),
        ("/uploads/components/a%2Bb.jpg", "a+b.jpg"),
        ("/uploads/components/plain.jpg", "plain.jpg"),
    ];
    let program = r#"
import json, sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
db.execute("CREATE TABLE components (id INTEGER, image_url VARCHAR(255))")
db.executemany("INSERT INTO components VALUES (?, ?)", enumerate(json.loads(sys.argv[2])))
db.executescript(open(sys.argv[1], encoding="utf-8").read())
print(json.dumps([row[0] for row in db.execute("SELECT image_url FROM components ORDER BY id")]))
"#;
    let old: Vec<&str> = rows.iter().map(|(old, _)| *old).collect();
    let output = std::process::Command::new("python3")
        .args(["-c", program])
        .arg(shell.path("map.sql"))
        .arg(serde_json::json!(old).to_string())
        .output()
        .expect("python3 runs");
    let new: Vec<String> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}\n{sql}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let encoded = |name: &str| {
        let name = name.replace(' ', "%20").replace('+', "%2B");
        name.replace('\u{fc}', "%C3%BC").replace('\'', "%27")
    };
    for ((old, name), new) in rows.iter().zip(new) {
        assert_eq!(new, format!("/uploads/{}", encoded(name)), "{old}");
    }
}

/// A store that moved has rows with the addresses that it had before.
#[test]
fn rows_with_former_addresses_follow() {
    let shell = Shell::new().with(
        "LABLINK_STORAGE_FORMER_URLS",
        "https://d111111abcdef8.cloudfront.net,/old",
    );
    shell.write("uploads/components/plain.jpg", &images::jpeg(16, 12));
    let map = [
        "migrate",
        "uploads/components",
        "new",
        "--url-map",
        "map.csv",
    ];
    shell.run(&map).ok();
    let map = std::fs::read_to_string(shell.path("map.csv")).expect("a map");
    for base in [
        "/uploads",
        "/old",
        "https://d111111abcdef8.cloudfront.net",
        "http://d111111abcdef8.cloudfront.net",
    ] {
        let old = format!("{base}/components/plain.jpg,");
        let rows = map.lines().filter(|line| line.starts_with(&old));
        assert_eq!(rows.count(), 1, "{old}\n{map}");
    }
}
