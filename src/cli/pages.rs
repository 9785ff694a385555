//! `completions` and `man`, both made from the arguments themselves.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Arguments;
use super::output::{Failure, Outcome};
use super::{Context, Result};

const NAME: &str = "lablink-storage";

pub(super) fn completions(context: &Context, shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 spells a name with a hyphen in two ways, and then completes no command's options.
        let text = String::from_utf8_lossy(&script);
        script = text
            .replace("lablink__subcmd__storage__", "lablink__storage__")
            .into();
    }
    context.output.raw(&script)?;
    Ok(Outcome::Done)
}

pub(super) fn man(context: &Context, directory: Option<&Path>) -> Result<Outcome> {
    let command = Arguments::command();
    match directory {
        Some(directory) => {
            let failure = |error: std::io::Error| Failure::file(directory, &error);
            fs::create_dir_all(directory).map_err(failure)?;
            clap_mangen::generate_to(command, directory).map_err(failure)?;
            context
                .output
                .note(format_args!("{}: written", directory.display()));
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            context.output.raw(&page)?;
        }
    }
    Ok(Outcome::Done)
}
