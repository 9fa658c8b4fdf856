/*
 * Programs: started without a shell in a session of their own, fed on stdin, their output collected, ended at their
 * limit.
 *
 *   worker ─fork─▶ shim (own session, closed descriptors) ─fork─▶ program (own session)
 *
 * The shim does the watching by itself, so that limit and outcome hold when the worker dies meanwhile. With a directory
 * and an id it keeps a record there: ID.intent before the program starts, locked while the shim lives, and ID.result at
 * its end, both synced. Who comes after reads them by sw_spawner_recover.
 */
#ifndef SW_IO_SPAWN_H
#define SW_IO_SPAWN_H

#include "io/loop.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

#define SW_SPAWN_OUTPUT  (64 * 1024) /* bytes of output kept, the last ones; stdout and stderr together */
#define SW_SPAWN_INPUT   (4 * 1024 * 1024)
#define SW_SPAWN_GRACE   (5 * SW_SECOND)  /* between SIGTERM and SIGKILL */
#define SW_SPAWN_TIMEOUT (30 * SW_SECOND) /* of a job that names none */

struct sw_spawner;
struct sw_spawn;

/* res is borrowed during the callback. res->at is this machine's wall clock. */
typedef void (*sw_spawn_cb)(void *arg, const struct sw_result *res);
/* id, note: as they were given to sw_spawn_do. Borrowed during the callback. */
typedef void (*sw_spawn_found_cb)(void *arg, const char *id, const char *note, const struct sw_result *res);

/*
 * programs: NULL-ended absolute paths that may be started; NULL: any. dir: where records are kept, made if it is
 * missing; NULL: none are. Both are copied. Return: 0, or -errno with err (dir cannot be used).
 */
SW_CHECKED int sw_spawner_new(struct sw_loop *loop, const char *const *programs, const char *dir,
                              struct sw_spawner **ret, struct sw_err *err);
/* Programs under way go on under their shims; their callbacks do not run. Not from within a callback. NULL is fine. */
void sw_spawner_free(struct sw_spawner *s);
/*
 * Carries out an SW_JOB_EXEC; the job is copied. job->env is added to PATH, LANG, HOME. A working directory is asked
 * for by an env entry "PWD=/dir". The callback runs exactly once, never from within this call. id, note: of the record;
 * id NULL: none is kept; an id with a record already is refused (SW_FAULT_AMBIGUOUS: it may have run).
 */
struct sw_spawn *sw_spawn_do(struct sw_spawner *s, const struct sw_job *job, const char *id, const char *note,
                             sw_spawn_cb cb, void *arg);
/* The callback will not run; the program goes on to its end or limit. Not after the callback ran. */
void sw_spawn_forget(struct sw_spawn *p);
/* The record of id is no longer needed: its outcome was told. */
void sw_spawner_settle(struct sw_spawner *s, const char *id);
/*
 * Records a forerunner left: cb for each, once, when its outcome is known (at once, or when its shim ends); an intent
 * without result and shim gives SW_FAULT_AMBIGUOUS. Records stay until they are settled.
 */
void sw_spawner_recover(struct sw_spawner *s, sw_spawn_found_cb cb, void *arg);

#endif
