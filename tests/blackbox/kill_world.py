"""The world around an installation that is killed: git hosts that deliver until they are answered, places that run what was
deployed and fall ill with it, robots and rollback hooks that keep what they get.
"""
import argparse
import collections
import http.client
import itertools
import json
import os
import queue
import random
import sys
import threading
import time
import urllib.parse

from dash_rig import Unix
from harness import SOURCE, sign_github, sign_gitlab, sign_report
from test_kills import deployment, push

sys.path.insert(0, os.path.join(SOURCE, "tests", "sim"))
import robots  # noqa: E402

TOKEN, GITHUB, CI, HOOK = "gitlab-token-1", "github-secret-1", "ci-secret-1", "hook-secret-1"
WATCH = 10  # seconds, the least there is
HOST_TIMEOUT = 10
# The hook of one rollback in so many takes it and says nothing: its outcome is unknown. Their shas end so.
CUT, UNSAID, CLOSED = 3, "0c", "0d"

CONFIG = """
sources:
  gitlab: {tokens: [%(token)s]}
  github: {secrets: [%(github)s]}
  ci: {kind: report, secrets: [%(ci)s]}
channels:
  box: {kind: webhook, url: "%(url)s/hook", secret: %(hook)s}
  ops: {kind: webhook, url: "%(url)s/hook", secret: %(hook)s}
alerts: [box]
programs: ["%(program)s"]
actions:
  undo: {kind: http, url: "%(url)s/hook", secret: %(hook)s, timeout: 3s}
  undo-here: {kind: exec, program: "%(program)s", timeout: 20s}
services:
%(services)s
rules: rules.yaml
dashboard: {listen: "127.0.0.1:0"}
"""
SERVICE = ("  s%d: {repo: acme/s%d, environments: {prod: {health: {url: \"%s/h/s%d\", every: 500ms, timeout: 2s, grace: 500ms, background: 1s}, "
           "rollback: %s, rollback_limit: {30m: 100, 24h: 1000}}}}\n")
# A rollback by a program takes a second, so that workers die while it runs.
PROGRAM = """#!/bin/sh
cat > "%(ran)s/$$.part" && mv "%(ran)s/$$.part" "%(ran)s/$(date +%%s%%N)-$$.json" && sleep 1
"""
RULES = """
- {name: pushed, on: push, then: alert}
- {name: ill, on: deploy-to-prod, watch: %ds, if: health is failing for 3 checks, then: [{alert: [box, ops]}, rollback]}
"""


class Robots(robots.Handler):
    """Channels and the rollback hook as the simulator has them, and the health of the services."""

    def do_GET(self):  # noqa: N802
        world = self.server.world
        if self.path.startswith("/h/"):
            ill = world.ill(self.path[3:])
            self.answer(500 if ill else 200, {"status": "fail" if ill else "ok"})
        else:
            super().do_GET()

    def deliver(self, robot, raw):
        said = super().deliver(robot, raw)
        body = json.loads(raw)
        if said[0] == 200 and "action" in body and self.server.world.taken_back(body):
            self.server.ending.wait(5 if body["sha"].endswith(UNSAID) else 0)
            self.unanswered = True
        return said

    def answer(self, *args, **kw):
        if getattr(self, "unanswered", False):
            self.cut()
        else:
            super().answer(*args, **kw)


class Event:
    """Something a host tells, under one delivery key until it was answered."""

    def __init__(self, kind, key, sha, path, body, sign, run=None):
        self.kind, self.key, self.sha, self.path, self.body, self.sign, self.run = kind, key, sha, path, body, sign, run
        self.tries, self.answers, self.done, self.first, self.taken_at = 0, [], threading.Event(), 0.0, 0.0

    def took(self):
        return self.taken_at - self.first


class Hosts:
    """Delivers what is told to one gateway or the other; again after anything but 2xx, a time-out or a connection that broke, and
    one in ten once more after 2xx, as an impatient person does."""

    def __init__(self, addresses, seed, threads=6):
        self.addresses, self.random, self.lock = addresses, random.Random(seed), threading.Lock()
        self.waiting, self.order, self.told, self.statuses = queue.PriorityQueue(), itertools.count(), [], collections.Counter()
        self.ending, self.out = threading.Event(), 0
        for _ in range(threads):
            threading.Thread(target=self.run, daemon=True).start()

    def tell(self, event):
        event.first = time.monotonic()
        with self.lock:
            self.out += 1
            self.told.append(event)
        self.waiting.put((time.monotonic(), next(self.order), event))
        return event

    def run(self):
        while not self.ending.is_set():
            try:
                due, n, event = self.waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            if due > time.monotonic():
                self.waiting.put((due, n, event))
                self.ending.wait(0.01)
                continue
            self.deliver(event)

    def deliver(self, event):
        with self.lock:
            address, pause, again = self.random.choice(self.addresses), self.random.uniform(0.05, 1), self.random.random() < 0.1
        event.tries += 1
        status, answer = self.post(address, event)
        with self.lock:
            self.statuses[status] += 1
        event.answers.append((status, answer))
        taken = isinstance(status, int) and 200 <= status < 300
        if taken and not event.done.is_set():
            event.taken_at = time.monotonic()
            event.done.set()
        elif taken:
            again = False
        if not taken or again:
            self.waiting.put((time.monotonic() + pause, next(self.order), event))
        else:
            with self.lock:
                self.out -= 1

    def post(self, address, event):
        conn = Unix(address, timeout=HOST_TIMEOUT) if isinstance(address, str) else http.client.HTTPConnection(*address, timeout=HOST_TIMEOUT)
        try:
            conn.request("POST", event.path, event.body, {"Content-Type": "application/json", "Host": "test", **event.sign(event.body)})
            got = conn.getresponse()
            return got.status, got.read().decode()
        except (OSError, http.client.HTTPException) as e:
            return type(e).__name__, ""
        finally:
            conn.close()


def gitlab_push(n):
    sha, body = push(n)
    key = "push-%d" % n
    return Event("push", key, sha, "/hooks/gitlab", body, lambda b: sign_gitlab(TOKEN, "Push Hook", key))


def github_push(n):
    sha, key = "%040x" % (0xdef0000000 + n), "00000000-0000-4000-8000-%012x" % n
    body = json.dumps({
        "ref": "refs/heads/g%d" % (n % 5), "before": "0" * 39 + "1", "after": sha, "created": False, "deleted": False, "forced": False,
        "repository": {"id": 7, "name": "s1", "full_name": "acme/s1", "html_url": "https://github.example.com/acme/s1", "default_branch": "main"},
        "pusher": {"name": "lin"}, "sender": {"login": "lin"}, "head_commit": {"id": sha, "message": "change %d" % n, "timestamp": "2026-11-24T12:00:00Z"},
        "commits": [{"id": sha, "message": "change %d" % n, "timestamp": "2026-11-24T12:00:00Z", "author": {"name": "Lin"}}]}).encode()
    return Event("push", "gh-%d" % n, sha, "/hooks/github", body, lambda b: sign_github(GITHUB, b, "push", key))


def report(n):
    sha = "%040x" % (0xc10000000 + n)
    body = json.dumps({"pipeline_id": 900000 + n, "job_name": "test", "job_id": "r%d" % n, "exit_code": n % 2, "duration_ms": 1000 + n, "coverage_pct": 80,
                       "repo": "acme/s2", "branch": "main", "sha": sha}).encode()
    return Event("report", "ci-%d" % n, sha, "/ci-report", body, lambda b: sign_report(CI, b))


class Deployed:
    """One deployment of a place and what has to become of it."""

    def __init__(self, service, job, sha, bad, back=False):
        self.service, self.job, self.sha, self.bad, self.back = service, job, sha, bad, back
        self.event, self.ended, self.found, self.action = None, False, None, None

    def late(self):
        """Told when its watch was over, or nearly: then it goes to the history only."""
        return self.event.took() > WATCH / 2


class World:
    def __init__(self, case, seed, places):
        self.seed, self.lock = seed, threading.Lock()
        options = robots.parse(["--hook-secret", HOOK])
        self.server = robots.Server(options)
        self.server.RequestHandlerClass, self.server.world = Robots, self
        self.state = self.server.state
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        case.addCleanup(self.end)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.places, self.sick, self.hooked, self.cuts = places, set(), collections.Counter(), set()
        self.deployed, self.ending, self.threads = [], threading.Event(), []

    def write(self, folder):
        """The configuration: every third place is rolled back by a program."""
        self.ran = folder("ran")
        os.makedirs(self.ran)
        program = folder.write("undo.sh", PROGRAM % {"ran": self.ran})
        os.chmod(program, 0o700)
        folder.write("rules.yaml", RULES % WATCH)
        services = "".join(SERVICE % (i, i, self.url, i, "undo-here" if i % 3 == 2 else "undo") for i in range(self.places))
        return folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "github": GITHUB, "ci": CI, "hook": HOOK, "url": self.url, "services": services,
                                                        "program": program})

    def end(self):
        self.ending.set()
        self.server.ending.set()
        self.server.shutdown()
        self.server.server_close()

    # ---- what services and their rollbacks do ----

    def ill(self, service):
        with self.lock:
            return urllib.parse.unquote(service) in self.sick

    def fall(self, service, ill):
        with self.lock:
            (self.sick.add if ill else self.sick.discard)(service)

    def taken_back(self, body):
        """A rollback was asked for. Return: whether nothing is to be answered."""
        with self.lock:
            self.hooked[body["id"]] += 1
            self.sick.discard(body["service"])
            cut = body["sha"].endswith((UNSAID, CLOSED))
            if cut:
                self.cuts.add(body["id"])
            return cut

    # ---- what happens at a place ----

    def begin(self, redis, hosts, rate):
        self.redis, self.hosts = redis, hosts
        for i in range(self.places):
            self.threads.append(threading.Thread(target=self.live, args=("s%d" % i, i), daemon=True))
        self.threads.append(threading.Thread(target=self.chatter, args=(rate,), daemon=True))
        for what in (self.age, self.ran_here):
            threading.Thread(target=what, daemon=True).start()
        for t in self.threads:
            t.start()

    def chatter(self, rate):
        """What has nothing to do with deployments."""
        for n in itertools.count():
            if self.ending.wait(1 / rate):
                return
            self.hosts.tell((gitlab_push, gitlab_push, github_push, report)[n % 4](n))

    def ran_here(self):
        """Rollbacks by the program: each start of it left a file."""
        known = set()
        while not self.ending.wait(0.05) or any(t.is_alive() for t in self.threads):
            for name in set(n for n in os.listdir(self.ran) if n.endswith(".json")) - known:
                known.add(name)
                with open(os.path.join(self.ran, name), encoding="utf-8") as f:
                    self.taken_back(json.load(f))

    def age(self):
        """The bus holds everything after three starts in ten minutes: here they happened long ago."""
        while not self.ending.wait(0.03) or any(t.is_alive() for t in self.threads):
            try:
                self.redis("EVAL", "for _, a in ipairs(redis.call('ZRANGE', '{sw}:acts', '(1', '+inf', 'BYSCORE')) do redis.call('ZADD', '{sw}:acts', 'XX', 1, a) end", 0)
                why = self.redis("HGET", "{sw}:ctl", "hold_why")
                if isinstance(why, bytes) and why.startswith(b"3 actions"):
                    self.redis("HDEL", "{sw}:ctl", "hold", "hold_why", "hold_by", "hold_at")
            except OSError:
                self.ending.wait(0.05)

    def deploy(self, service, job, sha, bad, back=False):
        d = Deployed(service, job, sha, bad, back)
        key = "dep-%s-%d" % (service, job)
        d.event = Event("deployment", key, sha, "/hooks/gitlab", deployment(service, job, sha), lambda b: sign_gitlab(TOKEN, "Deployment Hook", key),
                        run="gitlab.example.com/acme/%s/job-%d" % (service, job))
        with self.lock:
            self.deployed.append(d)
        self.hosts.tell(d.event)
        d.event.done.wait()
        if bad:
            self.fall(service, True)
        self.follow(d)
        self.fall(service, False)
        return d

    def place(self, service):
        try:
            text = self.redis("HGET", "{sw}:place:%s/prod" % service, "s")
            return json.loads(text) if isinstance(text, bytes) else None
        except OSError:
            return None

    def follow(self, d, bound=240):
        """Until its watch has a verdict, and its action an end."""
        end = time.monotonic() + bound
        while time.monotonic() < end:
            time.sleep(0.25)
            state = self.place(d.service)
            mine = next((x for x in (state or {}).get("deployments", []) if x.get("j") == str(d.job)), None)
            if not mine:
                continue
            watch = next((w for w in state["watches"] if w["dep"] == mine["id"]), None)
            if not watch:
                if d.late():
                    d.ended = True
                    return
                continue
            d.found = watch
            d.action = next((a for a in state.get("actions", []) if a["dep"] == mine["id"]), None)
            if watch.get("verdict") and not (d.bad and (not d.action or d.action["state"] in ("proposed", "asking", "postponed", "started"))):
                d.ended = True
                return

    def live(self, service, i):
        """Good, bad, taken back, and so on; every second place begins with a bad one."""
        job = 1000000 * (i + 1)
        for n in itertools.count():
            good = "%040x" % (0xa0000000 + job)
            if n or i % 2 == 0:
                self.deploy(service, job + 1, good, False)
            if self.ending.is_set() and n:
                break
            end = "00" if (n + i) % CUT or i % 3 == 2 else UNSAID if n % 2 else CLOSED
            self.deploy(service, job + 2, "%038x%s" % (0xb0000000 + job, end), True)
            self.deploy(service, job + 3, good, False, back=True)
            job += 10

    def quiet(self):
        """No new things; what is under way comes to its end."""
        self.ending.set()
