//! Who asks: finds the credentials of a command, and makes fields of them. Their values stay here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::json::Pointer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use super::command::{Curl, Header};
use super::names::{
    is_idempotency, is_idempotency_member, is_merchant, is_of_the_moment, is_of_the_transport, is_placeholder, is_request_id,
    is_secret_header, is_secret_member, is_signature, key_of, label_of, looks_like_a_key, placeholder_key, plain,
};
use super::tree::Tree;

/// Shorter values occur by chance; longer ones must not occur anywhere in the file that is made.
const CREDENTIAL_CHARACTERS_MIN: usize = 6;

/// A field of the new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) secret: bool,
    /// How keys of the sandbox and of live payments begin.
    pub(super) prefix: Option<(String, String)>,
}

/// The Authorization header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Authorization {
    /// There is none.
    #[default]
    None,
    /// Templates of user and password.
    Basic(String, String),
    /// The template of the token.
    Bearer(String),
}

/// What a command says about who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    pub(super) fields: Vec<Field>,
    pub(super) authorization: Authorization,
    /// Headers that carry fields, with their templates.
    pub(super) auth_headers: Vec<(String, String)>,
    /// Headers of the call that are the same for everybody.
    pub(super) headers: Vec<(String, String)>,
    /// Members of the body that carry fields.
    pub(super) set: Vec<(Pointer, String)>,
    /// What stood there, as far as it is no secret: an answer may repeat it.
    pub(super) taken: Vec<(Pointer, Tree)>,
    /// Where the service recognises a repeated request, as the format writes it: `header = "…"` or `body = "…"`.
    pub(super) idempotency: Option<String>,
    /// What was left out and why, for the comments of the file.
    pub(super) left_out: Vec<String>,
    /// The credentials themselves, so that nobody writes them down.
    values: Vec<String>,
}

/// Looks through options and headers.
pub(super) fn of(curl: &Curl) -> Proof {
    let mut proof = Proof::default();
    if let Some((user, password)) = &curl.user {
        proof.basic(user, password.as_deref().unwrap_or_default());
    }
    for header in &curl.headers {
        proof.header(header);
    }
    proof
}

// === impl Proof ===

impl Proof {
    /// Whether a text holds one of the credentials.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.values.iter().any(|value| text.contains(value.as_str()))
    }

    /// Takes credentials and the merchant's identity out of the body: stored values are set there.
    pub(super) fn take_from(&mut self, body: &mut Tree) {
        let mut taken: Vec<(Pointer, String, bool)> = Vec::new();
        for (pointer, value) in body.scalars() {
            let tokens = pointer.tokens();
            let (Some(name), Some(text)) = (tokens.last(), value.text()) else { continue };
            let in_list = tokens.iter().any(|token| token.bytes().all(|b| b.is_ascii_digit()));
            if in_list || !value.is_string() {
                continue;
            }
            let parent = tokens.len().checked_sub(2).and_then(|at| tokens.get(at)).map(String::as_str).unwrap_or_default();
            let is_who =
                is_merchant(name) && ["merchant", "entity", "shop", "site", "terminal"].iter().any(|who| plain(name).starts_with(who));
            let is_who = is_who || (plain(parent) == "merchant" && ["id", "code", "number", "account"].contains(&plain(name).as_str()));
            if tokens.len() == 1 && is_idempotency_member(name) {
                self.idempotency.get_or_insert_with(|| format!("body = \"{pointer}\""));
                // The server makes one where the caller has none.
                taken.push((pointer, String::new(), false));
            } else if is_secret_member(name) {
                taken.push((pointer, text, true));
            } else if is_who {
                taken.push((pointer, text, false));
            } else if is_signature(name) {
                self.left_out.push(format!("the member `{pointer}` looks like a signature: see `[sign]` in the format"));
                taken.push((pointer, String::new(), true));
            }
        }
        for (pointer, value, secret) in taken {
            body.remove(pointer.tokens());
            if value.is_empty() {
                continue;
            }
            let tokens = pointer.tokens();
            let name = match tokens {
                [.., parent, name] if plain(parent) == "merchant" => format!("merchant_{name}"),
                [.., name] => name.clone(),
                [] => continue,
            };
            let field = self.field(&key_of(&name), secret, &value);
            if !secret {
                self.taken.push((pointer.clone(), Tree::string(&value)));
            }
            self.set.push((pointer, field));
        }
    }

    /// A field that a placeholder of the address stands for.
    pub(super) fn placeholder(&mut self, written: &str) -> String {
        self.field(&placeholder_key(written), false, written)
    }

    fn basic(&mut self, user: &str, password: &str) {
        // A key alone is given as user or as password; the other half is empty.
        let pair = match (user.is_empty(), password.is_empty()) {
            (_, true) => (self.secret(user, "api_key"), String::new()),
            (true, false) => (String::new(), self.secret(password, "api_key")),
            (false, false) => {
                let about_clients = [user, password].iter().any(|half| plain(half).contains("client"));
                let (user_key, password_key) = if about_clients { ("client_id", "client_secret") } else { ("username", "password") };
                let user_field = if looks_like_a_key(user) && !is_placeholder(user) {
                    self.secret(user, "api_key")
                } else {
                    let key = if is_placeholder(user) { placeholder_key(user) } else { user_key.to_owned() };
                    self.field(&key, false, user)
                };
                (user_field, self.secret(password, password_key))
            }
        };
        self.authorization = Authorization::Basic(pair.0, pair.1);
    }

    fn header(&mut self, header: &Header) {
        let Header { name, value, .. } = header;
        if name.eq_ignore_ascii_case(AUTHORIZATION.as_str()) {
            self.authorization(value);
        } else if name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()) || name.eq_ignore_ascii_case(ACCEPT.as_str()) {
            self.media_type(name, value);
        } else if is_of_the_transport(name) {
            // The server has its own.
        } else if is_idempotency(name) && self.idempotency.is_none() {
            self.idempotency = Some(format!("header = \"{name}\""));
        } else if is_request_id(name) {
            self.headers.push((name.clone(), "{{ attempt.id }}".to_owned()));
        } else if is_of_the_moment(name) {
            self.left_out.push(format!("the header `{name}` differs from request to request"));
        } else if is_signature(name) {
            self.left_out.push(format!("the header `{name}` looks like a signature: see `[sign]` in the format"));
            self.remember(value);
        } else if is_secret_header(name) || (looks_like_a_key(value) && !is_merchant(name)) {
            let field = self.field(&key_of(name), true, value);
            self.auth_headers.push((name.clone(), field));
        } else if is_merchant(name) || is_placeholder(value) {
            let field = self.field(&key_of(name), false, value);
            self.auth_headers.push((name.clone(), field));
        } else {
            self.headers.push((name.clone(), value.clone()));
        }
    }

    fn authorization(&mut self, value: &str) {
        let (scheme, rest) = value.split_once(' ').map_or(("", value), |(scheme, rest)| (scheme, rest.trim()));
        if scheme.eq_ignore_ascii_case("basic") {
            self.remember(rest);
            let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
                Some((user, password)) => self.basic(user, password),
                None => self.basic("$username", "$password"),
            }
        } else if scheme.eq_ignore_ascii_case("bearer") {
            let default = if rest.starts_with("eyJ") { "access_token" } else { "api_key" };
            self.authorization = Authorization::Bearer(self.secret(rest, default));
        } else if rest.contains([' ', ',', '"']) {
            self.remember(rest);
            self.left_out.push("the header `Authorization` looks like a signature: see `[sign]` in the format".to_owned());
        } else {
            let field = self.secret(rest, "api_key");
            let space = if scheme.is_empty() { "" } else { " " };
            self.auth_headers.push((AUTHORIZATION_NAME.to_owned(), format!("{scheme}{space}{field}")));
        }
    }

    /// What the server sends by itself is not written down.
    fn media_type(&mut self, name: &str, value: &str) {
        let essence = value.split(';').next().unwrap_or_default().trim();
        let usual =
            ["application/json", "application/x-www-form-urlencoded", "*/*"].iter().any(|usual| essence.eq_ignore_ascii_case(usual));
        if !usual {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// A secret field whose name the value may tell.
    fn secret(&mut self, value: &str, default: &str) -> String {
        let told = Some(placeholder_key(value)).filter(|key| {
            let words = ["key", "token", "secret", "password"];
            is_placeholder(value) && key.split('_').any(|word| words.contains(&word)) && key.len() <= 30
        });
        let usual = if value.starts_with("sk_") { "secret_key" } else { default };
        self.field(told.as_deref().unwrap_or(usual), true, value)
    }

    /// Adds a field, or finds the one that has the same value already; its template.
    fn field(&mut self, wanted: &str, secret: bool, value: &str) -> String {
        if secret {
            self.remember(value);
        }
        let mut key = wanted.to_owned();
        let mut number = 2;
        while self.fields.iter().any(|field| field.key == key) {
            key = format!("{wanted}_{number}");
            number += 1;
        }
        let prefix = if secret { prefixes(value) } else { None };
        self.fields.push(Field { label: label_of(&key), secret, prefix, key: key.clone() });
        format!("{{{{ field.{key} }}}}")
    }

    fn remember(&mut self, value: &str) {
        if value.chars().count() >= CREDENTIAL_CHARACTERS_MIN && !is_placeholder(value) {
            self.values.push(value.to_owned());
        }
    }
}

/// The header's usual spelling.
const AUTHORIZATION_NAME: &str = "Authorization";

/// How keys begin where the value says that it is one of a test environment: `sk_test_`, `test_`.
fn prefixes(value: &str) -> Option<(String, String)> {
    const TEST: &str = "test_";
    const BEFORE_MAX: usize = 4;
    let at = value.find(TEST).filter(|at| *at <= BEFORE_MAX)?;
    let sandbox = value.get(..at + TEST.len()).filter(|prefix| value.len() > prefix.len())?;
    Some((sandbox.to_owned(), sandbox.replace("test", "live")))
}

#[cfg(test)]
mod tests {
    use super::super::command::read;
    use super::*;

    fn proof(options: &str) -> Proof {
        of(&read(&format!("curl https://a.example -d a=1 {options}")).unwrap())
    }

    /// Fields as `key` or `key!` where they are secret.
    fn fields(proof: &Proof) -> String {
        proof.fields.iter().map(|field| format!("{}{}", field.key, if field.secret { "!" } else { "" })).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn credentials_become_fields() {
        let check = |options: &str, expected: &str| assert_eq!(fields(&proof(options)), expected, "{options}");
        check("", "");
        check("-u sk_test_4eC39HqLyjWDarjtT1zdp7dc:", "secret_key!");
        check("-u sk_test_4eC39HqLyjWDarjtT1zdp7dc", "secret_key!");
        check("-u :K-1234567", "api_key!");
        check("-u shop:hunter22", "username password!");
        check("-u $CLIENT_ID:$CLIENT_SECRET", "client_id client_secret!");
        check("-H 'Authorization: Basic c2hvcDpodW50ZXIyMg=='", "username password!");
        check("-H 'Authorization: Basic <credentials>'", "username password!");
        check("-H 'Authorization: Bearer A21AAFs9YlHqsEXEAMPLE'", "api_key!");
        check("-H 'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.'", "access_token!");
        check("-H 'Authorization: Bearer YOUR_SECRET_KEY'", "secret_key!");
        check("-H 'Authorization: Token t-1234567'", "api_key!");
        check("-H 'Authorization: K-1234567'", "api_key!");
        check("-H 'X-API-Key: K-1234567' -H 'X-Merchant-Id: M1'", "api_key! merchant_id");
        check("-H 'x-login: AQEyhmfxK4LKaRRPHdy3tHQ9d0Y'", "login!");
        check("-H 'Acme-Version: 2026-10-28' -H 'Acme-Account: $ACCOUNT'", "acme_account");
        check("-H 'X-Api-Key: a-long-one' -H 'Api-Key: another-one'", "api_key! api_key_2!");
    }

    #[test]
    fn every_header_has_its_place() {
        let proof = proof(
            "-H 'Authorization: Token t-1234567' -H 'Idempotency-Key: 1' -H 'X-Request-Id: 2' -H 'Acme-Version: 2026-10-28' -H 'User-Agent: x' \
             -H 'Accept: */*' -H 'Content-Type: application/vnd.acme+json' -H 'X-Signature: abcdefgh'",
        );
        assert_eq!(proof.authorization, Authorization::None);
        assert_eq!(proof.auth_headers, [("Authorization".to_owned(), "Token {{ field.api_key }}".to_owned())]);
        let headers: Vec<(&str, &str)> = proof.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            headers,
            [("X-Request-Id", "{{ attempt.id }}"), ("Acme-Version", "2026-10-28"), ("Content-Type", "application/vnd.acme+json")]
        );
        assert_eq!(proof.idempotency.as_deref(), Some("header = \"Idempotency-Key\""));
        assert_eq!(proof.left_out.len(), 1, "{:?}", proof.left_out);
        assert!(proof.is_in("x t-1234567 x") && proof.is_in("abcdefgh") && !proof.is_in("t-123"));
    }

    #[test]
    fn a_key_of_a_test_environment_tells_how_keys_begin() {
        let check = |value: &str, expected: Option<(&str, &str)>| {
            assert_eq!(prefixes(value), expected.map(|(sandbox, live)| (sandbox.to_owned(), live.to_owned())), "{value}");
        };
        check("sk_test_4eC39", Some(("sk_test_", "sk_live_")));
        check("test_dHar4XY7LxsDOtmnk", Some(("test_", "live_")));
        check("sk_live_4eC39", None);
        check("my_latest_key", None);
        check("test_", None);
    }

    #[test]
    fn the_body_gives_away_no_credential() {
        let mut body = Tree::object(
            r#"{"merchantAccount":"ShopECOM","apiKey":"K-1234567","merchant":{"id":"M1","name":"Shop"},"amount":1,"items":[{"merchantId":"M2"}],"checksum":"c0ffee","token":"buyer","request_id":"1"}"#,
        )
        .unwrap();
        let mut proof = Proof::default();
        proof.take_from(&mut body);
        assert_eq!(body.written(), r#"{"merchant":{"name":"Shop"},"amount":1,"items":[{"merchantId":"M2"}],"token":"buyer"}"#);
        let set: Vec<String> = proof.set.iter().map(|(pointer, template)| format!("{pointer} {template}")).collect();
        assert_eq!(
            set,
            ["/merchantAccount {{ field.merchant_account }}", "/apiKey {{ field.api_key }}", "/merchant/id {{ field.merchant_id }}"]
        );
        assert_eq!(fields(&proof), "merchant_account api_key! merchant_id");
        assert_eq!(proof.idempotency.as_deref(), Some("body = \"/request_id\""));
        assert!(proof.is_in("K-1234567") && proof.left_out.len() == 1);
    }
}
