//! CPU work off the async threads, with a bound on how much of it runs at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Lets a fixed number of decodes run at once; further callers wait their turn for a bounded time.
///
/// What an image needs in memory is bounded by its limits, so the memory of all of them together is
/// bounded by configuration and not by the number of callers.
#[derive(Debug, Clone)]
pub(super) struct WorkPool {
    turns: Arc<Semaphore>,
    size: usize,
    wait: Duration,
}

impl WorkPool {
    pub(super) fn new(size: usize, wait: Duration) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(size)),
            size,
            wait,
        }
    }

    /// Runs `work` on a blocking thread once it is its turn.
    ///
    /// A caller that goes away while its work runs does not free its turn: the turn ends with the work,
    /// because until then its memory is in use.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let turn = tokio::time::timeout(self.wait, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Error::Busy {
                running: self.size,
                waited: self.wait,
            })?
            .map_err(|_| Error::internal("the work pool was closed"))?;
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            span.in_scope(work)
        })
        .await
        .map_err(|failure| {
            // The message of a panic may quote what it was working on: it goes to the log only.
            tracing::error!(panicked = failure.is_panic(), "image work did not finish");
            Error::internal("image work did not finish")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn never_more_than_its_size_at_once() {
        let pool = WorkPool::new(2, Duration::from_secs(30));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (pool, running, most) = (pool.clone(), running.clone(), most.clone());
                tokio::spawn(async move {
                    pool.run(move || {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(5));
                        running.fetch_sub(1, Ordering::SeqCst);
                    })
                    .await
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("joined").expect("ran");
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_caller_that_waits_too_long_is_told_to_try_again() {
        let pool = WorkPool::new(1, Duration::from_millis(20));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).ok();
                    held.recv().ok();
                })
                .await
            }
        });
        running.await.expect("started");
        let error = pool.run(|| ()).await.expect_err("no turn");
        assert_eq!(error.kind(), crate::ErrorKind::Unavailable);
        assert!(error.is_retryable());
        release.send(()).expect("the first still runs");
        first.await.expect("joined").expect("ran");
        pool.run(|| ()).await.expect("its turn now");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_keeps_its_turn_until_the_work_ends() {
        let pool = WorkPool::new(1, Duration::from_millis(20));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let caller = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).ok();
                    held.recv().ok();
                })
                .await
            }
        });
        running.await.expect("started");
        caller.abort();
        assert!(caller.await.expect_err("aborted").is_cancelled());
        assert!(pool.run(|| ()).await.is_err(), "its memory is still in use");
        release.send(()).expect("it still runs");
    }
}
