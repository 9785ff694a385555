//! The role of an EC2 instance, from its metadata service, version 2.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>

use std::time::Duration;

use super::Found;
use super::fetch::{fetch, json_keys};
use crate::config::CredentialsChain;

const ENDPOINT: &str = "http://169.254.169.254";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The service is on the same host: what takes longer is a black hole.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for one answer: without the service, many container networks accept the connection and stay
/// silent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn find(chain: &CredentialsChain) -> Found {
    if chain.metadata_disabled {
        return Err("AWS_EC2_METADATA_DISABLED is set".into());
    }
    let endpoint = chain.metadata_endpoint.as_deref().unwrap_or(ENDPOINT);
    let endpoint = endpoint.trim_end_matches('/');
    let client = client()?;
    let request = client
        .put(format!("{endpoint}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", "300");
    let token = text(&fetch(request).await?)?;
    let get = |path: String| {
        let request = client.get(format!("{endpoint}{ROLES}{path}"));
        fetch(request.header("x-aws-ec2-metadata-token", token.as_str()))
    };
    let roles = text(&get(String::new()).await?)?;
    let role = roles.lines().next().unwrap_or_default().trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if role.is_empty() || role.starts_with('.') || !role.bytes().all(plain) {
        return Err("no role is attached".into());
    }
    Ok(Some(json_keys(&get(role.to_owned()).await?)?))
}

fn text(body: &[u8]) -> Result<String, String> {
    match std::str::from_utf8(body) {
        Ok(text)
            if !text
                .chars()
                .any(|letter| letter.is_control() && letter != '\n') =>
        {
            Ok(text.trim().to_owned())
        }
        _ => Err("its answer is not text".to_owned()),
    }
}

/// A client for plain HTTP on the same machine: no proxy, no redirects, no certificates needed.
pub(super) fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(|error| error.to_string())
}
