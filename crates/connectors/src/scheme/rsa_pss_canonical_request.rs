//! Signs method, path, query, headers and body as one canonical text, with RSA-PSS.
//!
//! The canonical text is, line by line: the method, the path, the query sorted and encoded, each signed header as `name:value` sorted by name, an empty line, the names with semicolons between them, and the SHA-256 of the body in hexadecimal. What is signed is the name of the algorithm, a line break and the SHA-256 of that text. The words of a payment service (the algorithm's name, how its headers begin) come from the definition.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::utf8_percent_encode;
use url::{Position, Url};

use super::rsa::{self, Padding};
use super::{Kind, Parameter, Scheme, SchemeError, Signing};
use crate::outbound::OutgoingRequest;
use crate::template_fill::RESERVED;

/// See the module.
pub(super) struct RsaPssCanonicalRequest;

const PARAMETERS: [Parameter; 4] = [
    Parameter { name: "key", required: true, kind: Kind::PrivateKey },
    Parameter { name: "key_id", required: true, kind: Kind::Text },
    Parameter { name: "algorithm", required: true, kind: Kind::Text },
    Parameter { name: "prefix", required: true, kind: Kind::Text },
];

impl Scheme for RsaPssCanonicalRequest {
    fn name(&self) -> &'static str {
        "rsa-pss-canonical-request"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn sign(&self, request: &mut OutgoingRequest, signing: &Signing<'_>) -> Result<(), SchemeError> {
        if request.headers.contains_key(AUTHORIZATION) {
            return Err(SchemeError::Request("it has an Authorization header already"));
        }
        let key = signing.required("key")?;
        let (key_id, algorithm, prefix) = (signing.header("key_id")?, signing.header("algorithm")?, signing.header("prefix")?);
        let mut add = |name: &str, value: &str| -> Result<(), SchemeError> {
            let name = HeaderName::from_bytes(format!("{prefix}-{name}").as_bytes()).map_err(|_| SchemeError::Header("prefix"))?;
            request.headers.insert(name, HeaderValue::from_str(value).map_err(|_| SchemeError::Request("its host is no text"))?);
            Ok(())
        };
        add("host", &request.url[Position::BeforeHost..Position::AfterPort])?;
        add("date", &date(signing))?;

        let signed = signed_headers(&request.headers, prefix)?;
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let message = format!("{algorithm}\n{}", sha256_hex(canonical_request(request, &signed, &names).as_bytes()));
        let signature = rsa::sign(key, Padding::Pss, message.as_bytes()).ok_or(SchemeError::Key("key"))?;
        let authorization = format!("{algorithm} PublicKeyId={key_id}, SignedHeaders={names}, Signature={signature}");
        let mut authorization = HeaderValue::from_str(&authorization).map_err(|_| SchemeError::Header("key_id"))?;
        authorization.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }
}

/// `2026-11-26T10:00:00Z`.
fn date(signing: &Signing<'_>) -> String {
    let moment = signing.now.to_string();
    format!("{}Z", moment.split('.').next().unwrap_or_default())
}

/// Those of the service's own, and the two about media types, by name. Names of a `HeaderMap` are in lower case.
fn signed_headers<'h>(headers: &'h HeaderMap, prefix: &str) -> Result<Vec<(&'h str, &'h str)>, SchemeError> {
    let own = format!("{}-", prefix.to_ascii_lowercase());
    let chosen = headers.iter().filter(|(name, _)| name.as_str().starts_with(&own) || [ACCEPT, CONTENT_TYPE].contains(name));
    let mut signed = chosen
        .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(|_| SchemeError::Request("a header is not ASCII"))?.trim())))
        .collect::<Result<Vec<_>, _>>()?;
    signed.sort_unstable();
    Ok(signed)
}

fn canonical_request(request: &OutgoingRequest, signed: &[(&str, &str)], names: &str) -> String {
    let lines: String = signed.iter().flat_map(|(name, value)| [*name, ":", *value, "\n"]).collect();
    let (method, path, query) = (&request.method, request.url.path(), canonical_query(&request.url));
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{}", sha256_hex(&request.body))
}

/// Sorted by name and then by value; each encoded, with `=` also where no value is.
fn canonical_query(url: &Url) -> String {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut pairs: Vec<_> = url.query_pairs().map(|(name, value)| (encode(&name), encode(&value))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn sha256_hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

#[cfg(test)]
mod tests;
