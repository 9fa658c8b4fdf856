/*
 * A head that passed the gate becomes a request. Two readers look at it, the gate and libevhtp's parser, and where they do not
 * see the same method, path, query, lines and length the request is refused: nobody behind us can be told two stories.
 *
 * Of libevhtp only the parser is used. Its connections are not: they parse form bodies on the stack, lose refusals, forget
 * time limits while paused, spin when descriptors run out (each measured); and a parser that only ever sees whole heads
 * cannot meet its own mistake with heads in pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "io/http_inner.h"
#include "shipwatch/mem.h"

struct head_reading {
	const char *p;            /* the head */
	const struct sw_gate_head *h;
	size_t line;              /* lines begun by the parser */
	size_t path_n;            /* 0: not yet seen */
	bool args, done, differs;
};

static struct head_reading *head_of(htparser *p)
{
	return htparser_get_userdata(p);
}

static int head_differs(struct head_reading *r)
{
	r->differs = true;
	return -1;
}

static int head_on_path(htparser *p, const char *s, size_t n)
{
	struct head_reading *r = head_of(p);

	if (r->path_n || n == 0 || n > r->h->target_n || memcmp(s, r->p + r->h->target, n) != 0)
		return head_differs(r);
	r->path_n = n;
	return 0;
}

static int head_on_args(htparser *p, const char *s, size_t n)
{
	struct head_reading *r = head_of(p);

	/* The path, '?', and all the rest. */
	if (r->args || !r->path_n || r->path_n + 1 + n != r->h->target_n ||
	    memcmp(s, r->p + r->h->target + r->path_n + 1, n) != 0)
		return head_differs(r);
	r->args = true;
	return 0;
}

static int head_on_key(htparser *p, const char *s, size_t n)
{
	struct head_reading *r = head_of(p);
	const struct sw_gate_line *l = &r->h->lines[r->line];

	if (r->line >= r->h->n_lines || n != l->name_n || memcmp(s, r->p + l->name, n) != 0)
		return head_differs(r);
	r->line++;
	return 0;
}

static int head_on_value(htparser *p, const char *s, size_t n)
{
	struct head_reading *r = head_of(p);
	const struct sw_gate_line *l;

	if (r->line == 0)
		return head_differs(r);
	l = &r->h->lines[r->line - 1];
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n != l->value_n || (n && memcmp(s, r->p + l->value, n) != 0))
		return head_differs(r);
	return 0;
}

static int head_on_done(htparser *p)
{
	head_of(p)->done = true;
	return 0;
}

/* Whether libevhtp's parser sees what the gate saw. */
static bool head_agreed(htparser *parser, const char *p, const struct sw_gate_head *h, struct head_reading *r)
{
	static htparse_hooks hooks = {
		.path = head_on_path, .args = head_on_args, .hdr_key = head_on_key, .hdr_val = head_on_value,
		.on_hdrs_complete = head_on_done,
	};
	uint64_t length = h->content_length > 0 ? (uint64_t)h->content_length : 0;
	size_t n;

	*r = (struct head_reading){ .p = p, .h = h };
	htparser_init(parser, htp_type_request);
	htparser_set_userdata(parser, r);
	n = htparser_run(parser, &hooks, p, h->n);
	return !r->differs && htparser_get_error(parser) == htparse_error_none && n == h->n && r->done &&
	       r->line == h->n_lines && r->path_n && htparser_get_content_length(parser) == length &&
	       htparser_get_major(parser) == 1 && htparser_get_minor(parser) == h->minor &&
	       (r->args || r->path_n == h->target_n || (r->path_n + 1 == h->target_n && p[h->target + r->path_n] == '?'));
}

static char *head_cut(char *p, size_t at, size_t n)
{
	p[at + n] = '\0';
	return p + at;
}

struct sw_http_req *http_head_read(struct sw_http_server *s, const char *p)
{
	const struct sw_gate_head *h = &s->head;
	struct head_reading r;
	struct sw_header *headers;
	struct sw_http_req *req;
	char *text;

	/* "OPTIONS *" is the one target that is no path. */
	if (p[h->target] == '*')
		r = (struct head_reading){ .path_n = 1 };
	else if (!head_agreed(s->parser, p, h, &r))
		return NULL;
	req = sw_malloc(sizeof *req + h->n_lines * sizeof *headers + h->n + 1);
	headers = (struct sw_header *)(req + 1);
	text = (char *)(headers + h->n_lines);
	memcpy(text, p, h->n);
	*req = (struct sw_http_req){ .srv = s, .refs = 1, .headers = headers, .n_headers = h->n_lines };
	req->method = head_cut(text, 0, h->method_n);
	req->path = head_cut(text, h->target, r.path_n);
	req->query = r.path_n < h->target_n ? head_cut(text, h->target + r.path_n + 1, h->target_n - r.path_n - 1) : "";
	for (size_t i = 0; i < h->n_lines; i++) {
		const struct sw_gate_line *l = &h->lines[i];

		for (char *c = text + l->name; c < text + l->name + l->name_n; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		headers[i].name = head_cut(text, l->name, l->name_n);
		headers[i].value = head_cut(text, l->value, l->value_n);
	}
	req->content_length = h->content_length;
	return req;
}

const char *sw_http_header(const struct sw_http_req *req, const char *name_lower)
{
	for (size_t i = 0; i < req->n_headers; i++)
		if (strcmp(req->headers[i].name, name_lower) == 0)
			return req->headers[i].value;
	return NULL;
}

unsigned sw_http_header_count(const struct sw_http_req *req, const char *name_lower)
{
	unsigned n = 0;

	for (size_t i = 0; i < req->n_headers; i++)
		n += strcmp(req->headers[i].name, name_lower) == 0;
	return n;
}
