/* Asking sentinels: what is made of answers that are whole, in pieces, wrong, cut off or do not come. */
#include "bus_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/sentinel.h"

struct fake { pid_t pid; int port; };

/* Says the same to whoever connects and asks; bytes: one after the other; cut: and hangs up then. text NULL: says nothing. */
static void fake_serve(int fd, const char *text, bool bytes, bool cut)
{
	for (;;) {
		int c = accept(fd, NULL, NULL);
		char asked[512];

		if (c < 0 || read(c, asked, sizeof asked) <= 0) {
			(void)close(c);
			continue;
		}
		for (size_t i = 0, n = text ? strlen(text) : 0, k; i < n; i += k) {
			k = bytes ? 1 : n;
			if (write(c, text + i, k) < 0)
				break;
			if (bytes)
				(void)poll(NULL, 0, 1);
		}
		while (!cut && read(c, asked, sizeof asked) > 0)
			;
		(void)close(c);
	}
}

static void fake_start(struct fake *f, const char *text, bool bytes, bool cut)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	f->port = ntohs(a.sin_port);
	(void)fflush(NULL);
	f->pid = fork();
	if (f->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		fake_serve(fd, text, bytes, cut);
	}
	(void)close(fd);
}

static void fake_stop(struct fake *f)
{
	(void)kill(f->pid, SIGKILL);
	(void)waitpid(f->pid, NULL, 0);
}

struct answer { struct sw_master_ask ask; bool done; char text[700]; };

static void answered(void *arg, const struct sw_master *m, const char *why)
{
	struct answer *a = arg;

	assert_false(a->done);
	a->done = true;
	if (m)
		(void)snprintf(a->text, sizeof a->text, "%s %d (%.100s) by %s", m->host, m->port, m->name, strchr(m->sentinel, ':') ? "one" : m->sentinel);
	else
		(void)snprintf(a->text, sizeof a->text, "%s", why);
}

static struct sw_sentinel *asker(struct sw_address *a, const char *fmt, int p1, int p2)
{
	struct sw_sentinel *s = NULL;
	struct sw_err err = SW_ERR_INIT;
	char url[200];

	(void)snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d%s%.0d/main%s", p1, p2 ? ",127.0.0.1:" : "", p2, fmt);
	assert_int_equal(sw_address_parse(url, a, &err), 0);
	assert_int_equal(sw_sentinel_new(rig_loop, a, NULL, &s, &err), 0);
	return s;
}

#define HOST(h, port) "*2\r\n" h port
#define A "$8\r\n10.0.0.5\r\n"
#define P "$4\r\n6379\r\n"
#define NONE "*0\r\n"

static void test_answers(void **state)
{
	static char long_name[400] = "*2\r\n$300\r\n";
	const struct { const char *says, *want, *more; bool cut; } rows[] = {
		{ HOST(A, P) NONE, "10.0.0.5 6379 (10.0.0.5) by one" },
		{ HOST("$3\r\n::1\r\n", P) NONE, "::1 6379 (::1) by one" },
		{ HOST("$9\r\nlocalhost\r\n", P) NONE, "127.0.0.1 6379 (localhost) by one" },
		{ HOST(A, P) "-ERR not allowed\r\n", "10.0.0.5 6379 (10.0.0.5) by one" }, /* of the others it need not tell */
		{ HOST(A, P) "*2\r\n*1\r\n$2\r\nip\r\n*4\r\n$2\r\nip\r\n$-1\r\n$4\r\nport\r\n$2\r\nxx\r\n", "10.0.0.5 6379 (10.0.0.5) by one" },
		{ HOST(A, P) NONE NONE NONE, "10.0.0.5 6379 (10.0.0.5) by one" },
		{ "+OK\r\n" HOST(A, P) NONE, "10.0.0.5 6379 (10.0.0.5) by one", "?sentinel_password=x" },
		{ "-WRONGPASS no\x1b\r\n", "WRONGPASS no\\x1b", "?sentinel_password=x" },
		{ "-NOAUTH Authentication required.\r\n", "NOAUTH Authentication required." },
		{ "*-1\r\n", "knows no master \"main\"" },
		{ "$-1\r\n", "knows no master \"main\"" },
		{ ":1\r\n", "knows no master \"main\"" },
		{ "*1\r\n" A, "knows no master \"main\"" },
		{ HOST(A, "$5\r\n70000\r\n"), "knows no master \"main\"" },
		{ HOST(A, "$1\r\n0\r\n"), "knows no master \"main\"" },
		{ HOST("$0\r\n\r\n", P), "knows no master \"main\"" },
		{ long_name, "knows no master \"main\"" },
		{ HOST("$12\r\nnone.invalid\r\n", P) NONE, "" }, /* cannot be looked up: by DNS, or in time */
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", "its answer is not Redis'" },
		{ "\x15\x03\x01\x00\x02\x02\x46", "its answer is not Redis'" },
		{ "*2\r\n$8\r\n10.0", "connection closed", NULL, true },
		{ HOST(A, P), "connection closed", NULL, true },
		{ HOST(A, P), "no answer" },
		{ NULL, "no answer" },
	};

	(void)state;
	memset(long_name + strlen(long_name), 'x', 300);
	memcpy(long_name + strlen(long_name), "\r\n" P, sizeof "\r\n" P);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		for (int bytes = 0; bytes < 2; bytes++) {
			struct sw_address a;
			struct fake f;
			struct answer q = { .ask = { .cb = answered, .arg = &q } };
			struct sw_sentinel *s;

			fake_start(&f, rows[i].says, bytes, rows[i].cut);
			s = asker(&a, rows[i].more ? rows[i].more : "", f.port, 0);
			sw_sentinel_ask(s, &q.ask);
			assert_false(q.done);
			RIG_UNTIL(q.done);
			if (!strstr(q.text, rows[i].want))
				fail_msg("row %zu, %s: %s", i, bytes ? "in bytes" : "whole", q.text);
			sw_sentinel_free(s);
			sw_address_fini(&a);
			fake_stop(&f);
		}
	}
}

/* Two ask at once and get one answer; one that was cancelled gets none; who answered is asked first, who was doubted last. */
static void test_together(void **state)
{
	struct sw_address a;
	struct fake wrong, right;
	struct answer q[3];
	struct sw_sentinel *s;
	sw_dur began;

	(void)state;
	fake_start(&wrong, NULL, false, false);
	fake_start(&right, HOST(A, P) NONE, false, false);
	s = asker(&a, "", wrong.port, right.port);
	for (size_t i = 0; i < 3; i++) {
		q[i] = (struct answer){ .ask = { .cb = answered, .arg = &q[i] } };
		sw_sentinel_ask(s, &q[i].ask);
	}
	sw_sentinel_cancel(s, &q[1].ask);
	sw_sentinel_cancel(s, &q[1].ask);
	RIG_UNTIL(q[0].done && q[2].done);
	assert_string_equal(q[0].text, "10.0.0.5 6379 (10.0.0.5) by one");
	assert_string_equal(q[2].text, q[0].text);
	assert_false(q[1].done);
	/* The silent one is second now: this takes no half second. */
	began = sw_clock_mono();
	sw_sentinel_ask(s, &q[1].ask);
	RIG_UNTIL(q[1].done);
	assert_true(sw_clock_mono() - began < SW_SENTINEL_LIMIT);
	sw_sentinel_doubt(s);
	began = sw_clock_mono();
	q[0].done = false;
	sw_sentinel_ask(s, &q[0].ask);
	RIG_UNTIL(q[0].done);
	assert_true(sw_clock_mono() - began >= SW_SENTINEL_LIMIT - 1);
	/* Freed while it asks. */
	sw_sentinel_ask(s, &q[0].ask);
	sw_sentinel_cancel(s, &q[0].ask);
	sw_sentinel_free(s);
	sw_address_fini(&a);
	fake_stop(&wrong);
	fake_stop(&right);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_answers, rig_setup, rig_teardown),
		                            cmocka_unit_test_setup_teardown(test_together, rig_setup, rig_teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
