"""Redis over TCP and TLS, replicas and sentinels, and the certificates for them: for the tests of how Redis is reached."""
import json
import os
import shutil
import socket
import subprocess
import unittest

from harness import Process, Redis, wait_for

PUSH = json.dumps({"ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40, "commits": [], "head_commit": None,
                   "repository": {"full_name": "acme/web"}, "pusher": {"name": "lin"}}).encode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Certificates:
    """An authority in a folder, and what it signs."""

    def __init__(self, folder, name="ca"):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed")
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", *self.key(name), "-out", folder(name + ".pem"), "-subj", "/CN=" + name, "-days", "2")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def key(self, name):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder(name + ".key")

    @property
    def path(self):
        return self.folder(self.name + ".pem")

    def sign(self, name, *names, days=2):
        """A certificate for these names ("IP:127.0.0.1"); the paths of it and of its key."""
        f = self.folder
        self.openssl("req", "-new", *self.key(name), "-out", f(name + ".csr"), "-subj", "/CN=" + name)
        f.write(name + ".ext", "subjectAltName=" + ",".join(names) + "\n")
        self.openssl("x509", "-req", "-in", f(name + ".csr"), "-CA", self.path, "-CAkey", f(self.name + ".key"), "-CAcreateserial",
                     "-extfile", f(name + ".ext"), "-out", f(name + ".pem"), "-days", str(days))
        return f(name + ".pem"), f(name + ".key")


def tls_options(ca, pair, clients="no"):
    port = free_port()
    return port, ["--tls-port", str(port), "--tls-cert-file", pair[0], "--tls-key-file", pair[1], "--tls-ca-cert-file", ca.path,
                  "--tls-auth-clients", clients, "--bind", "127.0.0.1"]


class TcpRedis(Redis):
    """One that also listens on a port of 127.0.0.1, its own over restarts."""

    def __init__(self, folder, *options, name="redis"):
        self.port = free_port()
        super().__init__(folder, "--port", str(self.port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", *options, name=name)

    def ping(self):
        """That it wants a password is an answer, too."""
        try:
            return self("PING") == "PONG" or isinstance(self("PING"), RuntimeError)
        except OSError:
            return False

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def role(self):
        return self("ROLE")[0].decode()


class Sentinel(TcpRedis):
    """A redis-server --sentinel that watches one master; its file is its state."""

    def __init__(self, folder, master, name, *lines, quorum=1, down=500, port=None):
        self.port = free_port()
        self.path = folder(name + ".sock")
        self.dir = folder(name)
        os.makedirs(self.dir, exist_ok=True)
        conf = folder.write(name + ".conf", "\n".join((
            "port %d" % self.port, "bind 127.0.0.1", "unixsocket " + self.path, "dir " + self.dir, "logfile \"\"",
            "sentinel monitor main 127.0.0.1 %d %d" % (port or master.port, quorum), "sentinel down-after-milliseconds main %d" % down,
            "sentinel failover-timeout main 3000", *lines, "")))
        self.args = [shutil.which("redis-server"), conf, "--sentinel"]
        self.process = None
        self.start()

    def start(self):
        self.process = Process(self.args, name="sentinel")
        wait_for(self.ping, "the sentinel answers")

    def master(self):
        return int(self("SENTINEL", "get-master-addr-by-name", "main")[1])
