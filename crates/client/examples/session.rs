//! Creates one session and prints how it ended: `cargo run --example session -- http://127.0.0.1:8080 tollhouse-data/private_key.pem adyen-ideal '{"…"}'`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to people")]

use std::error::Error;
use std::process::ExitCode;

use serde_json::value::RawValue;
use tollhouse_client::{Client, PaymentServiceSession};

// The README shows this function; a test compares the two.
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(key_file), Some(definition), Some(body)) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: session SERVER KEY_FILE DEFINITION BODY");
        return Ok(ExitCode::from(2));
    };
    let body = RawValue::from_string(body)?;
    let session = create_session(&server, std::fs::read_to_string(key_file)?, &definition, &body).await?;
    println!("{}", session.response_body.as_ref().map_or("null", |answer| answer.get()));
    Ok(if session.is_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
