"""What the benchmark starts and measures with: a private Redis, the others, ourselves, the load, the payloads. Loopback only."""
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SECRET = "bench-secret-0123456789abcdef"
COMMIT_PREFIX = "5b1f3c2e9a7d4f6088"


class Missing(Exception):
    """A contender that is not on this machine."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, check):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.01)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Process:
    """A child of ours with its log in a file; ended by its process id only."""

    def __init__(self, name, argv, folder, env=None, stdout=None):
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(argv, stdout=stdout or log, stderr=log, stdin=subprocess.DEVNULL,
                                          cwd=folder, env={**os.environ, **(env or {})}, start_new_session=True)

    def alive(self):
        return self.child.poll() is None

    def first_line(self, seconds=20):
        """The first line of a program that prints where it listens."""
        if not select.select([self.child.stdout], [], [], seconds)[0]:
            raise TimeoutError(f"{self.name} printed nothing within {seconds} s")
        line = self.child.stdout.readline().decode().strip()
        if not line:
            raise RuntimeError(f"{self.name} ended: {self.tail()}")
        return line

    def tail(self):
        with open(self.log, "rb") as log:
            return log.read()[-600:].decode("utf-8", "replace").strip()

    def pids(self):
        """This process and its descendants."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat") as f:
                        children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
                except OSError:
                    pass
        found, todo = [], [self.child.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children.get(pid, [])
        return found

    def memory_kb(self):
        """Resident and proportional kilobytes of each process."""
        rows = []
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    row = {line.split()[0]: int(line.split()[1]) for line in f if line.startswith(("Rss:", "Pss:"))}
                rows.append((row["Rss:"], row["Pss:"]))
            except OSError:
                pass
        return rows

    def cpu_s(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    parts = f.read().rsplit(")", 1)[1].split()
                total += int(parts[11]) + int(parts[12])
            except OSError:
                pass
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self, seconds=20):
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self.child.stdout:
            self.child.stdout.close()


class Redis(Process):
    """A Redis of our own: unix socket, append-only file synced at each write, on the disk under test."""

    def __init__(self, folder, name="redis"):
        if not shutil.which("redis-server"):
            raise Missing("redis-server is not installed")
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.socket = os.path.join(self.folder, "s")
        if len(self.socket) > 100:
            raise Missing(f"the path {self.socket} is too long for a unix socket")
        super().__init__(name, ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
                                "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction",
                                "--auto-aof-rewrite-min-size", "4gb", "--daemonize", "no"], folder)
        self.file = None
        wait_until("redis", 10, self.connect)

    def connect(self):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(30)
            s.connect(self.socket)
        except OSError:
            s.close()
            return False
        self.file = s.makefile("rwb")
        return self.call("PING") == "PONG"

    def call(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.file.flush()
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
        return [self.reply() for _ in range(int(rest))]

    def call_all(self, commands):
        """Many commands in one go; their replies."""
        for words in commands:
            parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            self.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.file.flush()
        return [self.reply() for _ in commands]

    def info(self, key):
        for line in self.call("INFO").splitlines():
            if line.startswith(key + ":"):
                return int(line.split(":")[1])
        raise KeyError(key)

    def calls(self):
        """How often each command was called, also by scripts."""
        return {line.split(":")[0][len("cmdstat_"):]: int(line.split("=")[1].split(",")[0])
                for line in self.call("INFO", "commandstats").splitlines() if line.startswith("cmdstat_")}


class Empty(Process):
    """evhtp that looks at nothing."""
    path = "/"

    def __init__(self, folder, build, redis):
        super().__init__("evhtp-empty", [os.path.join(build, "tests/bench/bench-evhtp_empty")], folder, stdout=subprocess.PIPE)
        self.port = int(self.first_line())

    def kind_path(self, kind):
        return "/"


class Webhook(Process):
    """webhook from Debian: checks the signature, starts a command that does nothing, stores nothing."""

    def __init__(self, folder, build, redis):
        if not shutil.which("webhook"):
            raise Missing("the Debian package webhook is not installed")
        hooks = []
        for kind, match in (
                ("github", {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}),
                ("gitlab", {"type": "value", "value": SECRET, "parameter": {"source": "header", "name": "X-Gitlab-Token"}})):
            hooks.append({"id": kind, "execute-command": "/bin/true", "trigger-rule": {"match": match}, "trigger-rule-mismatch-http-response-code": 401})
        path = os.path.join(folder, "hooks.json")
        with open(path, "w") as f:
            json.dump(hooks, f)
        self.port = free_port()
        super().__init__("webhook", ["webhook", "-hooks", path, "-ip", "127.0.0.1", "-port", str(self.port)], folder)
        wait_until("webhook", 10, lambda: answers(self.port, "/"))

    def kind_path(self, kind):
        return "/hooks/" + kind


class Node(Process):
    """The Node server of tests/bench/node, in one of its two modes."""
    mode = "xadd"

    def __init__(self, folder, build, redis):
        node = os.path.join(HERE, "node")
        if not shutil.which("node"):
            raise Missing("node is not installed")
        if not os.path.isdir(os.path.join(node, "node_modules")):
            if not shutil.which("npm"):
                raise Missing("npm is not installed")
            done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=node, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise Missing("npm ci did not succeed: " + done.stderr.strip()[-200:])
        super().__init__("node-" + self.mode, ["node", os.path.join(node, "server.js"), self.mode, redis.socket, SECRET],
                         folder, env={"NODE_ENV": "production"}, stdout=subprocess.PIPE)
        self.port = int(self.first_line())

    def kind_path(self, kind):
        return "/hooks/" + kind


class Bullmq(Node):
    mode = "bullmq"


CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
gateway: {{listen: "127.0.0.1:{port}"{workers}}}
sources:
  github: {{secrets: ["{secret}"]}}
  gitlab: {{tokens: ["{secret}"]}}
services:
  "*": {{repos: ["bench/*"], environments: {{prod: {{match: [{{environment: prod}}]}}}}}}
channels:
  out: {{kind: console}}
"""


def shipwatch(build):
    program = next((p for p in (os.path.join(build, "shipwatch"), os.path.join(build, "src/shipwatch")) if os.path.exists(p)), None)
    if not program:
        raise Missing(f"there is no shipwatch in {build}")
    return program


class Shipwatch(Process):
    """Our gateway; conf: another configuration, with names of its own; `wrap` puts a tool such as valgrind in front of it."""
    role = "gateway"

    def __init__(self, folder, build, redis, wrap=(), workers=0, conf=CONF, **names):
        program = shipwatch(build)
        self.processes = workers
        self.port = free_port()
        self.conf = os.path.join(folder, f"{self.role}-{self.port}.yaml")
        state = os.path.join(folder, f"state-{self.role}-{self.port}")
        os.makedirs(state)
        with open(os.open(self.conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(conf.format(state=state, socket=redis.socket, port=self.port, secret=SECRET,
                                workers=f", workers: {workers}" if workers else "", **names))
        super().__init__("shipwatch-" + self.role, [*wrap, program, self.role, "-c", self.conf], folder)
        self.ready(redis)

    def ready(self, redis):
        def check():
            if not self.alive():
                raise RuntimeError(f"shipwatch {self.role} ended: {self.tail()}")
            # Not only fit to answer: as long as Redis is not reached deliveries go through the spool, and that is another figure.
            return answers(self.port, "/health") == 200 and redis.call("HLEN", "{sw}:gateways") >= max(1, self.processes)
        wait_until("shipwatch gateway", 60, check)

    def kind_path(self, kind):
        return "/hooks/" + kind


class Worker(Shipwatch):
    role = "worker"

    def ready(self, redis):
        def check():
            if not self.alive():
                raise RuntimeError(f"shipwatch worker ended: {self.tail()}")
            return redis.call("EXISTS", "{sw}:workers")
        wait_until("shipwatch worker", 60, check)


class Dashboard(Shipwatch):
    role = "dashboard"

    def ready(self, redis):
        def check():
            if not self.alive():
                raise RuntimeError(f"shipwatch dashboard ended: {self.tail()}")
            return answers(self.port, "/health") == 200
        wait_until("shipwatch dashboard", 60, check)


def answers(port, path):
    try:
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        conn.request("GET", path)
        return conn.getresponse().status
    except OSError:
        return 0
    finally:
        conn.close()


def load(build, port, path, kind, event, bodies, count, seconds=30, connections=50, rate=0, warmup=200, expect=None):
    """Runs the load generator. Returns what it measured; it ends by itself at the count or the time."""
    argv = [os.path.join(build, "tests/bench/bench-load"), "--to", f"127.0.0.1:{port}", "--path", path, "--kind", kind, "--event", event,
            "--secret", SECRET, "--count", str(count), "--seconds", str(seconds), "--connections", str(connections), "--warmup", str(warmup)]
    for body in bodies:
        argv += ["--body", body]
    if rate:
        argv += ["--rate", str(int(rate))]
    if expect:
        argv += ["--expect", expect]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 30)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def fsync(build, folder, times=1000):
    done = subprocess.run([os.path.join(build, "tests/bench/bench-fsync"), os.path.join(folder, "fsync"), str(times)], capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)


# ---- payloads: the recorded ones without their white space (as hosts send them), else our own of the same size ----

def own_push(n_commits):
    sha = [COMMIT_PREFIX + "%022x" % i for i in range(n_commits + 1)]
    people = [{"name": "Mei Lin", "email": "mei.lin@example.com", "username": "meilin"}, {"name": "Jonas Okafor", "email": "jonas@example.com", "username": "jokafor"}]
    return {
        "ref": "refs/heads/main", "before": sha[0], "after": sha[-1], "created": False, "deleted": False, "forced": False,
        "compare": f"https://github.com/bench/shop/compare/{sha[0][:12]}...{sha[-1][:12]}",
        "commits": [{"id": s, "message": f"checkout: handle case {i} of the new tax table\n\nThe table for region {i * 7} was cut at its last row; the total of "
                     "such a cart came out too low by the local part.", "timestamp": f"2026-03-0{i % 9 + 1}T10:1{i % 10}:00+08:00", "url": f"https://github.com/bench/shop/commit/{s}",
                     "author": people[i % 2], "committer": people[0], "distinct": True, "added": [f"src/tax/region_{i}.c"], "removed": [], "modified": ["src/tax/table.c", "src/cart/total.c"]}
                    for i, s in enumerate(sha[1:])],
        "repository": {"id": 7700, "name": "shop", "full_name": "bench/shop", "html_url": "https://github.com/bench/shop", "default_branch": "main"},
        "pusher": {"name": "meilin", "email": "mei.lin@example.com"}, "sender": {"login": "meilin", "id": 4711, "type": "User"}}


def own_run(n_steps):
    return {
        "action": "completed",
        "workflow_run": {"id": 90210, "name": "deploy", "head_branch": "main", "head_sha": COMMIT_PREFIX + "%022x" % 9, "path": ".github/workflows/deploy.yml", "run_number": 310, "run_attempt": 1,
                         "event": "push", "status": "completed", "conclusion": "success", "workflow_id": 12, "html_url": "https://github.com/bench/shop/actions/runs/90210",
                         "created_at": "2026-03-01T02:10:00Z", "run_started_at": "2026-03-01T02:10:00Z", "updated_at": "2026-03-01T02:14:00Z",
                         "urls": {f"link_{i}_url": f"https://api.github.com/repos/bench/shop/actions/runs/90210/part/{i}{{/name}}" for i in range(n_steps)}},
        "repository": {"id": 7700, "name": "shop", "full_name": "bench/shop", "html_url": "https://github.com/bench/shop", "default_branch": "main"},
        "sender": {"login": "meilin", "id": 4711, "type": "User"}}


def own_gitlab(n_commits):
    push = own_push(n_commits)
    return {
        "object_kind": "push", "event_name": "push", "before": push["before"], "after": push["after"], "ref": push["ref"], "checkout_sha": push["after"],
        "user_id": 4, "user_name": "Mei Lin", "user_username": "meilin", "project_id": 15,
        "project": {"id": 15, "name": "shop", "path_with_namespace": "bench/shop", "web_url": "https://gitlab.example.com/bench/shop", "default_branch": "main"},
        "commits": [{k: c[k] for k in ("id", "message", "timestamp", "url", "added", "removed", "modified")} | {"author": {"name": c["author"]["name"], "email": c["author"]["email"]}}
                    for c in push["commits"]],
        "total_commits_count": n_commits}


# name, host, event header, recorded file, our own of about that size
SIZES = (
    ("push", "github", "push", "github/octokit-webhooks__push__with-new-branch.payload.json", lambda: own_push(10)),
    ("workflow_run", "github", "workflow_run", "github/octokit-webhooks__workflow_run__completed.payload.json", lambda: own_run(150)),
    ("gitlab push", "gitlab", "Push Hook", "gitlab/jx-go-scm__gitlab__push2.json", lambda: own_gitlab(17)),
    ("gitlab pipeline", "gitlab", "Pipeline Hook", "gitlab/go-gitlab__webhooks__pipeline.json", lambda: own_gitlab(9)),
)


class Payload:
    def __init__(self, folder, name, kind, event, recorded, own):
        self.name, self.kind, self.event = name, kind, event
        path = os.path.join(os.environ.get("SW_PAYLOADS") or os.path.join(ROOT, "../shared/payloads"), recorded)
        self.recorded = os.path.exists(path)
        if self.recorded:
            with open(path, encoding="utf-8") as f:
                self.document = json.load(f)
        else:
            self.document = own()
        self.folder = folder
        self.text = json.dumps(self.document, separators=(",", ":"), ensure_ascii=False)
        self.file = self.write("", self.text)

    def write(self, suffix, text):
        path = os.path.join(self.folder, self.name.replace(" ", "-") + suffix + ".json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def variants(self, n):
        """The same event of n repositories, so that steps spread over places as in life."""
        repo = self.document.get("repository", {}).get("full_name") or self.document["project"]["path_with_namespace"]
        return [self.write(f"-{i}", self.text.replace(repo, f"bench/repo{i}")) for i in range(n)]

    def title(self):
        return f"{self.name}, {len(self.text.encode()) / 1000:.1f} KB{'' if self.recorded else ' (our own, no recorded one here)'}"


def payloads(folder):
    return [Payload(folder, *row) for row in SIZES]


def say(text=""):
    print(text, flush=True)


def complain(text):
    print("bench: " + text, file=sys.stderr, flush=True)
