//! Whole files made of whole commands.

use super::*;

#[track_caller]
fn made(command: &str, answer: Option<&str>) -> Made {
    let made = make(command, answer, None, "2026-11").unwrap_or_else(|mistake| panic!("{mistake:?}"));
    let faults = faults(&made, "made.toml");
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}\n{}", told.join("\n"), made.text);
    made
}

const FORM: &str = r#"
curl https://api.stripe.com/v1/payment_intents \
  -u "sk_test_4eC39HqLyjWDarjtT1zdp7dc:" \
  -H "Idempotency-Key: KG5LxwFBepaKHyUD" \
  -H "Stripe-Version: 2026-10-28.endive" \
  -d amount=2000 \
  -d currency=usd \
  -d "payment_method_types[]"=card \
  -d "metadata[order_id]"=6735
"#;
const FORM_ANSWER: &str = r#"{
  "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
  "object": "payment_intent",
  "amount": 2000,
  "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
  "currency": "usd",
  "livemode": false,
  "payment_method_types": ["card"],
  "status": "requires_payment_method"
}"#;

const KEY: &str = r#"curl https://checkout-test.adyen.com/v71/sessions \
-H 'x-api-key: AQEyhmfxK4LKaRRPHdy3tHQ9d0YEXAMPLE' \
-H 'content-type: application/json' \
-X POST \
-d '{
  "merchantAccount": "YOUR_MERCHANT_ACCOUNT",
  "amount": { "value": 1000, "currency": "EUR" },
  "returnUrl": "https://your-company.example/checkout?shopperOrder=12xy..",
  "reference": "YOUR_PAYMENT_REFERENCE",
  "countryCode": "NL"
}'"#;
const KEY_ANSWER: &str = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTraceparent: 00-1\r\nX-Request-Id: 9\r\n\r\n{
  \"id\": \"CSD9CAC3F70D9D1C4E\",
  \"sessionData\": \"Ab02b4c0!BQABAgBLxvDmVzTNXSzHEwuDAlVOF+/EXAMPLE\",
  \"amount\": {\"currency\": \"EUR\", \"value\": 1000},
  \"countryCode\": \"NL\",
  \"expiresAt\": \"2026-11-22T16:53:05+01:00\",
  \"merchantAccount\": \"YOUR_MERCHANT_ACCOUNT\",
  \"reference\": \"YOUR_PAYMENT_REFERENCE\",
  \"returnUrl\": \"https://your-company.example/checkout?shopperOrder=12xy..\"
}";

const BEARER: &str = r#"$ curl -v -k -X POST https://api-m.sandbox.paypal.com/v2/checkout/orders \
 -H 'Content-Type: application/json' \
 -H 'PayPal-Request-Id: 7b92603e-77ed-4896-8e78-5dea2050476a' \
 -H 'Authorization: Bearer 6V7rbVwmlM1gFZKW_8QtzWXqpcwQ6T5vhEGYNJDAAdn3paCgRpdeMdVYmWzgbKSsECednupJ3Zx5Xd-g' \
 -d '{"intent":"CAPTURE","purchase_units":[{"reference_id":"d9f80740-38f0-11e8-b467-0ed5f89f718b","amount":{"currency_code":"USD","value":"100.00"}}]}' | jq ."#;
const BEARER_ANSWER: &str = r#"HTTP/2 201

{"id":"5O190127TN364715T","status":"PAYER_ACTION_REQUIRED","links":[
 {"href":"https://api-m.paypal.com/v2/checkout/orders/5O190127TN364715T","rel":"self","method":"GET"}]}"#;

#[test]
fn a_form_with_brackets_and_a_key_as_user() {
    let made = made(FORM, Some(FORM_ANSWER));
    assert_eq!(made.id, "stripe");
    assert!(!made.text.contains("4eC39HqLyjWDarjtT1zdp7dc"), "{}", made.text);
    insta::assert_snapshot!(made.text);
}

#[test]
fn json_with_a_key_in_a_header_and_an_answer_with_its_head() {
    let made = made(KEY, Some(KEY_ANSWER));
    assert_eq!(made.id, "adyen");
    assert!(!made.text.contains("AQEyhmfxK4LKaRRPHdy3tHQ9d0YEXAMPLE"), "{}", made.text);
    insta::assert_snapshot!(made.text);
}

#[test]
fn json_with_a_bearer_token_and_an_amount_with_decimals() {
    let made = made(BEARER, Some(BEARER_ANSWER));
    assert_eq!(made.id, "paypal");
    assert!(!made.text.contains("6V7rbVwmlM1gFZKW"), "{}", made.text);
    assert_eq!(made.notes.len(), 2, "the pipe and -k: {:?}", made.notes);
    insta::assert_snapshot!(made.text);
}

#[test]
fn every_command_makes_a_sound_file() {
    for command in [
        "curl -X POST https://api.acme.example/sessions",
        "curl https://api.acme.example -u shop:hunter22 --json '{}'",
        "curl https://api.acme.example/v1/shops/$SHOP/sessions -d amount=1 -d note='it'\\''s {{ here }}'",
        "curl https://api.acme.example/x -H 'Authorization: Basic <credentials>' --json '{\"a\":\"\\u0027\\u0027\\u0027\",\"b\":{\"0\":1}}'",
        "curl https://api.acme.example/x -H 'X.Odd!Header: \"quoted\"' --json '{\"Ä\":[{\"amount\":1},{\"amount\":2}],\"a/b~c\":1}'",
        "curl https://api.acme.example/x?expand=all -H 'Authorization: Signature keyId=\"1\",signature=\"2\"' --json '{\"method\":\"ideal\"}'",
        "curl https://api.acme.example/x -H 'X-Request-Id: 1' --json '{\"idempotency_key\":\"k\",\"amount\":1}'",
        "curl https://api.acme.example/x --json '{\"merchant\":{\"id\":\"M1\"},\"apiKey\":\"K-1234567\",\"currency\":\"EUR\",\"amount\":\"10\"}'",
    ] {
        let first = made(command, None);
        assert!(!["hunter22", "K-1234567"].iter().any(|value| first.text.contains(value)), "{}", first.text);
        let answered = made(command, Some(r#"{"data":{"session":"{{ sim.uuid }}","token":"t","at":"'''"}}"#));
        assert!(answered.text.contains(r#"private = ["/data/token"]"#), "{}", answered.text);
    }
}

#[test]
fn a_credential_never_gets_into_the_file() {
    const SECRET: &str = "s3cr3t-0f-the-shop";
    let check = |command: &str, answer: Option<&str>| match make(command, answer, None, "2026-11") {
        Ok(made) => assert!(!made.text.contains(SECRET) && !made.notes.concat().contains(SECRET), "{}", made.text),
        Err(mistake) => assert!(!mistake.message.contains(SECRET) && mistake.message.contains("credential"), "{mistake:?}"),
    };
    let echo = format!("{{\"id\":\"1\",\"key\":\"{SECRET}\",\"note\":\"it is {SECRET}.\",\"{}\":1}}", "x");
    for with in [
        "-u a:S",
        "-u S:",
        "-u :S",
        "-H 'X-Api-Key: S'",
        "-H 'Authorization: Bearer S'",
        "-H 'Authorization: S'",
        "-H 'Authorization: Token S'",
    ] {
        let with = with.replace('S', SECRET);
        for rest in [
            "--json '{\"a\":1}'",
            "--json '{\"a\":\"S\"}'",
            "--json '{\"S\":1}'",
            "--json '{}' -H 'Other: S'",
            "--json '{\"apiKey\":\"S\"}'",
        ] {
            let command = format!("curl https://api.acme.example/x {with} {}", rest.replace('S', SECRET));
            check(&command, None);
            check(&command, Some(&echo));
            check(&command, Some(&format!("{{\"{SECRET}\":1}}")));
        }
        check(&format!("curl https://api.acme.example/{SECRET} {with} --json '{{}}'"), None);
        check(&format!("curl https://api.acme.example/x?a={SECRET} {with} --json '{{}}'"), None);
    }
}

#[test]
fn card_data_is_refused() {
    let command = "curl https://api.acme.example/x \\\n --json '{\"card\":{\"number\":\"4111 1111 1111 1111\"}}'";
    let mistake = make(command, None, None, "2026-11").unwrap_err();
    assert_eq!(mistake.at, Place { line: 2, column: 9 });
    assert!(mistake.message.contains("`/card/number`") && !mistake.message.contains("4111"), "{mistake:?}");
}
