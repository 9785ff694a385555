//! The signers of this store, made once and kept.

use std::sync::Arc;

use crate::backend::{Backend, Presigner};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::kind::ErrorKind;
use crate::sign::{CloudFrontSigner, LocalSigner, SigV4};

/// Signers of requests to the objects themselves.
#[derive(Clone)]
pub(super) enum RequestSigner {
    /// S3 checks the signature.
    S3(Arc<SigV4>),
    /// This crate does, in `verify_get` and `receive_post`.
    Local(Arc<LocalSigner>),
}

/// The signers that a configuration gives.
pub(super) struct Signers {
    local: Option<Arc<LocalSigner>>,
    cloudfront: Option<CloudFrontSigner>,
}

impl Signers {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let local = config.secret().map(LocalSigner::new).transpose()?;
        let cloudfront = config
            .cloudfront()
            .and_then(|cdn| cdn.key_pair_id().zip(cdn.private_key()))
            .map(|(id, private_key)| CloudFrontSigner::new(id, private_key))
            .transpose()?;
        Ok(Self {
            local: local.map(Arc::new),
            cloudfront,
        })
    }

    /// The signer for the objects themselves, with credentials that are valid now.
    pub(super) async fn for_requests(&self, backend: &Backend) -> Result<RequestSigner> {
        if let Some(signer) = &self.local {
            return Ok(RequestSigner::Local(Arc::clone(signer)));
        }
        match backend.signer().await {
            Ok(signer) => Ok(RequestSigner::S3(signer)),
            Err(error) if error.kind() == ErrorKind::NotSupported => Err(Error::NotSupported {
                what: "a signed request",
                remedy: "set LABLINK_STORAGE_SECRET (32 bytes at least) for a local or memory store; a \
                         store of your own cannot sign",
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The signer of requests that this crate checks itself.
    pub(super) fn local(&self) -> Result<&LocalSigner> {
        self.local.as_deref().ok_or(Error::NotSupported {
            what: "a signed request to this store itself",
            remedy: "set LABLINK_STORAGE_SECRET (32 bytes at least); on S3 the bucket checks its requests",
        })
    }

    /// CloudFront's signer.
    pub(super) fn cloudfront(&self) -> Result<&CloudFrontSigner> {
        self.cloudfront.as_ref().ok_or(Error::NotSupported {
            what: "a CloudFront signature",
            remedy: "set CLOUDFRONT_DOMAIN, CLOUDFRONT_KEY_PAIR_ID and CLOUDFRONT_PRIVATE_KEY",
        })
    }
}
