/* Signing in and out. Wrong name and wrong password look the same and take the same time; every outcome is a line of the log. */
#include <string.h>

#include "base/hmac.h"
#include "base/passwd.h"
#include "base/str.h"
#include "dashboard/auth.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "dashboard"

/* What a sign-in that waits for its password keeps; in the page's arena. */
struct signing { const struct sw_conf_user *user; const char *name, *next; unsigned char ip[16], key[16]; char from[64]; };

static void sign_page(struct page *p, int status, const char *wrong, const char *name, const char *next)
{
	struct sw_buf *b = &p->out;

	p->http = status;
	sw_page_begin(p, "", W(p, "Sign in", "登录"));
	if (!p->cfg->dashboard.n_users) {
		sw_html(b, "<div class=\"card sign\"><p>%s</p></div>\n",
		        W(p, "Who you are is said by the proxy in front of Shipwatch, and it did not say it. Please open this page by its address.",
		          "用户身份由 Shipwatch 前端的代理提供，但此请求未包含身份信息。请通过代理地址访问。"));
		sw_page_end(p);
		return;
	}
	sw_buf_cat(b, "<form class=\"card form sign\" method=\"post\" action=\"/sign-in\">\n");
	if (wrong)
		sw_html(b, "<p class=\"banner bad\" role=\"alert\">%s</p>\n", wrong);
	sw_html(b, "<input type=\"hidden\" name=\"next\" value=\"%s\">\n", next);
	sw_html(b, "<label><span>%s</span><input name=\"name\" value=\"%s\" autocomplete=\"username\" required maxlength=\"64\" autocapitalize=\"none\" spellcheck=\"false\"></label>\n",
	        W(p, "Name", "用户名"), name);
	sw_html(b, "<label><span>%s</span><input name=\"password\" type=\"password\" autocomplete=\"current-password\" required maxlength=\"%d\"></label>\n",
	        W(p, "Password", "密码"), SW_PASSWD_MAX);
	sw_html(b, "<div><button class=\"primary\">%s</button></div>\n</form>\n", W(p, "Sign in", "登录"));
	sw_page_end(p);
}

static void sign_form(struct page *p)
{
	const char *next = dash_next(sw_page_query(p, "next"));

	if (p->who.name)
		dash_see(p, next);
	else
		sign_page(p, 200, NULL, "", next);
}

static void sign_wrong(struct page *p, const struct signing *s, bool count)
{
	struct auth *a = p->d->auth;
	static const unsigned char everybody[16] = { 1 };
	sw_dur now = sw_loop_mono(p->d->loop);
	char quoted[200];

	if (count) {
		(void)sw_failures_add(a->addresses, s->ip, now);
		(void)sw_failures_add(a->names, s->key, now);
		(void)sw_failures_add(a->all, everybody, now);
	}
	SW_METRIC_INC(p->d->meters.signins, "wrong");
	SW_WARN(LOG, "sign-in refused: %s from %s", sw_err_quote(s->name, strlen(s->name), quoted, sizeof quoted), s->from);
	sign_page(p, 401, W(p, "The name or the password is wrong.", "用户名或密码错误。"), s->name, s->next);
}

static void sign_checked(void *arg, int outcome)
{
	struct page *p = arg;
	struct visit *v = dash_visit(p);
	struct signing *s = v->state;
	const struct sw_conf_user *user = s->user;

	v->gone = NULL;
	if (outcome == CHECK_FAILED) {
		SW_METRIC_INC(p->d->meters.signins, "failed");
		sign_page(p, 503, W(p, "The password could not be checked, please try again.", "无法验证密码，请重试。"), s->name, s->next);
	} else if (outcome == CHECK_NO || !user) {
		sign_wrong(p, s, true);
	} else {
		dash_set_cookie(p, SW_SESSION_COOKIE, sw_session_new(p->d->auth->sessions, user, sw_loop_wall(p->d->loop), &p->a),
		                sw_arena_printf(&p->a, "%lld", (long long)(p->cfg->dashboard.session / SW_SECOND)));
		SW_METRIC_INC(p->d->meters.signins, "done");
		SW_INFO(LOG, "signed in: %s (%s) from %s", user->name, user->role ? "operator" : "viewer", s->from);
		dash_see(p, s->next);
	}
	dash_answer(p);
}

static void sign_given_up(struct visit *v)
{
	dash_check_forget(v->p.d->auth, &v->p);
}

/* An unknown name costs what a known one does: the hash of somebody, always the same for that name. */
static const char *sign_hash(struct page *p, const struct sw_conf_user *user, const unsigned char key[16])
{
	const struct sw_conf_dashboard *c = &p->cfg->dashboard;

	return user ? user->password_hash : c->users[key[3] % c->n_users].password_hash;
}

static void sign_in(struct page *p)
{
	static const unsigned char everybody[16] = { 1 };
	const char *name = sw_page_form(p, "name"), *password = sw_page_form(p, "password");
	struct auth *a = p->d->auth;
	struct signing *s = SW_ARENA_NEW(&p->a, struct signing);
	sw_dur now = sw_loop_mono(p->d->loop);

	s->name = name ? name : "";
	s->next = dash_next(sw_page_form(p, "next"));
	dash_client(p, s->ip, s->from, sizeof s->from);
	sw_failures_key(s->name, s->key);
	if (!p->cfg->dashboard.n_users) {
		sign_page(p, 404, NULL, "", s->next);
		return;
	}
	if (sw_failures_over(a->addresses, s->ip, now) || sw_failures_over(a->names, s->key, now) || sw_failures_over(a->all, everybody, now)) {
		SW_METRIC_INC(p->d->meters.signins, "limited");
		sw_metric_add(p->d->meters.limited, NULL, 1);
		SW_WARN(LOG, "sign-in not tried: too many failures, from %s", s->from);
		dash_header(p, "Retry-After", "60");
		sign_page(p, 429, W(p, "Too many wrong tries. Please wait a minute.", "错误次数过多，请等待一分钟。"), s->name, s->next);
		return;
	}
	if (!name || !*name || !password || !*password || strlen(password) > SW_PASSWD_MAX || strlen(name) > 200) {
		sign_wrong(p, s, true);
		return;
	}
	for (size_t i = 0; i < p->cfg->dashboard.n_users; i++)
		if (sw_streq(p->cfg->dashboard.users[i].name, name))
			s->user = &p->cfg->dashboard.users[i];
	dash_visit(p)->state = s;
	if (!dash_check(a, password, sign_hash(p, s->user, s->key), sign_checked, p)) {
		dash_header(p, "Retry-After", "2");
		sign_page(p, 503, W(p, "Too many sign in at once, please try again.", "同时登录的人过多，请重试。"), s->name, s->next);
		return;
	}
	dash_visit(p)->gone = sign_given_up;
	dash_later(p);
}

static void sign_out(struct page *p)
{
	if (p->who.session) {
		int r = sw_session_end(p->d->auth->sessions, &p->cfg->dashboard, p->who.id, sw_loop_wall(p->d->loop));

		if (r < 0)
			SW_WARN(LOG, "dashboard.out: %s; a restart would not know that this session was signed out", strerror(-r));
		SW_INFO(LOG, "signed out: %s", p->who.name);
	}
	dash_set_cookie(p, SW_SESSION_COOKIE, "", "0");
	dash_see(p, "/sign-in");
}

const struct route sw_routes_sign[] = {
	{ "GET", "/sign-in", SW_ROLE_NOBODY, 0, sign_form },
	{ "POST", "/sign-in", SW_ROLE_NOBODY, 0, sign_in },
	{ "POST", "/sign-out", SW_ROLE_VIEWER, 0, sign_out },
	{ 0 },
};
