"""Every trap of libevhtp's connections and parser that was measured (c-stack 3.2), each shown closed, on a small server."""
import json
import os
import resource
import signal
import socket
import struct
import unittest

from harness import BUILD, BOUND, Case, Connection, Process, built, request_bytes, rss_kib, wait_for

ECHO = os.environ.get("SW_ECHO") or os.path.join(BUILD, "tests", "blackbox", "http_echo")


class Always(Connection):
    """Whoever answers, handler or server, and whatever: the headers that were asked for every answer are there."""

    def answer(self, method="POST"):
        a = super().answer(method)
        if a and a.status != 100:
            assert (a.headers.get("x-always"), a.headers.get("cache-control")) == ("1", "no-store"), a
        return a


class Echo(Process):
    def __init__(self, **options):
        super().__init__([built(ECHO), *(f"{k}={v}" for k, v in options.items())], name="http_echo")
        wait_for(self.log, "http_echo listens")
        where = self.log()[0]
        self.address = where[5:] if where.startswith("unix:") else (where.rsplit(":", 1)[0], int(where.rsplit(":", 1)[1]))

    def connect(self):
        return Always(self.address)

    def stats(self):
        with self.connect() as c:
            return c.request("GET", "/stats").json


def fnv(data):
    h = 2166136261
    for b in data:
        h = (h ^ b) * 16777619 & 0xffffffff
    return h


class Traps(Case):
    def echo(self, **options):
        return self.start(Echo(**options))

    def one(self, e, data, method="POST"):
        with e.connect() as c:
            c.send(data)
            return c.answer(method)

    def test_split_at_every_byte(self):
        """The head and the body in two pieces at each place: the handler sees the same."""
        e = self.echo()
        body = b'{"a":"token=abc"}'
        data = request_bytes("POST", "/echo/token=abc?x=def&y=/z", body,
                             {"X-Empty": "", "User-Agent": "a b", "Content-Type": "application/json"})
        whole = self.one(e, data)
        self.assertEqual(whole.status, 200)
        self.assertEqual(whole.json["path"], "/echo/token=abc")
        self.assertEqual(whole.json["query"], "x=def&y=/z")
        self.assertEqual(whole.json["hash"], fnv(body))
        with e.connect() as c:
            for i in range(1, len(data)):
                c.send(data[:i])
                # A round trip on another connection: the loop has turned since, and read the first piece alone.
                e.stats()
                c.send(data[i:])
                answer = c.answer()
                self.assertEqual((answer.status, answer.json), (200, whole.json), f"split at {i}")

    def test_byte_by_byte(self):
        e = self.echo()
        data = request_bytes("POST", "/later?a", b"hello", {})
        with e.connect() as c:
            for b in data:
                c.send(bytes([b]))
            self.assertEqual(c.answer().json["hash"], fnv(b"hello"))

    def test_form_body_is_not_parsed(self):
        """8 MiB of form killed the process; 24 MiB passes as bytes."""
        e = self.echo()
        for size in (8 << 20, 24 << 20):
            body = b"payload=" + b"a=b&" * ((size - 8) // 4)
            answer = self.one(e, request_bytes("POST", "/echo", body, {"Content-Type": "application/x-www-form-urlencoded"}))
            self.assertEqual((answer.status, answer.json["n"]), (200, len(body)))
        self.assertTrue(e.alive())

    def test_refusals(self):
        e = self.echo()
        head = "POST /echo HTTP/1.1\r\nHost: a\r\n"
        for data, want in (
                (head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n", 411),
                (head + "Transfer-Encoding: gzip, chunked\r\n\r\n", 411),
                (head + "Transfer-Encoding : chunked\r\n\r\n", 400),
                (head + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n", 411),
                (head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                (head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
                (head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
                (head + "\r\n", 411),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n", 400),
                ("GET / HTTP/1.1\nHost: a\n\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
                ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
                ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                ("GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                ("\x16\x03\x01\x02\x00", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 9000 + "\r\n\r\n", 431),
                ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 100 + "\r\n", 431),
                ("GET / HTTP/1.1\r\nHost: a\r\n" + ("X: " + "y" * 1000 + "\r\n") * 17, 431),
                (head + "Content-Length: 5\r\nExpect: a miracle\r\n\r\nhello", 417)):
            with self.subTest(data=data[:80]):
                with e.connect() as c:
                    c.send(data.encode("latin-1"))
                    answer = c.answer()
                    self.assertEqual(answer.status, want)
                    self.assertTrue(answer.json["error"])
                    self.assertEqual(answer.headers["connection"], "close")
                    self.assertTrue(c.closed())
        self.assertEqual(e.stats()["heads"], 1)

    def test_many_header_lines_do_not_grow(self):
        """20,000 lines of 1 KB were all taken; the rest of them is dropped after the answer."""
        e = self.echo()
        with e.connect() as c:
            try:
                c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
                for _ in range(200):
                    c.send((b"X: " + b"y" * 995 + b"\r\n") * 100)
            except (ConnectionResetError, BrokenPipeError):
                pass
            self.assertEqual(c.answer().status, 431)
        wait_for(lambda: e.stats()["conns"] == 1, "the connection is closed")
        self.assertEqual(e.stats()["held"], 0)

    def test_pipelined_requests_do_not_stall(self):
        e = self.echo()
        get = request_bytes("GET", "/echo")
        with e.connect() as c:
            c.send(get * 3)
            self.assertEqual(c.answer().status, 400)
            self.assertTrue(c.closed())
        with e.connect() as c:
            c.send(request_bytes("POST", "/keep", b"x"))
            wait_for(lambda: e.stats()["requests"] == 2, "the handler has it")
            # Sent while the first waits: taken after it.
            c.send(get)
            with e.connect() as other:
                self.assertEqual(other.request("POST", "/release", b"").status, 200)
            self.assertEqual(c.answer().json, {})
            self.assertEqual(c.answer().json["path"], "/echo")

    def test_bytes_behind_the_body(self):
        e = self.echo()
        answer = self.one(e, request_bytes("POST", "/echo", b"hello") + b"GET /admin HTTP/1.1\r\n\r\n")
        self.assertEqual(answer.status, 400)

    def test_too_large_is_told_before_the_body(self):
        """413 as soon as the head is there, and it is not lost to a reset while the sender still sends."""
        e = self.echo()
        with e.connect() as c:
            c.send(b"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
            self.assertEqual(c.answer().status, 413)
        self.assertEqual(self.one(e, request_bytes("POST", "/small", b"x" * 10)).status, 200)
        with e.connect() as c:
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (32 << 20))
            for _ in range(32):
                c.send(b"x" * (1 << 20))
            answer = c.answer()
            self.assertEqual((answer.status, answer.headers["connection"]), (413, "close"))
        wait_for(lambda: e.stats()["conns"] == 1, "the connection is closed")
        self.assertEqual(e.stats()["held"], 0)

    def test_expect(self):
        e = self.echo()
        ask = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        with e.connect() as c:
            c.send(ask % b"/echo")
            self.assertEqual(c.answer().status, 100)
            c.send(b"hello")
            self.assertEqual(c.answer().json["hash"], fnv(b"hello"))
        with e.connect() as c:
            c.send(ask % b"/early")
            self.assertEqual(c.answer().status, 404, "no 100 before a refusal")
        with e.connect() as c:
            c.send((ask % b"/echo").replace(b"HTTP/1.1", b"HTTP/1.0") + b"hello")
            self.assertEqual(c.answer().status, 200, "HTTP/1.0 knows no 100")

    def test_early_answer_is_one_answer(self):
        e = self.echo()
        with e.connect() as c:
            c.send(request_bytes("POST", "/early", b"hello"))
            self.assertEqual(c.answer().status, 404)
            self.assertTrue(c.closed())
        st = e.stats()
        self.assertEqual((st["heads"], st["done"], st["answers"]), (2, 1, 1))

    def test_methods(self):
        e = self.echo()
        with e.connect() as c:
            answer = c.request("HEAD", "/echo")
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertGreater(int(answer.headers["content-length"]), 10)
            for method in ("GET", "DELETE", "OPTIONS", "TRACE", "BREW"):
                self.assertEqual(c.request(method, "/echo").json["method"], method)
            self.assertEqual(c.request("OPTIONS", "*").json["path"], "*")

    def test_keep_alive(self):
        e = self.echo()
        with e.connect() as c:
            for i in range(50):
                self.assertEqual(c.request("POST", "/later", b"x" * i).json["n"], i)
            answer = c.request("GET", "/echo", None, {"Connection": "close"})
            self.assertEqual(answer.headers["connection"], "close")
            self.assertTrue(c.closed())
        with e.connect() as c:
            c.send(b"GET /echo HTTP/1.0\r\n\r\n")
            self.assertEqual(c.answer().headers["connection"], "close")
            self.assertTrue(c.closed())

    def test_deadlines(self):
        """A byte now and then does not keep a request alive; nor does a handler that never answers."""
        e = self.echo(head=300, request=600, idle=300, reply=300)
        with e.connect() as c:
            end = wait_trickle(c, request_bytes("GET", "/" + "x" * 400))
            self.assertEqual(end.status, 408)
        with e.connect() as c:
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
            self.assertEqual(wait_trickle(c, b"y" * 99).status, 408)
        with e.connect() as c:
            answer = c.request("POST", "/never", b"x")
            self.assertEqual((answer.status, bool(answer.headers["retry-after"])), (503, True))
        with e.connect() as c:
            self.assertEqual(c.request("GET", "/echo").status, 200)
            self.assertTrue(c.closed(), "an idle connection is closed")
        with e.connect() as c:
            self.assertTrue(c.closed(), "one that never says a word is closed")

    def test_sender_leaves(self):
        """While the handler works: by FIN the answer still goes out, by RST it finds nobody; nothing is left behind."""
        e = self.echo()
        with e.connect() as c:
            c.send(request_bytes("POST", "/keep", b"x"))
            wait_for(lambda: e.stats()["requests"] == 2, "the handler has it")
            c.s.shutdown(socket.SHUT_WR)
            with e.connect() as other:
                self.assertEqual(other.request("POST", "/release", b"").status, 200)
            self.assertEqual(c.answer().status, 200)
        c = e.connect()
        c.send(request_bytes("POST", "/keep", b"x"))
        wait_for(lambda: e.stats()["requests"] == 2, "the handler has it")
        reset(c)
        wait_for(lambda: e.stats()["conns"] == 1, "the reset is seen")
        with e.connect() as other:
            self.assertEqual(other.request("POST", "/release", b"").status, 200)
        st = wait_for(lambda: (lambda s: s if s["conns"] == 1 else None)(e.stats()), "all are gone")
        self.assertEqual((st["requests"], st["held"], st["heads"] - st["done"]), (1, 0, 1))

    def test_slow_reader(self):
        e = self.echo()
        with e.connect() as c:
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            c.send(request_bytes("GET", "/big"))
            self.assertEqual(e.stats()["conns"], 2)
            self.assertEqual(len(c.answer().body), 16 << 20)
            self.assertEqual(c.request("GET", "/echo").status, 200)
        e2 = self.echo(write=300)
        with e2.connect() as c:
            c.send(request_bytes("GET", "/big"))
            wait_for(lambda: e2.stats()["conns"] == 1, "who does not read is closed")

    def test_held_bytes_are_bounded(self):
        e = self.echo(held_max=200000)
        first = e.connect()
        first.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n" + b"x" * 140000)
        wait_for(lambda: e.stats()["held"] >= 140000, "the first is held")
        with e.connect() as c:
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n" + b"x" * 140000)
            answer = c.answer()
            self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "5"))
        first.send(b"x" * 10000)
        self.assertEqual(first.answer().json["n"], 150000)
        first.s.close()

    def test_connections_are_bounded(self):
        """At the limit an idle one gives way; when none is idle, new ones wait."""
        e = self.echo(conns_max=4)
        idle = e.connect()
        self.assertEqual(idle.request("GET", "/echo").status, 200)
        busy = []
        for _ in range(4):
            c = e.connect()
            c.send(request_bytes("POST", "/never", b"x"))
            busy.append(c)
        self.assertTrue(idle.closed())
        waiting = e.connect()
        waiting.send(request_bytes("GET", "/echo"))
        reset(busy.pop())
        self.assertEqual(waiting.answer().status, 200)
        for c in busy + [waiting, idle]:
            c.s.close()

    def test_out_of_descriptors(self):
        """No busy loop, and service again as soon as there are some."""
        e = self.echo()
        used = len(os.listdir(f"/proc/{e.pid}/fd"))
        resource.prlimit(e.pid, resource.RLIMIT_NOFILE, (used + 3, used + 3))
        kept = [e.connect() for _ in range(12)]
        for c in kept:
            c.send(b"GET /echo HTTP/1.1\r\n")
        wait_for(lambda: any("descriptors" in line for line in e.log()), "it says so")
        before = cpu_ticks(e.pid)
        for c in kept[:3]:
            c.send(b"Host: a\r\n\r\n")
            self.assertEqual(c.answer().status, 200)
        # The rest is served as descriptors come free; each wait is a timer of 100 ms, not a spin.
        for c in kept[:3]:
            c.s.close()
        for c in kept[3:]:
            c.send(b"Host: a\r\n\r\n")
            self.assertEqual(c.answer().status, 200)
            c.s.close()
        self.assertLess(cpu_ticks(e.pid) - before, 100)
        self.assertLess(sum("descriptors" in line for line in e.log()), 5)

    def test_graceful_stop(self):
        e = self.echo()
        idle, busy, fresh = e.connect(), e.connect(), e.connect()
        self.assertEqual(idle.request("GET", "/echo").status, 200)
        busy.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        wait_for(lambda: e.stats()["heads"] >= 3, "the head is in")
        e.signal(signal.SIGTERM)
        self.assertTrue(idle.closed())
        busy.send(b"hello")
        answer = busy.answer()
        self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
        fresh.s.close()
        self.assertEqual(e.wait(), 0)
        self.assertEqual(e.log()[-1], "stopped")

    def test_stop_has_a_deadline(self):
        e = self.echo()
        with e.connect() as c:
            c.send(request_bytes("POST", "/never", b"x"))
            wait_for(lambda: e.stats()["requests"] == 2, "the handler has it")
            self.assertEqual(e.stop(), 0)
            self.assertTrue(c.closed())

    def test_unix_socket(self):
        path = self.folder("echo.sock")
        e = self.echo(listen="unix:" + path)
        with e.connect() as c:
            self.assertEqual(c.request("POST", "/echo", b"hello").json["hash"], fnv(b"hello"))
        e.kill()
        again = self.echo(listen="unix:" + path)
        with again.connect() as c:
            self.assertEqual(c.request("GET", "/echo").status, 200)

    def test_a_thousand_slow_connections(self):
        e = self.echo()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 1200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        before = rss_kib(e.pid)
        all_of_them = []
        for i in range(1000):
            c = e.connect()
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\nx")
            all_of_them.append(c)
        wait_for(lambda: e.stats()["conns"] == 1001, "all are open")
        grown = rss_kib(e.pid) - before
        print(f"# 1,000 slow connections: {before} KiB resident before, {grown} KiB more")
        self.assertLess(grown, 40 * 1024)
        for c in all_of_them:
            c.s.close()


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def reset(c):
    """Closes by RST."""
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.s.close()


def wait_trickle(c, data):
    """One byte after the other, until there is an answer."""
    for b in data:
        try:
            c.send(bytes([b]))
        except (BrokenPipeError, ConnectionResetError):
            break
        c.s.settimeout(0.02)
        try:
            if c.fill():
                break
        except (TimeoutError, BlockingIOError):
            pass
        finally:
            c.s.settimeout(BOUND)
    return c.answer()


if __name__ == "__main__":
    unittest.main()
