#!/usr/bin/env python3
"""What a payment service session costs, against fixed floors and a peer, all in one interleaved run.

  nginx      nginx as a TLS proxy with kept connections: no token, no row. The HTTP floor.
  proxy      the bare Rust server and client, no token, no row. The floor of the libraries.
  bare       the bare Rust pipeline: token, credentials, call, wrap, durable row in group commits, and nothing around it.
  node       the gateway that a Node team would write by hand for the same work.
  tollhouse  this server as it ships: SQLite, audit log, log lines, limits, breaker, checks.
  kept       the same server, asked with one token again and again: its signature is checked once.
  two        the same server on two cores with two workers; the load generator shares the second core.
  postgres   the same server on PostgreSQL (`--postgres URL`).
  pair       two instances on one PostgreSQL database, asked in turn.

Every figure that counts is a ratio inside one run. CPU microseconds are user and system time of the server's whole
process tree over the requests of the same interval. One core belongs to the server, the other to load and stub.

  bench.py                                     five rounds of everything but PostgreSQL, about eight minutes
  bench.py --systems nginx,bare,tollhouse,postgres,pair --postgres postgres://postgres@127.0.0.1/postgres
  bench.py --gate                              exit 1 if Tollhouse costs over 1.15 times the recorded ratio to bare

Needs Linux, python3, node with npm, cargo, nginx, taskset (util-linux) and openssl; for `postgres` psql and a server.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

import harness
from harness import HERE, PATH_OF_PEERS, System, Tollhouse

GOALS = HERE / "goals.json"

# More than any system that checks signatures makes of them on one core. A token that was seen is not checked again, so there must be one for each session.
SESSIONS_PER_CORE = 3500


def options():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--systems", default="nginx,proxy,bare,node,tollhouse,kept,two")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secs", type=float, default=4, help="length of each measurement")
    parser.add_argument("--conns", type=int, default=32)
    parser.add_argument("--rate", type=float, default=100, help="fixed rate at which latency is compared; 0 leaves it out")
    parser.add_argument("--half", action="store_true", help="also measure latency at half of what each system reaches (at most 3000/s, the generator's range)")
    parser.add_argument("--tokens", type=int, help="distinct tokens [default: as many as one system can be asked in all rounds]")
    parser.add_argument("--core", type=int, default=0, help="the core of the server")
    parser.add_argument("--load-core", type=int, default=1, help="the core of load generator and stub")
    parser.add_argument("--h2", action="store_true", help="bare speaks HTTP/2 to the stub, as Tollhouse does where it is offered")
    parser.add_argument("--postgres", help="URL of a PostgreSQL server where databases may be made")
    parser.add_argument("--json", type=Path, help="file for every sample")
    parser.add_argument("--gate", action="store_true", help="compare with the recorded ratio to bare, best of the rounds")
    chosen = parser.parse_args()
    if chosen.gate:
        chosen.systems, chosen.rounds, chosen.rate, chosen.half = "bare,tollhouse", 3, 0, False
    chosen.systems = chosen.systems.split(",")
    if chosen.tokens is None:
        half = SESSIONS_PER_CORE / 2 * (chosen.secs + 1) if chosen.half else 0
        chosen.tokens = int(chosen.rounds * (SESSIONS_PER_CORE * chosen.secs * (2 if "two" in chosen.systems else 1) + half + chosen.rate * (chosen.secs + 1)))
    return chosen


class Run:
    """One run: the systems, and what was measured of them."""

    def __init__(self, chosen, directory):
        self.chosen, self.directory = chosen, directory
        self.processes = harness.Processes(directory)
        self.systems, self.instances, self.rows = {}, [], []
        self.postgres = harness.Postgres(chosen.postgres) if chosen.postgres else None
        harness.need("nginx", "taskset", "openssl", "node", "cargo", *(["psql"] if chosen.postgres else []))
        self.built = harness.build(peer="node" in chosen.systems)
        self.tollhouse = harness.tollhouse_binary()
        self.tokens, self.one_token = harness.make_tokens(directory, chosen.tokens)
        self.upstream = harness.start_stub(self.processes, directory, chosen.load_core)

    # --- systems ---

    def start(self, name):
        if name in ("tollhouse", "two"):
            self.systems[name] = self.start_tollhouse(name, f"sqlite://{self.directory}/{name}.db", "0,1" if name == "two" else self.chosen.core)
        elif name == "kept":
            first = self.systems.get("tollhouse") or self.start_tollhouse("tollhouse", f"sqlite://{self.directory}/tollhouse.db", self.chosen.core)
            self.systems[name] = System(name, first.addr, first.path, self.one_token, first.pid, headers=first.headers)
        elif name == "postgres":
            self.systems[name] = self.start_tollhouse(name, self.new_database(name), self.chosen.core)
        elif name == "pair":
            self.start_pair()
        else:
            self.systems[name] = self.start_peer(name)

    def start_tollhouse(self, name, database, cores):
        instance = Tollhouse(self.tollhouse, self.directory / name, self.processes, self.upstream, database)
        instance.prepare(self.directory)
        instance.start(name, cores)
        service = instance.add_service(self.directory)
        # The start that counts is one on a database that exists.
        self.processes.stop(instance.pid)
        start_ms = instance.start(name, cores)
        self.instances.append(instance)
        return instance.system(name, service, self.tokens, start_ms)

    def start_pair(self):
        """Two instances, each with a core: the load shares the second one, so that only the ratios of CPU time count."""
        first = self.start_tollhouse("pair", self.new_database("pair"), self.chosen.core)
        instance = self.instances[-1]
        second = Tollhouse(self.tollhouse, instance.directory, self.processes, self.upstream, instance.database)
        second.start("pair-2", self.chosen.load_core)
        self.instances.append(second)
        service = first.path.split("/")[2]
        self.systems["pair"] = first
        self.systems["pair-2"] = second.system("pair-2", service, self.tokens)

    def new_database(self, name):
        if self.postgres is None:
            raise SystemExit(f"`{name}` needs --postgres URL")
        return self.postgres.new_database(name)

    def start_peer(self, name):
        port, url = harness.free_port(), self.upstream.url + harness.UPSTREAM_PATH
        common = dict(UPSTREAM=url, PUB_PEM=str(self.directory / "pub.pem"), PUB_HEX=str(self.directory / "pub.hex"), CA=str(self.upstream.ca),
                      PORT=str(port), DB=str(self.directory / f"{name}.db"))
        if self.chosen.h2:
            common["H2"] = "1"
        began, expect = time.monotonic(), '"succeeded"'
        core = self.chosen.core
        if name == "nginx":
            host, expect = self.upstream.url.split("/")[2].replace("localhost", "127.0.0.1"), '"id"'
            pid = harness.start_nginx(self.processes, self.directory, "proxy", core,
                f"upstream u {{ server {host}; keepalive 512; keepalive_requests 10000000; keepalive_timeout 3600s; }}\n"
                f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass https://u; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_ssl_verify off; "
                f"proxy_ssl_protocols TLSv1.3; proxy_ssl_server_name on; proxy_set_header Authorization 'Bearer sk_test_0123456789abcdef0123456789abcdef'; }} }}\n")
        elif name == "proxy":
            pid, expect = self.processes.start(name, core, [self.built / "bare"], {**common, "MODE": "proxy"}), '"id"'
        elif name == "bare":
            pid = self.processes.start(name, core, [self.built / "bare"], {**common, "SYNC": "full"})
        elif name == "node":
            pid = self.processes.start(name, core, ["node", HERE / "peer-node/server.mjs"], {**common, "SYNC": "FULL", "NODE_ENV": "production"})
        else:
            raise SystemExit(f"no system is called `{name}`")
        harness.wait_for_port(port)
        return System(name, f"127.0.0.1:{port}", PATH_OF_PEERS, self.tokens, pid, expect, start_ms=(time.monotonic() - began) * 1000)

    # --- measuring ---

    def measure(self):
        for name in self.chosen.systems:
            self.start(name)
        idle = {name: harness.pss_kb(system.pid) / 1024 for name, system in self.systems.items()}
        names = list(self.systems)
        for turn in range(self.chosen.rounds):
            # Whoever comes first in one round does not in the next.
            for name in names[turn % len(names):] + names[: turn % len(names)]:
                row = self.once(self.systems[name], turn)
                self.rows.append(row)
                print(f"  round {turn} {name:10} {row['rps']:9.0f}/s {row['cpu_us']:8.1f} CPU-us  util {row['util'] * 100:4.0f} %  bad {row['bad']}", file=sys.stderr)
        kept = {name: self.postgres.kept(name) for name in self.postgres.made} if self.postgres else {}
        return Result(self, idle, kept)

    def once(self, system, turn):
        chosen = self.chosen
        on_postgres = system.name in ("postgres", "pair", "pair-2")
        before, database, wal = harness.cpu_seconds(system.pid), harness.postgres_cpu_seconds(), self.postgres.wal_bytes() if on_postgres else 0
        closed = self.load(system, chosen.secs)
        spent = harness.cpu_seconds(system.pid) - before
        row = dict(system=system.name, round=turn, rps=closed["rps"], cpu_us=spent * 1e6 / max(1, closed["count"]), p50=closed["p50"], p99=closed["p99"],
                   bad=harness.bad(closed), count=closed["count"], util=spent / chosen.secs, pss_mb=harness.pss_kb(system.pid) / 1024)
        if on_postgres:
            row["database_cpu_us"] = (harness.postgres_cpu_seconds() - database) * 1e6 / max(1, closed["count"])
            row["wal_bytes"] = (self.postgres.wal_bytes() - wal) / max(1, closed["count"])
        for tag, rate in (("rate", chosen.rate), ("half", min(closed["rps"] / 2, 3000) if chosen.half else 0)):
            if rate:
                timed = self.load(system, chosen.secs, rate=rate, warm=1)
                row.update({f"p50_{tag}": timed["p50"], f"p99_{tag}": timed["p99"], "bad": row["bad"] + harness.bad(timed)})
        return row

    def load(self, system, secs, rate=0, warm=0):
        counted = harness.load(self.built, self.directory, self.chosen.load_core, system, conns=self.chosen.conns, secs=secs, rate=rate, warm=warm, skip=system.sent)
        # With a warm-up, the counted interval is a part of what was sent.
        system.sent += int(counted["count"] * (secs + warm) / secs) + self.chosen.conns
        if system.tokens == self.tokens and system.sent > self.chosen.tokens and system.name not in ("nginx", "proxy"):
            raise SystemExit(f"{system.name}: tokens were sent twice, so that nothing is proven; ask for more --tokens than {self.chosen.tokens}")
        return counted

    def end(self):
        self.processes.stop()
        if self.postgres:
            self.postgres.drop()


class Result:
    """What came out, as a table and as JSON."""

    def __init__(self, run, idle, kept):
        self.run, self.rows, self.idle, self.kept = run, run.rows, idle, kept
        self.names = list(run.systems)

    def of(self, name, key):
        return [row[key] for row in self.rows if row["system"] == name and key in row]

    def median(self, name, key):
        values = self.of(name, key)
        return statistics.median(values) if values else None

    def ratios(self, name, base, key="cpu_us"):
        """One ratio per round."""
        pairs = zip(self.of(name, key), self.of(base, key)) if base in self.names else ()
        return [mine / theirs for mine, theirs in pairs if theirs]

    def goals(self):
        """The goals that this run can judge: what, the values of its rounds, the bound, and whether more is better."""
        found = []

        def goal(what, values, bound, at_least=False, unit=""):
            if values:
                median = statistics.median(values)
                found.append(dict(what=what, median=median, low=min(values), high=max(values), bound=bound, at_least=at_least, unit=unit,
                                  kept=median >= bound if at_least else median <= bound))
        goal("CPU-us per session, x bare", self.ratios("tollhouse", "bare"), 1.20)
        goal("CPU-us per session, x nginx", self.ratios("tollhouse", "nginx"), 17)
        goal("sessions/s on one core, x node", self.ratios("tollhouse", "node", "rps"), 4.5, at_least=True)
        above = [(mine - theirs) / 1000 for mine, theirs in zip(self.of("tollhouse", "p50_rate"), self.of("nginx", "p50_rate"))]
        goal("p50 at the fixed rate, above nginx", above, 1.8, unit=" ms")
        goal("p99 at half of own capacity, x bare", self.ratios("tollhouse", "bare", "p99_half"), 1.3)
        goal("CPU-us with two workers, x one", self.ratios("two", "tollhouse"), 1.10)
        goal("kept token: CPU-us, x nginx", self.ratios("kept", "nginx"), 4)
        if "tollhouse" in self.names:
            goal("PSS idle", [self.idle["tollhouse"]], 25, unit=" MB")
            goal("PSS under load", self.of("tollhouse", "pss_mb"), 40, unit=" MB")
            goal("start to listening", [self.run.systems["tollhouse"].start_ms], 100, unit=" ms")
            goal("stripped binary", [stripped_mb(self.run.tollhouse)], 25, unit=" MB")
        goal("errors and wrong answers", [sum(row["bad"] for row in self.rows)], 0)
        return found

    def print(self):
        print(f"\n{self.run.chosen.rounds} rounds x {self.run.chosen.secs} s, {self.run.chosen.conns} connections, fresh tokens, TLS to the stub, synchronous=FULL; medians\n")
        head = f"{'system':10}{'/s':>8}{'CPU-us':>9}{'range':>15}{'x nginx':>9}{'x bare':>8}{'p50 us':>8}{'p99 us':>8}{'p99 half':>9}{'PSS idle':>9}{'load':>7}{'start ms':>9}{'db CPU-us':>10}"
        print(head)
        for name in self.names:
            cell = lambda value, width, digits=0: f"{value:{width}.{digits}f}" if value is not None else " " * (width - 1) + "-"
            ratio = lambda base: statistics.median(self.ratios(name, base)) if self.ratios(name, base) else None
            spread = f"{min(self.of(name, 'cpu_us')):.0f}-{max(self.of(name, 'cpu_us')):.0f}"
            print(f"{name:10}{self.median(name, 'rps'):8.0f}{self.median(name, 'cpu_us'):9.1f}{spread:>15}{cell(ratio('nginx'), 9, 2)}{cell(ratio('bare'), 8, 2)}"
                  f"{cell(self.median(name, 'p50_rate'), 8)}{cell(self.median(name, 'p99_rate'), 8)}{cell(self.median(name, 'p99_half'), 9)}"
                  f"{self.idle[name]:9.1f}{self.median(name, 'pss_mb'):7.1f}{cell(self.run.systems[name].start_ms, 9)}{cell(self.median(name, 'database_cpu_us'), 10, 1)}")
        print()
        for name, (rows, size) in self.kept.items():
            wal = self.median(name, "wal_bytes")
            print(f"{name}: {rows} records in {size / 1e6:.1f} MB with their indexes, {size / rows:.0f} MB per million; {wal:.0f} MB of write-ahead log per million")
        for goal in self.goals():
            sign = ">=" if goal["at_least"] else "<="
            print(f"{'kept  ' if goal['kept'] else 'MISSED'} {goal['what']:38}{goal['median']:9.2f}{goal['unit']:3} ({goal['low']:.2f}-{goal['high']:.2f}), {sign} {goal['bound']}{goal['unit']}")

    def json(self):
        chosen = {key: str(value) for key, value in vars(self.run.chosen).items()}
        return dict(options=chosen, machine=harness.machine(), idle_pss_mb=self.idle, start_ms={n: s.start_ms for n, s in self.run.systems.items()},
                    records={name: dict(rows=rows, bytes=size) for name, (rows, size) in self.kept.items()}, goals=self.goals(), rows=self.rows)


def stripped_mb(binary):
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "-o", copy.name, binary], check=True)
        return os.path.getsize(copy.name) / 1e6


def gate(result):
    """Best of the rounds against the recorded ratio, with a margin: whoever makes a session dearer sees it here."""
    recorded = json.loads(GOALS.read_text())
    best = min(result.ratios("tollhouse", "bare"))
    limit = recorded["cpu_us_x_bare"] * recorded["margin"]
    print(f"\nCPU-us per session: {best:.3f} times bare at best; recorded {recorded['cpu_us_x_bare']}, so at most {limit:.3f}")
    return best <= limit and not any(row["bad"] for row in result.rows)


def main():
    chosen = options()
    directory = Path(tempfile.mkdtemp(prefix="tollhouse-bench-"))
    run = Run(chosen, directory)
    try:
        result = run.measure()
    finally:
        run.end()
    result.print()
    if chosen.json:
        chosen.json.write_text(json.dumps(result.json(), indent=1) + "\n")
    if chosen.gate:
        return 0 if gate(result) else 1
    return 1 if any(row["bad"] for row in result.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
