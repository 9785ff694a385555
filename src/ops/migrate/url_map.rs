//! Old URLs and new ones, for the database that keeps them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// In which form the map is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlMapFormat {
    /// `old_url,new_url` with a header line (RFC 4180).
    Csv,
    /// One transaction that updates a column, for PostgreSQL and SQLite.
    Sql {
        /// The table; `schema.table` where it has to be named.
        table: String,
        /// The column.
        column: String,
    },
}

/// The file of a URL map, and its form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlMap {
    /// The file. It appears, whole, when the run is over.
    pub path: PathBuf,
    /// The form.
    pub format: UrlMapFormat,
}

impl UrlMap {
    /// CSV.
    pub fn csv(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: UrlMapFormat::Csv,
        }
    }

    /// SQL for a table and a column.
    pub fn sql(
        path: impl Into<PathBuf>,
        table: impl Into<String>,
        column: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            format: UrlMapFormat::Sql {
                table: table.into(),
                column: column.into(),
            },
        }
    }
}

/// Writes a map beside its file and puts it in place at the end, so that what is there is whole.
pub(super) struct UrlMapWriter {
    out: BufWriter<File>,
    map: UrlMap,
    unfinished: PathBuf,
    finished: bool,
    rows: u64,
}

/// Rows of one INSERT: few enough for every parser, many enough to be quick.
const ROWS_PER_INSERT: u64 = 500;

/// Two names may have one spelling in common: the first counts.
const END_OF_INSERT: &[u8] = b"\nON CONFLICT DO NOTHING;\n";

const SQL_TABLE: &str = "lablink_storage_url_map";

impl UrlMapWriter {
    pub(super) fn create(map: &UrlMap) -> Result<Self> {
        Self::begin(map).map_err(|error| unwritable(map, &error))
    }

    pub(super) fn row(&mut self, old: &str, new: &str) -> Result<()> {
        self.write_row(old, new)
            .map_err(|error| unwritable(&self.map, &error))
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.write_end()
            .map_err(|error| unwritable(&self.map, &error))
    }

    fn begin(map: &UrlMap) -> io::Result<Self> {
        let unfinished = beside(&map.path)?;
        let file = File::create(&unfinished)?;
        let mut writer = Self {
            out: BufWriter::new(file),
            map: map.clone(),
            unfinished,
            finished: false,
            rows: 0,
        };
        match &writer.map.format {
            UrlMapFormat::Csv => writer.out.write_all(b"old_url,new_url\r\n")?,
            UrlMapFormat::Sql { .. } => write!(
                writer.out,
                "BEGIN;\nCREATE TEMPORARY TABLE {SQL_TABLE} (old_url TEXT PRIMARY KEY, new_url TEXT NOT NULL);\n"
            )?,
        }
        Ok(writer)
    }

    fn write_row(&mut self, old: &str, new: &str) -> io::Result<()> {
        match &self.map.format {
            UrlMapFormat::Csv => write!(self.out, "{},{}\r\n", csv_field(old), csv_field(new))?,
            UrlMapFormat::Sql { .. } => {
                let start = if self.rows.is_multiple_of(ROWS_PER_INSERT) {
                    if self.rows > 0 {
                        self.out.write_all(END_OF_INSERT)?;
                    }
                    format!("INSERT INTO {SQL_TABLE} (old_url, new_url) VALUES\n")
                } else {
                    ",\n".to_owned()
                };
                write!(self.out, "{start}({}, {})", sql_text(old), sql_text(new))?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn write_end(&mut self) -> io::Result<()> {
        if let UrlMapFormat::Sql { table, column } = &self.map.format {
            let (table, column) = (sql_name(table), sql_name(column));
            if self.rows > 0 {
                self.out.write_all(END_OF_INSERT)?;
            }
            // One statement: a new URL that is somebody else's old one is not rewritten twice.
            write!(
                self.out,
                "UPDATE {table} SET {column} = (SELECT new_url FROM {SQL_TABLE} WHERE old_url = {column})\n\
                 WHERE {column} IN (SELECT old_url FROM {SQL_TABLE});\nDROP TABLE {SQL_TABLE};\nCOMMIT;\n"
            )?;
        }
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        std::fs::rename(&self.unfinished, &self.map.path)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for UrlMapWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.unfinished);
        }
    }
}

fn unwritable(map: &UrlMap, error: &io::Error) -> Error {
    Error::InvalidArgument {
        name: "url_map",
        reason: format!("{} cannot be written: {error}", map.path.display()),
    }
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut unfinished = name.to_owned();
    unfinished.push(".unfinished");
    Ok(path.with_file_name(unfinished))
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A string literal of the SQL standard, as PostgreSQL (standard_conforming_strings) and SQLite read it.
fn sql_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A quoted identifier, so that no name is a command; a dot separates schema and table.
fn sql_name(name: &str) -> String {
    let parts: Vec<String> = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(map: &UrlMap, rows: &[(&str, &str)]) -> String {
        let mut writer = UrlMapWriter::create(map).expect("created");
        for (old, new) in rows {
            writer.row(old, new).expect("row");
        }
        assert!(!map.path.exists(), "not before it is whole");
        writer.finish().expect("finished");
        std::fs::read_to_string(&map.path).expect("there")
    }

    #[test]
    fn csv_quotes_what_rfc_4180_quotes() {
        let directory = tempfile::tempdir().expect("directory");
        let map = UrlMap::csv(directory.path().join("map.csv"));
        let text = write(
            &map,
            &[
                ("/uploads/a.png", "https://b/a.png"),
                ("/u/a,\"b\".png", "x"),
            ],
        );
        assert_eq!(
            text,
            "old_url,new_url\r\n/uploads/a.png,https://b/a.png\r\n\"/u/a,\"\"b\"\".png\",x\r\n"
        );
    }

    #[test]
    fn a_map_that_is_not_finished_is_never_seen() {
        let directory = tempfile::tempdir().expect("directory");
        let map = UrlMap::csv(directory.path().join("map.csv"));
        let mut writer = UrlMapWriter::create(&map).expect("created");
        writer.row("a", "b").expect("row");
        drop(writer);
        let left = std::fs::read_dir(directory.path()).expect("listed").count();
        assert_eq!(left, 0);
    }

    /// The SQL is run by SQLite, through Python's own module: names that are swapped end swapped, rows
    /// that are not in the map stay, and quotes are text.
    #[test]
    fn sql_updates_each_row_once() {
        let directory = tempfile::tempdir().expect("directory");
        let map = UrlMap::sql(directory.path().join("map.sql"), "odd \"table", "image_url");
        let many: Vec<(String, String)> = (0..1200)
            .map(|n| (format!("/old/{n}"), format!("/new/{n}")))
            .collect();
        let mut rows = vec![("a", "b"), ("b", "a"), ("/it's", "/it''s; DROP TABLE x;")];
        rows.extend(many.iter().map(|(old, new)| (old.as_str(), new.as_str())));
        write(&map, &rows);
        let program = r#"
import sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
db.execute('CREATE TABLE "odd ""table" (id INTEGER, image_url VARCHAR(255))')
db.executemany('INSERT INTO "odd ""table" VALUES (?, ?)',
               enumerate(["a", "b", "/it's", "kept", None, "/old/1199"]))
db.executescript(open(sys.argv[1]).read())
print([row[0] for row in db.execute('SELECT image_url FROM "odd ""table" ORDER BY id')])
"#;
        let output = std::process::Command::new("python3")
            .args(["-c", program])
            .arg(&map.path)
            .output()
            .expect("python3 runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            r#"['b', 'a', "/it''s; DROP TABLE x;", 'kept', None, '/new/1199']"#,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn an_empty_map_is_valid_sql_too() {
        let directory = tempfile::tempdir().expect("directory");
        let map = UrlMap::sql(
            directory.path().join("map.sql"),
            "public.components",
            "image_url",
        );
        let text = write(&map, &[]);
        assert!(text.contains("\"public\".\"components\"") && !text.contains("INSERT"));
    }
}
