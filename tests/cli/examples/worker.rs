//! The worker: it settles what browsers have sent.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use lablink_storage::{ImageStore, PresignPostOptions};
use tempfile::TempDir;

use super::{directory, example, exit_code, photo, stored, terminate};
use crate::common::images;

/// What signs direct uploads to a store of local files.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Sends a file as the browser would, and returns its pending key.
async fn uploaded(directory: &TempDir, file: Vec<u8>) -> String {
    let store = ImageStore::builder()
        .local(directory.path().join("uploads"))
        .with_secret(SECRET)
        .build()
        .expect("a store");
    let options = PresignPostOptions::default();
    let post = store.presigned_post("photo.jpg", options).await;
    let post = post.expect("a form");
    let key = post.key.to_string();
    store.receive_post(post.fields, file).await.expect("taken");
    key
}

fn worker(directory: &TempDir, environment: &[(&str, &str)]) -> Child {
    example("worker", directory.path())
        .env("LABLINK_STORAGE_SECRET", SECRET)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// The exit code, and what a worker said of each key.
fn settled(mut worker: Child, keys: &str) -> (Option<i32>, Vec<String>) {
    let mut input = worker.stdin.take().expect("piped");
    input.write_all(keys.as_bytes()).expect("read");
    drop(input);
    let output = worker.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    let lines = said.lines().map(str::to_owned).collect();
    (output.status.code(), lines)
}

#[tokio::test]
async fn the_worker_settles_what_it_can_and_leaves_the_rest() {
    let directory = directory();
    let photo = uploaded(&directory, photo()).await;
    let small = uploaded(&directory, images::jpeg(64, 48)).await;
    let cut = uploaded(&directory, images::jpeg(64, 48)[..300].to_vec()).await;
    let (code, lines) = settled(
        worker(&directory, &[]),
        &format!("{photo}\n{small}\n{cut}\nnot-pending.jpg\n"),
    );
    assert_eq!(code, Some(0), "{lines:?}");
    let promised = |key: &str| format!("stored {key} /uploads/{}", &key["pending/".len()..]);
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in [promised(&photo), promised(&small)] {
        assert!(lines.contains(&line), "{lines:?}");
    }
    for refused in [format!("refused {cut} "), "refused not-pending.jpg ".into()] {
        assert!(
            lines.iter().any(|line| line.starts_with(&refused)),
            "{lines:?}"
        );
    }
    assert_eq!(stored(&directory).len(), 2);

    // A second delivery changes nothing.
    assert_eq!(
        settled(worker(&directory, &[]), &photo),
        (Some(0), vec![format!("gone {photo}")])
    );
    assert_eq!(stored(&directory).len(), 2);
}

#[test]
fn the_worker_leaves_in_the_queue_what_the_store_cannot_do_now() {
    let directory = directory();
    let unreachable = [
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("LABLINK_STORAGE_DEADLINE", "1"),
    ];
    let key = "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
    let (code, lines) = settled(worker(&directory, &unreachable), key);
    assert_eq!(code, Some(1), "{lines:?}");
    let again = lines[0].starts_with(&format!("again {key} "));
    assert!(again && lines.len() == 1, "{lines:?}");
}

#[tokio::test]
async fn the_worker_ends_at_a_signal_though_its_queue_is_open() {
    let directory = directory();
    let small = uploaded(&directory, images::jpeg(64, 48)).await;
    let mut worker = worker(&directory, &[]);
    let mut input = worker.stdin.take().expect("piped");
    writeln!(input, "{small}").expect("read");
    let mut line = String::new();
    let mut output = BufReader::new(worker.stdout.take().expect("piped"));
    output.read_line(&mut line).expect("text");
    assert!(line.starts_with("stored "), "{line}");
    terminate(worker.id());
    assert_eq!(exit_code(&mut worker), Some(0));
    drop(input);
}
