"""A day at Acme in a minute, for whatever wants to look at it: builds with a trend, good and bad releases, an approval that waits, a dead
letter, a silence, hostile words; with gateway, worker, dashboard and Redis as they are.

  story.py [PORT]      plays it and goes on serving the dashboard until it is interrupted
"""
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

from harness import PROGRAM, Case, Gateway, Redis, Role, built, sign_github, sign_gitlab, sign_report, wait_for
from test_main_path import DINGTALK_SECRET, HOOK_SECRET, Robots
from test_signals import Service

GITLAB, GITHUB, CI = "gitlab-token-story", "github-secret-story", "ci-secret-story"
PASSWORD = "correct horse"

CONFIG = """
locale: %(locale)s
timezone: Asia/Shanghai
public_url: http://127.0.0.1:1
log_url: "https://logs.example.com/?q={ci_run_id}"
sources:
  gitlab: {tokens: [%(gitlab)s], silent_after: 24h}
  github: {secrets: [%(github)s]}
  ci: {kind: report, secrets: [%(ci)s]}
people:
  lin: {gitlab: lin.wei, mobile: "13800001111", wecom: LinWei}
channels:
  oncall: {kind: dingtalk, url: "%(robots)s/robot/send?access_token=T1", secret: %(dingtalk)s, mention: {critical: [deployer]}}
  release: {kind: wecom, url: "%(robots)s/cgi-bin/webhook/send?key=K1", mention: {critical: [deployer]}}
alerts: [oncall, release]
actions:
  undo: {kind: http, url: "%(robots)s/hook", secret: %(hook)s}
  undo-pay: {kind: http, url: "%(robots)s/hook", secret: %(hook)s}
defaults: {health: {every: 500ms, timeout: 400ms, grace: 500ms, background: 1s}}
services:
  web:
    repo: acme/web
    limits: {errors: 5%%}
    environments:
      prod-hz: {tier: prod, match: [{environment: prod-hz}], health: {url: "%(web)s/health", every: 500ms, timeout: 400ms, grace: 500ms, background: 1s}, metrics: {url: "%(web)s/metrics", background: 1s}, rollback: undo, rollback_limit: {30m: 100, 24h: 1000}}
      staging: {match: [{environment: staging}], health: {url: "%(web)s/health", every: 500ms, timeout: 400ms, grace: 500ms, background: 1s}}
  pay:
    repo: acme/pay
    environments: {prod: {health: {url: "%(pay)s/health", every: 500ms, timeout: 400ms, grace: 500ms, background: 1s}, rollback: undo-pay}}
  shop:
    repo: acme/shop
    environments: {prod: {health: {url: "%(shop)s/health", every: 1s, timeout: 900ms, grace: 500ms, background: 5s}}}
  ledger-reconciliation-service:
    repo: acme/ledger-reconciliation-service
    environments: {production-eu-central-1: {health: {url: "%(shop)s/health", background: 30s}}}
rules: rules.yaml
%(dashboard)s
"""
RULES = """
- name: prod-errors
  on: deploy-to-prod
  where: service == "web"
  watch: {for: 10s, every: 1s}
  if: error_rate > baseline + 2pp or error_rate > limits.errors for 3 checks
  then: [alert, rollback]
  severity: critical
  runbook: https://wiki.example.com/web-errors
- name: prod-health
  on: deploy-to-prod
  where: service == "web"
  watch: 10s
  if: health is failing for 3 checks
  then: [alert, rollback]
- name: pay-health
  on: deploy-to-prod
  where: service == "pay"
  watch: 10s
  if: health is failing for 2 checks
  then: [alert, rollback: {approve: 30m, otherwise: cancel}]
  severity: critical
- name: shop-health
  on: deploy-to-prod
  where: service == "shop"
  watch: 20m
  if: health is failing for 3 checks
  then: alert
- {name: staging-health, on: deploy-to-staging, watch: 10s, if: health is failing for 2 checks, then: alert}
- {name: main-is-red, on: pipeline-failed, if: branch == "main", then: alert, severity: info}
- {name: deploy-failed, on: deploy-failed, then: alert}
- {name: nightly-is-late, on: deploy-stuck, then: alert}
"""
OPEN = "dashboard: {listen: \"127.0.0.1:%d\"}"

HOSTILE = ("<script>window.owned = 1</script><img src=x onerror=\"window.owned = 2\"> \u202egnitset\u202c '\"><b>bold</b> &amp; {{7*7}} @all "
           "[click](javascript:window.owned=3) " + "long " * 180)
LONG_BRANCH = "feature/JIRA-12345-a-branch-name-that-nobody-should-ever-give-but-somebody-always-does-" + "x" * 60


def sha(n):
    return hashlib.sha1(b"story %d" % n).hexdigest()


def hook(kind, job, project="web", env="prod-hz", commit="", title="", user=("Lin Wei", "lin.wei"), status="success", ref="main"):
    """A GitLab Deployment Hook."""
    return json.dumps({
        "object_kind": kind, "status": status, "status_changed_at": time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime()), "deployment_id": job,
        "deployable_id": job, "deployable_url": f"https://gitlab.example.com/acme/{project}/-/jobs/{job}", "environment": env,
        "environment_slug": env, "environment_external_url": f"https://{project}.example.com",
        "project": {"id": 30, "name": project, "web_url": f"https://gitlab.example.com/acme/{project}", "namespace": "acme",
                    "path_with_namespace": f"acme/{project}", "default_branch": "main"},
        "short_sha": commit[:8], "user": {"id": 1, "name": user[0], "username": user[1]},
        "user_url": "https://gitlab.example.com/" + user[1], "commit_url": f"https://gitlab.example.com/acme/{project}/-/commit/{commit}",
        "commit_title": title, "ref": ref}).encode()


def push(project, commit, titles, ref="main", before=1):
    """A GitLab Push Hook."""
    commits = [{"id": commit if i == 0 else hashlib.sha1(f"{commit} {i}".encode()).hexdigest(), "message": t + "\n", "title": t, "timestamp": "2026-11-28T08:00:00+08:00",
                "url": f"https://gitlab.example.com/acme/{project}/-/commit/{commit}", "author": {"name": "Wang Fang", "email": "wf@example.com"},
                "added": [], "modified": ["src/cart.c"], "removed": []} for i, t in enumerate(titles)]
    return json.dumps({
        "object_kind": "push", "event_name": "push", "before": sha(before), "after": commit, "ref": "refs/heads/" + ref, "checkout_sha": commit,
        "user_id": 4, "user_name": "Lin Wei", "user_username": "lin.wei", "project_id": 30,
        "project": {"id": 30, "name": project, "web_url": f"https://gitlab.example.com/acme/{project}", "namespace": "acme",
                    "path_with_namespace": f"acme/{project}", "default_branch": "main"},
        "commits": list(reversed(commits)), "total_commits_count": len(commits)}).encode()


class Visitors(threading.Thread):
    """Somebody uses the service."""

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.over = service, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            self.service.visit(1)


class Story:
    """case: who starts and ends processes (harness.Case)."""

    def __init__(self, case, locale="en", dashboard=None, port=0):
        self.case, self.folder, self.n = case, case.folder, 0
        self.robots = Robots(case)
        self.services = {}
        for name in ("web", "pay", "shop"):
            ports = case.folder(name)
            os.makedirs(ports)
            case.folder = lambda *parts, base=ports: os.path.join(base, *parts)
            self.services[name] = Service(case, "--delay-ms", "2")
            case.folder = self.folder
        self.visitors = Visitors(self.services["web"])
        case.addCleanup(self.visitors.join)
        case.addCleanup(self.visitors.over.set)
        self.redis = case.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {
            "locale": locale, "gitlab": GITLAB, "github": GITHUB, "ci": CI, "robots": self.robots.url, "dingtalk": DINGTALK_SECRET, "hook": HOOK_SECRET,
            "web": self.services["web"].url, "pay": self.services["pay"].url, "shop": self.services["shop"].url,
            "dashboard": dashboard if dashboard is not None else OPEN % port})
        shared = ["--redis", self.redis.url]
        self.gateway = case.start(Gateway(self.config, *shared, "--state-dir", self.folder("gateway-state")))
        self.worker = case.start(Role("worker", self.config, *shared, "--state-dir", self.folder("state"), "--log-level", "debug"))
        self.dashboard_up(port)

    def dashboard_up(self, port=0):
        self.dashboard = self.case.start(Role("dashboard", self.config, "--redis", self.redis.url, "--state-dir", self.folder("dash-state"),
                                              "--listen", f"127.0.0.1:{port}"))
        self.url = "http://" + self.dashboard.wait_log(r"^listening on ")["msg"].split()[2]

    # ---- what is told ----

    def gitlab(self, body, event="Deployment Hook"):
        self.n += 1
        a = self.gateway.post("/hooks/gitlab", body, sign_gitlab(GITLAB, event, f"story-{self.n}"))
        assert a.status == 202, a
        return a.json

    def report(self, **members):
        body = json.dumps(members)
        a = self.gateway.post("/ci-report", body, sign_report(CI, body))
        assert a.status == 202, a
        return a.json

    def shipwatch(self, *args):
        done = subprocess.run([built(PROGRAM), *args, "-c", self.config, "--redis", self.redis.url], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def verdict(self, rule, verdict, n=1, bound=60):
        try:
            wait_for(lambda: len([e for e in self.worker.entries(msg=f'rule "{rule}"(: verdict| ended:) {verdict} ')]) >= n, f"{rule}: {verdict}", bound)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.worker.log()[-25:])) from None

    # ---- the scenes ----

    def builds(self):
        """Reports of a line that grows slower and better covered, of one with a failure, of one with names that nobody likes."""
        for i in range(14):
            self.report(pipeline_id=4000 + i, job_name="test", job_id=f"t{i}", exit_code=1 if i == 9 else 0, duration_ms=41000 + 2500 * i + 900 * (i % 3),
                        coverage_pct=71.5 + 0.8 * i, cpu_ms=60000, max_rss_bytes=512 << 20, repo="acme/web", branch="main", sha=sha(i), author="Wang Fang",
                        url=f"https://ci.example.com/acme/web/{4000 + i}", metrics={"bundle_kb": 410 + i, "tests": 1200 + 7 * i})
        for i in range(6):
            self.report(pipeline_id=5000 + i, job_name="test", job_id=f"p{i}", exit_code=0, duration_ms=182000 - 4000 * i, coverage_pct=88.1 - 1.1 * i, repo="acme/pay",
                        branch="main", sha=sha(100 + i), url=f"https://ci.example.com/acme/pay/{5000 + i}")
        for i in range(3):
            self.report(pipeline_id=6000 + i, job_name="build <all>", job_id=f"l{i}", exit_code=i % 2, duration_ms=900 + 150 * i,
                        repo="acme/ledger-reconciliation-service", branch=LONG_BRANCH, sha=sha(200 + i), author="<b>Bobby</b> Tables",
                        ci_run_id="gitlab.example.com/acme/ledger-reconciliation-service/" + str(6000 + i))

    def good(self):
        self.gitlab(push("web", sha(13), ["cart: count each item once", "购物车：修复优惠券重复计算"]), "Push Hook")
        self.gitlab(hook("deployment", 4013, env="staging", commit=sha(13), title="cart: count each item once"))
        self.gitlab(hook("deployment", 4113, commit=sha(13), title="cart: count each item once"))
        self.verdict("prod-health", "pass")

    def bad(self):
        """Its answers fail, its health is fine; people are told, it is taken back, and the old one runs again."""
        self.gitlab(push("web", sha(20), ["search: index new items at once"], before=13), "Push Hook")
        self.gitlab(push("web", sha(14), [HOSTILE, "checkout: ask the stock once"], before=20), "Push Hook")
        self.gitlab(hook("deployment", 4114, commit=sha(14), title=HOSTILE, user=("王芳 <wf>", "wang.fang"), ref="main"))
        self.services["web"].knob("error_pct=35")
        self.verdict("prod-errors", "fail")
        wait_for(self.robots.hooks, "the rollback begins", 90)
        self.services["web"].knob("error_pct=0")
        self.gitlab(hook("deployment", 4115, commit=sha(13), title="cart: count each item once", user=("shipwatch", "shipwatch")))

    def asked(self):
        self.gitlab(hook("deployment", 5001, project="pay", env="prod", commit=sha(104), title="pay: faster settlement"))
        self.verdict("pay-health", "pass")
        self.gitlab(hook("deployment", 5002, project="pay", env="prod", commit=sha(105), title="pay: retry on timeouts", user=("Zhao Lei", "zhao.lei")))
        self.services["pay"].knob("health=fail")
        self.verdict("pay-health", "fail")
        wait_for(lambda: "waits for approval" in self.shipwatch("status"), "a person is asked", 60)

    def going_on(self):
        self.gitlab(hook("deployment", 6001, project="shop", env="prod", commit=sha(301), title="shop: new search"))
        self.gitlab(hook("deployment", 6002, project="ledger-reconciliation-service", env="production-eu-central-1", commit=sha(302), title="ledger: 2026-12 rates",
                         status="running", ref=LONG_BRANCH))

    def trouble(self):
        """A letter that nobody can read, and two decisions."""
        self.gitlab(json.dumps([{"object_kind": "deployment", "reason": "<script>window.owned = 4</script>"}]).encode())
        self.shipwatch("silence", "add", "--service", "shop", "--for", "2h", "--why", "load test <b>until noon</b>", "--who", "Wang Fang")
        self.shipwatch("hold", "shop/prod", "--why", "stock taking", "--who", "Zhao Lei")

    def play(self):
        self.builds()
        self.good()
        self.bad()
        self.asked()
        self.going_on()
        self.trouble()

    def api(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=30) as f:
            return f.read()


class Standing(Case):
    """Nothing is tested: it plays and waits."""

    def runTest(self):
        story = Story(self, port=int(sys.argv[1]) if len(sys.argv) > 1 else 0, locale=os.environ.get("STORY_LOCALE", "en"))
        print("the dashboard is at", story.url, flush=True)
        story.play()
        print("played;", story.folder.path, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    import unittest
    unittest.TextTestRunner().run(Standing())
