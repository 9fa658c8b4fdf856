/* Sessions of the dashboard: who a cookie says it is, and all the ways in which it says nothing. Passwords, limits, escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/html.h"
#include "base/passwd.h"
#include "base/str.h"
#include "dashboard/session.h"
#include "dashboard/web.h"
#include "io/client.h"

#define NOW ((sw_ms)1790000000000)

static char hash_lin[] = "$y$j9T$SJROcExH0mDdJh/5Na/kA/$.PZ/IfLd1UF/HZ5CiN.y3jxj8wPLWsPIVjG0Tdy3YJB", hash_new[] = "$y$j9T$other$.PZ/IfLd1UF/HZ5CiN.y3jxj8wPLWsPIVjG0Tdy3YJB";

struct rig { char dir[64]; struct sw_sessions *s; struct sw_conf_user users[2]; struct sw_conf_dashboard c; struct sw_arena a; };

static void rig_open(struct rig *g)
{
	struct sw_err err = SW_ERR_INIT;

	if (sw_sessions_new(g->dir, &g->s, &err) < 0)
		fail_msg("%s", err.text);
}

static int rig_setup(void **state)
{
	struct rig *g = sw_calloc(1, sizeof *g);

	(void)snprintf(g->dir, sizeof g->dir, "/tmp/sw-test-XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	g->users[0] = (struct sw_conf_user){ "lin", hash_lin, 1 };
	g->users[1] = (struct sw_conf_user){ "梅 mei", hash_new, 0 };
	g->c = (struct sw_conf_dashboard){ .users = g->users, .n_users = 2, .session = 12 * SW_HOUR };
	rig_open(g);
	*state = g;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *g = *state;
	static const char *const files[] = { "dashboard.key", "dashboard.out", "dashboard.key.new", "dashboard.out.new" };
	char path[128];

	sw_sessions_free(g->s);
	for (size_t i = 0; i < SW_COUNT(files); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", g->dir, files[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(g->dir), 0);
	sw_arena_fini(&g->a);
	free(g);
	return 0;
}

static const char *who(struct rig *g, const char *cookie, sw_ms now)
{
	char id[SW_SESSION_ID];
	const struct sw_conf_user *u = sw_session_user(g->s, &g->c, cookie, now, id);

	return u ? u->name : "nobody";
}

static const char *path_of(struct rig *g, const char *file)
{
	return sw_arena_printf(&g->a, "%s/%s", g->dir, file);
}

static void test_session(void **state)
{
	struct rig *g = *state;
	const char *lin = sw_session_new(g->s, &g->users[0], NOW, &g->a), *mei = sw_session_new(g->s, &g->users[1], NOW, &g->a);

	assert_string_equal(who(g, lin, NOW), "lin");
	assert_string_equal(who(g, mei, NOW), "梅 mei");
	/* the limit of its time, and one past it */
	assert_string_equal(who(g, lin, NOW + 12 * SW_HOUR), "lin");
	assert_string_equal(who(g, lin, NOW + 12 * SW_HOUR + 1), "nobody");
	assert_string_equal(who(g, lin, NOW - SW_MINUTE), "lin");
	assert_string_equal(who(g, lin, NOW - SW_MINUTE - 1), "nobody");
	/* a shorter time in the configuration counts at once */
	g->c.session = SW_HOUR;
	assert_string_equal(who(g, lin, NOW + SW_HOUR + 1), "nobody");
}

/* Each byte of a cookie changed, each cut: nobody. */
static void test_forged(void **state)
{
	struct rig *g = *state;
	const char *lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	static const char *const odd[] = { "", ".", "....", "1....", "1.1.1.1.1", "2.1.a.b.c", "1.1790000000000.00000000000000000000000000000000.6c696e.", "lin",
		                           "1.1790000000000.00000000000000000000000000000000.6c696e.0000000000000000000000000000000000000000000000000000000000000000" };
	size_t n = strlen(lin);
	char *copy = sw_arena_strdup(&g->a, lin);

	for (size_t i = 0; i < n; i++) {
		for (const char *c = "0a.Z"; *c; c++) {
			if (*c == lin[i])
				continue;
			copy[i] = *c;
			assert_string_equal(who(g, copy, NOW), "nobody");
		}
		copy[i] = lin[i];
		assert_string_equal(who(g, sw_arena_strndup(&g->a, lin, i), NOW), "nobody");
	}
	assert_string_equal(who(g, copy, NOW), "lin");
	assert_string_equal(who(g, sw_arena_printf(&g->a, "%s0", lin), NOW), "nobody");
	assert_string_equal(who(g, sw_arena_printf(&g->a, "%s.", lin), NOW), "nobody");
	for (size_t i = 0; i < SW_COUNT(odd); i++)
		assert_string_equal(who(g, odd[i], NOW), "nobody");
	copy = sw_arena_alloc(&g->a, 5001);
	memset(copy, '1', 5000);
	assert_string_equal(who(g, copy, NOW), "nobody");
}

/* What the user is now is what the seal is over. */
static void test_changed_user(void **state)
{
	struct rig *g = *state;
	const char *lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);

	g->users[0].role = 0;
	assert_string_equal(who(g, lin, NOW), "nobody");
	g->users[0].role = 1;
	g->users[0].password_hash = hash_new;
	assert_string_equal(who(g, lin, NOW), "nobody");
	g->users[0].password_hash = hash_lin;
	assert_string_equal(who(g, lin, NOW), "lin");
	g->users[0].name = "lina";
	assert_string_equal(who(g, lin, NOW), "nobody");
	g->c.n_users = 0;
	assert_string_equal(who(g, lin, NOW), "nobody");
}

static void test_sign_out(void **state)
{
	struct rig *g = *state;
	const char *one = sw_session_new(g->s, &g->users[0], NOW, &g->a), *two = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	char id[SW_SESSION_ID];

	assert_non_null(sw_session_user(g->s, &g->c, one, NOW, id));
	assert_int_equal(sw_session_end(g->s, &g->c, id, NOW), 0);
	assert_string_equal(who(g, one, NOW), "nobody");
	assert_string_equal(who(g, two, NOW), "lin");
	/* twice does no harm, and a restart knows both */
	assert_int_equal(sw_session_end(g->s, &g->c, id, NOW), 0);
	sw_sessions_free(g->s);
	rig_open(g);
	assert_string_equal(who(g, one, NOW), "nobody");
	assert_string_equal(who(g, two, NOW), "lin");
}

static void test_key(void **state)
{
	struct rig *g = *state;
	const char *lin = sw_session_new(g->s, &g->users[0], NOW, &g->a), *key = path_of(g, "dashboard.key");
	struct stat st;
	int fd;

	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* others could read it: another one */
	assert_int_equal(chmod(key, 0644), 0);
	sw_sessions_free(g->s);
	rig_open(g);
	assert_string_equal(who(g, lin, NOW), "nobody");
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* torn: another one */
	lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	assert_int_equal(truncate(key, 20), 0);
	sw_sessions_free(g->s);
	rig_open(g);
	assert_string_equal(who(g, lin, NOW), "nobody");
	/* what was signed out may be torn too */
	fd = open(path_of(g, "dashboard.out"), O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0 && write(fd, "garbage\n\n0123456789abcdef0123456789abcdef 17\n0123", 48) == 48);
	(void)close(fd);
	sw_sessions_free(g->s);
	rig_open(g);
	assert_string_equal(who(g, sw_session_new(g->s, &g->users[0], NOW, &g->a), NOW), "lin");
}

static void test_no_dir(void **state)
{
	struct sw_sessions *s = NULL;
	struct sw_err err = SW_ERR_INIT;

	(void)state;
	assert_int_equal(sw_sessions_new("/nonexistent/dir", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/dir/dashboard.key"));
}

/* As many as are remembered, and one more: then none of the old ones holds. */
static void test_many_out(void **state)
{
	struct rig *g = *state;
	const char *lin;
	char id[SW_SESSION_ID];
	FILE *f = fopen(path_of(g, "dashboard.out"), "w");

	assert_non_null(f);
	for (int i = 0; i < SW_SESSION_OUT - 1; i++)
		(void)fprintf(f, "%032x %lld\n", i, (long long)NOW);
	(void)fclose(f);
	sw_sessions_free(g->s);
	rig_open(g);
	lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	assert_int_equal(sw_session_end(g->s, &g->c, "ffffffffffffffffffffffffffffffff", NOW), 0);
	assert_string_equal(who(g, lin, NOW), "lin");
	/* those whose time is over make room */
	assert_int_equal(sw_session_end(g->s, &g->c, "fffffffffffffffffffffffffffffffe", NOW + g->c.session + 1), 0);
	assert_string_equal(who(g, lin, NOW), "lin");
	for (int i = 0; i < SW_SESSION_OUT - 1; i++) {
		(void)snprintf(id, sizeof id, "a%031x", i);
		if (i < 3 || i > SW_SESSION_OUT - 4)
			assert_int_equal(sw_session_end(g->s, &g->c, id, NOW + g->c.session + 1), 0);
	}
	assert_string_equal(who(g, lin, NOW), "lin");
}

static void test_overflow(void **state)
{
	struct rig *g = *state;
	const char *lin;
	FILE *f = fopen(path_of(g, "dashboard.out"), "w");

	assert_non_null(f);
	for (int i = 0; i < SW_SESSION_OUT; i++)
		(void)fprintf(f, "%032x %lld\n", i, (long long)NOW);
	(void)fclose(f);
	sw_sessions_free(g->s);
	rig_open(g);
	lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	assert_string_equal(who(g, lin, NOW), "lin");
	assert_int_equal(sw_session_end(g->s, &g->c, "ffffffffffffffffffffffffffffffff", NOW), 0);
	assert_string_equal(who(g, lin, NOW), "nobody");
	lin = sw_session_new(g->s, &g->users[0], NOW, &g->a);
	assert_string_equal(who(g, lin, NOW), "lin");
}

static void test_csrf(void **state)
{
	struct rig *g = *state;
	const char *one = sw_session_csrf(g->s, "a", &g->a), *two = sw_session_csrf(g->s, "b", &g->a);

	assert_int_equal(strlen(one), 32);
	assert_string_not_equal(one, two);
	assert_string_equal(one, sw_session_csrf(g->s, "a", &g->a));
	assert_int_equal(unlink(path_of(g, "dashboard.key")), 0);
	sw_sessions_free(g->s);
	rig_open(g);
	assert_string_not_equal(one, sw_session_csrf(g->s, "a", &g->a));
}

static void test_passwords(void **state)
{
	static const char *const bad[] = { "", "password", "$", "$y$", "$y$j9T$abc", "$9$x$abcdefghijklmnopqrstuvwxyz", "*", "$6$rounds=5000001$x$abcdefghijklmnopqrstuvwxyz", "!$y$x" };
	char hash[SW_PASSWD_HASH];

	(void)state;
	assert_int_equal(sw_passwd_hash("Sesam öffne dich", hash), 0);
	assert_null(sw_passwd_wrong(hash));
	assert_true(sw_passwd_is("Sesam öffne dich", hash));
	assert_false(sw_passwd_is("Sesam öffne dich ", hash));
	assert_false(sw_passwd_is("", hash));
	/* bcrypt and SHA-512 of "password123" */
	assert_null(sw_passwd_wrong("$6$abcdefgh$f/eCrlzQFVPBXHUAWYpYrWVLk1GxDkHDgGn1OCGjYQ0nJSTVuQQIdIKZGmrV5EELWGQAsyGTZdDJkWcMOLPZo."));
	for (size_t i = 0; i < SW_COUNT(bad); i++) {
		assert_non_null(sw_passwd_wrong(bad[i]));
		assert_false(sw_passwd_is("password", bad[i]));
	}
}

static void test_limits(void **state)
{
	struct sw_failures *f = sw_failures_new(3);
	unsigned char key[16], other[16];

	(void)state;
	sw_failures_key("lin", key);
	sw_failures_key("Lin", other);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sw_failures_over(f, key, 1000), 0);
		assert_int_equal(sw_failures_add(f, key, 1000), 0);
	}
	assert_int_equal(sw_failures_over(f, key, 1000), 60);
	assert_int_equal(sw_failures_over(f, key, 41000), 20);
	assert_int_equal(sw_failures_over(f, other, 1000), 0);
	assert_int_equal(sw_failures_over(f, key, 61000), 0);
	assert_int_equal(sw_failures_add(f, key, 61000), 0);
	sw_failures_free(f);
}

static void test_html(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;" },
		{ "</script><script>alert(1)</script>", "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" },
		{ "two\nlines\tand", "two\nlines\tand" },
		{ "\x1b[31mred\r\x7f", "[31mred" },
		{ "\xff\xfe<", "\xef\xbf\xbd\xef\xbf\xbd&lt;" },
		{ "a\xe2\x80\xae" "b\xe2\x80\x8b" "c", "abc" },
		{ "中文", "中文" },
	};
	struct sw_buf b = SW_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		sw_buf_reset(&b);
		sw_html_text(&b, cases[i].in);
		assert_string_equal(sw_buf_str(&b), cases[i].want);
	}
	sw_buf_reset(&b);
	sw_html_text(&b, NULL);
	sw_html_cut(&b, NULL, 3);
	sw_html_cut(&b, "中文字", 7);
	assert_string_equal(sw_buf_str(&b), "中文…");
	sw_buf_reset(&b);
	sw_html(&b, "<i title=\"%s\">%s %d %lld %05u %c%%</i>", "\"", "<x>", -3, 1234567890123ll, 42u, '<');
	assert_string_equal(sw_buf_str(&b), "<i title=\"&quot;\">&lt;x&gt; -3 1234567890123 00042 &lt;%</i>");
	sw_buf_reset(&b);
	sw_html_link(&b, "javascript:alert(1)", "<j>");
	sw_html_link(&b, " https://x", "y");
	sw_html_link(&b, NULL, "z");
	assert_string_equal(sw_buf_str(&b), "&lt;j&gt;yz");
	sw_buf_reset(&b);
	sw_html_link(&b, "https://x/?a=\"&b=<", "go");
	assert_string_equal(sw_buf_str(&b), "<a class=\"out\" href=\"https://x/?a=&quot;&amp;b=&lt;\" rel=\"noopener noreferrer\">go</a>");
	sw_buf_fini(&b);
}

#define S(t) cmocka_unit_test_setup_teardown(t, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_session), S(test_forged), S(test_changed_user), S(test_sign_out), S(test_key), S(test_many_out), S(test_overflow), S(test_csrf),
		cmocka_unit_test(test_no_dir), cmocka_unit_test(test_passwords), cmocka_unit_test(test_limits), cmocka_unit_test(test_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
