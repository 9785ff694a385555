//! The arguments of the commands for whoever runs a store.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Web origin whose pages upload and read images, such as https://lab.example.org
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(super) origin: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ArchiveClass {
    /// S3 Intelligent-Tiering: instant, the price follows the reads
    IntelligentTiering,
    /// S3 Glacier Instant Retrieval: instant, cheap to keep, dear to read
    GlacierIr,
    /// S3 Glacier Flexible Retrieval: must be restored before it can be read
    Glacier,
}

#[derive(Debug, Args)]
pub(super) struct Setup {
    /// Web origin whose pages upload and read images, such as https://lab.example.org
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(super) origin: Vec<String>,
    /// Print one bash script of AWS CLI commands
    #[arg(long, conflicts_with = "json")]
    pub(super) script: bool,
    /// Write the documents and setup.sh into this directory
    #[arg(long, short, value_name = "DIR", conflicts_with_all = ["json", "script"])]
    pub(super) output: Option<PathBuf>,
    /// Keep the bucket private behind a CloudFront distribution (so does CLOUDFRONT_DOMAIN)
    #[arg(long)]
    pub(super) cloudfront: bool,
    /// ACM certificate in us-east-1 for a CLOUDFRONT_DOMAIN of your own
    #[arg(long, value_name = "ARN")]
    pub(super) certificate: Option<String>,
    /// AWS account; the script looks it up by default
    #[arg(long, value_name = "ID")]
    pub(super) account: Option<String>,
    /// EC2 role and instance profile of the application
    #[arg(long, value_name = "NAME", default_value = "lablink-storage")]
    pub(super) role: String,
    /// IAM user that gets the same rights, for servers outside AWS
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// Tag of the bucket
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(super) tag: Vec<(String, String)>,
    /// Keep old versions for 30 days
    #[arg(long)]
    pub(super) versioning: bool,
    /// Days until a pending upload that was not promoted is removed, 8 at least on other servers than AWS
    #[arg(long, value_name = "DAYS", default_value_t = 1)]
    pub(super) pending_days: u32,
    /// Storage class that images move to
    #[arg(long, value_enum, value_name = "CLASS", group = "archives")]
    pub(super) archive: Option<ArchiveClass>,
    /// Storage class that originals move to
    #[arg(long, value_enum, value_name = "CLASS", group = "archives")]
    pub(super) archive_originals: Option<ArchiveClass>,
    /// Days after which they move
    #[arg(long, value_name = "DAYS", default_value_t = 30, requires = "archives")]
    pub(super) archive_after: u32,
    /// KMS key to encrypt with, instead of S3's own keys
    #[arg(long, value_name = "ID|ARN")]
    pub(super) kms_key: Option<String>,
    /// Bucket to replicate into, with its region
    #[arg(long, value_name = "BUCKET:REGION", value_parser = replica)]
    pub(super) replicate_to: Option<(String, String)>,
    /// SQS queue, SNS topic or Lambda function that hears of pending uploads
    #[arg(long, value_name = "ARN")]
    pub(super) notify: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// A directory, or s3://bucket/prefix
    #[arg(required_unless_present = "from_urls")]
    pub(super) source: Option<String>,
    /// A directory, or s3://bucket/prefix
    #[arg(required_unless_present = "from_urls")]
    pub(super) target: Option<String>,
    /// Fetch the images of these URLs, one a line, into the store
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["source", "target", "optimize", "old_base_url", "quick", "all_files", "outside_prefix"])]
    pub(super) from_urls: Option<PathBuf>,
    /// Optimize images on the way, under new keys
    #[arg(long)]
    pub(super) optimize: bool,
    /// Show what would be done, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write old and new URLs to this file, as CSV or SQL by its extension
    #[arg(long, value_name = "FILE.csv|FILE.sql", value_parser = url_map)]
    pub(super) url_map: Option<PathBuf>,
    /// Table for the SQL
    #[arg(long, default_value = "components")]
    pub(super) table: String,
    /// Column for the SQL
    #[arg(long, default_value = "image_url")]
    pub(super) column: String,
    /// Base of the old URLs, where it is not the one that follows from SOURCE
    #[arg(long, value_name = "URL")]
    pub(super) old_base_url: Option<String>,
    /// Treat an object of the same size at the target as the same, without reading both
    #[arg(long)]
    pub(super) quick: bool,
    /// Copy files that are not images, too; without it they are named and left out
    #[arg(long, conflicts_with = "optimize")]
    pub(super) all_files: bool,
    /// Migrate to a place outside the store's prefix, where images are not public, listed or found by URL
    #[arg(long)]
    pub(super) outside_prefix: bool,
    /// Objects under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) concurrency: u16,
}

#[derive(Debug, Args)]
pub(super) struct Regenerate {
    /// Only images under this prefix of whole segments
    pub(super) prefix: Option<String>,
    /// Variant to make, a lazy one too; by default all that are not lazy
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Vec<String>,
    /// Make variants anew that are there
    #[arg(long)]
    pub(super) all: bool,
    /// Make main images anew, where an original was kept; keys and URLs stay
    #[arg(long)]
    pub(super) main: bool,
    /// Remove variants whose name is configured no more, and those in a former format
    #[arg(long)]
    pub(super) prune: bool,
    /// Prune although no variant is configured at all
    #[arg(long, requires = "prune")]
    pub(super) force: bool,
    /// Only these images: keys or URLs, one a line
    #[arg(long, value_name = "FILE|-", conflicts_with = "prefix")]
    pub(super) keys: Option<PathBuf>,
    /// Only the images of this shard, for several machines: 2/3 is the second of three
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<crate::ops::Shard>,
    /// Only say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Age from which something counts as left behind: 90s, 30m, 24h, 7d
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = super::parse::age)]
    pub(super) older_than: std::time::Duration,
    /// URLs or keys that are still used, one a line: everything else of that age is an orphan
    #[arg(long, value_name = "FILE|-")]
    pub(super) used: Option<PathBuf>,
    /// Remove what was found
    #[arg(long)]
    pub(super) delete: bool,
    /// Remove even a large share of the store
    #[arg(long, requires = "delete")]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct HandleEvent {
    /// The notification; stdin by default
    #[arg(value_name = "FILE|-", default_value = "-")]
    pub(super) file: PathBuf,
}

fn origin(text: &str) -> Result<String, String> {
    match crate::ops::check_origin(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(format!("expected {}", error.reason)),
    }
}

fn shard(text: &str) -> Result<crate::ops::Shard, String> {
    text.parse()
        .map_err(|error: crate::error::Error| error.to_string())
}

fn url_map(text: &str) -> Result<PathBuf, String> {
    let file = PathBuf::from(text);
    match file.extension().and_then(std::ffi::OsStr::to_str) {
        Some("csv" | "sql") => Ok(file),
        _ => Err("its name must end in .csv or .sql".to_owned()),
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn replica(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((bucket, region)) if !bucket.is_empty() && !region.is_empty() => {
            Ok((bucket.to_owned(), region.to_owned()))
        }
        _ => Err("expected BUCKET:REGION".to_owned()),
    }
}
