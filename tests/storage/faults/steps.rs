//! The steps of every operation that can be spoilt.

use super::proxy::Matches;
use super::stage::Operation::{self, *};

/// An operation, the name of one of its steps, and the requests of it.
pub type Step = (Operation, &'static str, Matches);

/// The step that lists versions.
pub const LIST_VERSIONS: &str = "list the versions";

pub fn steps() -> Vec<Step> {
    let all = [
        of_one(),
        of_reading(),
        of_many(),
        of_making(),
        of_versions(),
    ];
    all.concat()
}

fn variant(target: &str) -> bool {
    target.contains("/thumb.")
}

fn pending(target: &str) -> bool {
    target.contains("/pending/")
}

fn main(target: &str) -> bool {
    !variant(target) && !pending(target) && !original(target) && !listing(target)
}

fn original(target: &str) -> bool {
    target.contains("/originals/")
}

fn marker(target: &str) -> bool {
    pending(target) && target.ends_with(".gone")
}

fn listing(target: &str) -> bool {
    target.contains("list-type=2")
}

fn versions(target: &str) -> bool {
    let query = target.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.contains("versions"))
}

/// What is done to one image.
fn of_one() -> Vec<Step> {
    vec![
        (Upload, "put the variant", |method, target| {
            method == "PUT" && variant(target)
        }),
        (Upload, "put the original", |method, target| {
            method == "PUT" && original(target)
        }),
        (Upload, "put the image", |method, target| {
            method == "PUT" && main(target)
        }),
        (Promote, "get the pending one", |method, target| {
            method == "GET" && pending(target)
        }),
        (Promote, "put the variant", |method, target| {
            method == "PUT" && variant(target)
        }),
        (Promote, "put the original", |method, target| {
            method == "PUT" && original(target)
        }),
        (Promote, "look for the marker", |_, target| marker(target)),
        (Promote, "put the image", |method, target| {
            method == "PUT" && main(target)
        }),
        (Promote, "delete the pending one", |method, target| {
            method == "DELETE" && pending(target)
        }),
        (Delete, "look for others of the id", |method, target| {
            method == "HEAD" && main(target)
        }),
        (Delete, "list the variants", |_, target| listing(target)),
        (Delete, "put the marker", |_, target| marker(target)),
        (Delete, "delete the original", |method, target| {
            method == "DELETE" && original(target)
        }),
        (Delete, "delete the variant", |method, target| {
            method == "DELETE" && variant(target)
        }),
        (Delete, "delete the image", |method, target| {
            method == "DELETE" && main(target)
        }),
    ]
}

/// What only reads.
fn of_reading() -> Vec<Step> {
    vec![
        (Get, "get", |method, _| method == "GET"),
        (Original, "get", |method, _| method == "GET"),
        (Head, "head", |method, _| method == "HEAD"),
        (Exists, "head and what follows", |_, _| true),
        (List, "list", |_, target| listing(target)),
        (Status, "look", |_, _| true),
    ]
}

/// What goes over many objects.
fn of_many() -> Vec<Step> {
    vec![
        (MigrateTo, "look at the target", |method, _| {
            method == "HEAD"
        }),
        (MigrateTo, "put", |method, _| method == "PUT"),
        (MigrateTo, "read back", |method, _| method == "GET"),
        (MigrateFrom, "list", |_, target| listing(target)),
        (MigrateFrom, "get", |method, target| {
            method == "GET" && main(target)
        }),
        (Sweep, "list", |_, target| listing(target)),
        (Sweep, "delete", |method, _| method == "DELETE"),
        (SweepUnused, "list", |_, target| listing(target)),
        (SweepUnused, "delete a part", |method, target| {
            method == "DELETE" && (variant(target) || original(target))
        }),
        (SweepUnused, "delete the image", |method, target| {
            method == "DELETE" && main(target)
        }),
        (SweepUnused, "put the marker", |_, target| marker(target)),
        (SweepRemains, "list", |_, target| listing(target)),
        (SweepRemains, "look for the image", |method, target| {
            method == "HEAD" && main(target)
        }),
        (SweepRemains, "delete a part", |method, target| {
            method == "DELETE" && (variant(target) || original(target))
        }),
        (SweepRemains, "delete the image", |method, target| {
            method == "DELETE" && main(target)
        }),
    ]
}

/// What is made of an image that is there.
fn of_making() -> Vec<Step> {
    vec![
        (RegenerateVariants, "list", |_, target| listing(target)),
        (RegenerateVariants, "get the original", |method, target| {
            method == "GET" && original(target)
        }),
        (RegenerateVariants, "put the variant", |method, target| {
            method == "PUT" && variant(target)
        }),
        (RegenerateVariants, "look at the image", |method, target| {
            method == "HEAD" && main(target)
        }),
        (RegenerateMain, "look for the marker", |_, target| {
            marker(target)
        }),
        (RegenerateMain, "get the original", |method, target| {
            method == "GET" && original(target)
        }),
        (RegenerateMain, "put the image", |method, target| {
            method == "PUT" && main(target)
        }),
        (RegenerateMain, "look for the marker again", |_, target| {
            marker(target)
        }),
        (Ensure, "get the variant", |method, target| {
            method == "GET" && variant(target)
        }),
        (Ensure, "get the original", |method, target| {
            method == "GET" && original(target)
        }),
        (Ensure, "put the variant", |method, target| {
            method == "PUT" && variant(target)
        }),
        (Ensure, "look at the image", |method, target| {
            method == "HEAD" && main(target)
        }),
    ]
}

/// What needs versions.
fn of_versions() -> Vec<Step> {
    vec![
        (Restore, "look whether there are versions", |_, target| {
            target.contains("versioning")
        }),
        (Restore, LIST_VERSIONS, |_, target| versions(target)),
        (Restore, "get a version", |method, target| {
            method == "GET" && target.contains("versionId=")
        }),
        (Restore, "put a part", |method, target| {
            method == "PUT" && (variant(target) || original(target))
        }),
        (Restore, "delete the marker", |_, target| marker(target)),
        (Restore, "put the image", |method, target| {
            method == "PUT" && main(target)
        }),
        (Restore, "look at what is back", |method, _| {
            method == "HEAD"
        }),
        (Erase, "look for others of the id", |method, target| {
            method == "HEAD" && main(target)
        }),
        (Erase, LIST_VERSIONS, |_, target| versions(target)),
        (Erase, "delete a version", |method, target| {
            method == "DELETE" && target.contains("versionId=")
        }),
    ]
}
