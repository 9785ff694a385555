//! Reading the environment, or any map that looks like one.

use std::collections::HashMap;
use std::path::PathBuf;

use super::builder::{ConfigBuilder, Given, Kind};
use super::credentials::CredentialsChain;
use super::error::ConfigError;
use crate::secret::Secret;
use crate::url::Addressing;

/// Variables with a value: an empty one counts as unset.
pub(super) struct Vars(HashMap<String, String>);

impl Vars {
    pub(super) fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            vars.into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// A snapshot of the process's environment. What is not UTF-8 cannot be one of our settings.
    pub(super) fn of_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    fn get(&self, name: &'static str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn given(&self, name: &'static str) -> Option<Given<String>> {
        self.get(name).map(|value| Given { value, name })
    }

    fn secret(&self, name: &'static str) -> Option<Given<Secret>> {
        self.given(name).map(|given| given.map(Secret::new))
    }

    fn flag(&self, name: &'static str) -> Result<Option<Given<bool>>, ConfigError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let value = match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => {
                return Err(ConfigError::new(
                    name,
                    "is neither true nor false",
                    format!("set {name} to true or false, or unset it"),
                ));
            }
        };
        Ok(Some(Given { value, name }))
    }

    fn addressing(&self) -> Result<Option<Given<Addressing>>, ConfigError> {
        const NAME: &str = "AWS_S3_ADDRESSING_STYLE";
        let Some(value) = self.get(NAME) else {
            return Ok(None);
        };
        let value = match value.to_ascii_lowercase().as_str() {
            "auto" => Addressing::Auto,
            "virtual" => Addressing::Virtual,
            "path" => Addressing::Path,
            _ => {
                return Err(ConfigError::new(
                    NAME,
                    "is none of virtual, path and auto",
                    "set it to virtual, path or auto, or unset it",
                ));
            }
        };
        Ok(Some(Given { value, name: NAME }))
    }

    /// Keys and the places to look for others: all that a store takes from the environment even where
    /// the rest was given in code.
    pub(super) fn credentials_into(&self, builder: &mut ConfigBuilder) -> Result<(), ConfigError> {
        builder.access_key_id = self.given("AWS_ACCESS_KEY_ID");
        builder.secret_access_key = self.secret("AWS_SECRET_ACCESS_KEY");
        builder.session_token = self.secret("AWS_SESSION_TOKEN");
        builder.chain = Some(self.chain()?);
        Ok(())
    }

    fn chain(&self) -> Result<CredentialsChain, ConfigError> {
        let home = self.get("HOME").or_else(|| self.get("USERPROFILE"));
        let credentials_file = self
            .get("AWS_SHARED_CREDENTIALS_FILE")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| PathBuf::from(home).join(".aws").join("credentials")));
        Ok(CredentialsChain {
            profile: self.get("AWS_PROFILE"),
            credentials_file,
            web_identity_token_file: self.get("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
            role_arn: self.get("AWS_ROLE_ARN"),
            role_session_name: self.get("AWS_ROLE_SESSION_NAME"),
            sts_endpoint: self.get("AWS_ENDPOINT_URL_STS"),
            container_relative_uri: self.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            container_full_uri: self.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            container_token: self
                .get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map(Secret::new),
            container_token_file: self
                .get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
                .map(PathBuf::from),
            metadata_disabled: self
                .flag("AWS_EC2_METADATA_DISABLED")?
                .is_some_and(|given| given.value),
            metadata_endpoint: self.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        })
    }

    pub(super) fn into_builder(self) -> Result<ConfigBuilder, ConfigError> {
        let mut builder = ConfigBuilder {
            kind: self.given("AWS_S3_BUCKET").map(|given| given.map(Kind::S3)),
            directory: self.given("LABLINK_STORAGE_DIR"),
            region: self
                .given("AWS_REGION")
                .or_else(|| self.given("AWS_DEFAULT_REGION")),
            endpoint_url: self
                .given("AWS_ENDPOINT_URL_S3")
                .or_else(|| self.given("AWS_ENDPOINT_URL")),
            addressing: self.addressing()?,
            accelerate: self.flag("AWS_S3_USE_ACCELERATE")?,
            dual_stack: self.flag("AWS_USE_DUALSTACK_ENDPOINT")?,
            cloudfront_domain: self.given("CLOUDFRONT_DOMAIN"),
            cloudfront_key_pair_id: self.given("CLOUDFRONT_KEY_PAIR_ID"),
            cloudfront_private_key: self.secret("CLOUDFRONT_PRIVATE_KEY"),
            cloudfront_private_key_path: self.given("CLOUDFRONT_PRIVATE_KEY_PATH"),
            prefix: self.given("LABLINK_STORAGE_PREFIX"),
            base_url: self.given("LABLINK_STORAGE_BASE_URL"),
            secret: self.secret("LABLINK_STORAGE_SECRET"),
            require_s3: self
                .flag("LABLINK_STORAGE_REQUIRE_S3")?
                .is_some_and(|given| given.value),
            ..ConfigBuilder::default()
        };
        self.credentials_into(&mut builder)?;
        Ok(builder)
    }
}
