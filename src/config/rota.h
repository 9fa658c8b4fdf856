/*
 * Who is on call when: people in turn from a first day on, handed over at the same hour of a clock on the wall, and exceptions. A
 * pure function of the moment; nothing is remembered, so that every worker says the same.
 */
#ifndef SW_CONFIG_ROTA_H
#define SW_CONFIG_ROTA_H

#include "base/yaml.h"
#include "base/zone.h"
#include "shipwatch/alert.h"

#define SW_ROTA_TURNS     100
#define SW_ROTA_OVERRIDES 1000

struct sw_rota_override {
	sw_ms from, until;
	const char **people; /* NULL-ended */
};

struct sw_rota {
	const struct sw_zone *zone;  /* NULL: UTC */
	int64_t start_day;           /* days since 1970 */
	int64_t handover_s, every_days;
	const char ***turns;         /* each NULL-ended */
	size_t n_turns;
	int second;                  /* from this severity on the people of the next turn are called too; above critical: never */
	struct sw_rota_override *overrides;
	size_t n_overrides;
};

struct sw_rota_now {
	const char *const *people; /* NULL-ended; NULL: nobody (it has not begun) */
	const char *const *second; /* those of the next turn; NULL: the same, or nobody */
	sw_ms until;               /* when that changes; 0: it does not */
	bool override;
};

/*
 * Reads one from a map: people, start, handover, every, timezone, second, overrides. zone: where it names none. Mistakes go to d.
 * Return: 0, or -EINVAL.
 */
SW_CHECKED int sw_rota_read(struct sw_arena *a, const struct sw_ynode *node, const struct sw_zone *zone, const struct sw_rota **ret,
                            struct sw_diags *d);
/* Calls told for every text that stands for a person, with its place; to check names. */
void sw_rota_names(const struct sw_ynode *node, void (*told)(void *arg, const struct sw_ynode *name), void *arg);
struct sw_rota_now sw_rota_at(const struct sw_rota *r, sw_ms now);

#endif
