/*
 * Slack's incoming webhook: the first line and whoever is mentioned as text (it is what a notification shows), the rest
 * as sections in a coloured attachment. Its answers are plain words, not JSON.
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "channel/robot.h"
#include "model/words.h"

#define HEAD_MAX    ((size_t)1500)
#define FULL        ((size_t)12000) /* of text; a message bears 40 000 characters */
#define SECTION_MAX ((size_t)2900)  /* of 3 000 */
#define SECTIONS    40              /* of 50 */
#define URL_MAX     ((size_t)3000)  /* of a button */

struct slack {
	const char *url;
};

static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, offsetof(struct slack, url), "!", "the webhook's whole address" },
	{ 0 },
};

static const char *slack_credential(const void *conf)
{
	return ((const struct slack *)conf)->url;
}

/* Members are U… or W…, groups S…; anything else is no id and mentions nobody. */
static void text_mentions(struct sw_buf *b, const struct sw_alert *al)
{
	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++) {
		const char *id = al->mentions[i].slack;

		if (!id || !strchr("UWS", *id) || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(id) ||
		    strlen(id) < 2 || strlen(id) > 32)
			continue;
		sw_buf_printf(b, *id == 'S' ? " <!subteam^%s>" : " <@%s>", id);
	}
	if (al->mention_all)
		sw_buf_cat(b, " <!channel>");
}

static void section_put(struct sw_jw *w, const char *s, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_catn(&b, s, n);
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "type", "section");
	sw_jw_obj(w, "text");
	sw_jw_str(w, "type", "mrkdwn");
	sw_jw_str(w, "text", sw_buf_str(&b));
	sw_jw_bool(w, "verbatim", true); /* names and addresses in words stay words */
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* A line of its own that is too long for a section: words are cut, neither within a character nor an entity; half a
 * link is none. */
static void section_cut(struct sw_jw *w, const char *s, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t cut = sw_utf8_cut(s, n, SECTION_MAX);

	if (*s == '<')
		return;
	for (size_t i = cut; i > 0 && cut - i < 5; i--)
		if (s[i - 1] == '&' && !memchr(s + i, ';', cut - i))
			cut = i - 1;
	sw_buf_catn(&b, s, cut);
	sw_buf_cat(&b, "…");
	section_put(w, b.p, b.n);
}

/* Whole lines to sections, as many as fit into each. */
static void write_sections(struct sw_jw *w, const struct sw_buf *text)
{
	const char *s = sw_buf_str(text), *end = s + text->n, *from = s, *to = s;

	for (int sections = 0; s < end && sections < SECTIONS; sections++) {
		for (from = to = s; s < end; s = to + 1) {
			const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end;

			if ((size_t)(stop - from) > SECTION_MAX)
				break;
			to = stop;
		}
		if (to > from) {
			section_put(w, from, (size_t)(to - from));
			continue;
		}
		if (s < end) {
			const char *nl = memchr(s, '\n', (size_t)(end - s));

			section_cut(w, s, (size_t)((nl ? nl : end) - s));
			s = nl ? nl + 1 : end;
		}
	}
}

/* A button that opens a page: a webhook hears of no clicks. */
static void write_button(struct sw_jw *w, const char *name, const char *url)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "type", "actions");
	sw_jw_arr(w, "elements");
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "type", "button");
	sw_jw_str(w, "action_id", "approval");
	sw_jw_obj(w, "text");
	sw_jw_str(w, "type", "plain_text");
	sw_jw_str(w, "text", name);
	sw_jw_obj_end(w);
	sw_jw_str(w, "style", "primary");
	sw_jw_str(w, "url", url);
	sw_jw_obj_end(w);
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

static void write_attachment(struct sw_jw *w, const struct sw_alert *al, size_t budget)
{
	static const char *const colors[] = { "#8a8a8a", "#daa038", "#d0021b" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, url = SW_BUF_INIT;

	sw_alert_rest(al, SW_MARKUP_SLACK, budget, &text);
	if (!text.n)
		return;
	sw_jw_arr(w, "attachments");
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "color", al->news == SW_NEWS_RESOLVED ? "#2eb67d" : colors[al->severity]);
	sw_jw_arr(w, "blocks");
	write_sections(w, &text);
	if (sw_robot_decides(al, &url) && url.n <= URL_MAX)
		write_button(w, sw_word_link(SW_LINK_APPROVAL, al->locale), sw_buf_str(&url));
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
	sw_jw_arr_end(w);
}

static int slack_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                        struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct slack *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, head = SW_BUF_INIT;
	struct sw_jw w;

	sw_buf_putc(&head, '*');
	sw_alert_head(al, SW_MARKUP_SLACK, HEAD_MAX, &head);
	sw_buf_putc(&head, '*');
	text_mentions(&head, al);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "text", sw_buf_str(&head));
	sw_jw_bool(&w, "unfurl_links", false);
	sw_jw_bool(&w, "unfurl_media", false);
	if (size != SW_SIZE_LINE)
		write_attachment(&w, al, size == SW_SIZE_FULL ? FULL : FULL / 4);
	sw_jw_obj_end(&w);
	return sw_job_post_json(ret, a, c->url, &b);
}

/* What a webhook says when it does not take a message; the status beside it has several values for one word. */
static const struct answer {
	const char *word;
	enum sw_outcome outcome;
	const char *meaning;
} answers[] = {
	{ "invalid_payload", SW_MESSAGE, "the message is not as Slack wants it" },
	{ "no_text", SW_MESSAGE, "the message has no text" },
	{ "too_many_attachments", SW_MESSAGE, "more than 100 attachments" },
	{ "invalid_blocks", SW_SHRINK, "the blocks are not as Slack wants them" },
	{ "invalid_attachments", SW_SHRINK, "the attachment is not as Slack wants it" },
	{ "msg_too_long", SW_SHRINK, "message too long" },
	{ "msg_blocks_too_long", SW_SHRINK, "message too long" },
	{ "no_service", SW_CONFIG, "the webhook is disabled, removed or wrong" },
	{ "no_service_id", SW_CONFIG, "the webhook's address is not whole" },
	{ "no_active_hooks", SW_CONFIG, "the webhook is disabled" },
	{ "no_team", SW_CONFIG, "the workspace does not exist" },
	{ "team_disabled", SW_CONFIG, "the workspace is disabled" },
	{ "invalid_token", SW_CONFIG, "the webhook's token is wrong" },
	{ "channel_not_found", SW_CONFIG, "the channel does not exist any more" },
	{ "channel_is_archived", SW_CONFIG, "the channel is archived" },
	{ "action_prohibited", SW_CONFIG, "an administrator does not allow it" },
	{ "posting_to_general_channel_denied", SW_CONFIG, "posting to the general channel is not allowed" },
	{ "user_not_found", SW_CONFIG, "the user of the webhook does not exist" },
	{ "rate_limited", SW_HOLD, "more than one message a second" },
	{ "rollup_error", SW_RETRY, "Slack is busy" },
};

static bool answer_is(const struct sw_result *res, const char *word)
{
	size_t n = res->body_n;

	while (n && strchr(" \r\n", res->body[n - 1]))
		n--;
	return n == strlen(word) && memcmp(res->body, word, n) == 0;
}

static struct sw_class slack_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_OK };

	if (sw_judge_transport(res, &ret, err))
		return ret;
	ret.code = res->status;
	if (res->status == 200 && answer_is(res, "ok"))
		return ret;
	for (size_t i = 0; i < SW_COUNT(answers); i++) {
		if (!answer_is(res, answers[i].word))
			continue;
		ret.outcome = answers[i].outcome;
		ret.wait = ret.outcome == SW_HOLD ? SW_MINUTE : 0;
		sw_err_set(err, EIO, "%s: %s", answers[i].word, answers[i].meaning);
		return ret;
	}
	sw_err_set(err, EIO, "HTTP status %d without an answer of Slack", res->status);
	if (res->status < 300) /* something else answers in Slack's place */
		return (struct sw_class){ .outcome = SW_RETRY, .code = res->status };
	ret.outcome = res->status == 403 || res->status == 404 || res->status == 410 ? SW_CONFIG : SW_MESSAGE;
	return ret;
}

static const char *const ids[] = { "slack", NULL };

const struct sw_channel sw_channel_slack = {
	.base = { "slack", "Slack incoming webhook.", keys, sizeof(struct slack) },
	.rate = { 3, 3 * SW_SECOND },
	.ids = ids,
	.credential = slack_credential,
	.render = slack_render,
	.judge = slack_judge,
};
