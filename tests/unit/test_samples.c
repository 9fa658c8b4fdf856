/*
 * The sample configurations of examples/sources: each loads without a mistake, and what its sender posts becomes the events it should:
 * tests/golden/sample/<name>/<case>/{headers, body or recorded} → want. `recorded` names a payload of ../shared/payloads, which stays
 * there; where it is not, the case is skipped. SW_GOLDEN_WRITE=1 writes what came instead of comparing it; read the diff.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "config/config.h"
#include "plugins.h"

#define CASES   200
#define ARRIVED ((sw_ms)1790000000000)

struct sample { char root[300], name[100], path[700]; };

static const char *secret(void *arg, const char *name)
{
	(void)arg;
	return strstr(name, "LOGIN") ? "somebody:secret" : "secret";
}

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	char *s;
	long n;

	if (!f)
		return NULL;
	(void)fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = sw_malloc((size_t)n + 1);
	*ret_n = fread(s, 1, (size_t)n, f);
	s[*ret_n] = '\0';
	(void)fclose(f);
	return s;
}

static char *slurp_in(const char *dir, const char *name, size_t *ret_n)
{
	char path[1000];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return slurp(path, ret_n);
}

/* The body of the case; NULL: the payload is not there. */
static char *body_of(const struct sample *s, size_t *ret_n, bool *ret_recorded)
{
	char *body = slurp_in(s->path, "body", ret_n), *recorded, path[700];
	const char *payloads = getenv("SW_PAYLOADS");

	*ret_recorded = !body;
	if (body)
		return body;
	recorded = slurp_in(s->path, "recorded", ret_n);
	assert_non_null(recorded);
	recorded[strcspn(recorded, "\n")] = '\0';
	if (payloads)
		(void)snprintf(path, sizeof path, "%s/%s", payloads, recorded);
	else
		(void)snprintf(path, sizeof path, "%s/../shared/payloads/%s", s->root, recorded);
	free(recorded);
	return slurp(path, ret_n);
}

static struct sw_config *load(const struct sample *s)
{
	static const struct sw_source *const sources[] = { &sw_source_github, &sw_source_gitlab, &sw_source_report, &sw_source_cloudevents,
		&sw_source_generic, NULL };
	static const struct sw_signal *const signals[] = { &sw_signal_health, NULL };
	static const struct sw_channel *const channels[] = { &sw_channel_console, NULL };
	static const struct sw_action *const actions[] = { NULL };
	static const struct sw_plugins plugins = { sources, signals, channels, actions };
	const struct sw_yenv env = { .get = secret };
	struct sw_arena a = { 0 };
	struct sw_config *cfg = NULL;
	struct sw_diags d;
	char path[600];

	(void)snprintf(path, sizeof path, "%s/examples/sources/%s.yaml", s->root, s->name);
	sw_diags_init(&d, &a);
	if (sw_config_load(path, &plugins, &env, &cfg, &d) < 0 || d.warnings)
		fail_msg("%s", d.first ? d.first->text : path);
	sw_arena_fini(&a);
	return cfg;
}

static size_t headers(char *text, struct sw_header *ret, size_t most)
{
	size_t n = 0;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line && n < most; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		assert_non_null(colon);
		*colon = '\0';
		ret[n++] = (struct sw_header){ line, colon + 2 };
	}
	return n;
}

/* Who the people of a recorded payload are stays there. */
static void without_people(struct sw_event *ev)
{
	ev->user = ev->user ? "somebody" : NULL;
	ev->user_name = ev->user_name ? "Somebody" : NULL;
	ev->author = ev->author ? "Somebody" : NULL;
	ev->author_email = ev->author_email ? "somebody@example.com" : NULL;
	for (size_t i = 0; i < ev->n_commits; i++) {
		ev->commits[i].author = ev->commits[i].author ? "Somebody" : NULL;
		ev->commits[i].author_email = ev->commits[i].author_email ? "somebody@example.com" : NULL;
	}
}

/* The headers that survive the queue, as the gateway picks them. */
static size_t kept(const struct sw_conf_source *src, struct sw_header *h, size_t n)
{
	const char *const *more = src->plugin->more ? src->plugin->more(src->conf) : NULL;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		bool keep = false;

		for (const char *const *name = src->plugin->headers; *name; name++)
			keep |= strcmp(*name, h[i].name) == 0;
		for (const char *const *name = more; name && *name; name++)
			keep |= strcmp(*name, h[i].name) == 0;
		if (keep)
			h[k++] = h[i];
	}
	return k;
}

static void write_want(const struct sample *s, const struct sw_buf *out)
{
	char path[1000];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/want", s->path);
	f = fopen(path, "wb");
	assert_non_null(f);
	(void)fwrite(sw_buf_str(out), 1, out->n, f);
	(void)fclose(f);
}

static void sample(void **state)
{
	const struct sample *s = *state;
	size_t n_body = 0, n_head = 0, n_want = 0;
	struct sw_config *cfg = load(s);
	bool recorded;
	char *body = body_of(s, &n_body, &recorded), *head = slurp_in(s->path, "headers", &n_head), *want;
	struct sw_header h[32];
	struct sw_arena a = { 0 };
	struct sw_events evs;
	struct sw_err err = SW_ERR_INIT;
	struct sw_buf out = SW_BUF_INIT;
	struct sw_request rq = { .source = "sample", .headers = h, .body = body, .body_n = n_body, .content_type = "application/json", .arrived = ARRIVED };

	assert_non_null(head);
	assert_int_equal(cfg->n_sources, 1);
	if (body) {
		rq.n_headers = kept(&cfg->sources[0], h, headers(head, h, SW_COUNT(h)));
		sw_events_init(&evs, &a);
		if (cfg->sources[0].plugin->parse(cfg->sources[0].conf, &rq, &evs, &err) < 0)
			sw_buf_printf(&out, "error: %s\n", err.text);
		for (size_t i = 0; i < evs.n; i++) {
			struct sw_jw w;

			if (recorded)
				without_people(&evs.items[i]);
			sw_jw_init(&w, &out);
			sw_event_write(&evs.items[i], true, &w, NULL);
			sw_buf_putc(&out, '\n');
		}
		want = slurp_in(s->path, "want", &n_want);
		assert_non_null(want);
		if (getenv("SW_GOLDEN_WRITE"))
			write_want(s, &out);
		else
			assert_string_equal(sw_buf_str(&out), want);
		free(want);
	}
	sw_buf_fini(&out);
	sw_arena_fini(&a);
	free(head);
	sw_config_put(cfg);
	if (!body) /* not skip(): meson takes its "not ok" for one */
		print_message("# %s: its recorded payload is not here\n", s->path);
	free(body);
}

static size_t collect(const char *root, const char *name, struct sample *cases, struct CMUnitTest *tests, size_t n)
{
	char dir[600];
	struct dirent *e;
	DIR *d;

	(void)snprintf(dir, sizeof dir, "%.290s/tests/golden/sample/%.99s", root, name);
	d = opendir(dir);
	while (d && (e = readdir(d)) && n < CASES) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(cases[n].root, sizeof cases[n].root, "%s", root);
		(void)snprintf(cases[n].name, sizeof cases[n].name, "%.99s", name);
		(void)snprintf(cases[n].path, sizeof cases[n].path, "%s/%.99s", dir, e->d_name);
		tests[n] = (struct CMUnitTest){ .name = strstr(cases[n].path, "sample/"), .test_func = sample, .initial_state = &cases[n] };
		n++;
	}
	if (d)
		(void)closedir(d);
	return n;
}

int main(void)
{
	static struct sample cases[CASES];
	static struct CMUnitTest tests[CASES];
	const char *root = getenv("SW_SOURCE_ROOT");
	char dir[600];
	struct dirent *e;
	size_t n = 0, samples = 0;
	DIR *d;

	root = root ? root : ".";
	(void)snprintf(dir, sizeof dir, "%.300s/examples/sources", root);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), before = n;

		if (!sw_ends(e->d_name, ".yaml"))
			continue;
		e->d_name[len - 5] = '\0';
		n = collect(root, e->d_name, cases, tests, n);
		samples++;
		if (n == before) {
			(void)fprintf(stderr, "examples/sources/%s.yaml has no case in tests/golden/sample\n", e->d_name);
			return 1;
		}
	}
	if (d)
		(void)closedir(d);
	return samples ? _cmocka_run_group_tests("samples", tests, n, NULL, NULL) : 1;
}
