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


# ---- from a webhook to a message ----

ALERT_CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
gateway: {{listen: "127.0.0.1:{port}"}}
sources: {{gitlab: {{tokens: ["{secret}"]}}}}
services:
  "*": {{repos: ["bench/*"], environments: {{prod: {{match: [{{environment: prod}}]}}}}}}
channels:
  robot: {{kind: {kind}, url: "{url}", secret: {secret}, digest_above: 0}}
rules: {rules}
"""
ALERT_RULES = "- {name: pipeline-failed, on: pipeline-failed, then: alert}\n"


class Robots(parts.Process):
    """The simulators of tests/sim, checking as the real ones do."""

    def __init__(self, folder):
        path = os.path.join(folder, "robots.port")
        super().__init__("robots", ["/usr/bin/python3", os.path.join(parts.ROOT, "tests/sim/robots.py"), "--port-file", path, "--hook-secret", parts.SECRET,
                                    "--dingtalk-secret", parts.SECRET], folder)
        self.port = int(parts.wait_until("the robots", 10, lambda: os.path.exists(path) and open(path, encoding="ascii").read()))

    def messages(self):
        return json.loads(http_get(self.port, "/messages"))


def failed_pipeline(i):
    """A pipeline hook of GitLab as it comes for a red main branch; a repository of its own, so that nothing is a repetition."""
    repo, sha = f"bench/repo{i}", parts.COMMIT_PREFIX + "%022x" % i
    return json.dumps({
        "object_kind": "pipeline",
        "object_attributes": {"id": 7000 + i, "iid": i + 1, "ref": "main", "tag": False, "sha": sha, "before_sha": "0" * 40, "source": "push", "status": "failed",
                              "detailed_status": "failed", "stages": ["build", "test"], "created_at": "2026-03-01 02:10:00 UTC",
                              "finished_at": "2026-03-01 02:14:00 UTC", "duration": 240, "url": f"https://gitlab.example.com/{repo}/-/pipelines/{7000 + i}"},
        "user": {"id": 4, "name": "Mei Lin", "username": "meilin"},
        "project": {"id": 100 + i, "name": f"repo{i}", "path_with_namespace": repo, "web_url": f"https://gitlab.example.com/{repo}", "default_branch": "main"},
        "commit": {"id": sha, "message": "checkout: the new tax table\n", "title": "checkout: the new tax table", "author": {"name": "Mei Lin"}},
        "builds": [{"id": 90000 + i, "stage": "test", "name": "unit", "status": "failed", "created_at": "2026-03-01 02:10:00 UTC",
                    "started_at": "2026-03-01 02:11:00 UTC", "finished_at": "2026-03-01 02:14:00 UTC", "duration": 180, "allow_failure": False}],
    }).encode()


def post_pipelines(port, n, pause):
    """One after the other, with the system idle between them. Returns when each was sent and when it was answered, by repository."""
    conn = parts.http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    conn.connect()
    conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = {}
    for i in range(n):
        body = failed_pipeline(i)
        start = time.time()
        conn.request("POST", "/hooks/gitlab", body, {"Content-Type": "application/json", "X-Gitlab-Event": "Pipeline Hook", "X-Gitlab-Token": parts.SECRET,
                                                     "Idempotency-Key": f"bench-{i}"})
        answer = conn.getresponse()
        text = answer.read()
        if answer.status != 202:
            raise RuntimeError(f"webhook {i}: {answer.status} {text[:100]}")
        sent[f"bench/repo{i}"] = (start, time.time())
        time.sleep(pause)
    conn.close()
    return sent


def alert_of(b, name, kind, path, n, pause):
    folder = b.subfolder()
    redis = parts.Redis(folder)
    running = []
    try:
        rules = os.path.join(folder, "rules.yaml")
        with open(rules, "w", encoding="utf-8") as f:
            f.write(ALERT_RULES)
        robots = Robots(folder)
        running.append(robots)
        names = {"kind": kind, "url": f"http://127.0.0.1:{robots.port}{path}", "rules": rules}
        running.append(parts.Shipwatch(folder, b.build, redis, conf=ALERT_CONF, **names))
        running.append(parts.Worker(folder, b.build, redis, conf=ALERT_CONF, **names))
        sent = post_pipelines(running[1].port, n, pause)
        time.sleep(1)
        found = {}
        got = robots.messages()
        for m in got["messages"]:
            text = json.dumps(m.get("body")) if m["robot"] == "hook" else m.get("text", "")
            repo = re.search(r"bench/repo\d+", text)
            if repo:
                found.setdefault(repo[0], m["at"])
        took = [1000 * (found[repo] - start) for repo, (start, _) in sent.items() if repo in found]
        answers = [1000 * (end - start) for start, end in sent.values()]
        f = {"n": n, "told": len(took), "p50_ms": quantile(took, 0.5), "p99_ms": quantile(took, 0.99), "max_ms": max(took, default=float("nan")),
             "answer_p50_ms": quantile(answers, 0.5), "answer_p99_ms": quantile(answers, 0.99)}
        say(f"  {name}: p50 {f['p50_ms']:.1f} ms, p99 {f['p99_ms']:.1f} ms, most {f['max_ms']:.1f} ms of {f['told']} (bar: p99 < 30 ms at fsync p99 < 7 ms);"
            f" the webhook's answer p50 {f['answer_p50_ms']:.1f} ms, p99 {f['answer_p99_ms']:.1f} ms")
        if f["told"] != n or got["refused"]:
            complain(f"{n} pipelines failed, {f['told']} messages came, {len(got['refused'])} were refused {got['refused'][:1]}")
        return f
    finally:
        for p in reversed(running):
            p.stop()
        redis.stop()


def alert(b):
    """From the webhook of a failed pipeline to the message at the robot, on an idle system."""
    say("\nwebhook to message, idle system, one after the other: gateway, Redis (appendfsync always), worker, robot")
    show_fsync(b)
    b.note("alert", "webhook", **alert_of(b, "a webhook channel, no pace", "webhook", "/hook", 20 if b.short else 200, 0.1))
    b.note("alert", "dingtalk", **alert_of(b, "DingTalk, within its pace of 18 a minute", "dingtalk", "/robot/send?access_token=bench", 5 if b.short else 17, 0.5))


# ---- from exec to ready ----

REST_CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
gateway: {{listen: "127.0.0.1:{port}"}}
dashboard: {{listen: "127.0.0.1:{port}"}}
sources: {{github: {{secrets: ["{secret}"]}}, gitlab: {{tokens: ["{secret}"]}}}}
services:
  web: {{repo: acme/web, environments: {{prod: {{match: [{{environment: prod}}]}}}}}}
channels: {{out: {{kind: console}}}}
"""


def start_once(program, role, conf, folder):
    """Milliseconds from exec to READY=1."""
    r, w = os.pipe()
    os.set_inheritable(w, True)
    with open(os.path.join(folder, role + ".log"), "ab") as log:
        began = time.monotonic()
        child = subprocess.Popen([program, role, "-c", conf, "--notify-fd", str(w)], pass_fds=(w,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(w)
        said = os.read(r, 64)
        took = 1000 * (time.monotonic() - began)
        os.close(r)
        child.terminate()
        child.wait(20)
    if b"READY=1" not in said:
        raise RuntimeError(f"{role} was not ready")
    return took


def start(b):
    """How long a role takes from exec to being ready, Redis running."""
    folder = b.subfolder()
    redis = parts.Redis(folder)
    say("\nfrom exec to ready, Redis running (bar: < 100 ms)")
    show_fsync(b)
    try:
        conf = os.path.join(folder, "start.yaml")
        with open(os.open(conf, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(REST_CONF.format(state=os.path.join(folder, "state"), socket=redis.socket, port=parts.free_port(), secret=parts.SECRET))
        for role in ("gateway", "worker", "dashboard"):
            took = [start_once(parts.shipwatch(b.build), role, conf, folder) for _ in range(5 if b.short else 20)]
            b.note("start", role, ms=took)
            say(f"  {role:8} p50 {quantile(took, 0.5):.1f} ms, most {max(took):.1f} ms of {len(took)}")
    finally:
        redis.stop()


# ---- at rest ----

def held_mb(process):
    """Resident megabytes: of each process, and of all with what they share counted once."""
    each, private, shared = [], 0, 0
    for pid in process.pids():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            kb = {line.split()[0]: int(line.split()[1]) for line in f if line.endswith("kB\n")}
        own = kb["Private_Clean:"] + kb["Private_Dirty:"]
        each.append(kb["Rss:"] / 1024)
        private += own / 1024
        shared = max(shared, (kb["Rss:"] - own) / 1024)
    return {"each": each, "together": private + shared}


def held_text(m):
    return f"{m['together']:.1f} MB resident" + (f" ({' + '.join(f'{x:.1f}' for x in m['each'])} with what is shared counted in each)" if len(m["each"]) > 1 else "")


def idle(b):
    """What an installation at rest asks of Redis, and what its processes hold."""
    folder = b.subfolder()
    redis = parts.Redis(folder)
    running = []
    try:
        running.append(parts.Shipwatch(folder, b.build, redis, conf=REST_CONF))
        running.append(parts.Worker(folder, b.build, redis, conf=REST_CONF))
        running.append(parts.Dashboard(folder, b.build, redis, conf=REST_CONF))
        time.sleep(1 if b.short else 6)
        monitor = Monitor(redis, b.build)
        before = [p.cpu_s() for p in running]
        monitor.run(6 if b.short else 20)
        cpu = [(p.cpu_s() - x) / monitor.seconds for p, x in zip(running, before)]
        inside = sum(monitor.inside.values()) / monitor.seconds
        rest, worker, dashboard = (held_mb(p) for p in running)
        say(f"\nat rest, one gateway, one worker, one dashboard, {monitor.seconds:.0f} s\n  asked of Redis: {monitor.rate():.2f} commands/s (bar: <= 2); inside scripts besides {inside:.1f}"
            f"\n    {monitor.text()}\n  gateway {held_text(rest)} (bar: < 12), {100 * cpu[0]:.2f} % of a core; worker {held_text(worker)}, {100 * cpu[1]:.2f} %;"
            f" dashboard and recorder {held_text(dashboard)}, {100 * cpu[2]:.2f} %")
        b.note("idle", "all", commands=monitor.rate(), inside=inside, asked=dict(monitor.asked), seconds=monitor.seconds, gateway=rest, worker=worker,
               dashboard=dashboard)
    finally:
        for p in reversed(running):
            p.stop()
        redis.stop()


# ---- the engine alone ----

def watches(b):
    """Open watches and events in the engine, in virtual time: no Redis, no network."""
    command = [os.path.join(b.build, "tests", "bench", "bench-watches")]
    if b.short:
        command += ["--places", "100", "--minutes", "2", "--events", "2000"]
    say("\nthe engine alone, in virtual time")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"bench-watches ended with {done.returncode}")
    *lines, last = done.stdout.strip().splitlines()
    say("\n".join(lines))
    b.note("watches", "engine", **json.loads(last))
