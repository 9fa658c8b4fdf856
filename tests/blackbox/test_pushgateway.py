"""Builds at a Prometheus Pushgateway: the real one, scraped by a real Prometheus; and one that is away, refuses or is slow."""
import base64
import http.server
import json
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import Case, Gateway, Process, Redis, Role, sign_report, wait_for

SECRET = "ci-secret-1"
CONFIG = """
sources: {ci: {kind: report, secrets: [%(secret)s]}}
channels: {oncall: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: {match: [{environment: prod}], health: {url: "http://127.0.0.1:1/", every: 1h, background: 1h}}}}}
dashboard: {listen: "127.0.0.1:0"}
%(push)s
"""


def fetch(url, method="GET", body=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body, method=method), timeout=30) as answer:
        return answer.read().decode()


class Pushgateway:
    def __init__(self, case):
        program = shutil.which("prometheus-pushgateway")
        if not program:
            raise unittest.SkipTest("prometheus-pushgateway is not installed")
        self.process = case.start(Process([program, "--web.listen-address=127.0.0.1:0"]))
        self.url = "http://" + wait_for(self.address, "the Pushgateway listens")

    def address(self):
        found = [w[8:] for line in self.process.log() if "Listening on" in line for w in line.split() if w.startswith("address=")]
        assert found or self.process.alive(), "\n".join(self.process.log())
        return found and found[0]

    def metrics(self):
        return fetch(self.url + "/metrics")

    def groups(self):
        """{(repo, branch, environment): {metric: value of its first series}}"""
        found = {}
        for g in json.loads(fetch(self.url + "/api/v1/metrics"))["data"]:
            key = tuple(g["labels"].get(k) for k in ("repo", "branch", "environment"))
            found[key] = {name: float(m["metrics"][0]["value"]) for name, m in g.items() if isinstance(m, dict) and name.startswith("shipwatch_")}
        return found


class Fake:
    """Notes what is pushed; answers as it is told."""

    def __init__(self, case):
        fake = self
        self.got, self.answers = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                fake.got.append((self.command, self.path, body, self.headers.get("Authorization")))
                status = fake.answers.pop(0) if len(fake.answers) > 1 else fake.answers[0] if fake.answers else 202
                self.send_response(status)
                text = b"pushed metrics are invalid or inconsistent" if status == 400 else b""
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            do_PUT = do_DELETE = take

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


def branch_of(path):
    """The group that a path names."""
    parts = path.split("/")[2:]
    pairs = {parts[i].split("@")[0]: base64.urlsafe_b64decode(parts[i + 1] + "=" * (-len(parts[i + 1]) % 4)).decode() for i in range(0, len(parts), 2)}
    return pairs


class Pushed(Case):
    def up(self, push):
        self.redis = self.start(Redis(self.folder))
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"secret": SECRET, "push": push})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("worker-state")))

    def dashboard(self, state="state"):
        return self.start(Role("dashboard", self.config, "--redis", self.redis.url, "--state-dir", self.folder(state)))

    def report(self, n, **more):
        body = json.dumps({"pipeline_id": n, "job_name": "test", "job_id": 100 + n, "exit_code": 0, "repo": "acme/web", "branch": "main", "sha": "%040x" % n,
                           "duration_ms": 1500, "coverage_pct": 81.25, "cpu_ms": 900, "max_rss_bytes": 123456789, **more})
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(SECRET, body)).status, 202)


class Real(Pushed):
    def test_builds(self):
        push = Pushgateway(self)
        self.up(f'pushgateway: {{url: "{push.url}", every: 100ms}}')
        self.report(1, metrics={"bundle_size": 812345})
        self.report(2, branch='we"ird/\\ü', exit_code=3)
        d = self.dashboard()
        wait_for(lambda: len(push.groups()) == 2, "both branches are there")
        groups = push.groups()
        main = groups[("acme/web", "main", None)]
        self.assertEqual(main["shipwatch_build_success"], 1)
        self.assertEqual(main["shipwatch_build_duration_seconds"], 1.5)
        self.assertEqual(main["shipwatch_build_coverage_ratio"], 0.8125)
        self.assertEqual(main["shipwatch_build_cpu_seconds"], 0.9)
        self.assertEqual(main["shipwatch_build_max_rss_bytes"], 123456789)
        self.assertEqual(main["shipwatch_build_exit_code"], 0)
        self.assertEqual(groups[("acme/web", 'we"ird/\\ü', None)]["shipwatch_build_success"], 0)
        self.assertEqual(groups[("acme/web", 'we"ird/\\ü', None)]["shipwatch_build_exit_code"], 3)
        text = push.metrics()
        self.assertIn('shipwatch_build_info{branch="main",instance="",job="shipwatch",repo="acme/web",sha="%040x",source="ci",status="success"} 1\n' % 1, text)
        self.assertRegex(text, r'(?m)^shipwatch_job_metric\{.*ci_job="test".*metric="bundle_size".*\} 812345$')
        promtool = shutil.which("promtool")
        if promtool:
            p = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
            self.assertEqual((p.returncode, p.stdout, p.stderr), (0, b"", b""))
        # of a branch only the newest: an older build that is told late changes nothing
        self.report(3, duration_ms=2500, coverage_pct=90)
        wait_for(lambda: push.groups()[("acme/web", "main", None)]["shipwatch_build_duration_seconds"] == 2.5, "the newer build")
        # a second dashboard, from nothing, tells the same
        before = {k: v for k, v in push.groups().items()}
        second = self.dashboard("second")
        second.wait_log("recorder started")
        wait_for(lambda: self.pushed("second") == self.pushed("state") > 0, "the second one has told all")
        self.assertEqual(push.groups(), before)
        self.assertFalse([e for e in d.entries() if e["level"] == "error"])
        self.scraped(push)

    def pushed(self, state):
        try:
            with sqlite3.connect("file:" + self.folder(state, "history.db") + "?mode=ro", uri=True) as db:
                row = db.execute("SELECT value FROM meta WHERE key = 'pushed'").fetchone()
                return row[0] if row else 0
        except sqlite3.OperationalError:
            return 0

    def scraped(self, push):
        """By a real Prometheus, with the labels as they were pushed."""
        program = shutil.which("prometheus")
        if not program:
            return
        config = self.folder.write("prometheus.yml", "scrape_configs: [{job_name: push, honor_labels: true, scrape_interval: 200ms, scrape_timeout: 200ms, "
                                   "static_configs: [{targets: ['%s']}]}]" % push.url[7:])
        process = self.start(Process([program, "--config.file=" + config, "--storage.tsdb.path=" + self.folder("tsdb"), "--web.listen-address=127.0.0.1:0"]))

        def address():
            found = [w[8:] for line in process.log() if "Listening on" in line for w in line.split() if w.startswith("address=")]
            assert found or process.alive(), "\n".join(process.log())
            return found and found[0]
        url = "http://" + wait_for(address, "prometheus listens") + "/api/v1/query?"

        def value():
            query = 'shipwatch_build_duration_seconds{job="shipwatch",repo="acme/web",branch="main"}'
            try:
                found = json.loads(fetch(url + urllib.parse.urlencode({"query": query})))["data"]["result"]
            except urllib.error.HTTPError as e:  # it listens before it is ready
                if e.code != 503:
                    raise
                return False
            return found and float(found[0]["value"][1]) == 2.5
        wait_for(value, "prometheus has it")


class Trouble(Pushed):
    def test_away_and_back(self):
        """What fails is made up for; of many that wait only the newest of each group is told; recording goes on meanwhile."""
        fake = Fake(self)
        fake.answers = [500]
        self.up(f'pushgateway: {{url: "{fake.url}", every: 0s, user: u, password: p}}')
        d = self.dashboard()
        self.report(1)
        wait_for(lambda: fake.got, "it is asked")
        for n in range(2, 12):
            self.report(n, branch="main" if n % 2 else "dev", duration_ms=1000 * n)
        wait_for(lambda: self.builds() == 11, "recording goes on")
        self.assertEqual(len([e for e in d.entries() if "Pushgateway" in e["msg"]]), 1, d.log())
        wait_for(lambda: self.counted(d, "waiting_builds") >= 11, "what waits is counted")
        self.assertGreaterEqual(self.counted(d, 'requests_total{result="failed"}'), 2)
        self.assertEqual(self.counted(d, 'requests_total{result="pushed"}'), 0)
        since = self.counted(d, "success_timestamp_seconds") # nothing was taken yet: since when it is tried
        self.assertLess(abs(time.time() - since), 120)
        del fake.got[:]
        fake.answers = [202]
        wait_for(lambda: self.at("pushed") == self.at("seq"), "all of it is told")
        wait_for(lambda: self.counted(d, "waiting_builds") == 0, "nothing waits")
        self.assertGreaterEqual(self.counted(d, 'requests_total{result="pushed"}'), 2)
        self.assertGreater(self.counted(d, "success_timestamp_seconds"), since)
        told = [(branch_of(path)["branch"], [line for line in body.splitlines() if line.startswith("shipwatch_build_duration_seconds ")][0].split()[1])
                for method, path, body, auth in fake.got if method == "PUT"]
        self.assertEqual(dict(told), {"main": "11", "dev": "10"})
        self.assertLessEqual(len(told), 4)
        self.assertEqual({auth for *_, auth in fake.got}, {"Basic " + base64.b64encode(b"u:p").decode()})
        d.wait_log("Pushgateway takes builds again")
        # killed, and a newer build: only what is new is told
        del fake.got[:]
        d.kill()
        d = self.dashboard()
        self.report(20, branch="dev", duration_ms=20000)
        wait_for(lambda: [b for m, p, b, a in fake.got if "shipwatch_build_duration_seconds 20\n" in b], "the new one")
        self.assertEqual({branch_of(p)["branch"] for m, p, b, a in fake.got}, {"dev"})

    def test_refused_and_forgotten(self):
        fake = Fake(self)
        fake.answers = [400]
        self.up(f'pushgateway: {{url: "{fake.url}/", every: 0s, job: "a/b", branches: [main, "release/*"], forget: 1h}}')
        d = self.dashboard()
        for n, branch in enumerate(("main", "release/1", "release/2", "feature/x")):
            self.report(1 + n, branch=branch)
        wait_for(lambda: self.builds() == 4 and self.at("pushed") == self.at("seq") > 0 and len({p for m, p, b, a in fake.got}) >= 3, "all three were tried")
        self.assertEqual({(branch_of(p)["job"], branch_of(p)["branch"]) for m, p, b, a in fake.got}, {("a/b", "main"), ("a/b", "release/1"), ("a/b", "release/2")})
        said = [e["msg"] for e in d.entries() if "Pushgateway" in e["msg"]]
        self.assertEqual(len(said), 1, said)
        self.assertIn("it answered 400: pushed metrics are invalid", said[0])
        self.assertGreaterEqual(self.counted(d, 'requests_total{result="refused"}'), 3)
        self.assertEqual((self.counted(d, 'requests_total{result="failed"}'), self.counted(d, "waiting_builds")), (0, 0))
        # a group without a build for longer than `forget` is deleted there
        d.stop()
        del fake.got[:]
        fake.answers = [202]
        with sqlite3.connect(self.folder("state", "history.db")) as db:
            db.execute("INSERT INTO pushed (path, at) VALUES ('/metrics/job/old', 1), ('/metrics/job/new', 99999999999999)")
        d = self.dashboard()
        wait_for(lambda: [p for m, p, b, a in fake.got if m == "DELETE"], "the old one goes")
        wait_for(lambda: self.counted(d, 'requests_total{result="deleted"}') == 1, "that is counted")
        self.report(50)
        wait_for(lambda: [p for m, p, b, a in fake.got if m == "PUT"], "and it goes on")
        self.assertEqual([p for m, p, b, a in fake.got if m == "DELETE"], ["/metrics/job/old"])

    def test_another_one(self):
        """The configuration names another Pushgateway: it is told what the first one was; one that is taken out is told nothing more."""
        first, second = Fake(self), Fake(self)
        self.up(f'pushgateway: {{url: "{first.url}", every: 0s}}')
        d = self.dashboard()
        self.report(1)
        wait_for(lambda: first.got, "the first one is told")
        for push, other in ((f'pushgateway: {{url: "{second.url}", every: 0s}}', second), ("", None)):
            self.folder.write("shipwatch.yaml", CONFIG % {"secret": SECRET, "push": push})
            d.signal(signal.SIGHUP)
            if other:
                wait_for(lambda: other.got, "the second one is told")
                self.assertEqual(other.got[0][:3], first.got[0][:3])
        wait_for(lambda: len(d.entries(msg="configuration read again")) == 2, "it was read again")
        self.report(2)
        wait_for(lambda: self.builds() == 2, "it is recorded")
        self.report(3)
        wait_for(lambda: self.builds() == 3, "and so is another")
        self.assertEqual((len(first.got), [g for g in second.got if "%040x" % 3 in g[2]]), (1, []))
        self.assertEqual((self.counted(d, "success_timestamp_seconds"), self.counted(d, "waiting_builds")), (0, 0))

    def counted(self, dashboard, name):
        """What it says of pushing in its /metrics; -1: nothing."""
        address = dashboard.wait_log("listening on 127")["msg"].split()[-1]
        lines = [line for line in fetch(f"http://{address}/metrics").splitlines() if line.startswith("shipwatch_pushgateway_" + name + " ")]
        return float(lines[0].split()[-1]) if lines else -1

    def builds(self):
        return self.number("SELECT count(*) FROM builds")

    def at(self, key):
        return self.number(f"SELECT value FROM meta WHERE key = '{key}'")

    def number(self, text):
        try:
            with sqlite3.connect("file:" + self.folder("state", "history.db") + "?mode=ro", uri=True) as db:
                row = db.execute(text).fetchone()
                return row[0] if row else 0
        except sqlite3.OperationalError:
            return 0


if __name__ == "__main__":
    unittest.main()
