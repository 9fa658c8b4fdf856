"""Figures of running processes, beside the bars of the design: watches of health, a message to a chat, starts, rest. Loopback only."""
import collections
import json
import os
import re
import socket
import subprocess
import time

import parts
from parts import complain, say

HEALTH_CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
services:
  "*": {{repos: ["bench/*"], environments: {{prod: {{health: {{url: "{url}", every: 5s, background: 60s, grace: 5s}}}}}}}}
channels:
  out: {{kind: console}}
rules: {rules}
"""
HEALTH_RULES = "- {name: health-failing, on: deploy, watch: 10m, if: health is failing for 3 checks, then: alert}\n"
EVERY = 5


class Healthy(parts.Process):
    """The health URL of thousands of services, each at an address of its own (127.1.x.y): a connection a probe, as in life."""

    def __init__(self, folder, build, seconds):
        super().__init__("healthy", [os.path.join(build, "tests/bench/bench-healthy"), str(seconds)], folder, stdout=subprocess.PIPE)
        self.port = int(self.first_line())
        self.url = f"http://127.1.{{service}}:{self.port}/health"

    def count(self):
        return int(http_get(self.port, "/count"))


def http_get(port, path):
    conn = parts.http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        conn.request("GET", path)
        return conn.getresponse().read()
    finally:
        conn.close()


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def tell_deployments(redis, n, seconds):
    """Facts of n deployments, evenly over so long: what `shipwatch deploy` appends."""
    start = time.monotonic()
    for i in range(0, n, 100):
        at = redis_ms(redis)
        batch = []
        for k in range(i, min(n, i + 100)):
            service, run = f"{k // 250}.{k % 250 + 1}", f"bench-{k}"
            event = {"kind": "deployment", "status": "success", "source": "cli", "source_kind": "cli", "what": "shipwatch deploy", "service": service,
                     "environment": "prod", "status_text": "success", "sha": parts.COMMIT_PREFIX + "%022x" % k, "user": "bench", "at": at, "received": at,
                     "finished_at": at, "deployment_id": run, "ci_run_id": run}
            batch.append(("XADD", "{sw}:work", "*", "a", f"place:{service}/prod", "m", json.dumps({"t": "fact", "how": 1, "ev": event})))
        redis.call_all(batch)
        time.sleep(max(0, start + seconds * (i + 100) / n - time.monotonic()))


def redis_ms(redis):
    s, us = redis.call("TIME")
    return int(s) * 1000 + int(us) // 1000


def oldest_work_ms(redis):
    first = redis.call("XRANGE", "{sw}:work", "-", "+", "COUNT", 1)
    return redis_ms(redis) - int(first[0][0].split("-")[0]) if first else 0


def overdue_ms(redis):
    """How late the earliest timer is."""
    first = redis.call("ZRANGE", "{sw}:timers", 0, 0, "WITHSCORES")
    return max(0, redis_ms(redis) - int(float(first[1]))) if first else 0


class Monitor:
    """What Redis is told over a while, by MONITOR: commands of clients by name (scripts by theirs), and those inside scripts."""

    def __init__(self, redis, build):
        self.names = script_names(build)
        self.redis = redis
        self.asked, self.inside, self.seconds = collections.Counter(), collections.Counter(), 0

    def run(self, seconds):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.redis.socket)
        s.sendall(b"MONITOR\r\n")
        start, rest = time.monotonic(), b""
        while (left := start + seconds - time.monotonic()) > 0:
            s.settimeout(left)
            try:
                got = s.recv(1 << 20)
            except TimeoutError:
                break
            *lines, rest = (rest + got).split(b"\r\n")
            for line in lines:
                self.line(line.decode("utf-8", "replace"))
        s.close()
        self.seconds += time.monotonic() - start

    def line(self, text):
        """+1790000000.123456 [0 unix:/path] "EVALSHA" "<sha>" …; of a script's own commands it says [0 lua]."""
        found = re.match(r'\+[0-9.]+ \[\d+ ([^\]]*)\] "([^"]*)"(?: "([^"]*)")?', text)
        if not found:
            return
        who, command, first = found.groups()
        if who == "lua":
            self.inside[command.upper()] += 1
        else:
            self.asked[self.names.get(first, command.upper())] += 1

    def rate(self):
        return sum(self.asked.values()) / self.seconds

    def text(self):
        return ", ".join(f"{name} {n / self.seconds:.2f}" for name, n in self.asked.most_common())


def script_names(build):
    """SHA-1 of each script to its name, from the file that the build made."""
    with open(os.path.join(build, "src/bus/scripts/bus_scripts.c")) as f:
        return {sha: name for name, sha in re.findall(r'\{ "(\w+)", "([0-9a-f]{40})"', f.read())}


class Meter:
    """What a while costs: processor seconds, commands, bytes; ages sampled meanwhile."""

    def __init__(self, redis, worker, healthy):
        self.redis, self.worker, self.healthy = redis, worker, healthy
        self.before = self.now()
        self.ages, self.late = [], []

    def now(self):
        return {"at": time.monotonic(), "worker_cpu": self.worker.cpu_s(), "redis_cpu": self.redis.cpu_s(), "probes": self.healthy.count(),
                "server_cpu": self.healthy.cpu_s(), "calls": self.redis.calls(), "aof": self.redis.info("aof_current_size")}

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            self.ages.append(oldest_work_ms(self.redis))
            self.late.append(overdue_ms(self.redis))

    def figures(self):
        a, b = self.before, self.now()
        t = b["at"] - a["at"]
        calls = {k: (b["calls"][k] - a["calls"].get(k, 0)) / t for k in b["calls"]}
        asked = sum(v for k, v in calls.items() if k in ("evalsha", "xreadgroup", "get", "ping", "info", "time"))
        return {"probes": (b["probes"] - a["probes"]) / t, "worker_cpu": (b["worker_cpu"] - a["worker_cpu"]) / t,
                "redis_cpu": (b["redis_cpu"] - a["redis_cpu"]) / t, "server_cpu": (b["server_cpu"] - a["server_cpu"]) / t,
                "commands": asked, "commands_inside": sum(calls.values()), "scripts": calls.get("evalsha", 0),
                "aof_bytes": (b["aof"] - a["aof"]) / t, "seconds": t, "oldest_p50_ms": quantile(self.ages, 0.5), "oldest_max_ms": max(self.ages),
                "late_p50_ms": quantile(self.late, 0.5), "late_max_ms": max(self.late), "rss_kb": sum(r for r, _ in self.worker.memory_kb())}


def health_text(n, f):
    wanted = n / EVERY
    return (f"  {n:6} watches: {f['probes']:6.0f} probes/s of {wanted:.0f} ({100 * f['probes'] / wanted:.0f} %); oldest work p50 {f['oldest_p50_ms']:.0f} ms, "
            f"most {f['oldest_max_ms']:.0f} ms; timers late p50 {f['late_p50_ms']:.0f} ms, most {f['late_max_ms']:.0f} ms\n"
            f"          worker {f['worker_cpu']:.2f} of a core, {1000 * f['worker_cpu'] / f['probes']:.2f} ms a probe, {f['rss_kb'] / 1024:.0f} MB; Redis {f['redis_cpu']:.2f}, {1000 * f['redis_cpu'] / f['probes']:.2f} ms a probe, {f['commands']:.0f} commands/s"
            f" ({f['commands_inside']:.0f} with those inside scripts), {f['aof_bytes'] / 1e6:.1f} MB/s of append-only file; health URLs {f['server_cpu']:.2f}")


def health_of(b, n, seconds, wrap=()):
    folder = b.subfolder()
    redis = parts.Redis(folder)
    running = []
    try:
        rules = os.path.join(folder, "rules.yaml")
        with open(rules, "w") as f:
            f.write(HEALTH_RULES)
        healthy = Healthy(folder, b.build, 300)
        running.append(healthy)
        worker = parts.Worker(folder, b.build, redis, wrap=wrap, conf=HEALTH_CONF, url=healthy.url, rules=rules)
        running.append(worker)
        tell_deployments(redis, n, max(EVERY, n / 500))
        parts.wait_until("each service is asked", 240, lambda: time.sleep(0.2) or healthy.count() >= n)
        time.sleep(min(seconds, 2 * EVERY))
        meter = Meter(redis, worker, healthy)
        meter.run(seconds)
        f = meter.figures()
        if b.monitor:
            monitor = Monitor(redis, b.build)
            monitor.run(4)
            say(f"  asked of Redis: {monitor.text()}\n  inside scripts: " + ", ".join(f"{k} {v / monitor.seconds:.1f}" for k, v in monitor.inside.most_common()))
        f["dead"] = redis.call("XLEN", "{sw}:dead")
        if f["dead"] or not worker.alive():
            complain(f"{f['dead']} dead letters; worker: {worker.tail()}")
        return f
    finally:
        for p in reversed(running):
            p.stop()
        redis.stop()


def health(b):
    """Open watches of health at a rhythm of 5 s in one worker: what is asked, how late, at what cost."""
    say("\nopen watches of health, one worker, every 5 s, each service at an address of its own (bar: 10,000 in one worker)")
    show_fsync(b)
    for n in b.health or ((300,) if b.short else (1000, 5000, 10000)):
        f = health_of(b, n, b.seconds)
        b.note("health", str(n), **f)
        say(health_text(n, f))


def show_fsync(b):
    f = parts.fsync(b.build, b.folder, b.count(2000))
    b.note("limits", "fsync", **f)
    say(f"disk: write of 8 KiB and fdatasync p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms")
