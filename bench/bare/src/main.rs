//! The bare pipeline: the least a Rust server on this stack can do for one payment service session.
//! verify the ES512 token, check the scope, decrypt the credentials, call the upstream, wrap the
//! answer, insert one row durably (group commit), answer. No routing table, no validation, no logs.
//!
//! Environment: PORT, UPSTREAM (http or https URL), PUB_HEX (file with the SEC1 point in hex), DB (file, empty
//! = no insert), SYNC (normal|full), BATCH (rows per commit, default 256), VERIFY (full|parse|cache|none),
//! WORKERS (default 1), CA (PEM file that is trusted instead of nothing, for https), H2=1 (HTTP/2 upstream).
//! MODE=proxy leaves out token, credentials and row: the cost of server and client alone.
//! MODE=stub reads the body and answers 201 with ANSWER after DELAY_MS: an upstream with a latency. With TLS_CERT and
//! TLS_KEY (PEM files) it speaks TLS, and HTTP/2 where the client offers it.
#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

use aws_lc_rs::{aead, digest, signature};
use axum::body::Body;
use axum::http::{header, HeaderValue, Request, Response};
use axum::{extract::State, routing::any, Router};
use base64::{engine::general_purpose::URL_SAFE_NO_PAD as B64, Engine};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{connect::HttpConnector, Client};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{mpsc, Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Http = Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

struct Row {
    id: [u8; 16],
    status: u16,
    micros: u32,
    body: Bytes,
    done: tokio::sync::oneshot::Sender<()>,
}

struct App {
    upstream: String,
    http: Http,
    key: Option<signature::ParsedPublicKey>,
    verify: String,
    seen: Mutex<HashMap<[u8; 32], u64>>,
    kek: aead::LessSafeKey,
    sealed: Vec<u8>,
    db: Option<mpsc::SyncSender<Row>>,
    proxy: bool,
    stub: Option<Stub>,
}

struct Stub {
    delay: Duration,
    answer: Bytes,
}

fn env(k: &str, d: &str) -> String {
    std::env::var(k).unwrap_or_else(|_| d.into())
}

fn http_client() -> Http {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    if let Ok(f) = std::env::var("CA") {
        let pem = std::fs::read_to_string(f).expect("CA");
        for block in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
            let b: String = block.split("-----END").next().unwrap().split_whitespace().collect();
            let der = base64::engine::general_purpose::STANDARD.decode(b).expect("CA base64");
            roots.add(der.into()).expect("CA certificate");
        }
    }
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let b = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let https =
        if env("H2", "") == "1" { b.enable_http1().enable_http2().wrap_connector(tcp) } else { b.enable_http1().wrap_connector(tcp) };
    Client::builder(hyper_util::rt::TokioExecutor::new()).pool_max_idle_per_host(4096).build(https)
}

#[derive(serde::Deserialize)]
struct Head<'a> {
    alg: &'a str,
    kid: &'a str,
}
#[derive(serde::Deserialize)]
struct Claims<'a> {
    exp: u64,
    nbf: u64,
    #[serde(borrow)]
    scopes: Vec<&'a str>,
}

fn authorise(app: &App, token: &str) -> Option<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mut key = [0u8; 32];
    if app.verify == "cache" {
        key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if app.seen.lock().unwrap().get(&key).is_some_and(|exp| *exp > now) {
            return Some(());
        }
    }
    let (signed, sig) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let head = B64.decode(head).ok()?;
    let head: Head = serde_json::from_slice(&head).ok()?;
    if head.alg != "ES512" || head.kid.is_empty() {
        return None;
    }
    let sig = B64.decode(sig).ok()?;
    if app.verify != "parse" {
        app.key.as_ref()?.verify_sig(signed.as_bytes(), &sig).ok()?;
    }
    let claims = B64.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    if claims.exp <= now || claims.nbf > now || !claims.scopes.iter().any(|s| *s == "*.write" || *s == "payment-services.write") {
        return None;
    }
    if app.verify == "cache" {
        app.seen.lock().unwrap().insert(key, claims.exp);
    }
    Some(())
}

fn json(status: u16, b: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json")).body(b.into()).unwrap()
}

const FAILED: &str =
    r#"{"type":"payment-service-session","status":"failed","code":"UNKNOWN_ERROR","status_code":null,"response_body":null}"#;

async fn handle(State(app): State<Arc<App>>, req: Request<Body>) -> Response<Body> {
    let t0 = Instant::now();
    let (parts, body) = req.into_parts();
    if let Some(stub) = &app.stub {
        let _ = body.collect().await;
        if !stub.delay.is_zero() {
            tokio::time::sleep(stub.delay).await;
        }
        return json(201, stub.answer.clone());
    }
    if !app.proxy && app.verify != "none" {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        if token.and_then(|t| authorise(&app, t)).is_none() {
            return json(401, r#"{"type":"error","code":"unauthorized","status":401,"message":"Invalid token","details":[]}"#);
        }
    }
    let Ok(body) = body.collect().await else { return json(400, "{}") };
    let body = body.to_bytes();
    let mut call = Request::post(&app.upstream).header(header::CONTENT_TYPE, "application/json");
    if !app.proxy {
        if serde_json::from_slice::<&RawValue>(&body).is_err() {
            return json(400, "{}");
        }
        let mut secret = app.sealed.clone();
        let nonce = aead::Nonce::assume_unique_for_key([7; 12]);
        let secret = app.kek.open_in_place(nonce, aead::Aad::empty(), &mut secret).unwrap();
        call = call.header(header::AUTHORIZATION, [b"Bearer ", &*secret].concat());
    }
    let Ok(answer) = app.http.request(call.body(Full::new(body)).unwrap()).await else { return json(200, FAILED) };
    let status = answer.status().as_u16();
    let Ok(answer) = answer.into_body().collect().await else { return json(200, FAILED) };
    let answer = answer.to_bytes();
    if app.proxy {
        return json(status, answer);
    }
    let Ok(raw) = serde_json::from_slice::<&RawValue>(&answer) else { return json(200, FAILED) };
    let word = if status < 400 { r#""succeeded","code":null"# } else { r#""failed","code":"UNKNOWN_ERROR""# };
    let out = format!(r#"{{"type":"payment-service-session","status":{word},"status_code":{status},"response_body":{}}}"#, raw.get());
    if let Some(db) = &app.db {
        let (done, wait) = tokio::sync::oneshot::channel();
        let row = Row { id: *uuid::Uuid::now_v7().as_bytes(), status, micros: t0.elapsed().as_micros() as u32, body: answer, done };
        if db.send(row).is_err() || wait.await.is_err() {
            return json(500, "{}");
        }
    }
    json(200, out)
}

fn writer(rx: mpsc::Receiver<Row>, path: String, sync: String, batch: usize) {
    let mut c = rusqlite::Connection::open(path).unwrap();
    c.execute_batch(&format!(
        "pragma journal_mode=wal; pragma synchronous={sync};
         create table if not exists sessions(id blob primary key, status int, us int, body blob) without rowid"
    ))
    .unwrap();
    while let Ok(first) = rx.recv() {
        let mut rows = vec![first];
        while rows.len() < batch {
            match rx.try_recv() {
                Ok(r) => rows.push(r),
                Err(_) => break,
            }
        }
        let t = c.transaction().unwrap();
        {
            let mut st = t.prepare_cached("insert into sessions values (?,?,?,?)").unwrap();
            for r in &rows {
                st.execute((&r.id[..], r.status, r.micros, &r.body[..])).unwrap();
            }
        }
        t.commit().unwrap();
        for r in rows {
            let _ = r.done.send(());
        }
    }
}

/// Each connection has a task of its own from its handshake on, so that a thousand that come at once do not wait for each other.
async fn serve_tls(listener: tokio::net::TcpListener, router: Router, cert: &str, key: &str) {
    use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_file_iter(cert).expect("TLS_CERT").collect::<Result<Vec<_>, _>>().expect("TLS_CERT");
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).expect("TLS_KEY"))
        .expect("certificate and key");
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    loop {
        let Ok((tcp, _)) = listener.accept().await else { continue };
        let _ = tcp.set_nodelay(true);
        let (acceptor, service) = (acceptor.clone(), hyper_util::service::TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else { return };
            let server = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
            let _ = server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
        });
    }
}

fn main() {
    let workers: usize = env("WORKERS", "1").parse().unwrap();
    let mut rt = if workers == 1 { tokio::runtime::Builder::new_current_thread() } else { tokio::runtime::Builder::new_multi_thread() };
    if workers > 1 {
        rt.worker_threads(workers);
    }
    rt.enable_all().build().unwrap().block_on(async {
        let key = std::env::var("PUB_HEX").ok().map(|f| {
            let h = std::fs::read_to_string(f).expect("PUB_HEX");
            let h = h.trim();
            let b: Vec<u8> = (0..h.len() / 2).map(|i| u8::from_str_radix(&h[2 * i..2 * i + 2], 16).unwrap()).collect();
            signature::ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, &b).unwrap()
        });
        let db = Some(env("DB", "")).filter(|p| !p.is_empty()).map(|path| {
            let (tx, rx) = mpsc::sync_channel(16384);
            let (sync, batch) = (env("SYNC", "normal"), env("BATCH", "256").parse().unwrap());
            std::thread::spawn(move || writer(rx, path, sync, batch));
            tx
        });
        let kek = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &[9; 32]).unwrap());
        let mut sealed = b"sk_test_0123456789abcdef0123456789abcdef".to_vec();
        kek.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key([7; 12]), aead::Aad::empty(), &mut sealed).unwrap();
        let app = Arc::new(App {
            upstream: env("UPSTREAM", ""),
            http: http_client(),
            key,
            verify: env("VERIFY", "full"),
            seen: Default::default(),
            kek,
            sealed,
            db,
            proxy: env("MODE", "") == "proxy",
            stub: (env("MODE", "") == "stub").then(|| Stub {
                delay: Duration::from_millis(env("DELAY_MS", "50").parse().unwrap()),
                answer: env("ANSWER", r#"{"id":"sess_1","client_secret":"cs_1","status":"created"}"#).into(),
            }),
        });
        // With the 128 places of `bind`, a thousand clients that come at once wait for seconds, until their packets are sent again.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], env("PORT", "8081").parse::<u16>().unwrap()).into()).unwrap();
        let l = socket.listen(4096).unwrap();
        let router = Router::new().fallback(any(handle)).with_state(app);
        if let (Ok(cert), Ok(key)) = (std::env::var("TLS_CERT"), std::env::var("TLS_KEY")) {
            return serve_tls(l, router, &cert, &key).await;
        }
        use axum::serve::ListenerExt;
        let l = l.tap_io(|io| {
            let _ = io.set_nodelay(true);
        });
        axum::serve(l, router).await.unwrap();
    });
}
