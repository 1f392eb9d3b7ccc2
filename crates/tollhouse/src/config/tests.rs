//! Layers, sources, strangers and kinds.

use std::io::Write;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Reads a file and variables over the defaults of `serve`, with the two keys that have none.
fn read(text: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    let file = file(text);
    let mut all = variables(&[("TOLLHOUSE_DATABASE__URL", "sqlite:///d.db"), ("TOLLHOUSE_VAULT__ROOT_KEY_FILE", "root.key")]);
    all.extend(variables(pairs));
    let place = file.path().display().to_string();
    let read = Layers::load(Profile::Serve, Some(file.path()), all).and_then(Config::read);
    read.map_err(|error| error.to_string().replace(&place, "FILE"))
}

fn check(text: &str, pairs: &[(&str, &str)], expected: &str) {
    assert_eq!(read(text, pairs).map(|_| ()).unwrap_err(), expected, "{text} {pairs:?}");
}

#[test]
fn variables_win_over_the_file_and_the_file_over_defaults() {
    let text =
        "[server]\nlisten = \"0.0.0.0:1\"\nenvironment = \"live\"\n[outbound]\ntimeout_ms = 9_000\n[egress]\nallow = [\"127.0.0.0/8\"]\n";
    let config =
        read(text, &[("TOLLHOUSE_SERVER__LISTEN", "0.0.0.0:2"), ("TOLLHOUSE_EGRESS__ALLOW_HTTP", "true"), ("TOLLHOUSE_LOG", "x")]).unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:2".parse().unwrap());
    assert!(matches!(config.server.environment, Environment::Live));
    assert_eq!(config.outbound.timeout, Duration::from_millis(9000));
    assert_eq!(config.outbound.connect_timeout, Duration::from_millis(2000));
    assert_eq!(config.internal, Some("127.0.0.1:9464".parse().unwrap()));
    assert!(config.egress.allow_http && config.egress.allow.len() == 1 && !config.simulators.enabled);
    assert_eq!(config.database.migration, Migration::AtStart);
    assert!(config.refuse_card_numbers && config.session_retention_days == 400);
    let config = read("[sessions]\nrefuse_card_numbers = false\nretention_days = 30\n", &[]).unwrap();
    assert!(!config.refuse_card_numbers && config.session_retention_days == 30);
}

#[test]
fn a_proxy_is_masked_and_its_words_are_never_repeated() {
    assert!(read("", &[]).unwrap().egress.proxy.is_none());
    let pairs = [("TOLLHOUSE_EGRESS__PROXY", "http://user:canary@proxy.internal:3128")];
    assert!(!format!("{:?}", read("", &pairs).unwrap().egress.proxy.unwrap()).contains("canary"));
    let shown = Layers::load(Profile::Serve, None, variables(&pairs)).unwrap().show(Sources::Hidden);
    assert!(shown.contains("proxy = \"http://user:[secret]@proxy.internal:3128/\""), "{shown}");
    let mut held = tempfile::NamedTempFile::new().unwrap();
    writeln!(held, "http://user:canary@proxy.internal:3128").unwrap();
    assert!(read("", &[("TOLLHOUSE_EGRESS__PROXY_FILE", held.path().to_str().unwrap())]).unwrap().egress.proxy.is_some());
    for text in ["https://user:canary@proxy", "socks5://user:canary@proxy:1", "http://user:canary@proxy/canary"] {
        let error = read("", &[("TOLLHOUSE_EGRESS__PROXY", text)]).unwrap_err();
        assert!(error.starts_with("TOLLHOUSE_EGRESS__PROXY: `egress.proxy` must ") && !error.contains("canary"), "{error}");
    }
}

/// Row R30 for what the operator writes: what no call could be made of is refused at once. Addresses are the guard's business, at each start and at each call.
#[test]
fn r30_base_urls_that_are_none_stop_the_start() {
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/x",
        "ftp://api.example.com/",
        "ws://api.example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "//api.example.com/",
        "https://",
        "https://user@api.example.com/",
        "https://user:password@api.example.com/",
        "https://api.example.com@127.0.0.1/",
        "https://api.example.com/?query",
        "https://api.example.com/#fragment",
        "https://api.example.com:99999/",
        "https://[::1/",
        "https://1.2.3.4.5/",
        "https://256.0.0.1/",
        "https://0x100000000/",
    ] {
        let error = read("", &[("TOLLHOUSE_PROVIDERS__A__BASE_URL", url)]).unwrap_err();
        assert!(
            error.starts_with("TOLLHOUSE_PROVIDERS__A__BASE_URL: `providers.a.base_url` must be an http or https URL"),
            "{url}: {error}"
        );
    }
}

/// Row R33: there is nothing to switch off.
#[test]
fn r33_no_key_switches_the_verification_of_certificates_off() {
    for name in ["tls_verify", "verify", "insecure", "tls_insecure", "skip_verify", "danger_accept_invalid_certs"] {
        let error = read(&format!("[outbound]\n{name} = false\n"), &[]).unwrap_err();
        assert!(error.starts_with(&format!("FILE:2: unknown key `outbound.{name}`")), "{error}");
        let variable = format!("TOLLHOUSE_OUTBOUND__{}", name.to_uppercase());
        let error = read("", &[(&variable, "false")]).unwrap_err();
        assert!(error.contains(&format!("unknown variable `{variable}`")), "{error}");
    }
}

#[test]
fn lists_in_variables_have_commas_and_off_switches_the_internal_listener_off() {
    let pairs = [
        ("TOLLHOUSE_EGRESS__ALLOW", "127.0.0.0/8, ::1/128"),
        ("TOLLHOUSE_DEFINITIONS__DIRS", "a,b"),
        ("TOLLHOUSE_INTERNAL__LISTEN", "off"),
        ("TOLLHOUSE_SERVER__ENVIRONMENT", ""),
    ];
    let config = read("", &pairs).unwrap();
    assert_eq!(config.egress.allow.len(), 2);
    assert_eq!(config.definitions, [PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(config.internal, None);
    assert!(matches!(config.server.environment, Environment::Sandbox), "an empty variable counts as unset");
}

#[test]
fn zero_is_no_limit_and_the_default_limits_what_is_wrong_alone() {
    let config = read("", &[]).unwrap();
    let rates = |key_pair, merchant_account, failed_authentications| {
        let [key_pair, merchant_account, failed_authentications] =
            [key_pair, merchant_account, failed_authentications].map(NonZeroU32::new);
        Rates { key_pair, merchant_account, failed_authentications }
    };
    assert_eq!((config.limits, config.token_lifetime_max_seconds), (rates(0, 0, 50), None));
    let text = "[limits]\nkey_pair_per_second = 100\nfailed_authentications_per_second = 0\n[tokens]\nlifetime_max_seconds = 3600\n[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    let config = read(text, &[("TOLLHOUSE_LIMITS__MERCHANT_ACCOUNT_PER_SECOND", "1000000")]).unwrap();
    assert_eq!((config.limits, config.token_lifetime_max_seconds), (rates(100, 1_000_000, 0), Some(3600)));
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    check(
        "[limits]\nkey_pair_per_second = 1000001\n",
        &[],
        "FILE:2: `limits.key_pair_per_second` must be a whole number of requests per second from 1 to 1000000, or 0 for no limit",
    );
    check("[tokens]\nlifetime_max_seconds = \"1h\"\n", &[], "FILE:2: `tokens.lifetime_max_seconds` must be a whole number, without quotes");
    check(
        "",
        &[("TOLLHOUSE_TOKENS__LIFETIME_MAX_SECONDS", "-1")],
        "TOLLHOUSE_TOKENS__LIFETIME_MAX_SECONDS: `tokens.lifetime_max_seconds` must be a whole number of seconds from 1 to 3153600000, or 0 for no limit",
    );
}

#[test]
fn providers_are_found_in_both_forms() {
    let text = "[providers.north-pay]\nbase_url = \"http://127.0.0.1:1/a\"\n[providers.south]\nbase_url = \"http://127.0.0.1:1\"\n";
    let config = read(text, &[("TOLLHOUSE_PROVIDERS__NORTH_PAY__BASE_URL", "https://127.0.0.1:2")]).unwrap();
    let places: Vec<_> = config.providers.iter().map(|place| (place.id.as_str(), place.base.as_str())).collect();
    assert_eq!(places, [("north-pay", "https://127.0.0.1:2/"), ("south", "http://127.0.0.1:1/")]);
    let underscored = text.replace("north-pay", "north_pay");
    let config = read(&underscored, &[("TOLLHOUSE_PROVIDERS__NORTH_PAY__BASE_URL", "https://127.0.0.1:2")]).unwrap();
    assert_eq!((config.providers.len(), config.providers[0].base.as_str()), (2, "https://127.0.0.1:2/"), "the variable wins");
    check(
        "",
        &[("TOLLHOUSE_PROVIDERS__A__BASE_URL", "ftp://x")],
        "TOLLHOUSE_PROVIDERS__A__BASE_URL: `providers.a.base_url` must be an http or https URL without user, query or fragment, such as https://127.0.0.1:9000/prefix",
    );
    check("[providers.a]\nbase = \"x\"\n", &[], "FILE:2: unknown key `providers.a.base`: did you mean `providers.a.base_url`?");
}

#[test]
fn strangers_stop_the_start_with_the_nearest_name_and_the_line() {
    check("\n[server]\nlisen = \"0.0.0.0:1\"\n", &[], "FILE:3: unknown key `server.lisen`: did you mean `server.listen`?");
    check("[sever]\n", &[], "FILE:1: unknown key `sever`: did you mean `server`?");
    check("server.listen = \"0.0.0.0:1\"\nzebra = 1\n", &[], "FILE:2: unknown key `zebra`");
    check(
        "",
        &[("TOLLHOUSE_SERVER__LISTN", "x")],
        "TOLLHOUSE_SERVER__LISTN: unknown variable `TOLLHOUSE_SERVER__LISTN`: did you mean `TOLLHOUSE_SERVER__LISTEN`?",
    );
    check(
        "",
        &[("TOLLHOUSE_server__listen", "x")],
        "TOLLHOUSE_server__listen: unknown variable `TOLLHOUSE_server__listen`: did you mean `TOLLHOUSE_SERVER__LISTEN`?",
    );
    assert!(
        read("", &[("TOLLHOUSE_TEST_POSTGRES", "x"), ("OTHER__THING", "y")]).is_ok(),
        "only our variables with two underscores are configuration"
    );
}

#[test]
fn values_of_the_wrong_kind_are_named_with_their_place() {
    check("[server]\nlisten = 8080\n", &[], "FILE:2: `server.listen` must be text, in quotes");
    check("[outbound]\n\ntimeout_ms = \"4500\"\n", &[], "FILE:3: `outbound.timeout_ms` must be a whole number, without quotes");
    check("[outbound]\ntimeout_ms = 0\n", &[], "FILE:2: `outbound.timeout_ms` must be a whole number of milliseconds from 1 to 30000");
    for days in ["0", "-1", "36501"] {
        let expected = "FILE:2: `sessions.retention_days` must be a whole number of days from 1 to 36500";
        check(&format!("[sessions]\nretention_days = {days}\n"), &[], expected);
    }
    check(
        "",
        &[("TOLLHOUSE_SIMULATORS__ENABLED", "yes")],
        "TOLLHOUSE_SIMULATORS__ENABLED: `simulators.enabled` must be true or false, not `yes`",
    );
    check("", &[("TOLLHOUSE_SERVER__TLS_CERT_FILE", "c")], "`server.tls_cert_file` and `server.tls_key_file` must be set together");
    check("[server]\nlisten = \n", &[], "FILE:2: string values must be quoted, expected literal string");
    check("server = 1\n", &[], "FILE:1: `server` is a section: write [server] and its keys below");
    check(
        "",
        &[("TOLLHOUSE_DATABASE__URL", "mysql://root:hunter2@h")],
        "TOLLHOUSE_DATABASE__URL: `database.url` must begin with sqlite:// or postgres://",
    );
}

#[test]
fn one_layer_gives_a_key_one_value() {
    let secret = file("sqlite:///other.db");
    let path = secret.path().display().to_string();
    check(
        "",
        &[("TOLLHOUSE_DATABASE__URL_FILE", &path)],
        "TOLLHOUSE_DATABASE__URL_FILE: `database.url` is set twice, see TOLLHOUSE_DATABASE__URL",
    );
    let text = format!("[database]\nurl = \"sqlite:///d.db\"\nurl_file = \"{path}\"\n");
    check(&text, &[], "FILE:3: `database.url` is set twice, see FILE:2");
}

#[test]
fn all_problems_are_reported_together() {
    let error = Layers::load(Profile::Serve, None, variables(&[("TOLLHOUSE_A__B", "1")])).and_then(Config::read).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "TOLLHOUSE_A__B: unknown variable `TOLLHOUSE_A__B`",
            "`database.url` is not set: write it in the file or set TOLLHOUSE_DATABASE__URL",
            "`vault.root_key_file` is not set: write it in the file or set TOLLHOUSE_VAULT__ROOT_KEY_FILE",
        ]
    );
}

#[test]
fn secrets_are_read_from_files_and_shown_masked_with_their_source() {
    let secret = file("postgres://app:hunter2@db/toll?host=/run&password=hunter3\n");
    let secret_url = "postgres://app:hunter2@db/toll?host=/run&password=hunter3";
    let name = "TOLLHOUSE_DATABASE__URL_FILE";
    let path = secret.path().display().to_string();
    let mut layers = Layers::load(Profile::Serve, None, variables(&[(name, &path), ("TOLLHOUSE_VAULT__ROOT_KEY_FILE", "k")])).unwrap();
    layers.set("server.listen".into(), Raw::Text("127.0.0.1:0".into()), Source::Option("--listen"));
    let shown = layers.show(Sources::Shown);
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(
        shown.contains("url = \"postgres://app:[secret]@db/toll?host=/run&password=[secret]\"  # TOLLHOUSE_DATABASE__URL_FILE"),
        "{shown}"
    );
    assert!(shown.contains("listen = \"127.0.0.1:0\"  # --listen"), "{shown}");
    assert!(shown.contains("timeout_ms = 4500  # default"), "{shown}");
    assert!(shown.contains("# ca_file is not set"), "{shown}");
    assert!(layers.show(Sources::Hidden).parse::<toml::Table>().is_ok());
    assert_eq!(layers.get("database.url").unwrap().raw, Raw::Text(secret_url.into()), "without the line break");
    layers.set("database.url".into(), Raw::Text("sqlite://a/b.db".into()), Source::Default);
    assert!(layers.show(Sources::Hidden).contains("url = \"sqlite://a/b.db\""));
    layers.set("database.url".into(), Raw::Text("hunter2".into()), Source::Default);
    assert!(!layers.show(Sources::Hidden).contains("hunter"));
    layers.set("database.url".into(), Raw::Text(secret_url.into()), Source::Default);
    let config = Config::read(layers).unwrap();
    assert_eq!(config.database.url.expose_str(), Some(secret_url));
}

#[test]
fn a_base_url_that_is_refused_is_not_shown() {
    for text in
        ["https://app:hunter2@h/a", "https://hunter2@h", "https//app:hunter2@h", "https://h:99999/hunter2", "https://h/?key=hunter2"]
    {
        for name in ["TOLLHOUSE_PROVIDERS__A__BASE_URL", "TOLLHOUSE_PROVIDERS__A_B__BASE_URL"] {
            let layers = Layers::load(Profile::Serve, None, variables(&[(name, text)])).unwrap();
            let shown = layers.show(Sources::Shown);
            assert!(!shown.contains("hunter2") && shown.contains(&format!("base_url = \"[secret]\"  # {name}")), "{text}: {shown}");
            assert!(!Config::read(layers).unwrap_err().to_string().contains("hunter2"), "{text}");
        }
    }
    let table = file("[providers.a]\nbase_url = [\"https://app:hunter2@h\"]\n");
    let layers = Layers::load(Profile::Serve, Some(table.path()), variables(&[])).unwrap();
    assert!(!layers.show(Sources::Hidden).contains("hunter2"));
}

#[test]
fn dev_has_defaults_of_its_own() {
    let layers = Layers::load(Profile::Dev(Path::new("data")), None, variables(&[("TOLLHOUSE_DATABASE__URL", "postgres://h/d")])).unwrap();
    let shown = layers.show(Sources::Shown);
    assert!(shown.contains("root_key_file = \"data/root.key\"  # default of dev"), "{shown}");
    let config = Config::read(layers).unwrap();
    assert!(config.simulators.enabled && config.internal.is_none());
    assert_eq!(config.database.url.expose_str(), Some("postgres://h/d"));
}
