//! The wire: router, extractors, wire types, errors to responses, OpenAPI.
//!
//! An operation is a file under `routes/`: what it declares about itself, its handler, and what it reads from a body. The declaration makes the route, the check of the caller's scope and the entry in our OpenAPI document, so that the three can not disagree. `error` is the only file with status codes, `wire` the only place that derives serde, and handlers are named after the contract's operation ids.

mod error;
mod extract;
mod gate;
mod idempotency;
mod observe;
mod openapi;
mod origin;
mod query;
mod reader;
mod routes;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::{MethodRouter, get};
use engine::Engine;
use ipnet::IpNet;

pub use openapi::openapi;
use origin::TrustedProxies;

/// The address of the peer of a connection. The accept loop puts it into each request's extensions; what a request says about where it comes from is believed only if this is a proxy that is trusted.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// What the composition decides about the router.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Set once, when the process begins to stop.
    pub draining: Draining,
    /// The networks of proxies whose `X-Forwarded-For` says where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
}

/// Whether the process is stopping, shared between whoever stops it and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) draining: Draining,
    pub(crate) trusted_proxies: TrustedProxies,
}

// === impl App ===

impl App {
    fn new(engine: Arc<Engine>, options: ApiOptions) -> Self {
        Self { engine, draining: options.draining, trusted_proxies: TrustedProxies::new(options.trusted_proxies) }
    }
}

// === impl Draining ===

impl Draining {
    /// From here on the process wants no new traffic.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The public router: every operation, health, and our own shape for everything else.
pub fn router(engine: Arc<Engine>, options: ApiOptions) -> Router {
    let app = App::new(engine, options);
    let health = health_routes(get(routes::health::ready));
    let routed = routes::operations().into_iter().fold(health, |router, route| {
        let gate = gate::Gate { app: app.clone(), permission: route.operation.permission };
        // Only the operation itself is behind the gate: a method that a path does not have says so to anybody.
        let guarded = route.handler.route_layer(axum::middleware::from_fn_with_state(gate, gate::authorize));
        router.route(route.operation.path, guarded)
    });
    finish(routed, app)
}

/// `/healthz` and `/readyz` alone, for a listener that is not public and may be told more.
pub fn health_router(engine: Arc<Engine>, options: ApiOptions) -> Router {
    finish(health_routes(get(routes::health::ready_in_detail)), App::new(engine, options))
}

fn health_routes(ready: MethodRouter<App>) -> Router<App> {
    Router::new().route("/healthz", get(routes::health::live)).route("/readyz", ready)
}

fn finish(router: Router<App>, app: App) -> Router {
    router
        .fallback(routes::unknown_path)
        .method_not_allowed_fallback(routes::unknown_method)
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(observe::panicked))
        // Outside the panics, so that their answers carry a request id too.
        .layer(axum::middleware::from_fn_with_state(app.clone(), observe::observe))
        .with_state(app)
}

#[cfg(test)]
mod tests;
