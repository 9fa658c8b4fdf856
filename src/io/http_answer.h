/* An HTTP/1.x answer read from a stream, in pieces of any size: head, then a body by length, in chunks, or to the end. */
#ifndef SW_IO_HTTP_ANSWER_H
#define SW_IO_HTTP_ANSWER_H

#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

#define SW_ANSWER_HEADERS 64                    /* kept; further ones are read over */
#define SW_ANSWER_HEAD    ((size_t)32 * 1024)   /* bytes of all heads, of chunks' lines and trailers */

struct sw_http_answer {
	struct sw_arena *a;          /* owner of the headers */
	size_t body_max;
	bool no_body;                /* HEAD, or CONNECT to a proxy: what follows a 2xx is not the answer's */
	int state;
	int status;
	struct sw_header headers[SW_ANSWER_HEADERS]; /* names lower case */
	size_t n_headers;
	struct sw_buf line, body;
	size_t head_n;
	uint64_t left;               /* bytes of body or chunk that are to come */
	bool chunked, has_length, body_cut;
};

/* a: where headers go. body_max: what is kept; the answer is done when it is full. */
void sw_http_answer_begin(struct sw_http_answer *h, struct sw_arena *a, size_t body_max, bool no_body);
void sw_http_answer_fini(struct sw_http_answer *h);
/* Return: 0: more is to come; 1: it is whole; -EBADMSG, -E2BIG with err. */
SW_CHECKED int sw_http_answer_feed(struct sw_http_answer *h, const char *p, size_t n, struct sw_err *err);
/* The other side closed. Return: 0 when that may be the end; -EBADMSG with err. */
SW_CHECKED int sw_http_answer_end(struct sw_http_answer *h, struct sw_err *err);

#endif
