//! Keywords and mappings from Python as the crate's options, names unchanged.

use std::time::Duration;

use lablink_storage::{Animation, Fit, Gravity, Limits, OptimizeOptions, OutputFormat};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};

use crate::error::{invalid_argument, invalid_key};

/// A whole number within its type's range.
pub(crate) fn number<T: TryFrom<i128>>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let wide: i128 = value
        .extract()
        .map_err(|error| wrong_type(name, "a whole number", value, &error))?;
    T::try_from(wide).map_err(|_| invalid_argument(name, &format!("{wide} is out of range")))
}

/// A duration: seconds as a number, or a `timedelta`.
pub(crate) fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds = match value.getattr_opt(pyo3::intern!(value.py(), "total_seconds"))? {
        Some(total_seconds) => total_seconds.call0()?,
        None => value.clone(),
    };
    let seconds: f64 = seconds
        .extract()
        .map_err(|error| wrong_type(name, "seconds or a timedelta", value, &error))?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| invalid_argument(name, "not a duration of zero or more seconds"))
}

/// A value of the type that is asked for, or `TypeError` with the keyword's name.
pub(crate) fn plain<'a, 'py, T>(name: &str, what: &str, value: &'a Bound<'py, PyAny>) -> PyResult<T>
where
    T: FromPyObject<'a, 'py>,
{
    value
        .extract::<T>()
        .map_err(|error| wrong_type(name, what, value, &error.into()))
}

pub(crate) fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    plain(name, "a str", value)
}

/// [`text`] where some is given.
pub(crate) fn optional_text(
    name: &str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<String>> {
    value.map(|value| text(name, value)).transpose()
}

/// A key, or a URL in the place of one.
pub(crate) fn key(value: &Bound<'_, PyAny>) -> PyResult<String> {
    text("key", value).map_err(|error| match value.is_instance_of::<PyString>() {
        true => invalid_key("it is not UTF-8"),
        false => error,
    })
}

/// A word for the inspector: anything that JSON has.
pub(crate) fn context(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<serde_json::Value>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let dumps = value.py().import("json")?.getattr("dumps")?;
    let written = text("context", &dumps.call1((value,))?)?;
    let read = serde_json::from_str(&written);
    read.map(Some)
        .map_err(|_| invalid_argument("context", "it is nothing that JSON has"))
}

pub(crate) fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    plain(name, "a bool", value)
}

/// `TypeError`, or `InvalidArgumentError` for the right type with a value that Rust's does not have.
fn wrong_type(name: &str, what: &str, value: &Bound<'_, PyAny>, cause: &PyErr) -> PyErr {
    if cause.is_instance_of::<PyOverflowError>(value.py()) {
        return invalid_argument(name, "it is out of range");
    }
    if cause.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
        return invalid_argument(name, "it is not UTF-8");
    }
    // Not the value itself: it may be a secret in the wrong place.
    let given = value
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    let error = PyTypeError::new_err(format!("{name}: expected {what}, not {given}"));
    error.set_cause(value.py(), Some(cause.clone_ref(value.py())));
    error
}

/// Calls `take` with every entry of a mapping, or of the keywords of a call.
pub(crate) fn each_entry(
    name: &str,
    mapping: &Bound<'_, PyAny>,
    mut take: impl FnMut(&str, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    let mapping = mapping
        .cast::<PyMapping>()
        .map_err(|_| PyTypeError::new_err(format!("{name}: expected a mapping")))?;
    for entry in mapping.items()?.iter() {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry.extract()?;
        take(&text(name, &key)?, &value)?;
    }
    Ok(())
}

fn unknown(name: &str, option: &str) -> PyErr {
    invalid_argument(name, &format!("there is no option {option:?}"))
}

/// `OptimizeOptions` with the entries of a mapping set; what is `None` stays as it is.
pub(crate) fn optimize_options(
    name: &str,
    mapping: &Bound<'_, PyAny>,
    mut options: OptimizeOptions,
) -> PyResult<OptimizeOptions> {
    each_entry(name, mapping, |key, value| {
        if !value.is_none() {
            options = set(std::mem::take(&mut options), name, key, value)?;
        }
        Ok(())
    })?;
    Ok(options)
}

/// As [`optimize_options`], from the keywords of a call.
pub(crate) fn optimize_keywords(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<OptimizeOptions> {
    match keywords {
        Some(keywords) => optimize_options("optimize", keywords, OptimizeOptions::default()),
        None => Ok(OptimizeOptions::default()),
    }
}

fn set(
    options: OptimizeOptions,
    name: &str,
    key: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<OptimizeOptions> {
    Ok(match key {
        "max_width" => {
            let height = options.max_height;
            options.with_max_size(number(key, value)?, height)
        }
        "max_height" => {
            let width = options.max_width;
            options.with_max_size(width, number(key, value)?)
        }
        "fit" => options.with_fit(choice(key, value, FITS)?),
        "gravity" => options.with_gravity(gravity(key, value)?),
        "quality" => options.with_quality(number(key, value)?),
        "format" => options.with_format(choice(key, value, FORMATS)?),
        "background" => options.with_background(colour(key, value)?),
        "progressive" => options.with_progressive(flag(key, value)?),
        "lossless" => options.with_lossless(flag(key, value)?),
        "palette" => options.with_palette(flag(key, value)?),
        "speed" => options.with_speed(number(key, value)?),
        "animation" => options.with_animation(choice(key, value, ANIMATIONS)?),
        "keep_copyright" => options.with_keep_copyright(flag(key, value)?),
        "accept_truncated" => options.with_accept_truncated(flag(key, value)?),
        "max_damage" => options.with_max_damage(plain(key, "a number", value)?),
        "limits" => {
            let before = options.limits.clone();
            options.with_limits(limits(key, value, before)?)
        }
        _ => return Err(unknown(name, key)),
    })
}

/// `Limits` with the entries of a mapping set.
fn limits(name: &str, mapping: &Bound<'_, PyAny>, before: Limits) -> PyResult<Limits> {
    let mut limits = before;
    each_entry(name, mapping, |key, value| {
        if value.is_none() {
            return Ok(());
        }
        let given = std::mem::take(&mut limits);
        limits = match key {
            "max_bytes" => given.with_max_bytes(number(key, value)?),
            "max_pixels" => given.with_max_pixels(number(key, value)?),
            "max_side" => given.with_max_side(number(key, value)?),
            "max_scans" => given.with_max_scans(number(key, value)?),
            "max_frames" => given.with_max_frames(number(key, value)?),
            "max_decode_bytes" => given.with_max_decode_bytes(number(key, value)?),
            "max_duration" => given.with_max_duration(duration(key, value)?),
            _ => return Err(unknown(name, key)),
        };
        Ok(())
    })?;
    Ok(limits)
}

const FITS: &[(&str, Fit)] = &[
    ("inside", Fit::Inside),
    ("contain", Fit::Contain),
    ("cover", Fit::Cover),
];

const FORMATS: &[(&str, OutputFormat)] = &[
    ("jpeg", OutputFormat::Jpeg),
    ("webp", OutputFormat::WebP),
    ("png", OutputFormat::Png),
    ("avif", OutputFormat::Avif),
    ("auto", OutputFormat::Auto),
];

const ANIMATIONS: &[(&str, Animation)] = &[
    ("first_frame", Animation::FirstFrame),
    ("reject", Animation::Reject),
    ("keep", Animation::Keep),
];

/// One of the words of a table.
fn choice<T: Copy>(name: &str, value: &Bound<'_, PyAny>, choices: &[(&str, T)]) -> PyResult<T> {
    let word = text(name, value)?;
    choices
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let known: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
            let word: String = word.chars().take(40).collect();
            invalid_argument(
                name,
                &format!("{word:?} is not one of {}", known.join(", ")),
            )
        })
}

/// A name, or a point as two numbers of 0 to 1.
fn gravity(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Gravity> {
    if value.is_instance_of::<PyString>() {
        let parsed = text(name, value)?.parse::<Gravity>();
        return parsed.map_err(|error| invalid_argument(name, &error.to_string()));
    }
    let [x, y] = plain(name, "a str or two numbers", value)?;
    Ok(Gravity::Point(x, y))
}

/// `"#rrggbb"`, or three numbers of 0 to 255.
fn colour(name: &str, value: &Bound<'_, PyAny>) -> PyResult<[u8; 3]> {
    if !value.is_instance_of::<PyString>() {
        return value
            .extract::<(u8, u8, u8)>()
            .map(|(red, green, blue)| [red, green, blue])
            .map_err(|_| {
                invalid_argument(name, "expected '#rrggbb' or three numbers of 0 to 255")
            });
    }
    let word = text(name, value)?;
    word.strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.bytes().all(|d| d.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .map(|rgb| [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])
        .ok_or_else(|| invalid_argument(name, "expected '#rrggbb', six hexadecimal digits"))
}
