//! Runs the binary with an environment of its own.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::s3::{Handle, Keys, Server};

/// A working directory and the variables that a command sees.
pub struct Shell {
    directory: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Done {
    /// Stdout as the one JSON document that it is.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_lablink-storage");

impl Shell {
    /// Local files under `./uploads`.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self {
            directory,
            vars: Vec::new(),
        }
    }

    /// A bucket, with the keys of `keys`.
    pub fn s3(server: &Server, bucket: &str, keys: &Keys) -> Self {
        Self::new()
            .with("AWS_S3_BUCKET", bucket)
            .with("AWS_ENDPOINT_URL_S3", &server.endpoint)
            .with("AWS_REGION", &server.region)
            .with("AWS_ACCESS_KEY_ID", &keys.access)
            .with("AWS_SECRET_ACCESS_KEY", &keys.secret)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(&path, bytes).expect("written");
        path
    }

    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        // Debian's AWS CLI is version 2; another may stand before it.
        let path = format!("/usr/bin:{}", std::env::var("PATH").expect("PATH"));
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.directory.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.vars.iter().cloned())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(BINARY);
        command.args(args);
        finish(command, b"")
    }

    pub fn run_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Done {
        let mut command = self.command(BINARY);
        command.args(args).stdin(Stdio::piped());
        finish(command, stdin)
    }
}

/// Starts the binary and kills it at the given time, which has to come before it ends. It stands still while
/// `is_time` looks: on a busy machine that may take longer than all that is left to do.
pub async fn killed(shell: &Shell, args: &[&str], is_time: impl AsyncFn() -> bool) {
    let mut child = shell
        .command(BINARY)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let pid = child.id().to_string();
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, pid.as_str()]).status();
        assert!(sent.expect("kill").success(), "{signal}");
    };
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let running = child.try_wait().expect("a child").is_none();
        assert!(running, "it ended before it was killed");
        send("-STOP");
        if is_time().await {
            break;
        }
        send("-CONT");
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Runs the binary where `./small` is a file system of its own with `kib` KiB, of which `full` says whether
/// they are taken. What is left there afterwards: names and sizes. `None`, with one line that says so, where
/// nothing can be mounted.
pub fn on_a_small_disk(
    shell: &Shell,
    kib: u32,
    full: bool,
    args: &[&str],
) -> Option<(Done, String)> {
    std::fs::create_dir_all(shell.path("small")).expect("made");
    let mount = format!("mount -t tmpfs -o size={kib}k small small");
    let fill = if full {
        "cat /dev/zero > small/fill 2> /dev/null;"
    } else {
        ""
    };
    let look = "find small -type f ! -name fill -printf '%P %s\\n' > left;";
    let done = mounted(shell, &mount, fill, look, args)?;
    let left = std::fs::read_to_string(shell.path("left")).expect("listed");
    Some((done, left))
}

/// Runs the binary after a mount that nobody else sees, between two pieces of shell. `None`, with one line
/// that says so, where nothing can be mounted.
pub fn mounted(
    shell: &Shell,
    mount: &str,
    before: &str,
    after: &str,
    args: &[&str],
) -> Option<Done> {
    let mut command = shell.command("unshare");
    // Only root may do without a user namespace of its own.
    if !std::fs::metadata("/proc/self").is_ok_and(|own| MetadataExt::uid(&own) == 0) {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c"])
        .arg(format!(
            "{mount} || exit 77; {before} \"$0\" \"$@\"; code=$?; {after} exit $code"
        ))
        .arg(BINARY)
        .args(args);
    let done = finish(command, b"");
    if done.code == 77 {
        println!("skipped: nothing can be mounted here");
        return None;
    }
    Some(done)
}

pub fn finish(mut command: Command, stdin: &[u8]) -> Done {
    let began = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    if let Some(mut input) = child.stdin.take() {
        // A command may refuse before it reads.
        let _ = input.write_all(stdin);
    }
    let output = child.wait_with_output().expect("it ends");
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: began.elapsed(),
    }
}

/// A bucket that a command made, to look into and to remove.
pub async fn remove(server: &Server, bucket: &str) {
    let handle = Handle {
        server: server.clone(),
        name: bucket.to_owned(),
    };
    for key in handle.keys().await {
        handle.send("DELETE", &format!("/{key}"), "").await;
    }
    handle.send("DELETE", "", "").await;
}

/// The form of `presign post --json` with a file, as a browser sends it: the content type and the body.
pub fn multipart(form: &Value, file: &[u8]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for field in form["fields"].as_array().expect("fields") {
        let (name, value) = (
            field[0].as_str().expect("a name"),
            field[1].as_str().expect("a value"),
        );
        body.extend(
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .into_bytes(),
        );
    }
    body.extend(b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"board.png\"\r\nContent-Type: image/png\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--XX--\r\n");
    ("multipart/form-data; boundary=XX".to_owned(), body)
}
