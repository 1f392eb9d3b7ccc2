//! Filling a simulator's answer.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connectors::model::{Name, Part, SimValue, Template};
use connectors::outbound::ANSWER_BYTES_MAX;
use domain::json::Pointer;
use serde_json::Value;
use uuid::Builder;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEX: &[u8] = b"0123456789abcdef";

/// Makes up what an answer needs: ids, tokens, the address of a page.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    address: SocketAddr,
}

/// What an answer may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The body that was received, as JSON.
    pub request: &'a Value,
    /// The first required member that is not there.
    pub missing: Option<&'a Pointer>,
    /// The service's own word for the method.
    pub method_code: Option<&'a str>,
}

// === impl Maker ===

impl Maker {
    /// For simulators that listen on an address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Fills a template. A member of the request that is not there is `null`; credentials are never part of an answer.
    ///
    /// Ends behind the first part that makes the answer longer than anybody reads: a file that repeats a long member a thousand times would fill the memory.
    pub fn fill(&self, template: &Template, scene: Scene<'_>) -> String {
        let mut filled = String::new();
        for part in &template.0 {
            filled.push_str(&self.part(part, scene));
            if filled.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        filled
    }

    /// A bearer token.
    pub fn token(&self) -> String {
        pick(LETTERS, 40)
    }

    fn part(&self, part: &Part, scene: Scene<'_>) -> String {
        match part {
            Part::Text(text) => text.clone(),
            Part::Name(Name::Request(pointer)) => scene.request.pointer(&pointer.to_string()).map_or("null".to_owned(), Value::to_string),
            Part::Name(Name::Sim(value)) => self.made_up(*value, scene),
            Part::Name(Name::MethodCode) => scene.method_code.unwrap_or_default().to_owned(),
            Part::Name(Name::Field(_) | Name::Token | Name::Attempt(_) | Name::Sign(_) | Name::First(_)) => String::new(),
        }
    }

    fn made_up(&self, value: SimValue, scene: Scene<'_>) -> String {
        match value {
            SimValue::Uuid => Builder::from_random_bytes(random::<16>()).into_uuid().hyphenated().to_string(),
            SimValue::Text(length) => pick(LETTERS, length),
            SimValue::Upper(length) => pick(UPPER, length),
            SimValue::Hex(length) => pick(HEX, length),
            SimValue::Page => format!("http://{}/page/{}", self.address, pick(HEX, 16)),
            SimValue::Missing => scene.missing.map(|pointer| pointer.tokens().join(".")).unwrap_or_else(|| "simulated".to_owned()),
            SimValue::Time => in_one_hour(),
            SimValue::Jwt => jwt(),
        }
    }
}

fn pick(alphabet: &[u8], length: usize) -> String {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has randomness");
    bytes.into_iter().filter_map(|byte| alphabet.get(usize::from(byte) % alphabet.len())).map(|b| char::from(*b)).collect()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// Three parts as RFC 7519 has them; the last is no signature of anybody's.
fn jwt() -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let signature = URL_SAFE_NO_PAD.encode(random::<32>());
    format!("{}.{}.{signature}", part(r#"{"alg":"none","typ":"JWT"}"#), part(&format!(r#"{{"jti":"{}"}}"#, pick(HEX, 16))))
}

#[expect(clippy::disallowed_methods, reason = "a simulated service has a clock of its own, like a real one")]
fn in_one_hour() -> String {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_epoch.as_micros()).unwrap_or_default();
    domain::Timestamp::from_micros(micros).plus_seconds(3600).to_string()
}
