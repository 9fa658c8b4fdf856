/* probe/log and probe/trace: a line as it is written, ids through nested calls, what is taken of a request's headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shipwatch/base.h"
#include "shipwatch/probe.h"

static int fds[2];

static int log_begin(void **state)
{
	if (pipe(fds) < 0)
		return -1;
	sw_log_setup(SW_LOG_INFO, SW_LOG_JSON, fds[1]);
	return 0;
}

static int log_end(void **state)
{
	sw_log_ids_set(NULL);
	sw_log_setup(SW_LOG_INFO, SW_LOG_JSON, STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* The line from its level on. */
static const char *line(void)
{
	static char text[20000];
	ssize_t n = read(fds[0], text, sizeof text - 1);

	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "{\"ts\":\"20", 9);
	return text + 33;
}

static void test_line(void **state)
{
	char text[2048];
	ssize_t n;

	sw_log_ids_set(&(struct sw_log_ids){ .ci_run_id = "gitlab/acme/web/1", .watch_id = "w\"1" });
	SW_DEBUG("worker", "not seen");
	errno = ENOENT;
	SW_WARN("worker/courier", "line\n%s", "two");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(line(), "\"level\":\"warn\",\"component\":\"worker/courier\",\"msg\":\"line\\ntwo\","
	                            "\"ci_run_id\":\"gitlab/acme/web/1\",\"watch_id\":\"w\\\"1\"}\n");
	sw_log_ids_set(NULL);
	sw_log_setup(SW_LOG_DEBUG, SW_LOG_TEXT, fds[1]);
	SW_DEBUG("cli", "a\nb\x1b[0m");
	n = read(fds[0], text, sizeof text - 1);
	text[n] = '\0';
	assert_string_equal(text + 24, " debug cli: a b[0m\n");
}

/* A message at its limit is whole, one past it is cut and says so; broken bytes do not break the line. */
static void test_long(void **state)
{
	char *text = malloc(8194);
	const char *got;

	memset(text, 'x', 8193);
	text[8193] = '\0';
	SW_INFO("c", "%.8192s", text);
	got = line();
	assert_int_equal(strspn(strstr(got, "\"msg\":\"") + 7, "x"), 8192);
	assert_null(strstr(got, "\xe2\x80\xa6"));
	SW_INFO("c", "%s", text);
	got = line();
	assert_int_equal(strspn(strstr(got, "\"msg\":\"") + 7, "x"), 8192);
	assert_non_null(strstr(got, "x\xe2\x80\xa6\""));
	SW_INFO("c", "a\xff\x01");
	assert_non_null(strstr(line(), "\"msg\":\"a\xef\xbf\xbd\\u0001\"}\n"));
	free(text);
}

static const char *ids(void)
{
	SW_INFO("c", "m");
	return line() + strlen("\"level\":\"info\",\"component\":\"c\",\"msg\":\"m\"");
}

static void *other_thread(void *arg)
{
	*(const char **)arg = sw_log_ids_now()->ci_run_id;
	return NULL;
}

static void test_nested(void **state)
{
	const char *seen = "x";
	pthread_t t;

	sw_log_ids_push(&(struct sw_log_ids){ .ci_run_id = "run", .request_id = "a" });
	assert_string_equal(ids(), ",\"ci_run_id\":\"run\",\"request_id\":\"a\"}\n");
	sw_log_ids_push(&(struct sw_log_ids){ .request_id = "b", .service = "web" });
	assert_string_equal(ids(), ",\"ci_run_id\":\"run\",\"service\":\"web\",\"request_id\":\"b\"}\n");
	sw_log_ids_set(NULL);
	assert_string_equal(ids(), "}\n");
	sw_log_ids_pop();
	assert_string_equal(ids(), ",\"ci_run_id\":\"run\",\"request_id\":\"a\"}\n");
	/* another thread has other work in hand */
	assert_int_equal(pthread_create(&t, NULL, other_thread, &seen), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_null(seen);
	sw_log_ids_pop();
	sw_log_ids_pop(); /* one too many does nothing */
	assert_string_equal(ids(), "}\n");
}

static void test_depth(void **state)
{
	char name[SW_LOG_DEPTH + 3][8];

	for (int i = 1; i <= SW_LOG_DEPTH + 2; i++) {
		(void)snprintf(name[i], sizeof name[i], "%d", i);
		sw_log_ids_push(&(struct sw_log_ids){ .request_id = name[i] });
		/* deeper than there is room: the last that had room is told */
		assert_string_equal(sw_log_ids_now()->request_id, name[SW_MIN(i, SW_LOG_DEPTH)]);
	}
	for (int i = SW_LOG_DEPTH + 2; i >= 1; i--) {
		assert_string_equal(sw_log_ids_now()->request_id, name[SW_MIN(i, SW_LOG_DEPTH)]);
		sw_log_ids_pop();
	}
	assert_null(sw_log_ids_now()->request_id);
}

/* ---- requests ---- */

#define T "4bf92f3577b34da6a3ce929d0e0e4736"
#define S "00f067aa0ba902b7"

static void test_traceparent(void **state)
{
	static const struct { const char *text; bool taken; unsigned flags; } cases[] = {
		{ "00-" T "-" S "-01", true, 1 },
		{ "00-" T "-" S "-00", true, 0 },
		{ "00-" T "-" S "-ff", true, 1 },
		{ "cc-" T "-" S "-01", true, 1 },         /* of a later version what we know of it */
		{ "cc-" T "-" S "-01-more", true, 1 },
		{ "cc-" T "-" S "-01more", false, 0 },
		{ "00-" T "-" S "-01-more", false, 0 },
		{ "ff-" T "-" S "-01", false, 0 },
		{ "00-" T "-" S, false, 0 },
		{ "00-00000000000000000000000000000000-" S "-01", false, 0 },
		{ "00-" T "-0000000000000000-01", false, 0 },
		{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-" S "-01", false, 0 },
		{ "00-" T "-" S "-0g", false, 0 },
		{ "00_" T "-" S "-01", false, 0 },
		{ "", false, 0 }, { "00", false, 0 }, { NULL, false, 0 },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_trace t, child;
		char out[SW_TRACEPARENT];

		sw_trace_begin(&t, cases[i].text, NULL, NULL);
		if ((strcmp(t.trace_id, T) == 0) != cases[i].taken || (strcmp(t.parent_id, S) == 0) != cases[i].taken)
			fail_msg("%s: %s", cases[i].text, t.trace_id);
		assert_int_equal(t.flags, cases[i].taken ? cases[i].flags : 1);
		assert_int_equal(strlen(t.trace_id), 32);
		assert_int_equal(strlen(t.span_id), 16);
		assert_string_not_equal(t.span_id, S);
		sw_trace_child(&child, &t);
		assert_string_equal(child.trace_id, t.trace_id);
		assert_string_equal(child.parent_id, t.span_id);
		assert_string_not_equal(child.span_id, t.span_id);
		/* what goes out is taken by the next one */
		sw_trace_parent(&child, out);
		assert_int_equal(strlen(out), SW_TRACEPARENT - 1);
		sw_trace_begin(&t, out, NULL, NULL);
		assert_string_equal(t.trace_id, child.trace_id);
		assert_string_equal(t.parent_id, child.span_id);
	}
}

static void test_ids_of_requests(void **state)
{
	static const struct { const char *text; bool request, run; } cases[] = {
		{ "a", true, true }, { "7f3a-9c20", true, true }, { "gitlab.example.com/acme/web/7741", true, true },
		{ "with blank", false, true }, { " lead", false, false }, { "trail ", false, false }, { "", false, false },
		{ "a\r\nSet-Cookie: x", false, false }, { "a\tb", false, false }, { "\x7f", false, false }, { "h\xc3\xa9", false, false },
		{ "quo\"te", false, true }, { NULL, false, false },
	};
	char text[SW_CI_RUN_ID + 2];
	struct sw_trace t;

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		sw_trace_begin(&t, NULL, cases[i].text, cases[i].text);
		if (cases[i].text && (strcmp(t.request_id, cases[i].text) == 0) != cases[i].request)
			fail_msg("request id: %s", cases[i].text);
		if (!cases[i].request)
			assert_int_equal(strlen(t.request_id), 32); /* one was made */
		assert_string_equal(t.ci_run_id, cases[i].run ? cases[i].text : "");
	}
	for (size_t n = SW_REQUEST_ID; n <= SW_CI_RUN_ID + 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		sw_trace_begin(&t, NULL, text, text);
		assert_int_equal(strlen(t.request_id), n <= SW_REQUEST_ID ? n : 32);
		assert_int_equal(strlen(t.ci_run_id), n <= SW_CI_RUN_ID ? n : 0);
	}
}

static void put(void *arg, const char *name, const char *value)
{
	char *text = arg;

	(void)snprintf(text + strlen(text), 512 - strlen(text), "%s: %s\n", name, value);
}

static void test_carried(void **state)
{
	struct sw_trace t;
	char text[512] = "", want[512];

	sw_trace_begin(&t, "00-" T "-" S "-01", "req-1", "ci.example.com/a/1");
	sw_trace_push(&t);
	(void)snprintf(want, sizeof want, ",\"ci_run_id\":\"ci.example.com/a/1\",\"request_id\":\"req-1\",\"trace_id\":\"" T "\",\"span_id\":\"%s\"}\n", t.span_id);
	assert_string_equal(ids(), want);
	sw_log_ids_pop();
	sw_trace_headers(&t, put, text);
	(void)snprintf(want, sizeof want, "traceparent: 00-" T "-%s-01\nX-Request-Id: req-1\nX-CI-Run-Id: ci.example.com/a/1\n", t.span_id);
	assert_string_equal(text, want);
	/* an id that is not known is not said */
	sw_trace_begin(&t, NULL, "req-2", NULL);
	*text = '\0';
	sw_trace_headers(&t, put, text);
	assert_null(strstr(text, "CI-Run"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, log_begin, log_end),   cmocka_unit_test_setup_teardown(test_long, log_begin, log_end),
		cmocka_unit_test_setup_teardown(test_nested, log_begin, log_end), cmocka_unit_test_setup_teardown(test_depth, log_begin, log_end),
		cmocka_unit_test(test_traceparent), cmocka_unit_test(test_ids_of_requests),
		cmocka_unit_test_setup_teardown(test_carried, log_begin, log_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
