/*
 * check --online: a configuration that loads may still hold a token that expired or an address with a typing error. Everything is asked by
 * GET alone, so nothing is sent, started or changed; what cannot be seen that way is said.
 */
#include "cli/online.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "bus/address.h"
#include "bus/redis.h"
#include "bus/sentinel.h"
#include "cli/http.h"
#include "shipwatch/clock.h"
#include "shipwatch/plugin.h"

#define REPOS_MOST 50
#define REDIS_MAX  (2 * SW_SECOND)
#define NODES_MOST 20000
#define DEVELOPER  30 /* GitLab's number of the role that may run pipelines */

struct online {
	const struct sw_config *cfg;
	struct sw_arena a;
	unsigned warnings, errors;
};

/* One host that is asked: of a source, or of an action. */
struct look {
	const char *who;           /* "source gitlab" */
	const char *url, *token;
	const char *const *scopes; /* NULL-ended: one of them is needed */
	const char *want;          /* what to make a new token with */
	const char **repos;        /* of which it is asked; n of them */
	size_t n;
	bool acts;
};

static void say(const char *word, const char *fmt, va_list ap) SW_PRINTF(2, 0);
static void ok(const char *fmt, ...) SW_PRINTF(1, 2);
static void warning(struct online *o, const char *fmt, ...) SW_PRINTF(2, 3);
static void wrong(struct online *o, const char *fmt, ...) SW_PRINTF(2, 3);

static void say(const char *word, const char *fmt, va_list ap)
{
	(void)printf("%s ", word);
	(void)vprintf(fmt, ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void ok(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("ok     ", fmt, ap);
	va_end(ap);
}

static void warning(struct online *o, const char *fmt, ...)
{
	va_list ap;

	o->warnings++;
	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

static void wrong(struct online *o, const char *fmt, ...)
{
	va_list ap;

	o->errors++;
	va_start(ap, fmt);
	say("error  ", fmt, ap);
	va_end(ap);
}

/* "https://host:port" of an address: what may be shown of one that holds a secret. */
static const char *origin(struct online *o, const char *url)
{
	const char *p = strstr(url, "://"), *host = p ? p + 3 : url, *at;
	size_t n = strcspn(host, "/?#");

	at = memrchr(host, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return sw_arena_printf(&o->a, "%.*s%.*s", p ? (int)(p + 3 - url) : 0, url, (int)n, host);
}

/* Something was answered. False: told. */
static bool get(struct online *o, const char *who, const struct sw_job *job, struct sw_result *ret)
{
	struct sw_err err = SW_ERR_INIT;

	*ret = (struct sw_result){ .body = "" };
	if (sw_cli_http(o->cfg, job, &o->a, ret, &err) == 0 && ret->fault == SW_FAULT_NONE)
		return true;
	wrong(o, "%s: no answer from %s: %s (is the address right, can this machine reach it?)", who, origin(o, job->url),
	      err.text[0] ? err.text : ret->detail ? ret->detail : "the connection broke");
	return false;
}

static const struct sw_jnode *body(struct online *o, const struct sw_result *res)
{
	struct sw_jnode *root = NULL;

	return res->body_n && sw_jtree_parse(&o->a, res->body, res->body_n, NODES_MOST, &root, NULL) == 0 ? root : NULL;
}

/* Address of a host followed by a path, and a repository where one belongs behind that; whole: its slashes are encoded too (GitLab). */
static const char *address(struct online *o, const struct look *l, const char *path, const char *repo, bool whole)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(l->url), owner = repo && !whole ? strcspn(repo, "/") : 0;

	while (n && l->url[n - 1] == '/')
		n--;
	sw_buf_catn(&b, l->url, n);
	sw_buf_cat(&b, path);
	if (repo && !whole && repo[owner]) {
		sw_pct_encode(&b, repo, owner);
		sw_buf_putc(&b, '/');
		repo += owner + 1;
	}
	if (repo)
		sw_pct_encode(&b, repo, strlen(repo));
	return sw_arena_strdup(&o->a, sw_buf_str(&b));
}

static bool has_scope(const struct look *l, const char *scope, size_t n)
{
	for (size_t i = 0; l->scopes[i]; i++)
		if (strlen(l->scopes[i]) == n && strncmp(l->scopes[i], scope, n) == 0)
			return true;
	return false;
}

/* The answer about a repository or token, where it is not a good one. True: told. */
static bool refused(struct online *o, const struct look *l, const char *repo, const struct sw_result *res)
{
	if (res->status >= 200 && res->status < 300)
		return false;
	if (res->status == 401)
		wrong(o, "%s: %s does not take the token: expired, revoked, or of another server (make a new one with %s)", l->who, origin(o, l->url), l->want);
	else if (res->status == 404 && repo)
		wrong(o, "%s: %s is not there, or the token may not see it (is the path right, is the token of that project?)", l->who, repo);
	else if (res->status == 429)
		warning(o, "%s: %s limits how often it is asked, try again later", l->who, origin(o, l->url));
	else if (res->status == 403)
		wrong(o, "%s: the token may not read %s: HTTP status 403 (make a new one with %s)", l->who, repo ? repo : "who it belongs to", l->want);
	else
		wrong(o, "%s: %s answers HTTP status %d (is this the address of its API?)", l->who, origin(o, l->url), res->status);
	return true;
}

/* ---- GitLab ---- */

static void gitlab_job(struct look *l, const char *url, struct sw_job *ret)
{
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = url };
	sw_job_header(ret, "Accept", "application/json");
	sw_job_header(ret, "PRIVATE-TOKEN", l->token);
}

/* Is the token taken, and may it do what is needed? False: told, and there is nothing more to ask. */
static bool gitlab_token(struct online *o, struct look *l)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf has = SW_BUF_INIT;
	const struct sw_jnode *root, *scopes;
	struct sw_result res;
	struct sw_job job;
	bool enough = false;

	gitlab_job(l, address(o, l, "/api/v4/personal_access_tokens/self", NULL, false), &job);
	if (!get(o, l->who, &job, &res))
		return false;
	if (res.status == 403 || res.status == 404) {
		warning(o, "%s: %s does not tell the scopes of this token (want %s)", l->who, origin(o, l->url), l->want);
		return true;
	}
	if (refused(o, l, NULL, &res))
		return false;
	root = body(o, &res);
	scopes = sw_jget(root, "scopes");
	if (!scopes || scopes->type != SW_J_ARRAY) {
		wrong(o, "%s: %s does not answer as a GitLab does (is this its address, without /api?)", l->who, origin(o, l->url));
		return false;
	}
	for (const struct sw_jnode *s = scopes->child; s; s = s->next) {
		if (s->type != SW_J_STRING)
			continue;
		sw_buf_printf(&has, "%s%s", has.n ? ", " : "", s->text);
		enough |= has_scope(l, s->text, strlen(s->text));
	}
	if (!enough) {
		wrong(o, "%s: the token has the scopes %s (make a new one with %s)", l->who, has.n ? sw_buf_str(&has) : "none", l->want);
		return false;
	}
	ok("%s: the token is taken, scopes %s%s%s", l->who, sw_buf_str(&has), sw_jstr(root, "expires_at") ? ", until " : "",
	   sw_jstr(root, "expires_at") ? sw_jstr(root, "expires_at") : "");
	return true;
}

static void gitlab_repo(struct online *o, struct look *l, const char *repo)
{
	const struct sw_jnode *may;
	struct sw_result res;
	struct sw_job job;
	int64_t role;

	gitlab_job(l, address(o, l, "/api/v4/projects/", repo, true), &job);
	if (!get(o, l->who, &job, &res) || refused(o, l, repo, &res))
		return;
	may = sw_jget(body(o, &res), "permissions");
	role = SW_MAX(sw_jint(sw_jget(may, "project_access"), "access_level", 0), sw_jint(sw_jget(may, "group_access"), "access_level", 0));
	if (l->acts && role > 0 && role < DEVELOPER)
		wrong(o, "%s: the token's role in %s is lower than Developer, it can start nothing there (make one with the role Developer or higher)", l->who, repo);
	else
		ok("%s: %s is there", l->who, repo);
}

static void gitlab_look(struct online *o, struct look *l)
{
	if (gitlab_token(o, l))
		for (size_t i = 0; i < l->n; i++)
			gitlab_repo(o, l, l->repos[i]);
}

/* ---- GitHub ---- */

/* Scopes as the header of every answer to a classic token has them. True: enough, or a token that shows none. */
static bool github_scopes(struct online *o, const struct look *l, const char *text)
{
	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, ", ");

		if (has_scope(l, p, n))
			return true;
		p += n;
		p += strspn(p, ", ");
	}
	if (text)
		wrong(o, "%s: the token has the scopes %s (make a new one with %s)", l->who, *text ? text : "none", l->want);
	return !text;
}

static void github_look(struct online *o, struct look *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct sw_job job = { .kind = SW_JOB_HTTP, .method = "GET", .url = address(o, l, "/repos/", l->repos[i], false) };
		struct sw_result res;
		const char *scopes;

		sw_job_header(&job, "Accept", "application/vnd.github+json");
		sw_job_header(&job, "X-GitHub-Api-Version", "2022-11-28");
		sw_job_header(&job, "Authorization", sw_arena_printf(&o->a, "Bearer %s", l->token));
		if (!get(o, l->who, &job, &res))
			return;
		if (refused(o, l, l->repos[i], &res)) {
			if (res.status == 404)
				continue;
			return;
		}
		if (!sw_jstr(body(o, &res), "full_name")) {
			wrong(o, "%s: %s does not answer as GitHub's API does (of GitHub Enterprise it is https://<host>/api/v3)", l->who, origin(o, l->url));
			return;
		}
		scopes = sw_result_header(&res, "x-oauth-scopes");
		if (!github_scopes(o, l, scopes))
			return;
		if (scopes)
			ok("%s: the token is taken, scopes %s; %s is there", l->who, scopes, l->repos[i]);
		else
			ok("%s: the token is taken, %s is there (a fine-grained token: what it may do is not told; want %s)", l->who, l->repos[i], l->want);
	}
}

/* ---- Gitea ---- */

static void gitea_look(struct online *o, struct look *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct sw_job job = { .kind = SW_JOB_HTTP, .method = "GET", .url = address(o, l, "/api/v1/repos/", l->repos[i], false) };
		struct sw_result res;

		sw_job_header(&job, "Accept", "application/json");
		sw_job_header(&job, "Authorization", sw_arena_printf(&o->a, "token %s", l->token));
		if (!get(o, l->who, &job, &res))
			return;
		if (!refused(o, l, l->repos[i], &res))
			ok("%s: the token is taken, %s is there", l->who, l->repos[i]);
		else if (res.status != 404)
			return;
	}
}

/* ---- what there is to ask ---- */

static void look(struct online *o, const char *kind, struct look *l)
{
	if (!l->n && !sw_streq(kind, "gitlab"))
		warning(o, "%s: no repository is known by its name, the token is not tried (`repo:` of a service)", l->who);
	else if (sw_streq(kind, "gitlab"))
		gitlab_look(o, l);
	else if (sw_streq(kind, "github"))
		github_look(o, l);
	else
		gitea_look(o, l);
}

static void add_repo(struct look *l, const char *repo)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcasecmp(l->repos[i], repo) == 0)
			return;
	if (l->n < REPOS_MOST && !strpbrk(repo, "*?[{"))
		l->repos[l->n++] = repo;
}

/* May this place's events come from there? A match that names a source says so. */
static bool place_of(const struct sw_place *p, const char *source)
{
	bool said = false, fits = false;

	for (size_t i = 0; i < p->n_matches; i++) {
		said |= p->matches[i].source != NULL;
		fits |= p->matches[i].source && sw_streq(p->matches[i].source, source);
	}
	return fits || !said;
}

static void sources(struct online *o)
{
	static const char *const gitlab[] = { "read_api", "api", NULL }, *const github[] = { "repo", "public_repo", NULL };

	for (size_t i = 0; i < o->cfg->n_sources; i++) {
		const struct sw_conf_source *s = &o->cfg->sources[i];
		bool is_gitlab = sw_streq(s->kind, "gitlab"), is_github = sw_streq(s->kind, "github");
		struct look l = { .who = sw_arena_printf(&o->a, "source %s", s->name), .url = s->api.url ? s->api.url : s->plugin->api, .token = s->api.token,
			          .scopes = is_gitlab ? gitlab : github, .repos = SW_ARENA_ARRAY(&o->a, const char *, REPOS_MOST) };

		l.want = is_gitlab ? "the scope read_api" : is_github ? "the scope repo, or Contents: read" : "the scope read:repository";
		if (!l.token || !l.url || !(is_gitlab || is_github || sw_streq(s->kind, "gitea")))
			continue;
		for (size_t k = 0; k < o->cfg->places.n; k++)
			for (const char **r = o->cfg->places.items[k].repos; r && *r && place_of(&o->cfg->places.items[k], s->name); r++)
				add_repo(&l, *r);
		look(o, s->kind, &l);
	}
}

static void actions(struct online *o)
{
	for (size_t i = 0; i < o->cfg->n_actions; i++) {
		const struct sw_conf_action *x = &o->cfg->actions[i];
		struct look l = { .who = sw_arena_printf(&o->a, "action %s", x->name), .acts = true, .repos = SW_ARENA_ARRAY(&o->a, const char *, REPOS_MOST) };
		struct sw_asks asks = { 0 };

		if (!x->plugin->asks)
			continue;
		x->plugin->asks(x->conf, &asks);
		if (!asks.token) {
			ok("%s: a trigger token cannot be looked at, only used; nothing was asked", l.who);
			continue;
		}
		l.url = asks.url;
		l.token = asks.token;
		l.scopes = asks.scopes;
		l.want = sw_streq(x->kind, "gitlab") ? "the scope api" :
		         sw_arena_printf(&o->a, "the scope %s, or the permissions of docs/actions.md", asks.scopes[0]);
		add_repo(&l, asks.project);
		for (size_t k = 0; k < o->cfg->places.n && sw_streq(asks.project, "{repo}"); k++)
			for (const char **r = o->cfg->places.items[k].repos; r && *r && sw_streq(o->cfg->places.items[k].rollback, x->name); r++)
				add_repo(&l, *r);
		look(o, x->kind, &l);
	}
}

/* The status alone: what version answers, and whether that is the right one, is found out in a watch. */
static void healths(struct online *o)
{
	for (size_t i = 0; i < o->cfg->places.n; i++) {
		const struct sw_place *p = &o->cfg->places.items[i];
		const char *who = sw_arena_printf(&o->a, "health of %s/%s", p->service, p->environment);
		struct sw_job job = { .kind = SW_JOB_HTTP, .method = "GET", .url = p->health.url, .timeout = p->health.timeout };
		struct sw_err err = SW_ERR_INIT;
		struct sw_result res = { .body = "" };

		if (!p->health.url || strchr(p->health.url, '{'))
			continue;
		if (sw_cli_http(o->cfg, &job, &o->a, &res, &err) < 0 || res.fault != SW_FAULT_NONE)
			warning(o, "%s: no answer from %s: %s (a watch would fail; is the address right?)", who, origin(o, p->health.url),
			        err.text[0] ? err.text : res.detail ? res.detail : "the connection broke");
		else if (res.status < p->health.status_min || res.status > p->health.status_max)
			warning(o, "%s: answers HTTP status %d, want %d to %d (is it up, is this the right page? `status:` says what is well)", who, res.status,
			        p->health.status_min, p->health.status_max);
		else
			ok("%s: HTTP status %d in %lld ms", who, res.status, (long long)res.took);
	}
}

/* Only whether its host answers: a robot tells whether it knows an address when it is sent a message, and not before. */
static void channels(struct online *o)
{
	for (size_t i = 0; i < o->cfg->n_channels; i++) {
		const struct sw_conf_channel *ch = &o->cfg->channels[i];
		const char *who = sw_arena_printf(&o->a, "channel %s", ch->name);
		struct sw_alert al = { .id = "test", .delivery = "test", .news = SW_NEWS_FIRING, .rule = "test", .summary = "test", .service = "test",
			               .environment = "test", .fired_at = sw_clock_wall(), .locale = ch->locale };
		struct sw_err err = SW_ERR_INIT;
		struct sw_job job = { 0 }, ask;
		struct sw_result res;

		if (ch->plugin->render(ch->conf, &al, SW_SIZE_FULL, 0, sw_clock_wall(), &o->a, &job, &err) < 0) {
			wrong(o, "%s: %s", who, err.text);
			continue;
		}
		if (job.kind == SW_JOB_MAIL)
			ok("%s: a mail server is only asked when it is sent something (`shipwatch send %s` does)", who, ch->name);
		if (job.kind != SW_JOB_HTTP)
			continue;
		ask = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = sw_arena_printf(&o->a, "%s/", origin(o, job.url)) };
		if (get(o, who, &ask, &res))
			ok("%s: %s answers; nothing was sent (`shipwatch send %s` sends a real message)", who, origin(o, job.url), ch->name);
	}
}

/* ---- Redis ---- */

struct redis { bool up, down; char why[512]; };

static void redis_state(void *arg, bool up, const char *why)
{
	struct redis *r = arg;

	r->up = up;
	r->down = !up;
	(void)snprintf(r->why, sizeof r->why, "%s", why ? why : "");
}

static void redis_late(void *arg) { ((struct redis *)arg)->down = true; }

/* Signs in and asks whether it is there, no more: as to a foreign one, in which nothing is made. */
static void redis_look(struct online *o, const char *who, const char *url)
{
	struct redis r = { .why = "no answer" };
	struct sw_client *c = NULL;
	struct sw_loop *loop = NULL;
	struct sw_timer late = { 0 };
	struct sw_err err = SW_ERR_INIT;
	int rc = sw_loop_new(&loop);

	if (rc == 0)
		rc = sw_client_new(loop, &(struct sw_client_options){ .url = url, .timeout = REDIS_MAX, .foreign = true }, &c, &err);
	if (rc == 0) {
		(void)sw_link_new(c, redis_state, NULL, &r);
		sw_timer_init(&late, loop, redis_late, &r);
		sw_timer_set(&late, SW_SENTINELS_MAX * SW_SENTINEL_LIMIT + 2 * REDIS_MAX);
		while (!r.up && !r.down && rc == 0)
			rc = sw_loop_turn(loop, true);
		sw_timer_stop(&late);
	}
	if (rc < 0)
		wrong(o, "%s: %s", who, err.text[0] ? err.text : strerror(-rc));
	else if (r.up)
		ok("%s: it answers%s%s", who, r.why[0] ? ": " : "", r.why);
	else
		wrong(o, "%s: it is not reached: %s", who, r.why);
	sw_client_free(c);
	sw_loop_free(loop);
}

static void redis_all(struct online *o)
{
	const struct sw_config *cfg = o->cfg;

	if (cfg->redis_url)
		redis_look(o, "redis", cfg->redis_url);
	for (size_t i = 0; i < cfg->n_sources; i++)
		if (cfg->sources[i].queue)
			redis_look(o, sw_arena_printf(&o->a, "source %s: its Redis", cfg->sources[i].name), cfg->sources[i].queue->url);
}

int sw_online(const struct sw_config *cfg, bool strict)
{
	struct online o = { .cfg = cfg };

	redis_all(&o);
	sources(&o);
	actions(&o);
	healths(&o);
	channels(&o);
	(void)printf("online: %u error%s, %u warning%s\n", o.errors, o.errors == 1 ? "" : "s", o.warnings, o.warnings == 1 ? "" : "s");
	sw_arena_fini(&o.a);
	return o.errors || (strict && o.warnings) ? -1 : 0;
}
