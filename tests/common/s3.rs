//! The S3 server that `tests/run` starts, seen from outside the crate: requests are signed by
//! `object_store`'s authorizer, so that nothing of ours vouches for itself.

use std::env;
use std::ops::Deref;
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};

/// An S3 server and two users of it.
#[derive(Clone)]
pub struct Server {
    pub endpoint: String,
    pub region: String,
    pub keys: Keys,
    /// A second user, without rights in the first one's buckets.
    pub other: Keys,
    /// ARN of a role that the first user may assume at the same endpoint.
    pub sts_role: String,
    client: HttpClient,
}

/// Credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub access: String,
    pub secret: String,
    pub token: Option<String>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Panics with the server's words unless the status is a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            (200..300).contains(&self.status),
            "status {}: {}",
            self.status,
            self.text()
        );
        self
    }
}

impl Server {
    /// The server of the environment.
    ///
    /// `None`, after one line that says so, where `LABLINK_TEST_S3=off` asks to leave these tests out.
    ///
    /// # Panics
    ///
    /// Where no server is named: a test that passes because nothing answered proves nothing.
    #[track_caller]
    pub fn from_env() -> Option<Self> {
        if env::var_os("LABLINK_TEST_S3").is_some_and(|value| value == "off") {
            println!("skipped: LABLINK_TEST_S3=off");
            return None;
        }
        let keys = |whose: &str| Keys {
            access: read(&format!("{whose}ACCESS_KEY")),
            secret: read(&format!("{whose}SECRET_KEY")),
            token: None,
        };
        Some(Self {
            endpoint: read("ENDPOINT"),
            region: env::var("LABLINK_TEST_S3_REGION").unwrap_or_else(|_| "us-east-1".to_owned()),
            keys: keys(""),
            other: keys("OTHER_"),
            sts_role: read("STS_ROLE"),
            client: client(),
        })
    }

    /// The same objects behind a gateway that tells what is wrong with a signature, and takes any token.
    #[track_caller]
    pub fn plain(self) -> Self {
        let endpoint = read("PLAIN_ENDPOINT");
        Self { endpoint, ..self }
    }

    /// Sends one signed request; `target` is the path and query below the endpoint, encoded already.
    pub async fn send(
        &self,
        keys: &Keys,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        self.request(Some(keys), "s3", method, target, headers, body.into())
            .await
    }

    /// Sends one request that nobody signed.
    pub async fn anonymous(&self, method: &str, url: &str) -> Reply {
        let target = url
            .strip_prefix(&self.endpoint)
            .expect("a URL of the server");
        self.request(None, "s3", method, target, &[], Bytes::new())
            .await
    }

    /// Sends one unsigned request with headers and a body, as a browser would.
    pub async fn anonymous_with(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let target = url
            .strip_prefix(&self.endpoint)
            .expect("a URL of the server");
        self.request(None, "s3", method, target, headers, body.into())
            .await
    }

    async fn request(
        &self,
        keys: Option<&Keys>,
        service: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.endpoint));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).expect("a valid request");
        if let Some(keys) = keys {
            let credential = AwsCredential {
                key_id: keys.access.clone(),
                secret_key: keys.secret.clone(),
                token: keys.token.clone(),
            };
            AwsAuthorizer::new(&credential, service, &self.region)
                .try_authorize(&mut request, None)
                .expect("the request can be signed");
        }
        let (parts, body) = self
            .client
            .execute(request)
            .await
            .expect("the server answers")
            .into_parts();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.bytes().await.expect("the server sends the whole body"),
        }
    }

    /// Temporary credentials for `sts_role`, for 15 minutes (the shortest that STS gives).
    pub async fn assume_role(&self) -> Keys {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=tests&DurationSeconds=900&RoleArn={}",
            self.sts_role.replace(':', "%3A").replace('/', "%2F")
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = self
            .request(Some(&self.keys), "sts", "POST", "/", &headers, form.into())
            .await
            .ok()
            .text();
        let tag = |name: &str| {
            element(&reply, name)
                .next()
                .expect("STS names the credentials")
                .to_owned()
        };
        Keys {
            access: tag("AccessKeyId"),
            secret: tag("SecretAccessKey"),
            token: Some(tag("SessionToken")),
        }
    }

    /// A fresh bucket, removed with all that is in it when it is dropped.
    pub async fn bucket(&self) -> Bucket {
        let name = format!("lablink-{}", uuid::Uuid::new_v4().simple());
        self.send(&self.keys, "PUT", &format!("/{name}"), &[], "")
            .await
            .ok();
        Bucket(Handle {
            server: self.clone(),
            name,
        })
    }
}

#[track_caller]
fn read(name: &str) -> String {
    let name = format!("LABLINK_TEST_S3_{name}");
    match env::var(&name) {
        Ok(value) if !value.is_empty() => value.trim_end_matches('/').to_owned(),
        _ => panic!(
            "{name} is not set: this test wants an S3 server. Use tests/run --only test, or \
             eval \"$(tests/ceph/start)\" first (tests/README.md); LABLINK_TEST_S3=off leaves such tests out"
        ),
    }
}

fn client() -> HttpClient {
    // A test that waits for a command notices nothing meanwhile: Ceph closes what was idle for 65 s.
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_pool_idle_timeout(Duration::from_secs(10));
    ReqwestConnector::default()
        .connect(&options)
        .expect("an HTTP client can be made")
}

/// The texts of all elements of this name. Our server's answers are flat enough for that.
fn element<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open)
        .skip(1)
        .map(move |rest| rest.split(&close).next().unwrap_or_default())
        .collect::<Vec<_>>()
        .into_iter()
}

/// A bucket that lives as long as its test.
pub struct Bucket(Handle);

/// A bucket's name and where it is.
#[derive(Clone)]
pub struct Handle {
    pub server: Server,
    pub name: String,
}

impl Deref for Bucket {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Handle {
    /// Sends one request about the bucket (`"?policy"`) or an object in it (`"/key"`), signed by its owner.
    pub async fn send(&self, method: &str, target: &str, body: impl Into<Bytes>) -> Reply {
        let target = format!("/{}{target}", self.name);
        self.server
            .send(&self.server.keys, method, &target, &[], body)
            .await
    }

    /// Every key in the bucket, in the server's order, as it is sent (`encoding-type=url`).
    pub async fn keys(&self) -> Vec<String> {
        self.keys_under("").await
    }

    /// Those that begin with `prefix`, which has no character that a query cannot hold.
    pub async fn keys_under(&self, prefix: &str) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        let mut token = String::new();
        loop {
            let page = self
                .send(
                    "GET",
                    &format!("?encoding-type=url&list-type=2&max-keys=1000&prefix={prefix}{token}"),
                    "",
                )
                .await
                .ok()
                .text();
            keys.extend(element(&page, "Key").map(str::to_owned));
            let Some(next) = element(&page, "NextContinuationToken").next() else {
                return keys;
            };
            // The token may be a key: whatever a query cannot hold is encoded.
            let next: String = next
                .bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                        char::from(byte).to_string()
                    }
                    other => format!("%{other:02X}"),
                })
                .collect();
            token = format!("&continuation-token={next}");
        }
    }

    /// Lets anybody read what lies under `prefix`, and learn that there is nothing: without the permission
    /// to list, S3 answers 403 for what is not there.
    pub async fn publish(&self, prefix: &str) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{0}/{prefix}/*"]}},
                {{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::{0}"]}}]}}"#,
            self.name
        );
        self.send("PUT", "?policy", policy).await.ok();
    }

    /// A store on this bucket, to be refined.
    pub fn store(&self) -> lablink_storage::ImageStoreBuilder {
        self.store_as(&self.server.keys)
    }

    /// A store on this bucket with other credentials.
    pub fn store_as(&self, keys: &Keys) -> lablink_storage::ImageStoreBuilder {
        lablink_storage::ImageStore::builder()
            .s3(&self.name)
            .with_region(&self.server.region)
            .with_endpoint_url(&self.server.endpoint)
            .with_credentials(&keys.access, keys.secret.as_str(), keys.token.as_deref())
    }

    /// Removes the bucket with all that is in it.
    async fn remove(&self) {
        stream::iter(self.keys().await)
            .for_each_concurrent(16, |key| async move {
                // The listing's form encoding writes a space as `+`; a path does not.
                self.send("DELETE", &format!("/{}", key.replace('+', "%20")), "")
                    .await;
            })
            .await;
        self.send("DELETE", "", "").await;
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // A drop cannot wait, and may run within the test's runtime: a thread of its own can, with a
        // client whose connections belong to it.
        let mut handle = self.0.clone();
        let thread = std::thread::spawn(move || {
            handle.server.client = client();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(handle.remove());
        });
        // A bucket that stays behind is a pity, no failure of the test.
        drop(thread.join());
    }
}
