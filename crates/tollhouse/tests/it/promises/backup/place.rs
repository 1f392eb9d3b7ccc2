//! A configuration with a database of its own that no server runs on, for commands that work on the database.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use store::scratch::{ScratchDatabase, create_postgres};
use tempfile::TempDir;
use testkit::server::Plan;
use tokio::process::{Child, Command};

use crate::support::BINARY;

/// A directory with a configuration and a root key, and an empty database that it names.
pub(super) struct Place {
    directory: TempDir,
    url: String,
    postgres: Option<ScratchDatabase>,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// Exit code; -1 for a signal.
    pub(super) code: i32,
    /// Standard output.
    pub(super) out: String,
    /// Standard error.
    pub(super) words: String,
}

impl Place {
    /// One per engine, as the tests' plans are.
    #[expect(clippy::disallowed_methods, reason = "a test reads where its second database is")]
    pub(super) async fn on_each_engine() -> Vec<Self> {
        let mut places = vec![Self::sqlite()];
        if let Ok(server) = std::env::var("TOLLHOUSE_TEST_POSTGRES")
            && !server.is_empty()
        {
            let database = create_postgres(&server).await.unwrap();
            let mut place = Self::sqlite();
            place.url.clone_from(&database.url);
            place.postgres = Some(database);
            places.push(place);
        }
        places.iter().for_each(Self::configure);
        places
    }

    fn sqlite() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("tollhouse.db").display());
        Self { directory, url, postgres: None }
    }

    fn configure(&self) {
        let key = self.file("root.key").display().to_string();
        let text = format!(
            "[database]\nurl = \"{}\"\n[vault]\nroot_key_file = \"{key}\"\n[simulators]\nenabled = true\nlisten = \"127.0.0.1:0\"\n",
            self.url
        );
        std::fs::write(self.file("tollhouse.toml"), text).unwrap();
    }

    /// Takes the root key of an installation, in place of the one that is there.
    pub(super) fn adopt(&self, plan: &Plan) {
        std::fs::copy(plan.file("root.key"), self.file("root.key")).unwrap();
    }

    /// A file in the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The URL of the database.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How a server is started on it.
    pub(super) fn plan(&self) -> Plan {
        let key = self.file("root.key").display().to_string();
        Plan::sqlite(BINARY).with("TOLLHOUSE_DATABASE__URL", &self.url).with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", key)
    }

    /// Begins a command with the configuration.
    pub(super) fn begin(&self, arguments: &[&str]) -> Child {
        let config = self.file("tollhouse.toml").display().to_string();
        self.spawn(&[arguments, &["--config", &config]].concat())
    }

    /// Runs a command with the configuration.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.begin(arguments)).await
    }

    /// Runs a command without it.
    pub(super) async fn run_alone(&self, arguments: &[&str]) -> Ran {
        ended(self.spawn(arguments)).await
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(BINARY);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("TOLLHOUSE_"))) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().unwrap()
    }
}

impl Drop for Place {
    /// A test that fails leaves no database behind either.
    fn drop(&mut self) {
        let Some(database) = self.postgres.take() else { return };
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(database.drop()).unwrap();
        });
        dropping.join().unwrap();
    }
}

/// Waits for the end of a command.
pub(super) async fn ended(process: Child) -> Ran {
    let output = tokio::time::timeout(Duration::from_secs(120), process.wait_with_output()).await.expect("the command ends").unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        words: String::from_utf8(output.stderr).unwrap(),
    }
}
