#!/usr/bin/python3
"""Runs Python unittest files and prints TAP, so that meson and tests/summary.py count their tests one by one.

tap.py FILE… [-k PATTERN]; the folder of each file is put on the import path.
"""
import argparse
import fnmatch
import os
import sys
import traceback
import unittest


class Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.n = 0

    def say(self, good, test, note=""):
        self.n += 1
        print(f"{'ok' if good else 'not ok'} {self.n} - {test.id()}{note}", flush=True)

    def bad(self, test, err):
        self.say(False, test)
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print("# " + line, flush=True)

    def addSuccess(self, test):
        self.say(True, test)

    def addFailure(self, test, err):
        self.bad(test, err)

    def addError(self, test, err):
        self.bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.bad(subtest, err)

    def addSkip(self, test, reason):
        self.say(True, test, " # SKIP " + reason.replace("\n", " "))

    def addExpectedFailure(self, test, err):
        self.say(True, test)

    def addUnexpectedSuccess(self, test):
        self.say(False, test)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("files", nargs="+")
    ap.add_argument("-k", default="*")
    args = ap.parse_args()
    suite = unittest.TestSuite()
    for path in args.files:
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in sys.path:
            sys.path.insert(0, folder)
        found = unittest.defaultTestLoader.loadTestsFromName(os.path.splitext(name)[0])
        suite.addTests(t for t in flatten(found) if fnmatch.fnmatch(t.id(), args.k))
    result = Tap()
    suite.run(result)
    print(f"1..{result.n}", flush=True)
    # With TAP the points tell what failed; the exit status is for people who run one file by hand.
    return 0


if __name__ == "__main__":
    sys.exit(main())
