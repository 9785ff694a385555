//! A server that misbehaves: whatever it does, each operation ends within its deadline, in the right
//! kind, and no object is half there.
#![cfg(feature = "s3")]

mod failing;
mod many;
mod odd;
mod proxy;
mod refusing;
mod remade;
mod settings;
mod spoil;
mod stage;
mod steps;
mod table;
mod versioned;

use std::time::{Duration, Instant};

use crate::common::faulty::{Faulty, Request};
use lablink_storage::{Config, ConfigBuilder, Error, ImageStore, ObjectKey, UploadOptions};

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "AQoDYXdzEJrEXAMPLETOKEN==";

fn photo() -> Vec<u8> {
    let pixels: Vec<u8> = (0..64 * 48 * 3).map(|index| (index % 251) as u8).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    let encoded = encoder.encode(&pixels, 64, 48, jpeg_encoder::ColorType::Rgb);
    encoded.expect("pixels fit");
    jpeg
}

fn config(server: &Faulty) -> ConfigBuilder {
    Config::builder()
        .s3("lab")
        .with_endpoint_url(server.url())
        .with_credentials(ACCESS_KEY, SECRET, Some(TOKEN))
        .with_deadline(Duration::from_secs(5))
}

fn open(config: ConfigBuilder) -> ImageStore {
    ImageStore::from_config(config.build().expect("valid")).expect("opened")
}

async fn upload(store: &ImageStore) -> Result<ObjectKey, Error> {
    let image = store.upload(photo(), UploadOptions::default()).await?;
    Ok(image.key)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("valid")
}

/// Runs an operation that has to be over within `seconds`.
async fn within<T>(seconds: u64, operation: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let outcome = operation.await;
    let elapsed = started.elapsed();
    // What a busy machine adds is not the operation's.
    let limit = Duration::from_millis(seconds * 1000 + 500);
    assert!(elapsed <= limit, "took {elapsed:?} of {seconds} s");
    outcome
}

fn is_put(request: &Request) -> bool {
    request.is("PUT")
}

fn count(server: &Faulty, method: &str) -> usize {
    let requests = server.requests();
    requests.iter().filter(|request| request.is(method)).count()
}
