#!/usr/bin/env python3
"""How the cost of a session grows with what surrounds it: one table per question.

  services     payment services that are configured, each in a merchant account of its own
  connections  clients that ask at the same time
  bodies       bytes of the request, in one long member and in many small ones
  upstreams    milliseconds that the payment service takes, with a thousand sessions in flight
  records      session records that the database already holds

Every cell is an instance of its own on SQLite, pinned to the server's core; load and stub share the other one. Each
round measures every cell once, in rotated order, beside `bare` under the same load, so that what the machine does to
one it does to both: `x bare` and `x first` (the first line of the table) are ratios inside a round, and the medians of
the rounds. PSS is read while the load runs.

  growth.py                                        everything, three rounds of four seconds
  growth.py --tables services,records --json FILE
  growth.py --rounds 1 --secs 1 --records 0,100000   a quick look

The rows of `services` and `records` go straight into the database file. Ten million records need 8 GB free in
`--directory` and a few minutes to be written.

Needs Linux, python3, node, cargo, nginx, taskset (util-linux) and openssl.
"""
import argparse, hashlib, http.client, json, os, random, resource, shutil, signal, sqlite3, statistics, subprocess, sys, tempfile, threading, time, uuid
from dataclasses import dataclass, field
from pathlib import Path

import harness
from harness import PATH_OF_PEERS, UPSTREAM_PATH, System, Tollhouse

KIB = 1024
# Connections where a table is not about them, as in bench.py.
CONNS = 32
# Under the 1,024 sessions that one payment service may have in flight.
IN_FLIGHT = 1000
BODY_SIZES = [100, KIB, 10 * KIB, 100 * KIB, KIB * KIB - KIB]
# More sessions per second than one core makes; so many tokens are needed, since a token that was seen is not verified again.
RATE_MAX = 4000
# What a record takes on disk with its indexes, rounded up.
RECORD_BYTES = 700
DAY_MS = 24 * 60 * 60 * 1000
# What stands in a body where the load generator puts another number into each request.
VARIED = "0" * 10
# Where Adyen's definition lets credentials go. They are sealed with it.
TRUST = "-checkout-live.adyenpayments.com,checkout-test.adyen.com"


def options():
    numbers = lambda text: [int(each) for each in text.split(",")]
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=4, help="length of each measurement")
    parser.add_argument("--settle", type=float, default=1, help="length of the load before each measurement, so that connections to the stub are there")
    parser.add_argument("--services", type=numbers, default=[1, 100, 10_000])
    parser.add_argument("--connections", type=numbers, default=[1, 10, 100, 1000])
    parser.add_argument("--delays", type=numbers, default=[0, 50, 200, 1000], help="milliseconds")
    parser.add_argument("--records", type=numbers, default=[0, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--core", type=int, default=0, help="the core of the server")
    parser.add_argument("--load-core", type=int, default=1, help="the core of load generator and stub")
    parser.add_argument("--directory", type=Path, help="where databases and logs go; what is made in it is removed at the end")
    parser.add_argument("--json", type=Path, help="file for every sample")
    chosen = parser.parse_args()
    chosen.tables = chosen.tables.split(",")
    unknown = set(chosen.tables) - set(TABLES)
    if unknown:
        parser.error(f"no table is called {', '.join(sorted(unknown))}")
    return chosen


@dataclass
class Cell:
    """One line of a table, or the `bare` that lines are compared with."""
    label: str
    system: System
    base: "Cell | None" = None
    conns: int = CONNS
    body: Path | None = None
    # What the payment service takes by itself; latencies are given above it.
    delay_ms: int = 0
    vary: str = ""
    # Measured once, when the cell was made.
    facts: dict = field(default_factory=dict)
    # Measured after the load of each round: a name and a function.
    after: tuple | None = None


@dataclass
class Table:
    name: str
    title: str
    why: str
    cells: list


# === a run ===

class Run:
    """What all tables share, and the measuring of one of them."""

    def __init__(self, chosen, directory):
        self.chosen, self.directory = chosen, directory
        self.processes = harness.Processes(directory)
        harness.need("nginx", "taskset", "openssl", "node", "cargo")
        self.built = harness.build(peer=False)
        self.binary = harness.tollhouse_binary()
        os.sched_setaffinity(0, {chosen.load_core})
        self.tokens, _ = harness.make_tokens(directory, int(RATE_MAX * chosen.rounds * (chosen.secs + chosen.settle)))
        self.token_count = len(self.tokens.read_text().split())
        self.token = self.tokens.read_text().split("\n", 1)[0]
        # nginx makes every answer's id another one, as payment services do.
        self.upstream = harness.start_stub(self.processes, directory, chosen.load_core, harness.ANSWER.replace("CS0123456789ABCDEF", "CS$request_id"))

    def instance(self, name, upstream=None):
        directory = self.directory / name
        return Tollhouse(self.binary, directory, self.processes, upstream or self.upstream, f"sqlite://{directory}/tollhouse.db")

    def fresh(self, name, upstream=None):
        """A new instance with one payment service, running."""
        instance = self.instance(name, upstream)
        # The server keeps no data where others could read it.
        instance.directory.mkdir(mode=0o700)
        instance.prepare(self.directory)
        instance.start(name, self.chosen.core)
        return instance, instance.add_service(self.directory)

    def start_often(self, instance, name, service):
        """Starts an instance that does not run, once per round, and leaves it running; answers the medians of the milliseconds until it listened and until it answered."""
        listening, answering = [], []
        for turn in range(self.chosen.rounds):
            if turn:
                self.processes.stop(instance.pid)
            began = time.monotonic()
            listening.append(instance.start(name, self.chosen.core))
            # The port is taken before the configuration is read, so that a connection says nothing about whether that has been done.
            self.ask(instance, "GET", f"/payment-services/{service}")
            answering.append((time.monotonic() - began) * 1000)
        return dict(start_ms=statistics.median(listening), ready_ms=statistics.median(answering))

    def ask(self, instance, method, path, body=None):
        """One request of the API, which must succeed; answers the milliseconds that it took."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json", "x-gr4vy-merchant-account-id": "default"}
        connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=60)
        began = time.monotonic()
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        took = (time.monotonic() - began) * 1000
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return took

    def bare(self, name, upstream=None, **load):
        upstream, port = upstream or self.upstream, harness.free_port()
        pid = self.processes.start(name, self.chosen.core, [self.built / "bare"], dict(
            UPSTREAM=upstream.url + UPSTREAM_PATH, PUB_HEX=str(self.directory / "pub.hex"), CA=str(upstream.ca), PORT=str(port),
            DB=str(self.directory / f"{name}.db"), SYNC="full"))
        harness.wait_for_port(port)
        return Cell(name, System(name, f"127.0.0.1:{port}", PATH_OF_PEERS, self.tokens, pid), **load)

    def slow_stub(self, delay_ms):
        return harness.start_slow_stub(self.processes, self.directory, self.chosen.load_core, self.built, delay_ms)[0]

    # --- measuring ---

    def measure(self, table):
        """The rows of all rounds."""
        cells = [*{id(cell.base): cell.base for cell in table.cells if cell.base}.values(), *table.cells]
        rows = []
        for turn in range(self.chosen.rounds):
            # Whoever comes first in one round does not in the next.
            for cell in cells[turn % len(cells):] + cells[: turn % len(cells)]:
                row = self.once(cell, turn)
                rows.append(row)
                print(f"  {table.name} round {turn} {row['cell']:24}{row['rps']:9.0f}/s {row['cpu_us']:9.1f} CPU-us  util {row['util'] * 100:4.0f} %  bad {row['bad']}",
                      file=sys.stderr)
        return rows

    def once(self, cell, turn):
        secs, pid, memory = self.chosen.secs, cell.system.pid, []
        if self.chosen.settle:
            self.load(cell, self.chosen.settle)
        timer = threading.Timer(secs * 0.7, lambda: memory.append(harness.pss_kb(pid) / KIB))
        timer.start()
        before, overflows = harness.cpu_seconds(pid), listen_overflows()
        counted = self.load(cell, secs)
        spent, overflows = harness.cpu_seconds(pid) - before, listen_overflows() - overflows
        timer.join()
        row = dict(cell=cell.label, round=turn, rps=counted["rps"], cpu_us=spent * 1e6 / max(1, counted["count"]), count=counted["count"], util=spent / secs,
                   p50_ms=counted["p50"] / 1e3 - cell.delay_ms, p99_ms=counted["p99"] / 1e3 - cell.delay_ms, pss_mb=memory[0], overflows=overflows,
                   bad=harness.bad(counted))
        if cell.after:
            name, look = cell.after
            row[name] = look()
        return row

    def load(self, cell, secs):
        system = cell.system
        counted = harness.load(self.built, self.directory, self.chosen.load_core, system, conns=cell.conns, secs=secs, body=cell.body, skip=system.sent, vary=cell.vary)
        system.sent += counted["count"] + cell.conns
        if system.sent > self.token_count:
            print(f"  ! {system.name}: tokens were sent twice", file=sys.stderr)
        return counted


def listen_overflows():
    """Packets of the machine that were dropped since a listener had no room for another connection. Each costs a client a second or more."""
    names, values = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines() if line.startswith("TcpExt:")]
    return int(values[names.index("ListenOverflows")])


# === services ===

def services(run):
    base, cells = run.bare("bare"), []
    for count in run.chosen.services:
        name = f"services-{count}"
        instance, service = run.fresh(name)
        run.processes.stop(instance.pid)
        add_services(instance, count - 1)
        facts = dict(**run.start_often(instance, name, service), idle_mb=harness.pss_kb(instance.pid) / KIB)
        change = lambda instance=instance, path=f"/payment-services/{service}": run.ask(instance, "PUT", path, {"display_name": f"Benchmark {time.monotonic()}"})
        cells.append(Cell(f"{count:,} services", instance.system(name, service, run.tokens), base, facts=facts, after=("change_ms", change)))
    return Table("services", "payment services, each in a merchant account of its own, one of them asked",
                 "A session reads nothing of the configuration from the database: all of it is in memory, found by hash, so its cost does not grow. Start and memory "
                 "do, since every data key is unwrapped and every credential opened and checked at the start, and so does a change of the configuration, after which all of it is read again.",
                 cells)


# Seals data keys and credentials as the server does, so that ten thousand services are there in seconds and open like any other. It opens a value of the server's first: should the server seal in another way some day, this says so.
SEAL = r"""
const crypto = require('node:crypto');
const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const aad = (...parts) => Buffer.concat(parts.flatMap((part) => {
  const bytes = typeof part === 'number' ? Buffer.alloc(8) : Buffer.from(part), length = Buffer.alloc(8);
  if (typeof part === 'number') bytes.writeBigUInt64BE(BigInt(part));
  length.writeBigUInt64BE(BigInt(bytes.length));
  return [length, bytes];
}));
const open = (key, place, sealed) => {
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(place).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
};
const seal = (key, place, value) => {
  const nonce = crypto.randomBytes(12), cipher = crypto.createCipheriv('aes-256-gcm', key, nonce).setAAD(place);
  return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
};
const placeOfKey = (account) => aad('data_keys', 'wrapped', account, account, 1, '');
const placeOfField = (account, service, field) => aad('payment_service_fields', `credentials.${field}`, service, account, 1, input.trust);
const root = Buffer.from(input.root, 'base64'), { real } = input;
const realKey = open(root, placeOfKey(real.account), Buffer.from(real.wrapped, 'hex'));
const values = Object.entries(real.fields).map(([field, sealed]) => [field, open(realKey, placeOfField(real.account, real.service, field), Buffer.from(sealed, 'hex'))]);
process.stdout.write(JSON.stringify(input.services.map(({ account, service }) => {
  const key = crypto.randomBytes(32);
  const fields = Object.fromEntries(values.map(([field, value]) => [field, seal(key, placeOfField(account, service, field), value).toString('hex')]));
  return { account, service, wrapped: seal(root, placeOfKey(account), key).toString('hex'), fields };
})));
"""


def add_services(instance, count):
    """Merchant accounts with a data key and a payment service each, beside the one of the database of an instance that does not run."""
    if count <= 0:
        return
    database = sqlite3.connect(instance.directory / "tollhouse.db")
    database.row_factory = sqlite3.Row
    [service] = database.execute("SELECT * FROM payment_services").fetchall()
    [data_key] = database.execute("SELECT * FROM data_keys").fetchall()
    [account] = database.execute("SELECT * FROM merchant_accounts").fetchall()
    fields = database.execute("SELECT * FROM payment_service_fields").fetchall()
    real = dict(account=account["id"], service=str(uuid.UUID(bytes=service["id"])), wrapped=data_key["wrapped"].hex(),
                fields={each["field_key"]: each["sealed"].hex() for each in fields})
    wanted = [dict(account=f"merchant-{number:05}", service=str(uuid.uuid4())) for number in range(count)]
    asked = dict(root=(instance.directory / "root.key").read_text(), trust=TRUST, real=real, services=wanted)
    ran = subprocess.run(["node", "-e", SEAL], input=json.dumps(asked), capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"the services could not be sealed; does the server seal in another way now? {ran.stderr[-600:]}")
    made = json.loads(ran.stdout)
    blob = lambda each: uuid.UUID(each["service"]).bytes
    copies(database, "merchant_accounts", account, [dict(id=each["account"], display_name=each["account"]) for each in made])
    copies(database, "data_keys", data_key, [dict(merchant_account_id=each["account"], wrapped=bytes.fromhex(each["wrapped"])) for each in made])
    copies(database, "payment_services", service, [dict(id=blob(each), merchant_account_id=each["account"]) for each in made])
    for one in fields:
        copies(database, "payment_service_fields", one, [
            dict(payment_service_id=blob(each), merchant_account_id=each["account"], sealed=bytes.fromhex(each["fields"][one["field_key"]])) for each in made])
    database.commit()
    database.close()


def copies(database, table, row, changes):
    """Copies of a row, each with its own values in some columns."""
    columns = row.keys()
    database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                         ([change.get(column, row[column]) for column in columns] for change in changes))


# === connections ===

def connections(run):
    cells = []
    for count in run.chosen.connections:
        name = f"connections-{count}"
        instance, service = run.fresh(name)
        cells.append(Cell(f"{count:,} connections", instance.system(name, service, run.tokens), run.bare(f"bare-{name}", conns=count), conns=count))
    return Table("connections", "clients that ask as fast as they are answered, each on a connection of its own",
                 "A session alone pays for its own commit and wake-ups; sessions that come together share them, so the cost falls until a commit holds a full batch. From "
                 "there on the core is busy and each further connection waits in line: latency grows in proportion, CPU time does not. Memory grows by the buffers of the connections and the sessions in flight.",
                 cells)


# === bodies ===

def bodies(run):
    cells, upstream = [], run.slow_stub(0)
    for size in BODY_SIZES:
        for shape, text in shapes(size):
            name = f"bodies-{size}-{shape}"
            body = run.directory / f"{name}.json"
            body.write_text(text)
            instance, service = run.fresh(name, upstream)
            label = f"{size:,} B, {'one long member' if shape == 'long' else 'line items'}"
            cells.append(Cell(label, instance.system(name, service, run.tokens), run.bare(f"bare-{name}", upstream, body=body), body=body))
    return Table("bodies", "request bodies, in one long member and in many small ones, against a stub that reads them",
                 "Every byte is received, parsed, looked through for card numbers, written into the request of the payment service, encrypted and sent, so the cost grows in proportion "
                 "to the length once that outweighs the fixed part. Many small members cost more per byte than a long one, since each is a token of the JSON.", cells)


def shapes(size):
    """Valid bodies of exactly this many bytes. A hundred bytes have no room for line items."""
    head = '{"amount":{"currency":"EUR","value":1299},"reference":"order-1047","countryCode":"NL"'
    long = f'{head},"note":"'
    text = "Mugs and saucers, packed with care. "
    found = [("long", long + (text * (size // len(text) + 1))[: size - len(long) - 2] + '"}')]
    if size >= KIB:
        items, item = f'{head},"lineItems":[', lambda number, filling: f'{{"id":"A-{number:05}","description":"Mug{filling}","quantity":2,"amountIncludingTax":499}}'
        per_item = len(item(0, "")) + 1
        # The last item makes up what is missing to the size.
        count, missing = divmod(size - len(items) - 2 + 1, per_item)
        found.append(("items", items + ",".join(item(number, "s" * missing if number == count - 1 else "") for number in range(count)) + "]}"))
    for _, body in found:
        json.loads(body)
        assert len(body) == size, (len(body), size)
    return found


# === upstreams ===

def upstreams(run):
    cells = []
    for delay in run.chosen.delays:
        name, upstream = f"upstreams-{delay}", run.slow_stub(delay)
        instance, service = run.fresh(name, upstream)
        load = dict(conns=IN_FLIGHT, delay_ms=delay)
        cells.append(Cell(f"{delay:,} ms", instance.system(name, service, run.tokens), run.bare(f"bare-{name}", upstream, **load), **load))
    return Table("upstreams", f"what the payment service takes, with {IN_FLIGHT:,} sessions in flight; latencies are those above it",
                 "A session that waits is a task and a stream of a connection that others use too: it holds memory and no thread. As long as the core is the limit, neither cost nor rate "
                 "depends on the delay, and what the payment service takes is taken off the wait in line; where the delay is the limit, the rate is the sessions in flight over the delay, and they commit in smaller batches.",
                 cells)


# === records ===

def records(run):
    counts = sorted(run.chosen.records)
    free = shutil.disk_usage(run.directory).free
    needed = sum(counts) * RECORD_BYTES
    if free < needed:
        raise SystemExit(f"{run.directory} has {free / 1e9:.0f} GB free, and the records need up to {needed / 1e9:.0f}: choose a --directory, or fewer --records")
    instance, service = run.fresh("records")
    run.processes.stop(instance.pid)
    body = run.directory / "varied.json"
    body.write_text(harness.BODY.replace("order-1047", f"order-{VARIED}"))
    base, cells, filled = run.bare("bare-records", body=body, vary=VARIED), [], 0
    # All of them at one pace, within the retention of 400 days.
    step_ms = 389 * DAY_MS // max(1, *counts)
    directories = []
    # One file grows; a copy of it stays at each size, and the last one is the file itself.
    for count in counts:
        fill(instance.directory / "tollhouse.db", filled, count, step_ms)
        filled = count
        directory = run.directory / f"records-{count}"
        if count == counts[-1]:
            instance.directory.rename(directory)
        else:
            shutil.copytree(instance.directory, directory)
        directories.append((count, directory))
    # What is still to be written out must not be written out while something is measured.
    os.sync()
    for count, directory in directories:
        name = directory.name
        of_count = run.instance(name)
        size_mb = (directory / "tollhouse.db").stat().st_size / 1e6
        facts = dict(**run.start_often(of_count, name, service), file_mb=size_mb)
        cells.append(Cell(f"{count:,} records", of_count.system(name, service, run.tokens), base, body=body, vary=VARIED, facts=facts))
    return Table("records", "session records in the database when the load begins; references and ids differ from session to session",
                 "A session reads no old records, and neither does a start. Records come in the order of their ids, so the table and its indexes on time and request grow at their ends; those on "
                 "reference and on the payment service's id are hit at random, and the larger they are, the fewer of their pages are at hand and the more of them a commit writes.", cells)


def uuid7(ms):
    """An id of a moment."""
    tail = random.getrandbits(74)
    return (ms << 80 | 7 << 76 | (tail >> 62) << 64 | 2 << 62 | tail & (1 << 62) - 1).to_bytes(16, "big")


# Plausible values in all columns. One session in fifty fails, and only what failed has codes. `n` counts from 1 over all steps.
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT :from + 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :to),
sessions AS (SELECT n, CAST(:began_ms + n * :step_ms AS INTEGER) AS ms, n % 50 = 0 AS failed FROM numbers)
INSERT INTO session_records
    (id, merchant_account_id, request_id, payment_service_id, definition_id, definition_hash, api_key_pair_id, status, code, status_code, delivered, amount, currency,
     country, reference, service_session_id, support_id, service_code, duration_ms, service_duration_ms, created_at)
SELECT uuid7(ms), s.merchant_account_id, request_id(ms), s.id, s.definition_id, :definition_hash, k.id,
    CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, CASE WHEN failed THEN 'INVALID_SERVICE_REQUEST' END, CASE WHEN failed THEN 422 ELSE 201 END, 'yes',
    100 + abs(random()) % 50000, 'EUR', 'NL', 'order-' || printf('%010d', abs(random()) % 10000000000), CASE WHEN NOT failed THEN 'CS' || lower(hex(randomblob(16))) END,
    CASE WHEN failed THEN hex(randomblob(8)) END, CASE WHEN failed THEN '130' END, 80 + abs(random()) % 400, 75 + abs(random()) % 390, ms * 1000
FROM sessions, payment_services s, api_key_pairs k
"""
FILL_ROWS = 500_000


def fill(path, begin, end, step_ms):
    """Session records up to a number, the same way as if they had come one after the other: the indexes are not built afterwards, since those would be fuller than any that grew."""
    if begin == end:
        return
    database = sqlite3.connect(path, isolation_level=None)
    database.create_function("uuid7", 1, uuid7)
    # The ids of requests are of the same kind, as text.
    database.create_function("request_id", 1, lambda ms: str(uuid.UUID(bytes=uuid7(ms))))
    # Without a journal: a file of which half is missing is made again.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4000000", "temp_store = MEMORY", "locking_mode = EXCLUSIVE"):
        database.execute(f"PRAGMA {pragma}").fetchall()
    began_ms = int(time.time() * 1000) - 390 * DAY_MS
    began = time.monotonic()
    for first in range(begin, end, FILL_ROWS):
        database.execute(FILL, {"from": first, "to": min(end, first + FILL_ROWS), "began_ms": began_ms, "step_ms": step_ms, "definition_hash": DEFINITION_HASH})
    database.execute("PRAGMA locking_mode = NORMAL").fetchall()
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.close()
    print(f"  records: {begin:,} to {end:,} in {time.monotonic() - began:.0f} s", file=sys.stderr)


DEFINITION_HASH = hashlib.sha256((harness.HERE.parent / "definitions/adyen.toml").read_bytes()).hexdigest()[:8]

TABLES = dict(services=services, connections=connections, bodies=bodies, upstreams=upstreams, records=records)


# === what came out ===

COLUMNS = {"rps": ("/s", 0), "p50_ms": ("p50 ms", 2), "p99_ms": ("p99 ms", 2), "pss_mb": ("PSS MB", 1), "overflows": ("overflows", 0)}
MORE = {"start_ms": ("start ms", 0), "ready_ms": ("ready ms", 0), "idle_mb": ("idle MB", 1), "file_mb": ("file MB", 0), "change_ms": ("change ms", 1)}


class Result:
    """A table with its rows."""

    def __init__(self, table, rows):
        self.table, self.rows = table, rows

    def of(self, label, key):
        return [row[key] for row in sorted(self.rows, key=lambda row: row["round"]) if row["cell"] == label]

    def summary(self):
        """Per cell medians, lowest and highest of the rounds, and the ratios."""
        first = self.table.cells[0]
        return [self.line(cell, first) for cell in self.table.cells]

    def line(self, cell, first):
        line = dict(cell=cell.label, **cell.facts)
        keys = ["cpu_us", *COLUMNS] + ([cell.after[0]] if cell.after else [])
        for key in keys:
            line[key] = spread(self.of(cell.label, key))
        ratios = lambda base: spread([mine / theirs for mine, theirs in zip(self.of(cell.label, "cpu_us"), self.of(base, "cpu_us"))])
        line["x_first"], line["x_bare"] = ratios(first.label), ratios(cell.base.label) if cell.base else None
        line["bare_cpu_us"] = spread(self.of(cell.base.label, "cpu_us")) if cell.base else None
        line["bare_rps"] = spread(self.of(cell.base.label, "rps")) if cell.base else None
        line["bad"] = sum(self.of(cell.label, "bad"))
        return line

    def print(self):
        lines = self.summary()
        more = [key for key in MORE if key in lines[0]]
        print(f"\n## {self.table.name}: {self.table.title}\n")
        head = f"{'':26}{'CPU-us':>10}{'range':>17}{'x first':>9}{'x bare':>8}" + "".join(f"{name:>10}" for name, _ in (*COLUMNS.values(), *(MORE[key] for key in more))) + f"{'bad':>6}"
        print(head)
        value = lambda entry: entry["median"] if isinstance(entry, dict) else entry
        for line in lines:
            cpu = line["cpu_us"]
            between = f"{cpu['low']:.1f}-{cpu['high']:.1f}"
            print(f"{line['cell']:26}{cpu['median']:10.1f}{between:>17}{line['x_first']['median']:9.2f}{line['x_bare']['median']:8.2f}"
                  + "".join(f"{value(line[key]):10.{digits}f}" for key, (_, digits) in [*COLUMNS.items(), *((key, MORE[key]) for key in more)]) + f"{line['bad']:6}")
        print(f"\n{self.table.why}")

    def json(self):
        return dict(title=self.table.title, why=self.table.why, lines=self.summary(), rows=self.rows)


def spread(values):
    return dict(median=statistics.median(values), low=min(values), high=max(values))


def main():
    chosen = options()
    # A thousand connections on either side of each server, and the servers inherit the limit.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    # Ended from outside it still ends its servers and removes its databases.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = []
    with tempfile.TemporaryDirectory(prefix="tollhouse-growth-", dir=chosen.directory) as made:
        run = Run(chosen, Path(made))
        try:
            for name in chosen.tables:
                table = TABLES[name](run)
                results.append(Result(table, run.measure(table)))
                # Only the servers of one table run at a time; the stub is started with the run.
                stop_servers(run, table)
        finally:
            run.processes.stop()
    print(f"\n{chosen.rounds} rounds x {chosen.secs} s, {CONNS} connections unless the table says otherwise, fresh tokens, TLS to the stub, synchronous=FULL; medians.\n"
          "overflows: packets dropped since a listener had no room for a connection. start: until the port is taken; ready: until a request is answered.")
    for result in results:
        result.print()
    if chosen.json:
        told = {key: str(value) for key, value in vars(chosen).items()}
        chosen.json.write_text(json.dumps(dict(options=told, machine=harness.machine(), tables={result.table.name: result.json() for result in results}), indent=1) + "\n")
    return 1 if any(row["bad"] for result in results for row in result.rows) else 0


def stop_servers(run, table):
    for pid in {cell.system.pid for cell in table.cells} | {cell.base.system.pid for cell in table.cells if cell.base}:
        run.processes.stop(pid)


if __name__ == "__main__":
    sys.exit(main())
