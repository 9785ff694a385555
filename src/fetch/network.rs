//! The way from a name to an address, and from an address to a connection.

use std::error::Error;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::{fmt, io};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;
type Connect = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// The network as tests see it: a resolver, and where a connection to an address leads.
#[derive(Clone)]
pub(crate) struct Network {
    lookup: Lookup,
    connect: Connect,
}

impl Network {
    pub(crate) fn new(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
        connect: impl Fn(IpAddr) -> SocketAddr + Send + Sync + 'static,
    ) -> Self {
        Self {
            lookup: Arc::new(lookup),
            connect: Arc::new(connect),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let lookup = |host: &str| {
            let found = (host, 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        };
        // Port 0 stands for that of the URL.
        Self::new(lookup, |address| SocketAddr::new(address, 0))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

/// A name that leads to an address which is not public.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name leads to an address that is not public")]
pub(super) struct NotPublic;

/// Resolves each name once, for the connection that is made next, and hands on addresses only where all of
/// them are public: what was looked at is what is connected to.
impl Resolve for Network {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { lookup, connect } = self.clone();
        Box::pin(async move {
            let looking = tokio::task::spawn_blocking(move || lookup(name.as_str()));
            let found = looking.await??;
            if found.is_empty() {
                return Err(Box::<dyn Error + Send + Sync>::from(
                    "the name has no address",
                ));
            }
            if !found.iter().all(|address| is_public(*address)) {
                return Err(NotPublic.into());
            }
            let found: Vec<SocketAddr> =
                found.into_iter().map(|address| connect(address)).collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
