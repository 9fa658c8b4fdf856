"""The systemd units: well-formed, hardened, and the program keeps within what they allow and says what they wait for."""
import os
import re
import signal
import socket
import unittest

import rig

FORBIDDEN = ("@privileged", "@resources")


def units():
    """Texts of the units by role, with this build's program in them."""
    out = {}
    for role in ("gateway", "worker", "dashboard"):
        text = rig.read("deploy", "systemd", "shipwatch-%s.service.in" % role)
        text = text.replace("@bindir@", rig.BUILD).replace("@sysconfdir@", "/etc").replace("@samples@", "/usr/share/doc/shipwatch/examples")
        out[role] = text
    return out


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = rig.Folder()
        self.addCleanup(self.folder.remove)

    def written(self):
        rig.harness.built(rig.PROGRAM)
        return [self.folder.write("shipwatch-%s.service" % role, text) for role, text in units().items()]

    def test_verify(self):
        analyze = rig.tool("systemd-analyze", "systemd")
        for path in self.written():
            code, said = rig.run(analyze, "verify", "--man=no", path)
            self.assertEqual((0, ""), (code, said), path)

    def test_verify_with_drop_ins(self):
        """The samples are lines that systemd knows."""
        analyze = rig.tool("systemd-analyze", "systemd")
        for name, role in (("credentials.conf", "gateway"), ("low-port.conf", "gateway"), ("worker-exec.conf", "worker")):
            self.written()
            sample = re.sub(r"(?m)^#(?=[A-Z][A-Za-z]+=)", "", rig.read("deploy", "systemd", name))
            self.folder.write("shipwatch-%s.service.d/%s" % (role, name), sample)
            code, said = rig.run(analyze, "verify", "--man=no", self.folder("shipwatch-%s.service" % role))
            self.assertEqual((0, ""), (code, said), name)

    def test_verify_would_find_a_mistake(self):
        analyze = rig.tool("systemd-analyze", "systemd")
        path = self.written()[0]
        with open(path, "a", encoding="utf-8") as f:
            f.write("\n[Service]\nProtectSytem=strict\n")
        self.assertIn("ProtectSytem", rig.run(analyze, "verify", "--man=no", path)[1])

    def test_exposure(self):
        analyze = rig.tool("systemd-analyze", "systemd")
        for path in self.written():
            code, said = rig.run(analyze, "security", "--offline=yes", "--threshold=20", path)
            level = re.search(r"Overall exposure level[^:]*: ([0-9.]+)", said)
            self.assertTrue(level, said)
            self.assertLess(float(level.group(1)), 2.0)
            self.assertEqual(0, code, said)

    def test_user_and_folders(self):
        sysusers, tmpfiles = rig.tool("systemd-sysusers", "systemd"), rig.tool("systemd-tmpfiles", "systemd")
        root = self.folder("root")
        os.makedirs(os.path.join(root, "etc"))
        code, said = rig.run(sysusers, "--root=" + root, os.path.join(rig.DEPLOY, "systemd", "shipwatch.sysusers"))
        self.assertEqual(0, code, said)
        with open(os.path.join(root, "etc", "passwd"), encoding="utf-8") as f:
            self.assertRegex(f.read(), r"(?m)^shipwatch:x:\d+:\d+:Shipwatch:/var/lib/shipwatch:.*nologin$")
        if os.getuid() != 0:
            self.skipTest("folders of another user want root")
        code, said = rig.run(tmpfiles, "--root=" + root, "--create", os.path.join(rig.DEPLOY, "systemd", "shipwatch.tmpfiles"))
        self.assertEqual(0, code, said)
        for path, mode in (("var/lib/shipwatch", 0o750), ("etc/shipwatch", 0o750), ("run/shipwatch", 0o755)):
            self.assertEqual(mode, os.stat(os.path.join(root, path)).st_mode & 0o777, path)

    def test_options_are_the_programs(self):
        known = rig.roles()
        for role, text in units().items():
            if role not in known:
                continue
            said = rig.run(rig.PROGRAM, "help", role)[1]
            line = re.search(r"(?m)^ExecStart=\S+ (\S+) (.*)$", text)
            self.assertEqual(role, line.group(1))
            more = re.search(r'(?m)^Environment="SHIPWATCH_%s_OPTIONS=(.*)"$' % role.upper(), text).group(1)
            for option in re.findall(r"--([a-z-]+)", line.group(2) + " " + more):
                self.assertIn("--%s " % option, said)


class Live(unittest.TestCase):
    """The roles as a unit starts them."""

    def setUp(self):
        self.folder = rig.Folder()
        self.addCleanup(self.folder.remove)
        self.redis = rig.harness.Redis(self.folder)
        self.addCleanup(self.redis.stop)
        self.config = self.folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\ngateway: {listen: \"127.0.0.1:0\", workers: 1}\n"
                                        "dashboard: {listen: \"127.0.0.1:0\"}\n"
                                        "sources: {gitlab: {tokens: [\"${cred:gitlab-token}\"]}}\nchannels: {console: {kind: console}}\n"
                                        "services: {web: {repo: acme/web, environments: {prod: {health: {url: \"http://localhost:1/health\", "
                                        "background: 1s}}}}}\n"
                                        % (self.folder("state"), self.redis.url))
        self.folder.write("credentials/gitlab-token", "s3cret\n")
        self.env = {"CREDENTIALS_DIRECTORY": self.folder("credentials")}

    def listen(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.settimeout(rig.harness.BOUND)
        s.bind(self.folder("notify"))
        self.addCleanup(s.close)
        return s

    def test_notify(self):
        """READY=1 once it works, signs of life for as long as it does, STOPPING=1 at SIGTERM; Type=notify and WatchdogSec= rest on it."""
        for role in rig.roles():
            s = self.listen()
            env = dict(self.env, NOTIFY_SOCKET=self.folder("notify"), WATCHDOG_USEC="400000")
            p = rig.harness.Process([rig.PROGRAM, role, "-c", self.config], env=env, name=role)
            try:
                self.assertEqual(b"READY=1", next(m for m in iter(lambda: s.recv(100), b"") if m != b"WATCHDOG=1"), role)
                if "WatchdogSec=" in units()[role]:
                    for _ in range(3):
                        self.assertEqual(b"WATCHDOG=1", s.recv(100), role)
                p.signal(signal.SIGTERM)
                if "WatchdogSec=" in units()[role]:
                    self.assertEqual(b"STOPPING=1", next(m for m in iter(lambda: s.recv(100), b"") if m != b"WATCHDOG=1"), role)
                self.assertEqual(0, p.wait())
            finally:
                p.kill()
            s.close()
            os.unlink(self.folder("notify"))

    def metrics(self, name):
        with rig.harness.Connection(self.folder(name)) as c:
            return c.request("GET", "/metrics").body

    def allowed(self):
        analyze = rig.tool("systemd-analyze", "systemd")
        sets = {}
        for block in re.split(r"\n(?=@)", "\n" + rig.run(analyze, "syscall-filter", "--no-pager")[1]):
            lines = [x.strip() for x in block.splitlines() if x.strip() and not x.strip().startswith("#")]
            if lines:
                sets[lines[0]] = lines[1:]

        def expand(name):
            return set().union(*(expand(x) if x.startswith("@") else {x} for x in sets[name]))
        got = expand("@system-service") - set().union(*(expand(f) for f in FORBIDDEN)) | expand("@default")
        self.assertGreater(len(got), 150)
        return got

    def test_keeps_within_the_filters(self):
        """What a role does, from start to end with a reload and a hook, under strace: system calls, address families, writable and
        executable memory, files written."""
        strace = rig.tool("strace")
        allowed = self.allowed()
        for role in rig.roles():
            trace = self.folder("trace." + role)
            more = ["--listen", "unix:" + self.folder("worker.sock")] if role == "worker" else []
            p = rig.harness.Role(role, self.config, *more, env=self.env, prefix=[strace, "-f", "-qq", "-o", trace])
            pid = p.children()[0]
            if role == "gateway":
                where = p.wait_log(r"^listening on ")["msg"].split()[2].rsplit(":", 1)
                with rig.harness.Connection((where[0], int(where[1]))) as c:
                    answer = c.request("POST", "/hooks/gitlab", b'{"object_kind":"push"}', {
                        "Content-Type": "application/json", "X-Gitlab-Token": "s3cret", "X-Gitlab-Event": "Push Hook"})
                    self.assertLess(answer.status, 300, answer)
            if role == "worker":    # a service was asked, by its name
                rig.wait_for(lambda: b"shipwatch_samples_total{" in self.metrics("worker.sock"), "the worker has asked a service")
            os.kill(pid, signal.SIGHUP)
            if role != "dashboard":
                rig.wait_for(lambda: any("read again" in x or "reloaded" in x for x in p.log()), role + " has reloaded")
            os.kill(pid, signal.SIGTERM)
            p.wait()
            with open(trace, encoding="utf-8", errors="replace") as f:
                text = f.read()
            calls = set(re.findall(r"(?m)^\d+ +([a-z0-9_]+)\(", text))
            self.assertLess({"execve", "epoll_wait", "exit_group"}, calls)
            # SQLite gives its files to the owner of the database, but only where it runs as root, as this test may.
            self.assertEqual(set(), calls - allowed - ({"fchown"} if role == "dashboard" else set()), role)
            families = set(re.findall(r"\bsocket(?:pair)?\((AF_[A-Z0-9]+)", text))
            self.assertEqual(set(), families - {"AF_UNIX", "AF_INET", "AF_INET6"}, role)
            self.assertIsNone(re.search(r"(?:mmap|mprotect)\([^)]*PROT_WRITE\|PROT_EXEC", text), role)
            written = {m for m in re.findall(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", [A-Z_|]*(?:O_WRONLY|O_RDWR|O_CREAT)', text)}
            self.assertTrue(any(w.startswith(self.folder("state")) for w in written), written)
            own = {w for w in written if not w.startswith((self.folder("state"), "/dev/null"))}
            self.assertEqual(set(), own, role)


if __name__ == "__main__":
    unittest.main()
