/*
 * Connections to Redis by hiredis 0.14, which has no limits of time and frees what it likes: see redis.h.
 *
 *   idle ──connect──▶ connecting ──onConnect──▶ hello (AUTH, SELECT, check) ──▶ up
 *     ▲ backoff           │ error, limit             │ refused, limit             │ error, limit, READONLY
 *     └───────────────────┴──────────────────────────┴────────────────────────────┘   link_down
 *
 * Invariants
 *  1. Nobody's callback runs inside sw_link_send: what cannot be sent waits in `late` for the end of the turn.
 *  2. redisAsyncFree is never called from within a callback of hiredis: drops are deferred, limits come from a timer.
 *  3. l->ac is NULL before any callback can run that might send again on a dying connection.
 *  4. Replies come in order, so the head of the list is the oldest and one timer a link is enough; a blocking read is alone on its.
 */
#include "bus/redis.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#pragma GCC diagnostic pop

#include "base/number.h"
#include "base/str.h"
#include "bus/address.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define HEAD_ROOM 32 /* before a command's arguments, for "*<argc>\r\n" */

enum link_state { LINK_IDLE, LINK_CONNECTING, LINK_HELLO, LINK_UP };

struct call {
	struct call *next;
	struct sw_link *link;
	struct sw_cmd cmd;
	sw_rep_cb cb;
	void *arg;
	sw_dur deadline, extra;
	int r;              /* in late: what to say */
	bool healed;        /* was sent again after NOGROUP or NOSCRIPT */
	bool inner;         /* of the link itself: allowed before it is up */
};

struct call_list { struct call *first, **last; size_t n; };

struct sw_link {
	struct sw_client *client;
	struct sw_link *next;
	enum link_state state;
	redisAsyncContext *ac;
	struct call_list calls;  /* under way, oldest first */
	struct call_list late;   /* to be called back at the end of the turn */
	size_t bytes;
	struct sw_timer timer;   /* limit of time of the head, or of connecting, or the backoff */
	struct sw_defer later;
	sw_dur backoff;
	bool drop, closing, told_up, told_down, checking;
	char why[256];           /* told last */
	char drop_why[256];
	void (*on_state)(void *arg, bool up, const char *why);
	void (*check)(void *arg);
	void *arg;
};

struct sw_client {
	struct sw_loop *loop;
	struct sw_link *links;
	struct sw_address address;
	sw_dur timeout;
	bool foreign;
	char error[256];
};

/* ---- replies and commands ---- */

static const redisReply *rep(const struct sw_rep *r) { return (const redisReply *)(const void *)r; }

size_t sw_rep_count(const struct sw_rep *r)
{
	return r && rep(r)->type == REDIS_REPLY_ARRAY ? rep(r)->elements : 0;
}

const struct sw_rep *sw_rep_at(const struct sw_rep *r, size_t i)
{
	return i < sw_rep_count(r) ? (const struct sw_rep *)(const void *)rep(r)->element[i] : NULL;
}

const char *sw_rep_str(const struct sw_rep *r, size_t *ret_n)
{
	if (!r || (rep(r)->type != REDIS_REPLY_STRING && rep(r)->type != REDIS_REPLY_STATUS))
		return NULL;
	if (ret_n)
		*ret_n = rep(r)->len;
	return rep(r)->str;
}

int64_t sw_rep_int(const struct sw_rep *r)
{
	const char *s;

	if (r && rep(r)->type == REDIS_REPLY_INTEGER)
		return rep(r)->integer;
	s = sw_rep_str(r, NULL);
	return s ? strtoll(s, NULL, 10) : 0;
}

static void cmd_begin(struct sw_cmd *c)
{
	static const char room[HEAD_ROOM];

	*c = (struct sw_cmd){ .script = -1 };
	sw_buf_catn(&c->b, room, sizeof room);
}

void sw_cmd_mem(struct sw_cmd *c, const void *p, size_t n)
{
	sw_buf_reserve(&c->b, n + 32);
	sw_buf_putc(&c->b, '$');
	sw_number_print_int(&c->b, (int64_t)n);
	sw_buf_catn(&c->b, "\r\n", 2);
	sw_buf_catn(&c->b, p, n);
	sw_buf_catn(&c->b, "\r\n", 2);
	c->argc++;
}

void sw_cmd_str(struct sw_cmd *c, const char *s)
{
	sw_cmd_mem(c, s ? s : "", s ? strlen(s) : 0);
}

void sw_cmd_int(struct sw_cmd *c, int64_t v)
{
	char text[24];
	struct sw_buf b = { text, 0, sizeof text };

	sw_number_print_int(&b, v);
	sw_cmd_mem(c, b.p, b.n);
}

void sw_cmd_join(struct sw_cmd *c, const struct sw_cmd *args)
{
	sw_buf_catn(&c->b, args->b.p, args->b.n);
	c->argc += args->argc;
}

void sw_cmd_plain(struct sw_cmd *c, const char *word)
{
	cmd_begin(c);
	sw_cmd_str(c, word);
}

void sw_cmd_script(struct sw_cmd *c, enum sw_script_id script)
{
	sw_cmd_plain(c, "EVALSHA");
	sw_cmd_mem(c, sw_scripts[script].sha, 40);
	sw_cmd_mem(c, "0", 1);
	c->script = (int)script;
}

/* ---- calls ---- */

static void list_push(struct call_list *l, struct call *c)
{
	c->next = NULL;
	if (!l->first)
		l->last = &l->first;
	*l->last = c;
	l->last = &c->next;
	l->n++;
}

static struct call *list_pop(struct call_list *l)
{
	struct call *c = l->first;

	if (c) {
		l->first = c->next;
		l->n--;
	}
	return c;
}

static void call_free(struct call *c)
{
	sw_buf_fini(&c->cmd.b);
	free(c);
}

/* Frees first what the callback may count on being free: it may send again at once. */
static void call_end(struct call *c, int r, const redisReply *reply)
{
	sw_rep_cb cb = c->cb;
	void *arg = c->arg;

	c->link->bytes -= c->cmd.b.n;
	call_free(c);
	if (cb)
		cb(arg, r, (const struct sw_rep *)(const void *)reply);
}

static void call_late(struct call *c, int r)
{
	c->r = r;
	list_push(&c->link->late, c);
	sw_loop_defer(c->link->client->loop, &c->link->later);
}

static const struct { const char *word; int r; } errors[] = {
	{ "OOM", -ENOMEM }, { "MISCONF", -ENOSPC }, { "READONLY", -EROFS }, { "MASTERDOWN", -EROFS }, { "LOADING", -EAGAIN },
	{ "BUSY ", -EAGAIN }, { "TRYAGAIN", -EAGAIN }, { "NOREPLICAS", -EAGAIN }, { "NOAUTH", -EACCES }, { "WRONGPASS", -EACCES },
	{ "NOPERM", -EACCES }, { "WRONGTYPE", -EBADMSG }, { "ERR max number of clients", -EAGAIN },
};

/* Redis' refusal as an errno; the line itself is kept for the log. */
static int client_refused(struct sw_client *c, const redisReply *reply)
{
	(void)sw_err_quote(reply->str, SW_MIN(reply->len, sizeof c->error - 1), c->error, sizeof c->error);
	for (size_t i = 0; i < SW_COUNT(errors); i++)
		if (sw_starts(reply->str, errors[i].word))
			return errors[i].r;
	return -EPROTO;
}

/* ---- the link ---- */

static void link_connect(struct sw_link *l);
static void link_write(struct sw_link *l, struct call *c);

static void link_tell(struct sw_link *l, bool up, const char *why)
{
	if (up ? l->told_up : l->told_down && !strcmp(l->why, why))
		return;
	l->told_up = up;
	l->told_down = !up;
	(void)snprintf(l->why, sizeof l->why, "%s", why);
	if (l->on_state)
		l->on_state(l->arg, up, why);
}

/* The connection is gone (ac is freed, or hiredis is about to): next try after the backoff. */
static void link_down(struct sw_link *l, const char *why)
{
	l->ac = NULL;
	l->state = LINK_IDLE;
	l->checking = l->drop = false;
	if (l->closing)
		return;
	l->backoff = l->backoff ? SW_MIN(l->backoff * 2, 5 * SW_SECOND) : 50;
	sw_timer_set(&l->timer, l->backoff);
	link_tell(l, false, why);
}

static void link_cut(struct sw_link *l, const char *why)
{
	redisAsyncContext *ac = l->ac;
	char text[256];

	(void)snprintf(text, sizeof text, "%s", why);
	l->ac = NULL;
	l->state = LINK_IDLE;
	if (ac) {
		ac->data = NULL;
		redisAsyncFree(ac); /* calls back all that is under way, with no reply */
	}
	link_down(l, text);
}

static void link_later(void *arg)
{
	struct sw_link *l = arg;
	struct call_list late = l->late;
	struct call *c;

	l->late = (struct call_list){ 0 };
	while ((c = list_pop(&late)))
		call_end(c, l->closing ? -ECANCELED : c->r, NULL);
	if (l->drop && l->ac)
		link_cut(l, l->drop_why);
}

static void link_timer(void *arg)
{
	struct sw_link *l = arg;
	sw_dur left;

	if (l->state == LINK_IDLE) {
		link_connect(l);
		return;
	}
	if (!l->calls.first) {
		if (l->state != LINK_UP)
			link_cut(l, "no answer to the attempt to connect");
		return;
	}
	left = l->calls.first->deadline - sw_clock_mono();
	if (left > 0)
		sw_timer_set(&l->timer, left);
	else
		link_cut(l, "no answer in time");
}

static bool starts_any(const char *s, const char *a, const char *b)
{
	return sw_starts(s, a) || sw_starts(s, b);
}

/* A plain command whose answer nobody waits for. */
static void link_inner(struct sw_link *l, struct sw_cmd *cmd, sw_rep_cb cb, void *arg)
{
	struct call *c = sw_calloc(1, sizeof *c);

	*c = (struct call){ .link = l, .cmd = *cmd, .cb = cb, .arg = arg, .inner = true };
	c->deadline = sw_clock_mono() + l->client->timeout;
	l->bytes += c->cmd.b.n;
	link_write(l, c);
}

static void link_groups(struct sw_link *l)
{
	static const char *const keys[] = { "{sw}:work", "{sw}:in" };

	for (size_t i = 0; i < SW_COUNT(keys); i++) {
		struct sw_cmd cmd;

		sw_cmd_plain(&cmd, "XGROUP");
		sw_cmd_str(&cmd, "CREATE");
		sw_cmd_str(&cmd, keys[i]);
		sw_cmd_str(&cmd, "w");
		sw_cmd_str(&cmd, "0");
		sw_cmd_str(&cmd, "MKSTREAM");
		link_inner(l, &cmd, NULL, NULL);
	}
}

/* What Redis lost can be given back without asking anybody: the script, or the groups. True: the call is on its way again. */
static bool call_heal(struct call *c, const redisReply *reply)
{
	struct sw_link *l = c->link;
	struct sw_cmd load;

	if (reply->type != REDIS_REPLY_ERROR || c->healed || !l->ac || l->state < LINK_HELLO || l->client->foreign)
		return false;
	if (starts_any(reply->str, "NOGROUP", "UNBLOCKED")) {
		link_groups(l);
	} else if (sw_starts(reply->str, "NOSCRIPT") && c->cmd.script >= 0) {
		sw_cmd_plain(&load, "SCRIPT");
		sw_cmd_str(&load, "LOAD");
		sw_cmd_mem(&load, sw_scripts[c->cmd.script].text, sw_scripts[c->cmd.script].text_n);
		link_inner(l, &load, NULL, NULL);
	} else {
		return false;
	}
	/* A script may need both: after a FLUSHALL with SCRIPT FLUSH. So only the groups count as the one try. */
	c->healed = !sw_starts(reply->str, "NOSCRIPT");
	c->deadline = sw_clock_mono() + l->client->timeout + c->extra;
	link_write(l, c);
	return true;
}

static void link_reply(redisAsyncContext *ac, void *reply_p, void *privdata)
{
	struct call *c = privdata;
	struct sw_link *l = c->link;
	const redisReply *reply = reply_p;
	struct call *head = list_pop(&l->calls);
	int r;

	SW_ASSERT(head == c);
	if (!reply) {
		/* Dying: hiredis tells all that wait, then us. Nothing may be sent on it any more. */
		l->ac = NULL;
		l->state = LINK_IDLE;
		call_end(c, l->closing ? -ECANCELED : -EIO, NULL);
		return;
	}
	if (call_heal(c, reply))
		return;
	r = reply->type == REDIS_REPLY_ERROR ? client_refused(l->client, reply) : 0;
	if (r == -EROFS)
		sw_link_drop(l, l->client->error); /* a failover: the master is elsewhere now */
	call_end(c, r, r ? NULL : reply);
	(void)ac;
}

static void link_write(struct sw_link *l, struct call *c)
{
	char head[HEAD_ROOM];
	int n = snprintf(head, sizeof head, "*%u\r\n", c->cmd.argc);
	char *at = c->cmd.b.p + HEAD_ROOM - n;

	memcpy(at, head, (size_t)n);
	list_push(&l->calls, c);
	if (redisAsyncFormattedCommand(l->ac, link_reply, c, at, c->cmd.b.n - (size_t)(HEAD_ROOM - n)) != REDIS_OK) {
		/* Disconnecting: hiredis will not call back. It is the newest, so take it off the end again. */
		struct call **p = &l->calls.first;

		while (*p != c)
			p = &(*p)->next;
		*p = NULL;
		l->calls.last = p;
		l->calls.n--;
		call_late(c, -ENOTCONN);
		return;
	}
	if (l->calls.n == 1 || !sw_timer_armed(&l->timer))
		sw_timer_set(&l->timer, l->calls.first->deadline - sw_clock_mono());
}

void sw_link_send(struct sw_link *l, struct sw_cmd *cmd, sw_dur extra, sw_rep_cb cb, void *arg)
{
	struct call *c = sw_calloc(1, sizeof *c);

	*c = (struct call){ .link = l, .cmd = *cmd, .cb = cb, .arg = arg, .extra = extra };
	*cmd = (struct sw_cmd){ .script = -1 };
	c->deadline = sw_clock_mono() + l->client->timeout + extra;
	l->bytes += c->cmd.b.n;
	if (!l->ac || l->drop || (l->state != LINK_UP && !l->checking))
		call_late(c, -ENOTCONN);
	else
		link_write(l, c);
}

/* ---- connecting ---- */

void sw_link_ready(struct sw_link *l)
{
	if (!l->ac || l->drop || l->state != LINK_HELLO)
		return;
	l->checking = false;
	l->state = LINK_UP;
	l->backoff = 0;
	link_tell(l, true, "connected");
}

static void link_hello_reply(void *arg, int r, const struct sw_rep *reply)
{
	struct sw_link *l = arg;

	(void)reply;
	if (r < 0 && r != -EIO && r != -ECANCELED)
		sw_link_drop(l, l->client->error);
}

/* The last of the greeting: everything before it went through if the link still stands. */
static void link_hello_end(void *arg, int r, const struct sw_rep *reply)
{
	struct sw_link *l = arg;

	link_hello_reply(l, r, reply);
	if (r < 0 || l->drop || !l->ac)
		return;
	if (l->check) {
		l->checking = true;
		l->check(l->arg);
	} else {
		sw_link_ready(l);
	}
}

static void link_hello(struct sw_link *l)
{
	struct sw_client *c = l->client;
	struct sw_cmd cmd;

	if (c->address.password) {
		sw_cmd_plain(&cmd, "AUTH");
		if (c->address.user)
			sw_cmd_str(&cmd, c->address.user);
		sw_cmd_str(&cmd, c->address.password);
		link_inner(l, &cmd, link_hello_reply, l);
	}
	if (c->address.db) {
		sw_cmd_plain(&cmd, "SELECT");
		sw_cmd_int(&cmd, c->address.db);
		link_inner(l, &cmd, link_hello_reply, l);
	}
	sw_cmd_plain(&cmd, "PING");
	link_inner(l, &cmd, link_hello_end, l);
}

static void link_on_connect(const redisAsyncContext *ac, int status)
{
	struct sw_link *l = ac->data;
	unsigned ms = 10000;

	if (!l)
		return;
	if (status != REDIS_OK) {
		link_down(l, ac->errstr ? ac->errstr : "cannot connect"); /* hiredis frees it */
		return;
	}
	l->state = LINK_HELLO;
	(void)setsockopt(ac->c.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms); /* no effect on a unix socket */
	link_hello(l);
}

static void link_on_disconnect(const redisAsyncContext *ac, int status)
{
	struct sw_link *l = ac->data;

	(void)status;
	if (l)
		link_down(l, ac->errstr && *ac->errstr ? ac->errstr : "connection closed");
}

static void link_connect(struct sw_link *l)
{
	struct sw_client *c = l->client;
	redisAsyncContext *ac = c->address.path ? redisAsyncConnectUnix(c->address.path) : redisAsyncConnect(c->address.host, c->address.port);
	char why[256];

	if (!ac) {
		link_down(l, "cannot connect");
		return;
	}
	if (ac->err) {
		(void)snprintf(why, sizeof why, "%s", ac->errstr);
		redisAsyncFree(ac);
		link_down(l, why);
		return;
	}
	ac->c.reader->maxbuf = 0; /* else the buffer of large replies is allocated anew each time */
	ac->data = l;
	l->ac = ac;
	l->state = LINK_CONNECTING;
	(void)redisLibeventAttach(ac, c->loop->base);
	(void)redisAsyncSetConnectCallback(ac, link_on_connect);
	(void)redisAsyncSetDisconnectCallback(ac, link_on_disconnect);
	if (!c->address.path)
		(void)redisEnableKeepAlive(&ac->c);
	sw_timer_set(&l->timer, c->timeout);
}

struct sw_link *sw_link_new(struct sw_client *c, void (*state)(void *, bool, const char *), void (*check)(void *), void *arg)
{
	struct sw_link *l = sw_calloc(1, sizeof *l);

	*l = (struct sw_link){ .client = c, .next = c->links, .on_state = state, .check = check, .arg = arg };
	c->links = l;
	sw_timer_init(&l->timer, c->loop, link_timer, l);
	l->later = (struct sw_defer){ .cb = link_later, .arg = l };
	sw_timer_set(&l->timer, 0);
	return l;
}

void sw_link_free(struct sw_link *l)
{
	struct sw_link **p;

	if (!l)
		return;
	for (p = &l->client->links; *p != l; p = &(*p)->next)
		;
	*p = l->next;
	l->closing = true;
	sw_timer_stop(&l->timer);
	link_cut(l, "closed");
	do /* what is called back may send again */
		link_later(l);
	while (l->late.first);
	sw_defer_cancel(&l->later);
	sw_timer_stop(&l->timer);
	free(l);
}

bool sw_link_up(const struct sw_link *l) { return l && l->state == LINK_UP && l->ac && !l->drop; }
size_t sw_link_bytes(const struct sw_link *l) { return l->bytes; }
size_t sw_link_calls(const struct sw_link *l) { return l->calls.n; }

void sw_link_drop(struct sw_link *l, const char *why)
{
	if (l->drop || l->closing)
		return;
	(void)snprintf(l->drop_why, sizeof l->drop_why, "%s", why);
	l->drop = true;
	sw_loop_defer(l->client->loop, &l->later);
}

/* ---- the client ---- */

int sw_client_new(struct sw_loop *loop, const struct sw_client_options *opt, struct sw_client **ret, struct sw_err *err)
{
	struct sw_client *c = sw_calloc(1, sizeof *c);
	int r;

	*c = (struct sw_client){ .loop = loop, .timeout = opt->timeout, .foreign = opt->foreign };
	r = sw_address_parse(opt->url, &c->address, err);
	if (r < 0) {
		sw_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void sw_client_free(struct sw_client *c)
{
	if (!c)
		return;
	while (c->links)
		sw_link_free(c->links);
	sw_address_fini(&c->address);
	free(c);
}

const char *sw_client_error(const struct sw_client *c) { return c->error; }
