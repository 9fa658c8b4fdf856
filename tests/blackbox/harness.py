"""What the black-box tests share: a real redis-server, the program's roles, raw HTTP, signatures of each kind of source.

Everything listens on unix sockets or ports of the kernel's choice and lives in a folder per test; only our own children are
ended. Waiting is for a condition, with a bound; a bound that is reached is a failure, whatever the machine.
"""
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

SOURCE = os.environ.get("SW_SOURCE_ROOT") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("SW_BUILD") or os.environ.get("SW_BUILD_ROOT") or os.path.join(SOURCE, "build")
PROGRAM = os.environ.get("SW_BIN") or os.path.join(BUILD, "shipwatch")
BOUND = float(os.environ.get("SW_BOUND", "30"))


def built(path):
    """A program of the build, or the test is skipped with a message."""
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest(f"{path} is not built")
    return path


def wait_for(condition, what, bound=BOUND):
    """Until condition() is true; returns its value."""
    end = time.monotonic() + bound
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {bound:g} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class Folder:
    """A folder of the test's own; gone afterwards."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="sw-test-")

    def __call__(self, *parts):
        return os.path.join(self.path, *parts)

    def write(self, name, text):
        path = self(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """A child of ours with its log collected line by line."""

    def __init__(self, args, env=None, pass_fds=(), name=None):
        self.name = name or os.path.basename(args[0])
        self.lines = []
        self.lock = threading.Lock()
        merged = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        merged.update(env or {})
        self.p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=merged, pass_fds=pass_fds)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.p.stdout:
            with self.lock:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def pid(self):
        return self.p.pid

    def alive(self):
        return self.p.poll() is None

    def log(self):
        with self.lock:
            return list(self.lines)

    def entries(self, **want):
        """The log's JSON lines that have these values; msg is searched as a regular expression."""
        found = []
        for line in self.log():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and all(
                    re.search(v, str(entry.get(k, ""))) if k == "msg" else entry.get(k) == v for k, v in want.items()):
                found.append(entry)
        return found

    def wait_log(self, msg, **want):
        try:
            return wait_for(lambda: self.entries(msg=msg, **want), f"{self.name} logs {msg!r}")[0]
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.log()[-30:])) from None

    def signal(self, signo):
        if self.alive():
            self.p.send_signal(signo)

    def wait(self, bound=BOUND):
        self.p.wait(bound)
        self.reader.join(5)
        return self.p.returncode

    def stop(self, bound=BOUND):
        """SIGTERM, and SIGKILL when it does not end in time; the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(bound)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end\n" + "\n".join(self.log()[-30:])) from None

    def kill(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.p.wait(BOUND)
        self.reader.join(5)

    def children(self):
        """Process ids of its children."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


TWO_WRITES = ("EVAL", "redis.call('XADD', 'torn', '*', 'a', 1) redis.call('SET', 'torn:2', 2) return 1", 0)


def tear(folder, where):
    """After TWO_WRITES and an end: the append-only file in the folder as a power cut may leave it, ending within that script's
    transaction. where: "between" the commands, "within" the second, or "exec", one byte short of whole."""
    folder = os.path.join(folder, "appendonlydir")
    path = max((os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".incr.aof")), key=lambda p: int(p.split(".")[-3]))
    with open(path, "r+b") as f:
        data = f.read()
        torn = data.rindex(b"$4\r\ntorn\r\n")
        second = data.index(b"*3\r\n$3\r\nSET\r\n", torn)
        assert b"EXEC" in data[data.rindex(b"MULTI", 0, torn):] and b"EXEC" not in data[data.rindex(b"MULTI", 0, torn):second]
        f.truncate({"between": second, "within": second + 12, "exec": data.index(b"EXEC\r\n", second) + 5}[where])


class Redis:
    """A redis-server on a unix socket that syncs each write, and a client of a few lines."""

    def __init__(self, folder, *options, name="redis"):
        program = shutil.which("redis-server")
        if not program:
            raise unittest.SkipTest("redis-server is not installed")
        self.path = folder(name + ".sock")
        self.dir = folder(name)
        os.makedirs(self.dir, exist_ok=True)
        self.args = [program, "--port", "0", "--unixsocket", self.path, "--dir", self.dir, "--appendonly", "yes",
                     "--appendfsync", "always", "--save", "", "--daemonize", "no", "--logfile", "", *options]
        self.url = "unix://" + self.path
        self.process = None
        self.start()

    def start(self):
        self.process = Process(self.args, name="redis")
        wait_for(self.ping, "redis answers")

    def ping(self):
        try:
            return self("PING") == "PONG"
        except OSError:
            return False

    def __call__(self, *args):
        """One command on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(BOUND)
            s.connect(self.path)
            parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
            s.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            with s.makefile("rb") as f:
                return self.reply(f)

    def reply(self, f):
        line = f.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else f.read(n + 2)[:-2]
        return None if rest == b"-1" else [self.reply(f) for _ in range(int(rest))]

    def kill(self):
        self.process.kill()

    def entries(self, key="{sw}:in"):
        """A stream as a list of (id, {field: bytes})."""
        found = self("XRANGE", key, "-", "+") or []
        return [(i.decode(), {f[k].decode(): f[k + 1] for k in range(0, len(f), 2)}) for i, f in found]

    def stop(self):
        if self.process.alive():
            self.process.stop()

    def kill(self):
        self.process.kill()


class Role(Process):
    """A role of the program; returns when it says that it is ready."""

    def __init__(self, role, config, *options, env=None, wait=True, prefix=()):
        r, w = os.pipe()
        os.set_inheritable(w, True)
        try:
            super().__init__([*prefix, built(PROGRAM), role, "-c", config, "--notify-fd", str(w), *options], env=env,
                             pass_fds=(w,), name=role)
        finally:
            os.close(w)
        self.ready_fd = r
        if wait:
            self.wait_ready()

    def wait_ready(self):
        os.set_blocking(self.ready_fd, False)
        said = b""

        def ready():
            nonlocal said
            try:
                got = os.read(self.ready_fd, 64)
                said += got
                if not got:
                    raise AssertionError(f"{self.name} ended before it was ready\n" + "\n".join(self.log()))
            except BlockingIOError:
                pass
            return b"READY=1" in said
        wait_for(ready, f"{self.name} is ready")
        os.close(self.ready_fd)


class Gateway(Role):
    def __init__(self, config, *options, listen="127.0.0.1:0", **kw):
        super().__init__("gateway", config, "--listen", listen, *options, **kw)
        where = self.wait_log(r"^listening on ")["msg"].split()[2]
        self.address = where[5:] if where.startswith("unix:") else (where.rsplit(":", 1)[0].strip("[]"), int(where.rsplit(":", 1)[1]))

    def connect(self):
        return Connection(self.address)

    def request(self, method, path, body=None, headers=()):
        with self.connect() as c:
            return c.request(method, path, body, headers)

    def post(self, path, body, headers=()):
        headers = dict(headers)
        headers.setdefault("Content-Type", "application/json")
        return self.request("POST", path, body, headers)

    def metric(self, name):
        """Sum of all series of this name whose text starts so: 'x_total' or 'x_total{source="a"'."""
        text = self.request("GET", "/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith(name) and line[len(name):len(name) + 1] in (" ", "{", ",", "}"))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Connection:
    """Raw HTTP: bytes out as they are given, answers in, read to the letter."""

    def __init__(self, address):
        self.s = socket.socket(socket.AF_UNIX if isinstance(address, str) else
                               socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.s.settimeout(BOUND)
        self.s.connect(address)
        if not isinstance(address, str):
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def fill(self):
        got = self.s.recv(65536)
        self.rest += got
        return bool(got)

    def closed(self):
        """Whether the other side closed without another byte (waits for it)."""
        try:
            return not self.rest and not self.fill()
        except ConnectionResetError:
            return True

    def answer(self, method="POST"):
        """The next answer; None when the connection is closed instead."""
        while b"\r\n\r\n" not in self.rest:
            if not self.fill():
                assert not self.rest, f"closed in the middle of an answer: {self.rest!r}"
                return None
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d\d\d [ -~]+", lines[0]), lines[0]
        status = int(lines[0].split()[1])
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        n = 0 if method == "HEAD" or status in (100, 204, 304) else int(headers["content-length"])
        while len(self.rest) < n:
            assert self.fill(), "closed in the middle of a body"
        body, self.rest = self.rest[:n], self.rest[n:]
        return Answer(status, headers, body)

    def request(self, method, path, body=None, headers=()):
        self.send(request_bytes(method, path, body, headers))
        return self.answer(method)


def request_bytes(method, path, body=None, headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    lines += [f"{k}: {v}" for k, v in (headers.items() if isinstance(headers, dict) else headers)]
    if body is not None:
        body = body.encode() if isinstance(body, str) else body
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def raw(data):
    return data.encode() if isinstance(data, str) else data


def hex_hmac(secret, data):
    return hmac.new(raw(secret), raw(data), hashlib.sha256).hexdigest()


def sign_github(secret, body, event="push", delivery=None):
    headers = {"X-GitHub-Event": event, "X-Hub-Signature-256": "sha256=" + hex_hmac(secret, body)}
    if delivery:
        headers["X-GitHub-Delivery"] = delivery
    return headers


def sign_gitlab(token, event="Push Hook", delivery=None):
    headers = {"X-Gitlab-Event": event, "X-Gitlab-Token": token}
    if delivery:
        headers["Idempotency-Key"] = delivery
    return headers


def sign_standard(secret, body, delivery, at=None, event="Push Hook"):
    """Standard Webhooks, as GitLab's signing tokens; secret is whsec_<base64>."""
    at = str(int(at if at is not None else time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{delivery}.{at}.".encode() + raw(body), hashlib.sha256).digest()
    return {"X-Gitlab-Event": event, "webhook-id": delivery, "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def sign_gitea(secret, body, event="push", delivery=None):
    headers = {"X-Gitea-Event": event, "X-Gitea-Signature": hex_hmac(secret, body)}
    if delivery:
        headers["X-Gitea-Delivery"] = delivery
    return headers


def sign_report(secret, body, at=None):
    at = str(int(at if at is not None else time.time()))
    return {"X-Shipwatch-Timestamp": at, "X-Shipwatch-Signature": "sha256=" + hex_hmac(secret, at.encode() + b"." + raw(body))}


class Case(unittest.TestCase):
    """A test with a folder; what it starts is stopped in the reverse order."""

    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.remove)

    def start(self, thing):
        def end():
            process = thing.process if isinstance(thing, Redis) else thing
            if process.alive():
                process.kill()
        self.addCleanup(end)
        return thing
