//! Reading the environment, or any map that looks like one.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::builder::ConfigBuilder;
use super::error::ConfigError;
use super::table::{Reach, SETTINGS, Setting};

/// Every variable that is read.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS
        .iter()
        .flat_map(|setting| setting.variables)
        .copied()
}

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
                    if let Some(setting) = names().find(|setting| *setting == name) {
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

    /// Reads what a store takes from the environment even where the rest was given in code: keys, the places to
    /// look for others, and the certificates that this machine trusts.
    pub(super) fn machine_into(&self, builder: &mut ConfigBuilder) -> Result<(), ConfigError> {
        let keys = ["access_key_id", "secret_access_key", "session_token"];
        self.read(builder, |setting| {
            setting.reach == Reach::Machine
                || keys.contains(&setting.keyword)
                || setting.reach == Reach::Secret && setting.keyword.is_empty()
                || setting.variables == ["AWS_EC2_METADATA_DISABLED"]
        })
    }

    pub(super) fn into_builder(self) -> Result<ConfigBuilder, ConfigError> {
        let mut builder = ConfigBuilder::default();
        self.read(&mut builder, |_| true)?;
        Ok(builder)
    }

    fn read(
        &self,
        builder: &mut ConfigBuilder,
        wanted: impl Fn(&Setting) -> bool,
    ) -> Result<(), ConfigError> {
        let home = self.0.get("HOME").or_else(|| self.0.get("USERPROFILE"));
        // It is there even if it is empty: these variables were looked at.
        builder.chain().home = home.map(PathBuf::from);
        for setting in SETTINGS.iter().filter(|setting| wanted(setting)) {
            let set = |name: &&&'static str| self.0.contains_key(**name);
            if let Some(name) = setting.variables.iter().find(set) {
                setting.read(builder, name, &self.0[*name])?;
            }
        }
        Ok(())
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
        for name in names() {
            let error = Vars::of_os([(name.into(), latin1())]).err().expect(name);
            assert_eq!(error.setting(), name);
            assert!(!error.hint().is_empty());
        }
        let others = [("PWD".into(), latin1()), (latin1(), "x".into())];
        assert!(Vars::of_os(others).is_ok());
    }
}
