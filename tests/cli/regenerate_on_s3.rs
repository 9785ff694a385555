//! New sizes for many images in a bucket: killed on the way, asked once more than needed, in memory that does not
//! grow.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::common::faulty::Faulty;
use crate::common::images;
use crate::common::s3::{Bucket, Server};
use crate::migrate::watched;
use crate::migrate_answers::{against, run};
use crate::regenerate::{THUMB, stem};
use crate::shell::{Shell, killed};

/// Small images as uploads leave them, half of them with an original.
async fn fill(bucket: &Bucket, count: usize) {
    let (image, original) = (images::jpeg(24, 16), images::jpeg(48, 32));
    let objects = (0..count).flat_map(|number| {
        let main = (format!("/{}.jpg", stem(number)), image.clone());
        let beside = (format!("/originals/{}", stem(number)), original.clone());
        [Some(main), (number % 2 == 0).then_some(beside)]
    });
    stream::iter(objects.flatten())
        .map(|(target, bytes)| async move { bucket.send("PUT", &target, bytes).await.ok() })
        .buffer_unordered(16)
        .collect::<Vec<_>>()
        .await;
}

/// Every object, by its key.
fn objects(shell: &Shell) -> BTreeMap<String, Value> {
    let listed = shell.run(&["ls", "--json"]).ok().json();
    let objects = listed["objects"].as_array().expect("objects").iter();
    objects
        .map(|object| {
            (
                object["key"].as_str().expect("a key").to_owned(),
                object.clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn killed_three_times_and_nothing_is_lost_or_made_twice() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let count = if crate::common::full() { 1000 } else { 60 };
    let bucket = server.bucket().await;
    fill(&bucket, count).await;
    let shell =
        Shell::s3(&server, &bucket.name, &server.keys).with("LABLINK_STORAGE_VARIANTS", THUMB);
    let before = objects(&shell);
    assert_eq!(before.len(), count);

    for kill in 1..=3 {
        let enough = count + count * kill / 5;
        killed(&shell, &["regenerate"], async || {
            objects(&shell).len() >= enough
        })
        .await;
    }
    let made = objects(&shell);
    let thumbs = made.len() - count;
    assert!(thumbs < count, "killed on the way");

    let report = shell.run(&["regenerate", "--json"]).ok().json();
    let told = ["images", "complete", "made"].map(|name| report[name].as_u64());
    assert_eq!(
        told,
        [count, thumbs, count - thumbs].map(|sum| Some(sum as u64))
    );
    let all = objects(&shell);
    assert_eq!(all.len(), 2 * count);
    // Time and ETag included: neither a main object nor a thumb was written twice.
    assert!(made.iter().all(|(key, object)| all[key] == *object));
    assert!(before.iter().all(|(key, object)| all[key] == *object));
    let (image, bucket) = (images::jpeg(24, 16), &bucket);
    stream::iter(all.keys())
        .map(|key| async move { (key, bucket.send("GET", &format!("/{key}"), "").await.ok()) })
        .buffer_unordered(16)
        .for_each(|(key, found)| {
            if key.ends_with("/thumb.jpg") {
                let thumb = lablink_storage::optimize(&found.body, &Default::default());
                let thumb = thumb.expect("whole");
                assert_eq!((thumb.width, thumb.height), (16, 11));
            } else {
                assert!(found.body == image, "{key} is another");
            }
            std::future::ready(())
        })
        .await;
}

/// One listing tells that all is there: whatever else is asked, is asked for each image.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_asks_for_no_image() {
    let server = Faulty::start(|_, _| None).await;
    for number in 0..100 {
        let path = format!("/lab-images/{}.jpg", stem(number));
        server.store(&path, images::jpeg(24, 16));
    }
    let shell = against(&server).with("LABLINK_STORAGE_VARIANTS", THUMB);
    let (done, shell) = run(shell, &["regenerate", "--json"]).await;
    assert_eq!(done.ok().json()["made"], 100);
    let asked = server.requests().len();
    assert!(asked > 200, "each was read and written");
    let (again, _) = run(shell, &["regenerate", "--json"]).await;
    assert_eq!(again.ok().json()["complete"], 100);
    let requests = server.requests();
    let of_images = |path: &str| path.contains("components/");
    let further: Vec<&str> = requests[asked..]
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert!(
        !further.is_empty() && !further.iter().any(|path| of_images(path)),
        "{further:?}"
    );
}

#[tokio::test]
async fn memory_does_not_grow_with_the_number_of_images() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let (few, many) = if crate::common::full() {
        (1000, 10_000)
    } else {
        (40, 400)
    };
    let mut peaks = Vec::new();
    for count in [few, many] {
        let bucket = server.bucket().await;
        fill(&bucket, count).await;
        let shell =
            Shell::s3(&server, &bucket.name, &server.keys).with("LABLINK_STORAGE_VARIANTS", THUMB);
        let (output, peak) = watched(&shell, &["regenerate", "--json"]).await;
        assert!(output.status.success());
        assert_eq!(objects(&shell).len(), 2 * count);
        peaks.push(peak);
    }
    println!("peak at {few} and {many} images: {peaks:?} KiB");
    assert!(peaks[1] as f64 <= peaks[0] as f64 * 1.1, "{peaks:?} KiB");
}
