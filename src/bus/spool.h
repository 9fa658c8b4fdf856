/*
 * The spool: a gateway's own file of events for the time Redis is away. Append, sync, answer; drained later, in order, once.
 *
 * Segments of 64 MiB in a folder of this gateway, preallocated; records with length, CRC-32C and an increasing offset; a torn tail is cut
 * at open. The drained offset lives in Redis (bus.h: sw_bus_drain moves it in the same script as the entries), so a crash on
 * either side neither loses nor doubles. One lock file: a second process with the same folder is refused. An fsync error closes
 * the segment for good and opens a new one; ENOSPC frees a reserve file (256 MiB unless told otherwise) once.
 */
#ifndef SW_BUS_SPOOL_H
#define SW_BUS_SPOOL_H

#include <sys/types.h>

#include "bus/bus.h"

struct sw_spool;

struct sw_spool_options {
	const char *dir;           /* made if absent, 0700 */
	const char *gateway;       /* stable name of the gateway: host and number */
	int64_t bytes_max;         /* 4 GiB; of entries that wait */
	int64_t segment_bytes;     /* 64 MiB */
	int64_t reserve_bytes;     /* 256 MiB; 0: none */
	const struct sw_spool_io *io; /* NULL: the system's; for tests of faults */
};

/* As the system calls they are named after: -1 and errno. */
struct sw_spool_io {
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	int (*fdatasync)(int fd);
	int (*fallocate)(int fd, off_t size);
};

/* -EBUSY: another process has the folder. -ENOSPC: no room for segment and reserve. bytes: 0 takes the number beside it. */
SW_CHECKED int sw_spool_open(const struct sw_spool_options *opt, struct sw_spool **ret, struct sw_err *err);
void sw_spool_free(struct sw_spool *s);
/* Writes the entry; not yet durable. Return: 0, -ENOSPC (full or limit), -EFBIG (one entry over a quarter GiB), -EIO. */
SW_CHECKED int sw_spool_append(struct sw_spool *s, const struct sw_entry_in *e, struct sw_err *err);
/* Makes all that was appended durable (one fdatasync for the loop turn). Return: 0, or -errno: none of them may be answered 2xx. */
SW_CHECKED int sw_spool_sync(struct sw_spool *s, struct sw_err *err);
/* Bytes that wait to be drained. */
int64_t sw_spool_waiting(const struct sw_spool *s);
/* Records are on their way to Redis; emptying: and few are left, so that it would soon be empty if nothing were appended. */
bool sw_spool_draining(const struct sw_spool *s);
bool sw_spool_emptying(const struct sw_spool *s);
/* What open found and mended: bytes of torn or damaged records that were cut off. */
int64_t sw_spool_cut(const struct sw_spool *s);
/*
 * Drains to the bus, one batch after the other; done() after each. It ends when nothing is left that was synced, and at the first
 * r < 0: then ask sw_bus_gateway for the offset and call again. Nothing happens while it is under way, and when nothing waits.
 * offset: as told by sw_bus_gateway (-1: none known, so from the start).
 * While anything waits, new events must be appended behind it rather than enqueued, so that order holds.
 */
void sw_spool_drain(struct sw_spool *s, struct sw_bus *bus, int64_t offset, void (*done)(void *arg, int r), void *arg);

#endif
