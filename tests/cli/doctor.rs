//! Ten troubles, one at a time: `doctor` names each as its first failure, with the remedy, in time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use crate::common::s3::{Bucket, Server};
use crate::shell::{BINARY, Done, Shell, finish, on_a_small_disk};

const ORIGIN: &str = "https://lab.example.org";

#[track_caller]
fn first_failure(done: &Done, name: &str, remedy: &str) {
    assert_eq!(done.code, 1, "{}\n{}", done.out, done.err);
    assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
    let report = done.json();
    let checks = report["checks"].as_array().expect("checks");
    let first = checks
        .iter()
        .find(|check| check["status"] == "failure")
        .expect("a failure");
    assert_eq!(first["name"], name, "{report:#}");
    let hint = first["hint"].as_str().unwrap_or_default();
    assert!(hint.contains(remedy), "{hint:?} does not say {remedy:?}");
}

fn doctor(shell: &Shell) -> Done {
    shell.run(&["doctor", "--json", "--origin", ORIGIN])
}

async fn bucket() -> Option<(Server, Bucket)> {
    let server = Server::from_env()?;
    let bucket = server.bucket().await;
    Some((server, bucket))
}

fn cors() -> String {
    format!(
        "<CORSConfiguration><CORSRule><AllowedOrigin>{ORIGIN}</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
         <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader>\
         </CORSRule></CORSConfiguration>"
    )
}

#[tokio::test]
async fn no_credentials() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let shell = Shell::s3(&server, &bucket.name, &server.keys)
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "");
    first_failure(&doctor(&shell), "credentials", "AWS_ACCESS_KEY_ID");
}

#[tokio::test]
async fn wrong_secret_and_unknown_key() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let shell = shell.with(
        "AWS_SECRET_ACCESS_KEY",
        "0123456789012345678901234567890123456789",
    );
    let wrong = doctor(&shell);
    first_failure(&wrong, "signature", "AWS_SECRET_ACCESS_KEY");
    assert!(
        !wrong.out.contains("0123456789012345"),
        "the secret is not repeated"
    );
    let shell = Shell::s3(&server, &bucket.name, &server.keys)
        .with("AWS_ACCESS_KEY_ID", "NOSUCHKEY00000000000");
    first_failure(&doctor(&shell), "signature", "AWS_ACCESS_KEY_ID");
}

/// A server whose clock is an hour behind and which refuses as S3 does.
#[test]
fn clock_off_by_an_hour() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 8192];
            let _ = stream.read(&mut buffer);
            let date = chrono::DateTime::<chrono::Utc>::from(
                std::time::SystemTime::now() - Duration::from_secs(3600),
            );
            let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>skewed</Message></Error>";
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nDate: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                date.format("%a, %d %b %Y %H:%M:%S GMT"),
                body.len()
            );
        }
    });
    let shell = Shell::new()
        .with("AWS_S3_BUCKET", "any")
        .with("AWS_ENDPOINT_URL_S3", &format!("http://{address}"))
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let done = doctor(&shell);
    first_failure(&done, "clock", "timedatectl");
    let checks = done.json();
    let clock = checks["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["name"] == "clock");
    let message = clock.expect("the clock")["message"].to_string();
    assert!(
        message.contains("360") && message.contains("ahead"),
        "{message}"
    );
}

#[tokio::test]
async fn missing_bucket() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let shell = Shell::s3(&server, "lablink-no-such-bucket", &server.keys);
    first_failure(&doctor(&shell), "bucket", "AWS_S3_BUCKET");
}

#[tokio::test]
async fn no_permission_to_put() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["arn:aws:iam:::user/other"]}},
        "Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::{0}","arn:aws:s3:::{0}/*"]}}]}}"#,
        bucket.name
    );
    bucket.send("PUT", "?policy", policy).await.ok();
    let shell = Shell::s3(&server, &bucket.name, &server.other);
    first_failure(&doctor(&shell), "put", "s3:PutObject");
}

#[tokio::test]
async fn private_objects_behind_a_public_url() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    bucket.send("PUT", "?cors", cors()).await.ok();
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    first_failure(
        &doctor(&shell),
        "public_url",
        &format!("arn:aws:s3:::{}/components/*", bucket.name),
    );
    assert!(bucket.keys().await.is_empty(), "the probes are removed");
}

#[tokio::test]
async fn pending_uploads_that_anyone_can_read() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    bucket.publish("pending").await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    first_failure(&doctor(&shell), "pending_private", "AnyoneReadsImages");
}

/// A policy that opens the originals beside the images: each has the position where it was taken.
#[tokio::test]
async fn originals_that_anyone_can_read() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    bucket.send("PUT", "?cors", cors()).await.ok();
    bucket.publish("components").await;
    let plain = Shell::s3(&server, &bucket.name, &server.keys);
    let keeping = Shell::s3(&server, &bucket.name, &server.keys)
        .with("LABLINK_STORAGE_KEEP_ORIGINAL", "true");
    let healthy = doctor(&keeping);
    assert_eq!(healthy.code, 0, "{}", healthy.out);

    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],
        "Resource":["arn:aws:s3:::{0}/components/*","arn:aws:s3:::{0}/originals/*"]}}]}}"#,
        bucket.name
    );
    bucket.send("PUT", "?policy", policy).await.ok();
    let open = doctor(&keeping);
    first_failure(&open, "originals_private", "AnyoneReadsImages");
    let report = open.json();
    let failures = report["checks"].as_array().expect("checks").iter();
    let failures = failures.filter(|check| check["status"] == "failure");
    assert_eq!(failures.count(), 1, "nothing else is wrong: {report:#}");
    let without = doctor(&plain);
    assert_eq!(without.code, 0, "no originals are kept: {}", without.out);
    assert!(bucket.keys().await.is_empty(), "the probes are removed");
}

/// A web server that hands out the whole directory, and one that hands out the images in it.
#[test]
fn originals_that_the_web_server_hands_out() {
    let shell = Shell::new().with("LABLINK_STORAGE_KEEP_ORIGINAL", "true");
    let original = |shell: &Shell| {
        let report = shell.run(&["doctor", "--json"]).json();
        let checks = report["checks"].as_array().expect("checks").clone();
        let mut checks = checks.into_iter();
        let found = checks.find(|check| check["name"] == "originals_private");
        let found = found.expect("the check");
        let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        (word("status"), word("message"))
    };
    let (status, message) = original(&shell);
    assert_eq!(status, "skipped", "{message}");
    assert!(message.contains("set it with its host"), "{message}");

    std::fs::create_dir_all(shell.path("uploads/components")).expect("made");
    std::fs::create_dir(shell.path("images")).expect("made");
    std::os::unix::fs::symlink("../uploads/components", shell.path("images/components"))
        .expect("linked");
    let serve = |shell: &Shell, root: &str| {
        let mut command = shell.command("python3");
        command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]);
        let child = command
            .current_dir(shell.path(root))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("python3 is installed");
        let mut said = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut said).expect("a line");
        let port = said.split(" port ").nth(1).expect("the port");
        let port = port.split(' ').next().expect("the port").to_owned();
        (child, format!("http://127.0.0.1:{port}"))
    };
    let (mut images, at) = serve(&shell, "images");
    let shell = shell.with("LABLINK_STORAGE_BASE_URL", &at);
    let (status, message) = original(&shell);
    assert_eq!(status, "ok", "{message}");
    images.kill().and_then(|()| images.wait()).expect("ended");
    let (status, message) = original(&shell);
    assert_eq!(status, "warning", "nobody answers: {message}");

    let (mut all, at) = serve(&shell, "uploads");
    let shell = shell.with("LABLINK_STORAGE_BASE_URL", &at);
    let (status, message) = original(&shell);
    assert_eq!(status, "failure", "{message}");
    assert!(
        message.contains(&format!("at {at}/originals/")),
        "{message}"
    );
    all.kill().and_then(|()| all.wait()).expect("ended");
}

#[tokio::test]
async fn cors_missing() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    bucket.publish("components").await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    first_failure(&doctor(&shell), "cors", "CORSRules");
    bucket.send("PUT", "?cors", cors()).await.ok();
    let healthy = doctor(&shell);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
}

/// Browsers ask for every header that a presigned PUT has to be sent with.
#[tokio::test]
async fn cors_rules_that_do_not_take_a_put() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    bucket.publish("components").await;
    let headers = |all: &str| cors().replace("<AllowedHeader>*</AllowedHeader>", all);
    let allowed = |name: &str| format!("<AllowedHeader>{name}</AllowedHeader>");
    let two = allowed("content-type") + &allowed("cache-control");
    bucket.send("PUT", "?cors", headers(&two)).await.ok();
    let by_form = Shell::s3(&server, &bucket.name, &server.keys);
    assert_eq!(doctor(&by_form).code, 0, "forms need no more");
    let by_put =
        Shell::s3(&server, &bucket.name, &server.keys).with("LABLINK_STORAGE_DIRECT_UPLOAD", "put");
    first_failure(&doctor(&by_put), "cors", "if-none-match");

    let three = two + &allowed("if-none-match");
    bucket.send("PUT", "?cors", headers(&three)).await.ok();
    let healthy = doctor(&by_put);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    let report = healthy.json();
    let checks = report["checks"].as_array().expect("checks").iter();
    let names: Vec<_> = checks.map(|check| check["name"].as_str()).collect();
    assert!(names.contains(&Some("presigned_put")), "{names:?}");
    assert!(!names.contains(&Some("presigned_post")), "{names:?}");
    assert!(bucket.keys().await.is_empty(), "the probes are removed");
}

#[test]
fn endpoint_down() {
    // Bound and let go: nothing listens there.
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("an address");
    let shell = Shell::new()
        .with("AWS_S3_BUCKET", "any")
        .with("AWS_ENDPOINT_URL_S3", &format!("http://{address}"))
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    first_failure(&doctor(&shell), "endpoint", "start the server");
}

#[test]
fn read_only_directory() {
    let shell = Shell::new();
    let outer = shell.path("");
    std::fs::set_permissions(&outer, PermissionsExt::from_mode(0o755)).expect("readable");
    std::fs::create_dir(shell.path("uploads")).expect("made");
    std::fs::set_permissions(shell.path("uploads"), PermissionsExt::from_mode(0o555))
        .expect("read-only");
    std::fs::copy(BINARY, shell.path("binary")).expect("copied");
    let mut command = shell.command(shell.path("binary"));
    command.args(["doctor", "--json"]);
    // Permissions do not bind root.
    let whose = std::fs::metadata(&outer).expect("there").uid();
    if whose == 0 {
        command.uid(65534).gid(65534);
    }
    first_failure(&finish(command, b""), "put", "write");
}

#[test]
fn disk_full() {
    let shell = Shell::new().with("LABLINK_STORAGE_DIR", "small");
    let Some((done, _)) = on_a_small_disk(&shell, 64, true, &["doctor", "--json"]) else {
        return;
    };
    first_failure(&done, "space", "LABLINK_STORAGE_DIR");
}

#[test]
fn a_file_where_the_directory_should_be() {
    let shell = Shell::new();
    shell.write("uploads", b"a file");
    first_failure(&doctor(&shell), "directory", "LABLINK_STORAGE_DIR");
}

#[test]
fn a_broken_configuration() {
    let shell = Shell::new().with("LABLINK_STORAGE_REQUIRE_S3", "true");
    first_failure(&doctor(&shell), "configuration", "AWS_S3_BUCKET");
}
