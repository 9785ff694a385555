//! `presign get`, `presign put` and `presign post`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::args::Presign;
use super::files::time;
use super::output::Outcome;
use super::{Context, Result};
use crate::sign::{PresignedPost, PresignedRequest};
use crate::store::{PresignGetOptions, PresignPostOptions, PresignPutOptions};

pub(super) async fn run(context: &Context, arguments: Presign) -> Result<Outcome> {
    let store = context.store()?;
    match arguments {
        Presign::Get {
            key,
            download_as,
            expiry,
        } => {
            let key = store.resolve(&key)?;
            let mut options = PresignGetOptions::default()
                .with_expires_in(Duration::from_secs(expiry.expires_in));
            options.download_as = download_as;
            request(context, &store.presigned_get(&key, options).await?)
        }
        Presign::Put {
            name,
            content_type,
            content_length,
            expiry,
        } => {
            let mut options = PresignPutOptions::default()
                .with_expires_in(Duration::from_secs(expiry.expires_in));
            options.content_type = content_type;
            options.content_length = content_length;
            request(context, &store.presigned_put(&name, options).await?)
        }
        Presign::Post {
            name,
            content_type,
            max_bytes,
            expiry,
        } => {
            let mut options = PresignPostOptions::default()
                .with_expires_in(Duration::from_secs(expiry.expires_in));
            options.content_type = content_type;
            options.max_bytes = max_bytes;
            post(context, &store.presigned_post(&name, options).await?)
        }
    }
}

fn request(context: &Context, request: &PresignedRequest) -> Result<Outcome> {
    let output = context.output;
    output.line(&request.url)?;
    for (name, value) in &request.headers {
        output.note(format_args!("send the header {name}: {value}"));
    }
    output.note(format_args!("until {}", time(request.expires_at)));
    let headers: Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let mut document = json!({
        "method": request.method.as_str(),
        "url": request.url,
        "headers": headers,
        "key": request.key.as_str(),
        "expires_at": time(request.expires_at),
    });
    if let Some(file_url) = &request.file_url {
        let key = &request.key;
        output.note(format_args!(
            "promote {key} afterwards, which makes it {file_url}"
        ));
        document["file_url"] = json!(file_url);
    }
    output.document(&document)?;
    Ok(Outcome::Done)
}

/// Fields as a list of pairs: their order is part of the answer.
fn post(context: &Context, post: &PresignedPost) -> Result<Outcome> {
    let output = context.output;
    output.line(format_args!("POST {}", post.url))?;
    for (name, value) in &post.fields {
        output.line(format_args!("{name}={value}"))?;
    }
    output.note(format_args!(
        "until {}; promote {} afterwards, which makes it {}",
        time(post.expires_at),
        post.key,
        post.file_url
    ));
    output.document(&json!({
        "url": post.url,
        "fields": post.fields,
        "key": post.key.as_str(),
        "file_url": post.file_url,
        "expires_at": time(post.expires_at),
    }))?;
    Ok(Outcome::Done)
}
