/* What the files of the gateway share. One struct gateway a process. */
#ifndef SW_GATEWAY_INNER_H
#define SW_GATEWAY_INNER_H

#include "bus/bus.h"
#include "bus/spool.h"
#include "gateway/gateway.h"
#include "io/client.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "probe/print.h"
#include "shipwatch/buf.h"
#include "shipwatch/plugin.h"

#define GATEWAY_PROCESSES 16 /* at most */

#define SW_FAILURES_MAX 30 /* failed authentications of one address in a minute; from then on 429 until it is over */

/* ---- meters.c ---- */

struct sw_gateway_meters {
	struct sw_metrics *all;
	struct sw_metric *requests, *seconds, *deliveries, *secrets, *bytes_in, *bytes_kept, *conns, *held, *spool, *redis_up, *masters, *rtt,
		*limited, *restarts, *stream_up;
};
SW_CHECKED int sw_gateway_meters_new(unsigned processes, const struct sw_gateway_options *opt, struct sw_gateway_meters *ret);

/* ---- what belongs to a configuration ---- */

/* Counted: requests end under the one they began with. */
struct setup {
	struct sw_config *cfg;
	struct sw_nets *trusted;
	unsigned secrets_max;                /* most secrets any source has: so much work a refusal costs */
	unsigned refs;
};
SW_CHECKED int sw_gateway_setup_new(struct sw_config *cfg, struct setup **ret, struct sw_err *err);
struct setup *sw_gateway_setup_get(struct setup *s);
void sw_gateway_setup_put(struct setup *s);

struct store;
struct approve;

struct gateway {
	struct sw_loop *loop;
	struct sw_http_server *http;
	struct setup *setup;
	struct store *store;
	struct sw_failures *failures;
	struct sw_gateway_meters meters;
	const struct sw_gateway_options *opt;
	struct sw_arena arena;               /* of the request in hand */
	struct sw_buf pack;
	struct sw_timer beat;                /* gauges */
	const char *name;                    /* "host-1f2e3d4c-0" */
	unsigned index;
	struct queue *queues;                /* streams that are read, and those whose last entries are still on their way */
	struct sw_health *health;
	struct approve *approvals;           /* requests of people who decide, still open */
	unsigned n_approvals;
	sw_ms warned_at;                     /* refusals are logged once a second at most */
	unsigned warned_more;
	unsigned char dummy[32];             /* key of the work a refusal costs */
};

/* ---- store.c: where deliveries become durable ---- */

/* Outcome of one: queued, a duplicate, or it could not be made durable (-errno). */
enum { STORE_QUEUED, STORE_DUPLICATE };
typedef void (*store_cb)(void *arg, int r, bool spooled);

SW_CHECKED int sw_store_new(struct gateway *g, const char *redis_url, const char *state_dir, int64_t spool_max, unsigned processes,
                            struct store **ret, struct sw_err *err);
void sw_store_free(struct store *s);
/* e and what it points to must live until cb. cb runs later, exactly once. */
void sw_store_put(struct store *s, const struct sw_entry_in *e, store_cb cb, void *arg);
/* How it stands, for /health: redis and spool as words, whether deliveries can be taken at all. */
struct store_state {
	bool redis_up, redis_durable /* and taking */, spool_on, spool_ok, can_take;
	int64_t spool_bytes;
	sw_dur rtt;
	const char *redis_why, *spool_why;   /* "" when well */
};
void sw_store_state(const struct store *s, struct store_state *ret);
struct sw_bus *sw_store_bus(struct store *s);

/* ---- queue.c: sources that are read from a stream of a Redis; the first process does it ---- */

/* As the configuration in use says; those that were read before are given up. */
void sw_queues_begin(struct gateway *g);
/* Nothing more is read. What is on its way to the store goes on. */
void sw_queues_end(struct gateway *g);
void sw_queues_gauges(struct gateway *g);

/* ---- hooks.c, pages.c: requests ---- */

/* Body of an entry as it is kept: packed where that is smaller, in a. */
void sw_entry_pack(struct gateway *g, struct sw_arena *a, const void *raw, size_t raw_n, struct sw_entry_in *e);

void sw_hooks_on_head(struct gateway *g, struct sw_http_req *req, const char *source); /* source NULL: the CI report */
void sw_hooks_on_request(struct gateway *g, struct sw_http_req *req);
void sw_hooks_on_done(struct gateway *g, struct sw_http_req *req);
void sw_page_health(struct gateway *g, struct sw_http_req *req);
void sw_page_metrics(struct gateway *g, struct sw_http_req *req);
void sw_gauges_set(struct gateway *g);
void sw_reply_json(struct sw_http_req *req, int status, const struct sw_header *headers, size_t n, const char *json);
void sw_reply_error(struct sw_http_req *req, int status, const struct sw_header *headers, size_t n, const char *what);

/* ---- approve.c: people decide about rollbacks ---- */

void sw_approve_on_head(struct gateway *g, struct sw_http_req *req, const char *token);
void sw_approve_on_request(struct gateway *g, struct sw_http_req *req, const char *token);
/* What is still open is answered; when the bus is gone. */
void sw_approve_end(struct gateway *g);

/* ---- child.c ---- */

struct child_start { unsigned index, processes; int listen_fd, ready_fd; const char *name; const char *state_dir; };
/* Return: the process' exit code. */
int sw_gateway_child(struct sw_config *cfg, const struct sw_gateway_options *opt, struct sw_gateway_meters *meters,
                     const struct child_start *start);

#endif
