//! `versions` and `restore`.

use serde_json::json;

use super::args::{Restore, Versions};
use super::files::{entry, time};
use super::output::{Failure, Outcome, size};
use super::{Context, Result};

pub(super) async fn list(context: &Context, arguments: Versions) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let key = store.resolve(&arguments.key)?;
    let waiting = output.waiting(key.as_str());
    let versions = store.versions(&key).await?;
    drop(waiting);
    for version in &versions {
        let bytes = match version.is_deleted {
            true => "deleted".to_owned(),
            false => size(version.size),
        };
        let latest = if version.is_latest { " (latest)" } else { "" };
        let time = time(version.last_modified);
        output.line(format_args!(
            "{time} {bytes:>10} {}{latest}",
            version.version
        ))?;
    }
    if versions.is_empty() {
        output.note(format_args!("{key}: no versions"));
    }
    let versions = versions.iter().map(|version| {
        json!({
            "version": version.version,
            "is_latest": version.is_latest,
            "is_deleted": version.is_deleted,
            "size": version.size,
            "e_tag": version.e_tag,
            "last_modified": time(version.last_modified),
        })
    });
    let versions: Vec<_> = versions.collect();
    output.document(&json!({"key": key.as_str(), "versions": versions}))?;
    Ok(Outcome::Done)
}

pub(super) async fn restore(context: &Context, arguments: Restore) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let key = store.resolve(&arguments.key)?;
    let waiting = output.waiting(key.as_str());
    let restored = store.restore_purging(&key, arguments.version_id.as_deref());
    let (info, purge) = restored.await?;
    drop(waiting);
    let url = store.public_url(&key);
    output.line(format_args!("{url} is back ({})", size(info.size)))?;
    let mut document = entry(&store, &info);
    if let Some(failure) = &purge {
        let failure = Failure::of_purge(failure);
        output.failure("not purged from CloudFront", &failure);
        document["not_purged"] = failure.to_json();
    }
    output.document(&document)?;
    Ok(Outcome::Done)
}
