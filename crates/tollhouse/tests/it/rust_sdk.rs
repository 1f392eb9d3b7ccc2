//! The Rust client as a client of the real server.

use testkit::server::Server;
use tollhouse_client::{Client, ClientBuilder, Field, PaymentServiceCreate};

mod errors;
mod readme;
mod resources;
mod sessions;

fn private_key(server: &Server) -> String {
    std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap()
}

fn builder(server: &Server) -> ClientBuilder {
    Client::builder().server_url(&server.base).private_key(private_key(server))
}

fn client(server: &Server) -> Client {
    builder(server).build().unwrap()
}

/// A simulated service that is called so.
fn adyen(name: &str) -> PaymentServiceCreate {
    PaymentServiceCreate {
        display_name: name.to_owned(),
        payment_service_definition_id: "adyen-ideal".to_owned(),
        fields: vec![Field::new("api_key", "test-key"), Field::new("merchant_account", "ShopECOM"), Field::new("mode", "simulator")],
        accepted_currencies: vec!["EUR".to_owned()],
        accepted_countries: vec!["NL".to_owned()],
        ..PaymentServiceCreate::default()
    }
}
