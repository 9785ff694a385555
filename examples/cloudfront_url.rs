//! Signs a CloudFront URL, and cookies for everything under the store's prefix.
//!
//! ```sh
//! export CLOUDFRONT_DOMAIN=d111111abcdef8.cloudfront.net CLOUDFRONT_KEY_PAIR_ID=K2JCJMDEHXQW5F \
//!        CLOUDFRONT_PRIVATE_KEY_PATH=private_key.pem
//! cargo run --example cloudfront_url -- components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg 3600
//! ```
//!
//! No request is made: signing needs the key and nothing else.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lablink_storage::sign::{CloudFrontPolicy, CloudFrontSigner};
use lablink_storage::{Config, ObjectKey};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [key] if !key.starts_with('-') => sign(key, "3600"),
        [key, seconds] if !key.starts_with('-') => sign(key, seconds),
        _ => {
            eprintln!("usage: cloudfront_url KEY [SECONDS]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn sign(key: &str, seconds: &str) -> Result<(), Box<dyn Error>> {
    let key = ObjectKey::parse(key)?;
    let lives = seconds
        .parse()
        .map_err(|_| format!("{seconds:?} is not a number of seconds"))?;
    let expires_at = SystemTime::now()
        .checked_add(Duration::from_secs(lives))
        .ok_or("that is too long")?;

    let config = Config::from_env().map_err(|error| format!("{error}\n  {}", error.hint()))?;
    let cdn = config
        .cloudfront()
        .ok_or("CLOUDFRONT_DOMAIN is not set: it is the host that serves the images")?;
    let (id, private_key) = cdn.key_pair_id().zip(cdn.private_key()).ok_or(
        "CLOUDFRONT_KEY_PAIR_ID and CLOUDFRONT_PRIVATE_KEY_PATH are not set: they sign the URLs",
    )?;
    let signer = CloudFrontSigner::new(id, private_key)?;

    let urls = config.urls();
    let url = urls.public_url(&key);
    println!(
        "{}",
        signer.signed_url(&url, &CloudFrontPolicy::canned(&url, expires_at))?
    );

    let prefix = match config.prefix() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let everything = format!("{}/{prefix}*", urls.public_base());
    let cookies = signer.signed_cookies(&CloudFrontPolicy::custom(everything, expires_at))?;
    println!("\n# the same for all of {}", cookies.resource);
    for (name, value) in &cookies.cookies {
        println!("Set-Cookie: {name}={value}; Secure; HttpOnly; Path=/; Max-Age={lives}");
    }
    Ok(())
}
