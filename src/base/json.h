/*
 * JSON: one pass over bytes (a pull reader), a small tree in an arena for our own documents, and a writer.
 *
 * As strict as RFC 8259, with two mercies for what git hosts send: broken UTF-8 inside strings passes and becomes U+FFFD when
 * the text is taken out, and of equal keys the last one wins. \u0000 becomes U+FFFD too, so that text is always a C string.
 * Depth is limited to SW_JSON_DEPTH.
 */
#ifndef SW_BASE_JSON_H
#define SW_BASE_JSON_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

#define SW_JSON_DEPTH 64

enum sw_json_token {
	SW_JSON_ERROR = -1,
	SW_JSON_END = 0,   /* the document is over, nothing but white space behind it */
	SW_JSON_NULL, SW_JSON_TRUE, SW_JSON_FALSE, SW_JSON_NUMBER, SW_JSON_STRING,
	SW_JSON_KEY,       /* a member's name; its value is the next token */
	SW_JSON_OBJECT, SW_JSON_OBJECT_END, SW_JSON_ARRAY, SW_JSON_ARRAY_END,
};

struct sw_json {
	const char *begin, *p, *end;
	const char *tok;       /* first byte of the token; of STRING and KEY the first byte inside the quotes */
	size_t tok_n;          /* raw bytes, escapes not yet undone */
	bool escaped;          /* STRING or KEY contains a backslash */
	bool dirty;            /* STRING or KEY contains a byte >= 0x80 or an escape: take it out with sw_json_text */
	unsigned depth;
	uint64_t in_array;     /* bit per level */
	unsigned char state;
	const char *error;     /* "expected ',' or '}'" after SW_JSON_ERROR; the place is p - begin */
};

void sw_json_init(struct sw_json *j, const char *text, size_t n);
/* The next token. After ERROR or END the same is returned again. */
enum sw_json_token sw_json_next(struct sw_json *j);
/* After OBJECT or ARRAY: skips to behind its end (checking it). After KEY: skips the value. Return: 0, or -EINVAL. */
SW_CHECKED int sw_json_skip(struct sw_json *j);
/* The current STRING or KEY, unescaped, valid UTF-8. */
char *sw_json_text(const struct sw_json *j, struct sw_arena *a);
void sw_json_text_buf(const struct sw_json *j, struct sw_buf *out);
/* The current STRING or KEY equals s (s plain ASCII)? */
bool sw_json_is(const struct sw_json *j, const char *s);
/* The current NUMBER. int: false when it has a fraction or exponent or does not fit. */
bool sw_json_int(const struct sw_json *j, int64_t *ret);
double sw_json_double(const struct sw_json *j);
/* Whole text well formed? Return: 0, or -EINVAL with err "not JSON: expected ',' at byte 812". No allocation. */
SW_CHECKED int sw_json_check(const char *text, size_t n, struct sw_err *err);

/* The tree. Strings are unescaped C strings in the arena. */
enum sw_jtype { SW_J_NULL, SW_J_FALSE, SW_J_TRUE, SW_J_NUMBER, SW_J_STRING, SW_J_OBJECT, SW_J_ARRAY };

struct sw_jnode {
	enum sw_jtype type;
	const char *key;        /* name within the object, else NULL */
	const char *text;       /* STRING: the text; NUMBER: its digits as written */
	int64_t i;              /* NUMBER: the integer, saturated */
	double d;               /* NUMBER */
	struct sw_jnode *child; /* OBJECT, ARRAY: first; then ->next */
	struct sw_jnode *next;
	size_t n;               /* OBJECT, ARRAY: how many; STRING: bytes */
};

/* Parses into the arena; at most max_nodes nodes. Return: 0 and *ret; -EINVAL or -E2BIG with err. */
SW_CHECKED int sw_jtree_parse(struct sw_arena *a, const char *text, size_t n, size_t max_nodes, struct sw_jnode **ret,
                              struct sw_err *err);
/*
 * The next value of a reader that stands behind a KEY or in an array, with its bytes as they were written (raw NULL: not wanted).
 * Return: 1 and *ret; 0 at the end of what it stands in; -EINVAL or -E2BIG with err.
 */
SW_CHECKED int sw_jtree_next(struct sw_json *j, struct sw_arena *a, size_t max_nodes, struct sw_jnode **ret, const char **ret_raw, size_t *ret_n,
                             struct sw_err *err);
/* All of these take NULL and answer "not there". */
const struct sw_jnode *sw_jget(const struct sw_jnode *obj, const char *key);
const char *sw_jstr(const struct sw_jnode *obj, const char *key);                    /* NULL unless a STRING */
int64_t sw_jint(const struct sw_jnode *obj, const char *key, int64_t otherwise);
double sw_jnum(const struct sw_jnode *obj, const char *key, double otherwise);
bool sw_jbool(const struct sw_jnode *obj, const char *key, bool otherwise);

/* The writer. Commas and quotes are its work; keys in the order you write them. */
struct sw_jw { struct sw_buf *b; bool comma; };

void sw_jw_init(struct sw_jw *w, struct sw_buf *b);
void sw_jw_obj(struct sw_jw *w, const char *key);   /* key NULL: an element or the root */
void sw_jw_obj_end(struct sw_jw *w);
void sw_jw_arr(struct sw_jw *w, const char *key);
void sw_jw_arr_end(struct sw_jw *w);
void sw_jw_str(struct sw_jw *w, const char *key, const char *s);     /* NULL text is written as null */
void sw_jw_opt(struct sw_jw *w, const char *key, const char *s);     /* NULL text: left out */
void sw_jw_int(struct sw_jw *w, const char *key, int64_t v);
void sw_jw_num(struct sw_jw *w, const char *key, double v);          /* shortest that reads back equal; NaN, Inf: null */
void sw_jw_bool(struct sw_jw *w, const char *key, bool v);
void sw_jw_null(struct sw_jw *w, const char *key);
void sw_jw_raw(struct sw_jw *w, const char *key, const char *json, size_t n); /* trusted JSON text as the value */
void sw_jw_node(struct sw_jw *w, const char *key, const struct sw_jnode *node);

#endif
