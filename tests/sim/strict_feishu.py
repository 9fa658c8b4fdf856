"""What Feishu (Lark) checks before a custom bot's message reaches its group. Pure: a request in, a verdict out."""
import base64
import hashlib
import hmac
import re

from strict import Refused, document, is_url

BODY = 20 * 1024
PER_MINUTE, PER_SECOND = 100, 5
COLORS = ("blue", "wathet", "turquoise", "green", "yellow", "orange", "red", "carmine", "violet", "purple", "indigo", "grey", "default")


def sign(secret, seconds):
    """Time and secret are the key, the text is empty: the other way round than DingTalk's."""
    return base64.b64encode(hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


def security(doc, secret, now):
    if not secret:
        return
    stamp, given = doc.get("timestamp"), doc.get("sign")
    if not isinstance(stamp, str) or not isinstance(given, str) or not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise Refused(19021)
    if abs(int(stamp) - now) > 3600 or not hmac.compare_digest(given.encode("utf-8", "replace"), sign(secret, stamp).encode()):
        raise Refused(19021)


def words(node, tag, what):
    """The text of {"tag": tag, "content": "…"}, which must be there and not be empty."""
    if not isinstance(node, dict) or node.get("tag") != tag or not isinstance(node.get("content"), str) or not node["content"].strip():
        raise Refused(11246, f"ErrCode: 200621; ErrMsg: parse card json err, {what}")
    return node["content"]


def button(e):
    """(name, address) of a button that opens a page: of others nobody hears."""
    name = words(e.get("text"), "plain_text", "button.text")
    behaviors = e.get("behaviors")
    if e.get("type", "default") not in ("default", "primary", "danger", "text", "primary_text", "danger_text", "primary_filled", "danger_filled", "laser"):
        raise Refused(11246, "ErrCode: 200621; ErrMsg: parse card json err, button.type")
    if not isinstance(behaviors, list) or len(behaviors) != 1 or behaviors[0].get("type") != "open_url" or not is_url(behaviors[0].get("default_url")):
        raise Refused(11246, "ErrCode: 200621; ErrMsg: parse card json err, button.behaviors")
    return name, behaviors[0]["default_url"]


def card_text(card):
    """Title, markdown and buttons of a card of the schema 2.0."""
    if not isinstance(card, dict) or card.get("schema") != "2.0" or "elements" in card:
        raise Refused(11246, "ErrCode: 200621; ErrMsg: parse card json err, schema")
    header, body = card.get("header", {}), card.get("body")
    if not isinstance(header, dict) or header.get("template", "default") not in COLORS:
        raise Refused(11246, "ErrCode: 200621; ErrMsg: parse card json err, header.template")
    elements = body.get("elements") if isinstance(body, dict) else None
    if not isinstance(elements, list) or not elements or len(elements) > 200:
        raise Refused(11246, "ErrCode: 200621; ErrMsg: parse card json err, body.elements")
    buttons = [e for e in elements if isinstance(e, dict) and e.get("tag") == "button"]
    text = "\n".join(words(e, "markdown", "body.elements") for e in elements if e not in buttons)
    return words(header.get("title"), "plain_text", "header.title"), text, [button(e) for e in buttons]


def mentions(text, card):
    """(who is really notified, who is asked for and is nobody)"""
    form = r"<at id=([^<>\s]*)></at>" if card else r'<at user_id="([^"<>]*)">[^<>]*</at>'
    asked, rest = re.findall(form, text), re.sub(form, "", text)
    good = [w for w in asked if w == "all" or re.fullmatch(r"ou_[0-9A-Za-z_-]+", w)]
    return ["@all" if w == "all" else w for w in good], [w for w in asked if w not in good] + re.findall(r"<at\b[^>]*>?", rest)


def message(method, content_type, path, raw, conf, now):
    """conf: token, secret, keywords. Return: the message as the group sees it."""
    if method != "POST" or not content_type.lower().startswith("application/json"):
        raise Refused(9499)
    if path.rsplit("/", 1)[-1] != conf["token"]:
        raise Refused(19001)
    if len(raw) > BODY:
        raise Refused(19036)
    doc = document(raw, 9499)
    security(doc, conf.get("secret"), now)
    kind, title, buttons = doc.get("msg_type"), "", []
    if kind == "text":
        content = doc.get("content")
        text = content.get("text") if isinstance(content, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise Refused(19002, "params error, text can't be empty")
    elif kind == "interactive":
        title, text, buttons = card_text(doc.get("card"))
    else:
        raise Refused(19002)
    if conf.get("keywords") and not any(word in title + "\n" + text for word in conf["keywords"]):
        raise Refused(19024)
    told, not_told = mentions(text, kind == "interactive")
    return {"type": kind, "title": title, "text": text, "mentioned": told, "not_mentioned": not_told, "buttons": buttons, "body": doc}
