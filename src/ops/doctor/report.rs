//! The findings of an examination.

use serde::Serialize;

use crate::error::Error;

/// The end of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckStatus {
    /// All is well.
    Ok,
    /// It works, but something should be looked at.
    Warning,
    /// It does not work.
    Failure,
    /// It was not tried, and the message says why.
    Skipped,
}

impl CheckStatus {
    /// `"ok"`, `"warning"`, `"failure"` or `"skipped"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The name of the check: `"credentials"`, `"put"`, `"cors"`, …
    pub name: &'static str,
    /// The end of the check.
    pub status: CheckStatus,
    /// The finding, in one sentence.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

/// All that was tried, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// True if nothing failed; warnings do not count.
    pub ok: bool,
    /// The checks. Start with the first failure: later ones may only follow from it.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// Returns the diagnosis where the configuration does not even make a store.
    pub fn of_error(error: &Error) -> Self {
        let mut findings = Findings::default();
        findings.failure("configuration", Finding::from(error));
        findings.finish()
    }

    /// The first check that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.status == CheckStatus::Failure)
    }
}

/// A problem that a check found, with its remedy.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl From<&Error> for Finding {
    fn from(error: &Error) -> Self {
        Self {
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// The checks so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checks: Vec<Check>,
}

impl Findings {
    fn add(
        &mut self,
        name: &'static str,
        status: CheckStatus,
        message: String,
        hint: Option<String>,
    ) {
        tracing::debug!(name, status = status.as_str(), message, "checked");
        self.checks.push(Check {
            name,
            status,
            message,
            hint,
        });
    }

    pub(super) fn ok(&mut self, name: &'static str, message: impl Into<String>) {
        self.add(name, CheckStatus::Ok, message.into(), None);
    }

    pub(super) fn warning(&mut self, name: &'static str, trouble: Finding) {
        self.add(name, CheckStatus::Warning, trouble.message, trouble.hint);
    }

    pub(super) fn failure(&mut self, name: &'static str, trouble: Finding) {
        self.add(name, CheckStatus::Failure, trouble.message, trouble.hint);
    }

    pub(super) fn skipped(&mut self, name: &'static str, why: impl Into<String>) {
        self.add(name, CheckStatus::Skipped, why.into(), None);
    }

    pub(super) fn skip_all(&mut self, names: &[&'static str], why: &str) {
        for name in names {
            self.skipped(name, why);
        }
    }

    /// Returns whether something failed so far.
    pub(super) fn any_failure(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.status == CheckStatus::Failure)
    }

    pub(super) fn finish(self) -> Diagnosis {
        Diagnosis {
            ok: !self.any_failure(),
            checks: self.checks,
        }
    }
}
