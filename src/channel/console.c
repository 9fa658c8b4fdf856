/* The console: every message as plain text on the worker's standard output (and in console.log of the state directory).
 */
#include "shipwatch/plugin.h"

#include <string.h>

#define BUDGET ((size_t)16 * 1024)

struct console {
	int unused;
};

static const struct sw_key keys[] = { { 0 } };

static int console_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                          struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (size == SW_SIZE_LINE)
		sw_alert_title(al, BUDGET / 4, &b);
	else
		sw_alert_text(al, SW_MARKUP_PLAIN, size == SW_SIZE_FULL ? BUDGET : BUDGET / 2, &b);
	sw_buf_cat(&b, size == SW_SIZE_LINE ? "\n" : "\n\n"); /* messages are told apart by an empty line */
	memset(ret, 0, sizeof *ret);
	ret->kind = SW_JOB_PRINT;
	ret->body = sw_arena_strndup(a, sw_buf_str(&b), b.n);
	ret->body_n = b.n;
	return 0;
}

static struct sw_class console_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_OK };

	(void)sw_judge_transport(res, &ret, err);
	return ret;
}

const struct sw_channel sw_channel_console = {
	.base = { "console", "Plain text on standard output.", keys, sizeof(struct console) },
	.render = console_render,
	.judge = console_judge,
};
