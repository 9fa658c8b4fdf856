/* Tables of settings: a YAML map becomes a struct by its rows, and every mistake is told where it stands. */
#include "shipwatch/key.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define KEY_LIST_MAX 1000
#define KEY_GOT_MAX  80 /* characters of a wrong value that are shown */

struct key_reader {
	const struct sw_key *key;
	struct sw_arena *a;
	struct sw_diags *d;
	const struct sw_ynode *node; /* the value looked at, maybe one of a list */
};

static void *key_at(const struct sw_key *key, void *conf)
{
	return (char *)conf + key->offset;
}

/* The wrong value for a message. What came out of ${…} may be a secret that stands in the wrong place. */
static const char *key_got(const struct key_reader *k)
{
	char quoted[KEY_GOT_MAX + 16];

	if (k->node->type == SW_Y_MAP)
		return "a map";
	if (k->node->type == SW_Y_LIST)
		return "a list";
	if (sw_yaml_is_null(k->node))
		return "nothing";
	if (k->node->from_env || k->key->type == SW_KEY_SECRET || k->key->type == SW_KEY_SECRETS)
		return "something else";
	sw_err_quote(k->node->text, strlen(k->node->text), quoted, sizeof quoted);
	return sw_arena_printf(k->a, "\"%s\"", quoted);
}

static int key_want(const struct key_reader *k, const char *want)
{
	sw_diag_error(k->d, k->node, "%s: want %s, got %s", k->key->name, want, key_got(k));
	return -EINVAL;
}

static int key_text(const struct key_reader *k, const char *want, const char **ret)
{
	if (k->node->broken)
		return -EINVAL;
	if (k->node->type != SW_Y_SCALAR || sw_yaml_is_null(k->node))
		return key_want(k, want);
	*ret = k->node->text;
	return 0;
}

/* A number or a word in quotes is text, unless the quotes are there for ${…}. */
static int key_plain(const struct key_reader *k, const char *want, const char **ret)
{
	if (k->node->type == SW_Y_SCALAR && k->node->quoted && !k->node->from_env && !k->node->broken)
		return key_want(k, sw_arena_printf(k->a, "%s without quotes", want));
	return key_text(k, want, ret);
}

static void key_print_limit(const struct sw_key *key, int64_t v, struct sw_buf *out)
{
	if (key->type == SW_KEY_DUR)
		sw_dur_print(v, out);
	else if (key->type == SW_KEY_SIZE && v && v % (1 << 20) == 0)
		sw_buf_printf(out, "%lldMiB", (long long)(v >> 20));
	else if (key->type == SW_KEY_SIZE && v && v % (1 << 10) == 0)
		sw_buf_printf(out, "%lldKiB", (long long)(v >> 10));
	else
		sw_buf_printf(out, "%lld%s", (long long)v,
		              key->type == SW_KEY_PERCENT ? "%"
		              : key->type == SW_KEY_SIZE  ? "B"
		                                          : "");
}

static int key_range(const struct key_reader *k, double v)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf want = SW_BUF_INIT;
	const struct sw_key *key = k->key;

	if ((key->min == 0 && key->max == 0) || (v >= (double)key->min && v <= (double)key->max))
		return 0;
	key_print_limit(key, key->min, &want);
	sw_buf_cat(&want, key->max == INT64_MAX ? " or more" : " to ");
	if (key->max != INT64_MAX)
		key_print_limit(key, key->max, &want);
	return key_want(k, want.p);
}

static int key_bool(const struct key_reader *k, bool *ret)
{
	const char *s;
	int r = key_plain(k, "true or false", &s);

	if (r < 0)
		return r;
	if (strcmp(s, "true") != 0 && strcmp(s, "false") != 0)
		return key_want(k, "true or false");
	*ret = *s == 't';
	return 0;
}

static int key_int(const struct key_reader *k, int64_t *ret)
{
	const char *s;
	char *end;
	long long v;
	int r = key_plain(k, "a whole number", &s);

	if (r < 0)
		return r;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || end == s || *end || s[strspn(s, "-0123456789")])
		return key_want(k, "a whole number");
	r = key_range(k, (double)v);
	if (r == 0)
		*ret = v;
	return r;
}

static int key_number(const struct key_reader *k, bool percent, double *ret)
{
	const char *want = percent ? "a percentage such as 5%" : "a number", *s;
	char *end;
	double v;
	int r = percent ? key_text(k, want, &s) : key_plain(k, want, &s);

	if (r < 0)
		return r;
	v = strtod(s, &end);
	if (end == s || s[strspn(s, "-+.0123456789eE%")] || strcmp(end, percent ? "%" : "") != 0 || !isfinite(v))
		return key_want(k, want);
	r = key_range(k, v);
	if (r == 0)
		*ret = percent ? v / 100 : v;
	return r;
}

static int key_dur(const struct key_reader *k, sw_dur *ret)
{
	const char *want = "a length of time with its unit, such as 30s", *s;
	sw_dur v;
	int r = key_text(k, want, &s);

	if (r < 0)
		return r;
	if (sw_dur_parse(s, &v) < 0)
		return key_want(k, want);
	r = key_range(k, (double)v);
	if (r == 0)
		*ret = v;
	return r;
}

static int key_size(const struct key_reader *k, int64_t *ret)
{
	const char *want = "a size with its unit, such as 25MiB", *s;
	int64_t v;
	int r = key_text(k, want, &s);

	if (r < 0)
		return r;
	if (sw_size_parse(s, &v) < 0)
		return key_want(k, want);
	r = key_range(k, (double)v);
	if (r == 0)
		*ret = v;
	return r;
}

static bool key_is_port(const char *s, size_t n)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 5)
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return n == 0 || (v > 0 && v < 65536);
}

/* http(s)://[user@]host[:port][/…] without blanks. */
static bool key_is_url(const char *s)
{
	const char *host, *at;
	size_t n, host_n;

	if (sw_starts(s, "http://"))
		host = s + 7;
	else if (sw_starts(s, "https://"))
		host = s + 8;
	else
		return false;
	for (const unsigned char *p = (const unsigned char *)s; *p; p++)
		if (*p <= 0x20 || *p == 0x7f)
			return false;
	n = strcspn(host, "/?#");
	at = memrchr(host, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (n && *host == '[') {
		const char *end = memchr(host, ']', n);

		if (!end || end < host + 3)
			return false;
		host_n = (size_t)(end + 1 - host);
	} else {
		const char *colon = memchr(host, ':', n);

		host_n = colon ? (size_t)(colon - host) : n;
	}
	if (host_n == 0)
		return false;
	return host_n == n || (host[host_n] == ':' && n > host_n + 1 && key_is_port(host + host_n + 1, n - host_n - 1));
}

static int key_url(const struct key_reader *k, const char **ret)
{
	const char *want = "an address that begins with http:// or https://", *s;
	int r = key_text(k, want, &s);

	if (r < 0)
		return r;
	if (!key_is_url(s))
		return key_want(k, want);
	*ret = s;
	return 0;
}

static int key_secret(const struct key_reader *k, const char **ret)
{
	const char *s;
	int r = key_text(k, "a secret", &s);

	if (r < 0)
		return r;
	if (!*s) {
		sw_diag_error(k->d, k->node, "%s: this secret is empty", k->key->name);
		return -EINVAL;
	}
	if (k->node->exposed && !k->node->from_env) {
		sw_diag_error(k->d, k->node,
		              "%s: a secret in plain text in a file that everybody can read; use ${NAME} or "
		              "${file:PATH}, or chmod o-r",
		              k->key->name);
		return -EINVAL;
	}
	*ret = s;
	return 0;
}

static int key_enum(const struct key_reader *k, int *ret)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf want = SW_BUF_INIT;
	const char *s, *near;
	int r = key_text(k, "a word", &s);

	if (r < 0)
		return r;
	for (int i = 0; k->key->words[i]; i++) {
		if (strcmp(s, k->key->words[i]) == 0) {
			*ret = i;
			return 0;
		}
		sw_buf_printf(&want, "%s%s", i ? k->key->words[i + 1] ? ", " : " or " : "", k->key->words[i]);
	}
	near = sw_did_you_mean(s, k->key->words);
	if (near)
		sw_diag_error(k->d, k->node, "%s: unknown %s, did you mean \"%s\"?", k->key->name, key_got(k), near);
	else
		(void)key_want(k, sw_buf_str(&want));
	return -EINVAL;
}

/* One text alone is a list of one. */
static int key_list(struct key_reader *k, bool secrets, const char ***ret)
{
	const struct sw_ynode *node = k->node, *item = node->type == SW_Y_LIST ? node->child : node;
	size_t n = node->type == SW_Y_LIST ? node->n : 1, i = 0;
	const char **list;
	int r = 0;

	if (n > KEY_LIST_MAX) {
		sw_diag_error(k->d, node, "%s: more than %d", k->key->name, KEY_LIST_MAX);
		return -EINVAL;
	}
	list = SW_ARENA_ARRAY(k->a, const char *, n + 1);
	for (; item; item = node->type == SW_Y_LIST ? item->next : NULL) {
		k->node = item;
		if ((secrets ? key_secret(k, &list[i++]) : key_text(k, "a text or a list of texts", &list[i++])) < 0)
			r = -EINVAL;
	}
	k->node = node;
	if (secrets && n == 0) {
		sw_diag_error(k->d, node, "%s: want at least one", k->key->name);
		return -EINVAL;
	}
	if (r == 0)
		*ret = list;
	return r;
}

static int key_strmap(struct key_reader *k, const char ***ret)
{
	const struct sw_ynode *node = k->node;
	const char **list;
	size_t i = 0;
	int r = 0;

	if (node->type != SW_Y_MAP)
		return key_want(k, "a map of names and texts");
	if (node->n > KEY_LIST_MAX) {
		sw_diag_error(k->d, node, "%s: more than %d", k->key->name, KEY_LIST_MAX);
		return -EINVAL;
	}
	list = SW_ARENA_ARRAY(k->a, const char *, 2 * node->n + 1);
	for (const struct sw_ynode *v = node->child; v; v = v->next) {
		list[i++] = v->key;
		k->node = v;
		if (key_text(k, "a text", &list[i++]) < 0)
			r = -EINVAL;
	}
	k->node = node;
	if (r == 0)
		*ret = list;
	return r;
}

int sw_key_read_one(const struct sw_key *key, const struct sw_ynode *value, struct sw_arena *a, void *conf,
                    struct sw_diags *d)
{
	struct key_reader k = { .key = key, .a = a, .d = d, .node = value };
	void *at = key_at(key, conf);

	switch (key->type) {
	case SW_KEY_STRING:
		return key_text(&k, "a text", at);
	case SW_KEY_SECRET:
		return key_secret(&k, at);
	case SW_KEY_SECRETS:
		return key_list(&k, true, at);
	case SW_KEY_STRINGS:
		return key_list(&k, false, at);
	case SW_KEY_BOOL:
		return key_bool(&k, at);
	case SW_KEY_INT:
		return key_int(&k, at);
	case SW_KEY_NUMBER:
		return key_number(&k, false, at);
	case SW_KEY_DUR:
		return key_dur(&k, at);
	case SW_KEY_SIZE:
		return key_size(&k, at);
	case SW_KEY_PERCENT:
		return key_number(&k, true, at);
	case SW_KEY_URL:
		return key_url(&k, at);
	case SW_KEY_ENUM:
		return key_enum(&k, at);
	case SW_KEY_STRMAP:
		return key_strmap(&k, at);
	case SW_KEY_NODE:
		*(const struct sw_ynode **)at = value;
		return 0;
	}
	return -EINVAL;
}

static int keys_default(const struct sw_key *key, const struct sw_ynode *at, struct sw_arena *a, void *conf,
                        struct sw_diags *d)
{
	struct sw_ynode v = { .type = SW_Y_SCALAR,
		              .text = key->def,
		              .from_env = true }; /* not subject to what files may hold */

	if (!key->def)
		return 0;
	if (strcmp(key->def, "!") == 0) {
		sw_diag_error(d, at, "\"%s\" is missing", key->name);
		return -EINVAL;
	}
	/* A default that its own row refuses is a mistake in the program. */
	SW_ASSERT(sw_key_read_one(key, &v, a, conf, d) == 0);
	return 0;
}

static bool keys_has(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void keys_unknown(const struct sw_key *keys, const struct sw_ynode *v, const char *const *skip,
                         struct sw_arena *a, struct sw_diags *d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf all = SW_BUF_INIT;
	const char *near, **words;
	size_t n = 0, i = 0;

	for (; keys[n].name; n++)
		sw_buf_printf(&all, "%s%s", all.n ? ", " : "", keys[n].name);
	for (; skip && skip[i]; i++)
		sw_buf_printf(&all, "%s%s", all.n ? ", " : "", skip[i]);
	words = SW_ARENA_ARRAY(a, const char *, n + i + 1);
	for (size_t k = 0; k < n; k++)
		words[k] = keys[k].name;
	for (size_t k = 0; k < i; k++)
		words[n + k] = skip[k];
	near = sw_did_you_mean(v->key, words);
	if (near)
		sw_diag_key(d, v, "unknown key \"%s\", did you mean \"%s\"?", v->key, near);
	else
		sw_diag_key(d, v, "unknown key \"%s\"; there %s %s", v->key, n + i == 1 ? "is only" : "are",
		            all.n ? all.p : "none");
}

int sw_keys_read(const struct sw_key *keys, const struct sw_ynode *node, const struct sw_ynode *at,
                 const char *const *skip, struct sw_arena *a, void *conf, struct sw_diags *d)
{
	bool empty = !node || sw_yaml_is_null(node);
	int r = 0;

	if (!empty && node->type != SW_Y_MAP) {
		sw_diag_error(d, node, "want a map of settings, got %s", node->type == SW_Y_LIST ? "a list" : "a text");
		return -EINVAL;
	}
	for (const struct sw_key *key = keys; key->name; key++) {
		const struct sw_ynode *v = empty ? NULL : sw_yget(node, key->name);

		if ((v ? sw_key_read_one(key, v, a, conf, d) : keys_default(key, empty ? at : node, a, conf, d)) < 0)
			r = -EINVAL;
	}
	for (const struct sw_ynode *v = empty ? NULL : node->child; v; v = v->next) {
		const struct sw_key *key = keys;

		while (key->name && strcmp(key->name, v->key) != 0)
			key++;
		if (key->name || keys_has(skip, v->key))
			continue;
		keys_unknown(keys, v, skip, a, d);
		r = -EINVAL;
	}
	return r;
}

int sw_size_parse(const char *s, int64_t *ret)
{
	static const struct {
		const char *name;
		double bytes;
	} units[] = {
		{ "B", 1 },         { "KB", 1e3 },      { "MB", 1e6 },      { "GB", 1e9 },
		{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
	};
	char *end;
	double v;

	if (*s < '0' || *s > '9' || s[strspn(s, "0123456789.")] == '\0')
		return -EINVAL;
	if (strspn(s, "0123456789.") > 18)
		return -EINVAL;
	v = strtod(s, &end);
	if (end != s + strspn(s, "0123456789."))
		return -EINVAL;
	for (size_t i = 0; i < SW_COUNT(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		v *= units[i].bytes;
		if (v > 9e15)
			return -EINVAL;
		*ret = (int64_t)v;
		return 0;
	}
	return -EINVAL;
}
