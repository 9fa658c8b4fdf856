/* What a checked expression comes to: the holds that are understood, what it asks for, what one evaluation costs. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"

#define LIST_MOST 100 /* elements of a list of texts, as commits */

/* Does it ask a signal, but not how often something held already? */
static bool asks_signal(const struct node *n)
{
	bool asks;

	if (!n || (n->kind == N_CALL && n->call == F_CONSECUTIVE))
		return false;
	asks = n->kind == N_SIGNAL || n->kind == N_WINDOW;
	for (size_t i = 0; i < 3 && !asks; i++)
		asks = asks_signal(n->arg[i]);
	for (size_t i = 0; i < n->n && !asks; i++)
		asks = asks_signal(n->list[i]);
	return asks;
}

/*
 * "health is failing" without `for` is decided by CUSUM; a plain comparison of a signal that leads to a rollback holds for 3 checks
 * (design 4.1).
 */
static void hold_plain(struct check *c, struct node **at)
{
	struct node *n = *at, *f;
	bool failing = n->kind == N_IS && n->state == S_FAILING;

	if (n->kind == N_FOR || n->kind == N_CALL)
		return;
	if (n->kind == N_OR || n->kind == N_AND || n->kind == N_NOT) {
		hold_plain(c, &n->arg[0]);
		if (n->arg[1])
			hold_plain(c, &n->arg[1]);
		return;
	}
	if (!failing && !(c->sc->hold_plain && (n->kind == N_COMPARE || n->kind == N_BETWEEN) && asks_signal(n)))
		return;
	f = SW_ARENA_NEW(c->sc->a, struct node);
	*f = (struct node){ .kind = N_FOR, .at = n->at, .end = n->end, .type = SW_V_BOOL, .hold = { .n = 3, .of = 3, .cusum = failing },
		            .hold_index = c->e->n_holds++ };
	f->arg[0] = n;
	*at = f;
}

/* Parts visited, at most; a double, for it grows by a power with each any() in an any(). */
static double cost(const struct node *n)
{
	double sum = 1;

	if (!n)
		return 0;
	if (n->kind == N_BASELINE)
		return 1 + cost(n->other);
	if (n->kind == N_CALL && (n->call == F_ANY || n->call == F_ALL)) {
		const struct node *list = n->list[0];
		double most = list->kind == N_SIGNAL ? SW_ELEMENTS_MAX : list->kind == N_LITERAL || list->kind == N_LIST ? (double)list->value.n : LIST_MOST;

		return 1 + 2 * cost(list) + most * cost(n->list[1]);
	}
	for (size_t i = 0; i < 3; i++)
		sum += cost(n->arg[i]);
	for (size_t i = 0; i < n->n; i++)
		sum += cost(n->list[i]);
	/* what it was before is asked too, for the message */
	return n->kind == N_COMPARE || n->kind == N_BETWEEN || n->kind == N_IS ? 2 * sum : sum;
}

static const char **kept(const struct check *c, const struct asked *list)
{
	const char **ret = SW_ARENA_ARRAY(c->sc->a, const char *, list->n + 1);

	memcpy(ret, list->items, list->n * sizeof *ret);
	return ret;
}

int sw_expr_plan(struct check *c)
{
	struct sw_expr *e = c->e;
	double sum;

	hold_plain(c, &e->root);
	if (e->n_holds > SW_HOLDS_MAX)
		return sw_wrong_set(c->wrong, 0, "more than %d \"for\" in one expression", SW_HOLDS_MAX);
	sum = cost(e->root);
	if (sum > EXPR_COST)
		return sw_wrong_set(c->wrong, 0, "this asks too much at once: any() inside any(), or long lists");
	e->cost = (unsigned)sum;
	e->signals = kept(c, &c->used);
	e->based = kept(c, &c->based);
	e->sources = kept(c, &c->sources);
	e->watches |= c->used.n > 0;
	e->regressed = SW_ARENA_ARRAY(c->sc->a, const struct sw_regressed_ask *, c->n_regressed + 1);
	memcpy(e->regressed, c->regressed, c->n_regressed * sizeof *e->regressed);
	return 0;
}

const struct sw_regressed_ask *const *sw_expr_regressed(const struct sw_expr *e)
{
	return e->regressed;
}

bool sw_expr_needs_baseline(const struct sw_expr *e, const char *signal)
{
	for (size_t i = 0; e->based[i]; i++)
		if (sw_streq(e->based[i], signal))
			return true;
	return false;
}

unsigned sw_expr_cost(const struct sw_expr *e)
{
	return e->cost;
}
