/*
 * The courier: one try to tell one channel. The step has recorded that it begins; what became of it goes back as `sent`.
 *
 *   run ─▶ commits (by the host's API at most 2 s), link to decide ─▶ mentions ─▶ render part ─▶ do ─▶ judge ─┬─ OK, more parts: next part
 *                                                     ▲                        ├─ else: sent
 *                                                     └── 1 s, a later part ───┘
 *
 * A part after the first only carries mentions: when it fails for good the message itself did arrive, so it is told as OK with
 * a remark, because sending the whole again would say everything twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/courier"
#define COMMITS_WAIT  300
#define LINK_WAIT     (2 * SW_SECOND)
#define PARTS_MAX     4
#define PART_TRIES    3
#define ALERT_NODES   100000
#define PUSH_NODES    200000
#define DETAIL_MAX    300
#define ALL_MAX       (25 * SW_SECOND) /* the step waits 30 s for the outcome */
#define PART_MAX      (10 * SW_SECOND)

struct delivery {
	struct worker *w;
	struct setup *setup;
	struct sw_arena a;
	const char *aggregate, *channel, *alert_json;
	const char *const *roles;
	const struct sw_conf_channel *conf;
	int64_t seq, calls;
	enum sw_size size;
	struct sw_alert al;
	struct sw_job job;
	struct sw_log_ids ids;
	unsigned part, part_tries;
	bool more, loading, rendering, done;
	int keep_commits, keep_link; /* of what is loaded, where they are; -1: not asked for */
	sw_dur began;
	struct sw_timer timer;
};

static void delivery_free(struct delivery *d)
{
	if (d->loading)
		return; /* the load's answer frees it */
	sw_timer_stop(&d->timer);
	sw_setup_put(d->setup);
	sw_arena_fini(&d->a);
	free(d);
}

static void delivery_end(struct delivery *d, struct sw_class c, const char *detail)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct worker *w = d->w;
	sw_dur took = sw_clock_mono() - d->began;
	struct sw_jw jw;

	sw_log_ids_set(&d->ids);
	sw_log(c.outcome == SW_OK ? SW_LOG_INFO : SW_LOG_WARN, LOG, "channel %s: %s %s alert=%s class=%s code=%d took=%lldms%s%s",
	       d->channel, c.outcome == SW_OK ? "sent" : "not sent", sw_news_name(d->al.news), d->al.id ? d->al.id : "?",
	       sw_outcome_name(c.outcome), c.code, (long long)took, detail && *detail ? ": " : "", detail ? detail : "");
	sw_log_ids_set(NULL);
	sw_meters_attempt(w, d->channel, sw_outcome_name(c.outcome), took);
	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "t", "sent");
	sw_jw_str(&jw, "ch", d->channel);
	sw_jw_int(&jw, "n", d->seq);
	sw_jw_str(&jw, "class", sw_outcome_name(c.outcome));
	sw_jw_int(&jw, "wait", c.wait);
	sw_jw_int(&jw, "tries", c.tries);
	sw_jw_int(&jw, "code", c.code);
	if (d->calls)
		sw_jw_int(&jw, "calls", d->calls);
	if (detail && *detail)
		sw_jw_str(&jw, "detail", sw_arena_strndup(&d->a, detail, sw_utf8_cut(detail, strlen(detail), DETAIL_MAX)));
	sw_jw_obj_end(&jw);
	sw_outbox_append(w, d->aggregate, sw_buf_str(&b), true, NULL);
	d->done = true;
	delivery_free(d);
	sw_worker_settled(w);
}

/* ---- the console's messages, for the page that shows them ---- */

static void delivery_keep(const struct delivery *d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_int(&jw, "at", sw_clock_wall());
	sw_jw_str(&jw, "channel", d->channel);
	sw_jw_opt(&jw, "delivery", d->al.delivery);
	sw_jw_str(&jw, "news", sw_news_name(d->al.news));
	sw_jw_opt(&jw, "service", d->al.service);
	sw_jw_opt(&jw, "environment", d->al.environment);
	sw_jw_opt(&jw, "ci_run_id", d->al.ci_run_id);
	sw_jw_str(&jw, "text", d->job.body ? d->job.body : "");
	sw_jw_obj_end(&jw);
	sw_buf_putc(&b, '\n');
	sw_worker_note(d->w, "messages.ndjson", b.p, b.n);
}

/* ---- parts ---- */

static void delivery_part(void *arg);

static void delivery_did(void *arg, const struct sw_result *res)
{
	struct delivery *d = arg;
	struct sw_err err = SW_ERR_INIT;
	struct sw_class c = d->conf->plugin->judge(d->conf->conf, res, &err);

	if (res->fault != SW_FAULT_NONE && !err.text[0] && res->detail)
		(void)sw_err_set(&err, EIO, "%s", res->detail);
	if (c.outcome == SW_OK) {
		if (d->job.kind == SW_JOB_PRINT)
			delivery_keep(d);
		if (d->more && d->part + 1 < PARTS_MAX) {
			d->part++;
			d->part_tries = 0;
			delivery_part(d);
			return;
		}
		delivery_end(d, c, err.text);
		return;
	}
	if (d->part == 0) {
		delivery_end(d, c, err.text);
		return;
	}
	if ((c.outcome == SW_RETRY || c.outcome == SW_HOLD) && ++d->part_tries < PART_TRIES && c.wait <= 2 * SW_SECOND &&
	    sw_clock_mono() - d->began < ALL_MAX / 2) {
		sw_timer_set(&d->timer, SW_MAX(c.wait, SW_SECOND));
		return;
	}
	sw_err_prefix(&err, "the message arrived, its mentions did not (%s)", sw_outcome_name(c.outcome));
	delivery_end(d, (struct sw_class){ .outcome = SW_OK, .code = c.code }, err.text);
}

static void delivery_part(void *arg)
{
	struct delivery *d = arg;
	struct sw_err err = SW_ERR_INIT;
	int r;

	memset(&d->job, 0, sizeof d->job);
	r = d->conf->plugin->render(d->conf->conf, &d->al, d->size, d->part, sw_clock_wall(), &d->a, &d->job, &err);
	if (r < 0) {
		if (d->part > 0)
			delivery_end(d, (struct sw_class){ .outcome = SW_OK }, err.text);
		else
			delivery_end(d, (struct sw_class){ .outcome = SW_MESSAGE }, err.text);
		return;
	}
	d->more = r > 0;
	d->job.timeout = SW_MIN(d->job.timeout ? d->job.timeout : PART_MAX, SW_MAX(d->began + ALL_MAX - sw_clock_mono(), SW_SECOND));
	sw_do_job(d->w, &d->job, &(struct sw_do_for){ .ci_run_id = d->al.ci_run_id }, delivery_did, d);
}

static void delivery_render(void *arg)
{
	struct delivery *d = arg;

	sw_timer_stop(&d->timer);
	sw_timer_init(&d->timer, d->w->loop, delivery_part, d);
	d->rendering = true;
	sw_people_mention(d->setup->cfg, d->conf, d->roles, sw_clock_wall(), &d->a, &d->al);
	delivery_part(d);
}

/* ---- commits, the link to decide ---- */

/* Whoever has the link may decide: it is made for each try anew, and stands in no state of an alert. */
static void delivery_link(struct delivery *d, const char *key)
{
	if (key && strlen(key) == SW_ASK_KEY_DIGITS)
		d->al.links[SW_LINK_APPROVAL] = sw_arena_printf(&d->a, "%s/approve/%s%s", d->setup->cfg->hooks_url, d->al.ask, key);
}

/* Pushes did not tell: their host may. */
static void delivery_unseen(struct delivery *d)
{
	sw_timer_stop(&d->timer);
	if (d->al.n_commits || !sw_compare_ask(d->w, d->setup, &d->a, &d->al, delivery_render, d))
		delivery_render(d);
}

static void delivery_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct delivery *d = arg;
	struct sw_jnode *pushes;
	const char *commits;

	d->loading = false;
	if (d->done) {
		delivery_free(d);
		return;
	}
	if (d->rendering)
		return;
	commits = r == 0 && d->keep_commits >= 0 ? ld->keeps[d->keep_commits] : NULL;
	if (r == 0 && d->keep_link >= 0)
		delivery_link(d, ld->keeps[d->keep_link]);
	if (commits && sw_jtree_parse(&d->a, commits, strlen(commits), PUSH_NODES, &pushes, NULL) == 0)
		sw_engine_commits(pushes, d->al.prev_sha, d->al.sha, &d->a, &d->al);
	delivery_unseen(d);
}

static void delivery_waited(void *arg)
{
	struct delivery *d = arg;

	SW_DEBUG(LOG, "commits%s did not come in time for channel %s, going on without them", d->keep_link < 0 ? "" : " and the link to decide", d->channel);
	d->rendering = true;
	delivery_unseen(d);
}

/* Firing never waits long: what is not there in time is left out. Without a link a message names the command that decides. */
static void delivery_load(struct delivery *d)
{
	const struct sw_config *cfg = d->setup->cfg;
	const char *keeps[3] = { NULL, NULL, NULL };
	int n = 0;

	d->keep_commits = d->keep_link = -1;
	if (d->al.ask && d->al.ask_until <= sw_bus_now(d->w->bus))
		d->al.ask = NULL; /* the question is over */
	if (!d->al.n_commits && d->al.repo && d->al.branch && d->al.sha) {
		keeps[n] = sw_engine_pushes_key(&d->a, d->al.repo, d->al.branch);
		d->keep_commits = n++;
	}
	if (d->al.ask && cfg->gateway.approvals && cfg->hooks_url) {
		keeps[n] = sw_engine_ask_key(&d->a, d->al.ask);
		d->keep_link = n++;
	}
	if (!n) {
		delivery_unseen(d);
		return;
	}
	d->loading = true;
	sw_timer_init(&d->timer, d->w->loop, delivery_waited, d);
	sw_timer_set(&d->timer, d->keep_link < 0 ? COMMITS_WAIT : LINK_WAIT);
	sw_bus_load(d->w->bus, &(struct sw_load){ .aggregate = d->aggregate, .keeps = keeps }, delivery_loaded, d);
}

static bool delivery_alert(struct delivery *d, struct sw_err *err)
{
	struct sw_jnode *node;

	if (sw_jtree_parse(&d->a, d->alert_json, strlen(d->alert_json), ALERT_NODES, &node, err) < 0)
		return false;
	sw_alert_read(node, &d->a, &d->al);
	d->al.locale = d->conf->locale;
	d->al.tmpl = d->conf->tmpl;
	d->al.tz_offset_s = d->setup->engine.tz_offset_s;
	return true;
}

void sw_courier_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io, int64_t calls)
{
	static const enum sw_size sizes[] = {
		[SW_IO_FULL] = SW_SIZE_FULL, [SW_IO_HALF] = SW_SIZE_HALF, [SW_IO_LINE] = SW_SIZE_LINE,
	};
	struct delivery *d = sw_calloc(1, sizeof *d);
	struct sw_err err = SW_ERR_INIT;
	size_t n = 0;

	w->ios++;
	d->w = w;
	d->setup = sw_setup_get(setup);
	d->aggregate = sw_arena_strdup(&d->a, aggregate);
	d->channel = sw_arena_strdup(&d->a, io->channel);
	d->alert_json = sw_arena_strdup(&d->a, io->alert_json);
	d->seq = io->seq;
	d->calls = calls;
	d->size = sizes[io->size];
	d->began = sw_clock_mono();
	if (io->roles) {
		const char **roles;

		while (io->roles[n])
			n++;
		roles = SW_ARENA_ARRAY(&d->a, const char *, n + 1);
		for (size_t i = 0; i < n; i++)
			roles[i] = sw_arena_strdup(&d->a, io->roles[i]);
		d->roles = roles;
	}
	d->conf = sw_config_channel(setup->cfg, io->channel);
	if (!d->conf) {
		delivery_end(d, (struct sw_class){ .outcome = SW_CONFIG }, "the configuration has no such channel any more");
		return;
	}
	if (!delivery_alert(d, &err)) {
		delivery_end(d, (struct sw_class){ .outcome = SW_MESSAGE }, err.text);
		return;
	}
	d->al.repeat = io->repeat;
	d->ids = (struct sw_log_ids){
		.ci_run_id = d->al.ci_run_id, .service = d->al.service, .environment = d->al.environment, .watch_id = d->al.watch_id,
		.attempt = sw_arena_printf(&d->a, "%s/%lld", d->al.delivery ? d->al.delivery : "?", (long long)d->seq),
	};
	delivery_load(d);
}
