"""Figures of the history: how fast it is recorded, how large it is, what pages and lists cost with a million events in it, and viewers at rest.

Times are processor time of the dashboard, from the kernel's books: the machine may be shared, and the file is in memory. What a browser waited is
printed beside it.
"""
import http.client
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import time
import urllib.parse

import parts
from live import quantile
from parts import complain, say

CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
dashboard: {{listen: "127.0.0.1:{port}", keep: 3650d, keep_samples: 3650d, history_max: 100GiB}}
sources: {{gitlab: {{tokens: ["0123456789abcdef0123"]}}}}
channels: {{out: {{kind: console}}}}
services: {{"*": {{repos: ["bench/*"], environments: {{prod: "http://127.0.0.1:9/health"}}}}}}
"""
VIEWERS = 200
BAR_MS, BAR_RECORDS, BAR_REST = 50, 10000, 10


class Dashboard(parts.Process):
    def __init__(self, folder, build, redis, state):
        self.port = parts.free_port()
        conf = os.path.join(folder, "dashboard.yaml")
        with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(CONF.format(state=state, socket=redis.socket, port=self.port))
        super().__init__("shipwatch-dashboard", [parts.shipwatch(build), "dashboard", "-c", conf], folder)
        parts.wait_until("the dashboard", 60, lambda: parts.answers(self.port, "/") == 200)

    def spent_ms(self):
        """Processor time so far."""
        with open(f"/proc/{self.child.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e6


def pages(db):
    """Each page and list with values of rows picked at random."""
    def one(text):
        row = db.execute(text).fetchone()
        return row[0] if row else "nothing"

    def some(table, column):
        top = one(f"SELECT max(id) FROM {table}") or 1
        return one(f"SELECT {column} FROM {table} WHERE id >= {random.randint(1, top)} AND {column} IS NOT NULL LIMIT 1")

    def query(path, **kw):
        return path + ("?" + urllib.parse.urlencode({k: v for k, v in kw.items() if v is not None}) if kw else "")

    def place():
        row = db.execute("SELECT service, environment FROM places ORDER BY id LIMIT 1 OFFSET %d" % random.randint(0, max(0, one("SELECT count(*) FROM places") - 1))).fetchone()
        return {"service": row[0], "environment": row[1]}
    since = lambda: random.choice(["1d", "7d", "30d", None])
    yield "/", lambda: "/"
    yield "/builds", lambda: random.choice([query("/builds"), query("/builds", repo=some("builds", "repo"), since=since()), query("/builds", branch=some("builds", "branch")),
                                            query("/builds", status=random.choice(["failed", "success", "running"]), since=since())])
    yield "/builds/<id>", lambda: f"/builds/{some('builds', 'id')}"
    yield "/deployments", lambda: random.choice([query("/deployments"), query("/deployments", **place()), query("/deployments", verdict=random.choice(["pass", "fail"]), since=since())])
    yield "/deployments/<id>", lambda: f"/deployments/{some('deployments', 'deployment')}"
    yield "/watches/<id>", lambda: f"/watches/{some('watches', 'watch')}"
    yield "/alerts", lambda: random.choice([query("/alerts"), query("/alerts", **place()), query("/alerts", state=random.choice(["firing", "resolved"]))])
    yield "/alerts/<id>", lambda: f"/alerts/{some('alerts', 'alert')}"
    yield "/inbox", lambda: "/inbox"
    yield "/rules", lambda: "/rules"
    yield "/events", lambda: random.choice([query("/events"), query("/events", repo=some("events", "repo"), since=since()), query("/events", kind=random.choice(["push", "job", "report", "alarm"])),
                                            query("/events", ci_run_id=some("builds", "ci_run_id")), query("/events", **place())])
    yield "/events/<id>", lambda: f"/events/{some('events', 'id')}"
    yield "/search", lambda: query("/search", q=random.choice([some("builds", "ci_run_id"), some("builds", "sha"), some("watches", "watch"), some("alerts", "alert"), "nothing"]))
    for path in ("/dead", "/silences", "/approvals", "/decisions", "/status"):
        yield path, lambda path=path: path

    def perhaps_pattern(value):
        return random.choice([value] * 6 + [value[:-1] + "*", value[:len(value) // 2] + "*", "*" + value[len(value) // 2:], "*nothing*"])
    values = {"service": lambda: place()["service"], "environment": lambda: place()["environment"], "repo": lambda: perhaps_pattern(some("builds", "repo")),
              "branch": lambda: perhaps_pattern(some("builds", "branch")),
              "ci_run_id": lambda: some("builds", "ci_run_id"), "since": since, "until": lambda: random.choice(["1d", "7d", "30d", None])}
    for name in ("events", "builds", "jobs", "lines", "places", "deployments", "watches", "alerts", "news", "deliveries", "attempts", "actions", "action_steps", "decisions", "gaps"):
        yield f"/api/v1/{name}", lambda name=name: query(f"/api/v1/{name}", limit=random.choice([20, 50, 200]), **{
            k: values[k]() for k in random.sample(FILTERS[name], random.randint(0, min(2, len(FILTERS[name]))))})
    yield "/api/v1/samples", lambda: query("/api/v1/samples", limit=200, since=since(), **place())
    for path in ("/api/v1/overview", "/api/v1/rules", "/api/v1/status"):
        yield path, lambda path=path: path
    yield "/api/v1/search", lambda: query("/api/v1/search", q=some("builds", "ci_run_id"))
    yield "/api/v1/badge", lambda: "/api/v1/badge/%(service)s/%(environment)s.svg" % place()


WHERE = ["service", "environment", "since", "until"]
FILTERS = {
    "events": WHERE + ["repo", "branch", "ci_run_id"], "builds": WHERE + ["repo", "branch", "ci_run_id"], "jobs": ["since", "until", "ci_run_id"], "lines": ["repo", "branch"],
    "places": ["service", "environment"], "deployments": WHERE + ["repo", "branch", "ci_run_id"], "watches": WHERE + ["ci_run_id"], "alerts": WHERE + ["repo", "ci_run_id"],
    "news": ["since", "until"], "deliveries": WHERE, "attempts": ["since", "until"], "actions": WHERE + ["ci_run_id"], "action_steps": ["since", "until"],
    "decisions": WHERE, "gaps": ["since"],
}


def record(b, path, events, more):
    """A journal of so many events through the real fold, and how large that is."""
    out = subprocess.run([os.path.join(b.build, "tests/bench/bench-history"), path, str(events), str(more)], stdout=subprocess.PIPE, check=True).stdout
    r = json.loads(out)
    size = os.path.getsize(path)
    cpu = r["entries"] / r["cpu_seconds"]
    say(f"fold: {r['entries']:,} entries of the journal ({events:,} events) in {r['seconds']:.0f} s: {r['per_second']:,}/s (bar {BAR_RECORDS:,}); per second of processor time {cpu:,.0f}, "
        f"the making of the entries included; file {size / 1e6:,.0f} MB, {size / events:,.0f} bytes an event")
    b.note("history", "fold", bytes=size, per_cpu_second=cpu, **r)
    if r["per_second"] < BAR_RECORDS and not b.short:
        complain(f"fold: {r['per_second']:,} entries/s, the bar is {BAR_RECORDS:,}")


def logged(dash, what, seconds, pattern):
    """Waits for a line of its log; what the pattern found."""
    found = []

    def done():
        with open(dash.log, encoding="utf-8", errors="replace") as f:
            found[:] = re.findall(pattern, f.read())
        return bool(found)
    parts.wait_until(what, seconds, done)
    return found[0]


def follow(b, dash, redis):
    """The recorder itself, out of Redis, on top of all that is there: by its own line of the log."""
    n, ms = map(int, logged(dash, "the recorder catches up", 300, r"caught up: (\d+) entries in (\d+) ms"))
    rate = n / ms * 1e3
    say(f"recorder: {n:,} entries that waited in Redis in {ms / 1e3:.1f} s: {rate:,.0f}/s (bar {BAR_RECORDS:,})")
    b.note("history", "recorder", entries=n, ms=ms, per_second=rate, journal=redis.call("XLEN", "{sw}:journal"))
    if rate < BAR_RECORDS and not b.short:
        complain(f"recorder: {rate:,.0f} entries/s, the bar is {BAR_RECORDS:,}")


def fill(b, redis, more, events):
    """Entries of more events into the journal."""
    make = subprocess.Popen([os.path.join(b.build, "tests/bench/bench-history"), "-", str(more), str(events)], stdout=subprocess.PIPE)
    subprocess.run(["redis-cli", "-s", redis.socket, "--pipe"], stdin=make.stdout, stdout=subprocess.DEVNULL, check=True)
    if make.wait():
        raise RuntimeError("bench-history ended with an error")


def measure(b, dash, name, make, rounds):
    spent, waited, bad = [], [], []
    conn = http.client.HTTPConnection("127.0.0.1", dash.port, timeout=30)
    for i in range(rounds + 2):
        path = make()
        before, began = dash.spent_ms(), time.monotonic()
        conn.request("GET", path)
        answer = conn.getresponse()
        answer.read()
        if i < 2:
            continue # what is made at the first time
        waited.append((time.monotonic() - began) * 1e3)
        spent.append(dash.spent_ms() - before)
        if answer.status not in (200, 303, 302):
            bad.append((answer.status, path))
    conn.close()
    p99 = quantile(spent, 0.99)
    note = "" if p99 < BAR_MS else "   over the bar"
    if bad:
        note += f"   {len(bad)} answers {bad[0][0]}, e.g. {bad[0][1]}"
    say(f"  {name:26} {quantile(spent, 0.5):7.2f} {p99:7.2f}   {quantile(waited, 0.5):7.1f} {quantile(waited, 0.99):7.1f}{note}")
    b.note("history", name, p50_ms=quantile(spent, 0.5), p99_ms=p99, waited_p50_ms=quantile(waited, 0.5), waited_p99_ms=quantile(waited, 0.99), bad=len(bad))
    return p99 < BAR_MS and not bad


def looked_through(b, dash):
    """The process beside the recorder that reads all of the file: recording did not wait for it."""
    took = logged(dash, "the file is looked through", 600, r"looked through in (\S+), it is whole")
    say(f"looked through beside the recorder in {took}")
    b.note("history", "looked through", took=took)


def lists(b, path, rounds):
    """Each list by each filter, each two of them and patterns, in processor time."""
    out = subprocess.run([os.path.join(b.build, "tests/bench/bench-lists"), path, str(rounds)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    every = [r for r in rows if "all" in r]
    say(f"lists by filters, pairs of them and patterns: {sum(r['over_50_ms'] for r in every)} of {sum(r['all'] for r in every):,} pages over {BAR_MS} ms; the slowest:")
    for r in sorted((r for r in rows if "by" in r), key=lambda r: -r["most_ms"])[:5]:
        say(f"  {r['list']} by {r['by']}: p50 {r['p50_ms']:.1f}, most {r['most_ms']:.0f} ms ({r['worst']})")
    b.note("history", "lists", over=sum(r["over_50_ms"] for r in every), all=sum(r["all"] for r in every), most_ms=max(r["most_ms"] for r in every))


def at_rest(b, dash, seconds):
    """So many browsers with an open stream, and nothing happens."""
    viewers = []
    for _ in range(VIEWERS):
        s = socket.create_connection(("127.0.0.1", dash.port), timeout=10)
        s.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        viewers.append(s)
    heads = [s.recv(4096) for s in viewers]
    open_ = sum(h.startswith(b"HTTP/1.1 200") for h in heads)
    time.sleep(2)
    before, began = dash.spent_ms(), time.monotonic()
    time.sleep(seconds)
    share = (dash.spent_ms() - before) / ((time.monotonic() - began) * 1e3) * 100
    for s in viewers:
        s.close()
    say(f"{open_} live viewers at rest for {seconds} s: {share:.2f} % of a core (bar {BAR_REST} %)")
    b.note("history", "viewers", n=open_, share=share)
    if open_ < VIEWERS or share >= BAR_REST:
        complain(f"viewers: {open_} of {VIEWERS}, {share:.1f} %")


def run(b):
    events, more = (20000, 20000) if b.short else (1000000, 200000)
    folder = b.subfolder()
    state = os.environ.get("SW_BENCH_HISTORY")  # a folder with a history.db made before
    running = []
    if not state:
        state = os.path.join(folder, "state")
        os.makedirs(state)
        record(b, os.path.join(state, "history.db"), events, more)
    redis = parts.Redis(folder)
    running.append(redis)
    try:
        fill(b, redis, more, events)
        dash = Dashboard(folder, b.build, redis, state)
        running.append(dash)
        follow(b, dash, redis)
        db = sqlite3.connect(f"file:{state}/history.db?mode=ro", uri=True)
        counts = {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("events", "builds", "watches", "samples", "alerts")}
        say("in it: " + ", ".join(f"{n:,} {t}" for t, n in counts.items()))
        say(f"  {'server time, ms':26} {'p50':>7} {'p99':>7}   {'waited: p50':>7} {'p99':>7}")
        random.seed(7)
        rounds = 20 if b.short else 200
        slow = [name for name, make in pages(db) if not measure(b, dash, name, make, rounds)]
        db.close()
        looked_through(b, dash)
        lists(b, os.path.join(state, "history.db"), 4 if b.short else 40)
        if slow:
            complain("over 50 ms, or wrong: " + ", ".join(slow))
        at_rest(b, dash, 5 if b.short else 20)
    finally:
        for p in reversed(running):
            p.stop()
