"""GitHub's REST API, as far as actions use it, with its real refusals. Pure: a request in, an answer out, effects noted.

A repository: {"id": 1, "refs": {"main": sha}, "workflows": {"rollback.yml": {"inputs": ["sha"], "dispatch": true}},
"runs": {id: {"sha": …, "status": "completed", "old": false}}, "checks_failed": false, "hooks": {id: hook}}; an organisation: {"hooks": …}.
A hook: {"url", "secret", "deliveries": [{"id", "guid", "event", "at" (seconds), "status_code", "status", "body"}]}, oldest first.
"""
import hashlib
import hmac
import json
import re
import time
import urllib.parse

PER_MINUTE = 80  # requests that create something
DOCS = "https://docs.github.com/rest"


class Refused(Exception):
    def __init__(self, status, text, headers=None, **more):
        super().__init__(status, text)
        self.status, self.headers = status, headers or {}
        self.body = dict({"message": text, "documentation_url": DOCS, "status": str(status)}, **more)


def document(raw, known):
    try:
        doc = json.loads(raw.decode("utf-8")) if raw else {}
    except (UnicodeDecodeError, ValueError):
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(doc, dict):
        raise Refused(400, "Body should be a JSON object")
    if set(doc) - set(known):
        raise Refused(422, "Invalid request.\n\n%s are not permitted keys." % sorted(set(doc) - set(known)))
    return doc


def text(doc, name, most=1000, needed=True):
    value = doc.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not value:
        raise Refused(422, "Invalid request.\n\n\"%s\" wasn't supplied." % name)
    if len(value) > most or re.search(r"[\x00-\x1f\x7f]", value):
        raise Refused(422, "Validation Failed", errors=[{"field": name, "code": "invalid"}])
    return value


class GitHub:
    def __init__(self, token):
        self.token = token
        self.permissions = {"deployments", "actions", "contents", "webhooks"}
        self.scopes = None  # of a classic token
        self.repos, self.orgs, self.created, self.effects = {}, {}, [], []
        self.next_id = 700000
        self.post = lambda url, headers, raw: 0  # sends a webhook; its answer's status, 0: none

    def fresh(self):
        self.next_id += 1
        return self.next_id

    def authenticate(self, headers):
        if not headers.get("user-agent"):
            raise Refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
        if headers.get("x-github-api-version") != "2022-11-28" or headers.get("accept") != "application/vnd.github+json":
            raise Refused(400, "X-GitHub-Api-Version and Accept are wanted here")
        if headers.get("authorization") != "Bearer " + self.token:
            raise Refused(401, "Bad credentials")

    def may(self, what):
        if what not in self.permissions:
            raise Refused(403, "Resource not accessible by personal access token")

    def repo(self, name):
        if name.lower() not in self.repos:
            raise Refused(404, "Not Found")
        return self.repos[name.lower()]

    def creates(self, now):
        self.created = [t for t in self.created if now - t < 60]
        if len(self.created) >= PER_MINUTE:
            raise Refused(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", {"Retry-After": "60"})
        self.created.append(now)

    # ---- what can be asked ----

    def deployment(self, name, repo, raw):
        doc = document(raw, ["ref", "task", "auto_merge", "required_contexts", "payload", "environment", "description", "transient_environment",
                             "production_environment"])
        self.may("deployments")
        ref, env = text(doc, "ref"), text(doc, "environment", 255, False) or "production"
        payload = doc.get("payload", {})
        text(doc, "description", 140, False)
        if not isinstance(payload, (dict, str)):
            raise Refused(422, "Invalid request.\n\nFor 'anyOf/0', payload is not an object.")
        if doc.get("auto_merge", True):
            return 202, {"message": "Auto-merged main into %s on deployment." % ref}
        sha = repo["refs"].get(ref) or (ref if ref in repo["refs"].values() or ref in repo.get("commits", []) else None)
        if not sha:
            raise Refused(422, "No ref found for: " + ref)
        if doc.get("required_contexts") != [] and repo.get("checks_failed"):
            raise Refused(409, "Conflict: Commit status checks failed for %s." % ref, errors=[{"contexts": [], "resource": "Deployment",
                                                                                               "field": "required_contexts", "code": "invalid"}])
        number = self.fresh()
        self.effects.append({"what": "deployment", "repo": name, "id": number, "ref": ref, "sha": sha, "environment": env, "payload": payload,
                             "task": doc.get("task", "deploy")})
        return 201, {"id": number, "sha": sha, "ref": ref, "task": "deploy", "payload": payload, "environment": env,
                     "url": "https://api.github.com/repos/%s/deployments/%d" % (name, number)}

    def dispatch(self, name, repo, file, raw):
        doc = document(raw, ["ref", "inputs"])
        workflow = repo.get("workflows", {}).get(file)
        if not workflow:
            raise Refused(404, "Not Found")
        self.may("actions")
        ref, inputs = text(doc, "ref"), doc.get("inputs", {})
        if ref not in repo["refs"]:
            raise Refused(422, "No ref found for: " + ref)
        if not workflow.get("dispatch", True):
            raise Refused(422, "Workflow does not have 'workflow_dispatch' trigger")
        if not isinstance(inputs, dict) or len(inputs) > 10:
            raise Refused(422, "Invalid request.\n\ninputs has too many members")
        wrong = sorted(set(inputs) - set(workflow.get("inputs", [])))
        if wrong:
            raise Refused(422, "Unexpected inputs provided: %s" % json.dumps(wrong))
        for needed in workflow.get("required", []):
            if not inputs.get(needed):
                raise Refused(422, "Required input '%s' not provided" % needed)
        self.effects.append({"what": "workflow", "repo": name, "id": self.fresh(), "file": file, "ref": ref, "inputs": inputs,
                             "sha": repo["refs"][ref], "attempt": 1})
        return 204, None

    def event(self, name, repo, raw):
        doc = document(raw, ["event_type", "client_payload"])
        self.may("contents")
        kind, payload = text(doc, "event_type", 100), doc.get("client_payload", {})
        if not isinstance(payload, dict) or len(payload) > 10:
            raise Refused(422, "Invalid request.\n\nNo more than 10 properties are allowed; %d were supplied." % len(payload))
        self.effects.append({"what": "event", "repo": name, "id": self.fresh(), "event_type": kind, "payload": payload, "sha": repo["refs"]["main"]})
        return 204, None

    def run(self, name, repo, number):
        run = repo.get("runs", {}).get(int(number))
        if not run:
            raise Refused(404, "Not Found")
        return 200, {"id": int(number), "head_sha": run["sha"], "status": run["status"], "conclusion": "success", "run_attempt": run.get("attempt", 1),
                     "html_url": "https://github.com/%s/actions/runs/%s" % (name, number)}

    def rerun(self, name, repo, number):
        self.run(name, repo, number)
        self.may("actions")
        run = repo["runs"][int(number)]
        if run.get("old"):
            raise Refused(403, "Unable to retry this workflow run because it was created over a month ago")
        if run["status"] != "completed":
            raise Refused(403, "This workflow is already running")
        run["attempt"] = run.get("attempt", 1) + 1
        self.effects.append({"what": "rerun", "repo": name, "id": int(number), "sha": run["sha"], "attempt": run["attempt"]})
        return 201, {}

    # ---- the door ----

    def compare(self, name, repo, base, head):
        """repo["log"]: oldest first, {"id", "title", "author_name", "author_email", "committed_date", "files"}."""
        ids = [c["id"] for c in repo.get("log", [])]
        if base not in ids or head not in ids:
            raise Refused(404, "Not Found")
        between = repo["log"][ids.index(base) + 1:ids.index(head) + 1]
        return 200, {"status": "ahead" if between else "identical", "ahead_by": len(between), "behind_by": 0, "total_commits": len(between),
                     "commits": [{"sha": c["id"], "html_url": "https://github.com/%s/commit/%s" % (name, c["id"]), "author": None, "parents": [],
                                  "commit": {"message": c["title"] + "\n\nmore", "author": {"name": c["author_name"], "email": c["author_email"],
                                             "date": c["committed_date"]}, "committer": {"name": c["author_name"], "email": c["author_email"],
                                                                                         "date": c["committed_date"]}}} for c in between[:250]],
                     "files": [{"filename": f, "status": "modified", "additions": 1, "deletions": 1, "changes": 2, "patch": "@@"}
                               for f in sorted({f for c in between for f in c["files"]})[:300]]}

    # ---- webhooks and their deliveries ----

    def hook(self, owner, number):
        self.may("webhooks")
        if int(number) not in owner.get("hooks", {}):
            raise Refused(404, "Not Found")
        return owner["hooks"][int(number)]

    def list_hooks(self, owner, query):
        self.may("webhooks")
        size, page = self.size(query, {"page"}), int(query.get("page", 1))
        found = sorted(owner.get("hooks", {}).items())
        more = {"Link": '<https://api.github.com/x?per_page=%d&page=%d>; rel="next"' % (size, page + 1)} if len(found) > size * page else {}
        return 200, [{"type": "Repository", "id": n, "name": "web", "active": True, "events": ["push"],
                      "config": {"content_type": "json", "url": h["url"], "insecure_ssl": "0", "secret": "********"}}
                     for n, h in found[size * (page - 1):size * page]], more

    def size(self, query, known):
        if set(query) - known - {"per_page"}:
            raise Refused(422, "Validation Failed")
        size = int(query.get("per_page", 30))
        if not 1 <= size <= 100:
            raise Refused(422, "Validation Failed")
        return size

    def deliveries(self, owner, number, query, now):
        """Newest first; of a hook's last 3 days; the cursor is nobody's to guess."""
        hook, size = self.hook(owner, number), self.size(query, {"cursor", "redelivery"})
        found = [d for d in sorted(hook["deliveries"], key=lambda d: -d["id"]) if now - d["at"] < 3 * 86400]
        at = 0
        if "cursor" in query:
            m = re.fullmatch(r"v1_(\d+)", query["cursor"])
            if not m:
                raise Refused(422, "Validation Failed")
            at = next((i for i, d in enumerate(found) if d["id"] <= int(m.group(1))), len(found))
        page = found[at:at + size]
        links = []
        if at:
            links.append('<https://api.github.com/repositories/1/hooks/%s/deliveries?per_page=%d&cursor=v1_%d>; rel="prev"' % (number, size, found[0]["id"]))
        if at + size < len(found):
            links.append('<https://api.github.com/repositories/1/hooks/%s/deliveries?per_page=%d&cursor=v1_%d>; rel="next"' % (number, size, found[at + size]["id"]))
        return 200, [{"id": d["id"], "guid": d["guid"], "delivered_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(d["at"])),
                      "redelivery": d.get("redelivery", False), "duration": 0.3, "status": d["status"], "status_code": d["status_code"], "event": d["event"],
                      "action": None, "installation_id": None, "repository_id": 1, "throttled_at": None} for d in page], {"Link": ", ".join(links)} if links else {}

    def redeliver(self, owner, number, delivery, raw, now):
        hook = self.hook(owner, number)
        if raw:
            document(raw, [])
        old = next((d for d in hook["deliveries"] if d["id"] == int(delivery)), None)
        if not old or now - old["at"] >= 3 * 86400:
            raise Refused(404, "Not Found")
        body = old["body"].encode()
        code = self.post(hook["url"], {
            "Content-Type": "application/json", "X-GitHub-Event": old["event"], "X-GitHub-Delivery": old["guid"], "User-Agent": "GitHub-Hookshot/sim",
            "X-Hub-Signature-256": "sha256=" + hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()}, body)
        hook["deliveries"].append(dict(old, id=self.fresh() + 10 ** 12, at=now, redelivery=True, status_code=code, status="OK" if code // 100 == 2 else "Invalid HTTP Response: %d" % code))
        self.effects.append({"what": "redelivery", "repo": "", "id": int(delivery), "guid": old["guid"], "answered": code})
        return 202, {}, {}

    def hooks_answer(self, owner, method, rest, query, raw, now):
        """None: it is another question."""
        for verb, pattern, do in (
                ("GET", r"hooks", lambda: self.list_hooks(owner, query)), ("GET", r"hooks/(\d+)/deliveries", lambda n: self.deliveries(owner, n, query, now)),
                ("POST", r"hooks/(\d+)/deliveries/(\d+)/attempts", lambda n, d: self.redeliver(owner, n, d, raw, now))):
            found = re.fullmatch(pattern, rest)
            if found and verb == method:
                if verb == "POST":
                    self.creates(now)
                return do(*found.groups())
        return None

    def answer(self, method, target, headers, raw, now):
        """(status, body or None, headers); raises Refused. headers: names lower case."""
        self.authenticate(headers)
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query, strict_parsing=bool(split.query)))
        m = re.fullmatch(r"/orgs/([^/]+)/(.*)", split.path)
        if m:
            org = self.orgs.get(urllib.parse.unquote(m.group(1)).lower())
            answer = self.hooks_answer(org, method, m.group(2), query, raw, now) if org else None
            if not answer:
                raise Refused(404, "Not Found")
            return answer
        m = re.fullmatch(r"/repos/([^/]+)/([^/]+)", split.path)
        if m and method == "GET":  # a classic token tells its scopes in every answer, a fine-grained one tells nothing
            name = urllib.parse.unquote(m.group(1)) + "/" + urllib.parse.unquote(m.group(2))
            self.repo(name)
            return 200, {"id": 1, "full_name": name}, {} if self.scopes is None else {"X-OAuth-Scopes": ", ".join(self.scopes)}
        m = re.fullmatch(r"/repos/([^/]+)/([^/]+)/(.*)", urllib.parse.urlsplit(target).path)
        if not m:
            raise Refused(404, "Not Found")
        name, rest = urllib.parse.unquote(m.group(1)) + "/" + urllib.parse.unquote(m.group(2)), m.group(3)
        repo = self.repo(name)
        hooks = self.hooks_answer(repo, method, rest, query, raw, now)
        if hooks:
            return hooks
        routes = [
            ("POST", r"deployments", lambda: self.deployment(name, repo, raw)),
            ("POST", r"actions/workflows/([^/]+)/dispatches", lambda f: self.dispatch(name, repo, urllib.parse.unquote(f), raw)),
            ("POST", r"dispatches", lambda: self.event(name, repo, raw)),
            ("POST", r"actions/runs/(\d+)/rerun", lambda n: self.rerun(name, repo, n)),
            ("GET", r"actions/runs/(\d+)", lambda n: self.run(name, repo, n)),
            ("GET", r"compare/([^/]+)\.\.\.([^/]+)", lambda base, head: self.compare(name, repo, base, head)),
        ]
        for verb, pattern, do in routes:
            found = re.fullmatch(pattern, rest)
            if found and verb == method:
                if verb == "POST":
                    self.creates(now)
                status, body = do(*found.groups())
                return status, body, {"X-RateLimit-Remaining": "4999"}
        raise Refused(404, "Not Found")

    # ---- what its webhooks say of a run ----

    def hooks(self, effect, status, stamp, failure=None):
        """[(X-GitHub-Event, body)] of what an effect began; status: running, success, failed."""
        name = effect["repo"]
        about = {"repository": {"id": 1, "full_name": name, "html_url": "https://github.com/" + name, "default_branch": "main"},
                 "sender": {"login": "shipwatch[bot]"}, "action": "created"}
        if effect["what"] == "deployment":
            deployment = {"id": effect["id"], "sha": effect["sha"], "ref": effect["ref"], "task": effect["task"], "payload": effect["payload"],
                          "environment": effect["environment"], "creator": {"login": "shipwatch[bot]"}, "created_at": stamp}
            state = {"running": "in_progress", "success": "success", "failed": "failure"}[status]
            told = [("deployment", dict(about, deployment=deployment))] if status == "running" else []
            return told + [("deployment_status", dict(about, deployment=deployment, deployment_status={
                "id": self.fresh(), "state": state, "environment": effect["environment"], "created_at": stamp, "description": failure or "",
                "creator": {"login": "deployer"}}))]
        run = {"id": effect["id"], "run_attempt": effect.get("attempt", 1), "head_branch": "main", "head_sha": effect["sha"], "name": "Roll back",
               "path": ".github/workflows/" + effect.get("file", "rollback.yml"), "event": "workflow_dispatch", "created_at": stamp,
               "display_title": "Roll back (shipwatch-rollback-%s)" % effect.get("inputs", {}).get("rollback_id", "unknown"),
               "run_started_at": stamp, "updated_at": stamp, "html_url": "https://github.com/%s/actions/runs/%d" % (name, effect["id"]),
               "status": "in_progress" if status == "running" else "completed",
               "conclusion": {"running": None, "success": "success", "failed": "failure"}[status]}
        return [("workflow_run", dict(about, action=run["status"], workflow_run=run))]
