/*
 * The recorder: a process of its own that follows the journal and writes the history. It is the only one that writes it; nothing waits
 * for it but who wants to look.
 */
#ifndef SW_DASHBOARD_RECORDER_H
#define SW_DASHBOARD_RECORDER_H

#include "config/config.h"
#include "dashboard/pusher.h"
#include "shipwatch/probe.h"

/* What it counts. Declared by the parent before it forks, in memory that both see. */
struct sw_recorder_meters {
	struct sw_metrics *all;      /* NULL: nobody counts */
	unsigned part;               /* the recorder's */
	struct sw_metric *lag, *records, *skipped, *gaps, *bytes, *pruned, *written;
	struct sw_pusher_meters push;
};
void sw_recorder_meters_new(struct sw_metrics *all, unsigned part, struct sw_recorder_meters *ret);

struct sw_recorder_options {
	const char *config_path;     /* read again at SIGHUP; NULL: it is not */
	const char *redis_url;       /* NULL: the configuration's */
	const char *state_dir;       /* history.db lies there; it is made when it is absent */
	int notify_fd;               /* -1: none. After each batch 4 bytes: what it touched, bits of SW_TOUCHED_* */
	const struct sw_recorder_meters *meters; /* NULL: none */
};

/*
 * Runs until SIGTERM or SIGINT, or until nobody reads notify_fd any more. Return: 0; -errno when it cannot even begin. A disk that is full, a
 * file that cannot be written, a Redis that is away are waited for.
 */
SW_CHECKED int sw_recorder_run(struct sw_config *cfg, const struct sw_recorder_options *opt);

#endif
