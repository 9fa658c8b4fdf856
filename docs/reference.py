#!/usr/bin/python3
"""Writes docs/configuration.md from the tables of settings in the code (struct sw_key). `./dev docs` calls it."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TYPES = {
    "STRING": "text", "SECRET": "secret", "SECRETS": "list of secrets", "STRINGS": "list of texts", "BOOL": "true or false",
    "INT": "number", "NUMBER": "number", "DUR": "length of time (`30s`)", "SIZE": "size (`25MiB`)", "PERCENT": "percentage (`5%`)",
    "URL": "http(s) address", "ENUM": "one of a few words", "STRMAP": "map of texts", "NODE": "see the text",
}
# file, table (as it is declared), heading, text
SECTIONS = [
    ("src/config/config.c", "config_keys", "The file", "One file, `shipwatch.yaml`; paths are relative to it. `${NAME}` takes the environment, "
     "`${file:/run/secrets/x}` a file, `${cred:NAME}` a credential of systemd. An unknown key, a wrong type or unit, or a name that does not exist is one line with its place; all of them at once."),
    ("src/config/server.c", "gateway_keys", "`gateway:`", ""),
    ("src/config/redis.c", "redis_keys", "`redis:`", "The Redis that all roles share; an address alone is its `url`. What it should be set to, TLS and Sentinel: [operations.md](operations.md)."),
    ("src/config/dashboard.c", "dashboard_keys", "`dashboard:`", "Who gets in, and as what: [dashboard.md](dashboard.md)."),
    ("src/config/dashboard.c", "user_keys", "`dashboard: {users: […]}`", ""),
    ("src/config/dashboard.c", "token_keys", "`dashboard: {tokens: […]}`", ""),
    ("src/config/forward.c", "pushgateway_keys", "`pushgateway:`", "Where builds and reports go as metrics, by the dashboard; see [pushgateway.md](pushgateway.md)."),
    ("src/config/sources.c", "sources_keys", "`sources:`", "By name; the kind is the name unless `kind:` is said. Every source has these:"),
    ("src/source/github.c", "github_keys", "Source `github`", "GitHub, JSON or form bodies, `X-Hub-Signature-256`."),
    ("src/source/gitlab.c", "gitlab_keys", "Source `gitlab`", "GitLab webhooks and system hooks, by secret token or signing token. Where a signature is sent it has to fit."),
    ("src/source/gitea.c", "gitea_keys", "Source `gitea`", "Gitea, Forgejo and Gogs."),
    ("src/source/report.c", "report_keys", "Source `report`", "Reports of CI jobs, posted to `/ci-report`."),
    ("src/source/alertmanager.c", "alertmanager_keys", "Source `alertmanager`", "Webhooks of Prometheus Alertmanager; see [alertmanager.md](alertmanager.md)."),
    ("src/source/cloudevents.c", "cloudevents_keys", "Source `cloudevents`", "CloudEvents over HTTP: binary, structured, batched; CDEvents, and others by a mapping. See [sources.md](sources.md)."),
    ("src/source/generic.c", "generic_keys", "Source `generic`", "Any JSON: the settings say where what stands. See [sources.md](sources.md); samples are in `examples/sources`."),
    ("src/source/generic.c", "signature_keys", "`signature:` of a source `generic`", "How its sender signs."),
    ("src/config/queue.c", "queue_keys", "Source `redis-stream`", "What another kind is posted, read from a stream of a Redis. See [sources.md](sources.md)."),
    ("src/config/services.c", "settings_keys", "Environments", "Under `defaults:`, a service, or one of its `environments:`; the nearer one wins. "
     "An environment can be a health address alone."),
    ("src/config/services.c", "service_keys", "`services:`", "By name. `\"*\"` is a template for many alike; `{service}` in its texts is the last part of the repository's path."),
    ("src/config/services.c", "health_keys", "`health:`", "How the signal `health` is asked. A slow answer, a refused connection or another status is a failing check."),
    ("src/config/measures.c", "prometheus_keys", "`prometheus:`", "A Prometheus, or what answers as it does, that has the service's measurements; see [signals.md](signals.md). "
     "An address alone is its `url`; `null` turns off what an outer level says."),
    ("src/config/measures.c", "metrics_keys", "`metrics:`", "The service's own page of measurements, where no Prometheus has them; see [signals.md](signals.md). "
     "An address alone is its `url`; `null` turns off what an outer level says."),
    ("src/config/services.c", "match_keys", "`match:`", "Which events belong to an environment; every key of an entry has to fit; globs. Without it an environment matches its own name."),
    ("src/config/sources.c", "people_keys", "`people:`", "Who is who, for mentions."),
    ("src/config/rota.c", "rota_keys", "`oncall: {rota: …}`", "Who `oncall` is, by the time of the message; see [channels.md](channels.md). `oncall:` is one of `people` (always the same), "
     "`rota`, and `file` (a rota in a file of its own, read whenever somebody is to be mentioned)."),
    ("src/config/rota.c", "override_keys", "`oncall: {rota: {overrides: […]}}`", "`on`, or `from` and `until`. Of several at once the last one counts."),
    ("src/config/outputs.c", "channel_keys", "`channels:`", "By name; the kind is the name unless `kind:` is said. Every channel has these, `mention:`, `locale` (`en` or `zh-CN`, the language of its "
     "messages) and `template` (how they are written, [templates.md](templates.md)); see [channels.md](channels.md)."),
    ("src/config/outputs.c", "mention_keys", "Mentions of a channel", "By severity, or for every message."),
    ("src/channel/dingtalk.c", "keys", "Channel `dingtalk`", "DingTalk custom robot: markdown, signed; at most 18 messages a minute."),
    ("src/channel/wecom.c", "keys", "Channel `wecom`", "WeCom group robot: markdown of at most 4,096 bytes, a second short text where mobiles or everyone are mentioned."),
    ("src/channel/feishu.c", "keys", "Channel `feishu`", "Feishu or Lark custom bot: a card, signed. See [channels.md](channels.md)."),
    ("src/channel/slack.c", "keys", "Channel `slack`", "Slack incoming webhook: text and sections of mrkdwn. See [channels.md](channels.md)."),
    ("src/channel/alertmanager.c", "keys", "Channel `alertmanager`", "Prometheus Alertmanager's API v2. See [channels.md](channels.md)."),
    ("src/channel/email.c", "keys", "Channel `email`", "Mail by SMTP, text and HTML. See [channels.md](channels.md)."),
    ("src/channel/webhook.c", "keys", "Channel `webhook`", "POST of the alert as JSON, signed as rollback hooks are. See [channels.md](channels.md)."),
    ("src/action/http.c", "keys", "Action `http`", "Signed POST with the whole context: `X-Shipwatch-Signature: sha256=<hex HMAC of timestamp + \".\" + body>`, "
     "`X-Shipwatch-Timestamp`, `Idempotency-Key`. Never repeated when its outcome is not known."),
    ("src/action/exec.c", "keys", "Action `exec`", "A program with fixed arguments, no shell; the context is in `SW_*` variables and as JSON on stdin."),
    ("src/action/gitlab.c", "keys", "Action `gitlab`", "A pipeline or a job by GitLab's API; see [actions.md](actions.md)."),
    ("src/action/github.c", "keys", "Action `github`", "A deployment, a workflow or an event by GitHub's API; see [actions.md](actions.md)."),
    ("src/model/maintenance.c", "window_keys", "`maintenance:`", "A list of windows; see [maintenance.md](maintenance.md)."),
    ("src/rules/rule.c", "rule_keys", "Rules", "In the files of `rules:`; see [rules.md](rules.md)."),
    ("src/sim/script.c", "place_keys", "Places of a rule test", "Under `places:` of a test file, by `service/environment`."),
    ("src/sim/script.c", "event_keys", "Events of a rule test", "Under the kind of the event: `{at: 10s, deployment: {service: web, env: prod, …}}`."),
]
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def split(row):
    """The fields of a C initialiser: commas outside of strings and parentheses."""
    out, depth, quoted, now = [], 0, False, ""
    for i, c in enumerate(row):
        if c == '"' and row[i - 1] != "\\":
            quoted = not quoted
        if not quoted and c in "([{":
            depth += 1
        if not quoted and c in ")]}":
            depth -= 1
        if c == "," and not quoted and depth == 0:
            out.append(now.strip())
            now = ""
        else:
            now += c
    return out + [now.strip()]


def text(field):
    parts = LITERAL.findall(field)
    return "".join(parts).replace('\\"', '"') if parts else None


def rows(path, table):
    source = open(os.path.join(ROOT, path), encoding="utf-8").read()
    at = source.index("struct sw_key %s[]" % table)
    body = source[at:source.index("\n};", at)]
    for m in re.findall(r"\n\t([A-Z]+_KEYS)\(", body): # rows that several tables have
        shared = open(os.path.join(ROOT, "src/source/mapping.h"), encoding="utf-8").read()
        at = shared.index("#define %s(" % m)
        body += shared[shared.index("\n", at):shared.index("\n\n", at)].replace("\\\n", "\n").replace(" }", " },").replace("},,", "},")
    for m in re.finditer(r'(?:\{|\b[A-Z]+\()\s*("[a-z_0-9*]+"\s*,\s*SW_KEY_.*?)\s*(?:\}|\)),[ \t]*(?=\n|\{|$)', body, re.S):
        f = split(m.group(1))
        kind = f[1].replace("SW_KEY_", "")
        default = text(f[3]) if len(f) > 3 else None
        yield text(f[0]), TYPES.get(kind, kind.lower()), default, text(f[4]) or "" if len(f) > 4 else ""


def main():
    out = ["# Configuration", "", "Made from the tables of settings in the code by `docs/reference.py`; do not edit by hand.", ""]
    for path, table, heading, words in SECTIONS:
        if not os.path.exists(os.path.join(ROOT, path)):
            continue
        out += ["## " + heading, ""]
        if words:
            out += [words, ""]
        out += ["| setting | | default | |", "| --- | --- | --- | --- |"]
        for name, kind, default, help_text in rows(path, table):
            shown = "required" if default == "!" else "" if default is None else "`%s`" % default
            out.append("| `%s` | %s | %s | %s |" % (name, kind, shown, help_text.replace("|", "\\|")))
        out.append("")
    out += ["## Channel `console`", "", "Prints the message to the worker's standard output and to `console.log` in the state folder. No settings.", "",
            "## Signals", "", "`health` is an HTTP GET of `health.url`; `prometheus` and `scrape` measure the others, by `prometheus:` and `metrics:`; all of it is in [signals.md](signals.md).", "",
            "## Limits", "", "Values of `limits:` have a unit (`p95: 800ms`) and are used in rules as `limits.p95`.", ""]
    with open(os.path.join(ROOT, "docs", "configuration.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(out))


if __name__ == "__main__":
    main()
