/* Text: globs, "did you mean", UTF-8, hex, base64, percent encoding. */
#ifndef SW_BASE_STR_H
#define SW_BASE_STR_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

bool sw_streq(const char *a, const char *b); /* NULL equals NULL only */
bool sw_starts(const char *s, const char *prefix);
bool sw_ends(const char *s, const char *suffix);

/*
 * Glob over a whole string: ? one character but '/', * any run without '/', ** any run; everything else is itself.
 * Linear in pattern times text; no recursion. fold_case: ASCII only.
 */
bool sw_glob_match(const char *pattern, const char *text, bool fold_case);
/* True when some text matches both patterns (used to find two places that can both match). May say true for rare pairs
 * that cannot. */
bool sw_glob_overlap(const char *a, const char *b);

/* Damerau-Levenshtein; capped at max + 1. */
unsigned sw_edit_distance(const char *a, const char *b, unsigned max);
/* The nearest of NULL-ended words within a third of its length, or NULL. */
const char *sw_did_you_mean(const char *word, const char *const *words);

/* Length of the valid UTF-8 sequence at p (1..4), or 0 when broken. */
unsigned sw_utf8_len(const char *p, size_t n);
/* Bytes of s (n long) up to and including the last whole code point that fits into max. */
size_t sw_utf8_cut(const char *s, size_t n, size_t max);
/* Appends with broken sequences as U+FFFD and, if asked, C0/C1, bidi controls and zero-width characters dropped. */
void sw_utf8_clean(struct sw_buf *out, const char *s, size_t n, bool drop_controls);

/* The first byte from p on that JSON text cannot hold as it is, or that is not ASCII: quote, backslash, control, DEL, 0x80 and above. */
const char *sw_text_plain(const char *p, const char *end);

void sw_hex_encode(struct sw_buf *out, const void *p, size_t n);
/* Strict: exactly 2n digits of either case. Return: 0, or -EINVAL. */
SW_CHECKED int sw_hex_decode(const char *s, size_t len, unsigned char *out, size_t n);
void sw_b64_encode(struct sw_buf *out, const void *p, size_t n);
/* Strict standard alphabet with padding. Return: number of bytes, or -EINVAL (also when they do not fit into cap). */
SW_CHECKED int sw_b64_decode(const char *s, size_t len, unsigned char *out, size_t cap);
/* Everything but unreserved characters (RFC 3986) as %XX. */
void sw_pct_encode(struct sw_buf *out, const char *s, size_t n);
/* %XX and, with plus, '+' as space. Return: 0, or -EINVAL at a broken escape. */
SW_CHECKED int sw_pct_decode(struct sw_buf *out, const char *s, size_t n, bool plus);

#endif
