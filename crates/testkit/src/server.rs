//! The real server, as a process of its own, on port 0.
#![expect(clippy::panic, clippy::print_stderr, reason = "test equipment fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::caller::Caller;
use crate::conformance::Conformance;
use crate::token::Key;

/// How long a server may take to be ready, or to end, before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a file is looked for while waiting.
const GLANCE: Duration = Duration::from_millis(10);

/// A running `tollhouse serve`, ended with the value.
pub struct Server {
    /// Address of the API.
    pub base: String,
    /// The first key pair: every scope, every merchant account.
    pub key: Key,
    /// What it listens with and where it keeps its data.
    pub plan: Plan,
    /// How long it took from its start to its first answer.
    pub ready_after: Duration,
    process: Child,
}

/// How a server is started, and started again.
pub struct Plan {
    binary: PathBuf,
    directory: TempDir,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    /// Words before the binary's own, when it serves.
    wrapper: Vec<String>,
    log: PathBuf,
    postgres: Option<store::scratch::ScratchDatabase>,
    pub(crate) conformance: Option<&'static Conformance>,
}

impl Plan {
    /// A server with an empty SQLite database, simulators on, and everything else at its defaults.
    pub fn sqlite(binary: impl Into<PathBuf>) -> Self {
        // The server refuses a data directory that others can read.
        let private = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().permissions(private).tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let variables = [
            ("TOLLHOUSE_DATABASE__URL", format!("sqlite://{}", path("tollhouse.db"))),
            ("TOLLHOUSE_VAULT__ROOT_KEY_FILE", path("root.key")),
            ("TOLLHOUSE_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("TOLLHOUSE_INTERNAL__LISTEN", "127.0.0.1:0".to_owned()),
            ("TOLLHOUSE_SIMULATORS__ENABLED", "true".to_owned()),
            ("TOLLHOUSE_LOG", "debug".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let log = directory.path().join("log");
        let (arguments, wrapper) = (Vec::new(), Vec::new());
        Self { binary: binary.into(), directory, variables, arguments, wrapper, log, postgres: None, conformance: None }
    }

    /// The same on an empty database of a PostgreSQL server.
    pub async fn postgres(binary: impl Into<PathBuf>, admin_url: &str) -> Self {
        let database = store::scratch::create_postgres(admin_url).await.expect("a scratch database");
        let url = database.url.clone();
        let mut plan = Self::sqlite(binary).with("TOLLHOUSE_DATABASE__URL", url);
        plan.postgres = Some(database);
        plan
    }

    /// Sets one variable of the server's environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Holds every answer against a document.
    #[must_use]
    pub fn checked_by(mut self, conformance: &'static Conformance) -> Self {
        self.conformance = Some(conformance);
        self
    }

    /// Adds arguments to `serve`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Puts words before the binary's own when it serves, such as a tool that changes its limits. The process must stay the same one.
    #[must_use]
    pub fn behind(mut self, wrapper: Vec<String>) -> Self {
        self.wrapper = wrapper;
        self
    }

    /// Another place for the log.
    #[must_use]
    pub fn logging_to(mut self, file: PathBuf) -> Self {
        self.log = file;
        self
    }

    /// One more instance on the same database with the same root key, ready for [`Plan::serve`]. It must end before this one's database is dropped.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let mut sibling = Self::sqlite(&self.binary).keyed_as(self);
        sibling.variables.clone_from(&self.variables);
        sibling.arguments.clone_from(&self.arguments);
        sibling.conformance = self.conformance;
        sibling
    }

    /// The root key and the first key pair of another installation.
    #[must_use]
    pub fn keyed_as(self, other: &Self) -> Self {
        std::fs::copy(other.file("private_key.pem"), self.file("private_key.pem")).expect("the first key can be copied");
        let root_key = other.file("root.key").display().to_string();
        self.with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", root_key)
    }

    /// The URL of the server's database, for whoever looks past the server.
    pub fn database_url(&self) -> &str {
        let found = self.variables.iter().find(|(name, _)| name == "TOLLHOUSE_DATABASE__URL");
        found.map(|(_, url)| url.as_str()).expect("every plan has a database")
    }

    /// The first key pair of the installation.
    pub fn first_key(&self) -> Key {
        Key::from_pem(&std::fs::read_to_string(self.file("private_key.pem")).expect("the first key"))
    }

    /// Lets calls reach a payment service on loopback: its base URL, and the CA that signed its certificate.
    #[must_use]
    pub fn provider_at(self, id: &str, base_url: &str, ca_file: Option<&Path>) -> Self {
        let name = format!("TOLLHOUSE_PROVIDERS__{}__BASE_URL", id.to_uppercase().replace('-', "_"));
        let plan = self.with(&name, base_url).with("TOLLHOUSE_EGRESS__ALLOW", "127.0.0.0/8").with("TOLLHOUSE_EGRESS__ALLOW_HTTP", "true");
        match ca_file {
            Some(file) => plan.with("TOLLHOUSE_OUTBOUND__CA_FILE", file.display().to_string()),
            None => plan,
        }
    }

    /// A file in the server's own directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Begins one command of the binary with the server's environment and some variables of its own, for a test that may end it; it is killed with the value. Its words are kept for the end.
    pub fn begin(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        let mut command = self.command(&[], arguments);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// Runs one command of the binary with the server's environment and waits for its end.
    pub async fn run(&self, arguments: &[&str]) -> std::process::Output {
        self.run_behind(&[], arguments).await
    }

    /// The same with words before the binary's own.
    pub async fn run_behind(&self, wrapper: &[String], arguments: &[&str]) -> std::process::Output {
        let output = self.command(wrapper, arguments).output();
        tokio::time::timeout(PATIENCE, output).await.expect("the command ends in time").expect("the binary runs")
    }

    /// The option that names the configuration file, made if there is none.
    pub fn config_option(&self) -> [String; 2] {
        ["--config".to_owned(), self.config_file()]
    }

    /// `init`, then `serve`, ready.
    pub async fn start(self) -> Server {
        let key_file = self.file("private_key.pem").display().to_string();
        let output = self.run(&["init", "--config", &self.config_file(), "--key-out", &key_file]).await;
        assert!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
        self.serve().await
    }

    /// `serve` on what an earlier server left.
    pub async fn serve(self) -> Server {
        let key = self.first_key();
        self.serve_for(key).await
    }

    /// `serve` where the first key pair is the test's own.
    pub async fn serve_for(self, key: Key) -> Server {
        let ready = self.file("ready");
        if ready.exists() {
            std::fs::remove_file(&ready).expect("the old ready file can be removed");
        }
        let ready_text = ready.display().to_string();
        let config = self.config_file();
        let mut arguments = vec!["serve", "--config", &config, "--ready-file", &ready_text];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let log = std::fs::File::create(&self.log).expect("a log file");
        let started = Instant::now();
        let mut process = self.command(&self.wrapper, &arguments).stdout(Stdio::null()).stderr(log).spawn().expect("the binary runs");
        let base = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(base) = std::fs::read_to_string(&ready)
                    && !base.trim().is_empty()
                {
                    return base.trim().to_owned();
                }
                if let Some(status) = process.try_wait().expect("the process can be asked") {
                    panic!("serve ended with {status}: {}", std::fs::read_to_string(&self.log).unwrap_or_default());
                }
                tokio::time::sleep(GLANCE).await;
            }
        })
        .await
        .expect("the server is ready in time");
        Server { base, key, plan: self, ready_after: started.elapsed(), process }
    }

    fn config_file(&self) -> String {
        let path = self.file("tollhouse.toml");
        if !path.exists() {
            std::fs::write(&path, "").expect("an empty configuration can be written");
        }
        path.display().to_string()
    }

    fn command(&self, wrapper: &[String], arguments: &[&str]) -> Command {
        let mut command = match wrapper.split_first() {
            None => Command::new(&self.binary),
            Some((tool, options)) => {
                let mut command = Command::new(tool);
                command.args(options).arg(&self.binary);
                command
            }
        };
        // What a developer has set for servers of their own is not for this one.
        for (name, _) in std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("TOLLHOUSE_") || name.starts_with("OTEL_")))
        {
            command.env_remove(name);
        }
        command.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value))).current_dir(self.directory.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for Plan {
    /// A test that fails leaves no database behind either. The runtime of the test may be gone, so it is done on another.
    fn drop(&mut self) {
        let Some(database) = self.postgres.take() else { return };
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(database.drop())
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("a scratch database could not be dropped");
        }
    }
}

impl Server {
    /// A caller with every scope, for the merchant account that the header's absence means.
    pub fn merchant(&self) -> Caller<'_> {
        Caller::new(self, &["*.read", "*.write"])
    }

    /// A caller with other scopes.
    pub fn with_scopes(&self, scopes: &[&str]) -> Caller<'_> {
        Caller::new(self, scopes)
    }

    /// A caller without a token.
    pub fn anonymous(&self) -> Caller<'_> {
        Caller::anonymous(self)
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.plan.log).unwrap_or_default()
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.process.id().expect("the process runs")
    }

    /// Sends a signal by its name, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.process_id().to_string()).status().await.expect("kill runs");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Limits the size to which its files may grow, or lifts the limit.
    pub async fn limit_file_size(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let id = self.process_id().to_string();
        let set = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={limit}:unlimited")]).status().await;
        assert!(set.expect("prlimit runs; it is in the package util-linux").success(), "the file-size limit could not be set");
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(self) -> (std::process::ExitStatus, Plan) {
        self.terminate_within(PATIENCE).await
    }

    /// The same with more patience, for shutdowns that may take as long as one may take.
    pub async fn terminate_within(self, patience: Duration) -> (std::process::ExitStatus, Plan) {
        self.signal("TERM").await;
        self.ended_within(patience).await
    }

    /// Waits for the end.
    pub async fn ended(self) -> (std::process::ExitStatus, Plan) {
        self.ended_within(PATIENCE).await
    }

    async fn ended_within(mut self, patience: Duration) -> (std::process::ExitStatus, Plan) {
        let status = tokio::time::timeout(patience, self.process.wait())
            .await
            .expect("the server ends in time")
            .expect("the process can be waited for");
        (status, self.plan)
    }

    /// Ends it at once, as a power cut would.
    pub async fn kill(mut self) -> Plan {
        self.process.kill().await.expect("the process can be killed");
        self.plan
    }

    /// Ends it, and its database with it, where it had one of its own on a server.
    pub async fn end(mut self) {
        self.process.kill().await.expect("the process can be killed");
    }
}
