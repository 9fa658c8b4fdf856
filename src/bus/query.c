/* The bus on Redis: what operators ask, and the texts of pinned rules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/impl.h"

static void dead_finish(struct op *o, const void *kept, size_t kept_n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	bus_dead_json(&b, o->word, o->fields, o->n_fields, kept, kept_n);
	o->cb.text(o->arg, 0, sw_buf_str(&b));
	op_free(o);
}

static void dead_body_reply(void *arg, int r, const struct sw_rep *rep)
{
	size_t n = 0;
	const char *body = r == 0 ? sw_rep_str(rep, &n) : NULL;

	dead_finish(arg, body, n);
}

static void dead_show_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	const struct sw_rep *f = sw_rep_at(sw_rep_at(rep, 0), 1);
	const char *entry = NULL;
	bool inside = false, in = false;
	char key[96];
	struct sw_cmd cmd;

	if (r < 0 || sw_rep_count(rep) == 0) {
		o->cb.text(o->arg, r, NULL);
		op_free(o);
		return;
	}
	for (size_t i = 0; i + 1 < sw_rep_count(f) && o->n_fields < SW_COUNT(o->fields); i += 2) {
		struct bus_field *x = &o->fields[o->n_fields++];
		const char *value = sw_rep_str(sw_rep_at(f, i + 1), &x->n);

		x->name = sw_arena_strdup(&o->arena, sw_rep_str(sw_rep_at(f, i), NULL));
		x->value = sw_arena_alloc(&o->arena, x->n + 1);
		memcpy((char *)(uintptr_t)x->value, value, x->n);
		inside |= sw_streq(x->name, "b");
		in |= sw_streq(x->name, "k") && sw_streq(x->value, "in");
		if (sw_streq(x->name, "o"))
			entry = x->value;
	}
	if (inside || !in || !entry) {
		dead_finish(o, NULL, 0);
		return;
	}
	(void)snprintf(key, sizeof key, "{sw}:body:%s", entry);
	sw_cmd_plain(&cmd, "GET");
	sw_cmd_str(&cmd, key);
	op_send(o, &cmd, dead_body_reply);
}

static int name_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void scan_finish(struct op *o)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_freep) const char **names = sw_calloc(o->names.n_live + 1, sizeof *names);
	struct sw_map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = sw_map_next(&o->names, &i));)
		names[n++] = e->key;
	qsort(names, n, sizeof *names, name_order);
	sw_buf_putc(&b, '[');
	for (size_t i = 0; i < SW_MIN(n, o->limit); i++) {
		if (i)
			sw_buf_putc(&b, ',');
		sw_buf_json(&b, names[i]);
	}
	sw_buf_putc(&b, ']');
	o->cb.text(o->arg, 0, sw_buf_str(&b));
	op_free(o);
}

static void scan_send(struct op *o, const char *cursor);

/* SCAN from here, not in a script: it goes over the whole keyspace, a piece at a time. */
static void scan_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	const struct sw_rep *keys = sw_rep_at(rep, 1);
	const char *cursor = sw_rep_str(sw_rep_at(rep, 0), NULL);

	if (r < 0 || !cursor) {
		o->cb.text(o->arg, r < 0 ? r : -EPROTO, NULL);
		op_free(o);
		return;
	}
	for (size_t i = 0; i < sw_rep_count(keys); i++) {
		const char *k = sw_rep_str(sw_rep_at(keys, i), NULL);

		if (k && sw_starts(k, "{sw}:") && sw_starts(k + 5, o->word))
			(void)sw_map_set(&o->names, k + 5, o);
	}
	if (sw_streq(cursor, "0") || o->names.n_live >= o->limit)
		scan_finish(o);
	else
		scan_send(o, cursor);
}

static void scan_send(struct op *o, const char *cursor)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf match = SW_BUF_INIT;
	struct sw_cmd cmd;

	sw_buf_cat(&match, "{sw}:");
	for (const char *p = o->word; *p; p++) {
		if (strchr("*?[]\\^", *p))
			sw_buf_putc(&match, '\\');
		sw_buf_putc(&match, *p);
	}
	sw_buf_putc(&match, '*');
	sw_cmd_plain(&cmd, "SCAN");
	sw_cmd_str(&cmd, cursor);
	sw_cmd_str(&cmd, "MATCH");
	sw_cmd_str(&cmd, sw_buf_str(&match));
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_str(&cmd, "1000");
	sw_cmd_str(&cmd, "TYPE");
	sw_cmd_str(&cmd, "hash");
	op_send(o, &cmd, scan_reply);
}

static void unknown_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	(void)rep;
	o->cb.text(o->arg, r < 0 ? r : -EINVAL, NULL);
	op_free(o);
}

void remote_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	char buf[256];
	const char *w[4] = { "", "", "", "" };
	size_t n = bus_words(what, buf, w);
	struct sw_cmd cmd;

	o->cb.text = cb;
	if (sw_streq(w[0], "aggregates") && n == 3) {
		o->word = sw_strdup(w[1]);
		o->limit = strtoul(w[2], NULL, 10);
		scan_send(o, "0");
		return;
	}
	if (sw_streq(w[0], "dead") && sw_streq(w[1], "show") && n == 3) {
		o->word = sw_strdup(w[2]);
		sw_cmd_plain(&cmd, "XRANGE");
		sw_cmd_str(&cmd, "{sw}:dead");
		sw_cmd_str(&cmd, w[2]);
		sw_cmd_str(&cmd, w[2]);
		op_send(o, &cmd, dead_show_reply);
		return;
	}
	if ((sw_streq(w[0], "status") && n <= 2) || (sw_streq(w[0], "dead") && sw_streq(w[1], "list") && n == 4) ||
	    (sw_streq(w[0], "aggregate") && n == 2)) {
		sw_cmd_script(&cmd, SW_SCRIPT_QUERY);
		for (size_t i = sw_streq(w[0], "dead"); i < n; i++)
			sw_cmd_str(&cmd, w[i]);
		op_send(o, &cmd, op_text);
		return;
	}
	sw_cmd_plain(&cmd, "PING");
	op_send(o, &cmd, unknown_reply);
}

void remote_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	char key[160];
	struct sw_cmd cmd;

	o->cb.text = cb;
	(void)snprintf(key, sizeof key, "{sw}:rules:%s", hash);
	sw_cmd_plain(&cmd, "GET");
	sw_cmd_str(&cmd, key);
	op_send(o, &cmd, op_text);
}
