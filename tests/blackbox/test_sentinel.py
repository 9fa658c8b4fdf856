"""Redis behind Sentinel: the roles find the master, follow a failover, and keep what they have while nobody can be asked."""
import signal
import subprocess
import threading
import time
import unittest

from harness import PROGRAM, Case, Gateway, Role, sign_github, wait_for
from redis_rig import PUSH, Certificates, Sentinel, TcpRedis, free_port, tls_options

CONFIG = """
gateway: {workers: 1}
sources: {github: {secrets: [a-secret]}}
channels: {ops: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/health"}}}
redis: %s
"""


class SentinelCase(Case):
    def pair(self, *options):
        """A master and a replica that has all of it."""
        self.a = self.start(TcpRedis(self.folder, *options, name="a"))
        self.b = self.start(TcpRedis(self.folder, "--replicaof", "127.0.0.1", str(self.a.port), *options, name="b"))
        wait_for(lambda: self.b("ROLE")[3] == b"connected", "the replica follows")

    def watched(self, n=3, quorum=2):
        self.sentinels = [self.start(Sentinel(self.folder, self.a, "s%d" % i, quorum=quorum)) for i in range(n)]
        wait_for(lambda: all(len(s("SENTINEL", "replicas", "main")) == 1 and len(s("SENTINEL", "sentinels", "main")) == n - 1 for s in self.sentinels),
                 "the sentinels know of each other and of the replica")

    def url(self, sentinels=None):
        return "redis+sentinel://%s/main" % ",".join(s if isinstance(s, str) else s.address for s in sentinels or self.sentinels)

    def configured(self, redis):
        self.config = self.folder.write("shipwatch.yaml", CONFIG % redis)

    def gateway_up(self):
        self.gateway = self.start(Gateway(self.config, "--state-dir", self.folder("gateway")))
        self.gateway.wait_log("^Redis is there")

    def worker_up(self):
        self.worker = self.start(Role("worker", self.config, "--state-dir", self.folder("worker")))

    def post(self, delivery):
        a = self.gateway.post("/hooks/github", PUSH, sign_github("a-secret", PUSH, "push", delivery))
        self.assertEqual((a.status, a.json["status"]), (202, "queued"))

    def taken(self):
        return len(self.worker.entries(msg="push of acme/web"))

    def status(self, *args):
        p = subprocess.run([PROGRAM, "status", *args], capture_output=True, text=True, timeout=20, check=False)
        return p.returncode, p.stdout + p.stderr


class Failover(SentinelCase):
    def test_while_webhooks_come_in(self):
        self.pair()
        self.watched()
        self.configured('"%s"' % self.url())
        self.gateway_up()
        self.worker_up()
        dashboard = self.start(Role("dashboard", self.config, "--listen", "unix:" + self.folder("d.sock"), "--state-dir", self.folder("dashboard")))
        first = '^(Redis is there|Redis is reached): the master of "main" is 127.0.0.1:%d, says the sentinel 127.0.0.1:' % self.a.port
        for role in self.gateway, self.worker, dashboard:
            role.wait_log(first)
        stop, sent = threading.Event(), []

        def send():
            while not stop.is_set():
                self.post("f-%d" % len(sent))
                sent.append(1)
                time.sleep(0.005)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            wait_for(lambda: len(sent) > 50, "some came before")
            self.a.kill()
            second = "is 127.0.0.1:%d, says .*; it was 127.0.0.1:%d$" % (self.b.port, self.a.port)
            for role in self.gateway, self.worker, dashboard:
                role.wait_log(second)
            n = len(sent)
            wait_for(lambda: len(sent) > n + 50, "some came after")
        finally:
            stop.set()
            sender.join()
        wait_for(lambda: self.gateway.metric("shipwatch_spool_bytes") == 0, "the spool is drained")
        self.assertEqual(self.gateway.metric("shipwatch_redis_master_changes_total"), 1)
        wait_for(lambda: self.b("XLEN", "{sw}:in") == 0, "all of them are taken in")
        # What the old one took last may be lost: nothing is started before somebody has looked.
        self.worker.wait_log("^Redis went back in time")
        self.assertRegex(self.status("-c", self.config)[1], "Redis failed over, and what the old one took last may be lost")
        self.assertEqual(subprocess.run([PROGRAM, "release", "-c", self.config], capture_output=True, timeout=20, check=False).returncode, 0)
        self.assertRegex(self.status("-c", self.config)[1], "workers +1")
        p = subprocess.run([PROGRAM, "check", "--online", "-c", self.config], capture_output=True, text=True, timeout=60, check=False)
        self.assertRegex(p.stdout, 'ok      redis: it answers: the master of "main" is 127.0.0.1:%d, says the sentinel 127' % self.b.port)
        # The old one comes back, believes for a moment that it is the master, and is made a replica: nobody goes there.
        self.a.start()
        wait_for(lambda: self.a.role() == "slave" and self.a("ROLE")[3] == b"connected", "the old master is a replica")
        self.post("after")
        wait_for(lambda: self.b("XLEN", "{sw}:in") == 0, "and taken in")
        for role in self.gateway, self.worker, dashboard:
            self.assertEqual(len(role.entries(msg="the master of")), 2, role.log())
        self.assertNotIn("failed over", self.status("-c", self.config)[1], "once a failover")
        self.assertEqual(len(self.worker.entries(msg="^Redis went back in time")), 1)

    def test_master_hangs(self):
        """It does not die, it says nothing any more: given up after the limit of a command, and when it goes on it is nobody's master."""
        self.pair()
        self.watched()
        self.configured('"%s"' % self.url())
        self.gateway_up()
        self.worker_up()
        self.post("h-1")
        wait_for(lambda: self.taken() == 1, "it is taken in")
        self.a.process.signal(signal.SIGSTOP)
        try:
            for i in range(20):  # those that were on their way when it fell silent have an unknown outcome: into the spool under their own id
                self.post("h-2-%d" % i)
            for role in self.gateway, self.worker:
                role.wait_log("is 127.0.0.1:%d, says" % self.b.port)
            wait_for(lambda: self.taken() == 21, "they are taken in from the spool")
        finally:
            self.a.process.signal(signal.SIGCONT)
        wait_for(lambda: self.a.role() == "slave" and self.a("ROLE")[3] == b"connected", "the old master is a replica")
        self.post("h-3")
        wait_for(lambda: self.taken() == 22, "taken in")
        self.assertEqual(self.gateway.metric("shipwatch_redis_master_changes_total"), 1)

    def test_demoted(self):
        """A failover by hand: the old master lives on, as a replica. Everybody leaves it."""
        self.pair()
        self.watched()
        self.configured('"%s"' % self.url())
        self.gateway_up()
        self.worker_up()
        self.post("d-1")
        wait_for(lambda: self.taken() == 1, "it is taken in")
        self.assertEqual(self.sentinels[0]("SENTINEL", "failover", "main"), "OK")
        self.gateway.wait_log("is 127.0.0.1:%d, says" % self.b.port)
        self.worker.wait_log("is 127.0.0.1:%d, says" % self.b.port)
        self.post("d-2")
        wait_for(lambda: self.taken() == 2, "it is taken in")

    def test_read_only(self):
        """The replica that was a master tells it by refusing: all connections to it are given up, not only the one that was told."""
        self.pair()
        self.watched(1, 1)
        self.configured('"%s"' % self.url())
        self.gateway_up()
        self.post("r-1")

        def clients():
            return sum("name=sentinel" not in line for line in self.a("CLIENT", "LIST", "TYPE", "normal").decode().splitlines())
        wait_for(lambda: clients() > 3, "enqueueing has its own")
        self.sentinels[0].process.signal(signal.SIGSTOP)
        self.b("REPLICAOF", "NO", "ONE")
        self.a("REPLICAOF", "127.0.0.1", str(self.b.port))
        self.post("r-2")
        self.gateway.wait_log("^Redis is away: .*READONLY")
        wait_for(lambda: clients() == 1, "only we who ask are left")
        self.sentinels[0].process.signal(signal.SIGCONT)


class Asking(SentinelCase):
    def test_some_are_down(self):
        self.pair()
        self.watched(1, 1)
        dead, silent = "127.0.0.1:%d" % free_port(), self.start(Sentinel(self.folder, self.a, "silent"))
        silent.process.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            code, said = self.status("--redis", self.url([dead, silent, self.sentinels[0]]))
            self.assertEqual(code, 0, said)
            self.assertLess(time.monotonic() - began, 3, "half a second for the silent one")
        finally:
            silent.process.signal(signal.SIGCONT)

    def test_nobody_knows(self):
        self.pair()
        self.watched(1, 1)
        dead = "127.0.0.1:%d" % free_port()
        code, said = self.status("--redis", self.url([dead, self.sentinels[0]]).replace("/main", "/mein"))
        self.assertNotEqual(code, 0)
        self.assertRegex(said, 'no sentinel says where "mein" is: %s: Connection refused; 127.0.0.1:[0-9]+: knows no master "mein"' % dead)
        code, said = self.status("--redis", self.url(["nothing.invalid"]))
        self.assertRegex(said, 'no sentinel says where "main" is: nothing.invalid:26379: ')
        code, said = self.status("--redis", self.url([self.a.address]))  # a Redis is no sentinel
        self.assertRegex(said, "ERR unknown command .SENTINEL")

    def test_all_go_down(self):
        """Who has a connection keeps it; who needs a new one waits for a sentinel, and events go to the spool."""
        self.pair()
        self.watched(1, 1)
        self.configured('"%s"' % self.url())
        self.gateway_up()
        self.worker_up()
        self.sentinels[0].kill()
        for i in range(5):
            self.post("s-%d" % i)
        wait_for(lambda: self.taken() == 5, "they are taken in")
        self.assertFalse(self.gateway.entries(msg="^Redis is away"))
        self.a.kill()
        self.a.start()
        self.gateway.wait_log('^Redis is away: no sentinel says where "main" is')
        self.post("s-5")
        self.assertGreater(self.gateway.metric("shipwatch_spool_bytes"), 0)
        self.sentinels[0].start()
        wait_for(lambda: self.taken() == 6, "it is taken in when a sentinel says where")
        wait_for(lambda: self.a("HGET", "{sw}:ctl", "back_at"), "the worker has seen that it was started anew")
        self.assertFalse(self.a("HGET", "{sw}:ctl", "hold"), "which is no failover")

    def test_others_are_learned(self):
        """One sentinel is named, two are there: when the named one is gone the other is asked."""
        self.pair()
        self.watched(2, 1)
        self.configured('"%s"' % self.url(self.sentinels[:1]))
        self.gateway_up()
        self.sentinels[0].kill()
        self.a("CLIENT", "KILL", "TYPE", "normal")
        self.gateway.wait_log("says the sentinel %s" % self.sentinels[1].address)

    def test_stale(self):
        """A sentinel that still names the old master is not asked first again; what it named says by itself that it is none."""
        self.pair()
        self.watched(1, 1)
        stale = self.start(Sentinel(self.folder, self.a, "stale", down=600000))
        self.b("REPLICAOF", "NO", "ONE")
        other = self.start(Sentinel(self.folder, self.b, "other", down=600000))
        self.a("REPLICAOF", "127.0.0.1", str(self.b.port))
        self.sentinels[0].stop()
        wait_for(lambda: self.a.role() == "slave", "it is a replica")
        self.configured('"%s"' % self.url([stale, other]))
        gateway = self.start(Gateway(self.config, "--state-dir", self.folder("gateway")))
        gateway.wait_log("^Redis is away: %s is no master, though the sentinel %s says so" % (self.a.address, stale.address))
        gateway.wait_log("is 127.0.0.1:%d, says the sentinel %s" % (self.b.port, other.address))

    def test_passwords_and_tls(self):
        """Sentinels with a password of their own, a Redis with another, and TLS to both."""
        ca = Certificates(self.folder)
        cert = ca.sign("cert", "IP:127.0.0.1")
        port, tls = tls_options(ca, cert)
        self.a = self.start(TcpRedis(self.folder, *tls, "--requirepass", "of-redis", name="a"))
        self.a.tls_port = port
        sport, _ = tls_options(ca, cert)
        s = Sentinel(self.folder, self.a, "s", "tls-port %d" % sport, "tls-cert-file " + cert[0], "tls-key-file " + cert[1], "tls-ca-cert-file " + ca.path,
                     "tls-auth-clients no", "tls-replication yes", "requirepass of-sentinel", "sentinel auth-pass main of-redis", port=port)
        self.start(s)
        url = "rediss+sentinel://:of-redis@127.0.0.1:%d/main" % sport
        self.configured('{url: "%s", ca_file: ca.pem, sentinel_password: of-sentinel}' % url)
        self.gateway_up()
        self.worker_up()
        self.post("t-1")
        wait_for(lambda: self.taken() == 1, "it is taken in")
        self.assertEqual(self.status("-c", self.config)[0], 0)
        end = "?ca_file=" + ca.path
        self.assertRegex(self.status("--redis", url + end)[1], "NOAUTH Authentication required")
        self.assertRegex(self.status("--redis", url + end + "&sentinel_password=wrong")[1], "WRONGPASS")
        self.assertRegex(self.status("--redis", url.replace("of-redis", "other") + end + "&sentinel_password=of-sentinel")[1], "WRONGPASS")
        self.assertRegex(self.status("--redis", url.replace("rediss", "redis") + "?sentinel_password=of-sentinel")[1], "no sentinel says where")


if __name__ == "__main__":
    unittest.main()
