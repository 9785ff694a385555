//! Addresses that no URL may lead to, directly or by a redirect: each is refused in the same words, and
//! nothing of it reaches a socket.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lablink_storage::{ErrorKind, ImageStore};

use crate::common::images;
use crate::fetch::{PUBLIC, Site, answer};

/// URLs that hostile people type. `PORT` is where this machine listens.
const URLS: &[&str] = &[
    // This machine, in every spelling that parsers and resolvers read.
    "http://127.0.0.1:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://017700000001:PORT/",
    "http://0x7f.1:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://１２７.０.０.１:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.255.255.254:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://[::1]:PORT/",
    "http://[::]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[2002:7f00:1::]:PORT/",
    "http://[2001:0:7f00:1::]:PORT/",
    "http://[fe80::1]:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST.:PORT/",
    // Networks that are not public, and the metadata services of clouds.
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://192.0.0.192/opc/v2/",
    "http://168.63.129.16/machine",
    "http://169.254.170.2/v2/credentials",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://198.18.0.1/",
    "http://203.0.113.7/",
    "http://224.0.0.251/",
    "http://255.255.255.255/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    // Names that lead there.
    "http://private.example/",
    "http://mapped.example/",
    "http://mixed.example/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://six.example/",
    // Not what it looks like.
    "http://user@photos.example/",
    "http://photos.example:secret@127.0.0.1:PORT/",
    "http://photos.example@127.0.0.1:PORT/",
    "http://photos.example\\@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\.photos.example/",
    "http:\\\\photos.example/",
    "http://photos.exam\nple/",
    "http://photos.example/a b",
    "http://photos.example:22/",
    "http://photos.example:6379/",
    "ftp://photos.example/a.jpg",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_SET",
    "data:image/png;base64,iVBORw0KGgo=",
    "//photos.example/a.jpg",
    "photos.example/a.jpg",
    "http://",
    "http:///",
    "",
];

/// A listening socket, on both loopback addresses, that notes whoever comes.
struct Trap {
    address: SocketAddr,
    six: bool,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Trap {
    fn open() -> Self {
        let four = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = four.local_addr().expect("bound");
        let six = TcpListener::bind(("::1", address.port())).ok();
        let trap = Self {
            address,
            six: six.is_some(),
            peers: Arc::default(),
        };
        for listener in [Some(four), six].into_iter().flatten() {
            let peers = Arc::clone(&trap.peers);
            std::thread::spawn(move || {
                while let Ok((_, peer)) = listener.accept() {
                    peers.lock().expect("noted").push(peer);
                }
            });
        }
        trap
    }

    /// How many came until now. Connections are accepted in their order: once one of our own is noted, all
    /// before it are.
    fn contacts(&self) -> usize {
        let mut own = Vec::new();
        for host in ["127.0.0.1", "::1"] {
            if host == "127.0.0.1" || self.six {
                let stream = TcpStream::connect((host, self.address.port())).expect("it listens");
                own.push(stream.local_addr().expect("connected"));
            }
        }
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let mut peers = self.peers.lock().expect("noted");
            if own.iter().all(|mine| peers.contains(mine)) {
                peers.retain(|peer| !own.contains(peer));
                return peers.len();
            }
            drop(peers);
            assert!(Instant::now() < until, "the trap does not listen");
            std::thread::yield_now();
        }
    }
}

fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses: &[&str] = match host {
        "photos.example" => &[PUBLIC],
        "private.example" => &["10.1.2.3"],
        "mapped.example" => &["::ffff:10.1.2.3"],
        "mixed.example" => &[PUBLIC, "192.168.0.1"],
        "metadata.google.internal" => &["169.254.169.254"],
        "six.example" => &["fe80::1"],
        "localhost" | "localhost." => &["127.0.0.1", "::1"],
        _ => return Err(io::Error::other("no such name")),
    };
    Ok(addresses
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect())
}

/// Any host may be asked, this machine's own port included; the site stands at the public address, the trap
/// at every other.
fn store(site: SocketAddr, trap: SocketAddr) -> ImageStore {
    let public: IpAddr = PUBLIC.parse().expect("an address");
    ImageStore::builder()
        .memory()
        .with_deadline(Duration::from_secs(5))
        .with_fetch_hosts(["*".to_owned(), format!("*:{}", trap.port())])
        .with_network(
            lookup,
            move |address| if address == public { site } else { trap },
        )
        .build()
        .expect("a store")
}

async fn refused(store: &ImageStore, url: &str) {
    let error = store.upload_from_url(url, ()).await.expect_err(url);
    assert_eq!(error.kind(), ErrorKind::PolicyViolation, "{url}: {error}");
    assert_eq!(error.to_string(), "the URL may not be fetched", "{url}");
    assert!(error.causes().is_empty(), "{url}: {:?}", error.causes());
}

#[tokio::test]
async fn hostile_urls_are_refused_and_nothing_is_contacted() {
    let site = Site::open(|_| answer("200 OK", "", &images::jpeg(8, 8)));
    let trap = Trap::open();
    let store = store(site.address, trap.address);
    store
        .upload_from_url("http://photos.example/", ())
        .await
        .expect("an allowed one");
    for url in URLS {
        refused(
            &store,
            &url.replace("PORT", &trap.address.port().to_string()),
        )
        .await;
    }
    assert!(URLS.len() >= 40);
    assert_eq!((trap.contacts(), site.connections()), (0, 1));
}

/// The same as targets of redirects: the first server is asked, and nobody else.
#[tokio::test]
async fn hostile_redirects_are_refused_and_nothing_is_contacted() {
    let trap = Trap::open();
    let targets: Vec<String> = URLS
        .iter()
        .map(|url| url.replace("PORT", &trap.address.port().to_string()))
        // Relative to the first server these are good; and a header has no line break.
        .filter(|url| url.contains("://") && !url.contains('\n') && *url != "http:///")
        .collect();
    let served = targets.clone();
    let site = Site::open(move |target| {
        let number = target.trim_start_matches('/').parse::<usize>();
        let to = number.ok().and_then(|number| served.get(number)).cloned();
        let location = format!("location: {}\r\n", to.unwrap_or_default());
        answer("302 Found", &location, b"")
    });
    let store = store(site.address, trap.address);
    for number in 0..targets.len() {
        refused(&store, &format!("http://photos.example/{number}")).await;
    }
    assert!(targets.len() >= 40);
    assert_eq!(site.connections(), targets.len());
    assert_eq!(trap.contacts(), 0);
}

/// A name that is public when it is looked at, and private the moment after: it is asked for once, and the
/// connection goes to the address that was looked at. The next request looks anew.
#[tokio::test]
async fn a_name_that_changes_its_answer_is_pinned() {
    let site = Site::open(|target| match target {
        "/redirect" => answer("302 Found", "location: /image\r\n", b""),
        _ => answer("200 OK", "", &images::jpeg(8, 8)),
    });
    let trap = Trap::open();
    let address = trap.address;
    let public: IpAddr = PUBLIC.parse().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let (asking, own) = (Arc::clone(&asked), site.address);
    let store = ImageStore::builder()
        .memory()
        .with_fetch_hosts(["*"])
        .with_network(
            move |_| match asking.fetch_add(1, Ordering::SeqCst) {
                0 | 2 => Ok(vec![public]),
                _ => Ok(vec!["127.0.0.1".parse().expect("an address")]),
            },
            move |ip| if ip == public { own } else { address },
        )
        .build()
        .expect("a store");
    store
        .upload_from_url("http://rebinding.example/image", ())
        .await
        .expect("stored");
    assert_eq!((asked.load(Ordering::SeqCst), site.connections()), (1, 1));
    refused(&store, "http://rebinding.example/image").await;
    assert_eq!((asked.load(Ordering::SeqCst), site.connections()), (2, 1));
    // The first request goes out; the redirect to the same name meets the other address.
    refused(&store, "http://rebinding.example/redirect").await;
    assert_eq!((asked.load(Ordering::SeqCst), site.connections()), (4, 2));
    assert_eq!(trap.contacts(), 0);
}
