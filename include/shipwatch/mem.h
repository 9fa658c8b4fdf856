/*
 * Memory: allocation that aborts when there is none, and arenas.
 *
 * A worker that dies for want of memory loses nothing (what it had not committed is still in the stream), so no code
 * handles a failed allocation. In return every size from outside is checked against a limit before it comes here.
 */
#ifndef SHIPWATCH_MEM_H
#define SHIPWATCH_MEM_H

#include "shipwatch/base.h"

void *sw_malloc(size_t n);
void *sw_calloc(size_t count, size_t size);
void *sw_realloc(void *p, size_t n);
/* NULL in, NULL out. */
char *sw_strdup(const char *s);
char *sw_strndup(const char *s, size_t n);
/* For SW_CLEANUP: frees *(void **)p. */
void sw_freep(void *p);

/* An arena: everything in it lives until reset or fini. Zeroed struct = empty arena. */
struct sw_arena {
	struct sw_arena_chunk *head;
	size_t used_bytes; /* handed out since init or reset */
};

void sw_arena_init(struct sw_arena *a);
/* Keeps the largest chunk for the next round. */
void sw_arena_reset(struct sw_arena *a);
void sw_arena_fini(struct sw_arena *a);
/* Zeroed, aligned for any type. */
void *sw_arena_alloc(struct sw_arena *a, size_t n);
/* Bytes it holds, used or not. */
size_t sw_arena_size(const struct sw_arena *a);
/* Not zeroed: for large arrays of which few elements are used, each written whole before it is read. */
void *sw_arena_raw(struct sw_arena *a, size_t n);
/* NULL in, NULL out. */
char *sw_arena_strdup(struct sw_arena *a, const char *s);
char *sw_arena_strndup(struct sw_arena *a, const char *s, size_t n);
/* Exactly n bytes, zeros among them too, and a NUL behind. For bodies: strndup stops at the first zero. */
char *sw_arena_memdup(struct sw_arena *a, const void *p, size_t n);
char *sw_arena_printf(struct sw_arena *a, const char *fmt, ...) SW_PRINTF(2, 3);

#define SW_ARENA_NEW(a, type) ((type *)sw_arena_alloc((a), sizeof(type)))
#define SW_ARENA_ARRAY(a, type, n) ((type *)sw_arena_alloc((a), sizeof(type) * (n)))

#endif
