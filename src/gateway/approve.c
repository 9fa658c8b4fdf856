/*
 * /approve/<token>: a person decides about a rollback, by the link of a message, without signing in.
 *
 *   GET, HEAD   token ─▶ what is kept of the question ─▶ the place ─▶ page                          nothing is changed
 *   POST        the same ─▶ form ─▶ command to the place, stored ─▶ until a worker has read it ─▶ page
 *
 * 1. The token is the right to decide: random digits below ask-key:<action> (engine/ask.c), compared in constant time, never logged. It
 *    works once because the first decision counts, and it ends with the question.
 * 2. A POST is answered only when Redis has stored the command. Nothing is spooled: a decision that comes hours late is none.
 * 3. Who has no right costs two reads at most, so many at a time; wrong links are counted with failed signatures.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/str.h"
#include "engine/engine.h"
#include "gateway/approve.h"
#include "gateway/inner.h"
#include "model/command.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway/approve"

enum { AT_ONCE = 32, NODES = 100000, POLL_FIRST = 30 /* ms */, POLL_MOST = 400, POLL_ALL = 5000, ID_SIZE = 13, KEY_SIZE = 41 };

_Static_assert(ID_SIZE == SW_ASK_ID_DIGITS + 1 && KEY_SIZE == SW_ASK_KEY_DIGITS + 1, "sizes of a token");

/* One request from its head to its answer. */
struct approve {
	struct gateway *g;
	struct setup *setup;
	struct sw_http_req *req;
	struct sw_arena a, last;     /* last: the place as it was read last */
	char id[ID_SIZE], key[KEY_SIZE], decision[SW_ID_SIZE];
	unsigned char ip[16];
	bool post, sent;             /* sent: the command is stored, its outcome is waited for */
	struct sw_buf name;
	int form;
	struct approve_view view;
	const char *aggregate;
	struct sw_timer timer;
	sw_dur poll, waited;
	struct approve *next, **prev; /* of the gateway's */
};

static void approve_free(struct approve *p)
{
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->g->n_approvals--;
	sw_timer_stop(&p->timer);
	sw_gateway_setup_put(p->setup);
	sw_buf_fini(&p->name);
	sw_arena_fini(&p->a);
	sw_arena_fini(&p->last);
	free(p);
}

static void reply_html(struct sw_http_req *req, const struct approve_view *v)
{
	/* Nothing may keep the page, show it within another, or learn its address from a link. */
	static const struct sw_header headers[] = {
		{ "Cache-Control", "no-store" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "X-Robots-Tag", "noindex" },
		{ "Retry-After", "5" },
	};
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int status = sw_approve_status(v->kind);

	sw_approve_html(v, &b);
	sw_http_reply(req, &(struct sw_http_answer){ .status = status, .type = "text/html; charset=utf-8", .headers = headers,
	                                             .n_headers = SW_COUNT(headers) - (status != 503 && status != 429), .body = sw_buf_str(&b), .body_n = b.n });
}

static void approve_end(struct approve *p, enum approve_kind kind)
{
	p->view.kind = kind;
	reply_html(p->req, &p->view);
	approve_free(p);
}

/* A page without a question behind it. */
static void reply_plain(struct gateway *g, struct sw_http_req *req, enum approve_kind kind)
{
	reply_html(req, &(struct approve_view){ .kind = kind, .locale = g->setup->cfg->locale });
}

/* A link that is none: counted as a failed signature is. */
static void reply_wrong(struct gateway *g, const struct setup *setup, struct sw_http_req *req)
{
	unsigned char ip[16];
	char text[64];
	bool limited;

	sw_client_ip(req, setup->trusted, ip);
	limited = sw_failures_add(g->failures, ip, sw_loop_mono(g->loop)) > 0;
	sw_ip_print(ip, text, sizeof text);
	SW_DEBUG(LOG, "no such link, from %s", text);
	if (limited)
		sw_metric_add(g->meters.limited, NULL, 1);
	reply_plain(g, req, limited ? APPROVE_LIMITED : APPROVE_UNKNOWN);
}

/* ---- what is known of the question ---- */

static const struct sw_jnode *approve_act(struct approve *p, const struct sw_loaded *l)
{
	struct sw_jnode *state;
	const struct sw_jnode *acts;

	sw_arena_reset(&p->last);
	if (!l->state || sw_jtree_parse(&p->last, l->state, l->state_n, NODES, &state, NULL) < 0)
		return NULL;
	acts = sw_jget(state, "actions");
	for (const struct sw_jnode *x = acts ? acts->child : NULL; x; x = x->next)
		if (sw_streq(sw_jstr(x, "id"), p->id))
			return x;
	return NULL;
}

static bool approve_open(const struct approve *p)
{
	return sw_streq(sw_jstr(p->view.act, "state"), "asking") && p->view.now < sw_jint(p->view.act, "deadline", 0);
}

/* ---- the decision ---- */

static void approve_poll(void *arg);

static const char *approve_command(struct approve *p)
{
	const struct sw_decider by = { .who = sw_buf_str(&p->name), .via = "link", .at = sw_bus_now(sw_store_bus(p->g->store)) };

	sw_id_new(sw_loop_wall(p->g->loop), p->decision);
	return sw_command_decide(&p->a, &by, p->id, p->view.yes, p->decision);
}

/* Every decision of a person is a line of the log. */
static void approve_log(const struct approve *p, const char *what)
{
	char ip[64], who[APPROVE_NAME_MAX * 4 + 8];

	sw_ip_print(p->ip, ip, sizeof ip);
	sw_log_ids_set(&(struct sw_log_ids){ .ci_run_id = sw_jstr(p->view.page, "ci_run_id"), .service = sw_jstr(p->view.page, "service"),
	                                     .environment = sw_jstr(p->view.page, "environment") });
	SW_INFO(LOG, "%s: %s of action %s %s by %s from %s", what, p->view.yes ? "approval" : "refusal", sw_jstr(p->view.page, "action"), p->id,
	        sw_err_quote(sw_buf_str(&p->name), p->name.n, who, sizeof who), ip);
	sw_log_ids_set(NULL);
}

static void approve_stored(void *arg, int r)
{
	struct approve *p = arg;

	if (r < 0) {
		approve_log(p, r == -EIO || r == -ECANCELED ? "perhaps stored" : "not stored");
		approve_end(p, r == -EIO || r == -ECANCELED ? APPROVE_LOST : APPROVE_AWAY);
		return;
	}
	approve_log(p, "stored");
	p->sent = true;
	p->poll = POLL_FIRST;
	sw_timer_set(&p->timer, p->poll);
}

static void approve_decide(struct approve *p)
{
	static const char *const wrong[] = { [APPROVE_FORM_NAME] = "name", [APPROVE_FORM_LONG] = "long", [APPROVE_FORM_BROKEN] = "form" };

	if (p->form != APPROVE_FORM_GOOD) {
		p->view.wrong = wrong[p->form];
		approve_end(p, APPROVE_WRONG);
		return;
	}
	sw_bus_append(sw_store_bus(p->g->store), p->aggregate, approve_command(p), approve_stored, p);
}

static void approve_place(void *arg, int r, const struct sw_loaded *l)
{
	struct approve *p = arg;

	if (r < 0 && p->sent) { /* stored it is; what came of it can be asked later */
		approve_end(p, APPROVE_STORED);
		return;
	}
	if (r < 0) {
		approve_end(p, APPROVE_AWAY);
		return;
	}
	p->view.act = approve_act(p, l);
	p->view.now = l->now;
	if (p->sent && sw_streq(sw_jstr(p->view.act, "state"), "asking")) {
		p->waited += p->poll;
		p->poll = SW_MIN(2 * p->poll, POLL_MOST);
		if (p->waited >= POLL_ALL)
			approve_end(p, APPROVE_STORED);
		else
			sw_timer_set(&p->timer, p->poll);
	} else if (p->sent && sw_streq(sw_jstr(p->view.act, "decision"), p->decision)) {
		approve_end(p, APPROVE_MINE);
	} else if (approve_open(p)) {
		if (p->post)
			approve_decide(p);
		else
			approve_end(p, APPROVE_ASK);
	} else {
		approve_end(p, sw_jstr(p->view.act, "decided_by") ? APPROVE_DECIDED : APPROVE_OVER);
	}
}

static void approve_poll(void *arg)
{
	struct approve *p = arg;

	sw_bus_load(sw_store_bus(p->g->store), &(struct sw_load){ .aggregate = p->aggregate }, approve_place, p);
}

/* The question and the key of its link. A link that is none looks the same whether there is such an action or not. */
static void approve_loaded(void *arg, int r, const struct sw_loaded *l)
{
	struct approve *p = arg;
	const char *key = r == 0 && l->keeps[1] ? l->keeps[1] : "";
	struct sw_jnode *page = NULL;

	if (r < 0) {
		approve_end(p, APPROVE_AWAY);
		return;
	}
	if (!sw_secret_equal(key, strlen(key), p->key, KEY_SIZE - 1) || !l->keeps[0] ||
	    sw_jtree_parse(&p->a, l->keeps[0], strlen(l->keeps[0]), NODES, &page, NULL) < 0 || !sw_jstr(page, "aggregate")) {
		reply_wrong(p->g, p->setup, p->req);
		approve_free(p);
		return;
	}
	p->view.page = page;
	p->aggregate = sw_jstr(page, "aggregate");
	approve_poll(p);
}

static void approve_begin(struct gateway *g, struct sw_http_req *req, const char *token, bool post)
{
	const char *keys[3] = { NULL, NULL, NULL };
	struct approve *p;
	char id[ID_SIZE], key[KEY_SIZE];

	if (!sw_approve_token(token, id, key)) {
		reply_wrong(g, g->setup, req);
		return;
	}
	if (g->n_approvals == AT_ONCE) {
		reply_plain(g, req, APPROVE_AWAY);
		return;
	}
	p = sw_calloc(1, sizeof *p);
	p->g = g;
	p->setup = sw_gateway_setup_get(g->setup);
	p->req = req;
	p->post = post;
	memcpy(p->id, id, sizeof id);
	memcpy(p->key, key, sizeof key);
	sw_client_ip(req, p->setup->trusted, p->ip);
	p->view.locale = p->setup->cfg->locale;
	p->view.tz_offset_s = sw_config_tz_offset(p->setup->cfg, sw_loop_wall(g->loop));
	p->view.timezone = p->setup->cfg->timezone;
	p->next = g->approvals;
	p->prev = &g->approvals;
	if (p->next)
		p->next->prev = &p->next;
	g->approvals = p;
	g->n_approvals++;
	sw_timer_init(&p->timer, g->loop, approve_poll, p);
	if (post) {
		p->form = sw_approve_form(req->body ? req->body : "", req->body_n, &p->name, &p->view.yes);
		p->view.name = sw_buf_str(&p->name);
	}
	keys[0] = sw_arena_printf(&p->a, "ask:%s", id);
	keys[1] = sw_engine_ask_key(&p->a, id);
	sw_bus_load(sw_store_bus(g->store), &(struct sw_load){ .aggregate = "approve:none", .keeps = keys }, approve_loaded, p);
}

/* ---- requests ---- */

static bool is_form(const struct sw_http_req *req)
{
	static const char type[] = "application/x-www-form-urlencoded";
	const char *value = sw_http_header(req, "content-type");
	size_t n = strlen(type);

	return value && strncasecmp(value, type, n) == 0 && (!value[n] || value[n] == ';' || value[n] == ' ');
}

void sw_approve_on_head(struct gateway *g, struct sw_http_req *req, const char *token)
{
	static const struct sw_header allow = { "Allow", "GET, HEAD, POST, OPTIONS" }, css = { "Cache-Control", "max-age=3600" };
	bool style = strcmp(token, "style.css") == 0, post = strcmp(req->method, "POST") == 0;

	if (strcmp(req->method, "OPTIONS") == 0) {
		sw_reply_json(req, 204, &allow, 1, "");
	} else if ((!post || style) && strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		sw_reply_error(req, 405, &allow, 1, "want GET or POST");
	} else if (style) {
		sw_http_reply(req, &(struct sw_http_answer){ .status = 200, .type = "text/css; charset=utf-8", .headers = &css, .n_headers = 1,
		                                             .body = sw_approve_css, .body_n = strlen(sw_approve_css) });
	} else if (post && !is_form(req)) {
		reply_plain(g, req, APPROVE_MEDIA);
	} else {
		req->body_max = APPROVE_BODY_MAX;
	}
}

void sw_approve_on_request(struct gateway *g, struct sw_http_req *req, const char *token)
{
	approve_begin(g, req, token, strcmp(req->method, "POST") == 0);
}

void sw_approve_end(struct gateway *g)
{
	while (g->approvals)
		approve_end(g->approvals, g->approvals->sent ? APPROVE_STORED : APPROVE_AWAY);
}
