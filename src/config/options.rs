//! Options of the optimizer from JSON, under the names that Rust and Python share.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};

use super::builder::Given;
use super::error::ConfigError;
use crate::optimize::{Limits, OptimizeOptions};
use crate::variant::Variant;

/// The options, and their limits where the object names some.
pub(super) fn optimize(
    given: Given<&str>,
) -> Result<(OptimizeOptions, Option<Limits>), ConfigError> {
    #[derive(Deserialize)]
    struct WithLimits {
        limits: Option<serde::de::IgnoredAny>,
    }
    let options: OptimizeOptions = parse(given, "{\"max_width\": 1600}")?;
    let named =
        serde_json::from_str(given.value).is_ok_and(|given: WithLimits| given.limits.is_some());
    let limits = named.then(|| options.limits.clone());
    Ok((options, limits))
}

pub(super) fn limits(given: Given<&str>) -> Result<Limits, ConfigError> {
    parse(given, "{\"max_bytes\": 10000000}")
}

pub(super) fn variants(given: Given<&str>) -> Result<Vec<Variant>, ConfigError> {
    let Variants(variants) = parse(given, "{\"thumb\": {\"max_width\": 320}}")?;
    Ok(variants)
}

fn parse<T: DeserializeOwned>(given: Given<&str>, example: &str) -> Result<T, ConfigError> {
    serde_json::from_str(given.value).map_err(|error| {
        ConfigError::new(
            given.name,
            format!("is not valid: {error}"),
            format!("give an object of options, such as {example}"),
        )
    })
}

/// Reads a variant: the options of the optimizer and `lazy`, which is none of them. Its format is its own
/// only where it is named.
fn variant<E: serde::de::Error>(
    name: String,
    mut given: serde_json::Map<String, serde_json::Value>,
) -> Result<Variant, E> {
    let lazy = match given.remove("lazy") {
        None => false,
        Some(serde_json::Value::Bool(lazy)) => lazy,
        Some(_) => return Err(E::custom("lazy: expected true or false")),
    };
    let has_format = given.contains_key("format");
    let options: OptimizeOptions = serde_json::from_value(given.into()).map_err(E::custom)?;
    let format = options.format;
    let variant = Variant::new(name, options).map_err(E::custom)?;
    let variant = variant.with_lazy(lazy);
    Ok(if has_format {
        variant.with_format(format)
    } else {
        variant
    })
}

/// Variants in the order in which they are written.
struct Variants(Vec<Variant>);

impl<'de> Deserialize<'de> for Variants {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl<'de> Visitor<'de> for Named {
            type Value = Variants;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the options of each variant under its name")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Variants, M::Error> {
                let mut variants = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let variant = map
                        .next_value()
                        .and_then(|given| variant(name.clone(), given))
                        .map_err(|error: M::Error| {
                            M::Error::custom(format_args!("{name}: {error}"))
                        })?;
                    variants.push(variant);
                }
                Ok(Variants(variants))
            }
        }

        deserializer.deserialize_map(Named)
    }
}
