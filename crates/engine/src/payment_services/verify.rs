//! Proving credentials: the payment service is asked whether it knows them.

use std::sync::Arc;

use connectors::caller::{Access, Attempt, Verification};
use connectors::catalogue::Connector;
use connectors::credentials::Credentials;
use domain::{PaymentServiceId, Problem, Scope, Secret, SessionRecordId};

use super::fields::{self, Merge};
use super::unknown_definition;
use crate::{Engine, Refusal};

/// Credentials to be proved. They are secrets, hence no `Debug`.
#[derive(Clone)]
pub struct VerifyCredentials {
    /// The definition, as the caller wrote it.
    pub definition_id: String,
    /// A payment service whose stored values fill the fields that are not sent.
    pub payment_service_id: Option<PaymentServiceId>,
    /// Key and value of each field, in the caller's order.
    pub fields: Vec<(String, String)>,
}

/// Asks the payment service whether it accepts the credentials. Nothing is stored.
pub async fn verify(engine: &Arc<Engine>, scope: &Scope, input: VerifyCredentials) -> Result<(), Refusal> {
    let Some(connector) = engine.connector(&input.definition_id) else {
        return Err(Refusal::invalid(unknown_definition(&input.definition_id)));
    };
    if !connector.can_verify() {
        return Err(Refusal::invalid(not_supported(&connector)));
    }
    let values = match input.payment_service_id {
        Some(id) => merged(engine, scope, &connector, id, &input)?,
        None => {
            let problems = fields::problems(&connector, &input.fields, &engine.field_rules());
            if problems.is_empty() { input.fields.clone() } else { return Err(Refusal::Invalid(problems)) }
        }
    };
    let stored = values.into_iter().map(|(key, value)| (key, Secret::from(value)));
    let now = engine.now();
    let access = Access {
        credentials: Credentials::for_connector(&connector, stored),
        connector: Arc::clone(&connector),
        // Its calls count among those of the service. A token of the stored credentials is not used: it says nothing about the sent ones.
        service: input.payment_service_id.map(|id| id.0),
        account: scope.account().clone(),
    };
    let attempt = Attempt { id: SessionRecordId(engine.ids.v7(now)), now };
    match engine.connectors.verify(&access, &attempt).await {
        Verification::Accepted => Ok(()),
        Verification::Refused => Err(Refusal::Invalid(refused(&connector, &input.fields))),
        Verification::NoAnswer => Err(Refusal::BadGateway),
        Verification::NotSupported => Err(Refusal::invalid(not_supported(&connector))),
    }
}

fn merged(
    engine: &Engine,
    scope: &Scope,
    connector: &Connector,
    id: PaymentServiceId,
    input: &VerifyCredentials,
) -> Result<Vec<(String, String)>, Refusal> {
    let snapshot = engine.snapshot();
    let service = snapshot.service(scope, id).ok_or(Refusal::NotFound)?;
    if service.service.definition_id != connector.definition.id {
        let message = format!("the payment service is one of `{}`", service.service.definition_id);
        return Err(Refusal::invalid(Problem::body("/payment_service_id", "conflict", message)));
    }
    let merge = Merge::new(snapshot.keyring(), &service.service, connector, &service.fields, &input.fields);
    let problems = merge.problems(connector, &engine.field_rules());
    if problems.is_empty() { Ok(merge.values) } else { Err(Refusal::Invalid(problems)) }
}

/// One problem per field that the call proves: the service does not say which of them is wrong.
fn refused(connector: &Connector, sent: &[(String, String)]) -> Vec<Problem> {
    let verifiable = |key: &str| connector.definition.fields.iter().any(|field| field.key == key && field.verifiable);
    let message = "the payment service refuses the credentials";
    let of_sent = sent.iter().enumerate().filter(|(_, (key, _))| verifiable(key));
    let problems: Vec<Problem> = of_sent.map(|(index, _)| Problem::body(format!("/fields/{index}"), "value_error", message)).collect();
    // Where only stored values are proved, none of the sent ones can be pointed at.
    if problems.is_empty() { vec![Problem::body("/fields", "value_error", message)] } else { problems }
}

fn not_supported(connector: &Connector) -> Problem {
    let message = format!("credentials of `{}` can not be verified", connector.definition.id);
    Problem::body("/payment_service_definition_id", "not_supported", message)
}
