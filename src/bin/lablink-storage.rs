//! The command line. All of it is library code: see [`lablink_storage::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lablink_storage::cli::run(std::env::args_os()))
}
