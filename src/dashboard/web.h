/*
 * What the files of the dashboard share: the process, who asks, and how a page is written.
 *
 *   request ─▶ router (routes.c) ─▶ who is it (auth.c) ─▶ [ask Redis what the route needs] ─▶ handler ─▶ answer
 *
 * A handler runs once, with everything it needs at hand, and fills p->out; it does no I/O but reading the store. Pages are whole without
 * JavaScript. Nothing from outside reaches a page but through sw_html_text and its kin.
 */
#ifndef SW_DASHBOARD_WEB_H
#define SW_DASHBOARD_WEB_H

#include "base/html.h"
#include "base/json.h"
#include "bus/bus.h"
#include "config/config.h"
#include "dashboard/store.h"
#include "io/http_server.h"

struct dash;

enum sw_role { SW_ROLE_NOBODY, SW_ROLE_VIEWER, SW_ROLE_OPERATOR };
struct sw_who {
	const char *name;          /* NULL: nobody signed in */
	enum sw_role role;
	const char *csrf;          /* token of the forms of this session, "" without one */
	bool session;              /* by a cookie: it can be signed out */
	bool token;                /* a program's */
	const char *id;            /* of the session */
};

/*
 * What is asked of Redis before a handler runs. STATUS: as `shipwatch status --json` has it (every page of HTML has it, for its banners).
 * DEAD: an array of the newest 100, from ?from=<id of the last one seen> on; with an id in the path that one letter, whole. SILENCES: an array.
 */
enum { SW_NEEDS_STATUS = 1, SW_NEEDS_DEAD = 2, SW_NEEDS_SILENCES = 4 };

struct page {
	struct dash *d;
	const struct sw_config *cfg;
	struct sw_store *store;            /* NULL: there is no history yet; why says so */
	const char *why;
	struct sw_http_req *req;
	struct sw_who who;
	enum sw_locale locale;
	struct sw_arena a;                 /* lives as long as the request */
	sw_ms now;                         /* of Redis where it is known, else the wall clock */
	const char *id;                    /* the rest of the path of a route that ends in a slash: "/watches/" -> "1c33c4ae924e", unescaped; else NULL */
	/* what the route needed; NULL: Redis does not answer */
	const struct sw_jnode *status, *dead, *silences;
	const char *form;                  /* the body of a POST */
	size_t form_n;
	const char *theme;                 /* "light", "dark"; NULL: as the system has it */
	/* the answer */
	int http;                          /* 200 unless set */
	const char *type;                  /* text/html; charset=utf-8 unless set */
	const char *location;              /* 303 */
	bool charts;                       /* said before sw_page_begin: chart.js and charts.js are wanted */
	const char *cache;                 /* Cache-Control; no-store unless set */
	struct sw_buf out;
};

/* A value of the query string or of a form that was posted, unescaped, valid UTF-8, in p->a. NULL: not there. "" : empty. */
const char *sw_page_query(struct page *p, const char *name);
const char *sw_page_form(struct page *p, const char *name);

struct route {
	const char *method, *path;         /* a path that ends in '/' (but "/") takes one more part: p->id */
	enum sw_role role;                 /* least */
	unsigned needs;
	void (*run)(struct page *p);
};
/* NULL-ended tables: pages.c, api.c, decide.c, … */
extern const struct route sw_routes_pages[], sw_routes_api[], sw_routes_decide[], sw_routes_sign[];

/* ---- html.c: pieces of a page. Words in two languages are written in the source: W("Builds", "构建") ---- */

#define W(p, en, zh) ((p)->locale == SW_LOCALE_ZH ? (zh) : (en))
/* sw_html_text, sw_html_cut: text from anybody (base/html.h). */
/* printf with %s escaped as text; only %s %d %u %lld %c %% and a width. What is trusted goes by sw_buf_cat. */
void sw_html(struct sw_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A part of a URL: percent-encoded. */
void sw_html_url(struct sw_buf *b, const char *s);
/* <a href> to a URL of others, only http and https; else the words alone. */
void sw_html_link(struct sw_buf *b, const char *url, const char *words);
/* <time datetime="…">, in the configured zone; "3 min ago" is made of it by live.js. 0: a dash. */
void sw_html_time(struct page *p, sw_ms at);
void sw_html_dur(struct page *p, double ms);            /* "4 m 12 s"; negative: a dash */
void sw_html_sha(struct page *p, const char *sha);      /* 8 digits, whole in its title */
/* A word in its colour and its language, with a shape for who sees no colours: status, verdict, severity, state. */
void sw_html_badge(struct page *p, const char *word);
/* Head of a page: title, navigation with `here` marked, who is signed in, banners (no Redis, no history, everything on hold). */
void sw_page_begin(struct page *p, const char *here, const char *title);
void sw_page_end(struct page *p);
/* A form's hidden CSRF field. */
void sw_page_csrf(struct page *p);
/* Filters as a GET form above a list, and "older" below it that keeps them. names: of filters, NULL-ended. */
void sw_page_filters(struct page *p, const struct sw_list *list, const char *const *names);
void sw_page_older(struct page *p, const struct sw_rows *rows);
/* A whole page that says what is wrong. */
void sw_page_wrong(struct page *p, int http, const char *title, const char *detail);
/* Rows of a list with the filters of the query string; answers 400, 503 itself and returns false. */
bool sw_page_rows(struct page *p, const char *list, unsigned limit, struct sw_rows *ret);

#endif
