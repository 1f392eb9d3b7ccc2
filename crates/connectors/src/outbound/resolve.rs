//! Names to addresses, asked asynchronously and never of the system's blocking resolver, which would cost a thread per pending name.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Who resolves names.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// The name servers and the hosts file of this machine.
    System,
    /// A table; names that are not in it do not exist. For tests.
    Fixed(BTreeMap<String, Vec<IpAddr>>),
}

/// Two questions, the second where the first got lost, fit into the time for connecting.
const QUESTION_TIMEOUT: Duration = Duration::from_millis(900);
const QUESTIONS_MAX: usize = 2;

/// Names wanted at one time are a few hundred providers, no matter how many calls.
const NAMES_CACHED_MAX: u64 = 1_024;

/// How long a name that does not exist is believed not to: an operator who mends the record should not wait for it.
const MISSING_TTL_MAX: Duration = Duration::from_secs(5);

pub(super) enum Resolver {
    System(Box<TokioResolver>),
    Fixed(Arc<BTreeMap<String, Vec<IpAddr>>>),
    /// The machine has no usable settings; names can not be resolved, addresses can still be called.
    Missing,
}

pub(super) enum Unresolved {
    /// The answer is that the name has no address. Asking again would not change it.
    NoSuchName,
    /// No answer.
    NoAnswer,
}

// === impl Resolver ===

impl Resolver {
    pub(super) fn new(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Fixed(table) => Self::Fixed(Arc::new(table)),
            Resolution::System => match system() {
                Ok(resolver) => Self::System(Box::new(resolver)),
                Err(error) => {
                    tracing::warn!(%error, "The name servers of this machine are not known; payment services can not be found by name.");
                    Self::Missing
                }
            },
        }
    }

    /// All addresses of a name, as they are; nobody may connect to one before the guard has seen them all.
    pub(super) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let addresses = match self {
            // With a final dot no search domain is appended: a name in a definition is a whole name.
            Self::System(resolver) => match resolver.lookup_ip(format!("{name}.")).await {
                Ok(found) => found.iter().collect(),
                Err(error) if error.is_no_records_found() => return Err(Unresolved::NoSuchName),
                Err(error) => {
                    tracing::debug!(host = name, %error, "A name could not be resolved.");
                    return Err(Unresolved::NoAnswer);
                }
            },
            Self::Fixed(table) => table.get(name).cloned().unwrap_or_default(),
            Self::Missing => return Err(Unresolved::NoAnswer),
        };
        if addresses.is_empty() { Err(Unresolved::NoSuchName) } else { Ok(addresses) }
    }
}

fn system() -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = match TokioResolver::builder_tokio() {
        Ok(builder) => builder,
        // Without settings there is still the hosts file.
        Err(error) => {
            tracing::warn!(%error, "The settings of the name servers can not be read; only the hosts file is used.");
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        }
    };
    limit(builder.options_mut());
    builder.build()
}

fn limit(options: &mut ResolverOpts) {
    options.timeout = QUESTION_TIMEOUT;
    options.attempts = QUESTIONS_MAX;
    options.cache_size = NAMES_CACHED_MAX;
    options.negative_max_ttl = Some(MISSING_TTL_MAX);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
}
