//! A proxy before a real S3 server that spoils one step of what goes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::spoil::Spoil;

/// The proxy; it ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    plan: Plan,
    task: JoinHandle<()>,
}

/// Which requests are spoilt: method and target (path and query).
pub type Matches = fn(&str, &str) -> bool;

/// What goes through a proxy, and what becomes of it.
#[derive(Clone)]
pub struct Plan {
    /// The real server, `http://host:port`.
    pub server: String,
    pub spoil: Spoil,
    pub step: Matches,
    /// How many requests of the step pass unspoilt before the first that does not.
    pub passing: Arc<AtomicUsize>,
    /// How many more requests are spoilt.
    pub left: Arc<AtomicUsize>,
    /// How many were spoilt.
    pub spoilt: Arc<AtomicUsize>,
    /// True where listings tell of images as if they had been there for twenty years.
    pub aged: bool,
}

impl Plan {
    pub fn new(server: &str, spoil: Spoil, step: Matches, times: usize) -> Self {
        Self {
            server: server.trim_start_matches("http://").to_owned(),
            spoil,
            step,
            passing: Arc::default(),
            left: Arc::new(AtomicUsize::new(times)),
            spoilt: Arc::default(),
            aged: false,
        }
    }

    /// What is spoilt about a request.
    fn fault(&self, method: &str, target: &str) -> Option<Spoil> {
        let take = |count: &AtomicUsize| {
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
        };
        if !(self.step)(method, target) || take(&self.passing).is_ok() {
            return None;
        }
        take(&self.left).ok()?;
        self.spoilt.fetch_add(1, Ordering::SeqCst);
        Some(self.spoil)
    }

    fn ages(&self, target: &str) -> bool {
        self.aged && target.contains("list-type=2") && !target.contains("pending")
    }
}

impl Proxy {
    pub async fn start(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let own = plan.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let plan = own.clone();
                connections.spawn(async move {
                    let _ = serve(stream, &plan).await;
                });
            }
        });
        Self {
            address,
            plan,
            task,
        }
    }

    /// How many requests were spoilt.
    pub fn spoilt(&self) -> usize {
        self.plan.spoilt.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer, or a request's head, taken apart.
#[derive(Clone, Default)]
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    fn new(status: u16, content_type: &str, body: &str) -> Self {
        Self {
            first: format!("HTTP/1.1 {status} Spoilt"),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    fn without(&mut self, gone: impl Fn(&str) -> bool) {
        self.headers
            .retain(|(name, _)| !gone(&name.to_ascii_lowercase()));
    }

    fn with(&mut self, name: &str, value: impl Into<String>) {
        self.without(|other| other == name);
        self.headers.push((name.to_owned(), value.into()));
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Message> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    Some(Message {
        first: lines.next()?.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}

async fn serve(mut stream: TcpStream, plan: &Plan) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let mut request = read_head(&mut stream, &mut buffer).await?;
        let mut words = request.first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let spoil = plan.fault(&method, &target);
        match spoil {
            Some(Spoil::Closed) => return None,
            Some(Spoil::ResetBeforeBody) => return reset(&stream),
            _ => {}
        }
        let length = request
            .header("content-length")
            .and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or(0);
        let wanted = if spoil == Some(Spoil::ResetInBody) {
            length / 2
        } else {
            length
        };
        while buffer.len() < wanted {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        request.body = buffer.drain(..wanted).collect();
        let own = match spoil {
            Some(Spoil::ResetInBody | Spoil::ResetAfterBody) => return reset(&stream),
            Some(Spoil::Silent) => std::future::pending().await,
            Some(Spoil::Garbage) => {
                stream
                    .write_all(b"\x16\x03\x01 nonsense\r\n\r\n")
                    .await
                    .ok()?;
                return None;
            }
            Some(spoil) => own_answer(spoil),
            None => None,
        };
        let mut answer = match own {
            Some(answer) => answer,
            None => forwarded(&plan.server, request).await?,
        };
        if plan.ages(&target) {
            age(&mut answer);
        }
        send(&mut stream, spoil, &method, answer).await?;
    }
}

fn reset(stream: &TcpStream) -> Option<()> {
    let _ = stream.set_zero_linger();
    None
}

/// What is answered without asking the server.
fn own_answer(spoil: Spoil) -> Option<Message> {
    let page = |status| {
        Message::new(
            status,
            "text/html",
            "<!doctype html><html><body>gateway</body></html>",
        )
    };
    Some(match spoil {
        Spoil::Xml(status, code) => {
            let xml = format!("<Error><Code>{code}</Code><Message>It is so.</Message></Error>");
            let mut answer = Message::new(status, "application/xml", &xml);
            answer.with("x-amz-request-id", "tx1");
            answer
        }
        Spoil::Html(status) => page(status),
        Spoil::HtmlOfAFile => {
            let mut answer = page(200);
            answer.with("etag", "\"5f-62\"");
            answer.with("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT");
            answer
        }
        Spoil::Empty(status) => {
            let mut answer = Message::new(status, "", "");
            answer.headers.clear();
            answer
        }
        Spoil::Json => Message::new(200, "application/json", "{\"status\": \"ok\"}"),
        Spoil::Redirect(status) => {
            let mut answer = page(status);
            answer.with("location", "http://127.0.0.1:1/elsewhere");
            answer
        }
        Spoil::OtherXml => Message::new(200, "application/xml", "<a><b>c</b></a>"),
        _ => return None,
    })
}

async fn forwarded(server: &str, mut request: Message) -> Option<Message> {
    request.with("connection", "close");
    let mut upstream = TcpStream::connect(server).await.ok()?;
    upstream
        .write_all(&[request.head(), request.body.clone()].concat())
        .await
        .ok()?;
    let mut buffer = Vec::new();
    let mut answer = read_head(&mut upstream, &mut buffer).await?;
    let is_head = request.first.starts_with("HEAD ");
    let length = answer
        .header("content-length")
        .and_then(|text| text.parse::<usize>().ok());
    match length {
        _ if is_head => return Some(answer),
        Some(length) => {
            while buffer.len() < length {
                if upstream.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
            }
            answer.body = buffer;
        }
        None => {
            upstream.read_to_end(&mut buffer).await.ok()?;
            let in_chunks = answer.header("transfer-encoding").is_some();
            answer.body = if in_chunks { joined(&buffer)? } else { buffer };
        }
    }
    answer.without(|name| ["transfer-encoding", "connection", "content-length"].contains(&name));
    Some(answer)
}

/// Takes twenty years from every date of a listing: every day of a year is one of that year, too.
fn age(answer: &mut Message) {
    let begin = "<LastModified>";
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let aged = text.split(begin).map(|piece| {
        let (year, rest) = piece.split_at_checked(4).unwrap_or_default();
        match year.parse::<u32>() {
            Ok(year) => format!("{}{rest}", year - 20),
            Err(_) => piece.to_owned(),
        }
    });
    answer.body = aged.collect::<Vec<_>>().join(begin).into_bytes();
}

/// A chunked body in one piece.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&chunks[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunks.get(end + 2..end + 2 + size)?);
        chunks = chunks.get(end + 4 + size..)?;
    }
}

async fn send(
    stream: &mut TcpStream,
    spoil: Option<Spoil>,
    method: &str,
    mut answer: Message,
) -> Option<()> {
    let is_head = method == "HEAD";
    let is_no_content = answer.first.contains(" 204");
    let half = answer.body.len() / 2;
    match spoil {
        Some(Spoil::ServedAndReset) => return reset(stream),
        Some(Spoil::ServedAndSilent) => std::future::pending().await,
        Some(Spoil::Half) => answer.body.truncate(half),
        Some(Spoil::Late) => tokio::time::sleep(Duration::from_millis(200)).await,
        Some(Spoil::WrongETag) => answer.with("etag", "\"900150983cd24fb0d6963f7d28e17f72\""),
        Some(Spoil::NoETag) => answer.without(|name| name == "etag"),
        Some(Spoil::NoDates) => answer.without(|name| ["date", "last-modified"].contains(&name)),
        Some(Spoil::OddDates) => answer.with("last-modified", "2026-01-02T03:04:05Z"),
        Some(Spoil::NoAmazonHeaders) => {
            answer.without(|name| name.starts_with("x-amz-") || name.starts_with("x-rgw-"));
        }
        Some(Spoil::Flipped) => {
            if let Some(byte) = answer.body.get_mut(half) {
                *byte ^= 1;
            }
        }
        Some(Spoil::Endless | Spoil::CutShort) => {
            let mut xml = String::from_utf8_lossy(&answer.body).replace(
                "<IsTruncated>false</IsTruncated>",
                "<IsTruncated>true</IsTruncated>",
            );
            let (begin, end) = ("<NextContinuationToken>", "</NextContinuationToken>");
            if let (Some(from), Some(to)) = (xml.find(begin), xml.find(end)) {
                xml.replace_range(from..to + end.len(), "");
            }
            if spoil == Some(Spoil::Endless) {
                let last = "</ListBucketResult>";
                xml = xml.replace(last, &format!("{begin}again{end}{last}"));
            }
            answer.body = xml.into_bytes();
        }
        _ => {}
    }
    let in_chunks = spoil == Some(Spoil::Chunked) && !is_no_content;
    if in_chunks {
        answer.without(|name| name == "content-length");
        answer.with("transfer-encoding", "chunked");
    } else if !is_head && !is_no_content && spoil != Some(Spoil::UnmarkedHalf) {
        let length = match spoil {
            Some(Spoil::LongLength) => answer.body.len() + 10,
            Some(Spoil::ShortLength) => half,
            _ => answer.body.len(),
        };
        answer.with("content-length", length.to_string());
    }
    stream.write_all(&answer.head()).await.ok()?;
    let body = if is_head { &[][..] } else { &answer.body };
    match spoil {
        Some(Spoil::Truncated | Spoil::UnmarkedHalf) if !is_head => {
            stream.write_all(&body[..half]).await.ok()?;
            None
        }
        Some(Spoil::TruncatedAndReset) if !is_head => {
            stream.write_all(&body[..half]).await.ok()?;
            reset(stream)
        }
        Some(Spoil::Stalled) if !is_head => {
            stream.write_all(&body[..half]).await.ok()?;
            std::future::pending().await
        }
        Some(Spoil::Slow) => {
            for piece in body.chunks(64) {
                stream.write_all(piece).await.ok()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Some(())
        }
        Some(Spoil::LongLength | Spoil::ShortLength) => {
            stream.write_all(body).await.ok()?;
            None
        }
        Some(Spoil::Twice) => {
            let twice = [body, &answer.head(), body].concat();
            stream.write_all(&twice).await.ok()?;
            None
        }
        _ if in_chunks && !is_head => {
            for piece in body.chunks(1000) {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                stream.write_all(&chunk).await.ok()?;
            }
            stream.write_all(b"0\r\n\r\n").await.ok()
        }
        _ => stream.write_all(body).await.ok(),
    }
}
