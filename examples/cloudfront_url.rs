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
use std::time::{Duration, SystemTime};

use lablink_storage::sign::{CloudFrontPolicy, CloudFrontSigner};
use lablink_storage::{Location, ObjectKey, Urls};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(key), seconds) = (arguments.next(), arguments.next()) else {
        return Err("usage: cloudfront_url KEY [SECONDS]".into());
    };
    let key = ObjectKey::parse(key)?;
    let lives = Duration::from_secs(seconds.as_deref().unwrap_or("3600").parse()?);
    let expires_at = SystemTime::now() + lives;

    let domain = variable("CLOUDFRONT_DOMAIN")?;
    let prefix = env::var("LABLINK_STORAGE_PREFIX").unwrap_or_else(|_| "components".to_owned());
    let urls = Urls::new(Location::Custom, Some(&domain), &prefix)?;
    let signer =
        CloudFrontSigner::new(variable("CLOUDFRONT_KEY_PAIR_ID")?, &private_key()?.into())?;

    let url = urls.public_url(&key);
    let policy = CloudFrontPolicy::canned(&url, expires_at);
    println!("{}", signer.signed_url(&url, &policy)?);

    let everything = format!("{}/{}/*", urls.public_base(), urls.prefix());
    let cookies = signer.signed_cookies(&CloudFrontPolicy::custom(everything, expires_at))?;
    println!("\n# the same for all of {}", cookies.resource);
    for (name, value) in &cookies.cookies {
        println!(
            "Set-Cookie: {name}={value}; Secure; HttpOnly; Path=/; Max-Age={}",
            lives.as_secs()
        );
    }
    Ok(())
}

fn private_key() -> Result<String, Box<dyn Error>> {
    match env::var("CLOUDFRONT_PRIVATE_KEY") {
        Ok(pem) if !pem.is_empty() => Ok(pem),
        _ => Ok(std::fs::read_to_string(variable(
            "CLOUDFRONT_PRIVATE_KEY_PATH",
        )?)?),
    }
}

fn variable(name: &str) -> Result<String, String> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(format!("{name} is not set")),
    }
}
