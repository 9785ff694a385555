//! Writing an object, and making sure that it is there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use object_store::{Attribute, Attributes, Error, PutMode, PutPayload, PutResult};

use super::call::Call;
use super::deadline::StorageResult;
use super::error::{Operation, StorageError};
use super::object::{PutOptions, PutOutcome, bare_e_tag};
use super::operations::stored_path;
use super::{Backend, Medium};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// Number of times that a create-only put is repeated after S3 found another write of the key in flight.
const CONFLICT_RETRIES: usize = 3;

impl Backend {
    /// Stores an object whole or not at all.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where `options.create` is set and the key is taken by another write; after a
    /// `Timeout` or `Unavailable` the object may be there all the same.
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        options: &PutOptions,
    ) -> StorageResult<PutOutcome> {
        let same = self.until(self.deadline());
        same.put_and_look(key, bytes, options).await
    }

    async fn put_and_look(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        options: &PutOptions,
    ) -> StorageResult<PutOutcome> {
        let call = self.call();
        call.moves(bytes.len());
        let context = self.context(Operation::Put, Some(key));
        let put = || self.try_put(&call, key, &bytes, options);
        match self.renewing(&call, context, put).await {
            Ok((stored, true)) => Ok(stored),
            Ok((_, false)) => self.confirmed(key, &bytes).await,
            // The first try may have arrived and only its answer been lost: then it is our own.
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists
                    && options.create
                    && call.tries() > 1 =>
            {
                let most = bytes.len() as u64;
                match self
                    .read(key, None, self.call().reading(most).with_any_e_tag())
                    .await
                {
                    Ok((info, found)) if found == bytes => Ok(PutOutcome { e_tag: info.e_tag }),
                    Err(unknown) if unknown.is_retryable() => Err(unknown),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Looks at what was written, where the server's answer does not vouch for it.
    async fn confirmed(&self, key: &ObjectKey, bytes: &Bytes) -> StorageResult<PutOutcome> {
        let lost = || {
            StorageError::new(
                ErrorKind::Unavailable,
                Operation::Put,
                "the server answered that the object was stored, but has other bytes",
            )
            .with_key(Some(key))
            .with_bucket(self.bucket())
            .with_hint(
                "try again; if it happens again, check the proxy in front of the server, and the server's disks",
            )
        };
        let call = self.call().reading(bytes.len() as u64).with_any_e_tag();
        match self.read(key, None, call).await {
            Ok((info, found)) if found == bytes => Ok(PutOutcome { e_tag: info.e_tag }),
            // Not everyone who may write may read.
            Err(error) if error.kind() == ErrorKind::AccessDenied => Ok(PutOutcome { e_tag: None }),
            Ok(_) => Err(lost()),
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::LimitExceeded].contains(&error.kind()) =>
            {
                Err(lost())
            }
            Err(error) => Err(error),
        }
    }

    /// Stores, and tells whether the answer vouches for the bytes.
    async fn try_put(
        &self,
        call: &Call,
        key: &ObjectKey,
        bytes: &Bytes,
        options: &PutOptions,
    ) -> Result<(PutOutcome, bool), Error> {
        let path = stored_path(key)?;
        let mut conflicts = 0;
        loop {
            let attributes = self.attributes(options);
            let plain = attributes.is_empty();
            let mut put = object_store::PutOptions::from(attributes);
            put.mode = if options.create {
                PutMode::Create
            } else {
                PutMode::Overwrite
            };
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.inner.store.put_opts(&path, payload, put).await {
                Ok(stored) => {
                    let vouched = vouches(&stored, bytes);
                    let e_tag = bare_e_tag(stored.e_tag);
                    return Ok((PutOutcome { e_tag }, vouched));
                }
                Err(Error::NotImplemented { .. }) if !plain && self.forgo_attributes() => {}
                Err(_) if call.is_write_conflict() && conflicts < CONFLICT_RETRIES => {
                    conflicts += 1;
                    tokio::time::sleep(Duration::from_millis(100 << conflicts)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the attributes to write an object with, as far as the store takes them.
    fn attributes(&self, options: &PutOptions) -> Attributes {
        let mut attributes = Attributes::new();
        let takes_any = match &self.inner.kind {
            // Both follow from the key and the configuration when it is read.
            #[cfg(feature = "local")]
            Medium::Local(_) => false,
            Medium::Custom { without_attributes } => !without_attributes.load(Ordering::Relaxed),
            _ => true,
        };
        if !takes_any {
            return attributes;
        }
        attributes.insert(
            Attribute::ContentType,
            options.content_type.clone().into_owned().into(),
        );
        attributes.insert(
            Attribute::CacheControl,
            options.cache_control.clone().into(),
        );
        #[cfg(feature = "s3")]
        if let Medium::S3(s3) = &self.inner.kind
            && let Some(class) = s3.storage_class()
        {
            attributes.insert(Attribute::StorageClass, class.to_owned().into());
        }
        attributes
    }

    /// Decides to write without attributes from now on, to a store that takes none.
    fn forgo_attributes(&self) -> bool {
        match &self.inner.kind {
            Medium::Custom { without_attributes } => {
                !without_attributes.swap(true, Ordering::Relaxed)
            }
            _ => false,
        }
    }
}

/// Returns whether the answer to a put proves, as far as it can, that the server has these very bytes.
fn vouches(stored: &PutResult, bytes: &Bytes) -> bool {
    #[cfg(feature = "s3")]
    if let Some(told) = stored.extensions.get::<super::s3::Told>() {
        return match &told.md5 {
            Some(md5) => super::s3::md5_hex(bytes) == *md5,
            None => stored.e_tag.as_deref().is_some_and(|tag| !tag.is_empty()),
        };
    }
    let _ = (stored, bytes);
    true
}
