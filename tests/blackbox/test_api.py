"""The API against its own description: every path is asked, every answer is what the schema says; filters, cursors, refusals, badges."""
import json
import os
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import PROGRAM, SOURCE, Case, Redis, Role, built, wait_for
from schema import problems
from story import HOSTILE, LONG_BRANCH, Story, sha

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def ask(url, **headers):
    request = urllib.request.Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with OPENER.open(request, timeout=30) as f:
            return Answer(f.status, f.headers, f.read())
    except urllib.error.HTTPError as e:
        with e:
            return Answer(e.code, e.headers, e.read())


class Played(Case):
    """The story is played once for all; tests look, and those that change something say so."""

    story = None

    @classmethod
    def setUpClass(cls):
        if not Played.story:
            owner = type("Owner", (Case,), {"runTest": lambda self: None})()
            owner.setUp()
            unittest.addModuleCleanup(owner.doCleanups)
            Played.story = Story(owner)
            Played.story.play()
        wait_for(lambda: cls.api("/actions?state=asking").json["items"] and cls.api("/decisions?what=silence").json["items"], "the history has all of it")
        cls.spec = cls.api("/openapi.json").json

    def setUp(self):
        pass

    @classmethod
    def api(cls, path, **headers):
        return ask(cls.story.url + "/api/v1" + path, **headers)

    def good(self, path):
        a = self.api(path)
        self.assertEqual(a.status, 200, (path, a))
        return a.json

    def bad(self, status, path, *words):
        a = self.api(path)
        self.assertEqual(a.status, status, (path, a))
        self.assertEqual(a.headers["Content-Type"], "application/json")
        self.assertEqual(problems(a.json, {"$ref": "#/components/schemas/error"}, self.spec), [])
        for w in words:
            self.assertIn(w, a.json["error"])

    def fits(self, path, answer):
        content = self.spec["paths"][path]["get"]["responses"]["200"]["content"]
        self.assertEqual(answer.status, 200, (path, answer))
        kind = answer.headers["Content-Type"].split(";")[0]
        self.assertEqual([kind], list(content), path)
        if kind == "application/json":
            self.assertEqual(problems(answer.json, content[kind]["schema"], self.spec)[:5], [], path)


class Description(Played):
    def test_every_path_answers_as_it_is_described(self):
        firsts, empty = {}, []
        for path in self.spec["paths"]:
            if "{" in path:
                continue
            query = {"/api/v1/search": "?q=" + sha(13), "/api/v1/samples": "?service=web&environment=prod-hz"}.get(path, "")
            a = ask(self.story.url + path + query)
            self.fits(path, a)
            if a.headers["Content-Type"].startswith("application/json") and "items" in a.json:
                firsts[path] = a.json["items"]
                if not a.json["items"]:
                    empty.append(path)
        # the story fills every list, so that every schema was held against something
        self.assertEqual(empty, ["/api/v1/gaps"])
        for path in self.spec["paths"]:
            whole, _, part = path.partition("/{")
            if not part or path.startswith("/api/v1/badge") or whole in empty:
                continue
            item = firsts[whole][0]
            a = ask(self.story.url + whole + "/" + urllib.parse.quote(str(item[part.rstrip("}")]), safe=""))
            self.fits(path, a)

    def test_every_filter_is_taken(self):
        values = {"integer": "1", "number": "1", "boolean": "true", "string": "1h"}
        for path, what in self.spec["paths"].items():
            if "{" in path or path in ("/api/v1/search", "/api/v1/export", "/api/v1/dead"):
                continue
            for f in what["get"]["parameters"]:
                if "$ref" in f:
                    continue
                name, schema = f["name"], f["schema"]
                value = schema.get("enum", [values[schema["type"]]])[0]
                value = "abcdef12" if name == "sha" else value
                more = "&service=web&environment=staging" if path.endswith("/samples") and name not in ("service", "environment") else ""
                more = "&environment=staging" if path.endswith("/samples") and name == "service" else "&service=web" if path.endswith("/samples") and name == "environment" else more
                self.fits(path, ask(f"{self.story.url}{path}?{name}={value}{more}"))

    def test_the_copy_in_docs_is_not_stale(self):
        with open(os.path.join(SOURCE, "docs/openapi.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f), self.spec)


class Lists(Played):
    def test_cursors_go_through_all_of_it_once(self):
        whole = [e["id"] for e in self.good("/events?limit=1000")["items"]]
        self.assertGreater(len(whole), 20)
        for order, want in (("newest", whole), ("oldest", whole[::-1])):
            seen, cursor = [], ""
            while cursor is not None:
                got = self.good(f"/events?limit=7&order={order}" + (f"&cursor={cursor}" if cursor else ""))
                seen += [e["id"] for e in got["items"]]
                cursor = got["next"]
            self.assertEqual(seen, want)

    def test_filters(self):
        self.assertEqual({d["service"] for d in self.good("/deployments?service=web")["items"]}, {"web"})
        self.assertEqual({d["verdict"] for d in self.good("/deployments?verdict=fail")["items"]}, {"fail"})
        self.assertEqual({b["branch"] for b in self.good("/builds?branch=feature/*")["items"]}, {LONG_BRANCH})
        self.assertEqual(self.good("/events?since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z")["items"], [])
        self.assertEqual(len(self.good("/builds?repo=acme/web&limit=3")["items"]), 3)

    def test_refusals(self):
        self.bad(404, "/evnts", "events")
        self.bad(404, "/deployments/000000000000")
        self.bad(404, "/events/notanumber")
        self.bad(400, "/events?servce=web", "did you mean", "service")
        self.bad(400, "/events?limit=0", "limit")
        self.bad(400, "/events?limit=1001", "limit")
        self.bad(400, "/events?limit=9x", "limit")
        self.bad(400, "/events?order=sideways", "order")
        self.bad(400, "/events?cursor=nonsense", "cursor")
        self.bad(400, "/events?since=yesterday", "since")
        self.bad(400, "/events?kind=psh", "push")
        self.bad(400, "/events?service=a&service=b", "twice")
        self.bad(400, "/samples", "service")
        self.bad(400, "/search", "q")
        self.bad(400, "/search?q=x&limit=1000", "limit")
        self.bad(400, "/export?service=web", "both")
        self.bad(400, "/events?" + "&".join(f"service{i}=1" for i in range(40)))
        self.bad(404, "/dead/1-1")
        self.bad(404, "/badge/web", "svg")

    def test_the_export_is_read_by_replay(self):
        a = self.api("/export")
        self.assertEqual((a.status, a.headers["Content-Type"]), (200, "application/x-ndjson"), a)
        lines = [json.loads(line) for line in a.body.decode().splitlines()]
        self.assertGreater(len(lines), 100)
        path = self.story.folder.write("export.ndjson", a.body.decode())
        done = subprocess.run([built(PROGRAM), "replay", "--from", path, "-c", self.story.config], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("prod-errors", done.stdout)
        one = self.api("/export?service=web&environment=staging")
        self.assertLess(len(one.body), len(a.body))

    def test_logs_are_linked(self):
        for d in self.good("/deployments?service=web")["items"]:
            self.assertEqual(d["log_url"], "https://logs.example.com/?q=" + urllib.parse.quote(d["ci_run_id"], safe=""))

    def test_hostile_words_come_as_they_were(self):
        titles = {d["title"] for d in self.good("/deployments?service=web")["items"]}
        self.assertTrue([t for t in titles if t and t.startswith("<script>window.owned")], titles)


class Search(Played):
    def test_one_id_finds_what_belongs_together(self):
        failed = self.good("/deployments?service=web&verdict=fail")["items"][0]
        for q in (failed["ci_run_id"], failed["deployment"], failed["sha"], failed["sha"][:9],
                  self.good("/alerts?service=web")["items"][0]["alert"], self.good("/actions?service=web")["items"][0]["action_id"],
                  self.good("/watches?verdict=fail&service=web")["items"][0]["watch"],
                  self.good("/events?kind=deployment&sha=" + failed["sha"])["items"][0]["event_id"]):
            found = self.good("/search?q=" + urllib.parse.quote(q, safe=""))
            self.assertIn(failed["deployment"], [d["deployment"] for d in found["deployments"]], q)
            for kind in ("events", "watches", "alerts", "actions"):
                self.assertTrue(found[kind], (q, kind))
        self.assertEqual(self.good("/search?q=nothing-has-this")["deployments"], [])
        self.assertEqual(self.good("/search?q=" + urllib.parse.quote(HOSTILE[:900]))["events"], [])


class Badges(Played):
    def test_states(self):
        for place, says in (("web/staging", "passing"), ("pay/prod", "failing"), ("nobody/nowhere", "unknown"), ("shop/prod", "watching")):
            a = self.api(f"/badge/{place}.svg")
            self.assertEqual((a.status, a.headers["Content-Type"]), (200, "image/svg+xml"), a)
            self.assertIn(f'aria-label="{place}: {says}"', a.body.decode())
        again = self.api("/badge/web/staging.svg", If_None_Match=self.api("/badge/web/staging.svg").headers["ETag"])
        self.assertEqual((again.status, again.body), (304, b""))

    def test_names_are_text(self):
        a = self.api("/badge/" + urllib.parse.quote('<script>"\'&/x', safe="/") + ".svg")
        self.assertEqual(a.status, 200)
        self.assertNotIn(b"<script", a.body)


class Signed(Case):
    """Who may see what, without a history and without Redis."""

    def up(self, badges):
        redis = self.start(Redis(self.folder))
        self.config = self.folder.write("shipwatch.yaml", f"""
sources: {{ci: {{kind: report, secrets: [ci-secret-of-this-test]}}}}
services: {{web: {{repo: acme/web, environments: {{prod: {{}}}}}}}}
dashboard: {{badges: {badges}, tokens: [{{name: robot, token: token-of-sixteen-bytes}}], user_header: X-User, trusted_proxies: [10.1.1.1]}}
""")
        self.dashboard = self.start(Role("dashboard", self.config, "--redis", redis.url, "--state-dir", self.folder("d"), "--listen", "127.0.0.1:0"))
        self.url = "http://" + self.dashboard.wait_log(r"^listening on ")["msg"].split()[2] + "/api/v1"
        return redis

    def test_only_what_is_open_is_open(self):
        self.up("viewer")
        for path in ("/events", "/status", "/search?q=x", "/overview", "/rules", "/export", "/dead", "/silences", "/badge/web/prod.svg"):
            a = ask(self.url + path)
            self.assertEqual(a.status, 401, (path, a))
            self.assertIn("error", a.json)
        self.assertEqual(ask(self.url + "/openapi.json").status, 200)
        self.assertEqual(ask(self.url + "/badge/web/prod.svg", Authorization="Bearer token-of-sixteen-bytes").status, 200)
        self.assertIn(ask(self.url + "/status", Authorization="Bearer token-of-sixteen-bytes").status, (200,))

    def test_public_badges(self):
        self.up("public")
        a = ask(self.url + "/badge/web/prod.svg")
        self.assertEqual((a.status, a.headers["Cache-Control"]), (200, "public, max-age=30"))
        self.assertEqual(ask(self.url + "/events").status, 401)

    def test_without_redis(self):
        redis = self.up("viewer")
        signed = {"Authorization": "Bearer token-of-sixteen-bytes"}
        wait_for(lambda: ask(self.url + "/events", **signed).status == 200, "there is a history")
        redis.kill()
        wait_for(lambda: ask(self.url + "/status", **signed).status == 503, "Redis is missed")
        for path in ("/status", "/dead", "/dead/1-1", "/silences"):
            a = ask(self.url + path, **signed)
            self.assertEqual((a.status, "error" in a.json), (503, True), path)
        self.assertEqual(ask(self.url + "/events", **signed).status, 200)
        self.assertIsNone(ask(self.url + "/overview", **signed).json["dead"])


if __name__ == "__main__":
    unittest.main()
