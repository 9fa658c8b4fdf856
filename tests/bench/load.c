/*
 * A load generator for webhooks: one thread, epoll, keep-alive connections, bodies signed once, each request with a delivery id of
 * its own. Bounded in count and time. Prints one JSON line: rate, percentiles, answers by code.
 *
 * Closed loop (default): each connection sends the next request when its answer is complete. Open loop (--rate): requests have a
 * time of their own and the time they wait for a free connection counts, so a stall of the server is not hidden by waiting politely.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define BODIES_MAX 16
#define COUNT_MAX 5000000
#define HEAD_MAX 2048
#define IN_MAX 16384
#define ID_TEXT "00000000-0000-4000-8000-000000000000"

struct body {
	char *data;
	size_t n;
	char head[HEAD_MAX];
	size_t head_n, id_at[2];    /* where the delivery id stands in the head; 0: nowhere */
};

struct conn {
	int fd;
	bool busy;
	uint32_t mask;              /* what epoll watches for now */
	int64_t asked_us;
	size_t sent;
	const struct body *body;
	char head[HEAD_MAX];
	char in[IN_MAX];
	size_t in_n;
};

struct load {
	struct sockaddr_in addr;
	const char *path, *kind, *event, *secret, *expect, *headers[16];
	char host[64];
	int n_conns, n_bodies, n_headers, ep;
	int64_t count, warmup, rate;
	double seconds;
	struct body bodies[BODIES_MAX];
	struct conn *conns;

	int64_t begun, done, first_us, last_us, deadline_us;
	int64_t ok, bad, expected, broken;
	int64_t codes[600];
	uint32_t *lat;
	int64_t n_lat;
	uint64_t salt;
};

static int64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench-load: %s: %s\n", what, why);
	exit(2);
}

static void body_read(struct body *b, const char *path)
{
	FILE *f = fopen(path, "rb");
	long n = -1;

	if (f && fseek(f, 0, SEEK_END) == 0)
		n = ftell(f);
	if (n < 0 || fseek(f, 0, SEEK_SET) < 0)
		die(path, strerror(errno));
	b->data = malloc((size_t)n + 1);
	if (!b->data || fread(b->data, 1, (size_t)n, f) != (size_t)n)
		die(path, "cannot be read");
	b->n = (size_t)n;
	(void)fclose(f);
}

/* The head as the host in question sends it, with the signature over the body and a place for the delivery id. */
static void body_head(const struct load *l, struct body *b)
{
	unsigned char mac[32];
	char hex[65], extra[1024] = "";
	size_t extra_n = 0;
	unsigned mac_n = sizeof mac;
	int n;

	for (int i = 0; i < l->n_headers; i++)
		extra_n += (size_t)snprintf(extra + extra_n, extra_n < sizeof extra ? sizeof extra - extra_n : 0, "%s\r\n", l->headers[i]);
	if (extra_n >= sizeof extra)
		die("--header", "too many");
	if (strcmp(l->kind, "gitlab") == 0) {
		n = snprintf(b->head, sizeof b->head,
		             "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: GitLab/17.5.1\r\nContent-Type: application/json\r\n"
		             "X-Gitlab-Event: %s\r\nX-Gitlab-Token: %s\r\nX-Gitlab-Event-UUID: %s\r\nIdempotency-Key: %s\r\n"
		             "%sContent-Length: %zu\r\n\r\n", l->path, l->host, l->event, l->secret, ID_TEXT, ID_TEXT, extra, b->n);
	} else {
		if (!HMAC(EVP_sha256(), l->secret, (int)strlen(l->secret), (unsigned char *)b->data, b->n, mac, &mac_n))
			die("HMAC", "no SHA-256");
		for (size_t i = 0; i < sizeof mac; i++)
			(void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
		n = snprintf(b->head, sizeof b->head,
		             "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: GitHub-Hookshot/8f4c3a1\r\nContent-Type: application/json\r\n"
		             "Accept: */*\r\nX-GitHub-Delivery: %s\r\nX-GitHub-Event: %s\r\nX-GitHub-Hook-ID: 1\r\n"
		             "X-Hub-Signature-256: sha256=%s\r\n%sContent-Length: %zu\r\n\r\n",
		             l->path, l->host, ID_TEXT, l->event, hex, extra, b->n);
	}
	if (n < 0 || n >= (int)sizeof b->head)
		die("head", "too long");
	b->head_n = (size_t)n;
	for (size_t i = 0, at = 0; i < 2; i++) {
		const char *p = strstr(b->head + at, ID_TEXT);

		if (!p)
			break;
		b->id_at[i] = (size_t)(p - b->head);
		at = b->id_at[i] + 1;
	}
}

static void conn_watch(struct load *l, struct conn *c, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.ptr = c };

	if (c->mask == mask)
		return;
	if (epoll_ctl(l->ep, c->mask ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl", strerror(errno));
	c->mask = mask;
}

static void conn_open(struct load *l, struct conn *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->addr, sizeof l->addr) < 0)
		die("connect", strerror(errno));
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->mask = 0;
	c->busy = false;
	c->in_n = 0;
	conn_watch(l, c, EPOLLIN);
}

static void conn_lost(struct load *l, struct conn *c)
{
	if (c->busy) {
		l->broken++;
		l->done++;
	}
	(void)close(c->fd);
	conn_open(l, c);
}

/* Return: false when the connection is gone. */
static bool conn_write(struct load *l, struct conn *c)
{
	size_t total = c->body->head_n + c->body->n;

	while (c->sent < total) {
		struct iovec iov[2];
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		if (c->sent < c->body->head_n)
			iov[m.msg_iovlen++] = (struct iovec){ c->head + c->sent, c->body->head_n - c->sent };
		n = c->sent > c->body->head_n ? (ssize_t)(c->sent - c->body->head_n) : 0;
		iov[m.msg_iovlen++] = (struct iovec){ c->body->data + n, c->body->n - (size_t)n };
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			return false;
		c->sent += (size_t)n;
	}
	conn_watch(l, c, c->sent < total ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return true;
}

static void id_write(char *at, uint64_t salt, uint64_t n)
{
	char text[sizeof ID_TEXT];

	(void)snprintf(text, sizeof text, "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-8000-%012" PRIx64, salt & 0xffffffff,
	               salt >> 32 & 0xffff, salt >> 48 & 0xfff, n & 0xffffffffffff);
	memcpy(at, text, sizeof ID_TEXT - 1);
}

static void conn_ask(struct load *l, struct conn *c, int64_t asked_us)
{
	c->body = &l->bodies[l->begun % l->n_bodies];
	memcpy(c->head, c->body->head, c->body->head_n);
	for (size_t i = 0; i < 2; i++)
		if (c->body->id_at[i])
			id_write(c->head + c->body->id_at[i], l->salt, (uint64_t)l->begun);
	c->busy = true;
	c->sent = 0;
	c->in_n = 0;
	c->asked_us = asked_us;
	l->begun++;
	if (!conn_write(l, c))
		conn_lost(l, c);
}

/*
 * Return: length of the complete answer at the start of the buffer, 0: not complete yet, -1: not HTTP. *ret_code, *ret_close set.
 */
static long answer_length(struct conn *c, int *ret_code, bool *ret_close)
{
	char *end, *p;
	size_t head_n;

	c->in[c->in_n] = 0;
	end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
	if (!end)
		return c->in_n >= IN_MAX - 1 ? -1 : 0;
	head_n = (size_t)(end - c->in) + 4;
	if (c->in_n < 12 || memcmp(c->in, "HTTP/1.", 7) != 0)
		return -1;
	*ret_code = (int)strtol(c->in + 9, NULL, 10);
	*end = 0;
	*ret_close = strcasestr(c->in, "\r\nConnection: close") != NULL;
	p = strcasestr(c->in, "\r\nContent-Length:");
	if (p) {
		long n = strtol(p + 17, NULL, 10);

		*end = '\r';
		return n < 0 || n > IN_MAX ? -1 : (long)head_n + n <= (long)c->in_n ? (long)head_n + n : 0;
	}
	p = strcasestr(c->in, "\r\nTransfer-Encoding: chunked");
	*end = '\r';
	if (!p)
		return *ret_code == 204 ? (long)head_n : -1;
	p = memmem(c->in + head_n - 2, c->in_n - head_n + 2, "\r\n0\r\n\r\n", 7);
	return p ? p + 7 - c->in : 0;
}

static void conn_answered(struct load *l, struct conn *c, int code, bool closing)
{
	int64_t now = now_us();

	l->done++;
	l->codes[code > 0 && code < 600 ? code : 0]++;
	if (code >= 200 && code < 300)
		l->ok++;
	else
		l->bad++;
	if (l->expect && strstr(c->in, l->expect))
		l->expected++;
	if (l->done <= l->warmup) {
		l->first_us = now;
	} else {
		int64_t us = now - c->asked_us;

		l->lat[l->n_lat++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
		l->last_us = now;
	}
	c->busy = false;
	c->in_n = 0;
	if (closing) {
		(void)close(c->fd);
		conn_open(l, c);
	}
}

static void conn_read(struct load *l, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_n, IN_MAX - 1 - c->in_n, 0);
	bool closing = false;
	int code = 0;
	long len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_lost(l, c);
		return;
	}
	c->in_n += (size_t)n;
	len = answer_length(c, &code, &closing);
	if (len < 0)
		conn_lost(l, c);
	else if (len > 0 && c->busy)
		conn_answered(l, c, code, closing);
}

/* In the open loop: when request number i is due. */
static int64_t due_us(const struct load *l, int64_t start_us, int64_t i)
{
	return start_us + i * 1000000 / l->rate;
}

static void load_run(struct load *l)
{
	int64_t total = l->count + l->warmup, start = now_us();
	struct epoll_event evs[256];

	l->first_us = l->last_us = start;
	l->deadline_us = start + (int64_t)(l->seconds * 1e6);
	while (l->done < total) {
		int64_t now = now_us();
		struct timespec wait = { .tv_sec = 1 };
		int n;

		if (now >= l->deadline_us)
			break;
		for (int i = 0; i < l->n_conns && l->begun < total; i++) {
			int64_t due = l->rate ? due_us(l, start, l->begun) : now;

			if (due > now) {
				wait = (struct timespec){ .tv_sec = (due - now) / 1000000, .tv_nsec = (due - now) % 1000000 * 1000 };
				break;
			}
			if (!l->conns[i].busy)
				conn_ask(l, &l->conns[i], l->rate ? due : now_us());
		}
		n = epoll_pwait2(l->ep, evs, 256, &wait, NULL);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;

			if (evs[i].events & EPOLLOUT && c->busy && !conn_write(l, c))
				conn_lost(l, c);
			else if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				conn_read(l, c);
		}
	}
}

static int latency_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *l, double p)
{
	return l->n_lat ? l->lat[(int64_t)((double)(l->n_lat - 1) * p)] / 1000.0 : 0;
}

static void report(struct load *l)
{
	double s = (double)(l->last_us - l->first_us) / 1e6;
	const char *sep = "";

	qsort(l->lat, (size_t)l->n_lat, sizeof *l->lat, latency_order);
	(void)printf("{\"done\":%" PRId64 ",\"ok\":%" PRId64 ",\"bad\":%" PRId64 ",\"broken\":%" PRId64 ",\"expected\":%" PRId64
	             ",\"seconds\":%.3f,\"rps\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"codes\":{",
	             l->done, l->ok, l->bad, l->broken, l->expected, s, s > 0 ? (double)l->n_lat / s : 0, percentile_ms(l, 0.50),
	             percentile_ms(l, 0.99), percentile_ms(l, 1));
	for (int i = 0; i < 600; i++)
		if (l->codes[i]) {
			(void)printf("%s\"%d\":%" PRId64, sep, i, l->codes[i]);
			sep = ",";
		}
	(void)printf("}}\n");
}

static const char usage[] =
	"bench-load --to HOST:PORT --path /hooks/x --body FILE [--body FILE …] --secret S [--kind github|gitlab] [--event push]\n"
	"           [--count N] [--warmup N] [--seconds MAX] [--connections N] [--rate PER_SECOND] [--header 'A: b'] [--expect TEXT]\n"
	"Exit status 1 when an answer was not 2xx or a connection broke, 3 when time ran out before the count.\n";

static int64_t number(const char *what, const char *s, int64_t min, int64_t max)
{
	char *end;
	long long n = strtoll(s, &end, 10);

	if (end == s || *end || n < min || n > max)
		die(what, "not a number in range");
	return n;
}

static void target(struct load *l, const char *to)
{
	const char *colon = strrchr(to, ':');
	char host[64];

	if (!colon || (size_t)(colon - to) >= sizeof host)
		die("--to", "want HOST:PORT");
	memcpy(host, to, (size_t)(colon - to));
	host[colon - to] = 0;
	l->addr.sin_family = AF_INET;
	l->addr.sin_port = htons((uint16_t)number("--to", colon + 1, 1, 65535));
	if (inet_pton(AF_INET, host, &l->addr.sin_addr) != 1 || ntohl(l->addr.sin_addr.s_addr) >> 24 != 127)
		die("--to", "only an address of this machine, 127.x.y.z");
	(void)snprintf(l->host, sizeof l->host, "%s", to);
}

static void arguments(struct load *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 't' },     { "path", 1, NULL, 'p' },        { "body", 1, NULL, 'b' },   { "secret", 1, NULL, 's' },
		{ "kind", 1, NULL, 'k' },   { "event", 1, NULL, 'e' },       { "count", 1, NULL, 'n' },  { "warmup", 1, NULL, 'w' },
		{ "seconds", 1, NULL, 'S' }, { "connections", 1, NULL, 'c' }, { "rate", 1, NULL, 'r' },  { "header", 1, NULL, 'h' },
		{ "expect", 1, NULL, 'x' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't': target(l, optarg); break;
		case 'p': l->path = optarg; break;
		case 'b':
			if (l->n_bodies == BODIES_MAX)
				die("--body", "too many");
			body_read(&l->bodies[l->n_bodies++], optarg);
			break;
		case 's': l->secret = optarg; break;
		case 'k': l->kind = optarg; break;
		case 'e': l->event = optarg; break;
		case 'n': l->count = number("--count", optarg, 1, COUNT_MAX); break;
		case 'w': l->warmup = number("--warmup", optarg, 0, COUNT_MAX); break;
		case 'S': l->seconds = (double)number("--seconds", optarg, 1, 600); break;
		case 'c': l->n_conns = (int)number("--connections", optarg, 1, CONNECTIONS_MAX); break;
		case 'r': l->rate = number("--rate", optarg, 1, 1000000); break;
		case 'h':
			if (l->n_headers == 16)
				die("--header", "too many");
			l->headers[l->n_headers++] = optarg;
			break;
		case 'x': l->expect = optarg; break;
		default: (void)fputs(usage, stderr); exit(2);
		}
	}
	if (!l->addr.sin_port || !l->n_bodies) {
		(void)fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct load l = { .path = "/", .kind = "github", .event = "push", .secret = "", .n_conns = 50, .count = 20000, .seconds = 60 };
	struct timespec ts;

	arguments(&l, argc, argv);
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	l.salt = (uint64_t)ts.tv_sec * 1000000007u ^ (uint64_t)ts.tv_nsec << 20 ^ (uint64_t)getpid();
	for (int i = 0; i < l.n_bodies; i++)
		body_head(&l, &l.bodies[i]);
	l.conns = calloc((size_t)l.n_conns, sizeof *l.conns);
	l.lat = calloc((size_t)(l.count + l.warmup), sizeof *l.lat);
	l.ep = epoll_create1(EPOLL_CLOEXEC);
	if (!l.conns || !l.lat || l.ep < 0)
		die("start", strerror(errno));
	for (int i = 0; i < l.n_conns; i++)
		conn_open(&l, &l.conns[i]);
	load_run(&l);
	report(&l);
	return l.bad || l.broken ? 1 : l.done < l.count + l.warmup ? 3 : 0;
}
