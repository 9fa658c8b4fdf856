/* The gate: a strict check of a request's head before the parser of libevhtp sees a byte of it. */
#include "io/gate.h"

#include <string.h>
#include <strings.h>

enum { T_TOKEN = 1, T_VALUE = 2, T_TARGET = 4, T_HOST = 8, T_UPPER = 16 };

static unsigned char gate_types[256];

static void gate_init(void)
{
	static const char token[] = "!#$%&'*+-.^_`|~";
	static const char host[] = "-._~:[]%!$&'()*+,;=";

	for (int c = 0; c < 256; c++) {
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		unsigned t = 0;

		if (alnum || (c && strchr(token, c)))
			t |= T_TOKEN;
		if (c == '\t' || (c >= 0x20 && c != 0x7f))
			t |= T_VALUE;
		if (c > 0x20 && c < 0x7f && c != '#')
			t |= T_TARGET;
		if (alnum || (c && strchr(host, c)))
			t |= T_HOST;
		if (c >= 'A' && c <= 'Z')
			t |= T_UPPER;
		gate_types[c] = (unsigned char)t;
	}
}

static bool gate_all(const char *p, size_t n, unsigned type)
{
	for (size_t i = 0; i < n; i++)
		if (!(gate_types[(unsigned char)p[i]] & type))
			return false;
	return true;
}

static bool gate_is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

static int gate_no(int status, const char *why, const char **ret_why)
{
	*ret_why = why;
	return status;
}

/* METHOD SP target SP HTTP/1.x; the target in origin form, or "*". */
static int gate_request_line(const char *p, size_t n, struct sw_gate_head *h, const char **why)
{
	const char *sp = memchr(p, ' ', n), *sp2;
	size_t method_n, target_n;

	if (!sp)
		return gate_no(400, "request line: want method, target and version", why);
	method_n = (size_t)(sp - p);
	if (method_n == 0 || method_n > 24 || !gate_all(p, method_n, T_UPPER))
		return gate_no(400, "request line: bad method", why);
	sp2 = memchr(sp + 1, ' ', n - method_n - 1);
	if (!sp2)
		return gate_no(400, "request line: want method, target and version", why);
	target_n = (size_t)(sp2 - sp) - 1;
	if (target_n == 0 || !gate_all(sp + 1, target_n, T_TARGET))
		return gate_no(400, "request line: bad target", why);
	if (sp[1] != '/' && !(target_n == 1 && sp[1] == '*'))
		return gate_no(400, "request line: want a target that starts with /", why);
	sp2++;
	if (n - (size_t)(sp2 - p) != 8 || memcmp(sp2, "HTTP/1.", 7) != 0 || (sp2[7] != '0' && sp2[7] != '1'))
		return gate_no(400, "request line: want HTTP/1.1 or HTTP/1.0", why);
	h->method_n = (uint16_t)method_n;
	h->target = (uint16_t)(method_n + 1);
	h->target_n = (uint16_t)target_n;
	h->minor = (unsigned)(sp2[7] - '0');
	h->keep_alive = h->minor == 1;
	return 0;
}

static int gate_length(const char *p, size_t n, struct sw_gate_head *h, const char **why)
{
	int64_t v = 0;

	if (h->content_length >= 0)
		return gate_no(400, "Content-Length: more than one", why);
	if (n == 0 || n > 15)
		return gate_no(400, "Content-Length: want a decimal number", why);
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return gate_no(400, "Content-Length: want a decimal number", why);
		v = v * 10 + (p[i] - '0');
	}
	h->content_length = v;
	return 0;
}

static void gate_connection(const char *p, size_t n, struct sw_gate_head *h, bool *close)
{
	while (n) {
		const char *comma = memchr(p, ',', n);
		size_t k = comma ? (size_t)(comma - p) : n, word = k;
		const char *w = p;

		while (word && (*w == ' ' || *w == '\t'))
			w++, word--;
		while (word && (w[word - 1] == ' ' || w[word - 1] == '\t'))
			word--;
		if (gate_is(w, word, "close"))
			*close = true;
		else if (gate_is(w, word, "keep-alive"))
			h->keep_alive = true;
		if (!comma)
			break;
		p += k + 1;
		n -= k + 1;
	}
}

struct gate_seen { unsigned hosts, types, expects; bool te, close; };

static int gate_known(const char *name, size_t name_n, const char *v, size_t n, struct sw_gate_head *h,
                      struct gate_seen *seen, const char **why)
{
	if (gate_is(name, name_n, "content-length"))
		return gate_length(v, n, h, why);
	if (gate_is(name, name_n, "transfer-encoding")) {
		seen->te = true;
	} else if (gate_is(name, name_n, "host")) {
		if (seen->hosts++)
			return gate_no(400, "Host: more than one", why);
		if (!gate_all(v, n, T_HOST))
			return gate_no(400, "Host: not a host name", why);
	} else if (gate_is(name, name_n, "content-type")) {
		if (seen->types++)
			return gate_no(400, "Content-Type: more than one", why);
	} else if (gate_is(name, name_n, "connection")) {
		gate_connection(v, n, h, &seen->close);
	} else if (gate_is(name, name_n, "expect")) {
		if (seen->expects++ || !gate_is(v, n, "100-continue"))
			return gate_no(417, "Expect: only 100-continue is known", why);
	}
	return 0;
}

/* One header line without its CRLF. */
static int gate_line(const char *head, const char *p, size_t n, struct sw_gate_head *h, struct gate_seen *seen,
                     const char **why)
{
	struct sw_gate_line *l = &h->lines[h->n_lines++];
	const char *colon, *v;
	size_t name_n, v_n;

	if (*p == ' ' || *p == '\t')
		return gate_no(400, "folded header line", why);
	colon = memchr(p, ':', n);
	if (!colon)
		return gate_no(400, "header line without a colon", why);
	name_n = (size_t)(colon - p);
	if (name_n == 0 || !gate_all(p, name_n, T_TOKEN))
		return gate_no(400, "bad header name", why);
	v = colon + 1;
	v_n = n - name_n - 1;
	while (v_n && (*v == ' ' || *v == '\t'))
		v++, v_n--;
	while (v_n && (v[v_n - 1] == ' ' || v[v_n - 1] == '\t'))
		v_n--;
	if (!gate_all(v, v_n, T_VALUE))
		return gate_no(400, "control byte in a header", why);
	*l = (struct sw_gate_line){ (uint16_t)(p - head), (uint16_t)name_n, (uint16_t)(v - head), (uint16_t)v_n };
	return gate_known(p, name_n, v, v_n, h, seen, why);
}

/* What only the whole head can tell. */
static int gate_together(const char *p, struct sw_gate_head *h, const struct gate_seen *seen, const char **why)
{
	bool bodied = gate_is(p, h->method_n, "POST") || gate_is(p, h->method_n, "PUT") || gate_is(p, h->method_n, "PATCH");

	if (h->minor == 1 && seen->hosts == 0)
		return gate_no(400, "Host: missing", why);
	if (seen->te && h->content_length >= 0)
		return gate_no(400, "both Content-Length and Transfer-Encoding", why);
	if (seen->te)
		return gate_no(411, "Transfer-Encoding is not taken here, send a Content-Length", why);
	if (bodied && h->content_length < 0)
		return gate_no(411, "Content-Length: missing", why);
	if (!bodied && h->content_length > 0)
		return gate_no(400, "a body with a method that has none", why);
	if (seen->close)
		h->keep_alive = false;
	h->expect = seen->expects && h->minor == 1 && h->content_length > 0;
	return 0;
}

/* p[0..n) is a whole head with its empty line. */
static int gate_head(const struct sw_gate_limits *lim, const char *p, size_t n, struct sw_gate_head *h, const char **why)
{
	struct gate_seen seen = { 0 };
	const char *line = p, *end = p + n - 2; /* where the empty line stands */
	int r;

	h->n = n;
	h->n_lines = 0;
	h->content_length = -1;
	for (bool first = true; line < end; first = false) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t k;

		/* There is one: end is preceded by CRLF. */
		if (!lf || lf == line || lf[-1] != '\r')
			return gate_no(400, "line without CRLF", why);
		k = (size_t)(lf - line) - 1;
		if (k > SW_GATE_LINE_BYTES)
			return gate_no(431, "line too long", why);
		if (memchr(line, '\r', k))
			return gate_no(400, "CR in the middle of a line", why);
		if (first)
			r = gate_request_line(line, k, h, why);
		else if (h->n_lines >= SW_MIN(lim->lines_max, (unsigned)SW_GATE_LINES))
			return gate_no(431, "too many header lines", why);
		else
			r = gate_line(p, line, k, h, &seen, why);
		if (r)
			return r;
		line = lf + 1;
	}
	return gate_together(p, h, &seen, why);
}

int sw_gate_check(struct sw_gate *g, const struct sw_gate_limits *lim, const char *p, size_t n, struct sw_gate_head *ret,
                  const char **ret_why)
{
	size_t max = SW_MIN(lim->head_max, (size_t)UINT16_MAX), from = g->seen > 3 ? g->seen - 3 : 0;
	size_t window = SW_MIN(n, max);
	const char *end;

	if (!gate_types['A'])
		gate_init();
	/* A TLS hello or a stray byte is told at once instead of waiting for a line that never ends. */
	if (n && !(gate_types[(unsigned char)p[0]] & T_UPPER))
		return gate_no(400, "request line: bad method", ret_why);
	end = window > from ? memmem(p + from, window - from, "\r\n\r\n", 4) : NULL;
	if (!end) {
		g->seen = window;
		if (n >= max)
			return gate_no(431, "head too large", ret_why);
		return SW_GATE_MORE;
	}
	return gate_head(lim, p, (size_t)(end - p) + 4, ret, ret_why);
}
