//! Fetches an image from a URL that somebody typed, without ever reaching into the network that the service
//! stands in.
//!
//! A name is resolved once a connection, and the connection goes to the very addresses that were looked at.
//! Neither proxies nor cookies nor content encodings take part.

mod address;
mod error;
mod network;
mod target;

pub use error::FetchError;
pub(crate) use network::Network;

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Client, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::backend::Deadline;
use crate::config::FetchHosts;
use crate::error::{Error, Result};
use crate::optimize::OptimizeError;
use network::NotPublic;
use target::Target;

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Images fetched at once; further callers wait.
const AT_ONCE: usize = 16;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that a URL led to.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    /// The name of the file, as the first URL has it.
    pub(crate) filename: Option<String>,
}

/// Fetches from the hosts that are allowed.
#[derive(Debug)]
pub(crate) struct Fetcher {
    network: Network,
    /// Made when it is first needed: most stores never fetch.
    client: OnceLock<Client>,
    turns: Arc<Semaphore>,
}

impl Fetcher {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            client: OnceLock::new(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Fails where `url` may not be fetched, as far as the URL itself says.
    pub(crate) fn check(&self, url: &str, hosts: &FetchHosts) -> Result<Target> {
        if hosts.is_empty() {
            return Err(Error::NotSupported {
                what: "uploading from a URL",
                remedy: "set LABLINK_STORAGE_FETCH_HOSTS to the hosts that images may come from",
            });
        }
        Ok(Target::parse(url, hosts)?)
    }

    /// Fetches what is behind `url`, `most` bytes of it at most.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        hosts: &FetchHosts,
        most: u64,
        deadline: Deadline,
    ) -> Result<Fetched> {
        let target = self.check(url, hosts)?;
        let filename = target.filename();
        let fetching = self.follow(target, hosts, most);
        let fetched = tokio::time::timeout(deadline.remaining(), fetching).await;
        let bytes = fetched.map_err(|_| FetchError::Timeout {
            allowed: deadline.allowed(),
        })??;
        Ok(Fetched { bytes, filename })
    }

    async fn follow(&self, mut target: Target, hosts: &FetchHosts, most: u64) -> Result<Bytes> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| Error::internal("fetching was closed"))?;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.client()?.get(target.url().clone());
            let sent = request.header(ACCEPT, "image/*").send().await;
            let response = sent.map_err(|error| failed(&target, error))?;
            let status = response.status();
            if status == StatusCode::OK {
                return read(&target, response, most).await;
            }
            let location = response.headers().get(LOCATION);
            let (true, Some(location)) = (is_redirect(status), location) else {
                return Err(FetchError::Status {
                    host: target.host(),
                    status: status.as_u16(),
                }
                .into());
            };
            let location = location.to_str().map_err(|_| FetchError::NotAllowed)?;
            target = target.redirected(location, hosts)?;
        }
        Err(FetchError::Redirects {
            most: MAX_REDIRECTS,
        }
        .into())
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tls_certs_merge(crate::backend::systems())
            .dns_resolver(self.network.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            // Each request resolves anew, and none goes over another's connection.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("lablink-storage/", env!("CARGO_PKG_VERSION")));
        let client = builder.build().map_err(|error| FetchError::NoClient {
            problem: error.into(),
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

async fn read(target: &Target, mut response: Response, most: u64) -> Result<Bytes> {
    let check = |length: u64| {
        if length <= most {
            return Ok(());
        }
        Err(OptimizeError::LimitExceeded {
            what: "bytes",
            value: length,
            limit: most,
        })
    };
    check(response.content_length().unwrap_or(0))?;
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| failed(target, error))? else {
            return Ok(body.freeze());
        };
        check((body.len() + chunk.len()) as u64)?;
        body.extend_from_slice(&chunk);
    }
}

/// A request that failed on its way, or whose name led where none may go.
fn failed(target: &Target, error: reqwest::Error) -> FetchError {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<NotPublic>() {
            return FetchError::NotAllowed;
        }
        source = inner.source();
    }
    FetchError::Unreachable {
        host: target.host(),
        problem: error.without_url().into(),
    }
}
