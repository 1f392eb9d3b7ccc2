//! What a client was promised, in a file that is on disk before the promise is believed, and the comparison with what the server has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::caller::Caller;
use crate::server::Server;

/// A ledger, cheap to clone. Several loads, before and after a crash, write into the same one.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    path: PathBuf,
    prefix: String,
    number: AtomicUsize,
    lines: mpsc::Sender<(String, Option<oneshot::Sender<()>>)>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Sessions that were promised.
    pub sessions: usize,
    /// Changes of the configuration that were promised.
    pub changes: usize,
    /// What does not fit, with what it is about.
    pub faults: Vec<(Fault, String)>,
}

/// How the server's data and the ledger can disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Promised and not there.
    Lost,
    /// There and never asked for.
    Invented,
    /// There more often than it was asked for.
    Doubled,
    /// There, but not whole.
    Torn,
}

/// What the file says.
#[derive(Default)]
struct Promises {
    /// Every reference and every name that was ever sent.
    asked: HashSet<String>,
    /// Reference to request id.
    sessions: HashMap<String, String>,
    /// Payment service to its names, in order.
    names: BTreeMap<String, Vec<String>>,
}

// === impl Ledger ===

impl Ledger {
    /// An empty one. What is asked for under it begins with the prefix, which tells it from everything else in the database.
    pub fn new(path: &Path, prefix: &str) -> Self {
        let file = OpenOptions::new().create_new(true).append(true).open(path).expect("a new file for the ledger");
        let (lines, queue) = mpsc::channel();
        // A thread of its own: a wait for the disk must not hold up the load, and one wait serves all who are in the queue.
        std::thread::spawn(move || keep(file, &queue));
        Self(Arc::new(Inner { path: path.to_owned(), prefix: prefix.to_owned(), number: AtomicUsize::new(0), lines }))
    }

    /// A text that was never used before.
    pub(super) fn next_reference(&self) -> String {
        format!("{}-{}", self.0.prefix, self.0.number.fetch_add(1, Ordering::Relaxed))
    }

    /// Written before something is sent.
    pub(super) fn asks(&self, what: &str) {
        self.write(format!("asked\t{what}\n"), None);
    }

    /// A session was acknowledged. On disk when this returns.
    pub(super) async fn is_promised(&self, reference: &str, request_id: &str) {
        self.durably(format!("session\t{reference}\t{request_id}\n")).await;
    }

    /// A payment service was made with a name or renamed. On disk when this returns.
    pub(super) async fn is_named(&self, id: &str, name: &str) {
        self.durably(format!("name\t{id}\t{name}\n")).await;
    }

    async fn durably(&self, line: String) {
        let (answer, written) = oneshot::channel();
        self.write(line, Some(answer));
        written.await.expect("the ledger can be written");
    }

    fn write(&self, line: String, answer: Option<oneshot::Sender<()>>) {
        self.0.lines.send((line, answer)).expect("the ledger's thread lives as long as the ledger");
    }

    /// Holds everything that was promised against what a server answers now. To be called when no load runs.
    pub async fn compare(&self, server: &Server) -> Comparison {
        let promises = Promises::read(&self.0.path);
        let merchant = server.merchant();
        let mut comparison = Comparison { sessions: promises.sessions.len(), ..Comparison::default() };
        let ours = |text: &str| text.split('-').next() == Some(self.0.prefix.as_str());
        comparison.sessions(&promises, &all(&merchant, "/payment-service-sessions?limit=100").await, &ours);
        let services = all(&merchant, "/payment-services?limit=100").await;
        let trail = all(&merchant, "/audit-logs?resource_type=payment-service&limit=100").await;
        comparison.names(&promises, &services, &trail, &ours);
        comparison
    }
}

/// Writes lines, and says so when they are on disk.
fn keep(mut file: File, queue: &mpsc::Receiver<(String, Option<oneshot::Sender<()>>)>) {
    while let Ok(first) = queue.recv() {
        let group: Vec<_> = std::iter::once(first).chain(queue.try_iter()).collect();
        let text: String = group.iter().map(|(line, _)| line.as_str()).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).expect("the ledger can be written");
        for answer in group.into_iter().filter_map(|(_, answer)| answer) {
            // Whoever asked may be gone at the end of a test.
            answer.send(()).ok();
        }
    }
}

// === impl Promises ===

impl Promises {
    fn read(path: &Path) -> Self {
        let mut promises = Self::default();
        for line in std::fs::read_to_string(path).expect("the ledger can be read").lines() {
            match line.split('\t').collect::<Vec<_>>().as_slice() {
                ["asked", what] => drop(promises.asked.insert((*what).to_owned())),
                ["session", reference, request_id] => drop(promises.sessions.insert((*reference).to_owned(), (*request_id).to_owned())),
                ["name", id, name] => promises.names.entry((*id).to_owned()).or_default().push((*name).to_owned()),
                other => unreachable!("the ledger has a line of another kind: {other:?}"),
            }
        }
        promises
    }
}

// === impl Comparison ===

impl Comparison {
    /// How often something does not fit in this way.
    pub fn count(&self, fault: Fault) -> usize {
        self.faults.iter().filter(|(found, _)| *found == fault).count()
    }

    /// Makes sure that everything fits.
    #[track_caller]
    pub fn expect_none(&self) {
        assert!(self.faults.is_empty(), "of {} sessions and {} changes: {:?}", self.sessions, self.changes, self.faults);
    }

    fn found(&mut self, fault: Fault, what: impl Into<String>) {
        self.faults.push((fault, what.into()));
    }

    fn sessions(&mut self, promises: &Promises, records: &[Value], ours: &dyn Fn(&str) -> bool) {
        let mut stored: HashMap<&str, &Value> = HashMap::new();
        for record in records {
            let Some(reference) = text(record, "reference") else {
                self.found(Fault::Torn, format!("a record without its reference: {record}"));
                continue;
            };
            if !ours(reference) {
                continue;
            }
            if stored.insert(reference, record).is_some() {
                self.found(Fault::Doubled, reference);
            }
            if !promises.asked.contains(reference) {
                self.found(Fault::Invented, reference);
            }
            let whole = ["id", "request_id", "payment_service_id", "status", "currency", "created_at"];
            if whole.iter().any(|member| text(record, member).is_none_or(str::is_empty)) || record.get("amount").is_none_or(Value::is_null)
            {
                self.found(Fault::Torn, record.to_string());
            }
        }
        for (reference, request_id) in &promises.sessions {
            match stored.get(reference.as_str()) {
                None => self.found(Fault::Lost, reference),
                Some(record) if text(record, "request_id") != Some(request_id) => {
                    self.found(Fault::Torn, format!("{reference} was answered as request {request_id} and is stored as {record}"));
                }
                Some(_) => {}
            }
        }
    }

    /// A change and its entry in the audit log are one commit, so they must tell the same story.
    fn names(&mut self, promises: &Promises, services: &[Value], trail: &[Value], ours: &dyn Fn(&str) -> bool) {
        // Newest first, as the list is.
        let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in trail {
            let resource = entry.get("resource").unwrap_or(&Value::Null);
            if let (Some(id), Some(name)) = (text(resource, "id"), text(resource, "name"))
                && ours(name)
            {
                told.entry(id).or_default().push(name);
            }
        }
        let mut there: BTreeMap<&str, &str> = BTreeMap::new();
        for service in services {
            let (Some(id), Some(name)) = (text(service, "id"), text(service, "display_name")) else {
                self.found(Fault::Torn, service.to_string());
                continue;
            };
            if !ours(name) {
                continue;
            }
            there.insert(id, name);
            if !promises.asked.contains(name) {
                self.found(Fault::Invented, format!("{id} is called {name}"));
            }
            if service.get("fields").and_then(Value::as_array).is_none_or(Vec::is_empty) {
                self.found(Fault::Torn, format!("{id} has no credentials"));
            }
            if told.get(id).and_then(|names| names.first()) != Some(&name) {
                self.found(Fault::Torn, format!("{id} is called {name}, and the audit log says {:?}", told.get(id)));
            }
        }
        for id in told.keys().copied().collect::<BTreeSet<_>>().difference(&there.keys().copied().collect()) {
            self.found(Fault::Torn, format!("the audit log tells of {id}, which is not there"));
        }
        for (id, names) in &promises.names {
            self.changes += names.len();
            for name in names {
                if told.get(id.as_str()).is_none_or(|told| !told.contains(&name.as_str())) {
                    self.found(Fault::Lost, format!("{id} called {name}"));
                }
            }
        }
    }
}

/// All pages of a list.
async fn all(merchant: &Caller<'_>, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = merchant.get(&format!("{path}{cursor}")).await.expect(200);
        if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
            items.extend(more);
        }
        match text(&page, "next_cursor") {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}
