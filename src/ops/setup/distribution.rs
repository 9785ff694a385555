//! The CloudFront distribution in front of a private bucket.
//!
//! Forms as in <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>;
//! the identifiers are those of AWS's managed policies
//! (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>).

use serde_json::{Value, json};

use super::Setup;

/// Managed-CachingOptimized.
const CACHE_POLICY: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
/// Managed-CORS-S3Origin: hands the origin on, so that the bucket's CORS rules answer.
const ORIGIN_REQUEST_POLICY: &str = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf";

/// By which the distribution is found again when the script runs another time.
pub(super) fn comment(setup: &Setup) -> String {
    format!("lablink-storage {}", setup.options.bucket)
}

/// The distribution signs its requests to the bucket; nobody else may read there.
pub(super) fn access_control(setup: &Setup) -> Value {
    json!({
        "Name": setup.options.bucket,
        "Description": "Reads images of lablink-storage",
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    })
}

pub(super) fn config(setup: &Setup) -> Value {
    let options = &setup.options;
    let origin = format!(
        "{}.s3.{}.{}",
        options.bucket, options.region, setup.partition.dns_suffix
    );
    let mut config = json!({
        // The same reference twice cannot make two distributions.
        "CallerReference": comment(setup),
        "Comment": comment(setup),
        "Enabled": true,
        "HttpVersion": "http2and3",
        "IsIPV6Enabled": true,
        "PriceClass": "PriceClass_100",
        "Origins": {"Quantity": 1, "Items": [{
            "Id": "bucket",
            "DomainName": origin,
            "OriginAccessControlId": "ACCESS_CONTROL_ID",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": {
                "Quantity": 3,
                "Items": ["GET", "HEAD", "OPTIONS"],
                "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
            },
            "Compress": false,
            "CachePolicyId": CACHE_POLICY,
            "OriginRequestPolicyId": ORIGIN_REQUEST_POLICY,
        },
    });
    if let (Some(domain), Some(certificate)) = (&options.cloudfront_domain, &options.certificate) {
        config["Aliases"] = json!({"Quantity": 1, "Items": [domain]});
        config["ViewerCertificate"] = json!({
            "ACMCertificateArn": certificate,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        });
    }
    config
}
