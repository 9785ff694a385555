//! Signs the cases that `compare.py` sends as JSON on stdin, and prints what came of each, as JSON.
//! With a number of times as its argument it signs the one case as often, for `benches/sign_vs_boto3.py`.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lablink_storage::sign::{
    CloudFrontPolicy, CloudFrontSigner, Credentials, PostForm, PostPolicy, PostVerifier, Presign,
    SigV4, check_post,
};
use lablink_storage::{Addressing, Location, ObjectKey, S3Location, Urls};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let cases: Vec<Value> = serde_json::from_reader(std::io::stdin().lock())?;
    if let Some(times) = std::env::args().nth(1) {
        return repeat(&cases[0], times.parse()?);
    }
    let results: Vec<Value> = cases
        .iter()
        .map(|case| run(case).unwrap_or_else(|error| json!({ "error": error.to_string() })))
        .collect();
    serde_json::to_writer(std::io::stdout().lock(), &results)?;
    Ok(())
}

/// Signs with one signer kept, as a store does.
fn repeat(case: &Value, times: u64) -> Result<()> {
    let (signer, urls) = (signer(case)?, urls(case)?);
    let (key, now) = (ObjectKey::parse(text(case, "key")?)?, time(case, "now")?);
    let expires_in = seconds(case, "expires_in")?;
    for _ in 0..times {
        if text(case, "kind")? == "post" {
            let policy = PostPolicy::new(key.as_str(), expires_in)
                .with_bucket(text(case, "bucket")?)
                .with_field("Content-Type", "image/jpeg")
                .with_content_length_range(1, 10 << 20);
            let (bucket_url, file_url) = (urls.bucket_url(), urls.public_url(&key));
            black_box(signer.presign_post(&policy, &key, &bucket_url, &file_url, now)?);
        } else {
            let url = urls.object_url(&key);
            black_box(signer.presign(&Presign::get(expires_in), &key, &url, now)?);
        }
    }
    Ok(())
}

fn run(case: &Value) -> Result<Value> {
    match text(case, "kind")? {
        "post" => post(case),
        "presign" => presign(case),
        "check" => check(case),
        "cloudfront" => cloudfront(case),
        other => Err(format!("no such kind: {other}").into()),
    }
}

fn post(case: &Value) -> Result<Value> {
    let mut policy = PostPolicy::new(text(case, "key")?, seconds(case, "expires_in")?)
        .with_bucket(text(case, "bucket")?);
    for entry in list(case, "entries")? {
        let part = |at: usize| entry[at].as_str().unwrap_or_default();
        policy = match part(0) {
            "field" => policy.with_field(part(1), part(2)),
            "starting" => policy.with_field_starting(part(1), part(2), part(3)),
            "range" => policy.with_content_length_range(
                entry[1].as_u64().unwrap_or_default(),
                entry[2].as_u64().unwrap_or_default(),
            ),
            other => return Err(format!("no such entry: {other}").into()),
        };
    }
    let fields = signer(case)?.post_fields(&policy, time(case, "now")?)?;
    Ok(json!({ "fields": fields, "url": urls(case)?.bucket_url() }))
}

fn presign(case: &Value) -> Result<Value> {
    let expires_in = seconds(case, "expires_in")?;
    let mut request = match text(case, "method")? {
        "PUT" => Presign::put(expires_in),
        _ => Presign::get(expires_in),
    };
    for header in list(case, "headers")? {
        let part = |at: usize| header[at].as_str().unwrap_or_default();
        request = request.with_header(part(0), part(1));
    }
    if let Some(name) = case["download_as"].as_str() {
        request = request.with_download_as(name);
    }
    if let Some(content_type) = case["response_content_type"].as_str() {
        request = request.with_response_content_type(content_type);
    }
    let key = ObjectKey::parse(text(case, "key")?)?;
    let url = urls(case)?.object_url(&key);
    let signed = signer(case)?.presign(&request, &key, &url, time(case, "now")?)?;
    Ok(json!({ "url": signed.url, "headers": signed.headers }))
}

fn check(case: &Value) -> Result<Value> {
    let fields: Vec<(String, String)> = serde_json::from_value(case["fields"].clone())?;
    let size = case["size"].as_u64().unwrap_or_default();
    let mut form = PostForm::new(&fields, size).with_bucket(text(case, "bucket")?);
    if let Some(name) = case["file_name"].as_str() {
        form = form.with_file_name(name);
    }
    let signer = signer(case)?;
    let accepted = check_post(&form, &PostVerifier::SigV4(&signer), time(case, "now")?)?;
    Ok(json!({ "key": accepted.key.as_str() }))
}

fn cloudfront(case: &Value) -> Result<Value> {
    let signer = CloudFrontSigner::new(text(case, "key_pair_id")?, &text(case, "pem")?.into())?;
    let (resource, expires_at) = (text(case, "resource")?, time(case, "expires_at")?);
    let mut policy = if case["custom"] == true {
        CloudFrontPolicy::custom(resource, expires_at)
    } else {
        CloudFrontPolicy::canned(resource, expires_at)
    };
    if case["starts_at"].is_u64() {
        policy = policy.with_starts_at(time(case, "starts_at")?);
    }
    if let Some(address) = case["source_ip"].as_str() {
        policy = policy.with_source_ip(address);
    }
    Ok(json!({
        "url": signer.signed_url(text(case, "url")?, &policy)?,
        "cookies": signer.signed_cookies(&policy)?.cookies,
    }))
}

fn signer(case: &Value) -> Result<SigV4> {
    let mut credentials = Credentials::new(text(case, "access_key_id")?, text(case, "secret")?);
    if let Some(token) = case["token"].as_str() {
        credentials = credentials.with_session_token(token);
    }
    Ok(SigV4::new(credentials, text(case, "region")?)?)
}

fn urls(case: &Value) -> Result<Urls> {
    let mut bucket = S3Location::new(text(case, "bucket")?, text(case, "region")?)
        .with_accelerate(case["accelerate"] == true)
        .with_dual_stack(case["dual_stack"] == true)
        .with_addressing(match case["addressing"].as_str() {
            Some("path") => Addressing::Path,
            Some("virtual") => Addressing::Virtual,
            _ => Addressing::Auto,
        });
    if let Some(endpoint) = case["endpoint"].as_str() {
        bucket = bucket.with_endpoint(endpoint);
    }
    Ok(Urls::new(Location::S3(bucket), None, "")?)
}

fn text<'a>(case: &'a Value, name: &str) -> Result<&'a str> {
    Ok(case[name].as_str().ok_or_else(|| format!("no {name}"))?)
}

fn list<'a>(case: &'a Value, name: &str) -> Result<&'a [Value]> {
    Ok(case[name].as_array().ok_or_else(|| format!("no {name}"))?)
}

fn seconds(case: &Value, name: &str) -> Result<Duration> {
    let seconds = case[name].as_u64().ok_or_else(|| format!("no {name}"))?;
    Ok(Duration::from_secs(seconds))
}

fn time(case: &Value, name: &str) -> Result<SystemTime> {
    Ok(UNIX_EPOCH + seconds(case, name)?)
}
