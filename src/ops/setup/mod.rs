//! Everything a bucket needs before the first upload: as documents that the AWS CLI takes, and as one
//! script of AWS CLI commands that can be run again.
//!
//! Nothing here talks to a server. What comes out is read by a person, kept under version control and
//! run with the rights of an administrator, which the application itself never has.

mod distribution;
mod documents;
mod options;
mod script;

pub(crate) use options::check_origin;
pub use options::{Archive, InvalidSetup, SetupOptions};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::url::Partition;

/// The documents and the script that set a bucket up.
///
/// ```
/// use lablink_storage::ops::{Setup, SetupOptions};
///
/// let options = SetupOptions::new("lablink-images", "eu-central-1")
///     .with_origin("https://lab.example.org");
/// let setup = Setup::new(options)?;
/// assert_eq!(
///     setup.documents()["cors"]["CORSRules"][0]["AllowedOrigins"][0],
///     "https://lab.example.org"
/// );
/// assert!(setup.script().contains("put-bucket-policy"));
/// # Ok::<(), lablink_storage::ops::InvalidSetup>(())
/// ```
#[derive(Debug, Clone)]
pub struct Setup {
    options: SetupOptions,
    partition: Partition,
}

impl Setup {
    /// Takes the options after checking them.
    ///
    /// ```
    /// use lablink_storage::ops::{Setup, SetupOptions};
    ///
    /// let setup = Setup::new(SetupOptions::new("lab-images", "eu-central-1"))?;
    /// assert!(setup.documents().contains_key("bucket_policy"));
    ///
    /// let public = SetupOptions::new("lab-images", "eu-central-1").with_prefix("");
    /// assert_eq!(Setup::new(public).unwrap_err().option, "prefix");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidSetup`] names the option that cannot be used and what it should be.
    pub fn new(options: SetupOptions) -> Result<Self, InvalidSetup> {
        options.check()?;
        let partition = Partition::of(&options.region);
        Ok(Self { options, partition })
    }

    /// The documents by name, each in the form that the AWS CLI takes.
    ///
    /// `bucket_policy`, `cors`, `iam_policy` and `lifecycle` are always there; the others where the
    /// options ask for them. `ACCOUNT_ID` and `DISTRIBUTION_ID` stand for what is known only when the
    /// script runs, unless the options say it.
    pub fn documents(&self) -> BTreeMap<&'static str, Value> {
        documents::all(self)
    }

    /// The documents as files: `bucket-policy.json`, `cors.json`, …
    pub fn files(&self) -> Vec<(String, String)> {
        self.documents()
            .into_iter()
            .map(|(name, document)| {
                let name = format!("{}.json", name.replace('_', "-"));
                (name, format!("{document:#}\n"))
            })
            .collect()
    }

    /// A bash script that creates what is missing and sets the rest, with the AWS CLI.
    ///
    /// It can be run again at any time. Settings that it replaces are kept in a directory beside it
    /// first. On a custom endpoint it leaves out what only AWS has and names what the server refuses.
    pub fn script(&self) -> String {
        script::write(self)
    }

    fn bucket_arn(&self) -> String {
        self.arn_of(&self.options.bucket)
    }

    fn arn_of(&self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition.name)
    }

    fn distribution_arn(&self, id: &str) -> String {
        format!(
            "arn:{}:cloudfront::{}:distribution/{id}",
            self.partition.name,
            self.account()
        )
    }

    fn pending_prefix(&self) -> String {
        format!("{}/{}", crate::key::PENDING, self.options.prefix)
    }

    fn originals_prefix(&self) -> String {
        format!("{}/{}", crate::key::ORIGINALS, self.options.prefix)
    }

    fn account(&self) -> &str {
        self.options.account.as_deref().unwrap_or(ACCOUNT)
    }

    /// Returns whether a distribution stands in front, so that the bucket itself stays private.
    fn behind_cloudfront(&self) -> bool {
        self.options.cloudfront || self.options.cloudfront_domain.is_some()
    }
}

const ACCOUNT: &str = "ACCOUNT_ID";
const DISTRIBUTION: &str = "DISTRIBUTION_ID";

#[cfg(test)]
mod tests;
