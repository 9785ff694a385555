//! Reading the environment, or any map that looks like one.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::builder::{ConfigBuilder, Given, Kind};
use super::credentials::CredentialsChain;
use super::error::ConfigError;
use crate::secret::Secret;
use crate::url::Addressing;

/// Every variable that is read.
pub(super) const NAMES: [&str; 34] = [
    "AWS_S3_BUCKET",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_S3_ADDRESSING_STYLE",
    "AWS_S3_USE_ACCELERATE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "CLOUDFRONT_DOMAIN",
    "CLOUDFRONT_KEY_PAIR_ID",
    "CLOUDFRONT_PRIVATE_KEY",
    "CLOUDFRONT_PRIVATE_KEY_PATH",
    "LABLINK_STORAGE_PREFIX",
    "LABLINK_STORAGE_DIR",
    "LABLINK_STORAGE_BASE_URL",
    "LABLINK_STORAGE_SECRET",
    "LABLINK_STORAGE_REQUIRE_S3",
];

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

    /// A snapshot of the process's environment.
    ///
    /// # Errors
    ///
    /// For a setting of ours that is not UTF-8: passing over it would mean another value than was asked for.
    pub(super) fn of_process() -> Result<Self, ConfigError> {
        Self::of_os(std::env::vars_os())
    }

    fn of_os(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut found = Vec::new();
        for (name, value) in vars {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => found.push((name, value)),
                Err(_) => {
                    if let Some(setting) = NAMES.into_iter().find(|setting| *setting == name) {
                        return Err(ConfigError::new(
                            setting,
                            "is not UTF-8",
                            "correct it or unset it",
                        ));
                    }
                }
            }
        }
        Ok(Self::new(found))
    }

    fn get(&self, name: &'static str) -> Option<String> {
        debug_assert!(
            NAMES.contains(&name) || ["HOME", "USERPROFILE"].contains(&name),
            "{name} is not listed"
        );
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
        Ok(CredentialsChain {
            profile: self
                .get("AWS_PROFILE")
                .or_else(|| self.get("AWS_DEFAULT_PROFILE")),
            credentials_file: self.get("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from),
            config_file: self.get("AWS_CONFIG_FILE").map(PathBuf::from),
            home: home.map(PathBuf::from),
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    /// A path in another encoding is not silently replaced by the default directory.
    #[test]
    fn what_is_not_utf_8_is_named_if_it_is_ours() {
        let latin1 = || OsString::from_vec(b"/srv/gr\xfc\xdfe".to_vec());
        for name in NAMES {
            let error = Vars::of_os([(name.into(), latin1())]).err().expect(name);
            assert_eq!(error.setting(), name);
            assert!(!error.hint().is_empty());
        }
        let others = [("PWD".into(), latin1()), (latin1(), "x".into())];
        assert!(Vars::of_os(others).is_ok());
    }
}
