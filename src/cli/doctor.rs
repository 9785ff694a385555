//! `doctor`.

use super::interrupt::Interrupt;
use super::operation_args::Doctor;
use super::output::Outcome;
use super::{Context, Result};
use crate::ops::{self, CheckStatus, Diagnosis, DoctorOptions};

pub(super) async fn run(context: &Context, arguments: Doctor) -> Result<Outcome> {
    let output = context.output;
    let options = arguments
        .origin
        .into_iter()
        .fold(DoctorOptions::default(), DoctorOptions::with_origin);
    let mut interrupt = None;
    let diagnosis = match context.open() {
        Ok(store) => {
            interrupt = Some(Interrupt::listen(output, "finishing, to remove the probes"));
            let _waiting = output.waiting("");
            ops::doctor(&store, &options).await
        }
        Err(error) => Diagnosis::of_error(&error),
    };
    for check in &diagnosis.checks {
        let (sign, colour) = match check.status {
            CheckStatus::Ok => ("ok     ", "32"),
            CheckStatus::Warning => ("WARNING", "33"),
            CheckStatus::Skipped => ("skipped", "2"),
            _ => ("FAILURE", "1;31"),
        };
        let sign = output.coloured(sign, colour);
        output.line(format_args!("{sign} {:<16} {}", check.name, check.message))?;
        if let Some(hint) = &check.hint {
            output.line(format_args!("                         hint: {hint}"))?;
        }
    }
    match diagnosis.first_failure() {
        Some(check) => output.note(format_args!("fix {} first", check.name)),
        None => output.note("healthy"),
    }
    output.document(&diagnosis)?;
    match interrupt {
        Some(interrupt) if interrupt.is_set() => Ok(Outcome::Interrupted),
        _ => Ok(Outcome::when(diagnosis.ok)),
    }
}
