//! Finds the rooms that a Rust source names, without parsing Rust: `crate::`, and `super::` that leaves
//! the room, one by one or in a tree of braces.

use std::collections::BTreeMap;

/// The lines of `text` with their numbers, comments removed. `//` after a colon is a URL's.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let comment = line
            .match_indices("//")
            .find(|&(at, _)| !line[..at].ends_with(':'));
        (index + 1, comment.map_or(line, |(at, _)| &line[..at]))
    })
}

/// Each first name after the crate's root that `text` mentions, with the line it is mentioned on.
/// `module` is where the text stands, so that `super` can be followed.
pub fn crate_paths(text: &str, module: &[String]) -> Vec<(usize, String)> {
    // One string, so that a tree of braces may go over lines, and the line of each byte of it.
    let mut code = String::new();
    let mut starts = Vec::new();
    for (line, kept) in code_lines(text) {
        starts.push((code.len(), line));
        code.push_str(kept);
        code.push('\n');
    }
    let line_of = |at: usize| {
        starts
            .iter()
            .rev()
            .find(|(start, _)| *start <= at)
            .map_or(0, |&(_, line)| line)
    };

    let mut found = Vec::new();
    let mut at = 0;
    while let Some((start, mut rest)) = next_root(&code, at, module) {
        at = code.len() - rest.len();
        rest = rest.trim_start();
        if let Some(tree) = rest.strip_prefix('{') {
            for name in first_names(tree) {
                found.push((line_of(start), name));
            }
        } else if let Some(name) = identifier(rest) {
            found.push((line_of(start), name.to_owned()));
        }
    }
    found
}

/// The next `crate::`, or chain of `super::` that ends at the root, from `from` on: where it begins, and
/// what follows it.
fn next_root<'a>(code: &'a str, from: usize, module: &[String]) -> Option<(usize, &'a str)> {
    let mut at = from;
    loop {
        let (offset, word) = ["crate::", "super::"]
            .iter()
            .filter_map(|word| code[at..].find(word).map(|offset| (offset, *word)))
            .min()?;
        let start = at + offset;
        at = start + word.len();
        if code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        if word == "crate::" {
            return Some((start, &code[at..]));
        }
        let mut climbed = 1;
        while code[at..].starts_with("super::") {
            at += "super::".len();
            climbed += 1;
        }
        if climbed == module.len() + inline_modules(&code[..start]) {
            return Some((start, &code[at..]));
        }
    }
}

/// How many `mod name {` are open at the end of `code`.
fn inline_modules(code: &str) -> usize {
    let mut open: Vec<bool> = Vec::new();
    let mut statement = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => {
                let head = code[statement..at].trim();
                let words: Vec<&str> = head.split_whitespace().collect();
                open.push(words.len() >= 2 && words[words.len() - 2] == "mod");
                statement = at + 1;
            }
            '}' => {
                open.pop();
                statement = at + 1;
            }
            ';' => statement = at + 1,
            _ => {}
        }
    }
    open.into_iter().filter(|module| *module).count()
}

/// The first name of each branch of a `use` tree, whose opening brace has been read.
fn first_names(tree: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut branch = true;
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => branch = true,
            c if branch && !c.is_whitespace() => {
                branch = false;
                names.extend(identifier(&tree[at..]).map(str::to_owned));
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0 && &text[..end] != "self").then(|| &text[..end])
}

/// What lib.rs re-exports, and from which room.
pub fn reexports(lib: &str) -> BTreeMap<String, String> {
    let code: String = code_lines(lib)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    let mut exported = BTreeMap::new();
    for statement in code.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let statement = statement
            .trim()
            .trim_start_matches("self::")
            .trim_start_matches("crate::");
        let Some((room, items)) = statement.split_once("::") else {
            continue;
        };
        let items = items.trim();
        let names = match items.strip_prefix('{') {
            Some(tree) => first_names(tree),
            None => items
                .rsplit("::")
                .next()
                .and_then(identifier)
                .map(str::to_owned)
                .into_iter()
                .collect(),
        };
        for name in names {
            // A function of its room's name (`optimize`) is both; the room is what counts.
            exported.insert(name, room.to_owned());
        }
    }
    exported
}
