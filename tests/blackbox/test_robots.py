"""The simulators of chat robots are as strict as the real ones: they judge everything else, so they are judged first."""
import http.client
import json
import os
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))

import answers  # noqa: E402
import robots  # noqa: E402
import strict  # noqa: E402
import strict_feishu  # noqa: E402
import strict_slack  # noqa: E402

SECRET = "SECtest"


class Case(unittest.TestCase):
    options = ["--dingtalk-secret", SECRET, "--dingtalk-token", "T", "--wecom-key", "K", "--hook-secret", "H",
               "--feishu-secret", SECRET, "--feishu-token", "F", "--slack-token", "T0/B0/X"]

    def setUp(self):
        self.server = robots.Server(robots.parse(self.options))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.addCleanup(self.end)

    def end(self):
        self.server.ending.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def ask(self, method, path, body=b"", headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=30)
        try:
            c.request(method, path, body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(),
                      {"Content-Type": "application/json", **(headers or {})})
            a = c.getresponse()
            return a.status, a.read()
        finally:
            c.close()

    def control(self, **order):
        self.assertEqual(self.ask("POST", "/control", order)[0], 200)

    def ding(self, body, stamp=None, secret=SECRET, token="T", **kw):
        stamp = int(time.time() * 1000) if stamp is None else stamp
        sign = urllib.parse.quote(strict.dingtalk_sign(secret, stamp), safe="")
        return self.code(f"/robot/send?access_token={token}&timestamp={stamp}&sign={sign}", body, **kw)

    def wecom(self, body, key="K"):
        return self.code(f"/cgi-bin/webhook/send?key={key}", body)

    def code(self, path, body, method="POST", headers=None):
        status, raw = self.ask(method, path, body, headers)
        self.assertEqual(status, 200)
        return json.loads(raw)["errcode"]

    def seen(self):
        return json.loads(self.ask("GET", "/messages")[1])


def text(content, **at):
    return {"msgtype": "text", "text": {"content": content}, "at": at}


def markdown(content, title="t"):
    return {"msgtype": "markdown", "markdown": {"title": title, "text": content}}


class DingTalk(Case):
    def test_signature(self):
        for stamp, secret, sign in ((1700000000000, "SECtest", "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="),
                                    (1700000000001, "SECtest", "r4CWp/Dz+Ng0sbTjH1vB0Fr+uQ2fn831mssaN6/C05I="),
                                    (1577262236757, "this is secret", "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=")):
            self.assertEqual(strict.dingtalk_sign(secret, stamp), sign)
        now = int(time.time() * 1000)
        self.assertEqual(self.ding(text("x")), 0)
        self.assertEqual(self.ding(text("x"), secret="other"), 310000)
        self.assertEqual(self.ding(text("x"), stamp=now - 3_500_000), 0)
        self.assertEqual(self.ding(text("x"), stamp=now - 3_700_000), 310000)
        self.assertEqual(self.ding(text("x"), stamp=now + 3_700_000), 310000)
        self.assertEqual(self.ding(text("x"), stamp=now // 1000), 310000)
        self.assertEqual(self.code("/robot/send?access_token=T", text("x")), 310000)
        self.control(clock=4000)
        self.assertEqual(self.ding(text("x")), 310000)

    def test_a_plus_must_be_encoded(self):
        now = int(time.time() * 1000)
        stamp = next(s for s in range(now, now + 1000) if "+" in strict.dingtalk_sign(SECRET, s))
        raw = strict.dingtalk_sign(SECRET, stamp)
        self.assertEqual(self.code(f"/robot/send?access_token=T&timestamp={stamp}&sign={raw}", text("x")), 310000)
        twice = urllib.parse.quote(urllib.parse.quote(raw, safe=""), safe="")
        self.assertEqual(self.code(f"/robot/send?access_token=T&timestamp={stamp}&sign={twice}", text("x")), 310000)
        self.assertEqual(self.ding(text("x"), stamp=stamp), 0)

    def test_what_is_taken(self):
        card = {"title": "t", "text": "x", "btnOrientation": "0", "singleTitle": "s", "singleURL": "https://a.example"}
        two = {"title": "t", "text": "x", "btns": [{"title": "a", "actionURL": "https://a.example"}, {"title": "b", "actionURL": "https://b.example"}]}
        link = {"title": "t", "text": "x", "messageUrl": "https://a.example", "picUrl": ""}
        feed = {"links": [{"title": "t", "messageURL": "https://a.example", "picURL": "https://a.example/p"}]}
        for body, want in ((text("x"), 0), (text(""), 400402), (text(" "), 400402), (text(5), 400402), ({"msgtype": "text"}, 400402),
                           (markdown("x"), 0), (markdown("x", title=""), 400402), (markdown(""), 400402), ({}, 400402), ([], 40035),
                           (b"{", 40035), (b"\xff", 40035), ({"msgtype": "image"}, 400105), ({"msgtype": "link", "link": link}, 0),
                           ({"msgtype": "actionCard", "actionCard": card}, 0), ({"msgtype": "actionCard", "actionCard": dict(card, singleURL="")}, 400402),
                           ({"msgtype": "actionCard", "actionCard": dict(card, btnOrientation=0)}, 404), ({"msgtype": "actionCard", "actionCard": two}, 0),
                           ({"msgtype": "actionCard", "actionCard": dict(two, btns=[])}, 400402),
                           ({"msgtype": "actionCard", "actionCard": dict(two, btns=[{"title": "a", "actionURL": "x"}])}, 400402),
                           ({"msgtype": "actionCard", "actionCard": dict(two, btns=[{"title": "", "actionURL": "https://a.example"}])}, 400402),
                           ({"msgtype": "feedCard", "feedCard": feed}, 0), ({"msgtype": "feedCard", "feedCard": {"links": []}}, 400402)):
            with self.subTest(body=body):
                self.control(reset=True)
                self.assertEqual(self.ding(body), want)
        self.assertEqual(self.ding(text("x"), token="other"), 300005)
        self.assertEqual(self.ding(text("x"), method="GET"), 43002)
        self.assertEqual(self.ding(text("x"), headers={"Content-Type": "text/plain"}), 43004)

    def test_bytes(self):
        empty = len(json.dumps(text(""), ensure_ascii=False).encode())
        self.assertEqual(self.ding(text("x" * (20000 - empty))), 0)
        self.assertEqual(self.ding(text("x" * (20001 - empty))), 460101)
        self.assertEqual(self.ding(text("部" * ((20000 - empty) // 3 + 1))), 460101)

    def test_mentions(self):
        self.assertEqual(self.ding(text("down @13800001111 @u1", atMobiles=["13800001111", "13900002222"], atUserIds=["u1", "u"])), 0)
        m = self.seen()["messages"][0]
        self.assertEqual((m["mentioned"], m["not_mentioned"], m["all"]), (["13800001111", "u1"], ["13900002222", "u"], False))
        self.assertEqual(self.ding(text("down", isAtAll=True)), 0)
        self.assertTrue(self.seen()["messages"][1]["all"])
        for at in ({"atMobiles": "138"}, {"atMobiles": [138]}, {"atMobiles": ["@138"]}, {"isAtAll": "yes"}):
            self.assertEqual(self.ding(text("x", **at)), 404)

    def test_rate(self):
        self.assertEqual([self.ding(text("x")) for _ in range(21)], [0] * 20 + [130101])
        self.control(clock=120)
        self.assertEqual(self.ding(text("x")), 130101)  # muted for ten minutes
        self.control(clock=601)
        self.assertEqual(self.ding(text("x")), 0)


class WeCom(Case):
    def test_what_is_taken(self):
        card = {"card_type": "text_notice", "main_title": {"title": "t"}, "card_action": {"type": 1, "url": "https://a.example"}}
        row, jump = {"keyname": "x" * 5, "value": "x" * 26}, {"type": 1, "title": "x" * 13, "url": "https://a.example"}
        for body, want in (({"msgtype": "text", "text": {"content": "x"}}, 0), ({"msgtype": "text", "text": {"content": ""}}, 44004),
                           ({"msgtype": "text", "text": {"content": "x" * 2048}}, 0), ({"msgtype": "text", "text": {"content": "x" * 2049}}, 45002),
                           ({"msgtype": "text", "text": {"content": "部" * 683}}, 45002),
                           ({"msgtype": "markdown", "markdown": {"content": "x" * 4096}}, 0),
                           ({"msgtype": "markdown", "markdown": {"content": "x" * 4097}}, 40058),
                           ({"msgtype": "text", "text": {"content": "x", "mentioned_list": "a"}}, 40035),
                           ({"msgtype": "template_card", "template_card": card}, 0),
                           ({"msgtype": "template_card", "template_card": dict(card, card_action={})}, 40063),
                           ({"msgtype": "template_card", "template_card": dict(card, card_action={"type": 1, "url": "a.example"})}, 45034),
                           ({"msgtype": "template_card", "template_card": dict(card, main_title={"title": "部" * 26, "desc": "x" * 30})}, 0),
                           ({"msgtype": "template_card", "template_card": dict(card, main_title={"title": "部" * 27})}, 40035),
                           ({"msgtype": "template_card", "template_card": dict(card, sub_title_text="x" * 113)}, 40035),
                           ({"msgtype": "template_card", "template_card": dict(card, horizontal_content_list=[row] * 6, jump_list=[jump] * 3)}, 0),
                           ({"msgtype": "template_card", "template_card": dict(card, horizontal_content_list=[row] * 7)}, 45008),
                           ({"msgtype": "template_card", "template_card": dict(card, horizontal_content_list=[dict(row, value="x" * 27)])}, 40035),
                           ({"msgtype": "template_card", "template_card": dict(card, jump_list=[jump] * 4)}, 45008),
                           ({"msgtype": "template_card", "template_card": dict(card, jump_list=[dict(jump, title="x" * 14)])}, 40035),
                           ({"msgtype": "template_card", "template_card": dict(card, jump_list=[dict(jump, url="")])}, 45034),
                           ({"msgtype": "image"}, 40008), (b"{", 40008), ({}, 40008),
                           (b'{"msgtype":"text","text":{"content":"\\u90e8"}}', 40033), (b'{"msgtype":"text","text":{"content":"a\\u0001"}}', 0)):
            with self.subTest(body=str(body)[:60]):
                self.control(reset=True)
                self.assertEqual(self.wecom(body), want)
        self.assertEqual(self.wecom({"msgtype": "text", "text": {"content": "x"}}, key="other"), 93000)

    def test_mentions(self):
        self.wecom({"msgtype": "markdown", "markdown": {"content": "x <@LinWei>", "mentioned_mobile_list": ["138"]}})
        self.wecom({"msgtype": "text", "text": {"content": "x", "mentioned_mobile_list": ["138", "@all"], "mentioned_list": ["a"]}})
        self.assertEqual([(m["mentioned"], m["all"]) for m in self.seen()["messages"]], [(["LinWei"], False), (["a", "138", "@all"], True)])

    def test_rate(self):
        body = {"msgtype": "text", "text": {"content": "x"}}
        self.assertEqual([self.wecom(body) for _ in range(21)], [0] * 20 + [45009])
        self.control(clock=61)
        self.assertEqual(self.wecom(body), 0)


def card(markdown="x", title="t", button=None, **header):
    elements = [{"tag": "markdown", "content": markdown}]
    if button is not None:
        elements.append({"tag": "button", "text": {"tag": "plain_text", "content": "b"}, "type": "primary",
                         "behaviors": [{"type": "open_url", "default_url": "https://a.example"}], **button})
    return {"schema": "2.0", "header": {"title": {"tag": "plain_text", "content": title}, "template": "red", **header}, "body": {"elements": elements}}


def slack_button(**more):
    return {"text": "x", "blocks": [{"type": "actions", "elements": [
        {"type": "button", "text": {"type": "plain_text", "text": "b"}, "url": "https://a.example", "action_id": "a", **more}]}]}


class Feishu(Case):
    def feishu(self, body, stamp=None, secret=SECRET, token="F", sign=True):
        stamp = str(int(time.time())) if stamp is None else stamp
        if sign and isinstance(body, dict):
            body = {"timestamp": stamp, "sign": strict_feishu.sign(secret, stamp), **body}
        status, raw = self.ask("POST", "/open-apis/bot/v2/hook/" + token, body)
        code = json.loads(raw)["code"]
        self.assertEqual(status, 200 if code in (0, 9499) else 400)
        return code

    def test_signature(self):
        for stamp, secret, sign in ((1599360473, "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
                                    (1700000000, "SECtest", "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk=")):
            self.assertEqual(strict_feishu.sign(secret, stamp), sign)
        body, now = {"msg_type": "text", "content": {"text": "x"}}, int(time.time())
        for kw, want in (({}, 0), ({"secret": "other"}, 19021), ({"stamp": str(now - 3500)}, 0), ({"stamp": str(now - 3700)}, 19021),
                         ({"stamp": str(now * 1000)}, 19021), ({"stamp": now}, 19021), ({"sign": False}, 19021)):
            self.assertEqual(self.feishu(body, **kw), want, kw)
        self.assertEqual(self.feishu(dict(body, sign=strict.dingtalk_sign(SECRET, now))), 19021)  # DingTalk's order
        self.assertEqual(self.feishu(body, token="other"), 19001)

    def test_what_is_taken(self):
        for body, want in (({"msg_type": "text", "content": {"text": "x"}}, 0), ({"msg_type": "text", "content": {"text": " "}}, 19002),
                           ({"msg_type": "text", "content": "x"}, 19002), ({"msg_type": "markdown"}, 19002), ({}, 19002), (b"{", 9499),
                           ({"msg_type": "interactive", "card": card()}, 0), ({"msg_type": "interactive"}, 11246),
                           ({"msg_type": "interactive", "card": {"elements": []}}, 11246), ({"msg_type": "interactive", "card": card("")}, 11246),
                           ({"msg_type": "interactive", "card": card(title="")}, 11246),
                           ({"msg_type": "interactive", "card": card(template="pink")}, 11246),
                           ({"msg_type": "interactive", "card": card(button={})}, 0),
                           ({"msg_type": "interactive", "card": card(button={"behaviors": []})}, 11246),
                           ({"msg_type": "interactive", "card": card(button={"text": {"tag": "plain_text", "content": ""}})}, 11246),
                           ({"msg_type": "interactive", "card": card(button={"behaviors": [{"type": "open_url", "default_url": "x"}]})}, 11246),
                           ({"msg_type": "text", "content": {"text": "x" * 20000}}, 0), ({"msg_type": "text", "content": {"text": "x" * 20480}}, 19036)):
            with self.subTest(body=str(body)[:80]):
                self.control(reset=True)
                self.assertEqual(self.feishu(body), want)

    def test_mentions(self):
        self.feishu({"msg_type": "interactive", "card": card("x <at id=ou_a1></at> <at id=all></at> <at id=lin></at>")})
        self.feishu({"msg_type": "text", "content": {"text": '<at user_id="ou_a1">Lin</at> <at id=ou_b></at>'}})
        self.assertEqual([(m["mentioned"], m["not_mentioned"], m["all"]) for m in self.seen()["messages"]],
                         [(["ou_a1", "@all"], ["lin"], True), (["ou_a1"], ["<at id=ou_b>"], False)])

    def test_rate(self):
        body = {"msg_type": "text", "content": {"text": "x"}}
        self.assertEqual([self.feishu(body) for _ in range(6)], [0] * 5 + [11232])
        for second in range(1, 20):
            self.control(clock=second * 2)
            self.assertEqual([self.feishu(body) for _ in range(5)], [0] * 5)
        self.control(clock=41)
        self.assertEqual(self.feishu(body), 11232)  # a hundred within a minute
        self.control(clock=62)
        self.assertEqual(self.feishu(body), 0)


class Slack(Case):
    def slack(self, body, path="/services/T0/B0/X", method="POST"):
        return self.ask(method, path, body)

    def test_what_is_taken(self):
        def blocks(*texts, kind="mrkdwn"):
            return [{"type": "section", "text": {"type": kind, "text": t}} for t in texts]
        for body, want in (({"text": "x"}, "ok"), ({}, "no_text"), ({"text": ""}, "no_text"), ({"text": 5}, "invalid_payload"), (b"{", "invalid_payload"),
                           (b"[]", "invalid_payload"), ({"text": "x" * 40000}, "ok"), ({"text": "x" * 40001}, "msg_too_long"),
                           ({"text": "x", "blocks": blocks("y")}, "ok"), ({"text": "x", "blocks": blocks("")}, "invalid_blocks"),
                           ({"text": "x", "blocks": blocks("y" * 3000)}, "ok"), ({"text": "x", "blocks": blocks("部" * 3000)}, "ok"),
                           ({"text": "x", "blocks": blocks("y" * 3001)}, "invalid_blocks"), ({"text": "x", "blocks": blocks("y", kind="markdown")}, "invalid_blocks"),
                           ({"text": "x", "blocks": blocks(*"y" * 50)}, "ok"), ({"text": "x", "blocks": blocks(*"y" * 51)}, "invalid_blocks"),
                           ({"text": "x", "attachments": [{"color": "red", "blocks": blocks("y")}]}, "ok"), ({"attachments": [{}]}, "invalid_attachments"),
                           ({"text": "x", "attachments": [{"text": "y"}] * 101}, "too_many_attachments"), ({"text": "x", "unfurl_links": "no"}, "invalid_payload"),
                           (slack_button(), "ok"), (slack_button(url="x"), "invalid_blocks"), (slack_button(style="blue"), "invalid_blocks"),
                           (slack_button(text={"type": "plain_text", "text": "b" * 75}), "ok"),
                           (slack_button(text={"type": "plain_text", "text": "b" * 76}), "invalid_blocks"),
                           (slack_button(text={"type": "mrkdwn", "text": "b"}), "invalid_blocks"),
                           (slack_button(url="https://a.example/" + "u" * 2982), "ok"), (slack_button(url="https://a.example/" + "u" * 2983), "invalid_blocks")):
            with self.subTest(body=str(body)[:80]):
                self.control(reset=True)
                self.assertEqual(self.slack(body), (answers.SLACK[want], want.encode()))
        self.control(reset=True)
        self.assertEqual(self.slack({"text": "x"}, "/services/T0/B0/other"), (404, b"no_service"))
        self.assertEqual(self.slack({"text": "x"}, "/services/T0"), (404, b"no_service_id"))
        self.assertEqual(self.slack({"text": "x"}, method="GET"), (400, b"invalid_payload"))

    def test_mentions_and_brackets(self):
        self.slack({"text": "x <@U012> <!subteam^S01> <!channel> <https://a.example/?a=1&amp;b=2|a>",
                    "attachments": [{"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<@W77> <b> & &amp; &lt;"}}]}]})
        m = self.seen()["messages"][0]
        self.assertEqual((m["mentioned"], m["all"]), (["U012", "S01", "@all"], True))
        self.assertEqual(m["not_mentioned"], ["W77", "b", "a bare '<' or '&'"])

    def test_rate(self):
        self.assertEqual([self.slack({"text": "x"})[0] for _ in range(6)], [200] * 5 + [429])
        self.control(clock=6)
        self.assertEqual(self.slack({"text": "x"}), (200, b"ok"))

    def test_every_word_there_is(self):
        for word, status in answers.SLACK.items():
            self.control(next=[{"to": "slack", "code": word}])
            self.assertEqual(self.slack({"text": "x"}), (status, word.encode()))


class Others(Case):
    def test_every_body_there_is(self):
        for code in list(answers.DINGTALK) + list(answers.DINGTALK_NAMED):
            self.control(next=[{"to": "dingtalk", "code": code}])
            self.assertEqual(self.ding(text("x")), answers.DINGTALK_NAMED[code][0] if code in answers.DINGTALK_NAMED else code)
        for code in list(answers.WECOM) + list(answers.WECOM_NAMED):
            self.control(next=[{"to": "wecom", "code": code}])
            self.assertEqual(self.wecom({}), answers.WECOM_NAMED[code][0] if code in answers.WECOM_NAMED else code)
        for code in list(answers.FEISHU) + list(answers.FEISHU_NAMED):
            self.control(next=[{"to": "feishu", "code": code}])
            raw = self.ask("POST", "/open-apis/bot/v2/hook/F", {})[1]
            self.assertEqual(json.loads(raw)["code"], answers.FEISHU_NAMED[code][0] if code in answers.FEISHU_NAMED else code)
        self.assertEqual(self.seen()["messages"], [])

    def test_scripts(self):
        path = "/cgi-bin/webhook/send?key=K"
        body = {"msgtype": "text", "text": {"content": "x"}}
        self.control(next=[{"do": "html"}, {"do": "empty"}, {"do": "punish"}, {"do": "status", "code": 503, "headers": {"Retry-After": "2"}},
                           {"to": "dingtalk", "code": 88}, {"errcode": 7, "times": 2}, {"do": "late", "after": 0.01}])
        self.assertIn(b"<html", self.ask("POST", path, body)[1])
        self.assertEqual(self.ask("POST", path, body), (200, b""))
        self.assertIn(b"punish", self.ask("POST", path, body)[1])
        self.assertEqual(self.ask("POST", path, body)[0], 503)
        self.assertEqual([self.wecom(body), self.wecom(body)], [7, 7])
        self.assertEqual(self.seen()["messages"], [])
        self.assertEqual(self.wecom(body), 0)
        self.assertEqual(self.ding(text("x")), 88)
        for what in ("half", "close", "silent"):
            self.control(next=[{"do": what, "after": 0.01, "deliver": what == "half"}])
            with self.assertRaises((http.client.HTTPException, ConnectionError)):
                self.ask("POST", path, body)
        self.assertEqual(len(self.seen()["messages"]), 2)  # the late one, and the half one that was delivered

    def test_hook(self):
        import hashlib
        import hmac
        raw = b'{"a":1}'

        def post(stamp, secret="H", **more):
            sign = "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
            return self.ask("POST", "/hook", raw, {"X-Shipwatch-Event": "rollback", "X-Shipwatch-Delivery": "d", "X-Shipwatch-Timestamp": stamp,
                                                   "X-Shipwatch-Signature": sign, "Idempotency-Key": "k1", **more})[0]
        now = str(int(time.time()))
        self.assertEqual([post(now), post(now), post(now, "other"), post("1000"), post(now, **{"Idempotency-Key": ""})], [200, 200, 401, 401, 400])
        self.assertEqual(self.seen()["hooks"], {"k1": 2})

    def test_health_and_page(self):
        self.assertEqual(self.ask("GET", "/health")[0], 200)
        self.control(health={"status": 503, "body": {"status": "down"}})
        self.assertEqual(self.ask("GET", "/health"), (503, b'{"status": "down"}'))
        self.ding(text("<b>x</b>"))
        page = self.ask("GET", "/")[1]
        self.assertIn(b"&lt;b&gt;x&lt;/b&gt;", page)
        self.assertEqual(self.seen()["probes"], 2)
        self.assertEqual(self.ask("GET", "/nothing")[0], 404)
        self.assertEqual(self.ask("POST", "/control", b"[")[0], 400)


class Keyword(Case):
    options = ["--dingtalk-keyword", "发布"]

    def test_keyword(self):
        self.assertEqual(self.code("/robot/send?access_token=any", text("x")), 310000)
        self.assertEqual(self.code("/robot/send?access_token=any", markdown("x", title="发布")), 0)


class Golden(unittest.TestCase):
    """What our channels send, taken by the rules of the real robots."""

    def parts(self, folder):
        with open(os.path.join(folder, "want.txt"), encoding="utf-8") as f:
            for part in f.read().split("\n== and\n"):
                lines = part.split("\n")
                at = next(i for i, line in enumerate(lines) if line.startswith("body "))
                yield lines[0].split(" ")[2], lines[at + 1].encode()

    def test_each_message_is_taken(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "channel")
        n = 0
        for robot, module in (("feishu", strict_feishu), ("slack", strict_slack)):
            for case in sorted(os.listdir(os.path.join(root, robot))):
                folder = os.path.join(root, robot, case)
                with open(os.path.join(folder, "in.json"), encoding="utf-8") as f:
                    given = json.load(f)
                for target, raw in self.parts(folder):
                    path = urllib.parse.urlsplit(target).path
                    conf = {"token": path.rsplit("/", 1)[-1] if robot == "feishu" else path.split("/services/")[-1],
                            "secret": given["conf"].get("secret"), "keywords": [given["conf"]["keyword"]] if "keyword" in given["conf"] else None}
                    with self.subTest(robot=robot, case=case):
                        taken = module.message("POST", "application/json", path, raw, conf, given["now"] / 1000)
                        self.assertEqual(taken["not_mentioned"], [])
                        n += 1
        for robot in ("dingtalk", "wecom"):
            for case in sorted(os.listdir(os.path.join(root, robot))):
                folder = os.path.join(root, robot, case)
                with open(os.path.join(folder, "in.json"), encoding="utf-8") as f:
                    given = json.load(f)
                url, known = urllib.parse.urlsplit(given["conf"]["url"]), dict(given["conf"])
                token = dict(urllib.parse.parse_qsl(url.query)).get("access_token" if robot == "dingtalk" else "key")
                conf = {"token": token, "secret": known.get("secret"), "keywords": [known["keyword"]] if "keyword" in known else None}
                for target, raw in self.parts(folder):
                    with self.subTest(robot=robot, case=case):
                        taken = strict.CHECKS[robot]("POST", "application/json", strict.query_of(target), raw, conf, given["now"] / 1000)
                        self.assertEqual(taken["not_mentioned"], [])
                        self.assertNotRegex(taken["text"], r"]\((?!https?://)")
                        n += 1
        self.assertGreater(n, 40)


if __name__ == "__main__":
    unittest.main()
