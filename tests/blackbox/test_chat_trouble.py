"""Chat servers that answer a page, nothing, half a body, late, somewhere else or with another's certificate: each robot's verdict, in words."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import unittest

from harness import BOUND, PROGRAM, SOURCE, Case, Process, built
from test_main_path import ask, port_of

CHANNELS = """
channels:
  dingtalk: {kind: dingtalk, url: "%(url)s/robot/send?access_token=T1", secret: SECone}
  wecom: {kind: wecom, url: "%(url)s/cgi-bin/webhook/send?key=K1"}
  feishu: {kind: feishu, url: "%(url)s/open-apis/bot/v2/hook/F1", secret: SECtwo}
  slack: {kind: slack, url: "%(url)s/services/T0/B0/X1"}
  hook: {kind: webhook, url: "%(url)s/hook"}
sources: {github: {secrets: [s]}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/"}}}
"""
ROBOTS = ("dingtalk", "wecom", "feishu", "slack")
# what it does: class at the robots, class at a receiver of one's own whose 2xx says all
TROUBLE = [
    ({"do": "html"}, "retry", None),
    ({"do": "empty"}, "retry", None),
    ({"do": "half"}, "ambiguous", "ambiguous"),
    ({"do": "close"}, "ambiguous", "ambiguous"),
    ({"do": "status", "code": 302, "headers": {"Location": "http://127.0.0.1:9/elsewhere"}}, "config", "config"),
    ({"do": "status", "code": 307, "headers": {"Location": "/hook"}}, "config", "config"),
    ({"do": "status", "code": 503}, "retry", "retry"),
    ({"do": "status", "code": 429, "headers": {"Retry-After": "7"}}, "hold", "hold"),
]


class ChatTrouble(Case):
    def setUp(self):
        super().setUp()
        ports = self.folder("robots.port")
        self.robots = self.start(Process([sys.executable, os.path.join(SOURCE, "tests/sim/robots.py"), "--port", "0", "--port-file", ports, "--dingtalk-secret",
                                          "SECone", "--feishu-secret", "SECtwo", "--feishu-token", "F1", "--slack-token", "T0/B0/X1"]))
        self.port = port_of(ports)
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, **order):
        ask("POST", self.port, "/control", json.dumps(order))

    def seen(self):
        return json.loads(ask("GET", self.port, "/messages"))

    def send(self, channel, url=None, env=None):
        config = self.folder.write(f"{channel}.yaml", CHANNELS % {"url": url or self.url})
        done = subprocess.run([built(PROGRAM), "send", channel, "-c", config], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=BOUND + 30, check=False, env=env)
        return done.returncode, done.stdout + done.stderr

    def test_answers(self):
        for step, at_robots, at_hook in TROUBLE:
            for channel in ROBOTS + (("hook",) if at_hook else ()):
                with self.subTest(channel, **{k: v for k, v in step.items() if k != "headers"}):
                    self.control(next=[dict(step, to=channel)])
                    code, said = self.send(channel)
                    self.assertEqual(code, 1, said)
                    want = at_hook if channel == "hook" else at_robots
                    if (channel, step["do"]) == ("dingtalk", "html"):
                        want = "hold"  # DingTalk's page says that the address is blocked for a while
                    self.assertIn(f" {want}: ", said)
                    self.assertNotIn("T1", said)
        self.assertEqual(self.seen()["messages"], [], "nothing went on to where a redirect pointed")

    def test_silence(self):
        """No answer within the time of one try: it may have arrived."""
        self.control(next=[dict(to=r, do="silent", after=60) for r in ROBOTS])
        said = {}
        threads = [threading.Thread(target=lambda r=r: said.update({r: self.send(r)})) for r in ROBOTS]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for r in ROBOTS:
            self.assertEqual(said[r][0], 1, said[r])
            self.assertIn(" ambiguous: ", said[r][1])

    def test_another_certificate(self):
        """Neither one that nobody vouches for, nor one of another name: a mistake of the configuration, and nothing is said to such a server."""
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        asked = []

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

        for name, alt, trusted in (("unknown", "IP:127.0.0.1", False), ("other", "DNS:elsewhere.example.com", True)):
            cert, key = self.folder(name + ".pem"), self.folder(name + ".key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=x",
                            "-addext", "subjectAltName=" + alt, "-keyout", key, "-out", cert], check=True, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=BOUND)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.handle_error = lambda *_: None
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            env = dict(os.environ, **({"CURL_CA_BUNDLE": cert, "SSL_CERT_FILE": cert} if trusted else {}))
            for channel in ROBOTS + ("hook",):
                with self.subTest(channel, certificate=name):
                    code, said = self.send(channel, f"https://127.0.0.1:{server.server_port}", env)
                    self.assertEqual(code, 1, said)
                    self.assertIn(" config: ", said)
                    self.assertRegex(said.lower(), "certificate|ssl")
        self.assertEqual(asked, [])


if __name__ == "__main__":
    unittest.main()
