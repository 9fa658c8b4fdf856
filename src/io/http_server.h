/*
 * The HTTP server: requests in, answers out, one process and one loop, nothing blocks.
 *
 *   accept ─▶ HEAD ─gate, parser─▶ on_head ─▶ BODY ─▶ on_request ─▶ REPLY ─▶ sw_http_reply ─▶ WRITE ─▶ IDLE or closed
 *               └──────── refused: 400 408 411 413 417 431 503 ────────▶ WRITE ─▶ LINGER ─▶ closed
 *
 * Every state has a deadline; every byte kept is counted; a request is answered exactly once.
 */
#ifndef SW_IO_HTTP_SERVER_H
#define SW_IO_HTTP_SERVER_H

#include "io/loop.h"
#include "shipwatch/base.h"
#include "shipwatch/job.h"

struct sw_http_server;
struct sw_http_conn;

struct sw_http_limits {
	size_t head_max;          /* bytes of a head; 431 */
	unsigned lines_max;       /* header lines; 431 */
	int64_t body_max;         /* bytes of a body, unless on_head sets req->body_max; 413 */
	int64_t held_max;         /* bytes of unfinished heads and bodies in all; 503 */
	unsigned conns_max;       /* open connections; more wait in the kernel */
	sw_dur head;              /* from the first byte (or from accept) to the end of the head; 408 */
	sw_dur request;           /* from the first byte to the last; 408 */
	sw_dur idle;              /* between requests; closed */
	sw_dur reply;             /* until the handler answers; 503 */
	sw_dur write;             /* until the answer is taken; closed */
	sw_dur linger;            /* after a refusal, reading and dropping so that the sender sees it */
	int64_t linger_bytes;
};
extern const struct sw_http_limits sw_http_limits_default;

/* Where a connection comes from: IPv4 as mapped IPv6. */
struct sw_http_addr { bool local; /* a unix socket */ unsigned char ip[16]; uint16_t port; };

struct sw_http_req {
	const char *method;       /* "POST" */
	const char *path;         /* raw, without the query */
	const char *query;        /* behind the '?'; "" if none */
	const struct sw_header *headers; /* names lower case, in order */
	size_t n_headers;
	int64_t content_length;   /* -1: none was said */
	const struct sw_http_addr *addr;
	sw_ms arrived;            /* wall clock at the end of the head */
	sw_dur started;           /* monotonic clock at the first byte */
	/* set by on_head */
	int64_t body_max;
	void *user;               /* the handler's; freed in on_done */
	/* from on_request on, until it returns; NUL-terminated is not promised */
	const char *body;
	size_t body_n;
	/* the server's own */
	int status;               /* answered with; 0: not yet */
	struct sw_http_conn *conn; /* NULL: the sender is gone */
	struct sw_http_server *srv;
	unsigned refs;
	bool handed;
};

/* Value of a header, or NULL; name in lower case. */
const char *sw_http_header(const struct sw_http_req *req, const char *name_lower);
/* How often it is there. */
unsigned sw_http_header_count(const struct sw_http_req *req, const char *name_lower);

struct sw_http_handler {
	void *arg;
	/* The head is whole and good. May answer at once (then the body is not read), else the body comes. May be NULL. */
	void (*on_head)(void *arg, struct sw_http_req *req);
	/* The body is whole. Must lead to exactly one sw_http_reply, now or later in the same loop, whatever becomes of the sender. */
	void (*on_request)(void *arg, struct sw_http_req *req);
	/* An answer was given, also by the server itself: req is NULL when there was no good head; why: the server's words, or NULL. */
	void (*on_answer)(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took);
	/* The request's memory goes; free req->user. Once for each on_head. May be NULL. */
	void (*on_done)(void *arg, struct sw_http_req *req);
	/* For the log: out of descriptors, connection limit reached. At most once in 10 s each. May be NULL. */
	void (*on_trouble)(void *arg, const char *what);
};

SW_CHECKED int sw_http_server_new(struct sw_loop *loop, const struct sw_http_limits *lim, const struct sw_http_handler *h,
                                  struct sw_http_server **ret);
/* A listening, non-blocking socket; the server owns it from now on. */
SW_CHECKED int sw_http_server_listen(struct sw_http_server *s, int fd);
/*
 * Headers of every answer from now on, also of what the server itself refuses, except where the answer has one of that name (in these
 * very letters). Borrowed until the server is freed.
 */
void sw_http_server_always(struct sw_http_server *s, const struct sw_header *headers, size_t n);
/* Limits for requests that begin from now on. */
void sw_http_server_limits(struct sw_http_server *s, const struct sw_http_limits *lim);
/*
 * Takes what already waits in the kernel, then no new connections; answers what is open, with "Connection: close"; done() when
 * nothing is open any more, or at the deadline, when the rest was closed.
 */
void sw_http_server_stop(struct sw_http_server *s, sw_dur deadline, sw_loop_cb done, void *arg);
/* Everything open is closed; requests still with the handler stay valid until they are answered. Not from within a callback. */
void sw_http_server_free(struct sw_http_server *s);

struct sw_http_stats { unsigned conns, conns_idle, requests /* with the handler */, streams; int64_t held_bytes; uint64_t accepted; };
void sw_http_server_stats(const struct sw_http_server *s, struct sw_http_stats *ret);

struct sw_http_answer {
	int status;
	const char *type;         /* NULL: application/json */
	const struct sw_header *headers;
	size_t n_headers;
	const void *body;
	size_t body_n;
	bool close;               /* end the connection afterwards */
};
/* The request is no longer the handler's afterwards. */
void sw_http_reply(struct sw_http_req *req, const struct sw_http_answer *a);
const char *sw_http_status_text(int status);

/*
 * An answer in pieces, for as long as there are some: head (its body is not looked at), any number of send, end.
 *
 * gone: the other side left, took nothing for limits.write, or the server ends; the stream is not the owner's any more. Never called from
 * within the owner's own calls, nor after end or cut. room: nothing waits any more, after something did. Either may be NULL.
 */
struct sw_http_stream;
struct sw_http_stream_owner { void (*gone)(void *arg); void (*room)(void *arg); void *arg; };
/*
 * Instead of sw_http_reply, for a request that on_request was given. most: bytes that may wait for a slow reader. NULL: there is nobody to
 * send to (gone already, or HEAD); the request is answered, gone is not called.
 */
struct sw_http_stream *sw_http_stream_begin(struct sw_http_req *req, const struct sw_http_answer *head, size_t most, const struct sw_http_stream_owner *owner);
/* One piece. Return: false when that was too much, or the other side left: the stream is gone then, without a call of gone. */
SW_CHECKED bool sw_http_stream_send(struct sw_http_stream *st, const void *p, size_t n);
/* That was all; what waits is still sent. The stream is no longer the owner's. */
void sw_http_stream_end(struct sw_http_stream *st);
/* At once and without a proper end, so that nobody takes what came for the whole. */
void sw_http_stream_cut(struct sw_http_stream *st);
size_t sw_http_stream_pending(const struct sw_http_stream *st);

#endif
