//! The command line: arguments in, words out.
//!
//! [`run`] is all of it; the binary and the Python wheel call the same.

mod args;
mod doctor;
mod document;
mod files;
mod handle_event;
mod inputs;
mod interrupt;
mod many;
mod migrate;
mod operation_args;
mod optimize;
mod optimize_flags;
mod output;
mod pages;
mod parse;
mod presign;
mod regenerate;
mod setup;
mod sweep;
mod versions;

use std::env::VarError;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::config::{Config, ConfigBuilder};
use crate::error::Error;
use crate::kind::ErrorKind;
use crate::store::{ImageStore, LoadInspector};
use args::{Arguments, Command};
use output::{Failure, FailureKind, Outcome, Output};

type Result<T, E = Failure> = std::result::Result<T, E>;

/// Runs one command of the command line and answers with its exit code: 0 done, 1 it failed, 2 wrong
/// usage, 130 ended by Ctrl-C.
///
/// `args` begins with the program's name. The store is described by the process's environment and, for
/// what is not set there, by a `.env` file in the working directory. Results go to stdout, words and
/// progress to stderr.
///
/// ```
/// let code = lablink_storage::cli::run(["lablink-storage", "no-such-command"].map(Into::into));
/// assert_eq!(code, 2);
/// ```
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    crate::optimize::silence_caught_panics();
    run_with(args, of_process(), None)
}

/// The process's environment.
///
/// # Errors
///
/// For a setting of ours that is not UTF-8: passing over it would mean another value than was asked for.
fn of_process() -> Result<Vec<(String, String)>> {
    // It comes before every other error; those wait, because a `.env` file may yet put them right.
    if let Err(error) = ConfigBuilder::from_env()
        && let Err(VarError::NotUnicode(_)) = std::env::var(error.setting())
    {
        return Err(Error::from(error).into());
    }
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Ok(std::env::vars_os().filter_map(text).collect())
}

/// As [`run`], with `vars` instead of the process's environment.
pub fn run_with_vars(
    args: impl IntoIterator<Item = OsString>,
    vars: impl IntoIterator<Item = (String, String)>,
) -> u8 {
    run_with(args, Ok(vars.into_iter().collect()), None)
}

/// As [`run`], for a face that can find the inspector which `LABLINK_STORAGE_INSPECTOR` names.
pub fn run_loading(
    args: impl IntoIterator<Item = OsString>,
    vars: Option<Vec<(String, String)>>,
    load: LoadInspector,
) -> u8 {
    crate::optimize::silence_caught_panics();
    run_with(args, vars.map_or_else(of_process, Ok), Some(load))
}

fn run_with(
    args: impl IntoIterator<Item = OsString>,
    vars: Result<Vec<(String, String)>>,
    load: Option<LoadInspector>,
) -> u8 {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(refused) => {
            // Help and version come this way too; clap knows which stream is theirs.
            let _ = refused.print();
            return u8::try_from(refused.exit_code()).unwrap_or(2);
        }
    };
    let output = Output {
        json: arguments.json,
        quiet: arguments.quiet,
    };
    let outcome = vars
        .and_then(|vars| Context::new(output, vars, load, arguments.env_file))
        .and_then(|context| dispatch(&context, arguments.command));
    match outcome {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Failed) => 1,
        Ok(Outcome::Interrupted) => interrupt::EXIT_CODE,
        Err(failure) => {
            if failure.kind != FailureKind::BrokenPipe {
                output.failure("lablink-storage", &failure);
                let _ = output.document(&failure.to_json());
            }
            match failure.kind {
                FailureKind::Interrupted => interrupt::EXIT_CODE,
                _ if failure.is_usage => 2,
                _ => 1,
            }
        }
    }
}

fn dispatch(context: &Context, command: Command) -> Result<Outcome> {
    // These ask nothing of a server.
    match command {
        Command::Setup(arguments) => return setup::run(context, *arguments),
        Command::Url(arguments) => return files::url(context, &arguments),
        Command::Completions { shell } => return pages::completions(context, shell),
        Command::Man { output } => return pages::man(context, output.as_deref()),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ErrorKind::Internal, format!("no runtime: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Put(arguments) => files::put(context, arguments).await,
            Command::Get(arguments) => files::get(context, arguments).await,
            Command::Ls(arguments) => files::ls(context, arguments).await,
            Command::Rm(arguments) => files::rm(context, arguments).await,
            Command::Promote(arguments) => files::promote(context, arguments).await,
            Command::Versions(arguments) => versions::list(context, arguments).await,
            Command::Restore(arguments) => versions::restore(context, arguments).await,
            Command::Status => files::status(context).await,
            Command::Presign(arguments) => presign::run(context, arguments).await,
            Command::Doctor(arguments) => doctor::run(context, arguments).await,
            Command::Migrate(arguments) => migrate::run(context, arguments).await,
            Command::Regenerate(arguments) => regenerate::run(context, arguments).await,
            Command::Sweep(arguments) => sweep::run(context, arguments).await,
            Command::HandleEvent(arguments) => handle_event::run(context, arguments).await,
            Command::Optimize(arguments) => optimize::run(context, *arguments).await,
            Command::Setup(_)
            | Command::Url(_)
            | Command::Completions { .. }
            | Command::Man { .. } => Ok(Outcome::Done),
        }
    })
}

/// The parts that every command works with.
struct Context {
    output: Output,
    vars: Vec<(String, String)>,
    load: Option<LoadInspector>,
}

impl Context {
    fn new(
        output: Output,
        mut vars: Vec<(String, String)>,
        load: Option<LoadInspector>,
        env_file: Option<PathBuf>,
    ) -> Result<Self> {
        let path = env_file.as_deref().unwrap_or(Path::new(".env"));
        if let Some(text) = read_env_file(path, env_file.is_some())? {
            let more = parse::env_file(&text).map_err(|reason| {
                Failure::new(
                    ErrorKind::Configuration,
                    format!("{}: {reason}", path.display()),
                )
            })?;
            let unset = |name: &str| !vars.iter().any(|(known, _)| known == name);
            let more: Vec<_> = more.into_iter().filter(|(name, _)| unset(name)).collect();
            vars.extend(more);
        }
        Ok(Self { output, vars, load })
    }

    fn config(&self) -> Result<Config> {
        Ok(Config::from_vars(self.vars.iter().cloned()).map_err(Error::from)?)
    }

    fn open(&self) -> std::result::Result<ImageStore, Error> {
        let config = Config::from_vars(self.vars.iter().cloned())?;
        ImageStore::from_config_loading(config, self.load)
    }

    /// Returns the store, with a warning on stderr where nobody chose one.
    fn store(&self) -> Result<ImageStore> {
        let store = self.open()?;
        if let Some(warning) = store.config().warning()
            && !self.output.quiet
        {
            self.output.note(format_args!("warning: {warning}"));
        }
        Ok(store)
    }
}

/// The file's text; none where it was not asked for and is not there.
fn read_env_file(path: &Path, asked_for: bool) -> Result<Option<String>> {
    let failure = |error: &io::Error| Failure::file(path, error);
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked_for => return Ok(None),
        Err(error) => return Err(failure(&error)),
    };
    let mut text = String::new();
    file.take(parse::MAX_ENV_FILE + 1)
        .read_to_string(&mut text)
        .map_err(|error| failure(&error))?;
    if text.len() as u64 > parse::MAX_ENV_FILE {
        return Err(Failure::new(
            ErrorKind::Configuration,
            format!("{}: larger than 1 MiB", path.display()),
        ));
    }
    Ok(Some(text))
}
