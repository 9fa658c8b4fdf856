/* shipwatch dead: what could not be handled, and why. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/talk.h"

static void dead_line(const struct sw_jnode *d)
{
	time_t at = (time_t)(sw_jint(d, "at", 0) / 1000);
	const char *what = sw_jstr(d, "aggregate");
	char when[40] = "?", reason[300];
	struct tm tm;

	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
	if (!what || !*what)
		what = sw_jstr(d, "source") ? sw_jstr(d, "source") : "";
	(void)printf("%-20s %s  %-6s %-24s %s\n", sw_jstr(d, "id"), when, sw_jstr(d, "kind") ? sw_jstr(d, "kind") : "", what,
	             sw_err_quote(sw_jstr(d, "reason") ? sw_jstr(d, "reason") : "", strlen(sw_jstr(d, "reason") ? sw_jstr(d, "reason") : ""),
	                          reason, sizeof reason));
}

static int dead_list(struct sw_talk *t, int64_t count)
{
	struct sw_jnode *list;
	int r = sw_talk_query(t, sw_arena_printf(&t->a, "dead list - %lld", (long long)count), &list);

	if (r < 0)
		return SW_EXIT_WRONG;
	if (t->c.json) {
		(void)printf("%s\n", sw_talk_text(t));
		return SW_EXIT_OK;
	}
	for (const struct sw_jnode *d = list ? list->child : NULL; d; d = d->next)
		dead_line(d);
	if (!list || !list->child)
		(void)puts("no dead letters");
	return SW_EXIT_OK;
}

static int dead_show(struct sw_talk *t, const char *id)
{
	struct sw_jnode *d;

	if (sw_talk_query(t, sw_arena_printf(&t->a, "dead show %s", id), &d) < 0)
		return SW_EXIT_WRONG;
	if (!d) {
		(void)fprintf(stderr, "shipwatch: there is no dead letter %s\n", id);
		return SW_EXIT_WRONG;
	}
	if (t->c.json) {
		(void)printf("%s\n", sw_talk_text(t));
		return SW_EXIT_OK;
	}
	for (const struct sw_jnode *f = d->child; f; f = f->next) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_jw w;

		if (f->type == SW_J_STRING || f->type == SW_J_NUMBER) {
			sw_utf8_clean(&b, f->text, strlen(f->text), true);
		} else {
			sw_jw_init(&w, &b);
			sw_jw_node(&w, NULL, f);
		}
		(void)printf("%-10s %s\n", f->key, sw_buf_str(&b));
	}
	return SW_EXIT_OK;
}

static bool dead_id(const char *id)
{
	if (*id && !id[strspn(id, "0123456789-")])
		return true;
	(void)fprintf(stderr, "shipwatch: \"%.40s\" is not the id of a dead letter (1700000000000-0)\n", id);
	return false;
}

static int dead_end(struct sw_talk *t, const char *id, bool again)
{
	int r = sw_talk_dead_end(t, id, again);

	if (r == 1)
		(void)fprintf(stderr, "shipwatch: there is no dead letter %s\n", id);
	else if (r == 2)
		(void)fprintf(stderr, "shipwatch: dead letter %s says what happened, there is nothing in it to send again\n", id);
	else if (r == 0)
		(void)printf("dead letter %s is %s\n", id, again ? "sent again" : "dropped");
	return r ? SW_EXIT_WRONG : SW_EXIT_OK;
}

int sw_cli_dead(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"dead list [--count N] | show ID | retry ID [--who NAME] | drop ID [--who NAME]",
		"What could not be handled, newest first; one of them whole. retry sends it again: an event is taken in as if it came now, an\n"
		"alert goes to its channel. drop forgets it.\n",
		NULL, 1, 2,
	};
	struct sw_talk t = { 0 };
	int64_t count = 50;
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), { "count", 'n', SW_OPT_INT, &count, "N", "at most so many (50)", NULL, 1, 1000 }, SW_OPT_JSON(&t.c),
		SW_OPT_WHO(&t), { 0 },
	};
	int r, n = sw_options_read(&usage, opts, argc, argv, &r);
	const char *what;

	if (n < 0)
		return r;
	what = argv[1];
	if (!(sw_streq(what, "list") && n == 1) && !((sw_streq(what, "show") || sw_streq(what, "retry") || sw_streq(what, "drop")) && n == 2)) {
		(void)fprintf(stderr, "shipwatch: dead: want \"list\", \"show ID\", \"retry ID\" or \"drop ID\"\n");
		return SW_EXIT_USAGE;
	}
	if (n == 2 && !dead_id(argv[2]))
		return SW_EXIT_USAGE;
	if (sw_talk_open(&t) < 0)
		r = SW_EXIT_WRONG;
	else if (n == 1)
		r = dead_list(&t, count);
	else
		r = sw_streq(what, "show") ? dead_show(&t, argv[2]) : dead_end(&t, argv[2], sw_streq(what, "retry"));
	sw_talk_close(&t);
	return r;
}
