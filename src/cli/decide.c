/* shipwatch approve and refuse: a person decides about a rollback that waits for it, and hears whether it was the first to. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "bus/bus.h"
#include "cli/cli.h"
#include "cli/found.h"
#include "shipwatch/clock.h"

#define WAIT_MS    8000 /* for a worker to read it */
#define EVERY_MS   50

static bool decide_name(const char *who)
{
	if (sw_command_name_ok(who))
		return true;
	(void)fprintf(stderr, "shipwatch: --by: want a name of 1 to %d bytes on one line\n", SW_COMMAND_NAME);
	return false;
}

/* Until it is not asked any more, or nobody reads it. */
static int decide_wait(struct sw_talk *t, const char *act, struct sw_found *f)
{
	int r = 0;

	for (int waited = 0; r == 0 && waited < WAIT_MS && sw_streq(sw_jstr(f->item, "state"), "asking"); waited += EVERY_MS) {
		(void)nanosleep(&(struct timespec){ .tv_nsec = EVERY_MS * 1000000L }, NULL);
		r = sw_find_action(t, act, f);
	}
	return r;
}

static int decide_tell(const struct sw_found *f, const char *decision, bool yes)
{
	const char *place = f->aggregate + strlen("place:"), *state = sw_jstr(f->item, "state"), *by = sw_jstr(f->item, "decided_by"),
		   *why = sw_jstr(f->item, "why");
	bool mine = sw_streq(sw_jstr(f->item, "decision"), decision), skipped = sw_streq(state, "skipped");

	if (sw_streq(state, "asking")) {
		(void)fprintf(stderr, "shipwatch: stored, but no worker has read it yet; `shipwatch status` shows what comes of it\n");
		return SW_EXIT_WRONG;
	}
	if (mine && yes && skipped) {
		(void)fprintf(stderr, "shipwatch: approved, but it does not begin: %s\n", why ? why : "a guard forbids it");
		return SW_EXIT_WRONG;
	}
	if (mine) {
		(void)printf("%s: rollback %s is %s by %s\n", place, sw_jstr(f->item, "action"), yes ? "approved" : "refused", by);
		return SW_EXIT_OK;
	}
	if (by)
		(void)fprintf(stderr, "shipwatch: already decided: %s by %s\n", sw_jbool(f->item, "approved", false) ? "approved" : "refused", by);
	else
		(void)fprintf(stderr, "shipwatch: nobody is asked any more: %s%s%s\n", state ? state : "?", why ? ", " : "", why ? why : "");
	return SW_EXIT_WRONG;
}

static int decide(int argc, char **argv, bool yes)
{
	static const struct sw_usage usages[] = {
		{ "refuse ACTION [--by NAME]", "Says no to a rollback that waits for approval. `status` and the messages name the action.\n", NULL, 1, 1 },
		{ "approve ACTION [--by NAME]",
		  "Says yes to a rollback that waits for approval: all guards are checked again, then it begins. `status` and the messages name the\n"
		  "action. The first decision counts.\n", NULL, 1, 1 },
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), { "by", 0, SW_OPT_TEXT, &t.who, "NAME", "who decides, told to everybody; your user name unless said", NULL, 0, 0 }, { 0 },
	};
	char decision[SW_ID_SIZE] = "";
	struct sw_found f;
	int r;

	if (sw_options_read(&usages[yes], opts, argc, argv, &r) < 0)
		return r;
	if (t.who && !decide_name(t.who))
		return SW_EXIT_USAGE;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_find_action(&t, argv[1], &f);
	sw_id_new(sw_clock_wall(), decision);
	if (r == 0 && sw_streq(sw_jstr(f.item, "state"), "asking")) {
		struct sw_decider by = sw_talk_by(&t);

		r = sw_talk_append(&t, f.aggregate, sw_command_decide(&t.a, &by, argv[1], yes, decision));
		if (r == 0)
			r = decide_wait(&t, argv[1], &f);
	}
	r = r < 0 ? SW_EXIT_WRONG : decide_tell(&f, decision, yes);
	sw_talk_close(&t);
	return r;
}

int sw_cli_approve(int argc, char **argv) { return decide(argc, argv, true); }
int sw_cli_refuse(int argc, char **argv) { return decide(argc, argv, false); }
