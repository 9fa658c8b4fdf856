"""meson install into a folder of its own: everything is there, works from there, and documents only what there is."""
import os
import signal
import subprocess
import unittest

import rig

WANT = """
bin/shipwatch libexec/shipwatch/example-service share/shipwatch/rules/demo.yaml
share/man/man1/shipwatch.1 share/man/man5/shipwatch.yaml.5
share/bash-completion/completions/shipwatch share/zsh/site-functions/_shipwatch
lib/systemd/system/shipwatch-gateway.service lib/systemd/system/shipwatch-worker.service lib/systemd/system/shipwatch-dashboard.service
lib/sysusers.d/shipwatch.conf lib/tmpfiles.d/shipwatch.conf
share/doc/shipwatch/NEWS.md share/doc/shipwatch/operations.md share/doc/shipwatch/rules.md
share/doc/shipwatch/examples/shipwatch.yaml share/doc/shipwatch/examples/rules/web.yaml
share/doc/shipwatch/examples/systemd/credentials.conf share/doc/shipwatch/examples/systemd/worker-exec.conf
share/doc/shipwatch/examples/nginx/shipwatch.conf share/doc/shipwatch/examples/caddy/Caddyfile
share/doc/shipwatch/examples/prometheus/shipwatch.rules.yaml share/doc/shipwatch/examples/grafana/shipwatch.json
share/doc/shipwatch/examples/logs/filebeat.yml share/doc/shipwatch/examples/logs/promtail.yaml share/doc/shipwatch/examples/logs/vector.yaml
share/doc/shipwatch/examples/kubernetes/base/kustomization.yaml share/doc/shipwatch/examples/redis/shipwatch.conf
""".split()


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rig.harness.built(rig.PROGRAM)
        cls.folder = rig.Folder()
        code, said = rig.run(rig.tool("meson"), "install", "-C", rig.BUILD, "--no-rebuild", "--destdir", cls.folder("root"))
        if code:
            raise AssertionError(said)
        found = [os.path.dirname(d) for d, _, files in os.walk(cls.folder("root")) if d.endswith("/bin") and "shipwatch" in files]
        assert len(found) == 1, found
        cls.prefix = found[0]
        cls.program = os.path.join(cls.prefix, "bin", "shipwatch")

    @classmethod
    def tearDownClass(cls):
        cls.folder.remove()

    def at(self, *parts):
        return os.path.join(self.prefix, *parts)

    def test_files_are_there(self):
        self.assertEqual([], [w for w in WANT if not os.path.isfile(self.at(w))])

    def test_nothing_where_an_administrator_writes(self):
        """An upgrade by meson install must not write over a configuration or a state."""
        for top in ("etc", "var"):
            self.assertFalse(os.path.exists(self.at(top)), top)
            self.assertFalse(os.path.exists(self.folder("root", top)), top)

    def test_units_name_the_installed_program(self):
        with open(self.at("lib/systemd/system/shipwatch-gateway.service"), encoding="utf-8") as f:
            unit = f.read()
        self.assertIn("ExecStart=%s gateway" % self.program[len(self.folder("root")):], unit)
        self.assertNotIn("@", unit.replace("@system-service", "").replace("@privileged", "").replace("@resources", ""))

    def test_samples_are_good_configurations(self):
        sample = self.at("share/doc/shipwatch/examples/shipwatch.yaml")
        code, said = rig.run(self.program, "check", "--strict", "-c", sample)
        self.assertEqual(0, code, said)
        code, said = rig.run(self.program, "test", self.at("share/doc/shipwatch/examples/rules/web_test.yaml"))
        self.assertEqual(0, code, said)

    def test_the_demo_is_found(self):
        """`up` of the installed tree finds its example service and rules beside itself, not in a build folder."""
        rig.tool("redis-server")
        said = rig.run(self.program, "help", "up")[1]
        pages = next(o for o in ("--dashboard", "--page") if o + " " in said)     # where people look: no port of another test's
        up = rig.harness.Process([self.program, "up", "--listen", "127.0.0.1:0", pages, "127.0.0.1:0", "--state-dir", self.folder("state")])
        try:
            rig.wait_for(lambda: any("is running, with a demo" in line for line in up.log()) or not up.alive(), "up is running")
            self.assertTrue(up.alive(), "\n".join(up.log()))
            with open(self.folder("state", "demo.yaml"), encoding="utf-8") as f:
                self.assertIn('rules: "%s"' % self.at("share/shipwatch/rules/demo.yaml"), f.read())
            served = [os.readlink("/proc/%d/exe" % pid) for pid in up.children()]
            self.assertIn(self.at("libexec/shipwatch/example-service"), served)
        finally:
            up.signal(signal.SIGTERM)
            up.wait()
        self.assertEqual(0, up.p.returncode)

    def test_manual_pages(self):
        mandoc = rig.tool("mandoc")
        for page in ("man1/shipwatch.1", "man5/shipwatch.yaml.5"):
            code, said = rig.run(mandoc, "-T", "lint", "-W", "warning", self.at("share/man", page))
            self.assertEqual((0, ""), (code, said))

    def test_manual_has_every_command_and_setting(self):
        with open(self.at("share/man/man1/shipwatch.1"), encoding="utf-8") as f:
            page = f.read()
        said = rig.run(self.program, "help")[1].split("exit code:")[0]
        names = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
        self.assertGreater(len(names), 20)
        self.assertEqual([], [n for n in names if "\n.Ss shipwatch %s" % n not in page])
        with open(self.at("share/man/man5/shipwatch.yaml.5"), encoding="utf-8") as f:
            page = f.read()
        for setting in ("state_dir", "trusted_proxies", "silent_after", "rollback_limit", "mention", "min_requests"):
            self.assertIn(".It Ic %s" % setting, page)

    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shipwatch; printf "%s\\n" "${COMPREPLY[@]}"'
        p = subprocess.run([rig.tool("bash"), "--norc", "-c", script, "bash", self.at("share/bash-completion/completions/shipwatch"), *words],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=True, cwd=self.folder.path)
        return p.stdout.decode().split()

    def test_completion_of_bash(self):
        self.assertEqual(["gateway"], self.complete("shipwatch", "ga"))
        self.assertEqual(["list", "show", "retry", "drop"], self.complete("shipwatch", "dead", ""))
        self.assertEqual(["good", "bad"], self.complete("shipwatch", "label", "1c4a2f0", ""))
        self.assertEqual(["warn"], self.complete("shipwatch", "worker", "--log-level", "w"))
        self.assertEqual(["warn"], self.complete("shipwatch", "worker", "--log-level", "=", "w"))
        self.assertEqual(["check"], self.complete("shipwatch", "help", "che"))
        self.assertIn("--strict", self.complete("shipwatch", "check", "--"))
        self.folder.write("other.yaml", "")
        self.assertEqual(["other.yaml"], self.complete("shipwatch", "check", "-c", "oth"))
        self.assertEqual([], self.complete("shipwatch", "no-such-command", "--"))

    def test_completion_of_zsh(self):
        code, said = rig.run(rig.tool("zsh"), "-n", self.at("share/zsh/site-functions/_shipwatch"))
        self.assertEqual((0, ""), (code, said))


if __name__ == "__main__":
    unittest.main()
