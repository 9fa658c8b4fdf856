/*
 * Asking the sentinels who the master is.
 *
 *   sw_sentinel_ask ─▶ name ─▶ connect ─▶ AUTH, GET-MASTER-ADDR-BY-NAME, SENTINELS ─▶ name of the master ─▶ all who asked
 *                       ▲ next one: refused, silent for half a second, does not know it
 *
 * Who answered is asked first the next time, who answered wrongly (sw_sentinel_doubt) last. The others that it knows are asked too, behind those
 * of the configuration, so that a configuration that names one of them goes on when that one is gone.
 */
#include "bus/sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/redis.h"
#include "io/resolve.h"
#include "shipwatch/mem.h"

struct one { char host[256]; int port; bool learned; };

struct sw_sentinel {
	struct sw_loop *loop;
	const struct sw_address *a;
	struct sw_wire_tls *tls;
	struct sw_resolver *resolver;
	struct one all[SW_SENTINELS_MAX];      /* in the order in which they are asked */
	size_t n, at;                          /* at: of this round */
	struct sw_master_ask *first, **last;
	unsigned round;
	bool asking;
	struct sw_resolve *resolve;
	struct sw_wire *wire;
	struct sw_replies *replies;
	unsigned seen, want;                   /* replies of this one */
	struct sw_timer limit;
	struct one learned[SW_SENTINELS_MAX];  /* of this answer */
	size_t n_learned;
	struct one master;                     /* the same; port 0: none yet */
	struct sw_buf why;                     /* of all that failed in this round */
};

static void sentinel_next(struct sw_sentinel *s);

/* What belongs to the one that is being asked. */
static void sentinel_hang_up(struct sw_sentinel *s)
{
	sw_timer_stop(&s->limit);
	if (s->resolve)
		sw_resolve_cancel(s->resolve);
	s->resolve = NULL;
	sw_wire_free(s->wire);
	s->wire = NULL;
	sw_replies_free(s->replies);
	s->replies = NULL;
}

/* Who asks again from within its callback begins a new round; who is cancelled there is not called. */
static void sentinel_tell(struct sw_sentinel *s, const struct sw_master *m, const char *why)
{
	unsigned round = s->round;

	s->asking = false;
	while (s->first && s->first->round == round) {
		struct sw_master_ask *a = s->first;

		s->first = a->next;
		if (!s->first)
			s->last = &s->first;
		a->asked = false;
		a->cb(a->arg, m, why);
	}
}

static void sentinel_failed(struct sw_sentinel *s, const char *why)
{
	const struct one *o = &s->all[s->at];

	sentinel_hang_up(s);
	if (s->why.n < 200)
		sw_buf_printf(&s->why, "%s%s:%d: %s", s->why.n ? "; " : "", o->host, o->port, why);
	s->at++;
	sentinel_next(s);
}

static void sentinel_late(void *arg)
{
	struct sw_sentinel *s = arg;

	sentinel_failed(s, !s->wire || strcmp(sw_wire_doing(s->wire), "TLS's greeting") != 0 ? "no answer" : "no answer to TLS's greeting (is it the port without TLS?)");
}

/* ---- the answer ---- */

static bool one_same(const struct one *a, const struct one *b) { return a->port == b->port && strcasecmp(a->host, b->host) == 0; }

static bool one_set(struct one *o, const char *host, const char *port)
{
	long n = port ? strtol(port, NULL, 10) : 0;

	*o = (struct one){ .port = (int)n, .learned = true };
	if (!host || !*host || strlen(host) >= sizeof o->host || n < 1 || n > 65535)
		return false;
	memcpy(o->host, host, strlen(host) + 1);
	return true;
}

/* Who answered first, the others of the configuration, then what it told of. */
static void sentinel_order(struct sw_sentinel *s)
{
	struct one all[SW_SENTINELS_MAX];
	size_t n = 0;

	all[n++] = s->all[s->at];
	for (size_t i = 0; i < s->n; i++)
		if (i != s->at && !s->all[i].learned)
			all[n++] = s->all[i];
	for (size_t i = 0; i < s->n_learned && n < SW_SENTINELS_MAX; i++) {
		size_t k = 0;

		while (k < n && !one_same(&all[k], &s->learned[i]))
			k++;
		if (k == n)
			all[n++] = s->learned[i];
	}
	memcpy(s->all, all, n * sizeof *all);
	s->n = n;
}

static void sentinel_resolved(void *arg, const char *const *addrs, size_t n, const char *why)
{
	struct sw_sentinel *s = arg;
	char sentinel[300], text[200], name[256];
	struct sw_master m = { .name = name, .port = s->master.port, .sentinel = sentinel };

	s->resolve = NULL;
	if (!n) {
		(void)snprintf(text, sizeof text, "names \"%.80s\" as the master: %.80s", s->master.host, why);
		sentinel_failed(s, text);
		return;
	}
	sentinel_hang_up(s);
	(void)snprintf(sentinel, sizeof sentinel, "%s:%d", s->all[s->at].host, s->all[s->at].port);
	(void)snprintf(name, sizeof name, "%s", s->master.host);
	m.host = addrs[0];
	sentinel_order(s);
	sentinel_tell(s, &m, NULL);
}

static void sentinel_others(struct sw_sentinel *s, const struct sw_rep *rep)
{
	s->n_learned = 0;
	for (size_t i = 0; i < sw_rep_count(rep) && s->n_learned < SW_SENTINELS_MAX; i++) {
		const struct sw_rep *one = sw_rep_at(rep, i);
		const char *host = NULL, *port = NULL;

		for (size_t k = 0; k + 1 < sw_rep_count(one); k += 2) {
			const char *name = sw_rep_str(sw_rep_at(one, k), NULL);

			if (sw_streq(name, "ip"))
				host = sw_rep_str(sw_rep_at(one, k + 1), NULL);
			else if (sw_streq(name, "port"))
				port = sw_rep_str(sw_rep_at(one, k + 1), NULL);
		}
		if (one_set(&s->learned[s->n_learned], host, port))
			s->n_learned++;
	}
}

/* Returns whether the connection is still there. */
static bool sentinel_reply(struct sw_sentinel *s, const struct sw_rep *rep)
{
	char text[160];
	size_t n;
	const char *error = sw_rep_error(rep, &n);
	unsigned k = s->seen++ + (s->a->sentinel_password ? 0 : 1);

	if (error && k < 2) {
		(void)sw_err_quote(error, SW_MIN(n, (size_t)120), text, sizeof text);
		sentinel_failed(s, text);
		return false;
	}
	if (k == 1 && (sw_rep_count(rep) < 2 || !one_set(&s->master, sw_rep_str(sw_rep_at(rep, 0), NULL), sw_rep_str(sw_rep_at(rep, 1), NULL)))) {
		(void)snprintf(text, sizeof text, "knows no master \"%.80s\"", s->a->master);
		sentinel_failed(s, text);
		return false;
	}
	if (k < 2)
		return true;
	sentinel_others(s, rep);
	sw_wire_free(s->wire);
	s->wire = NULL;
	s->resolve = sw_resolve(s->resolver, s->master.host, sentinel_resolved, s);
	return false;
}

static void sentinel_data(void *arg, const char *p, size_t n)
{
	struct sw_sentinel *s = arg;
	struct sw_rep *rep;
	bool going = true;
	int r = sw_replies_feed(s->replies, p, n);

	while (r == 0 && going && (r = sw_replies_next(s->replies, &rep)) == 1) {
		going = sentinel_reply(s, rep);
		sw_rep_free(rep);
		r = 0;
	}
	if (r < 0)
		sentinel_failed(s, "its answer is not Redis' (does it want TLS?)");
}

/* ---- the question ---- */

static void sentinel_say(struct sw_sentinel *s, struct sw_cmd *cmd)
{
	size_t n;
	const char *p = sw_cmd_bytes(cmd, &n);

	sw_wire_write(s->wire, p, n);
	sw_buf_fini(&cmd->b);
}

static void sentinel_open(void *arg)
{
	static const char *const words[] = { "get-master-addr-by-name", "sentinels" };
	struct sw_sentinel *s = arg;
	struct sw_cmd cmd;

	if (s->a->sentinel_password) {
		sw_cmd_plain(&cmd, "AUTH");
		if (s->a->sentinel_user)
			sw_cmd_str(&cmd, s->a->sentinel_user);
		sw_cmd_str(&cmd, s->a->sentinel_password);
		sentinel_say(s, &cmd);
	}
	for (size_t i = 0; i < SW_COUNT(words); i++) {
		sw_cmd_plain(&cmd, "SENTINEL");
		sw_cmd_str(&cmd, words[i]);
		sw_cmd_str(&cmd, s->a->master);
		sentinel_say(s, &cmd);
	}
}

static void sentinel_end(void *arg, const char *why) { sentinel_failed(arg, why); }

static void sentinel_found(void *arg, const char *const *addrs, size_t n, const char *why)
{
	struct sw_sentinel *s = arg;
	const struct one *o = &s->all[s->at];

	s->resolve = NULL;
	if (!n) {
		sentinel_failed(s, why);
		return;
	}
	s->replies = sw_replies_new();
	s->seen = 0;
	s->wire = sw_wire_open(s->loop, &(struct sw_wire_to){ .host = addrs[0], .port = o->port, .tls = s->tls, .name = s->a->server_name ? s->a->server_name : o->host },
	                       &(struct sw_wire_handler){ sentinel_open, sentinel_data, sentinel_end, s });
}

static void sentinel_next(struct sw_sentinel *s)
{
	char why[400];

	if (s->at < s->n) {
		s->master.port = 0;
		sw_timer_set(&s->limit, SW_SENTINEL_LIMIT);
		s->resolve = sw_resolve(s->resolver, s->all[s->at].host, sentinel_found, s);
		return;
	}
	(void)snprintf(why, sizeof why, "no sentinel says where \"%.60s\" is: %.300s", s->a->master, sw_buf_str(&s->why));
	sentinel_tell(s, NULL, why);
}

void sw_sentinel_ask(struct sw_sentinel *s, struct sw_master_ask *ask)
{
	SW_ASSERT(!ask->asked);
	ask->asked = true;
	ask->next = NULL;
	*s->last = ask;
	s->last = &ask->next;
	if (!s->asking)
		s->round++;
	ask->round = s->round;
	if (s->asking)
		return;
	s->asking = true;
	s->at = 0;
	sw_buf_reset(&s->why);
	sentinel_next(s);
}

void sw_sentinel_cancel(struct sw_sentinel *s, struct sw_master_ask *ask)
{
	struct sw_master_ask **p;

	if (!ask->asked)
		return;
	for (p = &s->first; *p != ask; p = &(*p)->next)
		;
	*p = ask->next;
	if (!*p)
		s->last = p;
	ask->asked = false;
}

void sw_sentinel_doubt(struct sw_sentinel *s)
{
	struct one first = s->all[0];

	if (s->asking)
		return; /* the round under way counts by places */
	memmove(s->all, s->all + 1, (s->n - 1) * sizeof *s->all);
	s->all[s->n - 1] = first;
}

int sw_sentinel_new(struct sw_loop *loop, const struct sw_address *a, struct sw_wire_tls *tls, struct sw_sentinel **ret, struct sw_err *err)
{
	struct sw_sentinel *s = sw_calloc(1, sizeof *s);
	int r;

	*s = (struct sw_sentinel){ .loop = loop, .a = a, .tls = tls, .last = &s->first };
	r = sw_resolver_new(loop, NULL, NULL, &s->resolver);
	if (r < 0) {
		free(s);
		return sw_err_set(err, -r, "redis: names cannot be looked up: %s", strerror(-r));
	}
	for (size_t i = 0; i < a->n_sentinels; i++) {
		(void)snprintf(s->all[i].host, sizeof s->all[i].host, "%s", a->sentinels[i].host);
		s->all[i].port = a->sentinels[i].port;
	}
	s->n = a->n_sentinels;
	sw_timer_init(&s->limit, loop, sentinel_late, s);
	*ret = s;
	return 0;
}

void sw_sentinel_free(struct sw_sentinel *s)
{
	if (!s)
		return;
	SW_ASSERT(!s->first);
	sentinel_hang_up(s);
	sw_resolver_free(s->resolver);
	sw_buf_fini(&s->why);
	free(s);
}
