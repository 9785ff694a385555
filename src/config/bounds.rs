//! Settings with a range, and the options of the optimizer.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::builder::{ConfigBuilder, Given};
use super::error::ConfigError;
use crate::optimize::OptimizeOptions;
use crate::variant::Variant;

/// Default limit of a direct upload.
const DEFAULT_MAX_UPLOAD: u64 = 10 << 20;

/// Most bytes that S3 takes in one PUT or POST.
const MAX_PUT: u64 = 5 << 30;

const HOUR: Duration = Duration::from_secs(3600);

/// The value that was given, else the default, if it is in the range.
fn in_range<T: Copy + PartialOrd>(
    given: Option<Given<T>>,
    default: T,
    range: RangeInclusive<T>,
    (bounds, remedy): (&str, &str),
) -> Result<T, ConfigError> {
    let Some(Given { value, name }) = given else {
        return Ok(default);
    };
    if range.contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::new(
        name,
        format!("is outside {bounds}"),
        remedy,
    ))
}

pub(super) fn concurrency(builder: &ConfigBuilder) -> Result<(usize, Duration), ConfigError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let max_decodes = in_range(
        builder.max_decodes,
        cores.min(4) as u64,
        1..=1024,
        (
            "1 to 1024",
            "use the number of cores or fewer: each decode may hold hundreds of megabytes",
        ),
    )?;
    let decode_wait = in_range(
        builder.decode_wait,
        Duration::from_secs(10),
        Duration::ZERO..=HOUR,
        (
            "0 s to 1 h",
            "use the few seconds that a caller is willing to wait",
        ),
    )?;
    Ok((max_decodes as usize, decode_wait))
}

pub(super) fn deadline(builder: &ConfigBuilder) -> Result<Duration, ConfigError> {
    in_range(
        builder.deadline,
        builder.retry.deadline(),
        Duration::from_millis(100)..=HOUR,
        (
            "100 ms to 1 h",
            "use the seconds that a caller is willing to wait, such as 30",
        ),
    )
}

pub(super) fn max_upload_bytes(builder: &ConfigBuilder) -> Result<u64, ConfigError> {
    in_range(
        builder.max_upload_bytes,
        DEFAULT_MAX_UPLOAD,
        1..=MAX_PUT,
        (
            "1 to 5 GiB",
            "use the bytes of the largest photograph, such as 10485760",
        ),
    )
}

pub(super) fn images(
    builder: &mut ConfigBuilder,
) -> Result<(OptimizeOptions, Vec<Variant>), ConfigError> {
    let (mut optimize, at) = match builder.optimize.take() {
        Some(given) => (given.value, given.name),
        None => (OptimizeOptions::default(), "optimize"),
    };
    if let Some(limits) = builder.limits.take() {
        optimize.limits = limits;
    }
    let invalid = |name, problem: String| {
        ConfigError::new(
            name,
            format!("is not valid: {problem}"),
            "correct the option",
        )
    };
    optimize
        .validate()
        .map_err(|error| invalid(at, error.to_string()))?;
    let Some(Given {
        value: variants,
        name,
    }) = builder.variants.take()
    else {
        return Ok((optimize, Vec::new()));
    };
    for (index, variant) in variants.iter().enumerate() {
        if variants[..index]
            .iter()
            .any(|other| other.name() == variant.name())
        {
            return Err(ConfigError::new(
                name,
                format!("has two named {:?}", variant.name()),
                "give every variant a name of its own",
            ));
        }
        variant
            .validate()
            .map_err(|error| invalid(name, format!("{}: {error}", variant.name())))?;
    }
    Ok((optimize, variants))
}
