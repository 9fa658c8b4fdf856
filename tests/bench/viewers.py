"""What live viewers cost: many browsers that wait while nothing happens, and while something changes every second and each asks for its page anew."""
import concurrent.futures
import http.client
import re
import socket
import time

import live
import parts
from parts import say

CONF = """\
state_dir: {state}
redis: {{url: "unix://{socket}"}}
channels: {{out: {{kind: console}}}}
services: {{web: {{repo: bench/web, environments: {{prod: "http://127.0.0.1:1/health"}}}}}}
dashboard: {{listen: "127.0.0.1:{port}"}}
"""
VIEWERS = 200


class Dashboard(parts.Shipwatch):
    role = "dashboard"

    def ready(self, redis):
        def check():
            if not self.alive():
                raise RuntimeError(f"shipwatch dashboard ended: {self.tail()}")
            return parts.answers(self.port, "/health") == 200 and b'"history":{"status":"ok"}' in live.http_get(self.port, "/health")
        parts.wait_until("shipwatch dashboard", 60, check)


class Viewer:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.wait(b"event: hello")

    def wait(self, what, seconds=20):
        self.s.settimeout(seconds)
        got = b""
        while what not in got:
            more = self.s.recv(65536)
            if not more:
                raise RuntimeError("a viewer was cut off")
            got = got[-100:] + more


def change(port, csrf):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    conn.request("POST", "/hold", f"csrf={csrf}&scope=web%2Fprod",
                 {"Content-Type": "application/x-www-form-urlencoded", "Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"})
    status = conn.getresponse().status
    conn.close()
    if status != 303:
        raise RuntimeError(f"a hold was answered with {status}")


def run(b):
    folder = b.subfolder()
    redis = parts.Redis(folder)
    dash, viewers = None, []
    try:
        dash = Dashboard(folder, b.build, redis, conf=CONF)
        viewers = [Viewer(dash.port) for _ in range(VIEWERS)]
        time.sleep(1)
        monitor = live.Monitor(redis, b.build)
        before = dash.cpu_s()
        monitor.run(6 if b.short else 30)
        rest = 100 * (dash.cpu_s() - before) / monitor.seconds
        say(f"\n{VIEWERS} live viewers, nothing happens, {monitor.seconds:.0f} s\n  dashboard and recorder: {rest:.2f} % of a core (bar: < 10), "
            f"{live.held_text(live.held_mb(dash))}; asked of Redis: {monitor.rate():.2f} commands/s\n    {monitor.text()}")
        csrf = re.search(rb'name="csrf" value="([^"]+)"', live.http_get(dash.port, "/silences"))
        changes, took = (3 if b.short else 10), []
        before, began = dash.cpu_s(), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in range(changes):
                change(dash.port, csrf[1].decode())

                def again(v):
                    v.wait(b"event: touched")
                    start = time.monotonic()
                    live.http_get(dash.port, "/")
                    took.append(1000 * (time.monotonic() - start))
                list(pool.map(again, viewers))
                time.sleep(max(0, 1 - (time.monotonic() - began) % 1))
        seconds = time.monotonic() - began
        busy = 100 * (dash.cpu_s() - before) / seconds
        say(f"  a change a second, each viewer asks for the overview again: {busy:.0f} % of a core, {len(took) / seconds:.0f} pages/s, "
            f"p50 {live.quantile(took, .5):.1f} ms, p99 {live.quantile(took, .99):.1f} ms as the viewers see it")
        b.note("viewers", "dashboard", viewers=VIEWERS, rest_percent=rest, commands=monitor.rate(), busy_percent=busy, page_p50_ms=live.quantile(took, .5),
               page_p99_ms=live.quantile(took, .99))
    finally:
        for v in viewers:
            v.s.close()
        if dash:
            dash.stop()
        redis.stop()
