/* Named values in the settings of an action. A name is {letters, '.' or '_'}; every other brace is itself. */
#include "action/named.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define NAME_MOST 64

struct name {
	const char *name;
	size_t offset;
};
#define NAME(name, field)                                                                                              \
	{                                                                                                              \
		name, offsetof(struct sw_act, field)                                                                   \
	}
static const struct name names[] = {
	NAME("rollback.id", id),
	NAME("service", service),
	NAME("environment", environment),
	NAME("tier", tier),
	NAME("repo", repo),
	NAME("branch", branch),
	NAME("tag", tag),
	NAME("sha", sha),
	NAME("version", version),
	NAME("user", user),
	NAME("url", url),
	NAME("ci_run_id", ci_run_id),
	NAME("job_id", job_id),
	NAME("pipeline_id", pipeline_id),
	NAME("prev.sha", prev_sha),
	NAME("prev.version", prev_version),
	NAME("last_good.sha", last_good_sha),
	NAME("last_good.version", last_good_version),
	NAME("last_good.job_id", last_good_job_id),
	NAME("last_good.pipeline_id", last_good_pipeline_id),
	NAME("last_good.deployment_id", last_good_deployment_id),
	NAME("last_good.url", last_good_url),
	NAME("rule", rule),
	NAME("verdict", verdict),
	NAME("reason", reason),
	NAME("watch_id", watch_id),
};

/* The next {name} in text: its brace, *n the length without braces. NULL: there is none. */
static const char *name_next(const char *text, size_t *n)
{
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		*n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._");
		if (*n && *n <= NAME_MOST && p[1 + *n] == '}')
			return p;
	}
	return NULL;
}

static const struct name *name_find(const char *s, size_t n)
{
	for (size_t i = 0; i < SW_COUNT(names); i++)
		if (strlen(names[i].name) == n && memcmp(names[i].name, s, n) == 0)
			return &names[i];
	return NULL;
}

static void value_put(struct sw_buf *b, const char *value)
{
	if (value)
		sw_utf8_clean(b, value, sw_utf8_cut(value, strlen(value), SW_NAMED_MOST), true);
}

const char *sw_named_clean(const char *value, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	value_put(&b, value);
	return sw_arena_strdup(a, sw_buf_str(&b));
}

int sw_named_fill(const char *text, const struct sw_act *act, struct sw_arena *a, const char **ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *p = text, *at;
	size_t n;

	while ((at = name_next(p, &n))) {
		const struct name *name = name_find(at + 1, n);
		const char *value =
		    name ? *(const char *const *)(const void *)((const char *)act + name->offset) : NULL;

		if (name && !value && sw_starts(name->name, "last_good.")) {
			if (!act->last_good_sha)
				return sw_err_set(err, ENOENT, "no verified good deployment is known");
			return sw_err_set(err, ENOENT, "the last good deployment does not say this ({%s})", name->name);
		}
		sw_buf_catn(&b, p, (size_t)(at - p));
		value_put(&b, value);
		p = at + n + 2;
	}
	sw_buf_cat(&b, p);
	*ret = sw_arena_strdup(a, sw_buf_str(&b));
	return 0;
}

static void check_text(const struct sw_ynode *node, struct sw_diags *d)
{
	const char *words[SW_COUNT(names) + 1] = { NULL }, *at = node->text, *near;
	char wrong[NAME_MOST + 1];
	size_t n;

	for (size_t i = 0; i < SW_COUNT(names); i++)
		words[i] = names[i].name;
	while ((at = name_next(at, &n))) {
		if (!name_find(at + 1, n)) {
			memcpy(wrong, at + 1, n);
			wrong[n] = '\0';
			near = sw_did_you_mean(wrong, words);
			if (near)
				sw_diag_in_text(d, node, (size_t)(at - node->text),
				                "unknown name \"{%s}\", did you mean \"{%s}\"?", wrong, near);
			else
				sw_diag_in_text(d, node, (size_t)(at - node->text), "unknown name \"{%s}\"", wrong);
		}
		at += n + 2;
	}
}

void sw_named_check(const struct sw_ynode *node, struct sw_diags *d)
{
	if (!node || node->broken)
		return;
	if (node->type == SW_Y_SCALAR)
		check_text(node, d);
	else
		for (const struct sw_ynode *v = node->child; v; v = v->next)
			sw_named_check(v, d);
}

bool sw_named_good(const char *text)
{
	return text && strstr(text, "{last_good.");
}

bool sw_named_good_any(const char *const *map)
{
	for (; map && map[0]; map += 2)
		if (sw_named_good(map[1]))
			return true;
	return false;
}
