/* Templates and languages of channels in the configuration: what is read, and each mistake with its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static const struct sw_key none_keys[] = { { 0 } };
static const struct sw_channel console = { .base = { "console", "", none_keys, 0 } };
static const struct sw_source github = { .base = { "github", "", none_keys, 0 } };
static const struct sw_source *const sources[] = { &github, NULL };
static const struct sw_channel *const channels[] = { &console, NULL };
static const struct sw_action *const actions[] = { NULL };
static const struct sw_signal *const signals[] = { NULL };
static const struct sw_plugins plugins = { sources, signals, channels, actions };
static const struct sw_yenv test_env = { 0 };

static void test_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#define SRC "sources: {github: {}}\n"
#define SVC "services: {web: {repo: acme/web, environments: {prod: \"http://w/h\"}}}\n"
#define TMPL(rest) SRC "channels: {ops: {kind: console, " rest "}}\n" SVC

/* Templates of messages are part of the configuration: a mistake in one is a mistake of the whole. */
static void test_templates(void **state)
{
	char dir[] = "/tmp/sw-config-XXXXXX";
	struct sw_arena a = { 0 };
	static const struct { const char *text, *want; } rows[] = {
		{ TMPL("template: good.tmpl"), NULL },
		{ TMPL("template: ./"), NULL },
		{ TMPL("template: ., locale: en"), NULL },
		{ TMPL("template: nowhere.tmpl"), "%s/s.yaml:2:43: template: %s/nowhere.tmpl cannot be read: No such file or directory" },
		{ TMPL("template: bad.tmpl"), "%s/bad.tmpl:2:2: unknown value \"servic\", did you mean \"service\"?" },
		{ TMPL("template: ., locale: zh"), "%s/s.yaml:2:43: template: there is no zh.tmpl in %s/., which is the channel's language" },
		{ TMPL("template: big.tmpl"), "%s/s.yaml:2:43: template: %s/big.tmpl has more than 16384 bytes" },
		{ TMPL("template: [a]"), "%s/s.yaml:2:43: template: want a text, got a list" },
		{ TMPL("locale: de"), "%s/s.yaml:2:41: locale: want en, zh-CN or zh, got \"de\"" },
	};
	static char big[16386];

	assert_non_null(mkdtemp(dir));
	memset(big, 'x', sizeof big - 1);
	test_write(sw_arena_printf(&a, "%s/good.tmpl", dir), "{service}\n");
	test_write(sw_arena_printf(&a, "%s/en.tmpl", dir), "{place}\n");
	test_write(sw_arena_printf(&a, "%s/bad.tmpl", dir), "x\n{servic}\n");
	test_write(sw_arena_printf(&a, "%s/big.tmpl", dir), big);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_config *c = NULL;
		struct sw_diags d;
		int r;

		sw_diags_init(&d, &a);
		r = sw_config_load_text(sw_arena_printf(&a, "%s/s.yaml", dir), rows[i].text, strlen(rows[i].text), &plugins, &test_env, &c, &d);
		assert_int_equal(r, rows[i].want ? -EINVAL : 0);
		if (r == 0) {
			assert_non_null(sw_config_channel(c, "ops")->tmpl);
			sw_config_put(c);
		} else {
			SW_CLEANUP(sw_buf_fini) struct sw_buf want = SW_BUF_INIT;

			for (const char *p = rows[i].want; *p; p++)
				if (p[0] == '%')
					sw_buf_cat(&want, dir), p++;
				else
					sw_buf_putc(&want, *p);
			assert_string_equal(d.first->text, sw_buf_str(&want));
		}
	}
	for (const char *const *name = (const char *const[]){ "good.tmpl", "en.tmpl", "bad.tmpl", "big.tmpl", NULL }; *name; name++)
		unlink(sw_arena_printf(&a, "%s/%s", dir, *name));
	rmdir(dir);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_templates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
