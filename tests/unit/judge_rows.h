/* What became of a message by each answer: tables of cases, and the rows that every channel over HTTP has. */
#ifndef SW_TESTS_JUDGE_ROWS_H
#define SW_TESTS_JUDGE_ROWS_H

#include <string.h>

#include "shipwatch/plugin.h"

struct row {
	enum sw_fault fault;
	int status;
	const char *body;
	enum sw_outcome want;
	sw_dur wait;
	int tries;
	const char *retry_after;
};

static inline void judge_rows(const struct sw_channel *ch, const void *conf, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sw_header headers[] = { { "date", "Tue, 14 Nov 2023 22:13:20 GMT" }, { "retry-after", rows[i].retry_after } };
		struct sw_result res = { .fault = rows[i].fault,
			                 .status = rows[i].status,
			                 .body = rows[i].body,
			                 .body_n = strlen(rows[i].body),
			                 .detail = rows[i].fault ? "why" : NULL,
			                 .headers = headers,
			                 .n_headers = rows[i].retry_after ? 2 : 1 };
		struct sw_err err = SW_ERR_INIT;
		struct sw_class got = ch->judge(conf, &res, &err);

		if (got.outcome != rows[i].want || got.wait != rows[i].wait || got.tries != rows[i].tries)
			fail_msg("%s %d %s: %s wait %lld tries %d: %s", ch->base.name, rows[i].status, rows[i].body,
			         sw_outcome_name(got.outcome), (long long)got.wait, got.tries, err.text);
		assert_true(got.outcome == SW_OK || *err.text);
	}
}

#define TRANSPORT                                                                                                      \
	{ SW_FAULT_CONNECT, 0, "", SW_RETRY, 0, 0 }, { SW_FAULT_TIMEOUT_CONNECT, 0, "", SW_RETRY, 0, 0 },              \
	    { SW_FAULT_CERT, 0, "", SW_CONFIG, 0, 0 }, { SW_FAULT_AMBIGUOUS, 0, "{\"errco", SW_AMBIGUOUS, 0, 0 },      \
	    { SW_FAULT_REFUSED, 0, "", SW_CONFIG, 0, 0 }, { SW_FAULT_NONE, 500, "", SW_RETRY, 0, 0 },                  \
	    { SW_FAULT_NONE, 502, "<html>", SW_RETRY, 0, 0 }, { SW_FAULT_NONE, 408, "", SW_RETRY, 0, 0 },              \
	    { SW_FAULT_NONE, 425, "", SW_RETRY, 0, 0 },                                                                \
	{                                                                                                              \
		SW_FAULT_NONE, 429, "", SW_HOLD, SW_MINUTE, 0                                                          \
	}
#define N SW_FAULT_NONE

#endif
