/*
 * Connections to Redis: who is connected to, the greeting, commands with their limits of time, and what Redis forgot given back: see redis.h.
 *
 *   idle ──┬───────────────────▶ connecting ──(TLS)──▶ hello (AUTH, SELECT, ROLE, check) ──▶ up
 *     ▲    └──▶ asking sentinels ─────▲ │ error, limit           │ refused, limit, no master    │ error, limit, READONLY
 *     │ backoff    │ nobody knows       │                        │                              │
 *     └────────────┴────────────────────┴────────────────────────┴──────────────────────────────┘   link_down
 *
 * Invariants
 *  1. Nobody's callback runs inside sw_link_send: what cannot be sent waits in `late` for the end of the turn.
 *  2. l->wire is NULL before any callback can run that might send again on a connection that is lost.
 *  3. Replies come in order, so the head of the list is the oldest and one timer a link is enough; a blocking read is alone on its.
 *  4. A link freed by one of its own callbacks is not looked at afterwards (l->gone).
 *  5. Behind sentinels nothing is connected to that a sentinel has not just named and that does not itself say that it is a master.
 */
#include "bus/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/address.h"
#include "bus/sentinel.h"
#include "io/wire.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

enum link_state { LINK_IDLE, LINK_ASKING, LINK_CONNECTING, LINK_HELLO, LINK_UP };

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
	struct sw_wire *wire;    /* NULL: not even being connected */
	struct sw_replies *replies;
	struct sw_master_ask ask;
	char master[270];        /* "10.0.0.5:6379"; behind sentinels: of this connection */
	char master_up[270], said_by[270]; /* the one that was up last; the sentinel that named the one of this connection */
	int64_t masters;         /* how often it was another one */
	bool *gone;              /* where to note that the link was freed */
	struct call_list calls;  /* under way, oldest first */
	struct call_list late;   /* to be called back at the end of the turn */
	size_t bytes;
	struct sw_timer timer;   /* limit of time of the head, or of connecting, or the backoff */
	struct sw_defer later;
	sw_dur backoff;
	bool heard;              /* on this connection Redis has said something */
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
	struct sw_wire_tls *tls;        /* NULL: plain */
	struct sw_sentinel *sentinel;   /* NULL: the address says where Redis is */
	sw_dur timeout;
	bool foreign;
	char error[256];
};

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
static void call_end(struct call *c, int r, const struct sw_rep *reply)
{
	sw_rep_cb cb = c->cb;
	void *arg = c->arg;

	c->link->bytes -= c->cmd.b.n;
	call_free(c);
	if (cb)
		cb(arg, r, reply);
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
static int client_refused(struct sw_client *c, const char *line, size_t n)
{
	(void)sw_err_quote(line, SW_MIN(n, sizeof c->error - 1), c->error, sizeof c->error);
	for (size_t i = 0; i < SW_COUNT(errors); i++)
		if (sw_starts(line, errors[i].word))
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
		l->on_state(l->arg, up, *why ? why : NULL);
}

/* There is no connection: next try after the backoff. Behind sentinels it is short: a failover takes seconds, and asking them costs little. */
static void link_down(struct sw_link *l, const char *why)
{
	sw_dur most = l->client->sentinel ? SW_SECOND : 5 * SW_SECOND;

	l->state = LINK_IDLE;
	l->checking = l->drop = false;
	if (l->closing)
		return;
	l->backoff = l->backoff ? SW_MIN(l->backoff * 2, most) : 50;
	sw_timer_set(&l->timer, l->backoff);
	link_tell(l, false, why);
}

static void link_cut(struct sw_link *l, const char *why)
{
	struct call_list calls = l->calls;
	struct call *c;
	char text[256];

	(void)snprintf(text, sizeof text, "%s", why);
	l->state = LINK_IDLE;
	sw_timer_stop(&l->timer);
	if (l->client->sentinel)
		sw_sentinel_cancel(l->client->sentinel, &l->ask);
	sw_wire_free(l->wire);
	l->wire = NULL;
	sw_replies_free(l->replies);
	l->replies = NULL;
	l->calls = (struct call_list){ 0 };
	while ((c = list_pop(&calls)))
		call_end(c, l->closing ? -ECANCELED : -EIO, NULL);
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
	if (l->drop && l->wire)
		link_cut(l, l->drop_why);
	l->drop = false;
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
		if (l->wire && l->state != LINK_UP)
			link_cut(l, strcmp(sw_wire_doing(l->wire), "TLS's greeting") == 0 ? "no answer to TLS's greeting (is it the port without TLS?)"
			                                                                  : "no answer to the attempt to connect");
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
static bool call_heal(struct call *c, const char *line)
{
	struct sw_link *l = c->link;
	struct sw_cmd load;

	if (c->healed || !l->wire || l->state < LINK_HELLO || l->client->foreign)
		return false;
	if (starts_any(line, "NOGROUP", "UNBLOCKED")) {
		link_groups(l);
	} else if (sw_starts(line, "NOSCRIPT") && c->cmd.script >= 0) {
		sw_cmd_plain(&load, "SCRIPT");
		sw_cmd_str(&load, "LOAD");
		sw_cmd_mem(&load, sw_scripts[c->cmd.script].text, sw_scripts[c->cmd.script].text_n);
		link_inner(l, &load, NULL, NULL);
	} else {
		return false;
	}
	/* A script may need both: after a FLUSHALL with SCRIPT FLUSH. So only the groups count as the one try. */
	c->healed = !sw_starts(line, "NOSCRIPT");
	c->deadline = sw_clock_mono() + l->client->timeout + c->extra;
	link_write(l, c);
	return true;
}

/* A failover: the master is elsewhere now, and no connection to the old one is of use. */
static void client_drop(struct sw_client *c)
{
	for (struct sw_link *l = c->links; l; l = l->next)
		if (l->wire)
			sw_link_drop(l, c->error);
}

static void link_reply(struct sw_link *l, const struct sw_rep *reply)
{
	struct call *c = list_pop(&l->calls);
	size_t n;
	const char *refused = sw_rep_error(reply, &n);
	int r = 0;

	if (!c) { /* unasked, as when it has too many clients */
		r = refused ? client_refused(l->client, refused, n) : 0;
		sw_link_drop(l, r ? l->client->error : "an answer that nobody asked for");
		return;
	}
	if (refused && call_heal(c, refused))
		return;
	if (refused)
		r = client_refused(l->client, refused, n);
	if (r == -EROFS)
		client_drop(l->client);
	call_end(c, r, r ? NULL : reply);
}

static void link_data(void *arg, const char *p, size_t n)
{
	struct sw_link *l = arg;
	bool gone = false;
	struct sw_rep *reply;
	int r = sw_replies_feed(l->replies, p, n);

	l->heard = true;
	l->gone = &gone;
	while (r == 0 && (r = sw_replies_next(l->replies, &reply)) == 1) {
		link_reply(l, reply);
		sw_rep_free(reply);
		if (gone)
			return;
		r = 0;
		if (!l->wire)
			break;
	}
	l->gone = NULL;
	if (r < 0) /* 21: a record of TLS that complains */
		link_cut(l, n && p[0] == 21 && l->state == LINK_HELLO ? "TLS is spoken there: its address begins with rediss://" : sw_replies_error(l->replies));
}

static void link_write(struct sw_link *l, struct call *c)
{
	size_t n;
	const char *p = sw_cmd_bytes(&c->cmd, &n);

	list_push(&l->calls, c);
	sw_wire_write(l->wire, p, n);
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
	if (!l->wire || l->drop || (l->state != LINK_UP && !l->checking))
		call_late(c, -ENOTCONN);
	else
		link_write(l, c);
}

/* ---- connecting ---- */

void sw_link_ready(struct sw_link *l)
{
	char text[1024] = "";

	if (!l->wire || l->drop || l->state != LINK_HELLO)
		return;
	l->checking = false;
	l->state = LINK_UP;
	l->backoff = 0;
	if (l->client->sentinel) {
		bool other = l->master_up[0] && strcmp(l->master_up, l->master) != 0;

		(void)snprintf(text, sizeof text, "the master of \"%.100s\" is %s, says the sentinel %s%s%s", l->client->address.master, l->master, l->said_by,
		               other ? "; it was " : "", other ? l->master_up : "");
		l->masters += other;
		(void)snprintf(l->master_up, sizeof l->master_up, "%s", l->master);
	}
	link_tell(l, true, text);
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
	char why[256];

	link_hello_reply(l, r, reply);
	if (r < 0 || l->drop || !l->wire)
		return;
	if (l->client->sentinel && !sw_streq(sw_rep_str(sw_rep_at(reply, 0), NULL), "master")) {
		(void)snprintf(why, sizeof why, "%.100s is no master, though the sentinel %.100s says so", l->master, l->said_by);
		sw_sentinel_doubt(l->client->sentinel);
		sw_link_drop(l, why);
		return;
	}
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
	sw_cmd_plain(&cmd, c->sentinel ? "ROLE" : "PING");
	link_inner(l, &cmd, link_hello_end, l);
}

static void link_open(void *arg)
{
	struct sw_link *l = arg;

	l->state = LINK_HELLO;
	link_hello(l);
}

/* A connection that ends before Redis has said anything is mostly one that was greeted in the wrong way. */
static void link_end(void *arg, const char *why)
{
	struct sw_link *l = arg;
	const struct sw_address *a = &l->client->address;
	const char *hint = "";
	char text[256];

	if (l->state == LINK_HELLO && !l->heard && !a->path)
		hint = !a->tls ? " before it said anything (is TLS spoken there? then it is rediss://)"
		     : !a->cert_file ? " before it said anything (does it want a certificate of ours, cert_file?)" : "";
	(void)snprintf(text, sizeof text, "%.160s%s", why, hint);
	link_cut(l, text);
}

static void link_to(struct sw_link *l, const char *host, int port, const char *name)
{
	struct sw_client *c = l->client;
	struct sw_wire_to to = { .path = c->address.path, .host = host, .port = port, .tls = c->tls, .name = c->address.server_name ? c->address.server_name : name };

	l->replies = sw_replies_new();
	l->state = LINK_CONNECTING;
	l->heard = false;
	l->wire = sw_wire_open(c->loop, &to, &(struct sw_wire_handler){ link_open, link_data, link_end, l });
	sw_timer_set(&l->timer, c->timeout);
}

static void link_master(void *arg, const struct sw_master *m, const char *why)
{
	struct sw_link *l = arg;

	if (!m) {
		link_down(l, why);
		return;
	}
	(void)snprintf(l->master, sizeof l->master, strchr(m->name, ':') ? "[%s]:%d" : "%s:%d", m->name, m->port);
	(void)snprintf(l->said_by, sizeof l->said_by, "%s", m->sentinel);
	link_to(l, m->host, m->port, m->name);
}

static void link_connect(struct sw_link *l)
{
	struct sw_client *c = l->client;

	if (c->sentinel) {
		l->state = LINK_ASKING;
		sw_sentinel_ask(c->sentinel, &l->ask);
	} else {
		link_to(l, c->address.host, c->address.port, c->address.name);
	}
}

struct sw_link *sw_link_new(struct sw_client *c, void (*state)(void *, bool, const char *), void (*check)(void *), void *arg)
{
	struct sw_link *l = sw_calloc(1, sizeof *l);

	*l = (struct sw_link){ .client = c, .next = c->links, .on_state = state, .check = check, .arg = arg };
	l->ask = (struct sw_master_ask){ .cb = link_master, .arg = l };
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
	if (l->gone)
		*l->gone = true;
	sw_timer_stop(&l->timer);
	link_cut(l, "closed");
	do /* what is called back may send again */
		link_later(l);
	while (l->late.first);
	sw_defer_cancel(&l->later);
	sw_timer_stop(&l->timer);
	free(l);
}

bool sw_link_up(const struct sw_link *l) { return l && l->state == LINK_UP && l->wire && !l->drop; }
size_t sw_link_bytes(const struct sw_link *l) { return l->bytes; }
int64_t sw_link_masters(const struct sw_link *l) { return l->masters; }
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

static int client_tls(struct sw_client *c, struct sw_err *err)
{
	const struct sw_address *a = &c->address;
	int r = sw_wire_tls_new(&(struct sw_wire_tls_conf){ a->ca_file, a->cert_file, a->key_file }, &c->tls, err);

	if (r < 0)
		sw_err_prefix(err, "redis");
	return r;
}

int sw_client_new(struct sw_loop *loop, const struct sw_client_options *opt, struct sw_client **ret, struct sw_err *err)
{
	struct sw_client *c = sw_calloc(1, sizeof *c);
	int r;

	*c = (struct sw_client){ .loop = loop, .timeout = opt->timeout, .foreign = opt->foreign };
	r = sw_address_parse(opt->url, &c->address, err);
	if (r == 0 && c->address.tls)
		r = client_tls(c, err);
	if (r == 0 && c->address.master)
		r = sw_sentinel_new(loop, &c->address, c->tls, &c->sentinel, err);
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
	sw_sentinel_free(c->sentinel);
	sw_wire_tls_free(c->tls);
	sw_address_fini(&c->address);
	free(c);
}

const char *sw_client_error(const struct sw_client *c) { return c->error; }
