/* Tables from paths to fields: the rows become a small tree of names, the bytes are walked once beside it. */
#include "source/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"

struct name {
	const char *text;          /* not NUL-ended */
	size_t n;
	const struct row *row;     /* its value is wanted */
	struct name *child, *next;
};

struct walk {
	struct sw_json j;
	struct sw_arena *a;
};

static struct name *name_child(struct sw_arena *a, struct name *parent, const char *s, size_t n)
{
	struct name *c;

	for (c = parent->child; c; c = c->next)
		if (c->n == n && memcmp(c->text, s, n) == 0)
			return c;
	c = SW_ARENA_NEW(a, struct name);
	*c = (struct name){ .text = s, .n = n, .next = parent->child };
	parent->child = c;
	return c;
}

static void names_add(struct sw_arena *a, struct name *root, const struct row *rows)
{
	for (; rows->path; rows++) {
		struct name *at = root;
		const char *p = rows->path;

		for (;;) {
			size_t n = strcspn(p, ".");

			at = name_child(a, at, p, n);
			if (!p[n])
				break;
			p += n + 1;
		}
		at->row = rows;
	}
}

static struct name *names_find(const struct walk *w, const struct name *parent)
{
	for (struct name *c = parent->child; c; c = c->next)
		if (w->j.escaped ? sw_json_is(&w->j, sw_arena_strndup(w->a, c->text, c->n))
		                 : c->n == w->j.tok_n && memcmp(c->text, w->j.tok, c->n) == 0)
			return c;
	return NULL;
}

/* ---- values ---- */

static const char *value_text(struct walk *w, enum sw_json_token t)
{
	char *s;

	if (t == SW_JSON_NUMBER)
		return sw_arena_strndup(w->a, w->j.tok, SW_MIN(w->j.tok_n, 40));
	if (t != SW_JSON_STRING || !w->j.tok_n)
		return NULL;
	if (w->j.tok_n <= SW_EVENT_TEXT)
		return sw_json_text(&w->j, w->a);
	if (!w->j.dirty)
		return sw_arena_strndup(w->a, w->j.tok, SW_EVENT_TEXT);
	s = sw_json_text(&w->j, w->a);
	s[sw_utf8_cut(s, strlen(s), SW_EVENT_TEXT)] = '\0';
	return s;
}

static const char *value_line(struct walk *w, enum sw_json_token t)
{
	struct sw_json keep = w->j;
	const char *s, *slash;
	char *line;

	if (t != SW_JSON_STRING)
		return NULL;
	/* long messages are cut before they are taken out; an escaped line end is enough to stop at */
	slash = memmem(w->j.tok, w->j.tok_n, "\\n", 2);
	if (slash && slash > w->j.tok && slash[-1] != '\\')
		w->j.tok_n = (size_t)(slash - w->j.tok);
	s = value_text(w, t);
	w->j = keep;
	if (!s)
		return NULL;
	line = sw_arena_strndup(w->a, s, strcspn(s, "\r\n"));
	return *line ? line : NULL;
}

static const char *value_sha(struct walk *w, enum sw_json_token t)
{
	bool zero = true;
	char *s;

	if (t != SW_JSON_STRING || w->j.tok_n < 7 || w->j.tok_n > 64)
		return NULL;
	s = sw_arena_strndup(w->a, w->j.tok, w->j.tok_n);
	for (char *p = s; *p; p++) {
		if (*p >= 'A' && *p <= 'F')
			*p |= 32;
		if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f')))
			return NULL;
		zero &= *p == '0';
	}
	return zero ? NULL : s;
}

static sw_ms value_time(struct walk *w, enum sw_json_token t)
{
	const char *s = t == SW_JSON_STRING || t == SW_JSON_NUMBER ? value_text(w, t) : NULL;
	sw_ms at;

	return s && sw_time_parse(s, &at) == 0 && at > 0 ? at : 0;
}

static double value_number(struct walk *w, enum sw_json_token t, double otherwise)
{
	char *end;
	const char *s;
	double d;

	if (t == SW_JSON_NUMBER)
		return sw_json_double(&w->j);
	if (t != SW_JSON_STRING)
		return otherwise;
	s = value_text(w, t);
	d = s ? strtod(s, &end) : 0;
	return s && end != s && !*end ? d : otherwise;
}

static void value_set(struct walk *w, const struct row *row, enum sw_json_token t, void *base)
{
	void *p = (char *)base + row->offset;
	const char *s;
	sw_ms at;
	int64_t i;

	switch (row->type) {
	case T_TEXT:
		s = value_text(w, t);
		if (s)
			*(const char **)p = s;
		break;
	case T_LINE:
		s = value_line(w, t);
		if (s)
			*(const char **)p = s;
		break;
	case T_SHA:
		s = value_sha(w, t);
		if (s)
			*(const char **)p = s;
		break;
	case T_TIME:
		at = value_time(w, t);
		if (at)
			*(sw_ms *)p = at;
		break;
	case T_INT:
		if (t == SW_JSON_NUMBER && sw_json_int(&w->j, &i))
			*(int64_t *)p = i;
		break;
	case T_NUMBER: *(double *)p = value_number(w, t, *(double *)p); break;
	case T_BOOL: *(bool *)p = t == SW_JSON_TRUE; break;
	case T_SOME: *(bool *)p = t != SW_JSON_NULL; break;
	case T_TEXTS:
	case T_EACH:
	case T_LABELS: break;
	}
}

/* ---- walking ---- */

static int walk_object(struct walk *w, const struct name *names, void *base);

static int walk_skip(struct walk *w, enum sw_json_token t)
{
	if (t == SW_JSON_ERROR)
		return -EINVAL;
	return t == SW_JSON_OBJECT || t == SW_JSON_ARRAY ? sw_json_skip(&w->j) : 0;
}

static int walk_texts(struct walk *w, struct texts *list)
{
	for (;;) {
		enum sw_json_token t = sw_json_next(&w->j);
		const char *s;

		if (t == SW_JSON_ARRAY_END)
			return 0;
		if (walk_skip(w, t) < 0)
			return -EINVAL;
		s = t == SW_JSON_STRING ? value_text(w, t) : NULL;
		if (!s)
			continue;
		if (list->n == SW_EVENT_FILES) {
			list->cut = true;
			continue;
		}
		if (list->n == list->cap) {
			const char **bigger = SW_ARENA_ARRAY(w->a, const char *, list->cap ? list->cap * 2 : 8);

			if (list->n)
				memcpy(bigger, list->items, list->n * sizeof *bigger);
			list->items = bigger;
			list->cap = list->cap ? list->cap * 2 : 8;
		}
		list->items[list->n++] = s;
	}
}

static void *each_add(struct walk *w, struct each *list, const struct row *row)
{
	if (list->n == row->most) {
		list->cut = true;
		list->left_out++;
		return NULL;
	}
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 8;
		void *bigger = sw_arena_alloc(w->a, cap * row->elem_size);

		if (list->n)
			memcpy(bigger, list->items, list->n * row->elem_size);
		list->items = bigger;
		list->cap = cap;
	}
	return (char *)list->items + row->elem_size * list->n++;
}

static int walk_each(struct walk *w, const struct row *row, struct each *list)
{
	struct name root = { 0 };

	names_add(w->a, &root, row->rows);
	for (;;) {
		enum sw_json_token t = sw_json_next(&w->j);
		void *elem;
		int r;

		if (t == SW_JSON_ARRAY_END)
			return 0;
		elem = t == SW_JSON_OBJECT ? each_add(w, list, row) : NULL;
		r = elem ? walk_object(w, &root, elem) : walk_skip(w, t);
		if (r < 0)
			return r;
	}
}

/* The label of that name, made if there is room; of equal names the last one stands. */
static struct sw_label *labels_at(struct walk *w, const struct row *row, struct labels *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	if (list->n == row->most) {
		list->cut = true;
		return NULL;
	}
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		struct sw_label *bigger = SW_ARENA_ARRAY(w->a, struct sw_label, cap);

		if (list->n)
			memcpy(bigger, list->items, list->n * sizeof *bigger);
		list->items = bigger;
		list->cap = cap;
	}
	list->items[list->n] = (struct sw_label){ .name = name };
	return &list->items[list->n++];
}

static int walk_labels(struct walk *w, const struct row *row, struct labels *list)
{
	for (;;) {
		enum sw_json_token t = sw_json_next(&w->j);
		struct sw_label *label;
		const char *name, *value;

		if (t == SW_JSON_OBJECT_END)
			return 0;
		if (t != SW_JSON_KEY)
			return -EINVAL;
		name = w->j.tok_n && w->j.tok_n <= LABEL_NAME ? sw_json_text(&w->j, w->a) : NULL;
		list->cut |= w->j.tok_n > LABEL_NAME;
		t = sw_json_next(&w->j);
		if (walk_skip(w, t) < 0)
			return -EINVAL;
		value = name ? value_text(w, t) : NULL;
		label = value ? labels_at(w, row, list, name) : NULL;
		if (label)
			label->value = value;
	}
}

static int walk_value(struct walk *w, const struct name *at, void *base)
{
	enum sw_json_token t = sw_json_next(&w->j);

	if (t == SW_JSON_ERROR)
		return -EINVAL;
	if (t == SW_JSON_OBJECT) {
		if (at->row && at->row->type == T_SOME)
			value_set(w, at->row, t, base);
		if (at->row && at->row->type == T_LABELS)
			return walk_labels(w, at->row, (struct labels *)(void *)((char *)base + at->row->offset));
		return at->child ? walk_object(w, at, base) : sw_json_skip(&w->j);
	}
	if (t == SW_JSON_ARRAY) {
		if (at->row && at->row->type == T_TEXTS)
			return walk_texts(w, (struct texts *)(void *)((char *)base + at->row->offset));
		if (at->row && at->row->type == T_EACH)
			return walk_each(w, at->row, (struct each *)(void *)((char *)base + at->row->offset));
		return sw_json_skip(&w->j);
	}
	if (at->row)
		value_set(w, at->row, t, base);
	return 0;
}

static int walk_object(struct walk *w, const struct name *names, void *base)
{
	for (;;) {
		enum sw_json_token t = sw_json_next(&w->j);
		const struct name *at;
		int r;

		if (t == SW_JSON_OBJECT_END)
			return 0;
		if (t != SW_JSON_KEY)
			return -EINVAL;
		at = names_find(w, names);
		r = at ? walk_value(w, at, base) : sw_json_skip(&w->j);
		if (r < 0)
			return r;
	}
}

int sw_table_read(const struct row *const *lists, const char *json, size_t n, struct sw_arena *a, void *base, struct sw_err *err)
{
	struct walk w = { .a = a };
	struct name root = { 0 };
	enum sw_json_token t;

	for (; *lists; lists++)
		names_add(a, &root, *lists);
	sw_json_init(&w.j, json, n);
	t = sw_json_next(&w.j);
	if (t != SW_JSON_ERROR && t != SW_JSON_OBJECT)
		return sw_err_set(err, EBADMSG, "want a JSON object");
	if (t == SW_JSON_ERROR || walk_object(&w, &root, base) < 0 || sw_json_next(&w.j) != SW_JSON_END)
		return sw_err_set(err, EBADMSG, "not JSON: %s at byte %zu", w.j.error ? w.j.error : "unexpected end", (size_t)(w.j.p - w.j.begin));
	return 0;
}
