//! Ceph pushes bucket notifications to us over HTTP; `handle-event` promotes what they tell of.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::images;
use crate::common::s3::Server;
use crate::shell::{Shell, finish, multipart};

/// Collects the bodies of all requests.
fn receiver() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                let _ = reader.get_mut().write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
                let _ = send.send(body);
            }
        }
    });
    (address, receive)
}

fn aws(shell: &Shell, args: &[&str]) -> String {
    let mut command = shell.command("aws");
    command.args(args);
    finish(command, b"").ok().out
}

#[tokio::test]
async fn a_direct_upload_is_promoted_when_the_server_tells_of_it() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    bucket.publish("components").await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let (address, pushed) = receiver();

    let topic = format!("lablink-{}", uuid::Uuid::new_v4().simple());
    let attributes = format!("push-endpoint={address}");
    let endpoint = server.endpoint.as_str();
    let created = aws(
        &shell,
        &[
            "--endpoint-url",
            endpoint,
            "sns",
            "create-topic",
            "--name",
            &topic,
            "--attributes",
            &attributes,
            "--output",
            "json",
        ],
    );
    let created: Value = serde_json::from_str(&created).expect("a document");
    let arn = created["TopicArn"].as_str().expect("an ARN");
    let notification =
        shell.run(&["setup", "--json", "--notify", arn]).ok().json()["notification"].to_string();
    aws(
        &shell,
        &[
            "--endpoint-url",
            endpoint,
            "s3api",
            "put-bucket-notification-configuration",
            "--bucket",
            &bucket.name,
            "--notification-configuration",
            &notification,
        ],
    );

    let form = shell
        .run(&["presign", "post", "board.png", "--json"])
        .ok()
        .json();
    let (content_type, body) = multipart(&form, &images::png_rgb(80, 60));
    let url = form["url"].as_str().expect("a URL");
    server
        .anonymous_with("POST", url, &[("content-type", &content_type)], body)
        .await
        .ok();

    let event = pushed
        .recv_timeout(Duration::from_secs(30))
        .expect("Ceph tells of the upload");
    let key = form["key"].as_str().expect("a key");
    assert!(
        String::from_utf8_lossy(&event).contains(key),
        "{}",
        String::from_utf8_lossy(&event)
    );
    let handled = shell
        .run_with_stdin(&["handle-event", "-", "--json"], &event)
        .ok()
        .json();
    let outcome = &handled["outcomes"][0];
    assert_eq!(outcome["outcome"], "promoted", "{handled:#}");
    let image_url = outcome["image"]["url"].as_str().expect("a URL");
    let served = server.anonymous("GET", image_url).await.ok();
    assert_eq!(served.header("content-type"), "image/jpeg");
    assert_eq!(bucket.keys().await.len(), 1, "the pending object is gone");

    // The same event again, as queues deliver it: nothing happens, and it counts as dealt with.
    let again = shell
        .run_with_stdin(&["handle-event", "-", "--json"], &event)
        .ok()
        .json();
    assert_eq!(
        (
            again["ok"].as_bool(),
            again["outcomes"][0]["outcome"].as_str()
        ),
        (Some(true), Some("skipped"))
    );
    aws(
        &shell,
        &[
            "--endpoint-url",
            endpoint,
            "sns",
            "delete-topic",
            "--topic-arn",
            arn,
        ],
    );
}

/// What is not a pending upload of this very store is skipped with a reason.
#[tokio::test]
async fn other_events_are_skipped() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let id = uuid::Uuid::new_v4();
    bucket
        .send(
            "PUT",
            &format!("/components/{id}.jpg"),
            images::jpeg(16, 16),
        )
        .await
        .ok();
    bucket
        .send(
            "PUT",
            &format!("/pending/components/{id}.html"),
            "<script>1</script>",
        )
        .await
        .ok();
    let fake = format!("/pending/components/{id}.jpg");
    bucket.send("PUT", &fake, "<script>1</script>").await.ok();
    let record = |name: &str, bucket: &str, key: &str| {
        json!({"eventSource": "aws:s3", "eventName": name,
               "s3": {"bucket": {"name": bucket}, "object": {"key": key}}})
    };
    let name = bucket.name.as_str();
    let pending = format!("pending/components/{id}.html");
    let event = json!({"Records": [
        record("ObjectCreated:Put", name, &format!("components/{id}.jpg")),
        record("ObjectRemoved:Delete", name, &pending),
        record("ObjectCreated:Put", "another-bucket", &pending),
        record("ObjectCreated:Put", name, &format!("pending/elsewhere/{id}.jpg")),
        record("ObjectCreated:Put", name, "pending/components/..%2F..%2Fetc%2Fpasswd"),
        record("ObjectCreated:Put", name, &pending),
        record("ObjectCreated:Put", name, &fake[1..]),
    ]});
    let wrapped = json!({"Messages": [{"Body": json!({"Type": "Notification", "Message": event.to_string()}).to_string()}]});
    let handled = shell
        .run_with_stdin(&["handle-event", "--json"], wrapped.to_string().as_bytes())
        .ok()
        .json();
    let outcomes: Vec<&str> = handled["outcomes"]
        .as_array()
        .expect("outcomes")
        .iter()
        .filter_map(|each| each["outcome"].as_str())
        .collect();
    assert_eq!(
        outcomes,
        [
            "skipped", "skipped", "skipped", "skipped", "skipped", "skipped", "refused"
        ],
        "{handled:#}"
    );
    assert_eq!(bucket.keys().await.len(), 3, "everything is as it was");
    let broken = shell.run_with_stdin(&["handle-event", "--json"], b"{\"hello\": 1}");
    assert_eq!(
        (broken.code, broken.json()["error"].as_str()),
        (1, Some("invalid_argument"))
    );
}
