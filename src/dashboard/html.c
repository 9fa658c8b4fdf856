/* The pieces that pages are made of: text, links, times, lengths, badges. What comes from outside is escaped here and nowhere else. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/zone.h"
#include "dashboard/inner.h"
#include "model/words.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define SHA_SHOWN 8
#define DASH      "<span class=\"none\" aria-label=\"-\">–</span>"

/* One conversion, from '%' on: flags, width and l's are kept as they are. Return: what follows. */
static const char *html_convert(struct sw_buf *b, const char *f, va_list *ap)
{
	char spec[24], num[64];
	size_t n = strcspn(f + 1, "sducxX%") + 2;

	SW_ASSERT(n < sizeof spec);
	memcpy(spec, f, n);
	spec[n] = '\0';
	switch (f[n - 1]) {
	case 's':
		sw_html_text(b, va_arg(*ap, const char *));
		break;
	case 'c':
		num[0] = (char)va_arg(*ap, int);
		sw_html_textn(b, num, 1);
		break;
	case '%':
		sw_buf_putc(b, '%');
		break;
	default:
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (strstr(spec, "ll"))
			(void)snprintf(num, sizeof num, spec, va_arg(*ap, long long));
		else if (strchr(spec, 'l'))
			(void)snprintf(num, sizeof num, spec, va_arg(*ap, long));
		else if (strchr(spec, 'z'))
			(void)snprintf(num, sizeof num, spec, va_arg(*ap, size_t));
		else
			(void)snprintf(num, sizeof num, spec, va_arg(*ap, int));
#pragma GCC diagnostic pop
		sw_buf_cat(b, num);
	}
	return f + n;
}

void sw_html(struct sw_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		size_t n = strcspn(fmt, "%");

		sw_buf_catn(b, fmt, n);
		fmt += n;
		if (*fmt)
			fmt = html_convert(b, fmt, &ap);
	}
	va_end(ap);
}

void sw_html_url(struct sw_buf *b, const char *s)
{
	if (s)
		sw_pct_encode(b, s, strlen(s));
}

void sw_html_link(struct sw_buf *b, const char *url, const char *words)
{
	if (url && (sw_starts(url, "https://") || sw_starts(url, "http://")))
		sw_html(b, "<a class=\"out\" href=\"%s\" rel=\"noopener noreferrer\">%s</a>", url, words);
	else
		sw_html_text(b, words);
}

void sw_html_time(struct page *p, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf local = SW_BUF_INIT, utc = SW_BUF_INIT;
	int offset = sw_config_tz_offset(p->cfg, at);
	const char *text;

	if (at <= 0) {
		sw_buf_cat(&p->out, DASH);
		return;
	}
	sw_time_print_local(at, offset, true, &local);
	sw_time_print(at, &utc);
	text = sw_buf_str(&local);
	/* The year of another year only; the whole is in the title. */
	if (local.n == 19 && p->now - at < 180 * SW_DAY && at - p->now < 180 * SW_DAY)
		text += 5;
	sw_html(&p->out, "<time datetime=\"%s\" title=\"%s %s\">%s</time>", sw_buf_str(&utc), sw_buf_str(&local), p->cfg->timezone ? p->cfg->timezone : "UTC", text);
}

void sw_html_dur(struct page *p, double ms)
{
	struct sw_buf *b = &p->out;
	long long s;

	if (!(ms >= 0) || isinf(ms)) {
		sw_buf_cat(b, DASH);
		return;
	}
	sw_buf_cat(b, "<span class=\"dur\">");
	s = (long long)(ms / 1000 + 0.5);
	if (ms < 1000)
		sw_buf_printf(b, "%.0f ms", ms);
	else if (ms < 10000)
		sw_buf_printf(b, "%.1f s", ms / 1000);
	else if (s < 60)
		sw_buf_printf(b, "%lld s", s);
	else if (s < 3600)
		sw_buf_printf(b, "%lld m %02lld s", s / 60, s % 60);
	else if (s < 86400)
		sw_buf_printf(b, "%lld h %02lld m", s / 3600, s % 3600 / 60);
	else
		sw_buf_printf(b, "%lld d %lld h", s / 86400, s % 86400 / 3600);
	sw_buf_cat(b, "</span>");
}

void sw_html_sha(struct page *p, const char *sha)
{
	if (!sha || !*sha) {
		sw_buf_cat(&p->out, DASH);
		return;
	}
	sw_html(&p->out, "<code class=\"sha\" title=\"%s\">", sha);
	sw_html_textn(&p->out, sha, sw_utf8_cut(sha, strlen(sha), SHA_SHOWN));
	sw_buf_cat(&p->out, "</code>");
}

/* ---- badges ---- */

static const struct { const char *word, *tone, *zh; } badges[] = {
	/* clang-format off */
	{ "pass", "good", "通过" }, { "success", "good", "成功" }, { "resolved", "good", "已恢复" }, { "done", "good", "完成" }, { "verified", "good", "已确认恢复" },
	{ "sent", "good", "已发送" }, { "good", "good", "良好" }, { "up", "good", "正常" }, { "ok", "good", "正常" }, { "healthy", "good", "健康" }, { "acked", "good", "已认领" },
	{ "approved", "good", "已批准" }, { "approve", "good", "批准" },
	{ "fail", "bad", "失败" }, { "failed", "bad", "失败" }, { "failure", "bad", "失败" }, { "error", "bad", "出错" }, { "critical", "bad", "严重" }, { "firing", "bad", "触发" },
	{ "dead", "bad", "无法送达" }, { "down", "bad", "不可用" }, { "bad", "bad", "不良" }, { "ineffective", "bad", "未见效" }, { "unhealthy", "bad", "异常" },
	{ "warning", "warn", "警告" }, { "inconclusive", "warn", "无法判断" }, { "unknown", "warn", "未知" }, { "asking", "warn", "等待批准" },
	{ "postponed", "warn", "已推迟" }, { "hold", "warn", "已暂停" }, { "held", "warn", "已暂停" }, { "repeat", "warn", "可能重复" }, { "rolled back", "warn", "已回滚" }, { "refused", "warn", "已拒绝" }, { "refuse", "warn", "拒绝" },
	{ "running", "run", "进行中" }, { "open", "run", "观察中" }, { "watching", "run", "观察中" }, { "follow", "run", "跟踪中" }, { "started", "run", "已开始" }, { "starting", "run", "即将开始" },
	{ "sending", "run", "发送中" }, { "waits", "run", "等待发送" }, { "waiting", "run", "等待中" }, { "proposed", "run", "待执行" }, { "grace", "run", "等待新版本" }, { "pending", "run", "等待中" },
	{ "info", "info", "提示" }, { "push", "info", "推送" }, { "tag", "info", "标签" }, { "pipeline", "info", "流水线" }, { "job", "info", "任务" }, { "deployment", "info", "部署" },
	{ "release", "info", "发布" }, { "merge", "info", "合并" }, { "report", "info", "报告" }, { "alarm", "info", "告警" }, { "rollback", "info", "回滚" }, { "silence", "info", "静默" },
	{ "maintenance", "info", "维护" },
	{ "created", "idle", "已创建" }, { "skipped", "idle", "已跳过" }, { "cancelled", "idle", "已取消" }, { "canceled", "idle", "已取消" }, { "superseded", "idle", "已被取代" },
	{ "inactive", "idle", "已失效" }, { "silenced", "idle", "已静默" }, { "merged", "idle", "已合并" }, { "dropped", "idle", "已丢弃" }, { "closed", "idle", "已关闭" },
	{ "dry-run", "idle", "演练" }, { "none", "idle", "无" }, { "over", "idle", "已结束" }, { "other", "idle", "其他" }, { "told", "idle", "已通知" },
	/* clang-format on */
};

static size_t badge_find(const char *word)
{
	size_t i = 0;

	while (i < SW_COUNT(badges) && !sw_streq(badges[i].word, word))
		i++;
	return i;
}

const char *dash_badge_word(struct page *p, const char *word)
{
	size_t i = badge_find(word);

	return i < SW_COUNT(badges) ? W(p, word, badges[i].zh) : sw_word_known(word, p->locale);
}

void sw_html_badge(struct page *p, const char *word)
{
	size_t i = badge_find(word);

	if (!word || !*word)
		sw_buf_cat(&p->out, DASH);
	else
		sw_html(&p->out, "<span class=\"badge %s\">%s</span>", i < SW_COUNT(badges) ? badges[i].tone : "idle", dash_badge_word(p, word));
}
