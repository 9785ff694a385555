//! From what happened to a kind, words and a hint.

use std::error::Error as _;
use std::io;

use object_store::Error;
#[cfg(feature = "s3")]
use object_store::client::{HttpError, HttpErrorKind};

use super::Backend;
use super::call::{Answer, Broken, Call, CallFailure, Problem};
use super::error::{Operation, StorageError};
use super::hint;
use crate::causes;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// The words for what has no better ones.
const FAILED: &str = "it failed";

/// An operation and its object.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) operation: Operation,
    pub(super) key: Option<&'a ObjectKey>,
    pub(super) backend: &'a Backend,
}

impl Context<'_> {
    /// The error of an operation that its deadline ended.
    pub(super) fn timed_out(&self, call: &Call) -> StorageError {
        match call.last_failure() {
            // It was being repeated: what kept happening tells more than that time ran out.
            Some(CallFailure::Answer(answer)) => self.answered(call, &answer),
            Some(CallFailure::Transport { how, problem }) if how != Broken::Silent => {
                self.transport(how, problem, call)
            }
            Some(CallFailure::Damaged) => self.damaged(call),
            _ => {
                let problem = format!("not done within {:?}", call.deadline().allowed());
                let error = self.error(ErrorKind::Timeout, problem, call);
                match hint::of_timeout(self) {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                }
            }
        }
    }

    /// The error of an operation that failed.
    pub(super) fn failed(&self, call: &Call, error: Error) -> StorageError {
        #[cfg(feature = "s3")]
        if let Some(failure) = find::<super::s3::CredentialsFailure>(&error) {
            return self
                .error(ErrorKind::Credentials, failure.to_string(), call)
                .retryable(failure.is_passing())
                .with_hint(failure.hint());
        }
        match call.failure() {
            Some(CallFailure::Answer(answer)) => self.answered(call, &answer),
            Some(CallFailure::Transport { how, problem }) => self.transport(how, problem, call),
            Some(CallFailure::Foreign) => self.foreign(call),
            Some(CallFailure::Damaged) => self.damaged(call),
            None => self.untold(call, error),
        }
    }

    fn transport(&self, how: Broken, problem: Problem, call: &Call) -> StorageError {
        let (kind, words) = match how {
            Broken::Silent => (ErrorKind::Timeout, "the server did not answer in time"),
            Broken::Off => (ErrorKind::Unavailable, "the connection was lost"),
            Broken::NoTls => (
                ErrorKind::Unavailable,
                "no TLS connection with the server could be made",
            ),
            Broken::Unreachable => (ErrorKind::Unavailable, "the server cannot be reached"),
        };
        let server = self.backend.endpoint();
        let hint = match server.filter(|_| self.operation != Operation::Invalidate) {
            Some(endpoint) if how == Broken::NoTls => format!(
                "check that {endpoint} speaks https, and that its certificate is trusted here (AWS_CA_BUNDLE names that of a private authority)"
            ),
            Some(endpoint) => {
                format!("check that {endpoint} is right and can be reached from here")
            }
            None => "check the network: a proxy or firewall, DNS, the CA certificates".to_owned(),
        };
        let error = self.error(kind, words, call).with_source(problem);
        let hint = match kind {
            ErrorKind::Unavailable => Some(hint),
            _ => hint::of_timeout(self),
        };
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn foreign(&self, call: &Call) -> StorageError {
        let words = "the answer is not from an S3 server, but a web page, a console, or a proxy's own answer";
        let hint = match self.backend.endpoint() {
            Some(endpoint) => format!(
                "check that {endpoint} is the address of the S3 server itself, and not of its console"
            ),
            None => "check the network: a proxy or a captive portal answers for S3".to_owned(),
        };
        self.error(ErrorKind::Internal, words, call).with_hint(hint)
    }

    fn damaged(&self, call: &Call) -> StorageError {
        let words = "the received bytes do not match the ETag of the stored object";
        self.error(ErrorKind::Unavailable, words, call).with_hint(
            "try again; if it happens again, check the proxy in front of the server, and the server's disks",
        )
    }

    /// The error of a failure that no HTTP answer explains.
    fn untold(&self, call: &Call, error: Error) -> StorageError {
        #[cfg(feature = "s3")]
        if let Some(http) = find::<HttpError>(&error) {
            let how = match http.kind() {
                HttpErrorKind::Timeout => Broken::Silent,
                HttpErrorKind::Connect => Broken::Unreachable,
                _ => Broken::Off,
            };
            return self.transport(how, Problem::of(http), call);
        }
        let io_error = find::<io::Error>(&error);
        let io_kind = io_error.map(io::Error::kind);
        let (kind, words) = match &error {
            Error::NotFound { .. } => (ErrorKind::NotFound, "there is no such object"),
            Error::AlreadyExists { .. } | Error::Precondition { .. } => (
                ErrorKind::AlreadyExists,
                "an object with this key exists already",
            ),
            Error::PermissionDenied { .. } => (ErrorKind::AccessDenied, "access denied"),
            Error::Unauthenticated { .. } => (ErrorKind::Credentials, "not authenticated"),
            Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                (ErrorKind::NotSupported, "the object store cannot do this")
            }
            Error::InvalidPath { .. } => (ErrorKind::InvalidKey, "the store cannot hold this key"),
            _ => match io_kind {
                Some(io::ErrorKind::PermissionDenied) => (ErrorKind::AccessDenied, "access denied"),
                Some(io::ErrorKind::ReadOnlyFilesystem) => {
                    (ErrorKind::AccessDenied, "the file system is read-only")
                }
                // Names that are too long, or have characters that it does not know.
                Some(io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput)
                    if self.backend.name() == "local" && self.operation == Operation::Put =>
                {
                    (
                        ErrorKind::InvalidKey,
                        "the file system cannot hold a file of this name",
                    )
                }
                // In files that a caller's own store keeps, folders and what would lie below a file.
                Some(io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory)
                    if self.backend.name() == "custom" && self.operation.is_of_an_object() =>
                {
                    (ErrorKind::NotFound, "there is no such object")
                }
                Some(io::ErrorKind::NotADirectory) => {
                    (ErrorKind::Configuration, "it is not a directory")
                }
                Some(io::ErrorKind::StorageFull) => (ErrorKind::Internal, "the disk is full"),
                Some(io::ErrorKind::QuotaExceeded) => {
                    (ErrorKind::Internal, "the disk quota is used up")
                }
                _ => (ErrorKind::Internal, FAILED),
            },
        };
        let of_disk = self.operation == Operation::Put
            && kind == ErrorKind::Internal
            && io_error.is_some_and(|error| error.raw_os_error().is_some())
            && io_kind != Some(io::ErrorKind::InvalidFilename);
        let problem = Problem::of(&error);
        // What the system says of itself names no file and no secret.
        let words = match io_error {
            Some(error) if words == FAILED && error.raw_os_error().is_some() => error.to_string(),
            _ => words.to_owned(),
        };
        let failed = self.error(kind, words, call).of_disk(of_disk);
        let failed = match hint::of_files(self.backend, kind, io_kind) {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        };
        failed.with_source(problem)
    }

    /// The error that the server answered with.
    fn answered(&self, call: &Call, answer: &Answer) -> StorageError {
        let kind = kind_of(self.operation, answer);
        let words = words_of(kind, answer);
        let mut error = self.error(kind, words, call).with_answer(
            answer.code.clone(),
            answer.request_id.clone(),
            call.tries(),
        );
        // No other object finds room, either.
        let full = [
            "QuotaExceeded",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
        ];
        error = error.of_disk(
            answer
                .code
                .as_deref()
                .is_some_and(|code| full.contains(&code)),
        );
        if let Some(hint) = hint::of_answer(self, kind, answer) {
            error = error.with_hint(hint);
        }
        match &answer.message {
            Some(message) => error.with_source(Problem::new(causes::one_line(message))),
            None => error,
        }
    }

    fn error(&self, kind: ErrorKind, problem: impl Into<String>, call: &Call) -> StorageError {
        StorageError::new(kind, self.operation, problem)
            .with_key(self.key)
            .with_bucket(self.backend.bucket())
            .with_answer(None, None, call.tries())
    }
}

/// Returns the kind that an S3 error code stands for, or, without one, the status.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn kind_of(operation: Operation, answer: &Answer) -> ErrorKind {
    match answer.code.as_deref().unwrap_or_default() {
        "NoSuchKey" | "NoSuchVersion" => ErrorKind::NotFound,
        "NoSuchDistribution" => ErrorKind::Configuration,
        "NoSuchBucket"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "IncorrectEndpoint"
        | "IllegalLocationConstraintException" => ErrorKind::NoSuchBucket,
        "AuthorizationHeaderMalformed" if answer.region.is_some() => ErrorKind::NoSuchBucket,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidSecurity"
        | "RequestExpired"
        | "NotSignedUp"
        | "AuthorizationHeaderMalformed"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException" => ErrorKind::Credentials,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer" => {
            ErrorKind::AccessDenied
        }
        // The object is in a class that is not read directly: somebody has to restore it first.
        "InvalidObjectState" => ErrorKind::NotSupported,
        "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" => {
            ErrorKind::Internal
        }
        "SlowDown"
        | "ServiceUnavailable"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "TooManyInvalidationsInProgress"
        | "InternalError"
        | "OperationAborted"
        | "ConditionalRequestConflict"
        | "Busy"
        | "RequestTimeout" => ErrorKind::Unavailable,
        "PreconditionFailed" => ErrorKind::AlreadyExists,
        "NotImplemented" | "MethodNotAllowed" => ErrorKind::NotSupported,
        "EntityTooLarge" | "MaxMessageLengthExceeded" => ErrorKind::LimitExceeded,
        "KeyTooLongError" => ErrorKind::InvalidKey,
        "InvalidRange" => ErrorKind::InvalidArgument,
        "InvalidStorageClass" | "InvalidBucketName" | "InvalidEncryptionAlgorithmError" => {
            ErrorKind::Configuration
        }
        _ => kind_of_status(operation, answer),
    }
}

fn kind_of_status(operation: Operation, answer: &Answer) -> ErrorKind {
    let about_an_object = operation.is_of_an_object();
    match answer.status {
        300..=399 if answer.region.is_some() => ErrorKind::NoSuchBucket,
        300..=399 => ErrorKind::Configuration,
        401 | 403 => ErrorKind::AccessDenied,
        // A proxy that does not find the server answers so, too: the object may exist all the same.
        404 if !answer.of_s3 => ErrorKind::Unavailable,
        404 if about_an_object => ErrorKind::NotFound,
        404 => ErrorKind::NoSuchBucket,
        408 => ErrorKind::Timeout,
        409 | 412 if operation == Operation::Put => ErrorKind::AlreadyExists,
        413 => ErrorKind::LimitExceeded,
        416 => ErrorKind::InvalidArgument,
        405 | 501 => ErrorKind::NotSupported,
        409 | 429 | 500 | 502..=504 => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

fn words_of(kind: ErrorKind, answer: &Answer) -> String {
    let status = answer.status;
    match (kind, answer.code.as_deref()) {
        (ErrorKind::NotFound, _) => "there is no such object".to_owned(),
        (ErrorKind::AlreadyExists, _) => "an object with this key exists already".to_owned(),
        (ErrorKind::NoSuchBucket, Some("NoSuchBucket")) => "there is no such bucket".to_owned(),
        (ErrorKind::NoSuchBucket, _) => match &answer.region {
            Some(region) => format!("the bucket is in region {region}"),
            None => "the bucket does not exist, or is in another region".to_owned(),
        },
        (_, Some("QuotaExceeded" | "XMinioAdminBucketQuotaExceeded")) => {
            "the quota of the bucket or of its owner is used up".to_owned()
        }
        (_, Some("XMinioStorageFull")) => "the server's disks are full".to_owned(),
        (_, Some("InvalidObjectState")) => {
            "the object is archived, and cannot be read before it is restored".to_owned()
        }
        (ErrorKind::LimitExceeded, _) => format!("it is too large for the server, status {status}"),
        (ErrorKind::Unavailable, None) if status == 404 => {
            "a proxy in front of the server answered with status 404".to_owned()
        }
        (_, Some("NoSuchDistribution")) => "there is no such distribution".to_owned(),
        (_, Some("TooManyInvalidationsInProgress")) => {
            "too many invalidations are under way".to_owned()
        }
        (ErrorKind::AccessDenied, _) => "access denied".to_owned(),
        (ErrorKind::Credentials, Some("RequestTimeTooSkewed")) => {
            "the request's time is too far from the server's".to_owned()
        }
        (ErrorKind::Credentials, Some("ExpiredToken" | "RequestExpired")) => {
            "the credentials have expired".to_owned()
        }
        (ErrorKind::Credentials, Some("InvalidAccessKeyId" | "InvalidClientTokenId")) => {
            "the server does not know the access key id".to_owned()
        }
        (ErrorKind::Credentials, Some("SignatureDoesNotMatch")) => {
            "the signature does not match".to_owned()
        }
        (ErrorKind::Credentials, _) => "the server refuses the credentials".to_owned(),
        (ErrorKind::Unavailable, _) => {
            format!("the server is overloaded or out of order, status {status}")
        }
        (ErrorKind::Configuration, _) if (300..400).contains(&status) => {
            match &answer.redirect_host {
                Some(host) => format!("the server redirects to {host:?}, which is not followed"),
                None => "the server redirects without an address".to_owned(),
            }
        }
        _ => format!("the server refused, status {status}"),
    }
}

/// The first error of this type among an error and what is behind it.
fn find<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        source = inner.source();
    }
    None
}
