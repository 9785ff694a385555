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
    /// # Errors
    ///
    /// A failure that every other image would meet, too.
    pub(super) async fn run(&self, found: Found) -> Result<Regenerated> {
        let image = match found {
            Ok(image) => image,
            Err((line, error)) => return Ok(Regenerated::failed(line, &error)),
        };
        let mut done = Regenerated {
            image: image.key.to_string(),
            ..Regenerated::default()
        };
        match self.regenerate(&image, &mut done).await {
            Ok(()) => Ok(done),
            // Deleted since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound && self.options.keys.is_none() => {
                Ok(done)
            }
            Err(error) if error.concerns_every_object() => Err(error),
            Err(error) => {
                done.failure = Regenerated::failed(image.key.as_str(), &error).failure;
                Ok(done)
            }
        }
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
        let made = self.patiently(remake).await?;
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
            if !self.options.dry_run {
                self.store.backend().delete(key).await?;
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

fn names(wanted: &[(Variant, ObjectKey)]) -> Vec<String> {
    let names = wanted.iter();
    names
        .map(|(variant, _)| variant.name().to_owned())
        .collect()
}
