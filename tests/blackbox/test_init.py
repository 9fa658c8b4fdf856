"""shipwatch init: what it writes works as it is, questions are asked until the answers are good, nothing is lost or half written."""
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from harness import BOUND, PROGRAM, Case, Process, built, wait_for

ROBOT = "https://oapi.dingtalk.com/robot/send?access_token=5ecre7"
GOOD = {"source": "gitlab", "repo": "acme/web", "health": "https://web.example.com/health", "channel": "dingtalk", "channel-url": ROBOT}
ALL = {"shipwatch.yaml", "rules.yaml", "secrets"}


class Init(Case):
    def run_(self, *args, **kw):
        p = subprocess.run([built(PROGRAM), *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=BOUND, cwd=self.folder.path, **kw)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def init(self, *more, **answers):
        args = [x for k, v in {**GOOD, **{k.replace("_", "-"): v for k, v in answers.items()}}.items() if v is not None for x in ("--" + k, v)]
        return self.run_("init", "--dir", "new", *args, *more)

    def good(self, *more, **answers):
        code, out, err = self.init(*more, **answers)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(self.there(), ALL)
        return out

    def bad(self, want, text, *more, **answers):
        code, out, err = self.init(*more, **answers)
        self.assertEqual((code, out), (want, ""), err)
        self.assertIn(text, err)
        self.assertFalse(os.path.exists(self.folder("new")))

    def there(self):
        return set(os.listdir(self.folder("new")))

    def read(self, *name):
        with open(self.folder("new", *name), encoding="utf-8") as f:
            return f.read()

    def strict(self):
        code, out, err = self.run_("check", "--strict", "-c", "new/shipwatch.yaml")
        self.assertEqual((code, err), (0, ""), out)
        return out

    def test_every_host_and_robot_loads_without_a_warning(self):
        secret = {"gitlab": "gitlab-token", "github": "github-secret", "gitea": "gitea-secret"}
        for source, name in secret.items():
            for channel in ("dingtalk", "wecom", "feishu", "slack", "webhook", "console"):
                shutil.rmtree(self.folder("new"), ignore_errors=True)
                out = self.good(source=source, channel=channel, channel_url=None if channel == "console" else ROBOT,
                                channel_secret="SECabc" if channel in ("dingtalk", "feishu") else None)
                self.assertIn("acme/web", self.strict())
                self.assertIn(":8080/hooks/" + source, out)
                self.assertIn("new/secrets/" + name, out)
                self.assertEqual("shipwatch send chat" in out, channel != "console")
                for said in (out, self.read("shipwatch.yaml"), self.read("rules.yaml")):
                    self.assertNotIn("5ecre7", said)
                    self.assertNotIn("SECabc", said)
                    self.assertNotIn(self.read("secrets", name), said)
        self.assertIn("Deployment events", self.good("--force"))

    def test_secrets_are_random_and_for_the_owner_only(self):
        self.good()
        first = self.read("secrets", "gitlab-token"), self.read("secrets", "ci-secret")
        self.assertEqual(stat.S_IMODE(os.stat(self.folder("new", "secrets")).st_mode), 0o700)
        self.assertEqual(set(os.listdir(self.folder("new", "secrets"))), {"gitlab-token", "ci-secret", "chat-url"})
        for name in os.listdir(self.folder("new", "secrets")):
            self.assertEqual(stat.S_IMODE(os.stat(self.folder("new", "secrets", name)).st_mode), 0o600)
        self.assertEqual(self.read("secrets", "chat-url"), ROBOT)
        shutil.rmtree(self.folder("new"))
        self.good()
        self.assertEqual(len({*first, self.read("secrets", "gitlab-token"), self.read("secrets", "ci-secret")}), 4)
        self.assertRegex(first[0], r"^[0-9a-f]{48}$")

    def test_the_rollback_example_loads_where_it_is_uncommented(self):
        for source in ("gitlab", "github", "gitea"):
            shutil.rmtree(self.folder("new"), ignore_errors=True)
            self.good(source=source)
            for name in ("shipwatch.yaml", "rules.yaml"):
                self.folder.write("new/" + name, re.sub(r"(?m)^#(?=- |  |actions:)", "", self.read(name)))
            self.folder.write("new/secrets/api-token", "0123456789abcdef0123456789")
            out = self.strict()
            self.assertIn("rollback redeploy", out)
            self.assertIn("4 rules", out)

    def test_addresses_of_repositories_are_cut_down(self):
        for given in ("https://gitlab.example.com/acme/web.git", "git@gitlab.example.com:acme/web.git", "ssh://git@gitlab.example.com:22/acme/web/",
                      "acme/web"):
            shutil.rmtree(self.folder("new"), ignore_errors=True)
            self.good(repo=given)
            self.assertIn('repo: "acme/web"', self.read("shipwatch.yaml"))

    def test_bad_answers_on_the_command_line(self):
        self.bad(2, 'did you mean "gitlab"?', source="gitlub")
        for repo in ("acme", "/", "acme/", "a b/c", "acme//web", "https://gitlab.example.com", 'a"/b', "a/${b}"):
            self.bad(2, "want the path of a repository", repo=repo)
        self.bad(2, 'want an address that begins with http:// or https://, got "web.example.com/health"', health="web.example.com/health")
        self.bad(2, "--health: ", health="https://web.example.com/${HOME}")
        self.bad(2, "--health: ", health="https://web.example.com/\nx: y")
        self.bad(2, "--health: want one line of at most 1000 bytes", health="https://web.example.com/" + "x" * 1000)
        self.bad(2, 'want dingtalk, wecom, feishu, slack, webhook or console, got "irc"', channel="irc")
        self.bad(2, "--channel-url: ", channel_url="robot")
        self.bad(2, "--channel-url: a channel of kind console has none", channel="console")
        self.bad(2, "--channel-secret: a channel of kind slack has none", channel="slack", channel_secret="x")
        self.bad(2, "want --channel, the kind", channel=None)
        self.bad(2, "there is no terminal to ask on: want --repo, --channel-url (", repo=None, channel_url=None)
        self.assertEqual(self.run_("init", "--dir", "new")[0], 2)
        self.assertFalse(os.path.exists(self.folder("new")))

    def test_files_that_are_there_stay(self):
        for name in ("shipwatch.yaml", "rules.yaml", "secrets/chat-url"):
            shutil.rmtree(self.folder("new"), ignore_errors=True)
            self.folder.write("new/" + name, "mine")
            code, _, err = self.init()
            self.assertEqual(code, 1)
            self.assertIn("new/%s is there already" % name, err)
            self.assertEqual(self.read(*name.split("/")), "mine")
            self.assertEqual(self.there(), {name.split("/")[0]})
            self.good("--force")
            self.strict()
        before = self.read("secrets", "gitlab-token")
        self.good("--force", health="https://other.example.com/")
        self.assertEqual(self.read("secrets", "gitlab-token"), before, "GitLab knows this one")
        self.assertIn("other.example.com", self.read("shipwatch.yaml"))

    def test_nothing_is_written_where_it_cannot_be_whole(self):
        self.folder.write("new/secrets", "a file, not a folder")
        code, _, err = self.init()
        self.assertEqual(code, 1)
        self.assertIn("secrets", err)
        self.assertEqual(self.there(), {"secrets"})
        shutil.rmtree(self.folder("new"))
        self.folder.write("new/secrets/gitlab-token", "\n")  # is kept, and does not load
        code, _, err = self.init()
        self.assertEqual((code, self.there()), (1, {"secrets"}))
        self.assertEqual(os.listdir(self.folder("new", "secrets")), ["gitlab-token"])
        self.assertRegex(err, r"new/shipwatch.yaml:\d+:\d+: tokens: this secret is empty; nothing was written")
        self.folder.write("file", "")
        self.assertIn("Not a directory", self.run_("init", "--dir", "file")[2])
        self.assertIn("No such file", self.run_("init", "--dir", "no/such")[2])

    def test_a_folder_that_may_not_be_written(self):
        os.mkdir(self.folder("new"), 0o555)
        kw = {}
        if os.geteuid() == 0:
            os.chmod(self.folder.path, 0o755)
            kw = {"user": 65534, "group": 65534, "extra_groups": []}
            try:
                if subprocess.run([built(PROGRAM), "version"], capture_output=True, timeout=BOUND, **kw).returncode:
                    raise OSError
            except OSError:
                raise unittest.SkipTest("nobody cannot start the program") from None
        code, out, err = self.run_("init", "--dir", "new", **kw)  # before any question
        self.assertEqual((code, out), (1, ""))
        self.assertIn("new: Permission denied", err)
        self.assertEqual(self.there(), set())

    # ---- at a terminal ----

    def at_terminal(self, typed, *args):
        """Types each answer when it is asked for; None: ends the input. Exit code and everything that was shown."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.folder.path)
            os.execv(built(PROGRAM), [PROGRAM, "init", "--dir", "new", *args])
        said, left, end, seen = "", list(typed), time.monotonic() + BOUND, 0
        try:
            while time.monotonic() < end:
                if not select.select([fd], [], [], 0.2)[0]:
                    continue
                try:
                    got = os.read(fd, 4096)
                except OSError:
                    got = b""
                if not got:
                    break
                said += got.decode("utf-8", "replace")
                while left and said.count("\n> ", seen) and said.endswith("> "):
                    seen = len(said)
                    one = left.pop(0)
                    os.write(fd, b"\x04" if one is None else one if isinstance(one, bytes) else one.encode() + b"\n")
            else:
                os.kill(pid, signal.SIGKILL)
                self.fail("it did not end: " + said)
        finally:
            os.close(fd)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual(left, [], said)
        return code, said.replace("\r\n", "\n")

    def test_questions_and_bad_answers_asked_again(self):
        code, said = self.at_terminal(["gitlub", "GitLab", "acme", "", "  https://gitlab.example.com/acme/web  ", "web/health", "https://web.example.com/health",
                                       "dingtak", "dingtalk", "robot", ROBOT, ""])
        self.assertEqual(code, 0, said)
        for text in ('did you mean "gitlab"?', 'want the path of a repository, such as acme/web, got "acme"', "want an address that begins with http",
                     'did you mean "dingtalk"?', "What is left to do"):
            self.assertIn(text, said)
        self.assertEqual(said.count("1. Where do webhooks come from"), 2)
        self.assertEqual(said.count("2. Which repository"), 3)
        self.assertEqual(self.there(), ALL)
        self.assertNotIn("chat-secret", os.listdir(self.folder("new", "secrets")))
        self.strict()

    def test_only_what_is_not_said_is_asked(self):
        code, said = self.at_terminal(["console"], "--source", "github", "--repo", "acme/web", "--health", "https://web.example.com/")
        self.assertEqual(code, 0, said)
        self.assertEqual(said.count("\n> "), 1)
        self.strict()

    def test_a_line_without_end_and_control_characters(self):
        code, said = self.at_terminal(["x" * 3000, b"git\x16\x1blab\n", "gitlab", "acme/web", "https://web.example.com/", "console"])
        self.assertEqual(code, 0, said)
        self.assertEqual(said.count("want one line of at most 1000 bytes"), 2)
        self.strict()

    def test_the_end_of_the_input_leaves_nothing(self):
        answers = ["gitlab", "acme/web", "https://web.example.com/", "feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/x"]
        for n in range(len(answers) + 1):
            code, said = self.at_terminal([*answers[:n], None])
            self.assertEqual(code, 1, said)
            self.assertIn("the input ended; nothing was written", said)
            self.assertFalse(os.path.exists(self.folder("new")))

    # ---- what was written runs ----

    def test_up_takes_a_signed_webhook(self):
        if not shutil.which("redis-server"):
            raise unittest.SkipTest("redis-server is not installed")
        self.good(channel="console", channel_url=None, health="http://127.0.0.1:9/health")
        p = self.start(Process([PROGRAM, "up", "-c", self.folder("new", "shipwatch.yaml"), "--state-dir", self.folder("state"),
                                "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"], name="up"))
        wait_for(lambda: not p.alive() or any("Ctrl-C ends everything" in line for line in p.log()), "up says what to do next", 60)
        url = re.search(r"Post webhooks to +(http://\S+)", "\n".join(p.log())).group(1)
        body = json.dumps({"object_kind": "deployment", "status": "success", "deployment_id": 1, "deployable_id": 1, "environment": "production",
                           "project": {"id": 1, "path_with_namespace": "acme/web", "web_url": "https://gitlab.example.com/acme/web"},
                           "short_sha": "a1b2c3d4", "commit_url": "https://gitlab.example.com/acme/web/-/commit/" + "a1b2c3d4" * 5, "ref": "main",
                           "user": {"username": "lin"}}).encode()

        def post(secret):
            head = subprocess.run([PROGRAM, "sign", "--kind", "gitlab", "--event", "Deployment Hook", "--secret", secret], input=body,
                                  stdout=subprocess.PIPE, check=True, timeout=BOUND).stdout.decode()
            rq = urllib.request.Request(url, body, dict(line.split(": ", 1) for line in head.splitlines()))
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(rq, timeout=BOUND) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as e:
                with e:
                    return e.code, None
        self.assertEqual(post("0" * 48)[0], 401)
        status, said = post(self.read("secrets", "gitlab-token"))
        self.assertEqual((status, said["status"]), (202, "queued"))

        def known():
            out = subprocess.run([PROGRAM, "status", "--json", "--state-dir", self.folder("state")], capture_output=True, timeout=BOUND, check=True).stdout
            return "a1b2c3d4" in json.dumps(json.loads(out)["places"].get("web/production", {}))
        wait_for(known, "the deployment is known", 60)
        p.signal(signal.SIGINT)
        self.assertEqual(p.wait(60), 0, "\n".join(p.log()))


if __name__ == "__main__":
    unittest.main()
