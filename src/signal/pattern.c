/*
 * Patterns of label values: the part of regular expressions that people write for them, without groups and without
 * backtracking.
 *
 * An alternative is a row of at most 63 atoms, each once, any number of times or perhaps. It is run as a set of places
 * in the row, one bit a place; a character moves all of them at once.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "signal/select.h"

#define ATOMS_MAX  63
#define WAYS_MAX   64
#define REPEAT_MAX 16

enum times { ONCE, PERHAPS, MANY /* also none */ };
struct atom {
	enum { ANY, ONE, CLASS } kind;
	enum times times;
	uint32_t c;      /* ONE */
	uint64_t set[2]; /* CLASS, of ASCII */
	bool negated;
};
struct row {
	struct atom atoms[ATOMS_MAX];
	size_t n;
	struct row *next;
};
struct sw_pattern {
	struct row *rows;
};

struct pat {
	const char *p, *end;
	struct sw_arena *a;
	struct sw_err *err;
};

/* The character at p and its length; a broken byte is a character of its own. */
static uint32_t char_at(const char *p, size_t n, size_t *ret_n)
{
	const unsigned char *s = (const unsigned char *)p;
	unsigned len = sw_utf8_len(p, n);
	uint32_t c;

	*ret_n = len ? len : 1;
	if (len <= 1)
		return len ? *s : 0x110000U + *s;
	c = *s & (0xffU >> (len + 1));
	for (unsigned i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3fU);
	return c;
}

static void set_add(struct atom *at, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		at->set[c / 64] |= 1ULL << (c % 64);
}

/* \d and \w; anything that is no letter and no digit is itself. */
static int atom_escape(struct pat *t, struct atom *at)
{
	char c;

	if (t->p == t->end)
		return sw_err_set(t->err, EINVAL, "a \\ at the end");
	c = *t->p++;
	at->kind = CLASS;
	if (c == 'd' || c == 'w')
		set_add(at, '0', '9');
	if (c == 'w') {
		set_add(at, 'a', 'z');
		set_add(at, 'A', 'Z');
		set_add(at, '_', '_');
	}
	if (c == 'd' || c == 'w')
		return 0;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
		return sw_err_set(t->err, EINVAL, "\\%c is not known here", (unsigned char)c < 0x80 ? c : '?');
	set_add(at, (unsigned char)c, (unsigned char)c);
	return 0;
}

/* Behind the '['. */
static int atom_class(struct pat *t, struct atom *at)
{
	bool first = true;

	at->kind = CLASS;
	if (t->p < t->end && *t->p == '^') {
		at->negated = true;
		t->p++;
	}
	for (; t->p < t->end && (*t->p != ']' || first); first = false) {
		unsigned char from = (unsigned char)*t->p++, to = from;

		if (from == '\\' && t->p < t->end) {
			if (atom_escape(t, at) < 0)
				return -EINVAL;
			continue;
		}
		if (t->p + 1 < t->end && *t->p == '-' && t->p[1] != ']') {
			to = (unsigned char)t->p[1];
			t->p += 2;
		}
		if (from >= 0x80 || to >= 0x80 || to == '\\' || to < from)
			return sw_err_set(t->err, EINVAL, "a range in [ ] that is not understood");
		set_add(at, from, to);
	}
	if (t->p == t->end)
		return sw_err_set(t->err, EINVAL, "a [ that is not closed");
	t->p++;
	return 0;
}

static int atom_read(struct pat *t, struct atom *at)
{
	size_t n;

	*at = (struct atom){ .kind = ONE };
	switch (*t->p) {
	case '.':
		t->p++;
		at->kind = ANY;
		return 0;
	case '[':
		t->p++;
		return atom_class(t, at);
	case '\\':
		t->p++;
		return atom_escape(t, at);
	case '(':
	case ')':
		return sw_err_set(t->err, EINVAL, "groups are not known here, but for one around it all");
	case '*':
	case '+':
	case '?':
	case '{':
		return sw_err_set(t->err, EINVAL, "nothing stands in front of %c", *t->p);
	case '^':
	case '$':
		return sw_err_set(t->err, EINVAL, "a %c in the middle", *t->p);
	default:
		at->c = char_at(t->p, (size_t)(t->end - t->p), &n);
		t->p += n;
		return 0;
	}
}

/* How often: * + ? {n}. *ret: so many atoms, of which the last is `times`. */
static int atom_times(struct pat *t, size_t *ret, enum times *times)
{
	char c = t->p < t->end ? *t->p : '\0';
	size_t n = 0;

	*ret = c == '+' ? 2 : 1;
	*times = c == '*' || c == '+' ? MANY : c == '?' ? PERHAPS : ONCE;
	if (c && strchr("*+?", c)) {
		t->p++;
		if (t->p < t->end && strchr("*+?", *t->p))
			return sw_err_set(t->err, EINVAL, "a %c behind a %c", *t->p, c);
		return 0;
	}
	if (c != '{')
		return 0;
	for (t->p++; t->p < t->end && *t->p >= '0' && *t->p <= '9' && n <= REPEAT_MAX; t->p++)
		n = n * 10 + (size_t)(*t->p - '0');
	if (t->p == t->end || *t->p != '}' || n == 0 || n > REPEAT_MAX)
		return sw_err_set(t->err, EINVAL, "of { } only {1} to {%d} is known here", REPEAT_MAX);
	t->p++;
	*ret = n;
	return 0;
}

static int row_read(struct pat *t, struct row *r)
{
	while (t->p < t->end && *t->p != '|') {
		struct atom at;
		enum times times;
		size_t n;

		if (atom_read(t, &at) < 0 || atom_times(t, &n, &times) < 0)
			return -EINVAL;
		if (r->n + n > ATOMS_MAX)
			return sw_err_set(t->err, EINVAL, "longer than %d characters", ATOMS_MAX);
		for (size_t i = 0; i < n; i++) {
			at.times = i + 1 == n ? times : ONCE;
			r->atoms[r->n++] = at;
		}
	}
	return 0;
}

/* One group around it all, and ^ and $ at the ends, say what holds anyway. */
static void pattern_trim(struct pat *t)
{
	if (t->p < t->end && *t->p == '^')
		t->p++;
	if (t->p < t->end && t->end[-1] == '$' && !(t->end - t->p > 1 && t->end[-2] == '\\'))
		t->end--;
	if (t->end - t->p >= 2 && *t->p == '(' && t->end[-1] == ')' && t->end[-2] != '\\' &&
	    !memchr(t->p + 1, '(', (size_t)(t->end - t->p - 2)) &&
	    !memchr(t->p + 1, ')', (size_t)(t->end - t->p - 2))) {
		t->p++;
		t->end--;
		if (t->end - t->p >= 2 && t->p[0] == '?' && t->p[1] == ':')
			t->p += 2;
	}
}

int sw_pattern_parse(const char *text, size_t n, struct sw_arena *a, const struct sw_pattern **ret, size_t *ret_at,
                     struct sw_err *err)
{
	struct pat t = { .p = text, .end = text + n, .a = a, .err = err };
	struct sw_pattern *p = SW_ARENA_NEW(a, struct sw_pattern);
	struct row **tail = &p->rows;

	pattern_trim(&t);
	for (size_t ways = 0;; ways++) {
		int r = ways == WAYS_MAX ? sw_err_set(err, EINVAL, "more than %d alternatives", WAYS_MAX) : 0;

		*tail = SW_ARENA_NEW(a, struct row);
		if (r == 0)
			r = row_read(&t, *tail);
		if (r < 0) {
			*ret_at = (size_t)(t.p - text);
			return r;
		}
		tail = &(*tail)->next;
		if (t.p == t.end)
			break;
		t.p++; /* the | */
	}
	*ret = p;
	return 0;
}

/* ---- fitting ---- */

static bool atom_fits(const struct atom *at, uint32_t c)
{
	switch (at->kind) {
	case ANY:
		return c != '\n';
	case ONE:
		return at->c == c;
	case CLASS:
		return at->negated != (c < 128 && (at->set[c / 64] >> (c % 64) & 1));
	}
	return false;
}

/* Places that are reached without a character: behind what may be there no time. */
static uint64_t row_reach(const struct row *r, uint64_t places)
{
	for (size_t i = 0; i < r->n; i++)
		if ((places >> i & 1) && r->atoms[i].times != ONCE)
			places |= 1ULL << (i + 1);
	return places;
}

static bool row_fits(const struct row *r, const char *text, size_t n)
{
	uint64_t places = row_reach(r, 1);

	for (size_t i = 0, len; i < n && places; i += len) {
		uint32_t c = char_at(text + i, n - i, &len);
		uint64_t next = 0;

		for (size_t k = 0; k < r->n; k++)
			if ((places >> k & 1) && atom_fits(&r->atoms[k], c))
				next |= 1ULL << (r->atoms[k].times == MANY ? k : k + 1);
		places = row_reach(r, next);
	}
	return places >> r->n & 1;
}

bool sw_pattern_fits(const struct sw_pattern *p, const char *text, size_t n)
{
	for (const struct row *r = p->rows; r; r = r->next)
		if (row_fits(r, text, n))
			return true;
	return false;
}
