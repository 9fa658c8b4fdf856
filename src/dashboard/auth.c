/*
 * Who asks, and whether what they ask comes from a page of ours.
 *
 *   door    Host: without users whoever is here may decide, so a page of another site must not get here under a name of its own
 *           (DNS that is bent to 127.0.0.1); with users only a known name, or an address, is answered
 *   who     a bearer token, else what a trusted proxy says, else a session, else (neither users nor proxy) the operator "local"
 *   form    a POST that a browser sends with what it sends by itself: Origin or Sec-Fetch-Site says that it comes from here, and the
 *           form's own token says that it is of this session; with a bearer token nothing is sent by itself, so nothing is asked
 */
#include "dashboard/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/str.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG       "dashboard"
#define WHO_BYTES 100 /* of a name that a proxy says */

int dash_auth_new(struct dash *d)
{
	struct auth *a = sw_calloc(1, sizeof *a);
	struct sw_err err = SW_ERR_INIT;
	int r;

	a->d = d;
	d->auth = a;
	a->addresses = sw_failures_new(AUTH_PER_ADDRESS);
	a->names = sw_failures_new(AUTH_PER_NAME);
	a->all = sw_failures_new(AUTH_IN_ALL);
	a->tokens = sw_failures_new(AUTH_TOKENS);
	r = sw_sessions_new(d->state_dir, &a->sessions, &err);
	/* A disk that is full or read-only is no reason to show nothing. */
	if (r < 0) {
		SW_ERROR(LOG, "%s; going on with a key in memory: sessions end with this process", err.text);
		r = sw_sessions_new(NULL, &a->sessions, &err);
	}
	return r;
}

void dash_auth_free(struct dash *d)
{
	struct auth *a = SW_TAKE(d->auth);

	if (!a)
		return;
	dash_check_end(a);
	sw_sessions_free(a->sessions);
	sw_failures_free(a->addresses);
	sw_failures_free(a->names);
	sw_failures_free(a->all);
	sw_failures_free(a->tokens);
	free(a);
}

static bool from_proxy(const struct dash_setup *s, const struct sw_http_req *req)
{
	return req->addr && (req->addr->local || sw_nets_has(s->trusted, req->addr->ip));
}

void dash_client(struct page *p, unsigned char ip[16], char *text, size_t size)
{
	sw_client_ip(p->req, dash_visit(p)->setup->trusted, ip);
	sw_ip_print(ip, text, size);
}

/* ---- the door ---- */

/* "name:8081" → its name; an address in brackets without them. False: that is no host. */
static bool host_name(const char *s, size_t n, char *out, size_t size)
{
	const char *end;

	if (n && s[0] == '[') {
		end = memchr(s, ']', n);
		if (!end || (size_t)(end - s) >= size)
			return false;
		memcpy(out, s + 1, (size_t)(end - s - 1));
		out[end - s - 1] = '\0';
		return true;
	}
	end = memchr(s, ':', n);
	n = end ? (size_t)(end - s) : n;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

/* The host of a URL is that one? */
static bool host_of_url(const char *url, const char *host)
{
	const char *s = url ? strstr(url, "://") : NULL;
	char own[256];

	return s && host_name(s + 3, strcspn(s + 3, "/?#"), own, sizeof own) && strcasecmp(own, host) == 0;
}

static bool host_is_loopback(const char *host)
{
	unsigned char ip[16];
	static const unsigned char six[16] = { [15] = 1 };

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (!sw_ip_parse(host, strlen(host), ip))
		return false;
	return memcmp(ip, six, 16) == 0 || (strchr(host, '.') && !strchr(host, ':') && ip[12] == 127);
}

int dash_auth_door(struct dash *d, const struct sw_http_req *req, const char **why)
{
	const struct sw_config *cfg = d->setup->cfg;
	const char *value = sw_http_header(req, "host");
	unsigned char ip[16];
	char host[256];

	*why = "this is not the name of this server; public_url in the configuration says it";
	if (sw_streq(req->path, "/health") || (sw_streq(req->path, "/metrics") && !sw_config_dashboard_open(&cfg->dashboard)))
		return 0;
	/* A proxy may ask under a name of its own; but without users a browser of this machine could be taken for one. */
	if (from_proxy(d->setup, req) && (req->addr->local || !sw_config_dashboard_open(&cfg->dashboard)))
		return 0;
	if (!value || !host_name(value, strlen(value), host, sizeof host))
		return 421;
	if (host_is_loopback(host) || host_of_url(cfg->public_url, host))
		return 0;
	if (sw_config_dashboard_open(&cfg->dashboard))
		return 421;
	/* With an address nobody's DNS was asked; without a public_url nobody said which name is right. */
	return !cfg->public_url || sw_ip_parse(host, strlen(host), ip) ? 0 : 421;
}

/* ---- who ---- */

static int who_token(struct page *p, const char *token, const char **why)
{
	const struct sw_conf_dashboard *c = &p->cfg->dashboard;
	const struct sw_conf_token *found = NULL;
	unsigned char ip[16];
	char text[64];

	token += strspn(token, " ");
	for (size_t i = 0; i < c->n_tokens; i++)
		if (sw_secret_equal(c->tokens[i].token, strlen(c->tokens[i].token), token, strlen(token)))
			found = &c->tokens[i];
	if (found) {
		p->who = (struct sw_who){ .name = found->name, .role = found->role ? SW_ROLE_OPERATOR : SW_ROLE_VIEWER, .csrf = "", .token = true };
		return 0;
	}
	dash_client(p, ip, text, sizeof text);
	*why = "no such token";
	if (!sw_failures_add(p->d->auth->tokens, ip, sw_loop_mono(p->d->loop)))
		return 401;
	*why = "too many wrong tokens, try again in a minute";
	sw_metric_add(p->d->meters.limited, NULL, 1);
	return 429;
}

static bool in_list(const char *const *list, const char *word)
{
	for (; list && *list; list++)
		if (sw_streq(*list, word))
			return true;
	return false;
}

/* "viewer, operator" holds operator. */
static bool says_operator(const char *s)
{
	while (s && *s) {
		size_t n;

		s += strspn(s, " ,;\t");
		n = strcspn(s, " ,;\t");
		if (n == 8 && strncasecmp(s, "operator", 8) == 0)
			return true;
		s += n;
	}
	return false;
}

/* Return: 0 and p->who is set or nobody; a status with *why. */
static int who_proxy(struct page *p, const char **why)
{
	const struct sw_conf_dashboard *c = &p->cfg->dashboard;
	const char *name = sw_http_header(p->req, c->user_header);
	SW_CLEANUP(sw_buf_fini) struct sw_buf clean = SW_BUF_INIT;
	bool op;

	if (!name || !*name)
		return 0;
	sw_utf8_clean(&clean, name, strlen(name), true);
	if (sw_http_header_count(p->req, c->user_header) != 1 || strlen(name) > WHO_BYTES || strcmp(sw_buf_str(&clean), name) != 0) {
		*why = "the proxy's header says no name";
		return 400;
	}
	op = c->role_header ? says_operator(sw_http_header(p->req, c->role_header)) : in_list((const char *const *)c->operators, name);
	name = sw_arena_strdup(&p->a, name);
	p->who = (struct sw_who){ .name = name, .role = op ? SW_ROLE_OPERATOR : SW_ROLE_VIEWER };
	p->who.csrf = sw_session_csrf(p->d->auth->sessions, sw_arena_printf(&p->a, "proxy %s", name), &p->a);
	return 0;
}

static void who_session(struct page *p)
{
	const char *cookie = dash_cookie(p, SW_SESSION_COOKIE);
	const struct sw_conf_user *user;
	char id[SW_SESSION_ID];

	if (!cookie)
		return;
	user = sw_session_user(p->d->auth->sessions, &p->cfg->dashboard, cookie, sw_loop_wall(p->d->loop), id);
	if (!user)
		return;
	p->who = (struct sw_who){ .name = user->name, .role = user->role ? SW_ROLE_OPERATOR : SW_ROLE_VIEWER, .session = true, .id = sw_arena_strdup(&p->a, id) };
	p->who.csrf = sw_session_csrf(p->d->auth->sessions, p->who.id, &p->a);
}

int dash_auth_who(struct page *p, const char **why)
{
	const struct sw_conf_dashboard *c = &p->cfg->dashboard;
	const char *authorization = sw_http_header(p->req, "authorization");
	int r = 0;

	p->who = (struct sw_who){ .csrf = "" };
	if (authorization && strncasecmp(authorization, "bearer ", 7) == 0)
		return who_token(p, authorization + 7, why);
	if (c->user_header && from_proxy(dash_visit(p)->setup, p->req))
		r = who_proxy(p, why);
	if (r == 0 && !p->who.name && c->n_users)
		who_session(p);
	if (r == 0 && !p->who.name && sw_config_dashboard_open(c)) {
		p->who = (struct sw_who){ .name = "local", .role = SW_ROLE_OPERATOR };
		p->who.csrf = sw_session_csrf(p->d->auth->sessions, "local", &p->a);
	}
	return r;
}

/* ---- forms ---- */

/* "https://host[:port]" is where this page was got from. */
static bool origin_is_ours(struct page *p, const char *origin)
{
	const char *host = sw_http_header(p->req, "host"), *url = p->cfg->public_url, *rest = strstr(origin, "://");
	size_t n = url ? strcspn(strstr(url, "://") + 3, "/") + (size_t)(strstr(url, "://") + 3 - url) : 0;

	if (url && strlen(origin) == n && strncasecmp(origin, url, n) == 0)
		return true;
	return rest && host && (sw_starts(origin, "https://") || sw_starts(origin, "http://")) && strcasecmp(rest + 3, host) == 0;
}

const char *dash_auth_form(struct page *p)
{
	const char *origin = sw_http_header(p->req, "origin"), *site = sw_http_header(p->req, "sec-fetch-site"), *csrf;

	if (p->who.token)
		return NULL;
	if (!origin && !site)
		return W(p, "The request does not say which page it comes from (Origin). Programs use a token.", "请求未说明来自哪个页面（Origin）。程序请使用令牌。");
	if ((origin && !origin_is_ours(p, origin)) || (site && strcmp(site, "same-origin") != 0) || (!origin && !sw_streq(site, "same-origin")))
		return W(p, "The form was sent by a page of another site. Nothing was done.", "表单由其他网站的页面发送，未执行任何操作。");
	if (!p->who.name)
		return NULL; /* signing in: there is nothing yet that another site could use */
	csrf = sw_page_form(p, "csrf");
	if (!csrf || !sw_secret_equal(csrf, strlen(csrf), p->who.csrf, strlen(p->who.csrf)))
		return W(p, "The form is too old, or not of this session. Nothing was done; please load the page again.", "表单已过期或不属于当前会话，未执行任何操作。请重新加载页面。");
	return NULL;
}
