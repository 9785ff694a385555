//! The checks, all in one place and made once.

use std::path::PathBuf;

use super::address::{address_error, location};
use super::bounds::{concurrency, deadline, images, max_upload_bytes};
use super::builder::{BackendChoice, ConfigBuilder, Given};
use super::cloudfront::cloudfront;
use super::credentials::{CredentialsChain, CredentialsSource, StaticCredentials};
use super::error::ConfigError;
use super::fetch_hosts::fetch_hosts;
use super::pem::ca_bundle;
use super::{BackendConfig, Config, LocalConfig, S3Config};
use crate::secret::Secret;
use crate::url::{S3Location, Urls};

const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_DIRECTORY: &str = "./uploads";
const DEFAULT_BASE_URL: &str = "/uploads";
const DEFAULT_PREFIX: &str = "components";
const DEFAULT_CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// Shortest secret for HMAC-SHA256: as long as its output (RFC 2104 section 3).
const MIN_SECRET_BYTES: usize = 32;

pub(super) fn validate(mut builder: ConfigBuilder) -> Result<Config, ConfigError> {
    check_required(&builder)?;
    let cache_control = cache_control(builder.cache_control.as_ref())?;
    let (max_decodes, decode_wait) = concurrency(&builder)?;
    let deadline = deadline(&builder)?;
    let cloudfront = cloudfront(&builder)?;
    let backend = backend(&builder)?;
    let prefix = builder
        .prefix
        .as_ref()
        .map_or(DEFAULT_PREFIX, |given| &given.value)
        .trim_end_matches('/')
        .to_owned();
    let location = location(&builder, &backend);
    let domain = builder
        .cloudfront_domain
        .as_ref()
        .map(|given| given.value.as_str());
    let former = builder.former_urls.iter().flat_map(|given| &given.value);
    let urls = Urls::new(location, domain, &prefix)
        .and_then(|urls| urls.with_former(former))
        .map_err(|error| address_error(&builder, error))?;
    let (optimize, variants) = images(&mut builder)?;
    Ok(Config {
        fell_back: builder.kind.is_none() && builder.directory.is_none(),
        backend,
        urls,
        prefix,
        cache_control,
        create_only: !builder.overwrite,
        cloudfront,
        retry: builder.retry,
        deadline,
        max_decodes,
        decode_wait,
        max_upload_bytes: max_upload_bytes(&builder)?,
        optimize,
        variants,
        keep_original: builder.keep_original,
        fetch_hosts: fetch_hosts(builder.fetch_hosts.as_ref())?,
        inspector: inspector(builder.inspector.as_ref())?,
    })
}

const MEMORY: &str = "LABLINK_STORAGE_MEMORY";

/// Fails where S3 is required and the environment does not choose it; code may still choose something else.
fn check_required(builder: &ConfigBuilder) -> Result<(), ConfigError> {
    let (setting, problem, remedy) = match &builder.kind {
        _ if !builder.require_s3 => return Ok(()),
        None => (
            "AWS_S3_BUCKET",
            "is not set",
            "set AWS_S3_BUCKET to the bucket's name, or unset LABLINK_STORAGE_REQUIRE_S3 to store local files",
        ),
        Some(given) if given.name == MEMORY => (
            MEMORY,
            "is set",
            "unset LABLINK_STORAGE_MEMORY, or in tests LABLINK_STORAGE_REQUIRE_S3",
        ),
        Some(_) => return Ok(()),
    };
    let problem = format!("{problem}, and LABLINK_STORAGE_REQUIRE_S3 asks for S3");
    Err(ConfigError::new(setting, problem, remedy))
}

/// A Python callable, as `module:callable`.
fn inspector(given: Option<&Given<String>>) -> Result<Option<String>, ConfigError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let names = given.value.split_once(':');
    if names.is_none_or(|(module, callable)| module.is_empty() || callable.is_empty()) {
        return Err(ConfigError::new(
            given.name,
            "does not name a callable",
            "name one as module:callable, such as lab.moderation:inspect",
        ));
    }
    Ok(Some(given.value.clone()))
}

fn backend(builder: &ConfigBuilder) -> Result<BackendConfig, ConfigError> {
    let secret = secret(builder.secret.as_ref())?;
    Ok(match builder.kind.as_ref().map(|given| &given.value) {
        Some(BackendChoice::S3(bucket)) => BackendConfig::S3(s3(builder, bucket)?),
        Some(BackendChoice::Memory) => BackendConfig::Memory {
            secret,
            base_url: memory_base_url(builder),
        },
        Some(BackendChoice::Custom) => BackendConfig::Custom,
        Some(BackendChoice::Local) | None => BackendConfig::Local(local(builder, secret)?),
    })
}

fn local(builder: &ConfigBuilder, secret: Option<Secret>) -> Result<LocalConfig, ConfigError> {
    let directory = match &builder.directory {
        None => DEFAULT_DIRECTORY,
        Some(given) if given.value.is_empty() || given.value.contains('\0') => {
            return Err(ConfigError::new(
                given.name,
                "is not a directory's path",
                "name a directory, such as ./uploads",
            ));
        }
        Some(given) => &given.value,
    };
    Ok(LocalConfig {
        directory: PathBuf::from(directory),
        base_url: base_url(builder).unwrap_or(DEFAULT_BASE_URL).to_owned(),
        secret,
        fsync: builder.fsync,
    })
}

/// A whole application that its tests keep in memory serves its images as it serves local files.
fn memory_base_url(builder: &ConfigBuilder) -> Option<String> {
    let is_whole = builder
        .kind
        .as_ref()
        .is_some_and(|kind| kind.name == MEMORY);
    let default = is_whole.then_some(DEFAULT_BASE_URL);
    base_url(builder).or(default).map(str::to_owned)
}

fn base_url(builder: &ConfigBuilder) -> Option<&str> {
    builder.base_url.as_ref().map(|given| given.value.as_str())
}

fn s3(builder: &ConfigBuilder, bucket: &str) -> Result<S3Config, ConfigError> {
    let name = builder.kind.as_ref().map_or("bucket", |given| given.name);
    if bucket.starts_with("arn:") {
        return Err(ConfigError::new(
            name,
            "is an ARN, not a bucket's name",
            "use the bucket's name, or the access point's alias",
        ));
    }
    if bucket.ends_with("--x-s3") {
        return Err(ConfigError::new(
            name,
            "is a directory bucket (S3 Express), which no public URL can reach",
            "use a general purpose bucket",
        ));
    }
    let region = builder
        .region
        .as_ref()
        .map_or(DEFAULT_REGION, |given| &given.value);
    let flag = |given: &Option<Given<bool>>| given.as_ref().is_some_and(|given| given.value);
    let mut location = S3Location::new(bucket, region)
        .with_accelerate(flag(&builder.accelerate))
        .with_dual_stack(flag(&builder.dual_stack));
    if let Some(given) = &builder.endpoint_url {
        location = location.with_endpoint(&given.value);
    }
    if let Some(given) = &builder.public_endpoint {
        location = location.with_public_endpoint(&given.value);
    }
    if let Some(given) = &builder.addressing {
        location = location.with_addressing(given.value);
    }
    Ok(S3Config {
        location,
        credentials: credentials(builder)?,
        sse_kms_key_id: header_value(builder.sse_kms_key_id.as_ref())?,
        storage_class: header_value(builder.storage_class.as_ref())?,
        direct_upload: builder.direct_upload,
        ca_bundle: ca_bundle(builder.ca_bundle.as_ref())?,
    })
}

fn credentials(builder: &ConfigBuilder) -> Result<CredentialsSource, ConfigError> {
    let missing = |given: &'static str, other: &'static str| {
        ConfigError::new(
            other,
            format!("is not set, but {given} is"),
            "set both, or neither to look for credentials elsewhere",
        )
    };
    let named = |given: &'static str, variable: &'static str, keyword: &'static str| {
        if is_variable(given) {
            variable
        } else {
            keyword
        }
    };
    if let Some(provider) = &builder.provider {
        return Ok(CredentialsSource::Provider(provider.clone()));
    }
    let token = builder.session_token.as_ref();
    match (&builder.access_key_id, &builder.secret_access_key) {
        (Some(id), Some(secret)) => {
            for (name, value) in [(id.name, &*id.value), (secret.name, secret.value.expose())] {
                if value.is_empty() {
                    return Err(ConfigError::new(name, "is empty", "set both, or neither"));
                }
            }
            check_header(id.name, &id.value)?;
            check_line(secret.name, secret.value.expose())?;
            if id.value.contains('/') {
                return Err(ConfigError::new(
                    id.name,
                    "has a '/', which no id of a key has",
                    "set it to the key's id; its secret belongs in the other setting",
                ));
            }
            if let Some(token) = token {
                check_header(token.name, token.value.expose())?;
            }
            Ok(CredentialsSource::Static(StaticCredentials {
                access_key_id: id.value.clone(),
                secret_access_key: secret.value.clone(),
                session_token: token
                    .map(|given| given.value.clone())
                    .filter(|token| !token.expose().is_empty()),
            }))
        }
        (Some(id), None) => {
            let other = named(id.name, "AWS_SECRET_ACCESS_KEY", "secret_access_key");
            Err(missing(id.name, other))
        }
        (None, Some(secret)) => {
            let other = named(secret.name, "AWS_ACCESS_KEY_ID", "access_key_id");
            Err(missing(secret.name, other))
        }
        (None, None) => {
            if let Some(token) = token.filter(|token| !is_variable(token.name)) {
                return Err(missing(token.name, "access_key_id"));
            }
            let chain = builder.chain.clone().unwrap_or_default();
            check_chain(&chain)?;
            Ok(CredentialsSource::Chain(Box::new(chain)))
        }
    }
}

fn check_chain(chain: &CredentialsChain) -> Result<(), ConfigError> {
    if let Some(token) = &chain.container_token {
        // A scheme may stand before it.
        let parts: String = token.expose().split(' ').collect();
        check_header("AWS_CONTAINER_AUTHORIZATION_TOKEN", &parts)?;
    }
    for (name, value) in [
        ("AWS_ENDPOINT_URL_STS", &chain.sts_endpoint),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &chain.container_full_uri,
        ),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            &chain.metadata_endpoint,
        ),
    ] {
        if let Some(value) = value {
            check_url(name, value)?;
        }
    }
    let relative = chain.container_relative_uri.as_deref();
    if relative
        .is_some_and(|uri| !uri.starts_with('/') || !uri.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(ConfigError::new(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "is not a path",
            "leave it as ECS sets it",
        ));
    }
    Ok(())
}

/// Checks the address of a service.
pub(super) fn check_url(name: &'static str, value: &str) -> Result<(), ConfigError> {
    let is_http = ::url::Url::parse(value)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_http {
        return Ok(());
    }
    Err(ConfigError::new(
        name,
        "is not an http(s) URL",
        "correct it or unset it",
    ))
}

/// Checks the value of a request header: control characters there would end the request, or the process.
fn check_header(name: &'static str, value: &str) -> Result<(), ConfigError> {
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ConfigError::new(
        name,
        "has a space, a control character or one outside ASCII",
        "remove it; often it is the line break at the end of a file",
    ))
}

/// Checks a value that is only signed with: AWS takes any text, but a line break is never part of it.
fn check_line(name: &'static str, value: &str) -> Result<(), ConfigError> {
    if value.chars().any(char::is_control) {
        return Err(ConfigError::new(
            name,
            "has a control character",
            "remove it; often it is the line break at the end of a file",
        ));
    }
    Ok(())
}

/// Returns whether a setting was given as a variable, and not in code.
fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

fn header_value(given: Option<&Given<String>>) -> Result<Option<String>, ConfigError> {
    let Some(given) = given.filter(|given| !given.value.is_empty()) else {
        return Ok(None);
    };
    check_header(given.name, &given.value)?;
    Ok(Some(given.value.clone()))
}

fn cache_control(given: Option<&Given<String>>) -> Result<String, ConfigError> {
    let Some(given) = given else {
        return Ok(DEFAULT_CACHE_CONTROL.to_owned());
    };
    let value = given.value.trim_matches(' ');
    let valid = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if value.is_empty() || !value.bytes().all(valid) {
        return Err(ConfigError::new(
            given.name,
            "is empty, or has a control character or one outside ASCII",
            format!("use directives such as {DEFAULT_CACHE_CONTROL:?}"),
        ));
    }
    Ok(value.to_owned())
}

fn secret(given: Option<&Given<Secret>>) -> Result<Option<Secret>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    if given.value.expose().len() < MIN_SECRET_BYTES {
        return Err(ConfigError::new(
            given.name,
            format!("is shorter than {MIN_SECRET_BYTES} bytes"),
            "make one with: openssl rand -hex 32",
        ));
    }
    Ok(Some(given.value.clone()))
}
