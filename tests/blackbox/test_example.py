"""The example service: what its knobs do, as the demo and the other tests rely on."""
import http.client
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get("SW_BUILD_ROOT", os.path.join(ROOT, "build")), "examples/service/example-service")


class Example(unittest.TestCase):
    def start(self, *argv, **env):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port_file = os.path.join(folder.name, "port")
        child = subprocess.Popen([PROGRAM, "--listen", "127.0.0.1:0", "--port-file", port_file, *argv], stdin=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, env={**os.environ, **env})
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        # it says one line when it listens; the port file is there by then
        self.assertTrue(select.select([child.stderr], [], [], 20)[0], "the service did not start")
        child.stderr.readline()
        with open(port_file) as f:
            self.port = int(f.read())
        return child

    def ask(self, path, method="GET", body=None, timeout=20):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            conn.request(method, path, body)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def test_health_says_what_runs(self):
        self.start("--commit", "abc123", "--version", "1.4.0")
        status, text = self.ask("/health")
        page = json.loads(text)
        self.assertEqual((status, page["status"], page["commit"], page["version"]), (200, "ok", "abc123", "1.4.0"))
        self.assertEqual(page["checks"]["knob"]["status"], "ok")
        self.assertIn("built", page)
        self.assertGreaterEqual(page["uptime_s"], 0)
        self.assertEqual(self.ask("/")[0], 200)
        self.assertIn('build_info{version="1.4.0",commit="abc123"} 1', self.ask("/metrics")[1])
        self.assertEqual(self.ask("/nothing")[0], 404)

    def test_knobs_turn_it_bad_and_good(self):
        self.start()
        self.assertEqual(self.ask("/knobs?health=fail&commit=def", "POST")[0], 200)
        status, text = self.ask("/health")
        page = json.loads(text)
        self.assertEqual((status, page["status"], page["commit"], page["reason"]), (503, "fail", "def", "knob: the knob says so"))
        # a wrong version is what both pages tell from now on
        self.assertEqual(re.findall(r"\nbuild_info.*", self.ask("/metrics")[1]), ['\nbuild_info{version="0",commit="def"} 1'])
        self.ask("/knobs", "POST", "status=418")
        self.assertEqual(self.ask("/health")[0], 418)
        self.ask("/knobs?health=ok&status=0", "POST")
        self.assertEqual(self.ask("/health")[0], 200)

    def test_a_mistake_changes_nothing(self):
        self.start()
        before = json.loads(self.ask("/knobs")[1])
        for query in ("health=fail&delay_ms=x", "delay_ms=-1", "delay_ms=600001", "nosuch=1", "commit=%22", "silent=2", "commit=" + "a" * 65):
            with self.subTest(query=query):
                self.assertEqual(self.ask("/knobs?" + query, "POST")[0], 400)
                self.assertEqual(json.loads(self.ask("/knobs")[1]), before)
        self.assertEqual(self.ask("/knobs", "POST", "a" * 5000)[0], 413)

    def test_silent_takes_and_never_answers(self):
        self.start(EXAMPLE_SILENT="1")
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            # the knobs answer after it, the silent request does not
            self.assertEqual(json.loads(self.ask("/knobs?silent=0", "POST")[1])["silent"], 0)
            self.assertEqual(self.ask("/health")[0], 200)
            self.assertFalse(select.select([s], [], [], 0)[0])

    def test_share_of_errors_is_even(self):
        self.start("--error-pct", "25")
        codes = [self.ask("/")[0] for _ in range(20)]
        self.assertEqual(codes.count(500), 5)

    def test_metrics_count_what_was_answered(self):
        self.start("--error-pct", "50", "--delay-ms", "30")
        for _ in range(4):
            self.ask("/")
        text = self.ask("/metrics")[1]
        for line in ('http_requests_total{code="200",handler="/",method="GET"} 2', 'http_requests_total{code="500",handler="/",method="GET"} 2',
                     'http_request_duration_seconds_bucket{handler="/",method="GET",le="0.025"} 0',
                     'http_request_duration_seconds_bucket{handler="/",method="GET",le="+Inf"} 4', 'http_request_duration_seconds_count{handler="/",method="GET"} 4'):
            self.assertIn(line + "\n", text)
        self.assertRegex(text, r"\nprocess_resident_memory_bytes [1-9]\d+\n")
        self.assertRegex(text, r"\nprocess_start_time_seconds [1-9]\d{9}(\.\d{1,3})?\n")

    def test_wrong_arguments_are_one_line(self):
        for argv in (["--delay-ms", "9x"], ["--health", "bad"], ["--listen", "nowhere"], ["--listen", "127.0.0.1:99999"]):
            with self.subTest(argv=argv):
                done = subprocess.run([PROGRAM, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_term_ends_it(self):
        child = self.start()
        child.terminate()
        self.assertEqual(child.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
