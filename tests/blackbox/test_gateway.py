"""The gateway with a real Redis: every answer of the table, durable before 2xx, the spool, reload, restart of its processes."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import threading
import time
import unittest

from harness import (BOUND, Case, Connection, Gateway, Process, Redis, Role, request_bytes, rss_kib, sign_gitea, sign_github, sign_gitlab,
                     sign_report, wait_for)

CONFIG = """
gateway: {body_max: 100KiB, workers: %(workers)d, trusted_proxies: [127.0.0.1]}
sources:
  github: {secrets: [new-secret, old-secret]}
  gitlab: {tokens: [gitlab-token]}
  gitea:  {secrets: [gitea-secret]}
  ci:     {kind: report, secrets: [ci-secret]}
channels: {ops: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "https://web.example.com/health"}}}
"""
PUSH = json.dumps({
    "ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40, "created": False, "deleted": False, "forced": False,
    "repository": {"full_name": "acme/web", "html_url": "https://github.com/acme/web", "default_branch": "main"},
    "pusher": {"name": "lin"}, "sender": {"login": "lin"}, "compare": "https://github.com/acme/web/compare/1...2",
    "commits": [], "head_commit": None, "padding": "x" * 3000}).encode()
REPORT = {"pipeline_id": 7, "job_name": "deploy", "exit_code": 0, "repo": "acme/web", "ci_run_id": "ci.example.com/acme/web/7"}


class GatewayCase(Case):
    def setUp(self):
        super().setUp()
        self.redis = None

    def up(self, *options, workers=1, redis=True, state=True, config=CONFIG, **kw):
        if redis and not self.redis:
            self.redis = self.start(Redis(self.folder))
        self.config = self.folder.write("shipwatch.yaml", config % {"workers": workers})
        url = self.redis.url if self.redis else "unix://" + self.folder("nowhere.sock")
        if state:
            options += ("--state-dir", self.folder("state"))
        g = self.start(Gateway(self.config, "--redis", url, *options, **kw))
        if redis:
            wait_for(lambda: g.metric("shipwatch_redis_up") == 1 and len(g.entries(msg="Redis is there")) >= workers, "Redis is there")
        return g

    def github(self, g, body=PUSH, secret="new-secret", delivery=None, event="push", **headers):
        signed = sign_github(secret, body, event, delivery)
        signed.update({k.replace("_", "-"): v for k, v in headers.items()})
        return g.post("/hooks/github", body, signed)


class Answers(GatewayCase):
    def test_table(self):
        """Every row of the table of answers but the ones about load and outages."""
        g = self.up()
        a = self.github(g, delivery="d-1")
        self.assertEqual((a.status, a.json["status"]), (202, "queued"))
        first = a.json["id"]
        entries = self.redis.entries()
        self.assertEqual(len(entries), 1)
        a = self.github(g, delivery="d-1")
        self.assertEqual((a.status, a.json["status"]), (200, "duplicate"))
        a = self.github(g, delivery="d-2", event="ping", body=b'{"zen":"x","hook_id":1}')
        self.assertEqual(a.status, 200)
        a = self.github(g, delivery="d-3", event="star", body=b'{"action":"created"}')
        self.assertEqual((a.status, a.json["status"]), (200, "ignored"))
        self.assertEqual(len(self.redis.entries()), 1, "only what is of interest is kept, once")
        for a in (self.github(g, secret="wrong"), self.github(g, body=PUSH, X_Hub_Signature_256="sha256=00"),
                  g.post("/hooks/github", PUSH), g.post("/hooks/nowhere", PUSH, sign_github("new-secret", PUSH)),
                  g.post("/hooks/gitlab", PUSH, sign_gitlab("wrong")), g.post("/hooks/gitea", PUSH, sign_gitea("wrong", PUSH)),
                  g.post("/ci-report", b"{}", sign_report("wrong", b"{}"))):
            self.assertEqual((a.status, a.json), (401, {"error": "signature or token missing or wrong"}))
        a = self.github(g, body=b'{"a":1 "b"}', delivery="d-4")
        self.assertEqual(a.status, 400)
        self.assertRegex(a.json["error"], r"^not JSON: .* at byte \d+$")
        self.assertEqual(self.github(g, body=b"", delivery="d-5").status, 400)
        self.assertEqual(len(self.redis.entries()), 1)
        self.assertTrue(first)

    def test_methods_and_types(self):
        g = self.up()
        for path, allow in (("/hooks/github", "POST, OPTIONS"), ("/ci-report", "POST, OPTIONS"),
                            ("/health", "GET, HEAD, OPTIONS"), ("/metrics", "GET, HEAD, OPTIONS")):
            a = g.request("DELETE", path)
            self.assertEqual((a.status, a.headers["allow"]), (405, allow))
            a = g.request("OPTIONS", path)
            self.assertEqual((a.status, a.headers["allow"]), (204, allow))
        self.assertEqual(g.request("GET", "/hooks/github").status, 405)
        self.assertEqual(g.request("HEAD", "/health").status, 200)
        for path in ("/", "/hooks/", "/hooks/a/b", "/hooks", "/nowhere"):
            self.assertEqual(g.request("GET", path).status, 404, path)
        a = g.post("/hooks/github", PUSH, {"Content-Type": "text/plain", **sign_github("new-secret", PUSH)})
        self.assertEqual(a.status, 415)
        a = g.post("/hooks/github", PUSH, {"Content-Type": "Application/JSON; charset=utf-8", **sign_github("new-secret", PUSH)})
        self.assertEqual(a.status, 202)

    def test_sizes(self):
        g = self.up()
        limit = 100 * 1024
        body = b'{"a":"' + b"x" * (limit - 8) + b'"}'
        self.assertEqual(len(body), limit)
        self.assertEqual(self.github(g, body=body, delivery="s-1").status, 202)
        with g.connect() as c:
            c.send(b"POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (limit + 1))
            self.assertEqual(c.answer().status, 413, "as soon as it is known")
        form = "application/x-www-form-urlencoded"
        with g.connect() as c:
            c.send(b"POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (form.encode(), 3 * limit + 1))
            self.assertEqual(c.answer().status, 413)
        with g.connect() as c:
            c.send(b"POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n")
            self.assertEqual(c.answer().status, 411)
        with g.connect() as c:
            c.send(b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
            self.assertEqual(c.answer().status, 431)

    def test_form(self):
        g = self.up()
        body = b"payload=" + b"".join(b"%%%02X" % b for b in PUSH)
        a = g.post("/hooks/github", body, {"Content-Type": "application/x-www-form-urlencoded", **sign_github("new-secret", body, delivery="f-1")})
        self.assertEqual(a.status, 202)
        bad = b"payload=%7B%22a"
        a = g.post("/hooks/github", bad, {"Content-Type": "application/x-www-form-urlencoded", **sign_github("new-secret", bad, delivery="f-2")})
        self.assertEqual(a.status, 400)

    def test_each_kind(self):
        g = self.up()
        body = b'{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"acme/web","web_url":"https://gitlab.example.com/acme/web"}}'
        self.assertEqual(g.post("/hooks/gitlab", body, sign_gitlab("gitlab-token", delivery="k-1")).status, 202)
        self.assertEqual(g.post("/hooks/gitea", PUSH, sign_gitea("gitea-secret", PUSH, delivery="k-2")).status, 202)
        report = json.dumps(REPORT)
        self.assertEqual(g.post("/ci-report", report, sign_report("ci-secret", report)).status, 202)
        self.assertEqual(g.post("/ci-report", report, sign_report("ci-secret", report, at=time.time() - 3600)).status, 401)
        kinds = [e["kind"] if "kind" in e else e["k"] for _, e in self.redis.entries()]
        self.assertEqual(kinds, [b"gitlab", b"gitea", b"report"])

    def test_report_schema(self):
        g = self.up()
        for change, error in (({"duration_ms": "fast"}, r"^duration_ms: want a number >= 0"), ({"coverage_pct": 101}, r"^coverage_pct: "),
                              ({"exit_code": None}, r"^exit_code: "), ({"pipeline_id": None}, r"^pipeline_id: ")):
            body = json.dumps({k: v for k, v in {**REPORT, **change}.items() if v is not None})
            a = g.post("/ci-report", body, sign_report("ci-secret", body))
            self.assertEqual(a.status, 400, change)
            self.assertRegex(a.json["error"], error)
        self.assertEqual(self.redis.entries(), [])

    def test_log_has_the_ids(self):
        g = self.up()
        a = self.github(g, delivery="the-delivery")
        entry = g.wait_log("^queued from github", delivery="the-delivery")
        self.assertEqual(entry["event_id"], a.json["id"])
        body = json.dumps(REPORT)
        a = g.post("/ci-report", body, sign_report("ci-secret", body))
        self.assertEqual(g.wait_log("^queued from ci", event_id=a.json["id"])["ci_run_id"], "ci.example.com/acme/web/7")
        self.assertNotIn("secret", "\n".join(g.log()))

    def test_rotation_is_seen(self):
        g = self.up()
        self.assertEqual(self.github(g, secret="old-secret", delivery="r-1").status, 202)
        self.assertEqual(self.github(g, secret="new-secret", delivery="r-2").status, 202)
        self.assertEqual(g.metric('shipwatch_secret_used_total{source="github",secret="1"'), 1)
        self.assertEqual(g.metric('shipwatch_secret_used_total{source="github",secret="0"'), 1)

    def test_signature_twice(self):
        g = self.up()
        headers = list(sign_github("new-secret", PUSH, delivery="t-1").items()) + [("Content-Type", "application/json"), ("X-Hub-Signature-256", "sha256=00")]
        self.assertEqual(g.request("POST", "/hooks/github", PUSH, headers).status, 401)

    def test_a_secret_is_not_kept(self):
        """What is a secret by itself is needed to let a sender in, and stays out of Redis; two of it are two stories."""
        g = self.up()
        body = json.dumps({"object_kind": "push", "ref": "refs/heads/main"})
        self.assertEqual(g.post("/hooks/gitlab", body, sign_gitlab("gitlab-token")).status, 202)
        self.assertEqual(len(self.redis.entries()), 1)
        for _, fields in self.redis.entries():
            self.assertNotIn(b"gitlab-token", b"".join(fields.values()))
        twice = [*sign_gitlab("gitlab-token").items(), ("X-Gitlab-Token", "gitlab-token"), ("Content-Type", "application/json")]
        self.assertEqual(g.request("POST", "/hooks/gitlab", body, twice).status, 401)

    def test_health(self):
        g = self.up()
        a = g.request("GET", "/health")
        self.assertEqual((a.status, a.json["status"], a.json["checks"]["redis"]["status"]), (200, "ok", "ok"))
        for key in ("version", "commit", "built", "uptime_s"):
            self.assertIn(key, a.json)

    def test_metrics(self):
        g = self.up()
        self.github(g, delivery="m-1")
        a = g.request("GET", "/metrics")
        self.assertTrue(a.headers["content-type"].startswith("text/plain; version=0.0.4"))
        self.assertEqual(g.metric('shipwatch_deliveries_total{source="github",event="push",outcome="queued"'), 1)
        promtool = shutil.which("promtool")
        if not promtool:
            print("# promtool is not installed: the text is not checked")
            return
        import subprocess
        p = subprocess.run([promtool, "check", "metrics"], input=a.body, capture_output=True, check=False)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (0, b"", b""))


class Limits(GatewayCase):
    def test_failed_authentications(self):
        """By the address behind the proxy; who is authentic is served all the same."""
        g = self.up()
        for _ in range(30):
            self.assertEqual(self.github(g, secret="wrong", X_Forwarded_For="198.51.100.7").status, 401)
        a = self.github(g, secret="wrong", X_Forwarded_For="198.51.100.7")
        self.assertEqual(a.status, 429)
        self.assertTrue(1 <= int(a.headers["retry-after"]) <= 60)
        self.assertEqual(g.post("/hooks/nowhere", PUSH, {"X-Forwarded-For": "198.51.100.7"}).status, 429)
        self.assertEqual(self.github(g, X_Forwarded_For="198.51.100.7", delivery="l-1").status, 202)
        self.assertEqual(self.github(g, secret="wrong", X_Forwarded_For="198.51.100.8").status, 401)
        # What a stranger wrote in front of the proxy's own word does not count.
        self.assertEqual(self.github(g, secret="wrong", X_Forwarded_For="203.0.113.1, 198.51.100.7").status, 429)
        self.assertEqual(self.github(g, secret="wrong", X_Forwarded_For="nonsense").status, 401)
        self.assertLess(len(g.entries(msg="^refused")), 20, "refusals do not fill the log")

    def test_memory(self):
        g = self.up()
        sizes = [rss_kib(p) for p in g.children()]
        print(f"# resident at rest: {sizes} KiB a process, the parent {rss_kib(g.pid)} KiB")
        conns = []
        for _ in range(1000):
            c = g.connect()
            c.send(b"POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 20000\r\n\r\n{")
            conns.append(c)
        wait_for(lambda: g.metric("shipwatch_http_connections") >= 1001, "all are open")
        print(f"# under 1,000 slow connections: {[rss_kib(p) for p in g.children()]} KiB")
        for c in conns:
            c.s.close()
        if os.environ.get("SW_SANITIZED"):
            return
        self.assertLess(max(sizes), 12 * 1024)


class Durability(GatewayCase):
    def test_spool_while_redis_is_away(self):
        g = self.up()
        self.assertEqual(self.github(g, delivery="a-0").status, 202)
        self.redis.stop()
        wait_for(lambda: g.metric("shipwatch_redis_up") == 0, "the outage is seen")
        for i in range(1, 6):
            a = self.github(g, delivery=f"a-{i}")
            self.assertEqual((a.status, a.json["status"]), (202, "queued"))
        a = g.request("GET", "/health")
        self.assertEqual((a.status, a.json["status"], a.json["checks"]["redis"]["status"]), (200, "ok", "fail"))
        self.assertGreater(g.metric("shipwatch_spool_bytes"), 0)
        self.redis.start()
        wait_for(lambda: len(self.redis.entries()) == 6, "the spool is drained")
        self.assertEqual(self.deliveries(), [f"a-{i}" for i in range(6)], "in order, without doubles")
        wait_for(lambda: g.metric("shipwatch_spool_bytes") == 0, "nothing waits")
        # rollbacks wait for this; by itself a gateway speaks every ten seconds
        wait_for(lambda: all(v.endswith(b" 0") for v in self.redis("HGETALL", "{sw}:gateways")[1::2]), "Redis knows that the spool is empty", 5)
        self.assertEqual(self.github(g, delivery="a-3").json["status"], "duplicate")

    def deliveries(self):
        return [re.search(rb'"delivery":"([^"]*)"', b" ".join(e.values())).group(1).decode() for _, e in self.redis.entries()]

    def test_spool_survives_a_crash(self):
        """Both are killed; what was answered is there afterwards, once."""
        g = self.up()
        self.redis.kill()
        wait_for(lambda: g.metric("shipwatch_redis_up") == 0, "the outage is seen")
        for i in range(5):
            self.assertEqual(self.github(g, delivery=f"c-{i}").status, 202)
        for p in g.children():
            os.kill(p, signal.SIGKILL)
        g.kill()
        self.redis.start()
        self.up()
        wait_for(lambda: len(self.redis.entries()) == 5, "the spool is drained")
        self.assertEqual(self.deliveries(), [f"c-{i}" for i in range(5)])

    def test_nothing_is_lost_when_redis_is_killed_under_load(self):
        g = self.up(workers=2)
        taken, stop = set(), threading.Event()

        def post(k):
            i = 0
            while not stop.is_set():
                i += 1
                try:
                    if self.github(g, delivery=f"{k}-{i}").status in (200, 202):
                        taken.add(f"{k}-{i}")
                except (OSError, AssertionError):
                    pass
        threads = [threading.Thread(target=post, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for _ in range(3):
            n = len(taken)
            wait_for(lambda: len(taken) > n + 40, "deliveries are taken")
            self.redis.kill()
            n = len(taken)
            wait_for(lambda: len(taken) > n + 20, "deliveries are taken without Redis")
            self.redis.start()
        stop.set()
        for t in threads:
            t.join()
        wait_for(lambda: g.metric("shipwatch_spool_bytes") == 0 and g.metric("shipwatch_redis_up") == 1, "the spool is drained")
        kept = self.deliveries()
        self.assertEqual(taken - set(kept), set())
        self.assertEqual(len(kept), len(set(kept)))

    def test_leaves_the_spool_under_load(self):
        """Deliveries never pause, and all the same they soon go to Redis again without the way through the spool."""
        g = self.up()
        stop = threading.Event()

        def post(k):
            i = 0
            while not stop.is_set():
                i += 1
                self.assertEqual(self.github(g, delivery=f"{k}-{i}").status, 202)
        threads = [threading.Thread(target=post, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        try:
            self.redis.stop()
            wait_for(lambda: len(g.entries(msg="^spooled from")) > 200, "deliveries are spooled")
            self.redis.start()
            wait_for(lambda: g.metric("shipwatch_redis_up") == 1, "Redis is there again")
            n = len(g.entries(msg="^queued from"))
            wait_for(lambda: len(g.entries(msg="^queued from")) > n + 100, "deliveries go to Redis")
        finally:
            stop.set()
            for t in threads:
                t.join()
        wait_for(lambda: g.metric("shipwatch_spool_bytes") == 0, "the spool is drained")
        kept = self.deliveries()
        self.assertEqual(len(kept), len(set(kept)))
        for k in range(8):
            mine = [d for d in kept if d.startswith(f"{k}-")]
            self.assertEqual(mine, [f"{k}-{i + 1}" for i in range(len(mine))], "in order")

    def test_no_spool_no_promise(self):
        g = self.up(state=False)
        self.assertEqual(self.github(g, delivery="n-1").status, 202)
        self.redis.stop()
        wait_for(lambda: g.metric("shipwatch_redis_up") == 0, "the outage is seen")
        a = self.github(g, delivery="n-2")
        self.assertEqual((a.status, bool(a.headers["retry-after"])), (503, True))
        a = g.request("GET", "/health")
        self.assertEqual((a.status, a.json["status"]), (503, "fail"))
        self.assertIn("spool: off", a.json["reason"])
        self.redis.start()
        wait_for(lambda: g.metric("shipwatch_redis_up") == 1, "Redis is there again")
        self.assertEqual(self.github(g, delivery="n-2").status, 202)

    def test_redis_that_does_not_sync(self):
        """Weaker than always: the spool is synced before the answer, and the delivery still gets to Redis."""
        self.redis = self.start(Redis(self.folder, "--appendfsync", "everysec"))
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"workers": 1})
        g = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("state")))
        g.wait_log("Redis is not set to")
        self.assertEqual(self.github(g, delivery="w-1").status, 202)
        g.wait_log("^spooled from github")
        wait_for(lambda: len(self.redis.entries()) == 1, "it is in Redis")
        self.assertEqual(self.github(g, delivery="w-1").status, 202, "the spool does not know of duplicates")
        wait_for(lambda: g.metric("shipwatch_spool_bytes") == 0, "the spool is drained")
        self.assertEqual(len(self.redis.entries()), 1, "but Redis does")

    def test_sync_comes_before_the_answer(self):
        """By strace: no 202 leaves before the append-only file, or the spool, was synced after the delivery came in."""
        strace = shutil.which("strace")
        if not strace:
            self.skipTest("strace is not installed")
        g = self.up()
        redis_pid, child = self.redis.process.pid, g.children()[0]
        for away in (False, True):
            trace = self.folder(f"trace-{away}")
            watched = [child] if away else [redis_pid, child]
            s = self.start(Process([strace, "-f", "-ttt", "-e", "trace=sendto,write,writev,pwrite64,recvfrom,read,fsync,fdatasync", "-s", "48",
                                    "-o", trace, *(x for p in watched for x in ("-p", str(p)))]))
            wait_for(lambda: sum("attached" in line for line in s.log()) >= 1 or not s.alive(), "strace is attached")
            if not s.alive():
                self.skipTest("strace may not attach here")
            if len(watched) > 1:
                wait_for(lambda: sum("attached" in line for line in s.log()) >= 2, "strace is attached to both")
            a = self.github(g, delivery=f"sync-{away}")
            self.assertEqual(a.status, 202)
            s.stop()
            self.check_order(open(trace, encoding="utf-8", errors="replace").read().splitlines(), child)
            if not away:
                self.redis.stop()
                wait_for(lambda: g.metric("shipwatch_redis_up") == 0, "the outage is seen")

    def check_order(self, lines, child):
        arrived = next(i for i, l in enumerate(lines) if "POST /hooks/github" in l)
        answered = next(i for i, l in enumerate(lines) if "HTTP/1.1 202" in l)
        # A call that another one interrupts is printed in two parts: only its end counts.
        synced = [i for i, l in enumerate(lines) if re.search(r"(fsync|fdatasync)(\(\d+\)| resumed>\)) += 0", l)]
        self.assertTrue(any(arrived < i < answered for i in synced), "\n".join(lines[arrived:answered + 1]))


class Processes(GatewayCase):
    def test_a_process_that_dies_is_replaced(self):
        g = self.up(workers=2)
        before = g.children()
        self.assertEqual(len(before), 2)
        with g.connect() as held:
            os.kill(before[0], signal.SIGKILL)
            g.wait_log("died of signal 9")
            wait_for(lambda: len(g.children()) == 2 and before[0] not in g.children(), "there are two again")
            for i in range(20):
                self.assertEqual(self.github(g, delivery=f"p-{i}").status, 202)
            self.assertIsNotNone(held)
        self.assertEqual(g.metric("shipwatch_gateway_restarts_total"), 1)

    def test_one_page_for_all_processes(self):
        g = self.up(workers=2)
        for i in range(20):
            self.assertEqual(self.github(g, delivery=f"q-{i}").status, 202)
        for _ in range(5):
            self.assertEqual(g.metric('shipwatch_deliveries_total{source="github",event="push",outcome="queued"'), 20)

    def test_graceful_end(self):
        g = self.up(workers=2)
        with g.connect() as c:
            head = request_bytes("POST", "/hooks/github", PUSH, {"Content-Type": "application/json", **sign_github("new-secret", PUSH, delivery="g-1")})
            c.send(head[:-10])
            wait_for(lambda: g.metric("shipwatch_http_held_bytes") > 0, "it has begun")
            g.signal(signal.SIGTERM)
            g.wait_log("^stopping")
            c.send(head[-10:])
            a = c.answer()
            self.assertEqual((a.status, a.headers["connection"]), (202, "close"))
        self.assertEqual(g.wait(), 0)
        self.assertEqual(len(self.redis.entries()), 1)

    def test_children_end_with_the_parent(self):
        g = self.up(workers=2)
        children = g.children()
        g.kill()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") and "Z" not in open(f"/proc/{p}/stat").read().split()[2] for p in children),
                 "the children are gone")

    def test_reload(self):
        g = self.up(workers=2)
        self.assertEqual(self.github(g, secret="third", delivery="h-1").status, 401)
        text = (CONFIG % {"workers": 2}).replace("old-secret", "third")
        self.folder.write("shipwatch.yaml", text)
        g.signal(signal.SIGHUP)
        wait_for(lambda: self.github(g, secret="third", delivery="h-1").status in (200, 202), "the new secret is known")
        self.folder.write("shipwatch.yaml", text.replace("sources:", "sorces:"))
        g.signal(signal.SIGHUP)
        g.wait_log("going on with the old one")
        self.assertTrue(g.entries(msg="sorces"))
        self.assertEqual(self.github(g, secret="new-secret", delivery="h-2").status, 202)

    def test_bad_starts(self):
        """One clear line each, exit 1."""
        self.redis = self.start(Redis(self.folder))
        config = self.folder.write("shipwatch.yaml", CONFIG % {"workers": 1})
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        self.addCleanup(taken.close)
        for options, want in ((("--redis", self.redis.url, "--listen", "127.0.0.1:%d" % taken.getsockname()[1]), "in use"),
                              (("--redis", self.redis.url, "--listen", "nonsense"), "want \\\\?\"host:port"),
                              (("--listen", "127.0.0.1:0"), "no Redis"),
                              (("--redis", "http://x", "--listen", "127.0.0.1:0"), "http://x|redis"),
                              (("--redis", self.redis.url, "--listen", "127.0.0.1:0", "--state-dir", "/proc/nowhere"), "state_dir")):
            with self.subTest(options=options):
                p = self.start(Role("gateway", config, *options, wait=False))
                self.assertEqual(p.wait(), 1, "\n".join(p.log()))
                self.assertRegex("\n".join(p.log()), want)

    def test_notify_socket(self):
        self.redis = self.start(Redis(self.folder))
        config = self.folder.write("shipwatch.yaml", CONFIG % {"workers": 1})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.folder("notify"))
            s.settimeout(BOUND)
            self.start(Gateway(config, "--redis", self.redis.url, env={"NOTIFY_SOCKET": self.folder("notify")}))
            self.assertEqual(s.recv(64), b"READY=1")

    def test_unix_socket(self):
        g = self.up(workers=2, listen="unix:" + self.folder("gateway.sock"))
        self.assertEqual(self.github(g, delivery="u-1").status, 202)


if __name__ == "__main__":
    unittest.main()
