//! Playing a definition offline: the example, refused credentials, and every outcome that a simulator can be asked for.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use connectors::caller::{Places, Verification};
use connectors::catalogue::Connector;
use connectors::credentials::TIMEOUT_MS;
use connectors::model::{Call, Name, Template};
use connectors::outbound::{Backoff, CALL_TIMEOUT, CONNECT_TIMEOUT, EgressPolicy, Outbound, OutboundOptions, Resolution};
use domain::JsonObject;
use domain::session::{Session, SessionCode, SessionStatus};
use tokio_util::sync::CancellationToken;

use super::{Scene, Subject, Trial, ending, example, requests};
use crate::cli::{output, simulated};

/// The time limit of a call whose service never answers, milliseconds: no simulator on this machine takes as long for an answer.
const SLOW_MS: &str = "200";

/// Plays every method. What went otherwise than it should comes back.
pub(super) async fn run(subject: &Subject) -> anyhow::Result<Vec<String>> {
    let stop = CancellationToken::new();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let catalogue = Arc::new(ArcSwap::from_pointee(subject.catalogue.clone()));
    let simulators = simulators::start(catalogue, listen, stop.clone()).await.context("the simulator can not be started")?;
    let places = Places::new(BTreeMap::new(), Some(simulators.base.clone()));
    let trial = Trial::new(outbound()?, places);
    let mut failures = Vec::new();
    let mut slow = Some(SLOW_MS);
    for connector in &subject.connectors {
        let play = Play { trial: &trial, connector };
        failures.extend(play.run(&mut slow).await?);
    }
    stop.cancel();
    simulators.ended().await;
    Ok(failures)
}

/// Nothing is let out: this reaches the simulator and nothing else.
fn outbound() -> anyhow::Result<Outbound> {
    let options = OutboundOptions {
        egress: EgressPolicy { allow: Vec::new(), allow_http: false },
        proxy: None,
        extra_roots: None,
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
        resolution: Resolution::System,
        backoff: Backoff::Jitter,
    };
    Ok(Outbound::new(options)?)
}

/// One method.
struct Play<'a> {
    trial: &'a Trial,
    connector: &'a Arc<Connector>,
}

// === impl Play ===

impl Play<'_> {
    /// `slow` is taken by the first method that creates sessions: it costs time, and no method changes what comes of it.
    async fn run(&self, slow: &mut Option<&'static str>) -> anyhow::Result<Vec<String>> {
        let id = &self.connector.definition.id;
        output::data(&format!("== {id}"))?;
        if !self.connector.creates_sessions() {
            output::data("creates no sessions")?;
            return Ok(Vec::new());
        }
        let values = match simulated::fields(self.connector) {
            Ok(values) => values,
            Err(problems) => return Ok(vec![format!("{id}: no values were found for its fields: {}", problems.join("; "))]),
        };
        let (Some(call), Some(example)) = (&self.connector.provider.session, example(self.connector)) else {
            return Ok(vec![format!("{id}: the file has no example for it")]);
        };
        let mut failures = self.example(call, &values, &example).await?;
        let refused: Vec<(String, String)> = values.iter().map(|(key, value)| (key.clone(), self.spoiled(key, value))).collect();
        if refused != values {
            let session = self.trial.session(self.connector, &refused, &example).await;
            output::data(&format!("refused credentials -> {}", ending(&session)))?;
            if session.code != Some(SessionCode::InvalidServiceCredentials) {
                failures.push(format!("{id}: refused credentials end as {}, and should as INVALID_SERVICE_CREDENTIALS", ending(&session)));
            }
        }
        failures.extend(self.outcomes(&values, &example, slow.take()).await?);
        if self.connector.can_verify() {
            let verification = self.trial.caller.verify(&self.trial.access(self.connector, &values), &self.trial.attempt()).await;
            output::data(&format!("verification -> {}", said(verification)))?;
            if verification != Verification::Accepted {
                failures.push(format!("{id}: good credentials are not verified: {}", said(verification)));
            }
        }
        Ok(failures)
    }

    /// The example of the file must succeed; request and answer are shown.
    async fn example(&self, call: &Call, values: &[(String, String)], example: &JsonObject) -> anyhow::Result<Vec<String>> {
        let id = &self.connector.definition.id;
        let scene = Scene::simulated(self.connector, values, self.trial.attempt());
        match requests(&scene, call, example) {
            Ok(texts) => texts.iter().try_for_each(|text| output::data(&format!("\n{text}\n")))?,
            Err(error) => return Ok(vec![format!("{id}: no request can be made: {error}")]),
        }
        let session = self.trial.session(self.connector, values, example).await;
        output::data(&format!("-> {}", ending(&session)))?;
        let failed = session.status != SessionStatus::Succeeded;
        Ok(failed.then(|| format!("{id}: the example ends as {}", ending(&session))).into_iter().collect())
    }

    /// Every outcome that a simulator can be asked for must become the code that the caller is promised.
    async fn outcomes(&self, values: &[(String, String)], example: &JsonObject, slow_ms: Option<&str>) -> anyhow::Result<Vec<String>> {
        let id = &self.connector.definition.id;
        let mut failures = Vec::new();
        let asked = slow_ms.map(|_| ("slow", Some(SessionCode::ServiceNetworkError)));
        for (wish, expected) in self.expected().into_iter().chain(asked) {
            let mut values = values.to_vec();
            values.extend(slow_ms.filter(|_| wish == "slow").map(|limit| (TIMEOUT_MS.to_owned(), limit.to_owned())));
            let session = self.trial.session(self.connector, &values, &wished(example, wish)?).await;
            output::data(&format!("simulate:{wish} -> {}", ending(&session)))?;
            if !is_expected(&session, expected) {
                let expected = expected.map_or_else(|| "as failed".to_owned(), |code| format!("as failed {code}"));
                failures.push(format!("{id}: simulate:{wish} ends as {}, and should {expected}", ending(&session)));
            }
        }
        Ok(failures)
    }

    /// What the outcomes must become; without a code any will do. What a service refuses at a success status is its own to say.
    fn expected(&self) -> Vec<(&'static str, Option<SessionCode>)> {
        let simulator = self.connector.provider.simulator.as_ref();
        let refusal = simulator.and_then(|simulator| simulator.refuse.keys().find(|status| **status != 401)).copied().unwrap_or(400);
        // Where the file reads the service's own word, that decides.
        let by_word = self.connector.provider.session.as_ref().is_some_and(|call| call.success.refusal.is_some());
        let declined = match refusal {
            _ if by_word => None,
            401 | 403 => Some(SessionCode::InvalidServiceCredentials),
            429 => Some(SessionCode::ServiceRateLimit),
            400..=499 => Some(SessionCode::InvalidServiceRequest),
            500..=599 => Some(SessionCode::ServiceError),
            _ => None,
        };
        vec![
            ("decline", declined),
            ("401", Some(SessionCode::InvalidServiceCredentials)),
            ("429", Some(SessionCode::ServiceRateLimit)),
            ("500", Some(SessionCode::ServiceError)),
            ("malformed", Some(SessionCode::InvalidServiceResponse)),
            ("drop", Some(SessionCode::ServiceNetworkError)),
        ]
    }

    /// The simulator refuses credentials that begin so. What is no secret picks hosts and paths, and secrets that only sign are sent to nobody who could refuse them.
    fn spoiled(&self, key: &str, value: &str) -> String {
        let provider = &self.connector.provider;
        let is_secret = provider.fields.iter().any(|field| field.secret && field.key == key);
        let calls: Vec<&Call> = provider.session.iter().chain(provider.token.as_ref().map(|token| &token.call)).collect();
        let is_it = |name: &Name| matches!(name, Name::Field(named) if named == key);
        let is_sent = calls.iter().flat_map(|call| provider.templates(call)).flat_map(Template::names).any(is_it);
        let signs = !is_sent && calls.iter().flat_map(|call| provider.names(call)).any(is_it);
        if is_secret && !signs { format!("invalid{value}") } else { value.to_owned() }
    }
}

fn is_expected(session: &Session, expected: Option<SessionCode>) -> bool {
    session.status == SessionStatus::Failed && expected.is_none_or(|code| session.code == Some(code))
}

pub(super) fn said(verification: Verification) -> &'static str {
    match verification {
        Verification::Accepted => "accepted",
        Verification::Refused => "refused",
        Verification::NoAnswer => "no answer that proves anything",
        Verification::NotSupported => "not supported",
    }
}

/// The example with the word that asks for an outcome.
fn wished(example: &JsonObject, wish: &str) -> anyhow::Result<JsonObject> {
    let text = example.as_str().trim_end().strip_suffix('}').context("the example is no object")?;
    let comma = if text.trim_end().ends_with('{') { "" } else { "," };
    let text = format!("{text}{comma}\"tollhouse_test\":\"simulate:{wish}\"}}");
    JsonObject::parse(bytes::Bytes::from(text)).map_err(|error| anyhow::anyhow!("the example: {error}"))
}
