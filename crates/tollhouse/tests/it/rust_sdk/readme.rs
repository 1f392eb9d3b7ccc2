//! The example of the client's README, on the real server.

use std::error::Error;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tollhouse_client::{Client, PaymentServiceSession};

use super::private_key;
use crate::support::{adyen_request, on_each_engine, simulated_adyen};

/// The example word for word: the test below compares the two.
#[expect(clippy::print_stderr, reason = "an example speaks to people")]
mod example {
    use super::*;

    pub(super) async fn run(
        server: &str,
        private_key: String,
        definition: &str,
        body: &RawValue,
    ) -> Result<PaymentServiceSession, Box<dyn Error>> {
        create_session(server, private_key, definition, body).await
    }

    #[rustfmt::skip]
async fn create_session(
    server: &str,
    private_key: String,
    definition: &str,
    body: &RawValue,
) -> Result<PaymentServiceSession, Box<dyn Error>> {
    let client = Client::builder().server_url(server).private_key(private_key).build()?;
    let session = client.payment_service_definitions().create_session(definition, body).await?;
    if !session.is_succeeded() {
        // A refusal by the payment service is an answer, not an error.
        eprintln!("failed: {:?}, the service answered {:?}", session.code, session.status_code);
    }
    Ok(session)
}
}

#[tokio::test]
async fn the_example_of_the_readme_creates_a_session() {
    let function = |text: &'static str| {
        let start = text.find("async fn create_session(").unwrap();
        &text[start..start + text[start..].find("\n}\n").unwrap()]
    };
    assert_eq!(function(include_str!("readme.rs")), function(include_str!("../../../../client/README.md")));
    on_each_engine(async |server| {
        simulated_adyen(server, "adyen-ideal").await;
        let body = RawValue::from_string(adyen_request().to_string()).unwrap();
        let session = example::run(&server.base, private_key(server), "adyen-ideal", &body).await.unwrap();
        assert!(session.is_succeeded());
        assert_eq!((session.r#type.as_deref(), session.status_code), (Some("payment-service-session"), Some(201)));
        let answer: Value = session.response_value().unwrap();
        assert_eq!((&answer["reference"], &answer["merchantAccount"]), (&json!("order-1"), &json!("ShopECOM")));
    })
    .await;
}
