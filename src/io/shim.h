/* The shim: the child that starts one program, watches it and writes down what became of it. Used by spawn.c only. */
#ifndef SW_IO_SHIM_H
#define SW_IO_SHIM_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/job.h"

struct sw_shim {
	const struct sw_job *job;
	sw_dur timeout;
	int report_fd;          /* the outcome goes here as JSON; its end is the shim's end */
	int intent_fd;          /* kept open for its lock; -1: no record */
	const char *dir, *file; /* the outcome goes to dir/file.result too; NULL: no record */
};

/* In the child, right after fork; never returns. */
SW_NORETURN void sw_shim_run(const struct sw_shim *s);
/* A file written whole or not at all, and on disk afterwards. Return: 0, or -errno. */
SW_CHECKED int sw_shim_write(const char *path, const char *p, size_t n);
/* The directory's entries are on disk afterwards. Return: 0, or -errno. */
SW_CHECKED int sw_shim_sync_dir(const char *dir);

#endif
