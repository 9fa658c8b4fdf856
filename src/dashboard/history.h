/* A history as lines of JSON (docs/replay.md), in pieces. */
#ifndef SW_DASHBOARD_HISTORY_H
#define SW_DASHBOARD_HISTORY_H

#include "dashboard/store.h"
#include "shipwatch/buf.h"

#define SW_EXPORT_CURSOR 80
struct sw_export {
	const char *service, *environment; /* one place: its events, readings and labels; both NULL: everything */
	sw_ms from, until;                 /* until 0: to the end */
	char cursor[SW_EXPORT_CURSOR];     /* where the next piece begins; "": at the beginning */
	bool done;                         /* there is no next piece */
};
/*
 * Appends whole lines, about as many bytes as that, and moves the cursor: events in the order of time, then readings, then labels. Return: 0;
 * -EINVAL: a bad cursor, or a service without an environment; else as sw_list_run.
 */
SW_CHECKED int sw_store_export(struct sw_store *s, struct sw_export *x, size_t bytes, struct sw_buf *out, struct sw_err *err);

/* Is this file a history (or another database)? */
bool sw_store_is(const char *path);

#endif
