"""What people decide on the dashboard: each form becomes the command that the command line sends, the first decision counts, a form sent twice
changes nothing, and the history says who did what, by which way."""
import concurrent.futures
import json
import os
import signal
import sqlite3
import subprocess
import unittest
import urllib.parse

from dash_rig import TOKEN as ROBOT
from dash_rig import Dashboard, users
from harness import PROGRAM, Case, Gateway, Redis, Role, built, sign_gitlab, wait_for
from test_kills import TOKEN, deployment
from test_main_path import Robots

CONFIG = """
state_dir: %(state)s
gateway: {workers: 1}
sources: {gitlab: {tokens: [%(token)s]}}
channels: {box: {kind: webhook, url: "%(robots)s/hook", secret: hook-secret-1}}
actions: {undo: {kind: http, url: "%(robots)s/hook", secret: hook-secret-1}}
services: {web: {repo: acme/web, environments: {prod: {rollback: undo}}}}
rules: rules.yaml
dashboard: {%(users)s}
"""
RULES = """
- {name: bad-sha, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback: {approve: 10m, otherwise: cancel}]}
- {name: slow, on: deploy-to-prod, watch: 30m, if: error_rate > 90%, no_data: pass, then: alert}
"""
GOOD, BAD = "%040x" % 0x1234567890, "bad" + "0" * 37


class Decisions(Case):
    def setUp(self):
        super().setUp()
        self.robots = Robots(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "robots": self.robots.url, "state": self.folder("state"), "users": users()})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url))
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url))
        self.dash = self.start(Dashboard(self.config, "--redis", self.redis.url))
        self.lin = self.dash.visitor()
        self.assertEqual(self.lin.sign_in().status, 303)
        self.robot = self.dash.visitor(token=ROBOT)

    def deploy(self, job, sha):
        a = self.gateway.post("/hooks/gitlab", deployment("web", job, sha), sign_gitlab(TOKEN, "Deployment Hook", "d-%d" % job))
        self.assertEqual(a.status, 202, a)

    def place(self):
        text = self.redis("HGET", "{sw}:place:web/prod", "s")
        return json.loads(text) if text else {}

    def told(self, news):
        return wait_for(lambda: [m["body"]["alert"] for m in self.robots.hooks() if m["body"].get("alert", {}).get("news") == news], "people are told " + news)[0]

    def ask(self):
        self.deploy(1, GOOD)
        self.deploy(2, BAD)
        self.told("rollback_waiting")
        return self.place()["actions"][0]["id"]

    def press(self, path, **fields):
        """A form; what the page after it says on top: (good or bad, words)."""
        a = self.lin.post(path, fields, headers={"Referer": f"{self.dash.url}/nothing?x=1"})
        self.assertEqual((a.status, a.headers["location"]), (303, "/nothing?x=1"), a)
        kind, words = self.lin.cookies["sw_flash"].split(".", 1)
        return kind, urllib.parse.unquote(words)

    def history(self, sql, *args):
        with sqlite3.connect(f"file:{self.folder('state', 'history.db')}?mode=ro", uri=True) as db:
            return db.execute(sql, args).fetchall()

    def decided(self, what, who="lin", via="dashboard"):
        wait_for(lambda: self.history("SELECT 1 FROM decisions WHERE what = ? AND who = ? AND via = ?", what, who, via), f"the history has {what} by {who} via {via}")

    def test_approve(self):
        act = self.ask()
        kind, words = self.press("/approvals/decide", action=act, decision="approve")
        self.assertEqual(kind, "g", words)
        self.assertIn("You approved it", words)
        wait_for(lambda: [m for m in self.robots.hooks() if "action" in m["body"]], "the rollback begins")
        self.assertEqual(self.press("/approvals/decide", action=act, decision="refuse"), ("b", "Already decided: approved by lin."))
        self.assertEqual(self.robot.post("/approvals/decide", {"action": act, "decision": "approve"}).status, 409)
        self.told("rollback_done")
        self.assertEqual(len([m for m in self.robots.hooks() if "action" in m["body"]]), 1)
        self.decided("approve")
        self.assertRegex("\n".join(self.dash.log()), f"approve of action {act} by lin from 127.0.0.1: done, 200")

    def test_two_at_once(self):
        act = self.ask()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: self.robot.post("/approvals/decide", {"action": act, "decision": "approve" if i % 2 else "refuse"}), range(8)))
        self.assertEqual(sorted(a.status for a in answers), [200] + [409] * 7, answers)
        # a program's way is another one
        self.assertIn(self.history("SELECT count(*) FROM decisions")[0][0], range(0, 9))
        wait_for(lambda: self.history("SELECT via FROM decisions WHERE who = 'robot'"), "the history has it")
        self.assertEqual(self.history("SELECT DISTINCT via FROM decisions WHERE who = 'robot'"), [("api",)])

    def test_refuse_without_history(self):
        act = self.ask()
        recorder = self.dash.recorder()
        os.kill(recorder, signal.SIGSTOP)
        self.addCleanup(lambda: os.kill(recorder, signal.SIGCONT) if os.path.exists(f"/proc/{recorder}") else None)
        self.assertEqual(self.press("/approvals/decide", action=act, decision="refuse"), ("g", "You refused it: nothing is done."))
        self.assertEqual([m for m in self.robots.hooks() if "action" in m["body"]], [])

    def test_watch_deployment_alert(self):
        self.deploy(1, GOOD)
        watch = wait_for(lambda: self.place().get("watches"), "a watch")[-1]["id"]
        self.assertEqual(self.press("/watches/cancel", watch=watch)[0], "g")
        self.assertIn("over already", self.press("/watches/cancel", watch=watch)[1])
        self.decided("cancel")
        dep = self.place()["deployments"][0]["id"]
        self.assertEqual(self.press("/deployments/label", deployment=dep, label="bad")[0], "g")
        self.assertEqual(self.press("/deployments/label", deployment=dep, label="bad")[0], "g")
        self.decided("label")
        self.assertEqual(self.robot.post("/deployments/label", {"deployment": dep, "label": "so-so"}).status, 400)
        self.assertEqual(self.robot.post("/deployments/label", {"deployment": "0" * 12, "label": "good"}).status, 404)
        self.deploy(2, BAD)
        alert = self.told("rollback_waiting")["id"]
        self.assertEqual(self.press("/alerts/ack", alert=alert)[0], "g")
        self.assertEqual(self.press("/alerts/ack", alert=alert)[0], "g")
        self.assertEqual(self.robot.post("/alerts/ack", {"alert": alert}).json, {"error": "lin has it in hand already."})
        self.decided("ack")
        self.assertEqual(self.robot.post("/alerts/ack", {"alert": "none"}).status, 404)

    def silences(self):
        text = self.redis("HGET", "{sw}:silences:all", "s")
        return json.loads(text)["items"] if text else []

    def test_silences(self):
        fields = {"service": " web ", "for": "2h", "why": "<b>moving</b>", "severity": "", "rule": "", "env": ""}
        self.assertEqual(self.press("/silences/add", **fields)[0], "g")
        self.assertEqual(self.press("/silences/add", **fields)[1], "There is such a silence already.")
        one, = self.silences()
        self.assertEqual((one["service"], one["who"], one["why"]), ("web", "lin", "<b>moving</b>"))
        for bad in ({}, {"service": "x" * 201}, {"service": "web", "for": "31d"}, {"service": "web", "for": "soon"}, {"service": "web", "severity": "red"},
                    {"severity": "critical", "maintenance": "1"}):
            self.assertEqual(self.robot.post("/silences/add", bad).status, 400, bad)
        self.assertEqual(self.robot.post("/silences/add", {"service": "x" * 200, "for": "30d", "maintenance": "1"}).status, 200)
        self.assertEqual(self.press("/silences/end", id=one["id"])[0], "g")
        wait_for(lambda: self.press("/silences/end", id="nothing")[0] == "b", "one that is none")
        # ended, and wanted again within the same minute
        self.assertEqual(self.press("/silences/add", **fields)[1], "The silence is on.")
        wait_for(lambda: len([s for s in self.silences() if s["service"] == "web"]) == 2, "two, one of them over")
        self.decided("silence")
        self.decided("end")

    def test_same_silence_before_a_worker_reads_it(self):
        self.worker.kill()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual({a.status for a in pool.map(lambda _: self.robot.post("/silences/add", {"service": "web"}), range(4))}, {202})
        self.start(Role("worker", self.config, "--redis", self.redis.url))
        wait_for(self.silences, "it is there")
        wait_for(lambda: self.redis("XLEN", "{sw}:work") == 0, "all is read")
        self.assertEqual(len(self.silences()), 1)

    def test_holds(self):
        self.deploy(1, GOOD)
        wait_for(self.place, "the place")
        self.assertEqual(self.press("/hold", scope="web/prod", why="it is night")[0], "g")
        self.assertIn(b"night", self.redis("HGET", "{sw}:ctl", "hold:web/prod"))
        wait_for(lambda: self.place().get("hold_by") == "lin", "the place knows")
        self.assertEqual(self.press("/hold/release", scope="web/prod")[0], "g")
        wait_for(lambda: not self.place().get("hold_by"), "the place knows")
        self.assertEqual(self.press("/hold", why="all of it")[1], "Everything is on hold: no action starts.")
        self.assertIn(b"no action starts.</strong>", self.lin.get("/").body)
        self.assertEqual(self.press("/hold/release", scope="")[0], "g")
        self.assertNotIn(b"no action starts.</strong>", self.lin.get("/").body)
        for bad in ("web prod", "x" * 201, "web\nprod"):
            self.assertEqual(self.robot.post("/hold", {"scope": bad}).status, 200 if bad == "web\nprod" else 400, bad)
        wait_for(lambda: self.history("SELECT target, why, via FROM decisions WHERE what = 'hold' AND who = 'lin'") ==
                 [("web/prod", "it is night", "dashboard"), (None, "all of it", "dashboard")], "the history")
        self.decided("release")
        self.decided("hold", "robot", "api")
        for what in ("hold", "release"):
            done = subprocess.run([built(PROGRAM), what, "web", "--redis", self.redis.url, "--who", "ann"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done)
            self.decided(what, "ann", "command line")

    def test_dead_letters(self):
        ids = [self.redis("XADD", "{sw}:dead", "*", "k", "work", "r", "it was broken", "t", "1", "a", "place:web/prod", "m", '{"t":"wake"}').decode() for _ in range(2)]
        self.assertEqual(self.press("/dead/drop", id=ids[0]), ("g", "It is dropped."))
        self.assertEqual(self.press("/dead/drop", id=ids[0])[0], "b")
        self.assertEqual(self.press("/dead/retry", id=ids[1]), ("g", "It is sent again."))
        self.decided("drop")
        self.decided("retry")
        self.assertEqual(self.robot.post("/dead/retry", {"id": "1-1; FLUSHALL"}).status, 400)
        a = self.lin.post("/dead/drop", {"id": "1-1"}, headers={"Referer": f"{self.dash.url}/dead/1-1"})
        self.assertEqual(a.headers["location"], "/dead")

    def test_where_it_leads(self):
        for referer, next_, to in ((None, None, "/"), ("http://evil.example/x", None, "/"), (f"{self.dash.url}/a?b=1#c", None, "/a?b=1"), (self.dash.url, None, "/"),
                                   (f"{self.dash.url}//evil.example", None, "/"), (None, "/x", "/x"), (None, "//evil.example", "/"), (None, "https://evil.example", "/")):
            fields = {"scope": "web/prod", **({"next": next_} if next_ else {})}
            self.assertEqual(self.lin.post("/hold", fields, headers={"Referer": referer}).headers["location"], to, (referer, next_))


if __name__ == "__main__":
    unittest.main()
