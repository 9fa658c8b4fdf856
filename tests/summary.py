#!/usr/bin/python3
"""Reads meson's testlog.json files, shows what failed and why, and prints one line over all tests: N passed, N failed, N skipped.

A TAP test counts each of its points, any other test counts as one. Exit status 1 when something failed or nothing ran.
"""
import json
import re
import sys

POINT = re.compile(r"^(not )?ok\b(.*)$")
BAD = ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS")


def count_points(out):
    passed = failed = skipped = 0
    for line in out.splitlines():
        m = POINT.match(line)
        if not m:
            continue
        if re.search(r"#\s*skip", m.group(2), re.I):
            skipped += 1
        elif m.group(1):
            failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_test(test):
    result = test["result"]
    p = f = s = 0
    if re.search(r"^1\.\.\d+", test.get("stdout", ""), re.M):
        p, f, s = count_points(test["stdout"])
    if p + f + s == 0:
        return int(result in ("OK", "EXPECTEDFAIL")), int(result in BAD), int(result == "SKIP")
    # A crash or a time-out after good points is a failure of its own.
    return p, f + int(result in BAD and f == 0), s


def show_failures(test):
    """Meson shows no standard output of a TAP test; the points that failed and the notes below them stand there."""
    if test["result"] not in BAD:
        return
    print(f"--- {test['name']}: {test['result']}")
    shown, failed = 0, False
    for line in test.get("stdout", "").splitlines():
        if POINT.match(line):
            failed = line.startswith("not ok") and "# skip" not in line.lower()
        elif not line.startswith("#"):
            continue
        if failed and shown < 60:
            print(line[:400])
            shown += 1


def main(paths):
    total = [0, 0, 0]
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as log:
                for line in log:
                    test = json.loads(line)
                    show_failures(test)
                    total = [a + b for a, b in zip(total, count_test(test))]
        except FileNotFoundError:
            print(f"{path}: not there, no test ran", file=sys.stderr)
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
