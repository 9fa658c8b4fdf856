/* JSON: the pull reader, the tree and the writer; see json.h for what is accepted. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"

/* What may come next. */
enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COLON, WANT_COMMA_OR_END, WANT_NOTHING, FAILED };

void sw_json_init(struct sw_json *j, const char *text, size_t n)
{
	memset(j, 0, sizeof *j);
	j->begin = j->p = text;
	j->end = text + n;
	j->state = WANT_VALUE;
}

static enum sw_json_token json_fail(struct sw_json *j, const char *what)
{
	if (j->state != FAILED)
		j->error = what;
	j->state = FAILED;
	return SW_JSON_ERROR;
}

static void json_space(struct sw_json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
}

/* The value is complete: what follows depends on where we are. */
static void json_value_done(struct sw_json *j)
{
	j->state = j->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static bool json_hex4(const char *p, const char *end)
{
	for (int i = 0; i < 4; i++) {
		if (p + i >= end)
			return false;
		if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')))
			return false;
	}
	return true;
}

/* p behind the opening quote. */
static bool json_string(struct sw_json *j)
{
	const char *p = j->p;

	j->tok = p;
	j->escaped = j->dirty = false;
	for (;;) {
		unsigned char c;

		p = sw_text_plain(p, j->end);
		if (p >= j->end) {
			j->p = j->end;
			return json_fail(j, "string is not closed"), false;
		}
		c = (unsigned char)*p;
		if (c == '"')
			break;
		if (c < 0x20) {
			j->p = p;
			return json_fail(j, "control character in a string"), false;
		}
		if (c >= 0x80) {
			j->dirty = true;
			while (p < j->end && (unsigned char)*p >= 0x80)
				p++;
			continue;
		}
		if (c != '\\') {
			p++;
			continue;
		}
		j->escaped = j->dirty = true;
		c = p + 1 < j->end ? (unsigned char)p[1] : 0;
		if (c == 'u' && json_hex4(p + 2, j->end)) {
			p += 6;
		} else if (c && strchr("\"\\/bfnrt", c)) {
			p += 2;
		} else {
			j->p = p;
			return json_fail(j, "wrong escape in a string"), false;
		}
	}
	j->tok_n = (size_t)(p - j->tok);
	j->p = p + 1;
	return true;
}

static bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static enum sw_json_token json_number(struct sw_json *j)
{
	const char *p = j->p;

	j->tok = p;
	if (p < j->end && *p == '-')
		p++;
	if (!is_digit(p, j->end))
		goto wrong;
	if (*p == '0')
		p++;
	else
		while (is_digit(p, j->end))
			p++;
	if (p < j->end && *p == '.') {
		p++;
		if (!is_digit(p, j->end))
			goto wrong;
		while (is_digit(p, j->end))
			p++;
	}
	if (p < j->end && (*p | 32) == 'e') {
		p++;
		if (p < j->end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, j->end))
			goto wrong;
		while (is_digit(p, j->end))
			p++;
	}
	if (is_digit(p, j->end))
		goto wrong; /* a leading zero */
	j->tok_n = (size_t)(p - j->tok);
	j->p = p;
	json_value_done(j);
	return SW_JSON_NUMBER;
wrong:
	j->p = p;
	return json_fail(j, "wrong number");
}

static enum sw_json_token json_word(struct sw_json *j, const char *word, enum sw_json_token t)
{
	size_t n = strlen(word);

	if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
		return json_fail(j, "expected a value");
	j->tok = j->p;
	j->tok_n = n;
	j->p += n;
	json_value_done(j);
	return t;
}

static enum sw_json_token json_open(struct sw_json *j, bool array)
{
	if (j->depth == SW_JSON_DEPTH)
		return json_fail(j, "nested too deep");
	j->tok = j->p++;
	j->tok_n = 1;
	if (array)
		j->in_array |= 1ULL << j->depth;
	else
		j->in_array &= ~(1ULL << j->depth);
	j->depth++;
	j->state = array ? WANT_VALUE_OR_END : WANT_KEY_OR_END;
	return array ? SW_JSON_ARRAY : SW_JSON_OBJECT;
}

static bool json_in_array(const struct sw_json *j)
{
	return j->depth && (j->in_array >> (j->depth - 1) & 1);
}

static enum sw_json_token json_close(struct sw_json *j)
{
	bool array = json_in_array(j);

	j->tok = j->p++;
	j->tok_n = 1;
	j->depth--;
	json_value_done(j);
	return array ? SW_JSON_ARRAY_END : SW_JSON_OBJECT_END;
}

static enum sw_json_token json_value(struct sw_json *j)
{
	switch (*j->p) {
	case '{': return json_open(j, false);
	case '[': return json_open(j, true);
	case '"':
		j->p++;
		if (!json_string(j))
			return SW_JSON_ERROR;
		json_value_done(j);
		return SW_JSON_STRING;
	case 't': return json_word(j, "true", SW_JSON_TRUE);
	case 'f': return json_word(j, "false", SW_JSON_FALSE);
	case 'n': return json_word(j, "null", SW_JSON_NULL);
	default:
		if (*j->p == '-' || (*j->p >= '0' && *j->p <= '9'))
			return json_number(j);
		return json_fail(j, "expected a value");
	}
}

static enum sw_json_token json_key(struct sw_json *j)
{
	if (*j->p != '"')
		return json_fail(j, j->state == WANT_KEY ? "expected a name in quotes" : "expected a name in quotes or '}'");
	j->p++;
	if (!json_string(j))
		return SW_JSON_ERROR;
	json_space(j);
	if (j->p >= j->end || *j->p != ':')
		return json_fail(j, "expected ':'");
	j->p++;
	j->state = WANT_VALUE;
	return SW_JSON_KEY;
}

enum sw_json_token sw_json_next(struct sw_json *j)
{
	json_space(j);
	if (j->state == FAILED)
		return SW_JSON_ERROR;
	if (j->state == WANT_NOTHING)
		return j->p == j->end ? SW_JSON_END : json_fail(j, "expected the end");
	if (j->p >= j->end)
		return json_fail(j, "text ends too early");
	if (j->state == WANT_COMMA_OR_END) {
		char close = json_in_array(j) ? ']' : '}';

		if (*j->p == close)
			return json_close(j);
		if (*j->p != ',')
			return json_fail(j, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
		j->p++;
		j->state = close == ']' ? WANT_VALUE : WANT_KEY;
		json_space(j);
		if (j->p >= j->end)
			return json_fail(j, "text ends too early");
	}
	if (j->state == WANT_KEY_OR_END && *j->p == '}')
		return json_close(j);
	if (j->state == WANT_VALUE_OR_END && *j->p == ']')
		return json_close(j);
	if (j->state == WANT_KEY || j->state == WANT_KEY_OR_END)
		return json_key(j);
	return json_value(j);
}

int sw_json_skip(struct sw_json *j)
{
	/* After KEY the state wants a value: read it first; after an opening bracket we are inside already. */
	unsigned depth = j->depth;
	enum sw_json_token t;

	if (j->state == WANT_VALUE) {
		t = sw_json_next(j);
		if (t == SW_JSON_ERROR)
			return -EINVAL;
		if (t != SW_JSON_OBJECT && t != SW_JSON_ARRAY)
			return 0;
		depth = j->depth;
	}
	while (j->depth >= depth)
		if (sw_json_next(j) == SW_JSON_ERROR)
			return -EINVAL;
	return 0;
}

static unsigned json_hex(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i];

		v = v * 16 + (c <= '9' ? c - (unsigned)'0' : (c | 32u) - 'a' + 10);
	}
	return v;
}

static void json_put_utf8(struct sw_buf *b, unsigned c)
{
	if (c < 0x80) {
		sw_buf_putc(b, (char)c);
	} else if (c < 0x800) {
		sw_buf_putc(b, (char)(0xc0 | c >> 6));
		sw_buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		sw_buf_putc(b, (char)(0xe0 | c >> 12));
		sw_buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		sw_buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		sw_buf_putc(b, (char)(0xf0 | c >> 18));
		sw_buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		sw_buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		sw_buf_putc(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* \uXXXX at p; a surrogate pair takes two. Lone halves and NUL become U+FFFD. Returns bytes used. */
static size_t json_unescape_u(struct sw_buf *out, const char *p, const char *end)
{
	unsigned c = json_hex(p + 2), low;

	if (c >= 0xd800 && c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && json_hex4(p + 8, end)) {
		low = json_hex(p + 8);
		if (low >= 0xdc00 && low < 0xe000) {
			json_put_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return 12;
		}
	}
	json_put_utf8(out, c == 0 || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c);
	return 6;
}

void sw_json_text_buf(const struct sw_json *j, struct sw_buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = j->tok, *end = j->tok + j->tok_n;

	if (!j->dirty) {
		sw_buf_catn(out, p, j->tok_n);
		return;
	}
	while (p < end) {
		unsigned n;

		if (*p == '\\') {
			if (p[1] == 'u') {
				p += json_unescape_u(out, p, end);
			} else {
				sw_buf_putc(out, to[strchr(from, p[1]) - from]);
				p += 2;
			}
			continue;
		}
		n = sw_utf8_len(p, (size_t)(end - p));
		if (!n) {
			json_put_utf8(out, 0xfffd);
			p++;
			continue;
		}
		sw_buf_catn(out, p, n);
		p += n;
	}
}

char *sw_json_text(const struct sw_json *j, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	char *ret;

	if (!j->dirty)
		return sw_arena_strndup(a, j->tok, j->tok_n);
	sw_json_text_buf(j, &b);
	ret = sw_arena_strndup(a, sw_buf_str(&b), b.n);
	sw_buf_fini(&b);
	return ret;
}

bool sw_json_is(const struct sw_json *j, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(s);
	bool same;

	if (!j->escaped)
		return j->tok_n == n && memcmp(j->tok, s, n) == 0;
	sw_json_text_buf(j, &b);
	same = b.n == n && memcmp(sw_buf_str(&b), s, n) == 0;
	sw_buf_fini(&b);
	return same;
}

bool sw_json_int(const struct sw_json *j, int64_t *ret)
{
	const char *p = j->tok, *end = p + j->tok_n;
	bool minus = p < end && *p == '-';
	uint64_t v = 0, most = minus ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;

	for (p += minus; p < end; p++) {
		unsigned d;

		if (*p < '0' || *p > '9')
			return false;
		d = (unsigned)(*p - '0');
		if (v > (most - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

double sw_json_double(const struct sw_json *j)
{
	return sw_number_read(j->tok, j->tok_n);
}

int sw_json_check(const char *text, size_t n, struct sw_err *err)
{
	struct sw_json j;
	enum sw_json_token t;

	sw_json_init(&j, text, n);
	do
		t = sw_json_next(&j);
	while (t > SW_JSON_END);
	if (t == SW_JSON_END)
		return 0;
	return sw_err_set(err, EINVAL, "not JSON: %s at byte %zu", j.error, (size_t)(j.p - j.begin));
}

/* ---- the tree ---- */

struct tree {
	struct sw_json *j;
	struct sw_arena *a;
	size_t left;
};

static struct sw_jnode *tree_node(struct tree *t, enum sw_json_token tok)
{
	struct sw_jnode *n;

	if (!t->left)
		return NULL;
	t->left--;
	n = SW_ARENA_NEW(t->a, struct sw_jnode);
	switch ((int)tok) {
	case SW_JSON_TRUE: n->type = SW_J_TRUE; break;
	case SW_JSON_FALSE: n->type = SW_J_FALSE; break;
	case SW_JSON_OBJECT: n->type = SW_J_OBJECT; break;
	case SW_JSON_ARRAY: n->type = SW_J_ARRAY; break;
	case SW_JSON_STRING:
		n->type = SW_J_STRING;
		n->text = sw_json_text(t->j, t->a);
		n->n = strlen(n->text);
		break;
	case SW_JSON_NUMBER:
		n->type = SW_J_NUMBER;
		n->text = sw_arena_strndup(t->a, t->j->tok, t->j->tok_n);
		n->d = sw_json_double(t->j);
		if (!sw_json_int(t->j, &n->i))
			n->i = n->d >= 9.2e18 ? INT64_MAX : n->d <= -9.2e18 ? INT64_MIN : (int64_t)n->d;
		break;
	default: n->type = SW_J_NULL; break;
	}
	return n;
}

/* The value that begins with the token at hand. Return: 0; -E2BIG; -EINVAL: the reader says why. */
static int tree_value(struct tree *t, enum sw_json_token tok, struct sw_jnode **ret)
{
	struct { struct sw_jnode *node; struct sw_jnode **tail; } stack[SW_JSON_DEPTH + 1];
	struct sw_jnode *node;
	const char *key = NULL;
	unsigned depth = 0;

	for (; tok > SW_JSON_END; tok = sw_json_next(t->j)) {
		if (tok == SW_JSON_KEY) {
			key = sw_json_text(t->j, t->a);
			continue;
		}
		if (tok == SW_JSON_OBJECT_END || tok == SW_JSON_ARRAY_END) {
			if (--depth == 0)
				return 0;
			continue;
		}
		node = tree_node(t, tok);
		if (!node)
			return -E2BIG;
		node->key = key;
		key = NULL;
		if (depth) {
			*stack[depth].tail = node;
			stack[depth].tail = &node->next;
			stack[depth].node->n++;
		} else {
			*ret = node;
		}
		if (tok == SW_JSON_OBJECT || tok == SW_JSON_ARRAY) {
			depth++;
			stack[depth].node = node;
			stack[depth].tail = &node->child;
		} else if (depth == 0) {
			return 0;
		}
	}
	return -EINVAL;
}

static int tree_error(const struct sw_json *j, int r, size_t max_nodes, struct sw_err *err)
{
	if (r == -E2BIG)
		return sw_err_set(err, E2BIG, "more than %zu values in one document", max_nodes);
	return sw_err_set(err, EINVAL, "not JSON: %s at byte %zu", j->error, (size_t)(j->p - j->begin));
}

int sw_jtree_parse(struct sw_arena *a, const char *text, size_t n, size_t max_nodes, struct sw_jnode **ret, struct sw_err *err)
{
	struct sw_jnode *root = NULL;
	struct sw_json j;
	struct tree t = { .j = &j, .a = a, .left = max_nodes };
	int r;

	sw_json_init(&j, text, n);
	r = tree_value(&t, sw_json_next(&j), &root);
	if (r == 0 && sw_json_next(&j) != SW_JSON_END)
		r = -EINVAL;
	if (r < 0)
		return tree_error(&j, r, max_nodes, err);
	*ret = root;
	return 0;
}

int sw_jtree_next(struct sw_json *j, struct sw_arena *a, size_t max_nodes, struct sw_jnode **ret, const char **ret_raw, size_t *ret_n, struct sw_err *err)
{
	struct tree t = { .j = j, .a = a, .left = max_nodes };
	enum sw_json_token tok = sw_json_next(j);
	const char *raw = tok == SW_JSON_STRING ? j->tok - 1 : j->tok;
	int r;

	if (tok == SW_JSON_END || tok == SW_JSON_OBJECT_END || tok == SW_JSON_ARRAY_END)
		return 0;
	r = tok == SW_JSON_KEY ? -EINVAL : tree_value(&t, tok, ret);
	if (r < 0)
		return tree_error(j, r, max_nodes, err);
	if (ret_raw) {
		*ret_raw = raw;
		*ret_n = (size_t)(j->p - raw);
	}
	return 1;
}

const struct sw_jnode *sw_jget(const struct sw_jnode *obj, const char *key)
{
	const struct sw_jnode *found = NULL;

	if (!obj || obj->type != SW_J_OBJECT)
		return NULL;
	for (const struct sw_jnode *n = obj->child; n; n = n->next)
		if (strcmp(n->key, key) == 0)
			found = n; /* the last one wins */
	return found;
}

const char *sw_jstr(const struct sw_jnode *obj, const char *key)
{
	const struct sw_jnode *n = sw_jget(obj, key);

	return n && n->type == SW_J_STRING ? n->text : NULL;
}

int64_t sw_jint(const struct sw_jnode *obj, const char *key, int64_t otherwise)
{
	const struct sw_jnode *n = sw_jget(obj, key);

	return n && n->type == SW_J_NUMBER ? n->i : otherwise;
}

double sw_jnum(const struct sw_jnode *obj, const char *key, double otherwise)
{
	const struct sw_jnode *n = sw_jget(obj, key);

	return n && n->type == SW_J_NUMBER ? n->d : otherwise;
}

bool sw_jbool(const struct sw_jnode *obj, const char *key, bool otherwise)
{
	const struct sw_jnode *n = sw_jget(obj, key);

	return n && (n->type == SW_J_TRUE || n->type == SW_J_FALSE) ? n->type == SW_J_TRUE : otherwise;
}

/* ---- the writer ---- */

void sw_jw_init(struct sw_jw *w, struct sw_buf *b)
{
	w->b = b;
	w->comma = false;
}

static void jw_key(struct sw_jw *w, const char *key)
{
	if (w->comma)
		sw_buf_putc(w->b, ',');
	w->comma = true;
	if (key) {
		sw_buf_json(w->b, key);
		sw_buf_putc(w->b, ':');
	}
}

void sw_jw_obj(struct sw_jw *w, const char *key)
{
	jw_key(w, key);
	sw_buf_putc(w->b, '{');
	w->comma = false;
}

void sw_jw_obj_end(struct sw_jw *w)
{
	sw_buf_putc(w->b, '}');
	w->comma = true;
}

void sw_jw_arr(struct sw_jw *w, const char *key)
{
	jw_key(w, key);
	sw_buf_putc(w->b, '[');
	w->comma = false;
}

void sw_jw_arr_end(struct sw_jw *w)
{
	sw_buf_putc(w->b, ']');
	w->comma = true;
}

void sw_jw_str(struct sw_jw *w, const char *key, const char *s)
{
	jw_key(w, key);
	sw_buf_json(w->b, s);
}

void sw_jw_opt(struct sw_jw *w, const char *key, const char *s)
{
	if (s)
		sw_jw_str(w, key, s);
}

void sw_jw_int(struct sw_jw *w, const char *key, int64_t v)
{
	jw_key(w, key);
	sw_number_print_int(w->b, v);
}

void sw_jw_num(struct sw_jw *w, const char *key, double v)
{
	if (!isfinite(v)) {
		sw_jw_null(w, key);
		return;
	}
	jw_key(w, key);
	sw_number_print(w->b, v);
}

void sw_jw_bool(struct sw_jw *w, const char *key, bool v)
{
	jw_key(w, key);
	sw_buf_cat(w->b, v ? "true" : "false");
}

void sw_jw_null(struct sw_jw *w, const char *key)
{
	jw_key(w, key);
	sw_buf_cat(w->b, "null");
}

void sw_jw_raw(struct sw_jw *w, const char *key, const char *json, size_t n)
{
	jw_key(w, key);
	sw_buf_catn(w->b, json, n);
}

void sw_jw_node(struct sw_jw *w, const char *key, const struct sw_jnode *node)
{
	switch (node ? node->type : SW_J_NULL) {
	case SW_J_NULL: sw_jw_null(w, key); break;
	case SW_J_FALSE: sw_jw_bool(w, key, false); break;
	case SW_J_TRUE: sw_jw_bool(w, key, true); break;
	case SW_J_NUMBER: sw_jw_raw(w, key, node->text, strlen(node->text)); break;
	case SW_J_STRING: sw_jw_str(w, key, node->text); break;
	case SW_J_OBJECT:
		sw_jw_obj(w, key);
		for (const struct sw_jnode *n = node->child; n; n = n->next)
			sw_jw_node(w, n->key, n);
		sw_jw_obj_end(w);
		break;
	case SW_J_ARRAY:
		sw_jw_arr(w, key);
		for (const struct sw_jnode *n = node->child; n; n = n->next)
			sw_jw_node(w, NULL, n);
		sw_jw_arr_end(w);
		break;
	}
}
