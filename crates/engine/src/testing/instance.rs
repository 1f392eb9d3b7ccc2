//! A whole engine on SQLite in a directory of its own, with one definition file and one scripted provider.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use connectors::caller::Places;
use connectors::catalogue::Catalogue;
use connectors::outbound::{Backoff, CALL_TIMEOUT, CONNECT_TIMEOUT, EgressPolicy, Outbound, OutboundOptions, Resolution};
use domain::page::PageRequest;
use domain::{MerchantAccountId, Scope};
use store::Database;
use tempfile::TempDir;

use super::databases::on_each_database;
use super::provider::Provider;
use super::{CountingIds, ManualClock, account_id, root_keys};
use crate::bootstrap::{Ground, ensure_key_pair};
use crate::key_pairs;
use crate::limits::Rates;
use crate::merchant_accounts::{self, NewMerchantAccount};
use crate::payment_services::NewPaymentService;
use crate::signing::{SigningKey, TokenClaims};
use crate::vault::RootKeys;
use crate::{Caller, Clock as _, Engine, Ids as _, Parts, Request, Rules, StartError};

/// Who asks, in all tests.
pub(crate) const ORIGIN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Two methods, of which one creates no sessions; a secret with prefixes, a renamed field, and one of each other kind.
const DEFINITION: &str = r#"format = 1
id = "acme"
name = "Acme"
docs = "https://acme.example/docs"
checked = "docs 2026-11"

[methods]
card = { name = "Acme cards" }
ideal = { name = "Acme iDEAL", sessions = false }

[fields]
api_key = { label = "API key", secret = true, prefix.sandbox = ["test_"], prefix.live = ["live_"] }
merchant = { label = "Merchant", renamed_from = "shop" }
region = { label = "Region", choices = ["eu", "us"], default = "eu" }
note = { label = "Note", optional = true }

[hosts]
sandbox = "https://sandbox.acme.example"
live = "https://api.acme.example"

[auth]
bearer = "{{ field.api_key }}"

[call.session]
request = "POST /sessions"
success = [200, 201]
error_code = "answer /error"
body.refuse."/card" = "card data must not pass through a session"
body.set."/merchant" = "{{ field.merchant }}"

[call.session.record]
amount = "request /amount"
currency = "request /currency"
reference = "request /reference"
service_id = "answer /id"

[call.verify]
request = "GET /me"
success = [200]

[simulator]
requires = ["/amount"]
example = '''{"amount":1000,"currency":"EUR","reference":"order-1"}'''
answer = '''{"id":"{{ sim.uuid }}"}'''
refuse.400 = '''{"error":"{{ sim.missing }}"}'''
refuse.401 = '''{"error":"unauthorized"}'''
"#;

/// A provider that creates no sessions and verifies nothing.
const SILENT: &str = r#"format = 1
id = "silent"
name = "Silent"
checked = "docs 2026-11"
simulator_only = true

[methods]
card = { name = "Silent cards" }

[fields]
merchant_id = { label = "Merchant ID" }
"#;

pub(crate) const ANYTHING_GOES: Rules = Rules {
    environment: None,
    simulators: true,
    refuse_card_numbers: true,
    session_records_kept_days: 400,
    token_lifetime_max_seconds: None,
    rates: Rates::UNLIMITED,
};

pub(crate) struct Instance {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: Arc<CountingIds>,
    pub(crate) provider: Provider,
    pub(crate) key: SigningKey,
    pub(crate) directory: TempDir,
}

impl Instance {
    /// Runs a test on an instance over each database engine.
    pub(crate) async fn on_each_engine(test: impl AsyncFn(Self)) {
        on_each_database(async |database, directory| test(Self::over(database, directory).await).await).await;
    }

    async fn over(database: Database, directory: TempDir) -> Self {
        fs::write(directory.path().join("acme.toml"), DEFINITION).unwrap();
        fs::write(directory.path().join("silent.toml"), SILENT).unwrap();
        let (clock, ids) = (Arc::new(ManualClock::new()), Arc::new(CountingIds::new()));
        let key = SigningKey::generate();
        let ground = Ground { database: &database, root_keys: &root_keys(), clock: clock.as_ref(), ids: ids.as_ref(), command: "a test" };
        ensure_key_pair(&ground, key.public(), "First").await.unwrap();
        let provider = Provider::start().await;
        let parts = parts(database, &directory, &provider, (Arc::clone(&clock), Arc::clone(&ids)), ANYTHING_GOES);
        let engine = Engine::start(parts).await.unwrap();
        Self { engine, clock, ids, provider, key, directory }
    }

    /// A second engine on the same database.
    pub(crate) async fn another(&self, rules: Rules) -> Result<Arc<Engine>, StartError> {
        let sources = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        Engine::start(parts(self.engine.database().clone(), &self.directory, &self.provider, sources, rules)).await
    }

    /// A second engine on the same database that was given other root keys.
    pub(crate) async fn another_under(&self, root_keys: RootKeys) -> Result<Arc<Engine>, StartError> {
        let sources = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let parts = parts(self.engine.database().clone(), &self.directory, &self.provider, sources, ANYTHING_GOES);
        Engine::start(Parts { root_keys, ..parts }).await
    }

    /// Rewrites the definition file and reads it again, as a reload does.
    pub(crate) fn redefine(&self, change: impl FnOnce(&str) -> String) {
        fs::write(self.directory.path().join("acme.toml"), change(DEFINITION)).unwrap();
        self.engine.catalogue.store(Arc::new(catalogue(self.directory.path().into())));
    }

    /// A token that the first key pair has signed.
    pub(crate) fn token(&self, key: &SigningKey, scopes: &[&str]) -> String {
        key.token(&TokenClaims {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            issuer: "test".to_owned(),
            now: self.clock.now(),
            lifetime_seconds: 30,
            id: self.ids.v4(),
            checkout_session_id: None,
            embed: None,
        })
    }

    /// Who may do everything.
    pub(crate) fn caller(&self) -> Caller {
        self.caller_of(&self.key, &["*.read", "*.write"])
    }

    pub(crate) fn caller_of(&self, key: &SigningKey, scopes: &[&str]) -> Caller {
        self.engine.authenticate(&self.token(key, scopes), ORIGIN).unwrap()
    }

    /// A key pair that is bound to accounts, with the roles of the slugs.
    pub(crate) async fn bound_key(&self, roles: &[&str], accounts: &[&str]) -> SigningKey {
        let key = SigningKey::generate();
        let new = domain::api_key_pair::NewApiKeyPair {
            display_name: "Bound".to_owned(),
            active: true,
            role_ids: self.role_ids(roles).await,
            merchant_account_ids: accounts.iter().map(|account| account_id(account)).collect(),
            public_key_pem: Some(key.public().to_pem()),
        };
        key_pairs::create(&self.engine, &self.caller(), &self.request(), new).await.unwrap();
        key
    }

    pub(crate) async fn role_ids(&self, slugs: &[&str]) -> Vec<domain::RoleId> {
        let roles = crate::roles::list(&self.engine, &first_page()).await.unwrap().items;
        slugs.iter().map(|slug| roles.iter().find(|role| role.slug == *slug).unwrap().id).collect()
    }

    pub(crate) fn request(&self) -> Request {
        Request { actor: self.caller().actor(), request_id: "request-1".to_owned(), origin: ORIGIN.to_string() }
    }

    /// Makes an account and its scope.
    pub(crate) async fn account(&self, id: &str) -> Scope {
        let new = NewMerchantAccount {
            id: account_id(id),
            settings: super::account(id).settings,
            secrets: domain::merchant_account::MerchantAccountSecrets::default(),
        };
        merchant_accounts::create(&self.engine, &self.caller(), &self.request(), new).await.unwrap();
        Scope::of(account_id(id))
    }
}

pub(crate) fn default_scope() -> Scope {
    Scope::of(MerchantAccountId::default_account())
}

pub(crate) fn first_page() -> PageRequest {
    PageRequest { limit: 100, cursor: None }
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A service of the first method that can be called.
pub(crate) fn acme() -> NewPaymentService {
    NewPaymentService {
        definition_id: "acme-card".to_owned(),
        display_name: "Acme".to_owned(),
        fields: fields(&[("api_key", "test_0123456789abcdef"), ("merchant", "shop-1"), ("note", "hello")]),
        reporting_fields: Vec::new(),
        position: None,
        active: true,
        accepted_currencies: vec![domain::CurrencyCode::parse("EUR").unwrap()],
        accepted_countries: vec![domain::CountryCode::parse("DE").unwrap()],
        three_d_secure_enabled: false,
        merchant_profile: None,
        payment_method_tokenization_enabled: false,
        network_tokens_enabled: false,
        open_loop: false,
        settlement_reporting_enabled: false,
    }
}

fn catalogue(directory: PathBuf) -> Catalogue {
    let (catalogue, diagnostics) = Catalogue::load(&[directory], true).unwrap();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    catalogue
}

fn parts(
    database: Database,
    directory: &TempDir,
    provider: &Provider,
    sources: (Arc<ManualClock>, Arc<CountingIds>),
    rules: Rules,
) -> Parts {
    let outbound = Outbound::new(OutboundOptions {
        egress: EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true },
        proxy: None,
        extra_roots: None,
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
        resolution: Resolution::Fixed(std::collections::BTreeMap::new()),
        backoff: Backoff::Fixed(std::time::Duration::ZERO),
    });
    let places = Places::new([("acme".to_owned(), format!("http://{}", provider.address).parse().unwrap())], None);
    Parts {
        database,
        catalogue: Arc::new(ArcSwap::from_pointee(catalogue(directory.path().into()))),
        caller: connectors::caller::Caller::new(outbound.unwrap(), places),
        root_keys: root_keys(),
        clock: sources.0,
        ids: sources.1,
        rules,
    }
}
