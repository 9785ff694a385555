//! Options of a sweep.

use std::time::Duration;

use super::UsedUrls;

/// Options of a sweep.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Age from which something counts as left behind. A day by default.
    pub older_than: Duration,
    /// The URLs that are still used; without them nothing counts as an orphan.
    pub used: Option<UsedUrls>,
    /// True to remove what was found. Off by default.
    pub delete: bool,
    /// True to remove although the list of used URLs is doubtful. Off by default.
    pub force: bool,
    /// The share of the store's objects, from 0 to 1, beyond which orphans put the list in doubt. A tenth by
    /// default.
    pub max_share: f64,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            older_than: Duration::from_secs(86_400),
            used: None,
            delete: false,
            force: false,
            max_share: 0.1,
        }
    }
}

impl SweepOptions {
    /// Sets the age from which something counts as left behind.
    #[must_use]
    pub fn with_older_than(mut self, age: Duration) -> Self {
        self.older_than = age;
        self
    }

    /// Looks for orphans too: images that are not among these.
    #[must_use]
    pub fn with_used(mut self, used: UsedUrls) -> Self {
        self.used = Some(used);
        self
    }

    /// Removes what is found.
    #[must_use]
    pub fn with_delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Removes although the list of used URLs is in doubt.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets the share of the store beyond which orphans put the list in doubt.
    #[must_use]
    pub fn with_max_share(mut self, share: f64) -> Self {
        self.max_share = share;
        self
    }
}
