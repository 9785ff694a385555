//! Sources of time and ids, so that a test can set both.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

/// The clock and the id source of a store.
#[derive(Clone)]
pub(super) struct Sources {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    id: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

impl Sources {
    pub(super) fn with_clock(
        mut self,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        self.now = Arc::new(now);
        self
    }

    pub(super) fn with_ids(mut self, id: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        self.id = Arc::new(id);
        self
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.now)()
    }

    pub(super) fn new_id(&self) -> Uuid {
        (self.id)()
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            now: Arc::new(SystemTime::now),
            id: Arc::new(Uuid::new_v4),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}
