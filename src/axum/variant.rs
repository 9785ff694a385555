//! Variants that are made when somebody asks for them.

use ::axum::extract::{Request, State};
use ::axum::http::{HeaderValue, StatusCode, header};
use ::axum::response::{IntoResponse, Response};

use super::serve::{decoded, not_found};
use super::{ErrorResponse, Shared};

/// The address of a variant does not change, but its image may go.
const CACHE: &str = "private, max-age=60";

/// Redirects to a variant, which is made if it is not there.
pub(super) async fn variant(
    State(routes): Shared,
    request: Request,
) -> Result<Response, ErrorResponse> {
    let path = request.uri().path();
    let asked = path.strip_prefix(&routes.variants).unwrap_or_default();
    let Some((name, key)) = asked.split_once('/') else {
        return Ok(not_found());
    };
    let (Some(name), Some(key)) = (decoded(name), decoded(key)) else {
        return Ok(not_found());
    };
    let url = routes.store.serve_variant(&key, &name).await?;
    let Ok(location) = HeaderValue::from_str(&url) else {
        return Ok(not_found());
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
    ];
    Ok((StatusCode::FOUND, headers).into_response())
}
