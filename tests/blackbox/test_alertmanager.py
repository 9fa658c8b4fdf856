"""Alerts of a real Prometheus Alertmanager: posted to its API, sent by it to the gateway, told to chat and read as a signal."""
import datetime
import json
import shutil
import time
import unittest
import urllib.request

from harness import Case, Gateway, Process, Redis, Role, sign_report, wait_for
from test_main_path import CI_SECRET, DINGTALK_SECRET, Robots, Service

TOKEN, LOGIN = "alert-token-1", ("alertmanager", "alert-password-1")

CONFIG = """
sources:
  alertmanager: {tokens: [old-token, %(token)s], logins: ["%(login)s"]}
  ci: {kind: report, secrets: [%(ci)s]}
channels:
  oncall: {kind: dingtalk, url: "%(robots)s/robot/send?access_token=T1", secret: %(dingtalk)s}
services:
  "*":
    repos: ["acme/*"]
    environments: {prod: {health: {url: "%(service)s/{service}", every: 1s, timeout: 1s, grace: 1s, background: 5s}}}
  web:
    repo: acme/web
    environments: {prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 1s, background: 5s}}}
rules: rules.yaml
"""
RULES = """
signals: {db_slow: {alertmanager: DatabaseSlow}}
rules:
- {name: db-alarm, on: alarm, if: 'labels.alertname == "DatabaseSlow" and status == "failed"', then: alert}
- {name: db-over, on: alarm, if: 'labels.alertname == "DatabaseSlow" and status == "success"', then: alert}
- {name: deploy-and-db, on: deploy-to-prod, watch: 60s, if: db_slow == 1 for 2 checks, then: alert}
"""
ROUTES = """
route: {receiver: shipwatch, group_by: [alertname], group_wait: 50ms, group_interval: 500ms, repeat_interval: 1s}
receivers:
- name: shipwatch
  webhook_configs:
  - {url: "http://127.0.0.1:%(port)d/hooks/alertmanager", max_alerts: 3, http_config: %(auth)s}
"""


class Alertmanager:
    def __init__(self, case, gateway, auth):
        program = shutil.which("prometheus-alertmanager")
        if not program:
            raise unittest.SkipTest("prometheus-alertmanager is not installed")
        config = case.folder.write("alertmanager.yml", ROUTES % {"port": gateway.address[1], "auth": auth})
        self.process = case.start(Process([program, "--config.file=" + config, "--storage.path=" + case.folder("alertmanager"),
                                           "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]))
        self.url = "http://" + wait_for(self.address, "alertmanager listens")

    def address(self):
        found = [w[8:] for line in self.process.log() if '"Listening on"' in line for w in line.split() if w.startswith("address=")]
        assert found or self.process.alive(), "\n".join(self.process.log())
        return found and found[0]

    def post(self, *alerts):
        request = urllib.request.Request(self.url + "/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            assert answer.status == 200, answer.status


def at(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def alert(instance, over=False, service="web", since=60, **labels):
    now = time.time()
    a = {"labels": {"alertname": "DatabaseSlow", "service": service, "env": "production", "instance": instance, **labels},
         "annotations": {"summary": f"Queries of {instance} are slow @all"}, "generatorURL": "http://prometheus.example.com/graph?g0.expr=x",
         "startsAt": at(now - since)}
    if over:
        a["endsAt"] = at(now - 1)
    return a


class Alarms(Case):
    def up(self, auth):
        self.robots, self.service = Robots(self), Service(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {
            "token": TOKEN, "login": ":".join(LOGIN), "ci": CI_SECRET, "dingtalk": DINGTALK_SECRET, "robots": self.robots.url, "service": self.service.url})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.alertmanager = Alertmanager(self, self.gateway, auth)
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))

    def taken(self, outcome):
        return self.gateway.metric(f'shipwatch_deliveries_total{{source="alertmanager",event="firing",outcome="{outcome}"')

    def test_alarm_reaches_chat_once(self):
        self.up('{authorization: {credentials: "%s"}}' % TOKEN)
        first = alert("db-1")
        self.alertmanager.post(first)
        wait_for(lambda: self.robots.told("db-alarm"), "chat is told of the alarm")
        text = self.robots.told("db-alarm")[0]["text"]
        for words in ("web/prod", "alarm firing", "Queries of db-1 are slow", "http://prometheus.example.com/graph"):
            self.assertIn(words, text)
        self.assertNotIn("@all", text)
        # Alertmanager repeats it; nobody is told again
        wait_for(lambda: self.taken("duplicate") >= 2, "Alertmanager repeats itself")
        self.alertmanager.post({**first, "endsAt": alert("db-1", over=True)["endsAt"]})
        wait_for(lambda: self.robots.told("db-over"), "chat is told that it is over")
        self.assertEqual(len(self.robots.told("db-alarm")), 1)
        self.assertEqual(len(self.worker.entries(msg="rule .db-alarm. fired")), 1)

    def test_alarm_fails_a_deployment(self):
        self.up('{basic_auth: {username: "%s", password: "%s"}}' % LOGIN)
        body = json.dumps({"pipeline_id": 11, "job_name": "deploy", "job_id": 111, "exit_code": 0, "environment": "prod", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": "a" * 40, "url": "https://ci.example.com/11"})
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(CI_SECRET, body)).status, 202)
        self.worker.wait_log(r"watch opened by rule .deploy-and-db.")
        self.alertmanager.post(alert("db-1", since=0))
        self.worker.wait_log(r"rule .deploy-and-db.: verdict fail \(evidence\)")
        wait_for(lambda: self.robots.told("deploy-and-db"), "chat is told of the deployment")

    def test_left_out_and_unknown(self):
        self.up('{authorization: {credentials: "%s"}}' % TOKEN)
        self.alertmanager.post(*[alert(f"db-{i}", service="ghost") for i in range(5)])
        self.worker.wait_log(r"^2 more events in one delivery than the 3 that were taken")
        wait_for(lambda: len(self.worker.entries(msg="rule .db-alarm. fired")) == 3, "rules see alarms of what is not deployed through us")
        # a place is not made by an alarm, or a stranger's label would have us ask for health somewhere
        self.assertEqual(self.redis("EXISTS", "{sw}:place:ghost/prod"), 0)
        self.assertEqual(self.redis("EXISTS", "{sw}:place:web/prod"), 1)

    def test_who_is_not_alertmanager(self):
        self.up('{authorization: {credentials: "wrong"}}')
        self.alertmanager.post(alert("db-1"))
        wait_for(lambda: self.gateway.entries(msg="the token or login fits none"), "the gateway refuses it")
        self.assertEqual(self.redis.entries(), [])
        good = {"Authorization": "Bearer " + TOKEN}
        for body, want in ((b'{"version":"4"', 400), (b'{"version":"3","alerts":[]}', 400), (b'{"version":"4","alerts":[]}', 202)):
            self.assertEqual(self.gateway.post("/hooks/alertmanager", body, good).status, want, body)
        self.assertEqual(self.gateway.post("/hooks/alertmanager", b"{}", {}).status, 401)
        # the token is not kept with the body
        self.assertNotIn(TOKEN.encode(), b"".join(v for _, f in self.redis.entries() for v in f.values()))


if __name__ == "__main__":
    unittest.main()
