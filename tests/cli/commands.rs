//! Every command's help, its usage errors, and what it prints for scripts.

use serde_json::Value;

use crate::common::images;
use crate::common::s3::Server;
use crate::shell::Shell;

const COMMANDS: [&[&str]; 21] = [
    &["put"],
    &["get"],
    &["ls"],
    &["rm"],
    &["url"],
    &["promote"],
    &["versions"],
    &["restore"],
    &["status"],
    &["presign"],
    &["presign", "get"],
    &["presign", "put"],
    &["presign", "post"],
    &["optimize"],
    &["doctor"],
    &["setup"],
    &["migrate"],
    &["sweep"],
    &["handle-event"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_explains_itself_with_an_example() {
    let shell = Shell::new();
    let whole = shell.run(&["--help"]).ok();
    for command in COMMANDS {
        let help = shell.run(&[command, &["--help"]].concat()).ok();
        assert!(help.err.is_empty(), "{command:?}: {}", help.err);
        assert!(help.out.contains("Usage: lablink-storage"), "{}", help.out);
        if *command != ["presign"] {
            assert!(help.out.contains("Example"), "{}", help.out);
        }
        assert!(
            whole.out.contains(command[0]),
            "{command:?} is not in --help"
        );
    }
    assert!(
        shell
            .run(&["--version"])
            .ok()
            .out
            .starts_with("lablink-storage ")
    );
}

#[test]
fn wrong_usage_is_exit_code_2_and_touches_nothing() {
    let shell = Shell::new();
    for args in [
        &[][..],
        &["no-such-command"],
        &["put"],
        &["put", "--no-such-option", "x"],
        &["get"],
        &["rm"],
        &["url"],
        &["promote"],
        &["ls", "a", "b"],
        &["status", "x"],
        &["presign"],
        &["presign", "delete", "x"],
        &["presign", "get", "x", "--expires-in", "soon"],
        &["optimize", "x.jpg"],
        &["optimize", "x.jpg", "-o", "out", "--quality", "101"],
        &["optimize", "x.jpg", "-o", "out", "--format", "gif"],
        &["doctor", "--origin"],
        &["doctor", "--origin", "lab.example.org"],
        &["setup", "--origin", "https://lab.example.org/"],
        &["migrate", "a", "b", "--url-map", "map.txt"],
        &["setup", "--json", "--script"],
        &["setup", "--tag", "no-equals-sign"],
        &["migrate", "only-one"],
        &["migrate", "a", "b", "--concurrency", "0"],
        &["sweep", "--older-than", "yesterday"],
        &["sweep", "--force"],
        &["handle-event", "a", "b"],
    ] {
        let done = shell.run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.err);
        assert!(done.out.is_empty() && !done.err.is_empty(), "{args:?}");
    }
    assert_eq!(
        std::fs::read_dir(shell.path("")).expect("listed").count(),
        0
    );
}

/// The way of one image through all commands, on local files, read by a program.
#[test]
fn json_is_one_document_on_stdout() {
    let shell = Shell::new().with("LABLINK_STORAGE_SECRET", &"s".repeat(32));
    shell.write("board.png", &images::png_rgb(64, 48));
    let put = shell.run(&["put", "board.png", "--json"]).ok();
    let image = put.json()["images"][0].clone();
    assert_eq!(
        (image["width"].as_u64(), image["height"].as_u64()),
        (Some(64), Some(48))
    );
    assert_eq!(image["content_type"], "image/jpeg");
    assert_eq!(image["source"]["format"], "image/png");
    let key = image["key"].as_str().expect("a key").to_owned();
    let url = image["url"].as_str().expect("a URL").to_owned();
    assert_eq!(url, format!("/uploads/{key}"));

    let listed = shell.run(&["ls", "--json"]).ok().json();
    assert_eq!(listed["objects"][0]["key"], key.as_str());
    assert_eq!(
        shell.run(&["url", &key, "--json"]).ok().json()["url"],
        url.as_str()
    );
    assert_eq!(shell.run(&["url", &key]).ok().out.trim(), url);

    let got = shell
        .run(&["get", &url, "-o", "back.jpg", "--json"])
        .ok()
        .json();
    assert_eq!(got["content_type"], "image/jpeg");
    let back = std::fs::read(shell.path("back.jpg")).expect("written");
    assert_eq!(back.len() as u64, image["size"].as_u64().expect("a size"));
    assert!(back.starts_with(&[0xff, 0xd8, 0xff]));
    // A target that is not a regular file is written to, not replaced.
    let shown = shell.run(&["get", &key, "-o", "/dev/stdout"]).ok();
    assert!(shown.out.contains("JFIF"), "{}", shown.out);
    let full = shell.run(&["get", &key, "-o", "/dev/full"]);
    assert!(
        full.code == 1 && full.err.contains("No space left"),
        "{}",
        full.err
    );

    let signed = shell
        .run(&["presign", "get", &key, "--json", "--expires-in", "60"])
        .ok()
        .json();
    assert_eq!(signed["method"], "GET");
    let form = shell
        .run(&["presign", "post", "x.png", "--json"])
        .ok()
        .json();
    assert!(
        form["key"]
            .as_str()
            .expect("a key")
            .starts_with("pending/components/")
    );
    assert!(
        form["fields"]
            .as_array()
            .is_some_and(|fields| !fields.is_empty())
    );
    let put = shell.run(&["presign", "put", "x.png", "--json"]);
    assert_eq!(
        (put.code, put.json()["error"].clone()),
        (1, Value::from("not_supported"))
    );

    let status = shell.run(&["status", "--json"]).ok().json();
    assert_eq!(
        (status["enabled"].as_bool(), status["accessible"].as_bool()),
        (Some(false), Some(true))
    );
    let diagnosis = shell.run(&["doctor", "--json"]).ok().json();
    assert_eq!(diagnosis["ok"], true, "{diagnosis:#}");
    let swept = shell.run(&["sweep", "--json"]).ok().json();
    assert_eq!(swept["removed"], 0);
    let events = shell
        .run_with_stdin(&["handle-event", "--json"], br#"{"Records":[]}"#)
        .ok()
        .json();
    assert_eq!(events["ok"], true);
    let moved = shell
        .run(&["migrate", "uploads", "copy", "--json"])
        .ok()
        .json();
    assert_eq!(moved["copied"], 1);
    let smaller = shell
        .run(&[
            "optimize",
            "board.png",
            "-o",
            "small",
            "--max-width",
            "32",
            "--json",
        ])
        .ok()
        .json();
    assert_eq!(smaller["images"][0]["width"], 32);

    let removed = shell.run(&["rm", &key, "--json"]).ok().json();
    assert_eq!(removed["removed"][0], key.as_str());
    assert_eq!(
        shell.run(&["ls", "--json"]).ok().json()["objects"],
        serde_json::json!([])
    );
    let bucket = shell
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_REGION", "eu-central-1");
    let setup = bucket
        .run(&["setup", "--json", "--origin", "https://lab.example.org"])
        .ok()
        .json();
    for name in ["bucket_policy", "cors", "iam_policy", "lifecycle"] {
        assert!(setup[name].is_object(), "{name}");
    }
    assert!(setup["cors"]["CORSRules"].is_array() && setup["lifecycle"]["Rules"].is_array());
}

#[test]
fn bad_input_is_one_line_with_a_hint_and_leaves_everything_as_it_was() {
    let shell = Shell::new();
    shell.write("page.jpg", b"<!DOCTYPE html><script>alert(1)</script>");
    shell.write("good.jpg", &images::jpeg(32, 32));
    let done = shell.run(&["put", "page.jpg", "missing.jpg", "--json"]);
    assert_eq!(done.code, 1);
    let failures = done.json()["failures"].clone();
    assert_eq!(failures[0]["error"], "unsupported_format");
    assert_eq!(failures[1]["error"], "not_found");
    assert!(!shell.path("uploads").exists(), "nothing was stored");
    assert!(
        done.err.lines().all(|line| !line.contains("panicked")),
        "{}",
        done.err
    );

    // One bad file does not keep the good one away.
    let mixed = shell.run(&["put", "page.jpg", "good.jpg", "--json"]);
    assert_eq!(
        (mixed.code, mixed.json()["images"].as_array().map(Vec::len)),
        (1, Some(1))
    );

    // A key that is foreign stops rm before the first removal.
    let key = mixed.json()["images"][0]["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    let foreign = shell.run(&["rm", &key, "https://elsewhere.example.org/x.jpg", "--json"]);
    assert_eq!(
        (foreign.code, foreign.json()["error"].clone()),
        (1, Value::from("foreign_url"))
    );
    assert_eq!(
        shell.run(&["ls", "--json"]).json()["objects"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    // A result is never written over what it came from.
    let onto = shell.run(&["optimize", "good.jpg", "-o", ".", "--json"]);
    assert_eq!(
        (onto.code, onto.json()["failures"][0]["error"].clone()),
        (1, Value::from("already_exists"))
    );
}

#[test]
fn env_files_fill_in_what_the_environment_lacks() {
    let shell = Shell::new();
    shell.write(
        ".env",
        b"LABLINK_STORAGE_DIR=from-file\nLABLINK_STORAGE_PREFIX='boards'\n",
    );
    shell.write("good.jpg", &images::jpeg(32, 32));
    shell.run(&["put", "good.jpg"]).ok();
    assert!(shell.path("from-file/boards").is_dir());
    let shell = shell.with("LABLINK_STORAGE_DIR", "from-environment");
    shell.run(&["put", "good.jpg"]).ok();
    assert!(shell.path("from-environment/boards").is_dir());
    shell.write("broken.env", b"AWS_SECRET_ACCESS_KEY 'hush-hush'\n");
    let broken = shell.run(&["ls", "--env-file", "broken.env"]);
    assert_eq!(broken.code, 1);
    assert!(
        broken.err.contains("line 1") && !broken.err.contains("hush"),
        "{}",
        broken.err
    );
    assert_eq!(shell.run(&["ls", "--env-file", "none.env"]).code, 1);
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let shell = Shell::new();
    shell.write("good.jpg", &images::jpeg(32, 32));
    shell.run(&["put", "good.jpg"]).ok();
    let mut command = shell.command("bash");
    command.args([
        "-c",
        r#""$0" ls | true; echo "${PIPESTATUS[0]}" >&2"#,
        crate::shell::BINARY,
    ]);
    let done = crate::shell::finish(command, b"");
    assert!(!done.err.contains("panicked"), "{}", done.err);
}

/// A deletion is undone, and an erased image is gone, on a bucket with versioning.
#[tokio::test]
async fn versions_restore_and_rm_all_versions() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bucket.send("PUT", "?versioning", on).await.ok();
    let shell =
        Shell::s3(&server, &bucket.name, &server.keys).with("LABLINK_STORAGE_CREATE_ONLY", "false");
    shell.write("a.jpg", &images::jpeg(40, 30));
    let stored = shell.run(&["put", "a.jpg", "--json"]).ok().json();
    let key = stored["images"][0]["key"].as_str().expect("a key");
    assert_eq!(shell.run(&["restore", key]).code, 1);
    shell.run(&["rm", key]).ok();
    let listed = shell.run(&["versions", key, "--json"]).ok().json();
    assert_eq!(listed["versions"][0]["is_deleted"], true, "{listed}");
    let words = shell.run(&["versions", key]).ok().out;
    assert!(
        words.contains(" deleted ") && words.contains("(latest)"),
        "{words}"
    );
    let back = shell.run(&["restore", key, "--json"]).ok().json();
    assert_eq!(back["size"], stored["images"][0]["size"]);
    let first = listed["versions"][1]["version"].as_str().expect("an id");
    shell.run(&["restore", key, "--version", first]).ok();
    shell.run(&["rm", "--all-versions", key]).ok();
    let listed = shell.run(&["versions", key, "--json"]).ok().json();
    assert_eq!(listed["versions"], serde_json::json!([]));
    assert_eq!(shell.run(&["restore", key]).code, 1);
}

#[test]
fn a_setting_and_an_option_say_how_much_of_a_picture_may_be_lost() {
    let damaged = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/jpeg_odd/restart_empty.jpg"
    );
    let shell = Shell::new();
    let refused = shell.run(&["put", damaged]);
    assert_eq!(refused.code, 1);
    let words = "6.2 % of the picture is lost, at most 5.0 % is accepted";
    assert!(refused.err.contains(words), "{}", refused.err);
    let optimize = ["optimize", "--max-damage", "0.07", "-o", "out", damaged];
    shell.run(&optimize).ok();
    let shell = shell.with("LABLINK_STORAGE_OPTIMIZE", r#"{"max_damage": 0.07}"#);
    shell.run(&["put", damaged]).ok();
}
