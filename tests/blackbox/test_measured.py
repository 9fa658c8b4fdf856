"""A release whose answers fail while its health is fine: seen by measuring, from a Prometheus and from the service's own page."""
import json
import threading
import unittest

from harness import Case, Gateway, Redis, Role, sign_report, wait_for
from test_signals import Prometheus, Service, get

SECRET = "ci-secret-1"
CONFIG = """
sources: {ci: {kind: report, secrets: [%(secret)s]}}
channels: {oncall: {kind: console}}
services:
  web:
    repo: acme/web
    environments:
      prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 1s, background: 5s}, %(source)s}
reference: "%(service)s/health"
rules: rules.yaml
"""
RULES = """
- name: prod-errors
  on: deploy-to-prod
  watch: {for: 60s, every: 1s}
  if: error_rate > baseline + 2pp or error_rate > 5% for 2 checks
  then: alert
"""


class Visitors(threading.Thread):
    def __init__(self, case, service):
        super().__init__(daemon=True)
        self.service, self.over = service, threading.Event()
        case.addCleanup(self.join)
        case.addCleanup(self.over.set)
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            self.service.visit(1)


class Measured(Case):
    def up(self, source):
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        config = self.folder.write("shipwatch.yaml", CONFIG % {"secret": SECRET, "service": self.service.url, "source": source})
        self.gateway = self.start(Gateway(config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.start(Role("worker", config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))

    def deploy(self):
        body = json.dumps({"pipeline_id": 11, "job_name": "deploy", "job_id": 111, "exit_code": 0, "environment": "prod", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": "a" * 40, "url": "https://ci.example.com/11"})
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(SECRET, body)).status, 202)
        self.worker.wait_log(r"watch opened")

    def fails(self):
        try:
            self.worker.wait_log(r"error_rate 0\b", component="worker/poller")
            get(self.service.url + "/knobs")  # it is there, and well
            self.service.knob("error_pct=50")
            wait_for(lambda: self.worker.entries(msg=r"verdict fail"), "the release fails", 60)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.worker.log()[-40:])) from None
        self.assertEqual(self.redis("XLEN", "{sw}:dead"), 0)
        self.assertTrue(self.worker.entries(component="worker/poller", msg=r"reference 1"), "our own network was asked about")

    def test_by_a_prometheus(self):
        self.service = Service(self, "--delay-ms", "5")
        prometheus = Prometheus(self, self.service.address)
        Visitors(self, self.service)
        self.up(f'prometheus: {{url: "{prometheus.url}", labels: {{job: web}}, window: 5s}}')
        self.deploy()
        self.fails()
        # the time before was asked for, once
        wait_for(lambda: [k for k in self.redis("KEYS", "{sw}:past:*") if b":error_rate" in k], "the past is kept")

    def test_by_its_own_page(self):
        self.service = Service(self, "--delay-ms", "5")
        Visitors(self, self.service)
        self.up(f'metrics: {{url: "{self.service.url}/metrics", background: 1s}}')
        self.deploy()
        self.fails()
        wait_for(lambda: [k for k in self.redis("KEYS", "{sw}:past:*") if b":error_rate" in k], "the past is kept")


if __name__ == "__main__":
    unittest.main()
