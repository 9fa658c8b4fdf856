#!/usr/bin/python3
"""Simulators of chat robots, strict about the real protocol, a receiver of hooks and a health URL.

  robots.py --port 0 --port-file F --dingtalk-secret SEC… --hook-secret …

  POST /robot/send?access_token=T&timestamp=MS&sign=S   DingTalk custom robot
  POST /cgi-bin/webhook/send?key=K                      WeCom group robot
  POST /open-apis/bot/v2/hook/TOKEN                     Feishu or Lark custom bot
  POST /services/T…/B…/…                                Slack incoming webhook
  POST /hook                                            alerts and rollbacks (X-Shipwatch-Signature, counted by Idempotency-Key)
  GET  /health                                          what /control's "health" says
  GET  /messages                                        what arrived, JSON
  GET  /                                                the same as a page
  POST /control  {"next": [{"to": "dingtalk", "do": "…"}]}   script the next answers

What a robot (or "hook", "health") can be told to do instead of answering well, "times" over (1):
  {"code": 130101}          the robot's own body for a code, or for a name of answers.py: "late-sign", "keyword-zh", "ip", "too-long" …; Slack's are words: "no_service"
  {"errcode": 1, …}         any body
  {"do": "html"|"punish"|"empty"|"half"}    a page, the block of an address, nothing, half a body
  {"do": "status", "code": 503, "headers": {"Retry-After": "2"}}
  {"do": "late", "after": 3}                answers well after so many seconds
  {"do": "silent", "after": 60}             no answer; "close": the connection is closed at once
With "deliver": true the message is taken all the same, as by a robot whose answer is lost.
Others: {"reset": true} forgets all; {"clock": 4000} moves the robots' clock; {"health": {"status": 503, "body": {…}}}.
"""
import argparse
import collections
import html
import http.server
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import answers  # noqa: E402
import strict  # noqa: E402
import strict_feishu  # noqa: E402
import strict_slack  # noqa: E402

PATHS = {"/robot/send": "dingtalk", "/cgi-bin/webhook/send": "wecom", "/hook": "hook"}
MUTED = {"dingtalk": (600, 130101), "wecom": (60, 45009)}
HEALTHY = {"status": 200, "body": {"status": "ok"}}


class State:
    """What arrived and what is scripted; one lock for all."""

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        self.messages, self.refused, self.next = [], [], []
        self.hooks = collections.Counter()
        self.sent_at = collections.defaultdict(collections.deque)
        self.muted_until = collections.defaultdict(float)
        self.busy = collections.Counter()
        self.moved, self.health, self.probes = 0.0, dict(HEALTHY), 0

    def now(self):
        return time.time() + self.moved

    def script_for(self, robot):
        """The next scripted answer for this robot, if any."""
        for i, step in enumerate(self.next):
            if step.get("to", robot) == robot:
                left = step.get("times", 1) - 1
                if left > 0:
                    step["times"] = left
                else:
                    del self.next[i]
                return step
        return None

    def paced(self, robot, token, most, seconds, code):
        """At most so many in a sliding window; what it refuses does not count."""
        sent, now = self.sent_at[(robot, token, seconds)], self.now()
        while sent and now - sent[0] >= seconds:
            sent.popleft()
        if len(sent) >= most:
            raise strict.Refused(code)
        sent.append(now)

    def take_feishu(self, method, content_type, path, raw):
        o, token = self.options, path.rsplit("/", 1)[-1]
        conf = {"token": o.feishu_token or token or "missing", "secret": o.feishu_secret,
                "keywords": [o.feishu_keyword] if o.feishu_keyword else []}
        message = strict_feishu.message(method, content_type, path, raw, conf, self.now())
        self.paced("feishu", token, strict_feishu.PER_SECOND, 1, 11232)
        self.paced("feishu", token, o.feishu_rate, 60, 11232)
        return token, message

    def take_slack(self, method, content_type, path, raw):
        token = path.split("/services/", 1)[-1]
        conf = {"token": self.options.slack_token or token}
        message = strict_slack.message(method, content_type, path, raw, conf, self.now())
        self.paced("slack", token, strict_slack.BURST, strict_slack.BURST / strict_slack.PER_SECOND, "rate_limited")
        return token, message

    def rate(self, robot, token, most):
        """A sliding minute, then the robot is muted for a while; what it refuses counts too."""
        key, now = (robot, token), self.now()
        mute, code = MUTED[robot]
        if now < self.muted_until[key]:
            raise strict.Refused(code)
        sent = self.sent_at[key]
        while sent and now - sent[0] >= 60:
            sent.popleft()
        if len(sent) >= most:
            self.muted_until[key] = now + mute
            raise strict.Refused(code)
        sent.append(now)

    def take(self, robot, method, content_type, path, raw):
        """One message as its group sees it, or Refused. The lock is held."""
        if robot in ("feishu", "slack"):
            token, message = getattr(self, "take_" + robot)(method, content_type, urllib.parse.urlsplit(path).path, raw)
        else:
            token, message = self.take_by_query(robot, method, content_type, strict.query_of(path), raw)
        message.update(robot=robot, token=token, all="@all" in message["mentioned"], bytes=len(raw), at=time.time())
        self.messages.append(message)
        return message

    def take_by_query(self, robot, method, content_type, query, raw):
        o = self.options
        token = strict.one(query, "access_token" if robot == "dingtalk" else "key") or ""
        conf = {"token": (o.dingtalk_token if robot == "dingtalk" else o.wecom_key) or token or "missing",
                "secret": o.dingtalk_secret, "keywords": [o.dingtalk_keyword] if o.dingtalk_keyword else []}
        message = strict.CHECKS[robot](method, content_type, query, raw, conf, self.now())
        self.rate(robot, token, o.dingtalk_rate if robot == "dingtalk" else o.wecom_rate)
        return token, message


def take_hook(state, headers, raw):
    """A hook of Shipwatch: signed over timestamp and body, counted by its idempotency key. The lock is held."""
    lower = {k.lower(): v for k, v in headers.items()}
    wrong = strict.hook(lower, raw, state.options.hook_secret, state.now())
    if wrong:
        state.refused.append({"robot": "hook", "errmsg": wrong, "body": raw.decode("utf-8", "replace")})
        return 401 if "match" in wrong or "timestamp" in wrong else 400, {"error": wrong}
    key = lower["idempotency-key"]
    state.hooks[key] += 1
    state.messages.append({"robot": "hook", "key": key, "count": state.hooks[key], "event": lower["x-shipwatch-event"],
                           "delivery": lower["x-shipwatch-delivery"], "body": json.loads(raw), "run": lower.get("x-ci-run-id"),
                           "at": time.time()})
    return 200, {"status": "accepted" if state.hooks[key] == 1 else "duplicate"}


PAGE = """<!doctype html><meta charset=utf-8><title>Messages</title><meta http-equiv=refresh content=2>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:48em;margin:2em auto;padding:0 1em}
article{border:1px solid #ccc;border-radius:6px;padding:.5em 1em;margin:1em 0}h2{font-size:1em;margin:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.5em 0 0}.no{border-color:#c33}</style><h1>Messages</h1>"""


def page(state):
    """Newest first; what was refused and why stands there too."""
    rows = []
    for m in reversed(state.messages):
        who = " ".join("@" + w.lstrip("@") for w in m.get("mentioned", []))
        head = "%s %s %s" % (time.strftime("%H:%M:%S", time.localtime(m["at"])), m["robot"], who)
        text = m.get("text") or json.dumps(m.get("body"), indent=1, ensure_ascii=False)
        rows.append("<article><h2>%s</h2><pre>%s</pre></article>" % (html.escape(head), html.escape(text)))
    for r in reversed(state.refused):
        rows.append("<article class=no><h2>%s refused: %s</h2></article>" % (html.escape(r["robot"]), html.escape(str(r["errmsg"]))))
    return (PAGE + ("".join(rows) or "<p>Nothing yet.")).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json", headers=None):
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def say(self, robot, body, headers=None):
        """What a robot says, with the status and the type that go with it."""
        status = answers.status(robot, body)
        self.answer(status, body, answers.kind(robot), {"Retry-After": "1", **(headers or {})} if status == 429 else headers)

    def cut(self):
        """Ends the connection with nothing more said."""
        self.close_connection = True
        self.wfile.flush()
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def scripted(self, robot, step):
        """Answers as the script says; True when that was all."""
        what = step.get("do", "body")
        if what == "silent":
            self.server.ending.wait(step.get("after", 60))
            self.cut()
        elif what == "close":
            self.cut()
        elif what == "html":
            self.answer(200, answers.HTML, "text/html")
        elif what == "empty":
            self.answer(200, b"")
        elif what == "half":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "200")
            self.end_headers()
            self.wfile.write(b'{"errcode":')
            self.cut()
        elif what == "status":
            self.answer(step.get("code", 500), {"error": "scripted"}, headers=step.get("headers"))
        elif what == "punish":
            self.answer(200, answers.PUNISH)
        elif what == "late":
            self.server.ending.wait(step.get("after", 3))
            return False
        elif "code" in step and robot in ("dingtalk", "wecom", "feishu", "slack"):
            self.say(robot, getattr(answers, robot)(step["code"], step.get("errmsg")), step.get("headers"))
        else:
            self.answer(200, {k: v for k, v in step.items() if k not in ("to", "do", "times", "deliver")})
        return True

    def do_GET(self):
        state = self.server.state
        path = urllib.parse.urlsplit(self.path).path
        if path == "/messages":
            with state.lock:
                self.answer(200, {"messages": state.messages, "refused": state.refused, "hooks": state.hooks, "probes": state.probes})
        elif path == "/":
            with state.lock:
                self.answer(200, page(state), "text/html; charset=utf-8")
        elif path == "/health":
            self.probe()
        else:
            self.robot_or_hook(b"")

    def probe(self):
        state = self.server.state
        with state.lock:
            state.probes += 1
            health, step = dict(state.health), state.script_for("health")
        if not (step and self.scripted("health", step)):
            self.answer(health.get("status", 200), health.get("body", {}), headers=health.get("headers"))

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length) if length.isdigit() else 0)
        if self.path == "/control":
            self.control(raw)
        else:
            self.robot_or_hook(raw)

    def robot_or_hook(self, raw):
        path = urllib.parse.urlsplit(self.path).path
        robot = PATHS.get(path) or ("feishu" if path.startswith("/open-apis/bot/v2/hook/") else "slack" if path.startswith("/services/") else None)
        state = self.server.state
        if not robot:
            self.answer(404, {"error": "not found"})
            return
        with state.lock:
            step = state.script_for(robot)
        if step and step.get("deliver"):
            self.deliver(robot, raw)
        if step and self.scripted(robot, step):
            return
        said = self.deliver(robot, raw)
        if robot == "hook":
            self.answer(*said)
        else:
            self.say(robot, said)

    def deliver(self, robot, raw):
        """Takes it or does not. Return: what the robot says; of a hook status and body."""
        state = self.server.state
        with state.lock:
            if robot == "hook":
                return take_hook(state, self.headers, raw)
            try:
                state.take(robot, self.command, self.headers.get("Content-Type", ""), self.path, raw)
                return getattr(answers, robot)("ok" if robot == "slack" else 0)
            except strict.Refused as refused:
                body = getattr(answers, robot)(refused.code, refused.text)
                said = {"errmsg": body} if robot == "slack" else json.loads(body)
                state.refused.append({"errmsg": said.get("msg"), **said, "robot": robot, "body": raw.decode("utf-8", "replace")})
                return body

    def control(self, raw):
        state = self.server.state
        try:
            order = json.loads(raw)
            steps = order.get("next", [])
            if not isinstance(steps, list) or not all(isinstance(s, dict) for s in steps):
                raise ValueError("next: want a list of objects")
        except (ValueError, AttributeError) as e:
            self.answer(400, {"error": str(e)})
            return
        with state.lock:
            if order.get("reset"):
                state.clear()
            state.next.extend(steps)
            state.moved = order.get("clock", state.moved)
            state.health = order.get("health", state.health)
        self.answer(200, {"status": "ok"})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options):
        self.ending = threading.Event()  # whoever is kept waiting is let go at the end
        super().__init__(("127.0.0.1", options.port), Handler)
        self.state = State(options)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, BrokenPipeError)):
            super().handle_error(request, client_address)


def parse(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0, help="0: one that is free")
    p.add_argument("--port-file", help="the port is written there once it listens")
    p.add_argument("--dingtalk-secret", default="", help="signatures are wanted and verified")
    p.add_argument("--dingtalk-token", default="", help="the only access_token that is known; otherwise any")
    p.add_argument("--dingtalk-keyword", default="", help="must occur in each message")
    p.add_argument("--dingtalk-rate", type=int, default=strict.PER_MINUTE)
    p.add_argument("--wecom-key", default="")
    p.add_argument("--wecom-rate", type=int, default=strict.PER_MINUTE)
    p.add_argument("--feishu-secret", default="", help="signatures are wanted and verified")
    p.add_argument("--feishu-token", default="", help="the only end of the address that is known; otherwise any")
    p.add_argument("--feishu-keyword", default="", help="must occur in each message")
    p.add_argument("--feishu-rate", type=int, default=strict_feishu.PER_MINUTE, help="a minute")
    p.add_argument("--slack-token", default="", help="T…/B…/…, the only one that is known; otherwise any")
    p.add_argument("--hook-secret", default="", help="signatures of hooks are verified")
    return p.parse_args(argv)


def main():
    options = parse()
    server = Server(options)
    base = "http://127.0.0.1:%d" % server.server_address[1]
    if options.port_file:
        with open(options.port_file, "w", encoding="ascii") as f:
            f.write("%d\n" % server.server_address[1])
    print("DingTalk  %s/robot/send?access_token=%s" % (base, options.dingtalk_token or "any"))
    print("WeCom     %s/cgi-bin/webhook/send?key=%s" % (base, options.wecom_key or "any"))
    print("Feishu    %s/open-apis/bot/v2/hook/%s" % (base, options.feishu_token or "any"))
    print("Slack     %s/services/%s" % (base, options.slack_token or "T0/B0/any"))
    print("Hook      %s/hook" % base)
    print("Health    %s/health" % base)
    print("Messages  %s/" % base, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.ending.set()


if __name__ == "__main__":
    main()
