/*
 * A setting exists once, as a row: name, type, where it goes, default as text, one line of help. The parser, `--help`, the
 * manual and the sample file come from the row. Ranges and "did you mean" are the parser's work, not the module's.
 */
#ifndef SHIPWATCH_KEY_H
#define SHIPWATCH_KEY_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

enum sw_key_type {
	SW_KEY_STRING,   /* const char * */
	SW_KEY_SECRET,   /* const char *: never printed; warned about when written plainly in a world-readable file */
	SW_KEY_SECRETS,  /* const char **: NULL-ended list of secrets, one text alone is a list of one */
	SW_KEY_STRINGS,  /* const char **: NULL-ended list, one text alone is a list of one */
	SW_KEY_BOOL,     /* bool: true or false */
	SW_KEY_INT,      /* int64_t, min..max */
	SW_KEY_NUMBER,   /* double, min..max */
	SW_KEY_DUR,      /* sw_dur: needs a unit; min..max in ms */
	SW_KEY_SIZE,     /* int64_t bytes: B KB MB GB KiB MiB GiB; min..max */
	SW_KEY_PERCENT,  /* double ratio: "5%" is 0.05; needs the sign */
	SW_KEY_URL,      /* const char *: http:// or https:// with a host */
	SW_KEY_ENUM,     /* int: index in words */
	SW_KEY_STRMAP,   /* const char **: NULL-ended key, value, key, value */
	SW_KEY_NODE,     /* const struct sw_ynode *: taken as it is, its owner reads it */
};

struct sw_key {
	const char *name;
	enum sw_key_type type;
	size_t offset;
	const char *def;            /* default as it would be written; NULL: zero/NULL; "!" : required */
	const char *help;
	int64_t min, max;           /* both 0: no range */
	const char *const *words;   /* ENUM: NULL-ended */
};

struct sw_ynode;
struct sw_diags;

/*
 * Fills conf (conf_size zeroed bytes) from a YAML map by the rows: defaults first, then what is written. Unknown keys, wrong
 * types, units and ranges are told with their place; skip: NULL-ended names that the caller reads by itself. All strings are
 * borrowed from the tree's arena a. node NULL: defaults only (required ones are then told at `at`).
 * Return: 0, or -EINVAL when anything was told as an error (and is counted in d, so that the return may be left alone).
 */
int sw_keys_read(const struct sw_key *keys, const struct sw_ynode *node, const struct sw_ynode *at,
                 const char *const *skip, struct sw_arena *a, void *conf, struct sw_diags *d);
/* One value by one row (for short forms). */
int sw_key_read_one(const struct sw_key *key, const struct sw_ynode *value, struct sw_arena *a, void *conf,
                    struct sw_diags *d);
/* "25MiB" to bytes. Return: 0, or -EINVAL. */
SW_CHECKED int sw_size_parse(const char *s, int64_t *ret);

#endif
