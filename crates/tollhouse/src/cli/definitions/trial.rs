//! `definitions test`: a definition against its own simulator, against a server that somebody names, or against the payment service's sandbox.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use connectors::caller::{Access, Attempt, Caller, Checked, Places};
use connectors::catalogue::{Catalogue, Connector};
use connectors::credentials::Credentials;
use connectors::format::Diagnostic;
use connectors::model::{Call, Provider};
use connectors::outbound::Outbound;
use domain::session::Session;
use domain::{JsonObject, MerchantAccountId, Secret, SessionRecordId};
use engine::{Clock as _, Ids as _, RandomIds, SystemClock};
use url::Url;

use super::rendered::{self, Scene};
use crate::cli::exit::{FAILED, UsageError};
use crate::cli::{FileOption, output};

mod played;
mod sent;
mod transcript;
mod values;

/// The options of `definitions test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Definition file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Send the example to a server at this base URL instead, and show what it answers: HTTPS, or plain HTTP on this machine.
    #[arg(long, value_name = "URL", conflicts_with = "live")]
    against: Option<Url>,
    /// Call the payment service's own sandbox with your credentials, and write a transcript without them.
    #[arg(long)]
    live: bool,
    /// Only this method of the file [default: all of them; with --against and --live the one of `first_run`, or the first].
    #[arg(long, value_name = "KEY")]
    method: Option<String>,
    /// Value of a field for --against and --live: KEY=VALUE, or KEY=@FILE. A secret on the command line is seen by everybody on this machine: set the variable TOLLHOUSE_TEST_KEY instead, or name a file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    values: Vec<String>,
    /// Body for --against and --live instead of the example: @FILE, or the JSON itself.
    #[arg(long, value_name = "@FILE|JSON")]
    data: Option<String>,
    #[command(flatten)]
    config: FileOption,
}

/// What a trial works with.
struct Trial {
    caller: Caller,
    ids: RandomIds,
}

/// The definitions of one file.
struct Subject {
    /// As the file was named.
    file: String,
    catalogue: Catalogue,
    connectors: Vec<Arc<Connector>>,
}

/// Tries a sound file. What is seen goes to standard output, the verdict to standard error.
pub(super) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let to_a_server = options.live || options.against.is_some();
    if !to_a_server && (!options.values.is_empty() || options.data.is_some() || options.config.config.is_some()) {
        let message = "`--set`, `--data` and `--config` are for `--against URL` and `--live`: the simulator takes any value";
        return Err(UsageError(message.to_owned()).into());
    }
    let subject = match super::read(&options.file)?.and_then(|provider| Subject::of(&options.file, provider)) {
        Ok(subject) => subject.only(options.method.as_deref())?,
        Err(mistakes) => return super::report(&mistakes),
    };
    let failures = if to_a_server { sent::run(&subject, options).await? } else { played::run(&subject).await? };
    concluded(&subject.file, &failures)
}

fn concluded(file: &str, failures: &[String]) -> anyhow::Result<ExitCode> {
    if failures.is_empty() {
        output::words(&format!("{file}: passed"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for failure in failures {
        output::words(failure)?;
    }
    Ok(ExitCode::from(FAILED))
}

// === impl Subject ===

impl Subject {
    fn of(file: &Path, provider: Provider) -> Result<Self, Vec<Diagnostic>> {
        let provider = Arc::new(provider);
        let catalogue = Catalogue::with(file, Arc::clone(&provider))?;
        let connectors = catalogue.iter().filter(|connector| connector.provider.id == provider.id).cloned().collect();
        Ok(Self { file: file.display().to_string(), catalogue, connectors })
    }

    /// The subject with one method only, where one was asked for.
    fn only(mut self, method: Option<&str>) -> Result<Self, UsageError> {
        let Some(method) = method else { return Ok(self) };
        let known: Vec<String> = self.connectors.iter().map(|connector| connector.method().key.clone()).collect();
        self.connectors.retain(|connector| connector.method().key == method);
        if self.connectors.is_empty() {
            return Err(UsageError(format!("--method: `{method}` is no method of the file; its methods are {}", known.join(", "))));
        }
        Ok(self)
    }
}

// === impl Trial ===

impl Trial {
    fn new(outbound: Outbound, places: Places) -> Self {
        Self { caller: Caller::new(outbound, places), ids: RandomIds::new() }
    }

    async fn session(&self, connector: &Arc<Connector>, values: &[(String, String)], body: &JsonObject) -> Session {
        self.caller.session(&self.access(connector, values), &self.attempt(), body, &Checked::default()).await.session
    }

    fn access(&self, connector: &Arc<Connector>, values: &[(String, String)]) -> Access {
        let stored = values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str())));
        Access {
            connector: Arc::clone(connector),
            credentials: Credentials::for_connector(connector, stored),
            // A new one each time: tokens are kept per service, and a trial with other credentials must not find them.
            service: Some(self.ids.v4()),
            account: MerchantAccountId::default_account(),
        }
    }

    fn attempt(&self) -> Attempt {
        let now = SystemClock.now();
        Attempt { id: SessionRecordId(self.ids.v7(now)), now }
    }
}

/// The requests of a session as text, in their order, secrets masked. What the second step takes of the first answer is named.
fn requests(scene: &Scene<'_>, call: &Call, body: &JsonObject) -> Result<Vec<String>, connectors::render::RenderError> {
    let provider = &scene.connector.provider;
    let token = provider.token.as_ref().filter(|_| scene.uses_token(call)).map(|token| (&token.call, None));
    let steps = std::iter::once(call).chain(&provider.second).map(|call| (call, Some(body)));
    token.into_iter().chain(steps).map(|(call, body)| rendered::text(scene, call, body)).collect()
}

fn example(connector: &Connector) -> Option<JsonObject> {
    let text = connector.provider.simulator.as_ref()?.example_of(&connector.method().key)?;
    JsonObject::parse(bytes::Bytes::copy_from_slice(text.trim().as_bytes())).ok()
}

fn ending(session: &Session) -> String {
    let code = session.code.map(|code| format!(" {code}")).unwrap_or_default();
    let status = session.status_code.map(|status| format!(", HTTP {status}")).unwrap_or_default();
    format!("{}{code}{status}", session.status)
}
