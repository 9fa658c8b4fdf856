#!/usr/bin/python3
"""Simulators of GitLab's and GitHub's API on one port, strict about what they are asked; what is begun posts its webhooks back.

  hosts.py --port 0 --port-file F --gitlab-token T --trigger-token T --github-token T

  /api/v4/…      GitLab
  /github/…      GitHub (api: http://127.0.0.1:PORT/github)
  GET  /seen     {"gitlab": [effects], "github": [effects], "requests": […], "refused": […]}
  POST /control  {"projects": {…}, "repos": {…}}                what there is, see gitlab_api.py and github_api.py
                 {"hooks": {"gitlab": {"url", "token"}, "github": {"url", "secret"}}}    where webhooks go; then each run tells that it runs
                 {"finish": {"host": "gitlab", "status": "success", "failure": null}}    the newest run ends so
                 {"next": [{"to": "gitlab", "method": "POST", "do": "status", "code": 429, "headers": {…}, "body": {…}}]}
                 {"scopes": ["read_api"]}, {"permissions": []}, {"github_scopes": ["repo"]}    of the tokens
                 {"orgs": {…}, "groups": {…}, "resend_window": 1}    for redelivery of webhooks

What an API can be told to do instead of answering, "times" over (1): "status", "html", "half" (an answer), "silent" (for "after" seconds),
"close". With "deliver": true it does what it was asked all the same, as one whose answer is lost.
"""
import argparse
import hashlib
import hmac
import http.server
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import github_api  # noqa: E402
import gitlab_api  # noqa: E402


class State:
    """One lock for all."""

    def __init__(self, options):
        self.lock = threading.Lock()
        self.hosts = {"gitlab": gitlab_api.GitLab(options.gitlab_token, options.trigger_token), "github": github_api.GitHub(options.github_token)}
        self.requests, self.refused, self.next, self.hooks, self.told = [], [], [], {}, 0
        for api in self.hosts.values():
            api.post = self.post

    @staticmethod
    def post(url, headers, raw):
        """A webhook again; the status it is answered with, 0: nobody is there."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, raw, headers), timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return 0

    def script_for(self, host, method):
        for i, step in enumerate(self.next):
            if step.get("to", host) == host and step.get("method", method) == method:
                step["times"] = step.get("times", 1) - 1
                if step["times"] <= 0:
                    del self.next[i]
                return step
        return None

    def asked(self, host, method, target, headers, raw):
        """The host's own answer. The lock is held."""
        api, before = self.hosts[host], len(self.hosts[host].effects)
        try:
            status, body, more = api.answer(method, target, headers, raw, time.time())
        except (gitlab_api.Refused, github_api.Refused) as r:
            self.refused.append({"host": host, "method": method, "target": target, "status": r.status, "body": r.body})
            return (r.status, r.body, r.headers), None
        return (status, body, more), api.effects[-1] if len(api.effects) > before else None

    def tell(self, host, effect, status, failure=None):
        """Posts the webhooks of a run; the lock is not held."""
        hook = self.hooks.get(host)
        if not hook or not effect:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC" if host == "gitlab" else "%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.lock:
            told = self.hosts[host].hooks(effect, status, stamp, failure)
        for event, body in told:
            with self.lock:
                self.told += 1
                number = "own-%s-%d" % (host, self.told)
            raw = json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            if host == "gitlab":
                headers.update({"X-Gitlab-Event": event, "X-Gitlab-Token": hook["token"], "Idempotency-Key": number})
            else:
                mac = hmac.new(hook["secret"].encode(), raw, hashlib.sha256).hexdigest()
                headers.update({"X-GitHub-Event": event, "X-GitHub-Delivery": number, "X-Hub-Signature-256": "sha256=" + mac})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(urllib.request.Request(hook["url"], raw, headers), timeout=30) as answer:
                answer.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body, headers=None, kind="application/json"):
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def cut(self):
        self.close_connection = True
        self.wfile.flush()
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def scripted(self, step):
        what = step.get("do")
        if what == "status":
            self.send(step["code"], step.get("body", {}), step.get("headers"))
        elif what == "html":
            self.send(200, "<html>Sign in</html>", kind="text/html")
        elif what == "half":
            self.send_response(201)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id":')
            self.cut()
        elif what == "silent":
            self.server.ending.wait(step.get("after", 60))
            self.cut()
        else:
            self.cut()

    def api(self, host, target, raw):
        state = self.server.state
        headers = {k.lower(): v for k, v in self.headers.items()}
        with state.lock:
            step = state.script_for(host, self.command)
            state.requests.append({"host": host, "method": self.command, "target": target, "body": raw.decode("utf-8", "replace"),
                                   "run": headers.get("x-ci-run-id")})
            answer, effect = state.asked(host, self.command, target, headers, raw) if not step or step.get("deliver") else (None, None)
        if effect and effect["what"] not in ("redelivery", "resend"):
            threading.Thread(target=state.tell, args=(host, effect, "running"), daemon=True).start()
        if step:
            self.scripted(step)
        else:
            self.send(*answer)

    def any(self):
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length) if length.isdigit() else 0)
        if self.path.startswith("/api/v4/"):
            self.api("gitlab", self.path, raw)
        elif self.path.startswith("/github/"):
            self.api("github", self.path[len("/github"):], raw)
        elif self.path == "/seen":
            state = self.server.state
            with state.lock:
                seen = {h: api.effects for h, api in state.hosts.items()}
                self.send(200, dict(seen, requests=state.requests, refused=state.refused))
        elif self.path == "/control" and self.command == "POST":
            self.control(json.loads(raw))
        else:
            self.send(404, {"error": "not found"})

    do_GET = do_POST = any

    def control(self, order):
        state = self.server.state
        with state.lock:
            for path, project in order.get("projects", {}).items():
                for part in ("jobs", "pipelines"):
                    project[part] = {int(n): x for n, x in project.get(part, {}).items()}
                project["hooks"] = {int(n): x for n, x in project.get("hooks", {}).items()}
                state.hosts["gitlab"].projects[path] = project
            for name, repo in order.get("repos", {}).items():
                repo["runs"] = {int(n): x for n, x in repo.get("runs", {}).items()}
                repo["hooks"] = {int(n): x for n, x in repo.get("hooks", {}).items()}
                state.hosts["github"].repos[name] = repo
            for host, kind, owners in (("github", "orgs", order.get("orgs", {})), ("gitlab", "groups", order.get("groups", {}))):
                for name, owner in owners.items():
                    getattr(state.hosts[host], kind)[name] = {"hooks": {int(n): x for n, x in owner.get("hooks", {}).items()}}
            state.hosts["gitlab"].resend_window = order.get("resend_window", state.hosts["gitlab"].resend_window)
            state.hooks.update(order.get("hooks", {}))
            state.next.extend(order.get("next", []))
            state.hosts["gitlab"].scopes = order.get("scopes", state.hosts["gitlab"].scopes)
            state.hosts["github"].permissions = set(order.get("permissions", state.hosts["github"].permissions))
            state.hosts["github"].scopes = order.get("github_scopes", state.hosts["github"].scopes)
            end = order.get("finish")
            effects = state.hosts[end["host"]].effects if end else []
        if effects:
            state.tell(end["host"], effects[-1], end.get("status", "success"), end.get("failure"))
        self.send(200, {"status": "ok"})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options):
        self.ending = threading.Event()
        super().__init__(("127.0.0.1", options.port), Handler)
        self.state = State(options)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, BrokenPipeError)):
            super().handle_error(request, client_address)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0, help="0: one that is free")
    p.add_argument("--port-file", help="the port is written there once it listens")
    p.add_argument("--gitlab-token", default="glpat-sim")
    p.add_argument("--trigger-token", default="glptt-sim")
    p.add_argument("--github-token", default="github_pat_sim")
    options = p.parse_args()
    server = Server(options)
    if options.port_file:
        with open(options.port_file, "w", encoding="ascii") as f:
            f.write("%d\n" % server.server_address[1])
    print("GitLab  http://127.0.0.1:%d\nGitHub  http://127.0.0.1:%d/github" % (server.server_address[1], server.server_address[1]), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.ending.set()


if __name__ == "__main__":
    main()
