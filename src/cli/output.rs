//! Output: results on stdout, everything else on stderr, and the exit code.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::many::Totals;
use crate::causes::one_line;
use crate::error::Error;
use crate::kind::ErrorKind;

/// The kind of a failure: that of an error, or one that only a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    Error(ErrorKind),
    /// Nobody reads stdout any more.
    BrokenPipe,
    /// Ctrl-C.
    Interrupted,
}

impl FailureKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error(kind) => kind.as_str(),
            Self::BrokenPipe => "broken_pipe",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<ErrorKind> for FailureKind {
    fn from(kind: ErrorKind) -> Self {
        Self::Error(kind)
    }
}

/// The failure of a command, in words and in a form for scripts.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    /// Its causes, outermost first.
    pub(super) causes: Vec<String>,
    pub(super) hint: Option<String>,
    /// True if everything else that the command was given would fail the same way.
    pub(super) everywhere: bool,
    /// True if the command was used wrongly.
    pub(super) is_usage: bool,
}

impl Failure {
    /// A command that cannot be meant as it was given.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            is_usage: true,
            ..Self::new(ErrorKind::InvalidArgument, message)
        }
    }

    pub(super) fn new(kind: impl Into<FailureKind>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            everywhere: false,
            is_usage: false,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file or directory that could not be used.
    pub(super) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::io(error, format!("{}: {error}", path.display()))
    }

    pub(super) fn io(error: &io::Error, message: String) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, message)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "error": self.kind.as_str(),
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind().into(),
            message: error.to_string(),
            causes: error.causes(),
            hint: error.hint(),
            everywhere: error.concerns_every_object(),
            is_usage: false,
        }
    }
}

/// A closed stdout is not a failure: nobody reads it any more.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(FailureKind::BrokenPipe, "stdout was closed"),
            _ => Self::new(ErrorKind::Internal, format!("stdout: {error}")),
        }
    }
}

/// The end of a command. Failures have been reported by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
    /// Ctrl-C came before everything was done.
    Interrupted,
}

impl Outcome {
    pub(super) fn when(ok: bool) -> Self {
        if ok { Self::Done } else { Self::Failed }
    }

    /// Returns the end of a command over many things, some of which failed or were left out.
    pub(super) fn of_many<T>(failures: &[T], not_tried: &[String], interrupt: &Interrupt) -> Self {
        if interrupt.is_set() && !not_tried.is_empty() {
            Self::Interrupted
        } else {
            Self::when(failures.is_empty())
        }
    }
}

/// The output of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) quiet: bool,
}

impl Output {
    /// A line of the result, unless the result is a JSON document.
    pub(super) fn line(self, text: impl Display) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{text}")
    }

    /// A word of a result in a colour (the parameter of the escape sequence), on a terminal that has some and
    /// whose user did not ask for none (<https://no-color.org>).
    pub(super) fn coloured(self, word: &str, colour: &str) -> String {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let wanted = set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb");
        if wanted && io::stdout().is_terminal() {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }

    /// The one document of `--json`.
    pub(super) fn document(self, value: &impl Serialize) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)
    }

    /// Bytes or text that are the result whatever the form.
    pub(super) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Words for a person. It is not a failure that nobody reads them.
    pub(super) fn note(self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    pub(super) fn failure(self, subject: &str, failure: &Failure) {
        self.note(format_args!(
            "{}: {}",
            one_line(subject),
            one_line(&failure.message)
        ));
        if !failure.causes.is_empty() {
            self.note(format_args!("  cause: {}", failure.causes.join(": ")));
        }
        if let Some(hint) = &failure.hint {
            self.note(format_args!("  hint: {hint}"));
        }
    }

    /// Names the first of what was not begun, and counts the rest.
    pub(super) fn not_tried(self, left: &[String]) {
        const SHOWN: usize = 5;
        if left.is_empty() {
            return;
        }
        let shown = left[..left.len().min(SHOWN)].join(", ");
        let more = match left.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.note(format_args!("not tried: {shown}{more}"));
    }

    /// One line for all of many images.
    pub(super) fn totals(self, verb: &str, totals: &Totals, before: u64, after: u64) {
        let all = totals.done + totals.failed + totals.not_tried;
        if self.quiet || totals.done == 0 || all < 2 {
            return;
        }
        let mut words = format!("{} of {all} {verb}", totals.done);
        for (count, what) in [(totals.failed, "failed"), (totals.not_tried, "not tried")] {
            if count > 0 {
                words.push_str(&format!(", {count} {what}"));
            }
        }
        let saved = saved(before, after);
        let (before, after) = (size(before), size(after));
        self.note(format_args!(
            "{words}: {before} before, {after} now, {saved}"
        ));
    }

    /// A bar that shows itself after a second, on a terminal only.
    pub(super) fn progress(self, total: Option<u64>, unit: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        if !self.quiet && io::stderr().is_terminal() {
            let template = match total {
                Some(_) => {
                    format!("{{bar:30}} {{pos}}/{{len}} {unit} {{per_sec}} {{eta}} {{wide_msg}}")
                }
                None if unit.is_empty() => "{spinner} {elapsed} {wide_msg}".to_owned(),
                None => format!("{{spinner}} {{pos}} {unit} {{elapsed}} {{wide_msg}}"),
            };
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            let shown = bar.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(1));
                if !shown.is_finished() {
                    shown.set_draw_target(ProgressDrawTarget::stderr());
                    shown.enable_steady_tick(Duration::from_millis(100));
                }
            });
        }
        Progress(bar)
    }
}

/// A progress display, which vanishes when it is dropped or cleared.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn step(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.inc(1);
    }

    /// Writes a line without tearing the bar.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Output {
    /// For what has no steps: shows that it goes on and what it waits for.
    pub(super) fn waiting(self, what: &str) -> Progress {
        let progress = self.progress(None, "");
        progress.0.set_message(what.to_owned());
        progress
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How much smaller an image has become, or larger.
pub(super) fn saved(before: u64, after: u64) -> String {
    let share = (1.0 - after as f64 / before.max(1) as f64) * 100.0;
    if share < 0.0 {
        format!("{:.0} % larger", -share)
    } else {
        format!("{share:.0} % saved")
    }
}

/// `1.4 MiB`: three digits at most before the point, in units of 1024.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_468_006, "1.4 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(super::size(bytes), text);
        }
    }
}
