//! Checks of the things that anybody, and a browser on the application's page, can do.

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::http::{Answer, Http, multipart};
use super::objects::PROBE;
use super::{Examination, Finding};
use crate::config::{DirectUpload, S3Config};
use crate::error::Error;
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::ops::setup::{Setup, SetupOptions, check_origin};
use crate::store::{PresignPostOptions, PresignPutOptions};

impl Examination<'_> {
    pub(super) async fn public(&mut self, http: &Http, pending: Option<&ObjectKey>) {
        match pending {
            Some(key) => {
                self.pending_private(http, key).await;
                self.originals_private(http).await;
                self.images_readable(http).await;
            }
            None => self.findings.skip_all(
                &[
                    "pending_private",
                    "originals_private",
                    "public_url",
                    "cloudfront",
                ],
                "nothing could be written",
            ),
        }
        self.cors(http).await;
        match self.store.direct_upload() {
            DirectUpload::Post => self.presigned_post(http).await,
            DirectUpload::Put => self.presigned_put(http).await,
        }
    }

    /// Pending uploads may be anything: none may be served.
    async fn pending_private(&mut self, http: &Http, key: &ObjectKey) {
        let url = self.store.urls().object_url(key);
        match http.get(&url).await {
            Ok(answer) if answer.status == 200 => self.findings.failure(
                "pending_private",
                Finding::new(
                    "anyone can read pending uploads, which nobody has verified",
                    self.policy_hint("open the prefix of the images only"),
                ),
            ),
            Ok(_) => self.findings.ok(
                "pending_private",
                "pending uploads cannot be read by the public",
            ),
            Err(problem) => self
                .findings
                .warning("pending_private", Finding::new(problem, "try again")),
        }
    }

    async fn images_readable(&mut self, http: &Http) {
        let key = match ObjectKey::for_upload(self.prefix(), Uuid::new_v4(), ImageFormat::Png) {
            Ok(key) => key,
            Err(error) => {
                self.findings
                    .failure("public_url", (&Error::from(error)).into());
                return;
            }
        };
        if !self.put_probe("public_url", &key).await {
            self.findings
                .skipped("cloudfront", "no image could be written");
            return;
        }
        if self.store.config().cloudfront().is_some() {
            self.bucket_behind_cloudfront(http, &key).await;
            self.cloudfront(http, &key).await;
            self.purge(&key).await;
        } else {
            self.public_url(http, &key).await;
            self.findings
                .skipped("cloudfront", "CLOUDFRONT_DOMAIN is not set");
        }
    }

    async fn public_url(&mut self, http: &Http, key: &ObjectKey) {
        match http.get(&self.store.public_url(key)).await {
            Ok(answer) if answer.status == 200 && answer.body == PROBE => {
                self.findings.ok("public_url", "anyone can read images");
            }
            Ok(answer) if answer.status == 200 => self.findings.failure(
                "public_url",
                Finding::new(
                    "the answer is not the image",
                    "look for a proxy or a website configuration in front of the bucket",
                ),
            ),
            Ok(answer) if matches!(answer.status, 401 | 403) => self.findings.failure(
                "public_url",
                Finding::new(
                    format!(
                        "the public URL answers {}: images are private",
                        answer.summary()
                    ),
                    self.policy_hint(
                        "open Block Public Access for policies, then set this bucket policy",
                    ),
                ),
            ),
            Ok(answer) => self.findings.failure(
                "public_url",
                Finding::new(
                    format!("the public URL answers {}", answer.summary()),
                    "check AWS_REGION, AWS_S3_ADDRESSING_STYLE and the bucket's website settings",
                ),
            ),
            Err(problem) => self.findings.failure(
                "public_url",
                Finding::new(
                    problem,
                    "the host of public URLs does not answer: check its name in DNS",
                ),
            ),
        }
    }

    async fn bucket_behind_cloudfront(&mut self, http: &Http, key: &ObjectKey) {
        let direct = http.get(&self.store.urls().object_url(key)).await;
        match direct {
            Ok(answer) if answer.status == 200 => self.findings.warning(
                "public_url",
                Finding::new(
                    "images can be read from the bucket itself, past CloudFront",
                    self.policy_hint("let CloudFront alone read"),
                ),
            ),
            _ => self
                .findings
                .ok("public_url", "the bucket is private behind CloudFront"),
        }
    }

    /// Asks what a browser asks before it sends an upload or reads pixels across origins.
    async fn cors(&mut self, http: &Http) {
        if self.options.origins.is_empty() {
            self.findings
                .skipped("cors", "no origin was given (--origin https://…)");
        }
        for origin in &self.options.origins {
            match self.preflights(http, origin).await {
                Ok(()) => self
                    .findings
                    .ok("cors", format!("pages of {origin} may upload and read")),
                Err(trouble) => self.findings.failure("cors", trouble),
            }
        }
    }

    async fn preflights(&self, http: &Http, origin: &str) -> Result<(), Finding> {
        check_origin(origin).map_err(|error| {
            Finding::new(
                error.to_string(),
                "give the origin as browsers send it: scheme, host and port, no path",
            )
        })?;
        let url = self.store.urls().bucket_url();
        let put = self.headers_of_put();
        let asked = [
            ("POST", "content-type"),
            ("PUT", &put),
            ("GET", "content-type"),
        ];
        // Servers without POST Object need not know of it here either.
        let by_put = self.store.direct_upload() == DirectUpload::Put;
        for (method, sent) in asked.into_iter().skip(usize::from(by_put)) {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", sent),
            ];
            let answer = http
                .send(Method::OPTIONS, &url, &headers, Bytes::new())
                .await
                .map_err(|problem| Finding::new(problem, "try again"))?;
            let allowed = answer.header("access-control-allow-origin");
            let methods = answer
                .header("access-control-allow-methods")
                .unwrap_or_default();
            let named = methods
                .split(',')
                .any(|each| each.trim().eq_ignore_ascii_case(method));
            if answer.status >= 300
                || !named
                || !allowed.is_some_and(|who| who == "*" || who == origin)
            {
                return Err(Finding::new(
                    format!(
                        "a browser on {origin} may not {method} with the headers {sent}: the preflight answers {}",
                        answer.summary()
                    ),
                    self.cors_hint(),
                ));
            }
        }
        Ok(())
    }

    /// The headers of a browser's upload that a preflight asks for, sorted as browsers sort them.
    fn headers_of_put(&self) -> String {
        let config = self.store.config();
        let mut names = vec!["content-type"];
        if config.direct_upload() == DirectUpload::Put {
            names.push("cache-control");
            names.extend(config.create_only().then_some("if-none-match"));
            let written = config.s3().map(S3Config::write_headers);
            names.extend(written.into_iter().flatten().map(|(name, _)| name));
        }
        names.sort_unstable();
        names.join(",")
    }

    /// A form, signed and sent as a browser sends it.
    async fn presigned_post(&mut self, http: &Http) {
        let options = PresignPostOptions::default().with_max_bytes(1 << 20);
        let signed = self
            .within(self.store.presigned_post("probe.png", options))
            .await;
        let post = match signed {
            Ok(post) => post,
            Err(trouble) => {
                self.findings.failure("presigned_post", trouble);
                return;
            }
        };
        let (content_type, body) = multipart(&post.fields, "image/png", PROBE);
        let mut headers = vec![("content-type", content_type.as_str())];
        headers.extend(self.origin());
        let answer = http.send(Method::POST, &post.url, &headers, body).await;
        self.upload_is_taken("presigned_post", "form upload", post.key, answer);
    }

    /// A request, signed and sent as a browser sends it.
    async fn presigned_put(&mut self, http: &Http) {
        let options = PresignPutOptions::default().with_content_length(PROBE.len() as u64);
        let signed = self
            .within(self.store.presigned_put("probe.png", options))
            .await;
        let put = match signed {
            Ok(put) => put,
            Err(trouble) => {
                self.findings.failure("presigned_put", trouble);
                return;
            }
        };
        // Browsers tell the length by themselves.
        let signed = put.headers.iter();
        let mut headers: Vec<_> = signed
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        headers.extend(self.origin());
        let body = Bytes::from_static(PROBE);
        let answer = http.send(Method::PUT, &put.url, &headers, body).await;
        self.upload_is_taken("presigned_put", "upload by PUT", put.key, answer);
    }

    /// The header that browsers send along.
    fn origin(&self) -> Option<(&str, &str)> {
        let origin = self.options.origins.first();
        origin.map(|origin| ("origin", origin.as_str()))
    }

    fn upload_is_taken(
        &mut self,
        check: &'static str,
        what: &str,
        key: ObjectKey,
        answer: Result<Answer, String>,
    ) {
        // Even an upload that was not answered may have arrived.
        self.probes.push(key);
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.findings.ok(check, format!("a browser's {what} is taken"));
            }
            Ok(answer) => self.findings.failure(check, Finding::new(
                format!("a browser's {what} is answered with {}", answer.summary()),
                match answer.code() {
                    Some("AccessDenied") => "the signer needs s3:PutObject on the pending prefix; on other servers than AWS the secret may be wrong",
                    Some("SignatureDoesNotMatch") => "the secret access key is wrong",
                    Some("NotImplemented" | "MethodNotAllowed") => "this server takes no form uploads: have browsers upload by PUT, with LABLINK_STORAGE_DIRECT_UPLOAD=put",
                    _ => "the server's code says which condition of the upload it refuses",
                },
            )),
            Err(problem) => self.findings.failure(check, Finding::new(
                problem,
                "the upload host does not answer browsers: check its name in DNS",
            )),
        }
    }

    fn setup(&self) -> Option<Setup> {
        let mut options = SetupOptions::from_config(self.store.config())?;
        options.origins.clone_from(&self.options.origins);
        Setup::new(options).ok()
    }

    fn document(&self, name: &str) -> Option<Value> {
        self.setup()?.documents().remove(name)
    }

    pub(super) fn policy_hint(&self, what: &str) -> String {
        match self.document("bucket_policy") {
            Some(policy) => format!("{what}: {policy} (lablink-storage setup --script does both)"),
            None => what.to_owned(),
        }
    }

    fn cors_hint(&self) -> String {
        match self.document("cors") {
            Some(rules) => format!(
                "set these CORS rules: {rules} (aws s3api put-bucket-cors; lablink-storage setup --script does it)"
            ),
            None => "set CORS rules for the origin".to_owned(),
        }
    }
}
