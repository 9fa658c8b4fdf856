/*
 * Rules: files of YAML to a set. All files are read first (signals, triggers and lists of one serve the rules of all), then each
 * rule (rule.c). All mistakes of all files are told at once.
 */
#include "rules/rules.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "rules/load.h"

/* ---- triggers, lists ---- */

static void load_head(struct load *l, struct source *s)
{
	static const char *const words[] = { "rules", "signals", "triggers", "lists", NULL };
	const struct sw_ynode *root = s->root;

	if (!root || root->type != SW_Y_MAP)
		return;
	for (const struct sw_ynode *x = root->child; x; x = x->next) {
		const char *near;

		if (sw_streq(x->key, "signals") && x->type == SW_Y_MAP) {
			sw_load_signals(l, x);
		} else if (sw_streq(x->key, "triggers") && x->type == SW_Y_MAP) {
			for (const struct sw_ynode *t = x->child; t; t = t->next)
				(void)sw_map_set(&l->triggers, t->key, (void *)(uintptr_t)t);
		} else if (sw_streq(x->key, "lists") && x->type == SW_Y_MAP) {
			l->lists = x;
		} else if (!sw_streq(x->key, "rules")) {
			near = sw_did_you_mean(x->key, words);
			sw_diag_key(l->d, x, "unknown key \"%s\"%s%s%s", x->key, near ? ", did you mean \"" : ", want rules, signals, triggers or lists",
			            near ? near : "", near ? "\"?" : "");
		}
	}
}

static void load_rules_of(struct load *l, struct source *s)
{
	const struct sw_ynode *list = s->root && s->root->type == SW_Y_MAP ? sw_yget(s->root, "rules") : s->root;

	l->now = s;
	if (!list || sw_yaml_is_null(list))
		return;
	if (list->type == SW_Y_MAP && sw_yget(list, "on")) {
		sw_load_rule(l, list);
		return;
	}
	if (list->type != SW_Y_LIST) {
		sw_diag_error(l->d, list, "want a list of rules");
		return;
	}
	for (const struct sw_ynode *x = list->child; x; x = x->next)
		sw_load_rule(l, x);
}

/* ---- sets ---- */

static void set_free(struct set *set)
{
	for (struct expr_owned *o = set->exprs; o; o = o->next)
		sw_expr_fini(o->e);
	sw_map_fini(&set->pub.index);
	sw_map_fini(&set->pub.of_service);
	sw_arena_fini(&set->pub.arena);
	sw_freep(&set);
}

/* What the set can be loaded from again: names without folders, so that two machines agree on the hash. */
static void set_source(struct load *l)
{
	struct sw_rules *r = &l->set->pub;
	unsigned char digest[SW_SHA256_BYTES];
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_arr(&w, NULL);
	for (size_t i = 0; i < l->n_sources; i++) {
		const char *slash = strrchr(l->sources[i].name, '/');

		sw_jw_arr(&w, NULL);
		sw_jw_str(&w, NULL, slash ? slash + 1 : l->sources[i].name);
		sw_jw_str(&w, NULL, l->sources[i].text);
		sw_jw_arr_end(&w);
	}
	sw_jw_arr_end(&w);
	r->source = sw_arena_strndup(l->a, b.p, b.n);
	r->source_n = b.n;
	sw_sha256(b.p, b.n, digest);
	sw_buf_reset(&b);
	sw_hex_encode(&b, digest, 8);
	memcpy(r->hash, sw_buf_str(&b), sizeof r->hash);
	sw_buf_fini(&b);
}

static int load_all(struct load *l, struct sw_rules **ret)
{
	for (size_t i = 0; i < l->n_sources; i++) {
		struct source *s = &l->sources[i];
		unsigned errors = l->d->errors;

		if (sw_yaml_parse(l->a, s->name, s->text, s->n, NULL, &s->root, l->d) < 0) {
			if (l->d->last && l->d->errors > errors && (strstr(l->d->last->text, "tag") || strstr(l->d->last->text, "scalar")))
				sw_diag_error(l->d, NULL, "%s:%u: if this is an expression, quote this expression", s->name, l->d->last->line);
			s->root = NULL;
		}
		load_head(l, s);
	}
	for (size_t i = 0; i < l->n_sources; i++)
		load_rules_of(l, &l->sources[i]);
	sw_map_fini(&l->rule_names);
	sw_map_fini(&l->triggers);
	if (l->d->errors) {
		set_free(l->set);
		return -EINVAL;
	}
	sw_load_budget(&l->set->pub, l->a);
	l->set->pub.signals = l->signals;
	l->set->pub.n_signals = l->n_signals;
	sw_load_walks(&l->set->pub, l->a);
	set_source(l);
	for (size_t i = 0; i < l->set->pub.n; i++)
		(void)sw_map_set(&l->set->pub.index, l->set->pub.items[i].name, &l->set->pub.items[i]);
	*ret = &l->set->pub;
	return 0;
}

static void load_begin(struct load *l, const struct sw_rules_names *names, struct sw_diags *d, size_t n_sources)
{
	memset(l, 0, sizeof *l);
	l->set = sw_calloc(1, sizeof *l->set);
	l->set->pub.refs = 1;
	l->a = &l->set->pub.arena;
	l->d = d;
	l->names = names;
	l->sources = SW_ARENA_ARRAY(l->a, struct source, n_sources + 1);
}

static int read_file(struct load *l, const char *path)
{
	struct sw_buf b = SW_BUF_INIT;
	int r = sw_file_read(path, FILE_BYTES, &b, NULL);

	if (r == -EFBIG)
		sw_diag_error(l->d, NULL, "%s: larger than 1 MiB", path);
	else if (r < 0)
		sw_diag_error(l->d, NULL, "%s: %s", path, r == -ENOENT ? "there is no such file" : r == -EACCES ? "it may not be read" : "it cannot be read");
	else
		l->sources[l->n_sources++] = (struct source){ .name = sw_arena_strdup(l->a, path), .text = sw_arena_memdup(l->a, b.p, b.n), .n = b.n };
	sw_buf_fini(&b);
	return r < 0 ? -EINVAL : 0;
}

int sw_rules_load(const char *const *paths, const struct sw_rules_names *names, struct sw_rules **ret, struct sw_diags *d)
{
	struct load l;
	size_t n = 0;

	while (paths[n])
		n++;
	if (n > FILES_MOST)
		return sw_diag_error(d, NULL, "more than %d rule files", FILES_MOST), -EINVAL;
	load_begin(&l, names, d, n);
	for (size_t i = 0; i < n; i++)
		(void)read_file(&l, paths[i]);
	return load_all(&l, ret);
}

int sw_rules_load_text(const char *name, const char *text, size_t n, const struct sw_rules_names *names, struct sw_rules **ret,
                       struct sw_diags *d)
{
	struct load l;

	load_begin(&l, names, d, 1);
	l.sources[l.n_sources++] = (struct source){ .name = sw_arena_strdup(l.a, name), .text = sw_arena_strndup(l.a, text, n), .n = n };
	return load_all(&l, ret);
}

int sw_rules_load_source(const char *source, size_t n, struct sw_rules **ret, struct sw_err *err)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_jnode *root;
	struct load l;
	int r = sw_jtree_parse(&a, source, n, 10000, &root, err);

	if (r < 0) {
		sw_arena_fini(&a);
		return r;
	}
	sw_diags_init(&d, &a);
	load_begin(&l, NULL, &d, root->n);
	for (const struct sw_jnode *x = root->child; x; x = x->next)
		if (x->type == SW_J_ARRAY && x->n == 2 && x->child->type == SW_J_STRING && x->child->next->type == SW_J_STRING)
			l.sources[l.n_sources++] = (struct source){ .name = sw_arena_strdup(l.a, x->child->text),
			                                            .text = sw_arena_strdup(l.a, x->child->next->text), .n = x->child->next->n };
	r = load_all(&l, ret);
	if (r < 0)
		sw_err_set(err, EINVAL, "%s", d.first ? d.first->text : "rules do not load");
	sw_arena_fini(&a);
	return r;
}

struct sw_rules *sw_rules_get(struct sw_rules *r)
{
	r->refs++;
	return r;
}

struct sw_rules *sw_rules_put(struct sw_rules *r)
{
	if (r && --r->refs == 0)
		set_free((struct set *)r);
	return NULL;
}

const struct sw_rule *sw_rules_find(const struct sw_rules *r, const char *name)
{
	return name ? sw_map_get(&r->index, name) : NULL;
}

int sw_expr_compile(struct sw_arena *a, const char *text, const struct sw_signal_def *signals, size_t n_signals, const struct sw_expr **ret,
                    struct sw_err *err)
{
	struct scope sc = { .a = a, .signals = signals, .n_signals = n_signals };
	struct wrong wrong;
	struct sw_expr *e;

	if (sw_expr_make(text, &sc, &e, &wrong) < 0)
		return sw_err_set(err, EINVAL, "%zu: %s", wrong.at + 1, wrong.text);
	*ret = e;
	return 0;
}
