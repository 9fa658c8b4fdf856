/* One line a place: what was understood of the configuration, as `check` prints it. */
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

static const char *summary_host(const char *kind)
{
	static const char *const names[][2] = {
		{ "github", "GitHub" }, { "gitlab", "GitLab" }, { "gitea", "Gitea" }, { "report", "reports" }
	};

	for (size_t i = 0; i < SW_COUNT(names); i++)
		if (strcmp(kind, names[i][0]) == 0)
			return names[i][1];
	return kind;
}

/* The kinds a match's source can be, each once: "GitHub/GitLab ". */
static void summary_sources(const struct sw_config *c, const char *source, struct sw_buf *out)
{
	size_t from = out->n;

	for (size_t i = 0; i < c->n_sources; i++) {
		const struct sw_conf_source *s = &c->sources[i];
		bool said = false;

		if (source ? !sw_glob_match(source, s->name, false) : strcmp(s->kind, "report") == 0)
			continue;
		for (size_t k = 0; k < i; k++)
			said = said || (strcmp(c->sources[k].kind, s->kind) == 0 &&
			                (!source || sw_glob_match(source, c->sources[k].name, false)));
		if (!said)
			sw_buf_printf(out, "%s%s", out->n > from ? "/" : "", summary_host(s->kind));
	}
	if (out->n > from)
		sw_buf_putc(out, ' ');
}

static void summary_repos(const struct sw_place *p, const char *repo, struct sw_buf *out)
{
	if (repo) {
		sw_buf_cat(out, repo);
		return;
	}
	for (const char **g = p->repos; g && *g; g++)
		sw_buf_printf(out, "%s%s", g == p->repos ? "" : ", ", *g);
	if (!p->repos || !p->repos[0])
		sw_buf_cat(out, "reports only");
}

static void summary_own_name(const struct sw_place *p, struct sw_buf *out)
{
	const char *tier = sw_place_tier(p->environment);

	if (strcmp(tier, "prod") == 0)
		sw_buf_cat(out, " environment \"prod\" or \"production\"");
	else if (strcmp(tier, "staging") == 0)
		sw_buf_cat(out, " environment \"stage\" or \"staging\"");
	else
		sw_buf_printf(out, " environment \"%s\"", p->environment);
}

static void summary_match(const struct sw_config *c, const struct sw_place *p, const struct sw_match *m,
                          struct sw_buf *out)
{
	const struct {
		const char *name, *value;
	} parts[] = {
		{ "environment", m->environment }, { "workflow", m->workflow }, { "job", m->job },
		{ "branch", m->branch },           { "tag", m->tag },           { "files", m->path },
	};

	summary_sources(c, m->source, out);
	summary_repos(p, m->repo, out);
	if (!m->environment && !m->job && !m->workflow)
		summary_own_name(p, out);
	for (size_t i = 0; i < SW_COUNT(parts); i++)
		if (parts[i].value)
			sw_buf_printf(out, " %s \"%s\"", parts[i].name, parts[i].value);
}

static void summary_health(const struct sw_place *p, struct sw_buf *out)
{
	if (!p->health.url) {
		sw_buf_cat(out, "; no health");
		return;
	}
	sw_buf_cat(out, "; health every ");
	sw_dur_print(p->health.every, out);
	if (p->health.version)
		sw_buf_printf(out, ", version at %s", p->health.version);
	if (p->health.expect)
		sw_buf_printf(out, ", %s", p->health.expect);
}

/* An address as people may see it: without a password in it and without its query. */
static void summary_measure(const char *what, const struct sw_measure_conf *m, struct sw_buf *out)
{
	const char *host, *at;
	size_t n;

	if (!m->url)
		return;
	host = strstr(m->url, "://") + 3;
	n = strcspn(host, "/?#");
	at = memrchr(host, '@', n);
	sw_buf_printf(out, "; %s ", what);
	sw_buf_catn(out, m->url, (size_t)(host - m->url));
	if (at)
		host = at + 1;
	sw_buf_catn(out, host, strcspn(host, "?#"));
	if (m->preset)
		sw_buf_printf(out, " (%s)", m->preset);
}

static void summary_rollback(const struct sw_config *c, const struct sw_place *p, struct sw_buf *out)
{
	const struct sw_conf_action *act = sw_config_action(c, p->rollback);

	sw_buf_printf(out, "; rollback %s", p->rollback);
	if (act && act->plugin->tell) {
		sw_buf_printf(out, ": %s ", act->kind);
		act->plugin->tell(act->conf, out);
	}
	sw_buf_cat(out, p->dry_run || (act && act->dry_run) ? " (dry run)" : "");
}

void sw_config_summary(const struct sw_config *c, const struct sw_place *p, struct sw_buf *out)
{
	const char *const *channels = sw_config_place_channels(c, p);
	const struct sw_match none = { 0 };

	sw_buf_printf(out, "%s/%s: ", p->service, p->environment);
	if (p->n_matches == 0)
		summary_match(c, p, &none, out);
	for (size_t i = 0; i < p->n_matches; i++) {
		sw_buf_cat(out, i ? ", or " : "");
		summary_match(c, p, &p->matches[i], out);
	}
	if (p->deploys_pipeline)
		sw_buf_cat(out, ", or a green pipeline");
	if (p->tier && strcmp(p->tier, sw_place_tier(p->environment)) != 0)
		sw_buf_printf(out, "; tier %s", p->tier);
	summary_health(p, out);
	summary_measure("prometheus", &p->prometheus, out);
	summary_measure("metrics", &p->scrape, out);
	if (p->rollback)
		summary_rollback(c, p, out);
	else
		sw_buf_cat(out, "; no rollback");
	sw_buf_cat(out, "; alerts ");
	for (size_t i = 0; channels[i]; i++)
		sw_buf_printf(out, "%s%s", i ? ", " : "", channels[i]);
	if (!channels[0])
		sw_buf_cat(out, "nobody");
}
