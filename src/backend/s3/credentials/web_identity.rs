//! A role assumed with an identity token (EKS service accounts, GitHub Actions and others).
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use super::Found;
use super::fetch::{fetch, keys, token_file};
use crate::config::CredentialsChain;
use crate::key::percent_encode_component;
use crate::secret::Secret;
use crate::url::Partition;

pub(super) async fn find(
    chain: &CredentialsChain,
    client: &reqwest::Client,
    region: &str,
) -> Found {
    let (Some(file), Some(role)) = (&chain.web_identity_token_file, &chain.role_arn) else {
        return Ok(None);
    };
    let token = token_file(file).await?;
    let session = chain
        .role_session_name
        .as_deref()
        .unwrap_or("lablink-storage");
    let endpoint = match &chain.sts_endpoint {
        Some(endpoint) => endpoint.clone(),
        None => format!("https://sts.{region}.{}/", Partition::of(region).dns_suffix),
    };
    // In the body, where no proxy logs it.
    let form = zeroize::Zeroizing::new(format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
        percent_encode_component(role),
        percent_encode_component(session),
        percent_encode_component(token.expose()),
    ));
    let request = client
        .post(endpoint)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_string());
    let body = fetch(request).await?;
    let text = String::from_utf8_lossy(&body);
    let element = |name| crate::backend::s3::answer::element(&text, name);
    match (element("AccessKeyId"), element("SecretAccessKey")) {
        (Some(id), Some(secret)) => {
            let token = element("SessionToken").map(Secret::new);
            let end = element("Expiration");
            Ok(Some(keys(id, Secret::new(secret), token, end.as_deref())?))
        }
        _ => Err("STS answered without keys".into()),
    }
}
