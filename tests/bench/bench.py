#!/usr/bin/python3
"""Prints the project's figures beside those of others, measured in the same run on the same machine. Loopback, bounded.

bench.py --build DIR [webhooks|e2e|instructions|memory|limits|all] [--short] [--rounds N]
bench.py --build DIR [watches|health|alert|start|idle] [--short] [--watches N...] [--seconds N]
bench.py --build DIR kills [--kills N] [--seed N] [--every S] [--kinds K,K] [--keep] [--short]
bench.py --build DIR worker-kills|storm|viewers|history|probe [--short]
bench.py --build DIR decisions [--short] [--deployments N] [--seed N] [--only MODEL] [--csv FILE...]
"""
import argparse
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import history
import kills
import live
import parts
import storm
import viewers
from live import show_fsync
from parts import Missing, complain, say

OURS = "shipwatch gateway"
CONTENDERS = (
    (OURS, parts.Shipwatch),
    ("node + ioredis XADD", parts.Node),
    ("node + BullMQ", parts.Bullmq),
    ("webhook 2.8, stores nothing", parts.Webhook),
    ("limit: empty evhtp handler", parts.Empty),
    ("limit: redis-benchmark XADD", None),
)


class Bench:
    def __init__(self, build, folder, short, rounds, decide=(), health=(), seconds=0):
        self.build, self.folder, self.short, self.rounds = build, folder, short, 1 if short else rounds
        self.decide = list(decide)  # arguments of bench-decisions
        self.health = list(health)  # so many watches
        self.monitor = bool(os.environ.get("SW_BENCH_MONITOR"))  # of health: also what is asked of Redis, by name
        self.seconds = seconds or (8 if short else 40)  # of a measurement of what goes on by itself
        self.figures = {}
        self.n = 0

    def count(self, n):
        return max(300, n // 10) if self.short else n

    def subfolder(self):
        self.n += 1
        path = os.path.join(self.folder, str(self.n))
        os.makedirs(path)
        return path

    def note(self, table, row, **figures):
        self.figures.setdefault(table, {})[row] = figures


def redis_limit(b, payload):
    """redis-benchmark: XADD of the payload by 50 connections, nothing else."""
    if not shutil.which("redis-benchmark"):
        raise Missing("redis-benchmark is not installed (package redis-tools)")
    folder = b.subfolder()
    redis = parts.Redis(folder)
    try:
        with open(payload.file, "rb") as body:
            out = subprocess.run(["redis-benchmark", "-s", redis.socket, "-c", "50", "-n", str(b.count(20000)), "--csv", "-x", "XADD", "s", "*", "b"],
                                 stdin=body, capture_output=True, text=True, timeout=120, check=True).stdout
    finally:
        redis.stop()
    cells = [c.strip('"') for c in out.strip().splitlines()[-1].split(",")]
    # test, rps, avg, min, p50, p95, p99, max
    return {"rps": float(cells[-7]), "p50_ms": float(cells[-4]), "p99_ms": float(cells[-2]), "ok": b.count(20000), "done": b.count(20000)}


def one_contender(b, maker, payload, **more):
    folder = b.subfolder()
    redis = parts.Redis(folder)
    server = None
    try:
        server = maker(folder, b.build, redis)
        result = parts.load(b.build, server.port, server.kind_path(payload.kind), payload.kind, payload.event, [payload.file],
                            b.count(20000), seconds=10, warmup=b.count(3000), expect='"queued"', **more)
        result["cpu_s"] = server.cpu_s()
        if not server.alive():
            complain(f"{server.name} ended: {server.tail()}")
        return result
    finally:
        if server:
            server.stop()
        redis.stop()


def row_text(name, r, ours):
    ratio = f"{ours / r['rps']:5.2f} x" if ours and r["rps"] and name != OURS else "       "
    wrong = r["done"] - r["ok"]
    trouble = f"  {wrong} of {r['done']} not taken: {r.get('codes')}" if wrong else ""
    if name == OURS and r.get("expected", r["ok"]) < r["ok"]:
        trouble += f"  only {r['expected']} answered \"queued\""
    return f"  {name:30}{r['rps']:10.0f}/s   p50 {r['p50_ms']:7.2f} ms   p99 {r['p99_ms']:7.2f} ms   {ratio}{trouble}"


def contender_rounds(b, payload, absent):
    """Every contender in turn, several times over, so that a slow minute of the machine hits all. Returns the results by name."""
    results = {}
    for _ in range(b.rounds):
        for name, maker in CONTENDERS:
            if name in absent:
                continue
            try:
                r = redis_limit(b, payload) if maker is None else one_contender(b, maker, payload)
                results.setdefault(name, []).append(r)
            except Missing as e:
                absent[name] = str(e)
    return results


def webhooks(b):
    """Webhooks taken durably, by size, against others: the middle one of the rounds. The ratio is ours to theirs."""
    absent = {}
    for payload in parts.payloads(b.folder):
        say(f"\nwebhooks taken: {payload.title()}, 50 connections, Redis appendfsync always, middle of {b.rounds}")
        show_fsync(b)
        results = contender_rounds(b, payload, absent)
        ours = 0
        for name, _ in CONTENDERS:
            if name not in results:
                say(f"  {name:30}left out: {absent[name]}")
                continue
            rounds = sorted(results[name], key=lambda r: r["rps"])
            r = rounds[len(rounds) // 2]
            ours = r["rps"] if name == OURS else ours
            b.note(payload.name, name, **r, all_rps=[x["rps"] for x in rounds])
            say(row_text(name, r, ours) + f"   ({rounds[0]['rps']:.0f}–{rounds[-1]['rps']:.0f})")


def limits(b):
    show_fsync(b)
    for payload in parts.payloads(b.folder):
        say(f"limits at {payload.title()}")
        for name, measure in (("limit: empty evhtp handler", lambda: one_contender(b, parts.Empty, payload)), ("limit: redis-benchmark XADD", lambda: redis_limit(b, payload))):
            try:
                r = measure()
                b.note(payload.name, name, **r)
                say(row_text(name, r, 0))
            except Missing as e:
                say(f"  {name:30}left out: {e}")


def drained(redis):
    return redis.call("XLEN", "{sw}:in") == 0 and redis.call("XLEN", "{sw}:work") == 0


# A push is a step only where a rule may be set off by it.
ASKED = """\
- {name: secrets, on: push, if: 'changed("secrets/**")', then: alert}
- {name: slow, on: deploy-to-prod, watch: 5m, if: http_latency_p95 > 1500ms for 3 checks, then: [alert]}
"""


def e2e(b):
    """Taken, parsed, stepped and committed: until both streams are empty. Then the answer time at half that rate."""
    push, run = parts.payloads(b.folder)[:2]
    for payload, rules, what in ((push, ASKED, ", which a rule asks for"), (push, None, ", which no rule asks for: no step"), (run, None, "")):
        folder = b.subfolder()
        redis = parts.Redis(folder)
        running = []
        named = {"conf": parts.CONF}
        if rules:
            named = {"conf": parts.CONF + 'rules: "{rules}"\n', "rules": os.path.join(folder, "rules.yaml")}
            with open(named["rules"], "w") as f:
                f.write(rules)
        try:
            running.append(parts.Shipwatch(folder, b.build, redis, **named))
            running.append(parts.Worker(folder, b.build, redis, **named))
            gateway = running[0]
            bodies = payload.variants(16)
            n = b.count(20000)
            start = time.monotonic()
            taken = parts.load(b.build, gateway.port, "/hooks/github", "github", payload.event, bodies, n, seconds=30, warmup=0, expect='"queued"')
            sent = time.monotonic() - start
            parts.wait_until("the queue is worked off", 120, lambda: drained(redis))
            seconds = time.monotonic() - start
            dead, journal = redis.call("XLEN", "{sw}:dead"), redis.call("XLEN", "{sw}:journal")
            rate = taken["expected"] / seconds
            say(f"\nend to end: {payload.title()} of 16 repositories{what}")
            say(f"  {taken['expected']} taken in {sent:.2f} s, committed after {seconds:.2f} s: {rate:.0f}/s; journal {journal} lines, dead letters {dead}")
            half = parts.load(b.build, gateway.port, "/hooks/github", "github", payload.event, bodies, max(200, int(rate / 2 * (2 if b.short else 8))), seconds=30, rate=max(1, rate / 2))
            say(f"  at half that rate ({rate / 2:.0f}/s): answers p50 {half['p50_ms']:.2f} ms, p99 {half['p99_ms']:.2f} ms, max {half['max_ms']:.2f} ms")
            b.note("e2e", payload.name + ("" if rules or payload is run else "-quiet"), rate=rate, taken=taken, half=half, dead=dead, journal=journal)
        finally:
            for p in reversed(running):
                p.stop()
            redis.stop()


def callgrind_total(folder, prefix):
    total = 0
    for path in glob.glob(os.path.join(folder, prefix + "*")):
        with open(path, errors="replace") as f:
            found = re.findall(r"^(?:summary|totals): (\d+)", f.read(), re.M)
            total += int(found[-1]) if found else 0
    return total


def gateway_instructions(b, payload, n):
    folder = b.subfolder()
    redis = parts.Redis(folder)
    try:
        server = parts.Shipwatch(folder, b.build, redis, wrap=callgrind(folder), workers=1)
        r = parts.load(b.build, server.port, server.kind_path(payload.kind), payload.kind, payload.event, [payload.file], n, seconds=120, warmup=0, connections=8)
        server.stop(60)
        if r["ok"] != n:
            raise RuntimeError(f"only {r['ok']} of {n} taken: {r['codes']}")
        return callgrind_total(folder, "cg.")
    finally:
        redis.stop()


def worker_instructions(b, payload, n):
    """The worker alone under callgrind, over n events that the gateway took before."""
    folder = b.subfolder()
    redis = parts.Redis(folder)
    running = []
    try:
        running.append(parts.Shipwatch(folder, b.build, redis))
        parts.load(b.build, running[0].port, running[0].kind_path(payload.kind), payload.kind, payload.event, payload.variants(16), n, seconds=60, warmup=0)
        worker = parts.Worker(folder, b.build, redis, wrap=callgrind(folder))
        running.append(worker)
        parts.wait_until("the queue is worked off", 180, lambda: drained(redis))
        worker.stop(60)
        return callgrind_total(folder, "cg.")
    finally:
        for p in reversed(running):
            p.stop()
        redis.stop()


def callgrind(folder):
    if not shutil.which("valgrind"):
        raise Missing("valgrind is not installed")
    return ["valgrind", "--tool=callgrind", "--trace-children=yes", "-q", f"--callgrind-out-file={folder}/cg.%p"]


def instructions(b):
    """Instructions a webhook in the gateway and an event in the worker: the difference of two runs, so that the start does not count."""
    few, many = (100, 400) if b.short else (200, 2200)
    for payload in parts.payloads(b.folder)[:2]:
        say(f"\ninstructions: {payload.title()}")
        for name, measure in (("a webhook in the gateway", gateway_instructions), ("an event in the worker", worker_instructions)):
            try:
                each = (measure(b, payload, many) - measure(b, payload, few)) / (many - few)
            except Missing as e:
                say(f"  {name}: left out: {e}")
                continue
            b.note("instructions", f"{payload.name}, {name}", instructions=each)
            say(f"  {name}: {each:,.0f}")


def slow_connections(port, n, seconds):
    """n connections that send a byte now and then: half of them in the head, half in the body. Returns how many stay open at the end."""
    body = b"{" + b" " * 4094 + b"}"
    socks, refused = [], 0
    for i in range(n):
        s = socket.socket()
        try:
            s.connect(("127.0.0.1", port))
            head = b"POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n"
            s.sendall(head if i % 2 else head + b"\r\n" + body[:64])
            s.setblocking(False)
            socks.append(s)
        except OSError:
            s.close()
            refused += 1
    yield len(socks)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for s in socks:
            try:
                s.send(b" ")
            except OSError:
                pass
        select.select([], [], [], 0.5)
    open_now = 0
    for s in socks:
        try:
            open_now += s.recv(1) != b""
        except BlockingIOError:
            open_now += 1
        except OSError:
            pass
    yield open_now
    for s in socks:
        s.close()


def memory_text(rows):
    return f"{len(rows)} process{'es' if len(rows) > 1 else ''}, resident " + " + ".join(f"{r / 1024:.1f}" for r, _ in rows) + f" MB, proportional {sum(p for _, p in rows) / 1024:.1f} MB"


def memory(b):
    """Resident memory at rest, with 1,000 slow connections, after load; and what an idle system asks of Redis."""
    folder = b.subfolder()
    redis = parts.Redis(folder)
    running = []
    try:
        running.append(parts.Shipwatch(folder, b.build, redis))
        gateway = running[0]
        rest = gateway.memory_kb()
        say(f"\nmemory\n  gateway at rest: {memory_text(rest)}")
        slow = slow_connections(gateway.port, 1000, 3)
        opened = next(slow)
        still = next(slow)
        loaded = gateway.memory_kb()
        say(f"  with {opened} slow connections ({still} still open after 3 s): {memory_text(loaded)}")
        next(slow, None)
        payload = parts.payloads(b.folder)[1]
        parts.load(b.build, gateway.port, "/hooks/github", "github", payload.event, [payload.file], b.count(20000), seconds=20)
        after = gateway.memory_kb()
        say(f"  after {b.count(20000)} webhooks: {memory_text(after)}")
        running.append(parts.Worker(folder, b.build, redis))
        parts.wait_until("the queue is worked off", 120, lambda: drained(redis))
        say(f"  worker after them: {memory_text(running[1].memory_kb())}")
        before, start = redis.info("total_commands_processed"), time.monotonic()
        select.select([], [], [], 3 if b.short else 20)
        idle = (redis.info("total_commands_processed") - before - 1) / (time.monotonic() - start)
        say(f"  idle, one gateway and one worker: {idle:.1f} Redis commands a second (those inside scripts counted)")
        b.note("memory", "gateway", rest=rest, slow=loaded, after=after, slow_open=still, idle_commands=idle)
    finally:
        for p in reversed(running):
            p.stop()
        redis.stop()


def decisions(b):
    """False alarms, shares found and times to find of our statistics and of others, over made-up or recorded series: no network, no service."""
    out = os.path.join(b.folder, "decisions.json")
    command = [os.path.join(b.build, "tests", "bench", "bench-decisions"), "--workers", str(min(2, os.cpu_count() or 1)), "--json", out, *b.decide]
    sys.stdout.flush()
    if subprocess.run(command, check=False).returncode:
        raise RuntimeError("bench-decisions did not succeed")
    with open(out) as f:
        for group, figures in json.load(f).items():
            b.figures.setdefault("decisions", {})[group] = figures


def probe(b):
    """An increment of a counter of the probe library, against one under a mutex."""
    done = subprocess.run([os.path.join(b.build, "tests", "bench", "bench-probe"), str(b.count(5000000))], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError("bench-probe did not succeed")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    words = {"mutex": "counter under a mutex", "handle": "sw_series_add", "family": "sw_metric_add, no labels", "labels": "sw_metric_add, 3 labels, 402 series",
             "observe": "sw_series_observe, 11 bounds"}
    for threads in (1, 2):
        mutex = next(r["ns"] for r in rows if r["threads"] == threads and r["way"] == "mutex")
        say(f"\nprobe: {threads} thread{'s' * (threads > 1)} on the same series, ns of processor time each (median of 7 rounds; least)")
        for r in rows:
            if r["threads"] == threads:
                say(f"  {words[r['way']]:38} {r['ns']:8.1f} {r['least']:8.1f}   {mutex / r['ns']:5.2f} x as fast as the mutex")
                b.note("probe", f"{r['way']}-{threads}", ns=r["ns"], ratio=mutex / r["ns"])
    if next(r["ns"] for r in rows if r["threads"] == 1 and r["way"] == "handle") > 50:
        say("  an increment took more than 50 ns: a busy machine, or look at src/probe/metrics.c")


TABLES = {"webhooks": webhooks, "e2e": e2e, "instructions": instructions, "memory": memory, "limits": limits, "decisions": decisions,
          "watches": live.watches, "health": live.health, "alert": live.alert, "start": live.start, "idle": live.idle, "probe": probe, "worker-kills": kills.workers, "storm": lambda b: storm.run(b, say),
          "viewers": viewers.run, "history": history.run}


def decide_arguments(args):
    """What bench-decisions is asked."""
    deployments = args.deployments or (100 if args.short else None)
    return [*(["--deployments", str(deployments)] if deployments else []), *(["--seed", str(args.seed)] if args.seed else []),
            *(["--only", args.only] if args.only else []), *(["--csv", *args.csv] if args.csv else [])]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("what", nargs="?", default="webhooks", choices=[*TABLES, "kills", "all"])
    ap.add_argument("--build", required=True)
    ap.add_argument("--short", action="store_true", help="a tenth of the counts: does it work, not how fast is it")
    ap.add_argument("--rounds", type=int, default=3, choices=range(1, 10), help="of webhooks: how often each is measured")
    ap.add_argument("--deployments", type=int, help="of decisions: per noise model; of series from files: healthy ones at most")
    ap.add_argument("--seed", type=int, help="of decisions, of kills")
    ap.add_argument("--only", help="of decisions: models with this in their name")
    ap.add_argument("--csv", nargs="+", metavar="FILE", help="of decisions: series instead of models; rows timestamp,value,label")
    ap.add_argument("--watches", type=int, nargs="+", metavar="N", help="of health: so many open watches")
    ap.add_argument("--seconds", type=int, default=0, help="of health: how long is measured")
    kills.arguments(ap)
    args = ap.parse_args()
    TABLES["kills"] = lambda b: kills.run(b, args)
    build = os.path.abspath(args.build)
    status = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped on the way out
    # on the build's disk, not in a memory file system: the sync is part of what is measured
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        b = Bench(build, folder, args.short, args.rounds, decide_arguments(args), args.watches or (), args.seconds)
        say(f"{os.cpu_count()} cores shared by load, Redis and server; load {os.getloadavg()[0]:.1f} before the start")
        for name in ([t for t in TABLES if t not in ("limits", "kills", "worker-kills", "storm", "history")] if args.what == "all" else [args.what]):
            try:
                TABLES[name](b)
            except (Missing, TimeoutError, RuntimeError) as e:
                complain(f"{name}: {e}")
                status = 1
        with open(os.path.join(build, "bench.json"), "w") as f:
            json.dump(b.figures, f, indent=1)
    say(f"\nall figures: {os.path.relpath(os.path.join(build, 'bench.json'))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
