/*
 * A connection to Redis in the loop: commands out, replies in, each with a limit of time (link.c). The only file that knows hiredis is
 * redis.c; replies are looked at through sw_rep_*.
 *
 * A command's callback runs exactly once, never from within the call that sent it: with 0 and the reply; with a negative errno
 * and, when Redis refused, its line in sw_client_error. Lost connection or a passed limit: -EIO, the outcome is unknown.
 */
#ifndef SW_BUS_REDIS_H
#define SW_BUS_REDIS_H

#include "bus/scripts.h"
#include "io/loop.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"

struct sw_rep; /* a reply, borrowed during the callback */
size_t sw_rep_count(const struct sw_rep *r);                       /* elements; 0 unless an array */
const struct sw_rep *sw_rep_at(const struct sw_rep *r, size_t i);  /* NULL past the end */
const char *sw_rep_str(const struct sw_rep *r, size_t *ret_n);     /* NULL when nil or no string; ends in NUL; ret_n may be NULL */
int64_t sw_rep_int(const struct sw_rep *r);                        /* integer, or a string of digits; else 0 */

/* A command being written, in Redis' own format, so that it can be sent twice. */
struct sw_cmd { struct sw_buf b; unsigned argc; int script; };
void sw_cmd_script(struct sw_cmd *c, enum sw_script_id script);
void sw_cmd_plain(struct sw_cmd *c, const char *word);
void sw_cmd_mem(struct sw_cmd *c, const void *p, size_t n);
void sw_cmd_str(struct sw_cmd *c, const char *s);                  /* NULL: "" */
void sw_cmd_int(struct sw_cmd *c, int64_t v);
/* Arguments that were written elsewhere with the three above (into a cmd begun with neither script nor word). */
void sw_cmd_join(struct sw_cmd *c, const struct sw_cmd *args);

/* For link.c and sentinel.c: the command as it goes out, until it is written to; and replies out of the bytes that come in. */
const char *sw_cmd_bytes(struct sw_cmd *c, size_t *ret_n);
struct sw_replies;
struct sw_replies *sw_replies_new(void);
void sw_replies_free(struct sw_replies *s);
SW_CHECKED int sw_replies_feed(struct sw_replies *s, const void *p, size_t n);  /* 0; -EPROTO: this is not what Redis says */
SW_CHECKED int sw_replies_next(struct sw_replies *s, struct sw_rep **ret);      /* 1, to be freed; 0: there is no whole one; -EPROTO */
const char *sw_replies_error(const struct sw_replies *s);                        /* after -EPROTO */
void sw_rep_free(struct sw_rep *r);
const char *sw_rep_error(const struct sw_rep *r, size_t *ret_n);                 /* Redis' refusal; NULL: it is none */

struct sw_client;
struct sw_link;

struct sw_client_options {
	const char *url;        /* see address.h */
	sw_dur timeout;
	bool foreign;           /* not ours: nothing is made in it when it lost something */
};

typedef void (*sw_rep_cb)(void *arg, int r, const struct sw_rep *rep);

SW_CHECKED int sw_client_new(struct sw_loop *loop, const struct sw_client_options *opt, struct sw_client **ret, struct sw_err *err);
/* All links go; what is under way is called back with -ECANCELED. */
void sw_client_free(struct sw_client *c);
const char *sw_client_error(const struct sw_client *c); /* what Redis said last when it refused */

/*
 * Connects and stays connected, with backoff. state: up after AUTH and SELECT went through, down with a reason; a reason is told
 * once until it changes; behind sentinels up tells who is the master, too.
 * check (may be NULL) runs first on a new connection and ends in sw_link_ready or sw_link_drop.
 */
struct sw_link *sw_link_new(struct sw_client *c, void (*state)(void *arg, bool up, const char *why), void (*check)(void *arg), void *arg);
void sw_link_free(struct sw_link *l); /* as sw_client_free, for this one */
bool sw_link_up(const struct sw_link *l);
void sw_link_ready(struct sw_link *l);
/* Cuts the connection at the end of the turn and opens it anew. */
void sw_link_drop(struct sw_link *l, const char *why);
size_t sw_link_bytes(const struct sw_link *l);  /* of commands under way */
size_t sw_link_calls(const struct sw_link *l);  /* commands under way */
int64_t sw_link_masters(const struct sw_link *l); /* how often the sentinels named another master than before */
/*
 * Sends; the command is emptied. extra: so much longer than the usual limit of time (a blocking read). Not up (nor in check):
 * called back with -ENOTCONN. NOSCRIPT loads the script and tries again; NOGROUP makes the groups and tries again, once.
 */
void sw_link_send(struct sw_link *l, struct sw_cmd *cmd, sw_dur extra, sw_rep_cb cb, void *arg);

#endif
