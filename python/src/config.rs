//! The keywords of `ImageStore`'s constructors as a `Config`, by the crate's table of settings.

use std::path::PathBuf;

use lablink_storage::{
    Config, ConfigBuilder, ConfigError, Reach, Setting, SettingKind, SettingValue,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::error::{configuration, invalid_argument, storage};
use crate::options::{duration, each_entry, flag, number, plain, text};

/// Objects inside one another that options have: variants, a variant's options, their limits.
const MAX_DEPTH: usize = 4;

/// Returns whether a keyword's value stays in the process that it was given to.
pub(crate) fn is_secret(keyword: &str) -> bool {
    let found = Setting::all()
        .iter()
        .find(|setting| setting.keyword == keyword);
    found.is_some_and(|setting| setting.reach == Reach::Secret)
}

/// Applies the keywords of a constructor, in the table's order, and validates the whole.
pub(crate) fn configure(
    constructor: &str,
    mut builder: ConfigBuilder,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Config> {
    let mut given = Vec::new();
    if let Some(keywords) = keywords {
        each_entry("keywords", keywords, |name, value| {
            let place = Setting::all().iter().position(|setting| {
                setting.keyword == name && setting.constructors.contains(&constructor)
            });
            let place = place.ok_or_else(|| {
                PyTypeError::new_err(format!(
                    "ImageStore.{constructor}() got an unexpected keyword argument '{name}'"
                ))
            })?;
            // A callable is the store's, and no setting.
            let is_callable = name == "inspector" && !value.is_instance_of::<PyString>();
            if is_callable && !value.is_none() && !value.is_callable() {
                return Err(PyTypeError::new_err(
                    "inspector: expected a callable, or a str that names one",
                ));
            }
            if !value.is_none() && !is_callable {
                given.push((place, value.clone().unbind()));
            }
            Ok(())
        })?;
    }
    given.sort_by_key(|(place, _)| *place);
    let refused = |error: ConfigError| storage(error.into());
    for (place, value) in given {
        let setting = &Setting::all()[place];
        let value = Python::attach(|py| read(setting, value.bind(py)))?;
        builder = builder.with_setting(setting, value).map_err(refused)?;
    }
    builder.build().map_err(refused)
}

fn read(setting: &Setting, value: &Bound<'_, PyAny>) -> PyResult<SettingValue> {
    let name = setting.keyword;
    Ok(match setting.kind() {
        SettingKind::Secret => SettingValue::Secret(text(name, value)?.into()),
        SettingKind::Flag => SettingValue::Flag(flag(name, value)?),
        SettingKind::Count => SettingValue::Count(number(name, value)?),
        SettingKind::Seconds => SettingValue::Duration(duration(name, value)?),
        SettingKind::List => SettingValue::List(texts(name, value)?),
        SettingKind::Json => SettingValue::Json(json(name, value)?),
        SettingKind::Path => {
            let path: PathBuf = plain(name, "a path", value)?;
            let path = path.into_os_string().into_string();
            SettingValue::Text(path.map_err(|_| invalid_argument(name, "it is not UTF-8"))?)
        }
        _ => SettingValue::Text(text(name, value)?),
    })
}

fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_instance_of::<PyString>() {
        // As in the environment.
        let text = text(name, value)?;
        let parts = text.split(',').map(str::trim);
        return Ok(parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect());
    }
    plain(name, "a list of str", value)
}

/// A mapping as JSON; a str is JSON already.
fn json(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() {
        return text(name, value);
    }
    if value.cast::<PyMapping>().is_err() {
        return Err(PyTypeError::new_err(format!("{name}: expected a mapping")));
    }
    let py = value.py();
    let strict = PyDict::new(py);
    strict.set_item("allow_nan", false)?;
    let dumps = py.import("json")?.getattr("dumps")?;
    let written = dumps.call((bare(name, value, MAX_DEPTH)?,), Some(&strict));
    let written = written.map_err(|error| {
        let problem = format!("is not valid: {}", error.value(py));
        configuration(name, &problem, "give options of text, numbers and bools")
    })?;
    text(name, &written)
}

/// Turns a mapping into one that JSON takes: mappings without their `None`s, and seconds in the place of a
/// `timedelta`.
fn bare<'py>(name: &str, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(mapping) = value.cast::<PyMapping>() {
        if depth == 0 {
            return Err(configuration(
                name,
                "has mappings too deep inside one another",
                "give a mapping of options",
            ));
        }
        let entries = PyDict::new(value.py());
        each_entry(name, mapping, |option, value| match value.is_none() {
            true => Ok(()),
            false => entries.set_item(option, bare(name, value, depth - 1)?),
        })?;
        return Ok(entries.into_any());
    }
    match value.getattr_opt(pyo3::intern!(value.py(), "total_seconds"))? {
        Some(total_seconds) => total_seconds.call0(),
        None => Ok(value.clone()),
    }
}

/// The settings of a store, each with its names on every face.
///
/// Returns:
///     One dict for each: variables (also the names in app.config), method (Rust's), keyword, constructors
///     (that take the keyword), kind ("text", "path", "secret", "flag", "count", "seconds", "list", "word",
///     "json"), words, default, reach ("store", "secret", "machine") and doc.
#[pyfunction]
pub(crate) fn settings(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let all = PyList::empty(py);
    for setting in Setting::all() {
        let entry = PyDict::new(py);
        entry.set_item("variables", PyTuple::new(py, setting.variables)?)?;
        entry.set_item("method", setting.method)?;
        entry.set_item("keyword", setting.keyword)?;
        entry.set_item("constructors", PyTuple::new(py, setting.constructors)?)?;
        entry.set_item("kind", setting.kind().as_str())?;
        entry.set_item("words", PyTuple::new(py, setting.words())?)?;
        entry.set_item("default", setting.default)?;
        entry.set_item("reach", setting.reach.as_str())?;
        entry.set_item("doc", setting.doc)?;
        all.append(entry)?;
    }
    Ok(all)
}
