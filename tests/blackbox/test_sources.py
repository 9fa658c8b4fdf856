"""Sources generic, cloudevents and redis-stream with real processes, the sample configurations, and reports nobody should send."""
import base64
import glob
import hashlib
import hmac
import json
import os
import random
import subprocess
import time
import unittest

from harness import PROGRAM, SOURCE, Case, Gateway, Redis, Role, built, hex_hmac, request_bytes, sign_report, sign_standard, wait_for

SHA = "4f2a61d0c2b84b7d9d3c1f0a5e6b7c8d9e0f1a2b"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CI_SECRET = "ci-secret-1"

CONFIG = """
sources:
  ci: {kind: report, secrets: [%(ci)s]}
  any:
    kind: generic
    tokens: [tok-1]
    logins: ["jenkins:pass word"]
    secrets: [mac-1]
    signature: {header: X-Sig, algorithm: sha512, encoding: base64}
    delivery: {header: X-Delivery}
    when: {header: X-Event, is: done}
    event: deployment
    fields: {repo: /repo, env: /env, sha: /sha, job_id: /job}
    status: {at: /result, success: passed, failed: broken}
  ce: {kind: cloudevents, secrets: [%(signing)s], tokens: [tok-2]}
%(more)s
channels: {box: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: {}}}}
rules: rules.yaml
"""
RULES = "- {name: deployed, on: deploy-to-prod, then: alert}\n"


def deployed(job=8, result="passed"):
    return json.dumps({"repo": "acme/web", "env": "prod", "sha": SHA, "job": job, "result": result})


def cdevent(number=1, name="service.deployed", version="0.3.0"):
    return {"context": {"specversion": "0.5.1", "id": "ev-%d" % number, "source": "/ci", "type": "dev.cdevents.%s.%s" % (name, version),
                        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
            "subject": {"id": "web", "content": {"environment": {"id": "prod"}, "artifactId": "pkg:github/acme/web@" + SHA}}}


def binary(event):
    c = event["context"]
    return {"ce-specversion": "1.0", "ce-id": c["id"], "ce-source": c["source"], "ce-type": c["type"], "Authorization": "Bearer tok-2"}


def structured(event):
    c = event["context"]
    return {"specversion": "1.0", "id": c["id"], "source": c["source"], "type": c["type"], "data": event}


def report(n, **more):
    return json.dumps(dict({"pipeline_id": n, "job_name": "deploy", "job_id": n, "exit_code": 0, "environment": "prod", "service": "web", "repo": "acme/web",
                            "branch": "main", "sha": "%040x" % (0xabc0000000 + n), "url": "https://ci.example.com/acme/web/%d" % n}, **more))


class Up(Case):
    def up(self, more="", worker=True, gateway=True):
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"ci": CI_SECRET, "signing": SIGNING, "more": more})
        self.gateway = self.begin() if gateway else None
        self.worker = self.work() if worker else None

    def begin(self, name="gateway-state", *options):
        return self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder(name), *options))

    def work(self):
        return self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("state")))

    def outcome(self, source, outcome, gateway=None):
        text = (gateway or self.gateway).request("GET", "/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("shipwatch_deliveries_total{") and 'source="%s"' % source in line and 'outcome="%s"' % outcome in line)


class Generic(Up):
    def test_who_and_what(self):
        self.up()
        g, body = self.gateway, deployed()
        mac = base64.b64encode(hmac.new(b"mac-1", body.encode(), hashlib.sha512).digest()).decode()
        done = {"X-Event": "done", "X-Delivery": "d-1"}
        for auth, want in (({}, 401), ({"Authorization": "Bearer tok-2"}, 401), ({"X-Sig": mac[:-4] + "AAA="}, 401), ({"X-Sig": hex_hmac("mac-1", body)}, 401),
                           ({"Authorization": "Basic " + base64.b64encode(b"jenkins:pass").decode()}, 401),
                           ({"Authorization": "Bearer tok-1"}, 202),
                           ({"Authorization": "Basic " + base64.b64encode(b"jenkins:pass word").decode()}, 200), ({"X-Sig": mac}, 200)):
            a = g.post("/hooks/any", body, {**done, **auth})
            self.assertEqual(a.status, want, (auth, a))
        self.assertEqual(a.json["status"], "duplicate")
        token = {"Authorization": "Bearer tok-1"}
        self.assertEqual(g.post("/hooks/any", body, {**token, "X-Event": "begun"}).json["status"], "ignored")
        self.assertEqual(g.request("POST", "/hooks/any", body, [*token.items(), ("X-Event", "done"), ("X-Event", "begun"), ("Content-Type", "application/json")]).status, 400)
        a = g.post("/hooks/any", '{"repo": ', {**token, **done})
        self.assertEqual((a.status, a.json["error"]), (400, "not JSON: text ends too early at byte 9"))
        a = g.post("/hooks/any", "[" + "0," * 200000 + "0]", {**token, **done})
        self.assertEqual((a.status, a.json["error"]), (400, "want at most 200000 values in one body"))
        self.worker.wait_log("rule .deployed. fired")
        # an unknown word is no success, and what a token was is kept nowhere
        self.assertEqual(g.post("/hooks/any", deployed(9, "splendid"), {**token, "X-Event": "done", "X-Delivery": "d-2"}).status, 202)
        self.worker.wait_log("generic deployment of acme/web other")
        self.assertEqual(len(self.worker.entries(msg="rule .deployed. fired")), 1)
        self.assertNotIn("tok-1", json.dumps(self.gateway.log() + self.worker.log()))
        self.assertEqual(self.outcome("any", "queued"), 2)


class CloudEvents(Up):
    def test_handshake(self):
        self.up(worker=False)
        for path in ("/hooks/ce", "/hooks/nobody"):  # it does not tell which sources there are
            a = self.gateway.request("OPTIONS", path, headers={"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"})
            self.assertEqual(a.status, 204)
            self.assertEqual(a.headers["webhook-allowed-origin"], "eventemitter.example.com")
            self.assertEqual(a.headers["webhook-allowed-rate"], "*")
            self.assertIn("POST", a.headers["allow"])
        a = self.gateway.request("OPTIONS", "/hooks/ce", headers={"WebHook-Request-Origin": "eventemitter.example.com"})
        self.assertNotIn("webhook-allowed-rate", a.headers)
        a = self.gateway.request("OPTIONS", "/hooks/ce")
        self.assertEqual((a.status, "webhook-allowed-origin" in a.headers), (204, False))
        a = self.gateway.request("OPTIONS", "/hooks/ce", headers={"WebHook-Request-Origin": "x" * 256})
        self.assertNotIn("webhook-allowed-origin", a.headers)

    def test_no_handshake_without_such_a_source(self):
        self.redis = self.start(Redis(self.folder))
        config = self.folder.write("s.yaml", "sources: {ci: {kind: report, secrets: [a]}}\nchannels: {box: {kind: console}}\n"
                                   "services: {web: {repo: acme/web, environments: {prod: {}}}}\n")
        g = self.start(Gateway(config, "--redis", self.redis.url, "--state-dir", self.folder("state")))
        self.assertNotIn("webhook-allowed-origin", g.request("OPTIONS", "/hooks/ci", headers={"WebHook-Request-Origin": "a.example"}).headers)

    def test_shapes(self):
        self.up()
        g, event = self.gateway, cdevent()
        token = {"Authorization": "Bearer tok-2"}
        body = json.dumps(event)
        self.assertEqual(g.post("/hooks/ce", body, {**binary(event), "Authorization": "Bearer tok-1"}).status, 401)
        self.assertEqual(g.post("/hooks/ce", body, binary(event)).status, 202)
        whole = json.dumps(structured(event))
        for headers, path in (({**token, "Content-Type": "application/cloudevents+json; charset=utf-8"}, "/hooks/ce"),
                              ({"Content-Type": "application/cloudevents+json"}, "/hooks/ce?access_token=tok-2")):
            self.assertEqual(g.post(path, whole, headers).json["status"], "duplicate")
        signed = sign_standard(SIGNING, whole, "msg-1")
        self.assertEqual(g.post("/hooks/ce", whole, {**signed, "Content-Type": "application/cloudevents+json"}).json["status"], "duplicate")
        self.assertEqual(g.post("/hooks/ce", whole + " ", {**signed, **token, "Content-Type": "application/cloudevents+json"}).status, 401)
        batch = {**token, "Content-Type": "application/cloudevents-batch+json"}
        self.assertEqual(g.post("/hooks/ce", "[%s,%s]" % (whole, json.dumps(structured(cdevent(2, "pipelinerun.started")))), batch).status, 202)
        self.assertEqual(g.post("/hooks/ce", "[]", batch).json["status"], "ignored")
        self.assertEqual(g.post("/hooks/ce", json.dumps(cdevent(3, "environment.created")), token).json["status"], "ignored")
        a = g.post("/hooks/ce", "[%s,{}]" % whole, batch)
        self.assertEqual((a.status, a.json["error"]), (400, "[1].specversion: is missing"))
        self.assertEqual(g.post("/hooks/ce", "<x/>", {**token, "Content-Type": "application/cloudevents+xml"}).status, 415)
        self.assertEqual(g.post("/hooks/ce", "{", {**token, "Content-Type": "application/cloudevents+json"}).json["error"], "not JSON: text ends too early at byte 1")
        self.worker.wait_log("rule .deployed. fired")
        self.worker.wait_log("cloudevents pipeline of")
        self.assertEqual(len(self.worker.entries(msg="rule .deployed. fired")), 1)
        # a major version nobody knows is kept for people to see
        self.assertEqual(g.post("/hooks/ce", json.dumps(cdevent(4, version="1.0.0")), token).status, 202)
        self.worker.wait_log("dead letter: .*service.deployed of version 1.0.0 is not known")


class Samples(Case):
    def test_check(self):
        found = sorted(glob.glob(os.path.join(SOURCE, "examples", "sources", "*.yaml")))
        self.assertEqual([os.path.basename(f)[:-5] for f in found], ["argocd", "azure-devops", "bitbucket", "flux", "gitee", "jenkins"])
        secrets = {name: "a:b" for name in ("JENKINS_LOGIN", "AZURE_LOGIN", "GITEE_SECRET", "BITBUCKET_SECRET", "ARGOCD_TOKEN", "FLUX_SECRET")}
        for path in found:
            p = subprocess.run([built(PROGRAM), "check", "--strict", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **secrets}, timeout=60)
            self.assertEqual(p.returncode, 0, p.stdout.decode())
            p = subprocess.run([built(PROGRAM), "check", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={k: v for k, v in os.environ.items() if k not in secrets}, timeout=60)
            self.assertEqual(p.returncode, 1)
            self.assertIn(b"this variable is not set", p.stdout)


class BadReports(Up):
    def test_bad_reports(self):
        self.up(worker=False)
        post = lambda body: self.gateway.post("/ci-report", body, sign_report(CI_SECRET, body))  # noqa: E731
        for body, want in (
                (report(1, duration_ms="fast"), 'duration_ms: want a number >= 0, got "fast"'), (report(1, duration_ms=-1), "duration_ms: want a number >= 0, got -1"),
                (report(1, exit_code="0"), 'exit_code: want an integer, got "0"'), (report(1, coverage_pct=101), "coverage_pct: want a number from 0 to 100, got 101"),
                (report(1, repo=["acme/web"]), "repo: want a string, got a list"), (report(1, metrics=[1]), "metrics: want an object of numbers, got a list"),
                (report(1, metrics={"a": "1"}), 'metrics.a: want a number, got "1"'), (report(1, pipeline_id={"a": 1}), "pipeline_id: want a string or number, got an object"),
                (report(1, started_at="yesterday"), 'started_at: want a time (RFC 3339 or seconds), got "yesterday"'),
                (report(1, phase="over"), 'phase: want "started" or "finished", got "over"'),
                (report(1, metrics={"m%d" % i: i for i in range(201)}), "metrics: want at most 200 numbers, got 201"),
                ('{"pipeline_id":1,"job_name":"a"}', 'exit_code: is missing (only a report with "phase": "started" has none)'),
                ("[]", "want a JSON object"), ("", "not JSON: text ends too early at byte 0"), ('{"a":' * 100 + "1" + "}" * 100, None)):
            a = post(body)
            self.assertEqual(a.status, 400, body[:100])
            if want:
                self.assertEqual(a.json["error"], want)
        # a million metrics, 14 MB: read, refused, and nothing of it is kept
        a = post(report(1, metrics={"m%07d" % i: i for i in range(1000000)}))
        self.assertEqual(a.status, 400)
        self.assertRegex(a.json["error"], "5000|200")
        self.assertEqual(self.redis.entries(), [])
        good = report(1)
        for headers in ({}, {"X-Shipwatch-Timestamp": "1", "X-Shipwatch-Signature": "sha256=" + "0" * 64}, sign_report("other", good), sign_report(CI_SECRET, good + " "),
                        sign_report(CI_SECRET, good, time.time() - 301), sign_report(CI_SECRET, good, time.time() + 302),
                        {"X-Signature-256": hex_hmac(CI_SECRET, good)}, {"X-Signature-256": "sha256=" + hex_hmac(CI_SECRET, good)[:-1]}):
            self.assertEqual(self.gateway.post("/ci-report", good, headers).status, 401, headers)
        self.assertEqual(self.redis.entries(), [])

    def test_times_in_the_past(self):
        """What is no time is refused with its place; a time far from our clock is not believed, and harms nothing."""
        self.up()
        post = lambda body: self.gateway.post("/ci-report", body, sign_report(CI_SECRET, body))  # noqa: E731
        for n, times in enumerate(({"finished_at": "1969-12-31T23:59:59Z"}, {"started_at": -5}, {"started_at": "2026-02-30T00:00:00Z"})):
            a = post(report(10 + n, **times))
            self.assertEqual(a.status, 400, times)
            self.assertRegex(a.json["error"], "want a time")
        self.assertEqual(post(report(1, started_at="2001-01-01T00:00:00Z", finished_at="2001-01-01T00:05:00Z")).status, 202)
        self.assertEqual(post(report(2, finished_at="9999-12-31T23:59:59Z")).status, 202)
        wait_for(lambda: len(self.worker.entries(msg="report report of acme/web success")) == 2, "both are taken in")
        body = report(3)
        self.assertEqual(self.gateway.post("/ci-report", body, sign_report(CI_SECRET, body)).status, 202)
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired", ci_run_id="ci.example.com/acme/web/3"), "a report of now is evaluated")
        self.assertTrue(self.worker.alive())


class Stream(Up):
    """CI reports by a stream of a Redis that is not ours."""

    def stream_up(self, more="", **kw):
        self.other = self.start(Redis(self.folder, name="other"))
        self.up("  queue: {kind: redis-stream, url: \"%s\", stream: ci-reports%s}" % (self.other.url, more), **kw)

    def add(self, body, *fields):
        return self.other("XADD", "ci-reports", "*", "body", body, *fields).decode()

    def pending(self):
        found = self.other("XPENDING", "ci-reports", "shipwatch")
        return found[0] if isinstance(found, list) else -1

    def settled(self):
        return self.pending() == 0 and self.lag() == 0

    def lag(self):
        groups = self.other("XINFO", "GROUPS", "ci-reports")
        if isinstance(groups, RuntimeError) or not groups:
            return -1
        last = dict(zip(groups[0][::2], groups[0][1::2]))[b"last-delivered-id"].decode()
        return len(self.other("XRANGE", "ci-reports", "(" + last, "+"))

    def test_reports_come_in(self):
        self.stream_up(gateway=False, worker=False)
        self.other("XADD", "ci-reports", "1700000000000-0", "body", report(0))  # of long ago: goes to the history
        self.add(report(1))  # before the group is there: taken all the same
        self.gateway, self.worker = self.begin(), self.work()
        self.gateway.wait_log("source queue: made the group shipwatch")
        self.add(report(2))
        for n in (1, 2):
            wait_for(lambda n=n: self.worker.entries(msg="rule .deployed. fired", ci_run_id="ci.example.com/acme/web/%d" % n), "report %d is evaluated" % n)
        wait_for(self.settled, "all is acknowledged")
        self.assertEqual(self.other("XLEN", "ci-reports"), 3)
        # what is read before our own Redis is reached goes by way of the spool
        self.assertEqual(self.outcome("queue", "queued") + self.outcome("queue", "spooled"), 3)
        self.worker.wait_log("later than its watch would have lasted: not watched", ci_run_id="ci.example.com/acme/web/0")
        self.assertEqual(self.worker.entries(msg="rule .deployed. fired", ci_run_id="ci.example.com/acme/web/0"), [])
        self.assertTrue(self.gateway.entries(msg="(queued|spooled) from queue", ci_run_id="ci.example.com/acme/web/2"))
        wait_for(lambda: self.gateway.metric('shipwatch_stream_up{source="queue"') == 1, "the metric says that it is read")
        # nobody posts to it, signed or not
        body = report(3)
        self.assertEqual(self.gateway.post("/hooks/queue", body, sign_report(CI_SECRET, body)).status, 401)
        self.assertIsInstance(self.other("EXISTS", "{sw}:in"), int)
        self.assertEqual(self.other("EXISTS", "{sw}:in"), 0)

    def test_what_cannot_be_read_is_a_dead_letter(self):
        self.stream_up(", remove: true")
        self.other("XADD", "ci-reports", "*", "text", report(1))
        self.add("{not json")
        self.add(report(1, exit_code="zero"))
        self.add(report(2))
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired", ci_run_id="ci.example.com/acme/web/2"), "the good one is evaluated")
        wait_for(lambda: len(self.worker.entries(msg="dead letter: source queue")) == 3, "three dead letters")
        self.gateway.wait_log("there is no such field")
        wait_for(self.settled, "all is acknowledged")
        wait_for(lambda: self.other("XLEN", "ci-reports") == 1, "what was taken is removed, what was not even read stays")

    def test_bodies_of_other_sources(self):
        self.stream_up(", as: any, field: payload")
        self.other("XADD", "ci-reports", "*", "payload", deployed(), "X_Event", "done")
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired"), "a mapping's delivery comes by a stream")

    def test_limits_of_a_body(self):
        self.stream_up()
        self.add("x" * (25 * 1024 * 1024 + 1))
        self.gateway.wait_log("larger than body_max")
        self.add(report(1))
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired"), "the next one is taken")

    def test_their_redis_goes_and_comes(self):
        self.stream_up()
        self.add(report(1))
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired"), "the first")
        self.other.kill()
        self.gateway.wait_log("source queue: its Redis is away")
        wait_for(lambda: self.gateway.metric('shipwatch_stream_up{source="queue"') == 0, "the metric says so")
        self.assertEqual(self.gateway.request("GET", "/health").status, 200)
        self.other.start()
        self.add(report(2))
        wait_for(lambda: len(self.worker.entries(msg="rule .deployed. fired")) == 2, "the second")
        # the group is gone: it is made again, and what is known stays known
        self.other("XGROUP", "DESTROY", "ci-reports", "shipwatch")
        self.add(report(3))
        wait_for(lambda: len(self.worker.entries(msg="rule .deployed. fired")) == 3, "the third")
        wait_for(self.settled, "all is acknowledged")
        self.assertEqual(self.outcome("queue", "duplicate"), 2)
        self.assertEqual(len(self.worker.entries(msg="rule .deployed. fired")), 3)

    def test_a_key_that_is_no_stream(self):
        self.stream_up(gateway=False, worker=False)
        self.other("SET", "ci-reports", "x")
        self.gateway = self.begin()
        self.gateway.wait_log("stream ci-reports: WRONGTYPE")
        self.other("DEL", "ci-reports")
        self.add(report(1))
        wait_for(self.settled, "it is read once it is one")

    def test_our_redis_is_away(self):
        self.stream_up(worker=False)
        wait_for(lambda: self.lag() == 0, "the group is there")
        self.redis.kill()
        self.gateway.wait_log("Redis is away")
        self.add(report(1))
        wait_for(lambda: self.outcome("queue", "spooled") == 1, "it is in the spool")
        wait_for(self.settled, "and acknowledged: the spool is synced")
        self.redis.start()
        wait_for(lambda: len(self.redis.entries()) == 1, "and in Redis once that is back")

    def test_reload(self):
        self.stream_up()
        self.add(report(1))
        wait_for(lambda: self.worker.entries(msg="rule .deployed. fired"), "the first")
        with open(self.config, encoding="utf-8") as f:
            text = f.read()
        self.folder.write("shipwatch.yaml", text.replace("stream: ci-reports", "stream: ci-other"))
        self.gateway.signal(1)
        self.gateway.wait_log("source queue: made the group shipwatch of stream ci-other")
        self.other("XADD", "ci-other", "*", "body", report(2))
        self.worker.signal(1)
        wait_for(lambda: len(self.worker.entries(msg="rule .deployed. fired")) == 2, "the second, of the other stream")

    def test_killed_at_any_moment(self):
        """Gateways that share the group are killed again and again: every report is taken once."""
        seed = int(os.environ.get("SW_SEED") or time.time())
        print("# seed %d" % seed)
        chance = random.Random(seed)
        self.stream_up(worker=False, gateway=False)
        gateways, n, rounds = [self.begin("state-a"), self.begin("state-b")], 0, int(os.environ.get("SW_KILLS", "8"))
        for k in range(rounds):
            for _ in range(chance.randrange(1, 120)):
                n += 1
                self.add(report(n))
            time.sleep(chance.random() * 0.05)
            gateways[k % 2].signal(9)
            gateways[k % 2].wait()
            gateways[k % 2] = self.begin("state-" + "ab"[k % 2])
        wait_for(self.settled, "all is acknowledged", 90)
        seen = [f["m"] for _, f in self.redis.entries()]
        ids = [json.loads(m)["delivery"] for m in seen]
        self.assertEqual(len(ids), n)
        self.assertEqual(len(set(ids)), n)


if __name__ == "__main__":
    unittest.main()
