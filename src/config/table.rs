//! Every setting, written down once: its name on each face, what it takes, and where it goes.
//!
//! The environment, the Python keywords and the mappings of Flask and Django are read by this table, and
//! the documentation is held to it by a test.

use std::path::PathBuf;
use std::time::Duration;

use super::builder::{BackendChoice, ConfigBuilder, Given};
use super::error::ConfigError;
use super::{DirectUpload, RetryPreset, options};
use crate::secret::Secret;
use crate::url::Addressing;

/// One setting of a store, under all of its names.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Setting {
    /// Its environment variables, which are the keys of Flask's `app.config` and of Django's settings too.
    /// The first that is set counts. Empty for what only code can say.
    pub variables: &'static [&'static str],
    /// The method of [`ConfigBuilder`] that sets it in Rust; empty for what only the environment can say.
    pub method: &'static str,
    /// The keyword of Python's constructors; empty for what only the environment can say.
    pub keyword: &'static str,
    /// The constructors of Python's `ImageStore` that take the keyword.
    pub constructors: &'static [&'static str],
    /// The default, in words.
    pub default: &'static str,
    /// The places that its value may reach.
    pub reach: Reach,
    /// Its meaning, in a sentence.
    pub doc: &'static str,
    pub(super) takes: Takes,
}

/// The places that a setting's value may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// It describes the store: it may be shown, and travels with a store that is sent to another process.
    Store,
    /// It is a secret: it is never shown and never carried.
    Secret,
    /// It belongs to the machine: every process takes it from its own environment.
    Machine,
}

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// Any text.
    Text,
    /// The path of a file or a directory.
    Path,
    /// A secret.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count,
    /// A number of seconds.
    Seconds,
    /// Texts, in a variable with commas between them.
    List,
    /// One of [`Setting::words`].
    Word,
    /// A JSON object of options.
    Json,
}

impl SettingKind {
    /// Its name: `"text"`, `"path"`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Path => "path",
            Self::Secret => "secret",
            Self::Flag => "flag",
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::List => "list",
            Self::Word => "word",
            Self::Json => "json",
        }
    }
}

/// The value of a setting, as a face reads it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SettingValue {
    /// Text, the path of a file, or one of a few words.
    Text(String),
    /// A secret.
    Secret(Secret),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Count(u64),
    /// A length of time.
    Duration(Duration),
    /// Several texts.
    List(Vec<String>),
    /// A JSON object, as text.
    Json(String),
}

/// The type of a setting's value, and the function that puts it into the builder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    Text(fn(&mut ConfigBuilder, Given<String>)),
    Path(fn(&mut ConfigBuilder, Given<String>)),
    Secret(fn(&mut ConfigBuilder, Given<Secret>)),
    Flag(fn(&mut ConfigBuilder, Given<bool>)),
    Count(fn(&mut ConfigBuilder, Given<u64>)),
    Seconds(fn(&mut ConfigBuilder, Given<Duration>)),
    List(fn(&mut ConfigBuilder, Given<Vec<String>>)),
    /// One of these words; which, by its place among them.
    Word(
        &'static [&'static str],
        fn(&mut ConfigBuilder, Given<usize>),
    ),
    Json(fn(&mut ConfigBuilder, Given<&str>) -> Result<(), ConfigError>),
}

const ANYWHERE: &[&str] = &["from_env", "s3", "local", "memory"];
const S3: &[&str] = &["s3"];
const LOCAL: &[&str] = &["local"];
const SIGNED: &[&str] = &["local", "memory"];

const ADDRESSINGS: [Addressing; 3] = [Addressing::Auto, Addressing::Virtual, Addressing::Path];
const UPLOADS: [DirectUpload; 2] = [DirectUpload::Post, DirectUpload::Put];
const RETRIES: [RetryPreset; 2] = [RetryPreset::WebRequest, RetryPreset::Batch];

/// Every setting, in the order of the documentation. Where two rows set the same thing, the later counts.
pub(super) const SETTINGS: &[Setting] = &[
    row(&["AWS_S3_BUCKET"], "turns S3 on: the bucket's name", Takes::Text(|builder, given| builder.kind = Some(given.map(BackendChoice::S3))))
        .code("s3", "bucket", &[]).or("local files"),
    row(&["AWS_REGION", "AWS_DEFAULT_REGION"], "the bucket's region", Takes::Text(|builder, given| builder.region = Some(given)))
        .code("with_region", "region", S3).or("`us-east-1`"),
    row(&["AWS_ACCESS_KEY_ID"], "static credentials: the key's id", Takes::Text(|builder, given| builder.access_key_id = Some(given)))
        .code("with_credentials", "access_key_id", S3).secret().or("profile, web identity, ECS, EKS, EC2 role"),
    row(&["AWS_SECRET_ACCESS_KEY"], "static credentials: the key's secret", Takes::Secret(|builder, given| builder.secret_access_key = Some(given)))
        .code("with_credentials", "secret_access_key", S3).secret(),
    row(&["AWS_SESSION_TOKEN"], "static credentials: the token of temporary keys", Takes::Secret(|builder, given| builder.session_token = Some(given)))
        .code("with_credentials", "session_token", S3).secret(),
    row(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], "the profile of the shared credentials file", Takes::Text(|builder, given| builder.chain().profile = Some(given.value)))
        .machine().or("`default`"),
    row(&["AWS_SHARED_CREDENTIALS_FILE"], "the shared credentials file", Takes::Path(|builder, given| builder.chain().credentials_file = Some(PathBuf::from(given.value))))
        .machine().or("`~/.aws/credentials`"),
    row(&["AWS_CONFIG_FILE"], "the shared config file", Takes::Path(|builder, given| builder.chain().config_file = Some(PathBuf::from(given.value))))
        .machine().or("`~/.aws/config`"),
    row(&["AWS_WEB_IDENTITY_TOKEN_FILE"], "web identity: the token's file", Takes::Path(|builder, given| builder.chain().web_identity_token_file = Some(PathBuf::from(given.value)))).machine(),
    row(&["AWS_ROLE_ARN"], "web identity: the role", Takes::Text(|builder, given| builder.chain().role_arn = Some(given.value))).machine(),
    row(&["AWS_ROLE_SESSION_NAME"], "web identity: the session's name", Takes::Text(|builder, given| builder.chain().role_session_name = Some(given.value))).machine(),
    row(&["AWS_ENDPOINT_URL_STS"], "where web identity asks for credentials", Takes::Text(|builder, given| builder.chain().sts_endpoint = Some(given.value)))
        .machine().or("AWS, in the region"),
    row(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], "ECS: where a task's credentials are, set by ECS", Takes::Text(|builder, given| builder.chain().container_relative_uri = Some(given.value))).machine(),
    row(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "EKS pod identity: where a pod's credentials are, set by EKS", Takes::Text(|builder, given| builder.chain().container_full_uri = Some(given.value))).machine(),
    row(&["AWS_CONTAINER_AUTHORIZATION_TOKEN"], "the token to ask for them with", Takes::Secret(|builder, given| builder.chain().container_token = Some(given.value))).secret(),
    row(&["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], "the file that holds this token", Takes::Path(|builder, given| builder.chain().container_token_file = Some(PathBuf::from(given.value)))).machine(),
    row(&["AWS_EC2_METADATA_DISABLED"], "never ask the EC2 metadata service", Takes::Flag(|builder, given| builder.chain().metadata_disabled = given.value)).or("`false`"),
    row(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"], "another address of the EC2 metadata service", Takes::Text(|builder, given| builder.chain().metadata_endpoint = Some(given.value))).machine(),
    row(&["AWS_CA_BUNDLE", "SSL_CERT_FILE"], "certificates (PEM) of a private authority, added to the system's", Takes::Path(|builder, given| builder.ca_bundle = Some(given)))
        .code("with_ca_bundle", "ca_bundle", S3).machine().or("the system's"),
    row(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "an S3-compatible server, `https://` or `http://`, without the bucket", Takes::Text(|builder, given| builder.endpoint_url = Some(given)))
        .code("with_endpoint_url", "endpoint_url", S3).or("AWS"),
    row(&["LABLINK_STORAGE_PUBLIC_ENDPOINT"], "that server as browsers reach it: public and presigned URLs use it", Takes::Text(|builder, given| builder.public_endpoint = Some(given)))
        .code("with_public_endpoint", "public_endpoint", S3).or("the endpoint"),
    row(&["AWS_S3_ADDRESSING_STYLE"], "where the bucket stands in URLs: `auto`, `virtual` or `path`", Takes::Word(&["auto", "virtual", "path"], |builder, given| builder.addressing = Some(given.map(|word| ADDRESSINGS[word]))))
        .code("with_addressing", "addressing", S3).or("`auto`"),
    row(&["AWS_S3_USE_ACCELERATE"], "AWS transfer acceleration", Takes::Flag(|builder, given| builder.accelerate = Some(given)))
        .code("with_accelerate", "accelerate", S3).or("`false`"),
    row(&["AWS_USE_DUALSTACK_ENDPOINT"], "AWS's dual-stack hosts, which answer on IPv6 too", Takes::Flag(|builder, given| builder.dual_stack = Some(given)))
        .code("with_dual_stack", "dual_stack", S3).or("`false`"),
    row(&["CLOUDFRONT_DOMAIN"], "host of public URLs: a bare domain or an https URL", Takes::Text(|builder, given| builder.cloudfront_domain = Some(given)))
        .code("with_cloudfront_domain", "cloudfront_domain", S3),
    row(&["CLOUDFRONT_KEY_PAIR_ID"], "signed URLs and cookies: the id of the public key", Takes::Text(|builder, given| builder.cloudfront_key_pair_id = Some(given)))
        .code("with_cloudfront_key", "cloudfront_key_pair_id", S3),
    row(&["CLOUDFRONT_PRIVATE_KEY"], "signed URLs and cookies: the private key, PEM", Takes::Secret(|builder, given| builder.cloudfront_private_key = Some(given)))
        .code("with_cloudfront_key", "cloudfront_private_key", S3).secret(),
    row(&["CLOUDFRONT_PRIVATE_KEY_PATH"], "the file that holds this private key", Takes::Path(|builder, given| builder.cloudfront_private_key_path = Some(given)))
        .code("with_cloudfront_key_path", "cloudfront_private_key_path", S3),
    row(&["CLOUDFRONT_DISTRIBUTION_ID"], "what is deleted, restored or made anew is purged from this distribution", Takes::Text(|builder, given| builder.cloudfront_distribution_id = Some(given)))
        .code("with_cloudfront_distribution_id", "cloudfront_distribution_id", S3),
    row(&["AWS_ENDPOINT_URL_CLOUDFRONT"], "where CloudFront is asked to purge", Takes::Text(|builder, given| builder.cloudfront_endpoint = Some(given)))
        .machine().or("AWS"),
    row(&["LABLINK_STORAGE_SSE_KMS_KEY_ID"], "has S3 encrypt with this KMS key (SSE-KMS)", Takes::Text(|builder, given| builder.sse_kms_key_id = Some(given)))
        .code("with_sse_kms_key_id", "sse_kms_key_id", S3),
    row(&["LABLINK_STORAGE_STORAGE_CLASS"], "storage class of what is written: `STANDARD_IA`, …", Takes::Text(|builder, given| builder.storage_class = Some(given)))
        .code("with_storage_class", "storage_class", S3).or("the bucket's"),
    row(&["LABLINK_STORAGE_DIRECT_UPLOAD"], "how browsers upload to S3: `post`, or `put` for servers without POST Object (R2, B2)", Takes::Word(&["post", "put"], |builder, given| builder.direct_upload = UPLOADS[given.value]))
        .code("with_direct_upload", "direct_upload", S3).or("`post`"),
    row(&["LABLINK_STORAGE_PREFIX"], "key prefix; in code it may be empty", Takes::Text(|builder, given| builder.prefix = Some(given)))
        .code("with_prefix", "prefix", ANYWHERE).or("`components`"),
    row(&["LABLINK_STORAGE_DIR"], "directory of local files", Takes::Path(|builder, given| builder.directory = Some(given)))
        .code("local", "directory", &[]).or("`./uploads`"),
    row(&["LABLINK_STORAGE_BASE_URL"], "base URL of local files, and of a store in memory that is served: a path or an http(s) URL", Takes::Text(|builder, given| builder.base_url = Some(given)))
        .code("with_base_url", "base_url", SIGNED).or("`/uploads`"),
    row(&["LABLINK_STORAGE_FORMER_URLS"], "comma-separated base URLs that the store had before: their URLs still belong to it", Takes::List(|builder, given| builder.former_urls = Some(given)))
        .code("with_former_urls", "former_urls", ANYWHERE),
    row(&["LABLINK_STORAGE_SECRET"], "secret of local signed requests, 32 bytes at least", Takes::Secret(|builder, given| builder.secret = Some(given)))
        .code("with_secret", "secret", SIGNED).secret().or("not supported"),
    row(&["LABLINK_STORAGE_FSYNC"], "local writes are flushed to the disk before they count as done", Takes::Flag(|builder, given| builder.fsync = given.value))
        .code("with_fsync", "fsync", LOCAL).or("`false`"),
    row(&["LABLINK_STORAGE_MEMORY"], "`true`: the memory backend, for tests of whole applications; its images are served as local files are", Takes::Flag(|builder, given| if given.value { builder.kind = Some(given.map(|_| BackendChoice::Memory)) }))
        .code("memory", "", &[]).or("`false`"),
    row(&["LABLINK_STORAGE_REQUIRE_S3"], "fail without `AWS_S3_BUCKET`", Takes::Flag(|builder, given| builder.require_s3 = given.value))
        .code("with_require_s3", "", &[]).or("`false`: use local files, and warn unless `LABLINK_STORAGE_DIR` is set"),
    row(&["LABLINK_STORAGE_OPTIMIZE"], "how uploads are optimized, a JSON object: `{\"max_width\": 1600}`", Takes::Json(|builder, given| {
        let name = given.name;
                let (optimize, limits) = options::optimize(given)?;
        builder.optimize = Some(Given { value: optimize, name });
        builder.limits = limits.or(builder.limits.take());
        Ok(())
    })).code("with_optimize", "optimize", ANYWHERE),
    row(&["LABLINK_STORAGE_VARIANTS"], "versions that are written beside every image, a JSON object: `{\"thumb\": {\"max_width\": 320}}`", Takes::Json(|builder, given| {
        builder.variants = Some(Given { value: options::variants(given)?, name: given.name });
        Ok(())
    })).code("with_variants", "variants", ANYWHERE),
    row(&["LABLINK_STORAGE_LIMITS"], "what a file may cost, a JSON object: `{\"max_bytes\": 10000000}`", Takes::Json(|builder, given| {
        builder.limits = Some(options::limits(given)?);
        Ok(())
    })).code("with_limits", "limits", ANYWHERE),
    row(&["LABLINK_STORAGE_KEEP_ORIGINAL"], "keeps what comes in beside what is made of it, never public", Takes::Flag(|builder, given| builder.keep_original = given.value))
        .code("with_keep_original", "keep_original", ANYWHERE).or("`false`"),
    row(&["LABLINK_STORAGE_CACHE_CONTROL"], "`Cache-Control` of what is written", Takes::Text(|builder, given| builder.cache_control = Some(given)))
        .code("with_cache_control", "cache_control", ANYWHERE).or("`public, max-age=31536000, immutable`"),
    row(&["LABLINK_STORAGE_CREATE_ONLY"], "writing refuses to overwrite; `false` for servers that cannot", Takes::Flag(|builder, given| builder.overwrite = !given.value))
        .code("with_create_only", "create_only", ANYWHERE).or("`true`"),
    row(&[], "how long and how often an operation is tried: `web_request` (30 s) or `batch` (180 s)", Takes::Word(&["web_request", "batch"], |builder, given| builder.retry = RETRIES[given.value]))
        .code("with_retry", "retry", ANYWHERE).or("`web_request`"),
    row(&["LABLINK_STORAGE_DEADLINE"], "another deadline for every operation, in seconds", Takes::Seconds(|builder, given| builder.deadline = Some(given)))
        .code("with_deadline", "deadline", ANYWHERE).or("`30`"),
    row(&["LABLINK_STORAGE_MAX_DECODES"], "images decoded at once in a process", Takes::Count(|builder, given| builder.max_decodes = Some(given)))
        .code("with_max_decodes", "max_decodes", ANYWHERE).or("the cores, 4 at most"),
    row(&["LABLINK_STORAGE_DECODE_WAIT"], "how long a caller waits for its turn to decode, in seconds", Takes::Seconds(|builder, given| builder.decode_wait = Some(given)))
        .code("with_decode_wait", "decode_wait", ANYWHERE).or("`10`"),
    row(&["LABLINK_STORAGE_MAX_UPLOAD_BYTES"], "largest direct upload, in bytes", Takes::Count(|builder, given| builder.max_upload_bytes = Some(given)))
        .code("with_max_upload_bytes", "max_upload_bytes", ANYWHERE).or("`10485760`"),
    row(&["LABLINK_STORAGE_FETCH_HOSTS"], "hosts that `upload_from_url` may ask, comma-separated: `photos.example.org`, `*.example.org`, or `*`", Takes::List(|builder, given| builder.fetch_hosts = Some(given)))
        .code("with_fetch_hosts", "fetch_hosts", ANYWHERE).or("none"),
    row(&["LABLINK_STORAGE_INSPECTOR"], "the Python callable that looks at each image before it is published, as `module:callable`; Rust takes an `Inspector`", Takes::Text(|builder, given| builder.inspector = Some(given)))
        .code("", "inspector", ANYWHERE).or("none"),
];

const fn row(variables: &'static [&'static str], doc: &'static str, takes: Takes) -> Setting {
    Setting {
        variables,
        method: "",
        keyword: "",
        constructors: &[],
        default: "unset",
        reach: Reach::Store,
        doc,
        takes,
    }
}

impl Reach {
    /// Its name: `"store"`, `"secret"` or `"machine"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Secret => "secret",
            Self::Machine => "machine",
        }
    }
}

impl Setting {
    const fn code(
        mut self,
        method: &'static str,
        keyword: &'static str,
        constructors: &'static [&'static str],
    ) -> Self {
        self.method = method;
        self.keyword = keyword;
        self.constructors = constructors;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    const fn secret(mut self) -> Self {
        self.reach = Reach::Secret;
        self
    }

    const fn machine(mut self) -> Self {
        self.reach = Reach::Machine;
        self
    }

    /// Every setting there is, in the order of the documentation.
    ///
    /// ```
    /// use lablink_storage::Setting;
    ///
    /// let prefix = Setting::all().iter().find(|setting| setting.keyword == "prefix");
    /// let prefix = prefix.expect("a setting");
    /// assert_eq!(prefix.variables, ["LABLINK_STORAGE_PREFIX"]);
    /// assert_eq!((prefix.method, prefix.default), ("with_prefix", "`components`"));
    /// ```
    pub fn all() -> &'static [Self] {
        SETTINGS
    }

    /// Returns the type of its value.
    pub fn kind(&self) -> SettingKind {
        match self.takes {
            Takes::Text(_) => SettingKind::Text,
            Takes::Path(_) => SettingKind::Path,
            Takes::Secret(_) => SettingKind::Secret,
            Takes::Flag(_) => SettingKind::Flag,
            Takes::Count(_) => SettingKind::Count,
            Takes::Seconds(_) => SettingKind::Seconds,
            Takes::List(_) => SettingKind::List,
            Takes::Word(..) => SettingKind::Word,
            Takes::Json(_) => SettingKind::Json,
        }
    }

    /// The words that it takes, where it takes a word.
    pub fn words(&self) -> &'static [&'static str] {
        match self.takes {
            Takes::Word(words, _) => words,
            _ => &[],
        }
    }

    /// Reads the text of a variable, which is called `name`, into the builder.
    pub(super) fn read(
        &self,
        builder: &mut ConfigBuilder,
        name: &'static str,
        text: &str,
    ) -> Result<(), ConfigError> {
        let wrong = |problem: &str, remedy: &str| {
            ConfigError::new(name, problem, format!("{remedy}, or unset it"))
        };
        let value = match self.takes {
            Takes::Text(_) | Takes::Path(_) | Takes::Word(..) => SettingValue::Text(text.into()),
            Takes::Secret(_) => SettingValue::Secret(text.into()),
            Takes::Json(_) => SettingValue::Json(text.into()),
            Takes::Flag(_) => match text.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => SettingValue::Flag(true),
                "0" | "false" | "no" | "off" => SettingValue::Flag(false),
                _ => {
                    let remedy = format!("set {name} to true or false");
                    return Err(wrong("is neither true nor false", &remedy));
                }
            },
            Takes::Count(_) => SettingValue::Count(text.parse().map_err(|_| {
                wrong(
                    "is not a whole number",
                    &format!("set {name} to digits alone"),
                )
            })?),
            Takes::Seconds(_) => {
                let seconds = text.parse::<f64>().ok();
                let duration =
                    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                SettingValue::Duration(duration.ok_or_else(|| {
                    wrong(
                        "is not a number of seconds",
                        &format!("set {name} to a number such as 30"),
                    )
                })?)
            }
            Takes::List(_) => SettingValue::List(
                text.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect(),
            ),
        };
        self.set(builder, name, value)
    }

    /// Sets a value that was given under `name`.
    pub(super) fn set(
        &self,
        builder: &mut ConfigBuilder,
        name: &'static str,
        value: SettingValue,
    ) -> Result<(), ConfigError> {
        use SettingValue as Value;
        match (self.takes, value) {
            (Takes::Text(set) | Takes::Path(set), Value::Text(value)) => {
                set(builder, Given { value, name });
            }
            (Takes::Word(words, set), Value::Text(text)) => {
                let found = words
                    .iter()
                    .position(|word| text.eq_ignore_ascii_case(word));
                let value = found.ok_or_else(|| {
                    ConfigError::new(
                        name,
                        format!("is not one of {}", words.join(", ")),
                        format!("set it to one of {}, or leave it unset", words.join(", ")),
                    )
                })?;
                set(builder, Given { value, name });
            }
            (Takes::Secret(set), Value::Secret(value)) => set(builder, Given { value, name }),
            (Takes::Flag(set), Value::Flag(value)) => set(builder, Given { value, name }),
            (Takes::Count(set), Value::Count(value)) => set(builder, Given { value, name }),
            (Takes::Seconds(set), Value::Duration(value)) => set(builder, Given { value, name }),
            (Takes::List(set), Value::List(value)) => set(builder, Given { value, name }),
            (Takes::Json(set), Value::Json(text)) => set(builder, Given { value: &text, name })?,
            _ => {
                return Err(ConfigError::new(
                    name,
                    "has a value of the wrong type",
                    format!("give it as {}", self.kind().as_str()),
                ));
            }
        }
        Ok(())
    }
}
