"""The simulators of GitLab's and GitHub's API are as strict as the real ones: they judge the actions, so they are judged first."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))

import github_api  # noqa: E402
import gitlab_api  # noqa: E402

A, B = "a" * 40, "b" * 40
P = "/api/v4/projects/acme%2Fweb/"


class GitLab(unittest.TestCase):
    def setUp(self):
        self.api = gitlab_api.GitLab("T", "TT")
        self.api.projects["acme/web"] = {
            "id": 30, "head": {"main": B}, "environment": "prod", "pipelines": {1: {"ref": "main", "sha": A, "variables": {}}},
            "jobs": {n: {"name": "deploy" if n < 3 else "job %d" % n, "status": "manual" if n == 3 else "success", "pipeline": 1, "sha": A,
                         "environment": "prod"} for n in range(1, 31)}}

    def ask(self, method, target, body=None, token="T", kind="application/json"):
        headers = {"content-type": kind}
        if token:
            headers["private-token"] = token
        try:
            return self.api.answer(method, target, headers, b"" if body is None else json.dumps(body).encode(), 1000.0)
        except gitlab_api.Refused as r:
            return r.status, r.body, r.headers

    def status(self, *args, **kw):
        return self.ask(*args, **kw)[0]

    def test_auth(self):
        for token in (None, "", "x"):
            self.assertEqual(self.status("POST", P + "pipeline", {"ref": "main"}, token=token), 401)
        self.api.scopes = ["read_api"]
        self.assertEqual(self.ask("POST", P + "pipeline", {"ref": "main"})[1]["error"], "insufficient_scope")
        self.assertEqual(self.status("GET", P + "jobs/1"), 200)

    def test_paths(self):
        for target in (P + "pipelines", "/api/v4/projects/acme/web/pipeline", "/api/v3/projects/30/pipeline", P + "jobs/x/retry"):
            self.assertEqual(self.status("POST", target, {"ref": "main"}), 404, target)
        self.assertEqual(self.status("POST", "/api/v4/projects/31/pipeline", {"ref": "main"}), 404)
        self.assertEqual(self.status("GET", P + "pipeline"), 405)
        self.assertEqual(self.status("POST", "/api/v4/projects/30/pipeline", {"ref": "main"}), 201)

    def test_pipeline(self):
        for body in ({}, {"ref": ""}, {"ref": "nope"}, {"ref": "main", "variables": {"A": "b"}}, {"ref": "main", "variables": [{"key": "A"}]},
                     {"ref": "main", "variables": [{"key": "A", "value": 1}]}, {"ref": "main", "variables": [{"key": "A b", "value": "1"}]},
                     {"ref": "main", "variables": [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}]}, {"ref": "main", "inputs": {}},
                     {"ref": "main", "variables": [{"key": "A", "value": "x\ny"}]}):
            self.assertEqual(self.status("POST", P + "pipeline", body), 400, body)
        self.assertEqual(self.status("POST", P + "pipeline", {"ref": "main"}, kind="text/plain"), 415)
        self.api.projects["acme/web"]["variables_allowed"] = False
        self.assertIn("Insufficient permissions", str(self.ask("POST", P + "pipeline", {"ref": "main", "variables": [{"key": "A", "value": "1"}]})))
        self.assertEqual(self.api.effects, [])

    def test_rate(self):
        got = [self.status("POST", P + "pipeline", {"ref": "main"}) for _ in range(26)]
        self.assertEqual(got, [201] * 25 + [400])

    def test_trigger(self):
        body = {"token": "TT", "ref": "main", "variables": {"A": "1"}}
        self.assertEqual(self.status("POST", P + "trigger/pipeline", dict(body, token="T"), token=None), 404)
        self.assertEqual(self.status("POST", P + "trigger/pipeline", dict(body, variables=[{"key": "A", "value": "1"}]), token=None), 400)
        self.assertEqual(self.status("POST", P + "trigger/pipeline", body, token=None), 201)
        self.assertEqual(self.api.effects[0]["variables"], {"A": "1"})

    def test_retry(self):
        self.assertIn("not retryable", str(self.ask("POST", P + "jobs/1/retry", {})))  # 2 has its name and is newer
        self.assertEqual(self.status("POST", P + "jobs/99/retry", {}), 404)
        self.assertEqual(self.status("POST", P + "jobs/2/retry", {}), 201)
        self.assertEqual(self.status("POST", P + "jobs/2/retry", {}), 403)
        self.api.projects["acme/web"]["jobs"][4]["archived"] = True
        self.assertEqual(self.status("POST", P + "jobs/4/retry", {}), 403)
        self.api.projects["acme/web"]["prevent_outdated"] = True
        self.assertEqual(self.status("POST", P + "jobs/5/retry", {}), 403)
        self.assertEqual(len(self.api.effects), 1)

    def test_play(self):
        self.assertIn("Unplayable", str(self.ask("POST", P + "jobs/4/play", {})))
        self.assertEqual(self.status("POST", P + "jobs/3/play", {"variables": []}), 400)
        self.assertEqual(self.status("POST", P + "jobs/3/play", {"job_variables_attributes": [{"key": "A", "value": "1"}]}), 200)
        self.assertEqual(self.status("POST", P + "jobs/3/play", {}), 400)

    def test_hooks(self):
        hook = {"url": "http://x/hooks/gitlab", "token": "t", "events": [
            {"id": n, "trigger": "push_hooks", "event": "Push Hook", "key": "k%d" % n, "body": "{}", "status": "200" if n % 2 else "503"} for n in range(1, 26)]}
        self.api.projects["acme/web"]["hooks"] = {7: hook}
        self.api.groups["acme"] = {"hooks": {8: hook}}
        self.api.post = lambda url, headers, raw: 202
        self.assertEqual(self.ask("GET", P + "hooks")[1][0]["url"], hook["url"])
        status, events, headers = self.ask("GET", P + "hooks/7/events")
        self.assertEqual((status, events[0]["id"], len(events), headers["X-Next-Page"]), (200, 25, 20, "2"))
        self.assertEqual(len(self.ask("GET", P + "hooks/7/events?status=server_failure")[1]), 12)
        for target, want in ((P + "hooks/9/events", 404), (P + "hooks/7/events?per_page=101", 400), (P + "hooks/7/events?cursor=1", 400),
                             ("/api/v4/groups/acme/hooks/8/events", 200), ("/api/v4/groups/other/hooks/8/events", 404)):
            self.assertEqual(self.status("GET", target), want, target)
        self.assertEqual(self.status("GET", P + "hooks/7/events", token="x"), 401)
        self.assertEqual(self.status("POST", P + "hooks/7/events/99/resend"), 404)
        self.assertEqual(self.status("GET", P + "hooks/7/events/2/resend"), 405)
        got = [self.ask("POST", P + "hooks/7/events/2/resend") for _ in range(6)]
        self.assertEqual([g[0] for g in got], [201] * 5 + [429])
        self.assertEqual((got[0][1], got[5][2]["Retry-After"]), ({"response_status": 202}, "61"))
        self.assertEqual(self.status("POST", "/api/v4/groups/acme/hooks/8/events/2/resend"), 201)  # counted by hook
        self.api.scopes = ["read_api"]
        self.assertEqual(self.status("GET", P + "hooks/7/events"), 200)
        self.assertEqual(self.status("POST", P + "hooks/7/events/2/resend"), 403)

    def test_pages(self):
        status, jobs, headers = self.ask("GET", P + "pipelines/1/jobs?per_page=20")
        self.assertEqual((status, len(jobs), headers["X-Next-Page"]), (200, 20, "2"))
        status, jobs, headers = self.ask("GET", P + "pipelines/1/jobs?per_page=20&page=2")
        self.assertEqual((status, len(jobs), headers["X-Next-Page"]), (200, 10, ""))
        self.assertEqual(self.status("GET", P + "pipelines/1/jobs?per_page=101"), 400)
        self.assertEqual(self.status("GET", P + "pipelines/2/jobs"), 404)


class GitHub(unittest.TestCase):
    HEADERS = {"user-agent": "x", "x-github-api-version": "2022-11-28", "accept": "application/vnd.github+json", "authorization": "Bearer T"}

    def setUp(self):
        self.api = github_api.GitHub("T")
        self.api.repos["acme/web"] = {
            "id": 1, "refs": {"main": B}, "commits": [A], "workflows": {"a.yml": {"inputs": ["sha"], "required": ["sha"]}, "no.yml": {"dispatch": False}},
            "runs": {7: {"sha": A, "status": "completed"}, 8: {"sha": A, "status": "completed", "old": True}, 9: {"sha": A, "status": "queued"}}}

    def ask(self, method, target, body=None, **headers):
        h = {k: v for k, v in dict(self.HEADERS, **{k.replace("_", "-"): v for k, v in headers.items()}).items() if v is not None}
        try:
            return self.api.answer(method, "/repos/acme/web" + target, h, b"" if body is None else json.dumps(body).encode(), 1000.0)[:2]
        except github_api.Refused as r:
            return r.status, r.body

    def status(self, *args, **kw):
        return self.ask(*args, **kw)[0]

    DEPLOY = {"ref": A, "environment": "prod", "auto_merge": False, "required_contexts": [], "payload": {"a": "b"}}

    def test_headers(self):
        self.assertEqual(self.status("POST", "/deployments", self.DEPLOY, authorization="token T"), 401)
        self.assertEqual(self.status("POST", "/deployments", self.DEPLOY, user_agent=None), 403)
        self.assertEqual(self.status("POST", "/deployments", self.DEPLOY, x_github_api_version=None), 400)
        self.api.permissions = set()
        self.assertEqual(self.status("POST", "/deployments", self.DEPLOY), 403)
        self.assertEqual(self.api.effects, [])

    def test_deployment(self):
        for change, want in (({"ref": "nope"}, 422), ({"ref": ""}, 422), ({"auto_merge": True}, 202), ({"payload": 1}, 422), ({"sha": A}, 422),
                             ({"description": "x" * 141}, 422)):
            self.assertEqual(self.status("POST", "/deployments", dict(self.DEPLOY, **change)), want, change)
        self.api.repos["acme/web"]["checks_failed"] = True
        no_contexts = {k: v for k, v in self.DEPLOY.items() if k != "required_contexts"}
        self.assertEqual(self.status("POST", "/deployments", no_contexts), 409)
        self.assertEqual(self.status("POST", "/deployments", self.DEPLOY), 201)
        self.assertEqual(len(self.api.effects), 1)

    def test_workflow(self):
        go = "/actions/workflows/a.yml/dispatches"
        for target, body, want in ((go, {"inputs": {"sha": A}}, 422), (go, {"ref": "nope", "inputs": {"sha": A}}, 422), (go, {"ref": "main"}, 422),
                                   (go, {"ref": "main", "inputs": {"sha": A, "x": "y"}}, 422), ("/actions/workflows/b.yml/dispatches", {"ref": "main"}, 404),
                                   ("/actions/workflows/no.yml/dispatches", {"ref": "main"}, 422), (go, {"ref": "main", "inputs": {"sha": A}}, 204)):
            self.assertEqual(self.status("POST", target, body), want, body)

    def test_event(self):
        for body, want in (({}, 422), ({"event_type": "x" * 101}, 422), ({"event_type": "a", "client_payload": {str(i): i for i in range(11)}}, 422),
                           ({"event_type": "a", "client_payload": {}}, 204)):
            self.assertEqual(self.status("POST", "/dispatches", body), want, body)

    def test_rerun(self):
        for number, want in ((6, 404), (8, 403), (9, 403), (7, 201)):
            self.assertEqual(self.status("POST", "/actions/runs/%d/rerun" % number, {}), want, number)
        self.assertEqual(self.ask("GET", "/actions/runs/7")[1]["run_attempt"], 2)

    def test_hooks(self):
        self.api.repos["acme/web"]["hooks"] = {12: {"url": "http://x", "secret": "s", "deliveries": [
            {"id": 100 - n, "guid": "g%d" % n, "event": "push", "at": 1000.0 - n * 86400, "status": "OK", "status_code": 202, "body": "{}"} for n in range(-40, 6)]}}
        sent = []
        self.api.post = lambda url, headers, raw: sent.append(headers) or 202
        status, first, headers = self.whole("GET", "/hooks/12/deliveries?per_page=20")
        self.assertEqual((status, len(first), first[0]["id"]), (200, 20, 140))  # of the last 3 days alone, newest first
        self.assertNotIn('rel="prev"', headers["Link"])
        target = headers["Link"].split("deliveries")[1].split(">")[0]
        second, headers = self.whole("GET", "/hooks/12/deliveries" + target)[1:]
        self.assertEqual(second[0]["id"], first[-1]["id"] - 1)
        for query, want in (("?per_page=101", 422), ("?page=2", 422), ("?cursor=2", 422), ("?cursor=v1_x", 422)):
            self.assertEqual(self.status("GET", "/hooks/12/deliveries" + query), want, query)
        for target, want in (("/hooks/12/deliveries/96/attempts", 404), ("/hooks/13/deliveries/99/attempts", 404), ("/hooks/12/deliveries/99/attempts", 202)):
            self.assertEqual(self.status("POST", target), want, target)
        self.assertEqual([h["X-GitHub-Delivery"] for h in sent], ["g1"])
        self.api.permissions = set()
        self.assertEqual(self.status("GET", "/hooks"), 403)
        self.assertEqual(self.status("GET", "/hooks/12/deliveries"), 403)

    def whole(self, method, target):
        return self.api.answer(method, "/repos/acme/web" + target, self.HEADERS, b"", 1000.0)

    def test_rate(self):
        got = [self.ask("POST", "/dispatches", {"event_type": "a"}) for _ in range(81)]
        self.assertEqual(got[79][0], 204)
        self.assertIn("secondary rate limit", got[80][1]["message"])


if __name__ == "__main__":
    unittest.main()
