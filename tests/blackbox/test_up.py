"""shipwatch up as a new user meets it: the demo breaks, is told, is taken back; Ctrl-C; the second start; what is killed comes back."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import unittest
import urllib.request

from harness import BUILD, PROGRAM, TWO_WRITES, Case, Process, Redis, built, tear, wait_for

EXAMPLE = os.path.join(BUILD, "examples", "service", "example-service")


def gone(pid):
    """Ended, or a zombie that its new parent has not looked at yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


class Up(Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("redis-server"):
            raise unittest.SkipTest("redis-server is not installed")
        self.state = self.folder("state")

    def up(self, *args, wait=True):
        p = self.start(Process([built(PROGRAM), "up", "--state-dir", self.state, "--listen", "127.0.0.1:0", *args], name="up"))
        self.known = set()
        if wait:
            def ready():
                if not p.alive():
                    raise AssertionError("up ended\n" + "\n".join(p.log()))
                return any("Ctrl-C ends everything" in line for line in p.log())
            wait_for(ready, "up says what to do next", 60)
            self.known = set(p.children())
        return p

    def demo(self, *args, still=True, **kw):
        built(EXAMPLE)
        return self.up("--dashboard", "127.0.0.1:0", *(["--still"] if still else []), *args, **kw)

    def pid_of(self, p, name):
        """Of the child of `up` whose command line has this word."""
        for pid in p.children():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if name in f.read().decode():
                        return pid
            except OSError:
                pass
        return None

    def messages(self):
        try:
            with open(os.path.join(self.state, "messages.ndjson"), encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def news(self, of=None):
        return [m["news"] for m in self.messages() if of is None or of in m["text"]]

    def curl(self, p):
        """The command that is printed, as it is printed."""
        if not shutil.which("curl"):
            raise unittest.SkipTest("curl is not installed")
        text = "\n".join(p.log())
        command = re.search(r"^  (curl (?:.*\\\n)*.*)$", text, re.M).group(1)
        before = self.prepared()
        out = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True).stdout.decode()
        self.assertIn('"status":"queued"', out)
        maybe = {before, self.prepared()}  # news may come at any moment, then the next one is prepared
        if len(maybe) == 1:
            return before
        return wait_for(lambda: next((s for s in maybe if s in json.dumps(self.status()["places"].get("demo/prod", {}))), None), "the release is known", 30)

    def prepared(self):
        """Short sha of the release that the next curl posts."""
        with open(os.path.join(self.state, "demo", "bad-release.json"), encoding="utf-8") as f:
            return json.load(f)["short_sha"]

    def another_release(self):
        """Broken as demo.sh does it, with a body of its own: the demo's may have been posted already. Its short sha."""
        path = os.path.join(self.state, "demo", "bad-release.json")
        with open(path, encoding="utf-8") as f:
            body = f.read()
        sha = os.urandom(20).hex()
        number = str(int(time.time() * 1000))
        for old, new in ((re.search(r"/commit/([0-9a-f]{40})", body).group(1), sha), (json.loads(body)["short_sha"], sha[:8]),
                         (str(json.loads(body)["deployment_id"]), number)):
            body = body.replace(old, new)
        with open(path + ".other", "w", encoding="utf-8") as f:
            f.write(body)
        with open(os.path.join(self.state, "demo", "demo.sh"), encoding="utf-8") as f:
            script = f.read().replace(path, path + ".other")
        out = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60, check=True).stdout.decode()
        self.assertIn('"status":"queued"', out)
        return sha[:8]

    def taken_back(self, sha):
        try:
            wait_for(lambda: "rollback_done" in self.news(sha), f"{sha} is taken back", 60)
        except AssertionError as e:
            raise AssertionError(f"{e}: {json.dumps(self.messages(), indent=1)}\n{json.dumps(self.status(), indent=1)}") from e
        self.assertEqual(self.news(sha).count("firing"), 1)
        self.assertEqual(self.news(sha).count("rollback_done"), 1)

    def stop(self, p, signo=signal.SIGINT):
        children = p.children()
        self.assertTrue(children)
        p.signal(signo)
        self.assertEqual(p.wait(60), 0, "\n".join(p.log()))
        self.assertEqual([pid for pid in children if not gone(pid)], [])

    def status(self):
        out = subprocess.run([PROGRAM, "status", "--json", "--state-dir", self.state], capture_output=True, timeout=60, check=True).stdout
        return json.loads(out)

    def test_the_demo_and_a_second_start(self):
        p = self.demo()
        text = "\n".join(p.log())
        self.assertRegex(text, r"Post webhooks to +http://127\.0\.0\.1:\d+/hooks/gitlab")
        page = re.search(r"Open +(http://\S+)", text).group(1)
        for name in ("gitlab-token", "report-secret", "headers"):
            self.assertEqual(os.stat(os.path.join(self.state, "demo", name)).st_mode & 0o777, 0o600)
        sha = self.curl(p)
        self.taken_back(sha)
        wait_for(lambda: any("demo/prod" in line for line in p.log()), "the message is in the terminal")
        wait_for(lambda: sha in self.get(page + "inbox"), "the message is in the inbox")
        self.assertIn(sha, self.get(page))
        wait_for(lambda: json.load(open(os.path.join(self.state, "demo", "bad-release.json"), encoding="utf-8"))["short_sha"] != sha,
                 "a new release to break is prepared")
        self.stop(p)
        with open(os.path.join(self.state, "demo", "gitlab-token"), encoding="utf-8") as f:
            token = f.read()
        p = self.demo()
        place = self.status()["places"]["demo/prod"]
        self.assertTrue(any(d.get("ev", {}).get("sha", "").startswith(sha) or sha in json.dumps(d) for d in place["deployments"]))
        with open(os.path.join(self.state, "demo", "gitlab-token"), encoding="utf-8") as f:
            self.assertEqual(f.read(), token)
        self.taken_back(self.curl(p))
        self.stop(p, signal.SIGTERM)

    def get(self, url):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return answer.read().decode()

    def test_the_demo_plays_by_itself(self):
        """Runs of CI, a good release, a bad one, its alert, the rollback, and the old one again: all of it on the dashboard."""
        p = self.demo(still=False)
        page = re.search(r"Open +(http://\S+)", "\n".join(p.log())).group(1)

        def rows(name):
            try:
                with sqlite3.connect("file:" + os.path.join(self.state, "history.db") + "?mode=ro", uri=True) as db:
                    db.row_factory = sqlite3.Row
                    return [dict(r) for r in db.execute(f"SELECT * FROM {name} ORDER BY at DESC")]
            except sqlite3.OperationalError:
                return []
        builds = wait_for(lambda: (lambda b: len(b) >= 12 and all(x["coverage"] for x in b) and b)(rows("builds")), "the runs are there")
        self.assertEqual({b["branch"] for b in builds}, {"main", "feature/new-checkout"})
        self.assertEqual([b["status"] for b in builds].count("failed"), 1)
        self.assertTrue(all(0.7 < b["coverage"] < 0.85 and b["duration_ms"] > 100000 for b in builds), builds)
        wait_for(lambda: len(rows("deployments")) == 3, "good, bad, and the good one again", 90)
        back, bad, good = rows("deployments")
        self.assertEqual((good["sha"], back["sha"], back["is_rollback"]), (good["sha"], good["sha"], 1))
        wait_for(lambda: [a["state"] for a in rows("actions")] == ["verified"], "the rollback helped", 60)
        wait_for(lambda: rows("deployments")[0]["verdict"] == "pass", "and that is seen", 60)
        self.assertEqual([d["verdict"] for d in rows("deployments")], ["pass", "fail", "pass"])
        alert = [a for a in rows("alerts") if a["rule"] == "demo-errors"][0]
        self.assertEqual((alert["state"], alert["sha"], alert["severity"]), ("resolved", bad["sha"], "critical"))
        self.assertIn("Faster checkout", self.get(page + "deployments/" + bad["deployment"]))
        inbox = self.get(page + "inbox")
        for words in ("DingTalk", "WeCom", bad["sha"][:8]):
            self.assertIn(words, inbox)
        self.stop(p)

    def test_a_deployment_nobody_claims(self):
        p = self.demo()
        with open(os.path.join(self.state, "demo", "bad-release.json"), encoding="utf-8") as f:
            body = f.read().replace("acme/demo", "acme/other").replace('"prod"', '"live: \\"x\\""')
        with open(os.path.join(self.state, "demo", "headers"), encoding="utf-8") as f:
            headers = dict(line.strip().split(": ", 1) for line in f)
        url = re.search(r"Post webhooks to +(http://\S+)", "\n".join(p.log())).group(1)
        with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=10) as answer:
            self.assertEqual(answer.status, 202)

        def said():
            out = subprocess.run([PROGRAM, "status", "--state-dir", self.state], capture_output=True, timeout=60, check=True).stdout.decode()
            return out if "No service claims" in out else None
        text = wait_for(said, "status shows it")
        self.assertIn('      repo: "acme/other"', text)
        self.assertIn('environments: {"live: \\"x\\"": ', text)
        self.assertEqual(self.status()["unclaimed"][0]["repo"], "acme/other")
        self.stop(p)

    def test_a_place_that_is_misspelt(self):
        """Told by hand of a place that no service has: recorded, neither watched nor alerted."""
        p = self.demo()
        told = subprocess.run([PROGRAM, "deploy", "demo", "production-2", "--sha", "abcdef1", "--state-dir", self.state], capture_output=True,
                              timeout=60, check=True)
        self.assertIn(b"is it configured?", told.stderr)
        place = wait_for(lambda: self.status()["places"].get("demo/production-2"), "it is recorded")
        self.assertEqual((len(place["deployments"]), place.get("watches", [])), (1, []))
        subprocess.run([PROGRAM, "deploy", "demo", "prod", "--sha", "abcdef1", "--state-dir", self.state], capture_output=True, timeout=60, check=True)
        wait_for(lambda: any(w["state"] != "done" for w in self.status()["places"]["demo/prod"]["watches"]), "the right one is watched")
        self.stop(p)

    def test_killed_in_the_middle(self):
        p = self.demo()
        sha = self.curl(p)
        for name in ("worker", "gateway", "dashboard", "redis-server", "example-service"):
            pid = self.pid_of(p, name)
            self.assertIsNotNone(pid, name)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda n=name, old=pid: self.pid_of(p, n) not in (None, old), f"{name} is started again")
        self.assertTrue(p.alive())
        # nothing is lost: the killed worker may have held the release, then another takes it over
        wait_for(lambda: sha in json.dumps(self.status()["places"].get("demo/prod", {}).get("deployments", [])), f"{sha} is known", 30)
        # the service came back well (its knobs are gone): another release is broken now that all is there again
        self.taken_back(self.another_release())
        self.stop(p)

    def test_up_killed_takes_its_children_along(self):
        p = self.demo()
        children = p.children()
        p.kill()
        wait_for(lambda: all(gone(pid) for pid in children), "all children ended")
        p = self.demo()  # waits for the lock of the former Redis if need be
        self.stop(p)

    def test_two_at_once(self):
        p = self.demo()
        q = self.demo(wait=False)
        self.assertEqual(q.wait(60), 1)
        self.assertIn('another "shipwatch up"', "\n".join(q.log()))
        self.assertTrue(p.alive())
        self.stop(p)

    def redis(self, *args):
        """A command to the Redis of `up`."""
        client = Redis.__new__(Redis)
        client.path = os.path.join(self.state, "redis", "sock")
        return client(*args)

    def test_a_torn_file(self):
        """What a power cut left of the last write is cut off whole, told, and not run by a later start either."""
        folder = os.path.join(self.state, "redis")
        p = self.demo()
        for where, running in (("between", False), ("within", True), ("exec", False)):
            with self.subTest(where):
                if where != "between":  # the worker has the file of a Redis that was started anew written anew, too: not amidst this
                    wait_for(self.rewritten, "the file is written anew", 30)
                self.redis(*TWO_WRITES)
                redis = self.pid_of(p, "redis-server")
                if running:
                    p.signal(signal.SIGSTOP)
                    os.kill(redis, signal.SIGKILL)
                    wait_for(lambda: gone(redis), "Redis ended")
                    tear(folder, where)
                    p.signal(signal.SIGCONT)
                else:
                    self.stop(p)
                    tear(folder, where)
                    p = self.demo()
                wait_for(lambda: any("ends within a write" in line for line in p.log()), "it is told", 20)
                wait_for(lambda: self.pid_of(p, "redis-server") not in (None, redis) and self.status()["workers"], "all is there again", 20)
                self.assertEqual(self.redis("EXISTS", "torn", "torn:2"), 0)
                self.redis("SET", "later", where)
                os.kill(self.pid_of(p, "redis-server"), signal.SIGKILL)
                wait_for(lambda: self.whole(where), "Redis is there again", 20)
                self.assertEqual(self.redis("EXISTS", "torn", "torn:2"), 0)
        self.stop(p)

    def rewritten(self):
        info = self.redis("INFO", "persistence").decode()
        return "aof_rewrites:0" not in info and "aof_rewrite_in_progress:0" in info

    def whole(self, where):
        try:
            return self.redis("GET", "later") == where.encode()
        except OSError:
            return False

    def test_a_corrupt_file_is_one_line_and_not_repaired(self):
        self.stop(self.demo())
        folder = os.path.join(self.state, "redis", "appendonlydir")
        path = [os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".incr.aof")][0]
        with open(path, "r+b") as f:
            f.seek(40)
            f.write(b"\xff" * 64)
        with open(path, "rb") as f:
            before = f.read()
        p = self.demo(wait=False)
        self.assertEqual(p.wait(60), 1)
        said = [line for line in p.log() if "append-only file" in line]
        self.assertEqual(len(said), 1, p.log())
        with open(path, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_with_a_configuration(self):
        path = self.folder.write("shipwatch.yaml", """
sources: {github: {secrets: [geheim]}}
channels: {console: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/health"}}}
""")
        p = self.up("-c", path)
        self.assertRegex("\n".join(p.log()), r"Post webhooks to +http://127\.0\.0\.1:\d+/hooks/github")
        self.assertTrue(p.entries(msg="listening on"))
        self.assertNotIn("Open ", "\n".join(p.log()))
        wait_for(lambda: "web/prod" in self.status()["places"], "the place is known")
        self.stop(p, signal.SIGTERM)
        with open(path, "a", encoding="utf-8") as f:
            f.write('dashboard: {listen: "127.0.0.1:0"}\n')
        p = self.up("-c", path)
        page = re.search(r"Open +(http://\S+)", "\n".join(p.log())).group(1)
        self.assertIn("web", self.get(page))
        old = self.pid_of(p, "dashboard")
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: self.pid_of(p, "dashboard") not in (None, old), "the dashboard is started again")
        self.stop(p, signal.SIGTERM)
        with socket.create_server(("127.0.0.1", 0)) as taken:  # the rest does not depend on it
            p = self.up("-c", path, "--dashboard", "127.0.0.1:%d" % taken.getsockname()[1])
            self.assertEqual(len([line for line in p.log() if "dashboard did not start" in line and "going on without it" in line]), 1, p.log())
            self.assertNotIn("Open ", "\n".join(p.log()))
            self.stop(p, signal.SIGTERM)

    def test_what_cannot_start_is_one_line(self):
        p = self.up("-c", self.folder.write("bad.yaml", "nonsense: 1\n"), wait=False)
        self.assertEqual(p.wait(60), 1)
        self.assertIn("nonsense", "\n".join(p.log()))
        self.state = self.folder("x" * 120)
        p = self.up(wait=False)
        self.assertEqual(p.wait(60), 1)
        self.assertIn("longer than", "\n".join(p.log()))
        self.state = self.folder.write("file", "")
        p = self.up(wait=False)
        self.assertEqual(p.wait(60), 1)
        self.assertEqual(len(p.log()), 1, p.log())


if __name__ == "__main__":
    unittest.main()
