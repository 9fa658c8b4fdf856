/* Programs: input, output, exit, limits, what is refused, and what is found after the worker died. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/spawn.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

struct seen {
	struct sw_loop *l;
	unsigned n;
	enum sw_fault fault;
	int status;
	bool timed_out, cut;
	char body[256], id[64], note[64];
	size_t body_n;
};

static void on_done(void *arg, const struct sw_result *res)
{
	struct seen *s = arg;

	s->n++;
	s->fault = res->fault;
	s->status = res->status;
	s->timed_out = res->timed_out;
	s->cut = res->body_cut;
	s->body_n = res->body_n;
	(void)snprintf(s->body, sizeof s->body, "%s", res->body);
}

static void on_found(void *arg, const char *id, const char *note, const struct sw_result *res)
{
	struct seen *s = arg;

	on_done(arg, res);
	(void)snprintf(s->id, sizeof s->id, "%s", id);
	(void)snprintf(s->note, sizeof s->note, "%s", note ? note : "-");
}

/* Until a callback ran. A loop with nothing left to wait for (1) has to have run it. */
static void turn_until(struct seen *s, unsigned n)
{
	while (s->n < n) {
		int r = sw_loop_turn(s->l, true);

		assert_true(r == 0 || (r == 1 && s->n >= n));
	}
}

static void run(struct sw_spawner *sp, struct seen *s, struct sw_job *job, const char *id)
{
	unsigned before = s->n;

	(void)sw_spawn_do(sp, job, id, "place:web/prod", on_done, s);
	assert_int_equal(s->n, before); /* never from within */
	turn_until(s, before + 1);
	assert_int_equal(s->n, before + 1);
}

static struct sw_job shell(const char *const *argv)
{
	return (
	    struct sw_job){ .kind = SW_JOB_EXEC, .argv = (const char **)(uintptr_t)argv, .timeout = 20 * SW_SECOND };
}

static void test_runs(void **state)
{
	static const struct {
		const char *script, *in, *want;
		int status;
	} rows[] = {
		{ "cat", "hello", "hello", 0 },
		{ "echo out; echo err >&2; exit 3", "", "out\nerr\n", 3 },
		{ "kill -9 $$", "", "", 128 + SIGKILL },
		{ "echo $SHIPWATCH_ID $PATH | cut -c1-8; pwd; [ -z \"$SW_TEST_SECRET\" ]", "", "act-1 /u\n/tmp\n", 0 },
		{ "exec 0<&-; echo closed", "unread input", "closed\n", 0 },
		{ "ls /proc/self/fd | grep -c '[3-9]'", "", "1\n", 0 }, /* ls's own look at the folder */
		{ "sleep 600 & echo left", "", "left\n", 0 },           /* what it leaves behind is ended */
	};
	static const char *const env[] = { "SHIPWATCH_ID=act-1", "PWD=/tmp", NULL };
	struct sw_spawner *sp;
	struct seen s = { 0 };

	(void)setenv("SW_TEST_SECRET", "x", 1);
	assert_int_equal(sw_loop_new(&s.l), 0);
	assert_int_equal(sw_spawner_new(s.l, NULL, NULL, &sp, NULL), 0);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		const char *argv[] = { "/bin/sh", "-c", rows[i].script, NULL };
		struct sw_job job = shell(argv);

		job.env = (const char **)(uintptr_t)env;
		job.body = rows[i].in;
		job.body_n = strlen(rows[i].in);
		run(sp, &s, &job, NULL);
		assert_int_equal(s.fault, SW_FAULT_NONE);
		assert_string_equal(s.body, rows[i].want);
		assert_int_equal(s.status, rows[i].status);
		assert_false(s.timed_out);
	}
	sw_spawner_free(sp);
	sw_loop_free(s.l);
}

static void test_limits(void **state)
{
	const char *slow[] = { "/bin/sh", "-c", "trap '' TERM; echo begun; while :; do sleep 1; done", NULL };
	const char *loud[] = { "/bin/sh", "-c", "yes 0123456789abcde | head -c 300000; echo END", NULL };
	struct sw_job job = shell(slow);
	struct sw_spawner *sp;
	struct seen s = { 0 };

	assert_int_equal(sw_loop_new(&s.l), 0);
	assert_int_equal(sw_spawner_new(s.l, NULL, NULL, &sp, NULL), 0);
	job.timeout = 1500;      /* a slow machine has begun by then */
	run(sp, &s, &job, NULL); /* takes no SIGTERM: killed, with all that it started */
	assert_true(s.timed_out);
	assert_int_equal(s.status, 128 + SIGKILL);
	assert_string_equal(s.body, "begun\n");
	job = shell(loud);
	run(sp, &s, &job, NULL);
	assert_true(s.cut);
	assert_int_equal(s.body_n, SW_SPAWN_OUTPUT);
	assert_int_equal(s.status, 0);
	sw_spawner_free(sp);
	sw_loop_free(s.l);
}

static void test_refused(void **state)
{
	static const char *const allowed[] = { "/bin/true", NULL };
	static const struct {
		const char *program;
		bool listed;
		enum sw_fault want;
	} rows[] = {
		{ "/bin/true", true, SW_FAULT_NONE },     { "/bin/false", true, SW_FAULT_REFUSED },
		{ "true", false, SW_FAULT_REFUSED },      { "/no/such/program", false, SW_FAULT_SPAWN },
		{ "/etc/passwd", false, SW_FAULT_SPAWN },
	};
	struct seen s = { 0 };

	assert_int_equal(sw_loop_new(&s.l), 0);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		const char *argv[] = { rows[i].program, NULL };
		struct sw_job job = shell(argv);
		struct sw_spawner *sp;

		assert_int_equal(sw_spawner_new(s.l, rows[i].listed ? allowed : NULL, NULL, &sp, NULL), 0);
		run(sp, &s, &job, NULL);
		assert_int_equal(s.fault, rows[i].want);
		sw_spawner_free(sp);
	}
	sw_loop_free(s.l);
}

/* A worker in a child of ours starts a program and dies at once; the next one finds the outcome. */
static void test_recover(void **state)
{
	char dir[] = "/tmp/sw-spawn-XXXXXX", path[64];
	const char *argv[] = { "/bin/sh", "-c", "read x; echo done; exit 4", NULL };
	struct sw_job job = shell(argv);
	struct sw_spawner *sp;
	struct seen s = { 0 };
	FILE *torn;
	pid_t pid;
	int st;

	assert_non_null(mkdtemp(dir));
	job.body = "go\n";
	job.body_n = 3;
	pid = fork();
	if (pid == 0) {
		struct sw_loop *l;

		if (sw_loop_new(&l) < 0 || sw_spawner_new(l, NULL, dir, &sp, NULL) < 0)
			_exit(1);
		(void)sw_spawn_do(sp, &job, "act/../1", "place:web/prod", on_done, &s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_int_equal(sw_loop_new(&s.l), 0);
	assert_int_equal(sw_spawner_new(s.l, NULL, dir, &sp, NULL), 0);
	sw_spawner_recover(sp, on_found, &s);
	turn_until(&s, 1);
	assert_string_equal(s.id, "act/../1");
	assert_string_equal(s.note, "place:web/prod");
	assert_int_equal(s.fault, SW_FAULT_NONE);
	assert_int_equal(s.status, 4);
	assert_string_equal(s.body, "done\n");
	run(sp, &s, &job, "act/../1"); /* once under an id */
	assert_int_equal(s.fault, SW_FAULT_AMBIGUOUS);
	sw_spawner_settle(sp, "act/../1");
	run(sp, &s, &job, "act/../1");
	assert_int_equal(s.fault, SW_FAULT_NONE);
	sw_spawner_settle(sp, "act/../1");
	(void)snprintf(path, sizeof path, "%s/act-2.intent", dir); /* power was lost while it was written */
	torn = fopen(path, "w");
	assert_non_null(torn);
	(void)fputs("{\"id\":\"ac", torn);
	(void)fclose(torn);
	s.n = 0;
	sw_spawner_recover(sp, on_found, &s);
	turn_until(&s, 1);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.id, "act-2");
	assert_int_equal(s.fault, SW_FAULT_AMBIGUOUS);
	sw_spawner_settle(sp, "act-2");
	sw_spawner_free(sp);
	sw_loop_free(s.l);
	assert_int_equal(rmdir(dir), 0); /* nothing is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
