/*
 * Is the history whole? Looked through by a process of its own beside the recorder, which meanwhile records: of gigabytes it takes seconds,
 * of a cold disk minutes.
 */
#ifndef SW_DASHBOARD_VERIFY_H
#define SW_DASHBOARD_VERIFY_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_loop;
struct sw_verify;

/* result 0: it is whole; -EBADMSG: it is broken, why says how; another -errno: it could not be looked through. Once, from the loop; v is to be freed. */
typedef void (*sw_verify_cb)(void *arg, int result, const char *why, sw_dur took);

/*
 * Makes the process, which waits. Before the file is opened here: a connection is not carried over a fork (store.h). Return: 0, or -errno with err.
 */
SW_CHECKED int sw_verify_new(struct sw_loop *loop, const char *path, sw_verify_cb cb, void *arg, struct sw_verify **ret, struct sw_err *err);
void sw_verify_start(struct sw_verify *v); /* it begins; again: nothing */
bool sw_verify_started(const struct sw_verify *v);
void sw_verify_free(struct sw_verify *v);  /* ends it, cb will not be called; NULL does nothing */

#endif
