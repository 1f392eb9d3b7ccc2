//! Putting the server together from its configuration, and taking it apart again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::{ApiOptions, Draining};
use arc_swap::ArcSwap;
use connectors::caller::{Caller, Places};
use connectors::catalogue::Catalogue;
use connectors::outbound::{Backoff, EgressPolicy, Outbound, OutboundOptions, Resolution, Route};
use engine::audit::CheckpointFile;
use engine::snapshot::SnapshotError;
use engine::vault::RootKeys;
use engine::{Engine, Parts, RandomIds, Rules, StartError, SystemClock};
use simulators::Simulators;
use store::Database;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use url::Url;

use crate::accept::{self, LIMITS, Limits, Stop};
use crate::cli::exit::UsageError;
use crate::config::Config;
use crate::telemetry::measurements::Measurements;

mod chores;
mod definitions;
mod descriptors;
mod internal;
mod ports;
pub(crate) mod signals;
pub(crate) mod storage;

pub(crate) use chores::Reload;
pub(crate) use definitions::{check, load, overrides};
use descriptors::Connections;
use signals::{Asked, Signals};

/// The whole of a shutdown. A little of it is kept for what comes after the connections.
const SHUTDOWN_MAX: Duration = Duration::from_secs(30);
/// What running sessions get at least, once their connections are gone.
const SESSIONS_MIN: Duration = Duration::from_secs(1);
const _: () =
    assert!(LIMITS.drain.as_secs() + SESSIONS_MIN.as_secs() < SHUTDOWN_MAX.as_secs(), "the parts of a shutdown fit into the whole");

/// What a server is put together from, beside its configuration.
pub(crate) struct Foundation {
    /// Migrated.
    pub(crate) database: Database,
    /// The keys that wrap all others.
    pub(crate) root_keys: RootKeys,
    /// When definition files are read again.
    pub(crate) reload: Reload,
}

/// A server that accepts requests.
pub(crate) struct Running {
    /// The base URL of the API, as a client on this machine reaches it.
    pub(crate) base: String,
    /// The catalogue in force.
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    engine: Arc<Engine>,
    draining: Draining,
    /// Ends the public listener.
    public: Stop,
    /// Ends everything that outlives the public listener.
    rest: Stop,
    /// Accept loops and chores. None of them ends before it is told to.
    tasks: JoinSet<&'static str>,
    simulators: Option<Simulators>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to, and finished what it had begun.
    Drained,
    /// It was asked to, and had to leave something unfinished; or a part of it failed.
    Unclean,
}

/// Starts everything. When this returns, requests are being answered.
pub(crate) async fn start(config: &Config, foundation: Foundation) -> anyhow::Result<Running> {
    let Foundation { database, root_keys, reload } = foundation;
    let catalogue = Arc::new(ArcSwap::from_pointee(definitions::load(config)?));
    let overrides = definitions::overrides(config, &catalogue.load())?;
    let outbound = outbound(config)?;
    warn_of_doors(config, &overrides, outbound.policy());
    let tls = config.server.tls.as_ref().map(accept::tls::acceptor).transpose()?;
    // Ports first: a taken one should stop the start before anything else has happened.
    let internal = match config.internal {
        Some(address) => Some(ports::bind(address, "internal.listen")?),
        None => None,
    };
    let listener = ports::bind(config.server.listen, "server.listen")?;
    let address = listener.local_addr().context("the address of the listener")?;

    let rest = Stop { drain: CancellationToken::new(), abort: CancellationToken::new() };
    let simulators = start_simulators(config, &catalogue, &rest.drain).await?;
    let places = Places::new(overrides, simulators.as_ref().map(|simulators| simulators.base.clone()));
    let caller = Caller::new(outbound, places);
    let rules = Rules {
        environment: Some(config.server.environment),
        simulators: config.simulators.enabled,
        refuse_card_numbers: config.refuse_card_numbers,
        session_records_kept_days: config.session_retention_days,
        token_lifetime_max_seconds: config.token_lifetime_max_seconds,
        rates: config.limits,
    };
    let parts = Parts {
        database,
        catalogue: Arc::clone(&catalogue),
        caller,
        root_keys,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::new()),
        rules,
    };
    let engine = Engine::start(parts).await.map_err(|error| named(error, config))?;

    let draining = Draining::default();
    let options = ApiOptions { draining: draining.clone(), trusted_proxies: config.server.trusted_proxies.clone() };
    let public = Stop { drain: CancellationToken::new(), abort: CancellationToken::new() };
    let mut tasks = JoinSet::new();
    let connections = Connections::allowed(LIMITS.connections_max);
    if let Some(listener) = internal {
        let measurements = Measurements::install()?;
        chores::fold(&mut tasks, measurements.clone(), rest.drain.clone());
        let app = internal::app(api::health_router(Arc::clone(&engine), options.clone()), measurements);
        info!(address = %listener.local_addr().context("the address of the internal listener")?, "The internal listener is up.");
        let port = Port { name: "the internal listener", listener, connections_max: connections.internal, stop: rest.clone() };
        serve(&mut tasks, port, app, None);
    }
    chores::follow_database(&mut tasks, Arc::clone(&engine), rest.drain.clone());
    chores::follow_definitions(&mut tasks, chores::Definitions::of(config, reload, &catalogue, &engine), rest.drain.clone())?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{}", ports::reachable(address));
    let port = Port { name: "the public listener", listener, connections_max: connections.public, stop: public.clone() };
    engine.note_server_started(&base, env!("CARGO_PKG_VERSION"));
    engine.write_audit_events().await;
    chores::keep_audit(&mut tasks, Arc::clone(&engine), CheckpointFile::at(&config.audit_checkpoint_file), rest.drain.clone());
    serve(&mut tasks, port, api::router(Arc::clone(&engine), options), tls);
    info!(%address, environment = ?config.server.environment, "The server is ready.");
    Ok(Running { base, catalogue, engine, draining, public, rest, tasks, simulators })
}

// === impl Running ===

impl Running {
    /// Runs until a signal, then drains. A second signal ends the process at once.
    pub(crate) async fn until_stopped(mut self, signals: &mut Signals) -> Ended {
        let asked = tokio::select! {
            asked = signals.next() => Ok(asked),
            ended = self.tasks.join_next() => Err(ended),
        };
        match &asked {
            Ok(Asked { signal }) => info!(signal, "Stopping: no new connections, what is in flight is finished."),
            Err(Some(Ok(task))) => error!(task, "A part of the server ended by itself; stopping."),
            Err(Some(Err(problem))) => error!(error = %problem, "A part of the server failed; stopping."),
            Err(None) => error!("Nothing runs any more; stopping."),
        }
        let drained = tokio::select! {
            drained = self.drain() => drained,
            Asked { signal } = signals.next() => {
                warn!(signal, "A second signal: ending at once.");
                std::process::exit(i32::from(crate::cli::exit::FAILED));
            }
        };
        if drained && asked.is_ok() { Ended::Drained } else { Ended::Unclean }
    }

    /// In the order in which nothing is needed any more by what still runs. Whether all work was finished.
    async fn drain(mut self) -> bool {
        let limit = Instant::now() + SHUTDOWN_MAX;
        self.draining.begin();
        self.public.drain.cancel();
        // The loop bounds itself by its own drain limit, which is below ours.
        self.public_loop_ended().await;
        let left = limit.saturating_duration_since(Instant::now()).max(SESSIONS_MIN);
        let finished = self.engine.drain(left).await;
        if !finished {
            error!("Not every session ended within the drain limit.");
        }
        self.rest.drain.cancel();
        self.rest.abort.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(problem) = ended {
                error!(error = %problem, "A part of the server failed while it stopped.");
            }
        }
        if let Some(simulators) = self.simulators {
            simulators.ended().await;
        }
        self.engine.database().close().await;
        info!("Stopped.");
        finished
    }

    async fn public_loop_ended(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok("the public listener") => return,
                Ok(task) => warn!(task, "A part of the server ended before its time."),
                Err(problem) => error!(error = %problem, "A part of the server failed while it stopped."),
            }
        }
    }
}

/// A listener, and what it may take.
struct Port {
    name: &'static str,
    listener: TcpListener,
    connections_max: usize,
    stop: Stop,
}

fn serve<A: accept::App>(tasks: &mut JoinSet<&'static str>, port: Port, app: A, tls: Option<tokio_rustls::TlsAcceptor>) {
    let Port { name, listener, connections_max, stop } = port;
    tasks.spawn(async move {
        accept::serve(listener, app, tls, Limits { connections_max, ..LIMITS }, stop).await;
        name
    });
}

async fn start_simulators(
    config: &Config,
    catalogue: &Arc<ArcSwap<Catalogue>>,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Simulators>> {
    if !config.simulators.enabled {
        return Ok(None);
    }
    let started = simulators::start(Arc::clone(catalogue), config.simulators.listen, stop.clone()).await;
    let simulators = started.map_err(|error| ports::taken(&error, config.simulators.listen, "simulators.listen"))?;
    info!(base = %simulators.base, "Simulated payment services are up.");
    Ok(Some(simulators))
}

/// The way out, as the configuration limits it.
pub(crate) fn outbound(config: &Config) -> anyhow::Result<Outbound> {
    let extra_roots = match &config.outbound.ca_file {
        Some(path) => Some(std::fs::read(path).map_err(|error| UsageError(format!("outbound.ca_file {}: {error}", path.display())))?),
        None => None,
    };
    let options = OutboundOptions {
        egress: EgressPolicy { allow: config.egress.allow.clone(), allow_http: config.egress.allow_http },
        proxy: config.egress.proxy.clone(),
        extra_roots,
        connect_timeout: config.outbound.connect_timeout,
        call_timeout: config.outbound.timeout,
        resolution: Resolution::System,
        backoff: Backoff::Jitter,
    };
    Outbound::new(options).map_err(|error| UsageError(format!("outbound.ca_file: {error}")).into())
}

/// A root key that opens nothing is a matter of its file, which the message should name.
fn named(error: StartError, config: &Config) -> anyhow::Error {
    let is_of_the_key = matches!(&error, StartError::Snapshot(SnapshotError::DataKey(_)));
    let error = anyhow::Error::from(error);
    if is_of_the_key { error.context(storage::root_key_files(config)) } else { error }
}

/// What is looser than it should be in production is said at every start, and so is what no call can get through.
fn warn_of_doors(config: &Config, overrides: &BTreeMap<String, Url>, policy: &EgressPolicy) {
    if !config.egress.allow.is_empty() {
        let networks: Vec<String> = config.egress.allow.iter().map(ToString::to_string).collect();
        warn!(networks = networks.join(","), "Calls may reach networks that are not public (egress.allow).");
    }
    if !config.refuse_card_numbers {
        warn!(
            "Sessions may carry card numbers (sessions.refuse_card_numbers): this host, its network and its logs are in the scope of PCI DSS."
        );
    }
    if config.egress.allow_http {
        warn!("Calls may use plain HTTP (egress.allow_http).");
    }
    for (provider, base) in overrides {
        warn!(provider, base = %base, "A provider lives elsewhere than its definition says (providers.<id>.base_url).");
        if let Err(refusal) = policy.check_url(base, &Route::Override) {
            error!(provider, base = %base, %refusal, "No call to this provider will be let out: see egress.allow and egress.allow_http.");
        }
    }
    if config.server.tls.is_none() && !config.server.listen.ip().is_loopback() {
        warn!(address = %config.server.listen, "The API speaks plain HTTP on an address that is not loopback: put TLS in front, or set server.tls_cert_file and server.tls_key_file.");
    }
}
