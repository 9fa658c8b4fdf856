/*
 * An HTTP/1.x answer from a stream. As strict as a client can be whose answer decides whether a job goes on: what says its length twice
 * and differently, or not in digits, is no answer.
 */
#include "io/http_answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* STATUS → FIELDS → BODY (length) | CHUNK → DATA → DATA_END → CHUNK … → TRAILER | REST (to the end) → DONE; 1xx: back to STATUS */
enum { STATUS, FIELDS, BODY, CHUNK, DATA, DATA_END, TRAILER, REST, DONE };

static int answer_wrong(struct sw_err *err, const char *what)
{
	return sw_err_set(err, EBADMSG, "the answer is no HTTP: %s", what);
}

/* "HTTP/1.1 200 OK" */
static int status_line(struct sw_http_answer *h, const char *s, struct sw_err *err)
{
	if (!sw_starts(s, "HTTP/1.") || s[7] < '0' || s[7] > '9' || s[8] != ' ' || strspn(s + 9, "0123456789") != 3 || s[9] < '1' || s[9] > '5' ||
	    (s[12] && s[12] != ' ')) {
		char got[80];

		return sw_err_set(err, EBADMSG, "the answer is no HTTP: it begins \"%s\"", sw_err_quote(s, SW_MIN(strlen(s), (size_t)20), got, sizeof got));
	}
	h->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	h->state = FIELDS;
	return 0;
}

static int number(const char *s, unsigned base, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*s)
		return -EBADMSG;
	for (; *s; s++) {
		unsigned d = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (unsigned)((*s | 32) - 'a') + 10 : 99;

		if (d >= base || n > UINT64_MAX / 32)
			return -EBADMSG;
		n = n * base + d;
	}
	*ret = n;
	return 0;
}

static int field_line(struct sw_http_answer *h, const char *s, struct sw_err *err)
{
	const char *colon = strchr(s, ':'), *v;
	size_t name_n = colon ? (size_t)(colon - s) : 0, n;
	char *name, *value;
	uint64_t length;

	if (!name_n || strcspn(s, " \t") < name_n)
		return answer_wrong(err, "a header has no name");
	v = colon + 1 + strspn(colon + 1, " \t");
	for (n = strlen(v); n && (v[n - 1] == ' ' || v[n - 1] == '\t'); n--)
		;
	value = sw_arena_strndup(h->a, v, n);
	name = sw_arena_strndup(h->a, s, name_n);
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 32;
	if (strcmp(name, "content-length") == 0) {
		if (number(value, 10, &length) < 0 || (h->has_length && length != h->left))
			return answer_wrong(err, "its Content-Length");
		h->has_length = true;
		h->left = length;
	} else if (strcmp(name, "transfer-encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0)
			return answer_wrong(err, "a Transfer-Encoding that is not asked for");
		h->chunked = true;
	}
	if (h->n_headers < SW_ANSWER_HEADERS)
		h->headers[h->n_headers++] = (struct sw_header){ name, value };
	return 0;
}

/* The empty line behind the head. */
static int head_end(struct sw_http_answer *h, struct sw_err *err)
{
	if (h->chunked && h->has_length)
		return answer_wrong(err, "both Content-Length and Transfer-Encoding");
	if (h->status < 200 && h->status != 101) {
		h->state = STATUS;
		h->n_headers = 0;
		h->chunked = h->has_length = false;
		h->left = 0;
		return 0;
	}
	if ((h->no_body && h->status < 300) || h->status == 204 || h->status == 304 || h->status == 101)
		h->state = DONE;
	else if (h->chunked)
		h->state = CHUNK;
	else if (h->has_length)
		h->state = h->left ? BODY : DONE;
	else
		h->state = REST;
	return 0;
}

static int chunk_line(struct sw_http_answer *h, char *s, struct sw_err *err)
{
	s[strcspn(s, "; \t")] = '\0';
	if (number(s, 16, &h->left) < 0)
		return answer_wrong(err, "a chunk's length");
	h->state = h->left ? DATA : TRAILER;
	return 0;
}

/* One whole line, without its end. */
static int answer_line(struct sw_http_answer *h, struct sw_err *err)
{
	char *s;

	if (h->line.n && h->line.p[h->line.n - 1] == '\r')
		sw_buf_truncate(&h->line, h->line.n - 1);
	sw_buf_reserve(&h->line, 1);
	s = h->line.p;
	s[h->line.n] = '\0';
	switch (h->state) {
	case STATUS:
		return status_line(h, s, err);
	case FIELDS:
		return *s ? field_line(h, s, err) : head_end(h, err);
	case CHUNK:
		return chunk_line(h, s, err);
	case DATA_END:
		h->state = CHUNK;
		return *s ? answer_wrong(err, "a chunk is longer than it says") : 0;
	default:
		h->state = *s ? TRAILER : DONE;
		return 0;
	}
}

static void answer_keep(struct sw_http_answer *h, const char *p, size_t n)
{
	size_t room = h->body_max - h->body.n;

	sw_buf_catn(&h->body, p, SW_MIN(n, room));
	if (n <= room)
		return;
	h->body_cut = true; /* what is kept is enough to judge: the rest is not read */
	h->state = DONE;
}

/* Bytes of body from p; how many of them were. */
static size_t answer_body(struct sw_http_answer *h, const char *p, size_t n)
{
	size_t k = h->state == REST ? n : (size_t)SW_MIN((uint64_t)n, h->left);
	int was = h->state;

	h->left -= was == REST ? 0 : k;
	answer_keep(h, p, k);
	if (h->state == was && was != REST && !h->left)
		h->state = was == BODY ? DONE : DATA_END;
	return k;
}

int sw_http_answer_feed(struct sw_http_answer *h, const char *p, size_t n, struct sw_err *err)
{
	while (n && h->state != DONE) {
		const char *nl;
		size_t k;
		int r;

		if (h->state == BODY || h->state == DATA || h->state == REST) {
			k = answer_body(h, p, n);
			p += k;
			n -= k;
			continue;
		}
		nl = memchr(p, '\n', n);
		k = nl ? (size_t)(nl - p) + 1 : n;
		h->head_n += k;
		if (h->head_n > SW_ANSWER_HEAD)
			return sw_err_set(err, E2BIG, "the answer's head is larger than %zu bytes", SW_ANSWER_HEAD);
		if (memchr(p, '\0', k))
			return answer_wrong(err, "a zero in its head");
		sw_buf_catn(&h->line, p, nl ? k - 1 : k);
		p += k;
		n -= k;
		if (!nl)
			break;
		r = answer_line(h, err);
		sw_buf_reset(&h->line);
		if (r < 0)
			return r;
	}
	return h->state == DONE;
}

int sw_http_answer_end(struct sw_http_answer *h, struct sw_err *err)
{
	if (h->state == REST)
		h->state = DONE;
	if (h->state == DONE)
		return 0;
	return sw_err_set(err, EBADMSG, h->head_n || h->line.n ? "the connection ended in the middle of the answer" : "the connection ended without an answer");
}

void sw_http_answer_begin(struct sw_http_answer *h, struct sw_arena *a, size_t body_max, bool no_body)
{
	*h = (struct sw_http_answer){ .a = a, .body_max = body_max, .no_body = no_body };
}

void sw_http_answer_fini(struct sw_http_answer *h)
{
	sw_buf_fini(&h->line);
	sw_buf_fini(&h->body);
}
