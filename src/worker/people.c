/*
 * Who is mentioned in a message: roles (deployer, authors, oncall, all, a name) through `people` to what a channel can mention.
 *
 * The rota is a file of its own, read when somebody is to be mentioned, so that a change of shifts needs no reload:
 *   - {from: "2026-11-23T09:00:00+08:00", people: [lin]}     # until the next one begins
 *   - {from: "2026-11-30T09:00:00+08:00", people: [mei]}
 * or just names: [lin, mei].
 */
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "worker/worker.h"

#define LOG "worker/people"
#define MENTIONS_MAX 32

struct mentions {
	const struct sw_config *cfg;
	struct sw_arena *a;
	struct sw_alert *al;
	sw_ms now;
};

static void mentions_person(struct mentions *m, const struct sw_conf_person *p)
{
	struct sw_alert *al = m->al;

	if (!p || al->n_mentions == MENTIONS_MAX)
		return;
	for (size_t i = 0; i < al->n_mentions; i++)
		if (sw_streq(al->mentions[i].name, p->name))
			return;
	al->mentions[al->n_mentions++] = (struct sw_mention){ .name = p->name, .mobile = p->mobile, .dingtalk = p->dingtalk,
	                                                      .wecom = p->wecom, .feishu = p->feishu, .slack = p->slack, .email = p->email };
}

/* An alert does not say which host its names are of, so each host's are tried. */
static void mentions_login(struct mentions *m, const char *login, const char *email)
{
	static const char *const kinds[] = { "gitlab", "github", "gitea" };
	const struct sw_conf_person *p = NULL;

	for (size_t i = 0; !p && login && i < SW_COUNT(kinds); i++)
		p = sw_config_person_of(m->cfg, kinds[i], login, NULL);
	if (!p && email)
		p = sw_config_person_of(m->cfg, NULL, NULL, email);
	if (!p && login)
		p = sw_config_person(m->cfg, login);
	mentions_person(m, p);
}

static void mentions_names(struct mentions *m, const struct sw_ynode *list)
{
	if (list && list->type == SW_Y_SCALAR)
		mentions_person(m, sw_config_person(m->cfg, list->text));
	for (const struct sw_ynode *n = list && list->type == SW_Y_LIST ? list->child : NULL; n; n = n->next)
		if (n->type == SW_Y_SCALAR)
			mentions_person(m, sw_config_person(m->cfg, n->text));
}

static void mentions_rota(struct mentions *m, const char *path)
{
	const struct sw_ynode *shift = NULL;
	struct sw_diags d;
	struct sw_ynode *root;
	sw_ms best = 0;

	sw_diags_init(&d, m->a);
	if (sw_yaml_load(m->a, path, NULL, &root, &d) < 0) {
		SW_WARN(LOG, "rota: %s; nobody on call is mentioned", d.first ? d.first->text : "cannot be read");
		return;
	}
	if (!root || root->type != SW_Y_LIST) {
		SW_WARN(LOG, "rota %s: want a list of names or of {from, people}; nobody on call is mentioned", path);
		return;
	}
	for (const struct sw_ynode *n = root->child; n; n = n->next) {
		const struct sw_ynode *from = sw_yget(n->type == SW_Y_MAP ? n : NULL, "from");
		sw_ms at;

		if (n->type == SW_Y_SCALAR)
			mentions_person(m, sw_config_person(m->cfg, n->text));
		else if (!from || from->type != SW_Y_SCALAR || sw_time_parse(from->text, &at) < 0)
			SW_WARN(LOG, "rota %s:%u: want from: a time like 2026-11-23T09:00:00+08:00", path, n->line);
		else if (at <= m->now && at >= best) {
			best = at;
			shift = sw_yget(n, "people");
		}
	}
	mentions_names(m, shift);
}

static void mentions_oncall(struct mentions *m)
{
	const struct sw_conf_oncall *oc = &m->cfg->oncall;

	for (size_t i = 0; oc->people && oc->people[i]; i++)
		mentions_person(m, sw_config_person(m->cfg, oc->people[i]));
	if (oc->file)
		mentions_rota(m, oc->file);
}

static void mentions_role(struct mentions *m, const char *role)
{
	struct sw_alert *al = m->al;

	if (strcmp(role, "deployer") == 0) {
		mentions_login(m, al->user, NULL);
	} else if (strcmp(role, "authors") == 0) {
		mentions_login(m, al->author, NULL);
		for (size_t i = 0; i < al->n_commits; i++)
			mentions_login(m, al->commits[i].author, al->commits[i].author_email);
	} else if (strcmp(role, "oncall") == 0) {
		mentions_oncall(m);
	} else if (strcmp(role, "all") == 0) {
		al->mention_all = true;
	} else {
		mentions_person(m, sw_config_person(m->cfg, role));
	}
}

void sw_people_mention(const struct sw_config *cfg, const struct sw_conf_channel *ch, const char *const *roles, sw_ms now,
                       struct sw_arena *a, struct sw_alert *al)
{
	struct mentions m = { .cfg = cfg, .a = a, .al = al, .now = now };

	al->mobiles = ch->mobiles;
	al->mentions = SW_ARENA_ARRAY(a, struct sw_mention, MENTIONS_MAX);
	al->n_mentions = 0;
	if (!roles || !roles[0]) /* the rule names nobody: as the channel says for this severity */
		roles = (const char *const *)ch->mention[SW_MIN((unsigned)al->severity, (unsigned)SW_SEV_CRITICAL)];
	for (size_t i = 0; roles && roles[i]; i++)
		mentions_role(&m, roles[i]);
}
