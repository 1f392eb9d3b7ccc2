//! Configuration: a TOML file and `TOLLHOUSE_<SECTION>__<KEY>` variables over defaults, every value knowing where it came from.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use connectors::credentials::Environment;
use connectors::outbound::Proxy;
use domain::Secret;
use engine::limits::Rates;
use ipnet::IpNet;
use store::WeakDurability;
use url::Url;

pub(crate) mod keys;
pub(crate) mod layers;
mod show;

use layers::{Entry, Layers, Raw, Source};
pub(crate) use show::Sources;

/// What a server is made of.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    /// The file of the root key.
    pub(crate) root_key_file: PathBuf,
    /// The files of root keys that only open.
    pub(crate) retired_root_key_files: Vec<PathBuf>,
    /// Where checkpoints of the audit log are kept.
    pub(crate) audit_checkpoint_file: PathBuf,
    pub(crate) simulators: Simulators,
    /// Where health and metrics are answered; `None` for `off`.
    pub(crate) internal: Option<SocketAddr>,
    pub(crate) egress: Egress,
    pub(crate) outbound: Outbound,
    /// Whether a body with a card number under a card's name is refused.
    pub(crate) refuse_card_numbers: bool,
    /// How many days session records are kept.
    pub(crate) session_retention_days: u32,
    /// How many requests pass.
    pub(crate) limits: Rates,
    /// The longest lifetime of a token; `None` for any.
    pub(crate) token_lifetime_max_seconds: Option<i64>,
    /// Where providers live instead of where their definitions say, by provider id.
    pub(crate) providers: Vec<ProviderPlace>,
    /// Directories of definition files.
    pub(crate) definitions: Vec<PathBuf>,
}

/// The public listener.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) environment: Environment,
    /// Both files, or plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// Proxies whose word about where a request comes from is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// Certificate chain and key of the public listener.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) url: Secret,
    pub(crate) migration: Migration,
    /// What becomes of one that can lose what it has acknowledged; only the command line accepts it.
    pub(crate) weak: WeakDurability,
}

/// Who brings an older database up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Migration {
    /// The server, when it starts.
    AtStart,
    /// Somebody else: `tollhouse migrate`.
    ByHand,
}

/// The simulators.
#[derive(Clone, Debug)]
pub(crate) struct Simulators {
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
}

/// What calls may reach beside the public internet over TLS.
#[derive(Clone, Debug)]
pub(crate) struct Egress {
    pub(crate) allow: Vec<IpNet>,
    pub(crate) allow_http: bool,
    /// What calls go through; `None` for straight out.
    pub(crate) proxy: Option<Proxy>,
}

/// Limits and trust of calls to payment services.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) ca_file: Option<PathBuf>,
}

/// A provider that lives elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct ProviderPlace {
    /// The id as it was written; the catalogue knows whether there is one.
    pub(crate) id: String,
    pub(crate) base: Url,
    /// For the message when there is none.
    pub(crate) source: Source,
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub(crate) struct ConfigError(Vec<Problem>);

/// One thing that is wrong, and where.
#[derive(Debug)]
pub(crate) struct Problem(String);

/// Whose defaults apply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile<'a> {
    /// Those of production.
    Serve,
    /// Those of a development server that keeps its things in a directory.
    Dev(&'a Path),
}

// === impl Problem and ConfigError ===

impl Problem {
    pub(crate) fn at(source: &Source, message: String) -> Self {
        Self(format!("{source}: {message}"))
    }
}

impl ConfigError {
    pub(crate) fn one(message: String) -> Self {
        Self(vec![Problem(message)])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.0.iter().map(|problem| problem.0.as_str()).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

// === impl Layers ===

impl Layers {
    /// Defaults, file and variables. Unknown names are collected and reported by [`Config::read`].
    pub(crate) fn load(
        profile: Profile<'_>,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::with_defaults();
        if let Profile::Dev(data) = profile {
            let mut set = |path: &str, text: String| layers.set(path.to_owned(), Raw::Text(text), Source::DevDefault);
            set("database.url", format!("sqlite://{}", data.join("tollhouse.db").display()));
            set("vault.root_key_file", data.join("root.key").display().to_string());
            set("simulators.enabled", "true".to_owned());
            set("internal.listen", "off".to_owned());
        }
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        layers.add_variables(variables);
        Ok(layers)
    }
}

// === impl Config ===

impl Config {
    /// Reads every key as what it holds; all problems are reported together.
    pub(crate) fn read(mut layers: Layers) -> Result<Self, ConfigError> {
        let problems = std::mem::take(&mut layers.problems);
        let mut reader = Reader { layers: &layers, problems };
        let listen = reader.required("server.listen", Entry::address);
        let environment = reader.required("server.environment", Entry::environment);
        let tls = reader.tls();
        let trusted_proxies = reader.required("server.trusted_proxies", Entry::networks);
        let url = reader.required("database.url", Entry::database_url);
        let migrate = reader.required("database.migrate", Entry::boolean);
        let root_key_file = reader.required("vault.root_key_file", Entry::path);
        let retired_root_key_files = reader.required("vault.retired_root_key_files", Entry::paths);
        let audit_checkpoint_file = reader.optional("audit.checkpoint_file", Entry::path);
        let simulators_enabled = reader.required("simulators.enabled", Entry::boolean);
        let simulators_listen = reader.required("simulators.listen", Entry::address);
        let internal = reader.required("internal.listen", Entry::address_or_off);
        let allow = reader.required("egress.allow", Entry::networks);
        let allow_http = reader.required("egress.allow_http", Entry::boolean);
        let proxy = reader.optional("egress.proxy", Entry::proxy);
        let timeout = reader.required("outbound.timeout_ms", Entry::milliseconds);
        let connect_timeout = reader.required("outbound.connect_timeout_ms", Entry::milliseconds);
        let ca_file = reader.optional("outbound.ca_file", Entry::path);
        let definitions = reader.required("definitions.dirs", Entry::paths);
        let refuse_card_numbers = reader.required("sessions.refuse_card_numbers", Entry::boolean);
        let session_retention_days = reader.required("sessions.retention_days", Entry::days);
        let limits = reader.limits();
        let token_lifetime_max_seconds = reader.required("tokens.lifetime_max_seconds", Entry::seconds_or_none);
        let providers = reader.providers();
        let problems = reader.problems;
        let read = || {
            Some(Self {
                server: Server { listen: listen?, environment: environment?, tls, trusted_proxies: trusted_proxies? },
                database: Database {
                    url: url?,
                    migration: if migrate? { Migration::AtStart } else { Migration::ByHand },
                    weak: WeakDurability::Refused,
                },
                audit_checkpoint_file: audit_checkpoint_file.unwrap_or_else(|| beside(root_key_file.as_deref())),
                root_key_file: root_key_file?,
                retired_root_key_files: retired_root_key_files?,
                simulators: Simulators { enabled: simulators_enabled?, listen: simulators_listen? },
                internal: internal?,
                egress: Egress { allow: allow?, allow_http: allow_http?, proxy },
                outbound: Outbound { timeout: timeout?, connect_timeout: connect_timeout?, ca_file },
                refuse_card_numbers: refuse_card_numbers?,
                session_retention_days: session_retention_days?,
                limits: limits?,
                token_lifetime_max_seconds: token_lifetime_max_seconds?,
                providers,
                definitions: definitions?,
            })
        };
        match read() {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError(problems)),
        }
    }
}

/// Whoever may read the root key may sign checkpoints, and whoever may write the database should not be able to replace them: so they are kept beside the key.
fn beside(root_key_file: Option<&Path>) -> PathBuf {
    root_key_file.and_then(Path::parent).unwrap_or(Path::new("")).join("audit-checkpoints")
}

/// Reads keys and collects what is wrong with them.
struct Reader<'a> {
    layers: &'a Layers,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn optional<T>(&mut self, path: &str, read: fn(&Entry) -> Result<T, String>) -> Option<T> {
        let entry = self.layers.get(path)?;
        match read(entry) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.problems.push(Problem::at(&entry.source, format!("`{path}` {expected}")));
                None
            }
        }
    }

    fn required<T>(&mut self, path: &str, read: fn(&Entry) -> Result<T, String>) -> Option<T> {
        if self.layers.get(path).is_none() {
            let variable = keys::KEYS.iter().find(|key| key.path() == path).map(keys::Key::variable).unwrap_or_default();
            self.problems.push(Problem(format!("`{path}` is not set: write it in the file or set {variable}")));
        }
        self.optional(path, read)
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let cert = self.optional("server.tls_cert_file", Entry::path);
        let key = self.optional("server.tls_key_file", Entry::path);
        match (cert, key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => {
                self.problems.push(Problem("`server.tls_cert_file` and `server.tls_key_file` must be set together".to_owned()));
                None
            }
        }
    }

    fn limits(&mut self) -> Option<Rates> {
        let key_pair = self.required("limits.key_pair_per_second", Entry::rate);
        let merchant_account = self.required("limits.merchant_account_per_second", Entry::rate);
        let failed_authentications = self.required("limits.failed_authentications_per_second", Entry::rate);
        Some(Rates { key_pair: key_pair?, merchant_account: merchant_account?, failed_authentications: failed_authentications? })
    }

    fn providers(&mut self) -> Vec<ProviderPlace> {
        let mut places = Vec::new();
        for (id, entry) in self.layers.providers() {
            match entry.base_url() {
                Ok(base) => places.push(ProviderPlace { id: id.to_owned(), base, source: entry.source.clone() }),
                Err(expected) => self.problems.push(Problem::at(&entry.source, format!("`providers.{id}.base_url` {expected}"))),
            }
        }
        places
    }
}

// === impl Entry ===

impl Entry {
    fn text(&self) -> Result<&str, String> {
        match &self.raw {
            Raw::Text(text) | Raw::String(text) if !text.is_empty() => Ok(text),
            Raw::Text(_) | Raw::String(_) => Err("must not be empty".to_owned()),
            Raw::Integer(_) | Raw::Boolean(_) | Raw::List(_) => Err("must be text, in quotes".to_owned()),
        }
    }

    fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, String> {
        let text = self.text()?;
        text.parse().map_err(|_| format!("must be {expected}, not `{text}`"))
    }

    fn path(&self) -> Result<PathBuf, String> {
        self.text().map(PathBuf::from)
    }

    fn address(&self) -> Result<SocketAddr, String> {
        self.parsed("an IP address and a port, such as 127.0.0.1:8080")
    }

    fn address_or_off(&self) -> Result<Option<SocketAddr>, String> {
        if self.text()? == "off" { Ok(None) } else { self.parsed("an IP address and a port, such as 127.0.0.1:9464, or off").map(Some) }
    }

    fn environment(&self) -> Result<Environment, String> {
        match self.text()? {
            "sandbox" => Ok(Environment::Sandbox),
            "live" => Ok(Environment::Live),
            other => Err(format!("must be `sandbox` or `live`, not `{other}`")),
        }
    }

    /// The text never becomes part of a message: it may hold a password.
    fn database_url(&self) -> Result<Secret, String> {
        let text = self.text()?;
        if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
            Ok(Secret::from(text))
        } else {
            Err("must begin with sqlite:// or postgres://".to_owned())
        }
    }

    /// Neither does this text.
    fn proxy(&self) -> Result<Proxy, String> {
        Proxy::parse(self.text()?).map_err(|error| error.to_string())
    }

    fn boolean(&self) -> Result<bool, String> {
        match &self.raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Text(text) => text.parse().map_err(|_| format!("must be true or false, not `{text}`")),
            Raw::String(_) | Raw::Integer(_) | Raw::List(_) => Err("must be true or false, without quotes".to_owned()),
        }
    }

    fn milliseconds(&self) -> Result<Duration, String> {
        // The same limit as for the field of a payment service, so that a shutdown can wait for every call.
        const MILLISECONDS_MAX: u64 = connectors::credentials::TIMEOUT_MS_MAX;
        let number = match &self.raw {
            Raw::Integer(number) => u64::try_from(*number).ok(),
            Raw::Text(text) => text.parse().ok(),
            Raw::String(_) | Raw::Boolean(_) | Raw::List(_) => return Err("must be a whole number, without quotes".to_owned()),
        };
        number
            .filter(|ms| (1..=MILLISECONDS_MAX).contains(ms))
            .map(Duration::from_millis)
            .ok_or_else(|| format!("must be a whole number of milliseconds from 1 to {MILLISECONDS_MAX}"))
    }

    /// A whole number up to a limit, where 0 stands for none.
    fn count(&self, max: u64, what: &str) -> Result<u64, String> {
        let number = match &self.raw {
            Raw::Integer(number) => u64::try_from(*number).ok(),
            Raw::Text(text) => text.parse().ok(),
            Raw::String(_) | Raw::Boolean(_) | Raw::List(_) => return Err("must be a whole number, without quotes".to_owned()),
        };
        number.filter(|number| *number <= max).ok_or_else(|| format!("must be a whole number of {what} from 1 to {max}, or 0 for no limit"))
    }

    fn rate(&self) -> Result<Option<NonZeroU32>, String> {
        // Buckets are counted in nanoseconds: far above this, rounding would be seen. No single machine answers as many.
        const PER_SECOND_MAX: u64 = 1_000_000;
        let number = self.count(PER_SECOND_MAX, "requests per second")?;
        Ok(u32::try_from(number).ok().and_then(NonZeroU32::new))
    }

    fn seconds_or_none(&self) -> Result<Option<i64>, String> {
        // A hundred years: nobody means more.
        const SECONDS_MAX: u64 = 100 * 365 * 86_400;
        let number = self.count(SECONDS_MAX, "seconds")?;
        Ok(i64::try_from(number).ok().filter(|seconds| *seconds > 0))
    }

    fn days(&self) -> Result<u32, String> {
        // A hundred years: more is a slip of the finger.
        const DAYS_MAX: u32 = 36_500;
        let number = match &self.raw {
            Raw::Integer(number) => u32::try_from(*number).ok(),
            Raw::Text(text) => text.parse().ok(),
            Raw::String(_) | Raw::Boolean(_) | Raw::List(_) => return Err("must be a whole number, without quotes".to_owned()),
        };
        number.filter(|days| (1..=DAYS_MAX).contains(days)).ok_or_else(|| format!("must be a whole number of days from 1 to {DAYS_MAX}"))
    }

    fn list(&self) -> Result<Vec<&str>, String> {
        match &self.raw {
            Raw::Text(text) => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            Raw::List(items) => Ok(items.iter().map(String::as_str).collect()),
            Raw::String(_) | Raw::Integer(_) | Raw::Boolean(_) => Err("must be a list of texts, such as [\"a\", \"b\"]".to_owned()),
        }
    }

    fn networks(&self) -> Result<Vec<IpNet>, String> {
        self.list()?
            .into_iter()
            .map(|item| item.parse().map_err(|_| format!("must hold networks such as 10.0.0.0/8 or fd00::/8, not `{item}`")))
            .collect()
    }

    fn paths(&self) -> Result<Vec<PathBuf>, String> {
        Ok(self.list()?.into_iter().map(PathBuf::from).collect())
    }

    fn base_url(&self) -> Result<Url, String> {
        const EXPECTED: &str = "must be an http or https URL without user, query or fragment, such as https://127.0.0.1:9000/prefix";
        let url: Url = self.text()?.parse().map_err(|_| EXPECTED.to_owned())?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if plain && url.has_host() && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(EXPECTED.to_owned()) }
    }
}

#[cfg(test)]
mod tests;
