/* What people decided: commands among the messages of steps, and lines of what was done beside them. */
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"

/* A decision as a row: what it is about, as far as that is known. */
struct said { const char *what, *who, *target, *service, *environment, *why, *via; sw_ms at; };

static void said_add(struct fold *f, const struct entry *e, const struct said *x, struct raw raw)
{
	struct sw_stmt *st;

	raw = sw_fold_json(f, raw);
	st = sw_fold_stmt(f, ST_DECISION);
	sw_fold_bind(st, "sbisssssssn", e->id, e->n, (int64_t)(x->at ? x->at : e->at), x->who ? x->who : "somebody", x->what, x->target, x->service, x->environment,
	             x->why, x->via, raw.p, raw.n);
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_DECISIONS;
}

/* Service and environment of an alert that is known. */
static void said_alert(struct fold *f, struct said *x)
{
	struct sw_stmt *st = sw_fold_stmt(f, ST_ALERT_PLACE);

	sw_fold_bind(st, "s", x->target);
	if (!sw_fold_row(f, st))
		return;
	x->service = sw_arena_strdup(&f->a, sw_stmt_get_text(st, 0, NULL));
	x->environment = sw_arena_strdup(&f->a, sw_stmt_get_text(st, 1, NULL));
	sw_stmt_reset(st);
}

void sw_fold_cmd(struct fold *f, struct entry *e, const struct sw_jnode *msg, struct raw raw)
{
	struct said x = { .what = sw_jstr(msg, "do"), .who = sw_jstr(msg, "who"), .why = sw_jstr(msg, "why"), .via = sw_jstr(msg, "via"), .service = e->service,
		          .environment = e->environment, .at = e->at };
	static const struct { const char *what, *key; } targets[] = {
		{ "approve", "act" }, { "refuse", "act" }, { "cancel", "watch" }, { "label", "dep" }, { "silence", "id" }, { "end", "id" } };

	if (!x.what)
		return;
	/* A hold of a place comes besides its own line of the journal, which is the decision. */
	if (e->service && (sw_streq(x.what, "hold") || sw_streq(x.what, "release")))
		return;
	for (size_t i = 0; i < SW_COUNT(targets); i++)
		if (sw_streq(x.what, targets[i].what))
			x.target = sw_jstr(msg, targets[i].key);
	if (sw_streq(x.what, "silence")) {
		x.service = sw_jstr(msg, "service");
		x.environment = sw_jstr(msg, "env");
	} else if (sw_starts(e->agg, "alert:")) {
		x.target = e->agg + strlen("alert:");
		said_alert(f, &x);
	}
	said_add(f, e, &x, raw);
}

/* {"t":"hold","on":…,"scope":…,"who":…,"why":…,"at":…}, {"t":"dead","id":…,"again":…,"who":…,"at":…}, {"t":"said","do":…,"who":…,…} */
void sw_fold_said(struct fold *f, struct entry *e, const struct sw_jnode *line, struct raw raw)
{
	struct said x = { .what = sw_jstr(line, "do"), .who = sw_jstr(line, "who"), .why = sw_jstr(line, "why"), .via = sw_jstr(line, "via"),
		          .target = sw_jstr(line, "target"), .service = sw_jstr(line, "service"), .environment = sw_jstr(line, "environment"),
		          .at = sw_jint(line, "at", 0) };
	const char *slash;

	e->n = 0;
	if (sw_streq(e->t, "hold")) {
		x.what = sw_jbool(line, "on", false) ? "hold" : "release";
		x.target = sw_jstr(line, "scope");
		if (x.target && !*x.target)
			x.target = NULL;
		slash = x.target ? strchr(x.target, '/') : NULL;
		x.service = slash ? sw_arena_strndup(&f->a, x.target, (size_t)(slash - x.target)) : x.target;
		x.environment = slash ? slash + 1 : NULL;
	} else if (sw_streq(e->t, "dead")) {
		x.what = x.what ? x.what : sw_jbool(line, "again", false) ? "retry" : "drop";
		x.target = sw_jstr(line, "id");
	}
	if (!x.what || !x.who || !x.at) {
		f->skipped++;
		return;
	}
	said_add(f, e, &x, raw);
}

/* shipwatch deploy: a person told of it. */
void sw_fold_deployed(struct fold *f, struct entry *e, const struct sw_event *ev, struct raw raw)
{
	struct said x = { .what = "deploy", .who = ev->user, .target = sw_arena_printf(&f->a, "%s/%s", e->service, e->environment), .service = e->service,
		          .environment = e->environment, .via = "command line", .at = e->at };

	said_add(f, e, &x, raw);
}
