/* A worker's own small HTTP server: /metrics and /health, for those who watch Shipwatch. */
#include <errno.h>
#include <string.h>

#include "io/http_server.h"
#include "io/listen.h"
#include "probe/print.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/side"

struct side {
	struct worker *w;
	struct sw_http_server *server;
	struct sw_health *health;
};

static int side_health(struct side *s, struct sw_buf *out)
{
	struct worker *w = s->w;
	bool up = sw_bus_up(w->bus);
	sw_dur idle = w->ticked ? sw_clock_mono() - w->ticked : -1;
	bool ok = up && idle >= 0 && idle < 10 * SW_SECOND;

	sw_check_set(sw_health_check(s->health, "redis", 0, 0), up ? SW_CHECK_OK : SW_CHECK_FAIL, up ? NULL : "not reached");
	sw_check_set(sw_health_check(s->health, "housekeeping", 0, 0), ok ? SW_CHECK_OK : SW_CHECK_FAIL,
	             ok ? NULL : "nothing for more than 10 s");
	return sw_health_print(s->health, out);
}

static void side_request(void *arg, struct sw_http_req *req)
{
	static const struct sw_header allow = { "Allow", "GET, HEAD" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct side *s = arg;
	struct sw_http_answer a = { .status = 200 };

	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		a.status = 405;
		a.headers = &allow;
		a.n_headers = 1;
		sw_buf_cat(&b, "{\"error\":\"GET only\"}");
	} else if (strcmp(req->path, "/metrics") == 0) {
		a.type = SW_METRICS_TYPE;
		sw_meters_text(s->w, &b);
	} else if (strcmp(req->path, "/health") == 0) {
		a.status = side_health(s, &b);
	} else {
		a.status = 404;
		sw_buf_cat(&b, "{\"error\":\"here are /metrics and /health\"}");
	}
	a.body = sw_buf_str(&b);
	a.body_n = b.n;
	sw_http_reply(req, &a);
}

int sw_side_new(struct worker *w, const char *listen, struct sw_err *err)
{
	struct sw_http_limits lim = sw_http_limits_default;
	struct side *s = sw_calloc(1, sizeof *s);
	char name[160];
	int fd, r;

	s->w = w;
	s->health = sw_health_new(&(struct sw_build){ w->opt->version, w->opt->commit, w->opt->built });
	(void)sw_health_text_field(s->health, "role", "worker");
	(void)sw_health_text_field(s->health, "consumer", w->consumer);
	lim.body_max = 4096;
	lim.conns_max = 32;
	r = sw_listen(listen, 1, &fd, err);
	if (r == 0) {
		sw_listen_name(fd, name, sizeof name);
		r = sw_http_server_new(w->loop, &lim, &(struct sw_http_handler){ .arg = s, .on_request = side_request }, &s->server);
		if (r == 0)
			r = sw_http_server_listen(s->server, fd);
		if (r < 0)
			(void)sw_err_set(err, -r, "%s: %s", listen, strerror(-r));
	}
	if (r < 0) {
		sw_http_server_free(s->server);
		sw_health_free(s->health);
		free(s);
		return r;
	}
	SW_INFO(LOG, "metrics at http://%s/metrics", name);
	w->side = s;
	return 0;
}

void sw_side_free(struct worker *w)
{
	if (!w->side)
		return;
	sw_http_server_free(w->side->server);
	sw_health_free(w->side->health);
	free(w->side);
	w->side = NULL;
}
