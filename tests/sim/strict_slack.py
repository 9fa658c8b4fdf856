"""What Slack checks before an incoming webhook's message reaches its channel, and whom it mentions. Pure."""
import re

from strict import Refused, document, is_url

TEXT, SECTION, BLOCKS, ATTACHMENTS = 40000, 3000, 50, 100
PER_SECOND, BURST = 1, 5
SPECIAL = re.compile(r"<([^<>]*)>")


def text_of(node, what):
    if not isinstance(node, dict) or node.get("type") not in ("mrkdwn", "plain_text"):
        raise Refused("invalid_blocks", what)
    text = node.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= SECTION or not isinstance(node.get("verbatim", False), bool):
        raise Refused("invalid_blocks", what)
    return text


def buttons_of(block):
    """(name, address) of each button of a block of actions."""
    elements, out, ids = block.get("elements"), [], set()
    if not isinstance(elements, list) or not 1 <= len(elements) <= 25:
        raise Refused("invalid_blocks", "actions")
    for e in elements:
        name = text_of(e.get("text"), "button") if isinstance(e, dict) and e.get("type") == "button" else ""
        if not 1 <= len(name) <= 75 or e["text"]["type"] != "plain_text" or not is_url(e.get("url")) or len(e["url"]) > 3000:
            raise Refused("invalid_blocks", "button")
        if e.get("style", "primary") not in ("primary", "danger") or len(e.get("action_id", "")) > 255 or e.get("action_id") in ids:
            raise Refused("invalid_blocks", "button")
        ids.add(e.get("action_id"))
        out.append((name, e["url"]))
    return out


def block_buttons(blocks):
    return [b for block in blocks if block.get("type") == "actions" for b in buttons_of(block)]


def block_texts(blocks):
    if not isinstance(blocks, list) or len(blocks) > BLOCKS:
        raise Refused("invalid_blocks")
    out = []
    for b in blocks:
        kind = b.get("type") if isinstance(b, dict) else None
        if kind in ("section", "header"):
            out.append(text_of(b.get("text"), kind))
        elif kind == "actions":
            buttons_of(b)
        elif kind != "divider":
            raise Refused("invalid_blocks", str(kind))
    return out


def specials(text):
    """What stands in angle brackets: (mentions, what is neither a mention nor a link)."""
    told, wrong = [], []
    for inner in SPECIAL.findall(text):
        who = re.fullmatch(r"@([UW][0-9A-Z]+)|!subteam\^(S[0-9A-Z]+)|!(channel|here|everyone)", inner)
        if who:
            told.append("@all" if who.group(3) else who.group(1) or who.group(2))
        elif not re.fullmatch(r"https?://[^\s|<>\"]+\|[^|<>]+", inner):
            wrong.append(inner)
    rest = SPECIAL.sub("", text)
    if "<" in rest or re.search(r"&(?!amp;|lt;|gt;)", rest):
        wrong.append("a bare '<' or '&'")
    return told, wrong


def message(method, content_type, path, raw, conf, now):
    """conf: token, the path behind /services/. Return: the message as the channel sees it."""
    if method != "POST" or not content_type.lower().startswith("application/json"):
        raise Refused("invalid_payload")
    if len(path.strip("/").split("/")) != 4:
        raise Refused("no_service_id")
    if path.split("/services/", 1)[-1] != conf["token"]:
        raise Refused("no_service")
    doc = document(raw, "invalid_payload")
    if not isinstance(doc.get("text", ""), str):
        raise Refused("invalid_payload")
    for name in ("unfurl_links", "unfurl_media", "mrkdwn", "link_names"):
        if not isinstance(doc.get(name, False), bool):
            raise Refused("invalid_payload", name)
    attachments = doc.get("attachments", [])
    if not isinstance(attachments, list) or not all(isinstance(a, dict) for a in attachments):
        raise Refused("invalid_attachments")
    if len(attachments) > ATTACHMENTS:
        raise Refused("too_many_attachments")
    texts = block_texts(doc.get("blocks", []))
    buttons = block_buttons(doc.get("blocks", []))
    for a in attachments:
        if not isinstance(a.get("color", ""), str) or not (a.get("blocks") or a.get("text")):
            raise Refused("invalid_attachments")
        texts += block_texts(a.get("blocks", []))
        buttons += block_buttons(a.get("blocks", []))
    if len(doc.get("text", "")) > TEXT:
        raise Refused("msg_too_long")
    if not doc.get("text") and not texts:
        raise Refused("no_text")
    text = "\n".join([doc.get("text", "")] + texts)
    told, wrong = specials(text)
    in_text = specials(doc.get("text", ""))[0]  # those in attachments notify nobody
    return {"type": "text", "title": doc.get("text", ""), "text": text, "mentioned": in_text,
            "not_mentioned": [w for w in told if w not in in_text] + wrong, "buttons": buttons, "body": doc}
