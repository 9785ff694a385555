//! Every fault at every step of every operation, between the store and a real S3 server: never a success
//! for what is not whole, nothing half there, every call within its deadline.

use futures_util::{StreamExt, stream};
use lablink_storage::{ImageStore, UploadOptions};

use super::photo;
use super::proxy::{Matches, Spoil};
use super::stage::{Case, LATE, ODDITIES, Operation, Stage, Whole, with_parts};
use crate::common::s3::{Handle, Server};

/// In a normal run each so manieth case is run. It shares no factor with the number of cases of a step, so
/// that each step meets other faults.
const STRIDE: usize = 13;

/// How many cases run at once: most of them wait.
const AT_ONCE: usize = 16;

const FAULTS: [Spoil; 60] = {
    use Spoil::*;
    [
        Closed,
        ResetBeforeBody,
        ResetInBody,
        ResetAfterBody,
        ServedAndReset,
        Silent,
        ServedAndSilent,
        Half,
        Truncated,
        TruncatedAndReset,
        Stalled,
        Slow,
        Late,
        Xml(500, "InternalError"),
        Xml(503, "SlowDown"),
        Xml(503, "ServiceUnavailable"),
        Xml(400, "RequestTimeout"),
        Xml(403, "AccessDenied"),
        Xml(403, "QuotaExceeded"),
        Xml(403, "RequestTimeTooSkewed"),
        Xml(403, "InvalidObjectState"),
        Xml(404, "NoSuchBucket"),
        Xml(409, "OperationAborted"),
        Xml(412, "PreconditionFailed"),
        Xml(416, "InvalidRange"),
        Xml(400, "ExpiredToken"),
        Xml(200, "InternalError"),
        Html(200),
        Html(301),
        Html(400),
        Html(401),
        Html(403),
        Html(404),
        Html(409),
        Html(412),
        Html(413),
        Html(416),
        Html(429),
        Html(500),
        Html(502),
        Html(503),
        Html(504),
        HtmlOfAFile,
        Empty(200),
        Empty(404),
        Json,
        Redirect(301),
        Redirect(307),
        WrongETag,
        NoETag,
        LongLength,
        ShortLength,
        Chunked,
        UnmarkedHalf,
        Flipped,
        OtherXml,
        Endless,
        CutShort,
        Garbage,
        Twice,
    ]
};

fn steps() -> Vec<(Operation, &'static str, Matches)> {
    use Operation::*;
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
        (Get, "get", |method, _| method == "GET"),
        (Head, "head", |method, _| method == "HEAD"),
        (Exists, "head and what follows", |_, _| true),
        (List, "list", |_, target| listing(target)),
        (Status, "look", |_, _| true),
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
    ]
}

fn cases() -> Vec<Case> {
    let faults: Vec<Spoil> = FAULTS.into_iter().chain(ODDITIES).collect();
    let mut cases = Vec::new();
    for (operation, step, matches) in steps() {
        let is_of_keys = step == "list";
        for spoil in faults.iter().copied() {
            // A listing has no checksum: where the bit is one of a key's, nothing tells that the key is not
            // the one that lies there.
            if is_of_keys && spoil == Spoil::Flipped {
                continue;
            }
            for times in [1, usize::MAX] {
                cases.push(Case {
                    operation,
                    step,
                    matches,
                    spoil,
                    times,
                });
            }
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_step() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let memory = with_parts(ImageStore::builder().memory())
        .build()
        .expect("valid");
    let image = memory
        .upload(photo(), UploadOptions::default())
        .await
        .expect("stored");
    let thumb = memory
        .get(&image.variants["thumb"].key)
        .await
        .expect("there")
        .bytes;
    let whole = Whole {
        image: memory.get(&image.key).await.expect("there").bytes.to_vec(),
        thumb: thumb.to_vec(),
        original: photo(),
    };
    let mut cases = cases();
    if !crate::common::full() {
        cases = cases.into_iter().step_by(STRIDE).collect();
    }
    let handle: &Handle = &bucket;
    let plain = with_parts(bucket.store().with_prefix(""))
        .build()
        .expect("valid");
    let run = |number: usize, round: usize| {
        let (cases, plain, whole) = (&cases, &plain, &whole);
        async move {
            let place = round * cases.len() + number;
            let stage = Stage::set(handle, plain, whole, &cases[number], place).await;
            Some((number, stage.run().await.err()?))
        }
    };
    let mut complaints = Vec::new();
    let mut numbers: Vec<usize> = (0..cases.len()).collect();
    // What is late among many may have waited for its processor. Nobody is late three times in a row for that.
    for (round, at_once) in [AT_ONCE, 2, 1].into_iter().enumerate() {
        let found: Vec<(usize, String)> = stream::iter(numbers)
            .map(|number| run(number, round))
            .buffer_unordered(at_once)
            .filter_map(|complaint| async { complaint })
            .collect()
            .await;
        let is_last = at_once == 1;
        let (late, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(_, problem)| problem.starts_with(LATE) && !is_last);
        complaints.extend(others);
        println!("{} late with {at_once} at once", late.len());
        numbers = late.into_iter().map(|(number, _)| number).collect();
    }
    let lines: Vec<String> = complaints
        .iter()
        .map(|(number, problem)| {
            let case = &cases[*number];
            let times = if case.times == 1 { "once" } else { "always" };
            format!(
                "{:?}, {}: {:?} {times}: {problem}",
                case.operation, case.step, case.spoil
            )
        })
        .collect();
    assert!(
        lines.is_empty(),
        "{} of {} cases:\n{}",
        lines.len(),
        cases.len(),
        lines.join("\n")
    );
}
