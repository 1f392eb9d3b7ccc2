//! `docs/payment-services.md`, made of the definition files: what somebody needs to know before configuring a payment service.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use connectors::catalogue;
use connectors::model::Provider;

mod example;
mod words;

use example::Played;
use words::{checked, request_lines, table};

/// Where the page is.
const PAGE: &str = "docs/payment-services.md";
/// How it is made.
const COMMAND: &str = "cargo xtask payment-services-page";
/// Codes that are listed before the rest is counted.
const CODES_SHOWN: usize = 12;

/// Writes the page, or says that it is not what the files make.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let page = page(&providers(root)?);
    let file = root.join(PAGE);
    if !check {
        return fs::write(&file, page).with_context(|| format!("{PAGE} can not be written"));
    }
    let there = fs::read_to_string(&file).with_context(|| format!("{PAGE} can not be read; `{COMMAND}` makes it"))?;
    if there == page {
        return Ok(());
    }
    let differs = there
        .lines()
        .zip(page.lines())
        .position(|(there, made)| there != made)
        .unwrap_or_else(|| there.lines().count().min(page.lines().count()));
    bail!("{PAGE} is not what the definition files make, from line {} on: run `{COMMAND}`", differs + 1);
}

/// The definition files, by id.
fn providers(root: &Path) -> Result<Vec<Provider>> {
    let entries = fs::read_dir(root.join("definitions"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let mut providers = Vec::new();
    for file in entries.iter().filter(|file| file.extension().is_some_and(|end| end == "toml")) {
        match catalogue::read(file) {
            Ok(provider) => providers.push(provider),
            Err(mistakes) => bail!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }
    providers.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(providers)
}

/// The whole page.
fn page(providers: &[Provider]) -> String {
    let mut page = Page(String::new());
    page.line(&format!("<!-- Made by `{COMMAND}` from the files in definitions/: change those. -->"));
    page.part("# Payment services");
    page.part(&format!(
        "{} payment services with {} definitions, a file each in [`definitions/`](../definitions). This page is made of the files, so it says what the server does.",
        providers.len(),
        providers.iter().map(|provider| provider.methods.len()).sum::<usize>()
    ));
    page.part(
        "Beside its own credentials every payment service has the fields `mode` (`sandbox`, `live`, or `simulator` where simulators are enabled) and `timeout_ms` (1 to 30000). Pointers such as `/amount/value` name members of the request that a caller sends and of the answer of the payment service. Examples are those of the simulators, which play the services offline; the values in the answers are made up.",
    );
    let rows = providers.iter().map(|provider| {
        let methods: Vec<String> = provider.methods.iter().map(|method| format!("`{}`", method.key)).collect();
        let sessions = match (provider.session.is_some(), provider.methods.iter().filter(|method| method.sessions).count()) {
            (false, _) | (true, 0) => "no".to_owned(),
            (true, all) if all == provider.methods.len() => "yes".to_owned(),
            (true, some) => format!("{some} of {}", provider.methods.len()),
        };
        vec![format!("[{}](#{})", provider.name, anchor(&provider.name)), methods.join(" "), sessions, checked(&provider.checked).0]
    });
    page.part(&table(&["payment service", "methods", "sessions", "checked"], rows));
    for provider in providers {
        service(&mut page, provider);
    }
    page.0
}

fn service(page: &mut Page, provider: &Provider) {
    page.part(&format!("## {}", provider.name));
    let file = format!("[`definitions/{0}.toml`](../definitions/{0}.toml)", provider.id);
    let docs = provider.docs.as_ref().map(|docs| format!(", its own documentation: <{docs}>")).unwrap_or_default();
    page.part(&format!("{file}{docs}."));
    let (what, how) = checked(&provider.checked);
    page.part(&format!("**Checked**: {what}. {how}"));
    methods(page, provider);
    credentials(page, provider);
    let Some(session) = &provider.session else {
        page.part("Creates no sessions.");
        return;
    };
    page.part(&format!("**Session**: {}.", request_lines(provider, session)));
    if let Some(second) = &provider.second {
        page.part(&format!("**Second step**, made when the first was a success: {}.", request_lines(provider, second)));
    }
    if let Some(played) = Played::of(provider) {
        page.part(&format!("Example request, for `{}`:", played.definition));
        page.block(&played.request);
        page.part("Example answer:");
        page.block(&played.answer);
        page.part(&format!("**For the browser**: {}", played.for_the_browser()));
    }
    if let Some(hidden) = words::withheld(provider) {
        page.part(&format!("**Withheld**, so that it does not reach the caller: {hidden}."));
    }
    page.part(&format!("**The record keeps** {}.", words::record(provider)));
    let added = words::added(provider);
    if !added.is_empty() {
        page.part(&format!("**Added to the request**: {}.", added.join(", ")));
    }
    let refused = words::refused(provider);
    if !refused.is_empty() {
        page.part("**Refused**, with a 400 and before anything is sent:");
        page.part(&refused.iter().map(|(pointer, reason)| format!("- `{pointer}`: {reason}")).collect::<Vec<_>>().join("\n"));
    }
    page.part(&format!("**Credentials are verified** {}.", words::verification(provider)));
    page.part(&format!("**A repeated request** {}.", words::repeated(session)));
}

fn methods(page: &mut Page, provider: &Provider) {
    let rows = provider.methods.iter().map(|method| {
        let currencies: Vec<&str> = method.currencies.iter().map(|code| code.as_str()).collect();
        let countries: Vec<&str> = method.countries.iter().map(|code| code.as_str()).collect();
        vec![
            format!("`{}`", method.definition_id),
            method.name.clone(),
            method.code.as_ref().map(|code| format!("`{code}`")).unwrap_or_default(),
            codes(&currencies, domain::CurrencyCode::all().len()),
            codes(&countries, domain::CountryCode::all().len()),
            if provider.session.is_some() && method.sessions { "yes" } else { "no" }.to_owned(),
        ]
    });
    page.part(&table(&["definition", "name", "its own word", "currencies", "countries", "sessions"], rows));
}

/// Codes in short; `all` of them is what a file without a list means.
fn codes(codes: &[&str], all: usize) -> String {
    if codes.is_empty() || codes.len() == all {
        return "all".to_owned();
    }
    let shown = codes.iter().take(CODES_SHOWN).copied().collect::<Vec<_>>().join(" ");
    match codes.len().checked_sub(CODES_SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn credentials(page: &mut Page, provider: &Provider) {
    let rows: Vec<Vec<String>> = words::fields(provider);
    if rows.is_empty() {
        page.part("No credentials are entered.");
    } else {
        page.part("**Credentials to enter:**");
        page.part(&table(&["field", "key", "secret", "required", "value", "where to find it"], rows));
    }
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The text of a page.
struct Page(String);

// === impl Page ===

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// A paragraph, a heading or a table.
    fn part(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    fn block(&mut self, json: &str) {
        self.part(&format!("```json\n{}\n```", json.trim()));
    }
}

#[cfg(test)]
mod tests;
