//! What nobody uses any more: pending uploads that were never promoted, leftovers of crashes, and images
//! that the database no longer names.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::BufRead;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::store::{ImageStore, SweptObject};
use crate::variant::variant_parent;

/// Longest line of a list of used URLs; what is longer is no URL of a store.
const MAX_LINE: usize = 8 << 10;

/// How many removals are under way at once.
const CONCURRENCY: usize = 8;

/// The URLs that are still used, as a database gives them.
///
/// Only fingerprints of the keys are kept, 8 bytes for each. Should two keys ever share one, an orphan
/// stays; nothing that is used can be taken for an orphan.
#[derive(Debug, Clone, Default)]
pub struct UsedUrls {
    prints: HashSet<u64>,
    /// Lines that lead into the store.
    pub known: u64,
    /// Lines that lead elsewhere.
    pub foreign: u64,
}

impl UsedUrls {
    /// Reads one URL or key a line. Empty lines are passed over.
    ///
    /// ```
    /// use lablink_storage::ImageStore;
    /// use lablink_storage::ops::UsedUrls;
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// let list = "memory://lablink/components/a.jpg\ncomponents/b.jpg\nhttps://example.com/c.jpg\n";
    /// let used = UsedUrls::read(&store, list.as_bytes())?;
    /// assert_eq!((used.known, used.foreign), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The reader's.
    pub fn read(store: &ImageStore, mut lines: impl BufRead) -> std::io::Result<Self> {
        let mut used = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut lines, MAX_LINE as u64 + 1);
            if limited.read_until(b'\n', &mut line)? == 0 {
                return Ok(used);
            }
            if line.len() > MAX_LINE {
                used.foreign += 1;
                skip_line(&mut lines)?;
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '"');
            if !text.is_empty() {
                used.add(store, text);
            }
        }
    }

    /// Adds one URL or key.
    pub fn add(&mut self, store: &ImageStore, url: &str) {
        match store.resolve(url) {
            Ok(key) if key.is_under(store.config().prefix()) => {
                self.known += 1;
                if let Some((parent, _)) = variant_parent(&key) {
                    self.prints.insert(fingerprint(&parent));
                }
                self.prints.insert(fingerprint(&key));
            }
            _ => self.foreign += 1,
        }
    }

    fn has(&self, key: &ObjectKey) -> bool {
        let parent = variant_parent(key).map(|(parent, _)| parent);
        self.prints.contains(&fingerprint(key))
            || parent.is_some_and(|parent| self.prints.contains(&fingerprint(&parent)))
    }
}

fn skip_line(lines: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffered = lines.fill_buf()?;
        if buffered.is_empty() {
            return Ok(());
        }
        let end = buffered.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(buffered.len(), |at| at + 1);
        lines.consume(length);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// The same in one process, which is all that is needed.
fn fingerprint(key: &ObjectKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// What to look for, and whether to remove it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Age from which something counts as left behind. A day by default.
    pub older_than: Duration,
    /// The URLs that are still used; without them nothing counts as an orphan.
    pub used: Option<UsedUrls>,
    /// Whether to remove what was found. Off by default.
    pub delete: bool,
    /// The share of the store's objects, from 0 to 1, up to which orphans are removed. A tenth by default.
    pub max_share: f64,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            older_than: Duration::from_secs(86_400),
            used: None,
            delete: false,
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

    /// Sets the share of the store up to which orphans are removed.
    #[must_use]
    pub fn with_max_share(mut self, share: f64) -> Self {
        self.max_share = share;
        self
    }
}

/// What was found, and what was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sweep {
    /// Pending uploads that nobody promoted in time.
    pub pending: Vec<SweptObject>,
    /// Unfinished writes of the local backend.
    pub staging_files: usize,
    /// Images, and their variants, that are used by nobody.
    pub orphans: Vec<SweptObject>,
    /// Objects under the store's prefix that were looked at for orphans.
    pub looked_at: u64,
    /// Objects that were removed; none unless removal was asked for.
    pub removed: usize,
    /// What could not be removed, and why.
    pub failures: Vec<(ObjectKey, String)>,
    /// Lines of the list of used URLs that lead into another store, or nowhere.
    pub foreign_urls: u64,
}

/// Finds what nobody uses any more, and removes it if the options say so.
///
/// Orphans are images older than [`older_than`](SweepOptions::older_than), so that an upload whose row is
/// just being written is none.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::ImageStore;
/// use lablink_storage::ops::{SweepOptions, sweep};
///
/// let store = ImageStore::builder().memory().build()?;
/// let found = sweep(&store, &SweepOptions::default()).await?;
/// assert!(found.pending.is_empty() && found.removed == 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `InvalidArgument`, with nothing removed, where the used URLs are a list for another store or the
/// orphans are more than the share that may go; and the kinds of the backend, where a listing fails.
pub async fn sweep(store: &ImageStore, options: &SweepOptions) -> Result<Sweep> {
    let mut found = Sweep::default();
    if let Some(used) = &options.used {
        found.foreign_urls = used.foreign;
        if used.known == 0 && used.foreign > 0 {
            return Err(refused(format!(
                "none of the {} used URLs leads into this store",
                used.foreign
            )));
        }
        find_orphans(store, options.older_than, used, &mut found).await?;
        check_share(&found, options)?;
    }
    let swept = store.sweep(options.older_than, !options.delete).await?;
    found.pending = swept.found;
    found.staging_files = swept.staging_files;
    found.removed = swept.removed;
    found.failures = swept.failures;
    if options.delete {
        remove_orphans(store, &mut found).await;
    }
    Ok(found)
}

fn refused(reason: String) -> Error {
    Error::InvalidArgument {
        name: "used",
        reason,
    }
}

async fn find_orphans(
    store: &ImageStore,
    older_than: Duration,
    used: &UsedUrls,
    found: &mut Sweep,
) -> Result<()> {
    let before = SystemTime::now().checked_sub(older_than);
    let mut listed = store.list(None);
    while let Some(info) = listed.next().await.transpose()? {
        found.looked_at += 1;
        let old = before.is_some_and(|before| info.last_modified <= before);
        if old && !used.has(&info.key) {
            found.orphans.push(SweptObject {
                key: info.key,
                size: info.size,
            });
        }
    }
    Ok(())
}

/// A list that is cut short, or of another table, would empty the store.
fn check_share(found: &Sweep, options: &SweepOptions) -> Result<()> {
    let orphans = found.orphans.len();
    if options.delete && orphans as f64 > options.max_share * found.looked_at as f64 {
        return Err(refused(format!(
            "{orphans} of {} objects would be removed as orphans, more than {:.0} %: nothing was removed",
            found.looked_at,
            options.max_share * 100.0
        )));
    }
    Ok(())
}

async fn remove_orphans(store: &ImageStore, found: &mut Sweep) {
    let removals = found.orphans.iter().map(|orphan| {
        let key = orphan.key.clone();
        async move {
            // A variant goes on its own: its image may be long gone.
            let removed = store.backend().delete(&key).await;
            (key, removed)
        }
    });
    let outcomes: Vec<_> = futures_util::stream::iter(removals)
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    for (key, removed) in outcomes {
        match removed {
            Ok(()) => found.removed += 1,
            Err(error) => found.failures.push((key, Error::from(error).to_string())),
        }
    }
}
