"""The probe library as a stranger has it: installed, found by pkg-config, built by make, meson and CMake; its pages read by promtool,
a real Prometheus and Shipwatch. The snippets of docs/probe.md in other languages, where those are installed."""
import http.client
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import unittest
import urllib.error

from harness import BOUND, BUILD, SOURCE, Case, Folder, Process, Redis, Role, built, wait_for
from test_signals import Fake, Prometheus, Service, asked, get

HEADERS = ("probe.h", "log.h", "probe_evhttp.h", "probe_evhtp.h")
COMMIT = "4bf92f3577b34da6a3ce929d0e0e4736a1b2c3d4"
installed = None


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise unittest.SkipTest(f"{p} is not installed")


def run(args, cwd=None, env=None, text=None, bound=BOUND * 8):
    done = subprocess.run(args, cwd=cwd, env=env, input=text, capture_output=True, text=True, timeout=bound)
    if done.returncode:
        raise AssertionError(f"{args}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def snippet(name):
    """The block of docs/probe.md that is file `name`."""
    with open(os.path.join(SOURCE, "docs", "probe.md"), encoding="utf-8") as f:
        return re.search(r"\n```[a-z]+ %s\n(.*?)\n```\n" % re.escape(name), f.read(), re.S).group(1) + "\n"


def setUpModule():
    """What `meson install` makes, in a folder; the pkg-config files say the folder's path, nothing else is changed."""
    global installed
    need("meson", "pkg-config", "cc")
    folder = Folder()
    unittest.addModuleCleanup(folder.remove)
    run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder.path], env={**os.environ, "DESTDIR": ""})
    pcs = [os.path.join(d, n) for d, _, names in os.walk(folder.path) for n in names if n.endswith(".pc")]
    assert len(pcs) == 3, pcs
    for path in pcs:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(f"prefix={prefix}\n", f"prefix={folder.path}{prefix}\n"))
    installed = {"root": folder.path, "prefix": folder.path + prefix, "pkgconfig": os.path.dirname(pcs[0]), "lib": os.path.dirname(os.path.dirname(pcs[0]))}


def environment(**more):
    e = {k: v for k, v in os.environ.items() if k not in ("CI_COMMIT_SHA", "GITHUB_SHA", "GIT_COMMIT", "SOURCE_DATE_EPOCH") and not k.lower().endswith("_proxy")}
    return {**e, "PKG_CONFIG_PATH": installed["pkgconfig"], "LD_LIBRARY_PATH": installed["lib"],
            "PATH": os.path.join(installed["prefix"], "bin") + ":" + e["PATH"], **more}


def flags(*names, static=False):
    args = ["pkg-config", *(["--static"] if static else []), "--cflags", "--libs", *names]
    return run(args, env=environment()).split()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Running:
    """A service of a test, answering on its port."""

    def __init__(self, case, args, cwd=None, env=None):
        self.port = free_port()
        self.process = case.start(Process(["env", "-C", cwd or "/", *args], env={**(env or environment()), "PORT": str(self.port)}, name=args[0]))
        wait_for(lambda: not self.process.alive() or self.listens(), f"{args[0]} listens", BOUND * 4)
        case.assertTrue(self.process.alive(), self.process.log()[-20:])

    def listens(self):
        try:
            self.ask("/health")
            return True
        except OSError:
            return False

    def ask(self, path, method="GET", headers=()):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        try:
            conn.request(method, path, headers=dict(headers))
            a = conn.getresponse()
            return a.status, dict(a.getheaders()), a.read().decode()
        finally:
            conn.close()


class Library(Case):
    def test_exports_only_what_the_headers_say(self):
        said = set()
        for name in HEADERS:
            with open(os.path.join(installed["prefix"], "include", "shipwatch", name), encoding="utf-8") as f:
                said |= set(re.findall(r"^SW_PUBLIC [^;(]*?\*?(sw_[a-z0-9_]+)\(", f.read(), re.M))
        self.assertGreater(len(said), 40)
        found = set()
        for so in ("", "-evhttp", "-evhtp"):
            out = run(["nm", "-D", "--defined-only", os.path.join(installed["lib"], f"libshipwatch-probe{so}.so")])
            found |= {line.split()[-1].split("@")[0] for line in out.splitlines() if "@@SHIPWATCH" not in line}
        self.assertEqual(found, said)
        # the core wants libc only
        needed = run(["sh", "-c", f"readelf -d {installed['lib']}/libshipwatch-probe.so | sed -n 's/.*NEEDED.*\\[\\(.*\\)\\]/\\1/p'"]).split()
        self.assertLessEqual(set(needed), {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "libasan.so.8", "libubsan.so.1"})

    def test_the_manual_names_all(self):
        path = os.path.join(installed["prefix"], "share", "man", "man3", "shipwatch-probe.3")
        with open(path, encoding="utf-8") as f:
            manual = f.read()
        for name in HEADERS:
            with open(os.path.join(installed["prefix"], "include", "shipwatch", name), encoding="utf-8") as f:
                for function in re.findall(r"^SW_PUBLIC [^;(]*?\*?(sw_[a-z0-9_]+)\(", f.read(), re.M):
                    self.assertIn(function, manual)
        need("mandoc")
        self.assertEqual(run(["mandoc", "-Tlint", "-Wwarning", path]), "")

    def test_headers_alone(self):
        """Each header by itself, strictly, in C and C++."""
        for compiler, suffix, standards in (("cc", ".c", ("-std=c11",)), ("c++", ".cc", ("-std=c++11", "-std=c++17"))):
            if not shutil.which(compiler):
                print(f"# {compiler} is not installed: the headers were not tried with it")
                continue
            for name in (*HEADERS, "public.h"):
                source = self.folder.write("one" + suffix, f"#include <shipwatch/{name}>\n#include <shipwatch/{name}>\nint main(void) {{ return 0; }}\n")
                for std in standards:
                    run([compiler, std, "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source, *flags("shipwatch-probe")])

    def cart(self, *files):
        for name in ("cart.c", *files):
            self.folder.write(name, snippet(name))
        return environment(SW_BUILD_COMMIT=COMMIT)

    def serves(self, program):
        service = Running(self, [program], self.folder.path)
        status, headers, text = service.ask("/health")
        page = json.loads(text)
        self.assertEqual((page["version"], page["commit"]), ("1.4.0", COMMIT))
        self.assertRegex(page["built"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        wait_for(lambda: service.ask("/health")[0] == 200, "its check was asked")
        service.ask("/", headers={"X-CI-Run-Id": "ci.example.com/a/7", "X-Request-Id": "req-9", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        line = wait_for(lambda: service.process.entries(request_id="req-9"), "its line in the log")[0]
        self.assertEqual((line["ci_run_id"], line["trace_id"], line["component"]), ("ci.example.com/a/7", "a" * 32, "cart"))
        self.assertNotEqual(line["span_id"], "b" * 16)
        self.assertEqual(service.ask("/metrics", "POST")[0], 405)
        status, headers, text = service.ask("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertIn(f'build_info{{version="1.4.0",commit="{COMMIT}"}} 1\n', text)
        self.assertIn('http_requests_total{code="200",handler="/",method="GET"} 1\n', text)
        self.assertEqual(service.ask("/health", "HEAD")[2], "")
        return service

    def test_make(self):
        env = self.cart("Makefile")
        run(["make"], self.folder.path, env)
        self.serves("./cart")
        self.assertNotIn("cart.o", run(["make"], self.folder.path, env), "nothing is compiled in vain")
        self.assertIn("cart.o", run(["make"], self.folder.path, {**env, "SW_BUILD_COMMIT": "f" * 40}), "another commit is another build")

    def test_meson(self):
        env = self.cart("meson.build")
        run(["meson", "setup", "b"], self.folder.path, env)
        run(["meson", "compile", "-C", "b"], self.folder.path, env)
        self.serves("b/cart")

    def test_cmake(self):
        need("cmake")
        env = self.cart("CMakeLists.txt")
        run(["cmake", "-B", "b"], self.folder.path, env)
        run(["cmake", "--build", "b"], self.folder.path, env)
        self.serves("b/cart")

    def test_static(self):
        env = self.cart()
        run(["shipwatch-build-info", "--header", "build-info.h", "--version", "1.4.0"], self.folder.path, env)
        out = [f"-l:lib{x[2:]}.a" if x.startswith("-lshipwatch") else x for x in flags("shipwatch-probe-evhttp", "libevent_core", "libevent_extra", static=True)]
        run(["cc", "cart.c", "-o", "cart", *out], self.folder.path, env)
        self.assertNotIn("libshipwatch", run(["ldd", self.folder("cart")]))
        self.serves("./cart")

    def test_example_service(self):
        """The folder alone, as a stranger would take it."""
        source = self.folder("service")
        shutil.copytree(os.path.join(SOURCE, "examples", "service"), source)
        run(["make", "VERSION=2.5.1"], source, environment(SW_BUILD_COMMIT=COMMIT))
        self.assertIn("libshipwatch-probe.so.0", run(["ldd", os.path.join(source, "example-service")], env=environment()))
        ports = self.folder("port")
        self.start(Process([os.path.join(source, "example-service"), "--listen", "127.0.0.1:0", "--port-file", ports], env=environment()))
        wait_for(lambda: os.path.exists(ports), "the service listens")
        with open(ports, encoding="ascii") as f:
            url = f"http://127.0.0.1:{f.read().strip()}"
        page = json.loads(get(url + "/health"))
        self.assertEqual((page["status"], page["version"], page["commit"]), ("ok", "2.5.1", COMMIT))
        asks = lambda *more: subprocess.run([os.path.join(source, "example-service"), "--test-health", url + "/health", *more], env=environment(),
                                            capture_output=True, text=True, timeout=BOUND)
        self.assertEqual(asks(COMMIT[:8]).returncode, 0)
        wrong = asks("f" * 40)
        self.assertEqual((wrong.returncode, wrong.stderr.count("\n")), (1, 1))
        self.assertIn(f"it answers, but as commit {COMMIT}, not fff", wrong.stderr)

    def test_evhtp(self):
        source = self.folder.write("htp.c", """
#include <evhtp.h>
#include <event2/event.h>
#include <shipwatch/probe_evhtp.h>
#include <stdlib.h>
static void on_root(evhtp_request_t *req, void *arg)
{
	struct sw_trace t;
	sw_evhtp_trace(req, &t);
	sw_trace_push(&t);
	SW_INFO("htp", "here");
	sw_log_ids_pop();
	evhtp_send_reply(req, 200);
}
int main(void)
{
	struct event_base *base = event_base_new();
	evhtp_t *htp = evhtp_new(base, NULL);
	struct sw_build build = { "3", "abc1234", NULL };
	struct sw_health *h = sw_health_new(&build);
	struct sw_metrics *m;
	if (sw_metrics_new(1, &m) < 0)
		return 1;
	sw_metrics_process(m);
	sw_health_overall(h, SW_CHECK_FAIL, "as the test wants");
	evhtp_set_cb(htp, "/metrics", (evhtp_callback_cb)sw_evhtp_metrics, m);
	evhtp_set_cb(htp, "/health", (evhtp_callback_cb)sw_evhtp_health, h);
	evhtp_set_cb(htp, "/", on_root, NULL);
	if (evhtp_bind_socket(htp, "127.0.0.1", (uint16_t)atoi(getenv("PORT")), 16) < 0)
		return 1;
	return event_base_dispatch(base);
}
""")
        run(["cc", "-Wall", "-Werror", source, "-o", self.folder("htp"), *flags("shipwatch-probe-evhtp", "evhtp", "libevent_core")])
        service = Running(self, ["./htp"], self.folder.path)
        status, headers, text = service.ask("/health")
        self.assertEqual((status, headers["Content-Type"], json.loads(text)["reason"]), (503, "application/json", "as the test wants"))
        status, headers, text = service.ask("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("\nprocess_resident_memory_bytes ", text)
        status, headers, text = service.ask("/metrics", "POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        conn = http.client.HTTPConnection("127.0.0.1", service.port, timeout=BOUND)
        self.addCleanup(conn.close)
        for method in ("HEAD", "GET"):  # on one connection: a body behind HEAD would be read as the next answer
            conn.request(method, "/health")
            a = conn.getresponse()
            self.assertEqual((a.status, len(a.read()) > 0), (503, method == "GET"))
        service.ask("/", headers={"X-Request-Id": "req-1", "X-CI-Run-Id": "a b"})
        line = wait_for(lambda: service.process.entries(request_id="req-1"), "its line in the log")[0]
        self.assertEqual(line["ci_run_id"], "a b")


class BuildInfo(Case):
    def info(self, *args, cwd=None, **env):
        e = {k: v for k, v in environment().items() if k != "SW_BUILD_COMMIT"}
        return run(["shipwatch-build-info", *args], cwd or self.folder.path, {**e, "GIT_CEILING_DIRECTORIES": os.path.dirname(self.folder.path), **env})

    def test_where_the_commit_is_from(self):
        self.assertIn("commit=unknown\n", self.info())
        self.assertIn("commit=aa\n", self.info(CI_COMMIT_SHA="aa", GITHUB_SHA="bb", GIT_COMMIT="cc"))
        self.assertIn("commit=bb\n", self.info(GITHUB_SHA="bb", GIT_COMMIT="cc"))
        self.assertIn("commit=cc\n", self.info(GIT_COMMIT="cc"))
        self.assertIn("commit=dd\n", self.info(SW_BUILD_COMMIT="dd", CI_COMMIT_SHA="aa"))
        self.assertEqual(self.info("--version", "1", SOURCE_DATE_EPOCH="1700000000"), "version=1\ncommit=unknown\nbuilt=2023-11-14T22:13:20Z\n")
        need("git")
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", self.folder.path]
        run([*git, "init", "-q"])
        run([*git, "commit", "-q", "--allow-empty", "-m", "one"])
        head = run([*git, "rev-parse", "HEAD"]).strip()
        self.assertIn(f"commit={head}\n", self.info())
        self.assertIn(f"commit={head}\n", self.info("--source", self.folder.path, cwd="/"))
        run([*git, "tag", "v9"])
        self.assertIn("version=v9\n", self.info())

    def test_what_is_written(self):
        self.info("--header", "b.h", "--version", '1"; system("x', SW_BUILD_COMMIT="a'$(x)")
        with open(self.folder("b.h"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn('#define SW_BUILD_VERSION "1systemx"\n#define SW_BUILD_COMMIT "ax"\n', text)
        before = os.stat(self.folder("b.h")).st_mtime_ns
        self.info("--header", "b.h", "--version", "1systemx", SW_BUILD_COMMIT="ax")
        self.assertEqual(os.stat(self.folder("b.h")).st_mtime_ns, before, "the same is not written again")
        source = self.folder.write("v.c", '#include <shipwatch/probe.h>\n#include <stdio.h>\nint main(void) { struct sw_build b = SW_BUILD_INFO; return puts(b.version) < 0 || puts(b.commit) < 0; }\n')
        cflags = self.info("--cflags", "--version", "7", SW_BUILD_COMMIT="abc")
        run(["sh", "-c", f"cc {source} -o {self.folder('v')} {cflags.strip()} {' '.join(flags('shipwatch-probe'))}"])
        self.assertEqual(run([self.folder("v")], env=environment()), "7\nabc\n")

    def test_wrong_arguments(self):
        for args in (["--header"], ["--version"], ["--nosuch"], ["x"]):
            done = subprocess.run(["shipwatch-build-info", *args], env=environment(), capture_output=True, text=True, timeout=BOUND)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(args[0], done.stderr)


ODD = ('a"b', "back\\slash", "two\nlines", "tab\there", "héllo 世界", "{x=\"y\"} 1", "", "# EOF")
ODD_C = r"""
#include <shipwatch/probe.h>
#include <stdio.h>
int main(void)
{
	static const char *const labels[] = { "v", NULL };
	const char *const values[] = { %s, "broken \xff\xc0\x80" };
	struct sw_metrics *m;
	char *text;
	size_t n;
	if (sw_metrics_new(1, &m) < 0)
		return 1;
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
		sw_metric_add(sw_metric_counter(m, "odd_total", "Odd \"values\"\nand \\ such.", labels, 20), &values[i], i + 1);
	sw_metrics_text(m, &text, &n);
	return fwrite(text, 1, n, stdout) != n;
}
"""


class Read(Case):
    def odd(self):
        values = ", ".join('"%s"' % v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") for v in ODD)
        source = self.folder.write("odd.c", ODD_C % values)
        run(["cc", "-Wall", "-Werror", source, "-o", self.folder("odd"), *flags("shipwatch-probe")])
        return run([self.folder("odd")], env=environment())

    def test_odd_values(self):
        """Quotes, backslashes, newlines: by promtool, by a Prometheus, and by Shipwatch's own scrape."""
        page = self.odd()
        server = Fake(self, plain_text(page))
        literal = lambda v: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        queries = [{"signal": f"s{i}", "scrape": 'sum(odd_total{v="%s"})' % literal(v)} for i, v in enumerate(ODD)]
        for i, x in enumerate(asked("scrape", {"url": server.url}, queries)):
            self.assertEqual((x["r"], x["v"]), ("ok", i + 1), (ODD[i], x))
        need("promtool", "prometheus")
        run(["promtool", "check", "metrics"], text=page)
        prometheus = Prometheus(self, server.url.split("//")[1])
        queries = [{"signal": f"s{i}", "prometheus": 'odd_total{v="%s"}' % literal(v)} for i, v in enumerate(ODD)]
        conf = {"url": prometheus.url + "/"}
        wait_for(lambda: asked("prometheus", conf, queries[:1])[0]["r"] == "ok", "the page was scraped")
        for i, x in enumerate(asked("prometheus", conf, queries)):
            self.assertEqual((x["r"], x["v"]), ("ok", i + 1), (ODD[i], x))

    def test_example_by_promtool_and_prometheus(self):
        need("promtool", "prometheus")
        service = Service(self, "--error-pct", "50", "--commit", COMMIT, "--version", "2.0")
        service.visit(10)
        run(["promtool", "check", "metrics"], text=get(service.url + "/metrics").decode())
        prometheus = Prometheus(self, service.address)
        conf = {"url": prometheus.url + "/"}

        def value(expr):
            x = asked("prometheus", conf, [{"signal": "s", "prometheus": expr}])[0]
            return x["v"] if x["r"] == "ok" else None
        wait_for(lambda: value('sum(http_requests_total{job="web"})') == 10, "the service is scraped")
        self.assertEqual(value('http_requests_total{code="500",handler="/",method="GET"}'), 5)
        self.assertEqual(value(f'build_info{{version="2.0",commit="{COMMIT}"}}'), 1)
        self.assertEqual(value("sum(http_request_duration_seconds_count{})"), 10)
        # another version takes the place of the first, it does not stand beside it
        service.knob("version=2.1")
        wait_for(lambda: value('build_info{version="2.1"}') == 1, "the new version is scraped")
        self.assertEqual(value("count(build_info{})"), 1)

    def test_hundred_megabytes(self):
        """A page of 100 MB, said and not said how long it is, is refused at 16 MiB and takes no more memory than that."""
        line = b"".join(b'c_total{i="%07d"} 1\n' % i for i in range(4000))

        def huge(said):
            def reply(h):
                n = 100 * 1000 * 1000 // len(line) + 1
                h.send_response(200)
                h.send_header("Content-Type", "text/plain; version=0.0.4")
                if said:
                    h.send_header("Content-Length", str(n * len(line)))
                h.end_headers()
                for _ in range(n):
                    h.wfile.write(line)
            return reply
        for said in (True, False):
            x = asked("scrape", {"url": Fake(self, huge(said)).url, "timeout": 20000}, [{"signal": "s", "scrape": "sum(c_total)"}])[0]
            self.assertEqual((x["r"], x["text"]), ("error", "a page of more than 16 MiB: ask a Prometheus instead"))
        if "asan" not in BUILD:
            self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, 300 * 1024)


def plain_text(page):
    def reply(h):
        body = page.encode("utf-8", "surrogateescape")
        h.send_response(200)
        h.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body)
    return reply


class Ours(Case):
    """Shipwatch's own processes show themselves by the same library."""

    def test_worker(self):
        redis = self.start(Redis(self.folder))
        config = self.folder.write("shipwatch.yaml", "sources: {ci: {kind: report, secrets: [ci-secret-1]}}\nchannels: {oncall: {kind: console}}\n")
        worker = self.start(Role("worker", config, "--redis", redis.url, "--state-dir", self.folder("state"), "--listen", "127.0.0.1:0"))
        address = re.search(r"http://(\S+)/metrics", worker.wait_log("metrics at")["msg"]).group(1)

        def page():
            try:
                return json.loads(get(f"http://{address}/health"))
            except urllib.error.HTTPError as e:
                return json.loads(e.read())
        wait_for(lambda: page()["status"] == "ok", "the worker is well")
        for key in ("role", "consumer", "version", "commit", "built", "uptime_s"):
            self.assertIn(key, page())
        self.assertEqual({k: c["status"] for k, c in page()["checks"].items()}, {"redis": "ok", "housekeeping": "ok"})
        text = get(f"http://{address}/metrics").decode()
        self.assertRegex(text, r'(^|\n)shipwatch_build_info\{version="[^"]+",commit="[^"]+"\} 1\n')
        if shutil.which("promtool"):
            run(["promtool", "check", "metrics"], text=text)
        else:
            print("# promtool is not installed: the text is not checked")
        redis.stop()
        wait_for(lambda: page()["status"] == "fail", "the outage is seen")
        self.assertEqual(page()["reason"], "redis: not reached")


class Snippets(Case):
    """docs/probe.md in other languages: the same pages, the same names."""

    def check(self, args, **env):
        service = Running(self, args, self.folder.path, {**os.environ, "VERSION": "1.4.0", "COMMIT": COMMIT, **env})
        wait_for(lambda: service.ask("/health")[0] == 200, "it is healthy")
        page = json.loads(service.ask("/health")[2])
        self.assertEqual((page["status"], page["version"], page["commit"], page["checks"]["db"]["status"]), ("ok", "1.4.0", COMMIT, "ok"))
        self.assertGreaterEqual(page["uptime_s"], 0)
        self.assertIn("built", page)
        conf = {"url": f"http://127.0.0.1:{service.port}/metrics"}
        queries = [{"signal": s, "step": 1000} for s in ("http_latency_p95", "error_rate", "request_rate", "requests", "memory_rss", "restarts")]
        first = {x["signal"]: x for x in asked("scrape", conf, queries)}
        self.assertEqual(first["memory_rss"]["r"], "ok")
        for path, code in (("/", 200), ("/nothing", 404)):
            for _ in range(5):
                self.assertEqual(service.ask(path)[0], code)
        memory = first["memory_rss"]["memory"]

        def second():
            found = {x["signal"]: x for x in asked("scrape", conf, queries, memory=memory)}
            return found if found["requests"]["text"] != "too soon after the last scrape" else None
        found = wait_for(second, "the second scrape says something")
        self.assertTrue(all(x["r"] == "ok" for x in found.values()), found)
        status, headers, text = service.ask("/metrics")
        self.assertTrue(headers.get("Content-Type", headers.get("Content-type")).startswith("text/plain; version=0.0.4"))
        for line in (f'build_info{{version="1.4.0",commit="{COMMIT}"}} 1', 'http_requests_total{code="200",handler="/",method="GET"} 5',
                     'http_requests_total{code="404",handler="other",method="GET"} 5', 'http_request_duration_seconds_count{handler="/",method="GET"} 5'):
            self.assertIn("\n" + line + "\n", "\n" + text)
        built(os.path.join(BUILD, "shipwatch"))
        run([os.path.join(BUILD, "shipwatch"), "test-health", f"http://127.0.0.1:{service.port}/health", "--expect-commit", COMMIT])
        if shutil.which("promtool"):
            run(["promtool", "check", "metrics"], text=text)
        else:
            print("# promtool is not installed: the text is not checked")

    def test_python(self):
        self.folder.write("probe.py", snippet("probe.py"))
        self.check(["/usr/bin/python3", "-B", "probe.py"])

    def test_node(self):
        need("node")
        self.folder.write("probe.js", snippet("probe.js"))
        self.check(["node", "probe.js"])

    def test_go(self):
        need("go")
        self.folder.write("probe.go", snippet("probe.go"))
        run(["go", "build", "-o", "probe", "probe.go"], self.folder.path, {**os.environ, "GOCACHE": self.folder("cache"), "GOPATH": self.folder("go"), "GOFLAGS": "-mod=mod"})
        self.check(["./probe"])

    def test_java(self):
        need("javac", "java")
        self.folder.write("Probe.java", snippet("Probe.java"))
        run(["javac", "-Xlint:all", "-Werror", "Probe.java"], self.folder.path)
        self.check(["java", "-XX:TieredStopAtLevel=1", "-cp", ".", "Probe"])


if __name__ == "__main__":
    unittest.main()
