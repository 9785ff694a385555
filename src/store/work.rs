//! CPU work off the async threads, with a bound on how much of it runs at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::{Semaphore, oneshot};

use crate::error::{Error, Result};

/// Lets a fixed number of decodes run at once; further callers wait their turn for a bounded time.
///
/// The limits bound the memory of one image, so the memory of all of them together is bounded by configuration
/// and not by the number of callers. The threads are the pool's own, and the one that was busy last is taken
/// first: allocators keep memory for each thread, and one image after another finds that of the image before.
#[derive(Debug, Clone)]
pub(super) struct WorkPool {
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Lane>>>,
    size: usize,
    wait: Duration,
}

/// A thread that waits for jobs; it ends when nobody can send it one any more.
#[derive(Debug, Clone)]
struct Lane(mpsc::Sender<(Job, Lane)>);

/// Is given the lane that it runs in, to put it back in line.
type Job = Box<dyn FnOnce(Lane) + Send>;

impl Lane {
    fn open() -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<(Job, Self)>();
        thread::Builder::new()
            .name("lablink-images".to_owned())
            .spawn(move || jobs.into_iter().for_each(|(job, lane)| job(lane)))?;
        Ok(Self(sender))
    }

    fn start(self, job: Job) -> Result<()> {
        let lane = self.clone();
        self.0
            .send((job, lane))
            .map_err(|_| Error::internal("an image thread has ended"))
    }
}

impl WorkPool {
    pub(super) fn new(size: usize, wait: Duration) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(size)),
            idle: Arc::default(),
            size,
            wait,
        }
    }

    /// Runs `work` on a thread of its own once it is its turn.
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
        let idle = Arc::clone(&self.idle);
        let span = tracing::Span::current();
        let (answer, answered) = oneshot::channel();
        self.lane()?.start(Box::new(move |lane| {
            let outcome = catch_unwind(AssertUnwindSafe(|| span.in_scope(work)));
            // In line again before anyone can know: the next caller is to find this thread.
            lock(&idle).push(lane);
            drop(turn);
            answer.send(outcome).ok();
        }))?;
        answered
            .await
            .ok()
            .and_then(|outcome| outcome.ok())
            .ok_or_else(|| {
                // The message of a panic may quote what it was working on: it goes to stderr only.
                tracing::error!("image work did not finish");
                Error::internal("image work did not finish")
            })
    }

    fn lane(&self) -> Result<Lane> {
        if let Some(lane) = lock(&self.idle).pop() {
            return Ok(lane);
        }
        Lane::open().map_err(|_| Error::internal("no thread can be started for image work"))
    }
}

fn lock(idle: &Mutex<Vec<Lane>>) -> std::sync::MutexGuard<'_, Vec<Lane>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinHandle;

    use crate::kind::ErrorKind;

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
    async fn one_image_after_another_is_one_threads_work() {
        let pool = WorkPool::new(4, Duration::from_secs(30));
        let mut threads = std::collections::HashSet::new();
        for _ in 0..200 {
            threads.insert(pool.run(|| thread::current().id()).await.expect("ran"));
        }
        assert_eq!(threads.len(), 1);
    }

    #[tokio::test]
    async fn a_panic_ends_neither_the_thread_nor_the_turn() {
        let pool = WorkPool::new(1, Duration::from_secs(30));
        let first = pool.run(|| thread::current().id()).await.expect("ran");
        let error = pool.run(|| panic!("on purpose")).await.map(|(): ()| ());
        assert_eq!(error.expect_err("a panic").kind(), ErrorKind::Internal);
        let after = pool.run(|| thread::current().id()).await.expect("ran");
        assert_eq!(after, first);
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        struct OnEnd(mpsc::Sender<()>);
        impl Drop for OnEnd {
            fn drop(&mut self) {
                self.0.send(()).ok();
            }
        }
        thread_local!(static HELD: std::cell::RefCell<Option<OnEnd>> = const { std::cell::RefCell::new(None) });

        let (ended, end) = mpsc::channel();
        let pool = WorkPool::new(1, Duration::from_secs(30));
        pool.run(|| HELD.set(Some(OnEnd(ended))))
            .await
            .expect("ran");
        assert!(end.try_recv().is_err());
        drop(pool);
        end.recv_timeout(Duration::from_secs(30)).expect("it ends");
    }

    /// A caller whose work runs until it is released.
    async fn busy(pool: &WorkPool) -> (JoinHandle<Result<()>>, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel();
        let (started, running) = oneshot::channel();
        let pool = pool.clone();
        let work = move || {
            started.send(()).ok();
            held.recv().ok();
        };
        let caller = tokio::spawn(async move { pool.run(work).await });
        running.await.expect("started");
        (caller, release)
    }

    #[tokio::test]
    async fn a_caller_that_waits_too_long_is_told_to_try_again() {
        let pool = WorkPool::new(1, Duration::from_millis(20));
        let (first, release) = busy(&pool).await;
        let error = pool.run(|| ()).await.expect_err("no turn");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable());
        release.send(()).expect("the first still runs");
        first.await.expect("joined").expect("ran");
        pool.run(|| ()).await.expect("its turn now");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_keeps_its_turn_until_the_work_ends() {
        let pool = WorkPool::new(1, Duration::from_millis(20));
        let (caller, release) = busy(&pool).await;
        caller.abort();
        assert!(caller.await.expect_err("aborted").is_cancelled());
        assert!(pool.run(|| ()).await.is_err(), "its memory is still in use");
        release.send(()).expect("it still runs");
    }
}
