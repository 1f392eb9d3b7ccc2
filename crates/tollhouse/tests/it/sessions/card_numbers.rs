//! Bodies with card numbers stop here, unless the operator has said otherwise.

use serde_json::json;
use testkit::provider::Reply;

use super::{ADYEN, on_stage, on_stage_with};

const CARD: &str = "4111 1111 1111 1111";

#[tokio::test]
async fn a_card_number_is_refused_on_both_routes_before_anything_is_sent() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let body = json!({
            "reference": "4111111111111111",
            "paymentMethod": { "type": "scheme", "number": CARD, "expiryMonth": "03", "expiryYear": "2030", "cvc": "737" },
            "metadata": { "cards": [{ "number": "1" }, { "number": 5_555_555_555_554_444_u64 }], "bank_account_number": "4111111111111111" },
        });
        for path in [format!("{}/sessions", stage.path), "/payment-service-definitions/adyen-card/sessions".to_owned()] {
            let answer = stage.server.merchant().post_text(&path, &body.to_string()).await;
            let expected = ["/metadata/cards/1/number value_error", "/paymentMethod/number value_error"];
            let mut problems = answer.problems(400, "bad_request");
            problems.sort();
            assert_eq!(problems, expected, "{path}");
            assert!(answer.text.contains("holds a card number") && !answer.text.contains("4111"), "{}", answer.text);
        }
        let many = json!({ "cards": vec!["4111111111111111"; 150] }).to_string();
        assert_eq!(stage.session(&many).await.problems(400, "bad_request").len(), 100);
        // What the definition says and what is in the members is told at once.
        let both = format!(r#"{{"merchantAccount":"a","merchantAccount":"b","card_number":"{CARD}"}}"#);
        assert_eq!(
            stage.session(&both).await.problems(400, "bad_request"),
            ["/merchantAccount value_error", "/card_number value_error"]
        );
        assert!(stage.provider.requests().is_empty(), "nothing is sent");
        let records = stage.server.merchant().get("/payment-service-sessions").await.expect(200);
        assert_eq!(records["items"], json!([]));
        assert!(!stage.server.log().contains("4111"));
    })
    .await;
}

#[tokio::test]
async fn the_operator_can_let_card_numbers_through_and_is_told_what_that_means() {
    on_stage_with(
        |plan| plan.with("TOLLHOUSE_SESSIONS__REFUSE_CARD_NUMBERS", "false"),
        "adyen-card",
        &ADYEN,
        async |stage| {
            stage.provider.answer(|_| Reply::json(201, r#"{"id":"CS1"}"#));
            let body = json!({ "reference": "order-1", "paymentMethod": { "card_number": CARD } }).to_string();
            assert_eq!(stage.session(&body).await.expect(200)["status"], "succeeded");
            assert!(stage.provider.requests()[0].text().contains(CARD));
            assert!(!stage.record().await.to_string().contains("1111"));
            let log = stage.server.log();
            assert!(log.contains("PCI DSS") && !log.contains("1111 1111"), "{log}");
        },
    )
    .await;
}
