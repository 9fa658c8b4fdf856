"""What DingTalk and WeCom check before a message reaches its group. Pure: a request in, a verdict out."""
import base64
import hashlib
import hmac
import json
import re
import urllib.parse

DINGTALK_BODY = 20000
WECOM_LIMIT = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}
PER_MINUTE = 20


class Refused(Exception):
    """code: number or name in answers.py; text: None for the usual one."""

    def __init__(self, code, text=None):
        super().__init__(code, text)
        self.code, self.text = code, text


def dingtalk_sign(secret, timestamp):
    mac = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def query_of(path):
    """The decoded query as a list of pairs; '+' is a space, as on their side."""
    return urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query, keep_blank_values=True)


def one(query, name):
    values = [v for k, v in query if k == name]
    return values[0] if len(values) == 1 else None


def document(raw, bad_json):
    try:
        doc = json.loads(raw.decode("utf-8"), parse_constant=lambda x: 1 / 0)
    except (UnicodeDecodeError, ValueError, ZeroDivisionError):
        raise Refused(bad_json) from None
    if not isinstance(doc, dict):
        raise Refused(bad_json)
    return doc


def filled(doc, part, names, missing):
    """The texts of doc[part]; each must be there and not be empty."""
    inner = doc.get(part)
    if not isinstance(inner, dict):
        raise Refused(missing, f"缺少参数 {part}")
    for name in names:
        if not isinstance(inner.get(name), str) or not inner[name].strip():
            raise Refused(missing, f"缺少参数 {part}.{name}")
    return inner


def dingtalk_security(query, secret, now):
    if not secret:
        return
    stamp, sign = one(query, "timestamp"), one(query, "sign")
    if stamp is None or sign is None or not re.fullmatch(r"[0-9]{1,16}", stamp):
        raise Refused("sign")
    if abs(int(stamp) / 1000 - now) > 3600:
        raise Refused("late-sign")
    if not hmac.compare_digest(sign.encode("utf-8", "replace"), dingtalk_sign(secret, stamp).encode()):
        raise Refused("sign")


def is_url(u):
    return isinstance(u, str) and re.fullmatch(r"https?://[^\s\"<>\\]+", u) is not None


def dingtalk_buttons(inner):
    """(title, url) of each button of an actionCard; the single one wins over the list."""
    if inner.get("btnOrientation", "0") not in ("0", "1"):
        raise Refused(404)
    if inner.get("singleTitle") and inner.get("singleURL"):
        buttons = [(inner["singleTitle"], inner["singleURL"])]
    else:
        listed = inner.get("btns")
        if not isinstance(listed, list) or not listed or not all(isinstance(b, dict) for b in listed):
            raise Refused(400402, "缺少参数 actionCard.btns")
        buttons = [(b.get("title"), b.get("actionURL")) for b in listed]
    if not all(isinstance(t, str) and t.strip() and is_url(u) for t, u in buttons):
        raise Refused(400402, "缺少参数 actionCard.btns")
    return buttons


def dingtalk_content(doc):
    """(title, text) of a message of each type."""
    kind = doc.get("msgtype")
    if kind == "text":
        return "", filled(doc, "text", ["content"], 400402)["content"]
    if kind == "markdown":
        inner = filled(doc, "markdown", ["title", "text"], 400402)
        return inner["title"], inner["text"]
    if kind == "link":
        inner = filled(doc, "link", ["title", "text", "messageUrl"], 400402)
        return inner["title"], inner["text"]
    if kind == "actionCard":
        inner = filled(doc, "actionCard", ["title", "text"], 400402)
        dingtalk_buttons(inner)
        return inner["title"], inner["text"]
    if kind == "feedCard":
        links = doc.get("feedCard", {}).get("links") if isinstance(doc.get("feedCard"), dict) else None
        if not isinstance(links, list) or not links:
            raise Refused(400402, "缺少参数 feedCard.links")
        for link in links:
            if not isinstance(link, dict) or not all(isinstance(link.get(k), str) and link[k]
                                                     for k in ("title", "messageURL", "picURL")):
                raise Refused(400402, "缺少参数 feedCard.links")
        return links[0]["title"], "\n".join(link["title"] for link in links)
    raise Refused(400105 if kind else 400402)


def dingtalk_at(doc, text):
    """(who is really notified, who is asked for but does not stand in the text)"""
    at = doc.get("at", {})
    if not isinstance(at, dict) or not isinstance(at.get("isAtAll", False), bool):
        raise Refused(404)
    asked = []
    for name in ("atMobiles", "atUserIds"):
        values = at.get(name, [])
        if not isinstance(values, list) or not all(isinstance(v, str) and v and not v.startswith("@") for v in values):
            raise Refused(404)
        asked += values
    if doc["msgtype"] not in ("text", "markdown"):
        return [], asked
    told = [v for v in asked if re.search("@" + re.escape(v) + r"(?![0-9A-Za-z])", text)]
    if at.get("isAtAll"):
        told.append("@all")
    return told, [v for v in asked if v not in told]


def dingtalk(method, content_type, query, raw, conf, now):
    """conf: token, secret, keywords. Return: the message as the group sees it."""
    if method != "POST":
        raise Refused(43002)
    if not content_type.lower().startswith("application/json"):
        raise Refused(43004)
    if one(query, "access_token") != conf["token"]:
        raise Refused(300005)
    if len(raw) > DINGTALK_BODY:
        raise Refused(460101)
    doc = document(raw, 40035)
    dingtalk_security(query, conf.get("secret"), now)
    title, text = dingtalk_content(doc)
    if conf.get("keywords") and not any(word in title + "\n" + text for word in conf["keywords"]):
        raise Refused("keyword")
    told, not_told = dingtalk_at(doc, text)
    buttons = dingtalk_buttons(doc["actionCard"]) if doc["msgtype"] == "actionCard" else []
    return {"type": doc["msgtype"], "title": title, "text": text, "mentioned": told, "not_mentioned": not_told, "buttons": buttons, "body": doc}


def names(inner, key):
    values = inner.get(key, [])
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise Refused(40035)
    return values


def card_words(node, key, most):
    """A text of a card: one line of so many characters; what is longer is cut there, so it counts as wrong here."""
    text = node.get(key)
    if not isinstance(text, str) or not text.strip() or "\n" in text or len(text) > most:
        raise Refused(40035, f"invalid parameter, {key}")
    return text


def wecom_card(doc):
    """(title, all words, buttons)"""
    card = doc.get("template_card")
    if not isinstance(card, dict) or card.get("card_type") not in ("text_notice", "news_notice"):
        raise Refused(40035)
    action = card.get("card_action")
    if not isinstance(action, dict) or action.get("type") not in (1, 2):
        raise Refused(40063)
    if len(card.get("horizontal_content_list", [])) > 6 or len(card.get("jump_list", [])) > 3:
        raise Refused(45008)
    main = card.get("main_title", {})
    title = main.get("title") or card.get("sub_title_text")
    if not title:
        raise Refused(40063)
    if not is_url(action.get("url")):
        raise Refused(45034)
    texts = [card_words(main, key, most) for key, most in (("title", 26), ("desc", 30)) if key in main]
    texts += [card_words(card, "sub_title_text", 112)] if "sub_title_text" in card else []
    for row in card.get("horizontal_content_list", []):
        texts.append(card_words(row, "keyname", 5) + ": " + card_words(row, "value", 26))
    if "source" in card:
        card_words(card["source"], "desc", 13)
    buttons = []
    for jump in card.get("jump_list", []):
        if jump.get("type") != 1 or not is_url(jump.get("url")):
            raise Refused(45034)
        buttons.append((card_words(jump, "title", 13), jump["url"]))
    return title, "\n".join(texts), buttons


def wecom(method, content_type, query, raw, conf, now):
    """conf: token. Return: the message as the group sees it."""
    if method != "POST":
        raise Refused(40035)
    if one(query, "key") != conf["token"]:
        raise Refused(93000)
    if re.search(rb"\\u(?!00[0-7])[0-9a-fA-F]{4}", raw):
        raise Refused(40033)
    doc = document(raw, 40008)
    kind = doc.get("msgtype")
    told, title, buttons = [], "", []
    if kind in WECOM_LIMIT:
        inner = doc.get(kind)
        if not isinstance(inner, dict) or not isinstance(inner.get("content"), str) or not inner["content"].strip():
            raise Refused(44004)
        text = inner["content"]
        if len(text.encode()) > WECOM_LIMIT[kind]:
            raise Refused(45002 if kind == "text" else 40058)
        if kind == "text":
            told = names(inner, "mentioned_list") + names(inner, "mentioned_mobile_list")
        elif kind == "markdown":
            told = re.findall(r"<@([^<>@\s]+)>", text)
    elif kind == "template_card":
        title, text, buttons = wecom_card(doc)
    else:
        raise Refused(40008)
    return {"type": kind, "title": title, "text": text, "mentioned": told, "not_mentioned": [], "buttons": buttons, "body": doc}


CHECKS = {"dingtalk": dingtalk, "wecom": wecom}


def hook(headers, raw, secret, now):
    """A signed hook of Shipwatch; returns None, or why it is refused. headers: names lower case."""
    for name in ("x-shipwatch-event", "x-shipwatch-delivery", "x-shipwatch-timestamp", "idempotency-key"):
        if not headers.get(name):
            return f"{name} is missing"
    stamp = headers["x-shipwatch-timestamp"]
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(int(stamp) - now) > 300:
        return "timestamp is not of now"
    if secret:
        mac = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256)
        if not hmac.compare_digest(headers.get("x-shipwatch-signature", ""), "sha256=" + mac.hexdigest()):
            return "signature does not match"
    try:
        if not isinstance(json.loads(raw.decode("utf-8")), dict):
            return "not a JSON object"
    except (UnicodeDecodeError, ValueError):
        return "not JSON"
    return None
