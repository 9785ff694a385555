//! Options of a bucket to be set up.

use crate::config::Config;
use crate::key::ObjectKey;

/// The colder storage class that images move to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Archive {
    /// S3 Intelligent-Tiering after so many days: the price follows the reads, and they stay instant.
    IntelligentTiering(u32),
    /// S3 Glacier Instant Retrieval after so many days: cheap to keep, dear to read, instant.
    GlacierInstant(u32),
    /// S3 Glacier Flexible Retrieval after so many days. Images there have to be restored before they
    /// can be read: their public URLs answer 403 until then.
    Glacier(u32),
}

impl Archive {
    pub(super) const fn storage_class(self) -> &'static str {
        match self {
            Self::IntelligentTiering(_) => "INTELLIGENT_TIERING",
            Self::GlacierInstant(_) => "GLACIER_IR",
            Self::Glacier(_) => "GLACIER",
        }
    }

    pub(super) const fn days(self) -> u32 {
        match self {
            Self::IntelligentTiering(days) | Self::GlacierInstant(days) | Self::Glacier(days) => {
                days
            }
        }
    }
}

/// An option that cannot be used, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} {value:?}: {reason}")]
#[non_exhaustive]
pub struct InvalidSetup {
    /// The option's name.
    pub option: &'static str,
    /// The value given.
    pub value: String,
    /// The values allowed.
    pub reason: &'static str,
}

impl From<InvalidSetup> for crate::error::Error {
    fn from(error: InvalidSetup) -> Self {
        Self::InvalidArgument {
            name: "setup",
            reason: error.to_string(),
        }
    }
}

/// Options of the bucket and its surroundings.
///
/// By default: a bucket whose images under the prefix anyone may read, and nothing else; pending uploads
/// gone after a day; encryption with S3's own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetupOptions {
    /// The bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The key prefix of the images. `components` by default.
    pub prefix: String,
    /// An S3-compatible server other than AWS.
    pub endpoint_url: Option<String>,
    /// Web origins whose pages upload and read images: `https://lab.example.org`.
    pub origins: Vec<String>,
    /// True to create a CloudFront distribution and keep the bucket private.
    pub cloudfront: bool,
    /// The domain of a distribution that is there already, or the one that it is to get.
    pub cloudfront_domain: Option<String>,
    /// The id of that distribution: the application may have it forget images.
    pub distribution_id: Option<String>,
    /// The ACM certificate (in us-east-1) for that domain.
    pub certificate: Option<String>,
    /// The AWS account; looked up by the script when it runs if unset.
    pub account: Option<String>,
    /// The EC2 role, and its instance profile, through which the application gets its rights.
    pub role: String,
    /// An IAM user to get the same rights, for servers outside AWS.
    pub user: Option<String>,
    /// The bucket's tags.
    pub tags: Vec<(String, String)>,
    /// True to turn transfer acceleration on.
    pub accelerate: bool,
    /// True to keep old versions for 30 days.
    pub versioning: bool,
    /// Days until a pending upload that was not promoted is removed. 1 by default; on other servers than AWS 8 at least.
    pub pending_days: u32,
    /// The colder storage class that images move to.
    pub archive: Option<Archive>,
    /// Where originals go after a time.
    pub archive_originals: Option<Archive>,
    /// The KMS key to encrypt with, instead of S3's own keys.
    pub kms_key: Option<String>,
    /// Bucket and region to replicate into. Turns versioning on.
    pub replica: Option<(String, String)>,
    /// ARN of the SQS queue, SNS topic or Lambda function that hears of pending uploads.
    pub notify: Option<String>,
}

impl SetupOptions {
    /// The least that works for `bucket` in `region`.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: region.into(),
            prefix: "components".into(),
            endpoint_url: None,
            origins: Vec::new(),
            cloudfront: false,
            cloudfront_domain: None,
            distribution_id: None,
            certificate: None,
            account: None,
            role: "lablink-storage".into(),
            user: None,
            tags: vec![("application".into(), "lablink-storage".into())],
            accelerate: false,
            versioning: false,
            pending_days: 1,
            archive: None,
            archive_originals: None,
            kms_key: None,
            replica: None,
            notify: None,
        }
    }

    /// Takes over what a store's configuration says: bucket, region, endpoint, prefix, CloudFront domain and
    /// distribution, acceleration, encryption. `None` where images do not go to S3.
    pub fn from_config(config: &Config) -> Option<Self> {
        let s3 = config.s3()?;
        let mut options = Self::new(s3.bucket(), s3.region()).with_prefix(config.prefix());
        options.endpoint_url = s3.endpoint().map(str::to_owned);
        options.accelerate = s3.location().accelerate;
        options.kms_key = s3.sse_kms_key_id().map(str::to_owned);
        options.cloudfront_domain = config.cloudfront().map(|cdn| bare_domain(cdn.domain()));
        let id = config.cloudfront().and_then(|cdn| cdn.distribution_id());
        options.distribution_id = id.map(str::to_owned);
        Some(options)
    }

    /// Adds a web origin whose pages upload and read images.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Sets the key prefix of the images.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets an S3-compatible server other than AWS.
    #[must_use]
    pub fn with_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Puts a CloudFront distribution in front and keeps the bucket private.
    #[must_use]
    pub fn with_cloudfront(mut self, cloudfront: bool) -> Self {
        self.cloudfront = cloudfront;
        self
    }

    /// Sets the distribution's domain; it implies [`with_cloudfront`](Self::with_cloudfront).
    #[must_use]
    pub fn with_cloudfront_domain(mut self, domain: impl Into<String>) -> Self {
        self.cloudfront_domain = Some(domain.into());
        self
    }

    /// Sets the distribution's id, for the right to have it forget images.
    #[must_use]
    pub fn with_distribution_id(mut self, id: impl Into<String>) -> Self {
        self.distribution_id = Some(id.into());
        self
    }

    /// Sends images to a cheaper storage class after a time.
    #[must_use]
    pub fn with_archive(mut self, archive: Archive) -> Self {
        self.archive = Some(archive);
        self
    }

    /// Sends originals to a cheaper storage class after a time.
    #[must_use]
    pub fn with_archive_originals(mut self, archive: Archive) -> Self {
        self.archive_originals = Some(archive);
        self
    }

    /// Keeps old versions.
    #[must_use]
    pub fn with_versioning(mut self, versioning: bool) -> Self {
        self.versioning = versioning;
        self
    }

    /// Replicates into another bucket, in its region.
    #[must_use]
    pub fn with_replica(mut self, bucket: impl Into<String>, region: impl Into<String>) -> Self {
        self.replica = Some((bucket.into(), region.into()));
        self
    }

    /// Tells a queue, a topic or a function of pending uploads.
    #[must_use]
    pub fn with_notify(mut self, arn: impl Into<String>) -> Self {
        self.notify = Some(arn.into());
        self
    }

    pub(super) fn check(&self) -> Result<(), InvalidSetup> {
        bucket_name("bucket", &self.bucket)?;
        plain("region", &self.region, "-", "a region such as eu-central-1")?;
        if self.prefix.is_empty() {
            return Err(InvalidSetup {
                option: "prefix",
                value: String::new(),
                reason: "images need a prefix of their own, or pending uploads would be public too",
            });
        }
        if ObjectKey::parse(self.prefix.as_str()).is_err() || self.prefix.contains(['*', '?', '$'])
        {
            return Err(invalid(
                "prefix",
                &self.prefix,
                "a key prefix without wildcards, such as components",
            ));
        }
        for origin in &self.origins {
            check_origin(origin)?;
        }
        if let Some((bucket, region)) = &self.replica {
            bucket_name("replicate-to", bucket)?;
            plain("replicate-to", region, "-", "a region such as eu-central-1")?;
            if *bucket == self.bucket {
                return Err(invalid(
                    "replicate-to",
                    bucket,
                    "another bucket than the source",
                ));
            }
        }
        self.check_combinations()?;
        if let Some(account) = &self.account
            && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(invalid(
                "account",
                account,
                "the 12 digits of an AWS account",
            ));
        }
        plain("role", &self.role, "+=,.@-_", "a role name")?;
        for (option, value) in [
            ("user", &self.user),
            ("kms-key", &self.kms_key),
            ("certificate", &self.certificate),
            ("cloudfront-domain", &self.cloudfront_domain),
            ("distribution-id", &self.distribution_id),
        ] {
            if let Some(value) = value {
                plain(option, value, "+=,.@-_:/", "a name, a domain or an ARN")?;
            }
        }
        if let Some(arn) = &self.notify {
            plain("notify", arn, ":-_./", "an ARN")?;
            if !["sqs", "sns", "lambda"].contains(&service(arn)) {
                return Err(invalid(
                    "notify",
                    arn,
                    "the ARN of an SQS queue, SNS topic or Lambda function",
                ));
            }
        }
        let archives = [self.archive, self.archive_originals];
        if self.pending_days == 0 || archives.iter().flatten().any(|archive| archive.days() == 0) {
            return Err(invalid("days", "0", "at least one day"));
        }
        Ok(())
    }

    /// Checks the options that exclude others.
    fn check_combinations(&self) -> Result<(), InvalidSetup> {
        if self.replica.is_some()
            && let Some(key) = &self.kms_key
        {
            return Err(invalid(
                "kms-key",
                key,
                "no KMS key where images are replicated: there they would need a second key, which has to be added to the replication by hand",
            ));
        }
        if (self.cloudfront || self.cloudfront_domain.is_some())
            && ["cn-", "us-gov-"]
                .iter()
                .any(|part| self.region.starts_with(part))
        {
            // China wants a recorded domain and a certificate in IAM, GovCloud has no distributions:
            // <https://docs.amazonaws.cn/en_us/aws/latest/userguide/cloudfront.html>
            return Err(invalid(
                "cloudfront",
                &self.region,
                "no CloudFront in this part of AWS, or only one that is set up by hand",
            ));
        }
        Ok(())
    }
}

/// A domain that was given as a URL.
fn bare_domain(domain: &str) -> String {
    let host = domain.split_once("://").map_or(domain, |(_, host)| host);
    host.split('/').next().unwrap_or(host).to_owned()
}

/// The service that an ARN names.
pub(super) fn service(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

fn invalid(option: &'static str, value: &str, reason: &'static str) -> InvalidSetup {
    InvalidSetup {
        option,
        value: value.chars().take(100).collect(),
        reason,
    }
}

fn plain(
    option: &'static str,
    value: &str,
    also: &str,
    reason: &'static str,
) -> Result<(), InvalidSetup> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || also.contains(letter);
    if value.is_empty() || value.len() > 2048 || !value.chars().all(fits) {
        return Err(invalid(option, value, reason));
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn bucket_name(option: &'static str, name: &str) -> Result<(), InvalidSetup> {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    let ends_well = !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    if !(3..=63).contains(&name.len()) || !name.bytes().all(fits) || !ends_well {
        return Err(invalid(
            option,
            name,
            "3 to 63 lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
        ));
    }
    Ok(())
}

/// An origin as RFC 6454 section 6.1 writes it: scheme, host and port, and nothing after them.
pub(crate) fn check_origin(origin: &str) -> Result<(), InvalidSetup> {
    let form = "scheme and host without a path, such as https://lab.example.org";
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))
        .ok_or_else(|| invalid("origin", origin, form))?;
    plain("origin", host, ".-:[]", form)
}
