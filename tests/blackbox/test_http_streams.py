"""Answers in pieces: read to the letter, by who reads slowly, not at all, or leaves; what is cut is not taken for the whole."""
import socket
import unittest

from harness import BOUND, Case, Connection, wait_for
from test_http_traps import Echo

WHOLE = 1 << 20


def chunks(data):
    """(what the chunks hold, whether the last one came)."""
    out = b""
    while b"\r\n" in data:
        size, data = data.split(b"\r\n", 1)
        n = int(size, 16)
        if n == 0:
            assert data == b"\r\n", data
            return out, True
        out += data[:n]
        if len(data) < n + 2:
            break
        assert data[n:n + 2] == b"\r\n"
        data = data[n + 2:]
    return out, False


class Streams(Case):
    def open(self, e, path, version="1.1", method="GET", rcvbuf=None, more=""):
        s = socket.socket()
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.settimeout(BOUND)
        s.connect(e.address)
        s.sendall(f"{method} {path} HTTP/{version}\r\nHost: x\r\n{more}\r\n".encode())
        self.addCleanup(s.close)
        return s

    def rest(self, s, step=65536, until=None):
        got = b""
        while until is None or until not in got:
            try:
                more = s.recv(step)
            except ConnectionResetError:
                break
            if not more:
                break
            got += more
        return got

    def head(self, data):
        head, body = data.split(b"\r\n\r\n", 1)
        return head.decode().lower(), body

    def stats(self, e, **want):
        wait_for(lambda: all(e.stats()[k] == v for k, v in want.items()), f"{want}: {e.stats()}")

    def test_whole(self):
        e = self.start(Echo())
        want = bytes(97 + i % 26 for i in range(WHOLE))
        s = self.open(e, "/stream/all")
        head, body = self.head(self.rest(s, until=b"0\r\n\r\n"))
        self.assertIn("transfer-encoding: chunked", head)
        self.assertNotIn("content-length", head)
        self.assertEqual(chunks(body), (want, True))
        # the connection goes on
        s.sendall(b"GET /stream/end HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(chunks(self.head(self.rest(s, until=b"0\r\n\r\n"))[1]), (b"hello", True))
        # a slow reader gets the same; a request that came meanwhile is answered afterwards (with the first one it would be refused)
        s = self.open(e, "/stream/all", rcvbuf=4096)
        data = s.recv(3000)
        s.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data += self.rest(s, step=3000)
        at = data.index(b"0\r\n\r\nHTTP/1.1 200")
        self.assertEqual(chunks(self.head(data[:at + 5])[1]), (want, True))
        self.stats(e, streams=0, gone=0)

    def test_http_1_0(self):
        e = self.start(Echo())
        head, body = self.head(self.rest(self.open(e, "/stream/all", version="1.0")))
        self.assertNotIn("chunked", head)
        self.assertEqual(len(body), WHOLE)

    def test_head_and_close(self):
        e = self.start(Echo())
        with Connection(e.address) as c:
            c.send(b"HEAD /stream/open HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(c.answer("HEAD").status, 200)
            self.assertEqual(c.request("GET", "/stats").status, 200)
        data = self.rest(self.open(e, "/stream/end", more="Connection: close\r\n"))
        self.assertEqual(chunks(self.head(data)[1]), (b"hello", True))
        self.stats(e, streams=0, gone=0)

    def test_who_takes_nothing(self):
        e = self.start(Echo(write=400))
        # more piles up than may: cut at once, and memory is bounded
        s = self.open(e, "/stream/flood", rcvbuf=4096)
        self.stats(e, streams=0)
        self.assertLess(e.stats()["flooded"], 1 << 20)
        self.assertEqual(e.stats()["gone"], 0)
        self.assertFalse(chunks(self.head(self.rest(s))[1])[1])
        # something waits for too long: cut, and its owner is told
        s = self.open(e, "/stream/hang", rcvbuf=4096)
        self.stats(e, streams=1)
        self.stats(e, streams=0, gone=1)
        self.assertFalse(chunks(self.head(self.rest(s))[1])[1])
        # nothing waits: it may last
        s = self.open(e, "/stream/open")
        self.stats(e, streams=1)
        wait_for(lambda: s.recv(1000).endswith(b"hello\r\n"), "its beginning")
        with self.assertRaises(TimeoutError):
            s.settimeout(1)
            s.recv(1)
        self.stats(e, streams=1)

    def test_who_leaves(self):
        e = self.start(Echo())
        for how, n in (("close", 1), ("half", 2), ("reset", 3)):
            s = self.open(e, "/stream/open")
            self.stats(e, streams=1)
            if how == "half":
                s.shutdown(socket.SHUT_WR)
            elif how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if how != "half":
                s.close()
            self.stats(e, streams=0, gone=n)

    def test_cut_is_seen(self):
        e = self.start(Echo())
        self.assertEqual(chunks(self.head(self.rest(self.open(e, "/stream/cut")))[1]), (b"hello", False))
        self.stats(e, streams=0, gone=0)

    def test_end_of_the_server(self):
        e = self.start(Echo())
        s = self.open(e, "/stream/open")
        self.stats(e, streams=1)
        self.assertEqual(e.stop(), 0)
        self.assertFalse(chunks(self.head(self.rest(s))[1])[1])


if __name__ == "__main__":
    unittest.main()
