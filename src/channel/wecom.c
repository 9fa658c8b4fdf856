/* WeCom's group robot: markdown, and a short text of its own where mobile numbers or everybody must be mentioned. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "channel/robot.h"

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
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	int r;

	if (part > (second ? 1u : 0u))
		return sw_err_set(err, EINVAL, "there is no part %u", part);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	if (part == 1 || size == SW_SIZE_LINE)
		write_text(&w, al, mobiles, n);
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
