//! `setup`.

use std::fs;
use std::path::Path;

use super::files::write_whole;
use super::operation_args::{ArchiveClass, Setup as Arguments};
use super::output::{Failure, Outcome};
use super::{Context, Result};
use crate::config::Config;
use crate::kind::ErrorKind;
use crate::ops::{Archive, Setup, SetupOptions};

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome> {
    let setup = Setup::new(options(&context.config()?, &arguments)?)
        .map_err(|error| Failure::new(ErrorKind::InvalidArgument, error.to_string()))?;
    let output = context.output;
    if arguments.origin.is_empty() {
        output.note("note: no --origin given, so pages cannot upload directly (no CORS rules)");
    }
    if output.json {
        output.document(&setup.documents())?;
    } else if arguments.script {
        output.raw(setup.script().as_bytes())?;
    } else if let Some(directory) = &arguments.output {
        write(context, &setup, directory)?;
    } else {
        for (name, contents) in setup.files() {
            output.line(format_args!("== {name}\n{}", contents.trim_end()))?;
        }
        output.note("nothing was changed; --script prints a script that sets all of this up, --output DIR writes the files");
    }
    Ok(Outcome::Done)
}

fn options(config: &Config, arguments: &Arguments) -> Result<SetupOptions> {
    let mut options = SetupOptions::from_config(config).ok_or_else(|| {
        Failure::new(
            ErrorKind::Configuration,
            "setup needs a bucket, and AWS_S3_BUCKET is not set",
        )
        .with_hint("set AWS_S3_BUCKET, and AWS_REGION, in the environment or in .env")
    })?;
    options.origins.clone_from(&arguments.origin);
    options.cloudfront = arguments.cloudfront;
    options.certificate.clone_from(&arguments.certificate);
    options.account.clone_from(&arguments.account);
    options.role.clone_from(&arguments.role);
    options.user.clone_from(&arguments.user);
    options.tags.extend(arguments.tag.iter().cloned());
    options.versioning = arguments.versioning;
    options.pending_days = arguments.pending_days;
    let days = arguments.archive_after;
    let archive = |class| match class {
        ArchiveClass::IntelligentTiering => Archive::IntelligentTiering(days),
        ArchiveClass::GlacierIr => Archive::GlacierInstant(days),
        ArchiveClass::Glacier => Archive::Glacier(days),
    };
    options.archive = arguments.archive.map(archive);
    options.archive_originals = arguments.archive_originals.map(archive);
    if let Some(key) = &arguments.kms_key {
        options.kms_key = Some(key.clone());
    }
    options.replica.clone_from(&arguments.replicate_to);
    options.notify.clone_from(&arguments.notify);
    Ok(options)
}

fn write(context: &Context, setup: &Setup, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
    let mut files = setup.files();
    files.push(("setup.sh".to_owned(), setup.script()));
    for (name, contents) in files {
        let path = directory.join(name);
        write_whole(&path, contents.as_bytes())?;
        context.output.line(path.display())?;
    }
    Ok(())
}
