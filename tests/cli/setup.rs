//! The script of `setup`, run by the real AWS CLI on a real server, twice; then `doctor`. What only AWS has
//! is checked call by call by the AWS CLI itself, which sends nothing.

use std::path::PathBuf;

use crate::common::images;
use crate::common::s3::Server;
use crate::shell::{Done, Shell, finish, remove};

const ORIGIN: &str = "https://lab.example.org";

#[tokio::test]
async fn the_script_makes_a_healthy_bucket_and_can_run_again() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = format!("lablink-{}", uuid::Uuid::new_v4().simple());
    let shell = Shell::s3(&server, &bucket, &server.keys);
    let script = shell
        .run(&[
            "setup",
            "--origin",
            ORIGIN,
            "--script",
            "--archive",
            "intelligent-tiering",
        ])
        .ok();
    shell.write("setup.sh", script.out.as_bytes());
    // The second time is tried before an account that only answers, too, and costs half a minute here.
    for round in 1..=if crate::common::full() { 2 } else { 1 } {
        let mut bash = shell.command("bash");
        bash.arg("setup.sh");
        let done = finish(bash, b"");
        assert_eq!(
            done.code, 0,
            "round {round} (is awscli installed?): {}\n{}",
            done.out, done.err
        );
        assert!(
            done.out.contains("ok: bucket policy") && done.out.contains("ok: CORS rules"),
            "{}",
            done.out
        );
        let created = done.out.contains(&format!("ok: {bucket} created"));
        assert_eq!(created, round == 1, "{}", done.out);
        // What Ceph lacks is named, and nothing else is missing.
        for line in done
            .out
            .lines()
            .filter(|line| line.starts_with("not on this server"))
        {
            assert!(
                ["no ACLs", "BlockPublicAcls", "default encryption"]
                    .iter()
                    .any(|lacks| line.contains(lacks)),
                "{line}"
            );
        }
    }
    // An original is as private as the policy promises.
    let shell = shell.with("LABLINK_STORAGE_KEEP_ORIGINAL", "true");
    let diagnosis = shell.run(&["doctor", "--origin", ORIGIN, "--json"]);
    let report = diagnosis.json();
    assert_eq!(
        (diagnosis.code, report["ok"].as_bool()),
        (0, Some(true)),
        "{report:#}"
    );
    let not_ok: Vec<_> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["status"] != "ok" && check["name"] != "cloudfront")
        .collect();
    assert!(not_ok.is_empty(), "{not_ok:?}");
    assert_eq!(
        shell.run(&["ls", "--json"]).ok().json()["objects"],
        serde_json::json!([]),
        "probes are removed"
    );

    // And so is that of a photo.
    let photo = images::jpeg_with_exif(120, 80, Some(6));
    shell.write("photo.jpg", &photo);
    let put = shell.run(&["put", "--json", "photo.jpg"]).ok().json();
    let image = &put["images"][0];
    let [key, url, original] =
        ["key", "url", "original"].map(|name| image[name].as_str().expect("told"));
    let hidden = url.replace(key, original);
    assert!(hidden != url && hidden.ends_with(original), "{hidden}");
    let target = hidden
        .strip_prefix(&server.endpoint)
        .expect("of the server");
    let kept = server.send(&server.keys, "GET", target, &[], "").await.ok();
    assert_eq!(kept.body, photo, "it is there, for its owner");
    assert_eq!(server.anonymous("GET", &hidden).await.status, 403);
    let public = server.anonymous("GET", url).await;
    assert_eq!(public.status, 200);
    assert!(!images::tells_position(&public.body));
    remove(&server, &bucket).await;
}

/// Runs a script before an account that only answers; where it noted what the AWS CLI was called with.
fn answered(shell: &Shell, script: &str, vars: &[(&str, &str)]) -> (Done, PathBuf) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let notes = shell.path(&format!("notes-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&notes).expect("made");
    let double = shell.write(
        "bin/aws",
        &std::fs::read(here.join("noted_aws")).expect("read"),
    );
    std::fs::set_permissions(&double, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    let path = format!("{}:/usr/bin:/bin", shell.path("bin").display());
    let mut bash = shell.command("bash");
    bash.args(["-c", script])
        .env("PATH", path)
        .env("NOTES", &notes)
        .envs(vars.iter().copied());
    (finish(bash, b""), notes)
}

/// What the AWS CLI is called with by a script that ends well. Every call has passed its own checks then.
fn calls(shell: &Shell, script: &str, round: u8) -> String {
    let (done, notes) = answered(shell, script, &[("ROUND", &round.to_string())]);
    let done = done.ok();

    let mut check = shell.command("/usr/bin/python3");
    check
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cli/aws_calls.py"
        ))
        .arg(&notes)
        .envs([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ])
        .env("AWS_REGION", "us-east-1");
    let checked = finish(check, b"");
    assert_eq!(
        checked.code, 0,
        "(is awscli 2 installed?) {}\n{}\n{}",
        done.out, checked.out, checked.err
    );
    println!("{}", checked.out.trim());
    let mut notes: Vec<PathBuf> = std::fs::read_dir(notes)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path().join("arguments"))
        .collect();
    notes.sort();
    let calls = notes.iter().map(|note| {
        let arguments = std::fs::read(note).expect("noted");
        String::from_utf8_lossy(&arguments).replace('\0', " ")
    });
    calls.collect::<Vec<String>>().join("\n")
}

fn aws(region: &str) -> Shell {
    Shell::new()
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_REGION", region)
}

#[test]
fn every_call_for_aws_is_one_that_the_aws_cli_takes() {
    let shell = aws("eu-central-1").with("AWS_S3_USE_ACCELERATE", "true");
    let everything = [
        "setup",
        "--script",
        "--origin",
        ORIGIN,
        "--cloudfront",
        "--archive",
        "glacier-ir",
        "--versioning",
        "--replicate-to",
        "lab-images-copy:us-east-1",
        "--notify",
        "arn:aws:sqs:eu-central-1:123456789012:images",
        "--user",
        "lablink",
        "--tag",
        "owner=it's the $(lab)",
    ];
    let script = shell.run(&everything).ok().out;
    let first = calls(&shell, &script, 1);
    for made in [
        "s3api create-bucket",
        "s3api put-public-access-block",
        "s3api put-bucket-policy",
        "s3api put-bucket-accelerate-configuration",
        "s3api put-bucket-encryption",
        "s3api put-bucket-versioning",
        "s3api put-bucket-replication",
        "s3api put-bucket-notification-configuration",
        "cloudfront create-origin-access-control",
        "cloudfront create-distribution",
        "iam create-role --role-name lablink-storage",
        "iam add-role-to-instance-profile",
        "iam put-user-policy",
        "sqs set-queue-attributes",
    ] {
        assert!(first.contains(made), "{made} is missing in\n{first}");
    }
    let second = calls(&shell, &script, 2);
    for call in second.lines() {
        let creates = call.contains(" create-") || call.contains(" add-role-to-");
        assert!(!creates, "made a second time: {call}");
    }
    assert!(second.contains("put-bucket-policy"), "{second}");
}

#[test]
fn flags_about_originals_and_versions_come_through() {
    let setup = [
        "setup",
        "--json",
        "--archive-originals",
        "glacier-ir",
        "--archive-after",
        "90",
        "--versioning",
    ];
    let documents = aws("eu-central-1").run(&setup).ok().json();
    let rules = documents["lifecycle"]["Rules"].as_array().expect("rules");
    let moving: Vec<_> = rules
        .iter()
        .filter(|rule| !rule["Transitions"].is_null())
        .map(|rule| (&rule["Filter"]["Prefix"], &rule["Transitions"][0]))
        .collect();
    let prefix = serde_json::json!("originals/components/");
    let class = serde_json::json!({"Days": 90, "StorageClass": "GLACIER_IR"});
    assert_eq!(moving, [(&prefix, &class)]);
    let expires = |rule: &serde_json::Value| {
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"].as_u64() == Some(30)
    };
    assert!(rules.iter().any(expires), "{rules:#?}");
}

#[test]
fn other_receivers_regions_and_domains() {
    let key = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let queue = "arn:aws-cn:sqs:cn-north-1:123456789012:images";
    let topic = "arn:aws:sns:us-east-1:123456789012:images";
    let function = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:images";
    for (region, receiver) in [
        ("us-east-1", topic),
        ("cn-north-1", queue),
        ("us-gov-west-1", function),
    ] {
        let shell = aws(region);
        let setup = ["setup", "--script", "--notify", receiver, "--kms-key", key];
        let script = shell.run(&setup).ok().out;
        // A function's permission may be there already, and then it is left alone.
        let round = if receiver == function { 2 } else { 1 };
        let called = calls(&shell, &script, round);
        assert!(
            called.contains("put-bucket-notification-configuration"),
            "{called}"
        );
    }
    let shell = aws("eu-west-1").with("CLOUDFRONT_DOMAIN", "images.example.org");
    let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd";
    let setup = ["setup", "--script", "--certificate", certificate];
    let called = calls(&shell, &shell.run(&setup).ok().out, 1);
    assert!(called.contains("create-distribution"), "{called}");
}

/// What a server has not is said to be so; what AWS refuses is not blamed on something else.
#[test]
fn a_policy_that_is_not_taken() {
    let elsewhere = || {
        Shell::new()
            .with("AWS_S3_BUCKET", "lab-images")
            .with("AWS_ENDPOINT_URL_S3", "https://s3.example.org")
    };
    for (shell, code, goes_on) in [
        (elsewhere(), "NotImplemented", true),
        (elsewhere(), "MethodNotAllowed", true),
        (elsewhere(), "MalformedPolicy", false),
        (aws("eu-west-1"), "NotImplemented", false),
        (aws("eu-west-1"), "MalformedPolicy", false),
    ] {
        let script = shell.run(&["setup", "--script"]).ok().out;
        let vars = [
            ("ROUND", "2"),
            ("LACKS", "put-bucket-policy"),
            ("CODE", code),
        ];
        let (done, _) = answered(&shell, &script, &vars);
        let said = format!("{code}: {}{}", done.out, done.err);
        assert_eq!(done.code == 0, goes_on, "{said}");
        let lacks = "not on this server: bucket policy";
        assert_eq!(done.out.contains(lacks), goes_on, "{said}");
        assert_eq!(done.err.contains(code), !goes_on, "{said}");
        assert!(!done.err.contains("Block Public Access"), "{said}");
    }
}

/// The AWS CLI takes the commands that the documentation shows.
#[test]
fn the_commands_of_the_documentation() {
    let page = include_str!("../../docs/setup-and-doctor.md");
    let (_, section) = page
        .split_once("## What the AWS CLI does")
        .expect("the section");
    let (_, block) = section.split_once("```sh\n").expect("its commands");
    let (block, _) = block.split_once("```").expect("their end");
    let shell = Shell::new();
    shell.write(
        "public-key.json",
        br#"{"CallerReference": "1", "Name": "images", "EncodedKey": "-----BEGIN PUBLIC KEY-----"}"#,
    );
    let called = calls(&shell, block, 2);
    let commands = block
        .lines()
        .filter(|line| line.starts_with("aws "))
        .count();
    assert_eq!(called.lines().count(), commands, "{called}");
}
