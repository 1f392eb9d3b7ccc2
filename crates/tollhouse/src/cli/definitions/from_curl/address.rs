//! The address of a command: host, path and what the service may be called.

use url::{Host, Url};

use super::names::{is_placeholder, is_secret_header, key_of, label_of};
use super::proof::Proof;
use super::words::Word;
use super::{Input, Mistake};

/// Where a command goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and version prefix.
    pub(super) base: String,
    /// What follows, as a template.
    pub(super) path: String,
    /// An id for the service, made of the host.
    pub(super) id: String,
}

/// Words of a host name or of a path that say which environment it is and not whose.
const ENVIRONMENTS: [&str; 9] = ["api", "sandbox", "test", "testing", "staging", "stage", "uat", "live", "secure"];
/// Second labels below a country, such as `co.uk`.
const COMMERCIAL: [&str; 8] = ["co", "com", "net", "org", "ac", "gov", "or", "ne"];
/// Room for the method behind the dash: definition ids have at most 50 characters.
const ID_CHARACTERS_MAX: usize = 30;

/// Reads an address. Placeholders in its path become fields.
pub(super) fn read(word: &Word, proof: &mut Proof) -> Result<Address, Mistake> {
    let wrong = |message: String| Mistake { input: Input::Command, at: word.at, message };
    let text = word.text.split('#').next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(wrong("the address holds a user name or password: give it with `-u user:password`".to_owned()));
    }
    if authority.contains(['$', '{', '}', '<', '>']) {
        return Err(wrong(
            "the host is a placeholder: write the one of the sandbox, and see `suffix` in `[hosts]` of the format".to_owned(),
        ));
    }
    let url = Url::parse(&format!("{scheme}://{authority}"))
        .map_err(|_| wrong("this is no address: one is written as `https://host/path`".to_owned()))?;
    let host = match url.host() {
        Some(Host::Domain(domain)) if domain.contains('.') => domain.to_owned(),
        Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | None => {
            return Err(wrong("a payment service lives at a public host name, not at an address or a single label".to_owned()));
        }
    };
    if url.scheme() != "https" {
        return Err(wrong(format!("credentials are sent over HTTPS only, and the address begins with {}://", url.scheme())));
    }
    if url.port().is_some() {
        return Err(wrong("a payment service is called at its usual port: the format has none".to_owned()));
    }
    let (path, query) = tail.split_once('?').map_or((tail, ""), |(path, query)| (path, query));
    let (version, path) = versioned(path.trim_end_matches('/'));
    let path = fill(path, proof).map_err(wrong)?;
    let query = checked_query(query).map_err(wrong)?;
    let path = match (path.is_empty(), query.is_empty()) {
        (true, true) => "/".to_owned(),
        (true, false) => format!("/?{query}"),
        (false, true) => path,
        (false, false) => format!("{path}?{query}"),
    };
    Ok(Address { base: format!("https://{host}{version}"), path, id: id_of(&host) })
}

/// A name for people, made of an id.
pub(super) fn name_of(id: &str) -> String {
    label_of(&id.replace('-', "_"))
}

/// The first segment goes to the host if it is a version and something follows it.
fn versioned(path: &str) -> (&str, &str) {
    let first = path.strip_prefix('/').unwrap_or_default().split('/').next().unwrap_or_default();
    let digits = first.strip_prefix('v').unwrap_or_default();
    let is_version = !digits.is_empty()
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.len() <= 8
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let split = path.split_at_checked(first.len() + 1).filter(|(_, rest)| is_version && !rest.is_empty());
    split.unwrap_or(("", path))
}

fn fill(path: &str, proof: &mut Proof) -> Result<String, String> {
    let mut filled = String::new();
    for segment in path.split('/').skip(1) {
        filled.push('/');
        let written = segment.strip_prefix(':').filter(|name| !name.is_empty()).unwrap_or(segment);
        if written.len() < segment.len() || (is_placeholder(segment) && !key_of(segment).is_empty()) {
            filled.push_str(&proof.placeholder(written));
            continue;
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b);
        if segment.is_empty() || segment == "." || segment == ".." || !segment.bytes().all(plain) {
            return Err(format!("the path holds `{}`, which a path of the format can not hold", segment.escape_debug()));
        }
        filled.push_str(segment);
    }
    Ok(filled)
}

fn checked_query(query: &str) -> Result<&str, String> {
    for pair in query.split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        if is_secret_header(name) {
            return Err(format!(
                "the credential `{}` stands in the query, where it would be logged on its way: the format has no such place; most services take it in a header too",
                name.escape_debug()
            ));
        }
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    if query.bytes().all(plain) && !query.contains("$") {
        Ok(query)
    } else {
        Err("the query holds what an address can not hold".to_owned())
    }
}

/// The name in a host: `api.sandbox.acme-pay.co.uk` is `acme-pay`.
fn id_of(host: &str) -> String {
    let labels: Vec<&str> = host.split('.').collect();
    let mut end = labels.len().saturating_sub(1);
    let country = labels.last().is_some_and(|last| last.len() == 2);
    if end > 1 && country && labels.get(end - 1).is_some_and(|label| COMMERCIAL.contains(label)) {
        end -= 1;
    }
    let label = labels.get(end.saturating_sub(1)).copied().unwrap_or_default();
    let words: Vec<&str> = label.split('-').filter(|word| !word.is_empty()).collect();
    let own: Vec<&str> = words.iter().copied().filter(|word| !ENVIRONMENTS.contains(word)).collect();
    let id = if own.is_empty() { words.join("-") } else { own.join("-") };
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(ID_CHARACTERS_MAX).collect();
    let id = id.trim_matches('-').to_ascii_lowercase();
    if id.starts_with(|c: char| c.is_ascii_lowercase()) { id } else { format!("service-{id}").trim_end_matches('-').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    fn of(text: &str) -> Result<Address, Mistake> {
        read(&Word { text: text.to_owned(), at: Place::START }, &mut Proof::default())
    }

    #[test]
    fn an_address_is_host_version_path_and_name() {
        let check = |text: &str, base: &str, path: &str, id: &str| {
            let found = of(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
            assert_eq!((found.base.as_str(), found.path.as_str(), found.id.as_str()), (base, path, id), "{text}");
        };
        check("https://api.acme.example/v1/sessions", "https://api.acme.example/v1", "/sessions", "acme");
        check("https://acme.example/v1", "https://acme.example", "/v1", "acme");
        check("acme.example", "https://acme.example", "/", "acme");
        check("https://API.Acme.example/a/b/?x=1&y=%20#top", "https://api.acme.example", "/a/b?x=1&y=%20", "acme");
        check("https://api.sandbox.acme-pay.co.uk/v2.1/x", "https://api.sandbox.acme-pay.co.uk/v2.1", "/x", "acme-pay");
        check("https://sandbox-acme.com.sg/x", "https://sandbox-acme.com.sg", "/x", "acme");
        check("https://api.3pay.example/x", "https://api.3pay.example", "/x", "service-3pay");
        check(
            "https://api.acme.example/shops/$SHOP_ID/{kind}/:name",
            "https://api.acme.example",
            "/shops/{{ field.shop_id }}/{{ field.kind }}/{{ field.name }}",
            "acme",
        );
    }

    #[test]
    fn addresses_that_no_definition_has_are_refused() {
        let check = |text: &str, expected: &str| {
            let message = of(text).unwrap_err().message;
            assert!(message.contains(expected), "{text}: {message}");
        };
        check("http://api.acme.example/x", "HTTPS only");
        check("https://localhost:8080/x", "public host name");
        check("https://127.0.0.1/x", "public host name");
        check("https://api.acme.example:8443/x", "usual port");
        check("https://key:@api.acme.example/x", "`-u user:password`");
        check("https://{{host}}/x", "the host is a placeholder");
        check("https://api.acme.example/x?api_key=1", "stands in the query");
        check("https://api.acme.example/a b", "can not hold");
        check("https://api.acme.example/../x", "can not hold");
        check("https://", "no address");
    }
}
