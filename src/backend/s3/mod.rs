//! S3, on AWS or any server that speaks its protocol.

mod answer;
mod credentials;
mod headers;
mod http;
mod invalidate;
mod listing;
mod request;
mod versions;
mod xml;

pub(super) use credentials::CredentialsFailure;
pub(super) use headers::{Told, md5_hex};
pub(super) use listing::Page;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, RetryConfig};

use super::error::{Operation, StorageError};
use crate::config::{Config, S3Config};
use crate::kind::ErrorKind;
use crate::sign::SigV4;
use credentials::Provider;

/// A bucket.
#[derive(Debug)]
pub(super) struct S3 {
    store: AmazonS3Opaque,
    config: S3Config,
    credentials: Arc<Provider>,
    client: reqwest::Client,
    /// The bucket's URL on the endpoint itself.
    server: String,
}

/// object_store's client prints its configuration, secrets included.
struct AmazonS3Opaque(Arc<AmazonS3>);

impl std::fmt::Debug for AmazonS3Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AmazonS3")
    }
}

impl S3 {
    pub(super) fn open(bucket: &S3Config, config: &Config) -> Result<Self, StorageError> {
        let address = config.urls().server_url();
        let client = http::client(address.starts_with("https:"), bucket.ca_bundle.as_ref())?;
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
            // Both builders name settings, never values.
            StorageError::new(
                ErrorKind::Configuration,
                Operation::Open,
                "the S3 client could not be created",
            )
            .with_bucket(Some(bucket.bucket()))
            .with_source(error)
        };
        let credentials = Provider::new(bucket, client.clone());
        let credentials = Arc::new(credentials.map_err(|error| unusable(error.into()))?);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket.bucket())
            .with_region(bucket.region())
            // The address has the bucket already, in the host or in the path.
            .with_endpoint(&address)
            .with_virtual_hosted_style_request(true)
            .with_credentials(Arc::clone(&credentials) as _)
            .with_http_connector(http::Connector {
                client: client.clone(),
                deadline: config.deadline(),
            })
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(retry(config.deadline()))
            // One request an object: each has its own answer, and every server knows it.
            .with_disable_bulk_delete(true);
        if let Some(key_id) = bucket.sse_kms_key_id() {
            builder = builder.with_sse_kms_encryption(key_id);
        }
        let store = builder.build().map_err(|error| unusable(error.into()))?;
        Ok(Self {
            store: AmazonS3Opaque(Arc::new(store)),
            config: bucket.clone(),
            credentials,
            client,
            server: address,
        })
    }

    pub(super) fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store.0) as _
    }

    pub(super) fn bucket(&self) -> &str {
        self.config.bucket()
    }

    pub(super) fn region(&self) -> &str {
        self.config.region()
    }

    pub(super) fn endpoint(&self) -> Option<&str> {
        self.config.endpoint()
    }

    pub(super) fn may_accelerate(&self) -> bool {
        let location = self.config.location();
        location.endpoint.is_none() && !location.accelerate
    }

    pub(super) fn storage_class(&self) -> Option<&str> {
        self.config.storage_class()
    }

    pub(super) async fn signer(&self) -> Result<Arc<SigV4>, CredentialsFailure> {
        self.credentials.signer().await
    }

    #[cfg_attr(not(feature = "ops"), allow(dead_code))]
    pub(super) async fn credentials_origin(
        &self,
    ) -> Result<(&'static str, Option<SystemTime>), CredentialsFailure> {
        self.credentials.origin().await
    }

    /// Drops credentials that S3 took for ended; whether others may be had.
    pub(super) async fn renew_credentials(&self) -> bool {
        self.credentials.renew().await
    }

    /// Lists one key: the smallest read whose failure comes with a code.
    pub(super) async fn look(&self, prefix: &str) -> Result<(), Error> {
        self.page(prefix, None, Some(1)).await.map(drop)
    }

    /// Reads one page of a listing.
    pub(super) async fn page(
        &self,
        prefix: &str,
        from: Option<String>,
        max_keys: Option<usize>,
    ) -> Result<Page, Error> {
        let prefix = (!prefix.is_empty()).then(|| format!("{prefix}/"));
        let options = PaginatedListOptions {
            max_keys,
            page_token: from,
            ..PaginatedListOptions::default()
        };
        let listed = self.store.0.list_paginated(prefix.as_deref(), options);
        // The HTTP layer read it.
        let page = listed.await?.result.extensions.remove::<Page>();
        Ok(page.unwrap_or_default())
    }
}

/// Tries are spread over the first two thirds of the deadline, so that the last has time to end.
fn retry(deadline: Duration) -> RetryConfig {
    let init_backoff = Duration::from_millis(100);
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff,
            // Never below the first: object_store draws from the range between them.
            max_backoff: init_backoff.max(deadline / 12),
            base: 3.0,
        },
        // Time alone ends them: a server that restarts takes as long as it takes.
        max_retries: usize::MAX,
        retry_timeout: deadline * 2 / 3,
    }
}
