/* libshipwatch-probe-evhtp: the pages and the ids of requests for libevhtp. */
#include "shipwatch/probe_evhtp.h"

#include <stdlib.h>

#include <event2/buffer.h>
#include <evhtp.h>

static void evhtp_head(evhtp_request_t *req, const char *name, const char *value)
{
	evhtp_headers_add_header(req->headers_out, evhtp_header_new(name, value, 0, 1));
}

static void evhtp_answer(evhtp_request_t *req, int status, const char *type, const char *text, size_t n)
{
	htp_method method = evhtp_request_get_method(req);

	if (method != htp_method_GET && method != htp_method_HEAD) {
		evhtp_head(req, "Allow", "GET, HEAD");
		evhtp_send_reply(req, 405);
		return;
	}
	evhtp_head(req, "Content-Type", type);
	evhtp_head(req, "Cache-Control", "no-store");
	/* evhtp would send the body to HEAD too, and what comes next on the connection would be read out of it. */
	if (method == htp_method_GET)
		(void)evbuffer_add(req->buffer_out, text, n);
	evhtp_send_reply(req, (evhtp_res)status);
}

void sw_evhtp_metrics(struct evhtp_request *req, void *m)
{
	char *text;
	size_t n;

	(void)sw_metrics_text(m, &text, &n);
	evhtp_answer(req, EVHTP_RES_OK, SW_METRICS_TYPE, text, n);
	free(text);
}

void sw_evhtp_health(struct evhtp_request *req, void *h)
{
	char *text;
	size_t n;
	int status = sw_health_text(h, &text, &n);

	evhtp_answer(req, status, "application/json", text, n);
	free(text);
}

void sw_evhtp_trace(struct evhtp_request *req, struct sw_trace *ret)
{
	sw_trace_begin(ret, evhtp_header_find(req->headers_in, SW_HEADER_TRACE), evhtp_header_find(req->headers_in, SW_HEADER_REQUEST),
	               evhtp_header_find(req->headers_in, SW_HEADER_CI_RUN));
}
