/*
 * What operators decide: each route takes a form, becomes a command (model/command.h) to the aggregate it is about, and leads back to the page
 * that the form stood on. The history hears of it by the journal, as it does of a command of the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "dashboard/auth.h"
#include "dashboard/deed.h"
#include "model/words.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG      "dashboard"
#define ID_BYTES 64

#define FOR_WRONG "for: want a length of time such as 2h, 30d at most"

enum { DECIDE_WAIT = 5000 /* ms */, SCOPE_BYTES = 200, SAME_SILENCE = 60000 };

/* ---- fields ---- */

static void wrong(struct deed *d, const char *words)
{
	dash_deed_say(d, 400, words);
}

/* An id of ours: digits, letters, '-'. */
static bool id_good(const char *s)
{
	return s && *s && strlen(s) <= ID_BYTES && !s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")];
}

/* A text that somebody typed: one line, nothing hidden in it; NULL when it is empty. */
static const char *field(struct page *p, const char *name)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *s = sw_page_form(p, name);
	size_t n, from = 0;

	if (!s)
		return NULL;
	sw_utf8_clean(&b, s, strlen(s), true);
	n = b.n;
	while (n && b.p[n - 1] == ' ')
		n--;
	while (from < n && b.p[from] == ' ')
		from++;
	return n > from ? sw_arena_strndup(&p->a, b.p + from, n - from) : NULL;
}

static const char *target(struct page *p, const char *kind, const char *id)
{
	char quoted[120];

	return sw_arena_printf(&p->a, "%s %s", kind, sw_err_quote(id ? id : "", id ? strlen(id) : 0, quoted, sizeof quoted));
}

/* Where the history says that a thing of this id is; NULLs when it says nothing. */
static void place_of(struct page *p, const char *list, const char *name, const char *id, const char **service, const char **environment)
{
	struct sw_rows rows = { 0 };
	struct sw_err err = SW_ERR_INIT;

	*service = *environment = NULL;
	if (!p->store || sw_list_get(p->store, list, 1, &p->a, &rows, &err, name, id, NULL) < 0 || !rows.n)
		return;
	*service = sw_row_text(&rows.rows[0], "service");
	*environment = sw_row_text(&rows.rows[0], "environment");
}

/* ---- approve, refuse ---- */

struct decision { bool yes; char id[SW_ID_SIZE]; };

static bool decided(struct deed *d)
{
	const struct decision *x = d->more;
	const struct sw_jnode *act = dash_deed_item(d);
	const char *state = sw_jstr(act, "state"), *by = sw_jstr(act, "decided_by"), *why = sw_jstr(act, "why");
	struct page *p = d->p;
	bool yes = sw_jbool(act, "approved", false), mine = sw_streq(sw_jstr(act, "decision"), x->id);

	if (sw_streq(state, "asking") && d->now < sw_jint(act, "deadline", 0))
		return false;
	if (!act)
		dash_deed_say(d, 404, W(p, "That action is not kept any more.", "该操作已不再保存。"));
	else if (mine && x->yes && sw_streq(state, "skipped"))
		dash_deed_say(d, 409, sw_arena_printf(&p->a, W(p, "Approved, but it does not begin: %s", "已批准，但未能开始：%s"), sw_word_known(why ? why : "a guard forbids it", p->locale)));
	else if (mine)
		dash_deed_say(d, 200, x->yes ? W(p, "You approved it: all guards were checked again, and it begins.", "您已批准：已再次检查所有保护条件，操作开始。")
		                             : W(p, "You refused it: nothing is done.", "您已拒绝：不会执行任何操作。"));
	else if (by)
		dash_deed_say(d, 409, sw_arena_printf(&p->a, yes ? W(p, "Already decided: approved by %s.", "已有决定：由 %s 批准。") : W(p, "Already decided: refused by %s.", "已有决定：由 %s 拒绝。"), by));
	else
		dash_deed_say(d, 409, W(p, "Nobody is asked any more.", "已无需决定。"));
	return true;
}

static bool decide_look(struct deed *d)
{
	const struct decision *x = d->more;

	if (decided(d))
		return false;
	d->msg = sw_command_decide(&d->p->a, &d->by, d->id, x->yes, x->id);
	return true;
}

static void decide(struct page *p)
{
	const char *id = sw_page_form(p, "action"), *what = sw_page_form(p, "decision"), *service, *environment;
	struct decision *x = SW_ARENA_NEW(&p->a, struct decision);
	struct deed *d;

	x->yes = sw_streq(what, "approve");
	d = dash_deed(p, x->yes ? "approve" : "refuse", target(p, "action", id));
	if (!id_good(id) || (!x->yes && !sw_streq(what, "refuse"))) {
		wrong(d, W(p, "decision: want approve or refuse, and the id of an action", "decision：需要 approve 或 refuse，以及操作的标识"));
		return;
	}
	sw_id_new(sw_loop_wall(p->d->loop), x->id);
	d->more = x;
	d->look = decide_look;
	d->came = decided;
	d->most = DECIDE_WAIT;
	place_of(p, "actions", "action_id", id, &service, &environment);
	dash_deed_find(d, "actions", id, service, environment);
}

/* ---- watches, deployments, alerts ---- */

static bool cancel_look(struct deed *d)
{
	const struct sw_jnode *w = dash_deed_item(d);
	struct page *p = d->p;

	if (!w || sw_streq(sw_jstr(w, "state"), "done")) {
		dash_deed_say(d, 409, W(p, "That watch is over already.", "该观察已经结束。"));
		return false;
	}
	d->msg = sw_command_cancel(&p->a, &d->by, d->id);
	return true;
}

static void cancel(struct page *p)
{
	const char *id = sw_page_form(p, "watch"), *service, *environment;
	struct deed *d = dash_deed(p, "cancel", target(p, "watch", id));

	if (!id_good(id)) {
		wrong(d, W(p, "watch: want the id of a watch", "watch：需要观察的标识"));
		return;
	}
	d->look = cancel_look;
	d->done = W(p, "The watch is cancelled; what it was about to do is not done.", "观察已取消，不会执行其后续操作。");
	place_of(p, "watches", "watch", id, &service, &environment);
	dash_deed_find(d, "watches", id, service, environment);
}

static bool label_look(struct deed *d)
{
	struct page *p = d->p;
	bool good = sw_streq(sw_page_form(p, "label"), "good");

	if (!dash_deed_item(d)) {
		dash_deed_say(d, 404, W(p, "That deployment is too old: its place keeps the last 20.", "该部署过旧：每个环境只保留最近 20 次。"));
		return false;
	}
	d->msg = sw_command_label(&p->a, &d->by, d->id, good);
	return true;
}

static void label(struct page *p)
{
	const char *id = sw_page_form(p, "deployment"), *what = sw_page_form(p, "label"), *service, *environment;
	bool good = sw_streq(what, "good");
	struct deed *d = dash_deed(p, "label", target(p, "deployment", id));

	if (!id_good(id) || (!good && !sw_streq(what, "bad"))) {
		wrong(d, W(p, "label: want good or bad, and the id of a deployment", "label：需要 good 或 bad，以及部署的标识"));
		return;
	}
	d->look = label_look;
	d->done = good ? W(p, "The deployment is good, as you said.", "已按您的判断标为良好。") : W(p, "The deployment is bad, as you said.", "已按您的判断标为不良。");
	place_of(p, "deployments", "deployment", id, &service, &environment);
	dash_deed_find(d, "deployments", id, service, environment);
}

static bool ack_look(struct deed *d)
{
	struct page *p = d->p;

	if (!d->state) {
		dash_deed_say(d, 404, W(p, "That alert is not kept any more.", "该告警已不再保存。"));
		return false;
	}
	if (sw_jstr(d->state, "acked_by")) {
		const char *by = sw_jstr(d->state, "acked_by");
		bool mine = sw_streq(by, d->by.who);

		dash_deed_say(d, mine ? 200 : 409, sw_arena_printf(&p->a, W(p, "%s has it in hand already.", "%s 已认领该告警。"), by));
		return false;
	}
	d->msg = sw_command_ack(&p->a, &d->by);
	return true;
}

static void ack(struct page *p)
{
	const char *id = sw_page_form(p, "alert");
	struct deed *d = dash_deed(p, "ack", target(p, "alert", id));

	if (!id_good(id)) {
		wrong(d, W(p, "alert: want the id of an alert", "alert：需要告警的标识"));
		return;
	}
	d->look = ack_look;
	d->done = W(p, "The alert is in your hands; nobody is reminded of it any more.", "您已认领该告警，不再提醒其他人。");
	dash_deed_at(d, sw_arena_printf(&p->a, "alert:%s", id));
}

/* ---- silences ---- */

/* The same one a moment ago: a button pressed twice. */
static bool silence_is_there(const struct deed *d, const struct sw_silence_cmd *s)
{
	const struct sw_jnode *items = sw_jget(d->state, "items");

	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next) {
		sw_ms until = sw_jint(x, "until", 0);

		if (sw_streq(sw_jstr(x, "service"), s->service) && sw_streq(sw_jstr(x, "env"), s->env) && sw_streq(sw_jstr(x, "rule"), s->rule) &&
		    sw_streq(sw_jstr(x, "severity"), s->severity) && sw_jbool(x, "maintenance", false) == s->maintenance && until > d->now && until <= s->until && s->until - until < SAME_SILENCE)
			return true;
	}
	return false;
}

/*
 * The same form within a minute has the same id, and a silence of an id that is there is not taken twice: also when no worker has read the first
 * one yet. One that was ended meanwhile has used its id up.
 */
static const char *silence_id(const struct deed *d, const struct sw_silence_cmd *s)
{
	const char *const parts[] = { d->by.who, s->service, s->env, s->rule, s->severity, s->why };
	const struct sw_jnode *items = sw_jget(d->state, "items");
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, hex = SW_BUF_INIT;
	unsigned char digest[SW_SHA256_BYTES];
	bool used;

	for (size_t i = 0; i < SW_COUNT(parts); i++)
		sw_buf_printf(&text, "%s%c", parts[i] ? parts[i] : "", parts[i] ? '=' : '-');
	sw_buf_printf(&text, "%d %lld %lld", s->maintenance, (long long)(s->until - d->p->now), (long long)(d->p->now / SAME_SILENCE));
	do {
		sw_buf_putc(&text, '+');
		sw_sha256(text.p, text.n, digest);
		sw_buf_reset(&hex);
		sw_hex_encode(&hex, digest, 4);
		used = false;
		for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next)
			used |= sw_streq(sw_jstr(x, "id"), hex.p) && sw_jint(x, "until", 0) <= d->now;
	} while (used);
	return sw_arena_strdup(&d->p->a, hex.p);
}

static bool silence_look(struct deed *d)
{
	struct sw_silence_cmd *s = d->more;
	struct page *p = d->p;
	const struct sw_jnode *items = sw_jget(d->state, "items");

	s->id = silence_id(d, s);
	d->target = target(p, "silence", s->id);

	if (silence_is_there(d, s)) {
		dash_deed_say(d, 200, W(p, "There is such a silence already.", "已存在这样的静默。"));
		return false;
	}
	if (items && items->n >= SILENCES_MOST) {
		dash_deed_say(d, 409, W(p, "There are 200 silences, which is as many as there may be.", "静默已达上限 200 条。"));
		return false;
	}
	d->msg = sw_command_silence(&p->a, &d->by, s);
	return true;
}

static const char *silence_words(struct page *p, const char *bad)
{
	static const struct { const char *en, *zh; } words[] = {
		{ "a text has at most 200 bytes", "文本最多 200 字节" },
		{ "severity: want info, warning or critical", "级别：需要 info、warning 或 critical" },
		{ "want a service, an environment, a rule or a severity: without one it would be everything", "需要服务、环境、规则或级别：否则将静默所有消息" },
		{ "maintenance goes with service, environment and rule: an action has no severity", "维护按服务、环境和规则设置：操作没有级别" },
		{ FOR_WRONG, "时长：需要 2h 这样的长度，最多 30d" },
	};

	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (sw_streq(words[i].en, bad))
			return W(p, words[i].en, words[i].zh);
	return bad;
}

static void silence_add(struct page *p)
{
	struct sw_silence_cmd *s = SW_ARENA_NEW(&p->a, struct sw_silence_cmd);
	struct deed *d = dash_deed(p, "silence", "messages");
	const char *lasts = field(p, "for"), *bad;
	sw_dur dur = SW_HOUR;

	*s = (struct sw_silence_cmd){ .service = field(p, "service"), .env = field(p, "env"), .rule = field(p, "rule"),
		                      .severity = field(p, "severity"), .why = field(p, "why"), .maintenance = field(p, "maintenance") != NULL };
	bad = sw_silence_wrong(s);
	if (!bad && lasts && (sw_dur_parse(lasts, &dur) < 0 || dur < SW_SECOND || dur > SILENCE_LONGEST))
		bad = FOR_WRONG;
	if (bad) {
		wrong(d, silence_words(p, bad));
		return;
	}
	s->until = p->now + dur;
	d->more = s;
	d->look = silence_look;
	d->done = s->maintenance ? W(p, "The maintenance is on.", "维护已开始。") : W(p, "The silence is on.", "静默已开始。");
	dash_deed_at(d, SILENCES_KEY);
}

static bool silence_end_look(struct deed *d)
{
	d->list = "items";
	if (!dash_deed_item(d)) {
		dash_deed_say(d, 404, W(d->p, "There is no such silence any more.", "该静默已不存在。"));
		return false;
	}
	d->msg = sw_command_silence_end(&d->p->a, &d->by, d->id);
	return true;
}

static void silence_end(struct page *p)
{
	const char *id = sw_page_form(p, "id");
	struct deed *d = dash_deed(p, "silence-end", target(p, "silence", id));

	if (!id_good(id)) {
		wrong(d, W(p, "id: want the id of a silence", "id：需要静默的标识"));
		return;
	}
	d->id = id;
	d->look = silence_end_look;
	d->done = W(p, "The silence is over; what it held back and is still so is told within a minute.", "静默已结束；期间被静默且仍存在的消息将在一分钟内发送。");
	dash_deed_at(d, SILENCES_KEY);
}

/* ---- dead letters ---- */

static void dead_ended(void *arg, int r, int64_t value)
{
	struct deed *d = arg;
	struct page *p = d->p;

	if (r < 0)
		dash_deed_failed(d, r);
	else if (value == 1)
		dash_deed_say(d, 404, W(p, "There is no such dead letter any more.", "该死信已不存在。"));
	else if (value == 2)
		dash_deed_say(d, 409, W(p, "It says what happened; there is nothing in it to send again.", "它只说明了发生的情况，没有可以重新发送的内容。"));
	else
		dash_deed_say(d, 200, sw_streq(d->what, "retry") ? W(p, "It is sent again.", "已重新发送。") : W(p, "It is dropped.", "已丢弃。"));
}

static void dead_end(struct page *p, bool again)
{
	const char *id = sw_page_form(p, "id");
	struct deed *d = dash_deed(p, again ? "retry" : "drop", target(p, "dead letter", id));

	if (!id || !*id || strlen(id) > ID_BYTES || id[strspn(id, "0123456789-")])
		wrong(d, W(p, "id: want the id of a dead letter", "id：需要死信的标识"));
	else
		sw_bus_dead_end(p->d->bus, id, again, &d->by, dead_ended, d);
	/* Its own page is gone with it. */
	if (sw_starts(d->back, "/dead/"))
		d->back = "/dead";
}

static void dead_retry(struct page *p) { dead_end(p, true); }
static void dead_drop(struct page *p) { dead_end(p, false); }

/* ---- holds ---- */

struct holding { bool on; const char *scope, *why; unsigned waiting; int r; };

static void hold_end(struct deed *d)
{
	struct holding *h = d->more;
	struct page *p = d->p;

	if (--h->waiting)
		return;
	if (h->r < 0)
		dash_deed_failed(d, h->r);
	else if (h->scope)
		dash_deed_say(d, 200, sw_arena_printf(&p->a, h->on ? W(p, "%s is on hold: no action starts there.", "%s 已暂停：不会开始任何操作。") : W(p, "%s is released.", "%s 已解除暂停。"), h->scope));
	else
		dash_deed_say(d, 200, h->on ? W(p, "Everything is on hold: no action starts.", "已全部暂停：不会开始任何操作。") : W(p, "Everything is released.", "已全部解除暂停。"));
}

static void hold_told(void *arg, int r)
{
	struct deed *d = arg;
	struct holding *h = d->more;

	h->r = r < 0 ? r : h->r;
	hold_end(d);
}

/* The guard of a start is in Redis; what people are told is kept at each place. */
static void hold_places(void *arg, int r, const char *json)
{
	struct deed *d = arg;
	struct holding *h = d->more;
	struct page *p = d->p;
	const char *cmd = sw_command_hold(&p->a, &d->by, h->on, h->why);
	bool exact = strchr(h->scope, '/') != NULL;
	struct sw_jnode *names = NULL;

	h->r = r < 0 ? r : h->r;
	if (r == 0 && json && sw_jtree_parse(&p->a, json, strlen(json), 2 * DEED_PLACES, &names, NULL) == 0)
		for (const struct sw_jnode *x = names->child; x; x = x->next)
			if (x->text && (!exact || sw_streq(x->text + strlen("place:"), h->scope))) {
				h->waiting++;
				sw_bus_append(p->d->bus, x->text, cmd, hold_told, d);
			}
	hold_end(d);
}

static void hold_done(void *arg, int r)
{
	struct deed *d = arg;
	struct holding *h = d->more;
	struct page *p = d->p;

	h->r = r;
	if (r < 0 || !h->scope)
		hold_end(d);
	else
		sw_bus_query(p->d->bus, sw_arena_printf(&p->a, "aggregates place:%s%s %d", h->scope, strchr(h->scope, '/') ? "" : "/", DEED_PLACES), hold_places, d);
}

static void hold_change(struct page *p, bool on)
{
	struct holding *h = SW_ARENA_NEW(&p->a, struct holding);
	struct deed *d = dash_deed(p, on ? "hold" : "release", "everything");
	bool good = true;

	*h = (struct holding){ .on = on, .scope = field(p, "scope"), .why = field(p, "why"), .waiting = 1 };
	for (const char *c = h->scope; c && *c; c++)
		good &= (unsigned char)*c > ' ' && *c != 127;
	if (!good || (h->scope && strlen(h->scope) > SCOPE_BYTES) || (h->why && strlen(h->why) > SILENCE_TEXT)) {
		wrong(d, W(p, "scope: want a service, or a place such as web/prod; why: at most 200 bytes", "scope：需要服务名或 web/prod 这样的位置；why：最多 200 字节"));
		return;
	}
	if (h->scope)
		d->target = target(p, "actions at", h->scope);
	d->more = h;
	sw_bus_hold(p->d->bus, h->scope, on, &d->by, on && h->why ? h->why : "", hold_done, d);
}

static void hold(struct page *p) { hold_change(p, true); }
static void release(struct page *p) { hold_change(p, false); }

const struct route sw_routes_decide[] = {
	{ "POST", "/approvals/decide", SW_ROLE_OPERATOR, 0, decide },
	{ "POST", "/watches/cancel", SW_ROLE_OPERATOR, 0, cancel },
	{ "POST", "/deployments/label", SW_ROLE_OPERATOR, 0, label },
	{ "POST", "/alerts/ack", SW_ROLE_OPERATOR, 0, ack },
	{ "POST", "/silences/add", SW_ROLE_OPERATOR, 0, silence_add },
	{ "POST", "/silences/end", SW_ROLE_OPERATOR, 0, silence_end },
	{ "POST", "/dead/retry", SW_ROLE_OPERATOR, 0, dead_retry },
	{ "POST", "/dead/drop", SW_ROLE_OPERATOR, 0, dead_drop },
	{ "POST", "/hold", SW_ROLE_OPERATOR, 0, hold },
	{ "POST", "/hold/release", SW_ROLE_OPERATOR, 0, release },
	{ 0 },
};
