//! The file that `definitions new` writes: whole, commented, without mistakes.

/// Longest id that is made of a name.
const ID_MAX: usize = 40;

/// A new definition file for a payment service of this name.
pub fn skeleton(name: &str) -> String {
    let label: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let label = if label.trim().is_empty() { "Example" } else { label.trim() };
    include_str!("skeleton.toml").replace("{id}", &skeleton_id(name)).replace("{name}", &toml::Value::from(label).to_string())
}

/// The id that a name gives: lower-case letters, digits and dashes.
pub fn skeleton_id(name: &str) -> String {
    let mut id = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' => id.push(c),
            '0'..='9' if !id.is_empty() => id.push(c),
            _ if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            _ => {}
        }
    }
    id.truncate(ID_MAX);
    let id = id.trim_end_matches('-');
    if id.is_empty() { "example".to_owned() } else { id.to_owned() }
}
