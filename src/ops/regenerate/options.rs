//! Options of a regeneration.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::sign::sha256_hex;

/// Most machines that one run is split among.
const MAX_SHARDS: u32 = 1 << 20;

/// Options of a regeneration. By default it makes the configured variants that are missing, of all images.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RegenerateOptions {
    /// The variants to make; empty for the configured ones that are not lazy.
    pub variants: Vec<String>,
    /// True to make variants anew that are there. Off by default.
    pub all: bool,
    /// True to make main images anew, under the same key and in the same format, where an original was kept.
    /// Off by default.
    pub main: bool,
    /// True to remove variants whose name is no longer configured, and those whose image has them in another
    /// format by now. Off by default.
    pub prune: bool,
    /// True to prune although no variant is configured at all. Off by default.
    pub force: bool,
    /// The keys or URLs of the images; all of them by default.
    pub keys: Option<Vec<String>>,
    /// Only images under this prefix, which is the store's own or a longer one.
    pub prefix: Option<String>,
    /// Only the images of this shard.
    pub shard: Option<Shard>,
    /// True to report what would be done, and write nothing. Off by default.
    pub dry_run: bool,
    /// How many images are under way at once, 1 to 64; twice the store's
    /// [`max_decodes`](crate::ConfigBuilder::with_max_decodes) by default.
    pub concurrency: Option<usize>,
    /// Once it is set, no more images are begun.
    pub stop: Arc<AtomicBool>,
}

impl RegenerateOptions {
    /// Makes these variants alone. Lazy ones are made only if they are named.
    #[must_use]
    pub fn with_variants<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.variants = names.into_iter().map(Into::into).collect();
        self
    }

    /// Makes variants anew that are there.
    #[must_use]
    pub fn with_all(mut self, all: bool) -> Self {
        self.all = all;
        self
    }

    /// Makes main images anew, where an original was kept.
    #[must_use]
    pub fn with_main(mut self, main: bool) -> Self {
        self.main = main;
        self
    }

    /// Removes variants that are no longer configured.
    #[must_use]
    pub fn with_prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Prunes although no variant is configured at all.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Takes these images alone, by key or URL.
    #[must_use]
    pub fn with_keys<T: Into<String>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        self.keys = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Takes the images under this prefix alone.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Takes the images of this shard alone.
    #[must_use]
    pub fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Only says what would be done.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Sets how many images are under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Begins no more images once `stop` is set.
    #[must_use]
    pub fn with_stop(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }
}

/// One of several shares of the images, so that as many machines do one each and need not talk: an image is in
/// the share that a hash of its key says, on every machine and in every run.
///
/// ```
/// use lablink_storage::ops::Shard;
///
/// let shard: Shard = "2/3".parse()?; // the second of three
/// assert_eq!(shard, Shard::new(2, 3)?);
/// assert!("0/3".parse::<Shard>().is_err() && "4/3".parse::<Shard>().is_err());
/// # Ok::<(), lablink_storage::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Shard `index`, from 1 on, of `count`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` unless `1 <= index <= count`, and for more than a million shards.
    pub fn new(index: u32, count: u32) -> Result<Self, Error> {
        if (1..=count).contains(&index) && count <= MAX_SHARDS {
            Ok(Self { index, count })
        } else {
            Err(invalid())
        }
    }

    /// Returns whether the image whose key is `stem` without its extension is in this shard.
    pub(super) fn has(self, stem: &str) -> bool {
        let digest = sha256_hex(stem.as_bytes());
        let hash = u64::from_str_radix(&digest[..16], 16).unwrap_or_default();
        hash % u64::from(self.count) == u64::from(self.index - 1)
    }
}

fn invalid() -> Error {
    Error::InvalidArgument {
        name: "shard",
        reason: "give it as I/N with 1 <= I <= N, such as 2/3 for the second of three".to_owned(),
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers = text.split_once('/');
        let numbers =
            numbers.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let (index, count) = numbers.ok_or_else(invalid)?;
        Self::new(index, count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_in_one_shard_and_none_is_empty() {
        for count in [1, 2, 3, 7] {
            let shards = (1..=count).map(|index| Shard::new(index, count).expect("valid"));
            let shards: Vec<Shard> = shards.collect();
            let mut sizes = vec![0_usize; shards.len()];
            for image in 0..1000 {
                let stem = format!("components/{image}");
                let having = shards
                    .iter()
                    .enumerate()
                    .filter(|(_, shard)| shard.has(&stem));
                let having: Vec<usize> = having.map(|(at, _)| at).collect();
                assert_eq!(having.len(), 1, "{stem}");
                sizes[having[0]] += 1;
            }
            let fair = 1000 / count as usize;
            assert!(
                sizes.iter().all(|size| size.abs_diff(fair) < fair / 3),
                "{sizes:?}"
            );
        }
    }

    /// Machines of different versions work on one run.
    #[test]
    fn the_hash_is_the_same_for_ever() {
        // `printf components/a | sha256sum` begins with 307c0ada1ac7ed8f.
        for count in [3, 7] {
            let index = (0x307c_0ada_1ac7_ed8f_u64 % u64::from(count)) as u32 + 1;
            assert!(Shard::new(index, count).expect("valid").has("components/a"));
        }
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in [
            "",
            "1",
            "/",
            "0/1",
            "2/1",
            "1/0",
            "-1/2",
            "1/2/3",
            "a/b",
            "1/99999999",
        ] {
            assert!(text.parse::<Shard>().is_err(), "{text:?}");
        }
        assert_eq!("3/3".parse::<Shard>().expect("valid").to_string(), "3/3");
    }
}
