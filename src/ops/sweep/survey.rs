//! A first look at the whole store: which images are there, and whether the list of used URLs fits them.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use futures_util::StreamExt;

use super::used::fingerprint;
use super::{GONE_FOR, SweepOptions, is_apart, is_made_here, originals_prefix, own_prefix};
use crate::error::Result;
use crate::key::{PENDING, TOMBSTONE};
use crate::ops::part::Part;
use crate::store::ImageStore;

#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Objects under the prefix.
    pub(super) objects: u64,
    /// Images of which only variants or an original are there, and have been for long.
    pub(super) without_image: HashSet<u64>,
    /// Images that are older than the marker of their deletion, which did not come to its end.
    pub(super) cut_off: HashSet<u64>,
    /// Objects that a used URL names.
    named: u64,
    /// Objects that would go as orphans.
    orphans: u64,
}

impl Survey {
    pub(super) async fn of(store: &ImageStore, options: &SweepOptions) -> Result<Self> {
        let now = SystemTime::now();
        let (mut survey, mut images) = (Self::default(), HashSet::new());
        let deleted = deletions(store, options, now).await?;
        for prefix in [own_prefix(store), originals_prefix(store)] {
            let originals = prefix == originals_prefix(store);
            let mut listed = store.backend().list(&prefix);
            while let Some(info) = listed.next().await.transpose()? {
                if is_apart(&info.key) && !originals {
                    continue;
                }
                let age = now.duration_since(info.last_modified).unwrap_or_default();
                if let Some(part) = Part::of(&info.key) {
                    let image = fingerprint(part.image());
                    if part.is_main() {
                        images.insert(image);
                        // One that is younger was uploaded anew under the same id.
                        if deleted
                            .get(&image)
                            .is_some_and(|&when| info.last_modified < when)
                        {
                            survey.cut_off.insert(image);
                        }
                    } else if age >= options.older_than.max(GONE_FOR)
                        && !images.contains(&image)
                        && is_made_here(store, &info.key)
                    {
                        survey.without_image.insert(image);
                    }
                }
                if !originals {
                    survey.objects += 1;
                    if let Some(used) = &options.used {
                        let named = used.has(&info.key);
                        survey.named += u64::from(named);
                        survey.orphans += u64::from(!named && age >= options.older_than);
                    }
                }
            }
        }
        survey.without_image.retain(|image| !images.contains(image));
        Ok(survey)
    }

    /// Returns the reasons to doubt the list of used URLs: it may be cut short, of another table or of another
    /// store.
    pub(super) fn doubts(&self, options: &SweepOptions) -> Vec<String> {
        let mut doubts = Vec::new();
        let Some(used) = &options.used else {
            return doubts;
        };
        let lines = used.known + used.foreign;
        if lines == 0 {
            doubts.push("the list of used URLs is empty".to_owned());
        }
        if used.foreign > 0 {
            let shown = used.examples.iter();
            let shown: Vec<_> = shown
                .map(|(line, text)| format!("line {line}: {text:?}"))
                .collect();
            let (foreign, shown) = (used.foreign, shown.join(", "));
            doubts.push(format!(
                "{foreign} of {lines} lines of the list name no key of this store ({shown})"
            ));
        }
        if used.known > 0 && self.named == 0 && self.objects > 0 {
            let (known, objects) = (used.known, self.objects);
            doubts.push(format!(
                "none of the {known} keys of the list is among the {objects} objects of the store"
            ));
        }
        if self.orphans as f64 > options.max_share * self.objects as f64 {
            let share = options.max_share * 100.0;
            doubts.push(format!(
                "{} of {} objects would go as orphans, more than {share:.0} %",
                self.orphans, self.objects
            ));
        }
        doubts
    }
}

/// Returns the times of the deletions that did not come to their end, by their markers.
async fn deletions(
    store: &ImageStore,
    options: &SweepOptions,
    now: SystemTime,
) -> Result<HashMap<u64, SystemTime>> {
    let prefix = own_prefix(store);
    let mut deletions = HashMap::new();
    let folder = format!("{PENDING}/{prefix}");
    let mut listed = store.backend().list(folder.trim_end_matches('/'));
    while let Some(info) = listed.next().await.transpose()? {
        let age = now.duration_since(info.last_modified).unwrap_or_default();
        if let Some(image) = info.key.promoted()
            && image.tombstone(&prefix).as_ref() == Some(&info.key)
            && let Some(stem) = image.as_str().strip_suffix(TOMBSTONE)
            && age >= options.older_than
            // The others came to their end: what is there has come back since.
            && info.size > 0
        {
            let image = fingerprint(stem.trim_end_matches('.'));
            deletions.insert(image, info.last_modified);
        }
    }
    Ok(deletions)
}
