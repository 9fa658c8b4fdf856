"""The commands: what they say to good and to bad input, and their exit codes. Those that need one have a real Redis."""
import http.server
import json
import os
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

from harness import PROGRAM, SOURCE, Case, Gateway, Redis, built, sign_gitea, sign_github, sign_report, wait_for

CONFIG = """
sources:
  github: {secrets: [new-secret]}
  alertmanager: {tokens: [alert-token]}
  gitlab: {tokens: [gitlab-token], signing_tokens: [whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=]}
  gitea: {secrets: [gitea-secret]}
  ci: {kind: report, secrets: [ci-secret]}
channels: {ops: {kind: console}, robot: {kind: dingtalk, url: "https://oapi.dingtalk.com/robot/send?access_token=geheim", secret: SECabc}}
alerts: [ops]
services: {web: {repo: acme/web, environments: {prod: "https://web.example.com/health"}}}
"""
RULES = """
- name: back
  on: deploy-to-prod
  watch: 5m
  if: health is failing for 3 checks
  then: [alert, rollback]
"""


class Cli(Case):
    def run_(self, *args, stdin=b"", env=None):
        p = subprocess.run([built(PROGRAM), *args], input=stdin, capture_output=True, timeout=60, cwd=self.folder.path,
                           env={**os.environ, **(env or {})})
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def good(self, *args, **kw):
        code, out, err = self.run_(*args, **kw)
        self.assertEqual(code, 0, f"{args}\n{out}{err}")
        return out

    def bad(self, want, text, *args, **kw):
        code, out, err = self.run_(*args, **kw)
        self.assertEqual(code, want, f"{args}\n{out}{err}")
        self.assertIn(text, err)
        self.assertNotIn("Sanitizer", err)
        return err

    def test_help_and_mistakes_on_the_command_line(self):
        self.assertIn("exit code: 0", self.good("help"))
        for command in ("up", "gateway", "worker", "init", "check", "test", "replay", "status", "hold", "release", "cancel", "ack", "deploy", "explain",
                        "export-test", "label", "dead", "silence", "sign", "test-health", "send", "render", "version"):
            self.assertIn("usage: shipwatch " + command, self.good(command, "--help"))
            self.assertIn("exit code: 0", self.good("help", command))
            self.bad(2, 'unknown option "--nonsense"', command, "--nonsense")
        self.bad(2, "usage:")
        self.bad(2, 'unknown command "chekc", did you mean "check"?', "chekc")
        self.bad(2, 'did you mean "--strict"?', "check", "--stric")
        self.bad(2, "wants a value", "check", "-c")
        self.bad(2, "takes no value", "check", "--strict=yes")
        self.bad(2, "one word too many", "check", "word")
        self.bad(2, "a word is missing", "cancel")
        self.bad(2, "not a number", "dead", "list", "--count", "x")
        self.bad(2, "out of range", "dead", "list", "--count", "0")
        self.bad(2, "length of time", "test-health", "http://127.0.0.1:1/", "--wait", "60")
        self.bad(2, "wrong value", "worker", "--log-level", "loud")

    def test_version(self):
        self.assertRegex(self.good("version"), r"^shipwatch \d+\.\d+\.\d+ \(commit \w+, built 20")
        self.assertEqual(set(json.loads(self.good("version", "--json"))), {"version", "commit", "built"})
        self.assertEqual(self.good("--version"), self.good("version"))

    def test_check(self):
        path = self.folder.write("shipwatch.yaml", CONFIG)
        out = self.good("check", "-c", path)
        self.assertRegex(out, r"(?m)^web/prod: .*acme/web")
        self.assertIn("is fine", out)
        self.assertEqual(self.good("check"), out.replace(path, "shipwatch.yaml"))
        self.assertEqual(len(json.loads(self.good("check", "-c", path, "--json"))["places"]), 1)
        self.bad(1, "cannot be read", "check", "-c", "nowhere.yaml")
        far = self.folder.write("maint.yaml", CONFIG + "maintenance: [{service: web, from: '00:00', until: '24:00', why: moving}, {from: 2020-01-01 00:00, until: 2020-01-02 00:00}]\n")
        self.assertIn("maintenance of web/*, 00:00-24:00: moving (now)\nmaintenance of everything, 2020-01-01 00:00:00 to 2020-01-02 00:00:00 (over)\n",
                      self.good("check", "-c", far))
        far = self.folder.write("maint.yaml", CONFIG + "maintenance: [{service: web, from: '02:00', until: noon}]\n")
        self.bad(1, "until: want an hour", "check", "-c", far)
        far = self.folder.write("rota.yaml", CONFIG + "people: {lin: {}, mei: {}}\ntimezone: '+08:00'\n"
                                "oncall: {rota: {people: [lin, [mei, lin]], start: 2026-01-05, every: 366d, overrides: [{from: 2026-01-05, until: 2099-01-05, people: mei}]}}\n")
        self.assertIn("on call now: mei (an override), until ", self.good("check", "-c", far))
        far = self.folder.write("rota.yaml", CONFIG + "people: {lin: {}, mei: {}}\noncall: {rota: {people: [lin, mei], start: 2099-01-05}}\n")
        self.assertIn("on call now: nobody, until 2099-01-05 09:00:00; then lin\n", self.good("check", "-c", far))
        self.folder.write("shipwatch.yaml", CONFIG.replace("tokens:", "tokenz:") + "nonsense: 1\n")
        err = self.bad(1, "tokenz", "check")
        self.assertIn("nonsense", err)
        places = [line for line in err.splitlines() if line.startswith("shipwatch.yaml:") and ": " in line]
        numbers = [int(line.split(":")[1]) for line in places if line.split(":")[1].strip().isdigit()]
        self.assertEqual(numbers, sorted(numbers))
        self.assertGreaterEqual(len(numbers), 2)

    def test_check_tells_mistakes_of_both_at_once(self):
        """Of the configuration and of its rules; names the rules use are not asked for when it is not known which there are."""
        self.folder.write("rules.yaml", RULES.replace("is failing", "is filing") + "- {on: push, then: {alert: elsewhere}}\n")
        path = self.folder.write("shipwatch.yaml", CONFIG.replace("[new-secret]", '["${NOT_SET}"]') + "rules: rules.yaml\n")
        err = self.bad(1, "${NOT_SET}: this variable is not set", "check", "-c", path)
        self.assertIn('did you mean "failing"?', err)
        self.assertNotIn("elsewhere", err)
        self.folder.write("shipwatch.yaml", CONFIG + "rules: rules.yaml\n")
        self.bad(1, 'unknown channel "elsewhere"', "check", "-c", path)

    def test_check_warns_of_a_rollback_that_nothing_carries_out(self):
        self.folder.write("rules.yaml", RULES)
        path = self.folder.write("shipwatch.yaml", CONFIG + "rules: rules.yaml\n")
        code, _, err = self.run_("check", "-c", path)
        self.assertEqual(code, 0, err)
        self.assertIn("web/prod names no action", err)
        self.bad(1, "web/prod names no action", "check", "-c", path, "--strict")
        self.folder.write("rules.yaml", RULES.replace("watch: 5m", "watch: 5m\n  where: service == \"shop\""))
        self.assertNotIn("names no action", self.run_("check", "-c", path)[2])
        self.folder.write("rules.yaml", RULES.replace("is failing", "is filing"))
        self.bad(1, "rules.yaml:", "check", "-c", path)

    def test_rule_tests(self):
        scenario = os.path.join(SOURCE, "tests", "scenarios", "health.yaml")
        out = self.good("test", scenario)
        self.assertIn(" 0 failed", out)
        self.assertEqual(out, self.good("test", scenario))
        self.assertEqual(self.run_("test", scenario, "--run", "no test is called so")[0], 3)
        self.assertIn("\n2 passed, 0 failed", self.good("test", scenario, "--run", "^(a good release|nothing answers)"))
        self.bad(2, "wrong regular expression", "test", scenario, "--run", "(")
        path = self.folder.write("fails.yaml", "rules: |\n" + "".join("  " + x + "\n" for x in RULES.strip().splitlines()) + """
tests:
- name: expects <what> does "not" happen
  events: [{at: 0s, deployment: {service: web, env: prod, sha: a1a1a1a, id: "1", status: success}}]
  probes: {health: 'ok x40'}
  expect: [{rule: back, verdict: fail}]
""")
        self.assertEqual(self.run_("test", path)[0], 1)
        self.assertEqual(self.run_("test", path, scenario)[0], 1)
        self.bad(2, "broken.yaml", "test", self.folder.write("broken.yaml", "tests: [\n"), path)
        self.bad(2, "nowhere.yaml", "test", "nowhere.yaml")
        code, out, _ = self.run_("test", path, scenario, "--json", "--junit", "junit.xml")
        said = json.loads(out)
        self.assertEqual((code, said["failed"], said["passed"]), (1, 1, 10))
        self.assertIn("no verdict fail", said["tests"][0]["why"])
        suites = xml.etree.ElementTree.parse(os.path.join(self.folder.path, "junit.xml")).getroot()
        self.assertEqual([(x.get("tests"), x.get("failures")) for x in suites], [("1", "1"), ("10", "0")])
        self.assertEqual(suites[0][0].get("name"), 'expects <what> does "not" happen')
        self.assertIn("no verdict fail", suites[0][0][0].get("message"))
        self.bad(2, "nowhere/junit.xml", "test", scenario, "--junit", "nowhere/junit.xml")

    def test_coverage_of_rules(self):
        test = """rules: |
""" + "".join("  " + x + "\n" for x in RULES.strip().splitlines()) + """
tests:
"""
        deployed = '  events: [{at: 0s, deployment: {service: web, env: prod, sha: a1a1a1a, id: "1", status: success}}]\n'
        fires = "- name: fires\n" + deployed + "  probes: {health: 'ok x4 fail x60'}\n  expect: [{rule: back, fired: 1}]\n"
        quiet = "- name: quiet\n" + deployed + "  probes: {health: 'ok x400'}\n  expect: [{rule: back, verdict: pass}]\n"
        outage = "- name: outage\n" + deployed + "  probes: {health: 'ok x4 err x400'}\n  expect: [{never: [rollback]}]\n"
        newer = "- name: newer\n" + deployed.replace("}}]", "}}, {at: 1m, deployment: {service: web, env: prod, sha: b2b2b2b, id: \"2\", " +
                                                       "status: success}}]") + ("  probes: {health: 'ok x400'}\n" +
                                                                               "  expect: [{rule: back, verdict: superseded}]\n")
        words = ["fires", "quiet", "outage", "superseded"]
        for i, more in enumerate(("", fires, quiet, outage, newer)):
            test += more
            path = self.folder.write("cover.yaml", test if more else test.replace("tests:", "tests: []"))
            code, out, _ = self.run_("test", path, "--json")
            self.assertEqual(code, 0 if more else 3)
            row = json.loads(out)["coverage"][0]
            self.assertEqual([row[x] for x in words], [k < i for k in range(4)], more)
            self.assertEqual(self.run_("test", path, "--require-coverage")[0], 0 if i == 4 else 1)
        self.assertRegex(self.good("test", path, "--coverage"), r"(?m)^back +yes +yes +yes +yes +\S*cover.yaml: rules:1$")
        self.assertIn("1 of 1 rules are tested in all ways", self.good("test", path))
        # what no test names, or what a test only happens to show, is not tested
        path = self.folder.write("cover.yaml", test.replace("rule: back, fired: 1", "actions: [alert]"))
        self.assertIn("0 of 1 rules", self.good("test", path))

    def test_mistakes_in_rule_tests(self):
        rules = "rules: |\n" + "".join("  " + x + "\n" for x in RULES.strip().splitlines())
        for text, want in (
                ("tests: [{name: a, expect: [{rule: bakc}]}]", 'no rule "bakc"'), ("tests: [{expect: []}]", "a test needs a name"),
                ("tests: [{name: a}]", "proves nothing"), ("tests: [{name: a, expcet: [{fired: 1}], expect: [{fired: 1}]}]", 'did you mean "expect"'),
                ("tests: [{name: a, expect: [{firde: 1}]}]", 'did you mean "fired"'), ("tests: [{name: a, expect: [{fired: one}]}]", "want a number"),
                ("tests: [{name: a, expect: [{verdict: good}]}]", 'there is no "good"'), ("tests: [{name: a, expect: [fail]}]", "want {rule:"),
                ("tests: [{name: a, expect: [{within: 5m}]}]", "within: want [from, to]"), ("tests: [{name: a, expect: [{at: 5}]}]", "at: want"),
                ("tests: [{name: a, expect: [{never: [rolback]}]}]", 'unknown "rolback"'), ("test: []", 'did you mean "tests"'),
                ("tests: [{name: a, series: {http_latency_p59: '1'}, expect: [{fired: 0}]}]", 'did you mean "http_latency_p50"'),
                ("tests: [{name: a, series: {health: '1'}, expect: [{fired: 0}]}]", "health is said under probes"),
                ("tests: [{name: a, probes: {health: 'good'}, expect: [{fired: 0}]}]", 'unknown probe "good"'),
                ("tests: [{name: a, seed: x, expect: [{fired: 0}]}]", "seed: want a whole number"),
                ("tests: [{name: a, action: maybe, expect: [{fired: 0}]}]", "action: want ok"),
                ("interval: 1\ntests: []", "interval: want"), ("tests: {}", "want tests: a list")):
            self.bad(2, want, "test", self.folder.write("wrong.yaml", rules + text + "\n"))

    def test_sign_is_what_the_gateway_takes(self):
        redis = self.start(Redis(self.folder))
        g = self.start(Gateway(self.folder.write("shipwatch.yaml", CONFIG), "--redis", redis.url))
        push = {"ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40, "repository": {"full_name": "acme/web"}, "commits": []}
        for kind, secret, path in (("github", "new-secret", "/hooks/github"), ("gitlab", "gitlab-token", "/hooks/gitlab"),
                                   ("gitlab", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "/hooks/gitlab"), ("gitea", "gitea-secret", "/hooks/gitea"),
                                   ("report", "ci-secret", "/ci-report"), ("alertmanager", "alert-token", "/hooks/alertmanager")):
            body = json.dumps({"status": "success", "event": "job", "service": "web", "commit": "a" * 40} if kind == "report"
                              else dict(push, object_kind="push", kind=kind + secret)).encode()
            file = self.folder.write("body.json", body.decode())
            headers = dict(x.split(": ", 1) for x in self.good("sign", "--kind", kind, "--secret", secret, "--body", file).splitlines())
            with self.subTest(kind=kind, secret=secret[:6]):
                answer = g.request("POST", path, body, headers)
                self.assertNotIn(answer.status, (401, 403), answer)
                self.assertEqual(g.request("POST", path, body + b" ", headers).status if kind not in ("gitlab", "alertmanager") else 401, 401)
        body = b"{}"
        self.assertIn(sign_github("s", body)["X-Hub-Signature-256"], self.good("sign", "--kind", "github", "--secret", "s", stdin=body))
        self.assertIn(sign_gitea("s", body)["X-Gitea-Signature"], self.good("sign", "--kind", "gitea", stdin=body, env={"SHIPWATCH_SECRET": "s"}))
        lines = dict(x.split(": ", 1) for x in self.good("sign", "--kind", "report", "--secret", "s", stdin=body).splitlines())
        self.assertEqual(sign_report("s", body, lines["X-Shipwatch-Timestamp"])["X-Shipwatch-Signature"], lines["X-Shipwatch-Signature"])
        self.bad(2, "--kind", "sign", "--secret", "s")
        self.bad(2, "--secret", "sign", "--kind", "github")
        self.bad(2, "wrong value", "sign", "--kind", "svn", "--secret", "s")
        self.bad(2, "each on one line", "sign", "--kind", "github", "--secret", "a\nb")
        self.bad(1, "nowhere", "sign", "--kind", "github", "--secret", "s", "--body", "nowhere")
        self.bad(1, "base64", "sign", "--kind", "gitlab", "--secret", "whsec_!!")

    def test_test_health(self):
        state = {"status": 503, "commit": "abcdef1234567"}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                state["asked"] = state.get("asked", 0) + 1
                if state["asked"] == state.get("well_at"):
                    state["status"] = 200
                body = json.dumps({"status": "ok", "commit": state["commit"]}).encode()
                self.send_response(state["status"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/health"
        self.assertEqual(len(self.bad(1, "HTTP status 503", "test-health", url).splitlines()), 1)
        state["well_at"] = state["asked"] + 3
        self.assertIn("healthy", self.good("test-health", url, "--wait", "30s", "--interval", "20ms"))
        self.assertEqual(state["asked"], state["well_at"])
        self.good("test-health", url, "--expect-commit", "abcdef1234567890abcdef")
        self.good("test-health", url, "--expect-commit", "abcdef1", "--expect", "/status=ok")
        self.bad(1, "as commit abcdef1234567, not 9999999", "test-health", url, "--expect-commit", "9999999")
        self.bad(1, "/status is ok", "test-health", url, "--expect", "/status=well")
        self.bad(2, "7 digits", "test-health", url, "--expect-commit", "abc")
        self.bad(2, "no URL", "test-health", "example.com")
        server.shutdown()
        server.server_close()
        self.bad(1, url, "test-health", url, "--wait", "50ms", "--interval", "20ms")

    def test_send_and_render(self):
        path = self.folder.write("shipwatch.yaml", CONFIG)
        self.assertIn("hello there", self.good("send", "ops", "hello there", "-c", path))
        shown = self.good("render", "robot", "hello there", "-c", path)
        self.assertIn("hello there", shown)
        self.assertNotIn("geheim", shown)
        far = self.folder.write("far.yaml", CONFIG + "timezone: Asia/Shanghai\n")
        hours = {time.strftime("%Y-%m-%d %H", time.gmtime(time.time() + 8 * 3600 + later)) for later in (0, 60)}
        shown = self.good("render", "robot", "hello there", "-c", far)
        self.assertTrue(any(hour in shown for hour in hours), shown)
        self.bad(1, 'no channel "oops", did you mean "ops"?', "send", "oops", "-c", path)
        self.bad(1, "cannot be read", "send", "ops", "-c", "nowhere.yaml")

    def test_operators(self):
        redis = self.start(Redis(self.folder))
        to = ("--redis", redis.url)
        status = json.loads(self.good("status", "--json", *to))
        self.assertEqual((status["in"], status["work"], status["dead"], status["places"]), (0, 0, 0, {}))
        self.assertRegex(self.good("status", *to), r"(?m)^workers   0$")
        self.assertIn("on hold", self.good("hold", "--why", "lunch", "--who", "lin", *to))
        self.assertRegex(self.good("status", *to), r"(?m)^HOLD +everything, by lin: lunch$")
        self.good("hold", "web/prod", *to)
        self.assertIn("web/prod", json.loads(self.good("status", "--json", *to))["holds"])
        self.good("release", *to)
        self.good("release", "web/prod", *to)
        self.assertNotIn("HOLD", self.good("status", *to))
        self.bad(2, "not the name", "hold", "two words", *to)
        self.bad(1, 'no open watch "w"', "cancel", "w", *to)
        self.bad(1, 'no alert "a"', "ack", "a", *to)
        self.assertIn("told", self.good("deploy", "web", "prod", "--sha", "abcdef1", "--version", "1.2", "--user", "lin", *to))
        self.assertEqual(json.loads(self.good("status", "--json", *to))["work"], 1)
        entry = redis.entries("{sw}:work")[0][1]
        self.assertIn("place:web/prod", [v.decode() for v in entry.values()])
        self.bad(2, "--sha", "deploy", "web", "prod", *to)
        self.bad(2, "--sha", "deploy", "web", "prod", "--sha", "xyz", *to)
        self.bad(2, "a word is missing", "deploy", "web", *to)
        self.assertIn("no dead letters", self.good("dead", "list", *to))
        self.assertEqual(json.loads(self.good("dead", "list", "--json", *to)), [])
        self.bad(1, "no dead letter 1-1", "dead", "show", "1-1", *to)
        self.bad(2, "not the id", "dead", "show", "x y", *to)
        self.bad(2, "want", "dead", "drop", *to)
        self.bad(2, "want", "dead", "bury", "1-1", *to)
        self.bad(2, "not the id", "dead", "retry", "x", *to)
        self.bad(1, "no dead letter 1-1", "dead", "retry", "1-1", *to)
        redis("XADD", "{sw}:dead", "1700000000000-0", "k", "worker", "r", "a thing that happened", "t", "1700000000000", "m", "{}")
        self.bad(1, "nothing in it to send again", "dead", "retry", "1700000000000-0", *to)
        self.assertIn("is dropped", self.good("dead", "drop", "1700000000000-0", "--who", "lin", *to))
        self.assertIn('"t":"dead","do":"drop","id":"1700000000000-0","who":"lin"', str(redis("XREVRANGE", "{sw}:journal", "+", "-", "COUNT", "1")))
        self.assertIn("no dead letters", self.good("dead", "list", *to))
        redis.stop()
        self.bad(1, "Redis is not reached", "status", *to)
        self.bad(1, "no Redis", "status", "--state-dir", self.folder("empty"))


if __name__ == "__main__":
    unittest.main()
