//! Every operation of our own document: which identifiers it takes and where, and a call of it that works.
//!
//! What an operation takes is read from the document. An operation, a parameter or a member that looks like an identifier and is not known here fails the tests, so that nobody adds one without saying on which side of the wall it is.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::Tenant;
use crate::support::{adyen_request, service};

static DOCUMENT: LazyLock<Value> = LazyLock::new(api::openapi);

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    /// With its parameter in braces.
    pub(super) path: String,
    /// Names of the parameters of its query.
    pub(super) query: Vec<String>,
    /// Names of the members of its body; `None` where it has none, or where it takes any object.
    pub(super) members: Option<Vec<String>>,
    /// Whether it acts in one merchant account, whichever the header or the key pair says.
    pub(super) is_of_a_tenant: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// An identifier that is somebody else's, and one like it that is nobody's.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    pub(super) foreign: Value,
    pub(super) nobodys: Value,
}

/// All of them, as the document lists them.
pub(super) fn operations() -> Vec<Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let every = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(method, described)| (path, method, described)));
    every.map(|(path, method, described)| Operation::read(path, method, described)).collect()
}

// === impl Operation ===

impl Operation {
    fn read(path: &str, method: &str, described: &Value) -> Self {
        let parameters = described["parameters"].as_array().unwrap();
        let named = |place: &str| {
            parameters
                .iter()
                .filter(|parameter| parameter["in"] == place)
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let schema = described["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
        let members = schema.map(|reference| {
            let schema = DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap();
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        });
        let id = described["operationId"].as_str().unwrap().to_owned();
        // The one operation that acts in an account and does not declare the header, which official clients do not send there.
        let is_of_a_tenant =
            named("header").iter().any(|name| name == "x-gr4vy-merchant-account-id") || id == "create_payment_service_definition_session";
        Self { is_of_a_tenant, id, method: method.to_uppercase(), path: path.to_owned(), query: named("query"), members }
    }

    /// The name of the parameter in its path.
    pub(super) fn parameter(&self) -> Option<&str> {
        Some(self.path.split_once('{')?.1.split_once('}')?.0)
    }

    /// A call of it that an account makes about its own things, and that works.
    pub(super) fn call(&self, own: &Tenant) -> Call {
        let fields = json!([{ "key": "api_key", "value": "test-key" }, { "key": "merchant_account", "value": "ShopECOM" }, { "key": "mode", "value": "simulator" }]);
        let body = match self.id.as_str() {
            "list_payment_service_definitions"
            | "get_payment_service_definition"
            | "list_payment_services"
            | "get_payment_service"
            | "delete_payment_service"
            | "list_payment_service_sessions"
            | "get_payment_service_session"
            | "list_merchant_accounts"
            | "get_merchant_account"
            | "list_api_key_pairs"
            | "get_api_key_pair"
            | "delete_api_key_pair"
            | "list_roles"
            | "list_audit_logs" => None,
            "create_payment_service_definition_session" | "create_payment_service_session" => Some(adyen_request()),
            "create_payment_service" => {
                Some(service("adyen-card", &[("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")]))
            }
            "update_payment_service" => Some(json!({ "display_name": "Renamed" })),
            "verify_payment_service_credentials" => Some(json!({ "payment_service_definition_id": "adyen-card", "fields": fields })),
            "create_merchant_account" => Some(json!({ "id": "founded", "display_name": "Founded" })),
            "update_merchant_account" => Some(json!({ "display_name": "Renamed" })),
            "create_api_key_pair" => {
                Some(json!({ "display_name": "Second", "role_ids": [own.role], "merchant_account_ids": [own.account] }))
            }
            "update_api_key_pair" => Some(json!({ "display_name": "Renamed" })),
            unknown => panic!("{unknown} is new: say here how it is called, and what it must not give away"),
        };
        let path = match self.parameter() {
            None => self.path.clone(),
            Some(parameter) => self.path_with(match parameter {
                "payment_service_definition_id" => &own.definition,
                "payment_service_id" => &own.services[0],
                "payment_service_session_id" => own.records[0]["id"].as_str().unwrap(),
                "merchant_account_id" => &own.account,
                "api_key_pair_id" => &own.key_pair,
                unknown => panic!("{unknown} in the path of {} is new: say here what it names", self.id),
            }),
        };
        Call { method: self.method.clone(), path, body }
    }

    /// Its path with a value in the place of its parameter.
    pub(super) fn path_with(&self, value: &str) -> String {
        self.path.replace(&format!("{{{}}}", self.parameter().unwrap()), value)
    }

    /// What another account has in the place of its path's parameter; `None` where that is nobody's own.
    pub(super) fn stranger_in_path(&self, other: &Tenant) -> Option<Stranger> {
        match self.parameter()? {
            // Definitions are everybody's; having a service of one is not.
            "payment_service_definition_id" if self.id == "get_payment_service_definition" => None,
            "payment_service_definition_id" => Some(stranger(other.definition.as_str(), "adyen-sofort")),
            "payment_service_id" => Some(stranger(other.services[0].as_str(), NOBODY)),
            "payment_service_session_id" => Some(Stranger { foreign: other.records[0]["id"].clone(), nobodys: json!(NOBODY) }),
            "merchant_account_id" => Some(stranger(other.account.as_str(), "nobodys-shop")),
            "api_key_pair_id" => Some(stranger(other.key_pair.as_str(), NOBODY)),
            unknown => panic!("{unknown} in the path of {} is new: say here what it names", self.id),
        }
    }

    /// What another account has for a parameter of its query; `None` where that names nothing of an account.
    pub(super) fn stranger_in_query(&self, parameter: &str, other: &Tenant) -> Option<Stranger> {
        let of_record = |member: &str| Some(Stranger { foreign: other.records[0][member].clone(), nobodys: json!(NOBODY) });
        match parameter {
            "limit" | "method" | "deleted" | "action" | "resource_type" | "status" | "code" | "created_at_gte" | "created_at_lte" => None,
            // Has a test of its own.
            "cursor" => None,
            "search" => Some(stranger(format!("Shop {}", other.account).as_str(), "Shop of nobody")),
            "user_id" => Some(stranger(other.key_pair.as_str(), NOBODY)),
            "payment_service_id" => Some(stranger(other.services[0].as_str(), NOBODY)),
            "payment_service_definition_id" => Some(stranger(other.definition.as_str(), "adyen-sofort")),
            "id" | "reference" | "service_session_id" | "request_id" => of_record(parameter),
            // The simulator gives none, so that it is the one of nobody.
            "support_id" => None,
            unknown => panic!("{unknown} in the query of {} is new: say here what it names", self.id),
        }
    }

    /// What another account has for a member of its body; `None` where that names nothing of an account.
    pub(super) fn stranger_in_body(&self, member: &str, other: &Tenant) -> Option<Stranger> {
        let names_something = member == "id" || member.ends_with("_id") || member.ends_with("_ids") || member.ends_with("_account");
        match member {
            // Definitions and roles are everybody's; the others name things of card schemes and of a service outside.
            "payment_service_definition_id" | "role_ids" | "loon_merchant_account_id" => None,
            _ if member.ends_with("_requestor_id") || member.ends_with("_app_id") || member.ends_with("_key_id") => None,
            "id" => Some(stranger(other.account.as_str(), "nobodys-shop")),
            "payment_service_id" => Some(stranger(other.services[0].as_str(), NOBODY)),
            "merchant_account_ids" => Some(Stranger { foreign: json!([other.account]), nobodys: json!(["nobodys-shop"]) }),
            unknown if names_something => panic!("{unknown} in the body of {} is new: say here what it names", self.id),
            _ => None,
        }
    }
}

/// A UUID of version 7 that nothing has.
pub(super) const NOBODY: &str = "01900000-0000-7000-8000-00000000dead";

fn stranger(foreign: &str, nobodys: &str) -> Stranger {
    Stranger { foreign: json!(foreign), nobodys: json!(nobodys) }
}
