"""The configurations of log shippers. No shipper is in Debian: what they do with a line is done here by hand, as their manuals have it, on lines
that a real gateway wrote; the names they ask for are those of src/probe/log.c."""
import json
import re
import unittest

import rig

HOOK = {"object_kind": "pipeline", "project": {"id": 1, "path_with_namespace": "acme/web", "web_url": "https://gitlab.example.com/acme/web"},
        "object_attributes": {"id": 31, "ref": "main", "sha": "01" * 20, "status": "success", "source": "push"}, "builds": []}
RUN = "gitlab.example.com/acme/web/31"


def names():
    """What a line of the log may have."""
    ids = re.search(r"\} ids\[\] = \{(.*?)\};", rig.read("src", "probe", "log.c"), re.S).group(1)
    return {"ts", "level", "component", "msg"} | set(re.findall(r'\{ "(\w+)"', ids))


class Logs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = rig.Folder()
        redis = rig.harness.Redis(cls.folder)
        config = cls.folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\ngateway: {listen: \"127.0.0.1:0\", workers: 1}\n"
                                  "sources: {gitlab: {tokens: [s3cret-token]}}\nchannels: {console: {kind: console}}\n" % (cls.folder("state"), redis.url))
        gateway = rig.harness.Gateway(config)
        answer = gateway.post("/hooks/gitlab", json.dumps(HOOK).encode(), {"X-Gitlab-Token": "s3cret-token", "X-Gitlab-Event": "Pipeline Hook"})
        gateway.stop()
        redis.stop()
        cls.folder.remove()
        assert answer.status == 202, answer
        cls.lines = gateway.log()
        cls.line = next(line for line in cls.lines if RUN in line)

    def config(self, name):
        return rig.yaml().safe_load(rig.read("deploy", "logs", name))

    def test_lines_are_what_the_shippers_expect(self):
        for line in self.lines:
            entry = json.loads(line)
            self.assertEqual(set(), set(entry) - names())
            self.assertRegex(entry["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def filebeat(self, message):
        """The processors of filebeat.yml on one event."""
        event = {"message": message, "tags": ["shipwatch"]}

        def get(path):
            at = event
            for key in path.split("."):
                if not isinstance(at, dict) or key not in at:
                    return None
                at = at[key]
            return at

        def put(path, value):
            *front, last = path.split(".")
            at = event
            for key in front:
                at = at.setdefault(key, {})
            at[last] = value

        def drop(path):
            *front, last = path.split(".")
            at = get(".".join(front)) if front else event
            if isinstance(at, dict):
                at.pop(last, None)

        def one(processor):
            if "if" in processor:
                c = processor["if"]
                holds = all(get(f) is not None for f in c["has_fields"]) if "has_fields" in c else all(v in get(f) for f, v in c["contains"].items())
                for p in processor["then"] if holds else []:
                    one(p)
                return
            (kind, p), = processor.items()
            if kind == "decode_json_fields":
                try:
                    put(p["target"], json.loads(get(p["fields"][0])))
                except ValueError:
                    self.assertFalse(p["add_error_key"])
            elif kind == "rename":
                for f in p["fields"]:
                    if get(f["from"]) is not None:
                        put(f["to"], get(f["from"]))
                        drop(f["from"])
                    else:
                        self.assertTrue(p.get("ignore_missing"), f)
            elif kind == "drop_fields":
                for f in p["fields"]:
                    drop(f)
            elif kind == "timestamp":
                self.assertEqual("shipwatch.ts", p["field"])
                put("@timestamp", get(p["field"]))
            else:
                self.fail("a processor that is not known here: " + kind)
        for processor in self.config("filebeat.yml")["processors"]:
            one(processor)
        return event

    def test_filebeat(self):
        event = self.filebeat(self.line)
        self.assertEqual(RUN, event["ci_run_id"])
        self.assertEqual(json.loads(self.line)["msg"], event["message"])
        self.assertEqual("info", event["log"]["level"])
        self.assertEqual(json.loads(self.line)["ts"], event["@timestamp"])
        self.assertIsInstance(event.get("service", {}), dict)
        # a line with all it may have: nothing is lost, and `service` is the object that ECS wants
        event = self.filebeat(json.dumps({n: n for n in names()}))
        self.assertEqual({"name": "service", "environment": "environment"}, event["service"])
        self.assertEqual({"delivery": "delivery", "attempt": "attempt"}, event["shipwatch"])
        # a crash's last words stay
        self.assertEqual("Aborted (core dumped)", self.filebeat("Aborted (core dumped)")["message"])
        mapped = {f["name"] for f in self.config("filebeat.yml")["setup.template.append_fields"]}
        self.assertIn("ci_run_id", mapped)

    def test_promtail(self):
        for job in self.config("promtail.yaml")["scrape_configs"]:
            stages = {k: v for stage in job["pipeline_stages"] for k, v in stage.items()}
            self.assertEqual(["json", "timestamp", "labels", "structured_metadata"], [k for stage in job["pipeline_stages"] for k in stage])
            expressions = stages["json"]["expressions"]
            self.assertEqual(names() - {"msg"}, set(expressions.values()))
            extracted = {k: json.loads(self.line).get(v) for k, v in expressions.items()}
            meta = {k: extracted[v or k] for k, v in stages["structured_metadata"].items()}
            self.assertEqual(RUN, meta["ci_run_id"])
            self.assertEqual({"level", "component"}, set(stages["labels"]))
            self.assertFalse(set(stages["labels"]) & set(meta))
            self.assertEqual("ts", stages["timestamp"]["source"])

    def test_vector(self):
        config = self.config("vector.yaml")
        for part in ("transforms", "sinks"):
            for name, x in config[part].items():
                self.assertEqual(set(), set(x["inputs"]) - set(config["sources"]) - set(config["transforms"]), name)
        source = config["transforms"]["shipwatch"]["source"]
        self.assertEqual(names(), set(re.findall(r"\bline\.(\w+)", source)))
        self.assertIn(".ci_run_id = line.ci_run_id\n", source)
        self.assertEqual("{{ ci_run_id }}", config["sinks"]["loki"]["structured_metadata"]["ci_run_id"])
        for template in [*config["sinks"]["loki"]["labels"].values(), *config["sinks"]["loki"]["structured_metadata"].values()]:
            for field in re.findall(r"\{\{ ([\w.]+) \}\}", template):
                self.assertIn("." + field + " = ", source)

    def test_log_url_finds_it(self):
        """The address that the documents give is the field that Kibana has."""
        self.assertIn("q=ci_run_id:{ci_run_id}", rig.read("deploy", "logs", "filebeat.yml"))
        self.assertIn("ci_run_id", self.filebeat(self.line))


if __name__ == "__main__":
    unittest.main()
