//! From variables to a builder, and from a builder to a checked configuration.

use super::Config;
use super::builder::{BackendChoice, ConfigBuilder};
use super::credentials::CredentialsChain;
use super::env::Vars;
use super::error::ConfigError;
use super::table::{Setting, SettingValue};

impl ConfigBuilder {
    /// Takes everything from variables, to be refined in code; an empty value counts as unset.
    ///
    /// ```
    /// use lablink_storage::ConfigBuilder;
    ///
    /// let vars = [("LABLINK_STORAGE_PREFIX".to_owned(), "boards".to_owned())];
    /// let config = ConfigBuilder::from_vars(vars)?.memory().build()?;
    /// assert_eq!(config.prefix(), "boards");
    ///
    /// let vars = [("AWS_S3_USE_ACCELERATE".to_owned(), "maybe".to_owned())];
    /// assert_eq!(ConfigBuilder::from_vars(vars).unwrap_err().setting(), "AWS_S3_USE_ACCELERATE");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a flag that is neither true nor false, or an unknown addressing style.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Vars::new(vars).into_builder()
    }

    /// Takes everything from the process's environment, to be refined in code.
    ///
    /// ```
    /// use lablink_storage::{ConfigBuilder, RetryPreset};
    ///
    /// let config = ConfigBuilder::from_env()?.with_retry(RetryPreset::Batch).build()?;
    /// assert_eq!(config.retry(), RetryPreset::Batch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_vars`](Self::from_vars), and for a variable that is not UTF-8.
    pub fn from_env() -> Result<Self, ConfigError> {
        Vars::of_process()?.into_builder()
    }

    /// Checks everything together.
    ///
    /// ```
    /// use lablink_storage::{Config, LocalConfig};
    ///
    /// let config = Config::builder().local("/srv/images").with_base_url("/images").build()?;
    /// assert_eq!(config.local().map(LocalConfig::base_url), Some("/images"));
    ///
    /// let error = Config::builder().memory().with_secret("too short").build().unwrap_err();
    /// assert_eq!(error.to_string(), "secret is shorter than 32 bytes");
    /// assert_eq!(error.hint(), "make one with: openssl rand -hex 32");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first setting that is wrong. The private key's file is read here, and no
    /// other.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        let on_s3 =
            matches!(&self.kind, Some(given) if matches!(given.value, BackendChoice::S3(_)));
        if on_s3 && self.chain.is_none() {
            let mut machine = Self::default();
            Vars::of_process()?.machine_into(&mut machine)?;
            self.ca_bundle = self.ca_bundle.or(machine.ca_bundle);
            self.cloudfront_endpoint = self.cloudfront_endpoint.or(machine.cloudfront_endpoint);
            if self.access_key_id.is_none() && self.secret_access_key.is_none() {
                self.access_key_id = machine.access_key_id;
                self.secret_access_key = machine.secret_access_key;
                self.session_token = self.session_token.or(machine.session_token);
                self.chain = machine.chain;
            }
        }
        super::validate::validate(self)
    }

    /// Sets a setting of the table, for faces that read it: the value is known by its keyword.
    ///
    /// ```
    /// use lablink_storage::{Config, Setting, SettingValue};
    ///
    /// let prefix = Setting::all().iter().find(|setting| setting.keyword == "prefix").expect("one");
    /// let builder = Config::builder().memory();
    /// let config = builder.with_setting(prefix, SettingValue::Text("boards".into()))?.build()?;
    /// assert_eq!(config.prefix(), "boards");
    /// # Ok::<(), lablink_storage::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a value that it cannot have.
    pub fn with_setting(
        mut self,
        setting: &Setting,
        value: SettingValue,
    ) -> Result<Self, ConfigError> {
        setting.set(&mut self, setting.keyword, value)?;
        Ok(self)
    }

    pub(super) fn chain(&mut self) -> &mut CredentialsChain {
        self.chain.get_or_insert_default()
    }
}
