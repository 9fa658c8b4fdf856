/* What the files of the HTTP server share: http_server.c (sockets, deadlines, stop), http_conn.c (one connection), http_head.c. */
#ifndef SW_IO_HTTP_INNER_H
#define SW_IO_HTTP_INNER_H

#include <evhtp/parser.h>

#include "io/gate.h"
#include "io/http_server.h"
#include "shipwatch/buf.h"

#define HTTP_SCRATCH (64 * 1024)

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_REPLY, HTTP_WRITE, HTTP_LINGER, HTTP_IDLE, HTTP_STREAM, HTTP_CLOSED };

struct sw_http_conn {
	struct sw_http_server *srv;
	struct sw_http_conn *prev, *next;
	int fd;
	enum http_state state;
	short want;               /* what ev is registered for */
	bool keep_alive, linger, head_only, eof, old /* HTTP/1.0 */;
	struct event ev;
	struct sw_http_addr addr;
	sw_dur deadline;          /* of the state */
	sw_dur since;             /* first byte of the request; accept before it */
	struct sw_gate gate;
	char *in;                 /* bytes kept: of the head, then of the body */
	size_t in_n, in_cap;
	struct sw_buf out;        /* what the socket did not take at once */
	size_t out_sent;
	int64_t lingered;
	struct sw_http_req *req;  /* one reference */
	struct sw_http_stream *stream; /* in state STREAM */
};

struct http_listener { struct sw_http_server *srv; int fd; struct event ev; struct http_listener *next; };

struct sw_http_server {
	struct sw_loop *loop;
	struct sw_http_limits lim;
	struct sw_http_handler h;
	const struct sw_header *always;
	size_t n_always;
	struct http_listener *listeners;
	struct sw_http_conn *first; /* newest first */
	struct sw_http_conn *dead;  /* closed in this turn; freed by sweep */
	struct sw_defer sweep;
	struct sw_timer tick, again;
	htparser *parser;         /* heads are whole, so one serves all connections */
	struct sw_http_stats stats;
	struct sw_gate_head head; /* of the request being read */
	struct sw_buf build;      /* the answer being written */
	char date[40];
	sw_ms date_at;
	bool paused, stopping, freed;
	unsigned open_requests;   /* not yet given back by the handler */
	sw_loop_cb stop_done;
	void *stop_arg;
	sw_dur stop_at;
	sw_dur trouble_at;
	char scratch[HTTP_SCRATCH];
};

/* http_conn.c */
struct sw_http_conn *http_conn_new(struct sw_http_server *s, int fd, const struct sw_http_addr *addr);
void http_conn_start(struct sw_http_conn *c);
void http_conn_close(struct sw_http_conn *c);       /* memory goes at the end of the turn */
void http_conn_expired(struct sw_http_conn *c);     /* its deadline passed */
void http_req_unref(struct sw_http_req *req);
void http_req_back(struct sw_http_req *req);        /* the handler's reference is given back */
void http_conn_want(struct sw_http_conn *c, short want);
void http_conn_state(struct sw_http_conn *c, enum http_state state, sw_dur deadline);
void http_conn_answered(struct sw_http_conn *c);    /* all is written: next request, or the end */
void http_conn_drop_req(struct sw_http_conn *c);
/* Status line and headers, without the empty line behind them; length < 0: of a stream. */
void http_conn_head(struct sw_http_conn *c, const struct sw_http_answer *a, int64_t length, struct sw_buf *b);

/* http_stream.c */
void http_stream_writable(struct sw_http_conn *c);
void http_stream_readable(struct sw_http_conn *c);
void http_stream_closed(struct sw_http_conn *c);    /* the connection is closed by somebody else than the stream's owner */

/* http_server.c */
/* A connected, non-blocking socket becomes a connection. */
void http_server_adopt(struct sw_http_server *s, int fd, const struct sw_http_addr *addr);
void http_server_closed(struct sw_http_conn *c);    /* unhooks c; it is swept */
const char *http_server_date(struct sw_http_server *s);

/*
 * http_head.c: the head at p (s->head, passed by the gate) to a request; libevhtp's parser reads it too and must agree.
 * Return: the request with one reference, or NULL: 400.
 */
struct sw_http_req *http_head_read(struct sw_http_server *s, const char *p);

#endif
