//! Tokens: a strict reading of one narrow kind of JWT (ES512, signed by a registered key), and nothing more general.
//!
//! The order of the checks is the order of their cost. A signature costs about half a millisecond, so nothing reaches it without the identifier of an active key and claims that would hold: whoever has no key can not make us work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ApiKeyPairId, PermissionSet, Timestamp};
use uuid::Uuid;

use self::cache::{Cache, Fingerprint, fingerprint};
use self::claims::Claims;
pub use self::claims::{AHEAD_SECONDS, EXPIRED_SECONDS, Embed};
use self::strict::{Node, parse_object};
use crate::limits::{Limited, Source};
use crate::snapshot::{KeyPair, Snapshot};

mod cache;
mod claims;
mod strict;
#[cfg(test)]
mod tests;

/// Longest token that is looked at. An embed token with a long cart stays far below it.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest `kid` that is looked up; a thumbprint has 43 characters.
const KID_CHARACTERS_MAX: usize = 128;
/// Bytes of a signature: r and s, 66 bytes each.
const SIGNATURE_BYTES: usize = 132;
/// Members of a header that change what a signature means or bring a key along. We know none of them.
const FORBIDDEN_HEADERS: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];
/// Different lists of scopes that are kept once for all tokens that name them. A client names one or two.
const SCOPE_LISTS_MAX: usize = 1_024;

/// What a verified token says. The permissions are those of the token alone; those of its key's roles limit them.
#[derive(Debug)]
pub(crate) struct VerifiedToken {
    /// The key pair that signed it.
    pub(crate) key_pair_id: ApiKeyPairId,
    /// Its scope strings.
    pub(crate) scopes: Arc<PermissionSet>,
    /// The checkout session that it is tied to.
    pub(crate) checkout_session_id: Option<Uuid>,
    /// What it pins.
    pub(crate) embed: Option<Box<Embed>>,
    expires: i64,
}

#[cfg(test)]
impl VerifiedToken {
    pub(crate) fn of(key_pair_id: ApiKeyPairId, scopes: PermissionSet, embed: Option<Embed>) -> Self {
        Self { key_pair_id, scopes: Arc::new(scopes), checkout_session_id: None, embed: embed.map(Box::new), expires: i64::MAX }
    }
}

/// Why a token is not accepted. Logged, never answered: a caller learns only that it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("the token is not three base64url parts of at most {TOKEN_BYTES_MAX} bytes")]
    Malformed,
    #[error("the header is not a JSON object without repeated members")]
    MalformedHeader,
    #[error("the algorithm is not ES512")]
    Algorithm,
    #[error("the header has a member that is refused: {0}")]
    ForbiddenHeader(&'static str),
    #[error("the kid is not 1 to {KID_CHARACTERS_MAX} characters of base64url")]
    KidForm,
    #[error("no key pair has this kid")]
    UnknownKey,
    #[error("the key pair is not active")]
    InactiveKey,
    #[error("the signature is not {SIGNATURE_BYTES} bytes")]
    SignatureForm,
    #[error("the claims are not a JSON object without repeated members")]
    MalformedClaims,
    #[error("a claim is missing or has the wrong type: {0}")]
    Claim(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token lives longer than the configuration allows")]
    LivesTooLong,
    #[error("the signature is not that of the key")]
    Signature,
    #[error("the address has sent too many signatures that were not of this key for another one to be checked")]
    Unexamined(Limited),
}

// === impl Rejection ===

impl Rejection {
    /// One word for records, the same for all tokens that are refused alike.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MalformedHeader => "malformed_header",
            Self::Algorithm => "algorithm",
            Self::ForbiddenHeader(_) => "forbidden_header",
            Self::KidForm => "kid_form",
            Self::UnknownKey => "unknown_key",
            Self::InactiveKey => "inactive_key",
            Self::SignatureForm => "signature_form",
            Self::MalformedClaims => "malformed_claims",
            Self::Claim(_) => "claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::LivesTooLong => "lives_too_long",
            Self::Signature => "signature",
            Self::Unexamined(_) => "unexamined",
        }
    }
}

/// Verifies tokens and remembers those that were good.
pub(crate) struct Verifier {
    cache: Cache<VerifiedToken>,
    scope_lists: Mutex<HashMap<String, Arc<PermissionSet>>>,
    lifetime_max_seconds: Option<i64>,
}

// === impl Verifier ===

impl Verifier {
    /// `lifetime_max_seconds` caps what a signer may ask for; `None` sets no limit.
    pub(crate) fn new(lifetime_max_seconds: Option<i64>) -> Self {
        Self { cache: Cache::new(), scope_lists: Mutex::default(), lifetime_max_seconds }
    }

    /// The token and the key pair behind it. The key pair is looked up for every request, remembered token or not, so that a revocation holds at once. The source has a say before a signature is checked, and is told of one that is wrong.
    pub(crate) fn verify(
        &self,
        token: &str,
        snapshot: &Snapshot,
        now: Timestamp,
        source: &Source<'_>,
    ) -> Result<(Arc<VerifiedToken>, Arc<KeyPair>), Rejection> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::Malformed);
        }
        let key = fingerprint(token);
        if let Some(verified) = self.cache.get(&key) {
            // The key of a pair that is gone may have been registered again, as another pair.
            match snapshot.key_pair(verified.key_pair_id) {
                Some(key_pair) => return self.check_again(&key, verified, key_pair, now),
                None => self.cache.remove(&key),
            }
        }
        let (verified, key_pair) = self.verify_anew(token, snapshot, now, source)?;
        let verified = Arc::new(verified);
        self.cache.insert(key, Arc::clone(&verified));
        Ok((verified, key_pair))
    }

    fn check_again(
        &self,
        key: &Fingerprint,
        verified: Arc<VerifiedToken>,
        key_pair: &Arc<KeyPair>,
        now: Timestamp,
    ) -> Result<(Arc<VerifiedToken>, Arc<KeyPair>), Rejection> {
        if verified.expires < now.seconds().saturating_sub(EXPIRED_SECONDS) {
            self.cache.remove(key);
            return Err(Rejection::Expired);
        }
        active(key_pair).map(|key_pair| (verified, key_pair))
    }

    fn verify_anew(
        &self,
        token: &str,
        snapshot: &Snapshot,
        now: Timestamp,
        source: &Source<'_>,
    ) -> Result<(VerifiedToken, Arc<KeyPair>), Rejection> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        let kid = kid(&decode(header)?)?;
        let key_pair = snapshot.key_pair_of_kid(&kid).ok_or(Rejection::UnknownKey)?;
        let key_pair = active(key_pair)?;
        let signature = decode(signature).map_err(|_| Rejection::SignatureForm)?;
        if signature.len() != SIGNATURE_BYTES {
            return Err(Rejection::SignatureForm);
        }
        let claims = Claims::parse(&decode(claims)?)?;
        claims.check_time(now, self.lifetime_max_seconds)?;
        source.may_claim(key_pair.pair.id).map_err(Rejection::Unexamined)?;
        let genuine = key_pair.public_key.verifies(signed.as_bytes(), &signature);
        metrics::counter!("tollhouse_jwt_verify_total", "result" => if genuine { "good" } else { "bad" }).increment(1);
        if !genuine {
            source.forged(key_pair.pair.id);
            return Err(Rejection::Signature);
        }
        let verified = VerifiedToken {
            key_pair_id: key_pair.pair.id,
            scopes: self.permissions(claims.scopes),
            checkout_session_id: claims.checkout_session_id,
            embed: claims.embed.map(Box::new),
            expires: claims.expires,
        };
        Ok((verified, key_pair))
    }

    /// One set for all tokens with the same list: they differ in time and id only, and many are remembered.
    fn permissions(&self, scopes: Vec<String>) -> Arc<PermissionSet> {
        let name: String = scopes.iter().map(|scope| format!("{}:{scope}", scope.len())).collect();
        let mut lists = self.scope_lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= SCOPE_LISTS_MAX {
            lists.clear();
        }
        Arc::clone(lists.entry(name).or_insert_with(|| Arc::new(scopes.into_iter().collect())))
    }
}

/// The `kid` of a token that was refused, if its header is one that could be read. For records: nothing is proven.
pub(crate) fn kid_of(token: &str) -> Option<String> {
    let (header, _) = token.get(..token.len().min(TOKEN_BYTES_MAX))?.split_once('.')?;
    kid(&decode(header).ok()?).ok()
}

fn active(key_pair: &Arc<KeyPair>) -> Result<Arc<KeyPair>, Rejection> {
    if key_pair.pair.active { Ok(Arc::clone(key_pair)) } else { Err(Rejection::InactiveKey) }
}

/// Whether everything of a token that is read before its signature is checked would do, for the fuzzer: no key is looked up and nothing is verified.
#[doc(hidden)]
pub fn is_readable(token: &str, now: Timestamp) -> bool {
    let read = || {
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        kid(&decode(header)?)?;
        decode(signature)?;
        Claims::parse(&decode(claims)?)?.check_time(now, None)
    };
    token.len() <= TOKEN_BYTES_MAX && read().is_ok()
}

/// Unpadded base64url whose unused bits are zero, so that a token has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed)
}

/// Everything a header must be, and the `kid` in it.
fn kid(header: &[u8]) -> Result<String, Rejection> {
    let mut header = parse_object(header).ok_or(Rejection::MalformedHeader)?;
    if let Some(name) = FORBIDDEN_HEADERS.into_iter().find(|name| header.contains_key(*name)) {
        return Err(Rejection::ForbiddenHeader(name));
    }
    if header.get("alg") != Some(&Node::Text("ES512".to_owned())) {
        return Err(Rejection::Algorithm);
    }
    // What `typ` says does not matter, since we read one kind of token only.
    if !matches!(header.get("typ"), None | Some(Node::Text(_))) {
        return Err(Rejection::MalformedHeader);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match header.remove("kid") {
        Some(Node::Text(kid)) if (1..=KID_CHARACTERS_MAX).contains(&kid.len()) && kid.bytes().all(allowed) => Ok(kid),
        Some(_) | None => Err(Rejection::KidForm),
    }
}
