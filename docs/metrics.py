#!/usr/bin/python3
"""Writes docs/metrics.md from the declarations of metric families in the code (sw_metric_*). `./dev docs` calls it; --check only compares."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(ROOT, "docs", "metrics.md")
# files, heading, text
SECTIONS = [
    (["src/gateway/meters.c"], "Gateway", "All its processes together, whichever of them answers."),
    (["src/worker/meters.c"], "Worker", "With `--listen ADDRESS`; under `up` there is none. What is in streams, dead letters and holds is said by each worker alike: take `max`, not `sum`."),
    (["src/dashboard/meters.c", "src/dashboard/recorder.c", "src/dashboard/pusher.c"], "Dashboard", "The dashboard and its recorder together."),
    (["src/probe/process.c"], "Services with libshipwatch-probe", "What a service has that uses the library; its own families come beside them. [probe.md](probe.md)"),
]
ELSEWHERE = {"src/probe/metrics.c"} # where the functions themselves are
WORDS = [
    ("`outcome` of `shipwatch_deliveries_total`", "`queued`, `spooled`, `duplicate`, `ping`, `ignored`, `broken` (400 or 415), `unauthorized`, `refused` (503)"),
    ("`route` of a gateway", "`hooks`, `ci-report`, `approve`, `health`, `metrics`, `other`"),
    ("`what` of `shipwatch_dead_letters_total`", "`in` a delivery, `work` a message between aggregates, `state` of an aggregate, `alert` a message to people"),
    ("`verdict`", "`pass`, `fail`, `inconclusive`, `superseded`, `cancelled`"),
    ("`state` of `shipwatch_action_changes_total`", "`proposed`, `asking`, `postponed`, `started`, `done`, `failed`, `unknown`, `skipped`, `verified`, `ineffective`, `dry-run`"),
    ("`outcome` of `shipwatch_commits_total`", "`ok`, `conflict` (somebody was quicker; it is done again), `gone`, `refused`"),
    ("`class` of tries and actions", "`ok`; `retry` later; `hold` it takes no more for now; `shrink` too long, a shorter one is sent; `message` this one is refused; `config` the channel or action is set up wrong; `ambiguous` it may have been done"),
    ("`signal`, `reading` of `shipwatch_samples_total`", "where it was asked: `health`, `prometheus`, `scrape`, `reference`; `ok`, `absent`, `nan`, `error` ([signals.md](signals.md))"),
    ("`stream` of `shipwatch_queue_entries`", "`in` what gateways wrote, `work` what aggregates tell each other"),
    ("`result` of `shipwatch_pushgateway_requests_total`", "`pushed`, `deleted` a group without new builds, `refused` (a 4xx: that build is left out), `failed` (tried again)"),
    ("`outcome` of `shipwatch_sign_ins_total`", "`done`, `wrong`, `limited`, `failed`"),
]
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def arguments(source, at):
    """The arguments of the call whose parenthesis opens at `at`."""
    out, depth, quoted, now, i = [], 0, False, "", at
    while True:
        c = source[i]
        if c == '"' and source[i - 1] != "\\":
            quoted = not quoted
        if not quoted and c in "([{":
            depth += 1
        if not quoted and c in ")]}":
            depth -= 1
            if depth == 0:
                return out + [now.strip()]
        if not quoted and c == "," and depth == 1:
            out.append(now.strip())
            now = ""
        elif i > at:
            now += c
        i += 1


def text(field):
    return "".join(LITERAL.findall(field)).replace('\\"', '"')


def families(path):
    """(name, type, labels, help) in the order of the code."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        source = f.read()
    labels = {m.group(1): LITERAL.findall(m.group(2)) for m in re.finditer(r"\*(?:const )?(l_\w+)\[\] = \{([^}]*)\}", source)}
    for m in re.finditer(r"\bsw_metric_(counter|gauge|histogram|info)\(|\bsw_metrics_build_info\(", source):
        a = arguments(source, m.end() - 1)
        if not m.group(1):
            yield text(a[1]), "info", ["version", "commit"], "What is running."
            continue
        if not LITERAL.search(a[1]): # the definition of the function itself
            continue
        if a[3] != "NULL" and a[3] not in labels:
            sys.exit("%s: %s: its labels %s are not declared as l_… in this file" % (path, a[1], a[3]))
        yield text(a[1]), m.group(1), labels.get(a[3], []), text(a[2])


def undeclared():
    """Files that declare families and stand in no section."""
    known = {p for s in SECTIONS for p in s[0]} | ELSEWHERE
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if name.endswith(".c") and path not in known:
                with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                    if re.search(r'\bsw_metric_(counter|gauge|histogram|info)\(\s*[^,()]+,\s*"', f.read()):
                        yield path


def page():
    out = ["# Metrics", "", "Made from the declarations in the code by `docs/metrics.py`; do not edit by hand.", "",
           "Each role has `/metrics` in Prometheus' text format. `deploy/prometheus` has the jobs, and alarms with tests; `deploy/grafana` a dashboard. A family",
           "without labels is there from the start, one with labels from its first event. `_total` counts since the role began. Labels are names of the",
           "configuration and words of the program, never what a stranger sent.", ""]
    for paths, heading, words in SECTIONS:
        out += ["## " + heading, "", words, "", "| family | type | labels | |", "| --- | --- | --- | --- |"]
        for path in paths:
            for name, kind, labels, said in families(path):
                out.append("| `%s` | %s | %s | %s |" % (name, kind, ", ".join("`%s`" % l for l in labels), said.replace("|", "\\|")))
        out.append("")
    out += ["## Values of labels", "", "| label | values |", "| --- | --- |"] + ["| %s | %s |" % w for w in WORDS] + [""]
    return "\n".join(out)


def main():
    missing = list(undeclared())
    if missing:
        sys.exit("docs/metrics.py: in no section: " + ", ".join(missing))
    now = page()
    if "--check" in sys.argv:
        try:
            with open(TARGET, encoding="utf-8") as f:
                if f.read() == now:
                    return
        except FileNotFoundError:
            pass
        sys.exit("docs/metrics.md is not what the code says: ./dev docs")
    with open(TARGET, "w", encoding="utf-8") as f:
        f.write(now)


if __name__ == "__main__":
    main()
