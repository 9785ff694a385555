//! The shared credentials file.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::io::ErrorKind;

use super::Found;
use super::fetch::{keys, text_file};
use crate::config::CredentialsChain;
use crate::secret::Secret;
use crate::sign::Credentials;

/// The static keys of `AWS_PROFILE`, else of `default`. Without the file, or without that profile in
/// it, the search goes on unless the profile was asked for by name.
pub(super) async fn find(chain: &CredentialsChain) -> Found {
    let Some(path) = &chain.credentials_file else {
        return Ok(None);
    };
    let wanted = chain.profile.as_deref().unwrap_or("default");
    let named = chain.profile.is_some();
    let text = match text_file(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => return Ok(None),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    match parse(&text, wanted) {
        None if !named => Ok(None),
        None => Err(format!("{} has no profile {wanted:?}", path.display())),
        Some(Ok(keys)) => Ok(Some(keys)),
        Some(Err(problem)) => Err(format!("profile {wanted:?} {problem}")),
    }
}

/// The keys of a profile, or what is wrong with them; `None` where the file does not have it.
fn parse(text: &str, wanted: &str) -> Option<Result<Credentials, String>> {
    let (mut id, mut secret, mut token) = (None, None, None);
    let mut inside = false;
    let mut found = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let name = section.split(']').next().unwrap_or_default().trim();
            // The config file's spelling is common here, too.
            inside = name == wanted || name.strip_prefix("profile ").map(str::trim) == Some(wanted);
            found |= inside;
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => id = Some(value.to_owned()),
            "aws_secret_access_key" => secret = Some(Secret::new(value)),
            "aws_session_token" => token = Some(Secret::new(value)),
            _ => {}
        }
    }
    if !found {
        return None;
    }
    Some(match (id, secret) {
        (Some(id), Some(secret)) if !id.is_empty() && !secret.expose().is_empty() => {
            keys(id, secret, token, None)
                .map_err(|_| "has characters that keys do not have".to_owned())
        }
        _ => {
            Err("has no static keys (sso, credential_process and role_arn are not read)".to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = AKIADEFAULT\n\
        aws_secret_access_key=secret/with+signs=\n\n[ work ]\nAWS_ACCESS_KEY_ID = AKIAWORK\n\
        aws_secret_access_key = s\naws_session_token = t\nregion = x\n[sso]\nsso_session = y\n";

    #[test]
    fn profiles_are_told_apart() {
        let keys = parse(FILE, "default").expect("there").expect("keys");
        assert_eq!(keys.access_key_id, "AKIADEFAULT");
        assert_eq!(keys.secret_access_key.expose(), "secret/with+signs=");
        assert!(keys.session_token.is_none());
        let keys = parse(FILE, "work").expect("there").expect("keys");
        assert_eq!(keys.access_key_id, "AKIAWORK");
        assert_eq!(keys.session_token.expect("a token").expose(), "t");
        assert!(parse(FILE, "home").is_none());
        assert!(parse(FILE, "sso").expect("there").is_err());
    }
}
