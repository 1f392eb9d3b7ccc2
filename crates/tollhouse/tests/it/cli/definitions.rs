//! `tollhouse definitions`: lint, test, new.

use std::path::Path;

use super::Shell;

/// The shipped files.
fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions").canonicalize().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<String> =
        files.filter(|path| path.extension().is_some_and(|end| end == "toml")).map(|path| path.display().to_string()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_sound_file_is_called_so_in_words() {
    let files = shipped();
    let mut arguments = vec!["definitions", "lint"];
    arguments.extend(files.iter().map(String::as_str));
    let ran = Shell::new().run(&arguments).await.expect(0);
    assert_eq!(ran.out, "");
    assert_eq!(ran.words.lines().count(), files.len());
    assert!(ran.words.contains("adyen.toml: sound, adyen-card, adyen-ach"), "{}", ran.words);
}

#[tokio::test]
async fn a_mistake_is_told_with_line_column_and_the_right_name() {
    let shell = Shell::new();
    shell.run(&["definitions", "new", "east-pay"]).await.expect(0);
    let good = std::fs::read_to_string(shell.path("east-pay.toml")).unwrap();
    let line_of = |needle: &str| good.lines().position(|line| line.contains(needle)).unwrap() + 1;
    for (right, wrong, line, column, expected) in [
        ("success = [200, 201]", "sucess = [200, 201]", line_of("success ="), 1, "did you mean `success`?"),
        ("{{ field.api_key }}", "{{ field.api_kye }}", line_of("bearer ="), 14, "did you mean `api_key`?"),
        ("format = 1", "format = 7", line_of("format ="), 10, "format"),
        ("[methods]", "[methods", line_of("[methods]"), 0, ""),
    ] {
        shell.write("wrong.toml", &good.replacen(right, wrong, 1));
        let ran = shell.run(&["definitions", "lint", "wrong.toml", "east-pay.toml"]).await.expect(1);
        let place = if column == 0 { format!("wrong.toml:{line}:") } else { format!("wrong.toml:{line}:{column}: ") };
        assert!(ran.out.contains(&place) && ran.out.contains(expected), "{wrong}: {}", ran.out);
        assert!(ran.words.contains("east-pay.toml: sound"), "{}", ran.words);
        // `test` does not play what is not sound.
        let ran = shell.run(&["definitions", "test", "wrong.toml"]).await.expect(1);
        assert!(ran.out.contains(&place) && !ran.out.contains("=="), "{}", ran.out);
    }
    for command in ["lint", "test"] {
        assert!(shell.run(&["definitions", command, "missing.toml"]).await.refused(2).contains("missing.toml"));
    }
}

#[tokio::test]
async fn every_shipped_file_passes_its_own_simulator_with_secrets_masked() {
    let shell = Shell::new();
    for file in shipped() {
        let ran = shell.run(&["definitions", "test", &file]).await.expect(0);
        assert!(ran.words.ends_with(": passed\n"), "{}", ran.words);
        let (shown, hidden): (&[&str], &[&str]) = match Path::new(&file).file_stem().and_then(|stem| stem.to_str()).unwrap() {
            "adyen" => (&["== adyen-ideal", "POST /sessions", "x-api-key: [api_key]", r#""allowedPaymentMethods":["ideal"]"#], &[]),
            "stripe" => (&["POST /v1/payment_intents", "Bearer [secret_key]", "amount=1000"], &["sk_test_", "rk_test_"]),
            "paypal" => (&["POST /v1/oauth2/token", "[client_secret])", "authorization: Bearer [token]"], &[]),
            "klarna" => (&["authorization: Basic base64(", ":[password])"], &[]),
            "braintree" => (&["== braintree-card", "[private_key])", "mutation($input"], &[]),
            "mock" => (&["creates no sessions"], &[]),
            _ => (&["-> succeeded"], &[]),
        };
        for text in shown {
            assert!(ran.out.contains(text), "{file}: {text} in {}", ran.out);
        }
        for text in hidden {
            assert!(!ran.out.contains(text), "{file}: {text} in {}", ran.out);
        }
    }
}

#[tokio::test]
async fn an_example_that_its_own_simulator_refuses_is_a_failure() {
    let shell = Shell::new();
    shell.run(&["definitions", "new", "east-pay"]).await.expect(0);
    let good = std::fs::read_to_string(shell.path("east-pay.toml")).unwrap();
    shell.write("east-pay.toml", &good.replacen(r#"requires = ["/amount", "/currency"]"#, r#"requires = ["/amount", "/invoice"]"#, 1));
    let ran = shell.run(&["definitions", "test", "east-pay.toml"]).await.expect(1);
    assert!(ran.out.contains("east-pay.toml:") && ran.out.contains("/invoice"), "this much can be told without playing it: {}", ran.out);
    let declined = good.replacen(r#""reference":"order-1""#, r#""reference":"simulate:decline""#, 1);
    shell.write("east-pay.toml", &declined);
    let ran = shell.run(&["definitions", "test", "east-pay.toml"]).await.expect(1);
    assert!(ran.words.contains("east-pay-card: the example ends as failed INVALID_SERVICE_REQUEST, HTTP 400"), "{}", ran.words);
    shell.write("east-pay.toml", &good.replacen("bearer = \"{{ field.api_key }}\"", "bearer = \"fixed\"", 1));
    let ran = shell.run(&["definitions", "test", "east-pay.toml"]).await.expect(1);
    assert!(!ran.words.contains("passed"), "credentials that are not sent are not refused: {} {}", ran.out, ran.words);
}

#[tokio::test]
async fn a_new_file_passes_lint_and_test_and_is_never_overwritten() {
    let shell = Shell::new();
    let made = shell.run(&["definitions", "new", "east-pay"]).await.expect(0);
    assert_eq!(made.out, "east-pay.toml\n");
    assert!(made.words.contains("definitions test east-pay.toml"), "{}", made.words);
    shell.run(&["definitions", "lint", "east-pay.toml"]).await.expect(0);
    let played = shell.run(&["definitions", "test", "east-pay.toml"]).await.expect(0);
    assert!(played.out.contains("== east-pay-card") && played.out.contains("authorization: Bearer [api_key]"), "{}", played.out);
    assert!(played.out.contains("-> succeeded, HTTP 20"), "{}", played.out);

    shell.write("east-pay.toml", "mine");
    assert!(shell.run(&["definitions", "new", "east-pay"]).await.refused(2).contains("east-pay.toml"));
    assert_eq!(std::fs::read_to_string(shell.path("east-pay.toml")).unwrap(), "mine");
    shell.run(&["definitions", "new", "east-pay", "--out", "other.toml"]).await.expect(0);
    shell.run(&["definitions", "lint", "other.toml"]).await.expect(0);
    for name in ["East", "1st", "east_pay", "", "a-name-that-is-longer-than-thirty-characters"] {
        shell.run(&["definitions", "new", name]).await.refused(2);
    }
}

#[tokio::test]
async fn a_pasted_command_becomes_a_file_that_passes_lint_and_test() {
    let shell = Shell::new();
    let pasted = "$ curl -k https://sandbox.acme.example/v1/sessions \\\n  -H 'X-API-Key: K-0123456789abcdef' \\\n  \
                  --json '{\"amount\":{\"value\":\"10.00\",\"currency\":\"EUR\"},\"order_id\":\"o-1\",\"merchantId\":\"M-77\"}' | jq .\n";
    let ran = shell.feed(&["definitions", "from-curl"], pasted).await.expect(0);
    assert_eq!(ran.out, "acme.toml\n");
    for words in ["`-k` was left out", "`|`", "definitions test acme.toml"] {
        assert!(ran.words.contains(words), "{words}: {}", ran.words);
    }
    let text = std::fs::read_to_string(shell.path("acme.toml")).unwrap();
    assert!(!text.contains("K-0123456789abcdef") && !text.contains("M-77"), "{text}");
    shell.run(&["definitions", "lint", "acme.toml"]).await.expect(0);
    let played = shell.run(&["definitions", "test", "acme.toml"]).await.expect(0);
    assert!(played.out.contains("x-api-key: [api_key]") && played.out.contains("-> succeeded"), "{}", played.out);

    // A file that is there is left alone; another name, another place, an answer.
    shell.write("curl.txt", pasted);
    shell.write("answer.txt", "HTTP/2 201\r\nx-request-id: 1\r\n\r\n{\"id\":\"s\",\"client_secret\":\"c\"}");
    assert!(shell.run(&["definitions", "from-curl", "curl.txt"]).await.expect(2).words.contains("acme.toml exists already"));
    let ran =
        shell.run(&["definitions", "from-curl", "--id", "acme-two", "--answer", "answer.txt", "--out", "-", "curl.txt"]).await.expect(0);
    for line in ["id = \"acme-two\"", "success = [201]", "private = [\"/client_secret\"]", "support_id = \"answer header x-request-id\""] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    shell.write("two.toml", &ran.out);
    shell.run(&["definitions", "test", "two.toml"]).await.expect(0);
    assert!(
        shell
            .feed(&["definitions", "from-curl", "--id", "stripe", "--out", "s.toml"], pasted)
            .await
            .expect(0)
            .words
            .contains("is built in")
    );
}

#[tokio::test]
async fn a_command_that_can_not_become_a_file_is_refused_with_its_place() {
    let shell = Shell::new();
    shell.write("answer.txt", "HTTP/1.1 404 Not Found\n\n{}");
    let good = "curl https://sandbox.acme.example/x --json '{}'";
    for (arguments, input, expected) in [
        (&[][..], "curl https://sandbox.acme.example/x \\\n -F a=1", "standard input:2:2: `-F`: multipart"),
        (&[], "", "standard input:1:1: there is no command"),
        (&[], "curl https://sandbox.acme.example/x --json '{\"n\":\"4111111111111111\"}'", "`/n` of the body holds a card number"),
        (&["--answer", "answer.txt"], good, "answer.txt:1:1: the answer has status 404"),
        (&["--answer", "missing.txt"], good, "missing.txt"),
        (&["--id", "Acme"], good, "`Acme` is no id"),
        (&["missing.txt"], "", "missing.txt"),
    ] {
        let ran = shell.feed(&[&["definitions", "from-curl"], arguments].concat(), input).await;
        let words = ran.refused(2);
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(!shell.path("acme.toml").exists());
}
