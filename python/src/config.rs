//! The keywords of `ImageStore`'s constructors as a `Config`.

use std::path::PathBuf;

use lablink_storage::{
    Addressing, Config, ConfigBuilder, Limits, OptimizeOptions, RetryPreset, Variant,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{invalid_argument, storage};
use crate::options::{
    choice, duration, each_entry, flag, limits, number, optimize_options, plain, text,
};

/// Keywords whose values stay in the process that they were given to.
pub(crate) const SECRETS: &[&str] = &[
    "access_key_id",
    "secret_access_key",
    "session_token",
    "cloudfront_private_key",
    "secret",
];

/// What a constructor is called, and the keywords that it takes beside those of [`ANYWHERE`].
pub(crate) struct Constructor {
    name: &'static str,
    keywords: &'static [&'static str],
}

const ANYWHERE: &[&str] = &[
    "prefix",
    "optimize",
    "variants",
    "limits",
    "cache_control",
    "create_only",
    "retry",
    "deadline",
    "max_decodes",
    "decode_wait",
];

pub(crate) const FROM_ENV: Constructor = Constructor {
    name: "from_env",
    keywords: &[],
};

pub(crate) const S3: Constructor = Constructor {
    name: "s3",
    keywords: &[
        "region",
        "endpoint_url",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "cloudfront_domain",
        "addressing",
        "accelerate",
        "dual_stack",
        "cloudfront_key_pair_id",
        "cloudfront_private_key",
        "cloudfront_private_key_path",
        "sse_kms_key_id",
        "storage_class",
    ],
};

pub(crate) const LOCAL: Constructor = Constructor {
    name: "local",
    keywords: &["base_url", "secret", "fsync"],
};

pub(crate) const MEMORY: Constructor = Constructor {
    name: "memory",
    keywords: &["secret"],
};

impl Constructor {
    fn takes(&self, keyword: &str) -> bool {
        ANYWHERE.contains(&keyword) || self.keywords.contains(&keyword)
    }

    /// As Python says it.
    fn unexpected(&self, keyword: &str) -> PyErr {
        let name = self.name;
        PyTypeError::new_err(format!(
            "ImageStore.{name}() got an unexpected keyword argument '{keyword}'"
        ))
    }
}

const ADDRESSINGS: &[(&str, Addressing)] = &[
    ("auto", Addressing::Auto),
    ("virtual", Addressing::Virtual),
    ("path", Addressing::Path),
];

const RETRIES: &[(&str, RetryPreset)] = &[
    ("web_request", RetryPreset::WebRequest),
    ("batch", RetryPreset::Batch),
];

/// What can only be set together, gathered until every keyword was seen.
#[derive(Default)]
struct Pairs {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    cloudfront_key_pair_id: Option<String>,
    cloudfront_private_key: Option<String>,
    cloudfront_private_key_path: Option<PathBuf>,
    optimize: Option<OptimizeOptions>,
    limits: Option<Limits>,
}

/// Applies a constructor's keywords and validates the whole.
pub(crate) fn configure(
    constructor: &Constructor,
    mut builder: ConfigBuilder,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Config> {
    let mut pairs = Pairs::default();
    if let Some(keywords) = keywords {
        each_entry("keywords", keywords, |name, value| {
            if !constructor.takes(name) {
                return Err(constructor.unexpected(name));
            }
            if !value.is_none() {
                builder = set(std::mem::take(&mut builder), &mut pairs, name, value)?;
            }
            Ok(())
        })?;
    }
    builder = pairs.apply(builder)?;
    builder.build().map_err(|error| storage(error.into()))
}

fn set(
    builder: ConfigBuilder,
    pairs: &mut Pairs,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<ConfigBuilder> {
    Ok(match name {
        "region" => builder.with_region(text(name, value)?),
        "endpoint_url" => builder.with_endpoint_url(text(name, value)?),
        "addressing" => builder.with_addressing(choice(name, value, ADDRESSINGS)?),
        "accelerate" => builder.with_accelerate(flag(name, value)?),
        "dual_stack" => builder.with_dual_stack(flag(name, value)?),
        "sse_kms_key_id" => builder.with_sse_kms_key_id(text(name, value)?),
        "storage_class" => builder.with_storage_class(text(name, value)?),
        "create_only" => builder.with_create_only(flag(name, value)?),
        "cache_control" => builder.with_cache_control(text(name, value)?),
        "prefix" => builder.with_prefix(text(name, value)?),
        "cloudfront_domain" => builder.with_cloudfront_domain(text(name, value)?),
        "base_url" => builder.with_base_url(text(name, value)?),
        "secret" => builder.with_secret(text(name, value)?),
        "fsync" => builder.with_fsync(flag(name, value)?),
        "retry" => builder.with_retry(choice(name, value, RETRIES)?),
        "deadline" => builder.with_deadline(duration(name, value)?),
        "max_decodes" => builder.with_max_decodes(number(name, value)?),
        "decode_wait" => builder.with_decode_wait(duration(name, value)?),
        "variants" => builder.with_variants(variants(value)?),
        _ => {
            pairs.set(name, value)?;
            builder
        }
    })
}

impl Pairs {
    fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match name {
            "access_key_id" => self.access_key_id = Some(text(name, value)?),
            "secret_access_key" => self.secret_access_key = Some(text(name, value)?),
            "session_token" => self.session_token = Some(text(name, value)?),
            "cloudfront_key_pair_id" => self.cloudfront_key_pair_id = Some(text(name, value)?),
            "cloudfront_private_key" => self.cloudfront_private_key = Some(text(name, value)?),
            "cloudfront_private_key_path" => {
                self.cloudfront_private_key_path = Some(plain(name, "a path", value)?);
            }
            "optimize" => {
                let default = OptimizeOptions::default();
                self.optimize = Some(optimize_options(name, value, default)?);
            }
            "limits" => self.limits = Some(limits(name, value, Limits::default())?),
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "there is no keyword argument {name:?}"
                )));
            }
        }
        Ok(())
    }

    fn apply(self, mut builder: ConfigBuilder) -> PyResult<ConfigBuilder> {
        builder = match (self.access_key_id, self.secret_access_key) {
            (Some(id), Some(secret)) => builder.with_credentials(id, secret, self.session_token),
            (None, None) if self.session_token.is_none() => builder,
            _ => {
                return Err(invalid_argument(
                    "access_key_id",
                    "access_key_id and secret_access_key are given together",
                ));
            }
        };
        builder = match (
            self.cloudfront_key_pair_id,
            self.cloudfront_private_key,
            self.cloudfront_private_key_path,
        ) {
            (Some(id), Some(key), None) => builder.with_cloudfront_key(id, key),
            (Some(id), None, Some(path)) => builder.with_cloudfront_key_path(id, path),
            (None, None, None) => builder,
            _ => {
                return Err(invalid_argument(
                    "cloudfront_key_pair_id",
                    "it is given together with either cloudfront_private_key or \
                     cloudfront_private_key_path",
                ));
            }
        };
        if self.optimize.is_some() || self.limits.is_some() {
            let mut optimize = self.optimize.unwrap_or_default();
            if let Some(limits) = self.limits {
                optimize = optimize.with_limits(limits);
            }
            builder = builder.with_optimize(optimize);
        }
        Ok(builder)
    }
}

fn variants(value: &Bound<'_, PyAny>) -> PyResult<Vec<Variant>> {
    let mut variants = Vec::new();
    each_entry("variants", value, |name, options| {
        let options = optimize_options("variants", options, OptimizeOptions::default())?;
        let variant = Variant::new(name, options)
            .map_err(|error| invalid_argument("variants", &error.to_string()))?;
        variants.push(variant);
        Ok(())
    })?;
    Ok(variants)
}
