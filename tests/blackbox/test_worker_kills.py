"""Workers are killed at random moments while many messages and rollbacks are under way.

Every message arrives or people are told that it did not, what comes twice says that it may, no rollback starts twice. The moments
come from a seed that is printed; SW_SEED, SW_DELIVERIES, SW_ROLLBACKS and SW_KILL_EVERY (seconds, the mean) change what is done, with SW_CHAT=1 each
message of a push goes to a strict chat robot as well, where most of them come within digests;
./dev bench worker-kills does a thousand deliveries and two hundred rollbacks.
"""
import collections
import os
import random
import re
import threading
import time
import unittest

from harness import Case, Gateway, Redis, Role, sign_gitlab, wait_for
from test_kills import TOKEN, deployment, push
from test_main_path import Robots

DELIVERIES = int(os.environ.get("SW_DELIVERIES", "150"))
ROLLBACKS = int(os.environ.get("SW_ROLLBACKS", "30"))
KILL_EVERY = float(os.environ.get("SW_KILL_EVERY", "0.4"))
RATE = 25.0  # messages a second that come in
SEED = int(os.environ.get("SW_SEED") or time.time())
WORKERS = 2
CHAT = bool(os.environ.get("SW_CHAT"))
ENDS = {"rollback_done", "rollback_unknown", "rollback_failed", "rollback_skipped"}

CONFIG = """
sources: {gitlab: {tokens: [%(token)s]}}
channels:
  box: {kind: webhook, url: "%(robots)s/hook", secret: hook-secret-1}
  chat: {kind: wecom, url: "%(robots)s/cgi-bin/webhook/send?key=K1"}
alerts: [box]
actions: {undo: {kind: http, url: "%(robots)s/hook", secret: hook-secret-1, timeout: 5s}}
services:
%(services)s
rules: rules.yaml
"""
RULES = """
- {name: pushed, on: push, then: {alert: %(channels)s}}
- {name: bad-sha, on: deploy-to-prod, if: 'deployment.sha =~ /^dead/', then: [alert, rollback]}
"""
# Actions that began keep their names, so none begins twice, but not their times: three in ten minutes would put everything on hold.
AGE = """for _, a in ipairs(redis.call('ZRANGE', '{sw}:acts', 0, -1)) do redis.call('ZADD', '{sw}:acts', 'XX', 1, a) end
if (redis.call('HGET', '{sw}:ctl', 'hold_why') or ''):match('^3 actions') then
  redis.call('HDEL', '{sw}:ctl', 'hold', 'hold_why', 'hold_by', 'hold_at') return 1
end
return 0"""


class WorkerKills(Case):
    def begin(self):
        self.order, self.moments = random.Random(SEED), random.Random(SEED + 1)  # two threads: each its own
        print("# seed %d" % SEED, flush=True)
        self.robots = Robots(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES % {"channels": "[box, chat]" if CHAT else "box"})
        services = "".join("  s%d: {repo: acme/s%d, environments: {prod: {rollback: undo}}}\n" % (i, i) for i in range(max(ROLLBACKS, 1)))
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "robots": self.robots.url, "services": services})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gw")))
        self.workers = [self.worker_up(i) for i in range(WORKERS)]
        self.kills, self.caps, self.ending = 0, 0, threading.Event()

    def worker_up(self, i):
        return self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("w%d" % i), wait=False))

    def age(self):
        while not self.ending.wait(0.02):
            try:
                self.caps += self.redis("EVAL", AGE, 0) == 1
            except OSError:
                pass

    def kill(self):
        while not self.ending.wait(self.moments.expovariate(1 / KILL_EVERY)):
            i = self.moments.randrange(WORKERS)
            self.workers[i].kill()
            self.workers[i] = self.worker_up(i)
            self.kills += 1

    def send(self):
        """All of it in random order, evenly over the time."""
        work = [("Push Hook", push(n)[1], "push-%d" % n) for n in range(DELIVERIES)]
        work += [("Deployment Hook", deployment("s%d" % i, 1000 + i, "dead%036x" % i), "dep-%d" % i) for i in range(ROLLBACKS)]
        self.order.shuffle(work)
        start = time.monotonic()
        for n, (event, body, key) in enumerate(work):
            time.sleep(max(0, start + n / RATE - time.monotonic()))
            self.assertIn(self.gateway.post("/hooks/gitlab", body, sign_gitlab(TOKEN, event, key)).status, (200, 202))

    def told(self):
        """Messages of alerts by their delivery: how often, what they tell, and did each repeat say so."""
        times, shas, ends, marked = collections.Counter(), set(), set(), True
        for m in self.robots.seen()["messages"]:
            alert = m.get("body", {}).get("alert")
            if not alert or "action" in m["body"]:
                continue
            times[alert["delivery"]] += 1
            marked &= times[alert["delivery"]] == 1 or bool(alert.get("repeat"))
            shas.add(alert.get("sha"))
            if alert["news"] in ENDS:
                ends.add(alert["service"])
        return times, shas, ends, marked

    def chat(self):
        """Of the chat: messages alone, what digests tell of, how many came again; a repeat that says so is looked for among what came before."""
        alone, digests, again = set(), [], 0
        for m in self.robots.seen()["messages"]:
            if m["robot"] != "wecom":
                continue
            total = re.search(r"(\d+) messages waited.*?(\d\d:\d\d:\d\d)", m["text"])
            if total:
                twice = "may be a repeat" in m["text"] and total.groups() in digests
                again += twice
                digests += [] if twice else [total.groups()]
            else:
                which = re.search(r"change \d+", m["text"]).group(0)
                again += which in alone
                alone.add(which)
        return alone, digests, again

    def chat_told(self):
        for key in self.redis("KEYS", "{sw}:alert:*"):
            if b'"queue":[]' not in self.redis("HGET", key, "s"):
                return False
        return True

    def missing(self):
        _, shas, ends, _ = self.told()
        return ([n for n in range(DELIVERIES) if push(n)[0] not in shas] +
                ["s%d" % i for i in range(ROLLBACKS) if "dead%036x" % i not in shas or "s%d" % i not in ends])

    def test_workers_die(self):
        self.begin()
        began = time.monotonic()
        helpers = [threading.Thread(target=self.age, daemon=True), threading.Thread(target=self.kill, daemon=True)]
        for t in helpers:
            t.start()
        try:
            self.send()
        finally:
            # the deaths end with what comes in: what was under way then has to be found by whoever is left
            self.ending.set()
            for t in helpers:
                t.join()
        self.ending.clear()
        ager = threading.Thread(target=self.age, daemon=True)
        ager.start()
        try:
            wait_for(lambda: not self.missing(), "everything is told", 120)
        except AssertionError:
            self.fail("lost: %s\n%s" % (self.missing(), "\n".join(self.workers[0].log()[-20:])))
        finally:
            self.ending.set()
            ager.join()
        if CHAT:
            wait_for(self.chat_told, "no message waits for the chat any more", 300)
            alone, digests, again = self.chat()
            print("# chat: %d alone and %d digests that tell of %d, of %d; came again %d; refused by the robot %d" % (
                len(alone), len(digests), sum(int(d[0]) for d in digests), DELIVERIES, again, len(self.robots.seen()["refused"])), flush=True)
            self.assertEqual(len(alone) + sum(int(d[0]) for d in digests), DELIVERIES)
        times, _, ends, marked = self.told()
        hooks = collections.Counter(m["key"] for m in self.robots.seen()["messages"] if m.get("body", {}).get("action"))
        twice = sum(n - 1 for n in times.values())
        print("# %d kills of workers in %.0f s, %d messages of %d alerts: lost 0, came again %d (%.2f %%), each marked: %s" % (
            self.kills, time.monotonic() - began, len(times), DELIVERIES + ROLLBACKS, twice, 100.0 * twice / max(1, len(times)), marked), flush=True)
        print("# %d rollbacks: started %d, doubled %d, outcome told %d; held by the cap of three in ten minutes %d times" % (
            ROLLBACKS, len(hooks), sum(n - 1 for n in hooks.values()), len(ends), self.caps), flush=True)
        self.assertTrue(marked, "a message came twice without saying that it may be a repeat")
        self.assertTrue(all(n == 1 for n in hooks.values()), hooks)
        self.assertLessEqual(twice, max(3, len(times) // 100))


if __name__ == "__main__":
    unittest.main()
