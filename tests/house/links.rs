//! Links between the pages lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// The pages at the root, in docs/, and beside what they describe.
fn pages(root: &Path) -> Vec<PathBuf> {
    let folders = [
        "",
        "docs",
        "tests",
        "python",
        "benches/compare",
        "benches/guide",
    ];
    let files = folders.iter().flat_map(|folder| {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("readable").path())
    });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// A heading as its anchor: lower case, spaces as hyphens, no punctuation.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().expect("a target");
            if link.contains("://") || link.contains([' ', '`']) {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.with_file_name(path),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let target = fs::read_to_string(&target).expect("UTF-8");
                assert!(
                    anchors(&target).contains(&anchor.to_owned()),
                    "{}: {link}",
                    page.display()
                );
            }
        }
    }
    assert!(links > 30, "the pages were read: {links} links");
}

/// The front page names every page.
#[test]
fn every_page_is_linked_from_the_front_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let front = fs::read_to_string(root.join("README.md")).expect("UTF-8");
    for page in fs::read_dir(root.join("docs")).expect("docs/") {
        let name = page
            .expect("readable")
            .file_name()
            .into_string()
            .expect("UTF-8");
        assert!(front.contains(&format!("](docs/{name})")), "{name}");
    }
}
