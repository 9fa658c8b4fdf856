"""Rollbacks by GitLab's and GitHub's API, with the real parts: the simulators of both APIs do what they are asked and post their webhooks
back; nothing is ever done twice, and each run is known as ours.
"""
import json
import os
import subprocess
import sys
import time
import unittest

from harness import PROGRAM, SOURCE, Case, Gateway, Process, Redis, Role, built, sign_github, sign_gitlab, wait_for
from test_main_path import DINGTALK_SECRET, GITLAB_TOKEN, LONG, Robots, Service, ask, deployment, port_of

GOOD, BAD = "a" * 40, "b" * 40
GITHUB_SECRET = "github-secret-1"

CONFIG = """
sources: {gitlab: {tokens: [%(gitlab)s]%(gitlab_api)s}, github: {secrets: [%(github)s]%(github_api)s}}
channels: {oncall: {kind: dingtalk, url: "%(robots)s/robot/send?access_token=T1", secret: %(dingtalk)s}}
actions: {undo: %(action)s}
services:
  web:
    repo: acme/web
    environments:
      prod: {health: {url: "%(service)s/health", every: 1s, timeout: 1s, grace: 1s, background: 5s, version: /commit}, rollback: undo}
rules: rules.yaml
"""
RULES = """
- {name: prod-health, on: deploy-to-prod, watch: 20s, if: health is failing for 3 checks, then: [alert, rollback]}
"""


class Hosts:
    """GitLab and GitHub."""

    def __init__(self, case):
        ports = case.folder("hosts.port")
        self.process = case.start(Process([sys.executable, os.path.join(SOURCE, "tests/sim/hosts.py"), "--port-file", ports]))
        self.port = port_of(ports)
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, **order):
        ask("POST", self.port, "/control", json.dumps(order))

    def seen(self):
        return json.loads(ask("GET", self.port, "/seen"))

    def acts(self):
        """Requests that want an effect."""
        return [r for r in self.seen()["requests"] if r["method"] == "POST"]


def github_status(number, sha, state="success"):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({
        "action": "created", "repository": {"id": 1, "full_name": "acme/web", "html_url": "https://github.com/acme/web", "default_branch": "main"},
        "sender": {"login": "lin"}, "deployment": {"id": number, "sha": sha, "ref": "main", "task": "deploy", "payload": {}, "environment": "prod",
                                                    "creator": {"login": "lin"}, "created_at": stamp},
        "deployment_status": {"id": number + 1, "state": state, "environment": "prod", "created_at": stamp}}).encode()


class Actions(Case):
    def up(self, action, timeout="30s", by="gitlab", api=None):
        self.by = by
        self.robots, self.service, self.hosts = Robots(self), Service(self), Hosts(self)
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        where = {"gitlab": f"kind: gitlab, url: \"{self.hosts.url}\", token: glpat-sim", "github": f"kind: github, api: \"{self.hosts.url}/github\", token: github_pat_sim"}
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {
            "gitlab_api": f', api: "{self.hosts.url}", api_token: {api}' if api else "",
            "github_api": f', api: "{self.hosts.url}/github", api_token: {api}' if api else "", "gitlab": GITLAB_TOKEN, "github": GITHUB_SECRET, "dingtalk": DINGTALK_SECRET, "robots": self.robots.url, "service": self.service.url,
            "action": "{%s, timeout: %s, %s}" % (where[by], timeout, action)})
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.worker_up()
        base = "http://%s:%d/hooks/" % self.gateway.address
        self.given = {
            "gitlab": {"acme/web": {
                "id": 30, "head": {"main": BAD}, "environment": "prod",
                "pipelines": {"11": {"ref": "main", "sha": GOOD, "variables": {}}, "22": {"ref": "main", "sha": BAD, "variables": {}}},
                "jobs": {"111": {"name": "deploy", "status": "success", "pipeline": 11, "sha": GOOD, "environment": "prod"},
                         "222": {"name": "deploy", "status": "success", "pipeline": 22, "sha": BAD, "environment": "prod"},
                         "223": {"name": "undo", "status": "manual", "pipeline": 22, "sha": BAD, "environment": "prod"}}}},
            "github": {"acme/web": {"id": 1, "refs": {"main": BAD}, "commits": [GOOD], "workflows": {"rollback.yml": {"inputs": ["sha", "rollback_id"]}}}}}
        self.hosts.control(
            hooks={"gitlab": {"url": base + "gitlab", "token": GITLAB_TOKEN}, "github": {"url": base + "github", "secret": GITHUB_SECRET}},
            projects=self.given["gitlab"], repos=self.given["github"])

    def worker_up(self):
        return self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))

    def run_cli(self, *args):
        r = subprocess.run([built(PROGRAM), *args, "-c", self.config, "--redis", self.redis.url], capture_output=True, text=True, timeout=30)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def told_of(self, number, sha):
        key = f"d-{number}"
        if self.by == "gitlab":
            a = self.gateway.post("/hooks/gitlab", deployment(number, sha), sign_gitlab(GITLAB_TOKEN, "Deployment Hook", key))
        else:
            body = github_status(number, sha)
            a = self.gateway.post("/hooks/github", body, sign_github(GITHUB_SECRET, body, "deployment_status", key))
        self.assertEqual(a.json["status"], "queued", a)

    def deploy(self, good=True):
        """A release that is known as good, then one that fails."""
        self.told_of(111, GOOD)
        self.worker.wait_log(r"of a{40} succeeded")
        if good:
            self.run_cli("label", GOOD, "good")
            self.worker.wait_log(r"is good, says")
        time_of_host = time.time()
        wait_for(lambda: time.time() - time_of_host > 1, "hosts tell whole seconds: the next one begins")
        self.service.knob("commit=" + BAD)
        self.told_of(222, BAD)
        self.worker.wait_log(r"of b{40} succeeded")
        self.service.knob("health=fail")

    def begun(self, host=None):
        """The one thing that was begun."""
        try:
            wait_for(lambda: self.hosts.seen()[host or self.by], "the host is asked", LONG)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.hosts.seen()}\n" + "\n".join(self.worker.log()[-30:])) from None
        return self.hosts.seen()[host or self.by][0]

    def told(self, *words, bound=LONG):
        try:
            wait_for(lambda: self.robots.told("web/prod", *words), "chat is told %r" % (words,), bound)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(m["text"].split("\n")[0] for m in self.robots.seen()["messages"]) + "\n" +
                                 "\n".join(self.worker.log()[-30:])) from None

    def comes_back(self, sha=GOOD):
        """The run ends well: it is known as ours, and the alert is resolved."""
        self.service.knob("commit=" + sha)
        self.service.knob("health=ok")
        self.hosts.control(finish={"host": self.by, "status": "success"})
        self.worker.wait_log(r"is the run of rollback")
        wait_for(lambda: self.worker.entries(msg=r"deployment \w+ of a{40} succeeded \(a rollback\)"), "the rollback is known as one", LONG)
        self.told("resolved")
        self.once()

    def once(self):
        seen = self.hosts.seen()
        self.assertEqual(len(seen[self.by]), 1, seen)
        self.assertEqual(seen["refused"], [])

    def test_gitlab_trigger_pipeline(self):
        self.up('do: trigger-pipeline, project: acme/web, ref: main, variables: {ROLLBACK_SHA: "{last_good.sha}"}')
        self.assertIn("rollback undo: gitlab trigger-pipeline acme/web@main", subprocess.run(
            [built(PROGRAM), "check", "-c", self.config], capture_output=True, text=True, timeout=30).stdout)
        self.deploy()
        effect = self.begun()
        self.assertEqual(effect["variables"]["ROLLBACK_SHA"], GOOD)
        self.assertRegex(effect["variables"]["SHIPWATCH_ROLLBACK_ID"], r"^[0-9a-f]{12}$")
        self.told("rolled back", "a pipeline was started (%d)" % effect["id"])
        self.comes_back()

    def test_gitlab_redeploy_last_good(self):
        self.up("do: redeploy-last-good")
        self.hosts.control(next=[{"to": "gitlab", "method": "GET", "do": "status", "code": 503, "times": 2}])
        self.deploy()
        self.assertEqual(self.begun()["of"], 111)
        self.comes_back()
        self.assertEqual([r["method"] for r in self.hosts.seen()["requests"]], ["GET", "GET", "GET", "POST"])

    def test_gitlab_play_job(self):
        self.up("do: play-job, job: undo")
        self.deploy()
        self.assertEqual(self.begun()["job"], 223)
        self.comes_back()

    def test_github_redeploy_last_good(self):
        self.up("do: redeploy-last-good", by="github")
        self.deploy()
        effect = self.begun()
        self.assertEqual((effect["sha"], effect["environment"]), (GOOD, "prod"))
        self.told("rolled back", "a deployment was made (%d)" % effect["id"])
        self.comes_back()

    def test_github_workflow_dispatch(self):
        self.up('do: workflow-dispatch, workflow: rollback.yml, ref: main, inputs: {sha: "{last_good.sha}", rollback_id: "{rollback.id}"}', by="github")
        self.deploy()
        effect = self.begun()
        self.assertEqual(effect["inputs"]["sha"], GOOD)
        self.told("rolled back", "a workflow was started")
        self.once()

    def test_no_good_deployment_is_known(self):
        self.up("do: redeploy-last-good")
        self.deploy(good=False)
        self.told("no verified good deployment is known")
        self.assertEqual(self.hosts.seen()["requests"], [])

    def test_the_run_fails(self):
        """GitLab starts the job again and refuses to run it: known as the rollback's failure, in plain words."""
        self.up("do: redeploy-last-good")
        self.deploy()
        self.begun()
        self.told("rolled back")
        self.hosts.control(finish={"host": "gitlab", "status": "failed", "failure": "failed_outdated_deployment_job"})
        self.told("rollback failed", "the host prevents outdated deployments")
        self.once()

    def test_commits_no_push_told(self):
        """They are asked of the host's API, once for all messages of the deployment; without an answer the message goes out all the same."""
        log = [{"id": sha, "title": title, "author_name": who, "author_email": who + "@example.com", "committed_date": f"2026-11-27T10:0{n}:00Z",
                "files": files} for n, (sha, title, who, files) in enumerate([
                    (GOOD, "First release", "mei", ["README"]), ("c" * 40, "Cache the [cart](http://evil) @all", "lin", ["src/cart.c"]),
                    (BAD, "Quicker basket", "mei", ["src/checkout.c", "src/cart.c"])])]
        do = {"gitlab": "do: redeploy-last-good", "github": 'do: workflow-dispatch, workflow: rollback.yml, ref: main, inputs: {sha: "{last_good.sha}", rollback_id: "{rollback.id}"}'}
        for by, token, told in (("gitlab", "glpat-sim", True), ("github", "github_pat_sim", True), ("gitlab", "wrong", False)):
            with self.subTest(by, token=token):
                self.up(do[by], by=by, api=token)
                state = {"acme/web": dict(self.given[by]["acme/web"], log=log)}
                self.hosts.control(**{"projects" if by == "gitlab" else "repos": state})
                self.deploy()
                self.told("Quicker basket" if told else "health is failing")
                self.told("rollback started")
                asked = [r for r in self.hosts.seen()["requests"] if "/compare" in r["target"]]
                text = "\n".join(m["text"] for m in self.robots.seen()["messages"] if "web/prod" in m["text"])
                self.assertEqual(len(asked), 1, asked)
                if told:
                    self.assertLess(text.index("Quicker basket"), text.index("Cache the"))
                    self.assertNotIn("First release", text)
                    self.assertIn("src/cart.c", text)
                    self.assertNotIn("](http://evil)", text)
                else:
                    self.assertNotIn("Quicker basket", text)
                    self.worker.wait_log(r"the commits of acme/web a{12}\.\.\.b{12} are not told: HTTP 401")
            self.doCleanups()
            self.setUp()

    def test_refusals_are_told(self):
        for n, (order, words, acts) in enumerate([
                ({"next": [{"to": "gitlab", "method": "POST", "do": "status", "code": 403, "body": {"message": "403 Forbidden - Job is not retryable"}}]},
                 "GitLab does not run this job again", 1),
                ({"next": [{"to": "gitlab", "method": "POST", "do": "status", "code": 429, "headers": {"Retry-After": "2"}, "body": "Retry later"}]},
                 "nothing was done (HTTP 429: again in 2 s)", 1),
                ({"next": [{"to": "gitlab", "method": "GET", "do": "status", "code": 502, "times": 9}]}, "could not be asked, nothing was done", 0),
                ({"scopes": ["read_api"]}, "lacks the scope api", 1),
        ]):
            with self.subTest(n):
                self.up("do: redeploy-last-good")
                self.hosts.control(**order)
                self.deploy()
                self.told("rollback failed", words)
                self.assertEqual(len(self.hosts.acts()), acts)
                self.assertEqual(self.hosts.seen()["gitlab"], [])
            self.doCleanups()
            self.setUp()

    def test_answer_is_lost(self):
        """Half an answer: asked once, the outcome is unknown, until the run's own webhook makes it known."""
        self.up('do: trigger-pipeline, ref: main, variables: {ROLLBACK_SHA: "{last_good.sha}"}')
        self.hosts.control(next=[{"to": "gitlab", "do": "half"}])
        self.deploy()
        self.told("outcome of the rollback is unknown")
        self.assertEqual(len(self.hosts.acts()), 1)

    def test_worker_killed_between_start_and_answer(self):
        for back in (False, True):
            with self.subTest(webhooks=back):
                self.up('do: trigger-pipeline, ref: main, variables: {ROLLBACK_SHA: "{last_good.sha}"}', timeout="3s")
                if not back:
                    self.hosts.control(hooks={"gitlab": None})
                self.hosts.control(next=[{"to": "gitlab", "do": "silent", "deliver": True}])
                self.deploy()
                self.begun()
                self.worker.kill()
                self.worker = self.worker_up()
                self.told(*(["rolled back", "its own run was seen"] if back else ["outcome of the rollback is unknown"]))
                self.assertEqual(len(self.hosts.acts()), 1)
                self.once()
            self.doCleanups()
            self.setUp()


if __name__ == "__main__":
    unittest.main()
