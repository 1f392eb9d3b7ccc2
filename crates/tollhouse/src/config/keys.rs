//! Every configuration key: its name, what it holds, its default and what it means. One table, so that checks, `config show` and the documentation agree.

/// What a key holds, and so how the text of a variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A path of a file, relative to the working directory.
    Path,
    /// `true` or `false`.
    Boolean,
    /// A whole number of milliseconds, above zero.
    Milliseconds,
    /// A whole number, or 0 for no limit.
    Count,
    /// A whole number of days, above zero.
    Days,
    /// IP address and port.
    Address,
    /// IP address and port, or `off`.
    AddressOrOff,
    /// One of two words.
    Environment,
    /// Networks in CIDR form; in a variable separated by commas.
    Networks,
    /// Paths; in a variable separated by commas.
    Paths,
}

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Shown as it is.
    Open,
    /// Masked wherever it is shown, and may be given by the `_file` form of the key.
    Masked,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// The table of the file, and the first part of the variable.
    pub(crate) section: &'static str,
    /// The name in the table.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether it may be shown.
    pub(crate) sight: Sight,
    /// The default of `serve`, as the text of a variable; `None` where there is none.
    pub(crate) default: Option<&'static str>,
    /// What it is for.
    pub(crate) meaning: &'static str,
}

impl Key {
    /// `section.name`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("TOLLHOUSE_{}__{}", self.section.to_uppercase(), self.name.to_uppercase())
    }
}

const fn key(section: &'static str, name: &'static str, kind: Kind, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key { section, name, kind, sight: Sight::Open, default, meaning }
}

/// All keys with a fixed name, in the order in which they are shown. `providers.<id>.base_url` comes beside them.
pub(crate) const KEYS: &[Key] = &[
    key("server", "listen", Kind::Address, Some("127.0.0.1:8080"), "Where the API listens. Port 0 picks a free one."),
    key(
        "server",
        "environment",
        Kind::Environment,
        Some("sandbox"),
        "`sandbox` or `live`: payment services of the other mode are refused.",
    ),
    key("server", "tls_cert_file", Kind::Path, None, "PEM certificate chain. With it and the key, the API speaks TLS."),
    key("server", "tls_key_file", Kind::Path, None, "PEM private key of the certificate."),
    key(
        "server",
        "trusted_proxies",
        Kind::Networks,
        Some(""),
        "Networks (CIDR) of proxies whose `X-Forwarded-For` is believed. Everybody else is taken for who connects.",
    ),
    Key {
        section: "database",
        name: "url",
        kind: Kind::Text,
        sight: Sight::Masked,
        default: None,
        meaning: "`sqlite://PATH` or `postgres://…`. May hold a password, so it is shown masked and can be read from a file.",
    },
    key("database", "migrate", Kind::Boolean, Some("true"), "Whether `serve` brings an older database up to date before it starts."),
    key("vault", "root_key_file", Kind::Path, None, "The root key: 32 bytes in base64, readable by the owner alone."),
    key(
        "vault",
        "retired_root_key_files",
        Kind::Paths,
        Some(""),
        "Former root keys, which open what they have sealed and seal nothing new. See `tollhouse secrets rotate-root`.",
    ),
    key(
        "audit",
        "checkpoint_file",
        Kind::Path,
        None,
        "Where the server keeps signed checkpoints of its audit log: `audit-checkpoints` beside the root key unless it is set. Keep it where whoever can write the database can not.",
    ),
    key("simulators", "enabled", Kind::Boolean, Some("false"), "Whether payment services may be simulated (`mode = simulator`)."),
    key("simulators", "listen", Kind::Address, Some("127.0.0.1:0"), "Where the simulators listen."),
    key(
        "internal",
        "listen",
        Kind::AddressOrOff,
        Some("127.0.0.1:9464"),
        "Where `/healthz`, `/readyz` and `/metrics` are answered, or `off`.",
    ),
    key("egress", "allow", Kind::Networks, Some(""), "Networks (CIDR) that calls may reach although they are not public."),
    key("egress", "allow_http", Kind::Boolean, Some("false"), "Whether calls may use plain HTTP."),
    Key {
        section: "egress",
        name: "proxy",
        kind: Kind::Text,
        sight: Sight::Masked,
        default: None,
        meaning: "`http://[user:password@]host:port` of an HTTP proxy that calls go through. May hold a password, so it is shown masked and can be read from a file.",
    },
    key(
        "outbound",
        "timeout_ms",
        Kind::Milliseconds,
        Some("4500"),
        "The time limit of one call to a payment service, everything included.",
    ),
    key("outbound", "connect_timeout_ms", Kind::Milliseconds, Some("2000"), "The time limit of one connection to a payment service."),
    key("outbound", "ca_file", Kind::Path, None, "PEM bundle that is trusted beside the system's roots."),
    key(
        "sessions",
        "refuse_card_numbers",
        Kind::Boolean,
        Some("true"),
        "Whether a session whose body holds a card number under a card's name is refused. `false` brings this host, its network and its logs into the scope of PCI DSS.",
    ),
    key(
        "sessions",
        "retention_days",
        Kind::Days,
        // A year, and some weeks in which the year before can still be compared.
        Some("400"),
        "How many days the records of sessions are kept. Older ones are deleted within the hour.",
    ),
    key("limits", "key_pair_per_second", Kind::Count, Some("0"), "Requests of one API key pair per second; 0 for no limit."),
    key("limits", "merchant_account_per_second", Kind::Count, Some("0"), "Requests in one merchant account per second; 0 for no limit."),
    key(
        "limits",
        "failed_authentications_per_second",
        Kind::Count,
        Some("50"),
        "Refused tokens from one address per second, after which it is answered 429; 0 for no limit.",
    ),
    key(
        "tokens",
        "lifetime_max_seconds",
        Kind::Count,
        Some("0"),
        "The longest lifetime of a token that is accepted, from `iat` (or `nbf`) to `exp`; 0 for any.",
    ),
    key("definitions", "dirs", Kind::Paths, Some(""), "Directories of definition files that add to the built-in ones or replace them."),
];

/// The section whose second part is a provider's id.
pub(crate) const PROVIDERS: &str = "providers";
/// The one key of a provider.
pub(crate) const BASE_URL: &str = "base_url";

/// The key of a section and a name.
pub(crate) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The known word nearest to a stranger, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(stranger: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (stranger.len() / 3).max(2);
    known.into_iter().map(|word| (distance(stranger, word), word)).filter(|(far, _)| *far <= limit).min().map(|(_, word)| word)
}

/// Levenshtein's distance over bytes, without regard to case; names are short and ASCII.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        let mut next = vec![previous];
        for (b, above) in right.bytes().zip(row.iter().skip(1)) {
            previous = (previous + 1).min(above + 1).min(diagonal + usize::from(a != b));
            diagonal = *above;
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_strangers_stay_strangers() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("lisen", ["listen", "environment"]), Some("listen"));
        assert_eq!(nearest("tls_cert", ["listen", "tls_cert_file", "tls_key_file"]), None);
        assert_eq!(nearest("zebra", ["listen", "environment"]), None);
    }

    #[test]
    fn every_key_is_documented_with_its_variable_and_default() {
        let page = include_str!("../../../../docs/configuration.md");
        for key in KEYS {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.path())));
            let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for {}", key.path()));
            assert!(row.contains(&format!("`{}`", key.variable())), "{row}");
            assert!(row.contains(key.meaning), "docs/configuration.md explains {} otherwise than the table: {}", key.path(), key.meaning);
            if let Some(default) = key.default.filter(|text| !text.is_empty()) {
                assert!(row.contains(&format!("`{default}`")), "{row}");
            }
        }
    }
}
