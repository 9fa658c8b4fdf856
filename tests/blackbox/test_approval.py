"""A person decides about a rollback: the link of a message, the page behind it, the command line; with the real parts, which may die.

The rollback hook counts by its key: one start is one message of the robots' hook that has an action in it.
"""
import concurrent.futures
import html.parser
import json
import os
import re
import signal
import subprocess
import time
import unittest
import urllib.parse

from harness import BOUND, PROGRAM, Case, Gateway, Redis, Role, built, sign_gitlab, wait_for
from test_kills import TOKEN, deployment
from test_main_path import Robots

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CONFIG = """
locale: %(locale)s
timezone: Asia/Shanghai
public_url: http://127.0.0.1:1/sw
gateway: {approvals: %(approvals)s, workers: 2}
sources: {gitlab: {tokens: [%(token)s]}}
channels: {box: {kind: webhook, url: "%(robots)s/hook", secret: hook-secret-1}}
actions: {undo: {kind: http, url: "%(robots)s/hook", secret: hook-secret-1}}
services: {web: {repo: acme/web, environments: {prod: {rollback: undo}}}}
rules: rules.yaml
"""
RULES = """
- {name: bad-sha, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback: {approve: %(approve)s, otherwise: %(otherwise)s}]}
"""
GOOD, BAD = "%040x" % 0x1234567890, "bad" + "0" * 37


class Page(html.parser.HTMLParser):
    """What stands in a page, and what it would load or run."""

    def __init__(self, answer):
        super().__init__()
        self.words, self.tags, self.attributes = [], [], []
        self.feed(answer.body.decode())
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]

    def handle_data(self, data):
        self.words.append(data)


class Approval(Case):
    def up(self, approve="10m", otherwise="cancel", locale="en", approvals="true", redis=()):
        self.robots = Robots(self)
        self.redis = self.start(Redis(self.folder, *redis))
        self.folder.write("rules.yaml", RULES % {"approve": approve, "otherwise": otherwise})
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"token": TOKEN, "robots": self.robots.url, "locale": locale, "approvals": approvals})
        self.gateway_up()
        self.worker_up()

    def gateway_up(self):
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gw"), "--log-level", "debug"))

    def worker_up(self):
        self.worker = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("w"), "--log-level", "debug"))

    def deploy(self, job, sha):
        a = self.gateway.post("/hooks/gitlab", deployment("web", job, sha), sign_gitlab(TOKEN, "Deployment Hook", "d-%d" % job))
        self.assertEqual(a.status, 202, a)

    def alerts(self, news):
        return [m["body"]["alert"] for m in self.robots.hooks() if m["body"].get("alert", {}).get("news") == news]

    def told(self, news, bound=60):
        return wait_for(lambda: self.alerts(news), "people are told " + news, bound)[0]

    def starts(self):
        """Rollbacks that arrived, by key."""
        return [m["key"] for m in self.robots.hooks() if "action" in m["body"]]

    def ask(self):
        """A bad deployment; the path of the link that people get."""
        self.deploy(1, GOOD)
        self.deploy(2, BAD)
        alert = self.told("rollback_waiting")
        link = urllib.parse.urlsplit(alert["links"]["approval"])
        self.assertEqual(f"{link.scheme}://{link.netloc}", "http://127.0.0.1:1")
        self.assertRegex(link.path, r"^/sw/approve/[0-9a-f]{52}$")
        self.act = alert["ask"]
        return link.path.removeprefix("/sw")

    def get(self, path, method="GET"):
        return self.gateway.request(method, path)

    def post(self, path, name="Lin", decision="approve", gateway=None):
        body = urllib.parse.urlencode({"name": name, "decision": decision})
        return (gateway or self.gateway).request("POST", path, body, FORM)

    def rolled_back_once(self):
        wait_for(self.starts, "the rollback begins", 60)
        self.told("rollback_done")
        time.sleep(0.3)  # a second one would be on its way by now
        self.assertEqual(len(self.starts()), 1, self.robots.hooks())

    def secret_is_nowhere(self, path):
        """The random part of the link stands in no log."""
        for p in (self.gateway, self.worker):
            self.assertFalse([line for line in p.log() if path[-40:] in line])

    def safe(self, answer):
        """No page of ours runs anything, is kept, or shows in a frame; nothing of it comes from elsewhere."""
        h, page = answer.headers, Page(answer)
        self.assertEqual(h["cache-control"], "no-store")
        self.assertEqual(h["referrer-policy"], "no-referrer")
        self.assertEqual(h["content-type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'", h["content-security-policy"])
        self.assertNotIn("unsafe", h["content-security-policy"])
        self.assertNotIn("script", page.tags)
        self.assertNotIn("style", page.tags)
        self.assertFalse([a for a in page.attributes if a[1] == "style" or a[1].startswith("on") or (a[1] in ("src", "action"))])
        return page

    def test_approved(self):
        """From the webhook to the rollback: nothing happens by looking, one thing happens by approving."""
        self.up()
        path = self.ask()
        for method in ("GET", "HEAD", "GET", "GET"):
            a = self.get(path, method)
            self.assertEqual(a.status, 200)
        page = self.safe(self.get(path))
        for text in ("Roll back? web/prod", "web/prod", BAD[:12], "bad-sha", "undo", "nothing is done", "Asia/Shanghai", "Approve the rollback", "Refuse"):
            self.assertIn(text, page.text)
        css = self.get("/approve/style.css")
        self.assertEqual((css.status, css.headers["content-type"]), (200, "text/css; charset=utf-8"))
        time.sleep(0.5)
        self.assertEqual((self.starts(), self.alerts("rollback_approved")), ([], []))

        a = self.post(path, "  Lin   Wei ")
        self.assertEqual(a.status, 200, a)
        self.assertIn("You approved", self.safe(a).text)
        self.assertEqual(self.told("rollback_approved")["rollback_detail"], "approved by Lin Wei")
        self.rolled_back_once()
        self.assertIn("approved by Lin Wei", self.told("rollback_started")["rollback_detail"])
        self.assertTrue(self.gateway.entries(msg=r"approval of action undo .* by \"?Lin Wei", service="web", environment="prod"))

        for again in (self.post(path, "Mei", "refuse"), self.post(path, "Mei"), self.get(path)):
            self.assertEqual(again.status, 409)
            self.assertIn("Approved by: Lin Wei", self.safe(again).text)
        self.rolled_back_once()
        self.secret_is_nowhere(path)

    def test_refused(self):
        self.up(otherwise="proceed", locale="zh-CN")
        path = self.ask()
        page = self.safe(self.get(path))
        for text in ("是否回滚", "自动开始回滚", "批准回滚", "拒绝", "您的姓名"):
            self.assertIn(text, page.text)
        a = self.post(path, "林伟", "refuse")
        self.assertEqual(a.status, 200, a)
        self.assertIn("您已拒绝回滚", self.safe(a).text)
        self.assertEqual(self.told("rollback_skipped")["rollback_detail"], "refused by 林伟")
        a = self.post(path)
        self.assertEqual(a.status, 409)
        self.assertIn("林伟", self.safe(a).text)
        self.assertEqual(self.starts(), [])

    def test_two_at_once(self):
        """Many decide at the same moment, by many connections: one wins, all are told who."""
        self.up()
        path = self.ask()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda i: self.post(path, "p%d" % i, "approve" if i % 2 else "refuse"), range(12)))
        won = [i for i, a in enumerate(answers) if a.status == 200]
        self.assertEqual(len(won), 1, answers)
        self.assertEqual({a.status for a in answers}, {200, 409})
        word = "Approved by" if won[0] % 2 else "Refused by"
        for i, a in enumerate(answers):
            if i != won[0]:
                self.assertIn(f"{word}: p{won[0]}", Page(a).text)
        if won[0] % 2:
            self.rolled_back_once()
        else:
            self.told("rollback_skipped")
            self.assertEqual(self.starts(), [])

    def test_worker_dies_while_asking(self):
        """The decision is stored while no worker lives; the next one carries it out, once."""
        self.up()
        path = self.ask()
        self.worker.kill()
        began = time.monotonic()
        a = self.post(path)
        self.assertEqual(a.status, 202, a)
        self.assertIn("stored", self.safe(a).text)
        self.assertGreater(time.monotonic() - began, 3)
        self.assertEqual(self.post(path, "Mei", "refuse").status, 202)
        self.worker_up()
        self.rolled_back_once()
        self.assertEqual(self.alerts("rollback_approved")[0]["rollback_detail"], "approved by Lin")
        self.assertEqual(self.get(path).status, 409)

    def test_worker_dies_between_yes_and_start(self):
        self.up()
        path = self.ask()
        self.assertEqual(self.post(path).status, 200)
        self.worker.kill()
        self.worker_up()
        self.rolled_back_once()

    def test_gateway_dies_before_the_answer(self):
        """The decision is stored, the answer is not given; the same person sends the form again and it is the same decision."""
        self.up()
        path = self.ask()
        self.worker.kill()
        body = urllib.parse.urlencode({"name": "Lin", "decision": "approve"})
        with self.gateway.connect() as c:
            c.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            wait_for(lambda: any(b'"approve"' in f.get("m", b"") for _, f in self.redis.entries("{sw}:work")), "the decision is stored")
            children = self.gateway.children()
            for pid in children:
                os.kill(pid, 9)
            self.gateway.kill()
            self.assertIsNone(c.answer())
        self.gateway_up()
        self.worker_up()
        self.told("rollback_approved")
        self.assertEqual(self.post(path).status, 409)
        self.rolled_back_once()

    def test_redis_away(self):
        """Nothing is decided without Redis, and nothing is kept to be decided later."""
        self.up()
        path = self.ask()
        self.redis.kill()
        wait_for(lambda: self.get(path).status == 503, "the page says that Redis is away")
        a = self.post(path)
        self.assertEqual(a.status, 503)
        self.assertIn("retry-after", a.headers)
        self.safe(a)
        self.redis.start()
        wait_for(lambda: self.get(path).status == 200, "the page is back")
        time.sleep(1)
        self.assertEqual(self.alerts("rollback_approved"), [])

    def test_expired(self):
        """At its end the question means what the rule says; a minute is the shortest there is."""
        self.up(approve="1m", otherwise="proceed")
        path = self.ask()
        self.assertEqual(self.told("rollback_approved", 120)["rollback_detail"], "nobody answered in time")
        self.assertEqual(self.get(path).status, 410)
        self.assertEqual(self.post(path, "Lin", "refuse").status, 410)
        self.rolled_back_once()

    def test_superseded(self):
        self.up()
        path = self.ask()
        self.deploy(3, GOOD)
        self.assertIn("a newer deployment succeeded", self.told("rollback_skipped")["rollback_detail"])
        a = self.post(path)
        self.assertEqual(a.status, 410)
        self.assertIn("a newer deployment succeeded", self.safe(a).text)
        self.assertEqual(self.starts(), [])

    def test_bad_input(self):
        """What is no link, no form or no name decides nothing; each limit at it and past it."""
        self.up()
        path = self.ask()
        for wrong in ("/approve/", "/approve/x", path[:-1], path + "0", path[:-1] + ("0" if path[-1] != "0" else "1"), "/approve/" + "0" * 52,
                      path.upper().replace("/APPROVE", "/approve"), "/approve/../metrics", path + "/", "/approve/" + "a" * 4000):
            a = self.get(wrong)
            self.assertEqual(a.status, 404, (wrong, a))
        self.assertEqual(self.post(path[:-1] + ("0" if path[-1] != "0" else "1")).status, 404)
        for method in ("PUT", "DELETE", "PATCH"):
            self.assertEqual(self.gateway.request(method, path, "").status, 405)
        self.assertEqual(self.gateway.request("POST", path, "{}", {"Content-Type": "application/json"}).status, 415)
        self.assertEqual(self.gateway.request("POST", path, "name=a&decision=approve").status, 415)
        good = "name=Lin&decision=approve"
        for body in ("", "name=Lin", "decision=approve", "name=Lin&decision=yes", "name=&decision=approve", "name=+%20&decision=approve",
                     "name=%0a%0d&decision=approve", good + "&decision=refuse", good + "&name=Mei", "name=%zz&decision=approve", "x", "&" + good,
                     "name=%E2%80%8B%E2%80%AE&decision=approve", "name=" + "a" * 101 + "&decision=approve",
                     "name=" + urllib.parse.quote("é" * 50 + "a") + "&decision=approve"):
            a = self.gateway.request("POST", path, body, FORM)
            self.assertEqual(a.status, 400, (body, a))
            self.safe(a)
        self.assertEqual(self.gateway.request("POST", path, "x=" + "a" * (1024 - 2), FORM).status, 400)
        self.assertEqual(self.gateway.request("POST", path, "x=" + "a" * (1024 - 1), FORM).status, 413)
        time.sleep(0.3)
        self.assertEqual(self.alerts("rollback_approved"), [])
        self.assertEqual(self.get(path).status, 200)

        hostile = "<script>alert(1)</script>\"'&\u202e@all"
        a = self.gateway.request("POST", path, urllib.parse.urlencode({"name": hostile + "a" * 100, "decision": "approve"}), FORM)
        self.assertEqual(a.status, 400)
        self.assertIn(("input", "value", hostile.replace("\u202e", "") + "a" * 100), self.safe(a).attributes)
        name = "é" * 50  # 100 bytes
        self.assertEqual(self.post(path, name).status, 200)
        self.assertEqual(self.told("rollback_approved")["rollback_detail"], "approved by " + name)
        self.secret_is_nowhere(path)

    def test_hostile_name(self):
        """A name is words: in the page, in messages, in the log."""
        self.up()
        path = self.ask()
        name = "<b>x</b> \"@all' [a](http://e.example)"
        self.assertEqual(self.post(path, name, "refuse").status, 200)
        a = self.get(path)
        self.assertIn(name, self.safe(a).text)
        self.assertNotIn(b"<b>", a.body)
        text = [m["body"]["text"] for m in self.robots.hooks() if m["body"].get("alert", {}).get("news") == "rollback_skipped"]
        text = text or wait_for(lambda: [m["body"]["text"] for m in self.robots.hooks() if m["body"].get("alert", {}).get("news") == "rollback_skipped"], "told")
        self.assertNotIn("@all", text[0])
        self.assertNotIn("http://e", text[0])

    def test_wrong_links_are_limited(self):
        """Guessing is slowed down; who has the link is not."""
        self.up()
        path = self.ask()
        wrong, seen = path[:-40] + "0" * 40, set()
        for _ in range(200):
            a = self.get(wrong)
            seen.add(a.status)
            if a.status == 429:
                self.assertIn("retry-after", a.headers)
                break
        self.assertEqual(seen, {404, 429})
        self.assertEqual(self.get(path).status, 200)
        self.assertEqual(self.post(path).status, 200)

    def test_many_at_once(self):
        """While Redis does not answer, 32 requests wait for it in each process and the next is told so at once."""
        self.up()
        path = self.ask()
        self.gateway.stop()
        self.folder.write("shipwatch.yaml", open(self.config, encoding="utf-8").read().replace("workers: 2", "workers: 1"))
        self.gateway_up()
        wait_for(lambda: self.get(path).status == 200, "the page is there")
        self.redis.process.signal(signal.SIGSTOP)
        try:
            waiting = [self.gateway.connect() for _ in range(32)]
            for c in waiting:
                c.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
            for c in waiting:
                c.s.setblocking(False)
                self.assertRaises(BlockingIOError, c.s.recv, 1)
                c.s.settimeout(BOUND)
            began = time.monotonic()
            self.assertEqual(self.get(path).status, 503)
            self.assertLess(time.monotonic() - began, 1)
        finally:
            self.redis.process.signal(signal.SIGCONT)
        for c in waiting:
            self.assertIn(c.answer("GET").status, (200, 503))
            c.s.close()
        wait_for(lambda: self.get(path).status == 200, "the page is back")

    def test_without_pages(self):
        """The pages are off: no link, the command in its place; and nothing is there."""
        self.up(approvals="false")
        self.deploy(1, GOOD)
        self.deploy(2, BAD)
        alert = self.told("rollback_waiting")
        self.assertNotIn("approval", alert["links"])
        text = [m["body"]["text"] for m in self.robots.hooks() if m["body"].get("alert", {}).get("news") == "rollback_waiting"][0]
        self.assertIn(f"shipwatch approve {alert['ask']} --by NAME", text)
        self.assertEqual(self.get("/approve/" + "0" * 52).status, 404)
        self.assertEqual(self.get("/approve/style.css").status, 404)

    def test_buttons(self):
        """Each robot takes the question as a card with a button, in its own strict form; the button leads to the page."""
        self.up()
        base = self.robots.url
        self.gateway.stop()
        self.worker.stop()
        text = open(self.config, encoding="utf-8").read().replace("channels: {box:", "alerts: [ding, wecom, feishu, slack, box]\nchannels: {"
            f'ding: {{kind: dingtalk, url: "{base}/robot/send?access_token=T", secret: SECtest-dingtalk}}, '
            f'wecom: {{kind: wecom, url: "{base}/cgi-bin/webhook/send?key=K"}}, feishu: {{kind: feishu, url: "{base}/open-apis/bot/v2/hook/T"}}, '
            f'slack: {{kind: slack, url: "{base}/services/T0/B0/x"}}, box:')
        self.folder.write("shipwatch.yaml", text)
        self.gateway_up()
        self.worker_up()
        path = self.ask()
        seen = lambda: {m["robot"]: m for m in self.robots.seen()["messages"] if m["robot"] != "hook" and m["buttons"] and "waits for approval" in m["title"] + m["text"]}
        cards = wait_for(lambda: len(seen()) == 4 and seen(), "four robots show the button: " + str(self.robots.seen()["refused"]))
        for robot, m in cards.items():
            self.assertTrue(m["buttons"][0][1].endswith("/sw" + path), (robot, m["buttons"]))
        self.assertEqual((cards["dingtalk"]["type"], cards["wecom"]["type"]), ("actionCard", "template_card"))
        self.assertEqual(self.robots.seen()["refused"], [])
        self.assertEqual(self.get(path).status, 200)

    def test_card_refused(self):
        """A robot that does not take the card gets the same as markdown, with the link in it."""
        self.up()
        self.gateway.stop()
        self.worker.stop()
        text = open(self.config, encoding="utf-8").read().replace("channels: {box:", "alerts: [wecom, box]\nchannels: {"
                                                                  f'wecom: {{kind: wecom, url: "{self.robots.url}/cgi-bin/webhook/send?key=K"}}, box:')
        self.folder.write("shipwatch.yaml", text)
        self.gateway_up()
        self.robots.script({"to": "wecom", "do": "body", "errcode": 0, "errmsg": "ok"}, {"to": "wecom", "errcode": 40058, "errmsg": "invalid Request Parameter"})
        self.worker_up()
        path = self.ask()
        told = lambda: [m for m in self.robots.seen()["messages"] if m["robot"] == "wecom" and m["type"] == "markdown" and path in m["text"]]
        self.assertIn("rollback waits for approval", wait_for(told, "the question comes as markdown")[0]["text"])

    def cli(self, *args):
        p = subprocess.run([built(PROGRAM), *args, "--redis", self.redis.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=BOUND)
        return p.returncode, p.stdout.decode() + p.stderr.decode()

    def test_explained(self):
        """A watch tells who was asked until when, and who decided; `check` tells that there is no page."""
        self.up(approvals="false")
        p = subprocess.run([built(PROGRAM), "check", "-c", self.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BOUND)
        self.assertEqual(p.returncode, 0)
        self.assertIn(b'rule "bad-sha" asks for approval, and there is no page for it', p.stdout)
        self.gateway.stop()
        self.worker.stop()
        text = open(self.config, encoding="utf-8").read().replace(
            "{prod: {rollback: undo}}", '{prod: {health: {url: "%s/health", every: 1s, grace: 1s}, rollback: undo}}' % self.robots.url)
        self.folder.write("shipwatch.yaml", text)
        self.folder.write("rules.yaml", "- {name: h, on: deploy-to-prod, if: health is failing for 2 checks, then: [alert, rollback: {approve: 1h}]}\n")
        self.gateway_up()
        self.worker_up()
        self.deploy(1, GOOD)
        watch = wait_for(lambda: re.search(r"watch (\w+) by \"h\"", self.cli("status")[1]), "a watch is open")[1]
        self.robots.control(health={"status": 503, "body": {}})
        self.act = self.told("rollback_waiting")["ask"]
        code, out = self.cli("explain", watch)
        self.assertEqual(code, 0, out)
        self.assertRegex(out, rf"action       rollback undo: asking\n  asked      action {self.act} at .*, because the rule says so\n"
                              rf" +until .*, then it is cancelled; `shipwatch approve {self.act}` or `refuse`")
        self.assertEqual(self.cli("refuse", self.act, "--by", "Lin")[0], 0)
        out = self.cli("explain", watch)[1]
        self.assertRegex(out, r"action       rollback undo: skipped, refused by Lin\n")
        self.assertRegex(out, r"  refused    by Lin at ")
        said = json.loads(self.cli("explain", watch, "--json")[1])["actions"][0]
        self.assertEqual((said["decided_by"], said["approved"], said["id"]), ("Lin", False, self.act))

    def test_commands(self):
        self.up()
        path = self.ask()
        code, out = self.cli("status")
        self.assertEqual(code, 0, out)
        self.assertRegex(out, rf'rollback {self.act} "undo" waits for approval, \d+ min left, then it is cancelled')
        for bad in (("approve",), ("approve", self.act, "--by", ""), ("approve", self.act, "--by", "a" * 101), ("approve", self.act, "--by", "a\nb")):
            self.assertEqual(self.cli(*bad)[0], 2, bad)
        code, out = self.cli("approve", "0" * 12, "--by", "Lin")
        self.assertEqual((code, "there is no action" in out), (1, True), out)
        code, out = self.cli("approve", self.act, "--by", "a" * 100)
        self.assertEqual(code, 0, out)
        self.assertIn("rollback undo is approved by aaa", out)
        code, out = self.cli("refuse", self.act, "--by", "Mei")
        self.assertEqual(code, 1, out)
        self.assertIn("already decided: approved by aaa", out)
        self.assertEqual(self.get(path).status, 409)
        self.rolled_back_once()
        self.assertRegex(self.cli("status")[1], r'rollback \w+ "undo" approved by a+ .* ago')


if __name__ == "__main__":
    unittest.main()
