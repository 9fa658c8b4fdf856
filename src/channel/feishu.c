/*
 * Feishu's (Lark's) custom bot: a card with a coloured title, signed in its body at each attempt, judged by code. What
 * a card cannot be is said again as plain text.
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "channel/robot.h"
#include "model/words.h"

#define BODY_MAX       18000 /* of 20 KB */
#define FULL           12000 /* of text: escapes and mentions still fit */
#define TITLE_MAX      300
#define LINE_MAX_BYTES 600

struct feishu {
	const char *url, *secret, *keyword;
};

#define AT(f) offsetof(struct feishu, f)
static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, AT(url), "!", "the bot's whole address" },
	{ "secret", SW_KEY_SECRET, AT(secret), NULL, "where the bot wants signatures" },
	{ "keyword", SW_KEY_STRING, AT(keyword), NULL, "where the bot wants a word: added when it is missing" },
	{ 0 },
};

static const char *feishu_credential(const void *conf)
{
	return ((const struct feishu *)conf)->url;
}

/* In the body, over nothing: time and secret are the key. The other way round than DingTalk's. */
static void write_sign(struct sw_jw *w, const struct feishu *c, sw_ms now)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf key = SW_BUF_INIT, sign = SW_BUF_INIT, time = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];

	if (!c->secret || !*c->secret)
		return;
	sw_buf_printf(&time, "%lld", (long long)(now / SW_SECOND));
	sw_buf_printf(&key, "%s\n%s", sw_buf_str(&time), c->secret);
	sw_hmac_sha256(key.p, key.n, "", 0, mac);
	sw_b64_encode(&sign, mac, sizeof mac);
	sw_jw_str(w, "timestamp", sw_buf_str(&time));
	sw_jw_str(w, "sign", sw_buf_str(&sign));
}

static void keyword_add(const struct feishu *c, const char *before, struct sw_buf *b)
{
	if (c->keyword && *c->keyword && !strstr(sw_buf_str(b), c->keyword))
		sw_buf_printf(b, "%s%s", before, c->keyword);
}

/* Only an open_id mentions; in a card it stands without quotes, in text with them and with a name (of the
 * configuration). */
static void put_mentions(struct sw_buf *b, const struct sw_alert *al, bool card)
{
	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++) {
		const char *id = al->mentions[i].feishu;

		if (!sw_starts(id ? id : "", "ou_") || strlen(id) > 80 ||
		    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(id))
			continue;
		sw_buf_cat(b, b->n ? " " : "");
		if (card)
			sw_buf_printf(b, "<at id=%s></at>", id);
		else
			sw_buf_printf(b, "<at user_id=\"%s\">%s</at>", id,
			              al->mentions[i].name ? al->mentions[i].name : "");
	}
	if (al->mention_all)
		sw_buf_printf(b, card ? "%s<at id=all></at>" : "%s<at user_id=\"all\">所有人</at>", b->n ? " " : "");
}

static void write_words(struct sw_jw *w, const char *key, const char *tag, const char *s)
{
	sw_jw_obj(w, key);
	sw_jw_str(w, "tag", tag);
	sw_jw_str(w, "content", s);
	sw_jw_obj_end(w);
}

/* A button that opens a page: a custom bot's cards can do no more. */
static void write_button(struct sw_jw *w, const char *name, const char *url)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "tag", "button");
	write_words(w, "text", "plain_text", name);
	sw_jw_str(w, "type", "primary");
	sw_jw_arr(w, "behaviors");
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "type", "open_url");
	sw_jw_str(w, "default_url", url);
	sw_jw_obj_end(w);
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

static void write_card(struct sw_jw *w, const struct feishu *c, const struct sw_alert *al, size_t budget)
{
	static const char *const colors[] = { "grey", "orange", "red" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT, text = SW_BUF_INIT, who = SW_BUF_INIT,
	                                        url = SW_BUF_INIT;

	sw_alert_title(al, TITLE_MAX, &title);
	keyword_add(c, " ", &title);
	sw_alert_rest(al, SW_MARKUP_FEISHU, budget, &text);
	put_mentions(&who, al, true);
	sw_jw_str(w, "msg_type", "interactive");
	sw_jw_obj(w, "card");
	sw_jw_str(w, "schema", "2.0");
	sw_jw_obj(w, "header");
	write_words(w, "title", "plain_text", sw_buf_str(&title));
	sw_jw_str(w, "template", al->news == SW_NEWS_RESOLVED ? "green" : colors[al->severity]);
	sw_jw_obj_end(w);
	sw_jw_obj(w, "body");
	sw_jw_arr(w, "elements");
	if (text.n || !who.n)
		write_words(w, NULL, "markdown", text.n ? sw_buf_str(&text) : "-");
	if (who.n)
		write_words(w, NULL, "markdown", sw_buf_str(&who));
	if (sw_robot_decides(al, &url))
		write_button(w, sw_word_link(SW_LINK_APPROVAL, al->locale), sw_buf_str(&url));
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* Without a card: what is left when everything else was refused. */
static void write_line(struct sw_jw *w, const struct feishu *c, const struct sw_alert *al)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, who = SW_BUF_INIT;

	sw_alert_head(al, SW_MARKUP_FEISHU, LINE_MAX_BYTES, &text);
	keyword_add(c, " ", &text);
	put_mentions(&who, al, false);
	if (who.n)
		sw_buf_printf(&text, " %s", sw_buf_str(&who));
	sw_jw_str(w, "msg_type", "text");
	sw_jw_obj(w, "content");
	sw_jw_str(w, "text", sw_buf_str(&text));
	sw_jw_obj_end(w);
}

static int feishu_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                         struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct feishu *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t budget = size == SW_SIZE_FULL ? FULL : FULL / 2;
	struct sw_jw w;

	for (;;) {
		sw_buf_reset(&b);
		sw_jw_init(&w, &b);
		sw_jw_obj(&w, NULL);
		write_sign(&w, c, now);
		if (size == SW_SIZE_LINE)
			write_line(&w, c, al);
		else
			write_card(&w, c, al, budget);
		sw_jw_obj_end(&w);
		if (b.n <= BODY_MAX || budget < 1000) /* escapes of JSON can make it longer than counted */
			break;
		budget /= 2;
	}
	if (b.n > BODY_MAX)
		return sw_err_set(err, E2BIG, "%zu bytes are more than Feishu takes", b.n);
	return sw_job_post_json(ret, a, c->url, &b);
}

static const struct sw_code codes[] = {
	{ 0, SW_OK, 0, 0, "accepted" },
	{ 11232, SW_HOLD, SW_MINUTE, 0, "too many messages" },
	{ 19001, SW_CONFIG, 0, 0, "the bot's address is wrong, or it was removed" },
	{ 19002, SW_MESSAGE, 0, 0, "a parameter is missing" },
	{ 19021, SW_RETRY, 0, 2,
	  "the signature does not match (check secret), or its time is too far from Feishu's clock" },
	{ 19022, SW_CONFIG, 0, 0, "this machine's address is not in the bot's list" },
	{ 19024, SW_CONFIG, 0, 0, "none of the bot's keywords is in the message: set keyword" },
	{ 19036, SW_SHRINK, 0, 0, "message too long" },
	{ 11246, SW_SHRINK, 0, 0, "the card is not as Feishu wants it" },
	{ 230099, SW_SHRINK, 0, 0, "the card is not as Feishu wants it" },
};

static struct sw_class feishu_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	static const char *const many[] = { "too many", "Too many", "Too Many", NULL };
	const struct sw_class otherwise = { .outcome = SW_RETRY, .wait = SW_MINUTE, .tries = 3 };
	struct sw_class ret = sw_judge_code(res, "code", codes, SW_COUNT(codes), otherwise, err);

	if (ret.code != 9499)
		return ret;
	if (sw_robot_says(res, many)) /* one code for two things that have nothing to do with each other */
		return (struct sw_class){ .outcome = SW_HOLD, .wait = 5 * SW_SECOND, .code = 9499 };
	return (struct sw_class){ .outcome = SW_MESSAGE, .code = 9499 };
}

static const char *const ids[] = { "feishu", NULL };

const struct sw_channel sw_channel_feishu = {
	.base = { "feishu", "Feishu or Lark custom bot.", keys, sizeof(struct feishu) },
	.rate = { 4, 3 * SW_SECOND }, /* within both limits, 5 a second and 100 a minute */
	.ids = ids,
	.credential = feishu_credential,
	.render = feishu_render,
	.judge = feishu_judge,
};
