/*
 * What is said about a rollback and what a comparison saw, in the reader's language: whole sentences (words.c has them), and sentences with holes, in which stands
 * what is not ours to translate: who it was, a number, what a host answered. A hole's own words are looked up once more, so that
 * "this place is on hold by shipwatch: on hold" is read in one language as far as we know the words.
 */
#include "model/words.h"

#include <string.h>

#include "base/str.h"
#include "shipwatch/sample.h"

#define HOLES_MAX 4
#define DEPTH_MAX 3 /* sentences within sentences */

/* '%' is a hole; the translation has the same ones, in this order. */
static const char *const said[][2] = {
	/* src/engine/act.c */
	{ "everything is on hold: %", "全部暂停：%" },
	{ "approved by %", "批准人：%" },
	{ "refused by %", "已被拒绝，拒绝人：%" },
	{ "this place is on hold by %: %", "此环境已由 % 暂停：%" },
	{ "this place is on hold by %", "此环境已由 % 暂停" },
	{ "this place is in maintenance by %: %", "此环境处于维护中（%）：%" },
	{ "this place is in maintenance by %", "此环境处于维护中（%）" },
	{ "this place is in maintenance: %", "此环境处于维护中：%" },
	{ "limit of this place reached (% in 30 min, % in 24 h); it is on hold now",
	  "此环境的回滚次数已达上限（30 分钟内 % 次，24 小时内 % 次），现已暂停" },
	{ "not sure for 60 s to know the newest events (%)", "60 秒内无法确定已收到最新事件（%）" },
	/* how requests and programs end: src/model/job.c, src/model/hook.c, src/action/exec.c */
	{ "HTTP status %", "HTTP 状态码 %" },
	{ "ended with %: %", "程序以状态 % 结束：%" },
	{ "ended with %", "程序以状态 % 结束" },
	/* anything that says in brackets what is not ours */
	{ "% (%)", "% (%)" },
};

/* Why there is no value: data says it by these words (sample.c), people do not. */
static const struct { enum sw_reading r; const char *words[2]; } readings[] = {
	{ SW_R_ABSENT, { "no data", "没有数据" } },
	{ SW_R_NAN, { "not a number", "不是数值" } },
	{ SW_R_STALE, { "out of date", "数据过期" } },
	{ SW_R_ERROR, { "no answer", "查询失败" } },
	{ SW_R_TOO_FEW, { "too little data", "数据过少" } },
};

/* Pieces of what was seen, between commas and semicolons. */
static const char *const seen[][2] = {
	{ "healthy", "健康" }, { "failing", "异常" }, { "true", "是" }, { "false", "否" }, { "null", "无" },
	/* regressed(): src/engine/measure.c, src/stats/regress.c */
	{ "% looks", "检查 % 次" }, { "tier %", "检验方式 %" }, { "p % of %", "p %（限 %）" }, { "p %", "p %" }, { "%x (% to %)", "% 倍（% 至 %）" },
	{ "% x before", "部署前的 % 倍" }, { "on % earlier days at this time: %", "之前 % 天的同一时段：%" }, { "%x would be seen", "达到 % 倍才能察觉" },
	{ "too few samples yet", "样本尚少" }, { "too few points before the deployment", "部署前的数据点过少" }, { "not enough traffic to tell", "流量不足，无法判断" },
	{ "not enough history for a rank test", "历史数据不足，无法做秩检验" }, { "smaller than asked for", "变化小于要求" },
	{ "not in each of the last samples", "最近的样本并非全部异常" }, { "went away", "已消失" }, { "as on other days", "与往日相同" },
	{ "began before the deployment", "部署前已开始" }, { "there is no current reading", "没有当前读数" },
	{ "what it was before the deployment is not known yet", "部署前的情况尚不清楚" }, { "what was known of the time before is gone", "部署前的数据已丢失" },
	{ "too few readings", "读数过少" }, { "% of the % readings that it takes", "% / %（所需读数）" },
	/* what stood between a condition and a verdict: src/engine/explain.c */
	{ "before", "部署前" }, { "own network", "自身网络" }, { "asleep", "停顿" }, { "traffic", "流量" }, { "others", "其他服务" }, { "transient", "短暂异常" },
	{ "data", "数据" },
	{ "it began before the deployment, says regressed()", "regressed() 判断：部署前已开始" }, { "it was so before the deployment already", "部署前已是如此" },
	{ "not asked: this deployment is a rollback", "未检查：此次部署是回滚" }, { "it was not so before the deployment", "部署前并非如此" },
	{ "how it was before the deployment is not known", "部署前的情况未知" }, { "the reference address answered", "参照地址有回应" },
	{ "not asked: there is no `reference:`", "未检查：没有配置 reference:" },
	{ "the reference address does not answer either: no verdict before it does", "参照地址也没有回应：在其恢复前不下结论" },
	{ "the worker was not there for a while: no verdict before a fresh look", "worker 曾停顿：重新检查前不下结论" },
	{ "other services of the tier failed at the same time, and no deployment of theirs explains it", "同级的其他服务同时异常，且不是它们自己的部署所致" },
	{ "no two other services of the tier failed at the same time", "同级没有两个其他服务同时异常" },
	{ "it was worse for a while and went away: a pass, with a warning", "一度变差后恢复：通过，并给出警告" },
	{ "% of % checks said something", "% / % 次检查有结果" }, { "it takes % and the last", "需要 % 以及最后一次" },
	{ "how many requests there were is not known", "请求数未知" }, { "% requests", "% 次请求" }, { "it takes %", "需要 %" },
};

struct hole {
	const char *s;
	size_t n;
};

/* Does s read like the pattern? A hole ends where what follows it begins; the last one takes the rest. */
static bool said_fits(const char *pattern, const char *s, struct hole holes[HOLES_MAX])
{
	size_t n = 0;

	while (*pattern) {
		const char *next = pattern + strcspn(pattern, "%");
		size_t literal = (size_t)(next - pattern), len;
		const char *end;

		if (strncmp(pattern, s, literal) != 0)
			return false;
		s += literal;
		if (!*next)
			return !*s;
		pattern = next + 1;
		len = strcspn(pattern, "%");
		end = !len ? s + strlen(s) : memmem(s, strlen(s), pattern, len);
		while (len && end && !pattern[len] && end[len]) /* the pattern ends with it: so must s */
			end = memmem(end + 1, strlen(end + 1), pattern, len);
		if (!end || end == s || n == HOLES_MAX)
			return false;
		holes[n++] = (struct hole){ s, (size_t)(end - s) };
		s = end;
	}
	return !*s;
}

/* The first of the patterns that s reads like, in Chinese, with what is known in its holes. False: none. */
static bool said_find(const char *const (*list)[2], size_t count, const char *s, int depth, struct sw_buf *out)
{
	struct hole holes[HOLES_MAX];
	size_t i = 0, n = 0;

	while (i < count && !said_fits(list[i][0], s, holes))
		i++;
	if (i == count)
		return false;
	for (const char *p = list[i][1]; *p; p++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf hole = SW_BUF_INIT;
		const char *whole;

		if (*p != '%') {
			sw_buf_putc(out, *p);
			continue;
		}
		sw_buf_catn(&hole, holes[n].s, holes[n].n);
		whole = sw_word_known(sw_buf_str(&hole), SW_LOCALE_ZH);
		if (whole != sw_buf_str(&hole) || depth == 1 || !said_find(said, SW_COUNT(said), whole, depth - 1, out))
			sw_buf_cat(out, whole);
		n++;
	}
	return true;
}

const char *sw_word_said(const char *s, enum sw_locale l, struct sw_buf *room)
{
	const char *whole = sw_word_known(s, l);

	if (!s || l == SW_LOCALE_EN || whole != s)
		return whole;
	sw_buf_reset(room);
	return said_find(said, SW_COUNT(said), s, DEPTH_MAX, room) ? sw_buf_str(room) : s;
}

/* Ends at ", " or "; ", or with s. */
static size_t piece_length(const char *s)
{
	size_t n = strcspn(s, ",;");

	while (s[n] && s[n + 1] != ' ')
		n += 1 + strcspn(s + n + 1, ",;");
	return n;
}

const char *sw_word_seen(const char *s, enum sw_locale l, struct sw_buf *room)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf piece = SW_BUF_INIT;
	bool known = false;

	for (size_t i = 0; s && i < SW_COUNT(readings); i++)
		if (sw_streq(s, sw_reading_name(readings[i].r)))
			return readings[i].words[l];
	if (!s || l == SW_LOCALE_EN || *s == '"' || *s == '[') /* texts and lists are not ours */
		return s;
	sw_buf_reset(room);
	if (said_find(seen, SW_COUNT(seen), s, 1, room))
		return sw_buf_str(room);
	for (const char *p = s; *p;) {
		size_t n = piece_length(p);

		sw_buf_reset(&piece);
		sw_buf_catn(&piece, p, n);
		if (said_find(seen, SW_COUNT(seen), sw_buf_str(&piece), 1, room))
			known = true;
		else
			sw_buf_cat(room, sw_buf_str(&piece));
		if (p[n])
			sw_buf_cat(room, p[n] == ';' ? "；" : "，");
		p += n + (p[n] ? 2 : 0);
	}
	return known ? sw_buf_str(room) : sw_word_said(s, l, room); /* else it is what a host answered */
}
