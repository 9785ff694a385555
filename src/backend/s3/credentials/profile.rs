//! The shared credentials and config files.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::fetch::{keys, text_file};
use super::{Found, SourceFailure, process};
use crate::config::CredentialsChain;
use crate::secret::Secret;
use crate::sign::Credentials;

/// The keys of a profile (`default` unless one is named): those of the credentials file, then what a
/// `credential_process` prints, then those of the config file. Where nobody named a profile or a file,
/// one that has no keys or cannot be read is passed over, as the AWS SDKs do.
pub(super) async fn find(chain: &CredentialsChain, limit: Duration) -> Found {
    let outcome = look(chain, limit).await;
    outcome.map_err(|problem| SourceFailure {
        unnamed: is_unnamed(chain),
        ..SourceFailure::from(problem)
    })
}

/// Whether nobody named a profile or a file.
fn is_unnamed(chain: &CredentialsChain) -> bool {
    chain.profile.is_none() && chain.credentials_file.is_none() && chain.config_file.is_none()
}

async fn look(chain: &CredentialsChain, limit: Duration) -> Result<Option<Credentials>, String> {
    let wanted = chain.profile.as_deref().unwrap_or("default");
    let mut unread = None;
    let credentials = match read(&chain.credentials_file, chain, "credentials").await {
        // The keys may be in the other file.
        Err(problem) if is_unnamed(chain) => {
            unread = Some(problem);
            None
        }
        text => text?,
    };
    let config = read(&chain.config_file, chain, "config").await?;
    let found = [
        credentials.and_then(|text| Profile::parse(&text, wanted, false)),
        config.and_then(|text| Profile::parse(&text, wanted, true)),
    ];
    if found.iter().all(Option::is_none) {
        return match (unread, &chain.profile) {
            (Some(problem), _) => Err(problem),
            (None, Some(_)) => Err(format!("there is no profile {wanted:?}")),
            (None, None) => Ok(None),
        };
    }
    let [credentials, config] = found.map(Option::unwrap_or_default);
    let bad = |problem: String| format!("profile {wanted:?}: {problem}");
    if let Some(keys) = credentials.keys() {
        return keys.map(Some).map_err(bad);
    }
    if let Some(line) = credentials.process.or(config.process.clone()) {
        return process::run(&line, limit).await.map(Some).map_err(bad);
    }
    match config.keys() {
        Some(keys) => keys.map(Some).map_err(bad),
        None => Err(bad(
            "it has no keys and no credential_process (sso and role_arn are not read)".to_owned(),
        )),
    }
}

/// The text of a file: the one that was named, or the usual one where it is there.
async fn read(
    named: &Option<PathBuf>,
    chain: &CredentialsChain,
    usual: &str,
) -> Result<Option<zeroize::Zeroizing<String>>, String> {
    let path = match (named, &chain.home) {
        (Some(path), _) => path.clone(),
        (None, Some(home)) => home.join(".aws").join(usual),
        (None, None) => return Ok(None),
    };
    match text_file(&path).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// The entries of a profile.
#[derive(Default)]
struct Profile {
    id: Option<String>,
    secret: Option<Secret>,
    token: Option<Secret>,
    process: Option<String>,
}

impl Profile {
    /// `None` where the file does not have it. Config files name all but the default `profile NAME`.
    fn parse(text: &str, wanted: &str, is_config: bool) -> Option<Self> {
        let mut profile = Self::default();
        let mut inside = false;
        let mut found = false;
        for raw in text.lines() {
            let line = raw.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                let name = section.split(']').next().unwrap_or_default().trim();
                let prefixed = name
                    .strip_prefix("profile")
                    .filter(|rest| rest.starts_with([' ', '\t']));
                // The config file's spelling is common in the credentials file, too.
                let bare_is_one = !is_config || wanted == "default";
                inside = (bare_is_one && name == wanted)
                    || prefixed.is_some_and(|name| name.trim().trim_matches('"') == wanted);
                found |= inside;
                continue;
            }
            // What is indented belongs to a setting of several lines, such as `s3 =`.
            let nested = raw.starts_with([' ', '\t']);
            let Some((name, value)) = line.split_once('=').filter(|_| inside && !nested) else {
                continue;
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match name.trim().to_ascii_lowercase().as_str() {
                "aws_access_key_id" => profile.id = Some(value.to_owned()),
                "aws_secret_access_key" => profile.secret = Some(Secret::new(value)),
                "aws_session_token" => profile.token = Some(Secret::new(value)),
                "credential_process" => profile.process = Some(value.to_owned()),
                _ => {}
            }
        }
        found.then_some(profile)
    }

    fn keys(&self) -> Option<Result<Credentials, String>> {
        let (id, secret) = (self.id.clone()?, self.secret.clone()?);
        Some(keys(id, secret, self.token.clone(), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = AKIADEFAULT\n\
        aws_secret_access_key=secret/with+signs=\n\n[ work ]\r\nAWS_ACCESS_KEY_ID = AKIAWORK\r\n\
        aws_secret_access_key = sä cret\r\naws_session_token = t\r\nregion = x\n\
        s3 =\n  aws_access_key_id = nested\n[sso]\nsso_session = y\n\
        [profile tool]\ncredential_process = /opt/tool --a \"b c\"\n";

    fn profile(wanted: &str, is_config: bool) -> Option<Profile> {
        Profile::parse(FILE, wanted, is_config)
    }

    #[test]
    fn profiles_are_told_apart() {
        let keys = profile("default", true).expect("there").keys();
        let keys = keys.expect("both").expect("valid");
        assert_eq!(keys.access_key_id, "AKIADEFAULT");
        assert_eq!(keys.secret_access_key.expose(), "secret/with+signs=");
        assert!(keys.session_token.is_none());
        let keys = profile("work", false).expect("there").keys();
        let keys = keys.expect("both").expect("valid");
        assert_eq!(keys.access_key_id, "AKIAWORK");
        assert_eq!(keys.secret_access_key.expose(), "sä cret");
        assert_eq!(keys.session_token.expect("a token").expose(), "t");
        assert!(profile("home", false).is_none());
        assert!(profile("sso", false).expect("there").keys().is_none());
        assert!(
            profile("work", true).is_none(),
            "the config file wants its prefix"
        );
        for is_config in [true, false] {
            let tool = profile("tool", is_config).expect("there");
            assert_eq!(tool.process.as_deref(), Some("/opt/tool --a \"b c\""));
        }
    }
}
