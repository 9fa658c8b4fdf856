/* shipwatch send, shipwatch render: a test message by a channel, and what exactly would be sent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/example.h"
#include "cli/http.h"
#include "cli/options.h"
#include "model/tmpl.h"
#include "shipwatch/clock.h"
#include "shipwatch/plugin.h"
#include "worker/worker.h"

#define PARTS_MAX 4

struct sending {
	const struct sw_config *cfg;
	const struct sw_conf_channel *ch;
	struct sw_alert al;
	struct sw_arena a;
	enum sw_size size;
	int news, severity;
	bool only_show, example, tmpl;
};

static const char *const send_sizes[] = { "full", "half", "line", NULL };
static const char *const send_severities[] = { "info", "warning", "critical", NULL };

static void send_alert(struct sending *s, const char *text)
{
	static struct sw_finding finding = { .text = "shipwatch send", .value = "test" };

	if (s->example) {
		sw_example((enum sw_alert_news)s->news, s->severity < 0 ? SW_SEV_CRITICAL : (enum sw_severity)s->severity, &s->a, &s->al);
		s->al.locale = s->ch->locale;
		s->al.tmpl = s->ch->tmpl;
		s->al.tz_offset_s = sw_config_tz_offset(s->cfg, s->al.fired_at);
		if (text)
			s->al.summary = text;
		if (s->only_show) /* whom it would mention, now; a try must not wake them */
			sw_people_mention(s->cfg, s->ch, NULL, sw_clock_wall(), &s->a, &s->al);
		return;
	}
	if (s->severity < 0)
		s->severity = SW_SEV_INFO;
	s->al = (struct sw_alert){
		.id = "test", .delivery = sw_arena_printf(&s->a, "test-%lld", (long long)sw_clock_wall()), .news = (enum sw_alert_news)s->news,
		.severity = (enum sw_severity)s->severity, .rule_severity = (enum sw_severity)s->severity, .rule = "test", .summary = text ? text : "a test message of Shipwatch", .service = "shipwatch",
		.environment = "test", .findings = &finding, .n_findings = 1, .fired_at = sw_clock_wall(), .locale = s->ch->locale,
		.tz_offset_s = sw_config_tz_offset(s->cfg, sw_clock_wall()), .commits_total = -1,
	};
	s->al.mobiles = s->ch->mobiles;
	s->al.tmpl = s->ch->tmpl;
	if (s->al.news == SW_NEWS_ROLLBACK_WAITING) { /* what a question looks like; its link leads to no question */
		s->al.ask = "000000000000";
		s->al.ask_until = s->al.fired_at + 10 * SW_MINUTE;
		if (s->cfg->gateway.approvals)
			s->al.links[SW_LINK_APPROVAL] = sw_arena_printf(&s->a, "%s/approve/%052d", s->cfg->hooks_url, 0);
	}
}

/* Where it goes without what is secret: a robot's address is its credential, some in the path, some in the query. */
static void send_where(const char *method, const char *url)
{
	const char *host = strstr(url, "://");
	size_t n = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?") : 0;

	(void)printf("%s %.*s%s\n", method, (int)n, url, url[n] ? "/…" : "");
}

static const char *send_header(const struct sw_header *h)
{
	return strcmp(h->name, "Authorization") == 0 ? "…" : h->value;
}

/* The request as it goes out. */
static void send_show(const struct sw_job *job)
{
	if (job->kind == SW_JOB_HTTP) {
		send_where(job->method, job->url);
		for (size_t i = 0; i < job->n_headers; i++)
			(void)printf("%s: %s\n", job->headers[i].name, send_header(&job->headers[i]));
		(void)putchar('\n');
	} else if (job->kind == SW_JOB_MAIL) {
		(void)printf("MAIL %s from %s to", job->url, job->mail_from);
		for (const char **p = job->mail_to; *p; p++)
			(void)printf(" %s", *p);
		(void)printf("\n\n");
	}
	(void)printf("%.*s\n(%zu bytes)\n", (int)job->body_n, job->body ? job->body : "", job->body_n);
}

static int send_part(struct sending *s, const struct sw_job *job, unsigned part)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_result res = { .body = "" };
	struct sw_class c;

	if (s->only_show) {
		send_show(job);
		return 0;
	}
	if (job->kind == SW_JOB_PRINT) {
		(void)fwrite(job->body, 1, job->body_n, stdout);
		res.at = sw_clock_wall();
	} else if (job->kind != SW_JOB_HTTP && job->kind != SW_JOB_MAIL) {
		(void)fprintf(stderr, "shipwatch: %s: this kind of channel cannot be tried from here\n", s->ch->name);
		return -1;
	} else if (sw_cli_http(s->cfg, job, &s->a, &res, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: %s: %s\n", s->ch->name, err.text);
		return -1;
	}
	c = s->ch->plugin->judge(s->ch->conf, &res, &err);
	if (c.outcome == SW_OK) {
		(void)printf("%s: part %u arrived (%lld ms)%s%s\n", s->ch->name, part + 1, (long long)res.took, err.text[0] ? "; " : "", err.text);
		return 0;
	}
	(void)fprintf(stderr, "shipwatch: %s: %s: %s", s->ch->name, sw_outcome_name(c.outcome),
	              err.text[0] ? err.text : res.detail ? res.detail : "not taken");
	if (c.code)
		(void)fprintf(stderr, " (code %d)", c.code);
	(void)fputc('\n', stderr);
	return -1;
}

static int send_all(struct sending *s)
{
	struct sw_err err = SW_ERR_INIT;
	int more = 1;

	for (unsigned part = 0; more > 0 && part < PARTS_MAX; part++) {
		struct sw_job job = { 0 };

		more = s->ch->plugin->render(s->ch->conf, &s->al, s->size, part, sw_clock_wall(), &s->a, &job, &err);
		if (more < 0) {
			(void)fprintf(stderr, "shipwatch: %s: %s\n", s->ch->name, err.text);
			return -1;
		}
		if (send_part(s, &job, part) < 0)
			return -1;
	}
	return 0;
}

/* The template to start a new one from: the channel's own, or the one that is used where it names none. */
static int send_template(const struct sending *s)
{
	const char *text = s->ch->tmpl ? s->ch->tmpl->text : sw_tmpl_default(s->ch->locale);
	size_t n = s->ch->tmpl ? s->ch->tmpl->text_n : strlen(text);

	return fwrite(text, 1, n, stdout) == n ? 0 : -1;
}

static int send_run(int argc, char **argv, const struct sw_usage *usage, bool only_show)
{
	struct sw_common c = { .config = "shipwatch.yaml" };
	const char *news[SW_NEWS_COUNT + 1] = { NULL };
	struct sending s = { .only_show = only_show, .news = SW_NEWS_FIRING, .severity = -1 };
	int r, n, size = SW_SIZE_FULL;
	/* the last row is for render alone */
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&c),
		{ "news", 0, SW_OPT_WORD, &s.news, "NEWS", "what it tells: firing, resolved, rollback_waiting …", news, 0, 0 },
		{ "severity", 0, SW_OPT_WORD, &s.severity, "SEVERITY", "info, warning or critical", send_severities, 0, 0 },
		{ "example", 0, SW_OPT_FLAG, &s.example, NULL, "an alert with all a message can say, instead of a test message" },
		{ "size", 0, SW_OPT_WORD, &size, "SIZE", "full; half and line are what a message found too long becomes", send_sizes, 0, 0 },
		{ only_show ? "template" : NULL, 0, SW_OPT_FLAG, &s.tmpl, NULL, "print the template of its messages instead, to start a new one from" },
		{ 0 },
	};
	struct sw_config *cfg;

	for (int i = 0; i < SW_NEWS_COUNT; i++)
		news[i] = sw_news_name((enum sw_alert_news)i);
	n = sw_options_read(usage, opts, argc, argv, &r);
	s.size = (enum sw_size)size;

	if (n < 0)
		return r;
	cfg = sw_cli_config(c.config, NULL, false);
	if (!cfg)
		return SW_EXIT_WRONG;
	s.cfg = cfg;
	s.ch = sw_config_channel(cfg, argv[1]);
	if (!s.ch) {
		const char *near = sw_did_you_mean(argv[1], cfg->channel_names);

		(void)fprintf(stderr, "shipwatch: %s: no channel \"%s\"%s%s%s\n", c.config, argv[1], near ? ", did you mean \"" : "",
		              near ? near : "", near ? "\"?" : "");
		r = -1;
	} else {
		send_alert(&s, n > 1 ? argv[2] : NULL);
		r = s.tmpl ? send_template(&s) : send_all(&s);
	}
	sw_arena_fini(&s.a);
	sw_config_put(cfg);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

int sw_cli_send(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"send CHANNEL [TEXT] -c FILE", "A real test message by this channel, and what became of it in plain words.\n", NULL, 1, 2,
	};

	return send_run(argc, argv, &usage, false);
}

int sw_cli_render(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"render CHANNEL [TEXT] -c FILE", "The exact request this channel would get, with its size; nothing is sent.\n", NULL, 1, 2,
	};

	return send_run(argc, argv, &usage, true);
}
