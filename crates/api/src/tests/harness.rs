//! A router over an engine that nothing else uses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use connectors::caller::{Caller, Places};
use connectors::catalogue::Catalogue;
use connectors::outbound::{Backoff, EgressPolicy, Outbound, OutboundOptions, Resolution};
use domain::Secret;
use engine::bootstrap::{FirstKey, Ground, init};
use engine::limits::Rates;
use engine::signing::{SigningKey, TokenClaims};
use engine::vault::{RootKey, RootKeys};
use engine::{Clock as _, Engine, Ids as _, Parts, RandomIds, Rules, SystemClock};
use http::request::Builder;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store::Database;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::{ApiOptions, Draining, PeerAddress, router};

pub(super) struct Harness {
    pub(super) engine: Arc<Engine>,
    pub(super) draining: Draining,
    router: Router,
    key: SigningKey,
    _directory: TempDir,
}

/// An answer, its body read as JSON; null where there is none.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) body: Value,
}

/// The error object.
pub(super) fn error(status: u16, code: &str, message: &str, details: Value) -> Value {
    json!({ "type": "error", "code": code, "status": status, "message": message, "details": details })
}

impl Harness {
    /// A fresh instance with the account `default` and a key pair that may do everything. No name resolves, so nothing gets out.
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&format!("sqlite://{}", directory.path().join("t.db").display())).await.unwrap();
        database.migrate().await.unwrap();
        let root_keys = RootKeys::only(RootKey::generate(&directory.path().join("root.key")).unwrap());
        let ground = Ground { database: &database, root_keys: &root_keys, clock: &SystemClock, ids: &RandomIds::new(), command: "test" };
        let (_, pem) = init(&ground, FirstKey::Generated, "First").await.unwrap();
        let key = SigningKey::from_pem(pem.as_ref().and_then(Secret::expose_str).unwrap()).unwrap();
        let (catalogue, _) = Catalogue::load(&[], true).unwrap();
        let outbound = Outbound::new(OutboundOptions {
            egress: EgressPolicy { allow: Vec::new(), allow_http: false },
            proxy: None,
            extra_roots: None,
            connect_timeout: Duration::from_secs(1),
            call_timeout: Duration::from_secs(2),
            resolution: Resolution::Fixed(BTreeMap::new()),
            backoff: Backoff::Fixed(Duration::ZERO),
        });
        let engine = Engine::start(Parts {
            database,
            catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
            caller: Caller::new(outbound.unwrap(), Places::default()),
            root_keys,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds::new()),
            rules: Rules {
                environment: None,
                simulators: true,
                refuse_card_numbers: true,
                session_records_kept_days: 400,
                token_lifetime_max_seconds: None,
                rates: Rates::UNLIMITED,
            },
        });
        let engine = engine.await.unwrap();
        let draining = Draining::default();
        let router = router(engine.clone(), ApiOptions { draining: draining.clone(), trusted_proxies: Vec::new() });
        Self { engine, draining, router, key, _directory: directory }
    }

    /// A token of the first key pair.
    pub(super) fn token(&self, scopes: &[&str]) -> String {
        self.key.token(&TokenClaims {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            issuer: "test".to_owned(),
            now: SystemClock.now(),
            lifetime_seconds: 60,
            id: RandomIds::new().v4(),
            checkout_session_id: None,
            embed: None,
        })
    }

    /// The beginning of a request.
    pub(super) fn request(&self, method: &Method, path: &str, token: Option<&str>) -> Builder {
        let request = Request::builder().method(method).uri(path).extension(PeerAddress(([192, 0, 2, 1], 443).into()));
        match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Without a token.
    pub(super) async fn anonymous(&self, method: &str, path: &str) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.send(self.request(&method, path, None).body(Body::empty()).unwrap()).await
    }

    /// With a token that may do everything.
    pub(super) async fn json(&self, method: &Method, path: &str, body: &Value) -> Answer {
        let token = self.token(&["*.read", "*.write"]);
        let request = self.request(method, path, Some(&token)).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Reads with a token that may do everything.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.json(&Method::GET, path, &Value::Null).await
    }
}

impl Answer {
    pub(super) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if parts.status.as_u16() == 204 {
            assert!(text.is_empty() && !parts.headers.contains_key("content-type"));
        } else {
            assert_eq!(parts.headers["content-type"], "application/json");
        }
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Self { status: parts.status.as_u16(), headers: parts.headers, text, body }
    }
}
