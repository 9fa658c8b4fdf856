"""The sources of measured signals against the real Prometheus, the example service, and servers that answer as none should."""
import base64
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import BOUND, BUILD, Case, Process, built, wait_for

PRESETS = ("default", "client-golang", "spring-boot", "nginx-ingress", "istio", "envoy")
SIGNALS = ("http_latency_p50", "http_latency_p95", "http_latency_p99", "error_rate", "request_rate", "requests", "memory_rss", "restarts", "endpoints")
UP = [{"signal": "up", "prometheus": "up{$labels}"}]


def asked(source, conf, queries, **more):
    """What the plug-in makes of the answers; one entry a query."""
    text = json.dumps({"source": source, "conf": conf, "queries": queries, **more})
    done = subprocess.run([built(os.path.join(BUILD, "tests/blackbox/signal_ask"))], input=text, capture_output=True, text=True, timeout=BOUND * 4)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=BOUND) as answer:
        return answer.read()


class Service:
    """The example service, asked for its page a few times a second."""

    def __init__(self, case, *knobs):
        ports = case.folder("service.port")
        program = built(os.path.join(BUILD, "examples/service/example-service"))
        knobs = knobs or ("--error-pct", "25", "--delay-ms", "20")
        self.process = case.start(Process([program, "--listen", "127.0.0.1:0", "--port-file", ports, *knobs]))
        wait_for(lambda: os.path.exists(ports), "the service listens")
        with open(ports, encoding="ascii") as f:
            self.address = f"127.0.0.1:{int(f.read())}"
        self.url = "http://" + self.address

    def visit(self, times):
        for _ in range(times):
            try:
                get(self.url + "/")
            except OSError:  # an answer that fails, or a service that is being ended
                pass

    def knob(self, query):
        get(urllib.request.Request(self.url + "/knobs?" + query, method="POST"))


class Prometheus:
    """The real one, scraping the service every half second. Its port is free when it is chosen; where another took it, once more."""

    def __init__(self, case, target, password=None):
        program = shutil.which("prometheus")
        if not program:
            raise unittest.SkipTest("prometheus is not installed")
        config = case.folder.write("prometheus.yml", "global: {scrape_interval: 500ms}\nscrape_configs:\n"
                                   f"- {{job_name: web, static_configs: [{{targets: ['{target}']}}]}}\n")
        options = []
        if password:
            options = ["--web.config.file", case.folder.write("web.yml", f"basic_auth_users: {{lin: '{password}'}}\n")]
        for attempt in range(5):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
            self.process = case.start(Process([
                program, "--config.file", config, "--storage.tsdb.path", case.folder(f"data{attempt}"),
                "--web.listen-address", f"127.0.0.1:{self.port}", "--query.timeout", "20s", *options]))
            wait_for(lambda: not self.process.alive() or self.listens(), "prometheus listens or ends")
            if self.process.alive():
                return
        raise AssertionError("prometheus does not start\n" + "\n".join(self.process.log()[-20:]))

    def listens(self):
        try:
            get(self.url + "/-/ready")
            return True
        except urllib.error.HTTPError as e:
            return e.code == 401
        except OSError:
            return False


class WithPrometheus(Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("prometheus"):
            raise unittest.SkipTest("prometheus is not installed")

    def setUp(self):
        super().setUp()
        self.service = Service(self)
        self.prometheus = Prometheus(self, self.service.address)
        self.conf = {"url": self.prometheus.url + "/", "labels": 'job="web"', "window": 5000}

    def one(self, query, **conf):
        return asked("prometheus", {**self.conf, **conf}, [query])[0]

    def test_what_the_service_does_is_measured(self):
        queries = [{"signal": s, "list": s == "endpoints"} for s in SIGNALS]

        def measured():
            self.service.visit(8)
            found = {x["signal"]: x for x in asked("prometheus", self.conf, queries)}
            return found if all(x["r"] == "ok" for x in found.values()) and found["error_rate"]["v"] > 0 else None
        found = wait_for(measured, "every signal is measured")
        self.assertTrue(0.01 < found["http_latency_p95"]["v"] <= 0.1, found)
        self.assertTrue(found["http_latency_p50"]["v"] <= found["http_latency_p95"]["v"] <= found["http_latency_p99"]["v"])
        self.assertTrue(0.1 < found["error_rate"]["v"] < 0.5, found)
        self.assertGreater(found["error_rate"]["n"], 0)
        self.assertGreater(found["request_rate"]["v"], 0)
        self.assertGreater(found["requests"]["v"], 0)
        self.assertGreater(found["memory_rss"]["v"], 100000)
        self.assertEqual(found["restarts"]["v"], 0)
        elements = json.loads(found["endpoints"]["text"])
        self.assertEqual(elements[0][0], "GET /")
        self.assertTrue(all(isinstance(x, (int, float)) for x in elements[0][1:]), elements)

        # the same as a past: on the grid, and nothing before there was a Prometheus
        now = int(time.time() * 1000)
        past = asked("prometheus", self.conf, [{"signal": "error_rate", "step": 1000}], **{"from": now - 60000, "to": now})[0]
        self.assertEqual((past["code"], len(past["v"]), len(past["c"])), (0, 61, 61), past)
        self.assertIsNone(past["v"][0])
        self.assertTrue(any(v is not None and 0.1 < v < 0.5 for v in past["v"]), past)
        past = asked("prometheus", self.conf, [{"signal": "endpoints", "list": True, "step": 1000}], **{"from": now - 60000, "to": now})[0]
        self.assertEqual(json.loads(past["elements"])[0][0], "GET /")

    def test_every_preset_is_promql(self):
        for preset in PRESETS:
            for labels in ("", 'job="nothing"', 'job=~"n.*",x!=""'):
                with self.subTest(preset=preset, labels=labels):
                    for x in asked("prometheus", {**self.conf, "preset": preset, "labels": labels}, [{"signal": s, "list": s == "endpoints"} for s in SIGNALS]):
                        if x["r"] == "unasked":
                            self.assertIn("has nothing for", x["text"])
                        else:
                            self.assertIn(x["r"], ("absent", "ok"), x)
                            self.assertIn(x["text"] if x["r"] == "absent" else "no series", ("no series", "no requests"), x)

    def test_readings(self):
        wait_for(lambda: self.one(UP[0])["r"] == "ok", "the service is scraped")
        cases = (
            ({"prometheus": "vector(3) # {}"}, "unasked", "has no $labels"),
            ({"prometheus": "vector(3) + 0 * scalar(up{$labels})"}, "ok", None),
            ({"prometheus": "scalar(up{$labels})"}, "ok", None),
            ({"prometheus": "up{$labels} / 0 - up{$labels} / 0"}, "nan", None),
            ({"prometheus": "nothing{$labels}"}, "absent", "no series"),
            ({"prometheus": "http_requests_total{$labels}"}, "error", "2 series where one is wanted"),
            ({"prometheus": "http_requests_total{$labels}", "reduce": "sum"}, "ok", None),
            ({"prometheus": "http_requests_total{$labels}", "reduce": "any", "bad_down": True}, "ok", None),
            ({"prometheus": "up{$labels}[1m]"}, "error", "a range where one number is wanted"),
            ({"prometheus": "sum(up{$labels}) +"}, "error", "bad_data: "),
            ({"prometheus": "sum(up{$labels) }"}, "unasked", "this ) closes nothing"),
            ({"prometheus": "up{$labels,job=~\"(\"}"}, "error", "bad_data: "),
            ({"bad": "sum(nothing{$labels})", "all": "sum(up{$labels})"}, "ok", None),
            ({"bad": "sum(up{$labels})", "all": "sum(nothing{$labels})"}, "absent", "no series"),
            ({"all": "1{}"}, "error", "bad_data: "),
        )
        for query, reading, text in cases:
            with self.subTest(query=query):
                x = self.one({"signal": "s", **query})
                self.assertEqual(x["r"], reading, x)
                if text:
                    self.assertIn(text, x["text"])
                else:
                    self.assertIsNone(x["text"])

    def test_a_past_that_cannot_be(self):
        wait_for(lambda: self.one(UP[0])["r"] == "ok", "the service is scraped")
        now = int(time.time() * 1000)
        for query, code, text in (({"prometheus": "sum(up{$labels}) +"}, -74, "bad_data: "), ({"prometheus": "http_requests_total{$labels}"}, -74, "2 series where one is wanted")):
            with self.subTest(query=query):
                past = asked("prometheus", self.conf, [{"signal": "s", **query, "step": 500}], **{"from": now - 30000, "to": now + 30000})[0]
                self.assertEqual(past["code"], code, past)
                self.assertIn(text, past["text"])
        past = asked("prometheus", self.conf, [{"signal": "s", "prometheus": "up{$labels}", "step": 1000}], **{"from": now - 11000 * 1000, "to": now})[0]
        self.assertIn("11000 at most", past["text"])
        to = now + 1000
        past = asked("prometheus", self.conf, [{"signal": "s", "prometheus": "up{$labels}", "step": 1000}], **{"from": to - 10999 * 1000, "to": to})[0]
        self.assertEqual((past["code"], len(past["v"])), (0, 11000))

    def test_dead(self):
        self.prometheus.process.kill()
        x = self.one(UP[0])
        self.assertEqual(x["r"], "error")
        self.assertRegex(x["text"], "(?i)refused|connect")
        now = int(time.time() * 1000)
        self.assertEqual(asked("prometheus", self.conf, [{"signal": "s", "prometheus": "up{$labels}"}], **{"from": now - 60000, "to": now})[0]["code"], -5)


class Password(Case):
    def test_only_who_may(self):
        # bcrypt of "pw", made by libcrypt where Python has it
        try:
            import warnings
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                import crypt
            digest = crypt.crypt("pw", "$2b$04$" + "abcdefghijklmnopqrstuv")
        except ImportError:
            self.skipTest("no crypt module")
        if not digest or not digest.startswith("$2b$"):
            self.skipTest("no bcrypt here")
        p = Prometheus(self, "127.0.0.1:1", digest)
        conf = {"url": p.url, "labels": ""}
        for auth in ({}, {"token": "pw"}, {"user": "lin", "password": "wrong"}):
            x = asked("prometheus", {**conf, **auth}, UP)[0]
            self.assertEqual((x["r"], x["text"]), ("error", "HTTP status 401: they do not accept who asks"), auth)
        wait_for(lambda: asked("prometheus", {**conf, "user": "lin", "password": "pw"}, UP)[0]["r"] == "ok", "the password is taken")


class Fake(http.server.ThreadingHTTPServer):
    """Answers what the test says: a function of the request."""
    daemon_threads = True

    def __init__(self, case, reply):
        outer = self
        self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                n = int(self.headers.get("Content-Length") or 0)
                outer.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(n)))
                try:
                    reply(self)
                except OSError:
                    pass
                self.close_connection = True
            do_POST = do_GET

            def log_message(self, *_):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        case.addCleanup(self.server_close)
        case.addCleanup(self.shutdown)


def plain(status, body, kind="application/json", length=None):
    def reply(h):
        data = body if isinstance(body, bytes) else body.encode()
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(data) if length is None else length))
        h.end_headers()
        h.wfile.write(data)
    return reply


def endless(h):
    h.send_response(200)
    h.end_headers()
    while True:
        h.wfile.write(b'{"status":"success","data":{"resultType":"vector","result":[' + b" " * 65536)


def silent(h):
    h.server.quiet = threading.Event()
    h.server.quiet.wait(8)


def slow_drops(h):
    h.send_response(200)
    h.end_headers()
    for _ in range(80):
        h.wfile.write(b"#")
        h.wfile.flush()
        threading.Event().wait(0.1)


GOOD = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}}'


class Odd(Case):
    def both(self, reply, timeout=2000):
        """What each source says of that server."""
        server = Fake(self, reply)
        conf = {"url": server.url, "timeout": timeout, "token": "s3cret-token"}
        found = [asked("prometheus", conf, UP)[0], asked("scrape", conf, [{"signal": "up", "scrape": "sum(up)"}])[0]]
        for x in found:
            self.assertNotIn("s3cret", json.dumps(x))
            self.assertNotIn("\n", x["text"] or "")
        return server, found

    def test_answers_that_are_none(self):
        for name, reply, texts in (
                ("html", plain(200, "<html>sign in</html>", "text/html"), ("HTML page", "HTML page")),
                ("html without a type", plain(200, "<html>sign in</html>"), ("HTML page", "HTML page")),
                ("half", plain(200, GOOD[:40], length=len(GOOD)), ("", "")),
                ("half, and yet whole", plain(200, GOOD[:40]), ("not JSON", "line 1")),
                ("nothing", plain(200, ""), ("not JSON", None)),
                ("number", plain(200, "7\n", "text/plain"), ("not an answer of a Prometheus", "line 1: want the name")),
                ("binary", plain(200, bytes(range(256)) * 4), ("not JSON", "line 1")),
                ("redirect", plain(302, ""), ("HTTP status 302", "HTTP status 302")),
                ("bad gateway", plain(502, "<html>nginx</html>", "text/html"), ("HTTP status 502", "HTTP status 502")),
                ("forbidden", plain(403, "no"), ("HTTP status 403: they", "HTTP status 403: they")),
                ("partial", plain(200, GOOD[:-1] + ',"warnings":["store-2 is down"]}'), ("only a part of the answer: store-2 is down", "line 1")),
                ("no words", lambda h: h.connection.close(), ("", ""))):
            with self.subTest(name):
                _, found = self.both(reply)
                for x, text in zip(found, texts):
                    if text is None:
                        self.assertEqual(x["r"], "absent", x)
                    else:
                        self.assertEqual(x["r"], "error", x)
                        self.assertIn(text, x["text"])

    def test_slow_silent_endless(self):
        for name, reply, texts in (("silent", silent, ("", "")), ("drops", slow_drops, ("", "")),
                                   ("endless", endless, ("an answer of more than 2097152 bytes", "a page of more than 16 MiB"))):
            with self.subTest(name):
                began = time.monotonic()
                _, found = self.both(reply, timeout=1000 if name != "endless" else 20000)
                for x, text in zip(found, texts):
                    self.assertEqual(x["r"], "error", x)
                    self.assertIn(text, x["text"])
                self.assertLess(time.monotonic() - began, BOUND)

    def test_what_is_sent(self):
        server, found = self.both(plain(200, GOOD))
        self.assertEqual((found[0]["r"], found[0]["v"]), ("ok", 7))
        method, path, headers, _ = server.seen[0]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        self.assertEqual((method, urllib.parse.urlsplit(path).path), ("GET", "/api/v1/query"))
        self.assertEqual((query["query"], query["timeout"]), (["up{}"], ["2.000"]))
        self.assertLess(abs(float(query["time"][0]) - time.time()), 60)
        self.assertEqual(headers["Authorization"], "Bearer s3cret-token")
        self.assertTrue(server.seen[1][2]["Accept"].startswith("text/plain;version=0.0.4"))
        # a long question is a form; Basic where there is a user
        conf = {"url": server.url + "/prom/?tenant=a", "user": "lin", "password": "pw"}
        self.assertEqual(asked("prometheus", conf, [{"signal": "s", "prometheus": "up{$labels}" + " + 0" * 700}])[0]["v"], 7)
        method, path, headers, body = server.seen[-1]
        self.assertEqual((method, path), ("POST", "/prom/api/v1/query?tenant=a"))
        self.assertEqual(headers["Authorization"], "Basic " + base64.b64encode(b"lin:pw").decode())
        self.assertIn("query", urllib.parse.parse_qs(body.decode()))


class Scrape(Case):
    def test_the_service_itself(self):
        service = Service(self)
        queries = [{"signal": s, "step": 1000} for s in SIGNALS if s != "endpoints"]
        conf = {"url": service.url + "/metrics"}
        first = {x["signal"]: x for x in asked("scrape", conf, queries)}
        self.assertEqual({s for s, x in first.items() if x["r"] == "ok"}, {"memory_rss"}, first)
        service.visit(40)
        memory = first["memory_rss"]["memory"]
        self.assertLess(len(memory), 1000)
        # half a second has to lie between two scrapes

        def second():
            found = {x["signal"]: x for x in asked("scrape", conf, queries, memory=memory)}
            return found if found["requests"]["text"] != "too soon after the last scrape" else None
        found = wait_for(second, "the second scrape says something")
        self.assertTrue(all(x["r"] == "ok" for x in found.values()), found)
        self.assertAlmostEqual(found["error_rate"]["v"], 0.25, delta=0.001)
        self.assertTrue(0.01 < found["http_latency_p95"]["v"] <= 0.1, found)
        self.assertEqual(found["restarts"]["v"], 0)

    def test_no_list_of_endpoints(self):
        x = asked("scrape", {"url": "http://127.0.0.1:1/"}, [{"signal": "endpoints", "list": True}])[0]
        self.assertEqual((x["r"], x["text"]), ("unasked", "the preset default has nothing for endpoints in a scrape; say it under signals: in the rules"))


if __name__ == "__main__":
    unittest.main()
