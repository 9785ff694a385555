//! The hosts of a bucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>,
//! <https://docs.aws.amazon.com/general/latest/gr/s3.html>

use super::base::{Base, Scheme};
use super::error::{AddressSetting, InvalidAddress};
use super::location::{Addressing, S3Location};
use super::partition::Partition;

/// A bucket's addresses: the one that is used and all that may have been.
pub(super) struct Bases {
    /// The base for browsers.
    pub(super) object: Base,
    /// The base for the store itself.
    pub(super) server: Base,
    pub(super) known: Vec<Base>,
    pub(super) path_style: bool,
}

pub(super) fn bases(location: &S3Location) -> Result<Bases, InvalidAddress> {
    check_bucket(&location.bucket)
        .map_err(|reason| InvalidAddress::new(AddressSetting::Bucket, reason))?;
    match &location.endpoint {
        Some(endpoint) => on_endpoint(location, endpoint),
        None => on_aws(location),
    }
}

/// AWS's rules, widened by what other servers and very old buckets allow (capitals, `_`), since a name
/// that the server does not have is refused by the server.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn check_bucket(bucket: &str) -> Result<(), &'static str> {
    if !(3..=63).contains(&bucket.len()) {
        return Err("a bucket's name has 3 to 63 characters");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !bucket.bytes().all(allowed) {
        return Err("a bucket's name has letters, digits, '.', '-' and '_' only");
    }
    let ends = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = bucket.as_bytes();
    if !ends(bytes.first()) || !ends(bytes.last()) || bucket.contains("..") {
        return Err("a bucket's name begins and ends with a letter or digit and has no '..'");
    }
    Ok(())
}

/// Returns whether a name can stand in a host as it is: host names have no case and no `_`.
fn fits_a_host(bucket: &str) -> bool {
    bucket
        .bytes()
        .all(|byte| !byte.is_ascii_uppercase() && byte != b'_')
}

fn check_region(region: &str, allowed: impl Fn(u8) -> bool) -> Result<(), InvalidAddress> {
    if (1..=64).contains(&region.len()) && region.bytes().all(allowed) {
        return Ok(());
    }
    Err(InvalidAddress::new(
        AddressSetting::Region,
        "a region is a name like eu-central-1",
    ))
}

fn on_endpoint(location: &S3Location, endpoint: &str) -> Result<Bases, InvalidAddress> {
    check_region(&location.region, |byte| {
        byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
    })?;
    for (set, setting) in [
        (location.accelerate, AddressSetting::Accelerate),
        (location.dual_stack, AddressSetting::DualStack),
    ] {
        if set {
            return Err(InvalidAddress::new(
                setting,
                "it is for AWS's own hosts, not for a custom endpoint",
            ));
        }
    }
    let inside = on_server(location, endpoint, AddressSetting::EndpointUrl)?;
    let Some(public) = &location.public_endpoint else {
        return Ok(inside);
    };
    let outside = on_server(location, public, AddressSetting::PublicEndpoint)?;
    Ok(Bases {
        server: inside.server,
        known: [outside.known, inside.known].concat(),
        ..outside
    })
}

/// The addresses of a bucket on one name of a server.
fn on_server(
    location: &S3Location,
    endpoint: &str,
    setting: AddressSetting,
) -> Result<Bases, InvalidAddress> {
    let bucket = &location.bucket;
    let server =
        Base::parse_http(endpoint).map_err(|reason| InvalidAddress::new(setting, reason))?;
    // A path style that was asked for says that the host may begin like the bucket.
    let hosted_already = location.addressing != Addressing::Path;
    if let Some(without) = server.without_bucket(bucket, hosted_already) {
        return Err(InvalidAddress {
            instead: Some(format!("set it to {without}: the bucket is added to it")),
            ..InvalidAddress::new(setting, "the bucket is in it already")
        });
    }
    let path = server.with_path_segment(bucket);
    let hosted = (fits_a_host(bucket) && server.has_host_name()).then(|| server.with_label(bucket));
    let mut known = vec![path.clone()];
    known.extend(hosted.clone());
    let (object, path_style) = match (location.addressing, hosted) {
        (Addressing::Virtual, Some(hosted)) => (hosted, false),
        (Addressing::Virtual, None) => return Err(no_virtual_host()),
        _ => (path, true),
    };
    Ok(Bases {
        server: object.clone(),
        object,
        known,
        path_style,
    })
}

fn no_virtual_host() -> InvalidAddress {
    InvalidAddress::new(
        AddressSetting::Addressing,
        "this bucket's name cannot stand in this host: use path style",
    )
}

fn on_aws(location: &S3Location) -> Result<Bases, InvalidAddress> {
    let S3Location { bucket, region, .. } = location;
    if location.public_endpoint.is_some() {
        return Err(InvalidAddress::new(
            AddressSetting::PublicEndpoint,
            "it needs a custom endpoint (AWS_ENDPOINT_URL_S3), and none is set",
        ));
    }
    check_region(region, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
    })?;
    let suffix = Partition::of(region).dns_suffix;
    let dotted = bucket.contains('.');
    let path_style = match location.addressing {
        Addressing::Path => true,
        Addressing::Virtual if !fits_a_host(bucket) => return Err(no_virtual_host()),
        Addressing::Virtual => false,
        _ => dotted || !fits_a_host(bucket),
    };

    let regional = format!("s3.{region}.{suffix}");
    let dual_stack = format!("s3.dualstack.{region}.{suffix}");
    let mut known = known_bases(bucket, region, [&regional, &dual_stack]);
    // Acceleration takes names without a dot, of the commercial regions.
    let accelerated = |host: &str| Base::aws(&format!("{bucket}.{host}"), "");
    let fast = "s3-accelerate.amazonaws.com";
    let fast_dual_stack = "s3-accelerate.dualstack.amazonaws.com";
    let can_accelerate = is_commercial(region) && !dotted && fits_a_host(bucket);
    if can_accelerate {
        known.extend([accelerated(fast), accelerated(fast_dual_stack)]);
    }

    let object = if location.accelerate {
        if !can_accelerate || path_style {
            return Err(InvalidAddress::new(
                AddressSetting::Accelerate,
                "transfer acceleration needs virtual-hosted addressing, a bucket name without dots, and a region that has it",
            ));
        }
        let host = if location.dual_stack {
            fast_dual_stack
        } else {
            fast
        };
        accelerated(host)
    } else {
        let host = if location.dual_stack {
            dual_stack
        } else {
            regional
        };
        match path_style {
            true => Base::aws(&host, bucket),
            false => Base::aws(&format!("{bucket}.{host}"), ""),
        }
    };
    let object = object.with_scheme(Scheme::Https);
    Ok(Bases {
        server: object.clone(),
        object,
        known,
        path_style,
    })
}

/// Returns every base under which a bucket on AWS may be or have been addressed, acceleration aside.
fn known_bases(bucket: &str, region: &str, hosts: [&str; 2]) -> Vec<Base> {
    let mut hosts = hosts.map(str::to_owned).to_vec();
    if is_commercial(region) {
        hosts.push("s3.amazonaws.com".to_owned());
    }
    // Regions once stood behind a dash, and older URLs have them so.
    let suffix = Partition::of(region).dns_suffix;
    if suffix == "amazonaws.com" {
        hosts.push(format!("s3-{region}.{suffix}"));
    }
    if region == "us-east-1" {
        hosts.push("s3-external-1.amazonaws.com".to_owned());
    }
    let mut known = Vec::new();
    for host in &hosts {
        if fits_a_host(bucket) {
            known.push(Base::aws(&format!("{bucket}.{host}"), ""));
        }
        known.push(Base::aws(host, bucket));
    }
    known
}

/// Returns whether the region belongs to the partition that the global host `s3.amazonaws.com` serves: a bucket
/// of the same name may be somebody else's there.
fn is_commercial(region: &str) -> bool {
    Partition::of(region).name == "aws"
}
