//! From the credentials to the bucket, each before what depends on it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Utc};
use http::Method;

use super::http::{Answer, Http, connection_hint};
use super::objects::NAMES;
use super::{Examination, Finding, STEP};
use crate::backend::Presigner;
use crate::kind::ErrorKind;
use crate::sign::Presign;

/// S3 refuses signatures from clocks that are further off
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, RequestTimeTooSkewed).
const MAX_SKEW: u64 = 15 * 60;

/// From this many seconds on it is reported.
const NOTABLE_SKEW: u64 = 30;

/// Credentials that end this soon make short-lived signed URLs.
const SOON: Duration = Duration::from_secs(10 * 60);

const AFTER_BUCKET: [&str; 5] = [
    "pending_private",
    "public_url",
    "cloudfront",
    "cors",
    "presigned_post",
];

impl Examination<'_> {
    pub(super) async fn s3(&mut self) {
        let credentials = self.credentials().await;
        let http = match Http::new(STEP, self.store.config()) {
            Ok(http) => http,
            Err(problem) => {
                self.findings.failure(
                    "endpoint",
                    Finding::new(
                        format!("no HTTPS client: {problem}"),
                        "install the system's CA certificates (Debian: ca-certificates)",
                    ),
                );
                return;
            }
        };
        let answer = self.endpoint(&http).await;
        if !credentials || answer.is_none() {
            let why = "it needs credentials and a server that answers";
            self.findings.skip_all(&["signature", "bucket"], why);
            self.findings.skip_all(&NAMES, why);
            self.findings.skip_all(&AFTER_BUCKET, why);
            return;
        }
        if !self.signature_and_bucket(&http, answer.as_ref()).await {
            let why = "it needs a bucket that answers";
            self.findings.skip_all(&NAMES, why);
            self.findings.skip_all(&AFTER_BUCKET, why);
            return;
        }
        let pending = self.objects().await;
        self.public(&http, pending.as_ref()).await;
        self.remove_probes().await;
    }

    async fn credentials(&mut self) -> bool {
        // The store bounds this itself, and says which sources it tried.
        match self.backend().credentials_origin().await {
            Ok((source, expires_at)) => {
                let left =
                    expires_at.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
                match (left, expires_at) {
                    (Some(left), Some(end)) => {
                        let end = DateTime::<Utc>::from(end).format("%Y-%m-%d %H:%M:%S UTC");
                        let message = format!("from {source}, until {end}");
                        if left < SOON {
                            self.findings.warning("credentials", Finding::new(
                                message,
                                "signed URLs expire with them: let the role renew them, or get new ones",
                            ));
                        } else {
                            self.findings.ok("credentials", message);
                        }
                    }
                    _ => self
                        .findings
                        .ok("credentials", format!("from {source}; they do not expire")),
                }
                true
            }
            Err(error) => {
                self.findings
                    .failure("credentials", (&crate::error::Error::from(error)).into());
                false
            }
        }
    }

    /// Checks the clock and the endpoint with one unsigned request.
    async fn endpoint(&mut self, http: &Http) -> Option<Answer> {
        let url = self.store.urls().bucket_url();
        let host = host_of(&url);
        let before = SystemTime::now();
        match http.send(Method::HEAD, &url, &[], Bytes::new()).await {
            Ok(answer) => {
                self.clock(&answer, before);
                if url.starts_with("http://") && !is_loopback(&host) {
                    self.findings.warning("endpoint", Finding::new(
                        format!("{host} answers, unencrypted"),
                        "use an https:// endpoint: images and signed URLs can be read on the way",
                    ));
                } else {
                    let tls = if url.starts_with("https://") {
                        " over TLS"
                    } else {
                        ""
                    };
                    self.findings.ok("endpoint", format!("{host} answers{tls}"));
                }
                Some(answer)
            }
            Err(problem) => {
                self.findings
                    .skipped("clock", "the server does not tell the time");
                let custom = self.store.config().s3().and_then(|s3| s3.endpoint());
                let hint = connection_hint(
                    &problem,
                    custom.map_or("AWS_REGION and the network", |_| "AWS_ENDPOINT_URL_S3"),
                );
                self.findings
                    .failure("endpoint", Finding::new(format!("{host}: {problem}"), hint));
                None
            }
        }
    }

    fn clock(&mut self, answer: &Answer, now: SystemTime) {
        let Some(theirs) = answer.header("date").and_then(http_date) else {
            self.findings
                .skipped("clock", "the server does not tell the time");
            return;
        };
        let ours = DateTime::<Utc>::from(now).timestamp();
        let ahead = ours - theirs;
        let off = ahead.unsigned_abs();
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let message = format!("this machine is {off} s {way} the server");
        let hint = "set the clock: timedatectl set-ntp true (containers take their host's)";
        if off >= MAX_SKEW {
            self.findings.failure(
                "clock",
                Finding::new(
                    format!("{message}; from {MAX_SKEW} s on, S3 refuses every signature"),
                    hint,
                ),
            );
        } else if off >= NOTABLE_SKEW {
            self.findings.warning("clock", Finding::new(message, hint));
        } else {
            self.findings
                .ok("clock", format!("within {} s of the server's", off.max(1)));
        }
    }

    /// One signed listing: whether the key is known, the signature right, and the bucket there.
    async fn signature_and_bucket(&mut self, http: &Http, answer: Option<&Answer>) -> bool {
        let looked = self.within(async {
            Ok::<_, crate::error::Error>(self.backend().health(self.prefix()).await)
        });
        let outcome = match looked.await {
            Ok(outcome) => outcome,
            Err(trouble) => {
                self.findings.failure("signature", trouble);
                return false;
            }
        };
        let error = outcome.err().map(crate::error::Error::from);
        match error {
            Some(error) if error.kind() == ErrorKind::Credentials => {
                self.findings.failure("signature", (&error).into());
                self.findings
                    .skipped("bucket", "the server refused the signature");
                false
            }
            Some(error)
                if error.kind() == ErrorKind::AccessDenied
                    && self.refused_everywhere(http).await =>
            {
                let trouble: Finding = (&error).into();
                let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that this server knows and its secret";
                self.findings.failure(
                    "signature",
                    Finding::new(
                        "the server refuses every request of this key: it is unknown, or the secret is wrong",
                        match trouble.hint {
                            Some(rights) => {
                                let rights = rights.split(';').next().unwrap_or_default();
                                format!("{hint}; if they are right, {rights}")
                            }
                            None => hint.to_owned(),
                        },
                    ),
                );
                self.findings
                    .skipped("bucket", "the server refused the signature");
                false
            }
            Some(error) => {
                if matches!(
                    error.kind(),
                    ErrorKind::NoSuchBucket | ErrorKind::AccessDenied | ErrorKind::NotFound
                ) {
                    self.findings.ok(
                        "signature",
                        "the server knows the key and accepts its signature",
                    );
                } else {
                    self.findings
                        .skipped("signature", "no answer to a signed request");
                }
                self.findings.failure("bucket", (&error).into());
                false
            }
            None => {
                self.findings.ok(
                    "signature",
                    "the server knows the key and accepts its signature",
                );
                self.region(answer)
            }
        }
    }

    /// Ceph with STS says AccessDenied to unknown keys and wrong signatures too. There, unlike on AWS,
    /// every user may list the buckets that are his.
    async fn refused_everywhere(&self, http: &Http) -> bool {
        let endpoint = self.store.config().s3().and_then(|s3| s3.endpoint());
        let (Some(endpoint), Ok(signer)) = (endpoint, self.backend().signer().await) else {
            return false;
        };
        let Ok(any) = crate::key::ObjectKey::parse("any") else {
            return false;
        };
        let root = format!("{}/", endpoint.trim_end_matches('/'));
        let request = Presign::get(Duration::from_secs(60));
        let Ok(signed) = signer.presign(&request, &any, &root, SystemTime::now()) else {
            return false;
        };
        signer.credentials().session_token.is_none()
            && matches!(http.get(&signed.url).await, Ok(answer) if answer.status == 403)
    }

    fn region(&mut self, answer: Option<&Answer>) -> bool {
        let Some(s3) = self.store.config().s3() else {
            return true;
        };
        let told = answer.and_then(|answer| answer.header("x-amz-bucket-region"));
        match told {
            Some(region) if region != s3.region() && s3.endpoint().is_none() => {
                self.findings.failure(
                    "bucket",
                    Finding::new(
                        format!("{} is in {region}, not in {}", s3.bucket(), s3.region()),
                        format!("set AWS_REGION={region}"),
                    ),
                );
                false
            }
            Some(region) => {
                self.findings
                    .ok("bucket", format!("{} exists, in {region}", s3.bucket()));
                true
            }
            None => {
                self.findings
                    .ok("bucket", format!("{} exists", s3.bucket()));
                true
            }
        }
    }
}

pub(super) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with("127.")
        || name == "[::1]"
}

/// IMF-fixdate (RFC 9110 section 5.6.7), as seconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    let date = NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").ok()?;
    Some(date.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_rfc_9110() {
        assert_eq!(
            http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn loopback_needs_no_encryption() {
        for host in [
            "127.0.0.1:7480",
            "localhost",
            "b.localhost:9000",
            "[::1]:80",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        assert!(!is_loopback("s3.example.org"));
    }
}
