/* The tree of an expression: made by expr.c, typed by types.c, evaluated by eval.c. Lives in the arena of its set. */
#ifndef SW_RULES_EXPR_H
#define SW_RULES_EXPR_H

#include "rules/rules.h"

#define EXPR_BYTES 4096
#define EXPR_DEPTH 50
#define EXPR_NODES 500
#define EXPR_COST  50000   /* parts visited by one evaluation, at most */
#define EXPR_ASKED 32      /* signals in one expression */

/* ---- lexer ---- */

enum token_kind { T_END, T_LITERAL, T_POINTS, T_MULTIPLE, T_REGEX, T_IDENT, T_OP, T_WRONG };

struct token {
	enum token_kind kind;
	size_t at, end;            /* bytes into the text */
	struct sw_value value;     /* LITERAL; MULTIPLE and POINTS: num */
	const char *text;          /* IDENT, REGEX, OP */
	bool fold;                 /* REGEX /…/i */
	const char *error;         /* WRONG */
};

struct lexer {
	struct sw_arena *a;
	const char *text;
	size_t n, at;
};
/* regex: a slash begins one here. */
struct token sw_lex_next(struct lexer *l, bool regex);

/* ---- tree ---- */

enum node_kind {
	N_OR, N_AND, N_NOT, N_FOR, N_COMPARE, N_IN, N_BETWEEN, N_MATCH, N_IS, N_ADD, N_SUB, N_MUL, N_DIV, N_NEG, N_LITERAL, N_LIST,
	N_FIELD, N_SIGNAL, N_WINDOW, N_CALL, N_BASELINE, N_ELEMENT, N_PATH /* before types.c */
};

enum compare { C_LT, C_LE, C_GT, C_GE, C_EQ, C_NE };
enum state { S_ABSENT, S_STALE, S_NAN, S_ERROR, S_TOO_FEW, S_UNKNOWN, S_HEALTHY, S_FAILING };
enum call {
	F_CONSECUTIVE, F_ANY, F_ALL, F_CHANGED, F_WITHIN, F_AGE, F_DEPLOYS, F_FAILING_SERVICES, F_LEN, F_LOWER, F_HAS, F_COALESCE, F_DELTA,
	F_REGRESSED, F_SUM /* requests, restarts: becomes a window */, F_FLAKY, F_FLAPS, F_SOURCE
};

/* How a number was written: beside `baseline` (+50%, + 2pp, +200ms, 3x), and as by= of regressed. */
enum form { FORM_PLAIN, FORM_PERCENT, FORM_POINTS, FORM_MULTIPLE };

struct hold { sw_dur dur; unsigned n, of; bool cusum; }; /* dur, or n (of of) checks, or by CUSUM (rules.md 3.5) */

struct time_window { const char *name; unsigned days; /* bit 0 = Sunday */ int from, to; /* minutes of the day */ };

struct node {
	enum node_kind kind;
	size_t at, end;            /* where it stands in the text */
	struct node *arg[3];
	struct node **list;        /* LIST, CALL: elements */
	const char **names;        /* CALL: names of arguments, NULL = by place */
	size_t n;
	enum sw_vtype type;
	struct sw_value value;     /* LITERAL; LIST of literals */
	enum compare op;
	bool negated;              /* NOT IN, !~ */
	bool paren;                /* stood in parentheses */
	enum state state;
	struct hold hold;
	size_t hold_index;         /* FOR, CONSECUTIVE */
	enum form form;            /* BASELINE, LITERAL of a named argument */
	const struct node *other;  /* BASELINE: what it is the baseline of */
	double floor;              /* BASELINE: of the other side */
	size_t mark;               /* BASELINE: where its delta stands; 0: it has none */
	bool limit_first;          /* COMPARE: the limit stands on the left */
	bool measured;             /* COMPARE, BETWEEN, IS: the value was something before the deployment too */
	int element;               /* ELEMENT: place in a record; -1: the element itself */
	const struct sw_regressed_ask *ask; /* CALL of regressed */
	const char *name;          /* PATH, SIGNAL, CALL, ELEMENT */
	const char *part;          /* SIGNAL */
	enum sw_field_id field;
	const char *key;           /* FIELD */
	enum sw_window window;
	enum call call;
	void *regex;               /* pcre2_code */
	const struct time_window *within;
};

struct sw_expr {
	const char *text;
	struct node *root;
	size_t n_holds;
	const char **signals;      /* NULL-ended, distinct */
	const char **based;        /* those whose baseline is asked for */
	const char **sources;      /* NULL-ended: asked about by signal_source() */
	const struct sw_regressed_ask **regressed; /* NULL-ended */
	bool watches;              /* asks what only a watch can tell */
	unsigned cost;             /* parts visited by one evaluation, at most */
};

/* What a name may mean beside fields and built-in signals. */
struct scope {
	struct sw_arena *a;
	const struct sw_signal_def *signals;
	size_t n_signals;
	const struct sw_ynode *lists;    /* of the rules file, or NULL */
	const char *const *limits;       /* NULL: any */
	bool hold_plain;           /* a plain comparison of a signal holds for 3 checks (it leads to a rollback) */
};

/* A mistake at a place in the text. */
struct wrong { size_t at; char text[320]; };

/* Parses. Return: 0, or -EINVAL with wrong. */
int sw_expr_parse(struct sw_arena *a, const char *text, struct sw_expr **ret, struct wrong *wrong);
/* Resolves names, checks types and units. Return: 0, or -EINVAL with wrong. */
int sw_expr_check(struct sw_expr *e, const struct scope *sc, struct wrong *wrong);
/* Frees what does not lie in the arena (regular expressions). */
void sw_expr_fini(struct sw_expr *e);
/* Both. */
int sw_expr_make(const char *text, const struct scope *sc, struct sw_expr **ret, struct wrong *wrong);
int sw_wrong_set(struct wrong *w, size_t at, const char *fmt, ...) SW_PRINTF(3, 4);

/* signals.c: the rows first, then what is built in; the built-in ones by number, NULL behind the last. */
const struct sw_signal_def *sw_signal_def_find(const struct sw_signal_def *rows, size_t n, const char *name);
const struct sw_signal_def *sw_signal_def_builtin(size_t i);

/* hold.c: what a `for` remembers. */
void sw_hold_count(struct sw_hold *h, enum sw_truth t, sw_ms at, bool gap_resets);
unsigned sw_hold_true(const struct sw_hold *h, unsigned of);
bool sw_hold_cusum(const struct sw_hold *h);

/* regex.c: PCRE2 with limits. compile: NULL with wrong text in err. match: unknown when a limit was hit. */
void *sw_regex_compile(const char *pattern, bool fold, struct sw_err *err);
bool sw_regex_matches_empty(const void *re);
enum sw_truth sw_regex_match(const void *re, const char *text);
void sw_regex_free(void *re);

#endif
