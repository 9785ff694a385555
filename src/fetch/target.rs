//! A URL that may be asked, and where its redirects may lead.

use std::net::IpAddr;

use url::{Host, Url};

use super::FetchError;
use super::address::is_public;
use crate::config::FetchHosts;

/// Longest URL that is taken; browsers stop at about this length.
const MAX_LENGTH: usize = 8 << 10;

/// A URL whose scheme, host and port are allowed, and whose host, where it is an address, is public.
#[derive(Debug, Clone)]
pub(crate) struct Target(Url);

impl Target {
    /// Reads what somebody typed. White space around it is nobody's intention.
    pub(super) fn parse(text: &str, hosts: &FetchHosts) -> Result<Self, FetchError> {
        let text = text.trim();
        check_text(text)?;
        let url = Url::parse(text).map_err(|_| FetchError::NotAllowed)?;
        Self::check(url, hosts)
    }

    /// Follows a redirect, under the same rules; never from `https` to `http`.
    pub(super) fn redirected(&self, to: &str, hosts: &FetchHosts) -> Result<Self, FetchError> {
        check_text(to)?;
        let url = self.0.join(to).map_err(|_| FetchError::NotAllowed)?;
        if self.0.scheme() == "https" && url.scheme() != "https" {
            return Err(FetchError::NotAllowed);
        }
        Self::check(url, hosts)
    }

    fn check(mut url: Url, hosts: &FetchHosts) -> Result<Self, FetchError> {
        let is_http = matches!(url.scheme(), "http" | "https");
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        // The URL standard has read decimal, octal and hexadecimal addresses as what they are.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        let named = url.host_str().zip(url.port_or_known_default());
        let is_allowed = named.is_some_and(|(host, port)| hosts.allow(host, port));
        if !is_http || has_userinfo || !is_allowed || address.is_some_and(|ip| !is_public(ip)) {
            return Err(FetchError::NotAllowed);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn host(&self) -> String {
        self.0.host_str().unwrap_or_default().to_owned()
    }

    /// The name of the file, as the path ends.
    pub(super) fn filename(&self) -> Option<String> {
        let name = self.0.path_segments()?.next_back()?;
        let name = percent_encoding::percent_decode_str(name)
            .decode_utf8()
            .ok()?;
        (!name.is_empty() && !name.contains(char::is_control)).then(|| name.into_owned())
    }
}

/// The URL standard drops line breaks and turns backslashes round: whoever writes them means something else
/// than what is read.
fn check_text(text: &str) -> Result<(), FetchError> {
    let odd = |letter: char| letter.is_control() || letter.is_whitespace() || letter == '\\';
    if text.len() > MAX_LENGTH || text.contains(odd) {
        return Err(FetchError::NotAllowed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn any_host() -> FetchHosts {
        let config = Config::builder().memory().with_fetch_hosts(["*"]).build();
        config.expect("valid").fetch_hosts.clone()
    }

    #[test]
    fn no_redirect_leads_from_https_to_http() {
        let hosts = any_host();
        let secure = Target::parse("https://a.example/photo.jpg", &hosts).expect("allowed");
        for to in [
            "http://a.example/",
            "HTTP://a.example/photo.jpg",
            // On the very port of https.
            "http://a.example:443/photo.jpg",
            "http://b.example/photo.jpg",
        ] {
            // Without the redirect it may be asked.
            Target::parse(to, &hosts).expect("allowed");
            let refused = secure.redirected(to, &hosts);
            assert!(
                matches!(refused, Err(FetchError::NotAllowed)),
                "{to}: {refused:?}"
            );
        }
    }

    #[test]
    fn redirects_keep_https_or_come_to_it() {
        let hosts = any_host();
        for (from, to, expected) in [
            (
                "https://a.example/x/y",
                "https://b.example/z",
                "https://b.example/z",
            ),
            ("https://a.example/x/y", "/z", "https://a.example/z"),
            (
                "https://a.example/x/y",
                "//b.example/z",
                "https://b.example/z",
            ),
            (
                "http://a.example/x",
                "https://a.example/x",
                "https://a.example/x",
            ),
            (
                "http://a.example/x",
                "http://b.example/z",
                "http://b.example/z",
            ),
        ] {
            let first = Target::parse(from, &hosts).expect("allowed");
            let next = first.redirected(to, &hosts).expect("followed");
            assert_eq!(next.url().as_str(), expected, "{from} to {to}");
        }
    }
}
