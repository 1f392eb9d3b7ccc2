//! Sending the example of a definition to a server: a stand-in that somebody names, or the payment service's own sandbox.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use connectors::caller::Places;
use connectors::catalogue::Connector;
use connectors::credentials::Credentials;
use connectors::model::Call;
use connectors::render::Base;
use domain::session::SessionStatus;
use domain::{JsonObject, Secret};
use engine::{Clock as _, SystemClock};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

use super::values::{Missing, gather};
use super::{Options, Scene, Subject, Trial, ending, example, played, requests, transcript};
use crate::cli::exit::UsageError;
use crate::cli::output;
use crate::cli::remote::pretty::indent;
use crate::compose;
use crate::config::layers::Layers;
use crate::config::{Config, Profile};

/// Sends one session, and says what came of it. What went otherwise than it should comes back.
pub(super) async fn run(subject: &Subject, options: &Options) -> anyhow::Result<Vec<String>> {
    let connector = chosen(subject)?;
    let Some(call) = &connector.provider.session else {
        return Err(UsageError(format!("{}: the file creates no sessions", subject.file)).into());
    };
    if connector.provider.hosts.is_none() {
        return Err(UsageError(format!("{}: the service lives in the simulator only", subject.file)).into());
    }
    let config = config(options)?;
    let places = places(subject, connector, options, &config)?;
    let missing = if options.live { Missing::Refused } else { Missing::MadeUp };
    let values = gather(connector, &options.values, |name| std::env::var_os(name)?.into_string().ok(), missing)?;
    let body = body(connector, options)?;
    let stored = values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str())));
    let base = match places.base(connector, call, &Credentials::for_connector(connector, stored)) {
        Ok(base) => base,
        Err(error) => return Ok(vec![format!("{}: no request can be made: {error}", connector.definition.id)]),
    };
    let exchange = Exchange {
        trial: Trial::new(compose::outbound(&config)?, places),
        connector,
        call,
        secrets: transcript::secrets(connector, &values),
        values,
        body,
        base,
    };
    exchange.run(subject, options.live).await
}

/// The method that a first run sets up, else the first one that creates sessions.
fn chosen(subject: &Subject) -> Result<&Arc<Connector>, UsageError> {
    let first_run = |connector: &&Arc<Connector>| {
        let simulator = connector.provider.simulator.as_ref();
        simulator.and_then(|simulator| simulator.first_run.as_ref()) == Some(&connector.method().key)
    };
    let creating = || subject.connectors.iter().filter(|connector| connector.creates_sessions());
    creating()
        .find(first_run)
        .or_else(|| creating().next())
        .ok_or_else(|| UsageError(format!("{}: the file creates no sessions", subject.file)))
}

/// The configuration of this machine, for what is let out and whose certificates are trusted.
fn config(options: &Options) -> anyhow::Result<Config> {
    // The profile says where a development server keeps its things; nothing of that is opened.
    let layers = Layers::load(Profile::Dev(Path::new(".")), options.config.config.as_deref(), std::env::vars_os())?;
    let mut config = Config::read(layers)?;
    if let Some(url) = &options.against {
        // Whoever has typed the address wants it to be reached.
        config.egress.allow.extend([IpNet::V4(Ipv4Net::from(Ipv4Addr::LOCALHOST)), IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST))]);
        config.egress.allow_http = url.scheme() == "http";
    }
    Ok(config)
}

fn places(subject: &Subject, connector: &Connector, options: &Options, config: &Config) -> anyhow::Result<Places> {
    let Some(url) = &options.against else { return Ok(Places::new(compose::overrides(config, &subject.catalogue)?, None)) };
    let on_this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && on_this_machine) {
        return Err(UsageError(format!("--against: `{url}` is neither HTTPS nor plain HTTP on this machine")).into());
    }
    Ok(Places::new([(connector.provider.id.clone(), url.clone())], None))
}

fn body(connector: &Connector, options: &Options) -> Result<JsonObject, UsageError> {
    let Some(data) = &options.data else {
        return example(connector).ok_or_else(|| UsageError("the file has no example for this method".to_owned()));
    };
    let text = match data.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| UsageError(format!("--data: {file}: {error}")))?,
        None => data.clone(),
    };
    JsonObject::parse(text.trim().as_bytes().to_vec()).map_err(|error| UsageError(format!("--data is {error}")))
}

/// One session with a server.
struct Exchange<'a> {
    trial: Trial,
    connector: &'a Arc<Connector>,
    call: &'a Call,
    values: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    body: JsonObject,
    base: Base,
}

// === impl Exchange ===

impl Exchange<'_> {
    async fn run(&self, subject: &Subject, live: bool) -> anyhow::Result<Vec<String>> {
        let id = &self.connector.definition.id;
        let access = self.trial.access(self.connector, &self.values);
        let checked = match self.trial.caller.check(&access, &self.body) {
            Ok(checked) => checked,
            Err(problems) => return Ok(problems.iter().map(|problem| format!("{id}: {}: {}", problem.pointer, problem.message)).collect()),
        };
        let attempt = self.trial.attempt();
        let scene = Scene::at(self.connector, &self.values, attempt, self.base.clone());
        let texts = match requests(&scene, self.call, &self.body) {
            Ok(texts) => texts,
            Err(error) => return Ok(vec![format!("{id}: no request can be made: {error}")]),
        };
        let session = self.trial.caller.session(&access, &attempt, &self.body, &checked).await.session;
        let mut told = vec![format!("== {id}, {}", self.base.url)];
        told.extend(texts);
        let answer = transcript::answer(self.connector, &session, &self.secrets).map(|json| indent(&json));
        told.push(format!("-> {}{}", ending(&session), answer.map(|answer| format!("\n\n{answer}")).unwrap_or_default()));
        if live && self.connector.can_verify() {
            let verification = self.trial.caller.verify(&access, &self.trial.attempt()).await;
            told.push(format!("verification -> {}", played::said(verification)));
        }
        let told = transcript::without(&told.join("\n\n"), &self.secrets);
        output::data(&told)?;
        let succeeded = session.status == SessionStatus::Succeeded;
        if live {
            self.keep(&told)?;
            if succeeded {
                output::words(&self.advice(&subject.file))?;
            }
        }
        Ok((!succeeded).then(|| format!("{id}: the session ends as {}", ending(&session))).into_iter().collect())
    }

    /// Writes the transcript; one of the same day is replaced.
    fn keep(&self, told: &str) -> anyhow::Result<()> {
        let now = SystemClock.now().to_string();
        let day: String = now.chars().take(10).collect();
        let file = format!("{}-{day}.transcript.txt", self.connector.definition.id);
        let head = format!(
            "{now}, tollhouse {}, file {} ({})\nSecrets are written as the names of their fields, private members of the answer as [private].\n",
            env!("CARGO_PKG_VERSION"),
            self.connector.provider.id,
            self.connector.provider.hash
        );
        std::fs::write(&file, format!("{head}\n{told}\n")).map_err(|error| UsageError(format!("{file}: {error}")))?;
        output::words(&format!("The transcript is in {file}."))?;
        Ok(())
    }

    /// What a success proves depends on who has answered.
    fn advice(&self, file: &str) -> String {
        match self.base.route {
            connectors::outbound::Route::Guarded => {
                let month: String = SystemClock.now().to_string().chars().take(7).collect();
                advice(file, &month)
            }
            connectors::outbound::Route::Override | connectors::outbound::Route::Simulator => {
                format!(
                    "{} has answered, to which the configuration sends this service: that proves nothing about its sandbox.",
                    self.base.url
                )
            }
        }
    }
}

fn advice(file: &str, month: &str) -> String {
    format!("The sandbox has answered: put `checked = \"sandbox {month}\"` into {file}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_that_has_answered_is_worth_a_line_in_the_file() {
        assert_eq!(advice("acme.toml", "2027-01"), "The sandbox has answered: put `checked = \"sandbox 2027-01\"` into acme.toml.");
    }
}
