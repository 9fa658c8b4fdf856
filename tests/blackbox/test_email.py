"""Mail with a strict server at its other end: what arrives, threads, logins, TLS, refusals in plain words, a server that breaks off; the loop never waits."""
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

from harness import BOUND, PROGRAM, SOURCE, Case, Gateway, Redis, Role, built, sign_report, wait_for
from test_channels import RULES, Robots
from test_main_path import CI_SECRET, Service

sys.path.insert(0, os.path.join(SOURCE, "tests", "sim"))
import smtp  # noqa: E402

LOGIN = ("shipwatch", "pass word")
PEOPLE = 'people: {lin: {email: "lin@example.com"}}\n'
REST = 'sources: {github: {secrets: [s]}}\nservices: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/"}}}\n'


class MailCase(Case):
    def server(self, **kw):
        s = smtp.Server(**kw)
        self.addCleanup(s.close)
        return s

    def certificate(self, name="cert", alt="IP:127.0.0.1,DNS:localhost"):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        cert, key = self.folder(name + ".pem"), self.folder(name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=" + alt, "-keyout", key, "-out", cert],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=BOUND)
        return cert, key

    def config(self, server, more="", top="", scheme="smtp", host="127.0.0.1", to='["oncall@example.com", "王芳 <fang@example.com>"]'):
        return self.folder.write("shipwatch.yaml", f'channels:\n  mail: {{kind: email, server: "{scheme}://{host}:{server.port}", '
                                 f'from: "Shipwatch 值班 <shipwatch@example.com>", to: {to}{more}}}\n' + PEOPLE + REST + top)

    def run_(self, *args, want=0):
        done = subprocess.run([built(PROGRAM), *args, "-c", self.folder("shipwatch.yaml")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=2 * BOUND, check=False)
        self.assertEqual(done.returncode, want, (args, done.stdout, done.stderr))
        return done.stdout + done.stderr


class Mails(MailCase):
    def test_what_arrives(self):
        server = self.server()
        self.config(server, ", tls: none")
        hostile = "部署 .dot\n.\n..\r\nBcc: x@example.com\r\n\r\nbody <b>&amp; @all"
        self.assertIn("part 1 arrived", self.run_("send", "mail", hostile, "--severity", "critical"))
        for size in ("half", "line"):
            self.run_("send", "mail", hostile, "--size", size)
        self.run_("send", "mail", "x" * 20000)
        self.assertEqual(server.refused, [])
        first = server.mails[0]
        m = first["mail"]
        self.assertEqual((first["from"], first["to"]), ("shipwatch@example.com", ["oncall@example.com", "fang@example.com"]))
        self.assertEqual(str(m["From"]), "Shipwatch 值班 <shipwatch@example.com>")
        self.assertEqual(str(m["To"]), "oncall@example.com, 王芳 <fang@example.com>")
        self.assertEqual([h for h in m if h in ("Bcc", "Cc")], [])
        self.assertEqual((m["Auto-Submitted"], m["Importance"]), ("auto-generated", "high"))
        self.assertIn("shipwatch/test", m["Subject"])
        self.assertEqual(m.get_content_type(), "multipart/alternative")
        plain, html = m.get_body(("plain",)).get_content(), m.get_body(("html",)).get_content()
        self.assertIn("部署 .dot . .. Bcc: x＠example.com body <b>&amp; ＠all", plain)
        self.assertIn("部署 .dot . .. Bcc: x＠example.com body &lt;b&gt;&amp;amp; ＠all", html)
        self.assertEqual(server.mails[2]["mail"].get_content_type(), "text/plain")
        self.assertLess(max(len(line) for mail in server.mails for line in mail["raw"].split(b"\r\n")), 100)

    def test_threads(self):
        server = self.server()
        self.config(server, ", tls: none")
        for news in ("firing", "rollback_done", "resolved"):
            self.run_("send", "mail", "--news", news)
        ids = [m["mail"]["Message-ID"] for m in server.mails]
        roots = {m["mail"]["References"] for m in server.mails} | {m["mail"]["In-Reply-To"] for m in server.mails}
        self.assertEqual((len(set(ids)), len(roots)), (3, 1), (ids, roots))
        self.assertNotIn(roots.pop(), ids)

    def test_render(self):
        server = self.server()
        self.config(server, ", user: u, password: geheim")
        shown = self.run_("render", "mail", "hello")
        self.assertIn(f"MAIL smtp://127.0.0.1:{server.port}/ from shipwatch@example.com to oncall@example.com fang@example.com", shown)
        self.assertNotIn("geheim", shown)
        self.assertEqual(server.said, [])

    def test_settings(self):
        server = self.server()
        for more, want in ((", user: u", "user and password: both or none"), (", helo: \"a b\"", "helo: "), (", tls: maybe", "tls: want required, optional or none")):
            self.config(server, more)
            self.assertIn(want, self.run_("check", want=1))
        self.config(server, to='["nobody"]')
        self.assertIn('to: "nobody" is no address', self.run_("check", want=1))
        self.config(server, to='["x@example.com\\r\\nRCPT TO:<y@example.com>"]')
        self.assertIn("is no address", self.run_("check", want=1))
        self.config(server, scheme="http")
        self.assertIn("server: want smtp://host:port or smtps://host:port", self.run_("check", want=1))

    def test_refusals_in_plain_words(self):
        server = self.server()
        self.config(server, ", tls: none")
        for at, say, words in (("CONNECT", "421 4.3.2 shutting down", "retry: SMTP 421"), ("CONNECT", "554 5.7.1 no service here", "message: SMTP 554"),
                               ("MAIL", "451 4.3.0 later", "retry: SMTP 451"), ("MAIL", "530 5.7.0 login please", "config: SMTP 530: the server wants a login"),
                               ("MAIL", "552 5.3.4 too big", "shrink: SMTP 552"), ("DATA", "550 5.7.1 policy", "message: SMTP 550: "),
                               ("END", "451 4.7.1 greylisted", "retry: SMTP 451"), ("END", "552 5.2.2 mailbox full", "message: SMTP 552"),
                               ("END", "554 5.6.0 spam", "message: SMTP 554: 554 5.6.0 spam"), ("END", "553 5.1.3 no", "config: SMTP 553")):
            server.script({"at": at, "say": say})
            self.assertIn(words, self.run_("send", "mail", want=1), say)
        server.script({"at": "RCPT", "say": "550 5.1.1 user unknown", "times": 2})
        self.assertIn("message: SMTP 550: 550 5.1.1 user unknown", self.run_("send", "mail", want=1))
        self.assertEqual(server.mails, [])
        # one of two is not known: the other gets it, and it is said
        server.script({"at": "RCPT", "say": "550 5.1.1 <oncall@example.com>: user unknown"})
        self.assertIn("arrived", self.run_("send", "mail"))
        server.script({"at": "RCPT", "say": "550 5.1.1 <oncall@example.com>: user unknown"})
        self.assertIn("not every address was taken: 550 5.1.1 <oncall@example.com>: user unknown", self.run_("send", "mail"))
        self.assertEqual([m["to"] for m in server.mails], [["fang@example.com"]] * 2)

    def test_a_server_that_breaks_off(self):
        server = self.server()
        self.config(server, ", tls: none")
        for at in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA"):
            server.script({"at": at, "do": "close"})
            self.assertIn("retry: ", self.run_("send", "mail", want=1), at)
        server.script({"at": "END", "do": "close"})
        self.assertIn("ambiguous: ", self.run_("send", "mail", want=1))
        server.script({"at": "END", "do": "take", "then": "close"})
        self.assertIn("ambiguous: ", self.run_("send", "mail", want=1))
        self.assertEqual(len(server.mails), 1)
        # whoever does not say good bye has taken it all the same
        server.script({"at": "QUIT", "do": "silent"})
        began = time.monotonic()
        self.assertIn("arrived", self.run_("send", "mail"))
        self.assertLess(time.monotonic() - began, 10)
        server.script({"at": "QUIT", "do": "close"})
        self.assertIn("arrived", self.run_("send", "mail"))
        # nobody listens
        with socket.create_server(("127.0.0.1", 0)) as s:
            server.port = s.getsockname()[1]
        self.config(server, ", tls: none")
        self.assertIn("retry: ", self.run_("send", "mail", want=1))

    def test_size_is_said_before_the_mail(self):
        server = self.server(size=1000)
        self.config(server, ", tls: none")
        self.assertIn("shrink: SMTP 552", self.run_("send", "mail", want=1))
        self.assertIn("arrived", self.run_("send", "mail", "x", "--size", "line"))

    def test_login(self):
        server = self.server(login=LOGIN)
        self.config(server, f', tls: none, user: {LOGIN[0]}, password: "{LOGIN[1]}"')
        self.assertIn("arrived", self.run_("send", "mail"))
        self.config(server, f", tls: none, user: {LOGIN[0]}, password: wrong")
        self.assertIn("config: SMTP 535: user or password is wrong", self.run_("send", "mail", want=1))
        self.config(server, ", tls: none")
        self.assertIn("config: SMTP 530", self.run_("send", "mail", want=1))
        self.assertEqual(len(server.mails), 1)


class Tls(MailCase):
    def test_starttls(self):
        cert = self.certificate()
        server = self.server(cert=cert, require_tls=True, login=LOGIN)
        login = f', user: {LOGIN[0]}, password: "{LOGIN[1]}"'
        self.config(server, login, f"ca_file: {cert[0]}\n")
        self.assertIn("arrived", self.run_("send", "mail"))
        self.config(server, login, f"ca_file: {cert[0]}\n", host="localhost")
        self.assertIn("arrived", self.run_("send", "mail"))
        self.assertEqual([m["tls"] for m in server.mails], [True, True])
        self.config(server, login)  # nobody vouches for it
        self.assertIn("config: ", self.run_("send", "mail", want=1))
        other = self.certificate("other", "DNS:elsewhere.example.com")
        wrong = self.server(cert=other)
        self.config(wrong, "", f"ca_file: {other[0]}\n")
        self.assertIn("config: ", self.run_("send", "mail", want=1))
        self.assertEqual([line for line in wrong.said if line.startswith(("MAIL", "AUTH"))], [])

    def test_without_starttls_nothing_is_said(self):
        server = self.server(login=LOGIN)
        self.config(server, f', user: {LOGIN[0]}, password: "{LOGIN[1]}"')
        self.assertIn("config: ", self.run_("send", "mail", want=1))
        self.assertEqual([line for line in server.said if not line.startswith(("EHLO", "QUIT"))], [])
        self.config(server, f', tls: optional, user: {LOGIN[0]}, password: "{LOGIN[1]}"')
        self.assertIn("arrived", self.run_("send", "mail"))

    def test_smtps(self):
        cert = self.certificate()
        server = self.server(cert=cert, implicit=True)
        self.config(server, "", f"ca_file: {cert[0]}\n", scheme="smtps")
        self.assertIn("arrived", self.run_("send", "mail"))
        self.assertTrue(server.mails[0]["tls"])


class Worker(MailCase):
    def test_the_loop_never_waits(self):
        """A server that is silent after the final dot: chat is told meanwhile, health is asked, and the mail comes later."""
        server, robots, service = self.server(), Robots(self), Service(self)
        redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        config = self.folder.write("shipwatch.yaml", f"""
channels:
  mail: {{kind: email, server: "smtp://localhost:{server.port}", tls: none, from: shipwatch@example.com, to: [oncall@example.com], helo: watch.example.com, mention: {{critical: [lin]}}}}
  slack: {{kind: slack, url: "{robots.url}/services/T0/B0/X1"}}
{PEOPLE}
sources: {{ci: {{kind: report, secrets: [{CI_SECRET}]}}}}
alerts: [mail, slack]
services:
  web: {{repo: acme/web, environments: {{prod: {{health: {{url: "{service.url}/health", every: 1s, timeout: 1s, grace: 1s, background: 5s}}}}}}}}
rules: rules.yaml
""")
        gateway = self.start(Gateway(config, "--redis", redis.url, "--state-dir", self.folder("gateway-state")))
        worker = self.start(Role("worker", config, "--redis", redis.url, "--state-dir", self.folder("state"), "--log-level", "debug"))
        body = json.dumps({"pipeline_id": 11, "job_name": "deploy", "job_id": 111, "exit_code": 0, "environment": "prod", "service": "web",
                           "repo": "acme/web", "branch": "main", "sha": "a" * 40, "url": "https://ci.example.com/11"})
        self.assertEqual(gateway.post("/ci-report", body, sign_report(CI_SECRET, body)).status, 202)
        worker.wait_log(r"watch opened")
        server.script({"at": "END", "do": "silent"})
        service.knob("health=fail")
        wait_for(lambda: robots.of("slack"), "chat is told")
        wait_for(lambda: "DATA" in server.said, "the mail is under way")
        service.knob("health=ok")
        # while the server says nothing, health is asked and its recovery told
        wait_for(lambda: [m for m in robots.of("slack") if "resolved" in m["text"]], "chat is told that it is over", 60)
        self.assertFalse([e for e in worker.entries(msg="channel mail: ") if "class=ok" in e["msg"]])
        # unknown outcome: once more, and marked; in one thread with the end
        wait_for(lambda: len(server.mails) >= 2, "the mails arrive", 90)
        self.assertEqual(server.refused, [])
        self.assertTrue(worker.entries(msg="class=ambiguous"), "\n".join(e["msg"] for e in worker.entries(msg="channel mail")))
        subjects = [str(m["mail"]["Subject"]) for m in server.mails]
        self.assertIn("may be a repeat", subjects[0])
        self.assertIn("resolved", subjects[1])
        self.assertEqual(len({m["mail"]["References"] for m in server.mails}), 1)
        self.assertEqual(server.mails[0]["to"], ["oncall@example.com", "lin@example.com"])
        self.assertIn("EHLO watch.example.com", server.said)
        server.script({"at": "END", "do": "silent", "times": 9})
        self.assertEqual(worker.stop(), 0)


if __name__ == "__main__":
    unittest.main()
