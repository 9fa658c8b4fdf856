"""Why a watch ended so, afterwards: status, explain, export-test (what it writes passes), label, replay.

The service is the example behind a real Prometheus; where days of history or a moment of the past are wanted, a server answers
as a Prometheus would.
"""
import json
import math
import os
import sqlite3
import subprocess
import time
import unittest
import urllib.parse

from harness import PROGRAM, Case, Gateway, Redis, Role, built, sign_report, wait_for
from test_measured import Visitors
from test_signals import Fake, Prometheus, Service, get, plain

SECRET = "ci-secret-1"
CONFIG = """
sources: {ci: {kind: report, secrets: [%(secret)s]}}
channels: {oncall: {kind: console}}
actions: {undo: {kind: exec, program: /bin/true}}
programs: [/bin/true]
services:
  web:
    repo: acme/web
    limits: {errors: 5%%}
    environments:
      prod-hz: {tier: prod, match: [{environment: prod-hz}], health: {url: "%(health)s", every: 1s, timeout: 1s, grace: 1s, background: 1s}, rollback: undo, %(source)s}
rules: rules
%(more)s
"""
HEALTH_RULES = """
- name: prod-health
  on: deploy-to-prod
  watch: {for: 20s, every: 1s}
  if: health is failing for 3 checks
  then: alert
"""


class Explained(Case):
    def up(self, rules, source, health, more=""):
        self.redis = self.start(Redis(self.folder))
        for name, text in rules.items():
            self.folder.write("rules/" + name, text)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"secret": SECRET, "health": health, "source": source, "more": more})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))

    def deploy(self, n, **more):
        body = json.dumps({"pipeline_id": n, "job_name": "deploy", "job_id": 100 + n, "exit_code": 0, "environment": "prod-hz", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": str(n) * 40, "author": "lin", **more})
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(SECRET, body)).status, 202)

    def run_(self, *args, want=0, redis=True):
        """(stdout, stderr) of a command."""
        p = subprocess.run([built(PROGRAM), *args, *(["--redis", self.redis.url] if redis else [])], capture_output=True, timeout=60)
        self.assertEqual(p.returncode, want, f"{args}\n{p.stdout.decode()}{p.stderr.decode()}")
        self.assertNotIn("Sanitizer", p.stderr.decode())
        return p.stdout.decode(), p.stderr.decode()

    def place(self):
        return json.loads(self.run_("status", "--json")[0])["places"]["web/prod-hz"]

    def watch(self, n, rule):
        """The watch of a rule over release n, or None."""
        place = self.place()
        deps = [d["id"] for d in place["deployments"] if d["ev"].get("sha") == str(n) * 40]
        found = [w for w in place.get("watches", []) if w["dep"] in deps and w["rule"] == rule]
        return found[0] if found else None

    def verdict(self, n, rule, bound=60):
        def ended():
            w = self.watch(n, rule)
            return w if w and w.get("verdict") else None
        try:
            return wait_for(ended, f"a verdict of {rule} over release {n}", bound)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.worker.log()[-40:])) from None

    def exported(self, watch, *options, config=True):
        """The watch as a test: (its text, what was said); it has passed."""
        text, said = self.run_("export-test", watch, *(["-c", self.config] if config else []), *options)
        path = self.folder.write("exported.yaml", text)
        out, _ = self.run_("test", path, redis=False)
        self.assertIn("1 passed, 0 failed", out, text)
        if os.environ.get("SW_SHOW"):
            print(text, out)
        return text, said

    def explained(self, watch, *options):
        out = self.run_("explain", watch, "-c", self.config, *options)[0]
        if os.environ.get("SW_SHOW"):
            print(out)
        return out


class Real(Explained):
    RULES = """
- name: prod-errors
  on: deploy-to-prod
  watch: {for: 30s, every: 1s}
  if: (error_rate > baseline + 2pp and error_rate > limits.errors) for 3 checks
  min_requests: 50
  then: [alert, rollback]
"""

    def test_a_bad_release(self):
        self.service = Service(self, "--delay-ms", "5")
        prometheus = Prometheus(self, self.service.address)
        Visitors(self, self.service)
        self.up({"a.yaml": HEALTH_RULES, "b.yaml": self.RULES}, f'prometheus: {{url: "{prometheus.url}", labels: {{job: web}}, window: 5s}}',
                self.service.url + "/health", f'reference: "{self.service.url}/health"')
        self.deploy(1)
        # 30 readings make a baseline
        ask = prometheus.url + "/api/v1/query?" + urllib.parse.urlencode({"query": 'count_over_time((sum(increase(http_requests_total{job="web"}[5s])))[2m:1s])'})
        def enough():
            r = json.loads(get(ask))["data"]["result"]
            return r and float(r[0]["value"][1]) >= 36
        wait_for(enough, "there is a time before", 90)
        self.deploy(2, version="v2.0.0")
        wait_for(lambda: self.watch(2, "prod-errors"), "the release is watched")
        self.service.knob("error_pct=60")
        w = self.verdict(2, "prod-errors")
        self.assertEqual((w["verdict"], w["reason"]), ("fail", "evidence"), w)
        wait_for(lambda: [a for a in self.place()["actions"] if a["state"] == "done"], "it is taken back")
        self.assertRegex(self.run_("status")[0], rf'(?m)^  watch {w["id"]} by "prod-errors": fail \(evidence\), following$')

        out = self.explained(w["id"])
        self.assertRegex(out, r"^web/prod-hz: fail \(evidence\), \d+s after the deployment\n")
        for want in (r"(?m)^if +\(error_rate > baseline \+ 2pp and error_rate > limits\.errors\) for 3 checks$",
                     r"(?m)^deployment +\w{12} of 222222222222 v2\.0\.0 by lin$", r"(?m)^ran before +111111111111$",
                     r"(?m)^decided +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, \d+ s ago, at \+\d+s$", r"(?m)^action +rollback undo: done$",
                     r"traffic: \d+ requests; it takes 50", r"before: it was not so before", r"own network: the reference address answered",
                     r"(?m)^  error_rate +0%, of \d\d readings 1s apart$", r"(?m)^ +\+\d+s  true +error_rate > baseline \+ 2pp +true +[\d.]+% +2% +0%$",
                     r"(?m)^ +\+\d+s  ── fail \(evidence\)$"):
            self.assertRegex(out, want)
        self.assertNotRegex(out, r"(?m) $")
        self.assertNotIn("note:", out)

        j = json.loads(self.explained(w["id"], "--json"))
        self.assertEqual((j["watch"], j["rule"], j["verdict"], j["reason"], j["sha"], j["previous_sha"], j["version"], j["user"]),
                         (w["id"], "prod-errors", "fail", "evidence", "2" * 40, "1" * 40, "v2.0.0", "lin"))
        self.assertEqual({b["signal"] for b in j["before"]}, {"error_rate", "requests"})
        self.assertEqual([a["state"] for a in j["actions"]], ["done"])
        decisive = [s for s in j["steps"] if s["phase"] != "following"][-1]
        self.assertEqual((decisive["truth"], len(decisive["comparisons"])), ("true", 2), decisive)
        self.assertLessEqual(decisive["at"], j["ended"])
        self.curves(w, j)

        # both files of rules, limits, tier; and the verdict again
        text, said = self.exported(w["id"])
        for want in ("  a.yaml: |", "  b.yaml: |", "tier: prod", "limits: {errors: 5%}", "window: 5s", "reason: evidence, within: [", "ago: 2h",
                     "verdict: fail", "    requests: '"):
            self.assertIn(want, text)
        self.assertEqual(said, "")
        # the same without the configuration: it cannot know the limit, and says so
        self.assertIn("note: read without the configuration", self.run_("explain", w["id"])[0])
        text, said = self.exported(w["id"], config=False)
        self.assertIn("# Really it ended fail (evidence)", text)
        self.assertIn("say -c FILE", text)
        self.assertIn("verdict: inconclusive}", text)
        self.assertIn("does not give the verdict fail again", said)
        self.labels()
        self.replayed(w)

    def curves(self, w, j):
        """What the page of a deployment draws: readings since before it, the baseline, numbers of each comparison."""
        curve = {c["signal"]: c for c in j["signals"]}["error_rate"]
        self.assertEqual((curve["type"], curve["worse"]), ("ratio", "up"))
        before = [v for at, v, *_ in curve["samples"] if at < j["finished"] and v is not None]
        since = [v for at, v, *_ in curve["samples"] if at >= j["finished"] and v is not None]
        self.assertTrue(before and max(before) == 0, curve)
        self.assertGreater(max(since), 0.2)
        self.assertEqual([at for at, *_ in curve["samples"]], sorted(at for at, *_ in curve["samples"]))
        self.assertEqual(curve["baseline"]["step_ms"], 1000)
        self.assertGreater(len(curve["baseline"]["points"]), 30)
        self.assertEqual({p for p in curve["baseline"]["points"] if p is not None}, {0})
        decided = [s for s in j["steps"] if s["phase"] != "following"][-1]["comparisons"]
        self.assertEqual([(c["signal"], c["op"], round(c["limit_number"], 6)) for c in decided], [("error_rate", ">", 0.02), ("error_rate", ">", 0.05)])
        self.assertGreater(decided[0]["value_number"], 0.05)
        self.assertEqual(decided[0]["before_number"], 0)
        self.assertIn(j["deployment"], [d["deployment"] for d in j["deployments"]])
        self.assertEqual(json.loads(self.explained(w["id"], "--json", "--place", "web/prod-hz"))["signals"][0]["signal"], j["signals"][0]["signal"])
        self.assertIn("there is no watch", self.run_("explain", w["id"], "--place", "web/other", want=1)[1])

    def labels(self):
        """A person says what it was: by commit, by id; what several fit is asked back; no watch says otherwise afterwards."""
        _, err = self.run_("label", "7777777", "good", want=1)
        self.assertIn('no deployment "7777777"', err)
        _, err = self.run_("label", "222222", "good", want=1)
        self.assertIn("7 digits", err)
        self.assertIn("want good or bad", self.run_("label", "2222222", "fine", want=2)[1])
        self.deploy(1, job_id=900)
        wait_for(lambda: len(self.place()["deployments"]) == 3, "the first release is there again")
        _, err = self.run_("label", "1111111", "good", want=1)
        self.assertIn("2 deployments fit", err)
        ids = [d["id"] for d in self.place()["deployments"]]
        for i in (ids[0], ids[2]):
            self.assertRegex(err, rf"(?m)^  {i}  web/prod-hz +111111111111  success +\d{{4}}-")
        out, _ = self.run_("label", ids[0], "good", "--who", "mo")
        self.assertEqual(out, f"web/prod-hz: deployment {ids[0]} is good, says mo\n")
        wait_for(lambda: self.place().get("good") == ["1" * 40], "it is known to be good")
        out, _ = self.run_("label", "22222222", "good", "--who", "mo")
        wait_for(lambda: "2" * 40 in self.place().get("good", []), "the bad one is good after all")
        self.assertEqual([d["good"] for d in self.place()["deployments"] if d["id"] == ids[1]], [1])
        self.run_("label", ids[1].upper() if ids[1] != ids[1].upper() else ids[1], "bad", want=1 if ids[1] != ids[1].upper() else 0)
        self.run_("label", ids[1], "bad")
        wait_for(lambda: self.place().get("bad") == ["2" * 40] and self.place().get("good") == ["1" * 40], "it is bad again")

    def replayed(self, w):
        """What is kept as a recording: the same rule fires for the same release, and rightly, says the label."""
        place, lines = self.place(), []
        release = [d for d in place["deployments"] if d["id"] == w["dep"]][0]

        def sample(signal, at, value, n=None):
            known = {"v": value} if isinstance(value, (int, float)) else {"r": value or "absent"}
            lines.append({"t": "sample", "at": at, "place": "web/prod-hz", "source": "health" if signal == "health" else "prometheus",
                          "signal": signal, **known, **({"n": n} if n else {})})
        lines.append({"t": "event", "at": release["finished"], "place": "web/prod-hz", "ev": {"environment": "prod-hz", **release["ev"]}})
        lines.append({"t": "label", "at": release["finished"], "place": "web/prod-hz", "deployment": "2" * 40, "good": False})
        for signal in ("error_rate", "requests"):
            past = json.loads(self.redis("GET", f"{{sw}}:past:{w['dep']}:{signal}:1"))
            for i, v in enumerate(past["v"]):
                sample(signal, past["from"] + i * past["step"], v, past["c"][i] if "c" in past else None)
        for s in place["series"]:
            at = s["t"]
            for x in s["s"]:
                at += x[0]
                sample(s["name"], at, x[1], x[2] if len(x) > 2 else None)
        path = self.folder.write("recorded.ndjson", "".join(json.dumps(x) + "\n" for x in lines))
        out, _ = self.run_("replay", "--from", path, "-c", self.config, "--json", redis=False)
        found = {r["rule"]: r for r in json.loads(out)["rules"]}["prod-errors"]
        self.assertEqual((found["seen"], found["fires"], found["precision"]["count"]), (1, 1, 1), out)


class Answers:
    """What a Prometheus would answer: now by `now`, before by a function of the moment."""

    def __init__(self, case, **signals):
        self.now = {name: f(0) for name, f in signals.items()}
        self.past = signals
        self.server = Fake(case, self.reply)
        self.url = self.server.url

    def reply(self, h):
        n = int(h.headers.get("Content-Length") or 0)
        at = urllib.parse.urlsplit(h.path)
        ask = urllib.parse.parse_qs(at.query)
        if n:
            ask.update(urllib.parse.parse_qs(self.server.seen[-1][3].decode()))
        name = ask["query"][0].split("{")[0]
        if at.path.endswith("/query_range"):
            first, last, step = (float(ask[k][0]) for k in ("start", "end", "step"))
            values = [[first + i * step, repr(self.past[name](int(first + i * step)))] for i in range(int((last - first) / step) + 1)]
            data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        elif self.now[name] is None:
            data = {"resultType": "vector", "result": []}
        else:
            data = {"resultType": "vector", "result": [{"metric": {}, "value": [time.time(), repr(self.now[name])]}]}
        plain(200, json.dumps({"status": "success", "data": data}))(h)


def noise(level, spread):
    """The same at the same moment, without a pattern."""
    def at(t):
        x = (t * 2654435761 + 12345) % (1 << 32) / (1 << 32)
        return level * math.exp(spread * (x * 2 - 1))
    return at


class Health(Fake):
    """A health address that does what the test says."""

    def __init__(self, case):
        self.ok = True
        super().__init__(case, lambda h: plain(200 if self.ok else 500, "{}")(h))


class Answered(Explained):
    SIGNALS = """
signals:
  http_latency_p95: {prometheus: 'latency{$labels}'}
  requests: {prometheus: 'requests{$labels}'}
rules:
"""

    def begin(self, rules, more=""):
        self.answers = Answers(self, latency=noise(0.3, 0.1), requests=lambda t: 40.0)
        self.health = Health(self)
        self.up({"all.yaml": self.SIGNALS + rules}, f'prometheus: {{url: "{self.answers.url}", labels: {{job: web}}, window: 5s}}', self.health.url, more)

    def test_worse_by_the_history(self):
        """Tier A: of a day of history the calibration is kept and half an hour; the export says so, and its play ends the same."""
        self.begin("""
- name: prod-slower
  on: deploy-to-prod
  watch: {for: 20s, every: 1s, delay: 1s}
  if: regressed(http_latency_p95, by=20%)
  then: alert
""")
        self.deploy(1)
        self.answers.now["latency"] = 0.9
        w = self.verdict(1, "prod-slower")
        self.assertEqual(w["verdict"], "fail", w)
        out = self.explained(w["id"])
        self.assertRegex(out, r"(?m)^  http_latency_p95 +[\d.]+ms, of 240 readings 1s apart; calibrated on \d+ deployments in play out of \d+ readings; compared with 7 earlier days$")
        self.assertRegex(out, r"(?m)^ +\+\d+s  true +regressed\(http_latency_p95, by=20%\) +true +900ms +[\d.]+ms +[\d.]+x .* tier A$")
        text, _ = self.exported(w["id"])
        self.assertIn("noise like them", text)
        self.assertIn("verdict: fail, reason: evidence", text)

    def test_as_on_other_days(self):
        """It happens every day at this time: no fail, and the exported test has the days."""
        self.begin("""
- name: prod-slower
  on: deploy-to-prod
  watch: {for: 15s, every: 1s, delay: 1s}
  if: regressed(http_latency_p95, by=20%)
  then: alert
""")
        began, usual = time.time(), noise(0.3, 0.1)
        self.answers.past["latency"] = lambda t: usual(t) * (3 if t < began - 3600 and (t - began) % 86400 < 600 else 1)
        self.deploy(1)
        self.answers.now["latency"] = 0.9
        w = self.verdict(1, "prod-slower")
        self.assertEqual((w["verdict"], w["reason"]), ("pass", "evidence"), w)
        out = self.explained(w["id"])
        self.assertRegex(out, r"(?m)^  http_latency_p95 .*; compared with 7 earlier days$")
        self.assertRegex(out, r"(?m) as on other days; .*on 7 earlier days at this time: \+")
        text, said = self.exported(w["id"])
        self.assertIn("and the same minutes of earlier days", text)
        self.assertIn("verdict: pass, reason: evidence", text)
        self.assertEqual(said, "")

    def test_it_was_so_before(self):
        self.begin("""
- name: prod-health
  on: deploy-to-prod
  watch: {for: 20s, every: 1s}
  if: health is failing for 3 checks
  then: [alert, rollback]
""")
        self.health.ok = False
        wait_for(lambda: len(self.health.seen) > 5, "it fails before the release")
        self.deploy(1)
        w = self.verdict(1, "prod-health")
        self.assertEqual((w["verdict"], w["reason"]), ("inconclusive", "pre-existing"), w)
        out = self.explained(w["id"])
        self.assertRegex(out, r"(?m)^guards +before: it was so before the deployment already \(this decided\)$")
        self.assertRegex(out, r"(?m)^  health +failing$")
        text, _ = self.exported(w["id"])
        self.assertIn("verdict: inconclusive, reason: pre-existing", text)
        self.assertRegex(text, r"(?m)^    health: 'fail x\d+'$")

    def test_a_newer_one_and_a_good_one(self):
        self.begin("""
- name: prod-slow
  on: deploy-to-prod
  watch: {for: 10s, every: 1s, delay: 1s}
  if: http_latency_p95 > 1500ms for 3 checks
  min_requests: 100
  then: alert
""")
        self.deploy(1, phase="started")
        self.worker.wait_log(r"deployment \w+ of \w+ started")
        self.deploy(1)
        wait_for(lambda: self.watch(1, "prod-slow"), "it is watched")
        self.assertIn("no verdict yet", self.explained(self.watch(1, "prod-slow")["id"]))
        self.assertIn("has no verdict yet", self.run_("export-test", self.watch(1, "prod-slow")["id"], want=1)[1])
        self.deploy(2)
        w = self.verdict(1, "prod-slow")
        self.assertEqual((w["verdict"], w["reason"]), ("superseded", "newer"), w)
        self.assertRegex(self.explained(w["id"]), r"(?m)^rollout +\d{4}-")
        text, _ = self.exported(w["id"])
        self.assertIn("verdict: superseded, reason: newer", text)
        self.assertIn("status: running", text)
        w = self.verdict(2, "prod-slow")
        self.assertEqual((w["verdict"], w["reason"]), ("pass", "evidence"), w)
        out = self.explained(w["id"])
        self.assertRegex(out, r"too early; \d+ of 100 requests")
        self.assertRegex(out, r"… \d looks that say the same")
        self.assertNotIn("looks that say", self.explained(w["id"], "--all"))
        self.assertIn("verdict: pass, reason: evidence", self.exported(w["id"])[0])
        self.assertRegex(self.run_("status")[0], rf'(?m)^  watch {w["id"]} by "prod-slow": pass \(evidence\), [\d.]+ s ago$')

    def test_nothing_to_be_known(self):
        """A source that does not answer; a watch that a person ended, which no play can tell; ids that are none."""
        self.begin("""
- name: prod-slow
  on: deploy-to-prod
  watch: {for: 10s, every: 1s, delay: 1s}
  if: http_latency_p95 > 1500ms for 3 checks
  then: alert
""")
        self.assertIn('no watch "nothing"', self.run_("explain", "nothing", want=1)[1])
        self.assertIn('no watch "nothing"', self.run_("export-test", "nothing", want=1)[1])
        self.answers.now["latency"] = None
        self.deploy(1)
        wait_for(lambda: self.watch(1, "prod-slow"), "it is watched")
        w = self.watch(1, "prod-slow")
        wait_for(lambda: "no data" in self.explained(w["id"]), "it is asked")
        self.run_("cancel", w["id"])
        w = self.verdict(1, "prod-slow")
        self.assertEqual((w["verdict"], w["reason"]), ("cancelled", "operator"), w)
        text, said = self.exported(w["id"])
        self.assertIn("a person ended it", text)
        self.assertIn("does not give the verdict cancelled again", said)


class Kept(Explained):
    """The dashboard has explanations stored: a few seconds after the verdict, and once more at the end."""

    def rows(self, text):
        try:
            with sqlite3.connect("file:" + self.folder("history", "history.db") + "?mode=ro", uri=True) as db:
                return db.execute(text).fetchall()
        except sqlite3.OperationalError:
            return []

    def stored(self, watch, state):
        found = self.rows(f"SELECT explained, explained_as FROM watches WHERE watch = '{watch}'")
        return found and found[0][1] == state and (json.loads(found[0][0]) if found[0][0] else True)

    def test_stored(self):
        status = [200]
        health = Fake(self, lambda h: plain(status[0], "ok")(h))
        self.up({"a.yaml": HEALTH_RULES}, "channels: [oncall]", health.url, 'dashboard: {listen: "127.0.0.1:0"}')
        d = self.start(Role("dashboard", self.config, "--redis", self.redis.url, "--state-dir", self.folder("history")))
        self.deploy(1)
        wait_for(lambda: self.watch(1, "prod-health"), "the release is watched")
        status[0] = 503
        w = self.verdict(1, "prod-health")
        j = wait_for(lambda: self.stored(w["id"], "following"), "it is explained")
        self.assertEqual((j["watch"], j["verdict"], j["state"], j["signals"][0]["signal"]), (w["id"], "fail", "following", "health"))
        self.assertIn(0, [v for at, v, *_ in j["signals"][0]["samples"]])
        status[0] = 200
        wait_for(lambda: (self.watch(1, "prod-health") or {}).get("state") == "done", "it is over", 60)
        j = wait_for(lambda: self.stored(w["id"], "done"), "it is explained once more")
        self.assertEqual((j["state"], j["verdict"]), ("done", "fail"))
        # one that nothing is known of any more is not asked for again and again
        with sqlite3.connect(self.folder("history", "history.db")) as db:
            db.execute("INSERT INTO watches (watch, place, deployment, at, rule, state, verdict, ended) VALUES ('ffffffffffff', 1, 'd', ?, 'r', 'done', 'pass', ?)",
                       (int(time.time() * 1000), int(time.time() * 1000) - 4000))
        self.deploy(2)
        wait_for(lambda: self.stored("ffffffffffff", "none"), "it cannot be explained", 60)
        self.assertEqual(len([e for e in d.entries() if e["msg"].startswith("watch ffffffffffff cannot be explained: there is no watch")]), 1)
        self.assertEqual([f for f in os.listdir(self.folder("history")) if "explained" in f], [])


if __name__ == "__main__":
    unittest.main()
