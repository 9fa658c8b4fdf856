"""A storm: 500 alerts in 10 s for one chat robot that takes 20 messages a minute and mutes who says more, as DingTalk does.

In real time, with the limits as they are. One alert in ten is critical. What a digest tells of is counted by the number it says.
"""
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ALERTS, SECONDS, CRITICAL = 500, 10.0, 10
BOUND = 600
TOTAL = re.compile(r"(\d+) messages waited")
GRAVE = re.compile(r"critical firing (\d+)")

CONFIG = """
sources: {gitlab: {tokens: [gitlab-token-1]}}
channels:
  oncall: {kind: dingtalk, url: "%(url)s/robot/send?access_token=T1", secret: SECtest-dingtalk%(fallback)s}
  second: {kind: wecom, url: "%(url)s/cgi-bin/webhook/send?key=K1"}
services:
%(services)s
alerts: [oncall]
rules: rules.yaml
"""
RULES = """
- {name: pushed, on: push, if: 'branch != "hot"', then: alert}
- {name: hot, on: push, if: 'branch == "hot"', severity: critical, then: alert}
"""


def push(n):
    sha, critical = "%08x" % n + "a" * 32, n % CRITICAL == 0
    name = "acme/s%d" % (n % 20)
    return sha, critical, json.dumps({
        "object_kind": "push", "ref": "refs/heads/" + ("hot" if critical else "b%d" % (n % 7)), "before": "b" * 40, "after": sha, "checkout_sha": sha,
        "user_username": "lin", "project": {"id": 1, "path_with_namespace": name, "web_url": "https://gitlab.example.com/" + name},
        "commits": [], "total_commits_count": 0}).encode()


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def idle(redis):
    """No alert has anything to send any more."""
    for key in redis("KEYS", "{sw}:alert:*"):
        state = json.loads(redis("HGET", key, "s"))
        if state["queue"]:
            return False
    return not redis("XLEN", "{sw}:work") and not redis("XLEN", "{sw}:in")


def storm(build, short, fallback):
    os.environ["SW_BUILD"] = build
    sys.path.insert(0, os.path.join(HERE, "..", "blackbox"))
    import harness
    import test_main_path

    class Storm(harness.Case):
        def runTest(self):  # noqa: N802
            pass

    case = Storm()
    case.setUp()
    try:
        robots = test_main_path.Robots(case)
        redis = case.start(harness.Redis(case.folder))
        case.folder.write("rules.yaml", RULES)
        services = "".join("  s%d: {repo: acme/s%d, environments: {prod: {}}}\n" % (i, i) for i in range(20))
        config = case.folder.write("shipwatch.yaml", CONFIG % {"url": robots.url, "services": services, "fallback": ", fallback: second" if fallback else ""})
        gateway = case.start(harness.Gateway(config, "--redis", redis.url, "--state-dir", case.folder("gw")))
        case.start(harness.Role("worker", config, "--redis", redis.url, "--state-dir", case.folder("w")))
        n, sent, critical = (ALERTS // 10 if short else ALERTS), {}, {}
        began = time.time()
        for i in range(n):
            time.sleep(max(0, began + i * SECONDS / n - time.time()))
            sha, hot, body = push(i)
            sent[sha[:8]] = time.time()
            critical[sha[:8]] = hot
            assert gateway.post("/hooks/gitlab", body, harness.sign_gitlab("gitlab-token-1", "Push Hook", "push-%d" % i)).status in (200, 202)
        end = time.time() + BOUND
        while not idle(redis) and time.time() < end:
            time.sleep(1)
        return result(robots.seen(), sent, critical, began)
    finally:
        case.doCleanups()


def result(seen, sent, critical, began):
    r = {"alerts": len(sent), "critical": sum(critical.values()), "refused": len(seen["refused"]), "messages": 0, "digests": 0, "alone": 0, "told": 0,
         "elsewhere": 0, "twice": 0, "first": {}, "here": {}, "until_s": 0, "digested": []}
    for m in seen["messages"]:
        total, here = TOTAL.search(m["text"]), m["robot"] == "dingtalk"
        r["messages" if here else "elsewhere"] += 1
        r["until_s"] = max(r["until_s"], m["at"] - began)
        if total:
            if here:
                r["digests"] += 1
                r["told"] += int(total.group(1))
                r["digested"].append((m["at"], sum(int(x) for x in GRAVE.findall(m["text"]))))
            continue
        sha = re.search(r"\b([0-9a-f]{8})\b", m["text"]).group(1)
        r["first"].setdefault(sha, m["at"] - sent[sha])
        if here:
            r["twice"] += sha in r["here"]
            r["here"].setdefault(sha, m["at"] - sent[sha])
            r["alone"] += 1
    r["lost"] = r["alerts"] - len(r["here"]) - r["told"]
    # a digest tells of the oldest critical ones that no message of their own told of at the robot
    waits = sorted((sent[sha], sha) for sha in sent if critical[sha] and sha not in r["here"])
    for at, n in r.pop("digested"):
        for sent_at, sha in waits[:n]:
            r["first"][sha] = min(r["first"].get(sha, BOUND), at - sent_at)
        del waits[:n]
    r["wait"] = [r["first"].get(sha, BOUND) for sha in sent if critical[sha]]
    return r


def run(b, say):
    for fallback in (False, True):
        r = storm(b.build, b.short, fallback)
        say("\nstorm: %d alerts in %.0f s, %d of them critical, one robot of 20 a minute, %s" % (
            r["alerts"], SECONDS, r["critical"], "another channel stands in for it" if fallback else "no other channel"))
        say("  lost %d, refused by a robot %d, told twice %d, all told after %.0f s" % (r["lost"], r["refused"], r["twice"], r["until_s"]))
        say("  messages %d: %d alone, %d digests that tell of %d%s" % (
            r["messages"], r["alone"], r["digests"], r["told"], "; %d at the other channel" % r["elsewhere"] if fallback else ""))
        say("  critical ones, until anyone was told, alone or by a digest: p50 %.2f s, p90 %.2f s, longest %.2f s" % (
            quantile(r["wait"], 0.5), quantile(r["wait"], 0.9), max(r["wait"], default=float("nan"))))
        b.note("storm", "with fallback" if fallback else "alone", **{k: v for k, v in r.items() if isinstance(v, (int, float))})
        if r["lost"] or r["refused"] or r["twice"]:
            raise RuntimeError("something was lost, refused or told twice")
