/* The demo: files with their secrets, the example service, and the webhooks a GitLab would send. */
#include "cli/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

/* The first of these that is there, seen from the program: in the build's folder, or installed. NULL: none. */
static const char *demo_find(struct sw_arena *a, const char *const *places, int mode)
{
	char self[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (; *places; places++) {
		char *path = sw_arena_printf(a, "%s/%s", self, *places), *real;

		if (access(path, mode) < 0)
			continue;
		real = realpath(path, NULL);
		path = real ? sw_arena_strdup(a, real) : path;
		free(real);
		return path;
	}
	return NULL;
}

/* Appears whole or not at all. */
static int demo_file(const char *path, const char *text, size_t n, mode_t mode, struct sw_err *err)
{
	char tmp[4096];
	int fd, r = 0;

	if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
		return sw_err_set(err, ENAMETOOLONG, "%s: the path is too long", path);
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return sw_err_set(err, errno, "%s: %s", tmp, strerror(errno));
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		r = -EIO;
	if (close(fd) < 0 || (r == 0 && rename(tmp, path) < 0))
		r = -EIO;
	return r < 0 ? sw_err_set(err, EIO, "%s: cannot be written", path) : 0;
}

/* A secret of 128 bits, made once and then read. */
static int demo_secret(const struct sw_demo *d, const char *name, char ret[65], struct sw_err *err)
{
	const char *path = sw_arena_printf(d->a, "%s/%s", d->dir, name);
	unsigned char raw[16];
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	FILE *f = fopen(path, "re");
	size_t n;

	if (f) {
		n = fread(ret, 1, 64, f);
		(void)fclose(f);
		ret[n] = 0;
		ret[strcspn(ret, "\r\n")] = 0;
		if (strlen(ret) >= 16)
			return 0;
	}
	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		return sw_err_set(err, EIO, "no random numbers");
	sw_hex_encode(&b, raw, sizeof raw);
	(void)snprintf(ret, 65, "%s", sw_buf_str(&b));
	return demo_file(path, b.p, b.n, 0600, err);
}

static int demo_service(struct sw_demo *d, struct sw_loop *loop)
{
	sw_child_init(&d->service, loop, "example-service");
	d->port_file = sw_arena_printf(d->a, "%s/service.port", d->dir);
	(void)unlink(d->port_file);
	sw_child_arg(&d->service, d->program);
	sw_child_arg(&d->service, "--listen");
	sw_child_arg(&d->service, "127.0.0.1:0");
	sw_child_arg(&d->service, "--port-file");
	sw_child_arg(&d->service, d->port_file);
	sw_child_arg(&d->service, "--commit");
	sw_child_arg(&d->service, SW_DEMO_GOOD_SHA);
	sw_child_arg(&d->service, "--version");
	sw_child_arg(&d->service, SW_DEMO_GOOD_VERSION);
	d->service.log = sw_arena_printf(d->a, "%s/log/example-service.log", d->state_dir);
	d->service.log_all = true;
	return 0;
}

int sw_demo_init(struct sw_demo *d, struct sw_loop *loop, const char *state_dir, struct sw_arena *a, struct sw_err *err)
{
	static const char *const programs[] = { "examples/service/example-service", "../libexec/shipwatch/example-service", NULL };
	static const char *const rules[] = { "demo-rules.yaml", "../share/shipwatch/rules/demo.yaml", NULL };
	int r;

	*d = (struct sw_demo){ .a = a, .state_dir = state_dir };
	d->program = demo_find(a, programs, X_OK);
	d->rules = demo_find(a, rules, R_OK);
	if (!d->program || !d->rules)
		return sw_err_set(err, ENOENT, "the demo wants %s, which is not beside this program; give a configuration: shipwatch up -c FILE",
		                  d->program ? "rules/demo.yaml" : "the example service");
	d->dir = sw_arena_printf(a, "%s/demo", state_dir);
	d->config = sw_arena_printf(a, "%s/demo.yaml", state_dir);
	d->bad_file = sw_arena_printf(a, "%s/bad-release.json", d->dir);
	d->headers_file = sw_arena_printf(a, "%s/headers", d->dir);
	d->script_file = sw_arena_printf(a, "%s/demo.sh", d->dir);
	if (mkdir(d->dir, 0700) < 0 && errno != EEXIST)
		return sw_err_set(err, errno, "%s: %s", d->dir, strerror(errno));
	r = demo_secret(d, "gitlab-token", d->token, err);
	if (r == 0)
		r = demo_secret(d, "report-secret", d->secret, err);
	return r < 0 ? r : demo_service(d, loop);
}

bool sw_demo_port(struct sw_demo *d)
{
	FILE *f = d->port ? NULL : fopen(d->port_file, "re");
	char text[16] = "";
	long port;

	if (f) {
		if (!fgets(text, sizeof text, f))
			text[0] = 0;
		(void)fclose(f);
		port = strtol(text, NULL, 10);
		if (port > 0 && port < 65536) {
			d->port = (int)port;
			/* the configuration names this port: the next start has to have it again */
			d->service.argv[2] = sw_arena_printf(d->a, "127.0.0.1:%d", d->port);
		}
	}
	return d->port != 0;
}

int sw_demo_write(struct sw_demo *d, const char *listen, const char *dashboard, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, "# The demo, written by `shipwatch up` at every start. Copied elsewhere it is a beginning: shipwatch up -c FILE\n");
	sw_buf_printf(&b, "state_dir: \"%s\"\nlocale: en\n", d->state_dir);
	sw_buf_printf(&b, "gateway: {listen: \"%s\", workers: 1}\ndashboard: {listen: \"%s\"}\n", listen, dashboard);
	sw_buf_printf(&b,
	              "sources:\n"
	              "  gitlab: {tokens: [\"${file:%s/gitlab-token}\"]}\n"
	              "  ci: {kind: report, secrets: [\"${file:%s/report-secret}\"]}\n",
	              d->dir, d->dir);
	sw_buf_printf(&b,
	              "channels:\n  console: {kind: console}\n"
	              "services:\n  demo:\n    repo: acme/demo\n    environments:\n      prod:\n"
	              "        health: {url: \"http://127.0.0.1:%d/health\", every: 1s, timeout: 500ms, grace: 2s, background: 5s}\n"
	              "        metrics: {url: \"http://127.0.0.1:%d/metrics\", background: 1s}\n"
	              "        rollback: back\n        rollback_limit: {30m: 100, 24h: 1000}\n",
	              d->port, d->port);
	sw_buf_printf(&b,
	              "actions:\n  back: {kind: http, url: \"http://127.0.0.1:%d/knobs?health=ok&error_pct=0&delay_ms=0&commit=" SW_DEMO_GOOD_SHA "&version=" SW_DEMO_GOOD_VERSION "\"}\n"
	              "rules: \"%s\"\n",
	              d->port, d->rules);
	return demo_file(d->config, b.p, b.n, 0600, err);
}

/* A GitLab Deployment Hook. Its number is greater than all before it, also of earlier starts: GitLab's order of deployments. */
void sw_demo_hook(struct sw_demo *d, struct sw_buf *b, const char *status, const char *sha, const char *title, const char *version)
{
	/* what runs and then succeeds is one */
	if (!sw_streq(d->last_sha, sha))
		d->last_id = SW_MAX(d->last_id + 1, sw_clock_wall());
	(void)snprintf(d->last_sha, sizeof d->last_sha, "%s", sw_streq(status, "running") ? sha : "");
	sw_buf_printf(b,
	              "{\"object_kind\":\"deployment\",\"status\":\"%s\",\"deployment_id\":%lld,\"deployable_id\":%lld,"
	              "\"environment\":\"prod\",\"environment_tier\":\"production\",",
	              status, (long long)d->last_id, (long long)d->last_id);
	sw_buf_printf(b,
	              "\"project\":{\"id\":1,\"name\":\"demo\",\"web_url\":\"https://gitlab.example.com/acme/demo\","
	              "\"path_with_namespace\":\"acme/demo\",\"default_branch\":\"main\"},");
	sw_buf_printf(b,
	              "\"short_sha\":\"%.8s\",\"ref\":\"main\",\"commit_url\":\"https://gitlab.example.com/acme/demo/-/commit/%s\","
	              "\"commit_title\":\"%s (%s)\",\"user\":{\"id\":7,\"name\":\"Lin Wei\",\"username\":\"lin.wei\"}}",
	              sha, sha, title, version);
}

int sw_demo_fresh(struct sw_demo *d, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf body = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf sha = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	unsigned char raw[20];
	int r;

	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		return sw_err_set(err, EIO, "no random numbers");
	sw_hex_encode(&sha, raw, sizeof raw);
	sw_demo_hook(d, &body, "success", sw_buf_str(&sha), "Faster checkout", SW_DEMO_BAD_VERSION);
	r = demo_file(d->bad_file, body.p, body.n, 0600, err);
	if (r < 0)
		return r;
	sw_buf_printf(&text, "X-Gitlab-Token: %s\nX-Gitlab-Event: Deployment Hook\nContent-Type: application/json\n", d->token);
	r = demo_file(d->headers_file, text.p, text.n, 0600, err);
	if (r < 0)
		return r;
	sw_buf_reset(&text);
	sw_buf_printf(&text,
	              "#!/bin/sh\n# A release goes bad: the example service turns ill, and GitLab's webhook tells that it was deployed.\n"
	              "exec curl -sS -X POST 'http://127.0.0.1:%d/knobs?health=fail&version=" SW_DEMO_BAD_VERSION "' --next \\\n"
	              "  -H @'%s' --data @'%s' http://%s/hooks/gitlab\n",
	              d->port, d->headers_file, d->bad_file, d->gateway);
	return demo_file(d->script_file, text.p, text.n, 0700, err);
}

void sw_demo_good(struct sw_demo *d, struct sw_job *ret)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf body = SW_BUF_INIT;

	sw_demo_hook(d, &body, "success", SW_DEMO_GOOD_SHA, "First release", SW_DEMO_GOOD_VERSION);
	(void)sw_job_post_json(ret, d->a, sw_arena_printf(d->a, "http://%s/hooks/gitlab", d->gateway), &body);
	sw_job_header(ret, "X-Gitlab-Token", d->token);
	sw_job_header(ret, "X-Gitlab-Event", "Deployment Hook");
}
