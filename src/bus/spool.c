/*
 * The spool: see spool.h.
 *
 * One log without end, in pieces: a file "<offset>.seg" holds the records from that offset on. Offsets count the bytes of all records
 * ever written, files are only where they lie; a record's own offset stands in it, so what an older log left in a file is not taken
 * for a record. The first offset of a new folder is made of the time, so that it lies above all that Redis may remember of a former
 * folder of this gateway.
 *
 *   [drained … | synced … | written … ]      drained: Redis has them; written: may be lost, nobody was told 2xx
 *
 * Invariants
 *  1. Only synced records are drained; after a failed sync those behind it are given up (their senders got no 2xx) and the file
 *     gets no more records: what the kernel says of its pages after an error cannot be trusted.
 *  2. A file goes when all its records are drained and it is not being written; offsets never repeat.
 *  3. Behind the last record of a file there are zeros or the end: open cuts a torn tail off before anything is written.
 */
#include "bus/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define SPOOL_MAGIC 0x50535753u     /* "SWSP" */
#define SPOOL_RECORD_MAX (256u << 20)
#define SPOOL_BATCH_BYTES (4 << 20)
#define SPOOL_SOON (256 << 10)      /* drained within a few calls */
#define SPOOL_BYTES_PER_MS 2048     /* of the first offset: above what was ever spooled, below 2^53 (Lua's numbers) for a century */

struct head { uint32_t magic, n, crc, zero; int64_t offset; };

/* Behind the head; then the texts with their NULs and the body. */
struct fixed { int64_t dedupe_for, arrived, raw_n; uint32_t text_n[5], body_n; };

struct segment { int64_t base, end; /* of its good records */ off_t size; /* of the file */ };

struct drain { struct sw_spool *s; struct sw_bus *bus; int64_t to; void (*done)(void *arg, int r); void *arg; };

struct sw_spool {
	char *dir, *gateway;
	int dir_fd, lock_fd, fd;        /* fd: of the last segment, being written; -1 when it was closed for good */
	int64_t bytes_max, segment_bytes, reserve_bytes;
	const struct sw_spool_io *io;
	struct segment *segs;
	size_t n_segs;
	int64_t drained, synced, end, cut;
	int failed;                     /* of a sync within append: those before it must hear of it, too */
	bool reserve;                   /* the reserve file is there */
	struct drain *drain;            /* a batch is under way */
};

/* ---- small things ---- */

static int io_fallocate(int fd, off_t size)
{
	int r = posix_fallocate(fd, 0, size);

	errno = r;
	return r ? -1 : 0;
}

static const struct sw_spool_io io_system = { pwrite, fdatasync, io_fallocate };

/* CRC-32C (Castagnoli), four bits at a time: small, and fast enough for a disk. */
static uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	static const uint32_t t[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const unsigned char *s = p;

	crc = ~crc;
	while (n--) {
		crc ^= *s++;
		crc = crc >> 4 ^ t[crc & 15];
		crc = crc >> 4 ^ t[crc & 15];
	}
	return ~crc;
}

static uint32_t record_crc(const struct head *h, const void *payload)
{
	uint32_t crc = crc32c(0, &h->n, sizeof h->n);

	crc = crc32c(crc, &h->offset, sizeof h->offset);
	return crc32c(crc, payload, h->n);
}

static void segment_name(char out[40], int64_t base) { (void)snprintf(out, 40, "%020" PRId64 ".seg", base); }

static struct segment *spool_last(struct sw_spool *s) { return s->n_segs ? &s->segs[s->n_segs - 1] : NULL; }

static int read_all(int fd, void *p, size_t n, off_t at)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, (char *)p + got, n - got, at + (off_t)got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ENODATA;
		got += (size_t)r;
	}
	return 0;
}

static int write_all(struct sw_spool *s, int fd, const void *p, size_t n, off_t at)
{
	size_t put = 0;

	while (put < n) {
		ssize_t r = s->io->pwrite(fd, (const char *)p + put, n - put, at + (off_t)put);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 && errno > 0 ? -errno : -EIO;
		put += (size_t)r;
	}
	return 0;
}

/* ---- segments ---- */

static int reserve_make(struct sw_spool *s)
{
	int fd, r = 0;

	if (s->reserve || !s->reserve_bytes)
		return 0;
	fd = openat(s->dir_fd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (s->io->fallocate(fd, s->reserve_bytes) < 0) {
		r = -errno;
		(void)unlinkat(s->dir_fd, "reserve", 0);
	}
	(void)close(fd);
	s->reserve = r == 0;
	return r;
}

/* A new file behind all others, with its room. With the disk full the reserve is given up, once. */
static int segment_new(struct sw_spool *s, size_t least)
{
	off_t size = (off_t)SW_MAX(s->segment_bytes, (int64_t)least);
	char name[40];
	int fd, r;

	segment_name(name, s->end);
	fd = openat(s->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = s->io->fallocate(fd, size) < 0 ? -errno : 0;
	if (r == -ENOSPC && s->reserve) {
		(void)unlinkat(s->dir_fd, "reserve", 0);
		s->reserve = false;
		r = s->io->fallocate(fd, size) < 0 ? -errno : 0;
	}
	if (r == 0 && (fsync(fd) < 0 || fsync(s->dir_fd) < 0))
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		(void)unlinkat(s->dir_fd, name, 0);
		return r;
	}
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = fd;
	/* One that never got a record had this very name. */
	if (!s->n_segs || spool_last(s)->base != s->end)
		s->segs = sw_realloc(s->segs, ++s->n_segs * sizeof *s->segs);
	*spool_last(s) = (struct segment){ .base = s->end, .end = s->end, .size = size };
	return 0;
}

int64_t sw_spool_waiting(const struct sw_spool *s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s->n_segs; i++)
		n += SW_MAX(s->segs[i].end - SW_MAX(s->segs[i].base, s->drained), (int64_t)0);
	return n;
}

/* The files whose records Redis has; the last one only when it is more than half full. */
static void segments_drop(struct sw_spool *s)
{
	size_t gone = 0;
	char name[40];

	while (gone + 1 < s->n_segs && s->segs[gone].end <= s->drained) {
		segment_name(name, s->segs[gone++].base);
		(void)unlinkat(s->dir_fd, name, 0);
	}
	s->n_segs -= gone;
	memmove(s->segs, s->segs + gone, s->n_segs * sizeof *s->segs);
	if (sw_spool_waiting(s) > 0)
		return;
	s->drained = s->end;
	if (s->n_segs != 1)
		return;
	(void)reserve_make(s); /* all is well again; if it cannot be made now, then next time */
	if (s->fd < 0 || s->end - s->segs[0].base > s->segment_bytes / 2) {
		int64_t old = s->segs[0].base;

		if (s->end != old && segment_new(s, 0) == 0) {
			segment_name(name, old);
			(void)unlinkat(s->dir_fd, name, 0);
			s->segs[0] = s->segs[1];
			s->n_segs = 1;
		}
	}
}

/* ---- opening ---- */

/* Reads one record at `offset` of the segment. Return: 0 and *payload (to be freed) and *h; -ENODATA at the end; -EBADMSG damaged. */
static int record_read(int fd, const struct segment *g, int64_t offset, struct head *h, char **payload)
{
	off_t at = (off_t)(offset - g->base);
	int r;

	if (at + (off_t)sizeof *h > g->size)
		return -ENODATA;
	r = read_all(fd, h, sizeof *h, at);
	if (r < 0)
		return r;
	if (h->magic == 0 && h->n == 0 && h->crc == 0)
		return -ENODATA;
	if (h->magic != SPOOL_MAGIC || h->offset != offset || h->n > SPOOL_RECORD_MAX || h->n < sizeof(struct fixed) ||
	    at + (off_t)sizeof *h + (off_t)h->n > g->size)
		return -EBADMSG;
	*payload = sw_malloc(h->n);
	r = read_all(fd, *payload, h->n, at + (off_t)sizeof *h);
	if (r == 0 && record_crc(h, *payload) != h->crc)
		r = -EBADMSG;
	if (r < 0)
		free(SW_TAKE(*payload));
	return r;
}

/* Where its good records end; what lies behind is counted as cut. */
static int segment_scan(struct sw_spool *s, int fd, struct segment *g, int64_t *ret_torn)
{
	struct head h;
	char *payload = NULL;
	int r;

	g->end = g->base;
	while ((r = record_read(fd, g, g->end, &h, &payload)) == 0) {
		free(payload);
		g->end += (int64_t)(sizeof h + h.n);
	}
	*ret_torn = r == -EBADMSG ? (int64_t)g->size - (g->end - g->base) : 0;
	if (r == -EBADMSG && h.magic == SPOOL_MAGIC && h.n <= SPOOL_RECORD_MAX)
		*ret_torn = SW_MIN(*ret_torn, (int64_t)(sizeof h + h.n));
	s->cut += *ret_torn;
	return r == -EBADMSG || r == -ENODATA ? 0 : r;
}

static int segment_order(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

static int spool_list(struct sw_spool *s)
{
	int fd = dup(s->dir_fd);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		int r = -errno;

		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	rewinddir(d);
	while ((e = readdir(d))) {
		char *end;
		long long base = strtoll(e->d_name, &end, 10);

		if (strlen(e->d_name) != 24 || !sw_streq(end, ".seg") || base < 0)
			continue;
		s->segs = sw_realloc(s->segs, (s->n_segs + 1) * sizeof *s->segs);
		s->segs[s->n_segs++] = (struct segment){ .base = base };
	}
	(void)closedir(d);
	if (s->n_segs)
		qsort(s->segs, s->n_segs, sizeof *s->segs, segment_order);
	return 0;
}

static int spool_scan(struct sw_spool *s, int64_t *ret_size)
{
	int r = spool_list(s);

	for (size_t i = 0; r == 0 && i < s->n_segs; i++) {
		struct segment *g = &s->segs[i];
		struct stat st;
		char name[40];
		int64_t torn = 0;
		int fd;

		segment_name(name, g->base);
		fd = openat(s->dir_fd, name, O_RDWR | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			r = -errno;
		if (r == 0) {
			g->size = st.st_size;
			*ret_size = st.st_size;
			r = segment_scan(s, fd, g, &torn);
		}
		/* The torn tail is cut on the disk as well: later records go to a new file. */
		if (r == 0 && torn && (ftruncate(fd, (off_t)(g->end - g->base)) < 0 || fsync(fd) < 0))
			r = -errno;
		if (torn)
			g->size = (off_t)(g->end - g->base);
		if (fd >= 0)
			(void)close(fd);
	}
	return r;
}

/*
 * Where new records begin: behind the whole of the last file, not behind its last good record. Redis may have been given records
 * that are damaged now, and an offset that it has passed would be taken for drained.
 */
static void spool_begin(struct sw_spool *s, int64_t size)
{
	s->end = s->n_segs ? spool_last(s)->base + size : sw_clock_wall() * SPOOL_BYTES_PER_MS;
	s->synced = s->end;
	s->drained = s->n_segs ? s->segs[0].base : s->end;
}

static int spool_lock(struct sw_spool *s, struct sw_err *err)
{
	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		return sw_err_set(err, errno, "spool %s: %s", s->dir, strerror(errno));
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return sw_err_set(err, errno, "spool %s: %s", s->dir, strerror(errno));
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return sw_err_set(err, errno, "spool %s: lock: %s", s->dir, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return sw_err_set(err, EBUSY, "spool %s: another process uses it", s->dir);
	return 0;
}

int sw_spool_open(const struct sw_spool_options *opt, struct sw_spool **ret, struct sw_err *err)
{
	struct sw_spool *s = sw_calloc(1, sizeof *s);
	int64_t size = 0; /* of the last file */
	int r;

	s->dir = sw_strdup(opt->dir);
	s->gateway = sw_strdup(opt->gateway);
	s->dir_fd = s->lock_fd = s->fd = -1;
	s->bytes_max = opt->bytes_max ? opt->bytes_max : 4LL << 30;
	s->segment_bytes = opt->segment_bytes ? opt->segment_bytes : 64LL << 20;
	s->reserve_bytes = opt->reserve_bytes;
	s->io = opt->io ? opt->io : &io_system;
	r = spool_lock(s, err);
	if (r == 0) {
		r = spool_scan(s, &size);
		if (r == 0) {
			spool_begin(s, size);
			r = segment_new(s, 0);
		}
		if (r == 0)
			r = reserve_make(s);
		if (r < 0)
			(void)sw_err_set(err, -r, "spool %s: %s", s->dir, strerror(-r));
	}
	if (r < 0) {
		sw_spool_free(s);
		return r;
	}
	segments_drop(s);
	*ret = s;
	return 0;
}

void sw_spool_free(struct sw_spool *s)
{
	if (!s)
		return;
	if (s->drain)
		s->drain->s = NULL; /* its callback frees it */
	if (s->fd >= 0)
		(void)close(s->fd);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	if (s->dir_fd >= 0)
		(void)close(s->dir_fd);
	free(s->segs);
	free(s->dir);
	free(s->gateway);
	free(s);
}

/* ---- writing ---- */

static void record_build(struct sw_buf *b, const struct sw_entry_in *e, int64_t offset)
{
	const char *texts[5] = { e->id, e->source, e->kind, e->meta, e->dedupe };
	struct fixed f = { .dedupe_for = e->dedupe_for, .arrived = e->arrived, .raw_n = e->raw_n, .body_n = (uint32_t)e->body_n };
	struct head h = { .magic = SPOOL_MAGIC, .offset = offset };

	for (size_t i = 0; i < 5; i++)
		f.text_n[i] = (uint32_t)strlen(texts[i]);
	sw_buf_catn(b, &h, sizeof h);
	sw_buf_catn(b, &f, sizeof f);
	for (size_t i = 0; i < 5; i++)
		sw_buf_catn(b, texts[i], f.text_n[i] + 1u);
	sw_buf_catn(b, e->body, e->body_n);
	h.n = (uint32_t)(b->n - sizeof h);
	h.crc = record_crc(&h, b->p + sizeof h);
	memcpy(b->p, &h, sizeof h);
}

/* Syncs the file being written, or closes it for good. */
static int spool_flush(struct sw_spool *s)
{
	int r;

	if (s->synced == s->end)
		return 0;
	r = s->fd < 0 ? -EIO : s->io->fdatasync(s->fd) < 0 ? -errno : 0;
	if (r < 0) {
		if (s->fd >= 0)
			(void)close(s->fd);
		s->fd = -1; /* the next append begins a new file, at an offset that was never used */
		spool_last(s)->end = s->synced;
	}
	s->synced = s->end;
	return r;
}

int sw_spool_append(struct sw_spool *s, const struct sw_entry_in *e, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = sizeof(struct head) + sizeof(struct fixed) + e->body_n + strlen(e->meta);
	int r = 0;

	if (n > SPOOL_RECORD_MAX / 2)
		return sw_err_set(err, EFBIG, "spool %s: one entry of %zu bytes", s->dir, n);
	if (sw_spool_waiting(s) + (int64_t)n > s->bytes_max)
		return sw_err_set(err, ENOSPC, "spool %s: full, %" PRId64 " bytes wait", s->dir, sw_spool_waiting(s));
	record_build(&b, e, s->end);
	if (s->fd < 0 || s->end - spool_last(s)->base + (int64_t)b.n > spool_last(s)->size) {
		r = s->fd >= 0 ? spool_flush(s) : 0; /* the old file is whole before a new one is begun */
		if (r < 0)
			s->failed = r;
	}
	if (r == 0 && (s->fd < 0 || s->end - spool_last(s)->base + (int64_t)b.n > spool_last(s)->size))
		r = segment_new(s, b.n);
	if (r == 0)
		r = write_all(s, s->fd, b.p, b.n, (off_t)(s->end - spool_last(s)->base));
	if (r < 0)
		return sw_err_set(err, r == -ENOSPC || r == -EDQUOT ? ENOSPC : EIO, "spool %s: %s", s->dir, strerror(-r));
	s->end += (int64_t)b.n;
	spool_last(s)->end = s->end;
	return 0;
}

int sw_spool_sync(struct sw_spool *s, struct sw_err *err)
{
	int r = spool_flush(s);

	if (s->failed < 0)
		r = s->failed;
	s->failed = 0;
	return r < 0 ? sw_err_set(err, r == -ENOSPC || r == -EDQUOT ? ENOSPC : EIO, "spool %s: sync: %s", s->dir, strerror(-r)) : 0;
}

int64_t sw_spool_cut(const struct sw_spool *s) { return s->cut; }

/* ---- draining ---- */

/* The fields of a record; everything was covered by the checksum, but lengths are checked all the same. */
static bool record_entry(const char *p, size_t n, struct sw_entry_in *e)
{
	const char *texts[5];
	struct fixed f;
	size_t at = sizeof f;

	memcpy(&f, p, sizeof f);
	for (size_t i = 0; i < 5; i++) {
		if (f.text_n[i] >= n - at || p[at + f.text_n[i]] != 0)
			return false;
		texts[i] = p + at;
		at += f.text_n[i] + 1u;
	}
	if (f.body_n != n - at)
		return false;
	*e = (struct sw_entry_in){ .id = texts[0], .source = texts[1], .kind = texts[2], .meta = texts[3], .dedupe = texts[4],
		.dedupe_for = f.dedupe_for, .arrived = f.arrived, .raw_n = f.raw_n, .body = p + at, .body_n = f.body_n };
	return true;
}

struct batch { char *payloads[SW_DRAIN_MAX]; struct sw_entry_in entries[SW_DRAIN_MAX]; size_t n; int64_t bytes; int64_t to; };

/* As many synced records as fit, from s->drained on. */
static int spool_batch(struct sw_spool *s, struct batch *b)
{
	int r = 0;

	b->to = s->drained;
	for (size_t i = 0; r == 0 && i < s->n_segs && b->n < SW_DRAIN_MAX && b->bytes < SPOOL_BATCH_BYTES; i++) {
		struct segment *g = &s->segs[i];
		int64_t end = SW_MIN(g->end, s->synced);
		char name[40];
		struct head h;
		int fd;

		if (b->to < g->base)
			b->to = g->base; /* what lay in between was given up */
		if (b->to >= end)
			continue;
		segment_name(name, g->base);
		fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		while (b->to < end && b->n < SW_DRAIN_MAX && b->bytes < SPOOL_BATCH_BYTES) {
			r = record_read(fd, g, b->to, &h, &b->payloads[b->n]);
			if (r == -EBADMSG || r == -ENODATA) { /* went bad under us: this file is over */
				s->cut += end - b->to;
				g->end = b->to;
				r = 0;
				break;
			}
			if (r < 0)
				break;
			b->to += (int64_t)(sizeof h + h.n);
			b->bytes += h.n;
			if (record_entry(b->payloads[b->n], h.n, &b->entries[b->n]))
				b->n++;
			else
				free(SW_TAKE(b->payloads[b->n]));
		}
		(void)close(fd);
	}
	return r;
}

static void drain_next(struct drain *d);

static void drain_reply(void *arg, int r)
{
	struct drain *d = arg;
	struct sw_spool *s = d->s;

	if (s && r == 0) {
		s->drained = SW_MAX(s->drained, d->to);
		segments_drop(s);
	}
	if (s && r < 0)
		s->drain = NULL;
	if (s)
		d->done(d->arg, r); /* may free the spool: d->s is NULL then */
	if (d->s && r == 0)
		drain_next(d);
	else
		free(d);
}

static void drain_next(struct drain *d)
{
	struct sw_spool *s = d->s;
	struct batch *b = sw_calloc(1, sizeof *b);
	int r = spool_batch(s, b);
	bool any = b->n > 0;

	if (r == 0 && any) {
		d->to = b->to;
		sw_bus_drain(d->bus, s->gateway, b->entries, b->n, b->to, drain_reply, d);
	} else if (r == 0) {
		s->drained = SW_MAX(s->drained, b->to);
		segments_drop(s);
	}
	for (size_t i = 0; i < b->n; i++)
		free(b->payloads[i]);
	free(b);
	if (any && r == 0)
		return;
	s->drain = NULL;
	if (r < 0)
		d->done(d->arg, r);
	free(d);
}

bool sw_spool_draining(const struct sw_spool *s) { return s->drain != NULL; }

bool sw_spool_emptying(const struct sw_spool *s)
{
	return s->drain && sw_spool_waiting(s) <= SPOOL_SOON;
}

void sw_spool_drain(struct sw_spool *s, struct sw_bus *bus, int64_t offset, void (*done)(void *arg, int r), void *arg)
{
	struct drain *d;

	if (s->drain)
		return;
	s->drained = SW_MIN(SW_MAX(s->drained, offset), s->synced);
	segments_drop(s);
	if (sw_spool_waiting(s) == 0)
		return;
	d = sw_calloc(1, sizeof *d);
	*d = (struct drain){ .s = s, .bus = bus, .done = done, .arg = arg };
	s->drain = d;
	drain_next(d);
}
