"""A dashboard of a test, and those who visit it: with a browser's headers, or as a program."""
import http.client
import os
import re
import socket
import subprocess
import urllib.parse

from harness import BOUND, PROGRAM, Answer, Role, built

FORM = "application/x-www-form-urlencoded"
TOKEN = "0123456789abcdef0123456789abcdef"
VIEWER = "fedcba9876543210fedcba9876543210"
PASSWORDS = {"lin": "correct horse", "mei": "battery staple"}
HASHES = {}


def hash_of(password):
    """Made once a run: it is slow by intent."""
    if password not in HASHES:
        HASHES[password] = subprocess.run([built(PROGRAM), "hash-password"], input=f"{password}\n{password}\n", stdout=subprocess.PIPE, check=True,
                                          text=True, timeout=BOUND).stdout.strip()
    return HASHES[password]


def users():
    """For `dashboard: {…}`: lin is an operator, mei a viewer; a token of each role."""
    return ('users: [{name: lin, password_hash: "%s", role: operator}, {name: mei, password_hash: "%s"}], '
            'tokens: [{name: robot, token: %s, role: operator}, {name: eye, token: %s}]' % (hash_of(PASSWORDS["lin"]), hash_of(PASSWORDS["mei"]), TOKEN, VIEWER))


class Dashboard(Role):
    def __init__(self, config, *options, listen="127.0.0.1:0", **kw):
        super().__init__("dashboard", config, "--listen", listen, *options, **kw)
        where = self.wait_log(r"^listening on ")["msg"].split()[2]
        self.address = where[5:] if where.startswith("unix:") else (where.rsplit(":", 1)[0].strip("[]"), int(where.rsplit(":", 1)[1]))
        self.url = None if isinstance(self.address, str) else f"http://{self.address[0]}:{self.address[1]}"

    def visitor(self, **kw):
        return Visitor(self.address, **kw)

    def recorder(self):
        """The process id of the recorder."""
        return next(iter(self.children()), None)


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(BOUND)
        self.sock.connect(self.host)


class Visitor:
    """Keeps cookies, says where its forms come from, reads the token out of the page. token: a program instead."""

    def __init__(self, address, token=None, host=None, source=None, headers=()):
        self.address, self.token, self.source = address, token, source
        self.host = host or ("localhost" if isinstance(address, str) else f"{address[0]}:{address[1]}")
        self.origin, self.headers, self.cookies = f"http://{self.host}", dict(headers), {}

    def request(self, method, path, body=None, headers=(), origin=True):
        kind = Unix(self.address) if isinstance(self.address, str) else http.client.HTTPConnection(
            *self.address, timeout=BOUND, source_address=(self.source, 0) if self.source else None)
        try:
            all_ = {"Host": self.host, **self.headers}
            if self.cookies:
                all_["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
            if self.token:
                all_["Authorization"] = f"Bearer {self.token}"
            elif method == "POST" and origin:
                all_["Origin"] = self.origin
            if isinstance(body, dict):
                body = urllib.parse.urlencode(body)
            if body is not None:
                all_["Content-Type"] = FORM
            all_.update(dict(headers))
            kind.request(method, path, body, {k: v for k, v in all_.items() if v is not None})
            got = kind.getresponse()
            answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
            for line in got.headers.get_all("set-cookie") or []:
                name, value = line.split(";")[0].split("=", 1)
                if "max-age=0" in line.lower():
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = value
            return answer
        finally:
            kind.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def csrf(self):
        for path in ("/", "/silences"):
            m = re.search(rb'name="csrf" value="([^"]*)"', self.get(path).body)
            if m:
                return m[1].decode()
        return ""

    def post(self, path, fields=(), csrf=None, **kw):
        """A form as a page of ours would send it."""
        fields = dict(fields)
        if not self.token:
            fields["csrf"] = self.csrf() if csrf is None else csrf
        return self.request("POST", path, fields, **kw)

    def sign_in(self, name="lin", password=None, next_="/"):
        return self.request("POST", "/sign-in", {"name": name, "password": PASSWORDS.get(name, "?") if password is None else password, "next": next_})


def private(folder, name, text):
    """A file that only we can read."""
    path = folder.write(name, text)
    os.chmod(path, 0o600)
    return path
