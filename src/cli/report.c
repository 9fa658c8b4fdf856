/*
 * shipwatch report: a CI job tells Shipwatch of itself, or has a command run and measured. What goes wrong between here and Shipwatch is
 * one line on stderr: it is never the job's failure, unless --strict says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/ci_env.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/report_send.h"
#include "cli/run.h"
#include "model/coverage.h"
#include "shipwatch/clock.h"

#define SECRET_MAX 4096
#define WITHIN     (10 * SW_SECOND)

enum { PHASE_FINISHED, PHASE_STARTED };
static const char *const phases[] = { "finished", "started", NULL };

struct report {
	struct sw_arena a;
	struct sw_fields f;
	struct sw_report_to to;
	char **command;        /* NULL: none */
	struct sigaction pipe; /* SIGPIPE as we found it */
	/* options */
	const char *url, *secret_file, *environment, *service, *version, *proxy, *ca_file;
	struct sw_opt_list coverage, metrics, fields;
	int phase, ci;
	int64_t exit_code; /* below 0: not said */
	sw_dur within;
	bool strict, dry, quiet;
	/* what came of it */
	sw_dur spent; /* on sending */
	bool wrong;   /* something is not as --strict wants it */
	bool begins;  /* it is the start that is being told of, the end will follow */
	struct sw_err not_begun; /* why the start was not taken: said once, with the end's fate */
};

static const struct sw_usage usage = {
	"report [OPTIONS] [-- COMMAND ARGS…]",
	"Tells Shipwatch of a CI job; GitLab CI, GitHub, Gitea and Forgejo Actions and Jenkins are read from the environment. With a command:\n"
	"runs it, measures time, CPU and memory, reports, and exits as the command did. A report that does not arrive is a warning.\n"
	"$SHIPWATCH_URL and $SHIPWATCH_SECRET say where to and sign it; the command does not get the secret. For example:\n"
	"  shipwatch report --environment prod --coverage coverage.info -- make deploy\n",
	"with a command its own, or 128 + the signal that ended it; 126, 127 it cannot be run; 1 instead of 0 only with --strict\n", 0, 0,
};

static void warn(struct report *r, const char *what, const char *why)
{
	r->wrong = true;
	(void)fprintf(stderr, "shipwatch: %s: %s%s\n", what, why, r->strict ? "" : "; going on without it");
}

static int usage_error(const char *why)
{
	(void)fprintf(stderr, "shipwatch: report: %s\nusage: shipwatch %s\n", why, usage.line);
	return SW_EXIT_USAGE;
}

/* ---- before ---- */

/* The words behind the first "--" are the command; what stands in front of it is left in argv. */
static char **report_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--") == 0) {
			argv[i] = NULL;
			*argc = i;
			return argv + i + 1;
		}
	return NULL;
}

/* A variable of the CI, without the blanks and line ends that pasting leaves behind it; NULL: not set, or empty. */
static const char *report_variable(struct report *r, const char *name)
{
	const char *v = getenv(name);
	size_t n = v ? strlen(v) : 0;

	while (n && strchr(" \t\r\n", v[n - 1]))
		n--;
	return n ? sw_arena_strndup(&r->a, v, n) : NULL;
}

/* Nobody who looks at this process or its children finds it in their environment. */
static void report_secret_env(struct report *r)
{
	char *secret = getenv("SHIPWATCH_SECRET");

	if (!secret)
		return;
	r->to.secret = report_variable(r, "SHIPWATCH_SECRET");
	explicit_bzero(secret, strlen(secret));
	(void)unsetenv("SHIPWATCH_SECRET");
}

static void report_secret_file(struct report *r)
{
	struct sw_buf b = SW_BUF_INIT;
	int e = sw_file_read(r->secret_file, SECRET_MAX, &b, NULL);

	while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
		sw_buf_truncate(&b, b.n - 1);
	r->to.secret = NULL;
	if (e < 0)
		warn(r, r->secret_file, strerror(-e));
	else if (memchr(sw_buf_str(&b), '\0', b.n))
		warn(r, r->secret_file, "a secret is a text");
	else
		r->to.secret = sw_arena_strdup(&r->a, sw_buf_str(&b));
	if (b.p)
		explicit_bzero(b.p, b.n);
	sw_buf_fini(&b);
}

static const char *report_env(const char *name)
{
	return getenv(name);
}

/* What is known before anything is run. Return: 0, or -EINVAL with err: a mistake on the command line. */
static int report_begin(struct report *r, struct sw_err *err)
{
	const struct sw_ci *ci = r->ci < 0 ? sw_ci_detect(report_env) : sw_ci_at(r->ci);

	r->f.a = &r->a;
	if (ci)
		sw_ci_fill(ci, report_env, &r->f);
	(void)sw_fields_set(&r->f, "ci", ci ? sw_ci_name(ci) : NULL);
	if (r->environment)
		(void)sw_fields_set(&r->f, "environment", r->environment);
	if (r->service)
		(void)sw_fields_set(&r->f, "service", r->service);
	if (r->version)
		(void)sw_fields_set(&r->f, "version", r->version);
	if (r->exit_code >= 0)
		sw_fields_number(&r->f, "exit_code", (double)r->exit_code);
	for (size_t i = 0; i < r->metrics.n; i++)
		if (sw_fields_given(&r->f, r->metrics.items[i], true, err) < 0)
			return -EINVAL;
	return 0;
}

/* The last word, also over what was measured. */
static int report_given(struct report *r, struct sw_err *err)
{
	for (size_t i = 0; i < r->fields.n; i++)
		if (sw_fields_given(&r->f, r->fields.items[i], false, err) < 0)
			return -EINVAL;
	sw_fields_run_id(&r->f);
	return 0;
}

static void report_time(struct report *r, const char *name, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_time_print(at, &b);
	(void)sw_fields_set(&r->f, name, sw_buf_str(&b));
}

/* ---- coverage ---- */

static int coverage_file(struct sw_coverage *c, const char *path, struct sw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), q = 0;
	char chunk[65536];

	if (fd < 0)
		return sw_err_set(err, errno, "%s", strerror(errno));
	sw_coverage_begin(c);
	while (q == 0) {
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			q = sw_err_set(err, errno, "%s", strerror(errno));
		if (n <= 0)
			break;
		q = sw_coverage_feed(c, chunk, (size_t)n, err);
	}
	(void)close(fd);
	return q < 0 ? q : sw_coverage_end(c, err);
}

/* A file that cannot be read leaves the whole figure out: half of it would look like a fall. */
static void report_coverage(struct report *r)
{
	struct sw_coverage *c;
	struct sw_err err = SW_ERR_INIT;
	double percent;
	bool good = true;

	if (!r->coverage.n)
		return;
	c = sw_coverage_new();
	for (size_t i = 0; i < r->coverage.n; i++)
		if (coverage_file(c, r->coverage.items[i], &err) < 0) {
			good = false;
			sw_err_prefix(&err, "%s", r->coverage.items[i]);
			warn(r, "no coverage", err.text);
		}
	if (good && sw_coverage_percent(c, &percent, &err) < 0)
		warn(r, "no coverage", err.text);
	else if (good)
		sw_fields_number(&r->f, "coverage_pct", percent);
	sw_coverage_free(c);
}

/* ---- the document ---- */

static void report_show(const struct report *r, const struct sw_buf *json)
{
	(void)printf("POST %s\nContent-Type: application/json\nX-Shipwatch-Timestamp: %lld\nX-Shipwatch-Signature: %s\n\n%s\n",
	             r->to.url ? r->to.url : "(no --url)", (long long)(sw_clock_wall() / SW_SECOND), r->to.secret ? "sha256=…" : "(no secret)",
	             sw_buf_str(json));
	(void)fflush(stdout);
}

static void report_post(struct report *r, sw_dur within)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf json = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	sw_dur began = sw_clock_mono();
	const char *said = NULL, *id;

	if (sw_fields_json(&r->f, &json, &err) < 0) {
		if (!r->begins) /* the end has the same to say */
			warn(r, sw_fields_get(&r->f, "ci") ? "no report" : "no report, and no CI that is known here (--field NAME=VALUE says what is missing)", err.text);
		return;
	}
	if (r->dry) {
		report_show(r, &json);
		return;
	}
	if (!r->to.url || !r->to.secret) {
		if (!r->begins && (r->to.url || !r->url)) /* of a wrong address it was said */
			warn(r, "no report", r->to.url ? "neither SHIPWATCH_SECRET nor --secret-file say a secret" : "neither SHIPWATCH_URL nor --url say where to");
		return;
	}
	if (sw_report_send(&r->to, &json, within, &r->a, &said, &err) < 0) {
		sw_err_prefix(&err, "%s", r->to.url);
		r->not_begun = r->begins ? err : (struct sw_err)SW_ERR_INIT;
		if (!r->begins)
			warn(r, "the report was not taken", err.text);
	} else if (!r->command && !r->quiet) {
		id = sw_fields_get(&r->f, "ci_run_id");
		(void)printf("reported %s%s%s\n", id ? id : sw_fields_get(&r->f, "pipeline_id"), strcmp(said, "queued") ? ": " : "",
		             strcmp(said, "queued") ? said : "");
	}
	r->spent += sw_clock_mono() - began;
}

/* ---- what is done ---- */

static void report_started(struct report *r)
{
	struct sw_fields was = r->f;

	report_time(r, "started_at", sw_clock_wall());
	(void)sw_fields_set(&r->f, "phase", "started");
	(void)sw_fields_set(&r->f, "exit_code", NULL);
	(void)report_given(r, NULL); /* was read before: cannot be wrong */
	r->begins = r->command != NULL;
	report_post(r, r->command ? r->within / 2 : r->within);
	r->begins = false;
	r->f = was;
}

static void report_signal(struct report *r, int signo)
{
	const char *name = sigabbrev_np(signo);

	(void)sw_fields_set(&r->f, "signal", name ? sw_arena_printf(&r->a, "SIG%s", name) : sw_arena_printf(&r->a, "%d", signo));
}

/* Return: the command's exit code. */
static int report_run(struct report *r)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_ran ran;

	if (sw_fields_get(&r->f, "ci_run_id"))
		(void)setenv("CI_RUN_ID", sw_fields_get(&r->f, "ci_run_id"), 0);
	if (sw_cli_run(r->command, &r->pipe, &ran, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: %s\n", err.text);
		return 126;
	}
	sw_fields_number(&r->f, "exit_code", ran.code);
	(void)sw_fields_set(&r->f, "cancelled", NULL); /* the CI's word about what came before */
	if (ran.signo)
		report_signal(r, ran.signo);
	report_time(r, "started_at", ran.started);
	report_time(r, "finished_at", ran.ended);
	sw_fields_number(&r->f, "duration_ms", (double)ran.took);
	sw_fields_number(&r->f, "cpu_ms", round(ran.cpu_ms));
	sw_fields_number(&r->f, "max_rss_bytes", ran.max_rss_bytes);
	return ran.code;
}

/* Of a job that is at its end: how long it took, where its CI says when it began. */
static void report_ended(struct report *r)
{
	const char *began = sw_fields_get(&r->f, "started_at");
	sw_ms now = sw_clock_wall(), at;

	report_time(r, "finished_at", now);
	if (began && sw_time_parse(began, &at) == 0 && at > 0 && at <= now)
		sw_fields_number(&r->f, "duration_ms", (double)(now - at));
}

static int report_all(struct report *r)
{
	int code = 0;

	if (r->phase == PHASE_STARTED)
		report_started(r);
	if (r->command)
		code = report_run(r);
	else if (r->phase == PHASE_FINISHED)
		report_ended(r);
	if (r->command || r->phase == PHASE_FINISHED) {
		report_coverage(r);
		(void)report_given(r, NULL);
		report_post(r, SW_MAX(r->within - r->spent, (sw_dur)1));
		if (r->not_begun.text[0])
			warn(r, "the report that it begins was not taken", r->not_begun.text);
	}
	return code ? code : r->strict && r->wrong ? SW_EXIT_WRONG : SW_EXIT_OK;
}

/* A variable that is wrong is no mistake on this command line: the job goes on. */
static void report_url_env(struct report *r)
{
	struct sw_err err = SW_ERR_INIT;

	r->url = report_variable(r, "SHIPWATCH_URL");
	if (r->url && sw_report_url(r->url, &r->a, &r->to.url, &err) < 0)
		warn(r, "SHIPWATCH_URL", err.text);
}

static int report_checked(struct report *r)
{
	struct sw_err err = SW_ERR_INIT;

	if (r->command && !r->command[0])
		return usage_error("a command is missing behind --");
	if (r->command && r->exit_code >= 0)
		return usage_error("--exit-code is for jobs that are over; a command says its own");
	if (r->url && sw_report_url(r->url, &r->a, &r->to.url, &err) < 0)
		return usage_error(err.text);
	if (report_begin(r, &err) < 0 || report_given(r, &err) < 0)
		return usage_error(err.text);
	if (!r->command && r->phase == PHASE_FINISHED && !sw_fields_get(&r->f, "exit_code"))
		return usage_error("say how it ended (--exit-code), that it begins (--phase started), or what to run (-- COMMAND)");
	if (!r->url)
		report_url_env(r);
	if (r->secret_file)
		report_secret_file(r);
	if (r->to.secret && !*r->to.secret)
		r->to.secret = NULL;
	if (r->to.url)
		sw_cli_net_for(r->to.url, r->proxy, r->ca_file, &r->a, &r->to.net);
	return report_all(r);
}

int sw_cli_report(int argc, char **argv)
{
	struct report r = { .ci = -1, .exit_code = -1, .within = WITHIN };
	const struct sw_opt opts[] = {
		{ "url", 0, SW_OPT_TEXT, &r.url, "URL", "Shipwatch's address, $SHIPWATCH_URL unless said" },
		{ "secret-file", 0, SW_OPT_TEXT, &r.secret_file, "FILE", "the secret it is signed with stands there; else $SHIPWATCH_SECRET" },
		{ "environment", 0, SW_OPT_TEXT, &r.environment, "NAME", "where this job deploys to: with success it is a deployment" },
		{ "service", 0, SW_OPT_TEXT, &r.service, "NAME", "what it deploys, where the repository does not say it" },
		{ "version", 0, SW_OPT_TEXT, &r.version, "TEXT", "what people call this version" },
		{ "coverage", 0, SW_OPT_LIST, &r.coverage, "FILE", "lcov, Cobertura XML or a Go profile; more than one adds up" },
		{ "metric", 0, SW_OPT_LIST, &r.metrics, "NAME=NUMBER", "a number that rules can use; as often as needed" },
		{ "field", 0, SW_OPT_LIST, &r.fields, "NAME=TEXT", "any other field, over what the CI says; NAME= leaves it out" },
		{ "phase", 0, SW_OPT_WORD, &r.phase, "PHASE", "finished, or started: the rollout begins; with a command both", phases },
		{ "exit-code", 0, SW_OPT_INT, &r.exit_code, "N", "how the job ended, when there is no command", NULL, 0, 255 },
		{ "ci", 0, SW_OPT_WORD, &r.ci, "NAME", "gitlab, github, gitea or jenkins; found out unless said", sw_ci_names },
		{ "timeout", 0, SW_OPT_DUR, &r.within, "TIME", "how long to try in all (10s)", NULL, 100, SW_HOUR },
		SW_OPT_NET(&r.proxy, &r.ca_file),
		{ "strict", 0, SW_OPT_FLAG, &r.strict, NULL, "exit code 1 when it was not taken, or coverage could not be read" },
		{ "dry-run", 0, SW_OPT_FLAG, &r.dry, NULL, "print what would be sent, send nothing; a command is run all the same" },
		{ "quiet", 'q', SW_OPT_FLAG, &r.quiet, NULL, "no line when all is well" }, { 0 },
	};
	int code;

	(void)sigaction(SIGPIPE, NULL, &r.pipe);
	report_secret_env(&r);
	r.command = report_command(&argc, argv);
	if (sw_options_read(&usage, opts, argc, argv, &code) >= 0)
		code = report_checked(&r);
	if (r.to.secret)
		explicit_bzero((char *)(uintptr_t)r.to.secret, strlen(r.to.secret));
	sw_arena_fini(&r.a);
	return code;
}
