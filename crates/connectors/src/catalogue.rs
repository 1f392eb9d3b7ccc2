//! The catalogue: every definition this server knows, shipped ones and those of the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::definition::{Definition, DefinitionField};
use url::Url;

use crate::format::{Diagnostic, FILE_BYTES_MAX, parse};
use crate::model::{Call, Field, Method, Name, Part, Provider, Required, Template, Verify};

mod changes;

pub use self::changes::changes;

/// Name and text of the shipped files, part of the binary: see `build.rs`.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Most files that are read from one directory of the operator.
const FILES_MAX: usize = 1000;

/// One definition with what calls it: a provider and one of its methods.
#[derive(Clone, Debug)]
pub struct Connector {
    /// As the catalogue shows it.
    pub definition: Definition,
    /// The file it comes from.
    pub provider: Arc<Provider>,
    /// Index into the provider's methods.
    pub method: usize,
}

/// Every definition of this server, by id.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    connectors: BTreeMap<String, Arc<Connector>>,
    providers: BTreeMap<String, Arc<Provider>>,
    /// The operator's file to the id of the provider it holds, so that a file that breaks leaves its last good version in force.
    files: BTreeMap<PathBuf, String>,
}

// === impl Connector ===

impl Connector {
    /// The method of the definition.
    pub fn method(&self) -> &Method {
        #[expect(clippy::indexing_slicing, reason = "the index was taken from this list when the connector was made")]
        &self.provider.methods[self.method]
    }

    /// Whether a session can be created with it.
    pub fn creates_sessions(&self) -> bool {
        creates_sessions(&self.provider, self.method())
    }

    /// How many hours the payment service recognises a session that is sent again; `None` if it would take it for another one. Of two steps each must be recognised, since each may have been made.
    pub fn recognises_hours(&self) -> Option<u32> {
        let hours = |call: &Call| call.idempotency.as_ref().map(|idempotency| idempotency.hours);
        let first = hours(self.provider.session.as_ref()?)?;
        self.provider.second.as_ref().map_or(Some(first), |second| hours(second).map(|hours| hours.min(first)))
    }

    /// Whether credentials can be proved.
    pub fn can_verify(&self) -> bool {
        self.provider.verify.is_some()
    }

    /// Where credentials may go, as text: the literal hosts and suffixes, sorted, joined by commas. Stored credentials are sealed with it.
    pub fn trust(&self) -> String {
        trust(&self.provider)
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// Reads the shipped files, then those of the operator (files or directories), which win where they bear the same id. An operator's file that fails is left out and its mistakes come back; a shipped file that fails is an error.
    pub fn load(extra: &[PathBuf], simulators: bool) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::build(extra, simulators, None)
    }

    /// The shipped files and one of the operator's that is read already, or why it has no place beside them.
    pub fn with(path: &Path, provider: Arc<Provider>) -> Result<Self, Vec<Diagnostic>> {
        let mut found = shipped()?;
        found.push(Found { path: Some(path.to_owned()), provider });
        let (catalogue, refused) = Self::of(&found, true, None);
        if refused.is_empty() { Ok(catalogue) } else { Err(refused.into_iter().map(|(_, diagnostic)| diagnostic).collect()) }
    }

    /// Reads everything again. A file that fails now leaves what it held before in force.
    pub fn reload(&self, extra: &[PathBuf], simulators: bool) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::build(extra, simulators, Some(self))
    }

    /// The definition of an id.
    pub fn get(&self, id: &str) -> Option<&Arc<Connector>> {
        self.connectors.get(id)
    }

    /// All definitions, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.connectors.values()
    }

    /// All providers, by id.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The provider of an id.
    pub fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.get(id)
    }

    /// Whether a version of the operator's file of this name, as diagnostics name it, is in force.
    pub fn holds(&self, file: &str) -> bool {
        self.files.keys().any(|path| path.display().to_string() == file)
    }

    fn build(extra: &[PathBuf], simulators: bool, before: Option<&Self>) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut found = shipped()?;
        let mut diagnostics = Vec::new();
        for path in files_of(extra) {
            match path.and_then(|path| Ok((read(&path).map_err(|wrong| (path.clone(), wrong))?, path))) {
                Ok((provider, path)) => found.push(Found { path: Some(path), provider: Arc::new(provider) }),
                Err((path, wrong)) => {
                    diagnostics.extend(wrong);
                    found.extend(before.into_iter().flat_map(|before| before.held(&path)));
                }
            }
        }
        // Each round takes a version away for good, so the rounds end.
        loop {
            let (catalogue, refused) = Self::of(&found, simulators, before);
            if refused.is_empty() {
                return Ok((catalogue, diagnostics));
            }
            for (refused, diagnostic) in refused {
                diagnostics.push(diagnostic);
                let former = before.and_then(|before| before.held(refused.path.as_deref()?).next());
                let former = former.filter(|former| !former.is(&refused));
                found = found.into_iter().filter_map(|kept| if kept.is(&refused) { former.clone() } else { Some(kept) }).collect();
            }
        }
    }

    /// The catalogue of these files, and those that had no place in it. Whoever held an id before keeps it, wherever its file stands in the order; else the first one has it.
    fn of(found: &[Found], simulators: bool, before: Option<&Self>) -> (Self, Vec<(Found, Diagnostic)>) {
        let own = found.iter().filter(|found| found.path.is_some());
        let replaced: BTreeSet<&str> = own.map(|found| found.provider.id.as_str()).collect();
        let counts = |found: &&Found| found.path.is_some() || !replaced.contains(found.provider.id.as_str());
        let claims = |found: &&Found| before.is_some_and(|before| before.another_held(found));
        let (claiming, keeping): (Vec<&Found>, Vec<&Found>) = found.iter().filter(counts).partition(claims);
        let mut catalogue = Self::default();
        let mut refused = Vec::new();
        for found in keeping.into_iter().chain(claiming) {
            if (simulators || !found.provider.simulator_only)
                && let Err(diagnostic) = catalogue.add(found)
            {
                refused.push((found.clone(), diagnostic));
            }
        }
        (catalogue, refused)
    }

    /// Whether another file had the provider's id or one of its definitions.
    fn another_held(&self, found: &Found) -> bool {
        let definitions = found.provider.methods.iter().filter_map(|method| self.get(method.definition_id.as_str()));
        let mut holders = self.provider(&found.provider.id).into_iter().chain(definitions.map(|connector| &connector.provider));
        let file_of = |holder: &Provider| self.files.iter().find(|(_, id)| **id == holder.id).map(|(file, _)| file);
        holders.any(|holder| file_of(holder) != found.path.as_ref())
    }

    /// What came from a file, or from the files below a directory.
    fn held(&self, path: &Path) -> impl Iterator<Item = Found> {
        let files = self.files.iter().filter(move |(file, _)| file.starts_with(path));
        files.filter_map(|(file, id)| Some(Found { path: Some(file.clone()), provider: Arc::clone(self.provider(id)?) }))
    }

    /// Adds a provider with its definitions, or nothing of it where an id is taken.
    fn add(&mut self, found: &Found) -> Result<(), Diagnostic> {
        let Found { path, provider } = found;
        let file = path.as_ref().map_or_else(|| format!("{}.toml", provider.id), |path| path.display().to_string());
        if self.providers.contains_key(&provider.id) {
            return Err(Diagnostic::whole_file(&file, format!("another file has the id `{}` already", provider.id)));
        }
        if let Some(method) = provider.methods.iter().find(|method| self.connectors.contains_key(method.definition_id.as_str())) {
            return Err(Diagnostic::whole_file(&file, format!("another file has the definition `{}` already", method.definition_id)));
        }
        for (index, method) in provider.methods.iter().enumerate() {
            let definition = definition(provider, method);
            let connector = Connector { definition, provider: Arc::clone(provider), method: index };
            self.connectors.insert(method.definition_id.as_str().to_owned(), Arc::new(connector));
        }
        if let Some(path) = path {
            self.files.insert(path.clone(), provider.id.clone());
        }
        self.providers.insert(provider.id.clone(), Arc::clone(provider));
        Ok(())
    }
}

// === files ===

/// A provider and the operator's file it was found in; none for a shipped one.
#[derive(Clone, Debug)]
struct Found {
    path: Option<PathBuf>,
    provider: Arc<Provider>,
}

// === impl Found ===

impl Found {
    /// Whether this is the same version of the same file.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.provider, &other.provider)
    }
}

/// The files of this binary, or what is wrong with them.
fn shipped() -> Result<Vec<Found>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut failed = Vec::new();
    for (name, text) in SHIPPED {
        match parse(text, name) {
            Ok(provider) => found.push(Found { path: None, provider: Arc::new(provider) }),
            Err(diagnostics) => failed.extend(diagnostics),
        }
    }
    if failed.is_empty() { Ok(found) } else { Err(failed) }
}

/// Reads one file from disk.
pub fn read(path: &Path) -> Result<Provider, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| vec![Diagnostic::whole_file(&name, format!("the file can not be read: {error}"))];
    let mut text = String::new();
    // One byte more than allowed, so that a longer file is told from one that just fits.
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    File::open(path).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?;
    parse(&text, &name)
}

/// What can not be read, and why.
type Unread = (PathBuf, Vec<Diagnostic>);

/// The definition files of the operator: the named files, and of directories those that end in `.toml`, by name. A directory that can not be read to its end is none, so that half of it does not pass for the whole.
fn files_of(extra: &[PathBuf]) -> Vec<Result<PathBuf, Unread>> {
    let mut files = Vec::new();
    for path in extra {
        if !path.is_dir() {
            files.push(Ok(path.clone()));
            continue;
        }
        let unread = |message: String| Err((path.clone(), vec![Diagnostic::whole_file(&path.display().to_string(), message)]));
        match definitions_in(path) {
            Ok(found) if found.len() > FILES_MAX => files.push(unread(format!("more than {FILES_MAX} definition files"))),
            Ok(found) => files.extend(found.into_iter().map(Ok)),
            Err(error) => files.push(unread(format!("the directory can not be read: {error}"))),
        }
    }
    files
}

fn definitions_in(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut found = entries.collect::<std::io::Result<Vec<_>>>()?;
    found.retain(|path| path.extension().is_some_and(|end| end == "toml") && !path.is_dir());
    found.sort();
    Ok(found)
}

// === what the catalogue shows ===

fn definition(provider: &Provider, method: &Method) -> Definition {
    let proved = proved_fields(provider);
    let field = |field: &Field| DefinitionField {
        key: field.key.clone(),
        display_name: field.label.clone(),
        // What has a default need not be sent, and what only live payments need is enforced when `mode` says so.
        required: field.required == Required::Always && field.default.is_none(),
        format: field.format,
        secret: field.secret,
        verifiable: proved.contains(field.key.as_str()),
    };
    let features = [("create_session", creates_sessions(provider, method)), ("verify_credentials", provider.verify.is_some())];
    Definition {
        id: method.definition_id.clone(),
        provider: provider.id.clone(),
        display_name: method.name.clone(),
        method: method.method.clone(),
        flow: method.flow,
        fields: provider.fields.iter().map(field).collect(),
        supported_currencies: method.currencies.clone(),
        supported_countries: method.countries.clone(),
        supported_features: features.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

fn creates_sessions(provider: &Provider, method: &Method) -> bool {
    provider.session.is_some() && method.sessions
}

/// The ends of every host that credentials may reach, those of single calls included.
fn trust(provider: &Provider) -> String {
    let verify = match &provider.verify {
        Some(Verify::Call(call)) => Some(call.as_ref()),
        Some(Verify::Token) | None => None,
    };
    let calls = provider.session.iter().chain(&provider.second).chain(verify).chain(provider.token.as_ref().map(|token| &token.call));
    let mut ends: BTreeSet<String> = BTreeSet::new();
    for hosts in provider.hosts.iter().chain(calls.filter_map(|call| call.hosts.as_ref())) {
        for host in hosts.sandbox.all().into_iter().chain(hosts.live.all()) {
            match literal(host).and_then(|text| Url::parse(&text).ok()) {
                Some(url) => ends.extend(url.host_str().map(str::to_owned)),
                None => ends.extend(hosts.suffix.iter().cloned()),
            }
        }
    }
    ends.into_iter().collect::<Vec<_>>().join(",")
}

/// The text of a template without names.
fn literal(template: &Template) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Name(_) => None,
    };
    template.0.iter().map(text).collect()
}

/// The fields that verification sends and so proves.
fn proved_fields(provider: &Provider) -> BTreeSet<&str> {
    let mut fields = BTreeSet::new();
    let token = provider.token.as_ref().map(|token| &token.call);
    let calls: Vec<&Call> = match &provider.verify {
        None => return fields,
        Some(Verify::Token) => token.into_iter().collect(),
        Some(Verify::Call(call)) => std::iter::once(call.as_ref()).chain(token).collect(),
    };
    for name in calls.into_iter().flat_map(|call| provider.names(call)) {
        if let Name::Field(key) = name {
            fields.insert(key.as_str());
        }
    }
    fields
}

#[cfg(test)]
mod tests;
