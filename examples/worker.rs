//! Promotes direct uploads as they are announced: the worker behind a queue of any kind.
//!
//! ```text
//! echo pending/components/….jpg | cargo run --release --example worker
//! ```
//!
//! Each line of stdin is a pending key, and each is answered with one line on stdout, which says what the
//! queue's consumer does with its message:
//!
//! ```text
//! stored KEY URL      acknowledge it: the image is there
//! gone KEY            acknowledge it: promoted by an earlier delivery, or deleted
//! refused KEY REASON  acknowledge it: another try would end the same
//! again KEY REASON    leave it in the queue, to be delivered again
//! ```
//!
//! A message may be delivered twice, to two workers at once too: one image comes of it. The store is the
//! environment's. SIGTERM and Ctrl-C let the promotions under way finish; the keys not read stay with the
//! consumer. The exit code is 1 where a key is to be delivered again.

use std::io::BufRead;
use std::pin::pin;
use std::process::ExitCode;

use lablink_storage::{Error, ErrorKind, ImageStore, ObjectKey};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Promotions at once; the store's own limit on decodes bounds their memory.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match ImageStore::from_env() {
        Ok(store) => work(store).await,
        Err(error) => {
            eprintln!("{}", reason(&error));
            return ExitCode::FAILURE;
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Promotes what stdin names until it ends or a signal comes; false where a key has to come again.
async fn work(store: ImageStore) -> std::io::Result<bool> {
    let mut stop = pin!(stop_signal()?);
    let mut keys = lines_of_stdin();
    let mut jobs = JoinSet::new();
    let mut all_settled = true;
    let mut settle = |outcome: Result<bool, _>| all_settled &= outcome.unwrap_or(false);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(outcome) = jobs.join_next() => settle(outcome),
            key = keys.recv(), if jobs.len() < AT_ONCE => match key {
                Some(key) => drop(jobs.spawn(promote(store.clone(), key))),
                None => break,
            },
        }
    }
    while let Some(outcome) = jobs.join_next().await {
        settle(outcome);
    }
    Ok(all_settled)
}

/// Promotes one upload and prints what became of it; false where it has to come again.
async fn promote(store: ImageStore, key: String) -> bool {
    let promoted = match ObjectKey::parse(&key) {
        Ok(parsed) => store.promote(&parsed).await,
        Err(error) => Err(error.into()),
    };
    match promoted {
        Ok(image) => println!("stored {key} {}", image.url),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => println!("gone {key}"),
            ErrorKind::InvalidKey
            | ErrorKind::InvalidImage
            | ErrorKind::UnsupportedFormat
            | ErrorKind::LimitExceeded
            | ErrorKind::AlreadyExists => println!("refused {key} {}", reason(&error)),
            _ => {
                println!("again {key} {}", reason(&error));
                return false;
            }
        },
    }
    true
}

fn reason(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Lines as they come, from a thread of its own: a signal need not wait for the next one.
fn lines_of_stdin() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for line in lines.map_while(Result::ok) {
            let key = line.trim();
            if !key.is_empty() && sender.blocking_send(key.to_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Ctrl-C, or what a service manager sends, heard from now on.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
