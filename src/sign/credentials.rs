//! The credentials of a caller of AWS.

use std::time::SystemTime;

use crate::secret::Secret;

/// An access key, as it stands in the environment, in a credentials file or in a role's answer.
///
/// ```
/// use lablink_storage::sign::Credentials;
///
/// let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI").with_session_token("token");
/// let shown = format!("{credentials:?}");
/// assert!(!shown.contains("wJalr") && !shown.contains("\"token\""));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The access key's id; not a secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token of temporary credentials.
    pub session_token: Option<Secret>,
    /// The end of temporary credentials, and of everything signed with them.
    pub expires_at: Option<SystemTime>,
}

impl Credentials {
    /// Credentials without a session token or an end.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<Secret>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires_at: None,
        }
    }

    /// Sets the session token.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<Secret>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Sets when they end.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }
}
