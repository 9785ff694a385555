//! The credentials endpoint of a container: ECS tasks and EKS pod identity.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::net::IpAddr;

use url::{Host, Url};

use super::Found;
use super::fetch::{fetch, json_keys, token_file};
use crate::config::CredentialsChain;

const ECS: &str = "http://169.254.170.2";

/// Hosts that may be asked without TLS: the agents of ECS and EKS, and this machine itself.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

pub(super) async fn find(chain: &CredentialsChain, client: &reqwest::Client) -> Found {
    let (uri, full) = match (&chain.container_relative_uri, &chain.container_full_uri) {
        (Some(relative), _) => (format!("{ECS}{relative}"), false),
        (None, Some(full)) => (full.clone(), true),
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&uri).map_err(|_| "its address is no URL".to_owned())?;
    if full && url.scheme() != "https" && !is_near(&url) {
        return Err("its address is neither https nor an agent of this machine".into());
    }
    let token = match (&chain.container_token_file, &chain.container_token) {
        (Some(file), _) => Some(token_file(file).await?),
        (None, token) => token.clone(),
    };
    // What is near is not behind a proxy.
    let near = if url.scheme() == "http" {
        Some(super::imds::client()?)
    } else {
        None
    };
    let mut request = near.as_ref().unwrap_or(client).get(url);
    if let Some(token) = token {
        request = request.header("authorization", token.expose());
    }
    Ok(Some(json_keys(&fetch(request).await?)?))
}

fn is_near(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(name)) => return name == "localhost",
        None => return false,
    };
    address.is_loopback() || AGENTS.iter().any(|agent| agent.parse() == Ok(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_agents_only() {
        for near in [
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://127.0.0.1:8080/x",
            "http://localhost/x",
        ] {
            assert!(is_near(&Url::parse(near).expect("a URL")), "{near}");
        }
        for far in [
            "http://169.254.169.254/x",
            "http://example.org/x",
            "http://localhost.example.org/x",
        ] {
            assert!(!is_near(&Url::parse(far).expect("a URL")), "{far}");
        }
    }
}
