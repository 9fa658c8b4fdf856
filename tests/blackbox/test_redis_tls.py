"""Redis over TLS: taken where the certificate holds, refused in plain words where it does not, whatever else is on the port."""
import json
import os
import socket
import subprocess
import unittest

from harness import PROGRAM, Case, Gateway, Redis, Role, sign_github, wait_for
from redis_rig import PUSH, Certificates, free_port, tls_options

CONFIG = """
gateway: {workers: 1}
sources: {github: {secrets: [a-secret]}}
channels: {ops: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/health"}}}
redis: {url: "rediss://127.0.0.1:%d", ca_file: ca.pem%s}
"""


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.ca = Certificates(self.folder)
        self.asked = []

    def redis(self, pair, *options, clients="no", name="redis"):
        self.port, tls = tls_options(self.ca, pair, clients)
        return self.start(Redis(self.folder, *tls, *options, name=name))

    def status(self, url):
        p = subprocess.run([PROGRAM, "status", "--redis", url], capture_output=True, text=True, timeout=20, check=False)
        return p.returncode, p.stdout + p.stderr

    def refused(self, url, why):
        """A command waits for Redis for 5 s before it gives up, so all of a test wait at once: see told."""
        self.asked.append((url, why, subprocess.Popen([PROGRAM, "status", "--redis", url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))

    def told(self):
        for url, why, p in self.asked:
            with self.subTest(url), p:
                said = p.communicate(timeout=30)[0]
                self.assertNotEqual(p.returncode, 0, said)
                self.assertRegex(said, why)
                self.assertEqual(said.count("\n"), 1, "one line")

    def test_all_roles(self):
        pair = self.ca.sign("redis-cert", "IP:127.0.0.1")
        mine = self.ca.sign("mine", "DNS:gateway")
        redis = self.redis(pair, clients="yes")
        config = self.folder.write("shipwatch.yaml", CONFIG % (self.port, ", cert_file: mine.pem, key_file: mine.key"))
        self.assertTrue(os.path.exists(mine[1]))
        gateway = self.start(Gateway(config, "--state-dir", self.folder("gateway")))
        gateway.wait_log("^Redis is there$")
        worker = self.start(Role("worker", config, "--state-dir", self.folder("worker")))
        dashboard = self.start(Role("dashboard", config, "--listen", "unix:" + self.folder("d.sock"), "--state-dir", self.folder("dashboard")))
        dashboard.wait_log("^Redis is reached$")
        for i in range(20):
            body = PUSH if i % 2 else json.dumps({**json.loads(PUSH), "padding": "x" * 300000}).encode()
            a = gateway.post("/hooks/github", body, sign_github("a-secret", body, "push", "t-%d" % i))
            self.assertEqual((a.status, a.json["status"]), (202, "queued"))
        wait_for(lambda: len(worker.entries(msg="push of acme/web")) == 20, "all of them are taken in")
        self.assertEqual(gateway.metric("shipwatch_spool_bytes"), 0)
        p = subprocess.run([PROGRAM, "status", "-c", config], capture_output=True, text=True, timeout=20, check=False)
        self.assertRegex(p.stdout, "workers +1")
        online = [PROGRAM, "check", "--online", "-c", config]
        self.assertIn("ok      redis: it answers\n", subprocess.run(online, capture_output=True, text=True, timeout=60, check=False).stdout)
        # It goes and comes back: the greeting is made again.
        redis.kill()
        gateway.wait_log("^Redis is away")
        self.assertIn("error   redis: it is not reached: Connection refused\n", subprocess.run(online, capture_output=True, text=True, timeout=60, check=False).stdout)
        redis.start()
        wait_for(lambda: len(gateway.entries(msg="^Redis is there$")) == 2, "and is there again")

    def test_whom_we_trust(self):
        self.redis(self.ca.sign("good", "IP:127.0.0.1", "DNS:redis.test"))
        url = "rediss://127.0.0.1:%d" % self.port
        mine = "?ca_file=" + self.ca.path
        other = Certificates(self.folder, "other")
        self.assertEqual(self.status(url + mine)[0], 0)
        self.assertEqual(self.status(url + mine + "&server_name=redis.test")[0], 0)
        self.refused(url, "TLS: the certificate there is of no authority that we trust")
        self.refused(url + "?ca_file=" + other.path, "TLS: the certificate there is of no authority that we trust")
        self.refused(url + mine + "&server_name=redis.tes", 'TLS: the certificate there is not for "redis.tes"')
        self.refused("rediss://localhost:%d%s" % (self.port, mine), 'TLS: the certificate there is not for "localhost"')
        self.refused("redis://127.0.0.1:%d" % self.port, "is TLS spoken there\\? then it is rediss://|TLS is spoken there")
        self.told()

    def test_expired(self):
        self.redis(self.ca.sign("old", "IP:127.0.0.1", days=-1))
        self.refused("rediss://127.0.0.1:%d?ca_file=%s" % (self.port, self.ca.path), "TLS: the certificate there does not hold: certificate has expired")
        self.told()

    def test_who_we_are(self):
        self.redis(self.ca.sign("good", "IP:127.0.0.1"), clients="yes")
        url = "rediss://127.0.0.1:%d?ca_file=%s" % (self.port, self.ca.path)
        cert, key = self.ca.sign("mine", "DNS:mine")
        other = Certificates(self.folder, "other").sign("theirs", "DNS:mine")
        self.assertEqual(self.status("%s&cert_file=%s&key_file=%s" % (url, cert, key))[0], 0)
        self.refused(url, "certificate required|does it want a certificate of ours")
        self.refused("%s&cert_file=%s&key_file=%s" % (url, *other), "TLS: .*(unknown ca|alert)|Connection reset|Broken pipe")
        self.refused("%s&cert_file=%s&key_file=%s" % (url, cert, other[1]), "the key is not that of the certificate")
        self.refused("%s&cert_file=%s&key_file=%s" % (url, key, key), "no certificate can be read from it")
        self.refused("%s&cert_file=%s&key_file=%s" % (url, cert, cert), "no key can be read from it")
        self.refused("rediss://127.0.0.1:%d?ca_file=%s" % (self.port, key), "no certificates can be read from it")
        self.told()

    def test_no_tls_there(self):
        plain = free_port()
        self.start(Redis(self.folder, "--port", str(plain), "--bind", "127.0.0.1"))
        self.refused("rediss://127.0.0.1:%d?ca_file=%s" % (plain, self.ca.path), "is it the port without TLS")
        with socket.create_server(("127.0.0.1", 0)) as s:  # accepts, and says nothing
            self.refused("rediss://127.0.0.1:%d?ca_file=%s" % (s.getsockname()[1], self.ca.path), "no answer to TLS's greeting")
            self.refused("rediss://127.0.0.1:%d?ca_file=%s" % (free_port(), self.ca.path), "Connection refused")
            self.told()

    def test_loop_goes_on(self):
        """A greeting that hangs holds up nothing: the gateway answers, from its spool."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            config = self.folder.write("shipwatch.yaml", CONFIG % (s.getsockname()[1], ""))
            gateway = self.start(Gateway(config, "--state-dir", self.folder("gateway")))
            for i in range(50):
                a = gateway.post("/hooks/github", PUSH, sign_github("a-secret", PUSH, "push", "h-%d" % i))
                self.assertEqual((a.status, a.json["status"]), (202, "queued"))
            gateway.wait_log("^Redis is away: no answer to TLS's greeting")


if __name__ == "__main__":
    unittest.main()
