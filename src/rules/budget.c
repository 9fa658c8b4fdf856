/*
 * The budget of false alarms (rules.md 3.6, 4): of the healthy deployments that set off a trigger at most 1 % are taken back by chance
 * and at most 5 % told of. It is split by weight over the rules with regressed() that do not say alpha= themselves (Bonferroni); a
 * rule with several such calls splits its share again. Rules on "deploy" are on every deployment, so they share with each of
 * the "deploy-to-…".
 */
#include <string.h>

#include "base/str.h"
#include "rules/load.h"

#define BUDGET_ROLLBACK 0.01
#define BUDGET_ALERT    0.05

/* The statistical rules of one trigger and one class. */
struct pool {
	const char *trigger;
	bool rollback, deploys;
	double weight;       /* of the rules that share */
	double alpha;        /* given out */
	size_t rules;
	struct pool *next;
};

struct pools {
	struct sw_map by_name;
	struct pool *first, **last;
	struct sw_arena *a;
	double all[2], most[2]; /* weight on every deployment; on one trigger, at most; [1]: of rules that roll back */
};

static bool everywhere(const struct sw_rule *r)
{
	return r->on.kind == SW_TR_DEPLOY_TO && sw_streq(r->on.target, "*");
}

/* Calls of regressed() that leave alpha to the budget; ret_said: what the others say, added up. */
static size_t rule_open(const struct sw_rule *r, double *ret_said)
{
	size_t n = 0;

	*ret_said = 0;
	for (size_t i = 0; r->cond->regressed[i]; i++) {
		n += r->cond->regressed[i]->alpha == 0;
		*ret_said += r->cond->regressed[i]->alpha;
	}
	return n;
}

static bool statistical(const struct sw_rule *r)
{
	return r->cond && r->cond->regressed[0];
}

static struct pool *pool_of(struct pools *p, const struct sw_rule *r)
{
	char *key = sw_arena_printf(p->a, "%c%s", r->has_rollback ? '!' : ' ', r->on.name);
	struct pool *x;

	for (char *c = key; r->on.kind == SW_TR_DEPLOY_TO && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 32;
	x = sw_map_get(&p->by_name, key);
	if (x)
		return x;
	x = SW_ARENA_NEW(p->a, struct pool);
	*x = (struct pool){ .trigger = r->on.name, .rollback = r->has_rollback, .deploys = r->on.kind == SW_TR_DEPLOY_TO && !everywhere(r) };
	(void)sw_map_set(&p->by_name, key, x);
	*p->last = x;
	p->last = &x->next;
	return x;
}

/* Weights that one deployment of this trigger can bring together. */
static double pool_shared(const struct pools *p, const struct sw_rule *r, const struct pool *own)
{
	return own->weight + (everywhere(r) ? p->most[r->has_rollback] : own->deploys ? p->all[r->has_rollback] : 0);
}

static void pools_fill(struct pools *p, const struct sw_rules *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct sw_rule *r = &s->items[i];
		struct pool *own;
		double said;

		if (!statistical(r))
			continue;
		own = pool_of(p, r);
		own->rules++;
		if (rule_open(r, &said))
			own->weight += r->weight;
		own->alpha += said + (double)rule_open(r, &said) * r->alpha;
		if (everywhere(r))
			p->all[r->has_rollback] = own->weight;
		else if (own->deploys)
			p->most[r->has_rollback] = SW_MAX(p->most[r->has_rollback], own->weight);
	}
}

void sw_load_budget(struct sw_rules *s, struct sw_arena *a)
{
	struct pools p = { .a = a, .last = &p.first };
	double said;

	pools_fill(&p, s);
	for (size_t i = 0; i < s->n; i++) {
		struct sw_rule *r = &s->items[i];
		size_t open = statistical(r) ? rule_open(r, &said) : 0;

		if (open)
			r->alpha = (r->has_rollback ? BUDGET_ROLLBACK : BUDGET_ALERT) * r->weight / pool_shared(&p, r, pool_of(&p, r)) / (double)open;
	}
	sw_map_fini(&p.by_name);
}

size_t sw_rules_budgets(const struct sw_rules *s, struct sw_arena *a, const struct sw_rules_budget **ret)
{
	struct pools p = { .a = a, .last = &p.first };
	struct sw_rules_budget *list;
	size_t n = 0;

	pools_fill(&p, s);
	for (const struct pool *x = p.first; x; x = x->next)
		n++;
	list = SW_ARENA_ARRAY(a, struct sw_rules_budget, n + 1);
	n = 0;
	for (const struct pool *x = p.first; x; x = x->next) {
		struct sw_rules_budget *b = &list[n++];

		*b = (struct sw_rules_budget){ .trigger = x->trigger, .rollback = x->rollback, .rules = x->rules, .alpha = x->alpha };
		for (const struct pool *y = p.first; x->deploys && y; y = y->next)
			if (y->rollback == x->rollback && sw_streq(y->trigger, "deploy")) {
				b->alpha += y->alpha;
				b->rules += y->rules;
			}
		b->alpha = SW_MIN(b->alpha, 1);
	}
	sw_map_fini(&p.by_name);
	*ret = list;
	return n;
}
