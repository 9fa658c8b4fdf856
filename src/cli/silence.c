/* What people do not want to hear for a while: silence add, list, end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/talk.h"
#include "engine/silences.h"
#include "shipwatch/clock.h"

static const char *silence_id(struct sw_talk *t)
{
	unsigned char chance[4];
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_random(chance, sizeof chance);
	sw_hex_encode(&b, chance, sizeof chance);
	ret = sw_arena_strdup(&t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static int silence_add(struct sw_talk *t, const struct sw_silence_cmd *o, sw_dur lasts)
{
	struct sw_decider by = sw_talk_by(t);
	const char *id = silence_id(t);
	struct sw_silence_cmd s = *o;
	int r;

	s.id = id;
	s.until = by.at + lasts;
	r = sw_talk_append(t, SILENCES_KEY, sw_command_silence(&t->a, &by, &s));
	if (r == 0)
		(void)printf("%s %s by %s; `shipwatch silence end %s` ends it\n", o->maintenance ? "maintenance" : "silence", id, t->who, id);
	return r;
}

static int silence_items(struct sw_talk *t, const struct sw_jnode **ret)
{
	struct sw_jnode *got;
	int r = sw_talk_query(t, "aggregate " SILENCES_KEY, &got);

	*ret = sw_jget(sw_jget(got, "state"), "items");
	return r;
}

static void silence_print(const struct sw_jnode *x, sw_ms now)
{
	static const char *const keys[] = { "service", "env", "rule", "severity" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	sw_ms until = sw_jint(x, "until", 0);

	sw_buf_printf(&b, "%-10s %-6s ", sw_jstr(x, "id"), until > now ? "on" : "over");
	sw_time_print(until / 1000 * 1000, &b);
	if (sw_jbool(x, "maintenance", false))
		sw_buf_cat(&b, "  maintenance");
	for (size_t i = 0; i < SW_COUNT(keys); i++)
		if (sw_jstr(x, keys[i]))
			sw_buf_printf(&b, "  %s=%s", keys[i], sw_jstr(x, keys[i]));
	sw_buf_printf(&b, "  by %s", sw_jstr(x, "who") ? sw_jstr(x, "who") : "somebody");
	if (sw_jstr(x, "why"))
		sw_buf_printf(&b, ": %s", sw_jstr(x, "why"));
	(void)puts(sw_buf_str(&b));
}

static int silence_list(struct sw_talk *t)
{
	const struct sw_jnode *items;
	int r = silence_items(t, &items);

	if (r < 0)
		return r;
	if (t->c.json) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_jw w;

		sw_jw_init(&w, &b);
		if (items)
			sw_jw_node(&w, NULL, items);
		(void)puts(items ? sw_buf_str(&b) : "[]");
		return 0;
	}
	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next)
		silence_print(x, sw_clock_wall());
	if (!items || !items->n)
		(void)puts("no silences");
	return 0;
}

static int silence_end(struct sw_talk *t, const char *id)
{
	struct sw_decider by = sw_talk_by(t);
	const struct sw_jnode *items, *found = NULL;
	int r = silence_items(t, &items);

	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next)
		if (sw_streq(sw_jstr(x, "id"), id))
			found = x;
	if (r == 0 && !found) {
		(void)fprintf(stderr, "shipwatch: there is no silence \"%.40s\"; `shipwatch silence list` names them\n", id);
		return -1;
	}
	if (r == 0)
		r = sw_talk_append(t, SILENCES_KEY, sw_command_silence_end(&t->a, &by, id));
	if (r == 0)
		(void)printf("silence %s is over; what it held back and is still so is told within a minute\n", id);
	return r;
}

/* What is wrong with the words of the command line; NULL: nothing. */
static const char *silence_wrong(int n, char **argv, const struct sw_silence_cmd *o)
{
	if (strcmp(argv[1], "add") == 0)
		return n != 1 ? "add takes no further word" : sw_silence_wrong(o);
	if (strcmp(argv[1], "list") == 0)
		return n != 1 ? "list takes no further word" : NULL;
	if (strcmp(argv[1], "end") == 0)
		return n != 2 ? "end wants the id of a silence" : NULL;
	return "want add, list or end";
}

int sw_cli_silence(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"silence add [--service GLOB] [--env GLOB] [--rule GLOB] [--severity WORD] [--maintenance] [--for 1h] [--why TEXT] | list | end ID",
		"Messages that fit are held back until it is over; what is still so then is told, what is over is not. Actions go on: `hold` stops\n"
		"those, and so does `--maintenance` for as long as it lasts.\n",
		NULL, 1, 2,
	};
	struct sw_talk t = { 0 };
	struct sw_silence_cmd o = { 0 };
	sw_dur lasts = SW_HOUR;
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), SW_OPT_WHO(&t), SW_OPT_JSON(&t.c),
		{ "service", 0, SW_OPT_TEXT, &o.service, "GLOB", "of these services" },
		{ "env", 0, SW_OPT_TEXT, &o.env, "GLOB", "of these environments" },
		{ "rule", 0, SW_OPT_TEXT, &o.rule, "GLOB", "of these rules" },
		{ "severity", 0, SW_OPT_TEXT, &o.severity, "WORD", "info, warning or critical" },
		{ "maintenance", 0, SW_OPT_FLAG, &o.maintenance, NULL, "it is expected to be ill: no action starts by itself either" },
		{ "for", 0, SW_OPT_DUR, &lasts, "TIME", "how long; 1h unless said, 30d at most", NULL, SW_SECOND, SILENCE_LONGEST },
		{ "why", 0, SW_OPT_TEXT, &o.why, "TEXT", "told with everything it holds back" }, { 0 },
	};
	const char *wrong;
	int r, n = sw_options_read(&usage, opts, argc, argv, &r);

	if (n < 0)
		return r;
	wrong = silence_wrong(n, argv, &o);
	if (wrong) {
		(void)fprintf(stderr, "shipwatch: silence: %s\n", wrong);
		return SW_EXIT_USAGE;
	}
	r = sw_talk_open(&t);
	if (r == 0)
		r = strcmp(argv[1], "add") == 0 ? silence_add(&t, &o, lasts) : strcmp(argv[1], "list") == 0 ? silence_list(&t) : silence_end(&t, argv[2]);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
