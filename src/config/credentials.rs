//! Sources of S3 credentials.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::secret::Secret;
use crate::sign::Credentials;

/// The source of the credentials that sign requests to S3.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialsSource {
    /// Keys that were given.
    Static(StaticCredentials),
    /// The first that answers: the shared credentials file, web identity, container, EC2 role.
    Chain(Box<CredentialsChain>),
    /// Whatever the application brings.
    Provider(SharedProvider),
}

/// The answer to come of a [`CredentialsProvider`].
pub type Providing<'a> =
    Pin<Box<dyn Future<Output = Result<Credentials, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Gives the credentials that sign requests to S3, from where this crate does not look by itself: a vault, a role
/// that is assumed through another.
///
/// What it gives is kept until five minutes before its end, or until S3 takes it for ended. It has four seconds;
/// one caller at a time asks it, and the others wait for that answer.
///
/// ```
/// use lablink_storage::sign::Credentials;
/// use lablink_storage::{CredentialsProvider, ImageStore, Providing};
///
/// struct Vault;
///
/// impl CredentialsProvider for Vault {
///     fn provide(&self) -> Providing<'_> {
///         Box::pin(async { Ok(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI")) })
///     }
/// }
///
/// # #[cfg(feature = "s3")]
/// let store = ImageStore::builder().s3("lab-images").with_credentials_provider(Vault).build()?;
/// # Ok::<(), lablink_storage::Error>(())
/// ```
pub trait CredentialsProvider: Send + Sync {
    /// Answers with credentials, or says why there are none; that is retried as what passes.
    fn provide(&self) -> Providing<'_>;
}

/// A provider that the clones of a configuration share.
#[derive(Clone)]
pub struct SharedProvider(
    #[cfg_attr(not(feature = "s3"), allow(dead_code))] pub(crate) Arc<dyn CredentialsProvider>,
);

impl fmt::Debug for SharedProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedProvider(…)")
    }
}

/// An access key, its secret, and the token of a session.
#[derive(Debug, Clone)]
pub struct StaticCredentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
}

impl StaticCredentials {
    /// The access key's id.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The secret that signs.
    pub fn secret_access_key(&self) -> &Secret {
        &self.secret_access_key
    }

    /// The token of a session, for temporary keys.
    pub fn session_token(&self) -> Option<&Secret> {
        self.session_token.as_ref()
    }
}

/// The places where credentials may be found, as the environment names them, under the names that every AWS SDK
/// reads (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
#[derive(Debug, Clone, Default)]
// Read where there is an S3 backend to use them.
#[cfg_attr(not(feature = "s3"), allow(dead_code))]
pub struct CredentialsChain {
    /// `AWS_PROFILE`, then `AWS_DEFAULT_PROFILE`.
    pub(crate) profile: Option<String>,
    /// `AWS_SHARED_CREDENTIALS_FILE`; without it `.aws/credentials` under the home directory.
    pub(crate) credentials_file: Option<PathBuf>,
    /// `AWS_CONFIG_FILE`; without it `.aws/config` under the home directory.
    pub(crate) config_file: Option<PathBuf>,
    /// The home directory.
    pub(crate) home: Option<PathBuf>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub(crate) web_identity_token_file: Option<PathBuf>,
    /// `AWS_ROLE_ARN`.
    pub(crate) role_arn: Option<String>,
    /// `AWS_ROLE_SESSION_NAME`.
    pub(crate) role_session_name: Option<String>,
    /// `AWS_ENDPOINT_URL_STS`.
    pub(crate) sts_endpoint: Option<String>,
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` (ECS).
    pub(crate) container_relative_uri: Option<String>,
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI` (EKS pod identity, and others).
    pub(crate) container_full_uri: Option<String>,
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub(crate) container_token: Option<Secret>,
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    pub(crate) container_token_file: Option<PathBuf>,
    /// `AWS_EC2_METADATA_DISABLED`.
    pub(crate) metadata_disabled: bool,
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub(crate) metadata_endpoint: Option<String>,
}
