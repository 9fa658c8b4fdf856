"""Prometheus rules and the Grafana dashboard: well-formed, tested, and they ask only for what the program serves."""
import glob
import json
import os
import re
import unittest
import urllib.parse
import urllib.request

import rig

RULES = ("deploy", "prometheus", "shipwatch.rules.yaml")
BOARD = ("deploy", "grafana", "shipwatch.json")
# What a Prometheus adds by itself.
ADDED = {"instance", "job", "le"}


def declared():
    """{family: labels} as the program's own declarations have them."""
    out = {}
    for path in glob.glob(os.path.join(rig.SOURCE, "src", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        lists = {name: re.findall(r'"([a-z_]+)"', body) for name, body in re.findall(r"\*const (l_\w+)\[\] = \{([^}]*)\}", text)}
        lists.update({name: re.findall(r'"([a-z_]+)"', body) for name, body in re.findall(r"\*const \w+\[\] = \{[^}]*\}, \*const (l_\w+)\[\] = \{([^}]*)\}", text)})
        for name, labels in re.findall(r'sw_metric_(?:counter|gauge|histogram)\(\s*[\w>.-]+,\s*"(shipwatch_\w+)",\s*"[^"]*",\s*(\w+)', text):
            out[name] = set(lists.get(labels, []))
    return out


def family(name):
    return re.sub(r"_(bucket|sum|count)$", "", name) if re.search(r"_seconds_(bucket|sum|count)$", name) else name


def rules():
    return rig.yaml().safe_load(rig.read(*RULES))["groups"]


def board():
    return json.loads(rig.read(*BOARD))


def expressions():
    """[(where, PromQL)] of both, Grafana's variables filled in."""
    out = [(rule["alert"], rule["expr"]) for group in rules() for rule in group["rules"]]
    for panel in board()["panels"]:
        out += [(panel["title"], t["expr"]) for t in panel.get("targets", [])]
    out += [(a["name"], a["expr"]) for a in board()["annotations"]["list"]]
    return [(where, e.replace("$__rate_interval", "1m").replace("$instance", ".*")) for where, e in out]


class Files(unittest.TestCase):
    def test_promtool(self):
        promtool = rig.tool("promtool", "prometheus")
        folder = os.path.join(rig.DEPLOY, "prometheus")
        for args in (["check", "rules", "shipwatch.rules.yaml"], ["check", "config", "prometheus.yml"], ["test", "rules", "shipwatch.rules_test.yaml"]):
            code, said = rig.run(promtool, *args, cwd=folder)
            self.assertEqual(0, code, said)

    def test_every_rule_has_a_test_that_sees_it_fire(self):
        tests = rig.yaml().safe_load(rig.read("deploy", "prometheus", "shipwatch.rules_test.yaml"))["tests"]
        fires = set()
        for t in tests:
            fires |= {re.search(r'alertname="(\w+)"', s["labels"]).group(1) for p in t.get("promql_expr_test", []) for s in p.get("exp_samples", [])}
        self.assertEqual(set(), {r["alert"] for g in rules() for r in g["rules"]} - fires)

    def test_rules_say_what_to_do(self):
        for group in rules():
            for rule in group["rules"]:
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"), rule["alert"])
                self.assertEqual({"summary", "description"}, set(rule["annotations"]), rule["alert"])

    def test_names_and_labels_exist(self):
        known = declared()
        self.assertGreater(len(known), 30)
        seen = set()
        for where, expr in expressions():
            for name, matchers in re.findall(r"\b(shipwatch_\w+)(\{[^}]*\})?", re.sub(r'"shipwatch-[^"]*"', '""', expr)):
                seen.add(family(name))
                self.assertIn(family(name), known, where)
                labels = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', matchers))
                self.assertEqual(set(), labels - known[family(name)] - ADDED, "%s: %s" % (where, name))
            whole = set().union(*(known[family(n)] for n in re.findall(r"\b(shipwatch_\w+)", expr))) | ADDED
            for by in re.findall(r"\bby \(([^)]*)\)", expr):
                self.assertEqual(set(), {x.strip() for x in by.split(",")} - whole, where)
        self.assertGreater(len(seen), 30)

    def test_board_is_laid_out(self):
        b = board()
        self.assertEqual("shipwatch", b["uid"])
        ids = [p["id"] for p in b["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = {}
        for p in b["panels"]:
            g = p["gridPos"]
            self.assertLessEqual(g["x"] + g["w"], 24, p["title"])
            for cell in ((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])):
                self.assertNotIn(cell, taken, "%s lies over %s" % (p["title"], taken.get(cell)))
                taken[cell] = p["title"]
            if p["type"] != "row":
                self.assertTrue(p["description"], p["title"])
                self.assertEqual("${datasource}", p["datasource"]["uid"])


class Live(unittest.TestCase):
    """A real Prometheus with the shipped configuration asks a real gateway and worker."""

    def setUp(self):
        self.folder = rig.Folder()
        self.addCleanup(self.folder.remove)
        self.prometheus = rig.tool("prometheus")
        redis = rig.harness.Redis(self.folder)
        self.addCleanup(redis.stop)
        config = self.folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\ngateway: {listen: \"127.0.0.1:0\", workers: 1}\n"
                                   "sources: {gitlab: {tokens: [s3cret-token], silent_after: 24h}}\nchannels: {console: {kind: console}}\n"
                                   "services: {web: {repo: acme/web, environments: {prod: {health: {url: \"http://127.0.0.1:1/\", background: 1s}}}}}\n"
                                   % (self.folder("state"), redis.url))
        self.gateway = rig.harness.Gateway(config)
        self.addCleanup(self.gateway.stop)
        self.worker = rig.harness.Role("worker", config, "--listen", "127.0.0.1:0")
        self.addCleanup(self.worker.stop)

    def worker_address(self):
        with open("/proc/%d/net/tcp" % self.worker.pid, encoding="ascii") as f:
            listening = {m.group(2): int(m.group(1), 16) for m in re.finditer(r":\s0100007F:([0-9A-F]{4}) 00000000:0000 0A .*? (\d+) 1 0", f.read())}
        for fd in os.listdir("/proc/%d/fd" % self.worker.pid):
            try:
                m = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (self.worker.pid, fd)))
            except OSError:
                continue
            if m and m.group(1) in listening:
                return "127.0.0.1:%d" % listening[m.group(1)]
        raise AssertionError("the worker does not listen")

    def ask(self, path, **query):
        url = "http://%s/api/v1/%s?%s" % (self.address, path, urllib.parse.urlencode(query))
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as r:
            return json.load(r)

    def start(self):
        text = rig.read("deploy", "prometheus", "prometheus.yml").replace("15s", "1s")
        text = text.replace("127.0.0.1:8080", "%s:%d" % self.gateway.address).replace("127.0.0.1:8082", self.worker_address())
        self.folder.write("prometheus.yml", text)
        self.folder.write("shipwatch.rules.yaml", rig.read(*RULES))
        p = rig.harness.Process([self.prometheus, "--config.file", self.folder("prometheus.yml"), "--storage.tsdb.path", self.folder("tsdb"),
                                 "--web.listen-address", "127.0.0.1:0", "--log.level", "info"])
        self.addCleanup(p.kill)

        def listening():
            found = [re.search(r"address=(127\.0\.0\.1:[1-9]\d*)", line) for line in p.log() if "Listening on" in line]
            return next((m.group(1) for m in found if m), None)
        self.address = rig.wait_for(listening, "Prometheus listens")
        rig.wait_for(lambda: any("Server is ready" in line for line in p.log()), "Prometheus is ready")

    def test_prometheus_takes_it(self):
        token = {"Content-Type": "application/json", "X-Gitlab-Token": "s3cret-token", "X-Gitlab-Event": "Push Hook"}
        self.assertEqual(202, self.gateway.post("/hooks/gitlab", b'{"object_kind":"push","n":1}', token).status)
        self.start()
        rig.wait_for(lambda: len(self.ask("query", query="shipwatch_build_info")["data"]["result"]) == 2, "both are scraped")
        rig.wait_for(lambda: self.ask("query", query="shipwatch_samples_total")["data"]["result"], "the worker has asked a service")
        known, served = declared(), set()
        for name in self.ask("label/__name__/values")["data"]:
            if name.startswith("shipwatch_"):
                served.add(family(name))
        self.assertEqual(set(), served - set(known))
        self.assertGreater(len(served), 15)
        for where, expr in expressions():
            self.assertEqual("success", self.ask("query", query=expr)["status"], where)
        # A rate wants two values of its counter: soon these have them.
        for panel in ("Gateways", "Workers", "Redis", "Oldest event", "Hold", "Dead letters", "Deliveries", "Answers", "Time to answer", "Spool", "Samples",
                      "Queues", "In hand", "Versions"):
            asked = [expr for where, expr in expressions() if where == panel]
            rig.wait_for(lambda: any(self.ask("query", query=expr)["data"]["result"] for expr in asked), "something is seen in " + panel)
        broken = [r for g in self.ask("rules")["data"]["groups"] for r in g["rules"] if r["health"] == "err"]
        self.assertEqual([], broken)
        versions = {m["metric"]["version"] for m in self.ask("query", query="shipwatch_build_info")["data"]["result"]}
        self.assertEqual(1, len(versions), versions)
        self.assertNotIn("unknown", versions)


if __name__ == "__main__":
    unittest.main()
