#![allow(dead_code)] // no test file needs every fault

//! An S3 server in this process that misbehaves on purpose: raw TCP, so that it can break every rule.
//!
//! Without a fault it stores, reads, lists and deletes as S3 does (no signatures are looked at; see
//! tests/storage/s3.rs for a server that does). A test decides per request what goes wrong.

mod objects;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use objects::answer;

const REQUEST_ID: &str = "4442587FB7D0A2F9";

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An error answer: status, AWS code (none: no body), further headers.
    Status(u16, &'static str, Vec<(&'static str, String)>),
    /// Any answer at all.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection is reset in the middle of the request's body; nothing is stored.
    ResetInBody,
    /// The request is served, but its answer lost: the connection is reset instead.
    ResetBeforeAnswer,
    /// The answer's body breaks off half-way.
    Truncated,
    /// Half of the answer's body comes, and then nothing; the connection stays open.
    Stalled,
    /// The request is served, and the answer has other headers: a value, or none. Without
    /// `content-length` the body comes in chunks.
    Headers(Vec<(&'static str, Option<String>)>),
    /// The answer's body comes a byte a second.
    Slow,
    /// No answer, the connection stays open.
    Silent,
    /// The request is served as it should be, but only after this time.
    Late(Duration),
}

impl Fault {
    /// An AWS error without further headers.
    pub fn error(status: u16, code: &'static str) -> Self {
        Self::Status(status, code, Vec::new())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The path without the query, percent-encoded.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Empty when the fault came before it was read.
    pub body: Vec<u8>,
}

impl Request {
    pub fn is(&self, method: &str) -> bool {
        self.method == method
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Vec<u8>,
    content_type: String,
    cache_control: String,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    requests: Vec<Request>,
    connections: usize,
}

/// The server; it ends when this is dropped.
pub struct Faulty {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

type Script = dyn Fn(&Request, usize) -> Option<Fault> + Send + Sync;

impl Faulty {
    /// Starts a server. `script` is asked for every request, with how many of the same method and path
    /// came before it.
    pub async fn start(
        script: impl Fn(&Request, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State::default()));
        let script: Arc<Script> = Arc::new(script);
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            // Dropped with the task, and every connection with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                locked(&shared).connections += 1;
                let (state, script) = (Arc::clone(&shared), Arc::clone(&script));
                connections.spawn(serve(stream, state, script));
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.state).requests.clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        locked(&self.state).connections
    }

    /// The paths (`/bucket/key`) and bytes of what is stored.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let state = locked(&self.state);
        let objects = state.objects.iter();
        objects
            .map(|(path, object)| (path.clone(), object.bytes.clone()))
            .collect()
    }

    /// Puts an object there.
    pub fn store(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let object = Object {
            bytes: bytes.into(),
            content_type: "image/png".to_owned(),
            cache_control: String::new(),
        };
        locked(&self.state).objects.insert(path.to_owned(), object);
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, script: Arc<Script>) {
    let mut buffer = Vec::new();
    while let Some(mut request) = read_head(&mut stream, &mut buffer).await {
        let same = |other: &&Request| other.method == request.method && other.path == request.path;
        let before = locked(&state).requests.iter().filter(same).count();
        let fault = script(&request, before);
        let length = request
            .header("content-length")
            .and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or(0);
        let wanted = match fault {
            Some(Fault::ResetInBody) => length / 2,
            _ => length,
        };
        if fill(&mut stream, &mut buffer, wanted).await.is_none() {
            return;
        }
        request.body = buffer.drain(..wanted).collect();
        locked(&state).requests.push(request.clone());
        let sent = match fault {
            Some(Fault::ResetInBody) => {
                let _ = stream.set_zero_linger();
                return;
            }
            Some(Fault::ResetBeforeAnswer) => {
                answer(&request, &state);
                let _ = stream.set_zero_linger();
                return;
            }
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Status(status, code, mut headers)) => {
                headers.push(("x-amz-request-id", REQUEST_ID.to_owned()));
                let body = if code.is_empty() {
                    String::new()
                } else {
                    error_body(code)
                };
                write(
                    &mut stream,
                    &request,
                    status,
                    &headers,
                    body.as_bytes(),
                    Pace::Whole,
                )
                .await
            }
            Some(Fault::Answer(status, headers, body)) => {
                write(&mut stream, &request, status, &headers, &body, Pace::Whole).await
            }
            Some(Fault::Stalled) => {
                let _ = reply(&mut stream, &request, &state, Pace::Half).await;
                std::future::pending().await
            }
            Some(Fault::Headers(changes)) => {
                let (status, mut headers, body) = answer(&request, &state);
                headers.push(("content-length", body.len().to_string()));
                for (name, value) in changes {
                    headers.retain(|(other, _)| *other != name);
                    headers.extend(value.map(|value| (name, value)));
                }
                write(
                    &mut stream,
                    &request,
                    status,
                    &headers,
                    &body,
                    Pace::Chunked,
                )
                .await
            }
            Some(Fault::Truncated) => reply(&mut stream, &request, &state, Pace::Half).await,
            Some(Fault::Slow) => reply(&mut stream, &request, &state, Pace::Slow).await,
            Some(Fault::Late(time)) => {
                tokio::time::sleep(time).await;
                reply(&mut stream, &request, &state, Pace::Whole).await
            }
            None => reply(&mut stream, &request, &state, Pace::Whole).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The form of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn error_body(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>This is what {code} says.</Message><RequestId>{REQUEST_ID}</RequestId></Error>"
    )
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<()> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let length = buffer.len() + 1;
        fill(stream, buffer, length).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let method = first.next()?.to_owned();
    let target = first.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}

#[derive(Clone, Copy)]
enum Pace {
    Whole,
    Half,
    Slow,
    /// In chunks, where no length was named.
    Chunked,
}

async fn reply(
    stream: &mut TcpStream,
    request: &Request,
    state: &Mutex<State>,
    pace: Pace,
) -> std::io::Result<()> {
    let (status, headers, body) = answer(request, state);
    write(stream, request, status, &headers, &body, pace).await
}

async fn write(
    stream: &mut TcpStream,
    request: &Request,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
    pace: Pace,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Faulty\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let named = headers.iter().any(|(name, _)| *name == "content-length");
    let in_chunks = matches!(pace, Pace::Chunked) && !named;
    if in_chunks {
        head.push_str("transfer-encoding: chunked\r\n");
    } else if !named && status != 204 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    let body = if request.is("HEAD") { &[][..] } else { body };
    match pace {
        _ if in_chunks && request.is("HEAD") => Ok(()),
        _ if in_chunks => {
            let end: &[u8] = if body.is_empty() { b"" } else { b"\r\n" };
            let size = if body.is_empty() {
                String::new()
            } else {
                format!("{:x}\r\n", body.len())
            };
            stream
                .write_all(&[size.as_bytes(), body, end, b"0\r\n\r\n"].concat())
                .await
        }
        Pace::Whole | Pace::Chunked => stream.write_all(body).await,
        Pace::Half => {
            stream.write_all(&body[..body.len() / 2]).await?;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        Pace::Slow => {
            for byte in body {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
    }
}
