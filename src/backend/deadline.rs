//! The deadline of an operation, and of several that make one, with the record of how each ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use object_store::Error;

use super::Backend;
use super::call::Call;
use super::classify::Context;
use super::error::{Operation, StorageError};
use crate::key::ObjectKey;

pub(super) type Outcome<T> = Result<T, StorageError>;

tokio::task_local! {
    /// When what a caller asked for has to be over, of which an operation is one step.
    static END: Instant;
}

impl Backend {
    pub(super) fn context<'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a ObjectKey>,
    ) -> Context<'a> {
        Context {
            operation,
            key,
            backend: self,
            deadline: self.inner.deadline,
        }
    }

    /// Runs several operations within one deadline: each has what those before it left.
    pub(crate) async fn within<T>(&self, operations: impl Future<Output = T>) -> T {
        let end = END.try_with(|&end| end);
        let own = Instant::now() + self.inner.deadline;
        END.scope(end.map_or(own, |end| end.min(own)), operations)
            .await
    }

    /// Runs one operation within its deadline, and puts what went wrong into words.
    pub(super) async fn bounded<T>(
        &self,
        call: &Arc<Call>,
        context: Context<'_>,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Outcome<T> {
        let started = Instant::now();
        let left = END.try_with(|end| end.saturating_duration_since(started));
        let deadline = left.map_or(context.deadline, |left| left.min(context.deadline));
        let outcome = tokio::time::timeout(deadline, call.scope(operation)).await;
        let outcome = outcome.map_or_else(
            |_| Err(context.timed_out(call)),
            |outcome| outcome.map_err(|error| context.failed(call, error)),
        );
        let code = outcome.as_ref().err().map(StorageError::code);
        if matches!(code, None | Some(Some("NoSuchKey"))) {
            self.inner.answered.store(true, Ordering::Relaxed);
        }
        // Of a listing, what is no page is the next object of one.
        if context.operation != Operation::List || call.tries() > 0 || outcome.is_err() {
            tracing::debug!(
                operation = context.operation.as_str(),
                key = context.key.map(ObjectKey::as_str),
                bytes = call.bytes(),
                tries = call.tries(),
                elapsed = ?started.elapsed(),
                error = outcome.as_ref().err().map(tracing::field::display),
            );
        }
        outcome
    }
}
