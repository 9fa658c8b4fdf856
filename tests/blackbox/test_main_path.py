"""The main path with the real parts: a webhook comes in, a bad deployment is seen, chat is told, the release is taken back.

Gateway, worker and Redis are the real ones, the service is the example with its knobs, chat and rollback are the strict robots.
"""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from harness import BUILD, PROGRAM, SOURCE, Case, Gateway, Process, Redis, Role, built, sign_gitlab, sign_report, wait_for

DINGTALK_SECRET, HOOK_SECRET, CI_SECRET, GITLAB_TOKEN = "SECtest-dingtalk", "hook-secret-1", "ci-secret-1", "gitlab-token-1"
LONG = 90  # seconds until a rollback at the most: guards wait up to 10 s after a Redis that came back

CONFIG = """
sources:
  gitlab: {tokens: [%(gitlab)s]}
  ci: {kind: report, secrets: [%(ci)s]}
people:
  lin: {gitlab: lin.wei, mobile: "13800001111"}
channels:
  oncall: {kind: dingtalk, url: "%(robots)s/robot/send?access_token=T1", secret: %(dingtalk)s, mention: {critical: [deployer]}}
actions:
  undo: %(action)s
services:
  web:
    repo: acme/web
    environments:
      prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 1s, background: 5s}, rollback: undo}
rules: rules.yaml
%(more)s
"""
RULES = """
- name: prod-health
  on: deploy-to-prod
  watch: 20s
  if: health is failing for 3 checks
  then: [alert, rollback]
"""


class Worker(Role):
    def __init__(self, config, *options, **kw):
        super().__init__("worker", config, *options, **kw)


class Service:
    """The example service."""

    def __init__(self, case):
        ports = case.folder("service.port")
        self.process = case.start(Process([built(os.path.join(BUILD, "examples/service/example-service")), "--listen", "127.0.0.1:0",
                                           "--port-file", ports, "--commit", "a" * 40]))
        self.port = port_of(ports)
        self.url = f"http://127.0.0.1:{self.port}"

    def knob(self, query):
        ask("POST", self.port, "/knobs?" + query)


class Robots:
    """DingTalk, WeCom and the rollback hook."""

    def __init__(self, case):
        ports = case.folder("robots.port")
        self.process = case.start(Process([sys.executable, os.path.join(SOURCE, "tests/sim/robots.py"), "--port", "0", "--port-file", ports,
                                           "--dingtalk-secret", DINGTALK_SECRET, "--hook-secret", HOOK_SECRET]))
        self.port = port_of(ports)
        self.url = f"http://127.0.0.1:{self.port}"

    def seen(self):
        return json.loads(ask("GET", self.port, "/messages"))

    def told(self, *words):
        """Chat messages with all these words."""
        return [m for m in self.seen()["messages"] if m["robot"] == "dingtalk" and all(w in m["text"] for w in words)]

    def hooks(self):
        return [m for m in self.seen()["messages"] if m["robot"] == "hook"]

    def script(self, *steps):
        self.control(next=steps)

    def control(self, **order):
        ask("POST", self.port, "/control", json.dumps(order))


def port_of(path):
    def read():
        try:
            with open(path, encoding="ascii") as f:
                return int(f.read() or 0)
        except (OSError, ValueError):
            return 0
    return wait_for(read, f"{path} names a port")


def ask(method, port, path, body=None):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        conn.request(method, path, body)
        answer = conn.getresponse()
        data = answer.read()
        assert answer.status == 200, (path, answer.status, data)
        return data
    finally:
        conn.close()


def deployment(job, sha, status="success"):
    """A GitLab Deployment Hook."""
    return json.dumps({
        "object_kind": "deployment", "status": status, "status_changed_at": time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime()), "deployment_id": job,
        "deployable_id": job, "deployable_url": f"https://gitlab.example.com/acme/web/-/jobs/{job}", "environment": "prod",
        "environment_tier": "production", "environment_slug": "prod", "environment_external_url": "https://web.example.com",
        "project": {"id": 30, "name": "web", "web_url": "https://gitlab.example.com/acme/web", "namespace": "acme",
                    "path_with_namespace": "acme/web", "default_branch": "main"},
        "short_sha": sha[:8], "user": {"id": 1, "name": "Lin Wei", "username": "lin.wei"},
        "user_url": "https://gitlab.example.com/lin.wei", "commit_url": f"https://gitlab.example.com/acme/web/-/commit/{sha}",
        "commit_title": "Faster checkout @all [click](http://evil.example.com)", "ref": "main"}).encode()


class MainPath(Case):
    def up(self, action=None, more=""):
        self.robots, self.service = Robots(self), Service(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        action = action or f'{{kind: http, url: "{self.robots.url}/hook", secret: {HOOK_SECRET}}}'
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {
            "gitlab": GITLAB_TOKEN, "ci": CI_SECRET, "dingtalk": DINGTALK_SECRET, "robots": self.robots.url, "service": self.service.url,
            "action": action, "more": more})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.worker_up()

    def worker_up(self, **kw):
        return self.start(Worker(self.config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug", **kw))

    def gitlab(self, body, delivery, want="queued"):
        a = self.gateway.post("/hooks/gitlab", body, sign_gitlab(GITLAB_TOKEN, "Deployment Hook", delivery))
        self.assertEqual(a.json["status"], want, a)
        return a.json

    def deploy_good(self):
        """A first release by a CI report; returns when it is watched."""
        body = json.dumps({"pipeline_id": 11, "job_name": "deploy", "job_id": 111, "exit_code": 0, "environment": "prod", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": "a" * 40, "url": "https://ci.example.com/11"})
        a = self.gateway.post("/ci-report", body, sign_report(CI_SECRET, body))
        self.assertEqual(a.status, 202, a)
        self.worker.wait_log(r"watch opened")

    def deploy_bad(self, delivery="d-2", worker=None):
        self.service.knob("commit=" + "b" * 40)
        answer = self.gitlab(deployment(222, "b" * 40), delivery)
        wait_for(lambda: [e for e in (worker or self.worker).entries(msg=r"watch opened") if "222" in e.get("ci_run_id", "") or
                          e.get("event_id") == answer["id"]], "the second release is watched")
        self.service.knob("health=fail")
        return answer

    def taken_back(self):
        """Waits until the release was taken back and people know."""
        try:
            wait_for(self.robots.hooks, "the rollback hook is asked", LONG)
            self.service.knob("health=ok")
            wait_for(lambda: self.robots.told("prod-health"), "chat is told", LONG)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.robots.seen()}\n" + "\n".join(self.worker.log()[-40:])) from None

    def settled(self, worker=None):
        """Nothing waits and nothing is in hand."""
        wait_for(lambda: self.redis("XLEN", "{sw}:work") == 0 and self.redis("XLEN", "{sw}:in") == 0, "the streams are empty", LONG)

    def test_webhook_to_rollback(self):
        self.up(more="public_url: https://shipwatch.example.com\ndashboard: {}\n")
        self.deploy_good()
        queued = self.deploy_bad()
        self.taken_back()
        # seen before: nothing happens a second time
        self.gitlab(deployment(222, "b" * 40), "d-2", "duplicate")
        # the host tells of the same deployment once more, as another delivery
        self.gitlab(deployment(222, "b" * 40), "d-3")
        wait_for(lambda: self.worker.entries(msg=r"rollback|action undo .*done|undo: done"), "the outcome is noted")
        self.settled()
        seen = self.robots.seen()
        self.assertEqual(list(seen["hooks"].values()), [1], seen)
        self.assertEqual(seen["refused"], [])
        self.assertEqual(self.redis("XLEN", "{sw}:dead"), 0)
        first = self.robots.told("prod-health")[0]
        self.assertIn("web/prod", first["text"])
        self.assertIn("13800001111", first["mentioned"])
        self.assertNotIn("](http://evil.example.com)", first["text"])
        self.assertFalse(first["all"])
        self.assertRegex(first["text"], r"https://shipwatch\.example\.com/watches/[0-9a-f]{12}\b")
        # one id from the webhook to the rollback
        run = self.robots.hooks()[0]["run"]
        self.assertTrue(run)
        for what in (r"watch opened", r"verdict fail", r"action undo starts"):
            self.assertTrue(self.worker.entries(msg=what, ci_run_id=run), what)
        self.assertTrue(self.worker.entries(component="worker/intake", event_id=queued["id"], ci_run_id=run))
        self.assertTrue(self.gateway.entries(msg="^queued from gitlab", event_id=queued["id"], ci_run_id=run))
        told = [e for e in self.worker.entries(msg="prod-health|channel |action |deployment |verdict")]
        self.assertEqual([e for e in told if not e.get("ci_run_id")], [])

    def test_ends_cleanly(self):
        self.up()
        self.deploy_good()
        self.assertEqual(self.worker.stop(), 0, "\n".join(self.worker.log()[-20:]))
        self.assertEqual(self.gateway.stop(), 0)
        groups = self.redis("XPENDING", "{sw}:work", "w")
        self.assertEqual(groups[0], 0, groups)

    def test_worker_killed(self):
        """kill -9 while the watch is open: another goes on, the release is taken back once."""
        self.up()
        self.deploy_good()
        self.deploy_bad()
        self.worker.kill()
        self.worker = self.worker_up()
        self.taken_back()
        self.settled()
        self.assertEqual(list(self.robots.seen()["hooks"].values()), [1])

    def test_redis_killed(self):
        """kill -9 of Redis while the watch is open: what was accepted is there, the release is taken back once."""
        self.up()
        self.deploy_good()
        self.deploy_bad()
        self.redis.kill()
        self.worker.wait_log(r"Redis is not reached")
        self.redis.start()
        self.taken_back()
        self.settled()
        self.assertEqual(list(self.robots.seen()["hooks"].values()), [1])

    def test_no_answer_from_the_hook_is_never_repeated(self):
        self.up()
        self.robots.script({"to": "hook", "do": "half"})
        self.deploy_good()
        self.deploy_bad()
        wait_for(lambda: self.worker.entries(msg=r"class=ambiguous"), "the outcome is unknown", LONG)
        wait_for(lambda: [m for m in self.robots.told("prod-health") if "unknown" in m["text"].lower()], "people are told", LONG)
        self.settled()
        self.assertEqual(self.robots.hooks(), [])

    def test_chat_is_away_for_a_while(self):
        self.up()
        self.robots.script({"to": "dingtalk", "do": "status", "code": 503, "times": 2}, {"to": "dingtalk", "do": "empty"})
        self.deploy_good()
        self.deploy_bad()
        self.taken_back()
        self.settled()
        titles = [m["text"] for m in self.robots.told("prod-health")]
        self.assertEqual(len(titles), len(set(titles)), titles)

    def test_program_outlives_its_worker(self):
        """The rollback program goes on when the worker dies; the next worker on this machine tells its outcome."""
        log, gate = self.folder("undo.log"), self.folder("undo.gate")
        program = self.folder.write("undo.sh", f"#!/bin/sh\necho run >>{log}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\necho undone\n")
        os.chmod(program, 0o755)
        self.up(action=f"{{kind: exec, program: {program}, timeout: 60s}}", more=f"programs: [{program}]")
        self.deploy_good()
        self.deploy_bad()
        wait_for(lambda: os.path.exists(log), "the program runs", LONG)
        self.worker.kill()
        self.worker = self.worker_up()
        with open(gate, "w", encoding="ascii"):
            pass
        self.worker.wait_log(r"begun by a worker before us, ended: class=ok")
        self.settled()
        with open(log, encoding="ascii") as f:
            self.assertEqual(f.read(), "run\n")

    def command(self, *words):
        return subprocess.run([PROGRAM, *words, "--redis", self.redis.url], capture_output=True, text=True, timeout=60, check=False)

    def test_silenced(self):
        """Nothing is heard while the silence lasts, the release is taken back all the same; what is still so afterwards is told."""
        self.up()
        self.assertEqual(self.command("silence", "list").stdout, "no silences\n")
        self.assertEqual(self.command("silence", "add").returncode, 2)
        said = self.command("silence", "add", "--service", "web", "--for", "1h", "--why", "moving", "--who", "lin")
        self.assertEqual(said.returncode, 0, said)
        name = re.match(r"silence (\w+) by lin", said.stdout).group(1)
        wait_for(lambda: name in self.command("silence", "list").stdout, "the silence is listed")
        self.deploy_good()
        self.deploy_bad()
        wait_for(self.robots.hooks, "the rollback hook is asked", LONG)
        self.worker.wait_log(r"is held back, silence " + name + r" by lin: moving")
        self.assertEqual(self.robots.told("prod-health"), [])
        self.assertEqual(self.command("silence", "end", "nonesuch").returncode, 1)
        self.assertEqual(self.command("silence", "end", name).returncode, 0)
        wait_for(lambda: self.robots.told("prod-health"), "what is still so is told", LONG)
        self.assertIn("over", self.command("silence", "list").stdout)

    def test_maintenance(self):
        """While it lasts nothing is heard and nothing taken back; what is still so afterwards is told, and why nothing was done."""
        self.up()
        self.assertEqual(self.command("silence", "add", "--maintenance", "--severity", "critical").returncode, 2)
        said = self.command("silence", "add", "--maintenance", "--service", "web", "--for", "1h", "--why", "moving", "--who", "lin")
        self.assertEqual(said.returncode, 0, said)
        name = re.match(r"maintenance (\w+) by lin", said.stdout).group(1)
        wait_for(lambda: name in self.command("silence", "list").stdout, "the maintenance is listed")
        self.assertRegex(self.command("status").stdout, r"(?m)^MAINT     web/\*, for another \d+ min, " + name + " by lin: moving$")
        self.assertEqual(json.loads(self.command("status", "--json").stdout)["silences"][0]["maintenance"], True)
        self.deploy_good()
        self.deploy_bad()
        self.worker.wait_log(r"is held back, maintenance " + name + r" by lin: moving")
        self.assertEqual((self.robots.told("prod-health"), self.robots.hooks()), ([], []))
        self.assertEqual(self.command("silence", "end", name).returncode, 0)
        wait_for(lambda: self.robots.told("prod-health"), "what is still so is told", LONG)
        self.assertIn("skipped, this place is in maintenance by lin: moving", self.robots.told("prod-health")[0]["text"])
        self.assertNotIn("MAINT", self.command("status").stdout)
        self.assertEqual(self.robots.hooks(), [])

    def test_dead_letter_is_sent_again(self):
        """What a robot refuses is a dead letter; when a person sends it again it arrives, and the letter is gone."""
        self.up()
        self.robots.script({"to": "dingtalk", "errcode": 40035, "errmsg": "invalid parameter", "times": 1})
        self.deploy_good()
        self.deploy_bad()
        wait_for(self.robots.hooks, "the rollback hook is asked", LONG)

        def dead():
            return json.loads(self.command("dead", "list", "--json").stdout)
        letter = wait_for(dead, "the refused message is a dead letter", LONG)[0]
        self.assertEqual(letter["kind"], "alert")
        text = json.loads(json.loads(self.command("dead", "show", letter["id"], "--json").stdout)["message"])
        self.assertEqual(text["channel"], "oncall")
        before = len(self.robots.told(text["alert"]["rule"]))
        again = self.command("dead", "retry", letter["id"])
        self.assertEqual((again.returncode, again.stdout), (0, f"dead letter {letter['id']} is sent again\n"))
        wait_for(lambda: len(self.robots.told(text["alert"]["rule"])) > before, "it arrives", LONG)
        self.assertEqual(dead(), [])
        self.assertEqual(self.command("dead", "retry", letter["id"]).returncode, 1)

    def test_template_is_read_again(self):
        """A template with a mistake changes nothing; one that is right is what the next message is written by, harmless all the same."""
        self.up()
        with open(self.folder("shipwatch.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.folder.write("shipwatch.yaml", text.replace("kind: dingtalk,", "kind: dingtalk, template: own.tmpl,"))
        self.folder.write("own.tmpl", "# {plac} is ill\n")
        self.worker.signal(signal.SIGHUP)
        self.worker.wait_log(r"own\.tmpl:1:4: unknown value \"plac\", did you mean \"place\"\?")
        self.worker.wait_log(r"reload refused")
        self.folder.write("own.tmpl", "# {place} is ill ({rule})\nsee [wiki](https://wiki.example.com/{service}) {title}\n")
        self.worker.signal(signal.SIGHUP)
        self.worker.wait_log(r"^reloaded: 1 places, 1 rules")
        self.deploy_good()
        self.deploy_bad()
        wait_for(lambda: self.robots.told("prod-health"), "chat is told", LONG)
        told = self.robots.told("prod-health")[0]["text"]
        self.assertIn("#### web/prod is ill (prod-health)\n\nsee [wiki](https://wiki.example.com/web) Faster checkout", told)
        self.assertNotIn("@all", told)
        self.assertNotIn("](http://evil", told)

    def test_reload_is_all_or_nothing(self):
        self.up()
        good = self.folder("shipwatch.yaml")
        with open(good, encoding="utf-8") as f:
            text = f.read()
        self.folder.write("rules.yaml", RULES.replace("health is", "helth is"))
        self.worker.signal(signal.SIGHUP)
        self.worker.wait_log(r"reload refused")
        self.assertTrue(self.worker.entries(msg=r"helth"))
        self.folder.write("rules.yaml", RULES)
        self.folder.write("shipwatch.yaml", text.replace("acme/web", "acme/shop"))
        self.worker.signal(signal.SIGHUP)
        self.worker.wait_log(r"^reloaded: 1 places, 1 rules")


if __name__ == "__main__":
    unittest.main()
