//! Layers of configuration: defaults, a file, variables, command-line options. The last one that names a key wins, and every value remembers where it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{self, BASE_URL, KEYS, Key, Kind, PROVIDERS, Sight};
use super::{ConfigError, Problem};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Built in.
    Default,
    /// Built into `tollhouse dev`.
    DevDefault,
    /// A line of the file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// An option of the command line.
    Option(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::DevDefault => f.write_str("default of dev"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Option(name) => f.write_str(name),
        }
    }
}

/// A value before it is read as what the key holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    /// From a variable, an option or a default: text in the form of the kind.
    Text(String),
    /// From the file: text.
    String(String),
    /// From the file: a whole number.
    Integer(i64),
    /// From the file: true or false.
    Boolean(bool),
    /// From the file: a list of texts.
    List(Vec<String>),
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As it was written.
    pub(crate) raw: Raw,
    /// Where.
    pub(crate) source: Source,
}

/// The values of all layers, the winning one per key. Keys are `section.name` and `providers.<id>.base_url`.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    entries: BTreeMap<String, Entry>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    /// The built-in defaults.
    pub(crate) fn with_defaults() -> Self {
        let mut layers = Self::default();
        for key in KEYS {
            if let Some(text) = key.default {
                layers.set(key.path(), Raw::Text(text.to_owned()), Source::Default);
            }
        }
        layers
    }

    /// Puts a value over whatever was there.
    pub(crate) fn set(&mut self, path: String, raw: Raw, source: Source) {
        self.entries.insert(path, Entry { raw, source });
    }

    /// The same within one layer, where a second value has nothing to say which one counts.
    fn set_once(&mut self, path: String, raw: Raw, source: Source) {
        let former = self.entries.get(&path).map(|entry| &entry.source);
        let same_layer = match (former, &source) {
            (Some(Source::File(..)), Source::File(..)) | (Some(Source::Variable(_)), Source::Variable(_)) => former,
            (None | Some(_), _) => None,
        };
        if let Some(former) = same_layer.filter(|former| **former != source) {
            self.problems.push(Problem::at(&source, format!("`{path}` is set twice, see {former}")));
        }
        self.set(path, raw, source);
    }

    /// The winning value of a key.
    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The providers that have a base URL, with the value.
    pub(crate) fn providers(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().filter_map(|(path, entry)| {
            let id = path.strip_prefix(PROVIDERS)?.strip_prefix('.')?.strip_suffix(BASE_URL)?.strip_suffix('.')?;
            Some((id, entry))
        })
    }

    /// Adds a file. A file that can not be read or is no TOML ends the reading; strangers in it are collected.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::one(format!("{}: {error}", path.display())))?;
        let table = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            ConfigError::one(format!("{}:{line}: {}", path.display(), error.message()))
        })?;
        let file = File { path, text: &text };
        for (section, value) in table.get_ref() {
            let at = file.source(section.span().start);
            let name: &str = section.get_ref();
            let known = name == PROVIDERS || KEYS.iter().any(|key| key.section == name);
            match value.get_ref() {
                _ if !known => self.stranger(&at, name, sections()),
                DeValue::Table(entries) if name == PROVIDERS => self.add_providers(&file, entries),
                DeValue::Table(entries) => self.add_section(&file, name, entries),
                _ => self.problems.push(Problem::at(&at, format!("`{name}` is a section: write [{name}] and its keys below"))),
            }
        }
        Ok(())
    }

    fn add_section(&mut self, file: &File<'_>, section: &str, entries: &DeTable<'_>) {
        for (name, value) in entries {
            let at = file.source(value.span().start);
            let name: &str = name.get_ref();
            if let Some(key) = keys::find(section, name) {
                self.add_value(key.path(), value.get_ref(), at);
            } else if let Some(key) = from_file(section, name) {
                match value.get_ref() {
                    DeValue::String(path) => self.add_secret_file(key, Path::new(path.as_ref()), at),
                    _ => self.problems.push(Problem::at(&at, format!("`{section}.{name}` is the path of a file, in quotes"))),
                }
            } else {
                let known = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
                self.stranger(&at, &format!("{section}.{name}"), known.map(|name| format!("{section}.{name}")));
            }
        }
    }

    fn add_providers(&mut self, file: &File<'_>, providers: &DeTable<'_>) {
        for (id, value) in providers {
            let at = file.source(id.span().start);
            // Variables can not hold dashes, so both spellings mean the same provider; with two of them the file would win over the variable.
            let id = id.get_ref().replace('_', "-");
            let DeValue::Table(entries) = value.get_ref() else {
                self.problems
                    .push(Problem::at(&at, format!("`{PROVIDERS}.{id}` is a section: write [{PROVIDERS}.{id}] and its keys below")));
                continue;
            };
            for (name, value) in entries {
                let at = file.source(value.span().start);
                let name: &str = name.get_ref();
                let path = format!("{PROVIDERS}.{id}.{name}");
                if name == BASE_URL {
                    self.add_value(path, value.get_ref(), at);
                } else {
                    self.stranger(&at, &path, [format!("{PROVIDERS}.{id}.{BASE_URL}")]);
                }
            }
        }
    }

    fn add_value(&mut self, path: String, value: &DeValue<'_>, at: Source) {
        match raw(value) {
            Some(raw) => self.set_once(path, raw, at),
            None => self.problems.push(Problem::at(&at, format!("`{path}` has a value of a kind that no key has"))),
        }
    }

    /// Adds the variables of the environment. Only those that begin with `TOLLHOUSE_` and hold `__` are configuration; an empty one counts as unset.
    pub(crate) fn add_variables(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some((section, rest)) = name.strip_prefix("TOLLHOUSE_").and_then(|rest| rest.split_once("__")) else { continue };
            let at = Source::Variable(name.to_owned());
            let Some(value) = value.to_str() else {
                self.problems.push(Problem::at(&at, "the value is not UTF-8".to_owned()));
                continue;
            };
            // A name in lower case would be a second spelling of the same key, with nothing to say which one counts.
            let upper = name.bytes().all(|byte| !byte.is_ascii_lowercase());
            let (section, rest) = if upper { (section.to_lowercase(), rest.to_lowercase()) } else { (String::new(), String::new()) };
            if section == PROVIDERS
                && let Some(id) = rest.strip_suffix(BASE_URL).and_then(|rest| rest.strip_suffix("__")).filter(|id| !id.is_empty())
            {
                if !value.is_empty() {
                    self.set_once(format!("{PROVIDERS}.{}.{BASE_URL}", id.replace('_', "-")), Raw::Text(value.to_owned()), at);
                }
            } else if let Some(key) = keys::find(&section, &rest) {
                if !value.is_empty() {
                    self.set_once(key.path(), Raw::Text(value.to_owned()), at);
                }
            } else if let Some(key) = from_file(&section, &rest) {
                if !value.is_empty() {
                    self.add_secret_file(key, Path::new(value), at);
                }
            } else {
                let providers = [format!("TOLLHOUSE_{}__<ID>__{}", PROVIDERS.to_uppercase(), BASE_URL.to_uppercase())];
                self.stranger(&at, name, KEYS.iter().map(Key::variable).chain(providers));
            }
        }
    }

    /// The file of a `_file` key holds the value; a final line break does not belong to it.
    fn add_secret_file(&mut self, key: &Key, path: &Path, at: Source) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.set_once(key.path(), Raw::Text(text.trim_end_matches(['\r', '\n']).to_owned()), at),
            Err(error) => self.problems.push(Problem::at(&at, format!("{}: {error}", path.display()))),
        }
    }

    fn stranger(&mut self, at: &Source, name: &str, known: impl IntoIterator<Item = String>) {
        let known: Vec<String> = known.into_iter().collect();
        let hint =
            keys::nearest(name, known.iter().map(String::as_str)).map(|word| format!(": did you mean `{word}`?")).unwrap_or_default();
        let what = if matches!(at, Source::Variable(_)) { "variable" } else { "key" };
        self.problems.push(Problem::at(at, format!("unknown {what} `{name}`{hint}")));
    }
}

// === impl File ===

/// The file that is being read, for the lines of its values.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn source(&self, offset: usize) -> Source {
        Source::File(self.path.to_owned(), line_of(self.text, offset))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn sections() -> Vec<String> {
    let mut names: Vec<String> = KEYS.iter().map(|key| key.section.to_owned()).collect();
    names.push(PROVIDERS.to_owned());
    names.dedup();
    names
}

/// The masked key whose `_file` form this is.
fn from_file(section: &str, name: &str) -> Option<&'static Key> {
    keys::find(section, name.strip_suffix("_file")?).filter(|key| key.sight == Sight::Masked && key.kind == Kind::Text)
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    Some(match value {
        DeValue::String(text) => Raw::String(text.as_ref().to_owned()),
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Integer(number) => Raw::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.as_ref().to_owned()),
                _ => None,
            });
            Raw::List(texts.collect::<Option<_>>()?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => return None,
    })
}
