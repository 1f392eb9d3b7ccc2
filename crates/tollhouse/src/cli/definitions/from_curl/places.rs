//! Where amount, currency, country, reference and id stand, guessed by their names.

use domain::json::Pointer;
use domain::{CountryCode, CurrencyCode};
use http::HeaderName;

use super::names::{is_private, plain};
use super::tree::Tree;

/// The guessed places of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) amount: Option<Pointer>,
    /// Whether the amount is written with decimals.
    pub(super) major: bool,
    pub(super) currency: Option<Pointer>,
    pub(super) country: Option<Pointer>,
    pub(super) reference: Option<Pointer>,
}

/// Amounts, best name first. A name of two parts is that of the parent and its member.
const AMOUNTS: [&str; 20] = [
    "amount.value",
    "amount",
    "amount.total",
    "amount.amount",
    "orderamount",
    "totalamount",
    "paymentamount",
    "transactionamount",
    "orderamount.value",
    "totalamount.value",
    "totalamount.amount",
    "amountinminorunits",
    "amountincents",
    "amountcents",
    "purchaseamount",
    "total",
    "totalprice",
    "grandtotal",
    "price.value",
    "price",
];
const CURRENCIES: [&str; 4] = ["currency", "currencycode", "purchasecurrency", "currencyiso"];
const COUNTRIES: [&str; 4] = ["country", "countrycode", "purchasecountry", "shoppercountry"];
const REFERENCES: [&str; 22] = [
    "merchantreference",
    "reference",
    "referenceid",
    "merchantorderid",
    "merchantorderreference",
    "orderid",
    "orderreference",
    "ordernumber",
    "externalid",
    "externalreference",
    "clientreferenceid",
    "clientreference",
    "merchanttransactionid",
    "merchantpaymentid",
    "paymentreference",
    "merchantreference1",
    "invoiceid",
    "invoicenumber",
    "customid",
    "cartid",
    "trackingid",
    "description",
];
const IDS: [&str; 12] = [
    "id",
    "sessionid",
    "checkoutid",
    "checkoutsessionid",
    "paymentid",
    "paymentsessionid",
    "orderid",
    "transactionid",
    "pspreference",
    "uuid",
    "requestid",
    "reference",
];

/// Guesses the places of a request.
pub(super) fn of_request(body: &Tree) -> Places {
    let amount = best(body, &AMOUNTS, None, |text| text.parse::<f64>().is_ok());
    let major = amount.as_ref().and_then(|pointer| body.at(pointer)).and_then(Tree::text).is_some_and(|text| text.contains('.'));
    let currency = best(body, &CURRENCIES, amount.as_ref(), |text| CurrencyCode::parse(&text.to_ascii_uppercase()).is_some());
    let country = best(body, &COUNTRIES, None, |text| CountryCode::parse(&text.to_ascii_uppercase()).is_some());
    let reference = best(body, &REFERENCES, None, |text| !text.is_empty());
    Places { amount, major, currency, country, reference }
}

/// Guesses where an answer names what was created.
pub(super) fn id_of_answer(body: &Tree) -> Option<Pointer> {
    best(body, &IDS, None, |text| !text.is_empty())
}

/// The header that the service's support asks for.
pub(super) fn support_header(headers: &[HeaderName]) -> Option<&HeaderName> {
    let parts = ["requestid", "debugid", "correlationid", "traceid"];
    headers.iter().find(|name| parts.iter().any(|part| plain(name.as_str()).ends_with(part)))
}

/// The scalar with the best name: its rank counts first, then whether it stands beside another, then how deep it stands.
fn best(body: &Tree, ranked: &[&str], beside: Option<&Pointer>, fits: impl Fn(&str) -> bool) -> Option<Pointer> {
    let parent = |pointer: &Pointer| pointer.tokens().split_last().map(|(_, parent)| parent.to_vec());
    let mut found: Vec<_> = body
        .scalars()
        .into_iter()
        .filter(|(_, value)| value.text().is_some_and(|text| fits(&text)))
        .filter(|(pointer, _)| is_first_of_lists(pointer) && !pointer.tokens().iter().any(|token| is_private(token)))
        .filter_map(|(pointer, _)| {
            let rank = ranked.iter().position(|name| is_called(&pointer, name))?;
            let apart = beside.is_some_and(|beside| parent(beside) != parent(&pointer));
            Some(((rank, apart, pointer.tokens().len()), pointer))
        })
        .collect();
    // Stable: of equals the first one stays first.
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().next().map(|(_, pointer)| pointer)
}

fn is_called(pointer: &Pointer, name: &str) -> bool {
    let mut tokens = pointer.tokens().iter().rev().map(|token| plain(token));
    name.rsplit('.').all(|part| tokens.next().is_some_and(|token| token == part))
}

/// A place in a list is one of several unless it is the first.
fn is_first_of_lists(pointer: &Pointer) -> bool {
    pointer.tokens().iter().all(|token| token == "0" || !token.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_guessed_by_name() {
        let check = |body: &str, expected: [&str; 4], major: bool| {
            let places = of_request(&Tree::object(body).unwrap());
            let found = [places.amount, places.currency, places.country, places.reference];
            let found = found.map(|pointer| pointer.map(|pointer| pointer.to_string()).unwrap_or_default());
            assert_eq!(found, expected, "{body}");
            assert_eq!(places.major, major, "{body}");
        };
        check("{}", ["", "", "", ""], false);
        check(r#"{"amount":1000,"currency":"eur","order_id":"o-1"}"#, ["/amount", "/currency", "", "/order_id"], false);
        check(
            r#"{"amount":{"value":"10.00","currency":"EUR"},"countryCode":"NL","merchant_reference":"r"}"#,
            ["/amount/value", "/amount/currency", "/countryCode", "/merchant_reference"],
            true,
        );
        check(
            r#"{"purchase_units":[{"reference_id":"r","amount":{"currency_code":"EUR","value":"10.00"}},{"amount":{"value":"1.00"}}]}"#,
            ["/purchase_units/0/amount/value", "/purchase_units/0/amount/currency_code", "", "/purchase_units/0/reference_id"],
            true,
        );
        check(
            r#"{"purchase_country":"SE","purchase_currency":"SEK","order_amount":1000,"lines":[{"total_amount":500}]}"#,
            ["/order_amount", "/purchase_currency", "/purchase_country", ""],
            false,
        );
        check(r#"{"amount":"ten","currency":"EURO","country":"NLD"}"#, ["", "", "", ""], false);
    }

    #[test]
    fn the_id_of_an_answer_is_public() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(id_of_answer(&Tree::object(body).unwrap()).map(|pointer| pointer.to_string()).as_deref(), expected, "{body}");
        };
        check(r#"{"status":"ok","id":"1"}"#, Some("/id"));
        check(r#"{"data":{"id":"1"},"session_id":"2"}"#, Some("/data/id"));
        check(r#"{"token":{"id":"1"},"session_id":"2"}"#, Some("/session_id"));
        check(r#"{"links":[{"rel":"self"}]}"#, None);
        let headers = ["content-type", "acme-debug-id"].map(|name| HeaderName::from_bytes(name.as_bytes()).unwrap());
        assert_eq!(support_header(&headers), Some(&headers[1]));
    }
}
