//! Requests of our own, for what object_store has no calls.

use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use object_store::Error;

use super::{S3, answer};
use crate::backend::call::{Answer, Broken, Call, CallFailure, Problem};
use crate::sign::Request;

/// Largest answer that is read.
const MAX_ANSWER: usize = 16 << 20;

/// How long one try waits for its answer.
const PATIENCE: Duration = Duration::from_secs(12);

impl S3 {
    /// Sends a request for the bucket, or for the object at `path` in it, and reads the answer of a success.
    /// What passes is tried again; what came of it is noted on the current [`Call`].
    pub(super) async fn send(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Bytes, Error> {
        let request = Request {
            service: "s3",
            region: self.region(),
            method,
            url: &format!("{}/{path}", self.server),
            query,
            body: b"",
        };
        self.transmit(&request).await
    }

    /// The same for a request to any service.
    pub(super) async fn transmit(&self, request: &Request<'_>) -> Result<Bytes, Error> {
        let started = Instant::now();
        let deadline = Call::current().map_or(PATIENCE, |call| call.deadline().remaining());
        let retry = super::retry(deadline);
        let mut pause = retry.backoff.init_backoff;
        loop {
            match self.send_once(request).await {
                Ok(outcome) => return outcome,
                Err(true) if started.elapsed() + pause < retry.retry_timeout => {
                    tokio::time::sleep(pause).await;
                    let longer = pause.mul_f64(retry.backoff.base);
                    pause = longer.min(retry.backoff.max_backoff);
                }
                Err(_) => return Err(failed(Problem::new("the request failed"))),
            }
        }
    }

    /// Sends it once. `Err` says whether another try may help.
    async fn send_once(&self, request: &Request<'_>) -> Result<Result<Bytes, Error>, bool> {
        let signer = match self.signer().await {
            Ok(signer) => signer,
            Err(failure) => return Ok(Err(failed(failure))),
        };
        let signed = match signer.sign(request, SystemTime::now()) {
            Ok(signed) => signed,
            Err(error) => return Ok(Err(failed(error))),
        };
        Call::note(Call::sent);
        let method = match request.method {
            "DELETE" => reqwest::Method::DELETE,
            "POST" => reqwest::Method::POST,
            _ => reqwest::Method::GET,
        };
        let sending = self.client.request(method, &signed.url).timeout(PATIENCE);
        let mut sending = sending.body(request.body.to_vec());
        for (name, value) in &signed.headers {
            sending = sending.header(*name, value);
        }
        let mut response = sending.send().await.map_err(|error| broken(&error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                Call::note(|call| call.failed(CallFailure::Foreign));
                return Err(false);
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        if status.is_success() {
            Call::note(|call| call.succeeded(status.as_u16()));
            return Ok(Ok(body.freeze()));
        }
        let secrets: Vec<&str> = signed
            .headers
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        let answer: Answer = answer::read(status.as_u16(), response.headers(), &body, &secrets);
        let again = status.is_server_error()
            || matches!(status.as_u16(), 408 | 429)
            || answer.code.as_deref().is_some_and(passes);
        Call::note(|call| call.failed(CallFailure::Answer(answer)));
        Err(again)
    }
}

/// Returns whether an error code stands for what passes, whatever the status says.
fn passes(code: &str) -> bool {
    code.starts_with("Throttling")
        || matches!(code, "TooManyInvalidationsInProgress" | "RequestTimeout")
}

/// A connection that failed: another one may not.
fn broken(error: &reqwest::Error) -> bool {
    let how = if error.is_timeout() {
        Broken::Silent
    } else if error.is_connect() {
        Broken::Unreachable
    } else {
        Broken::Off
    };
    // The URL is signed in its headers alone; its query has keys.
    let problem = Problem::of(error);
    Call::note(|call| call.failed(CallFailure::Transport { how, problem }));
    true
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic {
        store: "S3",
        source: Box::new(source),
    }
}
