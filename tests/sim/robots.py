#!/usr/bin/python3
"""Simulators of chat robots, strict about the real protocol, and a receiver of rollback hooks.

  robots.py --port 0 --port-file F --dingtalk-secret SEC… --hook-secret …

  POST /robot/send?access_token=T&timestamp=MS&sign=S   DingTalk custom robot
  POST /cgi-bin/webhook/send?key=K                      WeCom group robot
  POST /hook                                            rollback hook (X-Shipwatch-Signature, counted by Idempotency-Key)
  GET  /messages                                        what arrived, JSON
  GET  /                                                the same as a page
  POST /control  {"next": [{"to": "dingtalk", "do": "…"}]}   script the next answers; {"reset": true} forgets all

What a robot can be told to do instead of answering well: {"errcode": 130101, "errmsg": "…"} (any body), "html", "empty", "half",
"silent" (no answer), "late" (answers after "after" seconds), "status" (with "code"), "punish", "close" (before reading).
"""
import argparse
import base64
import collections
import hashlib
import hmac
import html
import http.server
import json
import socket
import sys
import threading
import time
import urllib.parse

DINGTALK_BYTES = 20000
DINGTALK_PER_MINUTE = 20
WECOM_PER_MINUTE = 20
WECOM_TEXT = 2048
WECOM_MARKDOWN = 4096
HOUR_MS = 3600 * 1000


class Refusal(Exception):
    """An errcode with its text, as the robot would answer."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


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

    def rate(self, key, most, mute, code):
        """A sliding minute; DingTalk mutes the robot for ten of them."""
        now = time.monotonic()
        if now < self.muted_until[key]:
            raise Refusal(code, "send too fast, exceed %d times per minute" % most)
        sent = self.sent_at[key]
        while sent and now - sent[0] > 60:
            sent.popleft()
        if len(sent) >= most:
            self.muted_until[key] = now + mute
            raise Refusal(code, "send too fast, exceed %d times per minute" % most)
        sent.append(now)


def text_of(value, name, code=400402):
    if not isinstance(value, str) or not value:
        raise Refusal(code, "param %s is empty" % name)
    return value


def dingtalk(state, query, raw, content_type):
    """One message of a DingTalk custom robot (chat-robots.md 2)."""
    options = state.options
    if not content_type.startswith("application/json"):
        raise Refusal(43004, "need content-type application/json")
    token = query.get("access_token", [""])[0]
    if not token or (options.dingtalk_token and token != options.dingtalk_token):
        raise Refusal(300005, "token is not exist")
    if options.dingtalk_secret:
        stamp, sign = query.get("timestamp", [""])[0], query.get("sign", [""])[0]
        if not stamp.isdigit() or abs(int(stamp) - time.time() * 1000) > HOUR_MS:
            raise Refusal(310000, "invalid timestamp, more: [https://ding-doc.dingtalk.com/]")
        mac = hmac.new(options.dingtalk_secret.encode(), (stamp + "\n" + options.dingtalk_secret).encode(), hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(mac.digest()).decode(), sign):
            raise Refusal(310000, "sign not match, more: [https://ding-doc.dingtalk.com/]")
    if len(raw) > DINGTALK_BYTES:
        raise Refusal(460101, "message too long, exceed %d bytes" % DINGTALK_BYTES)
    try:
        body = json.loads(raw.decode("utf-8"))
    except ValueError:
        raise Refusal(40035, "invalid json body") from None
    kind = body.get("msgtype")
    at = body.get("at", {})
    if not isinstance(at.get("atMobiles", []), list):
        raise Refusal(404, "atMobiles is not a list")
    if kind == "text":
        text = title = text_of(body.get("text", {}).get("content"), "content")
    elif kind == "markdown":
        title = text_of(body.get("markdown", {}).get("title"), "title")
        text = text_of(body.get("markdown", {}).get("text"), "text")
    elif kind in ("link", "actionCard"):
        title = text_of(body.get(kind, {}).get("title"), "title")
        text = text_of(body.get(kind, {}).get("text"), "text")
    else:
        raise Refusal(400105, "unsupported msgtype")
    if options.dingtalk_keyword and options.dingtalk_keyword not in title + text:
        raise Refusal(310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/]")
    state.rate("dingtalk/" + token, options.dingtalk_rate, 600, 130101)
    mentioned = [m for m in at.get("atMobiles", []) if "@" + m in text]
    return {"robot": "dingtalk", "type": kind, "title": title, "text": text, "mentioned": mentioned,
            "all": bool(at.get("isAtAll")), "bytes": len(raw)}


def wecom(state, query, raw, _content_type):
    """One message of a WeCom group robot (chat-robots.md 3)."""
    options = state.options
    key = query.get("key", [""])[0]
    if not key or (options.wecom_key and key != options.wecom_key):
        raise Refusal(93000, "invalid webhook url, hint: [%d], from ip: 127.0.0.1" % int(time.time()))
    try:
        body = json.loads(raw.decode("utf-8"))
    except ValueError:
        raise Refusal(40008, "invalid message type") from None
    if b"\\u" in raw and any(0x4e00 <= ord(c) <= 0x9fff for c in json.dumps(body, ensure_ascii=False)):
        raise Refusal(40033, "bad characters: raw UTF-8 is wanted")
    kind = body.get("msgtype")
    limits = {"text": WECOM_TEXT, "markdown": WECOM_MARKDOWN, "markdown_v2": WECOM_MARKDOWN}
    if kind not in limits:
        raise Refusal(40008, "invalid message type")
    content = text_of(body.get(kind, {}).get("content"), "content", 44004)
    if len(content.encode()) > limits[kind]:
        raise Refusal(40058, "content exceed max length. invalid Request Parameter")
    state.rate("wecom/" + key, options.wecom_rate, 60, 45009)
    mentioned = []
    if kind == "text":
        mentioned = body["text"].get("mentioned_mobile_list", []) + body["text"].get("mentioned_list", [])
    elif kind == "markdown":
        mentioned = [p.split(">")[0] for p in content.split("<@")[1:]]
    return {"robot": "wecom", "type": kind, "title": content.split("\n")[0], "text": content, "mentioned": mentioned,
            "all": "@all" in mentioned, "bytes": len(raw)}


def hook(state, headers, raw):
    """A rollback hook: signed over timestamp and body, counted by its idempotency key."""
    secret = state.options.hook_secret
    if secret:
        stamp = headers.get("X-Shipwatch-Timestamp", "")
        mac = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest("sha256=" + mac, headers.get("X-Shipwatch-Signature", "")):
            return 401, {"error": "signature"}
        if not stamp.isdigit() or abs(int(stamp) - time.time()) > 300:
            return 401, {"error": "timestamp"}
    key = headers.get("Idempotency-Key")
    if not key:
        return 400, {"error": "no Idempotency-Key"}
    with state.lock:
        state.hooks[key] += 1
        state.messages.append({"robot": "hook", "key": key, "count": state.hooks[key], "body": json.loads(raw or b"{}"),
                               "run": headers.get("X-CI-Run-Id"), "at": time.time()})
    return 200, {"status": "accepted"}


PAGE = """<!doctype html><meta charset=utf-8><title>Messages</title><meta http-equiv=refresh content=2>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:48em;margin:2em auto;padding:0 1em}
article{border:1px solid #ccc;border-radius:6px;padding:.5em 1em;margin:1em 0}h2{font-size:1em;margin:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.5em 0 0}</style><h1>Messages</h1>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cut(self):
        """Ends the connection with nothing more said."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def scripted(self, step):
        """Answers as the script says; True when that was all."""
        what = step.get("do", "body")
        if what == "silent":
            time.sleep(step.get("after", 60))
            self.cut()
        elif what == "close":
            self.cut()
        elif what == "html":
            self.answer(200, b"<html><body>blocked</body></html>", "text/html")
        elif what == "empty":
            self.answer(200, b"")
        elif what == "half":
            self.send_response(200)
            self.send_header("Content-Length", "200")
            self.end_headers()
            self.wfile.write(b'{"errcode":')
            self.cut()
        elif what == "status":
            self.answer(step.get("code", 500), {"error": "scripted"})
        elif what == "punish":
            self.answer(200, {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "0"})
        elif what == "late":
            time.sleep(step.get("after", 3))
            return False
        else:
            self.answer(200, {k: v for k, v in step.items() if k not in ("to", "do", "times")})
        return True

    def do_GET(self):
        state = self.server.state
        with state.lock:
            messages, refused, hooks = list(state.messages), list(state.refused), dict(state.hooks)
        if self.path == "/messages":
            self.answer(200, {"messages": messages, "refused": refused, "hooks": hooks})
        elif self.path == "/":
            rows = "".join("<article><h2>%s</h2><pre>%s</pre></article>" % (
                html.escape(m["robot"]), html.escape(m.get("text") or json.dumps(m.get("body"), indent=1, ensure_ascii=False)))
                for m in reversed(messages))
            self.answer(200, (PAGE + rows).encode(), "text/html; charset=utf-8")
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        state = self.server.state
        url = urllib.parse.urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/control":
            self.control(json.loads(raw))
            return
        robots = {"/robot/send": ("dingtalk", dingtalk), "/cgi-bin/webhook/send": ("wecom", wecom)}
        robot = robots.get(url.path, ("hook", None))
        with state.lock:
            step = state.script_for(robot[0])
        if step and self.scripted(step):
            return
        if url.path == "/hook":
            self.answer(*hook(state, self.headers, raw))
        elif robot[1]:
            self.deliver(robot, url, raw)
        else:
            self.answer(404, {"error": "not found"})

    def deliver(self, robot, url, raw):
        state = self.server.state
        try:
            with state.lock:
                message = robot[1](state, urllib.parse.parse_qs(url.query), raw, self.headers.get("Content-Type", ""))
                message["at"] = time.time()
                state.messages.append(message)
            self.answer(200, {"errcode": 0, "errmsg": "ok"})
        except Refusal as refusal:
            with state.lock:
                state.refused.append({"robot": robot[0], "errcode": refusal.code, "errmsg": refusal.text, "body": raw.decode("utf-8", "replace")})
            self.answer(200, {"errcode": refusal.code, "errmsg": refusal.text})

    def control(self, order):
        state = self.server.state
        with state.lock:
            if order.get("reset"):
                state.clear()
            state.next.extend(order.get("next", []))
        self.answer(200, {"status": "ok"})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.state = State(options)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, BrokenPipeError)):
            super().handle_error(request, client_address)


def parse(argv=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file", help="the port is written there once it listens")
    p.add_argument("--dingtalk-secret", default="")
    p.add_argument("--dingtalk-token", default="")
    p.add_argument("--dingtalk-keyword", default="")
    p.add_argument("--dingtalk-rate", type=int, default=DINGTALK_PER_MINUTE)
    p.add_argument("--wecom-key", default="")
    p.add_argument("--wecom-rate", type=int, default=WECOM_PER_MINUTE)
    p.add_argument("--hook-secret", default="")
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
    print("Hook      %s/hook" % base)
    print("Messages  %s/" % base, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
