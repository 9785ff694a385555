//! Requests that this crate sends itself, signed in their headers.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::time::SystemTime;

use super::error::SignError;
use super::hash;
use super::presign::Target;
use super::sigv4::{ALGORITHM, SigV4, signing_key, string_to_sign};
use super::time::Timestamp;
use crate::key::percent_encode_component;

/// A request to a service of AWS, or to a server that speaks its protocol.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) service: &'static str,
    pub(crate) region: &'a str,
    pub(crate) method: &'static str,
    /// Absolute and percent-encoded, without a query.
    pub(crate) url: &'a str,
    /// Names and values as they are, unencoded.
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// The whole URL, and the headers that the request has to be sent with.
pub(crate) struct Signed {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl SigV4 {
    /// Signs a request as it is sent at `now`.
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`] for a URL that is not absolute.
    pub(crate) fn sign(&self, request: &Request<'_>, now: SystemTime) -> Result<Signed, SignError> {
        let time = Timestamp::new(now)?;
        let target = Target::parse(request.url)?;
        let (date, date_time) = (time.date(), time.date_time());
        let mut query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| {
                let (name, value) = (
                    percent_encode_component(name),
                    percent_encode_component(value),
                );
                format!("{name}={value}")
            })
            .collect();
        query.sort_unstable();
        let query = query.join("&");
        let payload = hash::sha256_hex(request.body);
        let mut headers = vec![
            ("x-amz-content-sha256", payload.clone()),
            ("x-amz-date", date_time.clone()),
        ];
        if let Some(token) = &self.credentials().session_token {
            headers.push(("x-amz-security-token", token.expose().to_owned()));
        }
        let mut canonical_headers = format!("host:{}\n", target.host);
        let mut signed_headers = "host".to_owned();
        for (name, value) in &headers {
            canonical_headers.push_str(&format!("{name}:{value}\n"));
            signed_headers.push_str(&format!(";{name}"));
        }
        let path = if target.path.is_empty() {
            "/"
        } else {
            target.path
        };
        let canonical = format!(
            "{}\n{path}\n{query}\n{canonical_headers}\n{signed_headers}\n{payload}",
            request.method,
        );
        let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
        let secret = self.credentials().secret_access_key.expose();
        let key = signing_key(secret, &date, request.region, request.service)?;
        let to_sign = string_to_sign(&date_time, &scope, &canonical);
        let signature = hash::hmac_hex(&key, to_sign.as_bytes());
        let id = &self.credentials().access_key_id;
        headers.push((
            "authorization",
            format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"),
        ));
        let url = match query.is_empty() {
            true => request.url.to_owned(),
            false => format!("{}?{query}", request.url),
        };
        Ok(Signed { url, headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Credentials;
    use std::time::{Duration, UNIX_EPOCH};

    /// The GET Bucket Lifecycle and List Objects examples of
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
    #[test]
    fn the_published_examples_come_out() {
        let credentials = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let signer = SigV4::new(credentials, "us-east-1").expect("a signer");
        let now = UNIX_EPOCH + Duration::from_secs(1_369_353_600); // 2013-05-24
        for (query, signature) in [
            (
                &[("lifecycle", "")][..],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                &[("prefix", "J"), ("max-keys", "2")],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let request = Request {
                service: "s3",
                region: "us-east-1",
                method: "GET",
                url: "https://examplebucket.s3.amazonaws.com/",
                query,
                body: b"",
            };
            let signed = signer.sign(&request, now).expect("signed");
            let (_, authorization) = signed.headers.last().expect("the last header");
            assert_eq!(
                *authorization,
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
                )
            );
        }
    }
}
