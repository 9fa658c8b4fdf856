/* Expressions, tokens to a tree: the grammar of the rule language by recursive descent, bounded in depth and nodes. */
#include "rules/expr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct parser {
	struct sw_arena *a;
	struct lexer lex;
	struct token t;            /* the one in hand */
	struct wrong *wrong;
	bool failed;
	unsigned depth, nodes;
	size_t n_holds;
	size_t last_end;           /* of the token before t */
};

static struct node *parse_or(struct parser *p);
static struct node *parse_sum(struct parser *p);

int sw_wrong_set(struct wrong *w, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	w->at = at;
	(void)vsnprintf(w->text, sizeof w->text, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void parse_fail(struct parser *p, size_t at, const char *what)
{
	if (p->failed)
		return;
	p->failed = true;
	sw_wrong_set(p->wrong, at, "%s", what);
}

static void advance(struct parser *p, bool regex)
{
	p->last_end = p->t.end;
	p->t = sw_lex_next(&p->lex, regex);
	if (p->t.kind == T_WRONG)
		parse_fail(p, p->t.at, p->t.error);
}

static bool is_op(const struct parser *p, const char *op)
{
	return p->t.kind == T_OP && strcmp(p->t.text, op) == 0;
}

static bool is_word(const struct parser *p, const char *w)
{
	return p->t.kind == T_IDENT && strcmp(p->t.text, w) == 0;
}

static bool take_op(struct parser *p, const char *op)
{
	if (p->failed || !is_op(p, op))
		return false;
	advance(p, false);
	return true;
}

static bool take_word(struct parser *p, const char *w)
{
	if (p->failed || !is_word(p, w))
		return false;
	advance(p, false);
	return true;
}

static void expect_op(struct parser *p, const char *op)
{
	char what[40];

	if (p->failed || take_op(p, op))
		return;
	(void)snprintf(what, sizeof what, "expected \"%s\" here", op);
	parse_fail(p, p->t.at, what);
}

static struct node *node_new(struct parser *p, enum node_kind kind, size_t at)
{
	struct node *n = SW_ARENA_NEW(p->a, struct node);

	if (++p->nodes > EXPR_NODES)
		parse_fail(p, at, "expression has too many parts (500 at most)");
	n->kind = kind;
	n->at = at;
	n->end = p->last_end;
	return n;
}

static struct node *node_two(struct parser *p, enum node_kind kind, struct node *a, struct node *b)
{
	struct node *n = node_new(p, kind, a->at);

	n->arg[0] = a;
	n->arg[1] = b;
	n->end = p->last_end;
	return n;
}

static bool keyword(const char *s)
{
	static const char *const words[] = { "and", "or", "not", "for", "of", "in", "between", "matches", "is", NULL };

	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return false;
}

/* ---- primary ---- */

static void list_add(struct parser *p, struct node *n, struct node *item, const char *name)
{
	struct node **list = SW_ARENA_ARRAY(p->a, struct node *, n->n + 1);
	const char **names = SW_ARENA_ARRAY(p->a, const char *, n->n + 1);

	for (size_t i = 0; i < n->n; i++) {
		list[i] = n->list[i];
		names[i] = n->names[i];
	}
	list[n->n] = item;
	names[n->n] = name;
	n->list = list;
	n->names = names;
	n->n++;
}

static struct node *parse_call(struct parser *p, const char *name, size_t at)
{
	struct node *n = node_new(p, N_CALL, at);

	n->name = name;
	advance(p, false);
	if (!take_op(p, ")")) {
		do {
			const char *key = NULL;

			if (p->t.kind == T_IDENT) { /* by=20%: a name only when a single = follows */
				struct lexer ahead = p->lex;
				struct token next = sw_lex_next(&ahead, false);

				if (next.kind == T_OP && strcmp(next.text, "=") == 0) {
					key = p->t.text;
					advance(p, false);
					advance(p, false);
				}
			}
			if (key && (p->t.kind == T_MULTIPLE || p->t.kind == T_POINTS)) { /* by=2x, by=2pp */
				struct node *m = node_new(p, N_LITERAL, p->t.at);

				m->form = p->t.kind == T_POINTS ? FORM_POINTS : FORM_MULTIPLE;
				m->type = p->t.kind == T_POINTS ? SW_V_RATIO : SW_V_NUMBER;
				m->value = (struct sw_value){ .type = m->type, .num = p->t.value.num };
				advance(p, false);
				m->end = p->last_end;
				list_add(p, n, m, key);
				continue;
			}
			list_add(p, n, parse_or(p), key);
		} while (take_op(p, ","));
		expect_op(p, ")");
	}
	n->end = p->last_end;
	return n;
}

/* Reads "+50%", "- 2pp", "+200ms" behind baseline; what is multiplied first ("+ 2 * x") is no delta but a sum. */
static struct node *parse_baseline_delta(struct parser *p, struct node *n)
{
	struct lexer ahead = p->lex;
	double sign = is_op(p, "-") ? -1 : 1;
	struct token delta, behind;

	n->end = p->last_end;
	if (p->failed || (!is_op(p, "+") && !is_op(p, "-")))
		return n;
	delta = sw_lex_next(&ahead, false);
	behind = sw_lex_next(&ahead, false);
	if (delta.kind != T_POINTS && (delta.kind != T_LITERAL || delta.value.type == SW_V_STRING))
		return n;
	if (behind.kind == T_OP && (strcmp(behind.text, "*") == 0 || strcmp(behind.text, "/") == 0))
		return n;
	advance(p, false);
	advance(p, false);
	n->form = delta.kind == T_POINTS ? FORM_POINTS : delta.value.type == SW_V_RATIO ? FORM_PERCENT : FORM_PLAIN;
	n->value = delta.value;
	n->value.num *= sign;
	n->mark = delta.at;
	n->end = p->last_end;
	return n;
}

static struct node *parse_path(struct parser *p)
{
	size_t at = p->t.at;
	const char *name = p->t.text;
	struct node *n;

	advance(p, false);
	if (is_op(p, "("))
		return parse_call(p, name, at);
	if (strcmp(name, "baseline") == 0)
		return parse_baseline_delta(p, node_new(p, N_BASELINE, at));
	n = node_new(p, N_PATH, at);
	n->name = name;
	while (is_op(p, ".") && !p->failed) {
		advance(p, false);
		if (p->t.kind != T_IDENT) {
			parse_fail(p, p->t.at, "expected a name behind the dot");
			break;
		}
		n->name = sw_arena_printf(p->a, "%s.%s", n->name, p->t.text);
		advance(p, false);
	}
	if (is_op(p, "[")) { /* labels["no-rollback"] */
		advance(p, false);
		if (p->t.kind == T_LITERAL && p->t.value.type == SW_V_STRING)
			n->name = sw_arena_printf(p->a, "%s.%s", n->name, p->t.value.str);
		else
			parse_fail(p, p->t.at, "expected a name in double quotes");
		advance(p, false);
		expect_op(p, "]");
	}
	n->end = p->last_end;
	return n;
}

static struct node *parse_literal(struct parser *p)
{
	struct node *n = node_new(p, N_LITERAL, p->t.at);

	n->value = p->t.value;
	advance(p, false);
	n->end = p->last_end;
	return n;
}

static struct node *parse_primary(struct parser *p)
{
	struct node *n;
	size_t at = p->t.at;

	if (p->failed)
		return node_new(p, N_LITERAL, at);
	switch (p->t.kind) {
	case T_LITERAL: return parse_literal(p);
	case T_POINTS:
		parse_fail(p, at, "points (pp) stand only behind baseline + or -");
		return node_new(p, N_LITERAL, at);
	case T_MULTIPLE:
		n = node_new(p, N_BASELINE, at);
		n->form = FORM_MULTIPLE;
		n->value = p->t.value;
		advance(p, false);
		if (!take_word(p, "baseline"))
			parse_fail(p, p->t.at, "expected \"baseline\" behind a multiple such as 3x");
		n->end = p->last_end;
		return n;
	case T_IDENT:
		if (is_word(p, "true") || is_word(p, "false")) {
			n = node_new(p, N_LITERAL, at);
			n->value = (struct sw_value){ .type = SW_V_BOOL, .b = is_word(p, "true") };
			advance(p, false);
			n->end = p->last_end;
			return n;
		}
		if (is_word(p, "null")) {
			n = node_new(p, N_LITERAL, at);
			n->value = (struct sw_value){ .type = SW_V_NULL };
			advance(p, false);
			n->end = p->last_end;
			return n;
		}
		if (keyword(p->t.text))
			break;
		return parse_path(p);
	case T_OP:
		if (take_op(p, "(")) {
			n = parse_or(p);
			n->paren = true;
			expect_op(p, ")");
			n->at = at;
			n->end = p->last_end;
			return n;
		}
		if (take_op(p, ".")) {
			n = node_new(p, N_ELEMENT, at);
			n->name = p->t.text;
			if (p->t.kind != T_IDENT)
				parse_fail(p, p->t.at, "expected a name behind the dot");
			advance(p, false);
			n->end = p->last_end;
			return n;
		}
		break;
	case T_REGEX:
	case T_END:
	case T_WRONG: break;
	}
	parse_fail(p, at, p->t.kind == T_END ? "expression ends too early" : "expected a value here");
	return node_new(p, N_LITERAL, at);
}

static struct node *parse_unary(struct parser *p)
{
	size_t at = p->t.at;

	if (take_op(p, "-")) {
		struct node *n = node_new(p, N_NEG, at);

		n->arg[0] = parse_primary(p);
		n->end = p->last_end;
		return n;
	}
	return parse_primary(p);
}

static struct node *parse_prod(struct parser *p)
{
	struct node *n = parse_unary(p);

	while (!p->failed && (is_op(p, "*") || is_op(p, "/"))) {
		enum node_kind k = is_op(p, "*") ? N_MUL : N_DIV;

		advance(p, false);
		n = node_two(p, k, n, parse_unary(p));
	}
	return n;
}

static struct node *parse_sum(struct parser *p)
{
	struct node *n = parse_prod(p);

	while (!p->failed && (is_op(p, "+") || is_op(p, "-"))) {
		enum node_kind k = is_op(p, "+") ? N_ADD : N_SUB;

		advance(p, false);
		n = node_two(p, k, n, parse_prod(p));
	}
	return n;
}

/* ---- comparisons ---- */

static struct node *parse_set(struct parser *p)
{
	struct node *n = node_new(p, N_LIST, p->t.at);

	if (!is_op(p, "["))
		return p->t.kind == T_IDENT ? parse_path(p) : (parse_fail(p, p->t.at, "expected a list here"), n);
	advance(p, false);
	do
		list_add(p, n, parse_sum(p), NULL);
	while (take_op(p, ","));
	expect_op(p, "]");
	n->end = p->last_end;
	return n;
}

static struct node *parse_is(struct parser *p, struct node *left)
{
	static const char *const states[] = { "absent", "stale", "nan", "error", "too_few", "unknown", "healthy", "failing", NULL };
	struct node *n = node_new(p, N_IS, left->at);
	const char *near;

	n->arg[0] = left;
	for (size_t i = 0; states[i]; i++)
		if (is_word(p, states[i])) {
			n->state = (enum state)i;
			advance(p, false);
			n->end = p->last_end;
			return n;
		}
	near = p->t.kind == T_IDENT ? sw_did_you_mean(p->t.text, states) : NULL;
	if (!p->failed) {
		p->failed = true;
		sw_wrong_set(p->wrong, p->t.at, "expected a state behind \"is\": healthy, failing, absent, stale, nan, error, too_few, unknown%s%s%s",
		          near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return n;
}

static struct node *parse_match(struct parser *p, struct node *left, bool negated)
{
	struct node *n = node_new(p, N_MATCH, left->at);
	struct sw_err err = SW_ERR_INIT;

	n->arg[0] = left;
	n->negated = negated;
	if (p->t.kind != T_REGEX && !(p->t.kind == T_LITERAL && p->t.value.type == SW_V_STRING)) {
		parse_fail(p, p->t.at, "expected a regular expression /…/ here");
		return n;
	}
	n->regex = sw_regex_compile(p->t.text, p->t.fold, &err);
	if (!n->regex)
		parse_fail(p, p->t.at, err.text);
	advance(p, false);
	n->end = p->last_end;
	return n;
}

static struct node *parse_cmp(struct parser *p)
{
	static const struct { const char *text; enum compare op; } ops[] = { { "<=", C_LE }, { ">=", C_GE }, { "==", C_EQ },
		                                                             { "!=", C_NE }, { "<", C_LT },  { ">", C_GT } };
	struct node *n = parse_sum(p);

	for (size_t i = 0; i < SW_COUNT(ops) && !p->failed; i++)
		if (take_op(p, ops[i].text)) {
			n = node_two(p, N_COMPARE, n, parse_sum(p));
			n->op = ops[i].op;
			return n;
		}
	if (p->failed)
		return n;
	if (is_op(p, "=~") || is_op(p, "!~") || is_word(p, "matches")) {
		bool negated = is_op(p, "!~");

		advance(p, true);
		return parse_match(p, n, negated);
	}
	if (take_word(p, "is"))
		return parse_is(p, n);
	if (take_word(p, "in"))
		return node_two(p, N_IN, n, parse_set(p));
	if (take_word(p, "between")) {
		struct node *b = node_new(p, N_BETWEEN, n->at);

		b->arg[0] = n;
		b->arg[1] = parse_sum(p);
		if (!take_word(p, "and"))
			parse_fail(p, p->t.at, "expected \"and\" of between");
		b->arg[2] = parse_sum(p);
		b->end = p->last_end;
		return b;
	}
	if (is_word(p, "not")) {
		advance(p, false);
		if (!take_word(p, "in")) {
			parse_fail(p, p->t.at, "expected \"in\" behind \"not\"");
			return n;
		}
		n = node_two(p, N_IN, n, parse_set(p));
		n->negated = true;
		return n;
	}
	if (is_op(p, "="))
		parse_fail(p, p->t.at, "a single \"=\" compares nothing, did you mean \"==\"?");
	return n;
}

static void parse_checks(struct parser *p)
{
	static const char *const words[] = { "check", "checks", "samples", "times" };

	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (take_word(p, words[i]))
			return;
}

static struct node *parse_held(struct parser *p)
{
	struct node *n = parse_cmp(p), *f;
	struct sw_value v = p->t.value;

	if (p->failed || !take_word(p, "for"))
		return n;
	f = node_new(p, N_FOR, n->at);
	f->arg[0] = n;
	f->hold_index = p->n_holds++;
	v = p->t.value;
	if (p->t.kind == T_LITERAL && v.type == SW_V_DURATION && v.num > 0) {
		f->hold.dur = (sw_dur)(v.num * 1000);
		advance(p, false);
	} else if (p->t.kind == T_LITERAL && v.type == SW_V_NUMBER && v.num >= 1 && v.num <= 32 && v.num == (int)v.num) {
		f->hold.n = f->hold.of = (unsigned)v.num;
		advance(p, false);
		if (take_word(p, "of")) {
			struct sw_value of = p->t.value;

			if (p->t.kind != T_LITERAL || of.type != SW_V_NUMBER || of.num < v.num || of.num > 32 || of.num != (int)of.num)
				parse_fail(p, p->t.at, "expected a number of checks, at least as many as before \"of\" and at most 32");
			f->hold.of = (unsigned)of.num;
			advance(p, false);
			parse_checks(p);
		} else if (!is_word(p, "check") && !is_word(p, "checks") && !is_word(p, "samples") && !is_word(p, "times")) {
			parse_fail(p, p->t.at, "expected \"checks\" or \"of\": for 3 checks, for 3 of 5 checks, for 30s");
		} else {
			parse_checks(p);
		}
	} else {
		parse_fail(p, p->t.at, "expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks");
	}
	f->end = p->last_end;
	return f;
}

static struct node *parse_not(struct parser *p)
{
	size_t at = p->t.at;

	if (take_op(p, "!") || take_word(p, "not")) {
		struct node *n = node_new(p, N_NOT, at);

		n->arg[0] = parse_held(p);
		n->end = p->last_end;
		return n;
	}
	return parse_held(p);
}

static struct node *parse_and(struct parser *p)
{
	struct node *n = parse_not(p);

	while (!p->failed && (take_word(p, "and") || take_op(p, "&&")))
		n = node_two(p, N_AND, n, parse_not(p));
	return n;
}

static struct node *parse_or(struct parser *p)
{
	struct node *n;

	if (++p->depth > EXPR_DEPTH) {
		parse_fail(p, p->t.at, "nested too deep (50 at most)");
		p->depth--;
		return node_new(p, N_LITERAL, p->t.at);
	}
	n = parse_and(p);
	while (!p->failed && (take_word(p, "or") || take_op(p, "||")))
		n = node_two(p, N_OR, n, parse_and(p));
	p->depth--;
	return n;
}

static void free_regexes(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < 3; i++)
		free_regexes(n->arg[i]);
	for (size_t i = 0; i < n->n; i++)
		free_regexes(n->list[i]);
	sw_regex_free(n->regex);
	n->regex = NULL;
}

int sw_expr_parse(struct sw_arena *a, const char *text, struct sw_expr **ret, struct wrong *wrong)
{
	struct parser p = { .a = a, .wrong = wrong, .lex = { .a = a, .text = text, .n = strlen(text) } };
	struct sw_expr *e;

	if (p.lex.n > EXPR_BYTES)
		return sw_wrong_set(wrong, EXPR_BYTES, "expression is longer than %d bytes", EXPR_BYTES);
	advance(&p, false);
	e = SW_ARENA_NEW(a, struct sw_expr);
	e->root = parse_or(&p);
	if (!p.failed && p.t.kind != T_END)
		parse_fail(&p, p.t.at, "expected the end, \"and\" or \"or\" here");
	if (!p.failed && p.n_holds > SW_HOLDS_MAX)
		parse_fail(&p, 0, "more than 16 \"for\" in one expression");
	if (p.failed) {
		free_regexes(e->root);
		return -EINVAL;
	}
	e->text = sw_arena_strdup(a, text);
	e->n_holds = p.n_holds;
	*ret = e;
	return 0;
}

void sw_expr_fini(struct sw_expr *e)
{
	free_regexes(e->root);
}

int sw_expr_make(const char *text, const struct scope *sc, struct sw_expr **ret, struct wrong *wrong)
{
	int r = sw_expr_parse(sc->a, text, ret, wrong);

	if (r == 0) {
		r = sw_expr_check(*ret, sc, wrong);
		if (r < 0)
			sw_expr_fini(*ret);
	}
	return r;
}

size_t sw_expr_holds(const struct sw_expr *e)
{
	return e ? e->n_holds : 0;
}

const char *sw_expr_text(const struct sw_expr *e)
{
	return e->text;
}
