/* A test file of rules as it was read: places, events, probes; made by script.c, played by scenario.c. */
#ifndef SW_SIM_SCRIPT_H
#define SW_SIM_SCRIPT_H

#include "sim/sim.h"

#define SIM_START   ((sw_ms)1790000000000)
#define SIM_REACHES 20000 /* tokens of one series */

struct probe_token { enum { TOKEN_OK, TOKEN_FAIL, TOKEN_NONE, TOKEN_ERROR, TOKEN_STALE, TOKEN_NAN } kind; const char *version; };

struct probe_series {
	const char *service;      /* NULL: every place */
	struct probe_token *tokens;
	size_t n;
	sw_dur interval;
	sw_ms start;
};

struct script_event { sw_ms at; enum { SCRIPT_EVENT, SCRIPT_PAUSE, SCRIPT_COMMAND, SCRIPT_REFUSE } what; struct sw_event ev;
                      sw_dur pause; const char *aggregate, *msg; };

struct script {
	struct script_event *events;
	size_t n_events;
	struct probe_series series[16];
	size_t n_series;
	enum sim_outcome outcome;
	const struct sw_ynode *expect;
	sw_dur length;
};

struct file {
	struct sw_arena *a;
	struct sw_diags *d;
	sw_dur interval;
	struct sw_rules *rules;
	struct sw_places places;
	const char **alerts;
	const struct sw_ynode *root;
};

/* The place of that name, made if it is new. */
struct sw_place *sw_script_place(struct file *f, const char *service, const char *env);
void sw_script_places(struct file *f, const struct sw_ynode *list);
/* Reads one test. Return: 0, or -EINVAL with the mistakes told. */
int sw_script_read(struct file *f, const struct sw_ynode *test, struct script *sc);
/* What the probes of a script (arg) answer. */
bool sw_script_probe(void *arg, const char *place, sw_ms at, struct sw_sample *ret);

#endif
