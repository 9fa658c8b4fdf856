/* probe/health and probe/ask: what /health says, checks that hang, and asking for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shipwatch/base.h"
#include "shipwatch/clock.h"
#include "shipwatch/probe.h"

static const struct sw_build build = { "1.4.0", "abc1234def", "2026-11-24T13:48:05Z" };

/* The page without what the clock says: digits behind age_s and uptime_s are N. */
static const char *page(struct sw_health *h, int want)
{
	static char out[16384];
	char *text, *o = out;
	size_t n;

	assert_int_equal(sw_health_text(h, &text, &n), want);
	assert_int_equal(strlen(text), n);
	for (const char *p = text; *p;) {
		if (strncmp(p, "age_s\":", 7) == 0 || strncmp(p, "uptime_s\":", 10) == 0) {
			size_t head = strcspn(p, ":") + 1;

			memcpy(o, p, head);
			o += head;
			*o++ = 'N';
			p += head;
			p += strspn(p, "0123456789.e-");
		} else {
			*o++ = *p++;
		}
	}
	*o = '\0';
	free(text);
	return out;
}

#define REST "\"version\":\"1.4.0\",\"commit\":\"abc1234def\",\"built\":\"2026-11-24T13:48:05Z\",\"uptime_s\":N,\"checks\":"

static void test_page(void **state)
{
	struct sw_health *h = sw_health_new(&build);
	struct sw_check *db, *queue;

	assert_string_equal(page(h, 200), "{\"status\":\"ok\"," REST "{}}");
	db = sw_health_check(h, "db", 0, 0);
	assert_ptr_equal(sw_health_check(h, "db", 0, 0), db);
	/* what is not known is not good */
	assert_string_equal(page(h, 503), "{\"status\":\"fail\",\"reason\":\"db: not known yet\"," REST "{\"db\":{\"status\":\"fail\",\"reason\":\"not known yet\"}}}");
	sw_check_set(db, SW_CHECK_OK, NULL);
	queue = sw_health_check(h, "queue", 0, SW_CHECK_ADVISORY);
	sw_check_set(queue, SW_CHECK_FAIL, "full\n\"of\" \xff");
	sw_check_number(queue, "waiting", 12);
	sw_check_number(queue, "waiting", 13.5);
	assert_string_equal(page(h, 200), "{\"status\":\"ok\"," REST "{\"db\":{\"status\":\"ok\",\"age_s\":N},"
	                                  "\"queue\":{\"status\":\"fail\",\"reason\":\"full\\\"of\\\" \xef\xbf\xbd\",\"age_s\":N,\"waiting\":13.5}}}");
	sw_check_set(queue, SW_CHECK_OFF, NULL);
	sw_check_set(db, SW_CHECK_FAIL, "connection refused");
	assert_int_equal(sw_health_text_field(h, "role", "worker"), 0);
	assert_string_equal(page(h, 503), "{\"status\":\"fail\",\"reason\":\"db: connection refused\",\"role\":\"worker\"," REST
	                                  "{\"db\":{\"status\":\"fail\",\"reason\":\"connection refused\",\"age_s\":N},\"queue\":{\"status\":\"off\",\"age_s\":N,\"waiting\":13.5}}}");
	sw_check_set(db, SW_CHECK_OK, NULL);
	sw_health_overall(h, SW_CHECK_FAIL, "draining");
	assert_non_null(strstr(page(h, 503), "{\"status\":\"fail\",\"reason\":\"draining\","));
	sw_health_overall(h, SW_CHECK_OK, NULL);
	sw_health_build(h, &(struct sw_build){ .version = "2" });
	assert_non_null(strstr(page(h, 200), "\"version\":\"2\",\"commit\":\"unknown\",\"built\":\"unknown\""));
	sw_health_free(h);
	sw_health_free(NULL);
}

static void test_limits(void **state)
{
	struct sw_health *h = sw_health_new(NULL);
	struct sw_check *c = NULL;
	char name[32], why[400];

	for (int i = 0; i <= SW_CHECKS_MAX; i++) {
		(void)snprintf(name, sizeof name, "c%d", i);
		c = sw_health_check(h, name, 0, 0);
		assert_int_equal(c != NULL, i < SW_CHECKS_MAX);
		sw_check_set(c, SW_CHECK_OK, NULL); /* NULL does nothing */
	}
	assert_null(sw_health_ask(h, "more", NULL, NULL, 1, 1, 0));
	c = sw_health_check(h, "c0", 0, 0);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof name, "n%d", i);
		sw_check_number(c, name, i);
	}
	assert_non_null(strstr(page(h, 200), "\"n3\":3"));
	assert_null(strstr(page(h, 200), "\"n4\""));
	for (int i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof name, "f%d", i);
		assert_int_equal(sw_health_text_field(h, name, "x"), i < 8 ? 0 : -ENOSPC);
	}
	memset(why, 'x', sizeof why);
	why[255] = '\0';
	sw_check_set(c, SW_CHECK_FAIL, why);
	assert_int_equal(strspn(strstr(page(h, 503), "\"c0: ") + 5, "x"), 255);
	why[255] = 'x';
	why[256] = '\0';
	sw_check_set(c, SW_CHECK_FAIL, why);
	assert_int_equal(strspn(strstr(page(h, 503), "\"c0: ") + 5, "x"), 255);
	sw_check_set(c, (enum sw_check_state)7, NULL); /* a word of a later version is not good */
	(void)page(h, 503);
	sw_health_free(h);
}

static void nap(long ms)
{
	(void)nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Until the page has the text; 10 s at most. */
static void until(struct sw_health *h, int status, const char *text)
{
	for (int i = 0; i < 1000; i++) {
		char *got;
		size_t n;
		int r = sw_health_text(h, &got, &n);
		bool there = r == status && strstr(got, text) != NULL;

		free(got);
		if (there)
			return;
		nap(10);
	}
	fail_msg("never: %d %s; but %s", status, text, page(h, status));
}

static void test_stale(void **state)
{
	struct sw_health *h = sw_health_new(&build);
	struct sw_check *c = sw_health_check(h, "poller", 30, 0);

	sw_check_set(c, SW_CHECK_OK, NULL);
	until(h, 503, "\"reason\":\"poller: nothing heard for 0 s\"");
	sw_check_set(c, SW_CHECK_OFF, NULL);
	sw_health_free(h);
}

static struct { sem_t go, begun; unsigned calls; } hang;

static enum sw_check_state hanging(void *arg, char *why, size_t why_size)
{
	unsigned n = __atomic_add_fetch(&hang.calls, 1, __ATOMIC_RELAXED);

	(void)snprintf(why, why_size, "call %u", n);
	if (n == 2) {
		(void)sem_post(&hang.begun);
		(void)sem_wait(&hang.go);
	}
	return n == 1 ? SW_CHECK_OK : SW_CHECK_FAIL;
}

/* The page answers at once while a check hangs, tells its age, and goes on when the check is back. */
static void test_hang(void **state)
{
	struct sw_health *h = sw_health_new(&build);
	sw_dur began;

	assert_int_equal(sem_init(&hang.go, 0, 0), 0);
	assert_int_equal(sem_init(&hang.begun, 0, 0), 0);
	assert_non_null(sw_health_ask(h, "db", hanging, NULL, 20, 50, 0));
	assert_int_equal(sem_wait(&hang.begun), 0);
	began = sw_clock_mono();
	until(h, 503, "\"db\":{\"status\":\"fail\",\"reason\":\"no answer for 0 s\",\"age_s\":0.");
	assert_true(sw_clock_mono() - began < 5000);
	(void)sem_post(&hang.go);
	until(h, 503, "\"reason\":\"call ");
	sw_health_free(h);
}

/* Freed while it hangs: the free does not wait, and the thread frees the rest when it comes back (seen by the sanitizers). */
static void test_free_while_hanging(void **state)
{
	struct sw_health *h = sw_health_new(&build);
	sw_dur began;

	hang.calls = 1;
	assert_non_null(sw_health_ask(h, "db", hanging, NULL, 1000, 50, 0));
	assert_int_equal(sem_wait(&hang.begun), 0);
	began = sw_clock_mono();
	sw_health_free(h);
	assert_true(sw_clock_mono() - began < 5000);
	(void)sem_post(&hang.go);
	nap(50);
}

/* ---- asking ---- */

struct server { int fd; const char *answer; bool hold; char url[64], asked[1024]; pthread_t thread; };

static void *serve(void *arg)
{
	struct server *s = arg;
	int c = accept(s->fd, NULL, NULL);
	ssize_t n = recv(c, s->asked, sizeof s->asked - 1, 0);

	s->asked[n > 0 ? n : 0] = '\0';
	if (s->answer)
		(void)send(c, s->answer, strlen(s->answer), MSG_NOSIGNAL);
	while (s->hold && recv(c, s->asked + 1000, 1, 0) > 0)
		;
	close(c);
	return NULL;
}

static void server_start(struct server *s, const char *answer, bool hold)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof a;

	*s = (struct server){ .fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer, .hold = hold };
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	(void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/health?x=1", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

#define OK "HTTP/1.1 200 OK\r\n"
static char big[70000] = OK "\r\n";

static void test_ask(void **state)
{
	static const struct { const char *answer, *commit; bool hold; int want; const char *why; } cases[] = {
		{ OK "\r\n{}", NULL, false, 0, "healthy" },
		{ "HTTP/1.0 204 No\r\n\r\n", NULL, false, 0, "healthy" },
		{ OK "Content-Length: 20\r\n\r\n{\"commit\":\"abc1234\"}", "abc1234def", true, 0, "healthy" },
		{ OK "content-length: 24\r\n\r\n{\"commit\":\"ABC1234def99\"}", "abc1234def", false, 0, "healthy" },
		{ OK "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"commit\r\nc\r\n\":\"abc1234\"}\r\n0\r\n\r\n", "abc1234", false, 0, "healthy" },
		{ OK "\r\n{\"commit\":\"fed4321\"}", "abc1234", false, -EIO, "it answers, but as commit fed4321, not abc1234" },
		{ OK "\r\n{\"commit\":\"abc12\"}", "abc1234", false, -EIO, "it answers, but as commit abc12, not abc1234" },
		{ OK "\r\n{\"commit\":7}", "abc1234", false, -EIO, "it answers, but says no commit" },
		{ OK "\r\nhello", "abc1234", false, -EIO, "it answers, but the body is: not JSON" },
		{ "HTTP/1.1 503 No\r\n\r\n{\"commit\":\"abc1234\"}", "abc1234", false, -EIO, "HTTP status 503" },
		{ "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", NULL, false, -EIO, "HTTP status 302" },
		{ "SSH-2.0-x\r\n\r\n", NULL, false, -EBADMSG, "not an answer of HTTP" },
		{ OK "Half: a", NULL, false, -EBADMSG, "not an answer of HTTP" },
		{ NULL, NULL, false, -EBADMSG, "closed without an answer" },
		{ NULL, NULL, true, -ETIMEDOUT, "no answer in time" },
		{ big, NULL, true, -EBADMSG, "an answer of more than 64 KiB" },
	};
	char why[256];

	memset(big + 19, 'x', sizeof big - 20);
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct server s;
		int r;

		server_start(&s, cases[i].answer, cases[i].hold);
		r = sw_test_health(s.url, cases[i].commit, cases[i].want == -ETIMEDOUT ? 200 : 10000, why, sizeof why);
		if (r != cases[i].want || strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%zu: %d %s, want %s", i, r, why, cases[i].why);
		assert_int_equal(pthread_join(s.thread, NULL), 0);
		assert_memory_equal(s.asked, "GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:", 42);
		close(s.fd);
	}
}

static void test_ask_wrong(void **state)
{
	static const struct { const char *url; const char *commit; int want; } cases[] = {
		{ "https://a/", NULL, -EINVAL }, { "http://", NULL, -EINVAL }, { "", NULL, -EINVAL }, { "http://:80/", NULL, -EINVAL },
		{ "http://a:port/", NULL, -EINVAL }, { "http://a:70000/", NULL, -EINVAL }, { "http://a:/", NULL, -EINVAL }, { "http://a b/", NULL, -EINVAL },
		{ "http://u:p@a/", NULL, -EINVAL }, { "http://[::1/", NULL, -EINVAL }, { "http://a/\r\nX: y", NULL, -EINVAL },
		{ "http://127.0.0.1/", "abc123", -EINVAL }, { "http://127.0.0.1:1/", NULL, -ECONNREFUSED },
	};
	char why[256], cut[8];

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		int r = sw_test_health(cases[i].url, cases[i].commit, 5000, why, sizeof why);

		if (r != cases[i].want)
			fail_msg("%s: %d %s", cases[i].url, r, why);
		assert_true(*why != '\0');
	}
	assert_int_equal(sw_test_health("", NULL, 1, NULL, 0), -EINVAL);
	assert_int_equal(sw_test_health("", NULL, 1, cut, sizeof cut), -EINVAL);
	assert_string_equal(cut, "want ht");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page), cmocka_unit_test(test_limits), cmocka_unit_test(test_stale), cmocka_unit_test(test_hang),
		cmocka_unit_test(test_free_while_hanging), cmocka_unit_test(test_ask), cmocka_unit_test(test_ask_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
