"""What the benchmarks share: processes on cores, what they cost, the stand-ins, and a Tollhouse to measure.

Loopback only. Linux only: the costs are read from /proc.
"""
import contextlib, json, os, platform, shutil, signal, socket, subprocess, sys, time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
PATH_OF_PEERS = "/payment-services/bench/sessions"
UPSTREAM_PATH = "/sessions"
# An Adyen request and the answer to it, in the shape that their page documents. A stub answers, in Adyen's place.
BODY = json.dumps({
    "amount": {"currency": "EUR", "value": 1299}, "reference": "order-1047", "countryCode": "NL", "shopperLocale": "nl-NL",
    "returnUrl": "https://shop.example/return", "lineItems": [{"id": "A-1", "description": "Mug", "quantity": 2, "amountIncludingTax": 499}],
}, separators=(",", ":"))
ANSWER = json.dumps({
    "id": "CS0123456789ABCDEF", "sessionData": "Ab02b4c0!" + "BQABAgCJN1wRZuGJmq8dMncmypvknj9s7l5Tj5a9" * 3,
    "expiresAt": "2026-12-01T12:00:00+01:00", "amount": {"currency": "EUR", "value": 1299}, "merchantAccount": "BenchECOM",
    "reference": "order-1047", "returnUrl": "https://shop.example/return",
}, separators=(",", ":"))


# === processes ===

class Processes:
    """Everything that was started, to be ended with the benchmark."""

    def __init__(self, logs: Path):
        self.logs, self.started = logs, []

    def start(self, name, cores, cmd, env=None):
        with open(self.logs / f"{name}.log", "ab") as log:
            process = subprocess.Popen(["taskset", "-c", str(cores), *map(str, cmd)], env={**os.environ, **(env or {})}, stdout=log, stderr=log)
        self.started.append(process)
        return process.pid

    def stop(self, pid=None):
        ending = [p for p in self.started if pid in (None, p.pid)]
        for process in reversed(ending):
            for each in reversed(tree(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGTERM)
        for process in ending:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
            self.started.remove(process)


def tree(pid):
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):
                todo += [int(child) for child in Path(f"/proc/{each}/task/{task}/children").read_text().split()]
    return found


def cpu_seconds(pid):
    """User and system time of a process and everything below it."""
    ticks = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def postgres_cpu_seconds():
    """User and system time of every PostgreSQL process of the machine. Processes that have ended are missing, so connections must outlive the interval."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                name, fields = Path(f"/proc/{entry}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
                if name.startswith("postgres"):
                    total += sum(map(int, fields.split()[11:13]))
    return total / TICK


class Postgres:
    """A PostgreSQL server where databases may be made, asked through psql."""

    def __init__(self, url):
        self.url, self.made = url, {}

    def ask(self, sql, url=None):
        return subprocess.run(["psql", url or self.url, "-qtAc", sql], check=True, capture_output=True, text=True).stdout.strip()

    def new_database(self, name):
        database = f"tollhouse_bench_{os.getpid()}_{name}"
        self.ask(f"create database {database}")
        self.made[name] = self.url.rsplit("/", 1)[0] + "/" + database
        return self.made[name]

    def wal_bytes(self):
        """How much the server has written to its log since it was set up."""
        return int(self.ask("select pg_current_wal_lsn() - '0/0'"))

    def kept(self, name):
        """Records of sessions in a database, and the bytes of their table and indexes."""
        rows, size = self.ask("select count(*), pg_total_relation_size('session_records') from session_records", self.made[name]).split("|")
        return int(rows), int(size)

    def drop(self):
        for url in self.made.values():
            self.ask(f"drop database {url.rsplit('/', 1)[1]} with (force)")


def pss_kb(pid):
    """Memory of a process and everything below it; what is shared counts in proportion."""
    kilobytes = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(port, seconds=30):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return time.monotonic() - began
        except OSError:
            time.sleep(0.001)
    raise SystemExit(f"nothing listens on port {port}")


def need(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}. The benchmark needs nginx, node with npm, cargo, taskset (util-linux) and openssl.")


# === what is built, once ===

def build(peer):
    """Builds the load generator, the bare pipeline, the server, and the Node peer if it is asked for. Answers where the binaries of this folder are."""
    target = Path(os.environ.get("BENCH_TARGET_DIR", HERE / "target"))
    for crate in ("loadgen", "bare"):
        subprocess.run(["cargo", "build", "--release", "--quiet", "--locked"], cwd=HERE / crate, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    modules = HERE / "peer-node/node_modules"
    addon = "better-sqlite3/build/Release/*.node"
    if peer and not list(modules.glob(addon)):
        # better-sqlite3 fetches a prebuilt binary where it can; else it is compiled against the headers beside node, about two minutes.
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE / "peer-node", check=False)
        if not list(modules.glob(addon)):
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=HERE / "peer-node", check=True)
            headers = Path(shutil.which("node")).resolve().parent.parent
            subprocess.run(["npx", "--yes", "node-gyp", "rebuild", "--release", f"--nodedir={headers}"], cwd=modules / "better-sqlite3", check=True)
    return target / "release"


def tollhouse_binary():
    """The server: `TOLLHOUSE_BIN`, or a release build of this repository."""
    if "TOLLHOUSE_BIN" in os.environ:
        return Path(os.environ["TOLLHOUSE_BIN"]).resolve()
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "tollhouse"], cwd=HERE.parent, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")).resolve() / "release/tollhouse"


# === the payment service's place ===

@dataclass
class Upstream:
    """A stub that answers every request at once, over TLS."""
    url: str
    ca: Path


def start_nginx(processes, directory, role, cores, http):
    place = directory / f"nginx-{role}"
    place.mkdir(exist_ok=True)
    (place / "nginx.conf").write_text((HERE / "nginx.conf.in").read_text().replace("@DIR@", str(place)).replace("@HTTP@", http))
    return processes.start(f"nginx-{role}", cores, ["nginx", "-p", place, "-c", place / "nginx.conf"])


def certificate(directory):
    ca = directory / "ca.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", directory / "stub.key", "-out", ca], check=True, capture_output=True)
    return ca


def start_stub(processes, directory, cores, answer=ANSWER):
    ca, port = certificate(directory), free_port()
    start_nginx(processes, directory, "stub", cores,
                f"server {{ listen 127.0.0.1:{port} ssl http2 backlog=4096; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {ca}; ssl_certificate_key {directory}/stub.key; "
                f"location / {{ default_type application/json; return 201 '{answer}'; }} }}\n")
    wait_for_port(port)
    return Upstream(f"https://localhost:{port}", ca)


def start_slow_stub(processes, directory, cores, binary, delay_ms):
    """A stub that reads the whole body and waits before it answers, over TLS; one of `bare`'s modes."""
    port = free_port()
    ca = directory / "ca.pem"
    if not ca.exists():
        certificate(directory)
    pid = processes.start(f"stub-{delay_ms}", cores, [binary / "bare"],
                          dict(MODE="stub", PORT=str(port), DELAY_MS=str(delay_ms), ANSWER=ANSWER, TLS_CERT=str(ca), TLS_KEY=str(directory / "stub.key")))
    wait_for_port(port)
    return Upstream(f"https://localhost:{port}", ca), pid


def make_tokens(directory, count):
    """A key pair and tokens like those of the official SDKs: each one different."""
    subprocess.run(["node", HERE / "tokens.mjs", directory, str(count)], check=True)
    (directory / "body.json").write_text(BODY)
    tokens = directory / "tokens.txt"
    one = directory / "one-token.txt"
    one.write_text(tokens.read_text().split("\n", 1)[0] + "\n")
    return tokens, one


# === load ===

def load(binary, directory, core, system, *, conns, secs, rate=0, warm=0, body=None, skip=0, vary=""):
    """Runs the load generator against a system; answers what it counted."""
    cmd = ["taskset", "-c", str(core), binary / "loadgen", "--addr", system.addr, "--path", system.path, "--tokens", system.tokens,
           "--body", body or directory / "body.json", "--conns", str(conns), "--secs", str(secs), "--rate", str(rate),
           "--warm", str(warm), "--expect", system.expect, "--skip", str(skip), "--vary", vary]
    for header in system.headers:
        cmd += ["--header", header]
    ran = subprocess.run(list(map(str, cmd)), capture_output=True, text=True)
    if ran.returncode:
        print(f"  ! {system.name}: {ran.stderr.strip()[:600]}", file=sys.stderr)
    if not ran.stdout.strip():
        raise SystemExit(f"the load generator ended without a count: {ran.stderr.strip()[:600]}")
    return json.loads(ran.stdout)


def bad(counted):
    """How many requests were not answered as they should be."""
    return counted["errors"] + counted["non2xx"] + counted["wrong"]


@dataclass
class System:
    """Something that is measured."""
    name: str
    addr: str
    path: str
    tokens: Path
    pid: int
    expect: str = '"succeeded"'
    headers: list = field(default_factory=list)
    start_ms: float | None = None
    sent: int = 0


# === Tollhouse ===

@dataclass
class Tollhouse:
    """An instance as it ships: real TLS, sealed credentials, audit log, durable records, default log level."""
    binary: Path
    directory: Path
    processes: Processes
    upstream: Upstream
    database: str
    environment: dict = field(default_factory=dict)
    pid: int = 0
    port: int = 0
    internal: int = 0

    def settings(self):
        return {
            "TOLLHOUSE_DATABASE__URL": self.database,
            "TOLLHOUSE_VAULT__ROOT_KEY_FILE": str(self.directory / "root.key"),
            "TOLLHOUSE_EGRESS__ALLOW": "127.0.0.0/8",
            "TOLLHOUSE_OUTBOUND__CA_FILE": str(self.upstream.ca),
            "TOLLHOUSE_PROVIDERS__ADYEN__BASE_URL": self.upstream.url,
            **self.environment,
        }

    def run(self, *arguments):
        environment = {**os.environ, **self.settings(), "TOLLHOUSE_URL": f"http://127.0.0.1:{self.port}", "TOLLHOUSE_LOG": "warn"}
        ran = subprocess.run([self.binary, *map(str, arguments)], env=environment, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"tollhouse {arguments[0]}: {ran.stderr.strip()}")
        return ran.stdout

    def prepare(self, keys):
        """An empty database becomes one with the key pair of the benchmark."""
        self.directory.mkdir(exist_ok=True)
        self.run("init", "--public-key", keys / "pub.pem")

    def start(self, name, cores):
        """Starts the server; answers milliseconds until it listens."""
        self.port, self.internal = free_port(), free_port()
        began = time.monotonic()
        self.pid = self.processes.start(name, cores, [self.binary, "serve"], {
            **self.settings(), "TOLLHOUSE_SERVER__LISTEN": f"127.0.0.1:{self.port}", "TOLLHOUSE_INTERNAL__LISTEN": f"127.0.0.1:{self.internal}"})
        wait_for_port(self.port)
        return (time.monotonic() - began) * 1000

    def add_service(self, keys, name="Benchmark"):
        body = {"payment_service_definition_id": "adyen-ideal", "display_name": name, "accepted_currencies": ["EUR"], "accepted_countries": ["NL"],
                "fields": [{"key": "api_key", "value": "AQE_0123456789abcdef0123456789abcdef"}, {"key": "merchant_account", "value": "BenchECOM"},
                           {"key": "mode", "value": "sandbox"}]}
        answer = json.loads(self.run("payment-services", "create", "--key-file", keys / "key.pem", "--merchant-account", "default", "--json", "--data", json.dumps(body)))
        return answer["id"]

    def system(self, name, service, tokens, start_ms=None):
        return System(name, f"127.0.0.1:{self.port}", f"/payment-services/{service}/sessions", tokens, self.pid,
                      headers=["x-gr4vy-merchant-account-id: default"], start_ms=start_ms)


# === the machine ===

def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "unknown")
    return dict(cpu=cpu, cores=os.cpu_count(), kernel=platform.release(), when=time.strftime("%Y-%m-%d"))
