/*
 * Fuzzes the way of a request from the socket to the handler: gate, parser, connection, over a socket pair, in pieces.
 *
 * Input: bytes as they would come; 0xff n in them cuts a piece there (n & 15 turns of the loop between). What must hold: no
 * memory error; what the handler sees is text without control bytes, its body as long as was said; each request is answered
 * once; nothing is held when all is over.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http_inner.h"
#include "shipwatch/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz { struct sw_loop *loop; struct sw_http_server *server; unsigned heads, done, answers; };

static void fuzz_text(const char *p)
{
	for (; *p; p++)
		SW_ASSERT((unsigned char)*p >= 0x20 || *p == '\t');
}

static void fuzz_on_head(void *arg, struct sw_http_req *req)
{
	((struct fuzz *)arg)->heads++;
	fuzz_text(req->method);
	fuzz_text(req->path);
	fuzz_text(req->query);
	SW_ASSERT(req->path[0] == '/' || strcmp(req->path, "*") == 0);
	SW_ASSERT(sw_http_header_count(req, "host") <= 1 && sw_http_header_count(req, "content-length") <= 1);
	SW_ASSERT(!sw_http_header(req, "transfer-encoding"));
	for (size_t i = 0; i < req->n_headers; i++) {
		fuzz_text(req->headers[i].name);
		fuzz_text(req->headers[i].value);
	}
	if (strcmp(req->path, "/early") == 0)
		sw_http_reply(req, &(struct sw_http_answer){ .status = 404 });
}

static void fuzz_on_request(void *arg, struct sw_http_req *req)
{
	SW_ASSERT((int64_t)req->body_n == SW_MAX(req->content_length, 0));
	for (size_t i = 0; i < req->body_n; i++)
		((struct fuzz *)arg)->heads += (unsigned)(req->body[i] == '\0') & 0; /* reads every byte */
	sw_http_reply(req, &(struct sw_http_answer){ .status = 200, .body = "{}", .body_n = 2 });
}

static void fuzz_on_answer(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took)
{
	((struct fuzz *)arg)->answers++;
}

static void fuzz_on_done(void *arg, struct sw_http_req *req)
{
	((struct fuzz *)arg)->done++;
}

static void fuzz_turn(struct fuzz *f, int fd)
{
	char drop[4096];

	SW_ASSERT(sw_loop_turn(f->loop, false) >= 0);
	while (recv(fd, drop, sizeof drop, MSG_DONTWAIT) > 0)
		;
}

static void fuzz_feed(struct fuzz *f, int fd, const uint8_t *p, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] != 0xff)
			continue;
		if (i > from && send(fd, p + from, i - from, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
		for (int k = i + 1 < n ? p[i + 1] & 15 : 3; k >= 0; k--)
			fuzz_turn(f, fd);
		from = ++i + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	struct sw_http_handler h = { &f, fuzz_on_head, fuzz_on_request, fuzz_on_answer, fuzz_on_done, NULL };
	struct sw_http_limits lim = sw_http_limits_default;
	struct sw_http_addr addr = { .local = true };
	struct sw_http_stats st;
	int fds[2];

	if (!f.loop)
		SW_ASSERT(sw_loop_new(&f.loop) == 0);
	f.heads = f.done = f.answers = 0;
	lim.body_max = 4096;
	lim.held_max = 32 * 1024;
	SW_ASSERT(sw_http_server_new(f.loop, &lim, &h, &f.server) == 0);
	SW_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	http_server_adopt(f.server, fds[0], &addr);
	fuzz_feed(&f, fds[1], data, size);
	(void)close(fds[1]);
	for (int i = 0; i < 4; i++)
		SW_ASSERT(sw_loop_turn(f.loop, false) >= 0);
	sw_http_server_stats(f.server, &st);
	SW_ASSERT(st.conns == 0 && st.held_bytes == 0 && st.requests == 0 && st.conns_idle == 0);
	SW_ASSERT(f.done == f.heads);
	sw_http_server_free(f.server);
	return 0;
}
