//! Every file is compiled: tests in one that no `mod` names would never run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::floors::sources;

/// Whether a file beside this one, or the one above its directory, has it as a module.
fn is_module(file: &Path) -> Option<bool> {
    let directory = file.parent()?;
    let (name, home) = match file.file_stem()?.to_str()? {
        "main" | "lib" => return Some(true),
        "mod" => (directory.file_name()?.to_str()?, directory.parent()?),
        stem => (stem, directory),
    };
    let declaration = format!("mod {name};");
    let parents = ["mod.rs", "main.rs", "lib.rs"].map(|parent| home.join(parent));
    let mut parents = parents.into_iter().chain([home.with_extension("rs")]);
    let names_it = |text: String| text.lines().any(|line| line.ends_with(&declaration));
    Some(parents.any(|parent| fs::read_to_string(parent).is_ok_and(names_it)))
}

/// Whether a manifest or a `#[path]` has it.
fn is_named(file: &Path, texts: &[String]) -> bool {
    let directory = file.parent().and_then(Path::file_name).unwrap_or_default();
    let name = file.file_name().unwrap_or_default().display();
    let beside = format!("\"{name}\"");
    let below = format!("{}/{name}\"", directory.display());
    let names_it = |text: &String| text.contains(&beside) || text.contains(&below);
    texts.iter().any(names_it)
}

#[test]
fn every_file_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "python/src"] {
        sources(&root.join(directory), &mut files);
    }
    assert!(files.len() > 200, "{} files", files.len());
    let manifest = [root.join("Cargo.toml")];
    let texts: Vec<String> = files
        .iter()
        .chain(&manifest)
        .map(|file| fs::read_to_string(file).expect("a readable file"))
        .collect();
    let lost: Vec<&PathBuf> = files
        .iter()
        .filter(|file| !file.starts_with(root.join("src/bin")))
        .filter(|file| is_module(file) != Some(true) && !is_named(file, &texts))
        .collect();
    assert!(lost.is_empty(), "no module names {lost:#?}");
}
