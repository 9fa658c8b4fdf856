"""shipwatch sweep: deliveries that failed are sent again by GitHub and GitLab, against simulators with their real refusals."""
import json
import os
import subprocess
import time
import unittest

from harness import PROGRAM, Case, Gateway, Redis, built, wait_for
from test_actions import Hosts

TOKEN, SECRET = "hook-token-1", "hook-secret-1"
CONFIG = """
hooks_url: %(hooks)s
sources:
  github: {secrets: [%(secret)s], api: "%(hosts)s/github", api_token: github_pat_sim%(github)s}
  gitlab: {tokens: [%(token)s], api: "%(hosts)s", api_token: glpat-sim%(gitlab)s}
  ci: {kind: report, secrets: [x]}
channels: {box: {kind: console}}
services:
  web: {repo: acme/web, environments: {prod: {}}}
"""


def push(n):
    return json.dumps({"ref": "refs/heads/main", "before": "%040x" % n, "after": "%040x" % (n + 1), "head_commit": {"id": "%040x" % (n + 1), "message": "m"}, "commits": [],
                       "repository": {"full_name": "acme/web", "html_url": "https://github.com/acme/web"}, "sender": {"login": "lin"}})


def gl_push(n):
    return json.dumps({"object_kind": "push", "ref": "refs/heads/main", "before": "%040x" % n, "after": "%040x" % (n + 1), "checkout_sha": "%040x" % (n + 1), "commits": [],
                       "project": {"path_with_namespace": "acme/web", "web_url": "https://gitlab.example.com/acme/web"}})


class Sweep(Case):
    def up(self, github="", gitlab="", gateway=True):
        self.hosts = Hosts(self)
        self.redis = self.start(Redis(self.folder))
        self.gateway = None
        self.hooks_url = "http://127.0.0.1:1"
        self.write(github, gitlab)
        if gateway:
            self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("state")))
            self.hooks_url = "http://%s:%d" % self.gateway.address
            self.write(github, gitlab)

    def write(self, github="", gitlab=""):
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"hooks": self.hooks_url, "hosts": self.hosts.url, "token": TOKEN, "secret": SECRET,
                                                                    "github": github, "gitlab": gitlab})

    def change(self, old, new):
        with open(self.config, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        self.folder.write("shipwatch.yaml", text.replace(old, new))

    def sweep(self, *args, want=0):
        p = subprocess.run([built(PROGRAM), "sweep", *args, "-c", self.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                           env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")})
        said = p.stdout.decode()
        self.assertEqual(p.returncode, want, said)
        return said

    def github(self, deliveries, number=12, **more):
        return dict({"hooks": {number: {"url": self.hooks_url + "/hooks/github", "secret": SECRET, "deliveries": deliveries}}}, refs={"main": "a" * 40}, **more)

    @staticmethod
    def delivery(n, code, guid=None, ago=60):
        return {"id": 5000 + n, "guid": guid or "guid-%d" % n, "event": "push", "at": time.time() - ago, "status_code": code,
                "status": "OK" if code // 100 == 2 else "timed out" if not code else "Invalid HTTP Response: %d" % code, "body": push(n)}

    def gitlab(self, events, number=7):
        return {"id": 30, "head": {"main": "a" * 40}, "environment": "prod", "hooks": {number: {"url": self.hooks_url + "/hooks/gitlab", "token": TOKEN, "events": events}}}

    @staticmethod
    def event(n, status, key="same"):
        return {"id": 100 + n, "trigger": "push_hooks", "event": "Push Hook", "key": "key-%d" % n if key == "same" else key, "body": gl_push(n), "status": status}

    def posts(self):
        return [r["target"] for r in self.hosts.seen()["requests"] if r["method"] == "POST"]

    # ---- GitHub ----

    def test_github(self):
        self.up()
        # 250 well ones on three pages, and among them: two that failed, one that failed and arrived later, one tried twice in vain,
        # one that we could not read, one older than is asked for
        found = [self.delivery(n, 202) for n in range(250)]
        found += [self.delivery(300, 503), self.delivery(301, 0), self.delivery(302, 502), self.delivery(1302, 200, "guid-302"),
                  self.delivery(303, 500), self.delivery(1303, 504, "guid-303"), self.delivery(304, 400), self.delivery(-1, 503, ago=2 * 86400)]
        self.hosts.control(repos={"acme/web": self.github(found)})
        said = self.sweep("github", "--since", "1d", "--dry-run")
        self.assertIn("acme/web#12: 257 tries of 255 events, 4 failed", said)
        self.assertIn("refused-by-us push guid-304, answered 400", said)
        self.assertIn("failed        push guid-301, timed out", said)
        self.assertIn("3 would be sent again", said)
        self.assertEqual(self.posts(), [])
        said = self.sweep("github", "--since", "1d")
        self.assertIn("3 sent again, 0 still failing, 0 left for later", said)
        # oldest first, the newest try of each
        self.assertEqual([t.split("/")[-2] for t in self.posts()], ["5300", "5301", "6303"])
        wait_for(lambda: len(self.redis.entries()) == 3, "they arrive")
        # once more: nothing is left; and what was sent by hand meanwhile is a duplicate
        self.assertIn("0 sent again", self.sweep("github", "--since", "1d"))
        self.hosts.control(repos={"acme/web": self.github([self.delivery(300, 503)])})
        doc = json.loads(self.sweep("github", "--json"))
        self.assertEqual((doc["sent"], doc["hooks"][0]["deliveries"][0]["delivery"]), (1, "guid-300"))
        self.assertEqual(self.hosts.seen()["github"][-1]["answered"], 200)
        self.assertEqual(len(self.redis.entries()), 3)
        # without --since: as far as the host has them
        self.hosts.control(repos={"acme/web": self.github([self.delivery(-1, 503, ago=2 * 86400), self.delivery(-2, 503, ago=4 * 86400)])})
        self.assertIn("1 sent again", self.sweep("github"))
        self.assertNotIn("github_pat_sim", said)

    def test_github_organisation_and_ids(self):
        self.up(github=', hooks: ["orgs/acme", "acme/web#99"]')
        self.hosts.control(repos={"acme/web": self.github([self.delivery(1, 503)], number=99)}, orgs={"acme": self.github([self.delivery(2, 503)], number=8)})
        said = self.sweep("github")
        self.assertIn("orgs/acme#8: 1 tries of 1 events, 1 failed", said)
        self.assertIn("acme/web#99: 1 tries of 1 events, 1 failed", said)
        self.assertEqual(self.posts(), ["/orgs/acme/hooks/8/deliveries/5002/attempts", "/repos/acme/web/hooks/99/deliveries/5001/attempts"])

    def test_github_refusals(self):
        self.up(gateway=False)
        self.hosts.control(repos={"acme/web": self.github([self.delivery(1, 503)])}, permissions=["contents"])
        self.assertIn("api_token may not do this (HTTP 403): it wants to read and write webhooks", self.sweep("github", want=1))
        self.hosts.control(permissions=["webhooks"])
        other = self.github([self.delivery(1, 503)])
        other["hooks"][12]["url"] = "https://elsewhere.example.com/hooks/github"
        self.hosts.control(repos={"acme/web": other})
        self.assertIn("no hook posts to http://127.0.0.1:1/hooks/github", self.sweep("github", want=1))
        self.write(github=', hooks: "acme/other"')
        self.assertIn("there is no such hook, or api_token may not see it (HTTP 404)", self.sweep("github", want=1))
        self.write(github=', hooks: "acme/web#x"')
        self.assertIn('hooks: want a repository such as acme/web, or its hook acme/web#123, got "acme/web#x"', self.sweep("github", want=1))
        self.write(github=', hooks: "acme"')
        self.assertIn('want owner/name, or orgs/name, got "acme"', self.sweep("github", want=1))
        self.write()
        self.change("github_pat_sim", "old-token")
        self.assertIn("api_token is not accepted (HTTP 401)", self.sweep("github", want=1))
        self.assertEqual(self.posts(), [])

    def test_limits_and_nonsense(self):
        self.up()
        self.hosts.control(repos={"acme/web": self.github([self.delivery(1, 503)])})
        # asked to wait a second, it waits; asked for an hour, it does not
        self.hosts.control(next=[{"to": "github", "method": "GET", "do": "status", "code": 429, "headers": {"Retry-After": "1"}}])
        self.assertIn("1 would be sent again", self.sweep("github", "--dry-run"))
        self.hosts.control(next=[{"to": "github", "method": "GET", "do": "status", "code": 403, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3600)}}])
        self.assertIn("the host limits how often it is asked", self.sweep("github", want=1))
        self.hosts.control(next=[{"to": "github", "method": "POST", "do": "status", "code": 403, "headers": {"Retry-After": "3600"}}])
        self.assertIn("0 sent again, 0 still failing, 1 left for later", self.sweep("github", want=1))
        for step in ({"do": "html"}, {"do": "half"}, {"do": "close"}, {"do": "status", "code": 500}, {"do": "status", "code": 200, "body": {"message": "x"}},
                     {"do": "status", "code": 302, "headers": {"Location": "http://127.0.0.1:1/"}}):
            self.hosts.control(next=[dict(step, to="github", method="GET")])
            said = self.sweep("github", want=1)
            self.assertRegex(said, "acme/web: .+")
            self.assertIn("0 sent again", said)
        self.assertEqual(len(self.redis.entries()), 0)
        self.assertIn("1 sent again", self.sweep("github"))

    # ---- GitLab ----

    def test_gitlab(self):
        self.up()
        found = [self.event(n, "202") for n in range(45)]  # three pages of 20
        found += [self.event(50, "503"), self.event(51, "internal error"), dict(self.event(52, "401")), dict(self.event(52, "200"), id=960)]
        self.hosts.control(projects={"acme/web": self.gitlab(found)})
        said = self.sweep("gitlab")
        self.assertIn("acme/web#7: 49 tries of 48 events, 2 failed", said)
        self.assertIn("2 sent again, 0 still failing", said)
        self.assertEqual(self.posts(), ["/api/v4/projects/acme%2Fweb/hooks/7/events/150/resend", "/api/v4/projects/acme%2Fweb/hooks/7/events/151/resend"])
        self.assertEqual(len(self.redis.entries()), 2)
        self.assertIn("0 sent again", self.sweep("gitlab"))
        # a server before 17.4 has no key that tells an event from its tries: every try is one
        self.hosts.control(projects={"acme/web": self.gitlab([self.event(60, "503", None), self.event(61, "200", None)])})
        self.assertIn("2 tries of 2 events, 1 failed", self.sweep("gitlab"))

    def test_gitlab_rate(self):
        self.up()
        self.hosts.control(projects={"acme/web": self.gitlab([self.event(n, "503") for n in range(7)])})
        said = self.sweep("gitlab", "--patience", "1s", want=1)
        self.assertIn("5 sent again, 0 still failing, 2 left for later", said)
        self.assertEqual(len(self.posts()), 5)  # it knows the limit, and does not run into it
        # a second run does: the host says how long
        self.hosts.control(resend_window=2)
        self.assertIn("2 sent again", self.sweep("gitlab"))
        self.assertEqual(len(self.redis.entries()), 7)

    def test_gitlab_still_failing(self):
        self.up()
        project = self.gitlab([self.event(1, "503")])
        project["hooks"][7]["token"] = "another"
        self.hosts.control(projects={"acme/web": project})
        self.assertIn("0 sent again, 1 still failing, 0 left for later", self.sweep("gitlab", want=1))
        self.hosts.control(projects={"acme/web": self.gitlab([self.event(1, "503")])}, scopes=["read_api"])
        self.assertIn("api_token may not do this (HTTP 403): it wants the scope api and the role Maintainer", self.sweep("gitlab", want=1))

    def test_gitlab_group(self):
        self.up(gitlab=', hooks: "groups/acme"')
        self.hosts.control(groups={"acme": self.gitlab([self.event(1, "500")])})
        self.assertIn("groups/acme#7: 1 tries of 1 events, 1 failed", self.sweep("gitlab"))
        self.assertEqual(self.posts(), ["/api/v4/groups/acme/hooks/7/events/101/resend"])

    def test_what_cannot_be_swept(self):
        self.up(gateway=False)
        self.assertIn('no source "gthub", did you mean "github"?', self.sweep("gthub", want=1))
        self.assertIn("source ci is of kind report; github and gitlab can be swept", self.sweep("ci", want=1))
        self.change(", api_token: github_pat_sim", "")
        self.assertIn("source github wants api_token", self.sweep("github", want=1))
        self.sweep(want=2)
        self.sweep("github", "--since", "soon", want=2)
        self.sweep("github", "--since", "0s", want=2)


if __name__ == "__main__":
    unittest.main()
