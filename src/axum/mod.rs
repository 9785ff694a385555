//! The routes of an image store for services on [axum]: the same as those of the Flask extension, with the
//! same answers.
//!
//! | route | answer |
//! |---|---|
//! | `GET /api/s3/status` | whether S3 is configured and answers |
//! | `POST /api/s3/upload-url` | `{filename, content_type, size}` → what the browser has to send, and where |
//! | `POST /api/s3/promote` | `{key}` → the image, once the browser has sent it |
//! | `GET /api/s3/variant/<name>/<key>` | makes a lazy variant of an image, and redirects to it |
//! | `GET <base URL>/<key>` | a stored image, on local files: entity tag, conditions, ranges |
//! | `POST <base URL>` | takes what the browser sends, on local files |
//!
//! ```no_run
//! use axum::Router;
//! use lablink_storage::ImageStore;
//! use lablink_storage::axum::{RouterOptions, router};
//!
//! # async fn check(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
//! #     next.run(request).await
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = ImageStore::from_env()?;
//! let guard = axum::middleware::from_fn(check); // lets logged-in users through
//! let app: Router = Router::new().merge(router(store, RouterOptions::default().with_guard(guard)));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Handlers of the application's own return [`ErrorResponse`] to answer errors in the same way.
//!
//! [axum]: https://docs.rs/axum

mod answer;
mod conditions;
mod form;
mod place;
mod receive;
mod requests;
mod serve;
mod variant;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::Request;
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{Route, get, post};
use tower_layer::Layer;
use tower_service::Service;

pub use answer::ErrorResponse;

use crate::store::ImageStore;
use answer::not_allowed;
use place::Place;

/// Describes the routes of [`router`].
///
/// ```
/// use lablink_storage::axum::RouterOptions;
///
/// let options = RouterOptions::default().open().with_path("/images");
/// ```
pub struct RouterOptions {
    guard: Guard,
    variant_guard: Guard,
    path: String,
    root: String,
    behind_proxy: bool,
}

enum Guard {
    Closed,
    Open,
    Layer(Box<dyn FnOnce(Router) -> Router + Send>),
}

impl Guard {
    fn around(self, routes: Router) -> Router {
        match self {
            Self::Layer(layer) => layer(routes),
            Self::Closed | Self::Open => routes,
        }
    }
}

impl Default for RouterOptions {
    /// Under `/api/s3`, and closed: the guarded routes answer 403 until there is a guard.
    fn default() -> Self {
        Self {
            guard: Guard::Closed,
            variant_guard: Guard::Open,
            path: "/api/s3".to_owned(),
            root: String::new(),
            behind_proxy: false,
        }
    }
}

impl RouterOptions {
    /// Puts a layer of the application's around status, upload-url and promote: one that lets only its own
    /// users through. Stored images stay open to everyone, as they are on S3.
    #[must_use]
    pub fn with_guard<L>(mut self, guard: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.guard = Guard::Layer(Box::new(|routes| routes.route_layer(guard)));
        self
    }

    /// Puts a layer of the application's around the variants that are made on demand. Without one they are
    /// open, because pages use them; they are bounded as they are.
    #[must_use]
    pub fn with_variant_guard<L>(mut self, guard: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.variant_guard = Guard::Layer(Box::new(|routes| routes.route_layer(guard)));
        self
    }

    /// Opens status, upload-url and promote to everyone, on purpose.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.guard = Guard::Open;
        self
    }

    /// Mounts status, upload-url and promote under another path than `/api/s3`.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into().trim_end_matches('/').to_owned();
        self
    }

    /// Names the path prefix that a proxy takes off before it passes requests on, `/lab`, where the store's
    /// base URL has it.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into().trim_end_matches('/').to_owned();
        self
    }

    /// Believes `X-Forwarded-Proto` and `X-Forwarded-Host`, for the addresses that browsers are given. Only
    /// behind a proxy that sets them: everyone else may send what they like.
    #[must_use]
    pub fn behind_proxy(mut self) -> Self {
        self.behind_proxy = true;
        self
    }
}

impl fmt::Debug for RouterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterOptions")
            .field("path", &self.path)
            .field("root", &self.root)
            .field("behind_proxy", &self.behind_proxy)
            .finish_non_exhaustive()
    }
}

/// What the handlers share.
struct Routes {
    store: ImageStore,
    place: Place,
    /// Where the routes of variants begin.
    variants: String,
}

type Shared = ::axum::extract::State<Arc<Routes>>;

/// Returns the store's routes, to be merged into an application's.
///
/// ```
/// use lablink_storage::ImageStore;
/// use lablink_storage::axum::{RouterOptions, router};
///
/// let store = ImageStore::builder().memory().build()?;
/// let routes: axum::Router = router(store, RouterOptions::default().open());
/// # Ok::<(), lablink_storage::Error>(())
/// ```
pub fn router(store: ImageStore, options: RouterOptions) -> Router {
    let base_url = store.config().base_url().map(str::to_owned);
    let place = Place::new(base_url.as_deref(), options.root, options.behind_proxy);
    let mount_point = base_url.is_some().then(|| place.mount_point().to_owned());
    let variants = format!("{}/variant/", options.path);
    let routes = Arc::new(Routes {
        store,
        place,
        variants,
    });

    let path = |name: &str| format!("{}/{name}", options.path);
    let guarded = match options.guard {
        Guard::Closed => Router::new()
            .route(&path("status"), get(closed).fallback(not_allowed))
            .route(&path("upload-url"), post(closed).fallback(not_allowed))
            .route(&path("promote"), post(closed).fallback(not_allowed)),
        Guard::Open => requests::routes(path),
        Guard::Layer(_) => requests::routes(path),
    }
    .with_state(Arc::clone(&routes));
    let guarded = options.guard.around(guarded);
    let variants = Router::new()
        .route(
            &path("variant/{name}/{*key}"),
            get(variant::variant).fallback(not_allowed),
        )
        .with_state(Arc::clone(&routes));
    let guarded = guarded.merge(options.variant_guard.around(variants));
    let Some(mount_point) = mount_point else {
        return guarded;
    };
    let receiving = if mount_point.is_empty() {
        "/"
    } else {
        &mount_point
    };
    guarded.merge(
        Router::new()
            .route(
                &format!("{mount_point}/{{*key}}"),
                get(serve::serve).fallback(not_allowed),
            )
            .route(receiving, post(receive::receive))
            .with_state(routes),
    )
}

async fn closed() -> Response {
    answer::refusal(
        403,
        "forbidden",
        "this route has no guard",
        Some("pass RouterOptions::with_guard(layer), or open() to open it to everyone"),
    )
}
