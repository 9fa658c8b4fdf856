#!/usr/bin/python3
"""Writes docs/commands.md out of what the program says of itself (`shipwatch help`): ./dev docs. With --check: does it stand there?"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "commands.md")
# The groups of the page; a command that is in none is a mistake.
GROUPS = [
    ("Running it", ["up", "gateway", "worker", "dashboard"]),
    ("Configuration and rules", ["init", "check", "test", "replay"]),
    ("What goes on", ["status", "explain", "export-test", "export-history", "label", "dead", "silence"]),
    ("Stepping in", ["hold", "release", "cancel", "approve", "refuse", "ack", "deploy", "sweep"]),
    ("In CI jobs", ["report", "test-health"]),
    ("Trying things", ["sign", "send", "render", "hash-password", "version"]),
]
MORE = {
    "explain": "How to read it: [explain.md](explain.md).", "export-test": "See [explain.md](explain.md).", "export-history": "See [history.md](history.md).", "test": "See [rule-tests.md](rule-tests.md).",
    "replay": "See [replay.md](replay.md).", "report": "See [ci.md](ci.md).", "approve": "See [approval.md](approval.md).", "sweep": "See [sources.md](sources.md).", "dashboard": "See [dashboard.md](dashboard.md).",
}


def said(program, *args):
    return subprocess.run([program, *args], stdout=subprocess.PIPE, check=True, timeout=30).stdout.decode()


def commands(program):
    """(name, what it does) in the program's order."""
    return [m.groups() for m in re.finditer(r"(?m)^  ([a-z-]+) +(.+)$", said(program, "help").split("exit code:")[0])]


def read(text):
    """Usage, words, options and further exit codes of one help text."""
    usage, rest = text.split("\n", 1)
    body, end = rest.rsplit("exit code:", 1)
    words, options = [], []
    for line in body.splitlines():
        m = re.match(r"  (?:-(\w), |    )--([a-z-]+)(?: (\S+))? +(.+)$", line)
        if m:
            options.append(m.groups())
        elif line.strip():
            words.append(line.strip())
    return usage.removeprefix("usage: shipwatch "), " ".join(words), options, " ".join(end.split("\n")[1:]).strip()


def escape(text):
    return text.replace("|", "\\|")


def section(name, text):
    usage, words, options, exits = read(text)
    out = ["### `%s`" % name, "", "```", "shipwatch " + usage, "```", "", words + (" " + MORE[name] if name in MORE else ""), ""]
    if options:
        out += ["| option | |", "| --- | --- |"]
        out += ["| `%s--%s%s` | %s |" % ("-%s, " % letter if letter else "", option, " " + value if value else "", escape(help_text))
                for letter, option, value, help_text in options]
        out.append("")
    if exits:
        out += ["Exit code " + exits + ".", ""]
    return out


def page(program):
    known = dict(commands(program))
    listed = [name for _, names in GROUPS for name in names]
    for name in known:
        if name not in listed:
            sys.exit("docs/commands.py: the command %s is in no group" % name)
    out = ["# Commands", "", "Made from the program's own help by `docs/commands.py` (`./dev docs`); do not edit by hand.", "",
           "`shipwatch help` lists them, `shipwatch help COMMAND` says more. Text is for people, `--json` for programs; mistakes are on stderr.", "",
           "| exit code | |", "| --- | --- |", "| 0 | well |", "| 1 | it went wrong, one line on stderr says what; `test`: a test failed |",
           "| 2 | the command line is wrong; `test`, `replay`: also a mistake in a file, the rules or the configuration |",
           "| 3 | `test`, `replay`: nothing ran |", "",
           "Commands that talk to Redis find it by `--redis`, else in the configuration, else it is the private one of `up` under its state directory.", ""]
    for heading, names in GROUPS:
        out += ["## " + heading, "", "| | |", "| --- | --- |"]
        out += ["| [`%s`](#%s) | %s |" % (name, name, escape(known[name])) for name in names if name in known]
        out.append("")
        for name in names:
            if name in known:
                out += section(name, said(program, "help", name))
    return "\n".join(out)


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    text = page(args[0] if args else os.path.join(ROOT, "build", "shipwatch"))
    if "--check" in sys.argv:
        with open(PAGE, encoding="utf-8") as f:
            if f.read() != text:
                sys.exit("docs/commands.md is not what the program says of itself: run ./dev docs")
        return
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
