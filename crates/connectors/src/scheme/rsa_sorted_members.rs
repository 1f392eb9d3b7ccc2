//! Signs a JSON-RPC call by its members in sorted order, with RSA, and checks the signature of the answer.
//!
//! What is signed is the method's name, the id of the request and the data of the call. Data is written without quotes, colons and commas: of an object the names in the order of their bytes, each followed by its value; of a list the values; a string decoded, a number as spelled, `true`, `false`, and nothing for `null`.
//!
//! A signature says its hash in front, such as `alg=RS256;`; without that it means SHA-1. Requests are signed with SHA-256.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use aws_lc_rs::rsa::PublicKey;
use domain::JsonObject;
use domain::json::{self, Pointer, elements, kind_at, members, root};

use super::rsa::{self, Hash, Padding};
use super::{AnswerError, Kind, Parameter, Scheme, SchemeError, Signing};
use crate::body::{Replaces, put};
use crate::outbound::{Answer, OutgoingRequest};
use crate::pem;
use crate::template_fill::json_string;

/// See the module.
pub(super) struct RsaSortedMembers;

const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "key", required: true, kind: Kind::PrivateKey },
    Parameter { name: "answer_key", required: false, kind: Kind::PublicKey },
];

/// In front of a signature: which hash it was made with.
const HASHES: [(&str, Hash); 3] = [("alg=RS256;", Hash::Sha256), ("alg=RS384;", Hash::Sha384), ("alg=RS512;", Hash::Sha512)];

const NOT_SIGNABLE: &str = "the body of this payment service must have each member once, in Unicode text";

/// The members of a JSON object by name, and with that in the order of their bytes.
type Members<'b> = BTreeMap<Cow<'b, str>, Range<usize>>;

impl Scheme for RsaSortedMembers {
    fn name(&self) -> &'static str {
        "rsa-sorted-members"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn refusal(&self, body: &[u8]) -> Option<&'static str> {
        let is_written = root(body).is_some_and(|whole| write(body, &whole, &mut String::new()).is_some());
        (!is_written).then_some(NOT_SIGNABLE)
    }

    fn sign(&self, request: &mut OutgoingRequest, signing: &Signing<'_>) -> Result<(), SchemeError> {
        let key = signing.required("key")?;
        // Before anything is sent: an answer that can not be checked must not be asked for.
        if signing.optional("answer_key").is_some_and(|pem| pem::rsa_public_key(pem).is_err()) {
            return Err(SchemeError::Key("answer_key"));
        }
        let body = JsonObject::parse(request.body.clone()).map_err(|_| SchemeError::Request("its body is no JSON object"))?;
        let asked = asked(body.bytes())
            .ok_or(SchemeError::Request("its body has no `/method`, `/params/UUID` and `/params/Data`, or one twice"))?;
        let signature = rsa::sign(key, Padding::Pkcs1, asked.signed.as_bytes()).ok_or(SchemeError::Key("key"))?;
        let place = Pointer::parse("").map(|whole| whole.child("params").child("Signature"));
        let signed =
            place.and_then(|place| put(body.bytes().to_vec(), &place, &json_string(&format!("alg=RS256;{signature}")), Replaces::Anything));
        request.body = signed.ok_or(SchemeError::Request("its body has no place for the signature"))?.into();
        Ok(())
    }

    /// A result must bear the id of the request and, where `answer_key` has a value, a right signature. An error is taken as it is: all that it can do is to end the session in failure, which whoever can change an answer can do anyway, and not every error bears the id.
    fn check(&self, request: &OutgoingRequest, answer: &Answer, signing: &Signing<'_>) -> Result<(), AnswerError> {
        let Some(bytes) = answer.body.as_ref().ok().filter(|_| (200..=299).contains(&answer.status)) else { return Ok(()) };
        let Ok(body) = JsonObject::parse(bytes.clone()) else {
            // What is no JSON object is no session either, but an empty answer would be one.
            return if bytes.is_empty() { Err(AnswerError::Foreign) } else { Ok(()) };
        };
        let bytes = body.bytes();
        let members = root(bytes).and_then(|whole| object(bytes, &whole)).ok_or(AnswerError::Ambiguous)?;
        let is_object = |value: &&Range<usize>| kind_at(bytes, value.start) == Some(json::Kind::Object);
        match (members.get("result").filter(is_object), members.get("error").filter(is_object)) {
            (Some(result), _) => check_result(bytes, &object(bytes, result).ok_or(AnswerError::Ambiguous)?, request, signing),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(AnswerError::Foreign),
        }
    }
}

fn check_result(bytes: &[u8], result: &Members<'_>, request: &OutgoingRequest, signing: &Signing<'_>) -> Result<(), AnswerError> {
    let sent = asked(&request.body).ok_or(AnswerError::Foreign)?;
    if result.get("uuid").and_then(|value| string(bytes, value)).as_ref() != Some(&sent.uuid) {
        return Err(AnswerError::Foreign);
    }
    let Some(answer_key) = signing.optional("answer_key") else { return Ok(()) };
    let signature = result.get("signature").and_then(|value| string(bytes, value)).ok_or(AnswerError::Unsigned)?;
    let signed = signed(bytes, result.get("method"), &sent.uuid, result.get("data")).ok_or(AnswerError::Ambiguous)?;
    let key = pem::rsa_public_key(answer_key).map_err(|_| AnswerError::Signature)?;
    if is_signature(&key, &signed, &signature) { Ok(()) } else { Err(AnswerError::Signature) }
}

/// What is signed of a request.
struct Asked {
    uuid: String,
    signed: String,
}

/// `None`: one of the three members is not there or has another form, or a name is there twice.
fn asked(body: &[u8]) -> Option<Asked> {
    let call = object(body, &root(body)?)?;
    let params = object(body, call.get("params")?)?;
    let uuid = string(body, params.get("UUID")?)?;
    let signed = signed(body, call.get("method"), &uuid, Some(params.get("Data")?))?;
    Some(Asked { uuid, signed })
}

/// Method, id and data. Where an answer leaves out method or data, it has signed nothing in their place.
fn signed(bytes: &[u8], method: Option<&Range<usize>>, uuid: &str, data: Option<&Range<usize>>) -> Option<String> {
    let mut signed = method.map_or_else(|| Some(String::new()), |method| string(bytes, method))?;
    signed.push_str(uuid);
    if let Some(data) = data {
        write(bytes, data, &mut signed)?;
    }
    Some(signed)
}

fn write(bytes: &[u8], value: &Range<usize>, out: &mut String) -> Option<()> {
    match kind_at(bytes, value.start)? {
        json::Kind::Object => {
            for (name, value) in object(bytes, value)? {
                out.push_str(&name);
                write(bytes, &value, out)?;
            }
        }
        json::Kind::Array => elements(bytes, value.start)?.iter().try_for_each(|value| write(bytes, value, out))?,
        json::Kind::String => out.push_str(&string(bytes, value)?),
        json::Kind::Number | json::Kind::Boolean => out.push_str(std::str::from_utf8(bytes.get(value.clone())?).ok()?),
        json::Kind::Null => {}
    }
    Some(())
}

/// `None`: no object, or a name is there twice. Of two members each reader picks its own, and one signature would cover both readings.
fn object<'b>(bytes: &'b [u8], value: &Range<usize>) -> Option<Members<'b>> {
    let members = members(bytes, value.start)?;
    let count = members.len();
    let by_name: Members<'b> = members.into_iter().map(|member| (member.name, member.value_range)).collect();
    (by_name.len() == count).then_some(by_name)
}

fn string(bytes: &[u8], value: &Range<usize>) -> Option<String> {
    serde_json::from_slice(bytes.get(value.clone())?).ok()
}

fn is_signature(key: &PublicKey, signed: &str, signature: &str) -> bool {
    let named = HASHES.iter().find_map(|(front, hash)| Some((*hash, signature.strip_prefix(front)?)));
    let (hash, base64) = named.unwrap_or((Hash::Sha1, signature));
    rsa::is_signature(key, hash, signed.as_bytes(), base64)
}

#[cfg(test)]
mod tests;
