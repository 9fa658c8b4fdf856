/*
 * Which places an event concerns.
 *
 * An event that names an environment is claimed by the places one of whose matches fits. A match that says neither
 * environment nor job stands for the place's own name (prod/production, stage/staging are one), so that
 * `prod: {match: [{tag: "v*"}]}` does not swallow what is deployed to staging from a tag. An event without an
 * environment is claimed by the workflow of a match, or, where the place opts in, by a green pipeline on a matching
 * branch or tag.
 */
#include "model/place.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "shipwatch/buf.h"

const char *const sw_place_presets[] = { "default", "client-golang", "spring-boot", "nginx-ingress", "istio", "envoy", NULL };

static const struct sw_match place_any = { 0 };

const char *sw_place_tier(const char *environment)
{
	static const char *const words[][2] = {
		{ "prod", "prod" },
		{ "production", "prod" },
		{ "stage", "staging" },
		{ "staging", "staging" },
	};

	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (strcasecmp(environment, words[i][0]) == 0)
			return words[i][1];
	return environment;
}

static bool place_is_template(const struct sw_place *p)
{
	return strcmp(p->service, "*") == 0;
}

static bool place_own_name(const struct sw_place *p, const char *environment)
{
	return strcasecmp(sw_place_tier(p->environment), sw_place_tier(environment)) == 0;
}

/* ---- templates ---- */

const char *sw_place_fill(const char *text, const char *service, struct sw_arena *a)
{
	static const char mark[] = "{service}";
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *at;

	if (!text || !strstr(text, mark))
		return text;
	while ((at = strstr(text, mark))) {
		sw_buf_catn(&b, text, (size_t)(at - text));
		sw_buf_cat(&b, service);
		text = at + sizeof mark - 1;
	}
	sw_buf_cat(&b, text);
	return sw_arena_strdup(a, b.p);
}

const char *sw_place_fill_labels(const char *labels, const char *service, struct sw_arena *a)
{
	char *plain = sw_arena_strdup(a, service);

	for (char *p = plain; *p; p++)
		if ((unsigned char)*p < ' ' || strchr("\"'`\\", *p))
			*p = '_';
	return sw_place_fill(labels, plain, a);
}

static const struct sw_place *place_make(const struct sw_place *template, const char *service, struct sw_arena *a)
{
	struct sw_place *p = SW_ARENA_NEW(a, struct sw_place);
	struct sw_label *labels;

	*p = *template;
	p->service = sw_arena_strdup(a, service);
	p->health.url = sw_place_fill(p->health.url, service, a);
	p->health.version = sw_place_fill(p->health.version, service, a);
	p->health.expect = sw_place_fill(p->health.expect, service, a);
	p->prometheus.url = sw_place_fill(p->prometheus.url, service, a);
	p->prometheus.labels = sw_place_fill_labels(p->prometheus.labels, service, a);
	p->scrape.url = sw_place_fill(p->scrape.url, service, a);
	p->rollback = sw_place_fill(p->rollback, service, a);
	labels = p->n_labels ? SW_ARENA_ARRAY(a, struct sw_label, p->n_labels) : NULL;
	for (size_t i = 0; i < p->n_labels; i++) {
		labels[i].name = p->labels[i].name;
		labels[i].value = sw_place_fill(p->labels[i].value, service, a);
	}
	p->labels = labels;
	return p;
}

static bool places_named(const struct sw_places *ps, const char *service)
{
	for (size_t i = 0; i < ps->n; i++)
		if (strcmp(ps->items[i].service, service) == 0)
			return true;
	return false;
}

const struct sw_place *sw_places_find(const struct sw_places *ps, const char *service, const char *environment,
                                      struct sw_arena *a)
{
	bool named = places_named(ps, service);

	for (size_t i = 0; i < ps->n; i++) {
		const struct sw_place *p = &ps->items[i];

		if (strcmp(p->environment, environment) != 0)
			continue;
		if (strcmp(p->service, service) == 0)
			return p;
		if (!named && place_is_template(p))
			return place_make(p, service, a);
	}
	return NULL;
}

/* ---- one match ---- */

static bool place_glob(const char *pattern, const char *text)
{
	return !pattern || (text && sw_glob_match(pattern, text, false));
}

static bool place_repo(const struct sw_place *p, const struct sw_match *m, const char *repo)
{
	if (m->repo)
		return repo && sw_glob_match(m->repo, repo, false);
	for (const char **g = p->repos; repo && g && *g; g++)
		if (sw_glob_match(*g, repo, false))
			return true;
	return false;
}

/* GitHub appends the ref to a workflow that was called from elsewhere: ".github/workflows/x.yml@refs/heads/main". */
static bool place_workflow(const char *pattern, const char *workflow, struct sw_arena *a)
{
	const char *at = workflow ? strchr(workflow, '@') : NULL;

	if (at && pattern && !strchr(pattern, '@'))
		workflow = sw_arena_strndup(a, workflow, (size_t)(at - workflow));
	return place_glob(pattern, workflow);
}

static bool place_path(const char *pattern, const struct sw_event *ev)
{
	if (!pattern)
		return true;
	for (size_t i = 0; i < ev->n_commits; i++)
		for (size_t k = 0; k < ev->commits[i].n_files; k++)
			if (sw_glob_match(pattern, ev->commits[i].files[k], false))
				return true;
	return false;
}

/* Everything but the environment. by_name: a report said which service it is. */
static bool place_rest(const struct sw_place *p, const struct sw_match *m, const struct sw_event *ev, bool by_name,
                       struct sw_arena *a)
{
	bool repo = by_name && !(m->repo && ev->repo) ? true : place_repo(p, m, ev->repo);

	return repo && place_glob(m->source, ev->source) && place_glob(m->job, ev->job_name) &&
	       place_workflow(m->workflow, ev->workflow, a) && place_glob(m->branch, ev->branch) &&
	       place_glob(m->tag, ev->tag) && place_path(m->path, ev);
}

static bool place_environment(const struct sw_place *p, const struct sw_match *m, const char *environment)
{
	if (m->environment)
		return sw_glob_match(m->environment, environment, true);
	return m->job || place_own_name(p, environment);
}

/* May this pipeline be a deployment where nothing says so but the place? */
static bool place_pipeline_counts(const struct sw_event *ev)
{
	return ev->kind == SW_EV_PIPELINE && ev->status == SW_ST_SUCCESS && !ev->merge_request && !ev->jobs_deploy &&
	       !ev->parent_pipeline && !sw_streq(ev->pipeline_source, "schedule") &&
	       !sw_streq(ev->pipeline_source, "parent_pipeline");
}

static bool place_pipeline(const struct sw_match *m, const struct sw_event *ev)
{
	if (m->branch || m->tag || m->workflow)
		return true;
	if (m != &place_any || !ev->branch)
		return false;
	if (ev->default_branch)
		return strcmp(ev->branch, ev->default_branch) == 0;
	return strcmp(ev->branch, "main") == 0 || strcmp(ev->branch, "master") == 0;
}

static enum sw_claim place_match(const struct sw_place *p, const struct sw_match *m, const struct sw_event *ev,
                                 bool by_name, struct sw_arena *a)
{
	if (!place_rest(p, m, ev, by_name, a))
		return SW_CLAIM_NONE;
	if (ev->environment)
		return place_environment(p, m, ev->environment) ? SW_CLAIM_DEPLOYMENT : SW_CLAIM_NONE;
	if (ev->kind != SW_EV_PIPELINE || m->environment || m->job)
		return SW_CLAIM_NONE;
	if (m->workflow && !ev->merge_request)
		return SW_CLAIM_WORKFLOW;
	return p->deploys_pipeline && place_pipeline_counts(ev) && place_pipeline(m, ev) ? SW_CLAIM_PIPELINE
	                                                                                 : SW_CLAIM_NONE;
}

static enum sw_claim place_claims(const struct sw_place *p, const struct sw_event *ev, bool by_name, struct sw_arena *a)
{
	enum sw_claim how = SW_CLAIM_NONE;

	if (p->n_matches == 0)
		return place_match(p, &place_any, ev, by_name, a);
	for (size_t i = 0; i < p->n_matches && how == SW_CLAIM_NONE; i++)
		how = place_match(p, &p->matches[i], ev, by_name, a);
	return how;
}

/* ---- the services of a repository ---- */

static bool place_has_repo(const struct sw_place *p, const char *repo)
{
	if (place_repo(p, &place_any, repo))
		return true;
	for (size_t i = 0; i < p->n_matches; i++)
		if (p->matches[i].repo && place_repo(p, &p->matches[i], repo))
			return true;
	return false;
}

static const char *place_last_part(const char *repo, struct sw_arena *a)
{
	const char *slash = strrchr(repo, '/');

	return sw_arena_strdup(a, slash ? slash + 1 : repo);
}

/*
 * Which service an event is of: *ret_many when several named ones have its repository. A report may name it; then the
 * repository need not be known. NULL: none. *ret_template: it is an instance of "*".
 */
static const char *places_service(const struct sw_places *ps, const struct sw_event *ev, bool *ret_template,
                                  bool *ret_many, struct sw_arena *a)
{
	const char *found = NULL, *template = NULL;

	*ret_template = *ret_many = false;
	if (ev->service && places_named(ps, ev->service))
		return ev->service;
	for (size_t i = 0; i < ps->n; i++) {
		const struct sw_place *p = &ps->items[i];

		if (place_is_template(p)) {
			if (ev->service && (!ev->repo || place_has_repo(p, ev->repo)))
				template = ev->service;
			else if (!ev->service && ev->repo && place_has_repo(p, ev->repo))
				template = place_last_part(ev->repo, a);
		} else if (!ev->service && ev->repo && place_has_repo(p, ev->repo)) {
			*ret_many = *ret_many || (found && strcmp(found, p->service) != 0);
			found = found ? found : p->service;
		}
	}
	*ret_template = !found && template;
	return found ? found : template;
}

const char *sw_places_service_of(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a)
{
	bool template, many;

	return places_service(ps, ev, &template, &many, a);
}

/* The host's own word for what an environment is for: only where one service and one of its places can be meant. */
static const struct sw_place *places_by_tier(const struct sw_places *ps, const char *service, const struct sw_event *ev,
                                             struct sw_arena *a)
{
	const char *tier = sw_place_tier(ev->env_tier);
	const struct sw_place *found = NULL;

	if (strcmp(tier, "prod") != 0 && strcmp(tier, "staging") != 0)
		return NULL;
	for (size_t i = 0; i < ps->n; i++) {
		const struct sw_place *p = &ps->items[i];

		if (strcmp(p->service, service) != 0 || !p->tier || strcmp(sw_place_tier(p->tier), tier) != 0)
			continue;
		if (found || p->n_matches > 0)
			return NULL;
		found = p;
	}
	return found && place_rest(found, &place_any, ev, ev->service != NULL, a) ? found : NULL;
}

size_t sw_places_claim(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a,
                       struct sw_claimed *ret, size_t max)
{
	bool template, many;
	const char *service = places_service(ps, ev, &template, &many, a);
	const struct sw_place *by_tier;
	size_t n = 0;

	if (!service || (ev->environment && !sw_event_deploys(ev)))
		return 0;
	for (size_t i = 0; i < ps->n && n < max; i++) {
		const struct sw_place *p = &ps->items[i];
		enum sw_claim how;

		if (place_is_template(p) != template || (ev->service && !template && strcmp(p->service, service) != 0))
			continue;
		how = place_claims(p, ev, ev->service != NULL, a);
		if (how == SW_CLAIM_NONE)
			continue;
		ret[n].place = template ? place_make(p, service, a) : p;
		ret[n++].how = how;
	}
	if (n > 0 || max == 0 || many || !ev->environment || !ev->env_tier)
		return n;
	by_tier = places_by_tier(ps, template ? "*" : service, ev, a);
	if (!by_tier)
		return 0;
	ret[0].place = template ? place_make(by_tier, service, a) : by_tier;
	ret[0].how = SW_CLAIM_DEPLOYMENT;
	return 1;
}

/* ---- places without a deployment ---- */

enum meant {
	MEANT_NAME,
	MEANT_SPELLING, /* production is prod */
	MEANT_HOST,     /* what the host calls it */
	MEANT_TIER,
	MEANT_WAYS
};

static bool place_meant(const struct sw_place *p, const char *environment, enum meant way)
{
	switch (way) {
	case MEANT_NAME:
		return strcasecmp(p->environment, environment) == 0;
	case MEANT_SPELLING:
		return place_own_name(p, environment);
	case MEANT_HOST:
		for (size_t i = 0; i < p->n_matches; i++)
			if (p->matches[i].environment && sw_glob_match(p->matches[i].environment, environment, true))
				return true;
		return false;
	case MEANT_TIER:
		return p->tier && strcasecmp(sw_place_tier(p->tier), sw_place_tier(environment)) == 0;
	case MEANT_WAYS:
		break;
	}
	return false;
}

size_t sw_places_meant(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a,
                       const struct sw_place **ret, size_t max)
{
	bool template, many;
	const char *service = places_service(ps, ev, &template, &many, a);
	size_t n = 0;

	if (!service || many)
		return 0; /* several services of one repository: it does not say which */
	for (int way = 0; way < MEANT_WAYS && n == 0; way++) {
		for (size_t i = 0; i < ps->n && n < max; i++) {
			const struct sw_place *p = &ps->items[i];

			if (strcmp(p->service, template ? "*" : service) != 0)
				continue;
			if (!ev->environment || place_meant(p, ev->environment, (enum meant)way))
				ret[n++] = template ? place_make(p, service, a) : p;
		}
	}
	return n;
}

/* ---- can two places be meant by one event? ---- */

static bool overlap(const char *a, const char *b)
{
	return !a || !b || sw_glob_overlap(a, b);
}

static bool overlap_repos(const struct sw_place *a, const struct sw_match *ma, const struct sw_place *b,
                          const struct sw_match *mb)
{
	const char *one_a[2] = { ma->repo, NULL }, *one_b[2] = { mb->repo, NULL };
	const char *const *as = ma->repo ? one_a : a->repos, *const *bs = mb->repo ? one_b : b->repos;

	for (; as && *as; as++)
		for (const char *const *g = bs; g && *g; g++)
			if (sw_glob_overlap(*as, *g))
				return true;
	return false;
}

static bool overlap_environment(const struct sw_place *a, const struct sw_match *ma, const struct sw_place *b,
                                const struct sw_match *mb)
{
	const char *spellings[] = { "prod", "production", "stage", "staging" };

	if (ma->environment && mb->environment)
		return sw_glob_overlap(ma->environment, mb->environment);
	if (!ma->environment && !mb->environment)
		return ma->job || mb->job || place_own_name(a, b->environment);
	if (mb->environment)
		return overlap_environment(b, mb, a, ma);
	if (mb->job || sw_glob_match(ma->environment, b->environment, true))
		return true;
	for (size_t i = 0; i < SW_COUNT(spellings); i++)
		if (place_own_name(b, spellings[i]) && sw_glob_match(ma->environment, spellings[i], true))
			return true;
	return false;
}

static bool overlap_without_environment(const struct sw_place *a, const struct sw_match *ma, const struct sw_place *b,
                                        const struct sw_match *mb)
{
	bool can_a = !ma->environment && !ma->job && (ma->workflow || a->deploys_pipeline);
	bool can_b = !mb->environment && !mb->job && (mb->workflow || b->deploys_pipeline);

	return can_a && can_b;
}

static bool overlap_match(const struct sw_place *a, const struct sw_match *ma, const struct sw_place *b,
                          const struct sw_match *mb)
{
	/* An event has a branch or a tag, never both. */
	if ((ma->branch && mb->tag) || (ma->tag && mb->branch))
		return false;
	if (!overlap_repos(a, ma, b, mb) || !overlap(ma->source, mb->source) || !overlap(ma->job, mb->job) ||
	    !overlap(ma->workflow, mb->workflow) || !overlap(ma->branch, mb->branch) || !overlap(ma->tag, mb->tag) ||
	    !overlap(ma->path, mb->path))
		return false;
	return overlap_environment(a, ma, b, mb) || overlap_without_environment(a, ma, b, mb);
}

bool sw_places_overlap(const struct sw_place *a, const struct sw_place *b, size_t *ret_a, size_t *ret_b)
{
	if (place_is_template(a) != place_is_template(b))
		return false;
	for (size_t i = 0; i < SW_MAX(a->n_matches, (size_t)1); i++) {
		for (size_t k = 0; k < SW_MAX(b->n_matches, (size_t)1); k++) {
			if (!overlap_match(a, a->n_matches ? &a->matches[i] : &place_any, b,
			                   b->n_matches ? &b->matches[k] : &place_any))
				continue;
			*ret_a = i;
			*ret_b = k;
			return true;
		}
	}
	return false;
}
