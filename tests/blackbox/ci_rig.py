"""What the tests of the CI side share: both programs, imitated CI environments, a gateway and a worker, and what they stored."""
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

from harness import BUILD, PROGRAM, Case, Gateway, Redis, Role, built, wait_for

SECRET, GITLAB_TOKEN, HOST_SECRET = "ci-secret-1", "gitlab-token-1", "host-secret-1"
SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
STATIC = os.path.join(BUILD, "shipwatch-report")
PROGRAMS = [p for p in (PROGRAM, STATIC) if os.access(p, os.X_OK)]

CONFIG = f"""
sources:
  ci: {{kind: report, secrets: [{SECRET}]}}
  gitlab: {{tokens: [{GITLAB_TOKEN}]}}
  github: {{secrets: [{HOST_SECRET}]}}
  gitea: {{secrets: [{HOST_SECRET}]}}
channels: {{ops: {{kind: console}}}}
services: {{web: {{repo: acme/web, environments: {{prod: "http://127.0.0.1:1/health"}}}}}}
rules: rules.yaml
"""
RULES = "- {name: failed, on: deploy-failed, then: alert}\n"

GITLAB = {
    "CI": "true", "GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/web", "CI_PIPELINE_ID": "1042", "CI_PIPELINE_IID": "17", "CI_JOB_ID": "99001",
    "CI_JOB_NAME": "deploy", "CI_JOB_URL": "https://gitlab.example.com:8443/acme/web/-/jobs/99001", "CI_COMMIT_SHA": SHA, "CI_COMMIT_BRANCH": "main",
    "CI_JOB_STARTED_AT": "2026-09-21T08:00:00Z", "GITLAB_USER_LOGIN": "lin.wei",
}
ACTIONS = {
    "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/web", "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_NUMBER": "3", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "deploy", "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main",
    "GITHUB_SHA": SHA, "GITHUB_ACTOR": "octocat", "GITHUB_TRIGGERING_ACTOR": "lin",
}
GITHUB = dict(ACTIONS)
GITEA = {**ACTIONS, "GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example.com:3000/", "GITHUB_RUN_ID": "120", "GITHUB_RUN_NUMBER": "12",
         "GITHUB_RUN_ATTEMPT": "1"}
JENKINS = {
    "JENKINS_URL": "https://jenkins.example.com/", "BUILD_NUMBER": "42", "BUILD_TAG": "jenkins-web-main-42", "JOB_NAME": "web/main",
    "BUILD_URL": "https://jenkins.example.com/job/web/job/main/42/", "GIT_URL": "https://gitlab.example.com/acme/web.git", "GIT_COMMIT": SHA,
    "BRANCH_NAME": "main",
}


class Rig(Case):
    """A test with a folder in which `shipwatch` is on the PATH of the jobs."""

    def setUp(self):
        super().setUp()
        built(PROGRAM)
        self.use(PROGRAM)

    def use(self, program):
        """The jobs find this one as `shipwatch`; None: none."""
        os.makedirs(self.folder("bin"), exist_ok=True)
        path = self.folder("bin", "shipwatch")
        if os.path.lexists(path):
            os.unlink(path)
        if program:
            os.symlink(program, path)

    def up(self):
        self.redis = self.start(Redis(self.folder))
        self.folder.write("rules.yaml", RULES)
        config = self.folder.write("shipwatch.yaml", CONFIG)
        self.gateway = self.start(Gateway(config, "--redis", self.redis.url, "--state-dir", self.folder("gateway-state")))
        self.worker = self.start(Role("worker", config, "--redis", self.redis.url, "--state-dir", self.folder("state")))
        self.url = "http://%s:%d" % self.gateway.address

    def environment(self, ci, url=None, secret=SECRET, **more):
        env = {"PATH": self.folder("bin") + ":/usr/bin:/bin", "HOME": self.folder.path, "LC_ALL": "C.UTF-8", "TMPDIR": self.folder.path, **ci}
        env["SHIPWATCH_URL"] = url or self.url
        if secret:
            env["SHIPWATCH_SECRET"] = secret
        return {**env, **more}

    def job(self, args, env, stdin=subprocess.DEVNULL, **kw):
        """Exit code, stdout, stderr; the secret is in neither."""
        p = subprocess.run(args, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, cwd=self.folder.path, check=False, **kw)
        out, err = p.stdout.decode(), p.stderr.decode()
        self.assertNotIn(SECRET, out + err)
        self.assertNotIn("Sanitizer", err)
        return p.returncode, out, err

    def report(self, env, *args, **kw):
        return self.job([self.folder("bin", "shipwatch"), "report", *args], env, **kw)

    def stored(self):
        """Every event that the worker made of what came in, oldest first."""
        found = []
        for _, entry in self.redis.entries("{sw}:journal"):
            found += json.loads(entry["j"]).get("events", [])
        return found

    def wait_stored(self, n):
        """The newest n events, once there are so many in all since the last call."""
        self.before = getattr(self, "before", 0)
        events = wait_for(lambda: (lambda e: e if len(e) >= self.before + n else None)(self.stored()), f"{n} events are stored")
        self.assertEqual(len(events), self.before + n)
        self.before = len(events)
        self.assertEqual(self.redis("XLEN", "{sw}:dead"), 0)
        return events[-n:]


class Away(http.server.ThreadingHTTPServer):
    """A gateway that is not well: answers what it is told, and keeps what it was asked. As a proxy it passes on what is whole URLs."""

    daemon_threads = True

    def __init__(self, case, *answers, tls=None, host="127.0.0.1"):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), Handler)
        self.answers, self.seen = list(answers), []
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{self.server_port}"
        case.addCleanup(self.server_close)
        case.addCleanup(self.shutdown)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    """An answer is (status, body, {headers}); the last one is given again and again."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body))
        status, text, headers = self.server.answers[0] if len(self.server.answers) == 1 else self.server.answers.pop(0)
        if callable(text):
            text(self)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = answer

    def do_CONNECT(self):
        """The proxy's part for https."""
        self.server.seen.append((self.path, dict(self.headers), b""))
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(there, self.connection), daemon=True)
            back.start()
            pump(self.connection, there)
            back.join(10)
        self.close_connection = True

    def log_message(self, *_):
        pass


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Names(threading.Thread):
    """A DNS server that knows 127.0.0.1 alone, for whatever name."""

    def __init__(self, case):
        super().__init__(daemon=True)
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        case.addCleanup(self.socket.close)
        self.start()

    def run(self):
        while True:
            try:
                q, who = self.socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            end = q.index(b"\0", 12) + 5
            a = q[end - 4:end - 2] == b"\0\x01"
            self.socket.sendto(q[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if a else b"\0\0") + b"\0\0\0\0" + q[12:end] +
                               (b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x01" if a else b""), who)


QUEUED = (202, '{"status":"queued","id":"x"}', {})


def certificates(folder):
    """An authority of its own, and certificates by it for 127.0.0.1 and localhost, and for another name: (ca, (cert, key), (cert, key))."""
    if not shutil.which("openssl"):
        raise unittest.SkipTest("openssl is not installed")

    def run(*args):
        subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder.path)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test ca")
    pairs = []
    for name, alt in (("good", "IP:127.0.0.1,DNS:localhost,DNS:shipwatch.test"), ("other", "DNS:other.example.com")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        folder.write(f"{name}.ext", f"subjectAltName={alt}\n")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
        pairs.append((folder(f"{name}.pem"), folder(f"{name}.key")))
    return folder("ca.pem"), *pairs
