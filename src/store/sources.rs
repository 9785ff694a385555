//! Sources of time and ids, so that a test can set both.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

#[cfg(feature = "fetch")]
use crate::fetch::Network;

/// The clock, the id source and the network of a store.
#[derive(Clone)]
pub(super) struct Sources {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    id: Arc<dyn Fn() -> Uuid + Send + Sync>,
    #[cfg(feature = "fetch")]
    pub(super) network: Network,
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

    #[cfg(feature = "fetch")]
    pub(super) fn with_network(mut self, network: Network) -> Self {
        self.network = network;
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
            #[cfg(feature = "fetch")]
            network: Network::default(),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}
