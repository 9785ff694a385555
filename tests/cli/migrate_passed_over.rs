//! What `migrate` cannot take out of a bucket: it is said, so that nobody deletes the source and loses it.

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::migrate_answers::{against, is_listing, listing, md5, run};
use crate::shell::Done;

const IMAGES: &str = "prefix=components%2F";
const ORIGINALS: &str = "prefix=originals%2Fcomponents%2F";

const JSON: &[&str] = &["migrate", "s3://lab-images/components", "new", "--json"];

/// A bucket whose listings of images and of originals are these answers.
async fn bucket(images: Fault, originals: Fault) -> Faulty {
    let server = Faulty::start(move |request, _| {
        if !is_listing(&request.method, &request.path) {
            return None;
        }
        let of = |prefix: &str| request.query.split('&').any(|pair| pair == prefix);
        if of(IMAGES) {
            return Some(images.clone());
        }
        of(ORIGINALS).then(|| originals.clone())
    })
    .await;
    server.store("/lab-images/components/board.jpg", images::jpeg(64, 48));
    server
}

/// The listing of one good image and further objects.
fn listed(further: &[(&str, u64)]) -> Fault {
    let photo = images::jpeg(64, 48);
    let digest = md5(&photo);
    let mut objects = vec![("components/board.jpg", photo.len() as u64, digest.as_str())];
    objects.extend(further.iter().map(|(key, size)| (*key, *size, "0")));
    Fault::Answer(200, Vec::new(), listing(&objects))
}

fn nothing() -> Fault {
    Fault::Answer(200, Vec::new(), listing(&[]))
}

fn counted(done: &Done) -> (i32, Option<u64>, Option<u64>, usize) {
    let report = done.json();
    let named = report["unnamable"].as_array().map_or(0, Vec::len);
    (
        done.code,
        report["copied"].as_u64(),
        report["left_out"].as_u64(),
        named,
    )
}

/// They were a warning in a log that the command does not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_whose_keys_can_be_no_keys_are_named_and_left_out() {
    let odd = [
        ("components//a.jpg", 9),
        ("components/../b.jpg", 9),
        ("components/c&#x1;.jpg", 9),
        // Written in a console, a folder is empty; this one is data.
        ("components/d/", 9),
        ("components/folder/", 0),
    ];
    let original = listing(&[("originals/components//e", 9, "0")]);
    let server = bucket(listed(&odd), Fault::Answer(200, Vec::new(), original)).await;
    let (done, shell) = run(against(&server), JSON).await;
    let report = done.json();
    assert_eq!(counted(&done), (0, Some(1), Some(5), 5), "{report:#}");
    assert_eq!(
        report["unnamable"],
        serde_json::json!([
            "components//a.jpg",
            "components/../b.jpg",
            "components/c\u{1}.jpg",
            "components/d/",
            "originals/components//e",
        ])
    );
    assert!(shell.path("new/board.jpg").exists());

    let text = &["migrate", "s3://lab-images/components", "new"];
    let (done, _) = run(shell, text).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("1 there already"), "{}", done.out);
    assert!(done.out.contains("5 left out, 0 failed"), "{}", done.out);
    for name in [r#""components//a.jpg""#, r#""components/c\u{1}.jpg""#] {
        let line = format!("{name}: its name cannot be a key: rename it");
        assert!(done.err.contains(&line), "{}", done.err);
    }

    let dry = &[
        "migrate",
        "s3://lab-images/components",
        "newer",
        "--dry-run",
        "--optimize",
        "--json",
    ];
    // With --optimize the originals are not listed: they go with their images.
    let (done, _) = run(against(&server), dry).await;
    assert_eq!(counted(&done), (0, Some(1), Some(4), 4), "{}", done.out);
}

/// All of them count, the first thousand are named, on whatever page they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_bounded_and_the_count_is_not() {
    let keys: Vec<String> = (0..1100).map(|n| format!("components//{n}.jpg")).collect();
    let odd: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 9)).collect();
    let server = bucket(listed(&odd), nothing()).await;
    let (done, _) = run(against(&server), JSON).await;
    assert_eq!(counted(&done), (0, Some(1), Some(1100), 1000));
}

/// Whoever keeps no originals need not be let at any: it is said, and is no failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn originals_that_may_not_be_listed_are_told() {
    const NOTE: &str = "the originals may not be listed: any that there are stay where they are";
    let denied = || Fault::error(403, "AccessDenied");
    let server = bucket(listed(&[]), denied()).await;
    let (done, shell) = run(against(&server), JSON).await;
    let report = done.json();
    assert_eq!(counted(&done), (0, Some(1), Some(0), 0), "{report:#}");
    assert_eq!(report["originals_unlisted"], true, "{report:#}");
    assert!(done.err.contains(NOTE), "{}", done.err);
    let keeping = shell.with("LABLINK_STORAGE_KEEP_ORIGINAL", "true");
    let (done, _) = run(keeping, JSON).await;
    assert_eq!(
        (done.code, done.json()["error"].as_str()),
        (1, Some("access_denied"))
    );

    let server = bucket(listed(&[]), nothing()).await;
    let (done, _) = run(against(&server), JSON).await;
    assert_eq!(done.ok().json()["originals_unlisted"], false);
}
