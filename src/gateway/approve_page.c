/* The page on which a person decides, as HTML: one column, no script, words of two languages, everything from outside escaped. */
#include <string.h>

#include "base/html.h"
#include "base/str.h"
#include "gateway/approve.h"
#include "model/words.h"
#include "shipwatch/clock.h"

#define SHA_SHOWN  12
#define WORDS_MAX  600 /* bytes of one text */

const char sw_approve_css[] =
	":root{color-scheme:light dark;--fg:#1c2024;--soft:#5b6570;--bg:#f4f5f7;--card:#fff;--line:#d5dae0;--warn:#8a5300;--warnbg:#fff4df;"
	"--yes:#1a5fb4;--no:#4a545e;--bad:#b3261e}\n"
	"@media (prefers-color-scheme:dark){:root{--fg:#e7eaee;--soft:#a2acb6;--bg:#14171a;--card:#1e2226;--line:#3a4148;--warn:#ffca7a;"
	"--warnbg:#38290d;--yes:#2a6fc9;--no:#57626d;--bad:#ff8f86}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",\"PingFang SC\",\"Noto Sans CJK SC\",sans-serif}\n"
	"main{max-width:40rem;margin:0 auto;padding:1rem}\n"
	"h1{font-size:1.35rem;line-height:1.3;margin:.5rem 0 1rem;overflow-wrap:anywhere}\n"
	".card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:0 0 1rem}\n"
	"dl{margin:0;display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1rem}\n"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
	"@media (max-width:30rem){dl{display:block}dt{margin-top:.55rem;font-size:.875rem}dt:first-child{margin-top:0}}\n"
	"p{margin:0 0 .75rem;overflow-wrap:anywhere}p:last-child{margin:0}\n"
	".warn{background:var(--warnbg);color:var(--warn)}.wrong{color:var(--bad);font-weight:600}\n"
	"label{display:block;font-weight:600;margin:0 0 .3rem}\n"
	"input{width:100%;font:inherit;padding:.6rem .7rem;color:var(--fg);background:var(--bg);border:1px solid var(--soft);border-radius:.4rem}\n"
	".two{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1rem}\n"
	"button{flex:1 1 10rem;font:inherit;font-weight:600;padding:.75rem 1rem;border:0;border-radius:.4rem;color:#fff;cursor:pointer}\n"
	"button[hidden]{display:none}\n"
	".yes{background:var(--yes)}.no{background:var(--no)}\n"
	"input:focus-visible,button:focus-visible{outline:3px solid #4c8dff;outline-offset:2px}\n"
	".foot{color:var(--soft);font-size:.875rem}\n";

/* ---- words ---- */

enum say {
	SAY_TITLE, SAY_PLACE, SAY_RELEASE, SAY_BY, SAY_COMMIT, SAY_RULE, SAY_SAW, SAY_ACTION, SAY_TARGET, SAY_TARGET_OWN, SAY_NOT_VERIFIED, SAY_UNTIL,
	SAY_LEFT, SAY_LEFT_END, SAY_SILENCE, SAY_SILENCE_NO, SAY_SILENCE_YES, SAY_WHY, SAY_NAME, SAY_YES, SAY_NO, SAY_NAME_HELP, SAY_WRONG_NAME, SAY_WRONG_LONG,
	SAY_WRONG_FORM, SAY_H_MINE_YES, SAY_H_MINE_NO, SAY_H_STORED, SAY_H_DECIDED, SAY_H_OVER, SAY_H_UNKNOWN, SAY_H_LIMITED, SAY_H_MEDIA, SAY_H_AWAY,
	SAY_H_LOST, SAY_P_MINE_YES, SAY_P_MINE_NO, SAY_P_NOT_STARTED, SAY_P_MINE_WAITS, SAY_P_STORED, SAY_P_APPROVED_BY, SAY_P_REFUSED_BY, SAY_P_OVER, SAY_P_UNKNOWN,
	SAY_P_LIMITED, SAY_P_MEDIA, SAY_P_AWAY, SAY_P_LOST, SAY_STATE, SAY_COLON, SAY_FOOT, SAY_COUNT
};

/* clang-format off */
static const char *const says[SAY_COUNT][2] = {
	[SAY_TITLE] = { "Roll back?", "是否回滚？" },
	[SAY_PLACE] = { "Service", "服务" }, [SAY_RELEASE] = { "Release", "版本" }, [SAY_BY] = { "Deployed by", "部署人" },
	[SAY_COMMIT] = { "Commit", "提交" }, [SAY_RULE] = { "Rule", "规则" }, [SAY_SAW] = { "What it saw", "触发原因" },
	[SAY_ACTION] = { "What is done", "将执行" }, [SAY_TARGET] = { "Goes back to", "回滚到" },
	[SAY_TARGET_OWN] = { "what the action itself chooses: no good deployment is known", "由操作自行决定：没有已知良好的部署" },
	[SAY_NOT_VERIFIED] = { "not verified", "未经验证" },
	[SAY_UNTIL] = { "Asked until", "截止时间" }, [SAY_LEFT] = { "", "剩余 " }, [SAY_LEFT_END] = { " left", "" }, [SAY_SILENCE] = { "Without an answer", "无人答复时" },
	[SAY_SILENCE_NO] = { "nothing is done", "不回滚" }, [SAY_SILENCE_YES] = { "it begins", "自动开始回滚" },
	[SAY_WHY] = { "A person is asked because", "需要人工批准的原因" },
	[SAY_NAME] = { "Your name", "您的姓名" }, [SAY_YES] = { "Approve the rollback", "批准回滚" }, [SAY_NO] = { "Refuse", "拒绝" },
	[SAY_NAME_HELP] = { "It is told to everybody who got the alert. The first decision counts.", "姓名将告知所有收到告警的人。以第一个决定为准。" },
	[SAY_WRONG_NAME] = { "Please type your name.", "请填写姓名。" },
	[SAY_WRONG_LONG] = { "That name is too long: at most 100 bytes.", "姓名过长：最多 100 字节。" },
	[SAY_WRONG_FORM] = { "The form could not be read. Nothing was decided.", "无法读取表单，未作出任何决定。" },
	[SAY_H_MINE_YES] = { "You approved the rollback", "您已批准回滚" }, [SAY_H_MINE_NO] = { "You refused the rollback", "您已拒绝回滚" },
	[SAY_H_STORED] = { "Your decision is stored", "您的决定已保存" }, [SAY_H_DECIDED] = { "Already decided", "已有决定" },
	[SAY_H_OVER] = { "Nobody is asked any more", "已无需决定" }, [SAY_H_UNKNOWN] = { "There is no such link", "链接不存在" },
	[SAY_H_LIMITED] = { "Too many wrong links", "错误链接过多" }, [SAY_H_MEDIA] = { "This is no form", "不是表单" },
	[SAY_H_AWAY] = { "Nothing can be decided right now", "暂时无法作出决定" }, [SAY_H_LOST] = { "It is not known whether your decision was stored", "无法确认您的决定是否已保存" },
	[SAY_P_MINE_YES] = { "All guards were checked again, and it begins now. The alert tells how it goes.", "已再次检查所有保护条件，现在开始回滚。结果见告警消息。" },
	[SAY_P_MINE_NO] = { "Nothing is done. Everybody who got the alert is told.", "不会执行任何操作，并已告知收到告警的人。" },
	[SAY_P_NOT_STARTED] = { "It does not begin all the same, because", "但未能开始，原因" },
	[SAY_P_MINE_WAITS] = { "It waits for something that is in its way now, such as a newer deployment that runs, and begins when that is over.", "目前有阻碍（例如更新的部署正在进行），待其结束后开始回滚。" },
	[SAY_P_STORED] = { "No worker has read it yet. It counts if nobody decided before. Open the link again to see what came of it.", "尚未被处理。若此前无人决定，则以您的决定为准。请稍后重新打开链接查看结果。" },
	[SAY_P_APPROVED_BY] = { "Approved by", "批准人" }, [SAY_P_REFUSED_BY] = { "Refused by", "拒绝人" },
	[SAY_P_OVER] = { "Nothing is to be decided here any more.", "此处已无需再作决定。" },
	[SAY_P_UNKNOWN] = { "It is wrong, or too old: a link is kept for a day after its question is over. Take the newest message.", "链接有误或已过期：问题结束一天后链接失效。请查看最新的消息。" },
	[SAY_P_LIMITED] = { "Please wait a minute.", "请等待一分钟。" }, [SAY_P_MEDIA] = { "Please use the form of the page.", "请使用页面上的表单。" },
	[SAY_P_AWAY] = { "Shipwatch cannot reach its memory, or too many ask at once. Nothing was decided; please try again.", "Shipwatch 暂时无法访问其存储，或请求过多。未作出任何决定，请重试。" },
	[SAY_P_LOST] = { "Open the link again: it tells whether it was. Deciding twice does no harm.", "请重新打开链接查看。重复决定不会造成影响。" },
	[SAY_STATE] = { "State of the rollback", "回滚状态" }, [SAY_COLON] = { ": ", "：" },
	[SAY_FOOT] = { "Opening this page changes nothing.", "打开此页面不会产生任何影响。" },
};
/* clang-format on */

static const struct { int status; enum say head, text; } kinds[APPROVE_KINDS] = {
	[APPROVE_ASK] = { 200, SAY_TITLE, SAY_COUNT },           [APPROVE_WRONG] = { 400, SAY_TITLE, SAY_COUNT },
	[APPROVE_MINE] = { 200, SAY_H_MINE_YES, SAY_P_MINE_YES }, [APPROVE_STORED] = { 202, SAY_H_STORED, SAY_P_STORED },
	[APPROVE_DECIDED] = { 409, SAY_H_DECIDED, SAY_COUNT },   [APPROVE_OVER] = { 410, SAY_H_OVER, SAY_P_OVER },
	[APPROVE_UNKNOWN] = { 404, SAY_H_UNKNOWN, SAY_P_UNKNOWN }, [APPROVE_LIMITED] = { 429, SAY_H_LIMITED, SAY_P_LIMITED },
	[APPROVE_MEDIA] = { 415, SAY_H_MEDIA, SAY_P_MEDIA },     [APPROVE_AWAY] = { 503, SAY_H_AWAY, SAY_P_AWAY },
	[APPROVE_LOST] = { 503, SAY_H_LOST, SAY_P_LOST },
};

int sw_approve_status(enum approve_kind k)
{
	return kinds[k].status;
}

/* ---- pieces ---- */

struct html { const struct approve_view *v; struct sw_buf *b; };

static const char *word(const struct html *h, enum say w)
{
	return says[w][h->v->locale];
}

static void put(const struct html *h, const char *s)
{
	sw_html_cut(h->b, s, WORDS_MAX);
}

static const char *page(const struct html *h, const char *key)
{
	return sw_jstr(h->v->page, key);
}

static void row_begin(const struct html *h, enum say name)
{
	sw_buf_printf(h->b, "<dt>%s</dt><dd>", word(h, name));
}

static void row(const struct html *h, enum say name, const char *value)
{
	if (!value || !*value)
		return;
	row_begin(h, name);
	put(h, value);
	sw_buf_cat(h->b, "</dd>\n");
}

static void put_release(const struct html *h, const char *version, const char *sha)
{
	char s[SHA_SHOWN + 1];
	size_t n = sha ? SW_MIN(strlen(sha), (size_t)SHA_SHOWN) : 0;

	memcpy(s, sha ? sha : "", n);
	s[n] = '\0';
	put(h, version);
	if (n && version) {
		sw_buf_cat(h->b, " (");
		put(h, s);
		sw_buf_putc(h->b, ')');
	} else {
		put(h, s);
	}
}

static void row_release(const struct html *h)
{
	const char *const more[] = { page(h, "repo"), page(h, "tag") ? page(h, "tag") : page(h, "branch") };

	row_begin(h, SAY_RELEASE);
	put_release(h, page(h, "version"), page(h, "sha"));
	for (size_t i = 0; i < SW_COUNT(more); i++)
		if (more[i]) {
			sw_buf_cat(h->b, " · ");
			put(h, more[i]);
		}
	sw_buf_cat(h->b, "</dd>\n");
}

static void row_target(const struct html *h)
{
	row_begin(h, SAY_TARGET);
	if (page(h, "target"))
		put_release(h, page(h, "target_version"), page(h, "target"));
	else
		sw_buf_cat(h->b, word(h, SAY_TARGET_OWN));
	if (page(h, "target") && !sw_jbool(h->v->page, "verified", true))
		sw_buf_printf(h->b, " <strong>%s</strong>", word(h, SAY_NOT_VERIFIED));
	sw_buf_cat(h->b, "</dd>\n");
}

static void row_until(const struct html *h, bool open)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, left = SW_BUF_INIT;
	sw_ms now = sw_jint(h->v->act, "deadline", 0), until = open && now ? now : sw_jint(h->v->page, "until", 0);

	sw_time_print_local(until, h->v->tz_offset_s, true, &b);
	row_begin(h, SAY_UNTIL);
	put(h, sw_buf_str(&b));
	if (h->v->timezone) {
		sw_buf_putc(h->b, ' ');
		put(h, h->v->timezone);
	}
	if (open && until > h->v->now) {
		sw_dur_print((until - h->v->now + SW_SECOND - 1) / SW_SECOND * SW_SECOND, &left);
		sw_buf_printf(h->b, " (%s%s%s)", word(h, SAY_LEFT), sw_buf_str(&left), word(h, SAY_LEFT_END));
	}
	sw_buf_cat(h->b, "</dd>\n");
}

static void facts(const struct html *h, bool open)
{
	const char *service = page(h, "service"), *environment = page(h, "environment");
	const char *summary = page(h, "summary"), *saw = page(h, "saw");

	sw_buf_cat(h->b, "<section class=\"card\"><dl>\n");
	row_begin(h, SAY_PLACE);
	put(h, service);
	sw_buf_putc(h->b, '/');
	put(h, environment);
	sw_buf_cat(h->b, "</dd>\n");
	row_release(h);
	row(h, SAY_COMMIT, page(h, "title"));
	row(h, SAY_BY, page(h, "user"));
	row(h, SAY_RULE, page(h, "rule"));
	row(h, SAY_SAW, saw);
	row(h, SAY_SAW, sw_streq(saw, summary) ? NULL : summary);
	row(h, SAY_ACTION, page(h, "action"));
	row_target(h);
	row_until(h, open);
	if (open) {
		row_begin(h, SAY_SILENCE);
		sw_buf_printf(h->b, "%s</dd>\n", word(h, sw_jbool(h->v->page, "proceeds", false) ? SAY_SILENCE_YES : SAY_SILENCE_NO));
	}
	sw_buf_cat(h->b, "</dl></section>\n");
	if (open && page(h, "why")) {
		sw_buf_printf(h->b, "<p class=\"card warn\">%s%s", word(h, SAY_WHY), word(h, SAY_COLON));
		put(h, sw_word_known(page(h, "why"), h->v->locale));
		sw_buf_cat(h->b, "</p>\n");
	}
}

/* The first button is what Enter presses: it does nothing, so that nobody decides by typing a name. */
static void form(const struct html *h)
{
	sw_buf_cat(h->b, "<form class=\"card\" method=\"post\">\n<button type=\"submit\" disabled hidden></button>\n");
	if (h->v->kind == APPROVE_WRONG) {
		sw_buf_cat(h->b, "<p class=\"wrong\" role=\"alert\">");
		sw_buf_cat(h->b, word(h, sw_streq(h->v->wrong, "name") ? SAY_WRONG_NAME : sw_streq(h->v->wrong, "long") ? SAY_WRONG_LONG : SAY_WRONG_FORM));
		sw_buf_cat(h->b, "</p>\n");
	}
	sw_buf_printf(h->b, "<label for=\"name\">%s</label>\n<input id=\"name\" name=\"name\" required maxlength=\"%d\" autocomplete=\"name\" value=\"",
	              word(h, SAY_NAME), APPROVE_NAME_MAX);
	put(h, h->v->name);
	sw_buf_printf(h->b,
	              "\">\n<div class=\"two\"><button class=\"yes\" type=\"submit\" name=\"decision\" value=\"approve\">%s</button>\n"
	              "<button class=\"no\" type=\"submit\" name=\"decision\" value=\"refuse\">%s</button></div>\n</form>\n<p class=\"foot\">%s %s</p>\n",
	              word(h, SAY_YES), word(h, SAY_NO), word(h, SAY_NAME_HELP), word(h, SAY_FOOT));
}

static void pair(const struct html *h, enum say name, const char *value)
{
	sw_buf_printf(h->b, "<p>%s%s", word(h, name), word(h, SAY_COLON));
	put(h, value);
	sw_buf_cat(h->b, "</p>\n");
}

/* What came of it, for every page that is not the form. */
static void outcome(const struct html *h)
{
	const struct approve_view *v = h->v;
	const char *by = sw_jstr(v->act, "decided_by"), *state = sw_jstr(v->act, "state"), *why = sw_jstr(v->act, "why");
	bool yes = sw_jbool(v->act, "approved", false), skipped = sw_streq(state, "skipped");
	enum say text = kinds[v->kind].text;

	sw_buf_cat(h->b, "<section class=\"card\">\n");
	if (v->kind == APPROVE_MINE && !v->yes)
		text = SAY_P_MINE_NO;
	if (v->kind == APPROVE_MINE && v->yes && skipped)
		text = SAY_COUNT;
	if (v->kind == APPROVE_MINE && v->yes && sw_streq(state, "postponed"))
		text = SAY_P_MINE_WAITS;
	if (text != SAY_COUNT)
		sw_buf_printf(h->b, "<p>%s</p>\n", word(h, text));
	if (v->kind == APPROVE_DECIDED && by)
		pair(h, yes ? SAY_P_APPROVED_BY : SAY_P_REFUSED_BY, by);
	if (by && yes && skipped)
		pair(h, SAY_P_NOT_STARTED, sw_word_known(why, v->locale));
	else if (v->kind == APPROVE_OVER && why)
		pair(h, SAY_STATE, sw_word_known(why, v->locale));
	else if ((v->kind == APPROVE_DECIDED || v->kind == APPROVE_OVER) && state && !skipped)
		pair(h, SAY_STATE, sw_word_known(state, v->locale));
	sw_buf_cat(h->b, "</section>\n");
}

void sw_approve_html(const struct approve_view *v, struct sw_buf *out)
{
	const struct html h = { v, out };
	bool open = v->kind == APPROVE_ASK || v->kind == APPROVE_WRONG;
	const char *head = word(&h, v->kind == APPROVE_MINE && !v->yes ? SAY_H_MINE_NO : kinds[v->kind].head);

	sw_buf_printf(out,
	              "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><title>%s</title>\n"
	              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\n"
	              "<link rel=\"stylesheet\" href=\"style.css\"></head>\n<body><main>\n<h1>%s",
	              v->locale == SW_LOCALE_ZH ? "zh-CN" : "en", head, head);
	if (open) {
		sw_buf_putc(out, ' ');
		put(&h, page(&h, "service"));
		sw_buf_putc(out, '/');
		put(&h, page(&h, "environment"));
	}
	sw_buf_cat(out, "</h1>\n");
	if (!open)
		outcome(&h);
	if (v->page)
		facts(&h, open);
	if (open)
		form(&h);
	sw_buf_cat(out, "</main></body></html>\n");
}
