//! Imports only go down: the rooms of `src/` and their floors, as in docs/architecture.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room of `src/` and the floor it is on.
const FLOORS: &[(&str, u8)] = &[
    ("axum", 5),
    ("cli", 5),
    ("bin", 5),
    ("ops", 4),
    ("store", 3),
    ("error", 2),
    ("backend", 2),
    ("config", 2),
    ("fetch", 2),
    ("optimize", 1),
    ("url", 1),
    ("sign", 1),
    ("variant", 1),
    ("key", 0),
    ("format", 0),
    ("kind", 0),
    ("causes", 0),
    ("digest", 0),
    ("secret", 0),
];

/// What one room may name on its own floor. `error` gathers the errors of the rooms beside it, and they
/// may return it; a variant is a named `OptimizeOptions`.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("variant", "optimize"),
    ("error", "backend"),
    ("error", "config"),
    ("error", "fetch"),
    ("fetch", "backend"),
    ("fetch", "config"),
    ("fetch", "error"),
    ("backend", "error"),
    ("backend", "config"),
    ("config", "backend"),
];

/// What floors 0 and 1 never mention outside their tests. A deadline's `Instant` is not a wall clock.
const IMPURE: &[&str] = &[
    "tokio::",
    "object_store::",
    "std::env",
    "std::fs",
    "TcpStream",
    "SystemTime::now",
    "Utc::now",
    "Local::now",
    "Uuid::new_v4",
];

fn floor(room: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(name, _)| *name == room);
    found.map(|&(_, floor)| floor)
}

/// Why `from` may not name `to`, if it may not.
fn objection(from: &str, to: &str) -> Option<String> {
    let (Some(above), Some(below)) = (floor(from), floor(to)) else {
        return Some(format!(
            "{from} or {to} has no floor in tests/house/floors.rs"
        ));
    };
    if from == to || NEIGHBOURS.contains(&(from, to)) || above == 0 && below == 0 {
        return None;
    }
    (below >= above).then(|| format!("{from} (floor {above}) names {to} (floor {below})"))
}

/// Everything in one file, `room/file.rs`, that the house does not allow.
fn objections(path: &Path, text: &str) -> Vec<String> {
    let first = Path::new(path.iter().next().expect("a file")).with_extension("");
    let room = first.to_str().expect("UTF-8");
    let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
    let is_test = |part: &str| part == "tests" || part.ends_with("tests.rs");
    let mut in_tests = path.iter().any(|part| part.to_str().is_some_and(is_test));
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        in_tests |= line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        if line.trim_start().starts_with("//") {
            continue;
        }
        let mut object = |why| found.push(format!("src/{}:{}: {why}", path.display(), at + 1));
        for target in line.split("crate::").skip(1) {
            let name: String = target
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            // The crate's own error goes by its short name.
            let name = if name == "Error" {
                "error".to_owned()
            } else {
                name
            };
            match name.chars().next() {
                Some(c) if c.is_lowercase() => {
                    if let Some(why) = objection(room, &name) {
                        object(why);
                    }
                }
                _ => object("after crate:: comes the room that the item is from".to_owned()),
            }
        }
        if line.contains(&"super::".repeat(depth + usize::from(in_tests))) {
            object("super:: leads out of the room: write crate::".to_owned());
        }
        if floor(room).is_some_and(|floor| floor <= 1) && !in_tests {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                object(format!("{room} is pure, but mentions {word}"));
            }
        }
    }
    found
}

pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src/ is readable") {
        let path = entry.expect("src/ is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("src/lib.rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_import_goes_up_a_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    assert!(paths.len() > 5, "src/ was read");
    let found: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("sources are UTF-8");
            objections(path.strip_prefix(&src).expect("below src/"), &text)
        })
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_way_of_going_up_is_seen() {
    for (file, text) in [
        ("key.rs", "use crate::store::ImageStore;"),
        ("key.rs", "use crate::ImageStore;"),
        ("url/s3.rs", "use super::super::config::Config;"),
        ("url/s3.rs", "use crate::sign::SigV4;"),
        ("optimize/jpeg/mod.rs", "fn f() -> crate::error::Error {}"),
        ("sign/mod.rs", "let now = std::time::SystemTime::now();"),
        ("optimize/mod.rs", "use tokio::task;"),
        ("backend/s3.rs", "use crate::store::ImageStore;"),
        ("store/mod.rs", "use crate::ops::doctor;"),
        ("attic.rs", "use crate::key::ObjectKey;"),
    ] {
        let found = objections(Path::new(file), text);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
    }
    for (file, text) in [
        (
            "store/upload.rs",
            "use super::ImageStore;\nuse crate::backend::Backend;",
        ),
        (
            "url/mod.rs",
            "mod base;\nuse crate::key::{InvalidKey, ObjectKey};",
        ),
        ("key.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
        ("kind.rs", "/// As [`ObjectKey`](crate::ObjectKey) has it."),
    ] {
        let found = objections(Path::new(file), text);
        assert!(found.is_empty(), "{file}: {text}: {found:?}");
    }
}
