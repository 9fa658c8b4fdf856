"""A chat that takes no more, and one that cannot be used: with the strict robots, the real worker and a real Redis.

What waits comes as one digest, what is critical goes elsewhere at once, people are told once that a channel is down.
"""
import http.client
import json
import re
import socket
import subprocess
import unittest

from harness import PROGRAM, Case, Gateway, Redis, Role, sign_gitlab, wait_for
from test_main_path import DINGTALK_SECRET, Robots

TOKEN = "gitlab-token-1"
CONFIG = """
sources: {gitlab: {tokens: [%(token)s]}}
channels:
  oncall: {kind: dingtalk, url: "%(robots)s/robot/send?access_token=T1", secret: %(secret)s, fallback: second}
  second: {kind: wecom, url: "%(robots)s/cgi-bin/webhook/send?key=K1"}
services: {web: {repo: acme/web, environments: {prod: {}}}}
alerts: [oncall]
rules: rules.yaml
"""
RULES = """
- {name: pushed, on: push, if: 'branch != "hot"', then: alert}
- {name: hot, on: push, if: 'branch == "hot"', severity: critical, then: alert}
"""


def push(n, branch="main"):
    sha = "%08x" % n + "a" * 32
    return json.dumps({
        "object_kind": "push", "ref": "refs/heads/" + branch, "before": "b" * 40, "after": sha, "checkout_sha": sha, "user_username": "lin",
        "project": {"id": 1, "path_with_namespace": "acme/web", "web_url": "https://gitlab.example.com/acme/web"}, "commits": [],
        "total_commits_count": 0}).encode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Hold(Case):
    def up(self):
        self.robots = Robots(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "robots": self.robots.url, "secret": DINGTALK_SECRET})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gw")))
        self.side = free_port()
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("w"),
                                      "--listen", "127.0.0.1:%d" % self.side))

    def push(self, n, branch="main"):
        self.assertEqual(self.gateway.post("/hooks/gitlab", push(n, branch), sign_gitlab(TOKEN, "Push Hook", "push-%d" % n)).status, 202)

    def texts(self, robot):
        return [m["text"] for m in self.robots.seen()["messages"] if m["robot"] == robot]

    def status(self, *more):
        return subprocess.run([PROGRAM, "status", "--redis", self.redis.url, *more], stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode()

    def metric(self, name):
        conn = http.client.HTTPConnection("127.0.0.1", self.side, timeout=10)
        try:
            conn.request("GET", "/metrics")
            found = re.search(r'^%s\{channel="oncall"\} (\S+)$' % name, conn.getresponse().read().decode(), re.M)
            return float(found.group(1)) if found else None
        finally:
            conn.close()

    def test_held(self):
        self.up()
        self.robots.script({"to": "dingtalk", "do": "status", "code": 429, "headers": {"Retry-After": "6"}})
        self.push(0)
        wait_for(lambda: self.metric("shipwatch_channel_waiting") == 1, "the first one waits")
        for n in range(1, 12):
            self.push(n, "hot" if n == 5 else "main")
        wait_for(lambda: len(self.texts("wecom")) == 1, "what is critical goes elsewhere at once", 4)
        self.assertIn("00000005", self.texts("wecom")[0])
        wait_for(lambda: "11 messages wait" in self.status(), "status says what waits", 4)
        self.assertEqual(self.texts("dingtalk"), [])
        wait_for(lambda: len(self.texts("dingtalk")) == 2, "the hold ends")
        single, digest = self.texts("dingtalk")
        self.assertIn("00000005", single)
        self.assertIn("11 messages waited", digest)
        self.assertIn("web: warning firing 11", digest)
        self.assertEqual(len(self.texts("wecom")), 1)
        wait_for(lambda: self.metric("shipwatch_channel_waiting") == 0, "nothing waits")
        self.assertNotIn("wait", self.status().split("channel", 1)[-1].split("\n")[0])
        self.assertEqual(len(self.robots.seen()["refused"]), 0)

    def test_down(self):
        self.up()
        self.robots.script({"to": "dingtalk", "code": 400102, "times": 1000})
        for n in range(3):  # with what is told of the channel, and one more: as many as go alone in a minute
            self.push(n)
        # each message once, and once that the channel is down
        wait_for(lambda: len(self.texts("wecom")) == 4, "everything goes to the other channel")
        down = [t for t in self.texts("wecom") if "cannot be used" in t]
        self.assertEqual(len(down), 1)
        self.assertIn("oncall", down[0])
        wait_for(lambda: self.metric("shipwatch_channel_down") == 1, "the metric")
        self.assertRegex(self.status(), r"channel +oncall CANNOT BE USED for .*stopped.*; 3 messages wait")
        self.assertIn("stopped", json.loads(self.status("--json"))["channels"]["oncall"]["down"]["why"])
        told = [line for line in self.worker.log() if "cannot be used" in line]
        self.assertEqual(len(told), 1, told)
        self.push(9)
        wait_for(lambda: len(self.texts("wecom")) == 5, "and what comes next")
        self.assertEqual(self.texts("dingtalk"), [])


if __name__ == "__main__":
    unittest.main()
