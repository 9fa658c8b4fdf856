/* WeCom's group robot: markdown, a card for a question, and a short text of its own where mobile numbers or everybody must be mentioned. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "channel/robot.h"
#include "model/clean.h"
#include "model/words.h"
#include "shipwatch/clock.h"

#define MARKDOWN_MAX ((size_t)4096)
#define MARGIN       ((size_t)96)
#define TEXT_MAX     ((size_t)1800) /* of 2 048 */

struct wecom {
	const char *url;
};

static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, offsetof(struct wecom, url), "!", "the robot's whole address, key included" },
	{ 0 },
};

static const char *wecom_credential(const void *conf)
{
	return ((const struct wecom *)conf)->url;
}

/* <@userid> for those who have one; never beyond what is left of the limit. */
static void mentions_put(struct sw_buf *b, const struct sw_alert *al, size_t max)
{
	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++) {
		const char *id = al->mentions[i].wecom;

		if (!id || !*id || strpbrk(id, "<>@ \n\r") || b->n + strlen(id) + 5 > max)
			continue;
		sw_buf_printf(b, "%s<@%s>", b->n ? "" : "\n", id);
	}
}

static void write_markdown(struct sw_jw *w, const struct sw_alert *al, size_t max)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, who = SW_BUF_INIT;

	mentions_put(&who, al, max / 4);
	sw_alert_text(al, SW_MARKUP_WECOM, max - MARGIN - who.n, &text);
	sw_buf_cat(&text, sw_buf_str(&who));
	sw_jw_str(w, "msgtype", "markdown");
	sw_jw_obj(w, "markdown");
	sw_jw_str(w, "content", sw_buf_str(&text));
	sw_jw_obj_end(w);
}

/* ---- a question: a card, which opens the page wherever it is touched ---- */

/* Characters of each place of a card; longer ones are cut by WeCom in its own way. */
enum { CARD_TITLE = 26, CARD_DESC = 30, CARD_SUB = 112, CARD_KEY = 5, CARD_VALUE = 26, CARD_JUMP = 13 };

/* Words without line ends, mentions and links, at most so many characters. */
static void card_words(struct sw_jw *w, const char *key, const char *s, size_t chars)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = 0, at = 0, cut = 0;

	sw_clean_words(&b, SW_MARKUP_WECOM, s, 4 * chars + 4);
	for (; at < b.n && n < chars; n++) {
		if (n + 1 == chars)
			cut = at;
		at += SW_MAX(sw_utf8_len(b.p + at, b.n - at), 1u);
	}
	if (at < b.n) {
		sw_buf_truncate(&b, cut);
		sw_buf_cat(&b, "…");
	}
	sw_jw_str(w, key, b.n ? sw_buf_str(&b) : "-");
}

static void card_row(struct sw_jw *w, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	sw_jw_obj(w, NULL);
	card_words(w, "keyname", key, CARD_KEY);
	card_words(w, "value", value, CARD_VALUE);
	sw_jw_obj_end(w);
}

static void card_jump(struct sw_jw *w, const char *title, const char *url)
{
	sw_jw_obj(w, NULL);
	sw_jw_int(w, "type", 1);
	card_words(w, "title", title, CARD_JUMP);
	sw_jw_str(w, "url", url);
	sw_jw_obj_end(w);
}

static void card_rows(struct sw_jw *w, const struct sw_alert *al)
{
	static const char *const names[][2] = { { "rule", "规则" }, { "what", "版本" }, { "by", "操作人" }, { "until", "截止时间" }, { "else", "无人答复" } };
	static const char *const otherwise[2][2] = { { "nothing is done", "不回滚" }, { "it begins", "自动回滚" } };
	SW_CLEANUP(sw_buf_fini) struct sw_buf until = SW_BUF_INIT, what = SW_BUF_INIT;
	int l = al->locale == SW_LOCALE_ZH;

	sw_time_print_local(al->ask_until, al->tz_offset_s, true, &until);
	sw_buf_printf(&what, "%s%s%.8s", al->version ? al->version : "", al->version && al->sha ? " " : "", al->sha ? al->sha : "");
	sw_jw_arr(w, "horizontal_content_list"); /* of at most 6 */
	card_row(w, names[0][l], al->rule);
	card_row(w, names[1][l], sw_buf_str(&what));
	card_row(w, names[2][l], al->user ? al->user : al->author);
	card_row(w, names[3][l], sw_buf_str(&until));
	card_row(w, names[4][l], otherwise[al->ask_proceeds][l]);
	sw_jw_arr_end(w);
}

static void write_card(struct sw_jw *w, const struct sw_alert *al, const struct sw_buf *url)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf place = SW_BUF_INIT, more = SW_BUF_INIT;
	const char *why = al->rollback_detail ? sw_word_known(al->rollback_detail, al->locale) : NULL;
	const char *finding = al->n_findings ? al->findings[0].text : al->summary, *beside;

	sw_buf_printf(&place, "%s/%s", al->service ? al->service : "?", al->environment ? al->environment : "?");
	sw_jw_str(w, "msgtype", "template_card");
	sw_jw_obj(w, "template_card");
	sw_jw_str(w, "card_type", "text_notice");
	sw_jw_obj(w, "source");
	sw_jw_str(w, "desc", "shipwatch");
	sw_jw_int(w, "desc_color", 2); /* red */
	sw_jw_obj_end(w);
	sw_jw_obj(w, "main_title");
	card_words(w, "title", sw_buf_str(&place), CARD_TITLE);
	card_words(w, "desc", sw_word_news(al->news, al->locale), CARD_DESC);
	sw_jw_obj_end(w);
	card_words(w, "sub_title_text", why ? why : finding ? finding : al->rule, CARD_SUB);
	card_rows(w, al);
	sw_jw_arr(w, "jump_list"); /* of at most 3 */
	card_jump(w, al->locale == SW_LOCALE_ZH ? "批准或拒绝" : "decide", sw_buf_str(url));
	beside = sw_robot_beside(al, &more);
	if (beside)
		card_jump(w, beside, sw_buf_str(&more));
	sw_jw_arr_end(w);
	sw_jw_obj(w, "card_action");
	sw_jw_int(w, "type", 1);
	sw_jw_str(w, "url", sw_buf_str(url));
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* People who can only be reached by number: those with a userid stand in the markdown already. */
static size_t text_mobiles(const struct sw_alert *al, bool alone, const char **ret, size_t max)
{
	struct sw_alert rest = *al;
	struct sw_mention left[SW_ROBOT_MENTIONS];

	rest.mentions = left;
	rest.n_mentions = 0;
	for (size_t i = 0; i < al->n_mentions && rest.n_mentions < SW_COUNT(left); i++)
		if (alone || !al->mentions[i].wecom)
			left[rest.n_mentions++] = al->mentions[i];
	return sw_robot_mobiles(&rest, ret, max);
}

static void write_text(struct sw_jw *w, const struct sw_alert *al, const char *const *mobiles, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;

	sw_alert_title(al, TEXT_MAX, &text);
	sw_jw_str(w, "msgtype", "text");
	sw_jw_obj(w, "text");
	sw_jw_str(w, "content", sw_buf_str(&text));
	if (n || al->mention_all) {
		sw_jw_arr(w, "mentioned_mobile_list");
		for (size_t i = 0; i < n; i++)
			sw_jw_str(w, NULL, mobiles[i]);
		if (al->mention_all)
			sw_jw_str(w, NULL, "@all");
		sw_jw_arr_end(w);
	}
	sw_jw_obj_end(w);
}

static int wecom_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                        struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct wecom *c = conf;
	const char *mobiles[SW_ROBOT_MENTIONS];
	size_t n = text_mobiles(al, size == SW_SIZE_LINE, mobiles, SW_COUNT(mobiles));
	bool second = size != SW_SIZE_LINE && (n || al->mention_all);
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, url = SW_BUF_INIT;
	struct sw_jw w;
	int r;

	if (part > (second ? 1u : 0u))
		return sw_err_set(err, EINVAL, "there is no part %u", part);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	if (part == 1 || size == SW_SIZE_LINE)
		write_text(&w, al, mobiles, n);
	else if (size == SW_SIZE_FULL && al->news == SW_NEWS_ROLLBACK_WAITING && sw_robot_decides(al, &url))
		write_card(&w, al, &url); /* where the card is refused, markdown with the link is next */
	else
		write_markdown(&w, al, size == SW_SIZE_FULL ? MARKDOWN_MAX : MARKDOWN_MAX / 2);
	sw_jw_obj_end(&w);
	r = sw_job_post_json(ret, a, c->url, &b);
	return r < 0 ? r : part == 0 && second;
}

static const struct sw_code codes[] = {
	{ 0, SW_OK, 0, 0, "accepted" },
	{ -1, SW_RETRY, 0, 3, "WeCom is busy" },
	{ 45009, SW_HOLD, SW_MINUTE, 0, "more than 20 messages a minute" },
	{ 45033, SW_RETRY, 2 * SW_SECOND, 0, "too many calls at once" },
	{ 40058, SW_SHRINK, 0, 0, "message too long" },
	{ 45002, SW_SHRINK, 0, 0, "message too long" },
	{ 93000, SW_CONFIG, 0, 0, "the robot's key is wrong, or it was removed" },
	{ 93004, SW_CONFIG, 0, 0, "the robot is disabled" },
	{ 93008, SW_CONFIG, 0, 0, "the robot is not in the group" },
	{ 40008, SW_MESSAGE, 0, 0, "message type not valid" },
	{ 40033, SW_MESSAGE, 0, 0, "characters it does not take" },
	{ 40035, SW_MESSAGE, 0, 0, "a parameter is wrong" },
	{ 40063, SW_MESSAGE, 0, 0, "a parameter is missing" },
	{ 44004, SW_MESSAGE, 0, 0, "empty message" },
	{ 45008, SW_MESSAGE, 0, 0, "too many articles" },
	{ 45034, SW_MESSAGE, 0, 0, "a link without http" },
	{ 40006, SW_MESSAGE, 0, 0, "a medium is not taken" },
	{ 40007, SW_MESSAGE, 0, 0, "a medium is not taken" },
	{ 40009, SW_MESSAGE, 0, 0, "a medium is not taken" },
	{ 45001, SW_MESSAGE, 0, 0, "a medium is not taken" },
};

static struct sw_class wecom_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	static const char *const length[] = { "exceed max length", NULL };
	const struct sw_class otherwise = { .outcome = SW_RETRY, .wait = 10 * SW_SECOND, .tries = 2 };
	struct sw_class ret = sw_judge_code(res, "errcode", codes, SW_COUNT(codes), otherwise, err);

	if (ret.code == 93000 && sw_robot_says(res, length)) {
		ret.outcome = SW_SHRINK;
		sw_err_set(err, EIO, "errcode 93000: message too long");
	}
	return ret;
}

static const char *const ids[] = { "wecom", "mobile", NULL };

const struct sw_channel sw_channel_wecom = {
	.base = { "wecom", "WeCom group robot.", keys, sizeof(struct wecom) },
	.rate = { 18, SW_MINUTE },
	.ids = ids,
	.numbers = true,
	.credential = wecom_credential,
	.render = wecom_render,
	.judge = wecom_judge,
};
