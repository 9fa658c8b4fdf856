/*
 * What is said about a rollback, in the reader's language: whole sentences (words.c has them), and sentences with holes, in which stands
 * what is not ours to translate: who it was, a number, what a host answered. A hole's own words are looked up once more, so that
 * "this place is on hold by shipwatch: on hold" is read in one language as far as we know the words.
 */
#include "model/words.h"

#include <string.h>

#include "base/str.h"

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

static void said_put(const char *s, enum sw_locale l, int depth, struct sw_buf *out)
{
	const char *whole = sw_word_known(s, l);
	struct hole holes[HOLES_MAX];
	size_t i = 0, n = 0;

	while (whole == s && depth && i < SW_COUNT(said) && !said_fits(said[i][0], s, holes))
		i++;
	if (whole != s || !depth || i == SW_COUNT(said)) {
		sw_buf_cat(out, whole);
		return;
	}
	for (const char *p = said[i][1]; *p; p++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf hole = SW_BUF_INIT;

		if (*p != '%') {
			sw_buf_putc(out, *p);
			continue;
		}
		sw_buf_catn(&hole, holes[n].s, holes[n].n);
		said_put(sw_buf_str(&hole), l, depth - 1, out);
		n++;
	}
}

const char *sw_word_said(const char *s, enum sw_locale l, struct sw_buf *room)
{
	if (!s || l == SW_LOCALE_EN)
		return s;
	sw_buf_reset(room);
	said_put(s, l, DEPTH_MAX, room);
	return sw_buf_str(room);
}
