//! Errors of the configuration.

use std::fmt;

/// A setting that is missing, malformed or at odds with another one.
///
/// It names the environment variable, or the builder's setting, says what is wrong and what to do. It
/// never holds the value of a secret.
///
/// ```
/// use lablink_storage::Config;
///
/// let vars = [("LABLINK_STORAGE_REQUIRE_S3".to_owned(), "yes".to_owned())];
/// let error = Config::from_vars(vars).expect_err("there is no bucket");
/// assert_eq!(error.setting(), "AWS_S3_BUCKET");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    problem: String,
    remedy: String,
}

impl ConfigError {
    pub(crate) fn new(
        setting: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            setting,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The environment variable, or the builder's setting, that has to change.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Returns what to do about it, in one sentence.
    pub fn hint(&self) -> String {
        self.remedy.clone()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.problem)
    }
}

impl std::error::Error for ConfigError {}
