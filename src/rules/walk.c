/*
 * Which rules can an event set off? Those of its trigger, and of them those for every service and those for its own: a rule whose
 * `where` says service == "web" (alone, or with `and` beside it) is met at events of web only. So ten thousand rules for a thousand
 * services cost an event no more than the ten that concern it.
 */
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"
#include "rules/load.h"

/* The service that must be, for this to be true; NULL: any can. */
static const char *node_service(const struct node *n)
{
	const struct node *field = n->arg[0], *text = n->arg[1];
	const char *one;

	if (n->kind == N_AND) {
		one = node_service(n->arg[0]);
		return one ? one : node_service(n->arg[1]);
	}
	if (n->kind != N_COMPARE || n->op != C_EQ)
		return NULL;
	if (field->kind == N_LITERAL) {
		field = n->arg[1];
		text = n->arg[0];
	}
	return field->kind == N_FIELD && field->field == SW_F_SERVICE && text->kind == N_LITERAL && text->type == SW_V_STRING ? text->value.str : NULL;
}

static void list_add(struct sw_rules_list *l, const struct sw_rule *rule, struct sw_arena *a)
{
	if ((l->n & (l->n - 1)) == 0) { /* full at powers of two */
		const struct sw_rule **items = SW_ARENA_ARRAY(a, const struct sw_rule *, l->n ? 2 * l->n : 1);

		if (l->n)
			memcpy(items, l->items, l->n * sizeof *items);
		l->items = items;
	}
	l->items[l->n++] = rule;
}

static void watched_add(struct sw_rules *r, const char *signal, size_t *n, struct sw_arena *a)
{
	const char **bigger;

	for (size_t i = 0; i < *n; i++)
		if (sw_streq(r->watched[i], signal))
			return;
	bigger = SW_ARENA_ARRAY(a, const char *, *n + 2);
	if (*n)
		memcpy(bigger, r->watched, *n * sizeof *bigger);
	bigger[(*n)++] = signal;
	r->watched = bigger;
}

void sw_load_walks(struct sw_rules *r, struct sw_arena *a)
{
	size_t n = 0;

	r->watched = SW_ARENA_ARRAY(a, const char *, 1);
	for (size_t i = 0; i < r->n; i++) {
		const struct sw_rule *rule = &r->items[i];
		const char *service = rule->where ? node_service(rule->where->root) : NULL;
		struct sw_rules_list *lists = service ? sw_map_get(&r->of_service, service) : r->of_all;

		if (!lists) {
			lists = SW_ARENA_ARRAY(a, struct sw_rules_list, SW_TR_COUNT);
			(void)sw_map_set(&r->of_service, service, lists);
		}
		list_add(&lists[rule->on.kind], rule, a);
		r->watch_longest = SW_MAX(r->watch_longest, rule->watch_for);
		for (size_t k = 0; rule->watches && rule->signals[k]; k++)
			watched_add(r, rule->signals[k], &n, a);
	}
}

void sw_rules_walk(const struct sw_rules *r, enum sw_trigger_kind kind, bool custom, const char *service, struct sw_rules_walk *ret)
{
	const struct sw_rules_list *own = r && service ? sw_map_get(&r->of_service, service) : NULL;

	memset(ret, 0, sizeof *ret);
	if (!r)
		return;
	ret->lists[0] = r->of_all[kind];
	if (own)
		ret->lists[1] = own[kind];
	if (custom && kind != SW_TR_CUSTOM) {
		ret->lists[2] = r->of_all[SW_TR_CUSTOM];
		if (own)
			ret->lists[3] = own[SW_TR_CUSTOM];
	}
}

/* In the order of the set, in which its rules lie. */
const struct sw_rule *sw_rules_next(struct sw_rules_walk *w)
{
	struct sw_rules_list *first = NULL;

	for (size_t i = 0; i < SW_COUNT(w->lists); i++)
		if (w->lists[i].n && (!first || w->lists[i].items[0] < first->items[0]))
			first = &w->lists[i];
	if (!first)
		return NULL;
	first->n--;
	return *first->items++;
}
