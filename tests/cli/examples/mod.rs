//! The examples do what their comments and `--help` promise, with nothing set: images in ./uploads.
#![cfg(all(feature = "s3", feature = "local"))]

mod worker;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::images;
use lablink_storage::Limits;
use serde_json::Value;
use tempfile::TempDir;

/// How long a debug build on a busy machine may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A built example that sees nothing of this process's environment.
fn example(name: &str, directory: &Path) -> Command {
    let test = std::env::current_exe().expect("this test");
    let built = test
        .parent()
        .and_then(Path::parent)
        .expect("target/debug/deps")
        .join("examples")
        .join(name);
    assert!(
        built.is_file(),
        "{} is missing: run `tests/build` first",
        built.display()
    );
    let mut command = Command::new(built);
    command.env_clear().current_dir(directory);
    command
}

fn photo() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/photo.jpg");
    std::fs::read(path).expect("the photo")
}

/// `photo.jpg`, which is turned by its EXIF, `small.jpg`, and `words.jpg`, which is not an image.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, bytes) in [
        ("photo.jpg", photo()),
        ("small.jpg", images::jpeg(64, 48)),
        ("words.jpg", b"just words".to_vec()),
    ] {
        std::fs::write(directory.path().join(name), bytes).expect("written");
    }
    directory
}

/// The images under `./uploads`, by key.
fn stored(directory: &TempDir) -> Vec<String> {
    let images = std::fs::read_dir(directory.path().join("uploads/components"));
    let entries = images.into_iter().flatten();
    let mut keys: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| format!("components/{}", name.display()))
        .collect();
    keys.sort();
    keys
}

/// Exit code, stdout and stderr of `upload`.
fn upload(directory: &TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = example("upload", directory.path())
        .args(args)
        .output()
        .expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What follows a word at the start of each line that has it.
fn told<'a>(out: &'a str, word: &str) -> Vec<&'a str> {
    let lines = out.lines();
    lines
        .filter_map(|line| Some(line.trim_start().strip_prefix(word)?.trim()))
        .collect()
}

#[test]
fn upload_tells_of_each_photo_and_stores_it() {
    let directory = directory();
    let (code, out, err) = upload(&directory, &["photo.jpg", "small.jpg"]);
    assert_eq!(code, Some(0), "{err}");
    let names: Vec<&str> = out.lines().step_by(4).collect();
    assert_eq!(names, ["photo.jpg", "small.jpg"], "{out}");
    let mut keys = told(&out, "key ");
    let urls: Vec<String> = keys.iter().map(|key| format!("/uploads/{key}")).collect();
    assert_eq!(told(&out, "url "), urls);
    let sizes = told(&out, "size ");
    assert!(sizes[0].starts_with("310 kB -> "), "{out}");
    for (size, pixels) in sizes.iter().zip(["1200 x 900", "64 x 48"]) {
        assert!(size.contains(pixels) && size.contains("% saved"), "{out}");
    }
    keys.sort_unstable();
    assert_eq!(stored(&directory), keys);
    assert!(err.contains("AWS_S3_BUCKET is not set"), "{err}");
    assert!(err.contains("2 of 2 stored"), "{err}");
}

#[test]
fn upload_goes_on_after_a_file_that_is_refused() {
    let directory = directory();
    let files = ["small.jpg", "words.jpg", "missing.jpg", "small.jpg"];
    let (code, out, err) = upload(&directory, &files);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(told(&out, "key ").len(), 2, "{out}");
    assert_eq!(stored(&directory).len(), 2);
    for line in [
        "words.jpg: unsupported image format: unknown\n  what to do: send a JPEG, PNG, WebP or GIF\n",
        "missing.jpg: No such file",
        "2 of 4 stored",
    ] {
        assert!(err.contains(line), "{err}");
    }
}

#[test]
fn upload_deletes_by_url() {
    let directory = directory();
    let (_, out, err) = upload(&directory, &["small.jpg"]);
    let [url] = told(&out, "url ")[..] else {
        panic!("{out}{err}");
    };
    // Removing what is not there is fine.
    for _ in 0..2 {
        let (code, out, err) = upload(&directory, &["--delete", url]);
        assert_eq!((code, out), (Some(0), format!("deleted {url}\n")), "{err}");
        assert!(stored(&directory).is_empty());
    }
    let foreign = ["--delete", "https://example.org/components/a.jpg"];
    let (code, _, err) = upload(&directory, &foreign);
    assert_eq!(code, Some(1));
    let readable = err.starts_with("delete: not a URL of this store") && err.contains("what to do");
    assert!(readable, "{err}");
}

#[test]
fn upload_used_wrongly_says_how_it_is_used() {
    let directory = directory();
    for (args, wrong) in [
        (&[][..], "name at least one photo"),
        (&["--delete"], "one URL to delete"),
        (&["--wrong"], "unknown option --wrong"),
    ] {
        let (code, out, err) = upload(&directory, args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(wrong) && err.contains("Usage:"), "{err}");
    }
    let (code, out, _) = upload(&directory, &["--help"]);
    assert!(code == Some(0) && out.contains("Usage:"), "{out}");
    assert!(!directory.path().join("uploads").exists());
}

/// A running `axum_service`.
struct Service {
    child: Child,
    address: String,
    /// Held open: the service logs there.
    _out: BufReader<ChildStdout>,
    directory: TempDir,
}

impl Service {
    fn start() -> Self {
        let directory = directory();
        let mut child = example("axum_service", directory.path())
            .env("LISTEN", "127.0.0.1:0")
            .env("TOKEN", "right")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let address = loop {
            let mut line = String::new();
            let read = out.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "it ended before it listened");
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.trim_end().to_owned();
            }
        };
        Self {
            child,
            address,
            _out: out,
            directory,
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    fn send(&self, method: &str, path: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(&head(method, path, "")).expect("sent");
        Answer::read(stream)
    }

    fn upload(&self, file: &[u8]) -> Answer {
        let (headers, body) = form(file);
        let mut stream = self.connect();
        let sent = stream.write_all(&head("POST", "/images", &headers));
        // A service that has seen enough need not read the rest.
        let _ = sent.and_then(|()| stream.write_all(&body));
        Answer::read(stream)
    }

    fn terminate(&self) {
        terminate(self.child.id());
    }

    fn exit_code(mut self) -> Option<i32> {
        exit_code(&mut self.child)
    }
}

fn terminate(process: u32) {
    let kill = format!("kill -TERM {process}");
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.expect("a shell").success());
}

fn exit_code(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("asked") {
            return status.code();
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn head(method: &str, path: &str, headers: &str) -> Vec<u8> {
    let headers =
        format!("Host: lab\r\nAuthorization: Bearer right\r\nConnection: close\r\n{headers}");
    format!("{method} {path} HTTP/1.1\r\n{headers}\r\n").into()
}

/// The headers and the body of a form whose field `file` is a file.
fn form(file: &[u8]) -> (String, Vec<u8>) {
    let field =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n";
    let body = [field.as_bytes(), file, b"\r\n--edge--\r\n"].concat();
    let headers = format!(
        "Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {}\r\n",
        body.len()
    );
    (headers, body)
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        // The connection is reset where the service did not read the whole request.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let body = bytes.split_off(end.expect("an answer") + 4);
        let head = String::from_utf8(bytes).expect("text").to_lowercase();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Self {
            status: status.expect("a status"),
            head,
            body,
        }
    }

    #[track_caller]
    fn json(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[test]
fn the_service_keeps_images_and_hands_them_out() {
    let service = Service::start();
    let image = service.upload(&photo()).json(201);
    let key = image["key"].as_str().expect("a key");
    assert_eq!(image["url"], format!("/uploads/{key}"));
    assert_eq!(
        (&image["width"], &image["height"]),
        (&1200.into(), &900.into())
    );
    assert_eq!(stored(&service.directory), [key]);

    let fetched = service.send("GET", &format!("/uploads/{key}"));
    assert_eq!(fetched.status, 200);
    for header in [
        "content-type: image/jpeg\r\n",
        "x-content-type-options: nosniff\r\n",
        "cache-control: public, max-age=31536000, immutable\r\n",
    ] {
        assert!(fetched.head.contains(header), "{}", fetched.head);
    }
    let file: PathBuf = service.directory.path().join("uploads").join(key);
    assert_eq!(fetched.body, std::fs::read(file).expect("stored"));

    let status = service.send("GET", "/api/s3/status").json(200);
    assert_eq!(status["enabled"], false);

    let path = format!("/images/{key}");
    assert_eq!(service.send("DELETE", &path).status, 204);
    assert!(stored(&service.directory).is_empty());
    let missing = service.send("GET", &format!("/uploads/{key}")).json(404);
    assert_eq!(missing["error"], "not_found");
}

#[test]
fn the_service_says_what_is_wrong_with_a_request() {
    let service = Service::start();
    let words = service.upload(b"just words").json(415);
    assert_eq!(words["message"], "unsupported image format: unknown");
    assert_eq!(words["hint"], "send a JPEG, PNG, WebP or GIF");

    // One byte over is the store's to refuse; far more never gets there.
    let limit = Limits::default().max_bytes as usize;
    let over = service.upload(&vec![0; limit + 1]).json(413);
    assert!(
        over["hint"].as_str().expect("a hint").contains("smaller"),
        "{over}"
    );
    let far_over = service.upload(&vec![0; limit + (1 << 20)]).json(413);
    assert_eq!(far_over["message"], "Request payload is too large");
    for answer in [over, far_over] {
        assert_eq!(answer["error"], "limit_exceeded");
    }

    std::fs::write(service.directory.path().join("secret.jpg"), "secret").expect("written");
    for key in [
        "../secret.jpg",
        "components/../../secret.jpg",
        "components/..%2f..%2fsecret.jpg",
    ] {
        let refused = service.send("DELETE", &format!("/images/{key}")).json(400);
        assert_eq!(refused["error"], "invalid_key", "{refused}");
    }
    assert!(service.directory.path().join("secret.jpg").exists());
    assert!(stored(&service.directory).is_empty());
}

#[test]
fn the_service_finishes_a_request_under_way_when_it_is_told_to_stop() {
    let idle = Service::start();
    idle.send("GET", "/api/s3/status").json(200);
    idle.terminate();
    assert_eq!(idle.exit_code(), Some(0));

    let service = Service::start();
    let (headers, body) = form(&images::jpeg(64, 48));
    let mut stream = service.connect();
    let headers = format!("{headers}Expect: 100-continue\r\n");
    stream
        .write_all(&head("POST", "/images", &headers))
        .expect("sent");
    // Once it asks for the body, the request is under way.
    let mut asked = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut asked).expect("an answer");
    assert!(asked.starts_with(b"HTTP/1.1 100 "));
    service.terminate();
    stream.write_all(&body).expect("sent");
    Answer::read(stream).json(201);
    assert_eq!(stored(&service.directory).len(), 1);
    assert_eq!(service.exit_code(), Some(0));
}
