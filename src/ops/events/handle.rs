//! Promotes the uploads of a notification.

use std::collections::HashSet;

use futures_util::StreamExt;
use serde::Serialize;

use super::parse::{InvalidEvent, Notice, parse_event};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::store::{ImageStore, StoredImage};

/// Uploads of one notification that are promoted at once. Decodes have a bound of their own.
const CONCURRENCY: usize = 4;

/// The outcome for one object of a notification.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventOutcome {
    /// A pending upload was verified, optimized and published.
    #[non_exhaustive]
    Promoted {
        /// The pending key.
        key: ObjectKey,
        /// The stored image.
        image: Box<StoredImage>,
    },
    /// Nothing was to be done.
    #[non_exhaustive]
    Skipped {
        /// The key, where the notification names one.
        key: Option<String>,
        /// The reason.
        reason: String,
    },
    /// The upload is not an acceptable image, or the store's inspector rejected it, and the next time would bring the
    /// same: it stays pending until it expires.
    #[non_exhaustive]
    Refused {
        /// The pending key.
        key: ObjectKey,
        /// The kind of the refusal.
        kind: ErrorKind,
        /// The problem.
        reason: String,
    },
    /// It could not be promoted now. The notification should come again.
    #[non_exhaustive]
    Failed {
        /// The pending key.
        key: ObjectKey,
        /// The kind of the failure.
        kind: ErrorKind,
        /// The error.
        reason: String,
        /// The remedy.
        hint: Option<String>,
    },
}

/// The outcome of a notification.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventReport {
    /// One outcome for each of its objects, in its order.
    pub outcomes: Vec<EventOutcome>,
}

impl EventReport {
    /// Returns whether the notification is dealt with and need not come again.
    pub fn is_done(&self) -> bool {
        let failed = |outcome: &EventOutcome| matches!(outcome, EventOutcome::Failed { .. });
        !self.outcomes.iter().any(failed)
    }
}

/// Promotes the pending uploads named in an S3 event notification: bare, or wrapped by SNS, SQS or
/// both.
///
/// Handling the same notification again does no harm. Nothing in it is trusted: what is not a pending key
/// of this store's own bucket and prefix is skipped with a reason, and no URL is ever fetched.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lablink_storage::ImageStore;
/// use lablink_storage::ops::handle_event;
///
/// let store = ImageStore::builder().memory().build()?;
/// let report = handle_event(&store, br#"{"Records": []}"#).await?;
/// assert!(report.is_done() && report.outcomes.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`InvalidEvent`] for a document that is not a notification; nothing is done then.
pub async fn handle_event(
    store: &ImageStore,
    document: &[u8],
) -> Result<EventReport, InvalidEvent> {
    let notices = parse_event(document)?;
    let mut seen = HashSet::new();
    let plans: Vec<Plan> = notices
        .into_iter()
        .map(|notice| plan(store, notice, &mut seen))
        .collect();
    let outcomes = futures_util::stream::iter(plans)
        .map(|plan| async move {
            match plan {
                Plan::Promote(key) => promote(store, key).await,
                Plan::Skip(outcome) => outcome,
            }
        })
        .buffered(CONCURRENCY)
        .collect()
        .await;
    Ok(EventReport { outcomes })
}

enum Plan {
    Promote(ObjectKey),
    Skip(EventOutcome),
}

fn plan(store: &ImageStore, notice: Notice, seen: &mut HashSet<ObjectKey>) -> Plan {
    let skip =
        |key: Option<String>, reason: String| Plan::Skip(EventOutcome::Skipped { key, reason });
    let event = match notice {
        Notice::Other(what) => return skip(None, what),
        Notice::Object(event) => event,
    };
    let key = Some(event.key.clone());
    if !event.name.starts_with("ObjectCreated:") {
        return skip(key, format!("{} is not about a new object", event.name));
    }
    match store.config().s3() {
        Some(s3) if s3.bucket() == event.bucket => {}
        Some(s3) => {
            let reason = format!("it is in bucket {}, not in {}", event.bucket, s3.bucket());
            return skip(key, reason);
        }
        None if store.backend().name() == "custom" => {}
        None => return skip(key, "this store is not a bucket".to_owned()),
    }
    let parsed = match ObjectKey::parse(event.key) {
        Ok(parsed) => parsed,
        Err(error) => return skip(key, error.reason.to_owned()),
    };
    if !parsed.is_pending() {
        return skip(key, "it is not a pending upload".to_owned());
    }
    let prefix = store.config().prefix();
    let under = format!("{}/{prefix}", crate::key::PENDING);
    if !parsed.is_under(under.trim_end_matches('/')) || parsed.uuid().is_none() {
        return skip(key, "it is not a pending upload of this store".to_owned());
    }
    if !seen.insert(parsed.clone()) {
        return skip(key, "the same notification names it twice".to_owned());
    }
    Plan::Promote(parsed)
}

async fn promote(store: &ImageStore, key: ObjectKey) -> EventOutcome {
    let error = match store.promote(&key).await {
        Ok(image) => {
            return EventOutcome::Promoted {
                key,
                image: Box::new(image),
            };
        }
        Err(error) => error,
    };
    let kind = error.kind();
    let reason = error.to_string();
    match kind {
        ErrorKind::NotFound => EventOutcome::Skipped {
            key: Some(key.to_string()),
            reason: "it is promoted already, or expired".to_owned(),
        },
        ErrorKind::InvalidKey => EventOutcome::Skipped {
            key: Some(key.to_string()),
            reason: "it is not a key of an upload".to_owned(),
        },
        ErrorKind::InvalidImage
        | ErrorKind::UnsupportedFormat
        | ErrorKind::LimitExceeded
        | ErrorKind::Rejected => EventOutcome::Refused { key, kind, reason },
        _ => EventOutcome::Failed {
            key,
            kind,
            reason,
            hint: error.hint(),
        },
    }
}
