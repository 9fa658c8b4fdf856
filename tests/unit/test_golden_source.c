/*
 * Golden cases of sources: tests/golden/source/<plug-in>/<case>/{headers,body} → want, one event a line; settings, if any, in `settings`.
 * SW_GOLDEN_WRITE=1 writes what came instead of comparing it; read the diff.
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

#include "unit/source_rig.h"

#define CASES 300

struct golden { char path[512]; const struct sw_source *plugin; };

static char *slurp(const char *dir, const char *name, size_t *ret_n)
{
	char path[700];
	FILE *f;
	char *s;
	long n;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "rb");
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

static void golden(void **state)
{
	const struct golden *g = *state;
	struct sw_header h[32];
	struct sw_arena a = { 0 };
	struct sw_events evs;
	struct sw_err err = SW_ERR_INIT;
	struct sw_buf out = SW_BUF_INIT;
	size_t n_body = 0, n_head = 0, n_want = 0;
	char *body = slurp(g->path, "body", &n_body), *head = slurp(g->path, "headers", &n_head), *want;
	struct sw_request rq = { .source = "golden", .headers = h, .body = body, .body_n = n_body, .content_type = "application/json",
	                         .arrived = ARRIVED };
	char *text = slurp(g->path, "settings", &n_want);
	void *conf = text ? good(g->plugin, text, &a) : sw_arena_alloc(&a, g->plugin->base.conf_size);
	int r;

	assert_non_null(body);
	assert_non_null(head);
	rq.n_headers = headers(head, h, SW_COUNT(h));
	if (sw_request_header(&rq, "content-type"))
		rq.content_type = sw_request_header(&rq, "content-type");
	while (strcmp(rq.content_type, "application/json") != 0 && rq.body_n && body[rq.body_n - 1] == '\n')
		rq.body_n--;
	sw_events_init(&evs, &a);
	r = g->plugin->parse(conf, &rq, &evs, &err);
	if (r < 0)
		sw_buf_printf(&out, "error: %s\n", err.text);
	for (size_t i = 0; i < evs.n; i++) {
		struct sw_jw w;

		sw_jw_init(&w, &out);
		sw_event_write(&evs.items[i], true, &w, NULL);
		sw_buf_putc(&out, '\n');
	}
	if (getenv("SW_GOLDEN_WRITE")) {
		char path[700];
		FILE *f;

		(void)snprintf(path, sizeof path, "%s/want", g->path);
		f = fopen(path, "wb");
		assert_non_null(f);
		(void)fwrite(sw_buf_str(&out), 1, out.n, f);
		(void)fclose(f);
	} else {
		want = slurp(g->path, "want", &n_want);
		assert_non_null(want);
		assert_string_equal(sw_buf_str(&out), want);
		free(want);
	}
	sw_buf_fini(&out);
	sw_arena_fini(&a);
	free(text);
	free(body);
	free(head);
}

static size_t collect(const char *root, const char *kind, const struct sw_source *plugin, struct golden *cases, struct CMUnitTest *tests, size_t n)
{
	char dir[300];
	DIR *d;
	struct dirent *e;

	(void)snprintf(dir, sizeof dir, "%s/tests/golden/source/%s", root, kind);
	d = opendir(dir);
	for (; d && (e = readdir(d)) && n < CASES;) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(cases[n].path, sizeof cases[n].path, "%.250s/%.200s", dir, e->d_name);
		cases[n].plugin = plugin;
		tests[n] = (struct CMUnitTest){ .name = strstr(cases[n].path, "source/"), .test_func = golden, .initial_state = &cases[n] };
		n++;
	}
	if (d)
		(void)closedir(d);
	return n;
}

int main(void)
{
	static struct golden cases[CASES];
	static struct CMUnitTest tests[CASES];
	const char *root = getenv("SW_SOURCE_ROOT");
	size_t n = 0;

	n = collect(root ? root : ".", "github", &sw_source_github, cases, tests, n);
	n = collect(root ? root : ".", "gitlab", &sw_source_gitlab, cases, tests, n);
	n = collect(root ? root : ".", "gitea", &sw_source_gitea, cases, tests, n);
	n = collect(root ? root : ".", "report", &sw_source_report, cases, tests, n);
	n = collect(root ? root : ".", "alertmanager", &sw_source_alertmanager, cases, tests, n);
	n = collect(root ? root : ".", "cloudevents", &sw_source_cloudevents, cases, tests, n);
	n = collect(root ? root : ".", "generic", &sw_source_generic, cases, tests, n);
	if (!n)
		return 1;
	return _cmocka_run_group_tests("golden_source", tests, n, NULL, NULL);
}
