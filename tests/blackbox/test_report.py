"""shipwatch report and test-health, the whole program's and the static one's: what arrives, what a command notices, and when Shipwatch is away."""
import fcntl
import json
import os
import pty
import signal
import stat
import struct
import subprocess
import termios
import time
import unittest

from ci_rig import (GITEA, GITHUB, GITLAB, GITLAB_TOKEN, HOST_SECRET, JENKINS, PROGRAMS, QUEUED, SECRET, SHA, STATIC, Away, Names, Rig, certificates)
from harness import hex_hmac, sign_gitea, sign_github, sign_gitlab, wait_for

GITLAB_HOOK = {"object_kind": "pipeline", "object_attributes": {"id": 1042, "iid": 17, "ref": "main", "tag": False, "sha": SHA, "status": "success"},
               "project": {"path_with_namespace": "acme/web", "web_url": "https://gitlab.example.com:8443/acme/web"}, "builds": []}
RUN_HOOK = {"action": "completed", "workflow_run": {"id": 1658821493, "run_attempt": 2, "head_branch": "main", "head_sha": SHA, "status": "completed",
            "conclusion": "success", "event": "push", "path": ".github/workflows/x.yml"},
            "repository": {"full_name": "acme/web", "html_url": "https://github.com/acme/web"}, "sender": {"login": "lin"}}
GITEA_HOOK = {**RUN_HOOK, "workflow_run": {**RUN_HOOK["workflow_run"], "id": 120, "run_attempt": 1},
              "repository": {"full_name": "acme/web", "html_url": "https://git.example.com:3000/acme/web"}}


class Arrives(Rig):
    def test_each_ci_and_the_webhook_of_the_same_run(self):
        self.up()
        for ci, run_id, path, hook, sign in (
                (GITLAB, "gitlab.example.com:8443/acme/web/1042", "/hooks/gitlab", GITLAB_HOOK, lambda b: sign_gitlab(GITLAB_TOKEN, "Pipeline Hook")),
                (GITHUB, "github.com/acme/web/1658821493", "/hooks/github", RUN_HOOK, lambda b: sign_github(HOST_SECRET, b, "workflow_run")),
                (GITEA, "git.example.com:3000/acme/web/120", "/hooks/gitea", GITEA_HOOK, lambda b: sign_gitea(HOST_SECRET, b, "workflow_run")),
                (JENKINS, "jenkins.example.com/acme/web/jenkins-web-main-42", None, None, None)):
            for program in PROGRAMS:
                self.use(program)
                code, out, err = self.report(self.environment(ci), "--metric", "size=12.5", "--", "sh", "-c", "exit 3")
                self.assertEqual((code, out, err), (3, "", ""))
                ev, = self.wait_stored(1)
                self.assertEqual((ev["ci_run_id"], ev["sha"], ev["branch"], ev["repo"], ev["exit_code"], ev["kind"]), (run_id, SHA, "main", "acme/web", 3, "report"))
                self.assertNotIn("ci_run_alias", ev)
                self.assertEqual(ev["metrics"], {"size": 12.5})
            if path:
                body = json.dumps(hook)
                self.assertEqual(self.gateway.post(path, body, sign(body)).status, 202)
                self.assertEqual(self.wait_stored(1)[0]["ci_run_id"], run_id)

    def test_a_deployment_that_begins_and_ends(self):
        self.up()
        code, out, _ = self.report(self.environment(GITHUB), "--environment", "prod", "--service", "web", "--version", "1.2", "--phase", "started", "--",
                                   "sh", "-c", "echo $CI_RUN_ID; sleep 0.3")
        self.assertEqual((code, out), (0, "github.com/acme/web/1658821493\n"))
        began, ended = self.wait_stored(2)
        self.assertEqual((began["status"], ended["status"], ended["environment"], ended["version"]), ("running", "success", "prod", "1.2"))
        self.assertGreaterEqual(ended["duration_ms"], 300)
        place = wait_for(lambda: self.redis("HGET", "{sw}:place:web/prod", "s"), "the place is there")
        deps = json.loads(wait_for(lambda: (lambda s: s if b'"success"' in s else None)(self.redis("HGET", "{sw}:place:web/prod", "s")), "it was deployed", 20))
        self.assertEqual(len(deps["deployments"]), 1, "both are one deployment")
        self.assertIn(SHA.encode(), place)

    def test_the_report_and_the_hooks_of_a_job_are_one_deployment(self):
        self.up()
        self.assertEqual(self.report(self.environment(GITLAB, CI_ENVIRONMENT_NAME="prod", CI_ENVIRONMENT_ACTION="start"), "--phase", "started", "--", "true")[0], 0)
        hook = json.dumps({"object_kind": "build", "ref": "main", "tag": False, "sha": SHA, "build_id": 99001, "build_name": "deploy", "build_status": "success",
                           "build_started_at": "2026-09-21 08:00:00 UTC", "build_finished_at": "2026-09-21 08:01:00 UTC", "pipeline_id": 1042,
                           "environment": {"name": "prod", "action": "start"}, "project": GITLAB_HOOK["project"]})
        self.assertEqual(self.gateway.post("/hooks/gitlab", hook, sign_gitlab(GITLAB_TOKEN, "Job Hook")).status, 202)
        self.wait_stored(3)
        prepared = self.environment({**GITLAB, "CI_JOB_ID": "99002", "CI_JOB_NAME": "prepare"}, CI_ENVIRONMENT_NAME="prod", CI_ENVIRONMENT_ACTION="prepare")
        self.assertEqual(self.report(prepared, "--", "true")[0], 0)
        self.assertNotIn("environment", self.wait_stored(1)[0])
        wait_for(lambda: self.redis("XPENDING", "{sw}:work", "w")[0] == 0 and self.redis("XLEN", "{sw}:work") == 0, "all facts are stepped")
        place = json.loads(self.redis("HGET", "{sw}:place:web/prod", "s"))
        self.assertEqual(len(place["deployments"]), 1)

    def test_what_is_measured(self):
        self.up()
        eat = "x = bytearray(80 << 20)\nimport time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
        for program in PROGRAMS:
            self.use(program)
            self.assertEqual(self.report(self.environment(GITLAB), "--", "/usr/bin/python3", "-c", eat)[0], 0)
            ev, = self.wait_stored(1)
            self.assertGreaterEqual(ev["cpu_ms"], 400)
            self.assertGreaterEqual(ev["duration_ms"], 400)
            self.assertGreaterEqual(ev["max_rss_bytes"], 80 << 20)
            self.assertGreater(ev["finished_at"], ev["started_at"])

    def test_the_end_of_a_job_without_a_command(self):
        self.up()
        env = self.environment(GITLAB, CI_JOB_STATUS="failed", CI_ENVIRONMENT_NAME="prod", CI_ENVIRONMENT_ACTION="start")
        code, out, err = self.report(env)
        self.assertEqual((code, out, err), (0, "reported gitlab.example.com:8443/acme/web/1042\n", ""))
        ev, = self.wait_stored(1)
        self.assertEqual((ev["status"], ev["exit_code"], ev["environment"], ev["job_id"]), ("failed", 1, "prod", "99001"))
        self.assertGreater(ev["duration_ms"], 0)
        self.assertEqual(self.report(self.environment(GITHUB), "-q", "--exit-code", "0")[:2], (0, ""))
        self.wait_stored(1)
        for args in ((), ("--exit-code", "0", "--", "true"), ("--",), ("make",), ("--exit-code", "256"), ("--field", "x"), ("--metric", "x=y"),
                     ("--timeout", "5"), ("--coverage", "x") * 257, ("--metric", "x=1") * 257, ("--phase", "over"), ("--url", "example.com", "--exit-code", "0")):
            code, out, err = self.report(self.environment(GITHUB), *args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertIn("usage: shipwatch report", err)

    def test_coverage(self):
        self.up()
        files = {"lcov.info": "TN:\nSF:a.c\nDA:1,1\nDA:2,0\nDA:3,1\nDA:4,1\nend_of_record\n", "coverage.xml": '<?xml version="1.0"?><coverage line-rate="0.875">',
                 "go.out": "mode: set\na.go:1.1,2.2 1 1\na.go:3.1,4.2 1 0\n"}
        for name, text in files.items():
            self.folder.write(name, text)
        for program in PROGRAMS:
            self.use(program)
            for files, want in ((["lcov.info"], 0.75), (["coverage.xml"], 0.875), (["go.out"], 0.5), (["lcov.info", "go.out"], 4 / 6)):
                args = [x for f in files for x in ("--coverage", f)]
                self.assertEqual(self.report(self.environment(GITLAB), *args, "--", "true"), (0, "", ""))
                self.assertAlmostEqual(self.wait_stored(1)[0]["coverage"], want, 5)
            # made by the command itself
            self.assertEqual(self.report(self.environment(GITLAB), "--coverage", "new.out", "--", "sh", "-c", "cp go.out new.out")[0], 0)
            self.assertAlmostEqual(self.wait_stored(1)[0]["coverage"], 0.5)
            os.unlink(self.folder("new.out"))
            for strict, code in (((), 0), (("--strict",), 1)):
                got, _, err = self.report(self.environment(GITLAB), *strict, "--coverage", "rules.yaml", "--coverage", "none", "--", "true")
                self.assertEqual(got, code)
                self.assertIn("no coverage: rules.yaml: neither lcov", err)
                self.assertIn("no coverage: none: No such file", err)
                self.assertNotIn("coverage", self.wait_stored(1)[0])

    def test_a_large_file_is_read_in_a_stream(self):
        self.url = "http://127.0.0.1:1"
        self.folder.write("big.sh", 'printf "SF:a\\n"; yes "FN:1,an_uninteresting_line_of_some_length" | head -c 300000000; printf "\\nDA:1,1\\n"')
        for program in PROGRAMS:
            self.use(program)
            os.mkfifo(self.folder("fifo"))
            writer = subprocess.Popen(["sh", "-c", f"sh {self.folder('big.sh')} > {self.folder('fifo')}"])
            self.addCleanup(writer.wait)
            p = subprocess.Popen([program, "report", "--dry-run", "--exit-code", "0", "--coverage", self.folder("fifo")], env=self.environment(GITLAB),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = p.stdout.read(), p.stderr.read()
            _, status, used = os.wait4(p.pid, 0)
            p.stdout.close()
            p.stderr.close()
            p.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual((status, err), (0, b""))
            self.assertIn(b'"coverage_pct":100', out)
            self.assertLess(used.ru_maxrss, 60 << 10, "KiB")
            os.unlink(self.folder("fifo"))

    def test_dry_run_and_fields(self):
        env = self.environment(GITLAB, url="https://user.example.com/base/")
        for program in PROGRAMS:
            self.use(program)
            code, out, err = self.report(env, "--dry-run", "--field", "job_name=other", "--field", "sha=", "--field", "note=a \"b\"\n", "--field", "attempt=3", "--",
                                         "sh", "-c", "kill -TERM $$")
            self.assertEqual((code, err), (143, ""))
            head, body = out.split("\n\n")
            self.assertIn("POST https://user.example.com/base/ci-report\n", head)
            self.assertIn("X-Shipwatch-Signature: sha256=…", head)
            doc = json.loads(body)
            self.assertEqual((doc["job_name"], doc["note"], doc["attempt"], doc["signal"], doc["exit_code"]), ("other", 'a "b"\n', 3, "SIGTERM", 143))
            self.assertNotIn("sha", doc)
            out = self.report({"PATH": env["PATH"]}, "--dry-run", "--exit-code", "0", "--field", "pipeline_id=1", "--field", "job_name=x")[1]
            self.assertIn("(no --url)", out)
            self.assertIn("(no secret)", out)


class Command(Rig):
    """What a command notices of being run under it: nothing."""

    def setUp(self):
        super().setUp()
        self.server = Away(self, QUEUED)
        self.env = self.environment(GITLAB, url=self.server.url)

    def each(self):
        for program in PROGRAMS:
            self.use(program)
            self.server.seen.clear()
            yield program

    def sent(self):
        path, headers, body = self.server.seen[-1]
        self.assertEqual(path, "/ci-report")
        at = headers["X-Shipwatch-Timestamp"]
        self.assertLess(abs(int(at) - time.time()), 60)
        self.assertEqual(headers["X-Shipwatch-Signature"], "sha256=" + hex_hmac(SECRET, at.encode() + b"." + body))
        return json.loads(body)

    def test_exit_codes(self):
        for _ in self.each():
            for command, want in ((["true"], 0), (["sh", "-c", "exit 1"], 1), (["sh", "-c", "exit 255"], 255), (["sh", "-c", "kill -KILL $$"], 137),
                                  (["sh", "-c", "kill -SEGV $$"], 139), (["nonsense-command"], 127), (["/"], 126), (["/etc/passwd/x"], 127)):
                code, _, _ = self.report(self.env, "--", *command)
                self.assertEqual((code, self.sent()["exit_code"]), (want, want), command)
            self.assertEqual(self.report(self.env, "--strict", "--", "sh", "-c", "exit 9")[0], 9)

    def test_streams_and_arguments_pass(self):
        data = bytes(range(256)) * 4000
        for program in self.each():
            p = subprocess.run([program, "report", "--", "sh", "-c", 'cat; printf "%s|" "$@" >&2', "sh", "-x", "--", "", "a b"], env=self.env, input=data,
                               capture_output=True, timeout=60, check=False)
            self.assertEqual((p.returncode, p.stdout, p.stderr), (0, data, b"-x|--||a b|"))

    def test_no_secret_for_the_command(self):
        look = "tr '\\0' '\\n' < /proc/$PPID/environ; tr '\\0' ' ' < /proc/$PPID/cmdline; env; ls -l /proc/$$/fd"
        for _ in self.each():
            self.folder.write("secret", SECRET + "\n")
            env = {**self.env, "SHIPWATCH_SECRET": ""}
            for e, args in ((self.env, ()), (env, ("--secret-file", self.folder("secret")))):
                code, out, _ = self.report(e, *args, "--phase", "started", "--", "sh", "-c", look) # job() looks for the secret in it
                self.assertEqual(code, 0)
                self.assertNotIn("SHIPWATCH_SECRET=c", out)
                self.assertEqual(out.count("socket:"), 0)
                self.sent()

    def test_sigpipe_and_ignored_signals_are_as_they_were(self):
        for program in self.each():
            for ignored in ((), (signal.SIGPIPE,), (signal.SIGHUP, signal.SIGCHLD)):
                def ignore(which=ignored):
                    for s in (signal.SIGPIPE, signal.SIGHUP):
                        signal.signal(s, signal.SIG_DFL)
                    for s in which:
                        signal.signal(s, signal.SIG_IGN)
                p = subprocess.run([program, "report", "--phase", "started", "--", "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"], env=self.env,
                                   capture_output=True, timeout=60, preexec_fn=ignore, restore_signals=False, check=False)
                bits = {k: int(v, 16) for k, v in (line.split(":") for line in p.stdout.decode().splitlines())}
                self.assertEqual(p.returncode, 0)
                self.assertEqual(bits["SigBlk"], 0)
                for s in (signal.SIGPIPE, signal.SIGHUP):
                    self.assertEqual(bool(bits["SigIgn"] >> (s - 1) & 1), s in ignored, s)

    def wait_text(self, path, text):
        def there():
            try:
                with open(path, encoding="ascii") as f:
                    return text in f.read()
            except OSError:
                return False
        wait_for(there, f"{path} has {text}")

    def test_signals_are_passed_on(self):
        for program in self.each():
            for signo, name in ((signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1")):
                mark = self.folder("mark")
                script = f"trap 'echo {name} >> {mark}; exit 7' {name}; echo ready > {mark}; while :; do sleep 0.05; done"
                p = subprocess.Popen([program, "report", "--", "sh", "-c", script], env=self.env)
                self.wait_text(mark, "ready")
                p.send_signal(signo)
                self.assertEqual(p.wait(30), 7)
                with open(mark, encoding="ascii") as f:
                    self.assertEqual(f.read(), f"ready\n{name}\n")
                self.assertEqual(self.sent()["exit_code"], 7)
                os.unlink(mark)
            p = subprocess.Popen([program, "report", "--", "sh", "-c", f"echo ready > {mark}; exec sleep 60"], env=self.env)
            self.wait_text(mark, "ready")
            p.send_signal(signal.SIGTERM)
            self.assertEqual((p.wait(30), self.sent()["signal"]), (143, "SIGTERM"))
            os.unlink(mark)

    def test_a_terminals_interrupt_is_the_terminals(self):
        """^C goes to the foreground group: to the command once, not by us again; and not at all to one that left the group."""
        watch = """
import os, signal, sys
if sys.argv[2] == "apart":
    os.setpgid(0, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
with open(sys.argv[1], "w") as f:
    f.write("ready")
got = []
while len(got) < 2 and (one := signal.sigtimedwait([signal.SIGINT], 1 if got or sys.argv[2] == "apart" else 30)):
    got.append(one.si_code)
sys.exit(100 + len(got) if all(code > 0 for code in got) else 99)
"""
        for program in self.each():
            for where, want in (("together", 101), ("apart", 100)):
                master, slave = pty.openpty()
                mark = self.folder("mark")

                def own_terminal(fd=slave):
                    os.setsid()
                    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
                p = subprocess.Popen([program, "report", "--", "/usr/bin/python3", "-c", watch, mark, where], env=self.env, stdin=slave, stdout=slave, stderr=slave,
                                     preexec_fn=own_terminal)
                self.wait_text(mark, "ready")
                os.write(master, b"\x03")
                self.assertEqual((p.wait(60), self.sent()["exit_code"]), (want, want), where)
                os.unlink(mark)
                os.close(master)
                os.close(slave)


class Trouble(Rig):
    """Shipwatch is away, or says no: one line, the command's exit code, within the time."""

    def try_(self, url, *args, want=0, code=4, bound=20, env=None):
        began = time.monotonic()
        got, out, err = self.report(env or self.environment(GITLAB, url=url), *args, "--", "sh", "-c", f"echo out; exit {code}")
        self.assertEqual((got, out), (want or code, "out\n"), err)
        self.assertLess(time.monotonic() - began, bound)
        self.assertLessEqual(len(err.splitlines()), 1, err)
        return err

    def test_nobody_answers(self):
        for program in PROGRAMS:
            self.use(program)
            began = time.monotonic()
            err = self.try_("http://127.0.0.1:1", "--timeout", "2s")
            self.assertIn("the report was not taken: http://127.0.0.1:1/ci-report: ", err)
            self.assertIn("tries in", err)
            self.assertIn("going on without it", err)
            self.assertLess(time.monotonic() - began, 5)
            self.try_("http://127.0.0.1:1", "--timeout", "1s", "--phase", "started")
            self.assertIn("cannot resolve", self.try_("http://no.such.invalid", "--timeout", "1s"))
            self.try_("http://127.0.0.1:1", "--timeout", "300ms", "--strict", code=0, want=1)
            self.try_("http://127.0.0.1:1", "--timeout", "300ms", "--strict")  # 4 stays 4
            self.assertEqual(self.report(self.environment(GITLAB, url="http://127.0.0.1:1"), "--timeout", "300ms", "--exit-code", "0")[0], 0)

    def test_without_address_or_secret(self):
        for program in PROGRAMS:
            self.use(program)
            env = self.environment(GITLAB, url="http://127.0.0.1:1", secret="")
            self.assertIn("say a secret", self.try_(None, env=env))
            self.assertIn("say a secret", self.try_(None, env={**env, "SHIPWATCH_SECRET": ""}))
            self.assertIn("say where to", self.try_(None, env={**env, "SHIPWATCH_URL": ""}))
            self.assertIn("SHIPWATCH_URL: \"sw.example.com\" is no URL", self.try_(None, env={**env, "SHIPWATCH_URL": "sw.example.com"}))
            self.assertEqual(self.report({**env, "SHIPWATCH_URL": "sw.example.com"}, "--strict", "--", "true")[0], 1)
            self.assertIn("none: No such file", self.report(env, "--secret-file", "none", "--", "true")[2])
            bare = {k: v for k, v in self.environment({}, url="http://127.0.0.1:1").items()}
            self.assertIn("no CI that is known here", self.try_(None, env=bare))
            self.assertIn("pipeline_id: is missing", self.try_(None, env=bare))

    def test_answers(self):
        cases = (
            ((401, '{"error":"no"}', {}), 1, "HTTP 401: the secret is not one of the source's"),
            ((400, '{"error":"duration_ms: want a number"}', {}), 1, "HTTP 400: duration_ms: want a number"),
            ((404, "<html>", {}), 1, "HTTP 404 (1 try"),
            ((302, "", {"Location": "/login"}), 1, "sends on to another address"),
            ((200, "<html>hello", {}), 1, "not in Shipwatch's words"),
            ((200, '{"status":"duplicate"}', {}), 1, ""),
            ((500, "", {}), 3, "HTTP 500 ("),
            ((503, '{"error":"neither Redis nor spool"}', {"Retry-After": "60"}), 1, "HTTP 503: neither Redis nor spool (1 try"),
            ((429, "", {"Retry-After": "1"}), 2, "HTTP 429 ("),
        )
        for program in PROGRAMS:
            self.use(program)
            for answer, tries, text in cases:
                server = Away(self, answer)
                err = self.try_(server.url, "--timeout", "2s")
                self.assertIn(text, err) if text else self.assertEqual(err, "")
                self.assertGreaterEqual(len(server.seen), tries, answer)
                self.assertLessEqual(len(server.seen), tries + 2, answer)

    def test_it_comes_back_in_time(self):
        for program in PROGRAMS:
            self.use(program)
            server = Away(self, (503, "", {}), (502, "", {}), QUEUED)
            self.assertEqual(self.try_(server.url), "")
            self.assertEqual(len(server.seen), 3)
            self.assertEqual(len({body for _, _, body in server.seen}), 1, "the same report each time")

    def test_what_pasting_leaves_behind(self):
        for program in PROGRAMS:
            self.use(program)
            server = Away(self, QUEUED)
            self.assertEqual(self.try_(None, env=self.environment(GITLAB, url=server.url + " \n", secret=SECRET + "\r\n")), "")
            _, headers, body = server.seen.pop()
            self.assertEqual(headers["X-Shipwatch-Signature"], "sha256=" + hex_hmac(SECRET, headers["X-Shipwatch-Timestamp"].encode() + b"." + body))

    def test_the_beginning_alone_is_lost(self):
        for program in PROGRAMS:
            self.use(program)
            server = Away(self, (400, "{}", {}), QUEUED)
            err = self.try_(server.url, "--phase", "started")
            self.assertIn("the report that it begins was not taken: ", err)
            self.assertEqual([json.loads(b).get("phase") for _, _, b in server.seen], ["started", None])

    def test_by_ipv6(self):
        try:
            server = Away(self, QUEUED, host="::1")
        except OSError:
            self.skipTest("no IPv6 here")
        for program in PROGRAMS:
            self.use(program)
            self.assertEqual(self.try_(server.url), "")
            self.assertEqual(server.seen.pop()[1]["Host"], f"[::1]:{server.server_port}")

    def test_others_that_are_no_gateway(self):
        def silent(handler):
            time.sleep(3)
            handler.close_connection = True

        def cut(handler):
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{\"status\":")
            handler.close_connection = True

        def noise(handler):
            handler.wfile.write(os.urandom(100000))
            handler.close_connection = True
        for program in PROGRAMS:
            self.use(program)
            for what in (silent, cut, noise):
                server = Away(self, (0, what, {}))
                self.assertIn("the report was not taken", self.try_(server.url, "--timeout", "1s", bound=10))

    def test_tls(self):
        ca, good, other = certificates(self.folder)
        for program in PROGRAMS:
            self.use(program)
            server = Away(self, QUEUED, tls=good)
            self.assertEqual(self.try_(server.url, "--ca-file", ca), "")
            self.assertEqual(self.try_(server.url.replace("127.0.0.1", "localhost"), "--ca-file", ca), "")
            self.assertEqual(len(server.seen), 2)
            self.assertRegex(self.try_(server.url, "--timeout", "5s"), r"certificate.*\(1 try")
            self.assertRegex(self.try_(server.url, "--ca-file", self.folder("none"), "--timeout", "5s"), r"not taken.*none.*\(1 try")
            self.assertEqual(len(server.seen), 2)
            wrong = Away(self, QUEUED, tls=other)
            for url in (wrong.url, wrong.url.replace("127.0.0.1", "localhost")):
                self.assertRegex(self.try_(url, "--ca-file", ca, "--timeout", "5s"), r"(?i)(mismatch|does not match|alternative).*\(1 try")
            self.assertEqual(wrong.seen, [])
            plain = Away(self, QUEUED)
            self.assertIn("not taken", self.try_(plain.url.replace("http:", "https:"), "--ca-file", ca, "--timeout", "500ms"))

    def test_proxies(self):
        ca, good, _ = certificates(self.folder)
        for program in PROGRAMS:
            self.use(program)
            proxy, secure = Away(self, QUEUED), Away(self, QUEUED, tls=good)
            env = self.environment(GITLAB, url="http://sw.example.invalid:1234", http_proxy=proxy.url.replace("//", "//lin:pa%20ss@"))
            self.assertEqual(self.try_(None, env=env), "")
            path, headers, _ = proxy.seen.pop()
            self.assertEqual(path, "http://sw.example.invalid:1234/ci-report")
            self.assertEqual(headers["Proxy-Authorization"], "Basic bGluOnBhIHNz")
            self.assertEqual(self.try_(secure.url, "--ca-file", ca, "--proxy", proxy.url), "")
            self.assertEqual([p for p, _, _ in proxy.seen], ["127.0.0.1:%d" % secure.server_port])
            self.assertEqual(len(secure.seen), 1)
            env = self.environment(GITLAB, url=secure.url, https_proxy="http://127.0.0.1:1", no_proxy="127.0.0.1")
            self.assertEqual(self.try_(None, "--ca-file", ca, env=env), "")
            self.assertEqual(len(secure.seen), 2)


class Health(Rig):
    def ask(self, want, text, *args):
        for program in PROGRAMS:
            code, out, err = self.job([program, "test-health", *args], {"PATH": "/bin"})
            self.assertEqual(code, want, (program, args, out, err))
            self.assertIn(text, out + err)
            self.assertLessEqual(len((out + err).splitlines()), 1 if want < 2 else 2)
        return out + err

    def test_answers(self):
        ok = lambda **kw: (200, json.dumps({"status": "ok", "commit": SHA, **kw}), {})
        url = Away(self, ok()).url + "/health"
        self.ask(0, "healthy", url)
        self.ask(0, f"healthy, commit {SHA}", url, "--expect-commit", SHA)
        self.ask(0, "healthy", url, "--expect-commit", SHA[:7].upper())
        self.ask(1, f"as commit {SHA}, not 9999999", url, "--expect-commit", "9999999")
        self.ask(1, "/status is ok, want well", url, "--expect", "/status=well")
        self.ask(0, "healthy", url.replace("http://", "http://lin:geheim@"))
        self.assertNotIn("geheim", self.ask(1, "want well", url.replace("http://", "http://lin:geheim@"), "--expect", "/status=well"))
        self.ask(1, "(none said)", Away(self, ok(commit=None)).url, "--expect-commit", SHA)
        self.ask(1, "HTTP status 503", Away(self, (503, "{}", {})).url)
        self.ask(1, "HTTP status 302", Away(self, (302, "", {"Location": "http://elsewhere.example.com/"})).url)
        self.ask(0, "healthy", Away(self, (301, "", {"Location": "/health"}), ok(), (301, "", {"Location": "/health"}), ok()).url)
        self.ask(1, "127.0.0.1", "http://127.0.0.1:1/")
        self.ask(1, "cannot resolve", "http://no.such.invalid/")
        for args, text in (((url, "--expect-commit", "abc"), "7 digits"), ((url, "--expect", "status"), "JSON Pointer"), ((url, "--commit-at", "commit"), "JSON Pointer"),
                           (("example.com",), "no URL"), ((url, "--interval", "1ms"), "out of range"), ((url, "--wait", "5"), "length of time")):
            self.ask(2, text, *args)

    def test_it_waits_for_the_new_version(self):
        old, new = (200, '{"commit":"1111111"}', {}), (200, json.dumps({"commit": SHA}), {})
        for program in PROGRAMS:
            server = Away(self, (503, "", {}), old, old, new)
            code, out, err = self.job([program, "test-health", server.url, "--expect-commit", SHA, "--wait", "30s", "--interval", "20ms"], {})
            self.assertEqual((code, out, err), (0, f"{server.url}: healthy, commit {SHA}\n", ""))
            self.assertEqual(len(server.seen), 4)
            began = time.monotonic()
            code, _, err = self.job([program, "test-health", Away(self, old).url, "--expect-commit", SHA, "--wait", "400ms", "--interval", "100ms"], {})
            self.assertEqual(code, 1)
            self.assertRegex(err, r"^\S+: it answers, but as commit 1111111, not \w+ \(asked [2-6] times in 0\.\d s\)\n$")
            self.assertLess(time.monotonic() - began, 5)

    def test_a_service_that_does_not_answer(self):
        def silent(handler):
            time.sleep(2)
            handler.close_connection = True
        began = time.monotonic()
        self.ask(1, "", Away(self, (0, silent, {})).url, "--timeout", "100ms", "-q")
        self.assertLess(time.monotonic() - began, 2 * len(PROGRAMS))


@unittest.skipUnless(os.access(STATIC, os.X_OK), "shipwatch-report is not built")
class Static(Rig):
    def test_it_names_no_library(self):
        with open(STATIC, "rb") as f:
            data = f.read()
        self.assertEqual(data[:5], b"\x7fELF\x02")
        at, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
        kinds = [struct.unpack_from("<I", data, at + i * size)[0] for i in range(count)]
        self.assertNotIn(3, kinds, "PT_INTERP: a loader is asked for")
        for i in range(count):
            if kinds[i] == 2:  # PT_DYNAMIC of a static-pie: no DT_NEEDED in it
                start, length = struct.unpack_from("<Q", data, at + i * size + 8)[0], struct.unpack_from("<Q", data, at + i * size + 32)[0]
                self.assertNotIn(1, [struct.unpack_from("<q", data, start + k)[0] for k in range(0, length, 16)])

    def test_an_empty_root(self):
        """Nothing in it but the program, and what names and authorities are asked of."""
        ca, good, _ = certificates(self.folder)
        root = self.folder("root")
        os.makedirs(os.path.join(root, "etc"))
        with open(STATIC, "rb") as src, open(os.path.join(root, "shipwatch"), "wb") as dst:
            dst.write(src.read())
        os.chmod(os.path.join(root, "shipwatch"), stat.S_IRWXU)
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        enter = ["chroot", root] if os.getuid() == 0 else ["unshare", "-r", "chroot", root]
        if os.getuid() != 0 and self.job(["unshare", "-r", "true"], path)[0] != 0:
            self.skipTest("neither root nor name spaces of users")
        self.assertEqual(self.job([*enter, "/shipwatch", "version"], path)[0], 0)
        plain, secure = Away(self, QUEUED), Away(self, QUEUED, tls=good)
        env = self.environment(GITLAB, url=plain.url)
        env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        self.assertEqual(self.job([*enter, "/shipwatch", "report", "-q", "--exit-code", "0"], env), (0, "", ""))
        self.assertEqual(self.job([*enter, "/shipwatch", "report", "--", "/shipwatch", "version"], env)[0], 0)
        self.assertEqual(self.job([*enter, "/shipwatch", "report", "--", "sh"], env)[0], 127)
        self.assertEqual(len(plain.seen), 3)
        with open(os.path.join(root, "etc/hosts"), "w", encoding="ascii") as f:
            f.write("127.0.0.1 shipwatch.test\n")
        with open(ca, encoding="ascii") as src, open(os.path.join(root, "ca.pem"), "w", encoding="ascii") as dst:
            dst.write(src.read())
        env["SHIPWATCH_URL"] = f"https://shipwatch.test:{secure.server_port}"
        code, _, err = self.job([*enter, "/shipwatch", "report", "--exit-code", "0"], env)
        self.assertEqual(code, 0)
        self.assertIn("no certificates to trust on this machine", err)
        self.assertEqual(self.job([*enter, "/shipwatch", "report", "-q", "--ca-file", "/ca.pem", "--exit-code", "0"], env), (0, "", ""))
        self.assertEqual(self.job([*enter, "/shipwatch", "report", "-q", "--exit-code", "0"], {**env, "SSL_CERT_FILE": "/ca.pem"}), (0, "", ""))
        self.assertEqual(len(secure.seen), 2)
        self.assertEqual(self.job([*enter, "/shipwatch", "test-health", plain.url], env)[0], 0)
        names = Names(self)
        with open(os.path.join(root, "etc/resolv.conf"), "w", encoding="ascii") as f:
            f.write(f"nameserver 127.0.0.1:{names.port}\n")
        code, out, err = self.job([*enter, "/shipwatch", "test-health", f"http://web.example.test:{plain.server_port}/"], env)
        self.assertEqual(code, 0, out + err)
        self.assertGreater(names.asked, 0)

    def test_its_commands(self):
        code, out, _ = self.job([STATIC, "help"], {})
        self.assertEqual(code, 0)
        for command in ("report", "test-health", "version"):
            self.assertIn(f"  {command} ", out)
            self.assertEqual(self.job([STATIC, command, "--help"], {})[0], 0)
        self.assertEqual(self.job([STATIC, "gateway"], {})[0], 2)
        self.assertEqual(self.job([STATIC], {})[0], 2)


if __name__ == "__main__":
    unittest.main()
