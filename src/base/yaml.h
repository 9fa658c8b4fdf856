/*
 * YAML text to a tree with places, by libyaml events. Strict: aliases, anchors, tags, several documents and duplicate
 * keys are errors; depth 32, size 1 MiB, 20,000 nodes. `${NAME}` and `${file:PATH}` are replaced in scalars when expand
 * is asked.
 */
#ifndef SW_BASE_YAML_H
#define SW_BASE_YAML_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

enum sw_ytype { SW_Y_SCALAR, SW_Y_MAP, SW_Y_LIST };

struct sw_ynode {
	enum sw_ytype type;
	const char *file;   /* as given to the parser */
	unsigned line, col; /* 1-based, of the value */
	const char *key;    /* in a map: its name; with its own place */
	unsigned key_line, key_col;
	const char *text;  /* SCALAR */
	bool quoted;       /* SCALAR was in quotes or a block: then it is always a string */
	bool from_env;     /* SCALAR had a ${…} in it: not written in plain text here */
	bool broken;       /* a mistake in it was told already: readers stay silent about it */
	bool exposed;      /* the file it stands in can be read by everybody */
	unsigned text_col; /* SCALAR: column of text[0] when every character of it stands there as it is; 0: not so */
	struct sw_ynode *child, *next;
	size_t n; /* MAP, LIST: children */
};

/* All mistakes of one load, in order of place; one line each: "rules/web.yaml:7:9: unknown key "iff", did you mean
 * "if"?" */
struct sw_diags {
	struct sw_arena *arena; /* owner of the texts */
	struct sw_diag {
		const char *text;
		const char *file;
		unsigned line, col;
		bool warning;
		struct sw_diag *next;
	} * first, *last;
	unsigned errors, warnings;
};

void sw_diags_init(struct sw_diags *d, struct sw_arena *a);
/* at: the node the mistake is at (NULL: no place). Notes at most 200, then counts on. */
void sw_diag_error(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...) SW_PRINTF(3, 4);
void sw_diag_warn(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...) SW_PRINTF(3, 4);
/* The same, at the key instead of the value. */
void sw_diag_key(struct sw_diags *d, const struct sw_ynode *at, const char *fmt, ...) SW_PRINTF(3, 4);
/* The same, at a place in a scalar's text: col_in_text 0-based bytes into it (exact for plain and quoted one-line
 * scalars). */
void sw_diag_in_text(struct sw_diags *d, const struct sw_ynode *at, size_t col_in_text, const char *fmt, ...)
    SW_PRINTF(4, 5);
void sw_diags_sort(struct sw_diags *d); /* by file, line, col; stable */

/* How ${…} is looked up; NULL functions: a ${…} is an error. */
struct sw_yenv {
	const char *(*get)(void *arg, const char *name); /* NULL: not set */
	void *arg;
	bool files; /* ${file:…}, relative to the folder of the YAML file; ${cred:…}, in the folder that get("CREDENTIALS_DIRECTORY") names */
};
extern const struct sw_yenv sw_yenv_process; /* getenv and files */

/*
 * Parses text. *ret is NULL for an empty document. Mistakes go to d.
 * Return: 0, or -EINVAL if there was any error; then *ret may still be a tree that is worth reading on.
 */
int sw_yaml_parse(struct sw_arena *a, const char *file, const char *text, size_t n, const struct sw_yenv *env,
                  struct sw_ynode **ret, struct sw_diags *d);
/* Reads the file first. */
int sw_yaml_load(struct sw_arena *a, const char *path, const struct sw_yenv *env, struct sw_ynode **ret,
                 struct sw_diags *d);
const struct sw_ynode *sw_yget(const struct sw_ynode *map, const char *key);
/* YAML 1.2 core words for a plain scalar: null, ~ or empty. */
bool sw_yaml_is_null(const struct sw_ynode *n);

#endif
