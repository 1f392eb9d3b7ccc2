#!/usr/bin/env python3
"""Where the time of a session goes: the server under load, sampled by perf, and the parts named.

Prints the parts of one session in CPU microseconds and writes every stack in folded form (`a;b;c count`), which is
a flame graph as text: any flame graph viewer draws it.

  CARGO_PROFILE_RELEASE_STRIP=none cargo build --release
  bench/flame.py --folded stacks.txt

Needs what bench.py needs, perf (linux-perf), and a server whose symbols are not stripped. Takes about a minute.
"""
import argparse, collections, re, subprocess, sys, tempfile
from pathlib import Path

import harness

# A sample belongs to the first part that one of its frames names, from the innermost frame outwards.
PARTS = [
    ("signature (aws-lc)", r"ECDSA_verify|verify_ecdsa|p521|bn_mul_mont|ec_nistp|ec_compute_wNAF"),
    ("log line", r"tracing_subscriber::fmt"),
    ("spans and events", r"tracing_subscriber|tracing_core|tracing::span"),
    ("measurements", r"metrics(_|::)"),
    ("HTTP/2 to the payment service", r"^<?h2::|hyper::proto::h2"),
    ("TLS to the payment service", r"rustls|tls13"),
    ("record writer, this side", r"record_writer|sqlx|flume"),
    ("opening credentials", r"open_for_call|aead|gcm"),
    ("classify and record facts", r"concluded|classify|connectors::facts|connectors::answer"),
    ("check and render", r"render::render|Trip::render|connectors::render|connectors::body|template_fill|connectors::encode|Caller::check"),
    ("outgoing call", r"connectors::"),
    ("token without signature", r"engine::token|authenticate"),
    ("engine", r"engine::"),
    ("URLs", r"url::|idna"),
    ("router", r"axum|tower|matchit|^<?api::"),
    ("HTTP server", r"hyper::|httparse|tollhouse::"),
    ("runtime and sockets", r"tokio::|mio::|epoll|writev|recv"),
]


def part_of(thread, frames, patterns, seen):
    if thread.startswith("sqlx-sqlite"):
        return "SQLite's thread"
    if any(patterns[0][1].search(frame) for frame in frames):
        return patterns[0][0]
    for frame in frames:
        if frame not in seen:
            seen[frame] = next((name for name, pattern in patterns if pattern.search(frame)), None)
        if seen[frame]:
            return seen[frame]
    return "the rest"


def stacks(recording):
    """The thread and the frames of every sample, innermost first."""
    script = subprocess.run(["perf", "script", "-i", recording, "-F", "comm,ip,sym"], check=True, capture_output=True, text=True).stdout
    for sample in script.split("\n\n"):
        lines = sample.strip("\n").split("\n")
        frames = [re.sub(r"::h[0-9a-f]{16}$", "", line.strip().split(" ", 1)[-1]) for line in lines[1:]]
        if frames:
            yield lines[0].strip(), frames


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--secs", type=float, default=5)
    parser.add_argument("--conns", type=int, default=32)
    parser.add_argument("--folded", type=Path, help="file for the folded stacks")
    chosen = parser.parse_args()
    harness.need("perf", "nginx", "taskset", "openssl", "node")
    built, binary = harness.build(peer=False), harness.tollhouse_binary()
    directory = Path(tempfile.mkdtemp(prefix="tollhouse-flame-"))
    processes = harness.Processes(directory)
    try:
        tokens, _ = harness.make_tokens(directory, 30000)
        upstream = harness.start_stub(processes, directory, 1)
        server = harness.Tollhouse(binary, directory / "tollhouse", processes, upstream, f"sqlite://{directory}/flame.db")
        server.prepare(directory)
        server.start("tollhouse", 0)
        system = server.system("tollhouse", server.add_service(directory), tokens)
        warm = harness.load(built, directory, 1, system, conns=chosen.conns, secs=2)
        before = harness.cpu_seconds(server.pid)
        plain = harness.load(built, directory, 1, system, conns=chosen.conns, secs=chosen.secs, skip=warm["count"])
        # What a session costs is measured without perf, which makes it dearer; perf says how it divides.
        cost = (harness.cpu_seconds(server.pid) - before) * 1e6 / plain["count"]
        recording = directory / "perf.data"
        perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "--call-graph", "dwarf,16384", "-p", str(server.pid),
                                 "-o", recording, "--", "sleep", str(chosen.secs)])
        harness.load(built, directory, 1, system, conns=chosen.conns, secs=chosen.secs, skip=warm["count"] + plain["count"])
        perf.wait()
    finally:
        processes.stop()
    patterns, seen = [(name, re.compile(pattern)) for name, pattern in PARTS], {}
    parts, folded = collections.Counter(), collections.Counter()
    for thread, frames in stacks(recording):
        parts[part_of(thread, frames, patterns, seen)] += 1
        folded[";".join([thread, *reversed(frames)])] += 1
    total = sum(parts.values())
    print(f"\n{cost:.0f} CPU-us per session, {total} samples\n")
    for name, count in parts.most_common():
        print(f"{count / total * cost:8.1f} us {count / total * 100:6.1f} %  {name}")
    if chosen.folded:
        chosen.folded.write_text("".join(f"{stack} {count}\n" for stack, count in folded.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
