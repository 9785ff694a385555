//! Imports only go down: the rooms of `src/`, their floors, and a reader of every `crate::` path in them.
//!
//! A room on floor 1 is a stranger to the others there, and floors 0 and 1 are pure: no runtime, no
//! storage, no wall clock, no environment. README, "How it is built", has the same table in words.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room of `src/` and the floor it is on.
const FLOORS: &[(&str, u8)] = &[
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
    ("cli", "bin"),
    ("bin", "cli"),
];

/// What floors 0 and 1 never mention outside their tests. A deadline's `Instant` is no wall clock.
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
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|&(_, floor)| floor)
}

/// Why `from` may not name `to`, if it may not.
fn objection(from: &str, to: &str) -> Option<String> {
    if from == to || NEIGHBOURS.contains(&(from, to)) {
        return None;
    }
    let (Some(above), Some(below)) = (floor(from), floor(to)) else {
        return Some(format!(
            "{from} or {to} has no floor: add it to the table in tests/house/floors.rs and in the README"
        ));
    };
    match above {
        _ if below > above => Some(format!(
            "{from} (floor {above}) names {to} (floor {below}): imports only go down"
        )),
        0 if below == 0 => None,
        1 if to == "error" => Some(format!(
            "{from} names error, which gathers the errors of rooms like it"
        )),
        _ if below == above => Some(format!("{from} and {to} are strangers on floor {above}")),
        _ => None,
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src/ is readable") {
        let path = entry.expect("src/ is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The module that a file of `src/` is: `store/upload.rs` is `["store", "upload"]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// What is left of a file when its tests, which stand at the end, are taken away.
fn without_tests<'a>(path: &Path, text: &'a str) -> &'a str {
    if path
        .iter()
        .any(|part| part == "tests" || part == "tests.rs")
    {
        return "";
    }
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default()
}

/// Everything in the files that the house does not allow, as `file:line: why`.
fn objections(files: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let lib = files
        .get(Path::new("lib.rs"))
        .map(String::as_str)
        .unwrap_or_default();
    let exported = crate::paths::reexports(lib);
    let mut found = Vec::new();
    for (path, text) in files {
        let module = module_of(path);
        let room = module[0].as_str();
        if room == "lib" {
            continue;
        }
        let name = path.display();
        for (line, target) in crate::paths::crate_paths(text, &module) {
            // What lib.rs re-exports belongs to the room it comes from.
            let target = exported
                .get(&target)
                .map_or(target.as_str(), String::as_str);
            if let Some(why) = objection(room, target) {
                found.push(format!("src/{name}:{line}: {why}"));
            }
        }
        if floor(room).is_some_and(|floor| floor <= 1) {
            for (line, code) in crate::paths::code_lines(without_tests(path, text)) {
                if let Some(word) = IMPURE.iter().find(|word| code.contains(**word)) {
                    found.push(format!(
                        "src/{name}:{line}: {room} is pure, but mentions {word}"
                    ));
                }
            }
        }
    }
    found
}

fn tree(files: &[(&str, &str)]) -> BTreeMap<PathBuf, String> {
    files
        .iter()
        .map(|&(path, text)| (path.into(), text.into()))
        .collect()
}

#[test]
fn no_import_goes_up_a_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let files: BTreeMap<_, _> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&src).expect("below src/").to_path_buf();
            (name, fs::read_to_string(path).expect("sources are UTF-8"))
        })
        .collect();
    assert!(files.len() > 5, "src/ was read");
    let found = objections(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_way_of_going_up_is_seen() {
    let lib = (
        "lib.rs",
        "pub use key::{InvalidKey, ObjectKey};\npub use store::ImageStore;\nmod key;",
    );
    for (file, text) in [
        ("key.rs", "use crate::store::ImageStore;"),
        ("key.rs", "use crate::ImageStore;"),
        (
            "url/s3.rs",
            "use crate::{\n    key::ObjectKey,\n    config::Config,\n};",
        ),
        ("url/s3.rs", "use super::super::config::Config;"),
        ("url.rs", "use super::{config::Config, key};"),
        (
            "optimize/jpeg/mod.rs",
            "fn f() -> crate::error::Error { todo() }",
        ),
        ("sign/mod.rs", "pub(crate) use crate::url::encode;"),
        ("sign/mod.rs", "let now = std::time::SystemTime::now();"),
        ("optimize/mod.rs", "use tokio::task;"),
        ("backend/s3.rs", "use crate::store::ImageStore;"),
        ("store/mod.rs", "use crate::ops::doctor;"),
        ("attic.rs", "use crate::key::ObjectKey;"),
    ] {
        let found = objections(&tree(&[lib, (file, text)]));
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
    }
}

#[test]
fn what_goes_down_is_let_through() {
    let found = objections(&tree(&[
        (
            "lib.rs",
            "pub use optimize::optimize;\npub use key::ObjectKey;",
        ),
        (
            "store/mod.rs",
            "use crate::{ObjectKey, backend::Backend, config, optimize::optimize};\nuse tokio::time;",
        ),
        (
            "store/upload.rs",
            "use super::ImageStore;\nuse super::super::backend::Backend;",
        ),
        ("variant.rs", "use crate::optimize::OptimizeOptions;"),
        (
            "optimize/mod.rs",
            "/// See [`crate::store::ImageStore`].\nuse crate::format::ImageFormat; // not crate::store",
        ),
        (
            "error.rs",
            "use crate::backend::StorageError;\nuse crate::sign::SignError;",
        ),
        (
            "ops/sweep.rs",
            "use crate::store::ImageStore;\nuse crate::error::Error;",
        ),
        (
            "key.rs",
            "const DOC: &str = \"https://example.com/crate\";\nmod tests { use super::super::*; use super::*; }",
        ),
    ]));
    assert!(found.is_empty(), "{found:#?}");
}
