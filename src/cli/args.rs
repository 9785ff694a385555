//! The arguments of the command line: all commands, and those of images.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::operation_args::{Doctor, HandleEvent, Migrate, Regenerate, Setup, Sweep};
use super::optimize_flags::OptimizeFlags;

/// Images of an application: checked, upright, resized and stored on S3, local disk or in memory.
#[derive(Debug, Parser)]
#[command(
    name = "lablink-storage",
    bin_name = "lablink-storage",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "The environment describes the store; a .env file adds what the environment lacks:\n\
        AWS_S3_BUCKET turns S3 on, otherwise images are files under LABLINK_STORAGE_DIR (./uploads).\n\n\
        Exit code: 0 done, 1 it failed, 2 wrong usage, 130 ended by Ctrl-C.\n\n\
        Examples:\n  \
        lablink-storage setup --origin https://lab.example.org --script > setup.sh\n  \
        lablink-storage doctor --origin https://lab.example.org\n  \
        lablink-storage put board.png"
)]
pub(super) struct Arguments {
    /// Print one JSON document on stdout; words and progress go to stderr
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Read this file instead of .env; the environment takes precedence
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Optimize images and store them
    #[command(
        after_help = "Examples:\n  lablink-storage put board.png\n  lablink-storage put photos/ -j 4\n  curl -s https://lab.example.org/board.png | lablink-storage put -\n  lablink-storage put *.jpg --json | jq -r '.images[].url'"
    )]
    Put(Put),
    /// Fetch an image
    #[command(
        after_help = "Examples:\n  lablink-storage get components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg -o board.jpg\n  lablink-storage get https://b.s3.eu-central-1.amazonaws.com/components/board.jpg > board.jpg"
    )]
    Get(Get),
    /// List what is stored
    #[command(
        after_help = "Examples:\n  lablink-storage ls\n  lablink-storage ls --json | jq '[.objects[].size] | add'"
    )]
    Ls(Ls),
    /// Remove images, their variants included
    #[command(
        after_help = "Example:\n  lablink-storage rm components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg\n\nRemoving an image that does not exist succeeds."
    )]
    Rm(Rm),
    /// List the versions of an image, in a bucket with versioning
    #[command(
        after_help = "Example:\n  lablink-storage versions components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
    )]
    Versions(Versions),
    /// Bring a deleted image back, in a bucket with versioning
    #[command(after_help = "Examples:\n  \
        lablink-storage restore components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg\n  \
        lablink-storage restore components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg --version 3sL4kqtJlcpXroDTDmJ\n\n\
        Variants and original come back with it. A version is copied over; none is removed.")]
    Restore(Restore),
    /// Print the public URL of a key
    #[command(
        after_help = "Example:\n  lablink-storage url components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
    )]
    Url(Url),
    /// Verify, optimize and publish a direct upload
    #[command(
        after_help = "Example:\n  lablink-storage promote pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
    )]
    Promote(Key),
    /// Check that the store answers
    #[command(
        after_help = "Example:\n  lablink-storage status --json\n\nExit code 1 if it does not answer; doctor finds the reason."
    )]
    Status,
    /// Sign a request that a browser makes on its own
    #[command(subcommand)]
    Presign(Presign),
    /// Optimize files without storing them
    #[command(
        after_help = "Examples:\n  lablink-storage optimize *.jpg -o small\n  lablink-storage optimize photos/ -o small -j 4\n  lablink-storage optimize - --fit cover --max-width 320 --max-height 320 < board.png > thumb.jpg\n  lablink-storage optimize board.png -o small --format webp --max-width 400"
    )]
    Optimize(Box<Optimize>),
    /// Try everything the store needs, and say what to do where it fails
    #[command(
        after_help = "Examples:\n  lablink-storage doctor\n  lablink-storage doctor --origin https://lab.example.org --json | jq -e .ok\n\nIt writes one small object under the pending prefix and one under the prefix, and removes both."
    )]
    Doctor(Doctor),
    /// Print what sets a bucket up: documents, or a script of AWS CLI commands
    #[command(after_help = "Examples:\n  \
        lablink-storage setup --origin https://lab.example.org --script > setup.sh && bash setup.sh\n  \
        lablink-storage setup --origin https://lab.example.org --output aws/\n  \
        lablink-storage setup --json | jq .iam_policy\n\n\
        Nothing is changed until the script runs; it can be run again.")]
    Setup(Box<Setup>),
    /// Copy images from one place to another, or optimize them on the way
    #[command(after_help = "Examples:\n  \
        lablink-storage migrate ./uploads s3://lablink-images/components --dry-run\n  \
        lablink-storage migrate ./uploads s3://lablink-images/components --url-map map.sql --table components --column image_url\n  \
        lablink-storage migrate s3://old-bucket/components s3://new-bucket/components --optimize --url-map map.csv\n  \
        lablink-storage migrate s3://lablink-images/components s3://lablink-images/components --optimize --url-map map.sql\n  \
        psql -Atc 'SELECT image_url FROM components' | lablink-storage migrate --from-urls - --url-map map.sql\n\n\
        Run it again after an interruption: only what is missing is copied.\n\
        Nothing is ever deleted at the source, and nothing overwritten at the target.")]
    Migrate(Migrate),
    /// Make the variants that are missing, of images that were stored long ago
    #[command(after_help = "Examples:\n  \
        lablink-storage regenerate\n  \
        lablink-storage regenerate --variant card --dry-run\n  \
        lablink-storage regenerate --all --main --keys used.txt\n  \
        lablink-storage regenerate --shard 2/3\n\n\
        Run it again after an interruption: it makes what is still missing; with --all and --main it starts over.\n\
        Nothing is overwritten without --all or --main, and nothing removed without --prune.")]
    Regenerate(Regenerate),
    /// Find unused objects: old pending uploads, leftovers, orphans
    #[command(after_help = "Examples:\n  \
        lablink-storage sweep\n  \
        lablink-storage sweep --older-than 7d --delete\n  \
        psql -Atc 'SELECT image_url FROM components' | lablink-storage sweep --used - --delete\n\n\
        Nothing is removed without --delete.")]
    Sweep(Sweep),
    /// Promote the direct uploads named in an S3 event notification
    #[command(after_help = "Examples:\n  \
        aws sqs receive-message --queue-url URL | lablink-storage handle-event -\n  \
        lablink-storage handle-event event.json --json\n\n\
        Bare events, and events wrapped by SNS, SQS or both. No URL in an event is ever fetched.")]
    HandleEvent(HandleEvent),
    /// Print the completions of a shell
    #[command(
        after_help = "Examples:\n  source <(lablink-storage completions bash)\n  lablink-storage completions fish > ~/.config/fish/completions/lablink-storage.fish"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for every command
    #[command(
        after_help = "Examples:\n  lablink-storage man | man -l -\n  lablink-storage man -o ~/.local/share/man/man1"
    )]
    Man {
        /// Directory to write a page for every command to; it is created
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// Image files, folders of them, or - for stdin
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) jobs: Jobs,
}

#[derive(Debug, Args)]
pub(super) struct Get {
    /// Key or public URL
    #[arg(value_name = "KEY|URL")]
    pub(super) key: String,
    /// Write to this file; stdout by default
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// What came in as this image, where it was kept
    #[arg(long)]
    pub(super) original: bool,
}

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Only keys under this prefix of whole segments
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Keys or public URLs
    #[arg(required = true, value_name = "KEY|URL")]
    pub(super) keys: Vec<String>,
    /// Remove every version for good, in a bucket with versioning: nothing brings it back
    #[arg(long)]
    pub(super) all_versions: bool,
}

#[derive(Debug, Args)]
pub(super) struct Versions {
    /// Key or public URL
    #[arg(value_name = "KEY|URL")]
    pub(super) key: String,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Key or public URL
    #[arg(value_name = "KEY|URL")]
    pub(super) key: String,
    /// Put this version in the place of the present one
    #[arg(long = "version", value_name = "ID")]
    pub(super) version_id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Url {
    /// Key
    pub(super) key: String,
}

#[derive(Debug, Args)]
pub(super) struct Key {
    /// Key of a direct upload, as presign gave it
    pub(super) key: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Presign {
    /// A URL that fetches an image
    #[command(
        after_help = "Example:\n  lablink-storage presign get components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg --expires-in 600"
    )]
    Get {
        /// Key or public URL
        #[arg(value_name = "KEY|URL")]
        key: String,
        /// Save under this name instead of showing the image
        #[arg(long, value_name = "NAME")]
        download_as: Option<String>,
        #[command(flatten)]
        expiry: Expiry,
    },
    /// A URL that takes one upload
    #[command(
        after_help = "Example:\n  lablink-storage presign put board.jpg\n\nThe upload has to send the headers that are printed. Promote it afterwards."
    )]
    Put {
        /// File name, from which the content type follows
        name: String,
        /// Content type, instead of what the name says
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// Exact length of the file, which is signed
        #[arg(long, value_name = "BYTES")]
        content_length: Option<u64>,
        #[command(flatten)]
        expiry: Expiry,
    },
    /// A form that uploads one image from a browser
    #[command(
        after_help = "Example:\n  lablink-storage presign post board.jpg --json\n\nSend the fields in their order, the file last. Promote it afterwards."
    )]
    Post {
        /// File name, from which the content type follows
        name: String,
        /// Content type, instead of what the name says
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// Largest upload [default: LABLINK_STORAGE_MAX_UPLOAD_BYTES, or 10 MiB]
        #[arg(long, value_name = "BYTES")]
        max_bytes: Option<u64>,
        #[command(flatten)]
        expiry: Expiry,
    },
}

#[derive(Debug, Args)]
pub(super) struct Expiry {
    /// Time until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(super) expires_in: u64,
}

#[derive(Debug, Args)]
pub(super) struct Optimize {
    /// Image files, folders of them, or - for stdin
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(super) files: Vec<PathBuf>,
    /// Directory to write to; it is created. Without it, - goes to stdout
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Replace results that are there already
    #[arg(long)]
    pub(super) overwrite: bool,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    #[command(flatten)]
    pub(super) options: OptimizeFlags,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Jobs {
    /// Images under way at once
    #[arg(long = "jobs", short = 'j', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
}

impl From<Jobs> for usize {
    fn from(jobs: Jobs) -> Self {
        jobs.jobs.into()
    }
}
