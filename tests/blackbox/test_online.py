"""shipwatch check --online: tokens, repositories, health and robots are asked, and nothing is sent or done. Against simulators."""
import http.server
import os
import subprocess
import threading
import unittest

from harness import BOUND, PROGRAM, Case, built
from test_actions import Hosts

CONFIG = """
sources:
  gitlab: {tokens: [hook-token-1], api: "%(url)s", api_token: glpat-sim}
  github: {secrets: [hook-secret-1], api: "%(url)s/github", api_token: github_pat_sim}
channels:
  box: {kind: console}
  chat: {kind: slack, url: "%(url)s/services/T0/B0/5ecre7"}
alerts: [chat]
actions:
  back: {kind: gitlab, url: "%(url)s", token: glpat-sim, do: redeploy-last-good}
  again: {kind: github, api: "%(url)s/github", token: github_pat_sim, do: redeploy-last-good, repo: acme/web}
services:
  web:
    repo: acme/web
    environments:
      prod: {health: "%(url)s/seen", rollback: back}
"""
PROJECTS = {"acme/web": {"id": 30, "head": {"main": "a" * 40}, "environment": "prod", "role": 30}}
REPOS = {"acme/web": {"refs": {"main": "a" * 40}}}


class Gitea(http.server.BaseHTTPRequestHandler):
    """As much of Gitea's API as is asked."""

    def do_GET(self):
        taken = self.headers["Authorization"] == "token gitea-sim"
        status = 401 if not taken else 200 if self.path == "/api/v1/repos/acme/web" else 404
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Online(Case):
    def setUp(self):
        super().setUp()
        self.hosts = Hosts(self)
        self.hosts.control(projects=PROJECTS, repos=REPOS)
        self.text = CONFIG % {"url": self.hosts.url}

    def check(self, want, *lines, change=(), options=()):
        """Exit code and lines that are wanted; everything that was said."""
        text = self.text
        for old, new in change:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = self.folder.write("shipwatch.yaml", text)
        p = subprocess.run([built(PROGRAM), "check", "--online", "-c", path, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=BOUND * 2,
                           env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")})
        said = p.stdout.decode()
        self.assertEqual(p.returncode, want, said + p.stderr.decode())
        for line in lines:
            self.assertIn(line, said)
        for secret in ("5ecre7", "glpat-sim", "github_pat_sim"):
            self.assertNotIn(secret, said + p.stderr.decode())
        self.assertEqual([r for r in self.hosts.seen()["requests"] if r["method"] != "GET"], [], "it only asks")
        return said

    def test_all_is_well(self):
        said = self.check(0, "ok      source gitlab: the token is taken, scopes api, until 2099-01-31\n", "ok      source gitlab: acme/web is there\n",
                          "ok      source github: the token is taken, acme/web is there (a fine-grained token", "ok      action back: acme/web is there\n",
                          "ok      action again: the token is taken", "ok      health of web/prod: HTTP status 200 in ",
                          "answers; nothing was sent (`shipwatch send chat` sends a real message)\n", "online: 0 errors, 0 warnings\n", options=["--strict"])
        self.assertNotIn("box", said.split("is fine")[1])
        self.check(2, options=["--json"])

    def test_scopes(self):
        self.hosts.control(scopes=["read_api", "read_user"], github_scopes=["repo", "gist"])
        self.check(1, "ok      source gitlab: the token is taken, scopes read_api, read_user", "error   action back: the token has the scopes read_api, read_user "
                   "(make a new one with the scope api)", "ok      action again: the token is taken, scopes repo, gist; acme/web is there", "online: 1 error,")
        self.hosts.control(scopes=["read_repository"], github_scopes=["public_repo"])
        self.check(1, "error   source gitlab: the token has the scopes read_repository (make a new one with the scope read_api)",
                   "ok      source github: the token is taken, scopes public_repo", "error   action again: the token has the scopes public_repo "
                   "(make a new one with the scope repo_deployment", "online: 3 errors,")
        self.hosts.control(scopes=[], github_scopes=[])
        self.check(1, "error   source gitlab: the token has the scopes none", "error   source github: the token has the scopes none", "online: 4 errors,")
        self.hosts.control(scopes=["api"], github_scopes=["repo_deployment"])
        self.check(1, "error   source github: the token has the scopes repo_deployment", "ok      action again: ", "online: 1 error,")

    def test_tokens_that_are_not_taken(self):
        said = self.check(1, "error   source gitlab: %s does not take the token" % self.hosts.url, "error   action again: %s does not take" % self.hosts.url,
                          change=[("api_token: glpat-sim", "api_token: glpat-old"), ("token: github_pat_sim, do", "token: github_pat_old, do")])
        self.assertIn("ok      action back: the token is taken", said)
        self.assertIn("ok      source github: the token is taken", said)

    def test_targets_that_are_not_there(self):
        self.hosts.control(projects={"acme/web": {**PROJECTS["acme/web"], "role": 20}})
        self.check(1, "ok      source gitlab: acme/web is there", "error   action back: the token's role in acme/web is lower than Developer")
        said = self.check(1, "error   source gitlab: acme/wbe is not there, or the token may not see it", "error   source github: acme/wbe is not there",
                          "error   action back: acme/wbe is not there", change=[("    repo: acme/web", "    repo: acme/wbe")])
        self.assertIn("ok      action again: ", said)

    def test_who_does_not_answer(self):
        dead = "http://127.0.0.1:1"
        said = self.check(1, "error   source gitlab: no answer from %s: " % dead, "error   channel chat: no answer from %s: " % dead,
                          "warning health of web/prod: no answer from %s" % dead,
                          change=[('api: "%s", api_token: glpat' % self.hosts.url, 'api: "%s", api_token: glpat' % dead),
                                  (self.hosts.url + "/services", dead + "/services"), (self.hosts.url + "/seen", dead + "/seen")])
        self.assertIn("online: 2 errors, 1 warning\n", said)

    def test_a_warning_is_an_error_where_it_is_strict(self):
        change = [("/seen", "/nowhere")]
        self.check(0, "warning health of web/prod: answers HTTP status 404, want 200 to 299", change=change)
        self.check(1, "online: 0 errors, 1 warning\n", change=change, options=["--strict"])

    def test_answers_of_others(self):
        """A sign-in page with status 200, a server that is ill, one that limits, an address with /api too much."""
        first = {"to": "gitlab", "method": "GET"}
        self.hosts.control(next=[{**first, "do": "html"}])
        self.check(1, "error   source gitlab: %s does not answer as a GitLab does" % self.hosts.url, "ok      action back")
        self.hosts.control(next=[{**first, "do": "status", "code": 503}])
        self.check(1, "error   source gitlab: %s answers HTTP status 503" % self.hosts.url)
        self.hosts.control(next=[{**first, "do": "status", "code": 429}])
        self.check(0, "warning source gitlab: %s limits how often it is asked" % self.hosts.url)
        self.hosts.control(next=[{**first, "do": "half"}])
        self.check(1, "error   source gitlab: ")
        self.hosts.control(next=[{"to": "github", "method": "GET", "do": "html"}])
        self.check(1, "error   source github: %s does not answer as GitHub's API does" % self.hosts.url)

    def test_a_trigger_token_is_not_tried(self):
        self.check(0, "ok      action back: a trigger token cannot be looked at, only used", change=[
            ("token: glpat-sim, do: redeploy-last-good", "trigger_token: glptt-sim, do: trigger-pipeline, ref: main")])

    def test_gitea(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gitea)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d" % server.server_port
        self.text = ("sources: {gitea: {secrets: [hook-secret-1], api: \"%s\", api_token: gitea-sim}}\nchannels: {box: {kind: console}}\n"
                     "services: {web: {repo: acme/web, environments: {prod: {}}}}\n" % url)
        self.check(0, "ok      source gitea: the token is taken, acme/web is there\n")
        self.check(1, "error   source gitea: acme/wbe is not there", change=[("acme/web", "acme/wbe")])
        self.check(1, "error   source gitea: %s does not take the token" % url, change=[("gitea-sim", "gitea-old")])
        self.check(0, "warning source gitea: no repository is known by its name", change=[("repo: acme/web", 'repos: ["acme/*"]')])


if __name__ == "__main__":
    unittest.main()
