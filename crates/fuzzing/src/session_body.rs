//! The body of a session: read, searched for card numbers, and held against definitions that edit it in different ways.

use std::sync::{Arc, LazyLock};

use connectors::caller::{Access, Caller, Places};
use connectors::catalogue::{Catalogue, Connector};
use connectors::credentials::Credentials;
use connectors::outbound::{Backoff, CALL_TIMEOUT, CONNECT_TIMEOUT, EgressPolicy, Outbound, OutboundOptions, Resolution};
use domain::card_number::card_number_members;
use domain::json::JsonText;
use domain::{JsonObject, MerchantAccountId, Secret};
use uuid::Uuid;

/// Card numbers looked for in one body.
const CARD_NUMBERS_MAX: usize = 100;

static SERVICES: LazyLock<(Caller, Vec<Access>)> = LazyLock::new(|| {
    let options = OutboundOptions {
        egress: EgressPolicy { allow: Vec::new(), allow_http: false },
        extra_roots: None,
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
        proxy: None,
        resolution: Resolution::System,
        backoff: Backoff::Jitter,
    };
    let caller = Caller::new(Outbound::new(options).expect("nothing is asked of the system yet"), Places::new([], None));
    let (catalogue, _) = Catalogue::load(&[], true).expect("the shipped definitions load");
    let accesses = catalogue.iter().filter(|connector| connector.creates_sessions()).map(access).collect();
    (caller, accesses)
});

/// The body of a session: parsed, searched and checked, once for each shipped definition that creates sessions. Nothing is sent.
pub fn session_body(bytes: &[u8]) -> bool {
    let Ok(body) = JsonObject::parse(bytes.to_vec()) else { return false };
    assert_eq!(body.bytes().as_ref(), bytes, "a body is kept as it came");
    for pointer in card_number_members(&body, CARD_NUMBERS_MAX) {
        assert!(body.at(&pointer).is_some(), "a card number is where it was found");
    }
    let (caller, accesses) = &*SERVICES;
    let mut accepted = false;
    for access in accesses {
        match caller.check(access, &body) {
            Ok(_) => accepted = true,
            Err(problems) => assert!(!problems.is_empty(), "a body is refused for a reason"),
        }
    }
    assert!(JsonText::parse(bytes.to_vec()).is_ok(), "an object is JSON");
    accepted
}

fn access(connector: &Arc<Connector>) -> Access {
    // Keys that must be PEM do not open with this value; what is then not signed is checked all the same.
    let stored = connector.provider.fields.iter().filter(|field| field.key != "mode" && field.key != "timeout_ms");
    let stored = stored.map(|field| (field.key.clone(), Secret::from("value")));
    Access {
        connector: Arc::clone(connector),
        credentials: Credentials::for_connector(connector, stored),
        service: Some(Uuid::nil()),
        account: MerchantAccountId::parse("default").expect("a merchant account's id"),
    }
}
