//! The hosts that images may be fetched from.

use super::builder::Given;
use super::error::ConfigError;

/// The hosts that [`upload_from_url`](crate::ImageStore::upload_from_url) may ask.
///
/// An entry is an exact host name, `*.example.org` for every name below one, or `*` for any host; with a port
/// where it is another than 80 and 443 (`photos.example.org:8080`). An address is a host of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FetchHosts(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Exactly(String),
    /// What every name has to end with, its dot included.
    Below(String),
}

impl FetchHosts {
    #[cfg(feature = "fetch")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether this host, as the URL standard spells it, may be asked on this port.
    #[cfg(feature = "fetch")]
    pub(crate) fn allow(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.0.iter().any(|entry| {
            let named = match &entry.host {
                Host::Any => true,
                Host::Exactly(name) => name == host,
                Host::Below(ending) => host.len() > ending.len() && host.ends_with(ending),
            };
            let on_port = entry
                .port
                .map_or(matches!(port, 80 | 443), |own| own == port);
            named && on_port
        })
    }
}

pub(super) fn fetch_hosts(given: Option<&Given<Vec<String>>>) -> Result<FetchHosts, ConfigError> {
    let Some(given) = given else {
        return Ok(FetchHosts::default());
    };
    let wrong = |entry: &str| {
        let shown: String = entry.chars().take(60).collect();
        ConfigError::new(
            given.name,
            format!("has {shown:?}, which is not a host"),
            "name hosts without scheme and path: photos.example.org, *.example.org, or * for any",
        )
    };
    let entries = given.value.iter().map(|text| {
        let text = text.trim();
        entry(text).ok_or_else(|| wrong(text))
    });
    Ok(FetchHosts(entries.collect::<Result<_, _>>()?))
}

fn entry(text: &str) -> Option<Entry> {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    let host = match host {
        "*" => Host::Any,
        _ => match host.strip_prefix("*.") {
            Some(parent) => Host::Below(format!(".{}", name(parent)?)),
            None => Host::Exactly(name(host)?),
        },
    };
    Some(Entry { host, port })
}

/// A host as the URL standard spells it: lower case, Punycode, addresses in their one form.
fn name(host: &str) -> Option<String> {
    if host.is_empty() || host.contains(['/', '?', '#', '@', '\\', '*', '%']) {
        return None;
    }
    let url = ::url::Url::parse(&format!("http://{host}/")).ok()?;
    let name = url.host_str()?;
    Some(name.strip_suffix('.').unwrap_or(name).to_owned())
}

#[cfg(all(test, feature = "fetch"))]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Result<FetchHosts, ConfigError> {
        let value = texts.iter().map(ToString::to_string).collect();
        let name = "LABLINK_STORAGE_FETCH_HOSTS";
        fetch_hosts(Some(&Given { value, name }))
    }

    #[test]
    fn hosts_are_exact_and_stars_stand_for_subdomains() {
        let some = hosts(&[
            "Photos.example.org",
            "*.cdn.example",
            "bücher.example",
            "other.example:8080",
        ]);
        let some = some.expect("hosts");
        for (host, port) in [
            ("photos.example.org", 443),
            ("photos.example.org.", 80),
            ("a.cdn.example", 443),
            ("a.b.cdn.example", 80),
            ("xn--bcher-kva.example", 443),
            ("other.example", 8080),
        ] {
            assert!(some.allow(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("example.org", 443),
            ("evil-photos.example.org", 443),
            ("photos.example.org.evil.example", 443),
            ("cdn.example", 443),
            ("evilcdn.example", 443),
            (".cdn.example", 443),
            ("photos.example.org", 8080),
            ("other.example", 80),
        ] {
            assert!(!some.allow(host, port), "{host}:{port}");
        }
        let any = hosts(&["*", "*:8443"]).expect("hosts");
        assert!(any.allow("anything.example", 443) && any.allow("93.184.216.34", 8443));
        assert!(!any.allow("anything.example", 22));
        assert!(!FetchHosts::default().allow("anything.example", 443));
    }

    #[test]
    fn what_is_not_a_host_is_named() {
        for text in [
            "https://photos.example.org",
            "photos.example.org/path",
            "user@photos.example.org",
            "*example.org",
            "a.*.org",
            "photos.example.org:http",
            "two words",
            "",
        ] {
            let error = hosts(&[text]).expect_err(text);
            assert_eq!(error.setting(), "LABLINK_STORAGE_FETCH_HOSTS");
            assert!(error.to_string().contains("is not a host"), "{error}");
        }
    }
}
