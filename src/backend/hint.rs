//! Hints: the troubleshooting table, applied to the case at hand.

use std::io;

use super::Backend;
use super::call::Answer;
use super::classify::Context;
use super::error::Operation;
use crate::kind::ErrorKind;
use crate::url::Partition;

/// S3 refuses what is signed more than this far from its own time, in seconds.
const MAX_SKEW: i64 = 15 * 60;

/// The hint for an error that a server answered with.
pub(super) fn of_answer(context: &Context<'_>, kind: ErrorKind, answer: &Answer) -> Option<String> {
    match answer.code.as_deref() {
        Some("QuotaExceeded" | "XMinioAdminBucketQuotaExceeded") => {
            return Some(
                "raise the quota of the bucket or of its owner, or remove what nobody uses"
                    .to_owned(),
            );
        }
        Some("NoSuchDistribution") => {
            return Some(
                "set CLOUDFRONT_DISTRIBUTION_ID to the id of the distribution, in the account of these credentials"
                    .to_owned(),
            );
        }
        Some("XMinioStorageFull") => return Some("make room on the server's disks".to_owned()),
        Some("InvalidObjectState") => {
            return Some(
                "restore the object from its archive (aws s3api restore-object), then read it"
                    .to_owned(),
            );
        }
        _ => {}
    }
    match kind {
        ErrorKind::Credentials => Some(credentials(answer)),
        ErrorKind::LimitExceeded if context.operation == Operation::Put => {
            Some(match answer.of_s3 {
                true => "store smaller files: the server takes none of this size".to_owned(),
                false => "raise the limit of the proxy before the server: in nginx it is \
                      client_max_body_size"
                    .to_owned(),
            })
        }
        ErrorKind::AccessDenied => access(context, answer),
        ErrorKind::NoSuchBucket => Some(bucket(context, answer)),
        ErrorKind::Unavailable => Some(unavailable(context, answer)),
        ErrorKind::Configuration if (300..400).contains(&answer.status) => Some(
            "set AWS_ENDPOINT_URL_S3 to the server's own address, or unset it for AWS".to_owned(),
        ),
        ErrorKind::NotSupported if context.operation == Operation::Put => {
            Some("if the server refuses If-None-Match, set LABLINK_STORAGE_CREATE_ONLY=false (create_only in code)".to_owned())
        }
        _ => None,
    }
}

fn credentials(answer: &Answer) -> String {
    let skew = answer.clock_ahead.filter(|seconds| seconds.abs() > 60);
    let code = answer.code.as_deref().unwrap_or_default();
    match (code, skew) {
        (_, Some(ahead)) if code == "RequestTimeTooSkewed" || ahead.abs() > MAX_SKEW => {
            let direction = if ahead > 0 { "ahead" } else { "behind" };
            format!(
                "this machine's clock is {} s {direction}: set it with NTP",
                ahead.abs()
            )
        }
        ("RequestTimeTooSkewed", None) => "set this machine's clock with NTP".to_owned(),
        ("SignatureDoesNotMatch", _) => {
            let clock = match answer.clock_ahead {
                Some(_) => "the clock is right, so the secret is wrong: ",
                None => "",
            };
            format!("{clock}check AWS_SECRET_ACCESS_KEY against AWS_ACCESS_KEY_ID")
        }
        ("InvalidAccessKeyId" | "InvalidClientTokenId", _) => {
            "check AWS_ACCESS_KEY_ID: the key may have been deleted, or belong to another server"
                .to_owned()
        }
        ("ExpiredToken" | "RequestExpired" | "TokenRefreshRequired", _) => {
            "get new credentials, or attach a role, whose credentials renew themselves".to_owned()
        }
        ("InvalidToken", _) => {
            "check AWS_SESSION_TOKEN: it has to belong to the keys; unset it for permanent ones"
                .to_owned()
        }
        ("AuthorizationHeaderMalformed", _) => "check AWS_REGION and the keys".to_owned(),
        _ => "check the keys, or attach a role".to_owned(),
    }
}

fn access(context: &Context<'_>, answer: &Answer) -> Option<String> {
    let (bucket, region) = context.backend.bucket_and_region()?;
    let about_keys = answer
        .message
        .as_deref()
        .is_some_and(|message| message.contains("kms:"));
    if about_keys {
        return Some(
            "allow kms:GenerateDataKey and kms:Decrypt on the KMS key for these credentials"
                .to_owned(),
        );
    }
    let partition = Partition::of(region).name;
    if context.operation == Operation::Invalidate {
        return Some(
            "allow cloudfront:CreateInvalidation on the distribution of CLOUDFRONT_DISTRIBUTION_ID, \
             as in setup's IAM policy"
                .to_owned(),
        );
    }
    let object = || match context.key {
        Some(key) => format!("arn:{partition}:s3:::{bucket}/{key}"),
        None => format!("arn:{partition}:s3:::{bucket}/*"),
    };
    let allow = match context.operation {
        Operation::Put => format!("allow s3:PutObject on {}", object()),
        Operation::Delete => format!("allow s3:DeleteObject on {}", object()),
        Operation::GetVersion => format!("allow s3:GetObjectVersion on {}", object()),
        Operation::DeleteVersion => format!("allow s3:DeleteObjectVersion on {}", object()),
        Operation::Versions => format!(
            "allow s3:ListBucketVersions and s3:GetBucketVersioning on arn:{partition}:s3:::{bucket}"
        ),
        Operation::Get | Operation::Head => format!(
            "allow s3:GetObject on {}, and s3:ListBucket on arn:{partition}:s3:::{bucket}: \
             without it S3 answers so for objects that are not there, too",
            object()
        ),
        _ => format!("allow s3:ListBucket on arn:{partition}:s3:::{bucket}"),
    };
    Some(match context.backend.endpoint() {
        // AWS has codes of its own for wrong keys. Some servers say AccessDenied to those, too.
        Some(_) => format!("{allow}; if they are allowed that, check the keys themselves"),
        None => allow,
    })
}

fn bucket(context: &Context<'_>, answer: &Answer) -> String {
    let configured = context.backend.bucket_and_region();
    let bucket = context.backend.bucket().unwrap_or_default();
    match (&answer.region, configured) {
        (Some(region), Some((_, configured))) if region != configured => {
            format!("set AWS_REGION to {region}: the bucket is there, not in {configured}")
        }
        _ => format!("check AWS_S3_BUCKET and AWS_REGION, or create the bucket {bucket}"),
    }
}

fn unavailable(context: &Context<'_>, answer: &Answer) -> String {
    let retried = "it was tried again within the deadline; try later";
    let throttled = match answer.code.as_deref() {
        Some("SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequests") => {
            " and send less at once; LABLINK_STORAGE_DEADLINE lets a batch job wait longer"
        }
        _ => "",
    };
    format!("{retried}{throttled}{}", acceleration(context))
}

/// The hint for an operation that its deadline ended.
pub(super) fn of_timeout(context: &Context<'_>) -> Option<String> {
    let acceleration = acceleration(context);
    (!acceleration.is_empty()).then(|| {
        format!("try again; LABLINK_STORAGE_DEADLINE gives an operation more time{acceleration}")
    })
}

/// Proposes transfer acceleration where it is available: on AWS alone.
fn acceleration(context: &Context<'_>) -> &'static str {
    if context.operation == Operation::Put && context.backend.may_accelerate() {
        "; for uploads from far away turn on the bucket's acceleration and AWS_S3_USE_ACCELERATE"
    } else {
        ""
    }
}

/// The hint for a failure of the file system.
pub(super) fn of_files(
    backend: &Backend,
    kind: ErrorKind,
    io_kind: Option<io::ErrorKind>,
) -> Option<String> {
    #[cfg(feature = "local")]
    if let super::Medium::Local(files) = &backend.inner.kind {
        let root = files.root();
        return match (kind, io_kind) {
            (ErrorKind::AccessDenied, Some(io::ErrorKind::ReadOnlyFilesystem)) => {
                Some(format!("mount the file system of {root:?} writable"))
            }
            (ErrorKind::AccessDenied, _) => Some(format!(
                "let this process read and write {root:?}, and keep symbolic links out of it"
            )),
            (ErrorKind::InvalidKey, _) => Some(format!(
                "keep {root:?} on a file system that takes names of 255 bytes and all their characters"
            )),
            (ErrorKind::Configuration, _) => Some(format!(
                "set LABLINK_STORAGE_DIR to a directory, which {root:?} is not"
            )),
            (_, Some(io::ErrorKind::StorageFull)) if files.lacks_inodes() => Some(format!(
                "remove files that are not needed: the file system of {root:?} has room, but no inodes left"
            )),
            (_, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) => {
                Some(format!("make room on the disk that {root:?} is on"))
            }
            (ErrorKind::Internal, Some(_)) => {
                Some(format!("look at {root:?} and the disk that it is on"))
            }
            _ => None,
        };
    }
    let _ = (backend, kind, io_kind);
    None
}

#[cfg(all(test, feature = "s3"))]
mod tests {
    use super::*;
    use crate::config::Config;

    fn backend(accelerate: bool) -> Backend {
        let config = Config::builder()
            .s3("lab")
            .with_region("eu-central-1")
            .with_accelerate(accelerate)
            .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>);
        Backend::open(&config.build().expect("valid")).expect("opened")
    }

    /// Actions of IAM, by the Service Authorization Reference for Amazon S3.
    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let backend = backend(false);
        let refused = Answer {
            status: 403,
            code: Some("AccessDenied".to_owned()),
            ..Answer::default()
        };
        for (operation, action) in [
            (Operation::Put, "s3:PutObject "),
            (Operation::Get, "s3:GetObject "),
            (Operation::GetVersion, "s3:GetObjectVersion "),
            (Operation::Delete, "s3:DeleteObject "),
            (Operation::DeleteVersion, "s3:DeleteObjectVersion "),
            (Operation::List, "s3:ListBucket "),
            (Operation::Versions, "s3:ListBucketVersions "),
            (Operation::Versions, "s3:GetBucketVersioning "),
        ] {
            let context = Context {
                operation,
                key: None,
                backend: &backend,
            };
            let hint = of_answer(&context, ErrorKind::AccessDenied, &refused).expect("a hint");
            assert!(hint.contains(action), "{operation:?}: {hint}");
        }
    }

    fn hints(operation: Operation, accelerate: bool) -> [String; 2] {
        let backend = backend(accelerate);
        let context = Context {
            operation,
            key: None,
            backend: &backend,
        };
        let slow_down = Answer {
            status: 503,
            code: Some("SlowDown".to_owned()),
            ..Answer::default()
        };
        let throttled = of_answer(&context, ErrorKind::Unavailable, &slow_down);
        [
            throttled.expect("a hint"),
            of_timeout(&context).unwrap_or_default(),
        ]
    }

    #[test]
    fn acceleration_is_for_uploads_to_aws_that_do_without() {
        for hint in hints(Operation::Put, false) {
            assert!(hint.contains("AWS_S3_USE_ACCELERATE"), "{hint}");
        }
        for hint in [hints(Operation::Put, true), hints(Operation::Get, false)].concat() {
            assert!(!hint.contains("ACCELERATE"), "{hint}");
        }
    }
}
