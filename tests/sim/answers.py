"""The answers of DingTalk, WeCom, Feishu and Slack robots, word for word where they are known, by their code or a name."""
import json

DINGTALK = {
    0: "ok",
    -1: "系统繁忙",
    130101: "send too fast, exceed 20 times per minute",
    410100: "发送速度太快而限流",
    660026: "send too fast, exceed 20 times per minute",
    90018: "您的应用调用接口的QPS超出限制",
    90002: "您的服务器调用该接口的QPS超出限制",
    90020: "本月调用量已用完",
    310000: "sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]",
    300001: "token is not exist",
    300005: "token is not exist",
    400013: "群已被解散",
    400101: "access_token不存在",
    400102: "机器人已停用",
    400105: "不支持的消息类型",
    400106: "机器人不存在",
    400401: "缺少参数",
    400402: "缺少参数",
    40035: "缺少参数 json",
    404: "param error",
    43002: "需要POST请求",
    43004: "无效的HTTP HEADER Content-Type",
    460101: "message too long, exceed 20000 bytes",
    101002: "message too long",
    430101: "含有不安全的外链",
    430102: "含有不合适的文本",
    430103: "含有不合适的图片",
    430104: "含有不合适的内容",
    88: "ding talk error[subcode=60011,submsg=没有调用该接口的权限]",
}
# One code, several causes: the text alone tells them apart.
DINGTALK_NAMED = {
    "sign": (310000, DINGTALK[310000]),
    "sign-zh": (310000, "description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中,"
                        "请确认机器人的密钥加密和填写正确;link:请参考本接口对应文档获得具体要求,或者在https://open.dingtalk.com/"
                        "document/搜索相关文档;"),
    "late-sign": (310000, "description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在timestampms以内;"
                          "link:请参考本接口对应文档查看签名过期时间,或者在https://open.dingtalk.com/document/搜索相关文档;"),
    "timestamp": (310000, "invalid timestamp, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"),
    "keyword": (310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"),
    "keyword-zh": (310000, "description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词,并在发送的信息中包含此关键词;"),
    "ip": (310000, "ip 192.0.2.7 not in whitelist, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"),
    "empty-title": (300001, "title or text is empty"),
}

WECOM = {
    0: "ok",
    -1: "system busy",
    45009: "api freq out of limit",
    45033: "concurrent call api out of limit",
    40058: "markdown.content exceed max length 4096. invalid Request Parameter",
    45002: "content size out of limit",
    93000: "invalid webhook url",
    93004: "robot is disabled",
    93008: "not in group",
    40008: "invalid message type",
    40033: "invalid charset, please check charset UTF-8 and escapes",
    40035: "invalid parameter",
    40063: "some parameters are empty",
    44004: "empty content",
    45008: "article size out of limit",
    45034: "url not match",
    40006: "invalid meida size",
    40007: "invalid media_id",
    40009: "invalid image size",
    45001: "multimedia size out of limit",
}
WECOM_NAMED = {"too-long": (93000, "exceed max length")}

FEISHU = {
    0: "success",
    11232: "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]",
    9499: "Bad Request",
    19001: "param invalid: incoming webhook access token invalid",
    19002: "params error, msg_type need",
    19021: "sign match fail or timestamp is not within one hour from current time",
    19022: "Ip Not Allowed",
    19024: "Key Words Not Found",
    19036: "request body too long",
    11246: "ErrCode: 200621; ErrMsg: parse card json err",
}
FEISHU_NAMED = {"busy": (9499, "too many request")}

# word: status
SLACK = {
    "ok": 200, "invalid_payload": 400, "no_text": 400, "too_many_attachments": 400, "invalid_blocks": 400, "invalid_attachments": 400,
    "msg_too_long": 400, "user_not_found": 400, "no_service": 404, "no_service_id": 404, "no_team": 404, "channel_not_found": 404,
    "no_active_hooks": 403, "team_disabled": 403, "invalid_token": 403, "action_prohibited": 403,
    "posting_to_general_channel_denied": 403, "channel_is_archived": 410, "rate_limited": 429, "rollup_error": 500,
}

HTML = "<!DOCTYPE html>\n<html><head><title>405</title></head><body>Your request was blocked (x5).</body></html>\n"
PUNISH = '{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"0a1b2c3d4e5f"}'


def body(code, text):
    return json.dumps({"errcode": code, "errmsg": text}, ensure_ascii=False, separators=(",", ":"))


def dingtalk(what, text=None):
    """The body for a code or one of the names above."""
    if what in DINGTALK_NAMED:
        code, known = DINGTALK_NAMED[what]
    else:
        code, known = int(what), DINGTALK.get(int(what), "unknown error")
    return body(code, text or known)


def wecom(what, text=None, hint="1726000000000000000"):
    if what in WECOM_NAMED:
        code, known = WECOM_NAMED[what]
    else:
        code, known = int(what), WECOM.get(int(what), "unknown error")
    if code == 0:
        return body(0, "ok")
    return body(code, f"{text or known}, hint: [{hint}], from ip: 192.0.2.7, more info at "
                      f"https://open.work.weixin.qq.com/devtool/query?e={code}")


def feishu(what, text=None):
    if what in FEISHU_NAMED:
        code, known = FEISHU_NAMED[what]
    else:
        code, known = int(what), FEISHU.get(int(what), "unknown error")
    return json.dumps({"code": code, "data": {}, "msg": text or known}, ensure_ascii=False, separators=(",", ":"))


def slack(what, text=None):
    return str(what)


def status(robot, body):
    """The status that goes with a body: DingTalk and WeCom say 200 to everything."""
    if robot == "feishu":
        return 200 if json.loads(body)["code"] in (0, 9499) else 400
    return SLACK.get(body, 400) if robot == "slack" else 200


def kind(robot):
    return "text/plain; charset=utf-8" if robot == "slack" else "application/json"
