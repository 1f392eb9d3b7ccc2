//! What names say: which header or member is a credential, a merchant's identity, an amount, an id.

/// Lower case without anything but letters and digits: `merchantAccount`, `merchant_account` and `Merchant-Account` are one name.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The words of a name, in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before_lower) {
            words.push(String::new());
        }
        before_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A name as the key of a field: `X-API-Key` is `api_key`.
pub(super) fn key_of(name: &str) -> String {
    let mut words = words(name);
    if words.len() > 1 && words.first().is_some_and(|word| word == "x") {
        words.remove(0);
    }
    let key: String = words.join("_").chars().take(50).collect();
    match key.as_str() {
        "" => "value".to_owned(),
        // Both come with every file.
        "mode" | "timeout_ms" => format!("service_{key}"),
        _ => key,
    }
}

/// A key of a field for people: `api_key` is `API key`.
pub(super) fn label_of(key: &str) -> String {
    let mut label = String::new();
    for (at, word) in key.split('_').enumerate() {
        let known = ["api", "id", "url", "uri", "psp", "hmac", "pos", "jwt"].contains(&word);
        let word = if known { word.to_ascii_uppercase() } else { word.to_owned() };
        label.push_str(if at > 0 { " " } else { "" });
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if at == 0 => {
                label.push(first.to_ascii_uppercase());
                label.push_str(letters.as_str());
            }
            _ => label.push_str(&word),
        }
    }
    label
}

/// Whether a header of this name carries a credential.
pub(super) fn is_secret_header(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "key",
        "apikey",
        "token",
        "secret",
        "password",
        "passwd",
        "auth",
        "authentication",
        "authtoken",
        "credential",
        "credentials",
        "pass",
    ];
    let words = words(name);
    words.iter().any(|word| WORDS.contains(&word.as_str())) && !words.iter().any(|word| ["id", "version", "type"].contains(&word.as_str()))
}

/// Whether a member of the body of this name carries a credential. Narrower than for headers: a token in a body is as often the buyer's.
pub(super) fn is_secret_member(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "apikey",
        "apisecret",
        "secretkey",
        "privatekey",
        "merchantkey",
        "merchantpassword",
        "clientsecret",
        "apipassword",
        "apitoken",
        "accesskey",
        "authkey",
        "authtoken",
        "password",
        "secret",
    ];
    NAMES.contains(&plain(name).as_str())
}

/// Whether a header or member of this name is computed over the request.
pub(super) fn is_signature(name: &str) -> bool {
    const NAMES: [&str; 8] = ["signature", "checksum", "hash", "hmac", "digest", "mac", "sign", "shasign"];
    words(name).last().is_some_and(|last| NAMES.contains(&last.as_str()))
}

/// Whether a header or member of this name says which merchant asks.
pub(super) fn is_merchant(name: &str) -> bool {
    const WHO: [&str; 14] = [
        "merchant",
        "client",
        "account",
        "partner",
        "shop",
        "store",
        "entity",
        "site",
        "terminal",
        "profile",
        "organization",
        "organisation",
        "app",
        "user",
    ];
    const WHAT: [&str; 6] = ["id", "account", "code", "number", "name", "identifier"];
    let name = plain(name.trim_start_matches("X-").trim_start_matches("x-"));
    let parted = WHO.iter().find_map(|who| name.strip_prefix(who));
    match parted {
        Some("") => name == "merchant" || name == "account",
        Some("accountid" | "accountcode" | "siteid") => true,
        Some(what) => {
            WHAT.contains(&what) && !matches!(name.as_str(), "clientname" | "username" | "accountname" | "storename" | "shopname")
        }
        None => false,
    }
}

/// Whether a member of an answer of this name is for the buyer's browser alone.
pub(super) fn is_private(name: &str) -> bool {
    const PARTS: [&str; 9] = ["secret", "token", "nonce", "jwt", "sessiondata", "password", "credential", "accesskey", "apikey"];
    let name = plain(name);
    PARTS.iter().any(|part| name.contains(part)) && !name.ends_with("type") && !name.ends_with("expiry") && !name.ends_with("expiresin")
}

/// Whether a header of this name lets the service recognise a repeated request.
pub(super) fn is_idempotency(name: &str) -> bool {
    let name = plain(name);
    // Services that put their own name before `Request-Id` mean the key of a request, `X-Request-Id` is for finding it in logs.
    name.contains("idempot") || (name.ends_with("requestid") && name != "requestid" && name != "xrequestid" && name != "clientrequestid")
}

/// The same for a member of the body, where services name the key of a request with plainer words.
pub(super) fn is_idempotency_member(name: &str) -> bool {
    let name = plain(name);
    name.contains("idempot") || name == "requestid"
}

/// Whether a header of this name is for finding a request in logs.
pub(super) fn is_request_id(name: &str) -> bool {
    ["requestid", "xrequestid", "clientrequestid", "correlationid", "xcorrelationid"].contains(&plain(name).as_str())
}

/// Whether a header of this name differs from request to request without meaning anything to the call.
pub(super) fn is_of_the_moment(name: &str) -> bool {
    const NAMES: [&str; 4] = ["traceparent", "tracestate", "xtraceid", "baggage"];
    const TIMES: [&str; 4] = ["date", "timestamp", "nonce", "time"];
    NAMES.contains(&plain(name).as_str()) || words(name).last().is_some_and(|last| TIMES.contains(&last.as_str()))
}

/// Whether a header of this name belongs to the connection or to a browser.
pub(super) fn is_of_the_transport(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "cookie",
        "dnt",
        "expect",
        "host",
        "origin",
        "pragma",
        "priority",
        "proxy-authorization",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || name.starts_with("sec-") || name.starts_with("x-forwarded")
}

/// Whether a value was written to be replaced: `$API_KEY`, `<your key>`, `{api_key}`, `YOUR_API_KEY`, `xxxx`.
pub(super) fn is_placeholder(value: &str) -> bool {
    let bracketed = [('<', '>'), ('{', '}'), ('[', ']')].iter().any(|(open, close)| value.starts_with(*open) && value.ends_with(*close));
    let lower = value.to_ascii_lowercase();
    let crosses = value.len() >= 3 && lower.bytes().all(|b| b == b'x' || b == b'*' || b == b'.');
    bracketed
        || value.starts_with('$')
        || value.starts_with('…')
        || crosses
        || ["your_", "your-", "my_", "insert"].iter().any(|start| lower.starts_with(start))
}

/// The name that a placeholder holds.
pub(super) fn placeholder_key(value: &str) -> String {
    let key = key_of(value);
    let mut words: Vec<&str> = key.split('_').collect();
    while words.len() > 1 && words.first().is_some_and(|word| ["your", "my", "insert", "the"].contains(word)) {
        words.remove(0);
    }
    words.join("_")
}

/// Whether a value looks like an API key whatever its header is called: long, one word, letters and digits mixed or a usual beginning.
pub(super) fn looks_like_a_key(value: &str) -> bool {
    let one_word = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.=+/".contains(&b));
    let lower = value.to_ascii_lowercase();
    let begins = ["sk_", "pk_", "rk_", "key_", "test_", "live_", "sandbox_", "sk-", "eyj"].iter().any(|start| lower.starts_with(start));
    let mixed = value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic());
    let media = value.contains('/') && value.split('/').count() == 2 && !mixed;
    one_word && !media && ((begins && value.len() >= 8) || (mixed && value.len() >= 24 && !value.contains('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_joined() {
        let check = |name: &str, key: &str, label: &str| {
            assert_eq!(key_of(name), key, "{name}");
            assert_eq!(label_of(&key_of(name)), label, "{name}");
        };
        check("X-API-Key", "api_key", "API key");
        check("merchantAccount", "merchant_account", "Merchant account");
        check("client_id", "client_id", "Client ID");
        check("APIKey", "apikey", "Apikey");
        check("", "value", "Value");
        check("mode", "service_mode", "Service mode");
        assert_eq!(plain("Merchant-Account_Id"), "merchantaccountid");
        for (value, key) in [("$ACME_API_KEY", "acme_api_key"), ("<your access token>", "access_token"), ("{merchantId}", "merchant_id")] {
            assert_eq!(placeholder_key(value), key);
        }
    }

    #[test]
    fn names_say_what_they_carry() {
        let check = |test: fn(&str) -> bool, yes: &[&str], no: &[&str]| {
            yes.iter().for_each(|name| assert!(test(name), "{name}"));
            no.iter().for_each(|name| assert!(!test(name), "{name}"));
        };
        check(
            is_secret_header,
            &["X-API-Key", "apikey", "X-Auth-Token", "Client-Secret", "x-password"],
            &["X-Client-Id", "Acme-Version", "X-Key-Id"],
        );
        check(is_secret_member, &["apiKey", "password", "client_secret"], &["payment_token", "key", "returnUrl"]);
        check(is_signature, &["X-Signature", "checksum", "shaSign"], &["signature_type", "design"]);
        check(
            is_merchant,
            &["merchantAccount", "X-Merchant-Id", "merchant", "client-id", "shop_id", "merchantAccountId", "merchantSiteId"],
            &["merchantReference", "merchant_order_id", "username", "customer_id", "merchantUrls"],
        );
        check(is_private, &["client_secret", "sessionData", "token", "paymentToken"], &["token_type", "id", "tokenExpiry"]);
        check(is_idempotency, &["Idempotency-Key", "X-Idempotence-Key", "Acme-Request-Id"], &["X-Request-Id", "Request-Id", "Id"]);
        check(is_idempotency_member, &["idempotency_key", "request_id"], &["id", "order_request_id"]);
        check(is_request_id, &["X-Request-Id", "Correlation-Id"], &["Acme-Request-Id"]);
        check(is_of_the_moment, &["Traceparent", "Date", "X-Timestamp"], &["Acme-Version", "X-Request-Id"]);
        check(is_of_the_transport, &["Host", "user-agent", "Sec-Fetch-Mode"], &["Accept", "X-Api-Key"]);
        check(is_placeholder, &["$KEY", "<key>", "{{key}}", "YOUR_KEY", "xxxx"], &["sk_test_1", "2026-10-28", "EUR"]);
        check(
            looks_like_a_key,
            &["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "AQEyhmfxK4LKaRRPHdy3tHQ9d0Y", "eyJhbGciOiJub25lIn0"],
            &["2026-10-28.endive", "application/json", "application/vnd.acme.v2+json", "EUR", "some text of 24 characters or more"],
        );
    }
}
