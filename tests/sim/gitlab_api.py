"""GitLab's REST API version 4, as far as actions use it, with its real refusals. Pure: a request in, an answer out, effects noted.

A project: {"id": 30, "head": {"main": sha}, "environment": "prod", "jobs": {id: {…}}, "pipelines": {id: {…}}, "deployments": [{…}],
"prevent_outdated": false, "variables_allowed": true, "role": 30 (of the token's user), "hooks": {id: hook}}. Jobs: name, status, pipeline, sha, environment, archived.
A group: {"id", "hooks"}. A hook: {"url", "token", "events": [{"id", "trigger", "event", "key", "body", "status"}]}, oldest first; key None: a server
before 17.4, which has no Idempotency-Key. status: "200", "503", "internal error".
"""
import json
import re
import urllib.parse

PER_MINUTE = 25


class Refused(Exception):
    def __init__(self, status, body, headers=None):
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers or {}


def message(status, text):
    return Refused(status, {"message": text})


def document(raw, content_type, known):
    """The JSON object of a body, with no member that is not known: a misspelt one would be ignored in silence."""
    if not content_type.lower().startswith("application/json"):
        raise Refused(415, {"error": "The provided content-type '%s' is not supported." % content_type})
    try:
        doc = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, ValueError):
        raise Refused(400, {"error": "Problems parsing JSON"}) from None
    if not isinstance(doc, dict) or set(doc) - set(known):
        raise Refused(400, {"error": "unexpected members %s" % sorted(set(doc) - set(known) if isinstance(doc, dict) else [])})
    return doc


def required(doc, name):
    if not isinstance(doc.get(name), str) or not doc[name]:
        raise Refused(400, {"error": "%s is missing" % name})
    return doc[name]


class GitLab:
    def __init__(self, token, trigger_token=None):
        self.token, self.trigger_token = token, trigger_token
        self.scopes, self.expires_at = ["api"], "2099-01-31"
        self.projects, self.groups, self.created, self.effects = {}, {}, [], []
        self.next_id = 9000
        self.post = lambda url, headers, raw: 0  # sends a webhook; its answer's status, 0: none
        self.resent, self.resend_window = {}, 60  # (hook) → when; seconds in which a hook is resent 5 times at most

    def fresh(self):
        self.next_id += 1
        return self.next_id

    # ---- who asks ----

    def authenticate(self, method, headers):
        token = headers.get("private-token")
        if token != self.token:
            raise message(401, "401 Unauthorized")
        if "api" not in self.scopes and not (method == "GET" and "read_api" in self.scopes):
            raise Refused(403, {"error": "insufficient_scope", "scope": "api",
                                "error_description": "The request requires higher privileges than provided by the access token."})

    def project(self, name):
        for path, project in self.projects.items():
            if name in (path, str(project["id"])):
                return path, project
        raise message(404, "404 Project Not Found")

    def job(self, project, number):
        job = project["jobs"].get(int(number))
        if not job:
            raise message(404, "404 Not Found")
        return job

    # ---- answers ----

    def present(self, path, project, number):
        job = project["jobs"][number]
        return {"id": number, "name": job["name"], "status": job["status"], "archived": job.get("archived", False),
                "commit": {"id": job["sha"], "short_id": job["sha"][:8]}, "pipeline": {"id": job["pipeline"], "project_id": project["id"]},
                "web_url": "https://gitlab.example.com/%s/-/jobs/%d" % (path, number), "artifacts": [], "user": {"username": "shipwatch"}}

    def variables(self, given, as_list):
        if as_list:
            if not isinstance(given, list) or not all(isinstance(v, dict) and set(v) == {"key", "value"} for v in given):
                raise Refused(400, {"error": "variables is invalid"})
            pairs = [(v["key"], v["value"]) for v in given]
        else:
            if not isinstance(given, dict):
                raise Refused(400, {"error": "variables is invalid"})
            pairs = list(given.items())
        if not all(isinstance(k, str) and re.fullmatch(r"[A-Za-z0-9_]{1,255}", k) and isinstance(v, str) for k, v in pairs):
            raise message(400, "variables needs to be a map of key-valued strings")
        if len({k for k, _ in pairs}) != len(pairs):
            raise message(400, {"base": ["Duplicate variable name(s)"]})
        if any(re.search(r"[\x00-\x1f\x7f]", v) or len(v.encode()) > 10000 for _, v in pairs):
            raise message(400, {"base": ["a value that no script survives"]})
        return dict(pairs)

    def create(self, path, project, ref, variables, source, now):
        if variables and not project.get("variables_allowed", True):
            raise message(400, {"base": ["Insufficient permissions to set pipeline variables"]})
        sha = project["head"].get(ref)
        if not sha:
            raise message(400, {"base": ["Reference not found"]})
        self.created = [t for t in self.created if now - t < 60]
        if len(self.created) >= PER_MINUTE:
            raise message(400, {"base": ["Too many pipelines created in the last minute. Try again later."]})
        self.created.append(now)
        number, job = self.fresh(), self.fresh()
        project["pipelines"][number] = {"ref": ref, "sha": sha, "variables": variables, "source": source}
        project["jobs"][job] = {"name": "deploy", "status": "running", "pipeline": number, "sha": sha, "environment": project.get("environment")}
        self.effects.append({"what": "pipeline", "project": path, "id": number, "job": job, "variables": variables, "ref": ref, "sha": sha})
        return 201, {"id": number, "iid": 1, "project_id": project["id"], "sha": sha, "ref": ref, "status": "created", "source": source,
                     "web_url": "https://gitlab.example.com/%s/-/pipelines/%d" % (path, number)}, {}

    def post_pipeline(self, path, project, doc, now):
        return self.create(path, project, required(doc, "ref"), self.variables(doc.get("variables", []), True), "api", now)

    def post_trigger(self, name, raw, content_type, now):
        doc = document(raw, content_type, ["token", "ref", "variables"])
        ref, token = required(doc, "ref"), required(doc, "token")
        path, project = self.project(name)
        if token != self.trigger_token:
            raise message(404, "404 Not Found")
        return self.create(path, project, ref, self.variables(doc.get("variables", {}), False), "trigger", now)

    def retry(self, path, project, number):
        job = self.job(project, number)
        newest = max(n for n, j in project["jobs"].items() if j["pipeline"] == job["pipeline"] and j["name"] == job["name"])
        if job.get("protected"):
            raise message(403, "403 Forbidden")
        if newest != int(number) or job.get("archived") or job["status"] not in ("success", "failed", "canceled") or project.get("prevent_outdated"):
            raise message(403, "403 Forbidden - Job is not retryable")
        again = self.fresh()
        project["jobs"][again] = dict(job, status="running")
        self.effects.append({"what": "retry", "project": path, "job": again, "of": int(number), "sha": job["sha"], "id": job["pipeline"],
                             "ref": "main", "variables": project["pipelines"].get(job["pipeline"], {}).get("variables", {})})
        return 201, self.present(path, project, again), {}

    def play(self, path, project, number, doc):
        job = self.job(project, number)
        variables = self.variables(doc.get("job_variables_attributes", []), True)
        if job["status"] not in ("manual", "scheduled"):
            raise message(400, "400 Bad request - Unplayable Job")
        job["status"] = "running"
        self.effects.append({"what": "play", "project": path, "job": int(number), "sha": job["sha"], "id": job["pipeline"], "ref": "main",
                             "played_with": variables, "variables": project["pipelines"].get(job["pipeline"], {}).get("variables", {})})
        return 200, self.present(path, project, int(number)), {}

    def jobs(self, path, project, pipeline, query):
        if int(pipeline) not in project["pipelines"]:
            raise message(404, "404 Not Found")
        size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
        if size > 100 or size < 1:
            raise Refused(400, {"error": "per_page does not have a valid value"})
        found = sorted((n for n, j in project["jobs"].items() if j["pipeline"] == int(pipeline)), reverse=True)
        more = len(found) > size * page
        return 200, [self.present(path, project, n) for n in found[size * (page - 1):size * page]], {
            "X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": str(page + 1) if more else ""}

    def deployments(self, project, query):
        if query.get("order_by") == "finished_at" or query.get("status") not in ("success", None):
            raise message(400, "400 Bad request - `finished_at` filter and `finished_at` sorting must be paired")
        found = [d for d in project.get("deployments", []) if d["environment"]["name"] == query.get("environment", d["environment"]["name"])]
        return 200, sorted(found, key=lambda d: -d["id"]), {}

    def compare(self, path, project, query):
        """project["log"]: oldest first, {"id", "title", "author_name", "author_email", "committed_date", "files"}."""
        for name in ("from", "to"):
            if not query.get(name):
                raise Refused(400, {"error": name + " is missing"})
        ids = [c["id"] for c in project.get("log", [])]
        if query["from"] not in ids or query["to"] not in ids:
            raise message(404, "404 Ref Not Found")
        between = project["log"][ids.index(query["from"]) + 1:ids.index(query["to"]) + 1]
        url = "https://gitlab.example.com/%s/-/commit/" % path
        return 200, {"commit": between[-1] if between else None, "compare_timeout": False, "compare_same_ref": False,
                     "commits": [dict({k: v for k, v in c.items() if k != "files"}, short_id=c["id"][:8], parent_ids=[], message=c["title"] + "\n",
                                      web_url=url + c["id"]) for c in between],
                     "diffs": [{"old_path": f, "new_path": f, "diff": "@@ -1 +1 @@\n", "new_file": False, "renamed_file": False,
                                "deleted_file": False} for f in sorted({f for c in between for f in c["files"]})]}, {}

    # ---- webhooks and their events ----

    @staticmethod
    def paged(found, query, known=()):
        if set(query) - {"page", "per_page"} - set(known):
            raise Refused(400, {"error": "unexpected parameters"})
        size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
        if not 1 <= size <= 100 or page < 1:
            raise Refused(400, {"error": "per_page does not have a valid value"})
        more = len(found) > size * page
        return found[size * (page - 1):size * page], {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": str(page + 1) if more else ""}

    def hook(self, owner, number):
        if int(number) not in owner.get("hooks", {}):
            raise message(404, "404 Not found")
        return owner["hooks"][int(number)]

    def list_hooks(self, owner, query):
        found, headers = self.paged(sorted(owner.get("hooks", {}).items()), query)
        return 200, [{"id": n, "url": h["url"], "push_events": True, "token_present": True} for n, h in found], headers

    def events(self, owner, number, query):
        """Newest first, of 7 days; the answers have whole bodies, and no time."""
        hook = self.hook(owner, number)
        found = [e for e in sorted(hook["events"], key=lambda e: -e["id"])
                 if query.get("status") in (None, e["status"], "successful" if e["status"].startswith("2") else
                                            "client_failure" if e["status"].startswith("4") else "server_failure")]
        found, headers = self.paged(found, query, ["status"])
        return 200, [{"id": e["id"], "url": hook["url"], "trigger": e["trigger"],
                      "request_headers": dict({"Content-Type": "application/json", "X-Gitlab-Event": e["event"], "X-Gitlab-Webhook-UUID": "random-%d" % e["id"],
                                               "X-Gitlab-Token": "[REDACTED]"}, **({"Idempotency-Key": e["key"]} if e["key"] else {})),
                      "request_data": json.loads(e["body"]), "response_headers": {}, "response_body": "", "execution_duration": 0.1,
                      "response_status": e["status"]} for e in found], headers

    def resend(self, owner, number, event, now):
        hook = self.hook(owner, number)
        old = next((e for e in hook["events"] if e["id"] == int(event)), None)
        if not old:
            raise message(404, "404 Not found")
        times = self.resent[int(number)] = [t for t in self.resent.get(int(number), []) if now - t < self.resend_window]
        if len(times) >= 5:
            raise Refused(429, {"message": {"error": "This endpoint has been requested too many times. Try again later."}},
                          {"Retry-After": str(max(1, int(self.resend_window - (now - times[0])) + 1))})
        times.append(now)
        headers = {"Content-Type": "application/json", "X-Gitlab-Event": old["event"], "X-Gitlab-Token": hook["token"], "User-Agent": "GitLab/18.0.0"}
        if old["key"]:
            headers["Idempotency-Key"] = old["key"]
        code = self.post(hook["url"], headers, old["body"].encode())
        hook["events"].append(dict(old, id=self.fresh() + 10 ** 6, status=str(code) if code else "internal error"))
        self.effects.append({"what": "resend", "id": int(event), "key": old["key"], "answered": code})
        if not code:
            raise message(422, "connection refused")
        return 201, {"response_status": code}, {}

    def hooks_answer(self, owner, method, rest, query, raw, now):
        """None: it is another question."""
        for verb, pattern, do in (
                ("GET", r"hooks", lambda: self.list_hooks(owner, query)), ("GET", r"hooks/(\d+)/events", lambda n: self.events(owner, n, query)),
                ("POST", r"hooks/(\d+)/events/(\d+)/resend", lambda n, e: self.resend(owner, n, e, now))):
            found = re.fullmatch(pattern, rest)
            if found and verb != method:
                raise Refused(405, {"error": "405 Not Allowed"})
            if found:
                return do(*found.groups())
        return None

    # ---- the door ----

    def answer(self, method, target, headers, raw, now):
        """(status, body, headers); raises Refused. headers: names lower case."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        m = re.fullmatch(r"/api/v4/groups/([^/]+)/(.*)", split.path)
        if m:
            self.authenticate(method, headers)
            group = self.groups.get(urllib.parse.unquote(m.group(1)))
            answer = self.hooks_answer(group, method, m.group(2), query, raw, now) if group else None
            if not answer:
                raise message(404, "404 Group Not Found")
            return answer
        if (method, split.path) == ("GET", "/api/v4/personal_access_tokens/self"):  # whatever its scopes, a token may see itself
            if headers.get("private-token") != self.token:
                raise message(401, "401 Unauthorized")
            return 200, {"id": 1, "name": "shipwatch", "revoked": False, "active": True, "scopes": self.scopes, "expires_at": self.expires_at}, {}
        m = re.fullmatch(r"/api/v4/projects/([^/]+)", split.path)
        if m and method == "GET":
            self.authenticate(method, headers)
            path, project = self.project(urllib.parse.unquote(m.group(1)))
            access = {"access_level": project["role"], "notification_level": 3} if project.get("role") else None
            return 200, {"id": project["id"], "path_with_namespace": path, "permissions": {"project_access": access, "group_access": None}}, {}
        m = re.fullmatch(r"/api/v4/projects/([^/]+)/(.*)", split.path)
        if not m:
            raise Refused(404, {"error": "404 Not Found"})
        name, rest = urllib.parse.unquote(m.group(1)), m.group(2)
        kind = headers.get("content-type", "")
        if method == "POST" and rest == "trigger/pipeline":
            return self.post_trigger(name, raw, kind, now)
        self.authenticate(method, headers)
        path, project = self.project(name)
        hooks = self.hooks_answer(project, method, rest, query, raw, now)
        if hooks:
            return hooks
        routes = [
            ("POST", r"pipeline", lambda: self.post_pipeline(path, project, document(raw, kind, ["ref", "variables"]), now)),
            ("POST", r"jobs/(\d+)/retry", lambda n: self.retry(path, project, n)),
            ("POST", r"jobs/(\d+)/play", lambda n: self.play(path, project, n, document(raw, kind, ["job_variables_attributes"]))),
            ("GET", r"jobs/(\d+)", lambda n: (200, self.present(path, project, int(n)), {}) if self.job(project, n) else None),
            ("GET", r"pipelines/(\d+)/jobs", lambda n: self.jobs(path, project, n, query)),
            ("GET", r"deployments", lambda: self.deployments(project, query)),
            ("GET", r"repository/compare", lambda: self.compare(path, project, query)),
        ]
        for verb, pattern, do in routes:
            found = re.fullmatch(pattern, rest)
            if found and verb != method:
                raise Refused(405, {"error": "405 Not Allowed"})
            if found:
                return do(*found.groups())
        raise Refused(404, {"error": "404 Not Found"})

    # ---- what its webhooks say of a run ----

    def hooks(self, effect, status, stamp, failure=None):
        """[(X-Gitlab-Event, body)] of what an effect began: a Pipeline Hook with its job, a Deployment Hook."""
        path = effect["project"]
        project, job = self.projects[path], self.projects[path]["jobs"][effect["job"]]
        about = {"id": project["id"], "path_with_namespace": path, "web_url": "https://gitlab.example.com/" + path, "default_branch": "main"}
        user = {"username": "shipwatch", "name": "Shipwatch"}
        job["status"] = status
        pipeline = {
            "object_kind": "pipeline", "project": about, "user": user, "commit": {"id": effect["sha"], "message": "whatever main is at"},
            "object_attributes": {"id": effect["id"], "ref": effect["ref"], "tag": False, "sha": effect["sha"], "status": status, "source": "api",
                                  "created_at": stamp, "variables": [{"key": k, "value": v} for k, v in effect["variables"].items()],
                                  "url": about["web_url"] + "/-/pipelines/%d" % effect["id"]},
            "builds": [{"id": effect["job"], "stage": "deploy", "name": job["name"], "status": status, "created_at": stamp, "started_at": stamp,
                        "finished_at": stamp if status in ("success", "failed") else None, "failure_reason": failure, "user": user,
                        "environment": {"name": job["environment"], "action": "start", "deployment_tier": "production"}}]}
        deployment = {
            "object_kind": "deployment", "status": status, "status_changed_at": stamp, "deployment_id": effect["job"] + 50000,
            "deployable_id": effect["job"], "environment": job["environment"], "environment_tier": "production", "project": about, "user": user,
            "deployable_url": about["web_url"] + "/-/jobs/%d" % effect["job"], "short_sha": effect["sha"][:8], "ref": effect["ref"],
            "commit_url": about["web_url"] + "/-/commit/" + effect["sha"]}
        return [("Pipeline Hook", pipeline), ("Deployment Hook", deployment)]
