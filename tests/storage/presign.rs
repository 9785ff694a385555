//! Presigned forms: one table of cases, judged by a real S3 server (with a user's keys and with a role's
//! session), by `receive_post` of the local and memory backends, and by the pure check. They agree.

#![cfg(feature = "store")]

use std::time::{Duration, SystemTime};

use crate::common::images;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lablink_storage::sign::{Credentials, PostForm, PostVerifier, SigV4, check_post};
use lablink_storage::{
    ErrorKind, ImageStore, ImageStoreBuilder, PresignPostOptions, PresignedPost,
};

const SECRET: &str = "a secret of at least 32 characters for forms";
const HOURS: Duration = Duration::from_secs(2 * 3600);

/// What a browser sends.
struct Form {
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Form {
    fn set(&mut self, name: &str, change: impl Fn(&str) -> String) {
        let field = self.fields.iter_mut().find(|(other, _)| other == name);
        let (_, value) = field.unwrap_or_else(|| panic!("the form has no {name}"));
        *value = change(value);
    }

    fn remove(&mut self, name: &str) {
        self.fields.retain(|(other, _)| other != name);
    }

    fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    fn signature(&self) -> String {
        let (name, _) = self.fields.last().expect("a form has fields");
        assert!(name.ends_with("-signature"), "{name} is last");
        name.clone()
    }

    fn change_policy(&mut self, from: &str, to: &str) {
        self.set("policy", |policy| {
            let json = String::from_utf8(STANDARD.decode(policy).expect("base64")).expect("UTF-8");
            let changed = json.replace(from, to);
            assert_ne!(changed, json, "{from} is in the policy");
            STANDARD.encode(changed)
        });
    }

    fn multipart(&self) -> (String, Vec<u8>) {
        let boundary = "----lablink-test-boundary-6f9619ff";
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            body.extend_from_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
            );
        }
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"board.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }
}

struct Case {
    name: &'static str,
    taken: bool,
    expired: bool,
    change: fn(&mut Form),
}

fn taken(name: &'static str, change: fn(&mut Form)) -> Case {
    Case {
        name,
        taken: true,
        expired: false,
        change,
    }
}

fn refused(name: &'static str, change: fn(&mut Form)) -> Case {
    Case {
        name,
        taken: false,
        expired: false,
        change,
    }
}

/// The file that `max_bytes` of every form is made for.
fn photo() -> Vec<u8> {
    images::jpeg(64, 48)
}

fn cases() -> Vec<Case> {
    vec![
        taken("as given", |_| ()),
        taken("a field to be ignored", |form| {
            form.fields.insert(0, ("x-ignore-csrf".into(), "1".into()))
        }),
        taken("smaller than allowed", |form| form.file.truncate(700)),
        taken("one byte", |form| form.file.truncate(1)),
        Case {
            expired: true,
            ..refused("expired", |_| ())
        },
        refused("too large by a byte", |form| form.file.push(0)),
        refused("much too large", |form| form.file.resize(1 << 20, 0)),
        refused("empty", |form| form.file.clear()),
        refused("another content type", |form| {
            form.set("Content-Type", |_| "text/html".into())
        }),
        refused("another image type", |form| {
            form.set("Content-Type", |_| "image/png".into())
        }),
        refused("no content type", |form| form.remove("Content-Type")),
        refused("another key", |form| {
            form.set("key", |key| {
                key.replace("pending/components/", "pending/components/x")
            })
        }),
        refused("a final key", |form| {
            form.set("key", |key| key.replace("pending/", ""))
        }),
        refused("a key with the file's name", |form| {
            form.set("key", |key| key.replace(".jpg", "${filename}"))
        }),
        refused("no key", |form| form.remove("key")),
        refused("another answer", |form| {
            form.set("success_action_status", |_| "200".into())
        }),
        refused("an unlisted field", |form| {
            form.fields
                .insert(0, ("x-amz-meta-note".into(), "x".into()))
        }),
        refused("an access control list", |form| {
            form.fields.insert(0, ("acl".into(), "public-read".into()))
        }),
        refused("an unlisted field at the end", |form| {
            form.add("x-amz-storage-class", "STANDARD")
        }),
        refused("a tampered signature", |form| {
            let name = form.signature();
            form.set(&name, |value| {
                if value.starts_with('0') {
                    value.replacen('0', "1", 1)
                } else {
                    format!("0{}", &value[1..])
                }
            });
        }),
        refused("a signature of capitals", |form| {
            let name = form.signature();
            form.set(&name, str::to_uppercase);
        }),
        refused("no signature", |form| {
            let name = form.signature();
            form.remove(&name);
        }),
        refused("no policy", |form| form.remove("policy")),
        refused("a policy that allows more bytes", |form| {
            form.change_policy("\"content-length-range\", 1", "\"content-length-range\", 0");
            form.file.clear();
        }),
        refused("a policy that allows another type", |form| {
            form.change_policy("image/jpeg", "text/html");
            form.set("Content-Type", |_| "text/html".into());
        }),
        refused("a policy that never expires", |form| {
            form.change_policy("\"expiration\": \"20", "\"expiration\": \"30")
        }),
        refused("a policy with nothing in it", |form| {
            form.set("policy", |_| {
                STANDARD.encode(r#"{"expiration": "3000-01-01T00:00:00Z", "conditions": []}"#)
            });
        }),
    ]
}

/// Where forms are sent to.
struct Place {
    name: &'static str,
    store: ImageStore,
    /// The same store two hours ago.
    past: ImageStore,
    #[cfg(feature = "s3")]
    s3: Option<(crate::common::s3::Handle, SigV4)>,
}

impl Place {
    fn new(name: &'static str, builder: impl Fn() -> ImageStoreBuilder) -> Self {
        Self {
            name,
            store: builder().build().expect("a store"),
            past: builder()
                .with_clock(|| SystemTime::now() - HOURS)
                .build()
                .expect("a store"),
            #[cfg(feature = "s3")]
            s3: None,
        }
    }

    /// Sends the form. The error says what refused it.
    async fn submit(&self, post: &PresignedPost, form: &Form) -> Result<(), String> {
        #[cfg(feature = "s3")]
        if let Some((bucket, signer)) = &self.s3 {
            let (content_type, body) = form.multipart();
            let headers = [("content-type", content_type.as_str())];
            let reply = bucket
                .server
                .anonymous_with("POST", &post.url, &headers, body)
                .await;
            let verdict = match reply.status {
                201 => Ok(()),
                400..500 => Err(format!("{}: {}", reply.status, reply.text())),
                status => panic!("{status}: {}", reply.text()),
            };
            // The pure check says the same of a policy meant for S3, and sends nothing.
            let checked =
                PostForm::new(&form.fields, form.file.len() as u64).with_bucket(&bucket.name);
            let checked = check_post(&checked, &PostVerifier::SigV4(signer), SystemTime::now());
            assert_eq!(
                checked.is_ok(),
                verdict.is_ok(),
                "the check: {checked:?}, the server: {verdict:?}"
            );
            return verdict;
        }
        match self
            .store
            .receive_post(form.fields.clone(), form.file.clone())
            .await
        {
            Ok(received) => {
                assert_eq!((&received.key, received.status), (&post.key, 201));
                assert_eq!(received.size, form.file.len() as u64);
                Ok(())
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PolicyViolation, "{error}");
                assert_eq!(error.kind().http_status(), 403);
                Err(error.to_string())
            }
        }
    }

    async fn sign(&self, expired: bool) -> PresignedPost {
        let options = PresignPostOptions::default().with_max_bytes(photo().len() as u64);
        let store = if expired { &self.past } else { &self.store };
        store
            .presigned_post("board.jpg", options)
            .await
            .expect("a form")
    }

    async fn judge(&self, case: &Case) {
        let name = format!("{}: {}", self.name, case.name);
        let post = self.sign(case.expired).await;
        let mut form = Form {
            fields: post.fields.clone(),
            file: photo(),
        };
        (case.change)(&mut form);
        let verdict = self.submit(&post, &form).await;
        assert_eq!(verdict.is_ok(), case.taken, "{name}: {verdict:?}");
        let promoted = self.store.promote(&post.key).await;
        if !case.taken {
            let error = promoted.expect_err(&name);
            assert_eq!(
                error.kind(),
                ErrorKind::NotFound,
                "{name} left something: {error}"
            );
        } else if form.file == photo() {
            let image = promoted.expect(&name);
            assert_eq!(image.url, post.file_url, "{name}");
            assert_eq!(image.content_type, "image/jpeg");
        } else {
            // A policy bounds bytes and does not look at them; promote does.
            let kind = promoted.expect_err(&name).kind();
            let no_image = [ErrorKind::InvalidImage, ErrorKind::UnsupportedFormat];
            assert!(no_image.contains(&kind), "{name}: {kind}");
        }
    }

    async fn judge_all(&self) {
        for case in cases() {
            self.judge(&case).await;
        }
        self.a_form_can_be_used_again().await;
    }

    async fn a_form_can_be_used_again(&self) {
        let post = self.sign(false).await;
        let form = Form {
            fields: post.fields.clone(),
            file: photo(),
        };
        for _ in 0..2 {
            self.submit(&post, &form).await.expect("not used up");
        }
    }
}

#[cfg(feature = "local")]
#[tokio::test]
async fn forms_on_local_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = || {
        ImageStore::builder()
            .local(directory.path())
            .with_secret(SECRET)
    };
    Place::new("local", builder).judge_all().await;
}

#[tokio::test]
async fn forms_in_memory() {
    let builder = || ImageStore::builder().memory().with_secret(SECRET);
    Place::new("memory", builder).judge_all().await;
}

/// Somebody else's secret signs nothing here.
#[tokio::test]
async fn a_form_of_another_secret_is_refused() {
    let store = |secret: &str| {
        ImageStore::builder()
            .memory()
            .with_secret(secret)
            .build()
            .expect("a store")
    };
    let place = Place::new("memory", || {
        ImageStore::builder().memory().with_secret(SECRET)
    });
    let other = store("another secret of at least 32 characters");
    let post = other
        .presigned_post("board.jpg", PresignPostOptions::default())
        .await
        .expect("a form");
    let form = Form {
        fields: post.fields.clone(),
        file: photo(),
    };
    let error = place.submit(&post, &form).await.expect_err("another's");
    assert!(error.contains("signature"), "{error}");
}

/// Without a secret nothing is signed, and nothing is taken unsigned.
#[tokio::test]
async fn without_a_secret_there_are_no_forms() {
    let store = ImageStore::builder().memory().build().expect("a store");
    let error = store
        .presigned_post("board.jpg", PresignPostOptions::default())
        .await
        .expect_err("no secret");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    let error = store
        .receive_post(Vec::new(), photo())
        .await
        .expect_err("no secret");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
}

#[cfg(feature = "s3")]
fn on_s3(
    name: &'static str,
    bucket: &crate::common::s3::Handle,
    keys: &crate::common::s3::Keys,
) -> Place {
    let mut credentials = Credentials::new(&keys.access, keys.secret.as_str());
    if let Some(token) = &keys.token {
        credentials = credentials.with_session_token(token.as_str());
    }
    let signer = SigV4::new(credentials, &bucket.server.region).expect("credentials");
    let mut place = Place::new(name, || bucket.store_as(keys));
    place.s3 = Some((bucket.clone(), signer));
    place
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn forms_on_s3() {
    let Some(server) = crate::common::s3::Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    on_s3("S3", &bucket, &server.keys).judge_all().await;
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn forms_on_s3_with_a_session_token() {
    let Some(server) = crate::common::s3::Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let keys = server.assume_role().await;
    let place = on_s3("S3 with a session", &bucket, &keys);
    place.judge_all().await;
    for case in [
        refused("another token", |form| {
            form.set("x-amz-security-token", |token| format!("A{}", &token[1..]))
        }),
        refused("no token", |form| form.remove("x-amz-security-token")),
    ] {
        place.judge(&case).await;
    }
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn s3_receives_its_forms_itself() {
    let Some(server) = crate::common::s3::Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let place = on_s3("S3", &bucket, &server.keys);
    let post = place.sign(false).await;
    let error = place
        .store
        .receive_post(post.fields, photo())
        .await
        .expect_err("not here");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
}
