/*
 * Before a verdict: is it the deployment? (rules.md 3.6, design 4.1)
 *
 *   it held already before the deployment          pre-existing: inconclusive
 *   other services of the tier fail, undeployed    common-cause: inconclusive
 *   the reference address does not answer either   our own network: look again
 *
 * A deployment that is a rollback is judged without the first two: what made it necessary held before, and it is never taken back.
 */
#include "base/str.h"
#include "engine/place.h"

#define COMMON_LEAST  2                 /* other services; one alone may have been deployed together with this one */
#define COMMON_WITHIN (10 * SW_MINUTE)

bool sw_judge_common(const struct step *s, const struct place_state *p)
{
	return sw_fails_count(s, p->conf ? p->conf->tier : NULL, p->service, true, COMMON_WITHIN) >= COMMON_LEAST;
}

enum judge_guard sw_judge_guard(struct step *s, struct place_state *p, const struct deployment *d, const struct sw_rule *rule,
                                const struct sw_facts *facts)
{
	if (!rule->signals[0])
		return JUDGE_GO; /* failing_services and the like are about more than this deployment */
	if (!d->is_rollback && sw_expr_before(rule->cond, facts, s->a) == SW_TRUE)
		return JUDGE_PRE_EXISTING;
	if (!d->is_rollback && sw_judge_common(s, p))
		return JUDGE_COMMON_CAUSE;
	switch (sw_probe_reference(s, p)) {
	case SW_FALSE: return JUDGE_OWN_NETWORK;
	case SW_UNKNOWN: return JUDGE_WAIT;
	case SW_TRUE: break;
	}
	return JUDGE_GO;
}

double sw_judge_requests(const struct watch *w)
{
	return w->requests >= 0 ? w->requests : w->counted;
}

/* A source that did not answer when it was asked last: what the rule knows may be old. */
bool sw_judge_outage(struct step *s, const struct place_state *p, const struct watch *w)
{
	struct sw_rules *rules;
	const struct sw_rule *rule = sw_watch_rule_near(s, w, &rules);

	for (size_t k = 0; rule && rule->signals && rule->signals[k]; k++) {
		const char *source = sw_probe_source(p->conf, sw_rules_signal(rules, rule->signals[k]));

		for (size_t i = 0; source && i < p->n_sources; i++)
			if (p->sources[i].name && sw_streq(p->sources[i].name, source) && p->sources[i].heard &&
			    p->sources[i].reading == SW_R_ERROR)
				return true;
	}
	return false;
}
