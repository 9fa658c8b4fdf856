"""What the tests of deploy/ share: where things are, tools that may be missing, the harness of the black-box tests."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "blackbox"))
import harness  # noqa: E402
from harness import BUILD, PROGRAM, SOURCE, Folder, wait_for  # noqa: E402,F401

DEPLOY = os.path.join(SOURCE, "deploy")
# `openssl passwd -6` of "a password of the tests", for users of the dashboard.
HASH = "$6$shipwatch$QqESxFBFMJJO5iME/hjGh8J0ZYr4xxKfbmZIOSNpXf185e58x2Kw9ZEMNeax7I0lcfc3P5pHtT1VvTZRv6u8p."


def tool(name, package=None):
    """A program's path, or the test is skipped: which package would bring it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise unittest.SkipTest("%s is not installed (package %s)" % (name, package or name))
    return path


def yaml():
    """The module that reads YAML, or the test is skipped."""
    try:
        import yaml as module
    except ImportError:
        raise unittest.SkipTest("python3-yaml is not installed") from None
    return module


def run(*args, bound=120, **kw):
    """Runs a program with its output as one text; (exit code, text)."""
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=bound, check=False, **kw)
    return p.returncode, p.stdout.decode("utf-8", "replace")


def read(*parts):
    with open(os.path.join(SOURCE, *parts), encoding="utf-8") as f:
        return f.read()


def roles():
    """Roles that this program has: the dashboard may not be among them."""
    said = run(harness.built(PROGRAM), "help")[1]
    return [r for r in ("gateway", "worker", "dashboard") if "\n  %s " % r in said]
