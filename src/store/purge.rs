//! What is not there any more, or another one now, forgotten by the CDN, too.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::ImageStore;
use crate::backend::{Backend, Deadline, MAX_PATHS, Operation, StorageError};
use crate::causes::one_line;
use crate::config::Distribution;
use crate::key::ObjectKey;
#[cfg(feature = "ops")]
use crate::key::percent_encode_path;
use crate::kind::ErrorKind;

/// The part of an operation's time that its purge may wait for its turn, and for its answer.
const PART: u32 = 3;

/// A CDN that did not take the order to forget images: until they expire there, it may serve them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PurgeFailure {
    /// The kind of the failure.
    pub kind: ErrorKind,
    /// The failure, in words.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl PurgeFailure {
    fn of(error: &StorageError) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

type Purged = Result<(), PurgeFailure>;

/// The line before the CDN. Orders that come while one is on its way go together in the next.
#[derive(Debug, Default)]
pub(super) struct Purger {
    waiting: Mutex<Vec<Order>>,
    sending: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Order {
    paths: Vec<String>,
    done: oneshot::Sender<Purged>,
}

/// Orders that are on their way. If whoever sends them is cancelled, somebody else has to.
struct Batch<'a> {
    purger: &'a Purger,
    orders: Vec<Order>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let orders = self
            .orders
            .drain(..)
            .filter(|order| !order.done.is_closed());
        self.purger.waiting().splice(0..0, orders);
    }
}

impl Purger {
    fn waiting(&self) -> MutexGuard<'_, Vec<Order>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest orders that fit into one request.
    fn batch(&self) -> Batch<'_> {
        let mut waiting = self.waiting();
        // Whoever went away has been told that it failed.
        waiting.retain(|order| !order.done.is_closed());
        let mut paths = 0;
        let fits = |order: &&Order| {
            paths += order.paths.len();
            paths <= MAX_PATHS
        };
        let count = waiting.iter().take_while(fits).count();
        Batch {
            purger: self,
            orders: waiting.drain(..count).collect(),
        }
    }

    /// Orders at most [`MAX_PATHS`] paths, together with whatever else is waiting.
    async fn order(
        &self,
        (backend, distribution): (&Backend, &Distribution),
        longest: Duration,
        paths: Vec<String>,
    ) -> Purged {
        let (done, mut outcome) = oneshot::channel();
        self.waiting().push(Order { paths, done });
        let turn = tokio::time::timeout(longest, self.sending.lock()).await;
        loop {
            // Whoever was before in line has sent it, perhaps.
            if let Ok(sent) = outcome.try_recv() {
                return sent;
            }
            if turn.is_err() {
                return Err(too_late(longest));
            }
            let mut batch = self.batch();
            let paths = batch.orders.iter().flat_map(|order| order.paths.clone());
            let paths: Vec<String> = paths.collect();
            let reference = Uuid::new_v4().to_string();
            // Those who came later have time left, too.
            let backend = backend.until(Deadline::after(longest));
            let sent = backend.invalidate(distribution, &paths, &reference).await;
            let sent = sent.map_err(|error| PurgeFailure::of(&error));
            for order in batch.orders.drain(..) {
                let _ = order.done.send(sent.clone());
            }
        }
    }
}

impl ImageStore {
    /// Returns whether there is a distribution to purge from.
    #[cfg(feature = "ops")]
    pub(crate) fn purges(&self) -> bool {
        self.distribution().is_some()
    }

    fn distribution(&self) -> Option<&Distribution> {
        let cloudfront = self.inner.config.cloudfront();
        let distribution = cloudfront?.distribution.as_ref();
        // Nothing else has credentials for it.
        distribution.filter(|_| self.inner.backend.name() == "s3")
    }

    /// The path of a key in the CDN.
    pub(crate) fn public_path(&self, key: &ObjectKey) -> String {
        self.inner.config.urls().public_path(&key.percent_encoded())
    }

    /// The paths of all images in the CDN.
    #[cfg(feature = "ops")]
    pub(crate) fn public_folder(&self) -> String {
        let all = match self.inner.prefix() {
            "" => "*".to_owned(),
            prefix => format!("{}/*", percent_encode_path(prefix)),
        };
        self.inner.config.urls().public_path(&all)
    }

    /// Has the CDN forget these images, if there is one.
    pub(super) async fn purge(
        &self,
        keys: impl IntoIterator<Item = &ObjectKey>,
    ) -> Option<PurgeFailure> {
        let public = keys.into_iter().filter(|key| !key.is_pending());
        self.purge_paths(public.map(|key| self.public_path(key)).collect())
            .await
    }

    /// Has the CDN forget these paths, if there is one. A failure is told to the log, too: what was done to the
    /// images is done.
    pub(crate) async fn purge_paths(&self, paths: Vec<String>) -> Option<PurgeFailure> {
        let distribution = self.distribution()?;
        let (inner, longest) = (&*self.inner, self.inner.config.deadline() / PART);
        for paths in paths.chunks(MAX_PATHS) {
            let to = (&inner.backend, distribution);
            let ordered = inner.purger.order(to, longest, paths.to_vec()).await;
            if let Err(failure) = ordered {
                tracing::warn!(
                    kind = %failure.kind,
                    error = %one_line(&failure.message),
                    hint = failure.hint,
                    paths = paths.len(),
                    "not purged from CloudFront"
                );
                return Some(failure);
            }
        }
        None
    }
}

fn too_late(longest: Duration) -> PurgeFailure {
    let words = format!("not done within {longest:?}");
    let error = StorageError::new(ErrorKind::Timeout, Operation::Invalidate, words);
    PurgeFailure::of(&error)
}
