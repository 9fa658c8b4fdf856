#!/usr/bin/python3
"""Writes docs/messages.md: what each kind of channel is sent of one example alert, as `shipwatch render` makes it (./dev docs).
And into docs/templates.md: the values of templates, the templates that are shipped.

With --check: does it stand there? With --html FILE: the HTML of the mail alone; docs/email.png is that, photographed by
`chromium --headless --window-size=600,450 --screenshot=docs/email.png FILE`.
"""
import email
import email.policy
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "messages.md")
TEMPLATES = os.path.join(ROOT, "docs", "templates.md")
SECRET = "SEC0000000000000000000000000000000000000000000000000000000000000"
CONFIG = """
timezone: Asia/Shanghai
sources: {github: {secrets: ["${SECRET}"]}}
services: {web: {repo: acme/web, environments: {prod-hz: "https://hz.web.example.com/health"}}}
people:
  lin: {gitlab: lin.wei, mobile: "13800001111", wecom: LinWei, feishu: ou_8f3a1c, slack: U012AB3CD, email: lin@example.com}
alerts: [console-en]
channels:
"""
CHANNEL = """  %(kind)s-%(locale)s: {kind: %(kind)s, locale: %(locale)s, %(conf)s mention: {critical: deployer}}
"""
KINDS = [
    ("dingtalk", 'url: "https://oapi.dingtalk.com/robot/send?access_token=T", secret: "${SECRET}",',
     "Markdown; the title is what a notification shows. Signed in the address. Numbers that are mentioned stand in the text too, or nobody is notified."),
    ("wecom", 'url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=K",',
     "Markdown; the first line is orange, grey or, when it is over, green. People with a `wecom` id are mentioned in it; numbers by a second, short text."),
    ("feishu", 'url: "https://open.feishu.cn/open-apis/bot/v2/hook/T", secret: "${SECRET}",', "A card: its title has a colour, its body is markdown."),
    ("slack", 'url: "https://hooks.slack.com/services/T",', "A text, and an attachment of sections with a bar of a colour at its side."),
    ("email", 'server: "smtp://mail.example.com:587", from: "Shipwatch <shipwatch@example.com>", to: [oncall@example.com],',
     "Text and HTML. The mails of one alert are one thread.\n\n![the HTML of the mail that tells of the firing](email.png)"),
    ("webhook", 'url: "https://hooks.example.com/alerts", secret: "${SECRET}",',
     "JSON, signed ([hooks.md](hooks.md)); `alert` has all that is known, so that a receiver writes its own text."),
    ("alertmanager", 'url: "http://alertmanager:9093",', "An alert of the API v2. Its end, here `…`, is counted from when it is sent."),
    ("console", "", "Plain text."),
]
NEWS = [("firing", "fires"), ("rollback_done", "is rolled back"), ("resolved", "is over")]
JSON = ("webhook", "alertmanager")
LOCALES = [("en", "English"), ("zh", "Chinese")]


def rendered(program, config, kind, locale, news):
    """The bodies of all parts, and what stood above each."""
    out = subprocess.run([program, "render", "%s-%s" % (kind, locale), "-c", config, "--example", "--news", news], stdout=subprocess.PIPE,
                         check=True, timeout=30, env={"SECRET": SECRET, "PATH": os.environ.get("PATH", "")}).stdout.decode()
    parts = re.split(r"(?m)^\(\d+ bytes\)\n", out)[:-1]
    return [part if kind in ("console", "email") else part.split("\n\n", 1)[1] for part in parts]


def mail(part):
    """A mail taken apart: headers that people see, text, HTML."""
    message = email.message_from_string(part.split("\n\n", 1)[1], policy=email.policy.default)
    text, html = [p.get_content() for p in message.iter_parts()]
    headers = "".join("%s: %s\n" % (name, message[name]) for name in ("From", "To", "Cc", "Subject") if message[name])
    return headers, text.replace("\r\n", "\n"), html.replace("\r\n", "\n")


def shown(kind, part):
    """One part as text for people: (language of the block, text)."""
    if kind == "console":
        return "", part.rstrip("\n")
    if kind == "email":
        headers, text, _ = mail(part)
        return "", headers + "\n" + text.rstrip("\n")
    body = json.loads(part)
    if kind == "dingtalk":
        return "markdown", "title: %s\nmentions: %s\n\n%s" % (body["markdown"]["title"], ", ".join(body["at"]["atMobiles"]) or "nobody", body["markdown"]["text"])
    if kind == "wecom" and body["msgtype"] == "markdown":
        return "markdown", body["markdown"]["content"]
    if kind == "wecom":
        return "", body["text"]["content"] + "\nmentions: " + ", ".join(body["text"]["mentioned_mobile_list"])
    if kind == "feishu":
        card = body["card"]
        return "markdown", "title (%s): %s\n\n%s" % (card["header"]["template"], card["header"]["title"]["content"],
                                                     "\n\n".join(e["content"] for e in card["body"]["elements"]))
    if kind == "slack":
        lines = [body["text"], "", "attachment (%s):" % body["attachments"][0]["color"]]
        return "", "\n".join(lines + [b["text"]["text"] for b in body["attachments"][0]["blocks"]])
    text = json.dumps(body, ensure_ascii=False, indent=2)
    return "json", re.sub(r'("endsAt": )"[^"]+"', r'\1"…"', text)


def blocks(program, config, kind):
    out = []
    for news, words in NEWS:
        for locale, language in LOCALES:
            if kind in JSON and locale != "en" and news != "firing":
                continue  # the same members, the same words as elsewhere
            out += ["<details%s><summary>It %s, in %s</summary>" % (" open" if (news, locale) == ("firing", "en") else "", words, language), ""]
            for part in rendered(program, config, kind, locale, news):
                lang, text = shown(kind, part)
                out += ["````" + lang, re.sub(r"(?m) +$", "", text), "````", ""]
            out += ["</details>", ""]
    return out


def page(program, config):
    out = ["# Messages", "", "What each kind of channel is sent of one alert. Made from the program itself (`shipwatch render CHANNEL --example`) by `docs/messages.py`",
           "(`./dev docs`); do not edit by hand. How a channel is configured: [channels.md](channels.md).", ""]
    for kind, _, words in KINDS:
        out += ["## " + kind, "", words, ""] + blocks(program, config, kind)
    return "\n".join(out)


def values():
    """The rows of the table of values in src/model/tmpl.c."""
    with open(os.path.join(ROOT, "src", "model", "tmpl.c"), encoding="utf-8") as f:
        rows = re.findall(r'\] = \{ "([a-z_.]+)", (\w+), "([^"]*)" \}', f.read())
    return ["| value | |", "| --- | --- |"] + ["| `{%s}`%s | %s |" % (name, "" if where == "0" else " (list)", words) for name, where, words in rows]


def defaults(program, config):
    out = []
    for locale, language in LOCALES:
        said = subprocess.run([program, "render", "console-" + locale, "-c", config, "--template"], stdout=subprocess.PIPE, check=True, timeout=30,
                              env={"SECRET": SECRET, "PATH": os.environ.get("PATH", "")}).stdout.decode()
        out += [language + ":", "", "```", said.rstrip("\n"), "```", ""]
    return out[:-1]


def templates(program, config):
    """docs/templates.md with its two made parts as they are now."""
    with open(TEMPLATES, encoding="utf-8") as f:
        text = f.read()
    for name, lines in (("values", values()), ("defaults", defaults(program, config))):
        text = re.sub(r"(?s)(<!-- %s: [^\n]*-->\n).*?(<!-- end -->)" % name, lambda m: m.group(1) + "\n".join(lines) + "\n" + m.group(2), text)
    return text


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "shipwatch.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG + "".join(CHANNEL % {"kind": kind, "locale": locale, "conf": conf} for kind, conf, _ in KINDS for locale, _ in LOCALES))
        if "--html" in sys.argv:
            with open(args[0], "w", encoding="utf-8") as f:
                f.write(mail(rendered(os.path.join(ROOT, "build", "shipwatch"), config, "email", "zh", "firing")[0])[2])
            return
        program = args[0] if args else os.path.join(ROOT, "build", "shipwatch")
        pages = [(PAGE, page(program, config)), (TEMPLATES, templates(program, config))]
    for path, text in pages:
        if "--check" in sys.argv:
            with open(path, encoding="utf-8") as f:
                if f.read() != text:
                    sys.exit("%s is not what the program sends: run ./dev docs" % os.path.relpath(path, ROOT))
        else:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)


main()
