//! Policies, rules and settings, as the AWS CLI takes them.
//!
//! Forms and action names as in the S3 API and service authorization references
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::options::service;
use super::{DISTRIBUTION, Setup, distribution};
use crate::key::TOMBSTONE_DAYS;

/// Version of the policy language, not of a policy.
const POLICY_LANGUAGE: &str = "2012-10-17";

/// Days for which old versions are kept where versions are kept at all.
const OLD_VERSION_DAYS: u32 = 30;

pub(super) fn all(setup: &Setup) -> BTreeMap<&'static str, Value> {
    let options = &setup.options;
    let mut documents = BTreeMap::from([
        (
            "create_bucket",
            create_bucket(
                &options.bucket,
                &options.region,
                options.endpoint_url.as_deref(),
            ),
        ),
        ("tags", tags(setup)),
        (
            "ownership_controls",
            json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
        ),
        ("public_access_block", public_access_block(setup)),
        ("bucket_policy", bucket_policy(setup)),
        ("cors", cors(&options.origins)),
        ("encryption", encryption(setup)),
        ("lifecycle", lifecycle(setup)),
        ("iam_policy", iam_policy(setup)),
        ("trust_policy", trust_policy(setup)),
    ]);
    if options.accelerate {
        documents.insert("accelerate", json!({"Status": "Enabled"}));
    }
    if options.versioning || options.replica.is_some() {
        documents.insert("versioning", json!({"Status": "Enabled"}));
    }
    if setup.behind_cloudfront() {
        documents.insert("origin_access_control", distribution::access_control(setup));
        documents.insert("distribution", distribution::config(setup));
    }
    if let Some((bucket, region)) = &options.replica {
        documents.insert("create_replica", create_bucket(bucket, region, None));
        documents.insert("replication", replication(setup, bucket));
        documents.insert("replication_policy", replication_policy(setup, bucket));
        documents.insert("replication_trust_policy", trust("s3.amazonaws.com"));
    }
    if let Some(arn) = &options.notify {
        documents.insert("notification", notification(setup, arn));
        if options.endpoint_url.is_none() && service(arn) != "lambda" {
            documents.insert("notification_policy", notification_policy(setup, arn));
        }
    }
    documents
}

/// us-east-1 is the one region that must not be named
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>); other servers name
/// theirs differently or not at all, so there it is left out.
fn create_bucket(bucket: &str, region: &str, endpoint: Option<&str>) -> Value {
    if region == "us-east-1" || endpoint.is_some() {
        json!({"Bucket": bucket})
    } else {
        json!({
            "Bucket": bucket,
            "CreateBucketConfiguration": {"LocationConstraint": region},
        })
    }
}

fn tags(setup: &Setup) -> Value {
    let tags: Vec<Value> = setup
        .options
        .tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    json!({ "TagSet": tags })
}

/// ACLs stay shut for good; a bucket policy may open the bucket only where it is to be public.
fn public_access_block(setup: &Setup) -> Value {
    let private = setup.behind_cloudfront();
    json!({
        "BlockPublicAcls": true,
        "IgnorePublicAcls": true,
        "BlockPublicPolicy": private,
        "RestrictPublicBuckets": private,
    })
}

fn bucket_policy(setup: &Setup) -> Value {
    let images = format!("{}/{}/*", setup.bucket_arn(), setup.options.prefix);
    let statement = if setup.behind_cloudfront() {
        let distribution = setup.distribution_arn(DISTRIBUTION);
        json!({
            "Sid": "CloudFrontReadsImages",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": images,
            "Condition": {"StringEquals": {"AWS:SourceArn": distribution}},
        })
    } else {
        json!({
            "Sid": "AnyoneReadsImages",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": images,
        })
    };
    policy(vec![statement])
}

fn cors(origins: &[String]) -> Value {
    if origins.is_empty() {
        return json!({"CORSRules": []});
    }
    json!({"CORSRules": [{
        "AllowedOrigins": origins,
        "AllowedMethods": ["GET", "HEAD", "PUT", "POST"],
        "AllowedHeaders": ["content-type", "cache-control", "if-none-match", "x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }]})
}

fn encryption(setup: &Setup) -> Value {
    let default = match &setup.options.kms_key {
        Some(key) => json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}),
        None => json!({"SSEAlgorithm": "AES256"}),
    };
    // A bucket key spares a call to KMS for nearly every object.
    json!({"Rules": [{
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": setup.options.kms_key.is_some(),
    }]})
}

fn lifecycle(setup: &Setup) -> Value {
    let options = &setup.options;
    let pending = format!("{}/", setup.pending_prefix());
    let mut rules = vec![
        json!({
            "ID": "pending-uploads-expire",
            "Status": "Enabled",
            "Filter": {"Prefix": pending},
            "Expiration": {"Days": options.pending_days.max(TOMBSTONE_DAYS)},
        }),
        json!({
            "ID": "unfinished-multipart-uploads-end",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }),
    ];
    // Markers of deleted images are empty. Other servers know no filter by size.
    if options.pending_days < TOMBSTONE_DAYS && options.endpoint_url.is_none() {
        rules.push(json!({
            "ID": "unpromoted-uploads-expire",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": pending, "ObjectSizeGreaterThan": 0}},
            "Expiration": {"Days": options.pending_days},
        }));
    }
    if options.versioning || options.replica.is_some() {
        rules.push(json!({
            "ID": "old-versions-expire",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSION_DAYS},
            "Expiration": {"ExpiredObjectDeleteMarker": true},
        }));
    }
    for (id, prefix, archive) in [
        (
            "images-move-to-cheaper-storage",
            options.prefix.clone(),
            options.archive,
        ),
        (
            "originals-move-to-cheaper-storage",
            setup.originals_prefix(),
            options.archive_originals,
        ),
    ] {
        let Some(archive) = archive else { continue };
        rules.push(json!({
            "ID": id,
            "Status": "Enabled",
            "Filter": {"Prefix": format!("{prefix}/")},
            "Transitions": [{"Days": archive.days(), "StorageClass": archive.storage_class()}],
        }));
    }
    json!({ "Rules": rules })
}

/// The rights of the application, and no more.
///
/// Listing has no condition on the prefix: S3 answers 404 for an object that is not there only to those
/// who may list, and that check carries no prefix.
fn iam_policy(setup: &Setup) -> Value {
    let bucket = setup.bucket_arn();
    let mut statements = vec![
        json!({
            "Sid": "ReadWriteAndDeleteImages",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": [
                format!("{bucket}/{}/*", setup.options.prefix),
                format!("{bucket}/{}/*", setup.pending_prefix()),
                format!("{bucket}/{}/*", setup.originals_prefix()),
            ],
        }),
        json!({
            "Sid": "ListAndTellMissingFromForbidden",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
        }),
    ];
    if setup.options.versioning || setup.options.replica.is_some() {
        statements.push(json!({
            "Sid": "ListRestoreAndEraseVersions",
            "Effect": "Allow",
            "Action": ["s3:GetObjectVersion", "s3:DeleteObjectVersion"],
            "Resource": [
                format!("{bucket}/{}/*", setup.options.prefix),
                format!("{bucket}/{}/*", setup.pending_prefix()),
                format!("{bucket}/originals/{}/*", setup.options.prefix),
            ],
        }));
        statements.push(json!({
            "Sid": "TellVersions",
            "Effect": "Allow",
            "Action": ["s3:GetBucketVersioning", "s3:ListBucketVersions"],
            "Resource": bucket,
        }));
    }
    if let Some(id) = &setup.options.distribution_id {
        statements.push(json!({
            "Sid": "PurgeFromCloudFront",
            "Effect": "Allow",
            "Action": "cloudfront:CreateInvalidation",
            "Resource": setup.distribution_arn(id),
        }));
    }
    if let Some(key) = &setup.options.kms_key {
        let key = if key.starts_with("arn:") {
            key.clone()
        } else {
            format!(
                "arn:{}:kms:{}:{}:key/{key}",
                setup.partition.name,
                setup.options.region,
                setup.account()
            )
        };
        statements.push(json!({
            "Sid": "UseTheKey",
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": key,
        }));
    }
    policy(statements)
}

fn trust_policy(setup: &Setup) -> Value {
    trust(&format!("ec2.{}", setup.partition.dns_suffix))
}

fn trust(service: &str) -> Value {
    policy(vec![json!({
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    })])
}

fn replication(setup: &Setup, replica: &str) -> Value {
    let rule = |id: &str, priority: u32, prefix: &str| {
        json!({
            "ID": id,
            "Priority": priority,
            "Status": "Enabled",
            "Filter": {"Prefix": format!("{prefix}/")},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": setup.arn_of(replica)},
        })
    };
    json!({
        "Role": format!(
            "arn:{}:iam::{}:role/{}-replication",
            setup.partition.name,
            setup.account(),
            setup.options.role
        ),
        "Rules": [
            rule("images", 1, &setup.options.prefix),
            rule("originals", 2, &setup.originals_prefix()),
        ],
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html>
fn replication_policy(setup: &Setup, replica: &str) -> Value {
    let source = setup.bucket_arn();
    let of_both = |bucket: &str| {
        let prefixes = [setup.options.prefix.clone(), setup.originals_prefix()];
        prefixes.map(|prefix| format!("{bucket}/{prefix}/*"))
    };
    policy(vec![
        json!({
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": source,
        }),
        json!({
            "Effect": "Allow",
            "Action": [
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
            ],
            "Resource": of_both(&source),
        }),
        json!({
            "Effect": "Allow",
            "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
            "Resource": of_both(&setup.arn_of(replica)),
        }),
    ])
}

fn notification(setup: &Setup, arn: &str) -> Value {
    let (list, target) = match service(arn) {
        "sqs" => ("QueueConfigurations", "QueueArn"),
        "lambda" => ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
        _ => ("TopicConfigurations", "TopicArn"),
    };
    let prefix = format!("{}/", setup.pending_prefix());
    json!({list: [{
        "Id": "lablink-storage-pending",
        target: arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
    }]})
}

/// Lets S3, for this bucket of this account only, send to the queue or topic.
fn notification_policy(setup: &Setup, arn: &str) -> Value {
    let action = if service(arn) == "sqs" {
        "sqs:SendMessage"
    } else {
        "sns:Publish"
    };
    policy(vec![json!({
        "Sid": "BucketTellsOfPendingUploads",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": action,
        "Resource": arn,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": setup.bucket_arn()},
            "StringEquals": {"aws:SourceAccount": setup.account()},
        },
    })])
}

fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": POLICY_LANGUAGE, "Statement": statements})
}
