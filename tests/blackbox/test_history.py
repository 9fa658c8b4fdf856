"""What was recorded of a real run: searched, exported, and played again with the same verdicts."""
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
import unittest

from harness import PROGRAM, Case, Gateway, Redis, Role, built, sign_report, wait_for

SECRET = "ci-secret-1"
CONFIG = """
redis: {url: "%(redis)s"}
state_dir: %(state)s
sources: {ci: {kind: report, secrets: [%(secret)s]}}
channels: {console: {kind: console}}
services:
  web:
    repo: acme/web
    environments:
      prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 0s, background: 1s}}
      staging: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 0s, background: 1s}}
rules: rules.yaml
"""
RULES = """
- {name: prod-health, on: deploy-to-prod, watch: 10s, if: health is failing for 3 checks, then: alert}
"""


class Service(threading.Thread):
    """Answers /health as it is told to."""

    def __init__(self):
        super().__init__(daemon=True)
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()


class Recorded(Case):
    def run_program(self, *args):
        p = subprocess.run([built(PROGRAM), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(p.returncode, 0, p.stderr.decode())
        return p.stdout.decode()

    def deploy(self, n, status):
        self.service.status = status
        body = json.dumps({"pipeline_id": n, "job_name": "deploy", "exit_code": 0, "repo": "acme/web", "branch": "main", "sha": "%040x" % (n * 7919),
                           "service": "web", "environment": "prod"}).encode()
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(SECRET, body)).status, 202)
        wait_for(lambda: len(self.verdicts()) == n, f"watch {n} has its verdict")

    def column(self, text):
        try:
            db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
            try:
                return [r[0] for r in db.execute(text)]
            finally:
                db.close()
        except sqlite3.OperationalError:
            return []

    def verdicts(self):
        return self.column("SELECT verdict FROM watches WHERE verdict IS NOT NULL ORDER BY at")

    def samples(self):
        return len(self.column("SELECT at FROM samples"))

    def test_record_and_replay(self):
        built(PROGRAM)
        self.service = Service()
        self.addCleanup(self.service.server.server_close)
        self.addCleanup(self.service.server.shutdown)
        redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        config = self.folder.write("shipwatch.yaml", CONFIG % {"redis": redis.url, "state": self.folder("state"), "secret": SECRET, "service": self.service.url})
        self.path = self.folder("state", "history.db")
        self.gateway = self.start(Gateway(config))
        self.start(Role("worker", config))
        dashboard = self.start(Role("dashboard", config, "--listen", "127.0.0.1:0"))
        wait_for(lambda: os.path.exists(self.path), "there is a history")
        self.deploy(1, 200)
        self.deploy(2, 503)
        n = self.samples()
        wait_for(lambda: self.samples() >= n + 8, "it is ill for some seconds more: a replay looks at other moments")
        self.deploy(3, 200)
        self.assertEqual(self.verdicts(), ["pass", "fail", "pass"])
        dashboard.stop()

        lines = [json.loads(x) for x in self.run_program("export-history", "-c", config).splitlines()]
        events = [x for x in lines if x["t"] == "event"]
        self.assertEqual([(e["place"], e["ev"]["environment"]) for e in events], [("web/prod", "prod")] * 3)
        self.assertGreater(len([x for x in lines if x["t"] == "sample" and x["place"] == "web/prod" and x["signal"] == "health"]), 15)
        staging = [json.loads(x) for x in self.run_program("export-history", "web", "staging", "--from", self.path).splitlines()]
        self.assertTrue(staging and all(x["t"] == "sample" and x["place"] == "web/staging" for x in staging))
        self.assertEqual(self.run_program("export-history", "--from", self.path, "--until", "2020-01-01T00:00:00Z"), "")

        exported = self.folder.write("run.ndjson", "".join(json.dumps(x) + "\n" for x in lines))
        for source in (self.path, exported):
            said = json.loads(self.run_program("replay", "--from", source, "-c", config, "--json", "--pseudo", "0"))
            self.assertEqual([d["decided"]["decision"] for d in said["deployments"]], ["pass", "alert", "pass"], said)


if __name__ == "__main__":
    sys.exit(unittest.main())
