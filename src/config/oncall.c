/* On call: people, a rota, or a file with either, that somebody else may write and that is read when it is asked. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "config/rota.h"
#include "shipwatch/clock.h"

#define NAMES_MAX 32

/* ---- reading ---- */

static void oncall_known(void *arg, const struct sw_ynode *name)
{
	struct config_load *l = arg;

	(void)config_known(l, name, name->text, l->people, "person");
}

/* Somebody else writes it, maybe later: what is wrong with it now is a warning. */
static void oncall_try(struct config_load *l, const struct sw_ynode *at, const char *path)
{
	struct sw_oncall now;
	struct sw_diags d;

	if (access(path, R_OK) < 0) {
		sw_diag_warn(l->d, at, "oncall: %s: %s", path, strerror(errno));
		return;
	}
	sw_diags_init(&d, l->a);
	sw_config_oncall(l->c, 0, l->a, &now, &d);
	for (const struct sw_diag *x = d.first; x; x = x->next)
		sw_diag_warn(l->d, at, "oncall: %s", x->text);
}

void config_oncall(struct config_load *l, const struct sw_ynode *node)
{
	static const struct sw_key keys[] = {
		{ "people", SW_KEY_STRINGS, offsetof(struct sw_conf_oncall, people), NULL, "who is always on call" },
		{ "rota", SW_KEY_NODE, offsetof(struct sw_conf_oncall, node), NULL, "who is on call when" },
		{ "file", SW_KEY_STRING, offsetof(struct sw_conf_oncall, file), NULL, "a file with a rota, read whenever somebody is to be mentioned" },
		{ "url", SW_KEY_URL, offsetof(struct sw_conf_oncall, url), NULL, "a rota elsewhere" },
		{ 0 },
	};
	struct sw_conf_oncall *o = &l->c->oncall;

	if (!node || sw_keys_read(keys, node, node, NULL, l->a, o, l->d) < 0)
		return;
	config_known_all(l, sw_yget(node, "people"), l->people, "person");
	if (o->node && o->node->type != SW_Y_MAP)
		sw_diag_error(l->d, o->node, "rota: want a map: {people: [lin, mei], start: 2026-11-23}");
	else if (o->node && sw_rota_read(l->a, o->node, l->c->zone, &o->rota, l->d) == 0)
		sw_rota_names(o->node, oncall_known, l);
	if (o->url)
		sw_diag_error(l->d, sw_yget(node, "url"), "oncall: url: not in this version, name people, a rota or a file");
	if ((o->people != NULL) + (o->node != NULL) + (o->file != NULL) + (o->url != NULL) != 1)
		sw_diag_error(l->d, node, "oncall: want one of people, rota, file and url");
	if (o->file) {
		o->file = config_path(l, o->file);
		oncall_try(l, sw_yget(node, "file"), o->file);
	}
}

/* ---- asking ---- */

static void names_add(const char ***list, size_t *n, struct sw_arena *a, const char *name)
{
	if (!*list)
		*list = SW_ARENA_ARRAY(a, const char *, NAMES_MAX + 1);
	if (*n < NAMES_MAX)
		(*list)[(*n)++] = name;
}

static const char **names_copy(const char *const *from, struct sw_arena *a)
{
	const char **ret = NULL;
	size_t n = 0;

	for (; from && *from; from++)
		names_add(&ret, &n, a, *from);
	return ret;
}

static void rota_now(const struct sw_rota *r, sw_ms now, struct sw_arena *a, struct sw_oncall *ret)
{
	struct sw_rota_now x = sw_rota_at(r, now);

	ret->people = names_copy(x.people, a);
	ret->second = names_copy(x.second, a);
	ret->second_from = r->second;
	ret->until = x.until;
	ret->override = x.override;
}

/*
 * The list that a file may be as well: names, or shifts that last until the next one begins.
 *   - {from: "2026-11-23T09:00:00+08:00", people: [lin]}
 */
static void shifts_now(const struct sw_ynode *list, sw_ms now, struct sw_arena *a, struct sw_oncall *ret, struct sw_diags *d)
{
	const struct sw_ynode *shift = NULL;
	const char **names = NULL;
	sw_ms best = 0;
	size_t n = 0;

	for (const struct sw_ynode *x = list->child; x; x = x->next) {
		const struct sw_ynode *from = sw_yget(x->type == SW_Y_MAP ? x : NULL, "from");
		sw_ms at;

		if (x->type == SW_Y_SCALAR)
			names_add(&names, &n, a, x->text);
		else if (!from || from->type != SW_Y_SCALAR || sw_time_parse(from->text, &at) < 0)
			sw_diag_error(d, x, "want a name, or from: a time like 2026-11-23T09:00:00+08:00");
		else if (at <= now && at >= best) {
			best = at;
			shift = sw_yget(x, "people");
		} else if (at > now && (!ret->until || at < ret->until)) {
			ret->until = at;
		}
	}
	if (shift && shift->type == SW_Y_SCALAR)
		names_add(&names, &n, a, shift->text);
	for (const struct sw_ynode *x = shift && shift->type == SW_Y_LIST ? shift->child : NULL; x; x = x->next)
		if (x->type == SW_Y_SCALAR)
			names_add(&names, &n, a, x->text);
	ret->people = names;
}

static void unknown_names(const struct sw_config *c, const char **names, const char *path, struct sw_diags *d)
{
	struct sw_ynode at = { .file = path };

	for (; names && *names; names++)
		if (!sw_config_person(c, *names))
			sw_diag_error(d, &at, "\"%s\" is nobody of people:", *names);
}

static void file_now(const struct sw_config *c, sw_ms now, struct sw_arena *a, struct sw_oncall *ret, struct sw_diags *d)
{
	const struct sw_rota *rota;
	struct sw_ynode *root = NULL;

	if (sw_yaml_load(a, c->oncall.file, NULL, &root, d) < 0)
		return;
	if (root && root->type == SW_Y_LIST)
		shifts_now(root, now, a, ret, d);
	else if (root && root->type == SW_Y_MAP && sw_rota_read(a, root, c->zone, &rota, d) == 0)
		rota_now(rota, now, a, ret);
	else if (!root || root->type != SW_Y_MAP)
		sw_diag_error(d, &(struct sw_ynode){ .file = c->oncall.file }, "want a rota, or a list of names or of {from, people}");
	unknown_names(c, ret->people, c->oncall.file, d);
}

void sw_config_oncall(const struct sw_config *c, sw_ms now, struct sw_arena *a, struct sw_oncall *ret, struct sw_diags *d)
{
	*ret = (struct sw_oncall){ .second_from = SW_SEV_CRITICAL + 1 };
	if (c->oncall.people)
		ret->people = names_copy((const char *const *)c->oncall.people, a);
	else if (c->oncall.rota)
		rota_now(c->oncall.rota, now, a, ret);
	else if (c->oncall.file)
		file_now(c, now, a, ret, d);
}
