/*
 * A small service to watch: answers /, /health and /metrics, and has knobs that make it slow, failing, silent or another version
 * while it runs. The demo, the black-box tests and the documentation deploy and break this one. What it shows of itself comes from
 * libshipwatch-probe; a service without knobs needs the three lines with sw_evhttp_… in service_run and no more.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#if __has_include("build-info.h")
#include "build-info.h" /* by shipwatch-build-info, see Makefile */
#endif
#include <shipwatch/probe_evhttp.h>

#include "knobs.h"

#define BODY_MAX 4096
#define NAME     "example-service"

struct service {
	struct event_base *base;
	struct knobs knobs;
	struct sw_build build;
	struct sw_metrics *metrics;
	struct sw_requests *requests;
	struct sw_metric *health_asked;
	struct sw_health *health;
	struct sw_check *check;         /* "knob": what the knob health says */
	unsigned long asked;
	struct late *late;              /* answers that wait, newest first */
};

/* An answer that is sent later: the request stays open until then. A silent service never sends it. */
struct late {
	struct late *next, **where;
	struct service *service;
	struct evhttp_request *req;
	struct event *timer;
	int code;
	double since;                   /* when it was asked; 0: not counted */
	struct evbuffer *body;
};

/* Seconds of a clock that never goes back. */
static double clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void answer_now(struct service *s, struct evhttp_request *req, int code, double since, struct evbuffer *body)
{
	if (since > 0)
		sw_requests_count(s->requests, "GET", "/", code, clock_now() - since);
	evhttp_send_reply(req, code, code < 400 ? "OK" : "Failed", body);
}

static void late_free(struct late *l)
{
	*l->where = l->next;
	if (l->next)
		l->next->where = l->where;
	event_free(l->timer);
	evbuffer_free(l->body);
	free(l);
}

static void late_gone(struct evhttp_connection *conn, void *arg)
{
	late_free(arg);
}

static void late_fire(evutil_socket_t fd, short what, void *arg)
{
	struct late *l = arg;

	/* turned silent while this one waited: then it is not answered either */
	if (l->service->knobs.silent)
		return;
	evhttp_connection_set_closecb(evhttp_request_get_connection(l->req), NULL, NULL);
	answer_now(l->service, l->req, l->code, l->since, l->body);
	late_free(l);
}

/* Takes body over. since: when it was asked, of what is counted; else 0. */
static void answer(struct service *s, struct evhttp_request *req, int code, const char *type, double since, long delay_ms,
                   struct evbuffer *body)
{
	struct timeval tv = { .tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000 };
	struct late *l;

	(void)evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", type);
	if (!s->knobs.silent && delay_ms == 0) {
		answer_now(s, req, code, since, body);
		evbuffer_free(body);
		return;
	}
	l = calloc(1, sizeof *l);
	if (!l)
		abort();
	*l = (struct late){ .next = s->late, .where = &s->late, .service = s, .req = req, .code = code, .since = since, .body = body };
	if (l->next)
		l->next->where = &l->next;
	s->late = l;
	l->timer = event_new(s->base, -1, 0, late_fire, l);
	if (!l->timer)
		abort();
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), late_gone, l);
	if (!s->knobs.silent)
		(void)event_add(l->timer, &tv);
}

static void on_root(struct evhttp_request *req, void *arg)
{
	struct service *s = arg;
	struct evbuffer *body = evbuffer_new();
	double since = clock_now();
	struct sw_trace trace;
	bool bad;

	/* the ids of the request are on what is logged while it is in hand */
	sw_evhttp_trace(req, &trace);
	sw_trace_push(&trace);
	s->asked++;
	/* evenly spread: the n-th request fails when the share of failures passes a whole number */
	bad = s->asked * (unsigned long)s->knobs.error_pct / 100 != (s->asked - 1) * (unsigned long)s->knobs.error_pct / 100;
	(void)evbuffer_add_printf(body, "example-service %s (%s)%s\n", s->knobs.version, s->knobs.commit, bad ? ": broken" : "");
	if (bad)
		SW_WARN(NAME, "answering 500, as the knob error_pct=%ld wants", s->knobs.error_pct);
	sw_log_ids_pop();
	answer(s, req, bad ? 500 : 200, "text/plain", since, s->knobs.delay_ms, body);
}

static void on_health(struct evhttp_request *req, void *arg)
{
	struct service *s = arg;
	struct evbuffer *body = evbuffer_new();
	char *text;
	size_t n;
	int code;

	sw_metric_add(s->health_asked, NULL, 1);
	code = sw_health_text(s->health, &text, &n);
	(void)evbuffer_add(body, text, n);
	free(text);
	answer(s, req, s->knobs.status ? (int)s->knobs.status : code, "application/json", 0, s->knobs.delay_ms, body);
}

/* Slow pages do not make this one slow; a silent service does not show it either. */
static void on_metrics(struct evhttp_request *req, void *arg)
{
	struct service *s = arg;
	struct evbuffer *body;

	if (!s->knobs.silent) {
		sw_evhttp_metrics(req, s->metrics);
		return;
	}
	body = evbuffer_new();
	answer(s, req, 200, SW_METRICS_TYPE, 0, 0, body);
}

/* What the knobs say of the service, where it is shown. */
static void knobs_apply(struct service *s)
{
	s->build.commit = s->knobs.commit;
	s->build.version = s->knobs.version;
	sw_health_build(s->health, &s->build);
	sw_metrics_build_info(s->metrics, "build_info", &s->build);
	if (s->knobs.fail || s->knobs.status >= 400)
		sw_check_set(s->check, SW_CHECK_FAIL, s->knobs.fail ? "the knob says so" : "the knob status says so");
	else
		sw_check_set(s->check, SW_CHECK_OK, NULL);
}

/* Sets all or nothing: a mistake in the second knob leaves the first as it was. */
static int knobs_query(struct knobs *k, const char *query, const char **ret_why)
{
	struct knobs next = *k;
	struct evkeyvalq pairs;
	struct evkeyval *kv;
	int r = 0;

	*ret_why = "not a query string";
	if (evhttp_parse_query_str(query, &pairs) < 0)
		return -EINVAL;
	TAILQ_FOREACH(kv, &pairs, next) {
		r = knobs_set(&next, kv->key, kv->value, ret_why);
		if (r < 0)
			break;
	}
	evhttp_clear_headers(&pairs);
	if (r == 0)
		*k = next;
	return r;
}

/* The knobs stay in reach while the service is slow or silent: this answer is always given at once. */
static void on_knobs(struct evhttp_request *req, void *arg)
{
	struct service *s = arg;
	struct evbuffer *body = evbuffer_new();
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	const char *type = evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Type");
	const char *why = NULL;
	char form[BODY_MAX], text[512];
	int code = 200;

	if (evhttp_request_get_command(req) == EVHTTP_REQ_POST) {
		ev_ssize_t n = evbuffer_copyout(evhttp_request_get_input_buffer(req), form, sizeof form - 1);

		/* who posts JSON (an action of Shipwatch tells its whole decision) turns the knobs of the query alone */
		if (type && strncmp(type, "application/json", 16) == 0)
			n = 0;
		form[n > 0 ? n : 0] = 0;
		if ((query && knobs_query(&s->knobs, query, &why) < 0) || (n > 0 && knobs_query(&s->knobs, form, &why) < 0))
			code = 400;
	}
	knobs_apply(s);
	if (code == 400)
		(void)evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", why);
	else
		(void)evbuffer_add(body, text, knobs_json(&s->knobs, text, sizeof text));
	(void)evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/json");
	answer_now(s, req, code, 0, body);
	evbuffer_free(body);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)event_base_loopbreak(arg);
}

/* Binds "host:port"; port 0 lets the kernel choose. Return: the port, or -1. */
static int service_listen(struct evhttp *http, const char *listen)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	const char *colon = strrchr(listen, ':');
	char host[64], *end;
	long port;

	errno = 0;
	if (!colon || colon == listen || (size_t)(colon - listen) >= sizeof host)
		return -1;
	memcpy(host, listen, (size_t)(colon - listen));
	host[colon - listen] = 0;
	port = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port < 0 || port > 65535)
		return -1;
	bound = evhttp_bind_socket_with_handle(http, host, (ev_uint16_t)port);
	if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&ss, &len) < 0)
		return -1;
	return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port : ((struct sockaddr_in *)&ss)->sin_port);
}

/* Appears with its content in one step, so that who waits for it never reads half a number. */
static int port_file_write(const char *path, int port)
{
	char tmp[4096];
	FILE *f;

	if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
		return -1;
	f = fopen(tmp, "w");
	if (!f)
		return -1;
	if (fprintf(f, "%d\n", port) < 0) {
		(void)fclose(f);
		return -1;
	}
	return fclose(f) == 0 ? rename(tmp, path) : -1;
}

static const char usage[] =
	"example-service [--listen HOST:PORT] [--port-file FILE] [--health ok|fail] [--silent 0|1] [--delay-ms N]\n"
	"                [--status N] [--error-pct N] [--commit SHA] [--version V]\n"
	"example-service --test-health URL [SHA]     asks once, as a container's health check; exit code 1: not healthy\n"
	"GET / /health /metrics /knobs; POST /knobs?health=fail&delay_ms=800 turns knobs while it runs.\n"
	"The same by environment: EXAMPLE_HEALTH, EXAMPLE_DELAY_MS …\n";

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },     { "port-file", required_argument, NULL, 'p' },
	{ "health", required_argument, NULL, 'k' },     { "silent", required_argument, NULL, 'k' },
	{ "delay-ms", required_argument, NULL, 'k' },   { "delay_ms", required_argument, NULL, 'k' },
	{ "status", required_argument, NULL, 'k' },     { "error-pct", required_argument, NULL, 'k' },
	{ "error_pct", required_argument, NULL, 'k' },  { "commit", required_argument, NULL, 'k' },
	{ "version", required_argument, NULL, 'k' },    { "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int arguments(struct knobs *k, int argc, char **argv, const char **listen, const char **port_file)
{
	const char *why = NULL, *var = NULL;
	int c, at = 0;

	if (knobs_from_env(k, &var, &why) < 0) {
		(void)fprintf(stderr, "example-service: %s: %s\n", var, why);
		return 2;
	}
	while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
		char name[16];

		if (c == 'h') {
			(void)fputs(usage, stdout);
			return 1;
		} else if (c == 'l') {
			*listen = optarg;
		} else if (c == 'p') {
			*port_file = optarg;
		} else if (c == 'k') {
			(void)snprintf(name, sizeof name, "%s", options[at].name);
			for (char *p = name; *p; p++)
				if (*p == '-')
					*p = '_';
			if (knobs_set(k, name, optarg, &why) < 0) {
				(void)fprintf(stderr, "example-service: %s\n", why);
				return 2;
			}
		} else {
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "example-service: what is \"%s\"?\n%s", argv[optind], usage);
		return 2;
	}
	return 0;
}

/* Serves until a signal. Return: the exit status. */
static int service_run(struct service *s, struct evhttp *http, const char *listen, const char *port_file)
{
	struct event *term, *intr;
	int port;

	evhttp_set_max_body_size(http, BODY_MAX - 1);
	evhttp_set_timeout(http, 900);
	(void)evhttp_set_cb(http, "/", on_root, s);
	(void)evhttp_set_cb(http, "/health", on_health, s);
	(void)evhttp_set_cb(http, "/metrics", on_metrics, s);
	(void)evhttp_set_cb(http, "/knobs", on_knobs, s);
	port = service_listen(http, listen);
	if (port < 0) {
		(void)fprintf(stderr, "example-service: cannot listen on \"%s\"%s%s\n", listen, errno ? ": " : "", errno ? strerror(errno) : "");
		return 1;
	}
	if (port_file && port_file_write(port_file, port) < 0) {
		(void)fprintf(stderr, "example-service: %s: %s\n", port_file, strerror(errno));
		return 1;
	}
	term = evsignal_new(s->base, SIGTERM, on_signal, s->base);
	intr = evsignal_new(s->base, SIGINT, on_signal, s->base);
	(void)event_add(term, NULL);
	(void)event_add(intr, NULL);
	SW_INFO(NAME, "%s (%s) on port %d", s->knobs.version, s->knobs.commit, port);
	(void)event_base_dispatch(s->base);
	event_free(term);
	event_free(intr);
	return 0;
}

static void service_measures(struct service *s)
{
	if (sw_metrics_new(1, &s->metrics) < 0)
		abort();
	s->requests = sw_requests_new(s->metrics);
	sw_requests_expect(s->requests, "GET", "/", 200);
	sw_requests_expect(s->requests, "GET", "/", 500);
	s->health_asked = sw_metric_counter(s->metrics, "health_requests_total", "Questions after the health.", NULL, 1);
	sw_metrics_process(s->metrics);
	s->health = sw_health_new(&s->build);
	s->check = sw_health_check(s->health, "knob", 0, 0);
	knobs_apply(s);
}

static int test_health(const char *url, const char *commit)
{
	char why[256];
	int r = sw_test_health(url, commit, 2000, why, sizeof why);

	(void)fprintf(r < 0 ? stderr : stdout, "%s: %s\n", url, why);
	return r < 0;
}

int main(int argc, char **argv)
{
	struct service s = { .build = SW_BUILD_INFO };
	const char *listen = "127.0.0.1:8081", *port_file = NULL;
	struct evhttp *http;
	int r;

	if ((argc == 3 || argc == 4) && strcmp(argv[1], "--test-health") == 0)
		return test_health(argv[2], argv[3]);
	knobs_init(&s.knobs, &s.build);
	r = arguments(&s.knobs, argc, argv, &listen, &port_file);
	if (r)
		return r == 1 ? 0 : r;
	(void)signal(SIGPIPE, SIG_IGN);
	service_measures(&s);
	s.base = event_base_new();
	http = s.base ? evhttp_new(s.base) : NULL;
	if (!http)
		return 1;
	r = service_run(&s, http, listen, port_file);
	evhttp_free(http);
	event_base_free(s.base);
	sw_health_free(s.health);
	sw_requests_free(s.requests);
	sw_metrics_free(s.metrics);
	return r;
}
