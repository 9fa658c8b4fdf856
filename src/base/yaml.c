/* YAML to a tree with places, by libyaml's events; the list of mistakes that everything read from YAML adds to. */
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/map.h"
#include "base/file.h"
#include "base/str.h"
#include "shipwatch/buf.h"

#define YAML_DEPTH     32
#define YAML_NODES     20000
#define YAML_BYTES     (1024 * 1024)
#define YAML_FILE_MAX  (64 * 1024) /* of one ${file:…} */
#define YAML_DIAGS_MAX 200

struct yaml_reader {
	struct sw_arena *a;
	const char *file, *text;
	const struct sw_yenv *env;
	struct sw_diags *d;
	yaml_parser_t parser;
	unsigned nodes, depth;
	bool exposed;
};

/* ---- mistakes ---- */

void sw_diags_init(struct sw_diags *d, struct sw_arena *a)
{
	*d = (struct sw_diags){ .arena = a };
}

SW_PRINTF(6, 0)
static void diag_add(struct sw_diags *d, bool warning, const char *file, unsigned line, unsigned col, const char *fmt,
                     va_list ap)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_diag *g;
	char quoted[1024];

	if (d->errors + d->warnings < YAML_DIAGS_MAX) {
		sw_buf_vprintf(&b, fmt, ap);
		sw_err_quote(sw_buf_str(&b), b.n, quoted, sizeof quoted);
		g = SW_ARENA_NEW(d->arena, struct sw_diag);
		if (!file)
			g->text = sw_arena_strdup(d->arena, quoted);
		else if (!line)
			g->text = sw_arena_printf(d->arena, "%s: %s", file, quoted);
		else
			g->text = sw_arena_printf(d->arena, "%s:%u:%u: %s", file, line, col, quoted);
		g->file = sw_arena_strdup(d->arena, file);
		g->line = line;
		g->col = col;
		g->warning = warning;
		*(d->last ? &d->last->next : &d->first) = g;
		d->last = g;
	}
	++*(warning ? &d->warnings : &d->errors);
}

SW_PRINTF(5, 6)
static void diag_at(struct sw_diags *d, const char *file, unsigned line, unsigned col, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, false, file, line, col, fmt, ap);
	va_end(ap);
}

void sw_diag_error(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, false, at ? at->file : NULL, at ? at->line : 0, at ? at->col : 0, fmt, ap);
	va_end(ap);
}

void sw_diag_warn(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, true, at ? at->file : NULL, at ? at->line : 0, at ? at->col : 0, fmt, ap);
	va_end(ap);
}

void sw_diag_key(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...)
{
	bool key = at && at->key_line;
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, false, at ? at->file : NULL,
	         key  ? at->key_line
	         : at ? at->line
	              : 0,
	         key  ? at->key_col
	         : at ? at->col
	              : 0,
	         fmt, ap);
	va_end(ap);
}

static unsigned yaml_chars(const char *s, size_t n)
{
	unsigned chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += ((unsigned char)s[i] & 0xc0) != 0x80;
	return chars;
}

void sw_diag_in_text(struct sw_diags *d, const struct sw_ynode *at, size_t col_in_text, const char *fmt, ...)
{
	unsigned col = at->col;
	va_list ap;

	if (at->text_col)
		col = at->text_col + yaml_chars(at->text, SW_MIN(col_in_text, strlen(at->text)));
	va_start(ap, fmt);
	diag_add(d, false, at->file, at->line, col, fmt, ap);
	va_end(ap);
}

static bool diag_after(const struct sw_diag *a, const struct sw_diag *b)
{
	int c = strcmp(a->file ? a->file : "", b->file ? b->file : "");

	if (c != 0)
		return c > 0;
	return a->line != b->line ? a->line > b->line : a->col > b->col;
}

void sw_diags_sort(struct sw_diags *d)
{
	struct sw_diag *rest = d->first, *g, **at;

	d->first = d->last = NULL;
	while ((g = rest)) {
		rest = g->next;
		for (at = &d->first; *at && !diag_after(*at, g); at = &(*at)->next)
			;
		g->next = *at;
		*at = g;
	}
	for (g = d->first; g; g = g->next)
		d->last = g;
}

/* ---- ${…} ---- */

static const char *yaml_getenv(void *arg, const char *name)
{
	return getenv(name);
}

const struct sw_yenv sw_yenv_process = { .get = yaml_getenv, .files = true };

static void yaml_expand_file(struct yaml_reader *y, const struct sw_ynode *at, const char *path, struct sw_buf *out)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *slash = strrchr(y->file, '/');
	const char *full = path;
	mode_t mode;
	int r;

	if (*path != '/' && slash)
		full = sw_arena_printf(y->a, "%.*s%s", (int)(slash - y->file) + 1, y->file, path);
	r = sw_file_read(full, YAML_FILE_MAX, &b, &mode);
	if (r < 0) {
		sw_diag_error(y->d, at, "%s: %s", full, r == -EFBIG ? "larger than 64 KiB" : strerror(-r));
		return;
	}
	/* Whoever writes a secret with an editor has a newline behind it that is not part of it. */
	if (b.n && b.p[b.n - 1] == '\n')
		sw_buf_truncate(&b, b.n - 1);
	if (b.n && b.p[b.n - 1] == '\r')
		sw_buf_truncate(&b, b.n - 1);
	if (b.n && memchr(b.p, '\0', b.n))
		sw_diag_error(y->d, at, "%s: has a NUL byte in it", full);
	else
		sw_buf_catn(out, sw_buf_str(&b), b.n);
}

static bool yaml_is_name(const char *s)
{
	if (!*s || (*s >= '0' && *s <= '9'))
		return false;
	return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* ${cred:NAME}: what systemd's LoadCredential= handed to this service; the folder is another for each unit, the name is not. */
static void yaml_expand_credential(struct yaml_reader *y, const struct sw_ynode *at, const char *name, struct sw_buf *out)
{
	const char *dir = y->env->get ? y->env->get(y->env->arg, "CREDENTIALS_DIRECTORY") : NULL;

	if (!*name || *name == '.' || strchr(name, '/'))
		sw_diag_error(y->d, at, "${cred:%s}: want the name of a credential, as LoadCredential=NAME:… has it", name);
	else if (!dir || *dir != '/')
		sw_diag_error(y->d, at, "${cred:%s}: no credentials here: CREDENTIALS_DIRECTORY is not set (systemd sets it where LoadCredential= is)", name);
	else
		yaml_expand_file(y, at, sw_arena_printf(y->a, "%s/%s", dir, name), out);
}

static void yaml_expand_one(struct yaml_reader *y, const struct sw_ynode *at, const char *what, struct sw_buf *out)
{
	const char *v;

	if (sw_starts(what, "file:") && y->env->files) {
		yaml_expand_file(y, at, what + 5, out);
		return;
	}
	if (sw_starts(what, "cred:") && y->env->files) {
		yaml_expand_credential(y, at, what + 5, out);
		return;
	}
	if (!y->env->get || !yaml_is_name(what)) {
		sw_diag_error(y->d, at, "${%s}: %s", what,
		              y->env->get ? "want ${NAME}, ${file:PATH} or ${cred:NAME}; write $${ for a plain ${"
		                          : "not possible here");
		return;
	}
	v = y->env->get(y->env->arg, what);
	if (!v)
		sw_diag_error(y->d, at, "${%s}: this variable is not set", what);
	else
		sw_buf_cat(out, v);
}

static void yaml_expand(struct yaml_reader *y, struct sw_ynode *n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf out = SW_BUF_INIT;
	const char *p = n->text, *at, *end;

	unsigned before = y->d->errors;

	if (!y->env || !strstr(p, "${"))
		return;
	n->text_col = 0;
	while ((at = strstr(p, "${"))) {
		if (at > p && at[-1] == '$') {
			sw_buf_catn(&out, p, (size_t)(at - p));
			sw_buf_putc(&out, '{');
			p = at + 2;
			continue;
		}
		sw_buf_catn(&out, p, (size_t)(at - p));
		end = strchr(at, '}');
		if (!end) {
			sw_diag_error(y->d, n, "a ${ without its }");
			n->broken = true;
			return;
		}
		yaml_expand_one(y, n, sw_arena_strndup(y->a, at + 2, (size_t)(end - at) - 2), &out);
		n->from_env = true;
		p = end + 1;
	}
	sw_buf_cat(&out, p);
	n->text = sw_arena_strndup(y->a, sw_buf_str(&out), out.n);
	n->broken = y->d->errors > before;
}

/* ---- the tree ---- */

static void yaml_place(const struct yaml_reader *y, struct sw_ynode *n, const yaml_mark_t *m)
{
	n->file = y->file;
	n->line = (unsigned)m->line + 1;
	n->col = (unsigned)m->column + 1;
}

/* The first mistake of form ends the reading: what stands behind it cannot be known. */
static int yaml_broken(struct yaml_reader *y)
{
	const yaml_parser_t *p = &y->parser;
	unsigned line = (unsigned)p->problem_mark.line + 1, col = (unsigned)p->problem_mark.column + 1;
	const char *what = p->problem ? p->problem : "out of memory";

	if (p->error == YAML_READER_ERROR) {
		line = col = 1;
		for (size_t i = 0; i < p->problem_offset && y->text[i]; i++) {
			col = y->text[i] == '\n' ? 1 : col + (((unsigned char)y->text[i] & 0xc0) != 0x80);
			line += y->text[i] == '\n';
		}
	}
	if (strstr(what, "cannot start any token"))
		diag_at(y->d, y->file, line, col,
		        "not YAML: a value cannot begin with this character, put it in quotes");
	else
		diag_at(y->d, y->file, line, col, "not YAML: %s", what);
	return -EINVAL;
}

static int yaml_next(struct yaml_reader *y, yaml_event_t *ev)
{
	return yaml_parser_parse(&y->parser, ev) ? 0 : yaml_broken(y);
}

static struct sw_ynode *yaml_node(struct yaml_reader *y, const yaml_event_t *ev)
{
	struct sw_ynode *n;

	if (++y->nodes > YAML_NODES) {
		diag_at(y->d, y->file, (unsigned)ev->start_mark.line + 1, 1, "more than %u values in one file",
		        YAML_NODES);
		return NULL;
	}
	n = SW_ARENA_NEW(y->a, struct sw_ynode);
	yaml_place(y, n, &ev->start_mark);
	n->exposed = y->exposed;
	return n;
}

static void yaml_scalar(struct yaml_reader *y, struct sw_ynode *n, const yaml_event_t *ev)
{
	const yaml_mark_t *from = &ev->start_mark, *to = &ev->end_mark;
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	unsigned quotes = 0;

	n->type = SW_Y_SCALAR;
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (memchr(text, '\0', len))
		sw_diag_error(y->d, n, "a NUL character");
	n->text = sw_arena_strndup(y->a, text, len);
	if (ev->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
	    ev->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		quotes = 1;
	if (from->line == to->line && to->column - from->column == yaml_chars(text, len) + 2 * quotes)
		n->text_col = n->col + quotes;
}

static void yaml_no_extras(struct yaml_reader *y, const struct sw_ynode *n, const yaml_char_t *anchor,
                           const yaml_char_t *tag)
{
	if (anchor)
		sw_diag_error(y->d, n, "anchors (&%s) are not allowed; a value that begins with & must be in quotes",
		              (const char *)anchor);
	if (tag)
		sw_diag_error(
		    y->d, n,
		    "tags (%s) are not allowed; a value that begins with ! must be in quotes: quote this expression",
		    (const char *)tag);
}

static int yaml_value(struct yaml_reader *y, yaml_event_t *ev, struct sw_ynode **ret);

static int yaml_list(struct yaml_reader *y, struct sw_ynode *list)
{
	struct sw_ynode **at = &list->child;
	yaml_event_t ev;
	int r;

	for (;;) {
		r = yaml_next(y, &ev);
		if (r < 0)
			return r;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		r = yaml_value(y, &ev, at);
		if (r < 0)
			return r;
		at = &(*at)->next;
		list->n++;
	}
}

/* Takes the event over. */
static int yaml_key(struct yaml_reader *y, yaml_event_t *ev, struct sw_map *seen, struct sw_ynode *ret)
{
	int r = 0;

	yaml_place(y, ret, &ev->start_mark);
	if (ev->type != YAML_SCALAR_EVENT) {
		sw_diag_error(y->d, ret, "want a name here, not a list, map or alias");
		r = -EINVAL;
		goto out;
	}
	yaml_no_extras(y, ret, ev->data.scalar.anchor, ev->data.scalar.tag);
	ret->key = sw_arena_strndup(y->a, (const char *)ev->data.scalar.value, ev->data.scalar.length);
	ret->key_line = ret->line;
	ret->key_col = ret->col;
	if (!*ret->key)
		sw_diag_error(y->d, ret, "an empty name");
	else if (sw_map_set(seen, ret->key, y))
		sw_diag_error(y->d, ret, "\"%s\" is there twice", ret->key);
out:
	yaml_event_delete(ev);
	return r;
}

static int yaml_map(struct yaml_reader *y, struct sw_ynode *map)
{
	SW_CLEANUP(sw_map_fini) struct sw_map seen = SW_MAP_INIT;
	struct sw_ynode **at = &map->child, key;
	yaml_event_t ev;
	int r;

	for (;;) {
		r = yaml_next(y, &ev);
		if (r < 0)
			return r;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		key = (struct sw_ynode){ 0 };
		r = yaml_key(y, &ev, &seen, &key);
		if (r < 0)
			return r;
		r = yaml_next(y, &ev);
		if (r < 0)
			return r;
		r = yaml_value(y, &ev, at);
		if (r < 0)
			return r;
		(*at)->key = key.key;
		(*at)->key_line = key.key_line;
		(*at)->key_col = key.key_col;
		at = &(*at)->next;
		map->n++;
	}
}

/* Takes the event over. */
static int yaml_value(struct yaml_reader *y, yaml_event_t *ev, struct sw_ynode **ret)
{
	struct sw_ynode *n = yaml_node(y, ev);
	bool list = ev->type == YAML_SEQUENCE_START_EVENT, map = ev->type == YAML_MAPPING_START_EVENT;
	int r = 0;

	if (!n) {
		r = -EINVAL;
	} else if (ev->type == YAML_SCALAR_EVENT) {
		yaml_no_extras(y, n, ev->data.scalar.anchor, ev->data.scalar.tag);
		yaml_scalar(y, n, ev);
		yaml_expand(y, n);
	} else if (list) {
		n->type = SW_Y_LIST;
		yaml_no_extras(y, n, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	} else if (map) {
		n->type = SW_Y_MAP;
		yaml_no_extras(y, n, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	} else {
		/* An alias stands for a whole value, so reading can go on with an empty one. */
		n->type = SW_Y_SCALAR;
		n->text = "";
		n->broken = true;
		sw_diag_error(y->d, n, "aliases (*name) are not allowed; a value that begins with * must be in quotes");
	}
	yaml_event_delete(ev);
	*ret = n;
	if (r < 0 || !(list || map))
		return r;
	if (++y->depth > YAML_DEPTH) {
		sw_diag_error(y->d, n, "nested deeper than %d", YAML_DEPTH);
		return -EINVAL;
	}
	r = list ? yaml_list(y, n) : yaml_map(y, n);
	y->depth--;
	return r;
}

static int yaml_document(struct yaml_reader *y, struct sw_ynode **ret)
{
	struct sw_ynode *root = NULL;
	yaml_event_t ev;
	unsigned docs = 0;
	int r;

	for (;;) {
		yaml_event_type_t type;

		r = yaml_next(y, &ev);
		if (r < 0)
			return r;
		type = ev.type;
		switch ((int)type) {
		case YAML_STREAM_END_EVENT:
			yaml_event_delete(&ev);
			*ret = root && sw_yaml_is_null(root) ? NULL : root;
			return 0;
		case YAML_DOCUMENT_START_EVENT:
			if (docs++ > 0) {
				diag_at(y->d, y->file, (unsigned)ev.start_mark.line + 1,
				        (unsigned)ev.start_mark.column + 1, "a second document; want one in a file");
				yaml_event_delete(&ev);
				return -EINVAL;
			}
			yaml_event_delete(&ev);
			break;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			yaml_event_delete(&ev);
			break;
		default:
			r = yaml_value(y, &ev, &root);
			if (r < 0)
				return r;
		}
	}
}

static int yaml_read(struct yaml_reader *y, size_t n, struct sw_ynode **ret)
{
	unsigned before = y->d->errors;
	int r;

	*ret = NULL;
	if (n > YAML_BYTES) {
		diag_at(y->d, y->file, 0, 0, "larger than 1 MiB");
		return -EINVAL;
	}
	SW_ASSERT(yaml_parser_initialize(&y->parser));
	yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y->parser, (const unsigned char *)y->text, n);
	r = yaml_document(y, ret);
	yaml_parser_delete(&y->parser);
	if (r < 0)
		*ret = NULL;
	return r < 0 || y->d->errors > before ? -EINVAL : 0;
}

int sw_yaml_parse(struct sw_arena *a, const char *file, const char *text, size_t n, const struct sw_yenv *env,
                  struct sw_ynode **ret, struct sw_diags *d)
{
	struct yaml_reader y = { .a = a, .file = sw_arena_strdup(a, file), .text = text, .env = env, .d = d };

	return yaml_read(&y, n, ret);
}

int sw_yaml_load(struct sw_arena *a, const char *path, const struct sw_yenv *env, struct sw_ynode **ret,
                 struct sw_diags *d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct yaml_reader y = { .a = a, .file = sw_arena_strdup(a, path), .env = env, .d = d };
	mode_t mode = 0;
	int r;

	*ret = NULL;
	r = sw_file_read(path, YAML_BYTES, &b, &mode);
	if (r < 0 && r != -EFBIG) {
		diag_at(d, path, 0, 0, "cannot be read: %s", strerror(-r));
		return -EINVAL;
	}
	y.text = sw_buf_str(&b);
	y.exposed = S_ISREG(mode) && (mode & S_IROTH);
	return yaml_read(&y, b.n, ret);
}

const struct sw_ynode *sw_yget(const struct sw_ynode *map, const char *key)
{
	if (!map || map->type != SW_Y_MAP)
		return NULL;
	for (const struct sw_ynode *n = map->child; n; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool sw_yaml_is_null(const struct sw_ynode *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (n->type != SW_Y_SCALAR || n->quoted || n->from_env)
		return false;
	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (strcmp(n->text, words[i]) == 0)
			return true;
	return false;
}
