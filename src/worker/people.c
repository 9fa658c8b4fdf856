/* Who is mentioned in a message: roles (deployer, authors, oncall, all, a name) through `people` to what a channel can mention. */
#include <string.h>

#include "base/str.h"
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

static void mentions_names(struct mentions *m, const char **names)
{
	for (; names && *names; names++)
		mentions_person(m, sw_config_person(m->cfg, *names));
}

static void mentions_oncall(struct mentions *m)
{
	struct sw_oncall who;
	struct sw_diags d;

	sw_diags_init(&d, m->a);
	sw_config_oncall(m->cfg, m->now, m->a, &who, &d);
	if (d.first)
		SW_WARN(LOG, "on call: %s%s", d.first->text, who.people ? "" : "; nobody on call is mentioned");
	mentions_names(m, who.people);
	if ((int)m->al->severity >= who.second_from)
		mentions_names(m, who.second);
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
