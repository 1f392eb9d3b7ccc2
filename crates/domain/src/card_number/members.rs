//! Card numbers in a body, by what their members are called.
//!
//! Digits alone prove little: of ten order numbers of the right length one passes the Luhn check. So the name must speak of a card too, and a number is called one only where both agree.

use std::ops::Range;

use super::contains_card_number;
use crate::JsonObject;
use crate::json::{Pointer, decode_string, members, skip_space, string_end};

/// Fewest digits of a card number.
const DIGITS_MIN: usize = 13;

/// Names that end so mean the number of a card, in whatever it stands: `card_number`, `paymentCard.number`, `applicationPrimaryAccountNumber`.
const NUMBER_ENDS: &[&str] =
    &["cardnumber", "cardnum", "cardno", "cardpan", "creditcard", "debitcard", "paymentcard", "primaryaccountnumber", "trackdata"];

/// Names that mean it as a whole. The stripe of a card holds its number among other things.
const NUMBER_NAMES: &[&str] =
    &["card", "cards", "cc", "ccnumber", "ccnum", "ccno", "pan", "fpan", "dpan", "track1", "track2", "track1data", "track2data"];

/// Names that mean it only in or beside what speaks of a card. Not `token`: tokens of cards are made to look like their numbers.
const NUMBER_INSIDE: &[&str] = &["number", "num", "no", "account", "accountnumber", "accountno", "value"];

/// What only a card has beside its number, at the end of a name. Not a whole date of expiry, which orders and invoices have too.
const BESIDE: &[&str] = &[
    "cvc",
    "cvc2",
    "cvv",
    "cvv2",
    "cvn",
    "securitycode",
    "verificationvalue",
    "expirymonth",
    "expiryyear",
    "expmonth",
    "expyear",
    "expirationmonth",
    "expirationyear",
    "cardholder",
    "cardholdername",
];

/// Cards that nobody pays with by their number. It passes the Luhn check too.
const OTHER_CARDS: &[&str] = &[
    "gift",
    "loyalty",
    "reward",
    "rewards",
    "bonus",
    "points",
    "discount",
    "voucher",
    "member",
    "membership",
    "club",
    "library",
    "student",
    "id",
    "identity",
    "citizen",
    "national",
    "residence",
    "health",
    "medicare",
    "insurance",
    "sim",
    "transit",
    "travel",
    "parking",
    "phone",
    "calling",
];

/// The members of a body that hold a card number of 13 to 19 digits under a name that means one, in document order; at most `limit`.
///
/// Looks at nothing but digits first: nearly every body has no row of 13, and is done with.
pub fn card_number_members(body: &JsonObject, limit: usize) -> Vec<Pointer> {
    let bytes = body.bytes();
    if !may_hold_card_number(bytes) {
        return Vec::new();
    }
    let mut walk = Walk { bytes, levels: Vec::new(), found: Vec::new(), limit };
    walk.run();
    walk.found
}

/// Whether there are 13 digits with at most spaces and dashes between them, or digits, spaces or dashes that are escaped.
fn may_hold_card_number(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b' ' | b'-' => {}
            b'\\' if bytes.get(at + 1..at + 4) == Some(b"u00") => return true,
            _ => digits = 0,
        }
        if digits >= DIGITS_MIN {
            return true;
        }
    }
    false
}

/// One pass over the bytes; no level is read twice but for its names, and those only once.
struct Walk<'a> {
    bytes: &'a [u8],
    levels: Vec<Level>,
    found: Vec<Pointer>,
    limit: usize,
}

/// An object or a list that is open.
struct Level {
    start: usize,
    /// Where the name of the member that is read stands; `None` in a list.
    name: Option<Range<usize>>,
    /// The element that is read, in a list.
    index: usize,
    /// Whether something stands here that only a card has; `None`: nobody has asked.
    is_of_card: Option<bool>,
}

// === impl Walk ===

impl Walk<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while self.found.len() < self.limit
            && let Some(byte) = self.bytes.get(at)
        {
            match byte {
                b'{' | b'[' => self.levels.push(Level { start: at, name: None, index: 0, is_of_card: None }),
                b'}' | b']' => drop(self.levels.pop()),
                b',' => self.levels.iter_mut().last().into_iter().for_each(|level| level.index += 1),
                b'"' => {
                    let Some(end) = string_end(self.bytes, at) else { return };
                    let is_name = self.bytes.get(skip_space(self.bytes, end)) == Some(&b':');
                    match self.levels.last_mut() {
                        Some(level) if is_name => level.name = Some(at..end),
                        Some(_) | None => self.scalar(at..end),
                    }
                    at = end;
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    let rest = self.bytes.get(at..).unwrap_or_default();
                    let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
                    self.scalar(at..at + length);
                    at += length;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn scalar(&mut self, range: Range<usize>) {
        if range.len() < DIGITS_MIN {
            return;
        }
        let Some(written) = self.bytes.get(range) else { return };
        let text = if written.first() == Some(&b'"') { decode_string(written) } else { std::str::from_utf8(written).ok().map(Into::into) };
        if text.is_some_and(|text| contains_card_number(&text)) && self.is_named_so() {
            self.found.push(self.pointer());
        }
    }

    /// Whether the member that is read is called like a card number. The elements of a list are called like the list.
    fn is_named_so(&mut self) -> bool {
        let named = self.levels.iter().rposition(|level| level.name.is_some());
        let Some(named) = named else { return false };
        let name = self.name_of(named);
        if is_other_card(&name) {
            return false;
        }
        if NUMBER_NAMES.contains(&name.as_str()) || NUMBER_ENDS.iter().any(|end| name.ends_with(end)) {
            return true;
        }
        let around = self.levels.get(..named).and_then(|outer| outer.iter().rposition(|level| level.name.is_some()));
        let around = around.map(|around| self.name_of(around)).unwrap_or_default();
        let is_in_card = around.contains("card") || around == "cc";
        NUMBER_INSIDE.contains(&name.as_str()) && !is_other_card(&around) && (is_in_card || self.is_beside_card(named))
    }

    /// Whether something stands beside it that only a card has.
    fn is_beside_card(&mut self, index: usize) -> bool {
        let bytes = self.bytes;
        let Some(level) = self.levels.get_mut(index) else { return false };
        let look = || {
            let names = members(bytes, level.start).unwrap_or_default();
            names.iter().any(|member| {
                let name = plain(&member.name);
                BESIDE.iter().any(|end| name.ends_with(end))
            })
        };
        *level.is_of_card.get_or_insert_with(look)
    }

    fn name_of(&self, level: usize) -> String {
        let written = self.levels.get(level).and_then(|level| self.bytes.get(level.name.clone()?)).unwrap_or_default();
        // What can not be decoded can still be read.
        plain(&decode_string(written).unwrap_or_else(|| String::from_utf8_lossy(written)))
    }

    fn pointer(&self) -> Pointer {
        let root = Pointer::parse("").unwrap_or_else(|| unreachable!("the empty text is a pointer"));
        self.levels.iter().fold(root, |pointer, level| match &level.name {
            Some(range) => {
                let written = self.bytes.get(range.clone()).unwrap_or_default();
                pointer.child(&decode_string(written).unwrap_or_else(|| String::from_utf8_lossy(written)))
            }
            None => pointer.child(&level.index.to_string()),
        })
    }
}

/// A name without case, separators and brackets: forms of one word.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_other_card(name: &str) -> bool {
    name.rfind("card").and_then(|at| name.get(..at)).is_some_and(|before| OTHER_CARDS.iter().any(|word| before.ends_with(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CARD: &str = "4111111111111111";

    fn found(body: &str) -> Vec<String> {
        let body = JsonObject::parse(body.to_owned()).unwrap();
        card_number_members(&body, 100).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn card_numbers_under_the_names_of_cards_are_found() {
        let check = |body: &str, at: &str| assert_eq!(found(&body.replace('#', CARD)), [at], "{body}");
        for name in [
            "card_number",
            "cardNumber",
            "CARD-NUMBER",
            "card number",
            "CardNo",
            "cc_number",
            "ccnum",
            "creditCardNumber",
            "credit_card",
            "customer_card_number",
            "PAN",
            "fpan",
            "card",
            "primaryAccountNumber",
            "applicationPrimaryAccountNumber",
            "track2",
            "payment_method_data[card][number]",
            "card.number",
            "c\\u0061rd_number",
        ] {
            let body = format!("{{\"{name}\":\"#\"}}");
            assert_eq!(found(&body.replace('#', CARD)).len(), 1, "{name}");
        }
        check(r##"{"payment_source":{"card":{"number":"#"}}}"##, "/payment_source/card/number");
        check(r##"{"card":{"account_number":"#"}}"##, "/card/account_number");
        check(r##"{"tokenizedCard":{"number":#}}"##, "/tokenizedCard/number");
        check(r##"{"cards":[{"number":"1"},{"number":"#"}]}"##, "/cards/1/number");
        check(r##"{"a":1,"cards":["x",[],"#"]}"##, "/cards/2");
        check(r##"{"paymentMethod":{"type":"scheme","number":"#","expiryMonth":"03"}}"##, "/paymentMethod/number");
        check(r##"{"source":{"cvv":"1","number":"#"}}"##, "/source/number");
        check(r##"{"a/b":{"card~":{"number":"#"}}}"##, "/a~1b/card~0/number");
        check(r#"{"card_number":"4111 1111 1111 1111"}"#, "/card_number");
        check(r#"{"card_number":"4111-1111-1111-1111"}"#, "/card_number");
        check(r#"{"card_number":4222222222222}"#, "/card_number");
        check(r#"{"card_number":"6304000000000000000"}"#, "/card_number");
        check(
            r#"{"card_number":"\u0034\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031"}"#,
            "/card_number",
        );
        check(r#"{"card_number":"4111\u00201111\u00201111\u00201111"}"#, "/card_number");
        check(r#"{"track2":";4111111111111111=25121010000000000000?"}"#, "/track2");
    }

    #[test]
    fn other_numbers_and_other_names_are_left_alone() {
        let check = |body: &str| assert_eq!(found(&body.replace('#', CARD)), Vec::<String>::new(), "{body}");
        for name in [
            "reference",
            "order_number",
            "orderNumber",
            "order_id",
            "number",
            "invoice_no",
            "iban",
            "account_number",
            "accountNumber",
            "phone",
            "id",
            "amount",
            "gift_card_number",
            "loyaltyCardNumber",
            "membership_card_no",
            "id_card_number",
            "discard",
            "postcard_id",
            "company",
            "span",
            "value",
            "token",
            "tracking_number",
            "acc_number",
            "accNum",
        ] {
            check(&format!("{{\"{name}\":\"#\"}}"));
        }
        check(r##"{"order":{"number":"#"}}"##);
        check(r##"{"bank":{"account_number":"#","routing_number":"1"}}"##);
        check(r##"{"card":{"order_number":"#","id":"#"}}"##);
        check(r##"{"gift_card":{"number":"#","cvv":"123"}}"##);
        check(r##"{"card":{"token":"#"}}"##);
        check(r##"{"invoice":{"number":"#","expiry_date":"2026-12-01","public_id":"1"}}"##);
        check(r##"{"card":{"owner":{"number":"#"}}}"##);
        check(r#"{"card_number":"4111111111111112"}"#);
        check(r#"{"card_number":"411111111111"}"#);
        check(r#"{"card_number":"41111111111111111111"}"#);
        check(r#"{"card_number":"4111 11** **** 1111"}"#);
        check(r#"{"card_number":"adyenjs_0_1_25$4111"}"#);
        check(r#"{"card":{"brand":"visa","last4":"1111"},"time":1795687200000000}"#);
        check(r#"{"iban":"DE89370400440532013000","card":"NL91ABNA0417164300"}"#);
        check("{}");
    }

    #[test]
    fn as_many_are_named_as_are_asked_for() {
        let body = format!("{{\"cards\":[{}\"{CARD}\"]}}", format!("\"{CARD}\",").repeat(500));
        let body = JsonObject::parse(body).unwrap();
        let found = card_number_members(&body, 100);
        assert_eq!((found.len(), found[99].to_string()), (100, "/cards/99".to_owned()));
    }

    /// To read the names of the object for each of its members would take 900 million steps here: nobody would wait for this test.
    #[test]
    fn the_names_beside_a_number_are_read_once() {
        let body = format!("{{{}\"x\":1}}", format!("\"number\":\"{CARD}\",").repeat(30_000));
        assert_eq!(found(&body), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn a_number_is_found_wherever_it_stands(path in proptest::collection::vec("[a-z/~\"é]{0,4}", 0..5), lists in any::<bool>(), pretty in any::<bool>()) {
            let mut value = serde_json::json!({ "card_number": CARD });
            for name in path.iter().rev() {
                value = serde_json::json!({ "zip": 1_234_567_890_123_u64, name.as_str(): if lists { serde_json::json!([null, value]) } else { value } });
            }
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let all = found(&text);
            prop_assert_eq!(all.len(), 1);
            let at = value.pointer(&all[0]).unwrap();
            prop_assert_eq!(at, CARD);
        }
    }
}
