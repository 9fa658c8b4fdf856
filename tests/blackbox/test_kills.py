"""Kill -9 at any moment: gateways, workers and Redis die again and again while webhooks come in.

What was answered 2xx is told; what is told twice says that it may be; no rollback starts twice. The moments come from a seed
that is printed (SW_SEED sets it, SW_KILLS how many kills).
"""
import collections
import json
import os
import random
import time
import unittest

from harness import Case, Gateway, Redis, Role, sign_gitlab, wait_for
from test_main_path import Robots

TOKEN = "gitlab-token-1"
KILLS = int(os.environ.get("SW_KILLS", "12"))
SEED = int(os.environ.get("SW_SEED") or time.time())

CONFIG = """
public_url: http://127.0.0.1:1
gateway: {approvals: true}
sources: {gitlab: {tokens: [%(token)s]}}
channels: {box: {kind: webhook, url: "%(robots)s/hook", secret: hook-secret-1}}
actions: {undo: {kind: http, url: "%(robots)s/hook", secret: hook-secret-1}}
services:
%(services)s
rules: rules.yaml
"""
RULES = """
- {name: pushed, on: push, then: alert}
- {name: bad-sha, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/ or deployment.sha =~ /^dead/', then: [alert, rollback]}
- {name: asks, on: deploy-to-prod, if: 'deployment.sha =~ /^a5c/', then: [alert, rollback: {approve: 1h}]}
"""


def push(n):
    sha = "%040x" % (0xabc0000000 + n)
    return sha, json.dumps({
        "object_kind": "push", "ref": "refs/heads/b%d" % (n % 7), "before": "%040x" % (n + 1), "after": sha, "checkout_sha": sha,
        "user_username": "lin", "project": {"id": 1, "path_with_namespace": "acme/s0", "web_url": "https://gitlab.example.com/acme/s0"},
        "commits": [{"id": sha, "message": "change %d" % n, "timestamp": "2026-11-24T12:00:00Z", "author": {"name": "Lin"}}],
        "total_commits_count": 1}).encode()


def deployment(service, job, sha):
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return json.dumps({
        "object_kind": "deployment", "status": "success", "status_changed_at": now, "deployment_id": job, "deployable_id": job,
        "environment": "prod", "project": {"id": 1, "path_with_namespace": "acme/" + service, "default_branch": "main",
                                           "web_url": "https://gitlab.example.com/acme/" + service},
        "user": {"username": "lin"}, "short_sha": sha[:8], "ref": "main",
        "commit_url": "https://gitlab.example.com/acme/%s/-/commit/%s" % (service, sha)}).encode()


class Kills(Case):
    """All parts, each of which may be killed and comes back with what it had on disk."""

    def begin(self, services=1):
        self.random = random.Random(SEED)
        print("# seed %d" % SEED, flush=True)
        self.robots = Robots(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        names = "".join('  s%d: {repo: acme/s%d, environments: {prod: {rollback: undo, rollback_limit: {30m: 50, 24h: 50}}}}\n' % (i, i)
                        for i in range(services))
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "robots": self.robots.url, "services": names})
        self.gateway_up()
        self.workers = [self.worker_up(i) for i in range(2)]
        self.acked = {}

    def gateway_up(self):
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gw"), wait=False))
        self.gateway.wait_ready()

    def worker_up(self, i):
        return self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("w%d" % i), wait=False))

    def kill_one(self):
        what = self.random.choice(["gateway", "worker", "worker", "redis"])
        if what == "gateway":
            children = self.gateway.children()
            self.gateway.kill()
            for pid in children:  # they die with their parent
                wait_for(lambda pid=pid: not os.path.exists("/proc/%d/cwd" % pid), "children of the gateway end")
            self.gateway_up()
        elif what == "worker":
            i = self.random.randrange(len(self.workers))
            self.workers[i].kill()
            self.workers[i] = self.worker_up(i)
        else:
            self.redis.kill()
            self.redis.start()

    def post(self, event, body, key):
        """Sends until it is taken, as a person pressing "redeliver" would, always with the same delivery key."""
        def sent():
            try:
                a = self.gateway.post("/hooks/gitlab", body, sign_gitlab(TOKEN, event, key))
            except (OSError, ValueError, AssertionError):
                return False
            return a.status in (200, 202)
        wait_for(sent, "the gateway takes " + key, 60)

    def told(self):
        """Deliveries of alerts: how often each came, and whether repeats said so."""
        seen, marked = collections.Counter(), True
        for m in self.robots.seen()["messages"]:
            alert = m["body"].get("alert")
            if not alert or "action" in m["body"]:
                continue
            seen[alert["delivery"]] += 1
            if seen[alert["delivery"]] > 1:
                marked &= bool(alert.get("repeat"))
        return seen, marked

    def test_nothing_acked_is_lost(self):
        self.begin()
        shas = []
        for n in range(KILLS * 5):
            sha, body = push(n)
            self.post("Push Hook", body, "push-%d" % n)
            shas.append(sha)
            if n % 5 == 4:
                self.kill_one()

        def missing():
            have = {m["body"]["alert"].get("sha") for m in self.robots.seen()["messages"] if m["body"].get("alert")}
            return [s for s in shas if s not in have]
        try:
            wait_for(lambda: not missing(), "every push that was taken is told", 120)
        except AssertionError:
            self.fail("lost: %s\n%s" % (missing(), "\n".join(self.workers[0].log()[-20:])))
        seen, marked = self.told()
        doubled = [d for d, n in seen.items() if n > 1]
        print("# %d kills, %d events, %d alerts told twice" % (KILLS, len(shas), len(doubled)), flush=True)
        self.assertEqual(len(seen), len(shas))
        self.assertTrue(marked, "a message came twice without saying that it may be a repeat")

    def test_no_rollback_twice(self):
        services = min(KILLS, 3)  # the bus holds everything after three starts in ten minutes
        self.begin(services)
        for i in range(services):
            self.post("Deployment Hook", deployment("s%d" % i, 100 + i, "dead%036x" % i), "dep-%d" % i)
            self.post("Deployment Hook", deployment("s%d" % i, 100 + i, "dead%036x" % i), "again-%d" % i)
            self.kill_one()

        def outcomes():
            told = collections.defaultdict(set)
            for m in self.robots.seen()["messages"]:
                alert = m["body"].get("alert")
                if alert and "action" not in m["body"]:
                    told[alert["service"]].add(alert["news"])
            return told

        def decided():
            told = outcomes()
            ends = {"rollback_done", "rollback_unknown", "rollback_failed", "rollback_skipped"}
            return all(told["s%d" % i] & ends for i in range(services))
        self.started_once(decided, outcomes, services)

    def started_once(self, decided, outcomes, services):
        try:
            wait_for(decided, "every rollback has an outcome that people know of", 180)
        except AssertionError:
            self.fail("%s\n%s" % (dict(outcomes()), "\n".join(self.workers[0].log()[-20:])))
        hooks = collections.Counter(m["key"] for m in self.robots.seen()["messages"] if m["body"].get("action"))
        print("# rollbacks started: %s" % dict(hooks), flush=True)
        self.assertTrue(all(n == 1 for n in hooks.values()), hooks)
        self.assertLessEqual(len(hooks), services)

    def alert(self, service, news):
        for m in self.robots.seen()["messages"]:
            alert = m["body"].get("alert") or {}
            if (alert.get("service"), alert.get("news")) == (service, news):
                return alert
        return None

    def approve(self, path, name):
        """Sends the form until a page says what became of it, as a person would."""
        def sent():
            try:
                a = self.gateway.request("POST", path, "decision=approve&name=" + name, {"Content-Type": "application/x-www-form-urlencoded"})
            except (OSError, ValueError, AssertionError):
                return None
            return a.status in (200, 409, 410) and a
        return wait_for(sent, "the decision of " + name + " is known", 60)

    def test_approved_once(self):
        """People are asked, approve more than once, and everything dies in between: each rollback has one start, and one who approved it."""
        services = min(KILLS, 3)
        self.begin(services)
        for i in range(services):
            self.post("Deployment Hook", deployment("s%d" % i, 200 + i, "a5c%037x" % i), "ask-%d" % i)
            self.kill_one()
        for i in range(services):
            alert = wait_for(lambda i=i: self.alert("s%d" % i, "rollback_waiting"), "people are asked about s%d" % i, 60)
            path = alert["links"]["approval"].removeprefix("http://127.0.0.1:1")
            self.kill_one()
            self.assertIn(self.approve(path, "a%d" % i).status, (200, 409))
            self.kill_one()
            self.assertEqual(self.approve(path, "b%d" % i).status, 409)
        by = lambda i: (self.alert("s%d" % i, "rollback_approved") or {}).get("rollback_detail")
        wait_for(lambda: all(by(i) == "approved by a%d" % i for i in range(services)), "the first who approved is told", 60)
        ends = ("rollback_done", "rollback_unknown", "rollback_failed", "rollback_skipped")
        outcomes = lambda: {"s%d" % i: [n for n in ends if self.alert("s%d" % i, n)] for i in range(services)}
        self.started_once(lambda: all(outcomes().values()), outcomes, services)


if __name__ == "__main__":
    unittest.main()
