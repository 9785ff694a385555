//! One image: what it lacks, made; what it has too much, removed.

use tokio::sync::Semaphore;

use super::images::{Found, Image};
use super::options::RegenerateOptions;
use super::report::Regenerated;
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::store::{ImageStore, Remake, Remaking};
use crate::variant::{Variant, image_beside, variant_name};

/// How often an image waits for others of the process that decode before it counts as failed.
const PATIENCE: usize = 30;

pub(super) struct Worker<'a> {
    pub(super) store: &'a ImageStore,
    pub(super) options: &'a RegenerateOptions,
    pub(super) variants: Vec<Variant>,
    /// No more of its own images wait for a turn to decode than get one at once.
    pub(super) turns: Semaphore,
}

impl Worker<'_> {
    /// Returns what was done for one image, and the failure that every other would meet, too.
    pub(super) async fn run(&self, found: Found) -> (Regenerated, Option<Error>) {
        let image = match found {
            Ok(image) => image,
            Err((_, error)) if is_about_all(&error) => {
                return (Regenerated::default(), Some(error));
            }
            Err((line, error)) => return (Regenerated::failed(line, &error), None),
        };
        let mut done = Regenerated {
            image: image.key.to_string(),
            ..Regenerated::default()
        };
        match self.regenerate(&image, &mut done).await {
            Ok(()) => {}
            // Deleted since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound && self.options.keys.is_none() => {}
            Err(error) if is_about_all(&error) => return (done, Some(error)),
            Err(error) => done.failure = Regenerated::failed(image.key.as_str(), &error).failure,
        }
        (done, None)
    }

    async fn regenerate(&self, image: &Image, done: &mut Regenerated) -> Result<()> {
        let mut wanted = Vec::new();
        for variant in &self.variants {
            let key = variant.key(&image.key)?;
            if self.options.all || !image.beside.contains(&key) {
                wanted.push((variant.clone(), key));
            }
        }
        if self.options.dry_run {
            done.made = names(&wanted);
            if self.options.main {
                done.main = self.has_original(&image.key).await?;
                done.without_original = !done.main;
            }
        } else if self.options.main || !wanted.is_empty() {
            self.make(image, &wanted, done).await?;
        }
        if self.options.prune {
            self.prune(image, done).await?;
        }
        Ok(())
    }

    async fn make(
        &self,
        image: &Image,
        wanted: &[(Variant, ObjectKey)],
        done: &mut Regenerated,
    ) -> Result<()> {
        let remake = Remake {
            key: image.key.clone(),
            variants: wanted.iter().map(|(variant, _)| variant.clone()).collect(),
            main: self.options.main,
            replace: self.options.all,
        };
        let made = match self.patiently(remake).await {
            Ok(made) => made,
            Err(error) => {
                if may_have_written(&error) {
                    let there = wanted.iter().map(|(_, key)| key);
                    let there = there.filter(|key| image.beside.contains(key));
                    let main = self.options.main.then_some(&image.key);
                    done.replaced.extend(there.chain(main).cloned());
                }
                return Err(error);
            }
        };
        done.without_original = self.options.main && made.main.is_none();
        done.main = made.main.is_some();
        for remade in made.variants.iter().chain(&made.main) {
            if !remade.written {
                done.present += 1;
                continue;
            }
            done.bytes += remade.image.data.len() as u64;
            if let Some(name) = variant_name(&remade.key) {
                done.made.push(name.to_owned());
            }
            if image.beside.contains(&remade.key) || remade.key == image.key {
                done.replaced.push(remade.key.clone());
            }
        }
        Ok(())
    }

    /// Waits for a turn that others of the process have.
    async fn patiently(&self, remake: Remake) -> Result<Remaking> {
        let _turn = self.turns.acquire().await;
        for _ in 0..PATIENCE {
            match self.store.remake(remake.clone()).await {
                Err(Error::Busy { .. }) => {}
                outcome => return outcome,
            }
        }
        self.store.remake(remake).await
    }

    async fn has_original(&self, key: &ObjectKey) -> Result<bool> {
        let Some(original) = key.original() else {
            return Ok(false);
        };
        match self.store.backend().head(&original).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes variants of names that are configured no more, and those in a format that they have no more,
    /// once the same in the new format is there.
    async fn prune(&self, image: &Image, done: &mut Regenerated) -> Result<()> {
        let configured = self.store.config().variants();
        for key in &image.beside {
            let Some(name) = variant_name(key) else {
                continue;
            };
            if let Some(variant) = configured.iter().find(|variant| variant.name() == name) {
                let current = variant.key(&image.key)?;
                let is_there =
                    image.beside.contains(&current) || done.made.iter().any(|made| made == name);
                if current == *key || !is_there || self.is_anothers(key, &image.key).await? {
                    continue;
                }
            }
            if !self.options.dry_run
                && let Err(error) = self.store.backend().delete(key).await
            {
                // It may be gone all the same: the answer can be all that was lost.
                done.replaced.push(key.clone());
                return Err(error.into());
            }
            done.pruned.push(key.clone());
        }
        Ok(())
    }

    /// Returns whether a variant may be that of another image, which has the same id and another format.
    async fn is_anothers(&self, variant: &ObjectKey, image: &ObjectKey) -> Result<bool> {
        match image_beside(variant).filter(|other| other != image) {
            Some(other) => self.store.exists(&other).await,
            None => Ok(false),
        }
    }
}

/// Returns whether every other image would meet the same failure for sure. That access is denied may be about
/// single objects: a file of another owner, an object under another key of KMS.
fn is_about_all(error: &Error) -> bool {
    error.concerns_every_object() && error.kind() != ErrorKind::AccessDenied
}

/// Returns whether something may have been written before a failure. Images are decoded before that.
fn may_have_written(error: &Error) -> bool {
    !matches!(
        error,
        Error::Optimize(_) | Error::Busy { .. } | Error::InvalidKey(_)
    )
}

fn names(wanted: &[(Variant, ObjectKey)]) -> Vec<String> {
    let names = wanted.iter();
    names
        .map(|(variant, _)| variant.name().to_owned())
        .collect()
}
