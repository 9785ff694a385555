//! The JSON document of a command that goes through many things, written as they come.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::output::Output;

/// One JSON object with lists in it. Nothing is kept of what was written.
pub(super) struct Document {
    wanted: bool,
    begun: bool,
    /// The list that is open, and whether it has an item.
    list: Option<bool>,
}

impl Document {
    pub(super) fn new(output: Output) -> Self {
        Self {
            wanted: output.json,
            begun: false,
            list: None,
        }
    }

    /// Returns whether stdout has been written to, so that a failure has to go into the same document.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Begins a list; the one before it ends.
    pub(super) fn list(&mut self, name: &str) -> io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        self.name(name)?;
        self.list = Some(false);
        write!(io::stdout().lock(), "[")
    }

    /// Adds to the list that is open.
    pub(super) fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        let comma = if self.list.replace(true) == Some(true) {
            ","
        } else {
            ""
        };
        let mut out = io::stdout().lock();
        write!(out, "{comma}\n    ")?;
        Ok(serde_json::to_writer(&mut out, item)?)
    }

    /// Adds what an object has, list by list and value by value.
    pub(super) fn fields(&mut self, fields: &Value) -> io::Result<()> {
        for (name, value) in fields.as_object().into_iter().flatten() {
            if self.wanted {
                self.name(name)?;
                serde_json::to_writer(io::stdout().lock(), value)?;
            }
        }
        Ok(())
    }

    /// Ends the document.
    pub(super) fn end(mut self) -> io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        if !self.begun {
            write!(io::stdout().lock(), "{{")?;
        }
        self.close_list()?;
        writeln!(io::stdout().lock(), "\n}}")
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        self.close_list()?;
        let before = if self.begun { ",\n" } else { "{\n" };
        self.begun = true;
        write!(io::stdout().lock(), "{before}  {}: ", Value::from(name))
    }

    fn close_list(&mut self) -> io::Result<()> {
        let end = match self.list.take() {
            Some(true) => "\n  ]",
            Some(false) => "]",
            None => return Ok(()),
        };
        write!(io::stdout().lock(), "{end}")
    }
}
