/* Whom a channel mentions by name, or as on call, it has to know how to mention: said at load, not found out at night. */
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "config/rota.h"
#include "shipwatch/buf.h"

struct reach {
	struct config_load *l;
	const struct sw_conf_channel *ch;
	const struct sw_ynode *at;
	const char *told[200]; /* who was told of at this channel */
	size_t n_told;
};

static const char *person_id(const struct sw_conf_person *p, const char *setting)
{
	const struct { const char *name, *value; } ids[] = {
		{ "mobile", p->mobile }, { "dingtalk", p->dingtalk }, { "wecom", p->wecom }, { "feishu", p->feishu }, { "slack", p->slack }, { "email", p->email },
	};

	for (size_t i = 0; i < SW_COUNT(ids); i++)
		if (strcmp(ids[i].name, setting) == 0)
			return ids[i].value;
	return NULL;
}

static void reach_person(struct reach *r, const char *name, const char *as)
{
	const struct sw_conf_person *p = sw_config_person(r->l->c, name);
	SW_CLEANUP(sw_buf_fini) struct sw_buf want = SW_BUF_INIT;

	for (size_t i = 0; p && r->ch->plugin->ids[i]; i++) {
		if (person_id(p, r->ch->plugin->ids[i]))
			return;
		sw_buf_printf(&want, "%s%s", i ? " or " : "", r->ch->plugin->ids[i]);
	}
	for (size_t i = 0; i < r->n_told; i++)
		if (strcmp(r->told[i], name) == 0)
			return;
	if (!p || r->n_told == SW_COUNT(r->told))
		return; /* a name that nobody has was told already */
	r->told[r->n_told++] = name;
	sw_diag_warn(r->l->d, r->at, "mention: %s%s has no %s in people:, a channel of kind \"%s\" cannot mention them", name, as, sw_buf_str(&want), r->ch->kind);
}

static void reach_rota(void *arg, const struct sw_ynode *name)
{
	reach_person(arg, name->text, ", who is on call,");
}

static void reach_name(struct reach *r, const char *name)
{
	const struct sw_conf_oncall *oc = &r->l->c->oncall;

	if (strcmp(name, "oncall") != 0) {
		reach_person(r, name, "");
		return;
	}
	for (const char **p = oc->people; p && *p; p++)
		reach_person(r, *p, ", who is on call,");
	if (oc->rota)
		sw_rota_names(oc->node, reach_rota, r);
}

void config_reach(struct config_load *l)
{
	for (size_t i = 0; i < l->c->n_channels; i++) {
		const struct sw_conf_channel *ch = &l->c->channels[i];
		struct reach r = { .l = l, .ch = ch, .at = sw_yget(sw_yget(l->channels, ch->name), "mention") };

		if (!ch->plugin->ids)
			continue;
		for (size_t k = 0; k < SW_COUNT(ch->mention); k++)
			for (const char **name = ch->mention[k]; name && *name; name++)
				reach_name(&r, *name);
	}
}
