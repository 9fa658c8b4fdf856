/* Text: globs, "did you mean", UTF-8, hex, base64, percent encoding. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <strings.h>

#include "shipwatch/mem.h"

#define GLOB_STACK 512
#define GLOB_PAIRS (1 << 20)
#define EDIT_MAX   128

bool sw_streq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool sw_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool sw_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static unsigned char str_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* A pattern is a row of tokens; its matcher's states are the offsets at which tokens begin. */
enum glob_kind { GLOB_END, GLOB_ONE, GLOB_STAR, GLOB_STARS, GLOB_LITERAL };

static enum glob_kind glob_token(const char *p, size_t n, size_t *ret_len)
{
	*ret_len = 1;
	if (n == 0)
		return GLOB_END;
	if (*p == '?')
		return GLOB_ONE;
	if (*p == '*') {
		while (*ret_len < n && p[*ret_len] == '*')
			++*ret_len;
		return *ret_len > 1 ? GLOB_STARS : GLOB_STAR;
	}
	*ret_len = sw_utf8_len(p, n);
	if (*ret_len == 0)
		*ret_len = 1;
	return GLOB_LITERAL;
}

static bool glob_same(const char *a, size_t a_n, const char *b, size_t b_n, bool fold)
{
	if (a_n != b_n)
		return false;
	if (a_n == 1 && fold)
		return str_lower((unsigned char)*a) == str_lower((unsigned char)*b);
	return memcmp(a, b, a_n) == 0;
}

/* All states at once over one character of the text; returns whether any is left. */
static bool glob_step(const char *p, size_t n, const unsigned char *from, unsigned char *to, const char *ch,
                      size_t ch_n, bool fold)
{
	bool any = false, slash = *ch == '/';
	size_t len;

	memset(to, 0, n + 1);
	for (size_t i = 0; i < n; i++) {
		enum glob_kind k;
		size_t next = SIZE_MAX;

		if (!from[i])
			continue;
		k = glob_token(p + i, n - i, &len);
		if ((k == GLOB_STAR && !slash) || k == GLOB_STARS)
			next = i;
		else if ((k == GLOB_ONE && !slash) || (k == GLOB_LITERAL && glob_same(p + i, len, ch, ch_n, fold)))
			next = i + len;
		if (next != SIZE_MAX)
			to[next] = any = true;
	}
	return any;
}

/* A star may stand for nothing. */
static void glob_close(const char *p, size_t n, unsigned char *set)
{
	size_t len;

	for (size_t i = 0; i < n; i++) {
		enum glob_kind k;

		if (!set[i])
			continue;
		k = glob_token(p + i, n - i, &len);
		if (k == GLOB_STAR || k == GLOB_STARS)
			set[i + len] = true;
	}
}

/* The part before the first wildcard decides most questions. Returns its length, or -1 when it does not fit. */
static ptrdiff_t glob_prefix(const char *p, const char *t, bool fold)
{
	size_t i;

	for (i = 0; p[i] && p[i] != '*' && p[i] != '?'; i++) {
		unsigned char a = (unsigned char)p[i], b = (unsigned char)t[i];

		if (a != b && !(fold && str_lower(a) == str_lower(b)))
			return -1;
	}
	return (ptrdiff_t)i;
}

bool sw_glob_match(const char *pattern, const char *text, bool fold_case)
{
	unsigned char stack[2 * (GLOB_STACK + 1)], *heap = NULL, *now, *next;
	ptrdiff_t skip = glob_prefix(pattern, text, fold_case);
	const char *p, *t;
	size_t n, left;
	bool found;

	if (skip < 0)
		return false;
	p = pattern + skip;
	t = text + skip;
	n = strlen(p);
	left = strlen(t);
	if (n == 0 || left == 0) {
		/* Nothing to match with, or nothing left but stars. */
		return n == 0 ? left == 0 : strspn(p, "*") == n;
	}
	if (n > GLOB_STACK)
		heap = sw_malloc(2 * (n + 1));
	now = heap ? heap : stack;
	next = now + n + 1;
	memset(now, 0, n + 1);
	now[0] = true;
	glob_close(p, n, now);
	found = true;
	while (left && found) {
		unsigned len = sw_utf8_len(t, left);
		unsigned char *swap = now;

		if (len == 0)
			len = 1;
		found = glob_step(p, n, now, next, t, len, fold_case);
		glob_close(p, n, next);
		now = next;
		next = swap;
		t += len;
		left -= len;
	}
	found = found && now[n];
	free(heap);
	return found;
}

/* Both patterns side by side: is there a character that takes the pair (i, j) further? */
static void glob_pair(const char *a, size_t an, const char *b, size_t bn, size_t i, size_t j, unsigned char *seen)
{
	size_t la, lb, w = bn + 1;
	enum glob_kind ka = glob_token(a + i, an - i, &la), kb = glob_token(b + j, bn - j, &lb);
	bool stay_a = ka == GLOB_STAR || ka == GLOB_STARS, stay_b = kb == GLOB_STAR || kb == GLOB_STARS;
	bool common;

	if (stay_a)
		seen[(i + la) * w + j] = true;
	if (stay_b)
		seen[i * w + j + lb] = true;
	if (ka == GLOB_END || kb == GLOB_END)
		return;
	if (ka == GLOB_LITERAL && kb == GLOB_LITERAL)
		common = glob_same(a + i, la, b + j, lb, true);
	else if (ka == GLOB_LITERAL)
		common = a[i] != '/' || kb == GLOB_STARS;
	else if (kb == GLOB_LITERAL)
		common = b[j] != '/' || ka == GLOB_STARS;
	else
		common = true;
	if (common)
		seen[(stay_a ? i : i + la) * w + (stay_b ? j : j + lb)] = true;
}

bool sw_glob_overlap(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	unsigned char *seen;
	bool found;

	if (!strpbrk(a, "*?") && !strpbrk(b, "*?"))
		return strcasecmp(a, b) == 0;
	if (an >= GLOB_PAIRS || bn >= GLOB_PAIRS || (an + 1) * (bn + 1) > GLOB_PAIRS)
		return true;
	seen = sw_calloc(an + 1, bn + 1);
	seen[0] = true;
	/* Every step goes forward in a or b, so one pass in order sees everything that can be reached. */
	for (size_t i = 0; i <= an; i++)
		for (size_t j = 0; j <= bn; j++)
			if (seen[i * (bn + 1) + j])
				glob_pair(a, an, b, bn, i, j, seen);
	found = seen[an * (bn + 1) + bn];
	free(seen);
	return found;
}

unsigned sw_edit_distance(const char *a, const char *b, unsigned max)
{
	unsigned rows[3][EDIT_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *swap;
	size_t an = strlen(a), bn = strlen(b);

	if (an > EDIT_MAX || bn > EDIT_MAX || (an > bn ? an - bn : bn - an) > max)
		return max + 1;
	for (size_t j = 0; j <= bn; j++)
		last[j] = (unsigned)j;
	memset(before, 0, sizeof rows[0]);
	for (size_t i = 1; i <= an; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned d = last[j - 1] + (a[i - 1] != b[j - 1]);

			d = SW_MIN(d, last[j] + 1);
			d = SW_MIN(d, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = SW_MIN(d, before[j - 2] + 1);
			row[j] = d;
		}
		swap = before;
		before = last;
		last = row;
		row = swap;
	}
	return SW_MIN(last[bn], max + 1);
}

const char *sw_did_you_mean(const char *word, const char *const *words)
{
	unsigned best = (unsigned)SW_MIN(strlen(word) / 3, (size_t)EDIT_MAX), d;
	const char *found = NULL;

	/* One letter is like every other: nobody is helped by that. */
	if (!word[0] || !word[1])
		return NULL;
	best = SW_MAX(best, 1u);
	for (; *words; words++) {
		d = sw_edit_distance(word, *words, best);
		if (d > best || (found && d == best))
			continue;
		best = d;
		found = *words;
	}
	return found;
}

unsigned sw_utf8_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	unsigned len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	/* The second byte carries what keeps out overlong forms, surrogates and what is past U+10FFFF. */
	switch (p[0]) {
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t sw_utf8_cut(const char *s, size_t n, size_t max)
{
	size_t at = max;

	if (n <= max)
		return n;
	for (unsigned i = 0; i < 3 && at > 0 && ((unsigned char)s[at] & 0xc0) == 0x80; i++)
		at--;
	return sw_utf8_len(s + at, n - at) > max - at ? at : max;
}

/* Characters that are not seen but change what is seen or compared. */
static bool utf8_hidden(const char *s, unsigned len)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned c;

	switch (len) {
	case 1:
		return p[0] < 0x20 || p[0] == 0x7f;
	case 2:
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return c < 0xa0 || c == 0xad || c == 0x61c;
	case 3:
		c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
		       c == 0xfeff;
	}
	c = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	return c >= 0xe0000 && c <= 0xe007f;
}

void sw_utf8_clean(struct sw_buf *out, const char *s, size_t n, bool drop_controls)
{
	size_t i = 0, from = 0;

	while (i < n) {
		unsigned len = sw_utf8_len(s + i, n - i);

		if (len && !(drop_controls && utf8_hidden(s + i, len))) {
			i += len;
			continue;
		}
		sw_buf_catn(out, s + from, i - from);
		if (len == 0)
			sw_buf_catn(out, "\xef\xbf\xbd", 3);
		i += len ? len : 1;
		from = i;
	}
	sw_buf_catn(out, s + from, i - from);
}

#ifdef __SSE2__
/* A bit for each of 16 bytes that is not plain. As signed numbers, controls and everything from 0x80 on are below 0x20. */
static unsigned text_special16(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p), bad = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));

	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
	return (unsigned)_mm_movemask_epi8(bad);
}
#endif

const char *sw_text_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		unsigned special = text_special16(p);

		if (special)
			return p + __builtin_ctz(special);
	}
#endif
	while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return p;
}

void sw_hex_encode(struct sw_buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;

	sw_buf_reserve(out, n * 2);
	for (size_t i = 0; i < n; i++) {
		sw_buf_putc(out, digits[b[i] >> 4]);
		sw_buf_putc(out, digits[b[i] & 15]);
	}
}

static int str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int sw_hex_decode(const char *s, size_t len, unsigned char *out, size_t n)
{
	if (len != n * 2)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int high = str_hex_digit(s[2 * i]), low = str_hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sw_b64_encode(struct sw_buf *out, const void *p, size_t n)
{
	const unsigned char *b = p;

	sw_buf_reserve(out, (n + 2) / 3 * 4);
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v =
		    (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (left > 2 ? b[i + 2] : 0);
		char four[4] = { b64_digits[v >> 18], b64_digits[v >> 12 & 63],
			         left > 1 ? b64_digits[v >> 6 & 63] : '=', left > 2 ? b64_digits[v & 63] : '=' };

		sw_buf_catn(out, four, 4);
	}
}

static int b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int sw_b64_decode(const char *s, size_t len, unsigned char *out, size_t cap)
{
	size_t pad, n;

	if (len % 4 || len > INT32_MAX)
		return -EINVAL;
	pad = len == 0 ? 0 : s[len - 1] != '=' ? 0 : s[len - 2] != '=' ? 1 : 2;
	n = len / 4 * 3 - pad;
	if (n > cap)
		return -EINVAL;
	for (size_t i = 0, o = 0; i < len; i += 4) {
		uint32_t v = 0;
		size_t use = i + 4 == len ? 4 - pad : 4;

		for (size_t k = 0; k < 4; k++) {
			int d = k < use ? b64_value(s[i + k]) : 0;

			if (d < 0)
				return -EINVAL;
			v = v << 6 | (uint32_t)d;
		}
		if ((use == 3 && v & 0xff) || (use == 2 && v & 0xffff))
			return -EINVAL;
		for (size_t k = 0; k + 1 < use; k++)
			out[o++] = (unsigned char)(v >> (16 - 8 * k));
	}
	return (int)n;
}

void sw_pct_encode(struct sw_buf *out, const char *s, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		char three[3] = { '%', digits[c >> 4], digits[c & 15] };

		if ((c >= '0' && c <= '9') || (str_lower(c) >= 'a' && str_lower(c) <= 'z') || (c && strchr("-._~", c)))
			sw_buf_putc(out, (char)c);
		else
			sw_buf_catn(out, three, 3);
	}
}

int sw_pct_decode(struct sw_buf *out, const char *s, size_t n, bool plus)
{
	size_t from = 0, i = 0;

	sw_buf_reserve(out, n);
	while (i < n) {
		int high, low;

		if (s[i] != '%' && !(plus && s[i] == '+')) {
			i++;
			continue;
		}
		sw_buf_catn(out, s + from, i - from);
		if (s[i] == '+') {
			sw_buf_putc(out, ' ');
			from = ++i;
			continue;
		}
		high = n - i > 2 ? str_hex_digit(s[i + 1]) : -1;
		low = n - i > 2 ? str_hex_digit(s[i + 2]) : -1;
		if (high < 0 || low < 0)
			return -EINVAL;
		sw_buf_putc(out, (char)(high << 4 | low));
		from = i += 3;
	}
	sw_buf_catn(out, s + from, i - from);
	return 0;
}
