"""nginx and Caddy before a gateway: the samples as they are shipped are well-formed, and a hook, a report and nothing else goes through."""
import os
import re
import socket
import ssl
import unittest

import rig


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Front(unittest.TestCase):
    def setUp(self):
        self.folder = rig.Folder()
        self.addCleanup(self.folder.remove)

    def certificates(self):
        for name in ("hooks", "dashboard"):
            code, said = rig.run(rig.tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                                 "-subj", "/CN=%s.example.com" % name, "-keyout", self.folder(name + ".key"), "-out", self.folder(name + ".pem"))
            self.assertEqual(0, code, said)

    def gateway(self):
        redis = rig.harness.Redis(self.folder)
        self.addCleanup(redis.stop)
        config = self.folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\n"
                                   "gateway: {listen: \"127.0.0.1:0\", workers: 1, trusted_proxies: [127.0.0.1]}\n"
                                   "sources: {gitlab: {tokens: [s3cret-token]}}\nchannels: {console: {kind: console}}\n"
                                   % (self.folder("state"), redis.url))
        g = rig.harness.Gateway(config)
        self.addCleanup(g.stop)
        return g, redis

    def nginx_files(self, gateway, port, plain):
        """The sample with other ports, names of files and a main configuration around it."""
        text = rig.read("deploy", "nginx", "shipwatch.conf").replace("/etc/ssl/shipwatch", self.folder.path)
        text = text.replace("/var/log/nginx", self.folder.path).replace("127.0.0.1:8080", "127.0.0.1:%d" % gateway)
        text = re.sub(r"listen \[::\]:\d+[^;]*;", "", text)
        text = text.replace("listen 443 ssl", "listen 127.0.0.1:%d ssl" % port).replace("listen 80;", "listen 127.0.0.1:%d;" % plain)
        self.folder.write("shipwatch.conf", text)
        paths = "".join("%s_temp_path %s;\n" % (k, self.folder("temp-" + k)) for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.folder.write("nginx.conf", "daemon off;\nmaster_process off;\npid %s;\nerror_log %s;\nevents {}\nhttp {\n%saccess_log %s;\ninclude %s;\n}\n" % (
            self.folder("pid"), self.folder("error.log"), paths, self.folder("access.log"), self.folder("shipwatch.conf")))

    def exchange(self, port, host, method, path, body=b"", headers=()):
        """One request over TLS; (status, headers and body as text)."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw, context.wrap_socket(raw, server_hostname=host) as s:
            head = ["%s %s HTTP/1.1" % (method, path), "Host: " + host, "Connection: close", "Content-Length: %d" % len(body)]
            head += ["%s: %s" % h for h in dict(headers).items()]
            got = b""
            try:
                s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            except OSError:
                pass    # refused before all of it was sent: the answer may be there
            try:
                for part in iter(lambda: s.recv(65536), b""):
                    got += part
            except OSError:
                pass
        return int(got.split(b" ", 2)[1]) if got else 0, got.decode("utf-8", "replace")

    def goes_through(self, port, redis, refused=(413,)):
        hook = {"Content-Type": "application/json", "X-Gitlab-Token": "s3cret-token", "X-Gitlab-Event": "Push Hook", "X-Forwarded-For": "203.0.113.9"}
        host = "hooks.example.com"
        status, text = self.exchange(port, host, "POST", "/hooks/gitlab", b'{"object_kind":"push","n":1}', hook)
        self.assertEqual(202, status, text)
        self.assertEqual(1, len(redis.entries()))
        status, text = self.exchange(port, host, "POST", "/hooks/gitlab", b'{"object_kind":"push"}', dict(hook, **{"X-Gitlab-Token": "wrong"}))
        self.assertEqual(401, status, text)
        large = b'{"object_kind":"push","n":"' + b"a" * (26 << 20) + b'"}'
        status, text = self.exchange(port, host, "POST", "/hooks/gitlab", large, hook)
        self.assertIn(status, refused, text[:300])
        if status:
            self.assertIn('{"error":"body too large"}', text)     # it is the gateway that says so, not what stands before it
        status, text = self.exchange(port, host, "POST", "/ci-report", b"{}", {"Content-Type": "application/json"})
        self.assertEqual(401, status, text)
        status, text = self.exchange(port, host, "GET", "/approve/nobody/knows")
        self.assertEqual(404, status, text)
        for path in ("/metrics", "/health", "/", "/ci-report/x"):
            status, text = self.exchange(port, host, "GET", path)
            self.assertEqual(404, status, path)
            self.assertNotIn("shipwatch_", text)

    def serve(self, args, port):
        p = rig.harness.Process(args, env={"HOME": self.folder.path, "XDG_DATA_HOME": self.folder("data"), "XDG_CONFIG_HOME": self.folder("config")})
        self.addCleanup(p.kill)

        def answers():
            if not p.alive():
                raise AssertionError("\n".join(p.log()))
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False
        rig.wait_for(answers, "it listens")
        return p

    def test_nginx(self):
        nginx = rig.tool("nginx", "nginx-light")
        self.certificates()
        gateway, redis = self.gateway()
        port, plain = free_port(), free_port()
        conf = self.nginx_files(gateway.address[1], port, plain)
        code, said = rig.run(nginx, "-t", "-c", conf, "-p", self.folder.path)
        self.assertEqual(0, code, said)
        self.assertNotIn("[warn]", said)
        self.serve([nginx, "-c", conf, "-p", self.folder.path], port)
        self.goes_through(port, redis)
        with open(self.folder("shipwatch-hooks.log"), encoding="utf-8") as f:
            log = f.read()
        self.assertIn("/hooks/gitlab", log)
        for name in ("shipwatch-hooks.log", "access.log"):
            if os.path.exists(self.folder(name)):
                with open(self.folder(name), encoding="utf-8") as f:
                    self.assertNotIn("/approve/", f.read())

    def test_nginx_finds_a_mistake(self):
        nginx = rig.tool("nginx", "nginx-light")
        self.certificates()
        conf = self.nginx_files(1, 1, 2)
        with open(self.folder("shipwatch.conf"), "a", encoding="utf-8") as f:
            f.write("proxy_requst_buffering on;\n")
        self.assertNotEqual(0, rig.run(nginx, "-t", "-c", conf, "-p", self.folder.path)[0])

    def test_caddy(self):
        caddy = rig.tool("caddy")
        gateway, redis = self.gateway()
        port, plain, admin = free_port(), free_port(), free_port()
        sample = os.path.join(rig.DEPLOY, "caddy", "Caddyfile")
        env = dict(os.environ, HOME=self.folder.path, XDG_DATA_HOME=self.folder("data"), XDG_CONFIG_HOME=self.folder("config"))
        code, said = rig.run(caddy, "validate", "--adapter", "caddyfile", "--config", sample, env=env)
        self.assertEqual(0, code, said)
        code, said = rig.run(caddy, "fmt", sample, env=env)
        self.assertEqual(rig.read("deploy", "caddy", "Caddyfile"), said)
        text = rig.read("deploy", "caddy", "Caddyfile").replace("127.0.0.1:8080", "127.0.0.1:%d" % gateway.address[1])
        # certificates of Caddy's own authority instead of a public one's; ports of the kernel's choice
        text = "{\n\tadmin 127.0.0.1:%d\n\thttp_port %d\n\thttps_port %d\n\tlocal_certs\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n}\n" % (
            admin, plain, port) + text
        conf = self.folder.write("Caddyfile", text)
        self.serve([caddy, "run", "--adapter", "caddyfile", "--config", conf], port)
        self.goes_through(port, redis, refused=(413, 0))      # it closes while the body is sent, and the answer may be lost with that


if __name__ == "__main__":
    unittest.main()
