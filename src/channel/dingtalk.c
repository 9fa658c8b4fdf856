/* DingTalk's group robot: markdown, a card with buttons for a question, signed at each attempt, judged by errcode. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "channel/robot.h"
#include "model/words.h"

#define BODY_MAX       18000 /* of 20 000 that DingTalk takes */
#define FULL           12000 /* of text: escapes and mentions still fit */
#define TITLE_MAX      200
#define LINE_MAX_BYTES 600

struct dingtalk {
	const char *url, *secret, *keyword;
	int64_t quota;
};

#define AT(f) offsetof(struct dingtalk, f)
static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, AT(url), "!", "the robot's whole address, access_token included" },
	{ "secret", SW_KEY_SECRET, AT(secret), NULL, "where the robot wants signatures: its SEC… secret" },
	{ "keyword", SW_KEY_STRING, AT(keyword), NULL, "where the robot wants a word: added when it is missing" },
	{ "quota", SW_KEY_INT, AT(quota), "3000", "calls a month: of the free edition; 50000 with an option pack. Told of at 80 and 95 %; 0: no matter", 0, 100000000 },
	{ 0 },
};

static int dingtalk_quota(const void *conf)
{
	return (int)((const struct dingtalk *)conf)->quota;
}

static const char *dingtalk_credential(const void *conf)
{
	return ((const struct dingtalk *)conf)->url;
}

/* Behind the configured address, at the time of this attempt. */
static const char *dingtalk_url(const struct dingtalk *c, sw_ms now, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, sign = SW_BUF_INIT, url = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];

	if (!c->secret || !*c->secret)
		return c->url;
	sw_buf_printf(&text, "%lld\n%s", (long long)now, c->secret);
	sw_hmac_sha256(c->secret, strlen(c->secret), text.p, text.n, mac);
	sw_b64_encode(&sign, mac, sizeof mac);
	sw_buf_printf(&url, "%s%ctimestamp=%lld&sign=", c->url, strchr(c->url, '?') ? '&' : '?', (long long)now);
	sw_pct_encode(&url, sw_buf_str(&sign), sign.n);
	return sw_arena_strdup(a, sw_buf_str(&url));
}

static void keyword_add(const struct dingtalk *c, const char *before, struct sw_buf *b)
{
	if (c->keyword && *c->keyword && !strstr(sw_buf_str(b), c->keyword))
		sw_buf_printf(b, "%s%s", before, c->keyword);
}

static void write_at(struct sw_jw *w, const struct sw_alert *al, const char *const *mobiles, size_t n)
{
	sw_jw_obj(w, "at");
	sw_jw_arr(w, "atMobiles");
	for (size_t i = 0; i < n; i++)
		sw_jw_str(w, NULL, mobiles[i]);
	sw_jw_arr_end(w);
	sw_jw_arr(w, "atUserIds");
	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++)
		if (al->mentions[i].dingtalk && !sw_robot_is_mobile(al->mentions[i].mobile))
			sw_jw_str(w, NULL, al->mentions[i].dingtalk);
	sw_jw_arr_end(w);
	sw_jw_bool(w, "isAtAll", al->mention_all);
	sw_jw_obj_end(w);
}

/* Whoever is in `at` must stand in the text too, or nobody is notified. */
static void text_at(struct sw_buf *b, const struct sw_alert *al, const char *const *mobiles, size_t n)
{
	if (n || al->n_mentions || al->mention_all)
		sw_buf_cat(b, "\n\n");
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(b, "@%s ", mobiles[i]);
	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++)
		if (al->mentions[i].dingtalk && !sw_robot_is_mobile(al->mentions[i].mobile))
			sw_buf_printf(b, "@%s ", al->mentions[i].dingtalk);
	if (al->mention_all)
		sw_buf_cat(b, "@all");
}

static void write_markdown(struct sw_jw *w, const struct dingtalk *c, const struct sw_alert *al, size_t budget,
                           const char *const *mobiles, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT, text = SW_BUF_INIT;

	sw_alert_title(al, TITLE_MAX, &title);
	keyword_add(c, " ", &title);
	sw_alert_text(al, SW_MARKUP_DINGTALK, budget, &text);
	keyword_add(c, "\n\n", &text);
	text_at(&text, al, mobiles, n);
	sw_jw_str(w, "msgtype", "markdown");
	sw_jw_obj(w, "markdown");
	sw_jw_str(w, "title", sw_buf_str(&title));
	sw_jw_str(w, "text", sw_buf_str(&text));
	sw_jw_obj_end(w);
}

/* A question: a card with buttons. It notifies nobody, the firing message before it did. */
static void write_card(struct sw_jw *w, const struct dingtalk *c, const struct sw_alert *al, const struct sw_buf *url, size_t budget)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT, text = SW_BUF_INIT, more = SW_BUF_INIT;
	const char *beside = sw_robot_beside(al, &more);
	const struct { const char *title, *url; } btns[] = { { sw_word_link(SW_LINK_APPROVAL, al->locale), sw_buf_str(url) }, { beside, sw_buf_str(&more) } };

	sw_alert_title(al, TITLE_MAX, &title);
	keyword_add(c, " ", &title);
	sw_alert_text(al, SW_MARKUP_DINGTALK, budget, &text);
	keyword_add(c, "\n\n", &text);
	sw_jw_str(w, "msgtype", "actionCard");
	sw_jw_obj(w, "actionCard");
	sw_jw_str(w, "title", sw_buf_str(&title));
	sw_jw_str(w, "text", sw_buf_str(&text));
	sw_jw_str(w, "btnOrientation", "0");
	sw_jw_arr(w, "btns");
	for (size_t i = 0; i < SW_COUNT(btns); i++) {
		if (!btns[i].title)
			continue;
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "title", btns[i].title);
		sw_jw_str(w, "actionURL", btns[i].url);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

/* Short, plain, without links: what is left when everything else was refused. */
static void write_line(struct sw_jw *w, const struct dingtalk *c, const struct sw_alert *al, const char *const *mobiles,
                       size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;

	sw_alert_title(al, LINE_MAX_BYTES, &text);
	keyword_add(c, " ", &text);
	text_at(&text, al, mobiles, n);
	sw_jw_str(w, "msgtype", "text");
	sw_jw_obj(w, "text");
	sw_jw_str(w, "content", sw_buf_str(&text));
	sw_jw_obj_end(w);
}

static int dingtalk_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                           struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct dingtalk *c = conf;
	const char *mobiles[SW_ROBOT_MENTIONS];
	size_t n = sw_robot_mobiles(al, mobiles, SW_COUNT(mobiles)), budget = size == SW_SIZE_FULL ? FULL : FULL / 2;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, url = SW_BUF_INIT;
	bool card = size != SW_SIZE_LINE && al->news == SW_NEWS_ROLLBACK_WAITING && sw_robot_decides(al, &url);
	struct sw_jw w;

	for (;;) {
		sw_buf_reset(&b);
		sw_jw_init(&w, &b);
		sw_jw_obj(&w, NULL);
		if (size == SW_SIZE_LINE)
			write_line(&w, c, al, mobiles, n);
		else if (card)
			write_card(&w, c, al, &url, budget);
		else
			write_markdown(&w, c, al, budget, mobiles, n);
		if (!card)
			write_at(&w, al, mobiles, n);
		sw_jw_obj_end(&w);
		if (b.n <= BODY_MAX || budget < 1000) /* escapes of JSON can make it longer than counted */
			break;
		budget /= 2;
	}
	if (b.n > BODY_MAX)
		return sw_err_set(err, E2BIG, "%zu bytes are more than DingTalk takes", b.n);
	return sw_job_post_json(ret, a, dingtalk_url(c, now, a), &b);
}

static const struct sw_code codes[] = {
	{ 0, SW_OK, 0, 0, "accepted" },
	{ -1, SW_RETRY, 0, 3, "DingTalk is busy" },
	{ 130101, SW_HOLD, 10 * SW_MINUTE, 0, "more than 20 messages a minute: the robot is muted for 10 minutes" },
	{ 410100, SW_HOLD, 10 * SW_MINUTE, 0, "more than 20 messages a minute: the robot is muted for 10 minutes" },
	{ 660026, SW_HOLD, 10 * SW_MINUTE, 0, "more than 20 messages a minute: the robot is muted for 10 minutes" },
	{ 90018, SW_RETRY, SW_SECOND, 0, "too many calls a second" },
	{ 90002, SW_RETRY, SW_SECOND, 0, "too many calls a second" },
	{ 90020, SW_HOLD, SW_DAY, 0, "the organisation's calls of this month are used up" },
	{ 300005, SW_CONFIG, 0, 0, "the access_token is unknown" },
	{ 400013, SW_CONFIG, 0, 0, "the group was dissolved" },
	{ 400101, SW_CONFIG, 0, 0, "the access_token does not exist" },
	{ 400102, SW_CONFIG, 0, 0, "the robot is stopped" },
	{ 400106, SW_CONFIG, 0, 0, "the robot is not found" },
	{ 400105, SW_MESSAGE, 0, 0, "message type not supported" },
	{ 400401, SW_MESSAGE, 0, 0, "a parameter is missing" },
	{ 400402, SW_MESSAGE, 0, 0, "a parameter is missing" },
	{ 40035, SW_MESSAGE, 0, 0, "a parameter is wrong" },
	{ 404, SW_MESSAGE, 0, 0, "a parameter has the wrong type" },
	{ 43002, SW_MESSAGE, 0, 0, "not a POST" },
	{ 43004, SW_MESSAGE, 0, 0, "wrong Content-Type" },
	{ 460101, SW_SHRINK, 0, 0, "message too long" },
	{ 101002, SW_SHRINK, 0, 0, "message too long" },
	{ 430101, SW_SHRINK, 0, 0, "unsafe link" },
	{ 430102, SW_SHRINK, 0, 0, "unsafe text" },
	{ 430103, SW_SHRINK, 0, 0, "unsafe image" },
	{ 430104, SW_SHRINK, 0, 0, "unsafe content" },
	{ 88, SW_CONFIG, 0, 0, "not authorised" },
};

/* One code for four causes: only its text tells them apart. */
static struct sw_class judge_security(const struct sw_result *res, struct sw_err *err)
{
	static const char *const late[] = { "timestamp", "过期", NULL }, *const keyword[] = { "keyword", "关键词",
		                                                                              NULL };
	static const char *const ip[] = { "whitelist", "白名单", NULL };
	const char *date = sw_result_header(res, "date");

	if (sw_robot_says(res, late)) {
		sw_err_set(err, EIO, "errcode 310000: the signature's time is too far from DingTalk's clock (%s)",
		           date ? date : "no Date");
		return (struct sw_class){ .outcome = SW_RETRY, .tries = 2, .code = 310000 };
	}
	sw_err_set(err, EIO, "errcode 310000: %s",
	           sw_robot_says(res, keyword) ? "none of the robot's keywords is in the message: set keyword"
	           : sw_robot_says(res, ip)    ? "this machine's address is not in the robot's list"
	                                       : "the signature does not match: check secret");
	return (struct sw_class){ .outcome = SW_CONFIG, .code = 310000 };
}

static struct sw_class dingtalk_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	static const char *const blocked[] = { "\"punish\"", "<html", "<HTML", "<!DOCTYPE", "<!doctype", NULL };
	static const char *const token[] = { "token", NULL };
	const struct sw_class otherwise = { .outcome = SW_RETRY, .wait = SW_MINUTE, .tries = 3 };
	struct sw_class ret;

	if (res->fault == SW_FAULT_NONE && res->status < 500 && !strstr(res->body, "\"errcode\"") &&
	    sw_robot_says(res, blocked)) {
		sw_err_set(err, EIO, "DingTalk blocks this machine's address for a while");
		return (struct sw_class){ .outcome = SW_HOLD, .wait = 5 * SW_MINUTE };
	}
	ret = sw_judge_code(res, "errcode", codes, SW_COUNT(codes), otherwise, err);
	if (ret.code == 310000)
		return judge_security(res, err);
	if (ret.code == 300001) {
		ret =
		    (struct sw_class){ .outcome = sw_robot_says(res, token) ? SW_CONFIG : SW_MESSAGE, .code = 300001 };
		sw_err_set(err, EIO, "errcode 300001: %s",
		           ret.outcome == SW_CONFIG ? "the access_token is unknown" : "title or text is empty");
	}
	return ret;
}

static const char *const ids[] = { "mobile", "dingtalk", NULL };

const struct sw_channel sw_channel_dingtalk = {
	.base = { "dingtalk", "DingTalk group robot.", keys, sizeof(struct dingtalk) },
	.rate = { 18, SW_MINUTE },
	.ids = ids,
	.numbers = true,
	.credential = dingtalk_credential,
	.quota = dingtalk_quota,
	.render = dingtalk_render,
	.judge = dingtalk_judge,
};
