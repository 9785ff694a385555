//! The routes as an application on axum has them; GUARD and VARIANT_GUARD say which guards,
//! APPLICATION_ROOT where it is mounted.

use std::env::{args, var, vars};
use std::error::Error;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use lablink_storage::axum::{RouterOptions, router};
use lablink_storage::{
    ConfigBuilder, ImageStore, ImageStoreBuilder, InspectError, Inspecting, Inspection, Inspector,
};

async fn token_required(request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION);
    if token.is_some_and(|token| token == "Bearer right") {
        return next.run(request).await;
    }
    StatusCode::UNAUTHORIZED.into_response()
}

struct NoPortraits;

impl Inspector for NoPortraits {
    fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a> {
        Box::pin(async {
            if image.source.height > image.source.width {
                return Err(InspectError::rejected("no portraits"));
            }
            Ok(())
        })
    }
}

/// The store of the environment, in which an inspector is named as Python finds it.
fn store() -> Result<ImageStore, Box<dyn Error>> {
    const INSPECTOR: &str = "LABLINK_STORAGE_INSPECTOR";
    let vars = vars().filter(|(name, _)| name != INSPECTOR);
    let builder = ImageStoreBuilder::from(ConfigBuilder::from_vars(vars)?);
    Ok(match var(INSPECTOR) {
        Ok(_) => builder.with_inspector(NoPortraits).build()?,
        Err(_) => builder.build()?,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(false).init();
    let options = RouterOptions::default().with_root(var("APPLICATION_ROOT").unwrap_or_default());
    let options = match var("GUARD")?.as_str() {
        "none" => options,
        "token" => options.with_guard(from_fn(token_required)),
        // Nothing is thrown here that a guard could catch.
        _ => options.open(),
    };
    let options = match var("VARIANT_GUARD").as_deref() {
        Ok("token") => options.with_variant_guard(from_fn(token_required)),
        _ => options,
    };
    let options = match var("BEHIND_PROXY") {
        Ok(_) => options.behind_proxy(),
        Err(_) => options,
    };
    let address = args().nth(1).ok_or("name the address to listen on")?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router(store()?, options)).await?;
    Ok(())
}
