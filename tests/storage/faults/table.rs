//! Every fault at every step of every operation, between the store and a real S3 server: never a success
//! for what is not whole, nothing half there, every call within its deadline.

use futures_util::{StreamExt, stream};
use lablink_storage::{ImageStore, UploadOptions};

use super::photo;
use super::spoil::{FAULTS, ODDITIES, Spoil};
use super::stage::{Case, Ground, Grounds, LATE, Stage, UNMET, Whole, with_parts};
use super::steps::{LIST_VERSIONS, steps};
use crate::common::s3::Server;

/// In a normal run each so manieth case is run. It shares no factor with the number of cases of a step, so
/// that each step meets other faults.
const STRIDE: usize = 13;

/// How many cases run at once: most of them wait.
const AT_ONCE: usize = 16;

fn cases() -> Vec<Case> {
    let faults: Vec<Spoil> = FAULTS.into_iter().chain(ODDITIES).collect();
    let mut cases = Vec::new();
    for (operation, step, matches) in steps() {
        let is_of_keys = step == "list" || step == LIST_VERSIONS;
        for spoil in faults.iter().copied() {
            // A listing has no checksum: where the bit is one of a key's, nothing tells that the key is not
            // the one that lies there.
            if is_of_keys && spoil == Spoil::Flipped {
                continue;
            }
            // To HEAD this is what S3 says of an object that is not there: nobody could tell.
            if step == "look at the image" && spoil == Spoil::Xml(404, "NoSuchBucket") {
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

/// What an image is when nothing goes wrong.
async fn whole() -> Whole {
    let memory = with_parts(ImageStore::builder().memory())
        .build()
        .expect("valid");
    let image = memory
        .upload(photo(), UploadOptions::default())
        .await
        .expect("stored");
    let key = &image.variants["thumb"].key;
    let thumb = memory.get(key).await.expect("there").bytes;
    memory.delete(key).await.expect("removed");
    let alone = memory.ensure_variant(&image.key, "thumb").await;
    let alone = memory.get(&alone.expect("made").key).await;
    Whole {
        image: memory.get(&image.key).await.expect("there").bytes.to_vec(),
        thumb: thumb.to_vec(),
        alone: alone.expect("there").bytes.to_vec(),
        original: photo(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_step() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let grounds = Grounds {
        usual: Ground::new(&server, false).await,
        versioned: Ground::new(&server, true).await,
    };
    let whole = whole().await;
    // Where an image is made anew, the bytes tell which of the two is there.
    assert!(![&whole.image, &whole.thumb, &whole.alone].contains(&&photo()));
    let mut cases = cases();
    if !crate::common::full() {
        cases = cases.into_iter().step_by(STRIDE).collect();
    }
    let run = |number: usize, round: usize| {
        let (cases, grounds, whole) = (&cases, &grounds, &whole);
        async move {
            let place = round * cases.len() + number;
            let stage = Stage::set(grounds, whole, &cases[number], place).await;
            Some((number, stage.run().await.err()?))
        }
    };
    let mut complaints = Vec::new();
    let mut numbers: Vec<usize> = (0..cases.len()).collect();
    // What is late among many may have waited for its processor, and may have had no time left for the step.
    // Nobody is late three times in a row for that.
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
            .partition(|(_, problem)| (problem.starts_with(LATE) || problem == UNMET) && !is_last);
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
