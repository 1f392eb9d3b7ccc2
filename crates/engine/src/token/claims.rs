//! The claims of a token, and the moments at which they hold.

use std::collections::BTreeMap;

use domain::{MerchantAccountId, Timestamp};
use uuid::Uuid;

use super::Rejection;
use super::strict::{Node, parse_object};

/// How far ahead of us a signer's clock may be: `nbf` and `iat` may lie this much in the future.
pub const AHEAD_SECONDS: i64 = 60;
/// How far behind us a signer's clock may be, and how long a request may be under way: `exp` may lie this much in the past.
pub const EXPIRED_SECONDS: i64 = 30;

/// What is kept of a token's claims.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) scopes: Vec<String>,
    pub(super) not_before: i64,
    pub(super) expires: i64,
    pub(super) issued_at: Option<i64>,
    pub(super) checkout_session_id: Option<Uuid>,
    pub(super) embed: Option<Embed>,
}

/// What an embed token pins: a request that leaves a member out gets it from here, and one that says otherwise is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embed {
    /// The account that the token acts in.
    pub merchant_account_id: Option<MerchantAccountId>,
    /// Minor units.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The buyer, by our id.
    pub buyer_id: Option<Uuid>,
    /// The buyer, by the merchant's.
    pub buyer_external_identifier: Option<String>,
}

impl Claims {
    /// Reads the claims; whatever has the wrong type is refused, whatever is not known is ignored.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let claims = parse_object(bytes).ok_or(Rejection::MalformedClaims)?;
        let moment = |name: &'static str| match present(&claims, name) {
            Some(Node::Integer(seconds)) if *seconds >= 0 => Ok(Some(*seconds)),
            Some(_) => Err(Rejection::Claim(name)),
            None => Ok(None),
        };
        let required = |name: &'static str| moment(name)?.ok_or(Rejection::Claim(name));
        for name in ["iss", "jti"] {
            text(&claims, name)?.ok_or(Rejection::Claim(name))?;
        }
        Ok(Self {
            scopes: scopes(&claims)?,
            not_before: required("nbf")?,
            expires: required("exp")?,
            issued_at: moment("iat")?,
            checkout_session_id: uuid(&claims, "checkout_session_id")?,
            embed: embed(&claims)?,
        })
    }

    /// Whether the token holds now. Seconds are whole, as in the claims.
    pub(super) fn check_time(&self, now: Timestamp, lifetime_max_seconds: Option<i64>) -> Result<(), Rejection> {
        let now = now.seconds();
        if self.expires < now.saturating_sub(EXPIRED_SECONDS) {
            return Err(Rejection::Expired);
        }
        if self.not_before > now.saturating_add(AHEAD_SECONDS) || self.issued_at.is_some_and(|at| at > now.saturating_add(AHEAD_SECONDS)) {
            return Err(Rejection::NotYetValid);
        }
        let lifetime = self.expires.saturating_sub(self.issued_at.unwrap_or(self.not_before));
        if lifetime_max_seconds.is_some_and(|max| lifetime > max) {
            return Err(Rejection::LivesTooLong);
        }
        Ok(())
    }
}

/// The value of a member; null counts as absent, which only a member that may be absent profits from.
fn present<'a>(members: &'a BTreeMap<String, Node>, name: &str) -> Option<&'a Node> {
    members.get(name).filter(|node| **node != Node::Null)
}

fn text<'a>(members: &'a BTreeMap<String, Node>, name: &'static str) -> Result<Option<&'a str>, Rejection> {
    match present(members, name) {
        Some(Node::Text(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Rejection::Claim(name)),
        None => Ok(None),
    }
}

fn uuid(members: &BTreeMap<String, Node>, name: &'static str) -> Result<Option<Uuid>, Rejection> {
    let parse = |text: &str| Uuid::try_parse(text).map_err(|_| Rejection::Claim(name));
    text(members, name)?.map(parse).transpose()
}

fn scopes(claims: &BTreeMap<String, Node>) -> Result<Vec<String>, Rejection> {
    let Some(Node::List(scopes)) = claims.get("scopes") else {
        return Err(Rejection::Claim("scopes"));
    };
    let scope = |node: &Node| match node {
        Node::Text(scope) => Ok(scope.clone()),
        Node::Null | Node::Boolean | Node::Integer(_) | Node::OtherNumber | Node::List(_) | Node::Object(_) => {
            Err(Rejection::Claim("scopes"))
        }
    };
    scopes.iter().map(scope).collect()
}

fn embed(claims: &BTreeMap<String, Node>) -> Result<Option<Embed>, Rejection> {
    let members = match present(claims, "embed") {
        None => return Ok(None),
        Some(Node::Object(members)) => members,
        Some(_) => return Err(Rejection::Claim("embed")),
    };
    let amount = match present(members, "amount") {
        None => None,
        Some(Node::Integer(amount)) if *amount >= 0 => Some(*amount),
        // The documentation of 2021 shows text.
        Some(Node::Text(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| Rejection::Claim("embed.amount"))?)
        }
        Some(_) => return Err(Rejection::Claim("embed.amount")),
    };
    let account = text(members, "merchant_account_id")?;
    let account = account.map(|id| MerchantAccountId::parse(id).ok_or(Rejection::Claim("merchant_account_id"))).transpose()?;
    Ok(Some(Embed {
        merchant_account_id: account,
        amount,
        currency: text(members, "currency")?.map(str::to_owned),
        buyer_id: uuid(members, "buyer_id")?,
        buyer_external_identifier: text(members, "buyer_external_identifier")?.map(str::to_owned),
    }))
}
