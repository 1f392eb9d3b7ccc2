//! The wall between merchant accounts, from every side.

use serde_json::{Value, json};
use testkit::caller::Caller;
use testkit::server::Server;
use testkit::token::{Key, now_seconds};

use crate::api_key_pairs::{role, with_role};
use crate::support::{adyen_request, service};

mod header;
mod matrix;
mod members;
mod operations;

/// A token for a caller of many calls, as the Python SDK makes them.
fn lasting(key: &Key) -> String {
    key.token_with(json!({ "scopes": ["*.read", "*.write"], "exp": now_seconds() + 3600 }))
}

/// A merchant account with something of everything, and the one key pair that may act in it.
struct Tenant {
    account: String,
    key: Key,
    key_pair: String,
    /// The role of full access, which is everybody's.
    role: String,
    /// Payment services, the newest first; the definition of the first is configured in this account alone.
    services: Vec<String>,
    definition: String,
    /// Records of sessions, the newest first.
    records: Vec<Value>,
}

impl Tenant {
    /// Founds an account, and fills it by its own key. `definition` is configured nowhere else.
    async fn found(server: &Server, account: &str, definition: &str) -> Self {
        let display_name = format!("Shop {account}");
        server.merchant().post("/merchant-accounts", &json!({ "id": account, "display_name": display_name })).await.expect(201);
        let (key, key_pair) = with_role(server, "full-access", &[account]).await;
        let mut tenant = Self {
            account: account.to_owned(),
            key,
            key_pair,
            role: role(server, "full-access").await,
            services: Vec::new(),
            definition: definition.to_owned(),
            records: Vec::new(),
        };
        let caller = tenant.caller(server);
        for definition in ["adyen-card", "adyen-card", definition] {
            let fields = [("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
            let mut body = service(definition, &fields);
            body["display_name"] = json!(format!("Service of {account}"));
            let made = caller.post("/payment-services", &body).await.expect(201);
            tenant.services.insert(0, made["id"].as_str().unwrap().to_owned());
        }
        for number in 0..2 {
            let mut body = adyen_request();
            body["reference"] = json!(format!("order-{number}-of-{account}"));
            let path = format!("/payment-services/{}/sessions", tenant.services[0]);
            caller.post(&path, &body).await.expect(200);
        }
        let records = caller.get("/payment-service-sessions").await.expect(200);
        tenant.records = records["items"].as_array().unwrap().clone();
        assert_eq!(tenant.records.len(), 2);
        tenant
    }

    /// Its own key, with every scope.
    fn caller<'s>(&self, server: &'s Server) -> Caller<'s> {
        server.anonymous().token(lasting(&self.key))
    }

    /// Everything that names something of this account, and nothing of another.
    fn names(&self) -> Vec<String> {
        let of_records = ["id", "request_id", "reference", "service_session_id"];
        let records = self.records.iter().flat_map(|record| of_records.map(|member| record[member].as_str().expect(member).to_owned()));
        let shop = [format!("\"{}\"", self.account), format!("Shop {}", self.account), format!("Service of {}", self.account)];
        shop.into_iter().chain([self.key_pair.clone(), self.key.thumbprint()]).chain(self.services.clone()).chain(records).collect()
    }
}
