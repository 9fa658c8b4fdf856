"""deploy/ci: the script part of each ready-made piece, run in an imitated CI environment against a real gateway and worker."""
import hashlib
import os
import re
import subprocess
import unittest

try:
    import yaml
except ImportError:
    yaml = None

from ci_rig import GITEA, GITHUB, GITLAB, JENKINS, PROGRAMS, SECRET, SHA, STATIC, Away, Rig
from harness import SOURCE

PIECES = os.path.join(SOURCE, "deploy", "ci")


def piece(*name):
    with open(os.path.join(PIECES, *name), encoding="utf-8") as f:
        return f.read()


class Reference(list):
    """`!reference [job, keyword]`."""


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class GitLab(Rig):
    def setUp(self):
        super().setUp()

        class Loader(yaml.SafeLoader):
            pass
        Loader.add_constructor("!reference", lambda loader, node: Reference(loader.construct_sequence(node)))
        self.template = yaml.load(piece("gitlab.yml"), Loader)

    def lines(self, job, keyword):
        """The keyword's commands as GitLab makes them: references replaced, nested lists flattened."""
        found = []
        for item in self.template[job].get(keyword, []):
            found += self.lines(*item) if isinstance(item, Reference) else [item]
        return found

    def shell(self, lines, env):
        """As the runner does: one shell for all of them, which ends at the first that fails."""
        return self.job(["sh", "-c", "set -e\n" + "\n".join(lines)], env)

    def run_job(self, job, script, **variables):
        """before_script and script in one shell, then after_script in another with the status. Return as job(), of both."""
        env = self.environment(GITLAB, **variables)
        code, out, err = self.shell([*self.lines(job, "before_script"), *script], {**env, "CI_JOB_STATUS": "running"})
        after = self.shell(self.lines(job, "after_script"), {**env, "CI_JOB_STATUS": "failed" if code else "success"})
        self.assertEqual(after[0], 0, after)
        return code, out + after[1], err + after[2]

    def test_a_job(self):
        self.up()
        self.folder.write("lcov.info", "SF:a\nDA:1,1\nDA:2,0\n")
        for program in PROGRAMS:
            self.use(program)
            self.assertEqual(self.run_job(".shipwatch", ["echo tested"], SHIPWATCH_COVERAGE="lcov.info", SHIPWATCH_OPTIONS="--metric size=7 -q"), (0, "tested\n", ""))
            ev, = self.wait_stored(1)
            self.assertEqual((ev["status"], ev["coverage"], ev["metrics"], ev["ci_run_id"]), ("success", 0.5, {"size": 7}, "gitlab.example.com:8443/acme/web/1042"))
            self.assertGreater(ev["duration_ms"], 0)
            self.assertNotIn("environment", ev)
            code, _, err = self.run_job(".shipwatch", ["exit 5"])
            self.assertEqual((code, err), (5, ""))
            self.assertEqual(self.wait_stored(1)[0]["status"], "failed")
            self.assertEqual(self.shell(self.lines(".shipwatch", "after_script"), self.environment(GITLAB, CI_JOB_STATUS="canceled"))[0], 0)
            self.assertEqual(self.wait_stored(1)[0]["status"], "cancelled")

    def test_a_deployment(self):
        self.up()
        code, out, err = self.run_job(".shipwatch-deploy", ["./deploy.sh || true", "echo deployed"], CI_ENVIRONMENT_NAME="prod", CI_ENVIRONMENT_ACTION="start",
                                      SHIPWATCH_VERSION="1.2 rc", SHIPWATCH_SERVICE="web")
        self.assertEqual(code, 0)
        self.assertEqual(out.count("reported gitlab.example.com:8443/acme/web/1042"), 2)
        began, ended = self.wait_stored(2)
        for ev in (began, ended):
            self.assertEqual((ev["environment"], ev["version"], ev["service"], ev["job_id"], ev["sha"]), ("prod", "1.2 rc", "web", "99001", SHA))
        self.assertEqual((began["status"], ended["status"]), ("running", "success"))
        self.assertEqual(self.run_job(".shipwatch-deploy", ["true"], SHIPWATCH_ENVIRONMENT="canary", CI_ENVIRONMENT_NAME="prod")[0], 0)
        self.assertEqual([e["environment"] for e in self.wait_stored(2)], ["canary", "canary"])

    def test_no_job_fails_for_us(self):
        self.url = "http://127.0.0.1:1"
        for job, lines in ((".shipwatch", 1), (".shipwatch-deploy", 2)):
            for code in (0, 6):
                got, out, err = self.run_job(job, ["echo mine", f"exit {code}"], SHIPWATCH_SECRET="")
                self.assertEqual((got, out, len(err.splitlines())), (code, "mine\n", lines), err)
        self.use(None)
        got, out, err = self.run_job(".shipwatch-deploy", ["echo mine", "exit 6"])
        self.assertEqual((got, out), (6, "mine\n"))
        self.assertIn("no program shipwatch here", err)

    @unittest.skipUnless(os.access(STATIC, os.X_OK), "shipwatch-report is not built")
    def test_the_program_is_downloaded(self):
        self.up()
        self.use(None)
        with open(STATIC, "rb") as f:
            data = f.read()

        def give(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        server = Away(self, (0, give, {}))
        good, bad = hashlib.sha256(data).hexdigest(), "0" * 64
        for sha256, kind in ((bad, "wrong"), (None, "none")):
            more = {"SHIPWATCH_SHA256": sha256} if sha256 else {}
            code, out, err = self.run_job(".shipwatch-deploy", ["echo mine"], SHIPWATCH_DOWNLOAD=server.url + "/shipwatch-report", CI_JOB_ID=kind, **more)
            self.assertEqual((code, out), (0, "mine\n"))
            self.assertIn("no program", err)
        server.seen.clear()
        code, out, err = self.run_job(".shipwatch-deploy", ["echo mine"], SHIPWATCH_DOWNLOAD=server.url + "/shipwatch-report", SHIPWATCH_SHA256=good)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(len(server.seen), 1, "once for both scripts")
        self.assertEqual([e["status"] for e in self.wait_stored(2)], ["running", "success"])

    def test_health(self):
        script = self.lines(".shipwatch-health", "script")
        self.url = "http://127.0.0.1:1"
        for commit, want in ((SHA, 0), ("9" * 40, 1)):
            server = Away(self, (200, '{"commit":"%s"}' % commit, {}))
            code, out, err = self.shell(script, self.environment(GITLAB, SHIPWATCH_HEALTH=server.url + "/health", SHIPWATCH_WAIT="300ms", SHIPWATCH_INTERVAL="100ms"))
            self.assertEqual(code, want, out + err)
        self.use(None)
        self.assertNotEqual(self.shell(script, self.environment(GITLAB, SHIPWATCH_HEALTH=server.url))[0], 0, "what could not be asked is not well")


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Actions(Rig):
    def setUp(self):
        super().setUp()
        self.action = yaml.safe_load(piece("github", "action.yml"))
        self.assertEqual(self.action["runs"]["using"], "composite")
        self.step, = self.action["runs"]["steps"]

    def value(self, expression, contexts):
        """The few expressions the action is made of: names of contexts and ||."""
        for name in expression.split("||"):
            found = contexts
            for key in name.strip().split("."):
                found = found.get(key, "") if isinstance(found, dict) else ""
            if found:
                return found
        return ""

    def fill(self, text, contexts):
        self.assertNotRegex(re.sub(r"\$\{\{ [\w.| -]+ \}\}", "", str(text)), r"\$\{\{")
        return re.sub(r"\$\{\{ ([\w.| -]+) \}\}", lambda m: self.value(m.group(1), contexts), str(text))

    def use_action(self, ci, job=None, **given):
        contexts = {"github": {"sha": SHA}, "job": job or {}}
        for name in given:
            self.assertIn(name.replace("_", "-"), self.action["inputs"])
        inputs = {"url": self.url, "secret": SECRET, **{k.replace("_", "-"): v for k, v in given.items()}}
        contexts["inputs"] = {name: inputs.get(name, self.fill(spec.get("default", ""), contexts)) for name, spec in self.action["inputs"].items()}
        self.assertEqual(self.step["shell"], "bash")
        self.assertNotIn("${{", self.step["run"], "inputs come by the environment, never into the script")
        env = {**{k: v for k, v in self.environment(ci).items() if not k.startswith("SHIPWATCH_")},
               **{k: self.fill(v, contexts) for k, v in self.step["env"].items()}}
        path = self.folder.write("step.sh", self.step["run"])
        return self.job(["bash", "--noprofile", "--norc", "-eo", "pipefail", path], env)

    def test_a_command(self):
        self.up()
        self.folder.write("lcov.info", "SF:a\nDA:1,1\n")
        for ci, run_id in ((GITHUB, "github.com/acme/web/1658821493"), (GITEA, "git.example.com:3000/acme/web/120")):
            for program in PROGRAMS:
                self.use(program)
                code, out, err = self.use_action(ci, run="echo one\nfalse | true\necho two", phase="started", environment="prod", service="web", coverage="lcov.info\n",
                                                 metrics="size=1\nspeed=2.5\n", fields="note=it's $HOME `id` \"x\"")
                self.assertEqual((code, out, err), (1, "one\n", ""), "pipefail, as in every step")
                began, ended = self.wait_stored(2)
                self.assertEqual((began["status"], ended["status"], ended["ci_run_id"], ended["exit_code"]), ("running", "failed", run_id, 1))
                self.assertEqual((ended["coverage"], ended["metrics"]), (1, {"size": 1, "speed": 2.5}))
                self.assertEqual(ended["extra"], {"ci": ended["extra"]["ci"], "note": "it's $HOME `id` \"x\""})

    def test_the_end_of_a_job(self):
        self.up()
        for status, want, code in (("success", "success", 0), ("failure", "failed", 1), ("cancelled", "cancelled", 143)):
            self.assertEqual(self.use_action(GITHUB, job={"check_run_id": "777"}, status=status)[0], 0)
            ev, = self.wait_stored(1)
            self.assertEqual((ev["status"], ev["exit_code"], ev["job_id"]), (want, code, "777"))
        code, out, _ = self.use_action(GITHUB)
        self.assertEqual(code, 0)
        self.assertIn("nothing is reported: say the input status", out)  # a guess would be a deployment that never was
        self.assertEqual(self.use_action(GITHUB, phase="started")[0], 0)
        self.assertEqual(self.wait_stored(1)[0]["status"], "running")

    def test_no_step_fails_for_us(self):
        self.url = "http://127.0.0.1:1"
        for program in (PROGRAMS[0], None):
            self.use(program)
            for code in (0, 9):
                got, out, err = self.use_action(GITHUB, secret="", run=f"echo mine; exit {code}")
                self.assertEqual(got, code)
                self.assertIn("mine\n", out)
                self.assertIn("no program" if not program else "say a secret", out + err)
            self.assertEqual(self.use_action(GITHUB, secret="")[0], 0)

    def test_health(self):
        self.url = "http://127.0.0.1:1"
        good, old = (Away(self, (200, '{"commit":"%s"}' % c, {})) for c in (SHA, "9" * 40))
        self.assertEqual(self.use_action(GITHUB, secret="", run="true", health=good.url)[0], 0)
        self.assertEqual(self.use_action(GITHUB, health=good.url)[1], f"{good.url}: healthy, commit {SHA}\n")
        code, _, err = self.use_action(GITHUB, secret="", run="true", health=old.url, wait="200ms")
        self.assertEqual(code, 1)
        self.assertIn("as commit 9999999", err)
        old.seen.clear()
        self.assertEqual(self.use_action(GITHUB, secret="", run="exit 3", health=old.url)[0], 3)
        self.assertEqual(old.seen, [], "a deployment that failed is not asked")
        self.use(None)
        self.assertEqual(self.use_action(GITHUB, secret="", run="true", health=good.url)[0], 1)


class Jenkins(Rig):
    def setUp(self):
        super().setUp()
        self.text = piece("jenkins.groovy")
        self.script, = re.findall(r"'''\n(.*?)'''", self.text, re.S)
        self.assertNotIn("\\", self.script, "Groovy would read it")

    def pipeline(self, result="SUCCESS", **o):
        """What withEnv makes of the function's map, and the sh step: /bin/sh -xe."""
        names = dict(re.findall(r'"(SW_\w+)=\$\{o\.(\w+)', self.text))
        self.assertEqual(set(o) - set(names.values()), set())
        defaults = dict(re.findall(r'"(SW_\w+)=\$\{o\.\w+ \?: \'([^\']*)\'\}', self.text))
        env = self.environment(JENKINS, SW_RESULT=result, **{name: o.get(key, defaults[name]) for name, key in names.items()})
        return self.job(["sh", "-xe", self.folder.write("step.sh", self.script)], env)

    def test_stages(self):
        self.up()
        for program in PROGRAMS:
            self.use(program)
            code, out, _ = self.pipeline(run="echo deployed\nexit 4", phase="started", environment="prod", service="web", version="7")
            self.assertEqual((code, out), (4, "deployed\n"))
            began, ended = self.wait_stored(2)
            self.assertEqual((began["status"], ended["status"], ended["ci_run_id"], ended["branch"], ended["version"], ended["repo"]),
                             ("running", "failed", "jenkins.example.com/acme/web/jenkins-web-main-42", "main", "7", "acme/web"))
            for result, exit_code in (("SUCCESS", 0), ("UNSTABLE", 1), ("FAILURE", 1), ("ABORTED", 143)):
                self.assertEqual(self.pipeline(result)[0], 0)
                ev, = self.wait_stored(1)
                self.assertEqual((ev["exit_code"], ev["status"]), (exit_code, {0: "success", 1: "failed"}.get(exit_code, "cancelled")))

    def test_no_stage_fails_for_us(self):
        self.url = "http://127.0.0.1:1"
        self.use(None)
        self.assertEqual(self.pipeline(run="echo mine; exit 4")[:2], (4, "mine\n"))
        self.assertEqual(self.pipeline()[0], 0)

    def test_health(self):
        self.url = "http://127.0.0.1:1"
        for commit, want in ((SHA, 0), ("9" * 40, 1)):
            self.assertEqual(self.pipeline(health=Away(self, (200, '{"commit":"%s"}' % commit, {})).url, wait="200ms")[0], want)


class Curl(Rig):
    def test_the_script(self):
        self.up()
        env = self.environment({"PIPELINE_ID": "42", "JOB_NAME": 'de"ploy\\ \n x', "EXIT_CODE": "0", "REPO": "acme/web", "SHA": SHA, "BRANCH": "main",
                                "JOB_URL": "https://ci.example.com/42", "ENVIRONMENT": "prod", "DURATION_MS": "1500", "COVERAGE_PCT": "87.5", "ATTEMPT": "x"})
        self.assertEqual(self.job(["sh", os.path.join(PIECES, "curl.sh")], env), (0, "", ""))
        ev, = self.wait_stored(1)
        self.assertEqual((ev["status"], ev["job_name"], ev["duration_ms"], ev["coverage"], ev["environment"], ev["ci_run_id"]),
                         ("success", 'de"ploy\\   x', 1500, 0.875, "prod", "ci.example.com/acme/web/42"))
        self.assertEqual(self.job(["sh", os.path.join(PIECES, "curl.sh")], {**env, "PHASE": "started", "EXIT_CODE": ""}), (0, "", ""))
        self.assertEqual(self.wait_stored(1)[0]["status"], "running")
        for wrong in ({"SHIPWATCH_SECRET": "another"}, {"PIPELINE_ID": ""}, {"SHIPWATCH_URL": "http://127.0.0.1:1"}, {"SHIPWATCH_URL": ""}):
            code, out, err = self.job(["sh", os.path.join(PIECES, "curl.sh")], {**env, **wrong})
            self.assertEqual((code, out), (0, ""))
            self.assertIn("not taken; going on", err)

    def test_the_line_of_the_readme(self):
        self.up()
        line, = re.findall(r"```sh\n(.*)\n```", piece("README.md"))
        self.assertEqual(self.job(["sh", "-c", line], self.environment({}))[0], 0)
        ev, = self.wait_stored(1)
        self.assertEqual((ev["pipeline_id"], ev["environment"], ev["status"]), ("42", "prod", "success"))


class Pieces(unittest.TestCase):
    def test_shells_read_them(self):
        """Syntax only, by the shells they are for."""
        for shell, path in (("sh", "curl.sh"),):
            subprocess.run([shell, "-n", os.path.join(PIECES, path)], check=True)

    def test_the_readme_names_them_all(self):
        text = piece("README.md")
        for folder, _, files in os.walk(PIECES):
            for name in files:
                path = os.path.relpath(os.path.join(folder, name), PIECES)
                if path != "README.md":
                    self.assertIn(f"]({path})", text)


if __name__ == "__main__":
    unittest.main()
