"""shipwatch replay: a recording against rules, what it says of them, and what it makes of lines that are no lines."""
import json
import os
import subprocess
import unittest

from harness import PROGRAM, Case, built

START = 1790000000000
MINUTE = 60000
HOUR = 60 * MINUTE
RULES = """
- name: health-fails
  on: deploy-to-prod
  watch: 5m
  if: health is failing for 3 checks
  then: [alert, rollback]
- name: any-failure
  on: deploy-to-prod
  watch: 5m
  if: health is failing for 1 check
  then: alert
- {name: deploy-failed, on: deploy-failed, then: alert}
"""


def deployment(at, sha, number, status="success", place=None):
    line = {"t": "event", "at": START + at, "ev": {
        "kind": "deployment", "status": status, "source": "gitlab", "source_kind": "gitlab", "host": "git.example.com", "repo": "acme/web",
        "default_branch": "main", "branch": "main", "ref": "refs/heads/main", "sha": sha * 40, "environment": "production",
        "deployment_id": str(number), "at": START + at, "finished_at": START + at}}
    if place:
        line["place"] = place
    return line


def health(at, good, place="web/prod"):
    return {"t": "sample", "at": START + at, "place": place, "source": "health", "signal": "health", "r": "ok", "v": 1 if good else 0}


def recording():
    """Six hours at one probe every 10 s: b is bad and taken back in a quarter of an hour, d fails once and is well."""
    lines = [deployment(HOUR, "a", 1), deployment(2 * HOUR, "b", 2), deployment(2 * HOUR + 15 * MINUTE, "a", 3), deployment(3 * HOUR, "c", 4),
             deployment(4 * HOUR, "d", 5), deployment(5 * HOUR, "e", 6, status="failed")]
    for at in range(0, 6 * HOUR, 10000):
        bad = 2 * HOUR + MINUTE < at < 2 * HOUR + 15 * MINUTE or at == 4 * HOUR + 2 * MINUTE
        lines.append(health(at, not bad))
    return lines


class Replay(Case):
    def run_(self, *args, stdin=b""):
        p = subprocess.run([built(PROGRAM), "replay", *args], input=stdin, capture_output=True, timeout=120, cwd=self.folder.path,
                           env={**os.environ, "TZ": "UTC"})
        self.assertNotIn("Sanitizer", p.stderr.decode())
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def write(self, name, lines):
        return self.folder.write(name, "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))

    def setUp(self):
        super().setUp()
        self.rules = self.folder.write("rules.yaml", RULES)

    def replay(self, lines, *args):
        code, out, err = self.run_("--from", self.write("r.ndjson", lines), "--rules", self.rules, "--json", *args)
        self.assertEqual(code, 0, err)
        return json.loads(out), err

    def test_a_recording(self):
        said, err = self.replay(recording(), "--pseudo", "20")
        self.assertEqual(err, "")
        rules = {x["rule"]: x for x in said["rules"]}
        self.assertEqual([x["rule"] for x in said["rules"]], ["health-fails", "any-failure", "deploy-failed"])
        self.assertEqual([x["sha"][0] for x in said["deployments"]], ["a", "b", "a", "c", "d"])
        self.assertEqual([x["bad"] for x in said["deployments"]], [False, True, False, False, False])
        self.assertEqual(said["deployments"][1]["known"], "rolled back")
        self.assertEqual(said["deployments"][1]["decided"]["decision"], "rollback")
        self.assertEqual(said["deployments"][0]["decided"]["decision"], "pass")
        one = rules["health-fails"]
        self.assertEqual((one["seen"], one["fires"], one["rollbacks"]), (5, 1, 1))
        self.assertEqual((one["precision"]["rate"], one["recall"]["rate"], one["false_alarms"]["count"], one["false_alarms"]["of"]), (1, 1, 0, 4))
        self.assertTrue(80000 <= one["detect_p50_ms"] <= 110000, one)
        self.assertEqual(one["pseudo_false_alarms"]["count"], 0)
        self.assertGreater(one["pseudo_false_alarms"]["of"], 5)
        two = rules["any-failure"]
        self.assertEqual((two["fires"], two["precision"]["rate"], two["false_alarms"]["count"]), (2, 0.5, 1))
        self.assertTrue(0 < two["false_alarms"]["low"] < 0.25 < two["false_alarms"]["high"] < 1)
        self.assertEqual(rules["deploy-failed"]["fires"], 1)
        text = self.run_("--from", "r.ndjson", "--rules", self.rules, "--pseudo", "20")[1]
        self.assertIn("deployments: 5 at 1 place, 1 bad, 4 healthy", text)
        self.assertRegex(text, r"(?m)^health-fails +5 +1 +1 +100 % +100 % +90s +90s +0\.0 \(0\.0-49\.0\)")
        self.assertEqual(text, self.run_("--from", "r.ndjson", "--rules", self.rules, "--pseudo", "20")[1])
        # lines may come in any order
        self.assertEqual(said, self.replay(list(reversed(recording())), "--pseudo", "20")[0])

    def test_against_other_rules(self):
        other = self.folder.write("other/one.yaml", RULES.replace("failing for 3 checks", "failing for 30 checks"))
        self.folder.write("other/one_test.yaml", "tests: []\n")
        said, _ = self.replay(recording(), "--against", os.path.dirname(other), "--pseudo", "0")
        self.assertEqual([x["same"] for x in said["deployments"]], [True, False, True, True, True])
        self.assertEqual(said["deployments"][1]["against"]["decision"], "alert")
        out = self.run_("--from", "r.ndjson", "--rules", self.rules, "--against", other, "--pseudo", "0")[1]
        self.assertIn("1 of 5 deployments are decided otherwise by " + other, out)
        self.assertRegex(out, r"web/prod  b{12}  bad: rollback by any-failure, health-fails after 70s -> alert by any-failure after 70s")

    def test_measured_signals(self):
        rules = self.folder.write("rules.yaml", """
- {name: limit, on: deploy-to-prod, if: http_latency_p95 > 550ms for 3 checks, then: [alert, rollback], min_requests: 200}
- {name: rose, on: deploy-to-prod, if: http_latency_p95 > baseline +50%, then: alert}
""")
        if self.run_("--from", self.write("empty.ndjson", []), "--rules", rules)[0] == 2:
            self.skipTest("this program has no measured signals")
        lines = [deployment(HOUR, "a", 1), deployment(2 * HOUR, "b", 2), deployment(2 * HOUR + 15 * MINUTE, "a", 3)]
        for at in range(0, 3 * HOUR, 15000):
            slow = 2 * HOUR + MINUTE < at < 2 * HOUR + 15 * MINUTE
            for signal, value in (("http_latency_p95", (0.6 if slow else 0.3) * (1 + at // 15000 % 7 / 100)), ("requests", 600)):
                lines.append({"t": "sample", "at": START + at, "place": "web/prod", "source": "prometheus", "signal": signal, "v": value})
        said, _ = self.replay(lines, "--pseudo", "10")
        self.assertEqual([x["decided"]["decision"] for x in said["deployments"]], ["pass", "rollback", "pass"])
        self.assertEqual(said["deployments"][1]["decided"]["rules"].split(", ")[0], "rose")
        self.assertEqual([x["pseudo_false_alarms"]["count"] for x in said["rules"]], [0, 0])

    def test_labels_and_since(self):
        labels = self.write("labels.ndjson", [
            {"t": "label", "at": START + 7 * HOUR, "place": "web/prod", "deployment": "b" * 40, "good": True},
            {"t": "label", "at": START + 7 * HOUR, "place": "web/prod", "deployment": "d" * 7, "good": False}])
        said, _ = self.replay(recording(), "--labels", labels, "--pseudo", "0")
        self.assertEqual([(x["bad"], x["known"]) for x in said["deployments"]],
                         [(False, "assumed"), (False, "label"), (False, "assumed"), (False, "assumed"), (True, "label")])
        self.assertEqual(said["rules"][0]["recall"]["rate"], 0)
        said, _ = self.replay(recording(), "--since", "150m", "--pseudo", "0")
        self.assertEqual([x["sha"][0] for x in said["deployments"]], ["d"])

    def test_places_by_the_recorder_and_by_the_configuration(self):
        lines = [deployment(MINUTE, "a", 1, place="shop/live")] + [health(at, at < 2 * MINUTE, "shop/live") for at in range(0, 10 * MINUTE, 10000)]
        said, _ = self.replay(lines, "--pseudo", "0")
        self.assertEqual([x["decided"]["decision"] for x in said["deployments"]], ["not watched"])
        self.folder.write("rules.yaml", RULES.replace("deploy-to-prod", "deploy-to-live"))
        said, _ = self.replay(lines, "--pseudo", "0")
        self.assertEqual([(x["place"], x["decided"]["decision"]) for x in said["deployments"]], [("shop/live", "rollback")])
        config = self.folder.write("shipwatch.yaml", """
channels: {ops: {kind: console}}
alerts: [ops]
services: {web: {repo: acme/web, environments: {prod: "https://web.example.com/health"}}}
""")
        self.folder.write("rules.yaml", RULES)
        said, _ = self.replay(recording(), "-c", config, "--pseudo", "0")
        self.assertEqual([x["decided"]["decision"] for x in said["deployments"]], ["pass", "alert", "pass", "pass", "alert"])  # no rollback there

    def test_bad_lines_are_told_and_left_out(self):
        lines = recording() + [
            "{", "[]", '{"t":"event","at":1}', {"t": "event", "at": 1, "ev": {"kind": "party"}}, {"t": "sample", "at": -1},
            {"t": "sample", "at": 1, "place": "web", "source": "health", "signal": "health", "v": 1},
            {"t": "sample", "at": 1, "place": "web/prod", "source": "moon", "signal": "health", "v": 1},
            {"t": "sample", "at": 1, "place": "web/prod", "source": "health", "signal": "health", "r": "fine", "v": 1},
            {"t": "sample", "at": 1, "place": "web/prod", "source": "health", "signal": "health"},
            {"t": "label", "at": 1, "place": "web/prod", "deployment": "a" * 40}, {"t": "verdict", "at": 1}, "",
            '{"t":"sample","at":1,"text":"' + "x" * (1 << 20) + '"}']
        said, err = self.replay(lines, "--pseudo", "0")
        self.assertEqual(said["recording"]["left_out"], 12)
        self.assertEqual(len(said["deployments"]), 5)
        n = len(recording())
        for number, text in ((1, "not JSON"), (2, "want an object"), (3, '"ev": want an event'), (4, 'unknown kind "party"'), (5, '"at": want'),
                             (6, '"place": want service/environment, got "web"'), (7, '"source": want'), (8, '"r": want'), (9, '"v": want'),
                             (10, '"good": want'), (11, '"t": want event, sample or label, got "verdict"'), (13, "longer than 1048576 bytes")):
            self.assertRegex(err, r"(?m)^\S*r\.ndjson:%d: .*%s" % (n + number, text.replace('"', '.')))
        self.assertIn("12 of %d lines could not be read" % (n + 13), err)
        many, err = self.replay(recording() + ["{"] * 100, "--pseudo", "0")
        self.assertEqual((many["recording"]["left_out"], err.count("r.ndjson:")), (100, 20))

    def test_exit_codes(self):
        empty = self.write("empty.ndjson", [])
        self.assertEqual(self.run_("--from", empty, "--rules", self.rules)[0], 3)
        self.assertEqual(self.run_("--from", "nowhere", "--rules", self.rules)[0], 1)
        self.assertEqual(self.run_()[0], 2)
        self.assertEqual(self.run_("--from", empty, "--rules", "nowhere")[0], 2)
        self.assertEqual(self.run_("--from", empty, "--rules", self.folder.write("wrong.yaml", "- {name: x}\n"))[0], 2)
        self.assertEqual(self.run_("--from", empty, "--rules", self.rules, "--against", "nowhere")[0], 2)
        self.assertEqual(self.run_("--from", empty, "-c", "nowhere.yaml")[0], 2)
        code, out, _ = self.run_("--from", "-", "--pseudo", "0", stdin="".join(json.dumps(x) + "\n" for x in recording()).encode())
        self.assertEqual(code, 0)  # without rules: the safe ones
        self.assertIn("deployments: 5", out)


if __name__ == "__main__":
    unittest.main()
