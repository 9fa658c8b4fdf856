"""The recorder with the real Redis, gateway and worker: nothing is lost and nothing is in twice, whatever is killed, removed, trimmed or full."""
import http.client
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import sys
import time
import unittest

from harness import PROGRAM, Case, Gateway, Redis, Role, built, sign_report, wait_for

SECRET = "ci-secret-1"
CONFIG = """
redis: {url: "%(redis)s"}
state_dir: %(state)s
sources: {ci: {kind: report, secrets: [%(secret)s]}}
channels: {console: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/health"}}}
"""


class History(Case):
    def setUp(self):
        super().setUp()
        built(PROGRAM)
        self.redis = self.start(Redis(self.folder))
        self.config = self.write("shipwatch.yaml", "state")

    def write(self, name, state):
        return self.folder.write(name, CONFIG % {"redis": self.redis.url, "state": self.folder(state), "secret": SECRET})

    def dashboard(self, config=None, **kw):
        return self.start(Role("dashboard", config or self.config, "--listen", "127.0.0.1:0", **kw))

    def begin(self):
        self.gateway = self.start(Gateway(self.config))
        self.worker = self.start(Role("worker", self.config))

    def report(self, pipeline, job="build", **more):
        body = json.dumps({"pipeline_id": pipeline, "job_name": job, "exit_code": 0, "repo": "acme/web", "branch": "main", "sha": "%040x" % pipeline, **more}).encode()
        answer = self.gateway.post("/ci-report", body, sign_report(SECRET, body))
        self.assertEqual(answer.status, 202, answer)

    def reports(self, first, n):
        for i in range(first, first + n):
            self.report(i)

    def path(self, state="state"):
        return self.folder(state, "history.db")

    def ask(self, text, *args, state="state"):
        """Rows; none while there is no such file or table."""
        try:
            with sqlite3.connect(f"file:{self.path(state)}?mode=ro", uri=True, timeout=5) as db:
                return db.execute(text, args).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            if "db" in locals():
                db.close()

    def number(self, text, *args, **kw):
        rows = self.ask(text, *args, **kw)
        return rows[0][0] if rows else -1

    def wait_events(self, n, state="state"):
        wait_for(lambda: self.number("SELECT count(*) FROM events", state=state) == n, f"{n} events are in the history; there are "
                 f"{self.number('SELECT count(*) FROM events', state=state)}")

    def journal(self):
        return self.redis("XLEN", "{sw}:journal")

    def idle(self):
        """Nothing new in the journal for a while."""
        n = self.journal()
        time.sleep(0.3)
        return self.journal() == n

    def caught_up(self, state="state"):
        last = self.redis("XREVRANGE", "{sw}:journal", "+", "-", "COUNT", "1")
        want = last[0][0].decode() if last else "0-0"

        def there():
            at = self.ask("SELECT value FROM meta WHERE key = 'pos'", state=state)
            return at and [int(x) for x in at[0][0].split("-")] >= [int(x) for x in want.split("-")]
        wait_for(there, f"the history is at {want}")

    def page(self, host, port, path):
        conn = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            conn.request("GET", path)
            answer = conn.getresponse()
            answer.read()
            return answer.status
        finally:
            conn.close()

    def recorder(self, dashboard):
        """Its process: the one child of the dashboard."""
        return wait_for(dashboard.children, "the recorder runs")[0]

    # ---- the usual way ----

    def test_follows(self):
        self.begin()
        self.dashboard()
        self.reports(1, 20)
        self.report(21, job="deploy", environment="prod", service="web", version="1.2", duration_ms=1500, coverage_pct=81.5, metrics={"bundle": 12.5})
        self.wait_events(21)
        self.caught_up()
        self.assertEqual(self.number("SELECT count(*) FROM builds"), 21)
        self.assertEqual(self.ask("SELECT service, environment, duration_ms, coverage, status FROM builds WHERE pipeline_id = '21'"), [("web", "prod", 1500.0, 0.815, "success")])
        wait_for(lambda: self.number("SELECT count(*) FROM deployments") == 1, "the deployment is in the history")
        self.assertEqual(self.ask("SELECT service, environment, claimed FROM events WHERE environment IS NOT NULL"), [("web", "prod", 1)])
        wait_for(lambda: self.number("SELECT count(*) FROM watches") >= 1, "its watches are, too")
        wait_for(lambda: self.number("SELECT count(*) FROM samples") >= 1, "and readings")

    def test_late(self):
        """Started when all has happened already."""
        self.begin()
        self.reports(1, 30)
        wait_for(lambda: self.journal() >= 30, "the worker is done")
        self.dashboard()
        self.wait_events(30)

    # ---- killed ----

    def test_killed(self):
        """kill -9 at any moment: it is started again, nothing is missing or double."""
        self.begin()
        dashboard = self.dashboard()
        for i in range(6):
            self.reports(1 + 20 * i, 10)
            os.kill(self.recorder(dashboard), signal.SIGKILL)
            self.reports(11 + 20 * i, 10)
        self.wait_events(120)
        self.caught_up()
        self.assertEqual(self.number("SELECT count(*) FROM builds"), 120)
        self.assertEqual(self.number("SELECT count(*) FROM decisions"), 0)
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 0)
        self.assertGreater(len(dashboard.entries(component="dashboard", msg="recorder died of signal 9")), 3)
        self.assertEqual(self.ask("PRAGMA quick_check"), [("ok",)])

    def test_killed_while_read(self):
        """The same while pages are looked at: the parent has the file open when it starts the recorder again."""
        self.begin()
        dashboard = self.dashboard()
        at = dashboard.wait_log(r"^listening on ", component="dashboard")["msg"].split()[2]
        host, port = at.rsplit(":", 1)
        self.reports(1, 5)
        self.wait_events(5)
        for i in range(5):
            wait_for(lambda: self.page(host, port, "/events") == 200, "the pages have the history")
            os.kill(self.recorder(dashboard), signal.SIGKILL)
            self.reports(6 + 5 * i, 5)
            self.assertEqual(self.page(host, port, "/builds"), 200)
        self.wait_events(30)
        self.caught_up()
        self.assertFalse(dashboard.entries(component="recorder", level="error"))
        self.assertEqual(self.ask("PRAGMA integrity_check"), [("ok",)])

    # ---- the file ----

    def test_removed(self):
        """The file removed while it is used, and between two runs: made anew from the journal."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        os.unlink(self.path())
        self.reports(6, 5)
        self.wait_events(10)
        dashboard.wait_log("was removed or replaced", component="recorder")
        dashboard.stop()
        for name in os.listdir(self.folder("state")):
            if name.startswith("history.db"):
                os.unlink(self.folder("state", name))
        self.dashboard()
        self.wait_events(10)

    def test_broken(self):
        """A file that is no database any more is moved aside."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        dashboard.stop()
        with open(self.path(), "r+b") as f:
            f.seek(0)
            f.write(b"\xff" * 8192)
        dashboard = self.dashboard()
        dashboard.wait_log(r"was broken .*moved to history\.db\.broken-\d+, begun anew", component="recorder")
        self.wait_events(5)
        self.assertTrue([n for n in os.listdir(self.folder("state")) if ".broken-" in n])

    def test_broken_where_nobody_looks(self):
        """A page that recording does not touch: the file is looked through beside it, and what is broken is moved aside; a whole one is said to be."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        dashboard.wait_log("looked through in .*, it is whole", component="recorder")
        dashboard.stop()
        (root,), = self.ask("SELECT rootpage FROM sqlite_schema WHERE name = 'actions_rule'")
        with open(self.path(), "r+b") as f:
            f.seek((root - 1) * 4096)
            f.write(b"\x5a" * 4096)
        dashboard = self.dashboard()
        dashboard.wait_log(r"was broken .*moved to history\.db\.broken-\d+, begun anew", component="recorder")
        self.reports(6, 5)
        self.wait_events(10)
        dashboard.wait_log("looked through in .*, it is whole", component="recorder")
        self.assertEqual(self.ask("PRAGMA quick_check"), [("ok",)])

    def test_broken_inside(self):
        """Pages overwritten within: seen at the start or while it is written; in the end it is whole again."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 200)
        self.wait_events(200)
        dashboard.stop()
        size = os.path.getsize(self.path())
        with open(self.path(), "r+b") as f:
            for at in range(16384, size - 4096, 8192):
                f.seek(at)
                f.write(os.urandom(512))
        self.dashboard().wait_log("moved to history", component="recorder")
        self.reports(201, 5)
        self.wait_events(205)
        self.assertEqual(self.ask("PRAGMA quick_check"), [("ok",)])

    def test_newer(self):
        """Written by a newer program: untouched, said once, the pages go on."""
        os.makedirs(self.folder("state"))
        with sqlite3.connect(self.path()) as db:
            db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value)")
            db.execute("PRAGMA user_version = 4711")
            db.execute("PRAGMA application_id = %d" % 0x53574859)
        db.close()
        dashboard = self.dashboard()
        dashboard.wait_log("version 4711, written by a newer shipwatch", component="recorder")
        self.assertTrue(dashboard.alive())
        time.sleep(1.5)
        self.assertEqual(len(dashboard.entries(component="recorder", msg="written by a newer")), 1)
        self.assertEqual(self.ask("PRAGMA user_version"), [(4711,)])

    def test_foreign(self):
        """Somebody else's database: not touched."""
        os.makedirs(self.folder("state"))
        with sqlite3.connect(self.path()) as db:
            db.execute("CREATE TABLE mine (x)")
        db.close()
        self.dashboard().wait_log("no history of shipwatch", component="recorder")
        self.assertEqual(self.ask("SELECT name FROM sqlite_schema"), [("mine",)])

    def test_second_writer(self):
        """Two dashboards on one folder: the second one reads and says so; it goes on when the first ends."""
        self.begin()
        first = self.dashboard()
        self.reports(1, 3)
        self.wait_events(3)
        second = self.dashboard()
        second.wait_log("another process writes it", component="recorder")
        first.stop()
        self.reports(4, 3)
        self.wait_events(6)
        second.wait_log("the history is written again", component="recorder")

    def test_two_dashboards(self):
        """Each with a file of its own: the same in both."""
        self.begin()
        self.dashboard()
        self.dashboard(self.write("second.yaml", "state2"))
        self.reports(1, 25)
        self.wait_events(25)
        self.wait_events(25, state="state2")
        self.caught_up()
        self.caught_up(state="state2")
        rows = "SELECT event_id, n, at, kind, repo FROM events ORDER BY id"
        self.assertEqual(self.ask(rows), self.ask(rows, state="state2"))

    # ---- the disk ----

    def test_full(self):
        """Files may not grow any more (as a full disk): said once, nothing else stops; written again when there is room."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        pid = self.recorder(dashboard)
        size = max(os.path.getsize(self.path() + s) for s in ("", "-wal"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
        self.reports(6, 100)
        dashboard.wait_log("the disk is full; nothing is recorded until", component="recorder")
        self.reports(106, 5)
        wait_for(lambda: self.journal() >= 110, "the worker goes on")
        self.assertEqual(self.recorder(dashboard), pid)
        self.assertEqual(len(dashboard.entries(component="recorder", level="error")), 1)
        self.assertLess(self.number("SELECT count(*) FROM events"), 110)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_events(110)
        dashboard.wait_log("the history is written again, after", component="recorder")
        self.assertEqual(self.number("SELECT count(*) FROM builds"), 110)

    def ask_page(self, dashboard, path, lang="en"):
        host, port = dashboard.wait_log(r"^listening on ", component="dashboard")["msg"].split()[2].rsplit(":", 1)
        conn = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            conn.request("GET", path, headers={"Cookie": f"sw_lang={lang}"})
            return conn.getresponse().read().decode()
        finally:
            conn.close()

    def wrong(self, dashboard):
        """What the API says of the history; the same in its status and its overview."""
        status, overview = (json.loads(self.ask_page(dashboard, f"/api/v1/{x}"))["history"] for x in ("status", "overview"))
        return status["wrong"] if {**status, "waits_ms": 0} == {**overview, "waits_ms": 0} else (status, overview)

    def shown(self, dashboard, en, zh):
        """On the overview under what needs a person, in both languages; named on the page of the status too. None of it where en is None."""
        for lang, words in (("en", en), ("zh", zh)):
            page = re.search(r'<section[^>]*id="needs".*?</section>', self.ask_page(dashboard, "/", lang), re.S)[0]
            told = [w for pair in self.TOLD for w in pair if w in page]
            self.assertEqual(told, [words] if words else [])
        facts = re.search(r'<section[^>]*id="history".*?</section>', self.ask_page(dashboard, "/status"), re.S)[0]
        self.assertEqual("Not recorded since" in facts, en is not None)

    TOLD = (("The recorder does not run.", "记录进程未运行。"), ("The history is behind.", "历史记录滞后。"), ("The history cannot be written.", "历史记录无法写入。"))

    def test_full_is_told(self):
        """On a disk that is full the overview says so, until it is written again; a second dashboard that only reads the same file is none of that."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.caught_up()
        wait_for(lambda: self.wrong(dashboard) is None, "all is well")
        self.shown(dashboard, None, None)
        second = self.dashboard()
        second.wait_log("another process writes it", component="recorder")
        pid = self.recorder(dashboard)
        size = max(os.path.getsize(self.path() + s) for s in ("", "-wal"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
        self.reports(6, 100)
        dashboard.wait_log("the disk is full; nothing is recorded until", component="recorder")
        for d in (dashboard, second):
            wait_for(lambda: self.wrong(d) == "not written", f"it is told; it is {self.wrong(d)}")
            self.shown(d, *self.TOLD[2])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_events(105)
        self.caught_up()
        for d in (dashboard, second):
            wait_for(lambda: self.wrong(d) is None, f"all is well again; it is {self.wrong(d)}")
            self.shown(d, None, None)
        self.assertIn('"written":false', self.ask_page(second, "/api/v1/status"))

    def test_behind_is_told(self):
        """A recorder that hangs: after a minute; one that is gone: at once."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.caught_up()
        pid = self.recorder(dashboard)
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: os.path.exists(f"/proc/{pid}") and os.kill(pid, signal.SIGCONT))
        self.report(6)
        self.worker.stop()
        wait_for(lambda: json.loads(self.ask_page(dashboard, "/api/v1/status"))["history"]["waits_ms"] > 0, "it waits")
        self.assertIsNone(self.wrong(dashboard))
        self.shown(dashboard, None, None)
        # Shipwatch's time goes on by two minutes; nobody has to wait for it
        now = json.loads(self.ask_page(dashboard, "/api/v1/status"))["now"]
        self.redis("HSET", "{sw}:ctl", "last", str(now + 120000))
        wait_for(lambda: self.wrong(dashboard) == "behind", f"it is told; it is {self.wrong(dashboard)}")
        self.shown(dashboard, *self.TOLD[1])
        self.assertIn("2 min", self.ask_page(dashboard, "/"))
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: self.wrong(dashboard) is None, f"all is well again; it is {self.wrong(dashboard)}")
        # each one that is started dies: there is a moment without one sooner or later, a longer one each time
        def down():
            for child in dashboard.children():
                os.kill(child, signal.SIGKILL)
            return self.wrong(dashboard) == "down"
        wait_for(down, "it is told that none runs")
        wait_for(lambda: down() and self.TOLD[0][0] in self.ask_page(dashboard, "/") and self.TOLD[0][1] in self.ask_page(dashboard, "/", "zh"), "it is shown")
        self.assertIn("died of signal 9", dashboard.entries(component="dashboard", msg="recorder died")[0]["msg"])

    # ---- the journal ----

    def test_trimmed(self):
        """What was trimmed before it was read is a gap, with how much."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.caught_up()
        dashboard.stop()
        before = self.journal()
        self.reports(6, 40)
        wait_for(lambda: self.journal() >= before + 40 and self.idle(), "the worker is done")
        self.redis("XTRIM", "{sw}:journal", "MAXLEN", "=", 20)
        info = self.redis("XINFO", "STREAM", "{sw}:journal")
        info = {info[i].decode(): info[i + 1] for i in range(0, len(info), 2)}
        missing = info["entries-added"] - info["length"] - self.number("SELECT value FROM meta WHERE key = 'pos_n'")
        self.assertGreater(missing, 20)
        dashboard = self.dashboard()
        dashboard.wait_log(f"a gap in the history: {missing} entries of the journal were trimmed", component="recorder")
        self.caught_up()
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 1)
        dashboard.stop()
        self.dashboard()
        self.reports(46, 1)
        self.caught_up()
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 1)

    def test_trimmed_to_the_point(self):
        """Trimmed exactly as far as it was read: nothing is missing."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.caught_up()
        dashboard.stop()
        before = self.journal()
        self.reports(6, 5)
        wait_for(lambda: self.journal() >= before + 5 and self.idle(), "the worker is done")
        self.redis("XTRIM", "{sw}:journal", "MAXLEN", "=", self.journal() - before)
        self.dashboard()
        self.wait_events(10)
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 0)

    def test_other_redis(self):
        """Redis begun anew: a gap, and its journal from the beginning, beside what is known."""
        self.begin()
        dashboard = self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.caught_up()
        self.gateway.stop()
        self.worker.stop()
        self.redis.kill()
        shutil.rmtree(self.redis.dir)
        os.makedirs(self.redis.dir)
        self.redis.start()
        self.begin()
        self.reports(6, 5)
        self.wait_events(10)
        dashboard.wait_log("a gap in the history", component="recorder")
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 1)

    def test_redis_away(self):
        """Redis goes and comes back with what it had: no gap."""
        self.begin()
        self.dashboard()
        self.reports(1, 5)
        self.wait_events(5)
        self.redis.kill()
        time.sleep(0.5)
        self.redis.start()
        wait_for(lambda: self.gateway.request("GET", "/health").status == 200, "the gateway sees Redis again")
        self.reports(6, 5)
        self.wait_events(10)
        self.assertEqual(self.number("SELECT count(*) FROM gaps"), 0)

    def test_nonsense(self):
        """Lines that nobody can understand are left out; the rest is recorded."""
        self.begin()
        dashboard = self.dashboard()
        for line in ("", "{", "[]", "null", '{"at":"x"}', '{"at":1}', '{"at":1,"agg":7,"in":{}}', '{"at":5,"agg":"place:","recs":[{"k":"dep","d":[]},7]}', "\x00\xff", '{"t":"new"}'):
            self.redis("XADD", "{sw}:journal", "*", "j", line)
        self.redis("XADD", "{sw}:journal", "*", "other", "field")
        self.reports(1, 5)
        self.wait_events(5)
        self.assertTrue(dashboard.entries(component="recorder", msg="not understood"))


if __name__ == "__main__":
    sys.exit(unittest.main())
