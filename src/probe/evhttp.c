/* libshipwatch-probe-evhttp: the pages and the ids of requests for libevent's HTTP server. */
#include "shipwatch/probe_evhttp.h"

#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/http.h>

static void evhttp_answer(struct evhttp_request *req, int status, const char *type, const char *text, size_t n)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	enum evhttp_cmd_type command = evhttp_request_get_command(req);
	struct evbuffer *body = evbuffer_new();

	if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
		(void)evhttp_add_header(headers, "Allow", "GET, HEAD");
		evhttp_send_reply(req, 405, "Method Not Allowed", NULL);
	} else if (!body) {
		evhttp_send_reply(req, 503, "Service Unavailable", NULL);
	} else {
		(void)evhttp_add_header(headers, "Content-Type", type);
		(void)evhttp_add_header(headers, "Cache-Control", "no-store");
		(void)evbuffer_add(body, text, n);
		evhttp_send_reply(req, status, status == 200 ? "OK" : "Service Unavailable", body);
	}
	if (body)
		evbuffer_free(body);
}

void sw_evhttp_metrics(struct evhttp_request *req, void *m)
{
	char *text;
	size_t n;

	(void)sw_metrics_text(m, &text, &n);
	evhttp_answer(req, 200, SW_METRICS_TYPE, text, n);
	free(text);
}

void sw_evhttp_health(struct evhttp_request *req, void *h)
{
	char *text;
	size_t n;
	int status = sw_health_text(h, &text, &n);

	evhttp_answer(req, status, "application/json", text, n);
	free(text);
}

void sw_evhttp_trace(struct evhttp_request *req, struct sw_trace *ret)
{
	const struct evkeyvalq *h = evhttp_request_get_input_headers(req);

	sw_trace_begin(ret, evhttp_find_header(h, SW_HEADER_TRACE), evhttp_find_header(h, SW_HEADER_REQUEST),
	               evhttp_find_header(h, SW_HEADER_CI_RUN));
}

static void evhttp_put(void *arg, const char *name, const char *value)
{
	(void)evhttp_remove_header(arg, name);
	(void)evhttp_add_header(arg, name, value);
}

void sw_evhttp_trace_headers(const struct sw_trace *t, struct evhttp_request *out)
{
	sw_trace_headers(t, evhttp_put, evhttp_request_get_output_headers(out));
}
