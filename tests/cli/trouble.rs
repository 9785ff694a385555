//! A full disk, a missing permission, a server that takes nothing: one readable line, the exit code, and
//! everything as it was.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;

use crate::common::faulty::Faulty;
use crate::common::images;
use crate::common::s3::Server;
use crate::migrate_answers::{against, run};
use crate::shell::{BINARY, Done, Shell, finish, mounted, on_a_small_disk};

/// Exactly one thing went wrong, in one line and, below it, what to do.
#[track_caller]
fn one_line(done: &Done, said: &str, remedy: &str) {
    assert_eq!(done.code, 1, "{}\n{}", done.out, done.err);
    let lines: Vec<&str> = done.err.lines().collect();
    let told = |line: &&&str| line.contains(said);
    assert_eq!(lines.iter().filter(told).count(), 1, "{:?}", done.err);
    let hint = lines.iter().find(|line| line.starts_with("  hint: "));
    assert!(
        hint.is_some_and(|hint| hint.contains(remedy)),
        "{:?}",
        done.err
    );
    // With its cause, the warning about the directory and what was not tried.
    assert!(lines.len() <= 5, "{:?}", done.err);
}

#[test]
fn a_server_that_is_gone_is_told_with_its_cause() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", gone.local_addr().expect("bound"));
    drop(gone);
    let shell = Shell::new()
        .with("AWS_S3_BUCKET", "lab")
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ENDPOINT_URL_S3", &address)
        .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE000000000")
        .with("AWS_SECRET_ACCESS_KEY", "x")
        .with("LABLINK_STORAGE_DEADLINE", "2");
    shell.write("a.jpg", &images::jpeg(64, 48));
    for command in [
        &["status"][..],
        &["put", "a.jpg"],
        &["get", "components/a.jpg"],
    ] {
        let done = shell.run(command);
        one_line(&done, "the server cannot be reached", &address);
        let cause = done.err.lines().find(|line| line.starts_with("  cause: "));
        let refused = |line: &str| line.contains("onnection refused");
        assert!(cause.is_some_and(refused), "{command:?}: {}", done.err);
    }
}

/// `NO_PROXY=*` is for every host, addresses included, as curl and boto3 have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_used_unless_the_host_goes_without() {
    let server = Faulty::start(|_, _| None).await;
    let photo = images::jpeg(64, 48);
    server.store("/lab-images/components/a.jpg", photo.clone());
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", gone.local_addr().expect("bound"));
    drop(gone);
    for (variable, hosts, reached) in [
        ("NO_PROXY", "", false),
        ("NO_PROXY", "s3.example.org", false),
        ("NO_PROXY", "127.0.0.1", true),
        ("NO_PROXY", "*", true),
        ("no_proxy", "s3.example.org, *", true),
    ] {
        let shell = against(&server)
            .with("http_proxy", &proxy)
            .with("LABLINK_STORAGE_DEADLINE", "1")
            .with(variable, hosts);
        let (done, shell) = run(shell, &["get", "components/a.jpg", "-o", "got.jpg"]).await;
        let case = format!("{variable}={hosts}: {}", done.err);
        assert_eq!(done.code == 0, reached, "{case}");
        let got = std::fs::read(shell.path("got.jpg")).ok();
        assert_eq!(got, reached.then(|| photo.clone()), "{case}");
    }
}

/// Room for bytes and none for one more file: "the disk is full" alone would send its operator looking in vain.
#[test]
fn a_full_table_of_inodes() {
    let shell = Shell::new().with("LABLINK_STORAGE_DIR", "small");
    shell.write("a.jpg", &images::jpeg(64, 48));
    std::fs::create_dir(shell.path("small")).expect("made");
    // One for the root, one for `components`, one for an image.
    let mount = "mount -t tmpfs -o size=1m,nr_inodes=3 small small";
    let put = ["put", "a.jpg", "a.jpg", "--json", "-q"];
    let look = "ls -A small/components > left;";
    let Some(done) = mounted(&shell, mount, "", look, &put) else {
        return;
    };
    assert_eq!(done.code, 1, "{}", done.err);
    let error = format!("{}{}", done.out, done.err);
    assert!(error.contains("no inodes left"), "{error}");
    let left = std::fs::read_to_string(shell.path("left")).expect("listed");
    let names: Vec<&str> = left.lines().collect();
    assert!(names.len() == 1 && names[0].ends_with(".jpg"), "{names:?}");
}

#[test]
fn a_read_only_file_system() {
    let shell = Shell::new().with("LABLINK_STORAGE_DIR", "small");
    shell.write("a.jpg", &images::jpeg(64, 48));
    shell.write("small/components/b.jpg", &images::jpeg(64, 48));
    let mount = "mount --bind -o ro small small && mount -o remount,bind,ro small";
    let run = |args: &[&str]| mounted(&shell, mount, "", "", args);
    let Some(done) = run(&["put", "a.jpg"]) else {
        return;
    };
    one_line(&done, "the file system is read-only", "writable");
    one_line(
        &run(&["rm", "components/b.jpg"]).expect("as before"),
        "the file system is read-only",
        "writable",
    );
    let listed = run(&["ls"]).expect("as before");
    assert!(listed.ok().out.contains("components/b.jpg"));
    assert!(shell.path("small/components/b.jpg").exists());
}

#[test]
fn a_full_disk() {
    let shell = Shell::new().with("LABLINK_STORAGE_DIR", "small");
    for name in ["a.jpg", "b.jpg", "c.jpg"] {
        shell.write(name, &images::jpeg(64, 48));
        shell.write(&format!("old/{name}"), &images::jpeg(64, 48));
    }
    let shell = shell.with("LABLINK_STORAGE_DIR", "small");
    let put = ["put", "a.jpg", "b.jpg", "c.jpg"];
    let Some((done, left)) = on_a_small_disk(&shell, 64, true, &put) else {
        return;
    };
    one_line(&done, "the disk is full", "make room");
    assert!(done.err.contains("not tried: b.jpg, c.jpg"), "{}", done.err);
    assert_eq!(left, "", "nothing is left of the attempt");

    let migrate = ["migrate", "old", "small/components", "--url-map", "map.csv"];
    let (done, left) = on_a_small_disk(&shell, 64, true, &migrate).expect("as before");
    one_line(&done, "the disk is full", "make room");
    assert_eq!(left, "");
    assert!(!shell.path("map.csv").exists() && !shell.path("map.csv.unfinished").exists());

    let map = [
        "migrate",
        "old",
        "new",
        "--url-map",
        "small/map.csv",
        "--json",
    ];
    let (done, left) = on_a_small_disk(&shell, 64, true, &map).expect("as before");
    assert_eq!(
        (done.code, done.json()["error"].as_str()),
        (1, Some("invalid_argument"))
    );
    assert!(done.err.contains("small/map.csv"), "{}", done.err);
    assert_eq!(left, "");

    let shell = shell.with("LABLINK_STORAGE_DIR", "uploads");
    let image = shell.run(&["put", "a.jpg", "--json"]).ok().json()["images"][0].clone();
    let get = [
        "get",
        image["key"].as_str().expect("a key"),
        "-o",
        "small/a.jpg",
        "-q",
    ];
    let optimize = ["optimize", "a.jpg", "-o", "small", "-q"];
    for args in [&get[..], &optimize] {
        let (done, left) = on_a_small_disk(&shell, 64, true, args).expect("as before");
        assert_eq!(
            (done.code, done.out.as_str()),
            (1, ""),
            "{args:?}: {}",
            done.err
        );
        assert!(done.err.contains("No space left on device"), "{}", done.err);
        assert_eq!(
            (done.err.lines().count(), left.as_str()),
            (1, ""),
            "{args:?}"
        );
    }
    let shell = shell.with("AWS_S3_BUCKET", "lab-images");
    let setup = [
        "setup",
        "--origin",
        "https://lab.example.org",
        "--output",
        "small",
    ];
    let (done, left) = on_a_small_disk(&shell, 64, true, &setup).expect("as before");
    assert_eq!((done.code, left.as_str()), (1, ""), "{}", done.err);
    assert!(done.err.contains("No space left on device"), "{}", done.err);
}

/// Of many images those that fit arrive whole.
#[test]
fn a_disk_that_fills_up_on_the_way() {
    let shell = Shell::new();
    for number in 0..40 {
        let mut bytes = images::jpeg(32, 32);
        bytes.resize(8000, number);
        shell.write(&format!("old/{number}.jpg"), &bytes);
    }
    let migrate = [
        "migrate",
        "old",
        "small",
        "--concurrency",
        "2",
        "--url-map",
        "map.csv",
    ];
    let Some((done, left)) = on_a_small_disk(&shell, 128, false, &migrate) else {
        return;
    };
    one_line(&done, "the disk is full", "make room");
    assert!(done.err.contains("run it again"), "{}", done.err);
    let arrived = left.lines().count();
    assert!((5..20).contains(&arrived), "{left}");
    assert!(
        left.lines().all(|line| line.ends_with(".jpg 8000")),
        "{left}"
    );
    assert!(!shell.path("map.csv").exists() && !shell.path("map.csv.unfinished").exists());
}

/// Permissions do not bind root, so it is somebody else who runs into them.
fn as_nobody(shell: &Shell, args: &[&str]) -> Done {
    std::fs::copy(BINARY, shell.path("binary")).expect("copied");
    let mut command = shell.command(shell.path("binary"));
    command.args(args);
    if std::fs::metadata(shell.path(""))
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
    {
        command.uid(65534).gid(65534);
    }
    finish(command, b"")
}

#[test]
fn a_missing_permission() {
    let shell = Shell::new();
    shell.write("a.jpg", &images::jpeg(32, 32));
    shell.write("b.jpg", &images::jpeg(32, 32));
    shell.write("old/a.jpg", &images::jpeg(32, 32));
    shell.write("old/b.jpg", &images::jpeg(32, 32));
    shell.write("secret.jpg", &images::jpeg(32, 32));
    std::fs::create_dir(shell.path("uploads")).expect("made");
    for (name, mode) in [("", 0o755), ("uploads", 0o555), ("secret.jpg", 0o000)] {
        let mode = PermissionsExt::from_mode(mode);
        std::fs::set_permissions(shell.path(name), mode).expect("set");
    }
    let put = as_nobody(&shell, &["put", "a.jpg", "b.jpg"]);
    one_line(&put, "access denied", "read and write");
    assert!(put.err.contains("not tried: b.jpg"), "{}", put.err);
    one_line(
        &as_nobody(&shell, &["migrate", "old", "uploads/components"]),
        "access denied",
        "read and write",
    );
    for args in [
        &["put", "secret.jpg"][..],
        &["optimize", "a.jpg", "-o", "uploads/small"],
        &[
            "migrate",
            "old",
            "uploads/components",
            "--url-map",
            "map.csv",
        ],
        &["migrate", "uploads", "old", "--env-file", "secret.jpg"],
        &["handle-event", "secret.jpg"],
        &["sweep", "--used", "secret.jpg"],
    ] {
        let done = as_nobody(&shell, args);
        assert_eq!(done.code, 1, "{args:?}");
        assert!(
            done.out.is_empty() && done.err.contains("ermission denied"),
            "{}",
            done.err
        );
        assert!(done.err.lines().count() <= 3, "{args:?}: {}", done.err);
    }
    assert_eq!(
        std::fs::read_dir(shell.path("uploads"))
            .expect("listed")
            .count(),
        0
    );
    // Where no directory can be made at all.
    let nowhere = shell.run(&["migrate", "old", "/proc/nowhere"]);
    one_line(&nowhere, "lablink-storage: put of ", "/proc/nowhere");
}

#[tokio::test]
async fn a_target_that_takes_nothing_ends_a_migration_at_once() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.other);
    for number in 0..30 {
        shell.write(&format!("old/{number}.jpg"), &images::jpeg(16, 16));
    }
    let target = format!("s3://{}/components", bucket.name);
    let denied = shell.run(&["migrate", "old", &target]);
    one_line(&denied, "AccessDenied", "allow s3:");
    let missing = shell.run(&["migrate", "old", "s3://lablink-no-such-bucket/components"]);
    one_line(&missing, "NoSuchBucket", "create the bucket");
    let none = shell
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "");
    one_line(
        &none.run(&["migrate", "old", &target]),
        "no credentials",
        "AWS_ACCESS_KEY_ID",
    );
    assert!(bucket.keys().await.is_empty());
}

/// Starts a command and presses Ctrl-C when `ready` says so.
async fn interrupted(mut command: Command, ready: impl AsyncFn() -> bool) -> Done {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    while !ready().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.expect("sent").success(), "it had ended already");
    let output = child.wait_with_output().expect("it ends");
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: Duration::ZERO,
    }
}

#[tokio::test]
async fn ctrl_c_leaves_nothing_half_done() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let files: Vec<String> = (0..300).map(|number| format!("old/{number}.jpg")).collect();
    for file in &files {
        shell.write(file, &images::jpeg(64, 64));
    }
    let arrived = async |enough: usize| bucket.keys().await.len() >= enough;

    // The image under way is finished, and every one that arrived is told of.
    let mut put = shell.command(BINARY);
    put.arg("put").arg("--json").args(&files);
    let done = interrupted(put, async || arrived(5).await).await;
    let report = done.json();
    let count = |name: &str| report[name].as_array().map_or(0, Vec::len);
    assert_eq!(done.code, 130, "{}", done.err);
    assert_eq!(count("images"), bucket.keys().await.len());
    assert_eq!(
        (count("failures"), count("images") + count("not_tried")),
        (0, 300)
    );
    assert!(
        count("not_tried") > 0 && done.err.contains("finishing"),
        "{}",
        done.err
    );

    let there = bucket.keys().await.len();
    let target = format!("s3://{}/components", bucket.name);
    let args = ["migrate", "old", &target, "--url-map", "map.csv", "--json"];
    let mut migrate = shell.command(BINARY);
    migrate.args(args);
    let done = interrupted(migrate, async || arrived(there + 5).await).await;
    assert_eq!(
        (done.code, done.json()["error"].as_str()),
        (130, Some("interrupted"))
    );
    assert!(done.err.contains("run it again"), "{}", done.err);
    assert!(!shell.path("map.csv").exists() && !shell.path("map.csv.unfinished").exists());
    let again = shell.run(&args).ok().json();
    let sum = |name: &str| again[name].as_u64().unwrap_or(0);
    assert_eq!(sum("copied") + sum("present"), 300, "{again:#}");
    assert!(sum("present") >= 5, "{again:#}");
}

/// New sizes for many images: those under way are finished, and the next run makes the rest.
#[tokio::test]
async fn ctrl_c_ends_a_regeneration_between_two_images() {
    const COUNT: usize = 300;
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let puts = (1..=COUNT as u128).map(|number| {
        let key = format!("/components/{}.jpg", uuid::Uuid::from_u128(number));
        let bucket = &bucket;
        async move {
            bucket.send("PUT", &key, images::jpeg(64, 64)).await.ok();
        }
    });
    futures_util::stream::iter(puts)
        .for_each_concurrent(16, |put| put)
        .await;
    assert_eq!(bucket.keys().await.len(), COUNT);

    let thumb = r#"{"thumb": {"max_width": 16, "max_height": 16}}"#;
    // Few at once, or a large machine is done before anybody can press a key.
    let shell = Shell::s3(&server, &bucket.name, &server.keys)
        .with("LABLINK_STORAGE_VARIANTS", thumb)
        .with("LABLINK_STORAGE_MAX_DECODES", "2");
    let args = ["regenerate", "--json"];
    let mut regenerate = shell.command(BINARY);
    regenerate.args(args);
    let begun = async || bucket.keys().await.len() >= COUNT + 5;
    let done = interrupted(regenerate, begun).await;
    assert_eq!(done.code, 130, "{}\n{}", done.out, done.err);
    let report = done.json();
    let told = |report: &serde_json::Value, name: &str| {
        let count = report[name].as_u64().expect("a number");
        usize::try_from(count).expect("it fits")
    };
    // What it tells is what is there.
    let made = told(&report, "made");
    assert_eq!(bucket.keys().await.len(), COUNT + made);
    assert!((5..COUNT).contains(&made), "{report:#}");
    assert_eq!(
        (told(&report, "images"), told(&report, "failed")),
        (made, 0),
        "{report:#}"
    );
    assert_eq!(report["stopped"], "it was told to stop");
    for words in [
        "finishing the images under way",
        "it goes on where it stopped",
    ] {
        assert!(done.err.contains(words), "{}", done.err);
    }

    let again = shell.run(&args).ok().json();
    assert_eq!(
        (told(&again, "complete"), told(&again, "made")),
        (made, COUNT - made),
        "{again:#}"
    );
    assert!(again["stopped"].is_null(), "{again:#}");
    assert_eq!(bucket.keys().await.len(), 2 * COUNT);
}
