/* What others ask of a channel: does it know digests, what its robot bears, and how it stands before something is sent to it. */
#include <string.h>

#include "engine/channel.h"
#include "shipwatch/clock.h"

bool sw_channel_digests(const struct sw_engine_channel *c)
{
	return c->pace_count > 0 && c->digest_above > 0 && !c->program;
}

int sw_channel_reserve(const struct sw_engine_channel *c)
{
	return sw_channel_digests(c) && c->pace_per >= SW_MINUTE / 2 ? c->pace_count / 6 : 0;
}

int sw_channel_month(const struct step *s, const struct sw_engine_channel *c)
{
	struct sw_buf b = SW_BUF_INIT;
	int month = 0;

	if (!c->quota)
		return 0;
	sw_time_print_local(s->now, s->e->tz_offset_s, true, &b); /* "2026-11-28 …" */
	for (const char *p = sw_buf_str(&b); p < b.p + 7; p++)
		month = *p == '-' ? month : month * 10 + (*p - '0');
	sw_buf_fini(&b);
	return month;
}

bool sw_channel_notable(const struct sw_engine_channel *c, int64_t calls)
{
	return c && c->quota && calls > 0 && calls * 100 / c->quota != (calls - 1) * 100 / c->quota;
}

bool sw_channel_look(struct step *s, const char *channel, struct channel_seen *ret)
{
	const char *text;
	struct sw_jnode *n;

	memset(ret, 0, sizeof *ret);
	if (!sw_step_snap(s, sw_arena_printf(s->a, "channel:%s", channel), &text))
		return false;
	if (!text || sw_jtree_parse(s->a, text, strlen(text), 10000, &n, NULL) < 0)
		return true;
	ret->down = sw_jget(n, "down") != NULL;
	ret->frozen = sw_jbool(n, "frozen", false);
	ret->until = sw_jint(sw_jget(n, "waiting"), "until", 0);
	ret->waits = sw_jint(sw_jget(n, "waiting"), "total", 0) > 0;
	return true;
}
