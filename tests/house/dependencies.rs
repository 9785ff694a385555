//! What the crate asks of its users is true: the Rust version, permissive licences, and no runtime or storage
//! without features.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// `cargo metadata` for the machine that runs the tests, with these features.
fn metadata(features: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", &host()])
        .args(features)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn host() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc -vV names the host").to_owned()
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The packages that a user of this crate compiles, by name: through normal and build dependencies.
fn compiled(metadata: &Value) -> BTreeMap<String, &Value> {
    let packages: BTreeMap<&str, &Value> = array(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), package))
        .collect();
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let own = packages
        .iter()
        .find(|(_, package)| package["name"] == env!("CARGO_PKG_NAME"));
    let mut waiting = vec![*own.expect("this package is in its own metadata").0];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in array(nodes[id], "deps") {
            if array(dependency, "dep_kinds")
                .iter()
                .any(|kind| kind["kind"] != "dev")
            {
                waiting.push(text(dependency, "pkg"));
            }
        }
    }
    seen.iter()
        .map(|id| {
            (
                format!(
                    "{} {}",
                    text(packages[id], "name"),
                    text(packages[id], "version")
                ),
                packages[id],
            )
        })
        .collect()
}

fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text
        .split('.')
        .map(|part| part.parse().expect("a Rust version is numbers"))
        .collect();
    numbers.resize(3, 0);
    numbers
}

#[test]
fn no_dependency_wants_a_newer_rust_than_we_state() {
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let metadata = metadata(&["--all-features"]);
    let compiled = compiled(&metadata);
    assert!(
        compiled.len() > 50,
        "the dependencies were read: {}",
        compiled.len()
    );
    let newer: Vec<String> = compiled
        .iter()
        .filter_map(|(name, package)| Some((name, package["rust_version"].as_str()?)))
        .filter(|(_, wanted)| version(wanted) > ours)
        .map(|(name, wanted)| format!("{name} wants Rust {wanted}"))
        .collect();
    assert!(
        newer.is_empty(),
        "rust-version {ours:?} is not true: {newer:#?}"
    );
}

/// The licences that deny.toml allows.
fn allowed() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
    let text = std::fs::read_to_string(path).expect("deny.toml");
    let list = text.split("\nallow = [").nth(1).expect("a list");
    let lines = list.lines().take_while(|line| *line != "]");
    lines
        .filter_map(|line| Some(line.split('"').nth(1)?.to_owned()))
        .collect()
}

/// Whether every part of an expression has a choice that is allowed.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let choices = |part: &str| part.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").map(choices).all(|part| {
        let mut choices = part.split(" OR ").map(str::trim);
        choices.any(|choice| allowed.iter().any(|licence| licence == choice))
    })
}

#[test]
fn every_dependency_comes_from_a_registry_under_a_permissive_licence() {
    let allowed = allowed();
    assert!(is_allowed("(MIT OR GPL-3.0) AND Zlib", &allowed));
    for refused in ["GPL-3.0", "MIT AND MPL-2.0", ""] {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
    let metadata = metadata(&["--all-features"]);
    let wrong: Vec<String> = compiled(&metadata)
        .iter()
        .filter(|(_, package)| {
            let source = package["source"].as_str();
            let registry = source.is_none_or(|source| source.starts_with("registry+"));
            !registry || !is_allowed(text(package, "license"), &allowed)
        })
        .map(|(name, package)| format!("{name}: {}, {}", package["license"], package["source"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn without_features_there_is_no_runtime_and_no_storage() {
    // Not by cargo's metadata: that has the features which other members of the workspace turn on.
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--package",
            "lablink-storage",
        ])
        .args([
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let compiled: BTreeSet<&str> = std::str::from_utf8(&tree.stdout)
        .expect("UTF-8")
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(compiled.contains("png"), "the dependencies were read");
    for unwanted in [
        "tokio",
        "object_store",
        "reqwest",
        "hyper",
        "libwebp-sys",
        "clap",
        "pyo3",
    ] {
        assert!(!compiled.contains(unwanted), "{unwanted}");
    }
}
