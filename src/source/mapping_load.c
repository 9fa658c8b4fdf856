/* Mappings out of the configuration: maps, lists and pointers of YAML become a struct mapping, every mistake at its place. */
#include <string.h>

#include "base/str.h"
#include "source/mapping.h"

static const char *const statuses[] = { "success", "failed", "cancelled", "running", "created", "skipped", NULL };
static const char *const kinds[] = { "push", "tag", "pipeline", "job", "deployment", "release", "merge", "report", "alarm", NULL };
static const char *const form_keys[] = { "event", "fields", "status", "when", "each", "labels", "metrics", "commits", NULL };

struct loading { struct sw_arena *a; struct sw_diags *d; struct mapping *m; };

static bool scalar(struct loading *l, const struct sw_ynode *n, const char *what)
{
	if (n->type == SW_Y_SCALAR && !n->broken && !sw_yaml_is_null(n))
		return true;
	if (!n->broken)
		sw_diag_error(l->d, n, "want %s", what);
	return false;
}

/* No key of the map but those; with a suggestion. */
static void only(struct loading *l, const struct sw_ynode *map, const char *const *keys)
{
	for (const struct sw_ynode *v = map->child; v; v = v->next) {
		const char *near;
		bool known = false;

		for (size_t i = 0; keys[i]; i++)
			known |= strcmp(keys[i], v->key) == 0;
		near = known ? NULL : sw_did_you_mean(v->key, keys);
		if (near)
			sw_diag_key(l->d, v, "unknown key \"%s\", did you mean \"%s\"?", v->key, near);
		else if (!known)
			sw_diag_key(l->d, v, "unknown key \"%s\"", v->key);
	}
}

static const struct pointer *pointer(struct loading *l, const struct sw_ynode *n)
{
	const struct pointer *p = NULL;

	if (!scalar(l, n, "a JSON Pointer such as /build/status"))
		return NULL;
	if (sw_pointer_parse(n->text, l->a, &p) == 0)
		return p;
	sw_diag_error(l->d, n, "want a JSON Pointer such as /build/status, got \"%s\"; a text that is always the same is {value: …}", n->text);
	return NULL;
}

void sw_mapping_header(struct mapping *m, const char *name, struct sw_arena *a)
{
	const char **bigger;

	for (size_t i = 0; i < m->n_headers; i++)
		if (strcmp(m->headers[i], name) == 0)
			return;
	bigger = SW_ARENA_ARRAY(a, const char *, m->n_headers + 2);
	if (m->n_headers)
		memcpy(bigger, m->headers, m->n_headers * sizeof *bigger);
	bigger[m->n_headers++] = name;
	bigger[m->n_headers] = NULL;
	m->headers = bigger;
}

static const char *header(struct loading *l, const struct sw_ynode *n)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	char *s;

	if (!scalar(l, n, "the name of a header"))
		return NULL;
	s = sw_arena_strdup(l->a, n->text);
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 32;
	if (!*s || s[strspn(s, token)] || strlen(s) > 100) {
		sw_diag_error(l->d, n, "want the name of a header, got \"%s\"", n->text);
		return NULL;
	}
	if (strcmp(s, "authorization") == 0) {
		sw_diag_error(l->d, n, "the header Authorization is a secret, it is not kept");
		return NULL;
	}
	return s;
}

static void place(struct loading *l, const struct sw_ynode *n, struct place *ret)
{
	static const char *const keys[] = { "at", "header", "value", "after", "after_last", "before", NULL };
	const struct sw_ynode *at, *head, *value, *v;
	const char **cuts[] = { &ret->after, &ret->after_last, &ret->before };

	if (n->type == SW_Y_SCALAR) {
		ret->at = pointer(l, n);
		return;
	}
	if (n->type != SW_Y_MAP) {
		sw_diag_error(l->d, n, "want a JSON Pointer, or a map with one of at, header and value");
		return;
	}
	only(l, n, keys);
	at = sw_yget(n, "at");
	head = sw_yget(n, "header");
	value = sw_yget(n, "value");
	if (!!at + !!head + !!value != 1) {
		sw_diag_error(l->d, n, "want one of at, header and value");
		return;
	}
	if (at)
		ret->at = pointer(l, at);
	if (head && (ret->header = header(l, head)) && l->m)
		sw_mapping_header(l->m, ret->header, l->a);
	if (value && scalar(l, value, "a text"))
		ret->value = value->text;
	for (size_t i = 0; i < SW_COUNT(cuts); i++) {
		v = sw_yget(n, keys[3 + i]);
		if (v && scalar(l, v, "a text") && *v->text)
			*cuts[i] = v->text;
	}
}

/* {at: [/a, /b], …}: several places, cut alike. */
static void places_at(struct loading *l, const struct sw_ynode *node, const struct sw_ynode *at, struct places *ret)
{
	if (!at->n || at->n > MAPPING_PLACES) {
		sw_diag_error(l->d, at, "want 1 to %d places, got %zu", MAPPING_PLACES, at->n);
		return;
	}
	ret->items = SW_ARENA_ARRAY(l->a, struct place, at->n);
	for (const struct sw_ynode *v = at->child; v; v = v->next) {
		struct sw_ynode one = *node, *last = NULL;

		one.child = NULL;
		for (const struct sw_ynode *m = node->child; m; m = m->next) { /* the same map with one of them */
			struct sw_ynode *copy = SW_ARENA_NEW(l->a, struct sw_ynode);

			*copy = m == at ? *v : *m;
			copy->key = m->key;
			copy->key_line = m->key_line;
			copy->key_col = m->key_col;
			copy->next = NULL;
			if (last)
				last->next = copy;
			else
				one.child = copy;
			last = copy;
		}
		place(l, &one, &ret->items[ret->n++]);
	}
}

static void places(struct loading *l, const struct sw_ynode *node, struct places *ret)
{
	const struct sw_ynode *at = node->type == SW_Y_MAP ? sw_yget(node, "at") : NULL;

	if (at && at->type == SW_Y_LIST) {
		places_at(l, node, at, ret);
		return;
	}
	if (node->type != SW_Y_LIST) {
		ret->items = SW_ARENA_NEW(l->a, struct place);
		ret->n = 1;
		place(l, node, ret->items);
		return;
	}
	if (!node->n || node->n > MAPPING_PLACES) {
		sw_diag_error(l->d, node, "want 1 to %d places, got %zu", MAPPING_PLACES, node->n);
		return;
	}
	ret->items = SW_ARENA_ARRAY(l->a, struct place, node->n);
	for (const struct sw_ynode *v = node->child; v; v = v->next)
		place(l, v, &ret->items[ret->n++]);
}

void sw_places_load(const struct sw_ynode *node, struct sw_arena *a, struct places *ret, struct sw_diags *d)
{
	struct loading l = { .a = a, .d = d };

	places(&l, node, ret);
}

/* ---- the parts of a form ---- */

static bool is_map(struct loading *l, const struct sw_ynode *n, const char *what)
{
	if (n->type == SW_Y_MAP)
		return true;
	if (!n->broken)
		sw_diag_error(l->d, n, "want a map: %s", what);
	return false;
}

static const struct field_row *field_row(struct loading *l, const struct sw_ynode *v)
{
	const char *names[128], *near;
	size_t n = 0;

	for (; sw_field_rows[n].name; n++) {
		names[n] = sw_field_rows[n].name;
		if (strcmp(names[n], v->key) == 0)
			return &sw_field_rows[n];
	}
	names[n] = NULL;
	near = strcmp(v->key, "environment") == 0 ? "env" : strcmp(v->key, "status") == 0 ? NULL : sw_did_you_mean(v->key, names);
	if (near)
		sw_diag_key(l->d, v, "unknown field \"%s\", did you mean \"%s\"?", v->key, near);
	else if (strcmp(v->key, "status") == 0)
		sw_diag_key(l->d, v, "\"status\" stands beside \"fields\", with the values that mean success and failed");
	else
		sw_diag_key(l->d, v, "unknown field \"%s\"", v->key);
	return NULL;
}

/* One of those there are already is replaced. */
static void form_fields(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	struct field *all;

	if (!is_map(l, node, "field: /pointer"))
		return;
	all = SW_ARENA_ARRAY(l->a, struct field, f->n_fields + node->n + 1);
	if (f->n_fields)
		memcpy(all, f->fields, f->n_fields * sizeof *all);
	f->fields = all;
	for (const struct sw_ynode *v = node->child; v; v = v->next) {
		const struct field_row *row = field_row(l, v);
		size_t i = 0;

		if (!row)
			continue;
		while (i < f->n_fields && all[i].row != row)
			i++;
		all[i] = (struct field){ .row = row };
		places(l, v, &all[i].places);
		f->n_fields = SW_MAX(f->n_fields, i + 1);
	}
}

static void form_labels(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	struct named *all;

	if (!is_map(l, node, "label: /pointer"))
		return;
	if (f->n_labels + node->n > SW_EVENT_LABELS) {
		sw_diag_error(l->d, node, "labels: want at most %d", SW_EVENT_LABELS);
		return;
	}
	all = SW_ARENA_ARRAY(l->a, struct named, f->n_labels + node->n + 1);
	if (f->n_labels)
		memcpy(all, f->labels, f->n_labels * sizeof *all);
	f->labels = all;
	for (const struct sw_ynode *v = node->child; v; v = v->next) {
		size_t i = 0;

		while (i < f->n_labels && strcmp(all[i].name, v->key) != 0)
			i++;
		all[i] = (struct named){ .name = v->key };
		places(l, v, &all[i].places);
		f->n_labels = SW_MAX(f->n_labels, i + 1);
	}
}

/* One text or a list of them, NULL-ended. */
static const char **texts(struct loading *l, const struct sw_ynode *node)
{
	const char **list = SW_ARENA_ARRAY(l->a, const char *, node->n + 2);
	size_t n = 0;

	if (node->type != SW_Y_LIST) {
		if (scalar(l, node, "a text or a list of texts"))
			list[n++] = node->text;
		return list;
	}
	for (const struct sw_ynode *v = node->child; v; v = v->next)
		if (scalar(l, v, "a text"))
			list[n++] = v->text;
	return list;
}

static void condition(struct loading *l, const struct sw_ynode *node, struct condition *ret)
{
	static const char *const keys[] = { "at", "header", "after", "after_last", "before", "is", "is_not", NULL };
	struct sw_ynode *first = NULL, **end = &first, bare = *node;
	const struct sw_ynode *v;

	if (!is_map(l, node, "{at: /pointer, is: text}"))
		return;
	only(l, node, keys);
	for (v = node->child; v; v = v->next) { /* what says the place, without what says the texts */
		if (strcmp(v->key, "is") == 0 || strcmp(v->key, "is_not") == 0)
			continue;
		*end = SW_ARENA_NEW(l->a, struct sw_ynode);
		**end = *v;
		(*end)->next = NULL;
		end = &(*end)->next;
	}
	bare.child = first;
	places(l, &bare, &ret->places);
	if ((v = sw_yget(node, "is")))
		ret->is = texts(l, v);
	if ((v = sw_yget(node, "is_not")))
		ret->is_not = texts(l, v);
}

/* They are added: all of them have to hold. */
static void form_when(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	size_t n = node->type == SW_Y_LIST ? node->n : 1;
	struct condition *all = SW_ARENA_ARRAY(l->a, struct condition, f->n_when + n + 1);

	if (f->n_when)
		memcpy(all, f->when, f->n_when * sizeof *all);
	f->when = all;
	if (node->type != SW_Y_LIST) {
		condition(l, node, &all[f->n_when++]);
		return;
	}
	for (const struct sw_ynode *v = node->child; v; v = v->next)
		condition(l, v, &all[f->n_when++]);
}

static void status_words(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	for (size_t i = 0; statuses[i]; i++) {
		const struct sw_ynode *v = sw_yget(node, statuses[i]);
		const char **list = v ? texts(l, v) : NULL;

		for (; list && *list; list++) {
			struct status_word *all = SW_ARENA_ARRAY(l->a, struct status_word, f->n_words + 1);

			if (f->n_words)
				memcpy(all, f->words, f->n_words * sizeof *all);
			all[f->n_words++] = (struct status_word){ *list, sw_status_parse(statuses[i]) };
			f->words = all;
		}
	}
}

/* A word of ours alone: every delivery of this form means it. */
static void form_status(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	static const char *const keys[] = { "at", "success", "failed", "cancelled", "running", "created", "skipped", NULL };
	const struct sw_ynode *at;
	const char *near;

	f->status = (struct places){ 0 };
	f->words = NULL;
	f->n_words = 0;
	f->status_is = SW_ST_NONE;
	if (node->type == SW_Y_SCALAR && scalar(l, node, "a map: {at: /pointer, success: […], failed: […]}")) {
		for (size_t i = 0; statuses[i]; i++)
			if (strcmp(statuses[i], node->text) == 0)
				f->status_is = sw_status_parse(node->text);
		if (f->status_is != SW_ST_NONE)
			return;
		near = sw_did_you_mean(node->text, statuses);
		sw_diag_error(l->d, node, "status: want {at: /pointer, success: […], failed: […]}, or success, failed … for all of them%s%s%s",
		              near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		return;
	}
	if (node->type == SW_Y_SCALAR || !is_map(l, node, "{at: /pointer, success: […], failed: […]}"))
		return;
	only(l, node, keys);
	at = sw_yget(node, "at");
	if (!at) {
		sw_diag_error(l->d, node, "status: \"at\" is missing: where it stands");
		return;
	}
	places(l, at, &f->status);
	status_words(l, node, f);
	if (!f->n_words)
		sw_diag_error(l->d, node, "status: which of its values are success, which failed?");
}

static void form_event(struct loading *l, const struct sw_ynode *node, struct form *f)
{
	const char *near;

	if (!scalar(l, node, "a kind of event"))
		return;
	for (size_t i = 0; kinds[i]; i++)
		if (strcmp(kinds[i], node->text) == 0) {
			f->kind = sw_kind_parse(node->text);
			return;
		}
	near = sw_did_you_mean(node->text, kinds);
	sw_diag_error(l->d, node, "event: unknown kind \"%s\"%s%s%s", node->text, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool has_status(enum sw_kind k)
{
	return k == SW_EV_PIPELINE || k == SW_EV_JOB || k == SW_EV_DEPLOYMENT || k == SW_EV_REPORT || k == SW_EV_ALARM;
}

static bool form_names(const struct form *f, const char *field)
{
	for (size_t i = 0; i < f->n_fields; i++)
		if (strcmp(f->fields[i].row->name, field) == 0)
			return true;
	return false;
}

/* Does it say enough for the kind of event it makes? */
static void form_whole(struct loading *l, const struct sw_ynode *at, const struct form *f)
{
	if (has_status(f->kind) && !f->status.n && f->status_is == SW_ST_NONE)
		sw_diag_key(l->d, at, "a %s wants \"status\": where it stands, and which of its values are success and failed", sw_kind_name(f->kind));
	if (!form_names(f, "repo") && !form_names(f, "service"))
		sw_diag_key(l->d, at, "want a field \"repo\" or \"service\": whose event is it?");
	if (f->kind == SW_EV_DEPLOYMENT && !form_names(f, "env"))
		sw_diag_key(l->d, at, "a deployment wants a field \"env\": where to?");
	if (f->kind == SW_EV_ALARM && !form_names(f, "alarm_id"))
		sw_diag_key(l->d, at, "an alarm wants a field \"alarm_id\", which tells it from others");
}

static void form_read(struct loading *l, const struct mapping_conf *c, struct form *f)
{
	if (c->event)
		form_event(l, c->event, f);
	if (c->fields)
		form_fields(l, c->fields, f);
	if (c->labels)
		form_labels(l, c->labels, f);
	if (c->when)
		form_when(l, c->when, f);
	if (c->each)
		f->each = pointer(l, c->each);
	if (f->each && f->each->of_element)
		sw_diag_error(l->d, c->each ? c->each : c->fields, "each: want a pointer from the root, beginning with /");
	if (c->metrics)
		f->metrics = pointer(l, c->metrics);
	if (c->commits)
		f->commits = pointer(l, c->commits);
	if (c->status)
		form_status(l, c->status, f);
}

void sw_mapping_load(const struct mapping_conf *c, const struct sw_ynode *at, bool only_events, struct sw_arena *a, struct mapping *ret,
                     struct sw_diags *d)
{
	struct loading l = { .a = a, .d = d, .m = ret };

	ret->own.kind = SW_EV_DEPLOYMENT;
	form_read(&l, c, &ret->own);
	if (!c->events) {
		ret->forms = &ret->own;
		ret->n = only_events ? 0 : 1;
		if (!only_events)
			form_whole(&l, at, &ret->own);
		return;
	}
	if (c->events->type != SW_Y_LIST || !c->events->n || c->events->n > MAPPING_FORMS) {
		sw_diag_error(d, c->events, "events: want a list of 1 to %d maps", MAPPING_FORMS);
		return;
	}
	ret->forms = SW_ARENA_ARRAY(a, struct form, c->events->n);
	for (const struct sw_ynode *v = c->events->child; v; v = v->next) {
		struct form *f = &ret->forms[ret->n++];
		struct mapping_conf one;

		*f = ret->own;
		if (!is_map(&l, v, "{event: push, when: …, fields: …}"))
			continue;
		only(&l, v, form_keys);
		one = (struct mapping_conf){ .event = sw_yget(v, "event"), .when = sw_yget(v, "when"), .each = sw_yget(v, "each"),
			.fields = sw_yget(v, "fields"), .labels = sw_yget(v, "labels"), .metrics = sw_yget(v, "metrics"),
			.commits = sw_yget(v, "commits"), .status = sw_yget(v, "status") };
		form_read(&l, &one, f);
		form_whole(&l, v, f);
	}
}
