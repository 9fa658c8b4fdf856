#!/usr/bin/python3
"""Writes the manual pages shipwatch(1) and shipwatch.yaml(5) out of what the program says of itself and the tables of settings.

    man.py PROGRAM FOLDER       the build calls it; `man -l FOLDER/shipwatch.1` shows the result

Nothing is said twice: commands and options are the program's own help (docs/commands.py reads it), settings are the rows of
docs/configuration.md (docs/reference.py reads them). Only what neither can know stands here.
"""
import datetime
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import commands  # noqa: E402
import reference  # noqa: E402

DOCS = [".Pp", "The pages that are named here, such as rules.md, are in /usr/share/doc/shipwatch."]
EXITS = [("0", "well"), ("1", "it went wrong, one line on standard error says what"), ("2", "the command line is wrong"),
         ("3", "test and replay: nothing ran")]
SIGNALS = [("SIGHUP", "a role reads its configuration again: all of it, or, with a mistake in it, nothing"),
           ("SIGTERM, SIGINT", "a role takes nothing new, finishes what it has in hand (10 s) and ends")]
ENVIRONMENT = [("NOTIFY_SOCKET, WATCHDOG_USEC", "as systemd sets them: a role tells when it is ready, that it stops, and that it lives"),
               ("CREDENTIALS_DIRECTORY", "where ${cred:NAME} of the configuration is looked for"),
               ("XDG_STATE_HOME", "where the state of up lies unless something says otherwise"),
               ("SHIPWATCH_SECRET", "the secret of sign, where no option says it"),
               ("any NAME", "${NAME} in the configuration")]
FILES = [("/etc/shipwatch/shipwatch.yaml", "the configuration of the units"), ("/etc/shipwatch/rules/", "rules, where the configuration says so"),
         ("/etc/shipwatch/environment", "NAME=value lines for the units"), ("/var/lib/shipwatch/", "spool, history, names of the roles"),
         ("/usr/share/doc/shipwatch/examples/", "samples: units' drop-ins, nginx, Caddy, Prometheus, Grafana, log shippers, Kubernetes, rules")]
EXAMPLES = [("Everything on this machine with a demo:", "shipwatch up"),
            ("Every mistake of a configuration and its rules:", "shipwatch check -c /etc/shipwatch/shipwatch.yaml"),
            ("At the end of a CI job:", "shipwatch test-health https://web.example.com/health --expect-commit $CI_COMMIT_SHA --wait 60s"),
            ("No action starts anywhere until it is released:", "shipwatch hold --why 'network trouble' -c /etc/shipwatch/shipwatch.yaml")]


def plain(text):
    """A line of text that no request or escape hides in; typographic characters stay, pages are UTF-8."""
    text = text.replace("\\", "\\e").replace("\n", " ").strip()
    text = text.replace("-", "\\-") if text.startswith("-") else text
    return "\\&" + text if text[:1] in ".'" else text


def prose(markdown):
    """Markdown of a table or paragraph as text: `code` bold, links by their text, one sentence a line as mdoc wants it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown.replace("\\|", "|"))
    text = re.sub(r"\*\*([^*]+)\*\*", r"\1", text)
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]+)`", lambda m: "\\fB" + m.group(1).replace("-", "\\-") + "\\fP", text)
    lines = re.split(r"(?<=[.!?]) +(?=\S)", " ".join(text.split()))
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in lines)


def tagged(rows, width="Ds"):
    out = [".Bl -tag -width %s" % width]
    for term, text in rows:
        out += [".It " + plain(term), prose(text)]
    return out + [".El"]


def head(name, section, what, date):
    return ['.\\" Made by docs/man.py; do not edit by hand.', ".Dd " + date,
            ".Dt %s %s" % (name.upper(), section), ".Os Shipwatch", ".Sh NAME", ".Nm " + name, ".Nd " + what]


def one_command(program, name):
    usage, words, options, exits = commands.read(commands.said(program, "help", name))
    out = [".Ss shipwatch " + plain(usage), prose(words)]
    if options:
        out.append(".Bl -tag -width Ds")
        for letter, option, value, text in options:
            flags = ("Fl %s , " % letter if letter else "") + "Fl \\-%s" % option + (" Ar " + value if value else "")
            out += [".It " + flags, prose(text)]
        out.append(".El")
    if exits:
        out += [".Pp", "Exit code " + prose(exits) + "."]
    return out


def page_commands(program, date):
    known = dict(commands.commands(program))
    out = head("shipwatch", "1", "watches deployments, tells people, takes bad releases back", date)
    out += [".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar options", ".Sh DESCRIPTION",
            "Shipwatch hears of a deployment from a git host or a CI, watches the service for the next minutes, and when the release is bad it",
            "tells the people on call in their chat, and can take the release back.", ".Pp",
            "Its roles are processes of their own:", ".Cm gateway", "takes webhooks and CI reports,", ".Cm worker",
            "decides, tells people and acts,", ".Cm dashboard" if "dashboard" in known else ".Cm up",
            "shows pages;" if "dashboard" in known else "runs them on one machine;",
            "a Redis is between them.", "The configuration is described in", ".Xr shipwatch.yaml 5 .", ".Pp",
            "Commands that talk to Redis find it by", ".Fl \\-redis ,",
            "else in the configuration, else it is the private one of", ".Cm up", "under its state directory.", ".Sh COMMANDS"]
    for n, (heading, names) in enumerate(commands.GROUPS):
        out += [".Pp"] * (n > 0) + ["%s:" % heading] + tagged([(name, known[name]) for name in names if name in known], "test\\-healthxx")
    for _, names in commands.GROUPS:
        for name in names:
            if name in known:
                out += one_command(program, name)
    out += [".Sh SIGNALS"] + tagged(SIGNALS) + [".Sh ENVIRONMENT"] + tagged(ENVIRONMENT) + [".Sh FILES"] + tagged(FILES)
    out += [".Sh EXIT STATUS"] + tagged(EXITS, "00") + [".Sh EXAMPLES"]
    for text, command in EXAMPLES:
        out += [text, ".Bd -literal -offset indent", plain(command), ".Ed", ".Pp"]
    return out[:-1] + [".Sh SEE ALSO", ".Xr redis\\-server 1 ,", ".Xr shipwatch.yaml 5 ,", ".Xr systemd.service 5"] + DOCS


def setting(name, kind, default, text):
    facts = [kind if kind != "see the text" else "", "required" if default == "!" else "default %s" % default if default is not None else ""]
    facts = ", ".join(f for f in facts if f)
    return [".It Ic " + plain(name) + (" Pq " + plain(re.sub(r"[`]", "", facts)) if facts else ""), prose(text)]


def page_settings(date):
    out = head("shipwatch.yaml", "5", "configuration of Shipwatch", date)
    out += [".Sh DESCRIPTION",
            "One YAML file and a folder of rules.", "Paths are relative to the file they stand in.",
            "Lengths of time, sizes and percentages carry their unit (30s, 25MiB, 5%).", ".Pp",
            "${NAME} is replaced by the environment's variable, ${file:/run/secrets/x} by what that file has, ${cred:NAME} by a credential that",
            "systemd handed over (LoadCredential=); $${ is a plain ${.", ".Pp",
            "A role reads it when it starts and at SIGHUP;", ".Nm shipwatch Cm check", "says every mistake with its line and column."]
    for path, table, heading, words in reference.SECTIONS:
        if not os.path.exists(os.path.join(reference.ROOT, path)):
            continue
        out.append(".Sh " + plain(heading.replace("`", "").upper() if heading == "The file" else heading.replace("`", "")))
        if words:
            out.append(prose(words))
        out.append(".Bl -tag -width Ds")
        for row in reference.rows(path, table):
            out += setting(*row)
        out.append(".El")
    out += [".Sh FILES"] + tagged(FILES[:2]) + [".Sh EXAMPLES", ".Bd -literal",
            "sources:  {gitlab: {tokens: [\"${file:/etc/shipwatch/secrets/gitlab-token}\"]}}",
            "channels: {oncall: {kind: dingtalk, url: \"${DINGTALK_URL}\", secret: \"${DINGTALK_SECRET}\"}}",
            "services: {web: {repo: acme/web, environments: {prod: \"https://web.example.com/health\"}}}", ".Ed",
            ".Sh SEE ALSO", ".Xr shipwatch 1", ".Pp", "The pages that are named here, such as rules.md, are in /usr/share/doc/shipwatch."]
    return out


def main():
    program, folder = sys.argv[1:3]
    built = json.loads(commands.said(program, "version", "--json"))["built"]
    day = datetime.datetime.strptime(built[:10], "%Y-%m-%d")
    date = "%s %d, %d" % (day.strftime("%B"), day.day, day.year)
    for name, lines in (("shipwatch.1", page_commands(program, date)), ("shipwatch.yaml.5", page_settings(date))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write("\n".join(line for line in lines if line) + "\n")


if __name__ == "__main__":
    main()
