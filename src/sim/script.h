/* A test file of rules as it was read: places, events, series; made by script.c, played by scenario.c. */
#ifndef SW_SIM_SCRIPT_H
#define SW_SIM_SCRIPT_H

#include "sim/series.h"
#include "sim/sim.h"

#define SIM_START ((sw_ms)1790000000000)

struct script_event { sw_ms at; enum { SCRIPT_EVENT, SCRIPT_PAUSE, SCRIPT_COMMAND, SCRIPT_REFUSE, SCRIPT_ACK } what; struct sw_event ev;
                      sw_dur pause; const char *aggregate, *msg; };

struct script {
	struct script_event *events;
	size_t n_events;
	struct sim_series *series;    /* from the start on: probes and measured signals */
	size_t n_series;
	struct sim_series *past;      /* up to the start */
	size_t n_past;
	bool measured;                /* it has series of measured signals: its places have where to ask them */
	bool reference;               /* it says whether our own network is well */
	uint64_t seed;
	enum sim_outcome outcome;
	const struct sw_ynode *expect;
	sw_dur length;
	const struct sw_rules *rules; /* what the signals are */
};

struct file {
	struct sw_arena *a;
	struct sw_diags *d;
	sw_dur interval, length;   /* length: of tests that say none */
	struct sw_rules *rules;
	struct sw_places places;
	const char **alerts;
	struct sw_maintenance *maintenance;
	size_t n_maintenance;
	const struct sw_ynode *root;
};

/* The place of that name, made if it is new. */
struct sw_place *sw_script_place(struct file *f, const char *service, const char *env);
void sw_script_places(struct file *f, const struct sw_ynode *list);
/* Every key of a map is one of these (NULL-ended), else diagnostics and -EINVAL. */
int sw_script_words(struct file *f, const struct sw_ynode *n, const char *const *words);
int sw_script_length(struct file *f, const struct sw_ynode *n, sw_dur *ret);
/* Reads one test. Return: 0, or -EINVAL with the mistakes told. */
int sw_script_read(struct file *f, const struct sw_ynode *test, struct script *sc);
/* A signal at a place and moment; kind NONE: nothing is said of it. */
struct series_at sw_script_at(const struct script *sc, const char *signal, const char *place, sw_ms at);
/* What the sources of a script answer. */
void sw_script_outside(struct script *sc, struct sim_outside *ret);
/* The places as one test has them. */
struct sw_places sw_script_places_of(const struct file *f, const struct script *sc, struct sw_arena *a);

#endif
