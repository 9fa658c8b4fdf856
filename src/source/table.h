/*
 * Tables from paths in a host's JSON to fields of a struct, filled in one pass over the bytes without building a tree.
 *
 * A path is names joined by dots. A list of objects is a row of type T_EACH with a table of its own: each element becomes one
 * struct of elem_size bytes. Values of another type than the row wants are left out; the last of equal keys wins.
 */
#ifndef SW_SOURCE_TABLE_H
#define SW_SOURCE_TABLE_H

#include "base/json.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/event.h"
#include "shipwatch/mem.h"

enum row_type {
	T_TEXT,     /* const char *: string or number; "" is NULL; cut at SW_EVENT_TEXT bytes */
	T_LINE,     /* const char *: first line of a text */
	T_SHA,      /* const char *: hex, lower case; all zeros is NULL */
	T_TIME,     /* sw_ms: any spelling of clock.h */
	T_INT,      /* int64_t */
	T_NUMBER,   /* double */
	T_BOOL,     /* bool: true only for true */
	T_SOME,     /* bool: the value is there and not null */
	T_TEXTS,    /* struct texts: list of strings, appended */
	T_EACH,     /* struct each: list of objects */
	T_LABELS,   /* struct labels: object of texts and numbers, at most `most`; "" and names over LABEL_NAME bytes are left out */
};

struct texts { const char **items; size_t n, cap; bool cut; };
struct each { void *items; size_t n, cap; bool cut; size_t left_out; }; /* left_out: objects beyond `most` */
struct labels { struct sw_label *items; size_t n, cap; bool cut; };

struct row {
	const char *path;
	enum row_type type;
	size_t offset;
	/* EACH; LABELS: most alone */
	const struct row *rows;
	size_t elem_size, most;
};
#define LABEL_NAME 128

#define ROWS_MOST 96

/* Fills *base. rows: NULL-ended lists of rows, themselves ended by a zero row. Return: 0, or -EBADMSG with err. */
SW_CHECKED int sw_table_read(const struct row *const *lists, const char *json, size_t n, struct sw_arena *a, void *base, struct sw_err *err);

#endif
