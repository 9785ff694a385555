//! The place of a store's objects, and the errors of its settings.

use super::BackendConfig;
use super::builder::{ConfigBuilder, Given};
use super::error::ConfigError;
use crate::url::{AddressSetting, InvalidAddress, Location};

pub(super) fn location(builder: &ConfigBuilder, backend: &BackendConfig) -> Location {
    match backend {
        BackendConfig::S3(s3) => Location::S3(s3.location.clone()),
        BackendConfig::Local(local) => Location::Local {
            base_url: local.base_url.clone(),
        },
        BackendConfig::Memory { base_url, .. } => served(base_url.as_ref(), Location::Memory),
        BackendConfig::Custom => {
            let base_url = builder.base_url.as_ref().map(|given| &given.value);
            served(base_url, Location::Custom)
        }
    }
}

/// Under a base URL the application serves the images as it does local files.
fn served(base_url: Option<&String>, otherwise: Location) -> Location {
    base_url.map_or(otherwise, |base_url| Location::Local {
        base_url: base_url.clone(),
    })
}

/// Names the setting as it was given, and adds what to do about it.
pub(super) fn address_error(builder: &ConfigBuilder, error: InvalidAddress) -> ConfigError {
    fn name<T>(given: &Option<Given<T>>) -> Option<&'static str> {
        given.as_ref().map(|given| given.name)
    }
    let (name, remedy) = match error.setting {
        AddressSetting::Bucket => (name(&builder.kind), "use the bucket's name alone"),
        AddressSetting::Region => (
            name(&builder.region),
            "use the bucket's region, such as eu-central-1",
        ),
        AddressSetting::EndpointUrl => (
            name(&builder.endpoint_url),
            "use the server's URL, such as https://minio.example.org:9000",
        ),
        AddressSetting::PublicEndpoint => (
            name(&builder.public_endpoint),
            "use the server's URL as browsers reach it, beside AWS_ENDPOINT_URL_S3",
        ),
        AddressSetting::Addressing => (name(&builder.addressing), "use path, or leave it unset"),
        AddressSetting::Accelerate => (
            name(&builder.accelerate),
            "turn it off, or use a bucket on AWS whose name has no dot and no path style",
        ),
        AddressSetting::DualStack => (
            name(&builder.dual_stack),
            "turn it off, or use AWS's own hosts",
        ),
        AddressSetting::BaseUrl => (
            name(&builder.base_url),
            "use a path such as /uploads or a URL such as https://example.org/uploads",
        ),
        AddressSetting::CloudFrontDomain => (
            name(&builder.cloudfront_domain),
            "use the distribution's domain, such as d111111abcdef8.cloudfront.net",
        ),
        AddressSetting::FormerUrls => (
            name(&builder.former_urls),
            "use URLs such as https://d111111abcdef8.cloudfront.net, or paths such as /uploads",
        ),
        AddressSetting::Prefix => (
            name(&builder.prefix),
            "use a short path such as components, without a leading '/' and outside pending/ and originals/",
        ),
    };
    ConfigError::new(
        name.unwrap_or(error.setting.as_str()),
        format!("is not valid: {}", error.reason),
        error.instead.unwrap_or_else(|| remedy.to_owned()),
    )
}
