//! The page of the files that are there.

use super::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

#[test]
fn every_service_has_a_part_with_valid_examples() {
    let providers = providers(root()).unwrap();
    let page = page(&providers);
    for provider in &providers {
        assert!(page.contains(&format!("\n## {}\n", provider.name)), "{}", provider.id);
        assert!(page.contains(&format!("](#{})", anchor(&provider.name))), "{}", provider.id);
        for field in provider.fields.iter().filter(|field| field.find.is_some()) {
            assert!(page.contains(&format!("`{}`", field.key)), "{}: {}", provider.id, field.key);
        }
    }
    let blocks: Vec<&str> = page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert_eq!(blocks.len(), 2 * providers.iter().filter(|provider| provider.session.is_some()).count());
    for block in blocks {
        assert!(serde_json::from_str::<serde_json::Value>(block).is_ok_and(|value| value.is_object()), "{block}");
    }
    assert!(!page.contains(&root().display().to_string()), "no place of this machine");
}

#[test]
fn a_page_that_is_old_is_told() {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(copy.path().join("docs")).unwrap();
    std::fs::create_dir_all(copy.path().join("definitions")).unwrap();
    let file = copy.path().join("definitions/mock.toml");
    std::fs::copy(root().join("definitions/mock.toml"), &file).unwrap();
    assert!(run(copy.path(), true).unwrap_err().to_string().contains("cargo xtask payment-services-page"));
    run(copy.path(), false).unwrap();
    run(copy.path(), true).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let renamed = text.replacen("name = \"", "name = \"Another ", 1);
    assert_ne!(renamed, text);
    std::fs::write(&file, renamed).unwrap();
    assert!(run(copy.path(), true).unwrap_err().to_string().contains("from line"));
}

#[test]
fn headings_are_found_by_their_anchors() {
    let check = |heading: &str, expected: &str| assert_eq!(anchor(heading), expected);
    check("Adyen", "adyen");
    check("Checkout.com", "checkoutcom");
    check("Afterpay and Clearpay", "afterpay-and-clearpay");
    check("Nexi Checkout (Nets)", "nexi-checkout-nets");
}
