/*
 * A deed: what an operator decides, from the form to what came of it.
 *
 *   find its aggregate ─▶ look at it ─▶ append the command ─▶ until a worker has read it (bounded) ─▶ say what came of it
 *
 * Nothing is decided here: the engine does, so that the first decision counts and a form sent twice changes nothing.
 */
#ifndef SW_DASHBOARD_DEED_H
#define SW_DASHBOARD_DEED_H

#include "dashboard/inner.h"
#include "model/command.h"

#define DEED_PLACES 1000        /* looked through for what no history names */

struct deed {
	struct page *p;
	struct sw_decider by;
	const char *what, *target;   /* for the log and the metric: "approve", "action 1c33c4ae924e" */
	const char *back;            /* where it leads afterwards */
	const char *aggregate, *msg;
	const struct sw_jnode *state; /* of the aggregate as it was read last; NULL: there is none */
	sw_ms now;
	int64_t v;                   /* version when the command was appended */
	bool sent;
	sw_dur poll, waited, most;   /* most: to wait for a worker */
	struct sw_arena last;
	/* Looked at before: NULL and d->msg is set: append it; else the answer was given by deed_say. */
	bool (*look)(struct deed *d);
	/* Looked at afterwards, whenever its state was read: true: deed_say was called. NULL: done when the version moved. */
	bool (*came)(struct deed *d);
	const char *done;            /* said when came is NULL */
	/* finding: lists of the places' states ("watches") are searched for this id */
	const char *list, *id;
	const char **names;
	size_t n_names, at;
	void *more;
};

/* A deed of this page; the answer comes later. what, target: constants or in the page's arena. */
struct deed *dash_deed(struct page *p, const char *what, const char *target);
/* With an aggregate that is known. */
void dash_deed_at(struct deed *d, const char *aggregate);
/* In the place whose list has that id: where the history says it is, else all places are looked through. */
void dash_deed_find(struct deed *d, const char *list, const char *id, const char *service, const char *environment);
/* The item of the list with that id, in its state now; NULL. */
const struct sw_jnode *dash_deed_item(const struct deed *d);
/* The end: a status for programs (200: well), words for people. */
void dash_deed_say(struct deed *d, int status, const char *words);
/* What a failure of Redis means for it. */
void dash_deed_failed(struct deed *d, int r);

#endif
