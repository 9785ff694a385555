//! `migrate --optimize` from a store to itself: the files that were there before the store are joined by its own.

use std::path::Path;

use crate::common::images;
use crate::common::s3::Server;
use crate::shell::Shell;

/// Raw images in the store's own prefix get optimized ones beside them; a second run makes no more.
fn in_place(shell: &Shell, place: &str) {
    let args = [
        "migrate",
        place,
        place,
        "--optimize",
        "--url-map",
        "map.csv",
        "--json",
    ];
    let first = shell.run(&args).ok().json();
    assert_eq!(
        (first["copied"].as_u64(), first["failed"].as_u64()),
        (Some(2), Some(0)),
        "{first:#}"
    );
    let rows = || -> std::collections::BTreeSet<String> {
        let map = std::fs::read_to_string(shell.path("map.csv")).expect("a map");
        map.lines().skip(1).map(str::to_owned).collect()
    };
    let map = rows();
    let again = shell.run(&args).ok().json();
    assert_eq!(
        (again["copied"].as_u64(), again["present"].as_u64()),
        (Some(0), Some(2)),
        "{again:#}"
    );
    assert_eq!(rows(), map, "the same map");
    let objects = shell.run(&["ls", "--json"]).ok().json()["objects"].clone();
    assert_eq!(objects.as_array().map(Vec::len), Some(4), "{objects:#}");
    for url in map.iter().filter_map(|row| row.rsplit(',').next()) {
        shell.run(&["get", url, "-o", "got.jpg"]).ok();
        let bytes = std::fs::read(shell.path("got.jpg")).expect("there");
        assert!(
            bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.len() < 200_000,
            "{url}"
        );
    }
}

fn raw(shell: &Shell, folder: &str) {
    let photo = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/photo.jpg"));
    shell.write(
        &format!("{folder}/camera.jpg"),
        &photo.expect("the example photo"),
    );
    shell.write(&format!("{folder}/drawing.png"), &images::png_rgb(300, 200));
}

#[test]
fn a_directory_is_optimized_in_place() {
    let shell = Shell::new();
    raw(&shell, "uploads/components");
    in_place(&shell, "uploads/components");
    assert_eq!(
        shell
            .run(&["migrate", "uploads/components", "uploads/components"])
            .code,
        1
    );
}

/// Of an image in a folder that is named by an id one is made, and none of that one's variants.
#[test]
fn a_folder_that_is_named_by_an_id_is_optimized_in_place() {
    let shell = Shell::new().with(
        "LABLINK_STORAGE_VARIANTS",
        r#"{"thumb": {"max_width": 16}}"#,
    );
    let folder = "uploads/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    raw(&shell, folder);
    let place = "uploads/components";
    for (copied, present) in [(2, 0), (0, 2)] {
        let report = shell.run(&["migrate", place, place, "--optimize", "--json"]);
        let report = report.ok().json();
        assert_eq!(
            (report["copied"].as_u64(), report["present"].as_u64()),
            (Some(copied), Some(present)),
            "{report:#}"
        );
    }
    // The two files, and of each an image with its variant.
    let objects = shell.run(&["ls", "--json"]).ok().json()["objects"].clone();
    assert_eq!(objects.as_array().map(Vec::len), Some(6), "{objects:#}");
}

#[tokio::test]
async fn a_bucket_is_optimized_in_place() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    raw(&shell, "raw");
    let place = format!("s3://{}/components", bucket.name);
    shell.run(&["migrate", "raw", &place]).ok();
    in_place(&shell, &place);
}
