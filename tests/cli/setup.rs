//! The script of `setup`, run by the real AWS CLI on a real server, twice; then `doctor`.

use crate::common::s3::Server;
use crate::shell::{Shell, finish, remove};

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
    for round in 1..=2 {
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
    remove(&server, &bucket).await;
}
