//! Payment methods and card schemes that the API names. Lists are data: `data/methods.txt`, `data/card-schemes.txt`.

/// The words of the API's `Method` enum, in its order.
pub fn methods() -> impl Iterator<Item = &'static str> {
    include_str!("../data/methods.txt").lines()
}

/// The words of the API's `CardScheme` enum, in its order.
pub fn card_schemes() -> impl Iterator<Item = &'static str> {
    include_str!("../data/card-schemes.txt").lines()
}

/// Whether the API knows a payment method.
pub fn is_method(word: &str) -> bool {
    methods().any(|known| known == word)
}

/// Whether the API knows a card scheme.
pub fn is_card_scheme(word: &str) -> bool {
    card_schemes().any(|known| known == word)
}
