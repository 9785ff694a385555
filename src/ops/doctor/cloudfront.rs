//! Checks that CloudFront serves the bucket's images, and finds the obstacle where it does not.
//!
//! Its refusals are described in
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-response-errors.html>.

use super::http::{Answer, Http, connection_hint};
use super::objects::PROBE;
use super::{Examination, Finding, STEP, too_slow};
use crate::key::ObjectKey;
use crate::store::SignedUrlOptions;

impl Examination<'_> {
    /// Asks for an image that is in the bucket: as anybody, and where only signed URLs are served, with one.
    pub(super) async fn cloudfront(&mut self, http: &Http, key: &ObjectKey) {
        let signs = self
            .store
            .config()
            .cloudfront()
            .and_then(|cdn| cdn.key_pair_id());
        let signs = signs.is_some();
        match http.get(&self.store.public_url(key)).await {
            Err(problem) => self.unreachable(problem),
            Ok(answer) if is_probe(&answer) && signs => self.findings.warning(
                "cloudfront",
                Finding::new(
                    "anyone can read images through CloudFront, although there is a key to sign URLs with",
                    "restrict viewer access of the distribution's behaviour to the key group of CLOUDFRONT_KEY_PAIR_ID, or unset it",
                ),
            ),
            Ok(answer) if is_probe(&answer) => self
                .findings
                .ok("cloudfront", "anyone can read images through CloudFront"),
            Ok(answer) if answer.status == 403 && signs => self.signed(http, key, &answer).await,
            Ok(answer) => {
                let trouble = self.refusal(&answer);
                self.findings.failure("cloudfront", trouble);
            }
        }
    }

    async fn signed(&mut self, http: &Http, key: &ObjectKey, unsigned: &Answer) {
        let signed = match self.store.signed_url(key, SignedUrlOptions::default()) {
            Ok(signed) => signed,
            Err(error) => {
                self.findings.failure("cloudfront", (&error).into());
                return;
            }
        };
        let trouble = match http.get(&signed.url).await {
            Err(problem) => return self.unreachable(problem),
            Ok(answer) if is_probe(&answer) => {
                self.findings
                    .ok("cloudfront", "CloudFront serves images to signed URLs only");
                return;
            }
            Ok(answer) if answer.code() == Some("InvalidKey") => Finding::new(
                "CloudFront does not know the key pair id of signed URLs (403 InvalidKey)",
                "set CLOUDFRONT_KEY_PAIR_ID to the id of a public key in the distribution's key group, or add it there",
            ),
            // The bucket was never asked: its refusals carry an id of the host that refused.
            Ok(answer)
                if wants_signature(unsigned) && answer.status == 403 && !is_from_s3(&answer) =>
            {
                Finding::new(
                    format!("CloudFront refuses a signed URL: {}", answer.summary()),
                    "the private key is not that of CLOUDFRONT_KEY_PAIR_ID, or this machine's clock is off",
                )
            }
            Ok(answer) => self.refusal(&answer),
        };
        self.findings.failure("cloudfront", trouble);
    }

    /// Has the distribution forget the probe, as it is to forget what is deleted.
    pub(super) async fn purge(&mut self, key: &ObjectKey) {
        if !self.store.purges() {
            return;
        }
        let paths = vec![self.store.public_path(key)];
        match tokio::time::timeout(STEP, self.store.purge_paths(paths)).await {
            Ok(None) => self
                .findings
                .ok("purge", "CloudFront forgets what is deleted"),
            Ok(Some(failure)) => {
                let hint = failure.hint.unwrap_or_default();
                let trouble = Finding::new(failure.message, hint);
                self.findings.failure("purge", trouble);
            }
            Err(_) => self.findings.failure("purge", too_slow()),
        }
    }

    fn unreachable(&mut self, problem: String) {
        let hint = if problem.to_ascii_lowercase().contains("certificate") {
            "attach a certificate for CLOUDFRONT_DOMAIN to the distribution (setup --certificate), or correct the domain".to_owned()
        } else {
            connection_hint(&problem, "CLOUDFRONT_DOMAIN")
        };
        self.findings
            .failure("cloudfront", Finding::new(problem, hint));
    }

    fn refusal(&self, answer: &Answer) -> Finding {
        let message = format!(
            "CloudFront answers {} for an image that is in the bucket",
            answer.summary()
        );
        let s3 = self.store.config().s3();
        let bucket = s3.map(|s3| s3.bucket()).unwrap_or_default();
        let origin = format!(
            "the distribution's origin has to be the bucket {bucket} under its regional name, without an origin path"
        );
        let hint = match answer.status {
            200..=299 => {
                return Finding::new(
                    "CloudFront does not answer with the image",
                    format!("{origin}; look for custom error pages and functions, too"),
                );
            }
            403 if wants_signature(answer) => {
                "it serves signed URLs only: set CLOUDFRONT_KEY_PAIR_ID and CLOUDFRONT_PRIVATE_KEY_PATH, or lift the restriction of viewer access".to_owned()
            }
            403 if answer.code().is_some() => self.policy_hint(&format!(
                "give the origin an origin access control that signs requests{}, and set this bucket policy",
                match s3.and_then(|s3| s3.sse_kms_key_id()) {
                    Some(_) => ", let the KMS key's policy allow the distribution kms:Decrypt",
                    None => "",
                }
            )),
            403 => "CloudFront refuses by itself: CLOUDFRONT_DOMAIN has to be a domain of the distribution; look for a firewall (WAF) and geographic restrictions, too".to_owned(),
            404 => origin,
            301 | 302 | 307 | 308 => format!("{origin}: what it is now redirects elsewhere"),
            502..=504 => format!("CloudFront does not reach its origin: {origin}"),
            _ => format!("look at the distribution's behaviour for images; {origin}"),
        };
        Finding::new(message, hint)
    }
}

fn is_probe(answer: &Answer) -> bool {
    answer.status == 200 && answer.body == PROBE
}

fn wants_signature(answer: &Answer) -> bool {
    answer.code() == Some("MissingKey")
}

fn is_from_s3(answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    text.contains("<HostId>") || answer.header("x-amz-id-2").is_some()
}
