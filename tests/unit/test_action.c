/*
 * Actions: what became of one, by answer and by exit; programs never see more than they should. How requests look is in
 * tests/golden/action/; health in tests/golden/signal/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "plugins.h"

#define NOW ((sw_ms)1700000000000)

struct row {
	enum sw_fault fault;
	int status;
	bool timed_out;
	const char *body;
	enum sw_outcome want;
	const char *says;
};

static void judge_rows(const struct sw_action *act, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sw_result res = { .fault = rows[i].fault,
			                 .status = rows[i].status,
			                 .timed_out = rows[i].timed_out,
			                 .body = rows[i].body,
			                 .body_n = strlen(rows[i].body),
			                 .detail = rows[i].fault ? "why" : NULL };
		struct sw_err err = SW_ERR_INIT;
		struct sw_class got = act->judge(NULL, &res, &err);

		if (got.outcome != rows[i].want || (rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("row %zu: %s: %s", i, sw_outcome_name(got.outcome), err.text);
	}
}

static void http_answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 200, false, "", SW_OK, NULL },
		{ SW_FAULT_NONE, 202, false, "x", SW_OK, NULL },
		{ SW_FAULT_NONE, 302, false, "", SW_MESSAGE, "302" },
		{ SW_FAULT_NONE, 403, false, "", SW_MESSAGE, "403" },
		{ SW_FAULT_NONE, 503, false, "", SW_RETRY, "503" },
		{ SW_FAULT_CONNECT, 0, false, "", SW_RETRY, "why" },
		{ SW_FAULT_TIMEOUT_CONNECT, 0, false, "", SW_RETRY, "why" },
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
		{ SW_FAULT_CERT, 0, false, "", SW_CONFIG, "why" },
	};

	judge_rows(&sw_action_http, rows, SW_COUNT(rows));
}

static void exec_exits(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 0, false, "done\n", SW_OK, NULL },
		{ SW_FAULT_NONE, 1, false, "a\nno such release\n\n", SW_MESSAGE, "ended with 1: no such release" },
		{ SW_FAULT_NONE, 2, false, "", SW_MESSAGE, "ended with 2" },
		{ SW_FAULT_NONE, 137, false, "\x1b[31mred", SW_MESSAGE, "ended with 137: [31mred" },
		{ SW_FAULT_NONE, 143, true, "x", SW_AMBIGUOUS, "its time" },
		{ SW_FAULT_NONE, 0, true, "x", SW_AMBIGUOUS,
		  "its time" }, /* ended well, but after it was told to stop */
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
		{ SW_FAULT_REFUSED, 0, false, "", SW_CONFIG, "why" },
		{ SW_FAULT_SPAWN, 0, false, "", SW_CONFIG, "why" },
	};

	judge_rows(&sw_action_exec, rows, SW_COUNT(rows));
}

/* Nothing that came from outside can be an argument, a variable of another name, or a second variable. */
static void exec_environment(void **state)
{
	struct {
		const char *program, **args, *cwd;
		sw_dur timeout;
	} conf = { .program = "/opt/undo", .timeout = SW_MINUTE };
	static const char *const evil[] = {
		"x\nLD_PRELOAD=/tmp/e.so", "x\rPATH=/tmp", "=", "", "$(id)", "\xff\xfe", "\xe2\x80\xaex"
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	for (size_t i = 0; i < SW_COUNT(evil); i++) {
		struct sw_act act = {
			.id = evil[i], .service = evil[i], .branch = evil[i], .user = evil[i], .sha = evil[i]
		};
		struct sw_err err = SW_ERR_INIT;
		struct sw_job job;

		assert_int_equal(sw_action_exec.plan(&conf, &act, NOW, &a, &job, &err), 0);
		assert_string_equal(job.argv[0], "/opt/undo");
		assert_null(job.argv[1]);
		for (const char **e = job.env; *e; e++) {
			assert_true(sw_starts(*e, "SW_"));
			assert_null(strpbrk(*e, "\n\r"));
			for (size_t n = strlen(*e), at = 0; at < n; at += sw_utf8_len(*e + at, n - at))
				assert_true(sw_utf8_len(*e + at, n - at) > 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_answers),
		cmocka_unit_test(exec_exits),
		cmocka_unit_test(exec_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
