"""Channels with what stands at their other end: the strict simulators, and a real Prometheus Alertmanager."""
import datetime
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import urllib.request

from harness import BOUND, PROGRAM, SOURCE, Case, Gateway, Process, Redis, Role, built, sign_report, wait_for
from test_main_path import CI_SECRET, Service, ask, port_of

FEISHU_SECRET = "SECtest-feishu"

CHANNELS = """
channels:
  feishu: {kind: feishu, url: "%(robots)s/open-apis/bot/v2/hook/F1", secret: %(feishu)s, mention: {critical: [lin]}}
  slack: {kind: slack, url: "%(robots)s/services/T0/B0/X1", mention: {critical: [lin, all]}}
  hook: {kind: webhook, url: "%(robots)s/hook", format: alertmanager, labels: {team: shop}}
  am: {kind: alertmanager, url: "%(am)s/", labels: {team: shop}}
people:
  lin: {feishu: ou_8f3a1c, slack: U012AB3CD}
"""
CONFIG = CHANNELS + """
sources: {ci: {kind: report, secrets: [%(ci)s]}}
alerts: [feishu, slack, hook, am]
services:
  web:
    repo: acme/web
    environments:
      prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 1s, background: 5s}}
rules: rules.yaml
"""
RULES = """
- {name: prod-health, on: deploy-to-prod, watch: 20s, if: health is failing for 3 checks, severity: critical, then: alert}
"""


class Robots:
    def __init__(self, case):
        ports = case.folder("robots.port")
        self.process = case.start(Process([sys.executable, os.path.join(SOURCE, "tests/sim/robots.py"), "--port", "0", "--port-file", ports,
                                           "--feishu-secret", FEISHU_SECRET, "--feishu-token", "F1", "--slack-token", "T0/B0/X1"]))
        self.port = port_of(ports)
        self.url = f"http://127.0.0.1:{self.port}"

    def seen(self):
        return json.loads(ask("GET", self.port, "/messages"))

    def of(self, robot):
        return [m for m in self.seen()["messages"] if m["robot"] == robot]

    def script(self, *steps):
        ask("POST", self.port, "/control", json.dumps({"next": steps}))


class Alertmanager:
    def __init__(self, case):
        program = shutil.which("prometheus-alertmanager")
        if not program:
            raise unittest.SkipTest("prometheus-alertmanager is not installed")
        config = case.folder.write("alertmanager.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.process = case.start(Process([program, "--config.file=" + config, "--storage.path=" + case.folder("alertmanager"),
                                           "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]))
        self.url = "http://" + wait_for(self.address, "alertmanager listens")

    def address(self):
        found = [w[8:] for line in self.process.log() if '"Listening on"' in line for w in line.split() if w.startswith("address=")]
        assert found or self.process.alive(), "\n".join(self.process.log())
        return found and found[0]

    def alerts(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + "/api/v2/alerts", timeout=BOUND) as answer:
            return json.load(answer)


class Commands(Case):
    """send and render, channel by channel."""

    def setUp(self):
        super().setUp()
        self.robots = Robots(self)
        self.am = None

    def config(self, text=CHANNELS):
        return self.folder.write("shipwatch.yaml", text % {"robots": self.robots.url, "feishu": FEISHU_SECRET, "am": self.am.url if self.am else "http://127.0.0.1:9"}
                                 + '\nsources: {github: {secrets: [s]}}\nservices: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/"}}}\n')

    def run_(self, *args, want=0):
        done = subprocess.run([built(PROGRAM), *args, "-c", self.config()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=BOUND, check=False)
        self.assertEqual(done.returncode, want, (args, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def test_robots(self):
        for name in ("feishu", "slack"):
            for size in ("full", "half", "line"):
                self.assertIn("part 1 arrived", self.run_("send", name, "x < y & <!channel> @all", "--severity", "critical", "--size", size))
        self.assertEqual(self.robots.seen()["refused"], [])
        for name in ("feishu", "slack"):
            told = self.robots.of(name)
            self.assertEqual([(m["mentioned"], m["not_mentioned"]) for m in told], [([], [])] * 3, told)
            self.assertIn("shipwatch/test", told[0]["title"])

    def test_secrets_are_not_shown(self):
        for name, secret in (("feishu", "F1"), ("slack", "X1"), ("hook", "never")):
            shown = self.run_("render", name)
            self.assertNotIn("/" + secret, shown)
            self.assertIn(f"POST {self.robots.url}/…\n", shown)

    def test_answers_in_plain_words(self):
        for name, code, words in (("feishu", 19001, "config: code 19001: the bot's address is wrong"), ("feishu", 11232, "hold: code 11232"),
                                  ("slack", "no_service", "config: no_service: the webhook is disabled, removed or wrong"),
                                  ("slack", "channel_is_archived", "config: channel_is_archived")):
            self.robots.script({"to": name, "code": code})
            self.assertIn(words, self.run_("send", name, want=1))
        self.robots.script({"to": "slack", "do": "html"})
        self.assertIn("retry: HTTP status 200 without an answer of Slack", self.run_("send", "slack", want=1))

    def test_alertmanager(self):
        self.am = Alertmanager(self)
        self.run_("send", "am", "queries are slow", "--severity", "critical")
        first = self.am.alerts()
        self.assertEqual(len(first), 1)
        self.assertEqual(first[0]["status"]["state"], "active")
        self.assertEqual(first[0]["labels"], {"alertname": "test", "environment": "test", "service": "shipwatch", "severity": "critical",
                                              "shipwatch_alert": "test", "team": "shop"})
        self.assertIn("shipwatch/test", first[0]["annotations"]["summary"])
        left = datetime.datetime.fromisoformat(first[0]["endsAt"].replace("Z", "+00:00")).timestamp() - time.time()
        self.assertTrue(3.9 * 3600 < left < 4.1 * 3600, first[0]["endsAt"])  # not the 5 minutes of Alertmanager
        # what a hook says of the same alert has the fingerprint that Alertmanager gave it
        self.robots.script({"to": "hook", "code": 200})
        hook = json.loads(self.run_("render", "hook", "--severity", "critical").split("\n\n", 1)[1].rsplit("\n(", 1)[0])
        self.assertEqual(hook["alerts"][0]["fingerprint"], first[0]["fingerprint"])
        # graver news are the same alert; its end is found
        self.run_("send", "am", "--severity", "critical", "--news", "rollback_failed")
        self.assertEqual([(a["fingerprint"], a["annotations"]["news"]) for a in self.am.alerts()], [(first[0]["fingerprint"], "rollback_failed")])
        self.run_("send", "am", "--severity", "critical", "--news", "resolved")
        wait_for(lambda: not self.am.alerts(), "Alertmanager knows that it is over")
        # what it does not take is a message that is wrong, where nothing listens is tried again
        self.am.process.stop()
        self.assertIn("retry: ", self.run_("send", "am", want=1))


class EndToEnd(Case):
    def test_firing_and_resolved(self):
        self.robots, self.service, self.am = Robots(self), Service(self), Alertmanager(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        config = self.folder.write("shipwatch.yaml", CONFIG % {"robots": self.robots.url, "feishu": FEISHU_SECRET, "am": self.am.url, "ci": CI_SECRET,
                                                               "service": self.service.url})
        gateway = self.start(Gateway(config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        worker = self.start(Role("worker", config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))
        body = json.dumps({"pipeline_id": 11, "job_name": "deploy", "job_id": 111, "exit_code": 0, "environment": "prod", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": "a" * 40, "url": "https://ci.example.com/11"})
        self.assertEqual(gateway.post("/ci-report", body, sign_report(CI_SECRET, body)).status, 202)
        worker.wait_log(r"watch opened")
        self.service.knob("health=fail")
        for robot, who in (("feishu", ["ou_8f3a1c"]), ("slack", ["U012AB3CD", "@all"])):
            told = wait_for(lambda r=robot: self.robots.of(r), f"{robot} is told")[0]
            self.assertIn("health is failing", told["title"] + told["text"])
            self.assertEqual(told["mentioned"], who)
        active = wait_for(self.am.alerts, "Alertmanager is told")
        self.assertEqual((active[0]["labels"]["alertname"], active[0]["labels"]["service"]), ("prod-health", "web"))
        hook = wait_for(lambda: self.robots.of("hook"), "the hook is told")[0]["body"]
        self.assertEqual((hook["version"], hook["status"], hook["alerts"][0]["fingerprint"]), ("4", "firing", active[0]["fingerprint"]))
        self.service.knob("health=ok")
        try:
            wait_for(lambda: not self.am.alerts(), "Alertmanager knows that it is over", 60)
            wait_for(lambda: [m for m in self.robots.of("hook") if m["body"]["status"] == "resolved"], "the hook knows that it is over")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.am.alerts()}\n" + "\n".join(worker.log()[-40:])) from None
        self.assertEqual(self.robots.seen()["refused"], [])


if __name__ == "__main__":
    unittest.main()
