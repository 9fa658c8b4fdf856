"""Who gets into the dashboard and who does not: signing in, forms of other sites, proxies, tokens, limits; what every answer says; live viewers."""
import concurrent.futures
import os
import re
import resource
import signal
import socket
import subprocess
import time
import unittest

from dash_rig import PASSWORDS, TOKEN, VIEWER, Dashboard, Visitor, hash_of, users
from harness import BOUND, PROGRAM, SOURCE, Case, Connection, Redis, built, request_bytes, wait_for

CONFIG = """
state_dir: %(state)s
%(top)s
sources: {gitlab: {tokens: [0123456789abcdef]}}
channels: {box: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:1/health"}}}
dashboard: {%(dashboard)s}
"""
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
GUARDS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin", "cache-control": "no-store",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()", "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Every route that changes something, as the source has them.
POSTS = sorted(set(re.findall(r'\{ "POST", "([^"]+)", SW_ROLE_OPERATOR', open(os.path.join(SOURCE, "src/dashboard/decide.c"), encoding="utf-8").read())))


class Dash(Case):
    def write(self, dashboard="", top=""):
        return self.folder.write("shipwatch.yaml", CONFIG % {"state": self.folder("state"), "dashboard": dashboard, "top": top})

    def up(self, dashboard="", top="", redis=True, **kw):
        if redis:
            self.redis = self.start(Redis(self.folder))
        self.config = self.write(dashboard, top)
        self.dash = self.start(Dashboard(self.config, "--redis", self.redis.url, **kw))
        self.dash.wait_log("Redis is reached")
        return self.dash

    def signed_in(self, name="lin"):
        v = self.dash.visitor()
        self.assertEqual(v.sign_in(name).status, 303)
        return v


class Access(Dash):
    def test_without_users_only_from_here(self):
        self.up()
        v = self.dash.visitor()
        self.assertEqual(v.get("/").status, 200)
        self.assertIn(b"local", v.get("/").body)
        for host, status in (("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:1", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("10.1.2.3", 421),
                             ("localhost.evil.example", 421), ("", 421)):
            self.assertEqual(v.get("/", headers={"Host": host}).status, status, host)
        # DNS that was bent to us: neither is it read nor does it decide
        self.assertEqual(v.request("POST", "/hold", {"csrf": v.csrf()}, headers={"Host": "evil.example", "Origin": "http://evil.example"}).status, 421)
        self.assertEqual(v.get("/metrics", headers={"Host": "evil.example"}).status, 421)
        self.assertEqual(v.post("/hold", {"why": "x"}).status, 303)

    def test_public_name(self):
        self.up(top='public_url: "https://ship.example.com/"')
        v = self.dash.visitor(host="ship.example.com")
        self.assertEqual(v.get("/").status, 200)
        v.origin = "https://ship.example.com"
        self.assertEqual(v.post("/hold").status, 303)
        v.origin = "https://ship.example.com.evil.example"
        self.assertEqual(v.post("/hold").status, 403)

    def test_a_proxy_without_names_opens_no_door(self):
        """Who decides without signing in must come by a name of this machine, also where a proxy on it is trusted for addresses."""
        self.up("trusted_proxies: [127.0.0.1]", 'public_url: "https://ship.example.com"')
        v = self.dash.visitor()
        self.assertEqual([v.get("/", headers={"Host": h}).status for h in ("evil.example", "ship.example.com", "localhost")], [421, 200, 200])

    def test_open_to_everybody_is_refused(self):
        self.redis = self.start(Redis(self.folder))
        p = subprocess.run([built(PROGRAM), "check", "-c", self.write('listen: "0.0.0.0:0"')], stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=BOUND)
        self.assertEqual(p.returncode, 1)
        self.assertRegex(p.stderr.decode() + p.stdout.decode(), r'yaml:7:\d+: listen: "0.0.0.0:0" would let everybody decide: say users')
        p = subprocess.run([built(PROGRAM), "dashboard", "-c", self.write(), "--redis", self.redis.url, "--listen", "0.0.0.0:0"], stderr=subprocess.PIPE, timeout=BOUND)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"0.0.0.0:0 would let everybody decide", p.stderr)

    def test_forms_of_other_sites(self):
        self.up(users())
        v = self.signed_in()
        csrf = v.csrf()
        self.assertRegex(csrf, "^[0-9a-f]{32}$")
        for headers, token, status in (
                ({}, csrf, 303), ({}, "", 403), ({}, "0" * 32, 403), ({}, csrf + "0", 403), ({}, csrf[:-1], 403),
                ({"Origin": "http://evil.example"}, csrf, 403), ({"Origin": "null"}, csrf, 403), ({"Origin": None}, csrf, 403),
                ({"Origin": None, "Sec-Fetch-Site": "same-origin"}, csrf, 303), ({"Origin": None, "Sec-Fetch-Site": "cross-site"}, csrf, 403),
                ({"Origin": None, "Sec-Fetch-Site": "none"}, csrf, 403), ({"Sec-Fetch-Site": "same-site"}, csrf, 403)):
            self.assertEqual(v.post("/hold", {"scope": "web/prod"}, csrf=token, headers=headers).status, status, (headers, token))
        # the token of another session
        self.assertEqual(v.post("/hold", csrf=self.signed_in().csrf()).status, 403)
        # a sign-in that another site sends is none
        w = self.dash.visitor()
        w.origin = "http://evil.example"
        self.assertEqual(w.sign_in().status, 403)
        self.assertFalse(w.cookies)

    def test_signing_in(self):
        self.up(users())
        v = self.dash.visitor()
        self.assertEqual(v.get("/alerts?x=1&y=2").status, 404 if v.get("/alerts").status == 404 else 303)
        a = v.get("/")
        self.assertEqual((a.status, a.headers["location"]), (303, "/sign-in"))
        self.assertEqual(v.get("/sign-in?next=%2Fx").status, 200)
        a, b = v.sign_in("lin", "wrong"), v.sign_in("nobody", "wrong")
        self.assertEqual((a.status, b.status), (401, 401))
        self.assertEqual(a.body.replace(b'"lin"', b""), b.body.replace(b'"nobody"', b""))
        self.assertFalse(v.cookies)
        a = v.sign_in(next_="/rules?x=%3C")
        self.assertEqual((a.status, a.headers["location"]), (303, "/rules?x=%3C"))
        self.assertRegex(a.headers["set-cookie"], r"^sw_session=[0-9a-f.]+; Path=/; SameSite=Strict; HttpOnly; Max-Age=43200$")
        self.assertEqual(v.get("/").status, 200)
        self.assertIn(b">lin<", v.get("/").body)
        self.assertEqual(v.get("/sign-in?next=%2Fx").headers["location"], "/x")
        for bad in ("//evil.example", "/\\evil.example", "https://evil.example", "", "x", "/a b", "/a\r\nX: y"):
            self.assertEqual(self.dash.visitor().sign_in(next_=bad).headers["location"], "/", bad)
        log = "\n".join(self.dash.log())
        self.assertIn("signed in: lin (operator) from 127.0.0.1", log)
        self.assertIn("sign-in refused: nobody from 127.0.0.1", log)
        for word in (*PASSWORDS.values(), "wrong", v.cookies["sw_session"].rsplit(".")[-1]):
            self.assertNotIn(word, log)

    def test_secure_cookie(self):
        self.up(users(), 'public_url: "https://ship.example.com"')
        v = self.dash.visitor(host="ship.example.com")
        v.origin = "https://ship.example.com"
        self.assertIn("; Secure", v.sign_in().headers["set-cookie"])
        self.assertEqual(v.get("/", headers={"Host": "evil.example"}).status, 421)
        self.assertEqual(v.get("/", headers={"Host": self.dash.url[7:]}).status, 200)

    def test_signing_out(self):
        self.up(users())
        v = self.signed_in()
        kept = dict(v.cookies)
        self.assertEqual(v.request("POST", "/sign-out", {"csrf": "x"}).status, 403)
        self.assertEqual(v.post("/sign-out").status, 303)
        self.assertNotIn("sw_session", v.cookies)
        v.cookies = kept
        self.assertEqual(v.get("/").status, 303)
        # also after a restart
        self.assertEqual(self.dash.stop(), 0)
        self.up(users(), redis=False)
        v.address = self.dash.address
        self.assertEqual(v.get("/").status, 303)

    def test_restart_and_changes(self):
        self.up(users())
        lin, mei = self.signed_in(), self.signed_in("mei")
        self.assertEqual(os.stat(self.folder("state", "dashboard.key")).st_mode & 0o777, 0o600)
        self.dash.kill()
        self.up(users(), redis=False)
        lin.address = mei.address = self.dash.address
        self.assertEqual((lin.get("/").status, mei.get("/").status), (200, 200))
        # another password, another role, nobody: each ends the session at once
        for change in (users().replace(hash_of(PASSWORDS["mei"]), hash_of("something new")), users().replace("role: operator}, {name: mei", "role: viewer}, {name: mei"),
                       users().replace("name: mei", "name: may")):
            self.write(change)
            self.dash.signal(signal.SIGHUP)
            n = len(self.dash.entries(msg="configuration read again"))
            wait_for(lambda: len(self.dash.entries(msg="configuration read again")) > n or n, "reload")
            wait_for(lambda: 303 in (lin.get("/").status, mei.get("/").status), "a session ended")
            self.write(users())
            self.dash.signal(signal.SIGHUP)
            wait_for(lambda: (lin.get("/").status, mei.get("/").status) == (200, 200), "it holds again with what it was made for")

    def test_a_link_from_elsewhere(self):
        self.up(users())
        a = self.dash.visitor().get("/?a=1&b=%22", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
        self.assertEqual(a.status, 200)
        self.assertIn(b'<meta http-equiv="refresh" content="0;url=/?a=1&amp;b=%22">', a.body)
        a = self.dash.visitor().get("/?a=1", headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"})
        self.assertEqual(a.headers["location"], "/sign-in?next=%2F%3Fa%3D1")

    def test_viewers_decide_nothing(self):
        self.up(users())
        v = self.signed_in("mei")
        self.assertGreater(len(POSTS), 9, POSTS)
        for path in POSTS:
            self.assertEqual(v.post(path, {"id": "x", "why": "x"}).status, 403, path)
            self.assertEqual(self.dash.visitor(token=VIEWER).post(path).status, 403, path)
            self.assertEqual(self.dash.visitor().request("POST", path, {}).status, 401, path)
            self.assertEqual(v.request("GET", path).status in (200, 405, 503), True, path)
        self.assertEqual(self.redis("XLEN", "{sw}:work"), 0)
        self.assertEqual(self.redis("HGET", "{sw}:ctl", "hold"), None)
        self.assertIn("refused: mei may not POST /hold", "\n".join(self.dash.log()))

    def test_tokens(self):
        self.up(users())
        robot = self.dash.visitor(token=TOKEN)
        self.assertEqual(robot.get("/").status, 200)
        self.assertEqual(robot.post("/hold", {"scope": "web/prod"}).json, {"done": "web/prod is on hold: no action starts there."})
        self.assertIn(b"robot", self.redis("HGET", "{sw}:ctl", "hold:web/prod"))
        wrong = self.dash.visitor(token=TOKEN[:-1])
        a = wrong.get("/")
        self.assertEqual((a.status, a.json, a.headers["www-authenticate"]), (401, {"error": "no such token"}, 'Bearer realm="shipwatch"'))
        statuses = [wrong.get("/").status for _ in range(40)]
        self.assertEqual((statuses.count(401), statuses[-1]), (29, 429))
        # who has a right is never refused for what others did
        self.assertEqual(robot.get("/").status, 200)


class Limits(Dash):
    def test_of_a_name(self):
        self.up(users() + ", trusted_proxies: [127.0.0.1]")

        def attempt(i, name, password="wrong"):
            v = self.dash.visitor(headers={"X-Forwarded-For": f"198.51.100.{i}"})
            return v.sign_in(name, password).status

        self.assertEqual([attempt(i, "lin") for i in range(10)], [401] * 10)
        self.assertEqual(attempt(11, "lin"), 429)
        self.assertEqual(attempt(12, "lin", PASSWORDS["lin"]), 429)
        self.assertEqual(attempt(13, "mei", PASSWORDS["mei"]), 303)

    def test_of_an_address(self):
        self.up(users() + ", trusted_proxies: [127.0.0.1]")
        self.assertEqual([self.dash.visitor().sign_in(f"name{i}", "wrong").status for i in range(20)], [401] * 20)
        a = self.dash.visitor().sign_in()
        self.assertEqual((a.status, a.headers["retry-after"]), (429, "60"))
        self.assertEqual(self.dash.visitor(headers={"X-Forwarded-For": "198.51.100.7"}).sign_in().status, 303)

    def test_in_all(self):
        self.up(users() + ", trusted_proxies: [127.0.0.1]")
        v = self.signed_in()

        def attempt(i, name="", password=""):
            return self.dash.visitor(headers={"X-Forwarded-For": f"2001:db8:{i:x}::1"}).sign_in(name or f"name{i}", password).status

        self.assertEqual({attempt(i) for i in range(300)}, {401})
        self.assertEqual(attempt(301, "lin", PASSWORDS["lin"]), 429)
        self.assertEqual(v.get("/").status, 200)

    def test_many_at_once_cost_little(self):
        self.up(users())
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            got = list(pool.map(lambda i: self.dash.visitor().sign_in(f"name{i}", "x").status, range(60)))
            began = time.monotonic()
            self.assertEqual(self.dash.visitor().get("/sign-in").status, 200)
            self.assertLess(time.monotonic() - began, 5)
        self.assertLessEqual(set(got), {401, 429, 503})
        self.assertLessEqual(got.count(401), 20 + 18)
        self.assertLess(len(self.dash.children()), 4)


class Proxies(Dash):
    def test_names_of_a_proxy(self):
        self.up('trusted_proxies: [127.0.0.9], user_header: X-Forwarded-User, operators: [lin]')
        proxy = self.dash.visitor(source="127.0.0.9", headers={"X-Forwarded-User": "lin"})
        self.assertEqual(proxy.get("/").status, 200)
        self.assertIn(b">lin<", proxy.get("/").body)
        self.assertEqual(proxy.post("/hold", {"scope": "web/prod"}).status, 303)
        self.assertIn(b"lin", self.redis("HGET", "{sw}:ctl", "hold:web/prod"))
        viewer = self.dash.visitor(source="127.0.0.9", headers={"X-Forwarded-User": "mei"})
        self.assertEqual(viewer.get("/").status, 200)
        self.assertEqual(viewer.post("/hold").status, 403)
        # from anybody else the header says nothing
        other = self.dash.visitor(headers={"X-Forwarded-User": "lin"})
        self.assertEqual((other.get("/").status, other.post("/hold", csrf="x").status), (303, 401))
        a = self.dash.visitor(source="127.0.0.9").get("/sign-in")
        self.assertIn(b"by the proxy", a.body)
        for name in ("lin\x7f", "x" * 101, "\xe2\x80\xaelin"):
            self.assertEqual(self.dash.visitor(source="127.0.0.9", headers={"X-Forwarded-User": name.encode("latin-1")}).get("/").status, 400, name)
        with socket.create_connection(self.dash.address, source_address=("127.0.0.9", 0)) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: mei\r\nX-Forwarded-User: lin\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 400 ", s.recv(100))

    def test_roles_of_a_proxy(self):
        self.up('trusted_proxies: [127.0.0.9], user_header: Remote-User, role_header: Remote-Groups')
        for role, status in (("operator", 303), ("viewer, Operator", 303), ("viewer", 403), ("operators", 403), ("", 403), (None, 403)):
            v = self.dash.visitor(source="127.0.0.9", headers={"Remote-User": "lin", "Remote-Groups": role})
            self.assertEqual(v.post("/hold").status, status, role)

    def test_unix_socket(self):
        path = self.folder("dash.sock")
        self.up(f'user_header: Remote-User, listen: "unix:{path}"', listen=f"unix:{path}")
        self.assertIn(b">lin<", Visitor(path, headers={"Remote-User": "lin"}).get("/").body)
        self.assertEqual(Visitor(path).get("/").status, 303)


class Answers(Dash):
    def test_what_every_answer_says(self):
        self.up(users())
        v, nobody = self.signed_in(), self.dash.visitor()
        asset = re.search(rb'href="(/assets/style[^"]+)"', nobody.get("/sign-in").body)[1].decode()
        answers = [
            v.get("/"), nobody.get("/"), v.get("/nothing"), v.request("PUT", "/"), v.request("OPTIONS", "/"), v.get("/health"), v.get("/metrics"), nobody.get("/sign-in"),
            nobody.sign_in("lin", "wrong"), v.post("/hold"), v.post("/hold", csrf="x"), nobody.request("POST", "/hold", {}), v.get(asset), v.get("/assets/none.css"),
            v.get(asset, headers={"If-None-Match": "*"}), v.request("POST", "/hold", "{}", headers={"Content-Type": "application/json"}), nobody.get("/live"),
            v.get("/", headers={"Host": "[broken"}), v.request("HEAD", "/"), v.request("POST", "/health", {}), v.get("/?lang=zh"), nobody.get("/favicon.ico"),
            self.dash.visitor(token="wrong").get("/"),
        ]
        for a in answers:
            self.assertEqual({k: a.headers.get(k) for k in GUARDS if k != "cache-control"}, {k: v for k, v in GUARDS.items() if k != "cache-control"}, a)
            if a.status != 304 and not (a.status == 200 and a.headers["content-type"].startswith(("text/css", "image/"))):
                self.assertTrue(a.headers["cache-control"].startswith("no-store"), a)
        self.assertEqual([a.status for a in answers], [200, 303, 404, 405, 204, 200, 200, 200, 401, 303, 403, 401, 200, 404, 200, 415, 401, 421, 200, 405, 303, 200, 401])
        for a in answers:
            if a.headers.get("content-type", "").startswith("text/html"):
                self.assertNotRegex(a.body.decode(), r"(?i)\son[a-z]+=|<style|\sstyle=|javascript:|<script(?! src=\"/assets/)", "inline script or style")

    def test_what_the_server_refuses(self):
        """Before a route is known, by bytes as they are: the same headers, once each, and the words are JSON."""
        self.up(users())
        got = "GET / HTTP/1.1\r\nHost: localhost\r\n"
        form = "POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        cookie = f"Cookie: sw_session={self.signed_in().cookies['sw_session']}\r\n"
        cases = [
            (400, "NONSENSE\r\n\r\n"), (400, got + "Host: other\r\n\r\n"), (400, got + "no colon\r\n\r\n"), (400, got + "\r\nmore behind it"),
            (400, got + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), (400, "\x16\x03\x01\x02\x00"), (400, got.replace("1.1", "9.9") + "\r\n"),
            (411, form + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), (411, form + cookie + "\r\n"), (413, form + cookie + "Content-Length: 65537\r\n\r\n"),
            (417, got + "Expect: a miracle\r\n\r\n"), (431, got + "X: " + "y" * 16400 + "\r\n\r\n"), (431, got + "X: y\r\n" * 200 + "\r\n"), (408, "GET /"),
            (408, form + cookie + "Content-Length: 9\r\n"), (400, "\r\n" * 4000), (401, form + "Content-Length: 9\r\n\r\n"), (415, form.replace("urlenc", "x") + cookie + "Content-Length: 9\r\n\r\n"),
        ]
        open_ = [Connection(self.dash.address) for _ in cases]     # all at once: two of them wait for the server's patience
        for c, (_, data) in zip(open_, cases):
            self.addCleanup(c.s.close)
            c.send(data.encode("latin-1"))
        for c, (status, data) in zip(open_, cases):
            a = c.answer()
            self.assertEqual(a.status, status, data[:60])
            self.assertEqual({k: a.headers.get(k) for k in GUARDS}, GUARDS, f"{status} of {data[:60]!r}")
            if status not in (401, 415):       # those are pages
                self.assertTrue(a.json["error"], a)

    def test_methods_and_limits(self):
        self.up(users())
        v = self.signed_in()
        self.assertEqual(v.request("PUT", "/").headers["allow"], "GET, HEAD, OPTIONS")
        self.assertNotIn(b"Redis does not answer", v.get("/nothing").body)
        self.assertEqual(v.request("OPTIONS", "/sign-in").headers["allow"], "GET, HEAD, POST, OPTIONS")
        self.assertEqual(v.request("HEAD", "/").body, b"")
        self.assertEqual(int(v.request("HEAD", "/health").headers["content-length"]), len(v.get("/health").body))
        cookie = f"sw_session={v.cookies['sw_session']}"
        head = {"Cookie": cookie, "Host": "localhost"}

        def status(data):
            with Connection(self.dash.address) as c:
                c.send(data)
                a = c.answer()
                return a.status

        def plain(method, path, **more):
            lines = [f"{method} {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in {**head, **more}.items()]
            return "\r\n".join(lines).encode() + b"\r\n\r\n"

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = b"x" * 65536
        self.assertEqual(status(plain("POST", "/hold", **form, **{"Content-Length": "65537"})), 413)
        self.assertEqual(status(plain("POST", "/hold", **form, **{"Content-Length": "65536"}) + body), 403)
        self.assertEqual(status(plain("POST", "/hold", **form)), 411)
        self.assertEqual(status(plain("GET", "/" + "x" * 16400)), 431)
        self.assertEqual(status(plain("GET", "/", **{"X": "y" * 16400})), 431)
        self.assertEqual(status(plain("GET", "/?" + "x" * 4000)), 200)
        self.assertEqual(status(plain("GET", "/", **{"Content-Length": "5"}) + b"hello"), 400)
        self.assertEqual(status(b"NONSENSE\r\n\r\n"), 400)
        for path in ("/hold%2f", "/%00", "/assets/", "/assets/../x", "//", "/sign-in/", "/watches/%ff"):
            self.assertIn(v.get(path).status, (404, 405), path)

    def test_language_and_theme(self):
        self.up()
        v = self.dash.visitor()
        self.assertIn(b'<html lang="en">', v.get("/").body)
        a = v.get("/?lang=zh&x=1&theme=dark&y=%26")
        self.assertEqual((a.status, a.headers["location"]), (303, "/?x=1&y=%26"))
        self.assertIn(b'<html lang="zh-CN" data-theme="dark">', v.get("/").body)
        v.get("/?theme=auto&lang=en")
        self.assertIn(b'<html lang="en">', v.get("/").body)
        self.assertEqual(v.get("/?lang=xx&theme=pink").status, 200)
        v.cookies = {"sw_lang": "\"><script>", "sw_theme": "x" * 3000, "sw_flash": "g.%3Cscript%3Ealert(1)%3C/script%3E"}
        a = v.get("/")
        self.assertIn(b"&lt;script&gt;alert(1)&lt;/script&gt;", a.body)
        self.assertNotIn(b"<script>", a.body)
        self.assertNotIn("sw_flash", v.cookies)

    def test_assets(self):
        self.up()
        v = self.dash.visitor()
        page = v.get("/").body.decode()
        for path in re.findall(r'(?:href|src)="(/assets/[^"]+)"', page):
            a = v.get(path, headers={"Accept-Encoding": "br, gzip"})
            self.assertEqual((a.status, a.headers["cache-control"], a.headers["content-encoding"]), (200, "public, max-age=31536000, immutable", "gzip"))
            again = v.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": f'W/"x", {a.headers["etag"]}'})
            self.assertEqual((again.status, again.body), (304, b""))
            b = v.get(path, headers={"Accept-Encoding": "gzip;q=0"})
            self.assertNotIn("content-encoding", b.headers)
            self.assertEqual(__import__("gzip").decompress(a.body), b.body)

    def test_without_redis_and_recorder(self):
        self.up()
        v = self.dash.visitor()
        wait_for(lambda: v.get("/health").json["checks"]["history"]["status"] == "ok", "the history is read")
        os.kill(self.dash.recorder(), signal.SIGSTOP)
        self.assertEqual(v.get("/").status, 200)
        os.kill(self.dash.recorder(), signal.SIGKILL)
        self.dash.wait_log("recorder died of signal 9")
        self.assertEqual(v.get("/").status, 200)
        wait_for(lambda: v.get("/health").json["checks"]["recorder"]["status"] == "ok", "the recorder was started again")
        self.redis.stop()
        wait_for(lambda: b"Redis does not answer" in v.get("/").body, "the page says so")
        self.assertEqual(v.get("/").status, 200)
        self.assertEqual(v.get("/health").json["checks"]["redis"]["status"], "fail")
        v.post("/hold", {"why": "x"})
        self.assertIn(b"nothing was done", v.get("/").body)

    def test_a_key_that_cannot_be_kept(self):
        os.makedirs(self.folder("state", "dashboard.key"))
        os.makedirs(self.folder("state", "dashboard.out.new"))
        self.up(users())
        self.assertIn("going on with a key in memory", "\n".join(self.dash.log()))
        v = self.signed_in()
        kept = dict(v.cookies)
        self.assertEqual(v.post("/sign-out").status, 303)
        v.cookies = kept
        self.assertEqual(v.get("/").status, 303)

    def test_a_broken_history(self):
        os.makedirs(self.folder("state"))
        with open(self.folder("state", "history.db"), "wb") as f:
            f.write(b"this is no database" * 1000)
        self.up()
        v = self.dash.visitor()
        wait_for(lambda: v.get("/health").json["checks"]["history"]["status"] == "ok", "a new one was begun")
        self.assertEqual(v.get("/").status, 200)
        self.assertTrue([n for n in os.listdir(self.folder("state")) if n.startswith("history.db.broken-")])
        # gone while it is read: the page goes on, and finds the next one
        for n in os.listdir(self.folder("state")):
            if n.startswith("history.db") and "broken" not in n:
                os.unlink(self.folder("state", n))
        self.assertEqual(v.get("/").status, 200)
        wait_for(lambda: v.get("/health").json["checks"]["history"]["status"] == "ok" and os.path.exists(self.folder("state", "history.db")), "another one is there", 60)

    def test_ends_with_its_parent(self):
        self.up()
        recorder = wait_for(self.dash.recorder, "a recorder")
        self.dash.kill()
        wait_for(lambda: not os.path.exists(f"/proc/{recorder}") or open(f"/proc/{recorder}/stat").read().rsplit(")", 1)[1].split()[0] == "Z", "the recorder ends too")


class Stream:
    """One viewer: events as they come."""

    def __init__(self, dash, headers=(), path="/live"):
        self.s = socket.create_connection(dash.address)
        self.s.settimeout(BOUND)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *[f"{k}: {v}" for k, v in dict(headers).items()]]
        self.s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.rest = b""

    def until(self, what):
        while what not in self.rest:
            got = self.s.recv(65536)
            if not got:
                raise AssertionError(f"closed before {what}: {self.rest[-300:]}")
            self.rest += got
        before, self.rest = self.rest.split(what, 1)
        return before

    def event(self):
        """(id, name, data) of the next one."""
        self.until(b"\nid: ")
        text = self.until(b"\n\n").decode()
        return tuple(re.fullmatch(r"(\S+)\nevent: (\S+)\ndata: ([^\n]*)", text).groups())

    def close(self):
        self.s.close()


class Live(Dash):
    def test_events(self):
        self.up(users())
        self.assertEqual(self.dash.visitor().get("/live").status, 401)
        cookie = {"Cookie": f"sw_session={self.signed_in('mei').cookies['sw_session']}"}
        a = Stream(self.dash, cookie)
        head = a.until(b"\r\n\r\n").decode()
        self.assertIn("200 OK", head)
        self.assertIn("text/event-stream", head)
        self.assertIn(POLICY, head)
        first, name, _ = a.event()
        self.assertEqual(name, "hello")
        self.dash.visitor(token=TOKEN).post("/hold", {"why": "x"})
        id_, name, data = a.event()
        self.assertEqual(name, "touched")
        self.assertLessEqual({"decisions", "status"}, set(data.split()))
        self.assertNotEqual(id_, first)
        # who comes back and missed nothing hears nothing; who missed something hears of all
        b = Stream(self.dash, {**cookie, "Last-Event-ID": first})
        self.assertEqual(b.event()[1], "touched")
        last = wait_for(lambda: Stream(self.dash, cookie).event()[0], "the newest id")
        self.assertEqual(Stream(self.dash, {**cookie, "Last-Event-ID": last}).event()[1], "hello")
        for s in (a, b):
            s.close()
        wait_for(lambda: b"shipwatch_live_viewers 0" in self.dash.visitor().get("/metrics").body, "all viewers are gone")

    def test_reload_asks_them_again(self):
        self.up()
        a = Stream(self.dash)
        a.event()
        self.dash.signal(signal.SIGHUP)
        a.until(b"0\r\n\r\n")
        a.close()

    def test_as_many_as_there_may_be(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 2500:
            self.skipTest("too few file descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (2500, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.up()
        viewers = [Stream(self.dash) for _ in range(1000)]
        for v in viewers:
            v.event()
        a = self.dash.visitor().get("/live")
        self.assertEqual((a.status, a.headers["retry-after"]), (503, "30"))
        self.assertEqual(self.dash.visitor().get("/").status, 200)
        # nothing happens: they cost nothing
        before = self.cpu()
        time.sleep(1)
        self.assertLess(self.cpu() - before, 0.2)
        self.dash.visitor().post("/hold")
        self.assertEqual({v.event()[1] for v in viewers}, {"touched"})
        viewers.pop().close()
        wait_for(lambda: b"shipwatch_live_viewers 999" in self.dash.visitor().get("/metrics").body, "one went")
        viewers.append(Stream(self.dash))
        viewers[-1].event()
        began = time.monotonic()
        self.assertEqual(self.dash.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        for v in viewers:
            v.close()

    def cpu(self):
        with open(f"/proc/{self.dash.pid}/stat") as f:
            part = f.read().rsplit(")", 1)[1].split()
        return (int(part[11]) + int(part[12])) / os.sysconf("SC_CLK_TCK")


class HashPassword(unittest.TestCase):
    def run_it(self, text):
        return subprocess.run([built(PROGRAM), "hash-password"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=BOUND)

    def test_it(self):
        self.assertRegex(self.run_it("long enough\nlong enough\n").stdout, r"^\$y\$\S{40,}\n$")
        self.assertNotEqual(self.run_it("long enough\nlong enough\n").stdout, self.run_it("long enough\nlong enough\n").stdout)
        for text, says in (("short\nshort\n", "at least 8"), ("long enough\nlong enougH\n", "not the same"), ("long enough\n", "a second time"), ("", "twice"),
                           ("x" * 600 + "\n" + "x" * 600 + "\n", "at most 512")):
            p = self.run_it(text)
            self.assertEqual((p.returncode, p.stdout), (1, ""), text)
            self.assertIn(says, p.stderr)
            self.assertNotIn(text.split("\n")[0] or "?", p.stderr)


if __name__ == "__main__":
    unittest.main()
