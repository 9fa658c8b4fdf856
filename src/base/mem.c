/* Allocation that aborts when there is none, arenas, and the assert that stays on. */
#include "shipwatch/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_MIN 4096
#define ARENA_CHUNK_MAX (256 * 1024)
#define ARENA_ALIGN     alignof(max_align_t)

struct sw_arena_chunk {
	struct sw_arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char data[];
};

void sw_assert_failed(const char *what, const char *file, int line, const char *func)
{
	fprintf(stderr, "shipwatch: assertion failed: %s at %s:%d in %s\n", what, file, line, func);
	abort();
}

SW_NORETURN static void mem_out(size_t n)
{
	fprintf(stderr, "shipwatch: out of memory (%zu bytes asked for)\n", n);
	abort();
}

void *sw_malloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		mem_out(n);
	return p;
}

void *sw_calloc(size_t count, size_t size)
{
	void *p;

	if (!count || !size)
		count = size = 1;
	p = calloc(count, size);
	if (!p)
		mem_out(size);
	return p;
}

void *sw_realloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (!q)
		mem_out(n);
	return q;
}

char *sw_strdup(const char *s)
{
	return s ? sw_strndup(s, strlen(s)) : NULL;
}

char *sw_strndup(const char *s, size_t n)
{
	char *p;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	p = sw_malloc(n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void sw_freep(void *p)
{
	free(*(void **)p);
}

void sw_arena_init(struct sw_arena *a)
{
	*a = (struct sw_arena){ 0 };
}

void sw_arena_reset(struct sw_arena *a)
{
	struct sw_arena_chunk *c, *next, *keep = NULL;

	for (c = a->head; c; c = c->next)
		if (!keep || c->size > keep->size)
			keep = c;
	for (c = a->head; c; c = next) {
		next = c->next;
		if (c != keep)
			free(c);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->head = keep;
	a->used_bytes = 0;
}

void sw_arena_fini(struct sw_arena *a)
{
	struct sw_arena_chunk *next;

	for (struct sw_arena_chunk *c = a->head; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct sw_arena){ 0 };
}

static void arena_grow(struct sw_arena *a, size_t n)
{
	size_t size = a->head ? SW_MIN(a->head->size * 2, (size_t)ARENA_CHUNK_MAX) : ARENA_CHUNK_MIN;
	struct sw_arena_chunk *c;

	size = SW_MAX(size, n);
	c = sw_malloc(sizeof *c + size);
	c->size = size;
	c->used = 0;
	c->next = a->head;
	a->head = c;
}

size_t sw_arena_size(const struct sw_arena *a)
{
	size_t n = 0;

	for (const struct sw_arena_chunk *c = a->head; c; c = c->next)
		n += c->size;
	return n;
}

void *sw_arena_raw(struct sw_arena *a, size_t n)
{
	struct sw_arena_chunk *c;
	void *p;

	if (n > SIZE_MAX / 2)
		mem_out(n);
	n = (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (!a->head || a->head->size - a->head->used < n)
		arena_grow(a, n);
	c = a->head;
	p = c->data + c->used;
	c->used += n;
	a->used_bytes += n;
	return p;
}

void *sw_arena_alloc(struct sw_arena *a, size_t n)
{
	return memset(sw_arena_raw(a, n), 0, n);
}

char *sw_arena_strdup(struct sw_arena *a, const char *s)
{
	return s ? sw_arena_strndup(a, s, strlen(s)) : NULL;
}

char *sw_arena_memdup(struct sw_arena *a, const void *from, size_t n)
{
	char *p = sw_arena_raw(a, n + 1);

	if (n)
		memcpy(p, from, n);
	p[n] = '\0';
	return p;
}

char *sw_arena_strndup(struct sw_arena *a, const char *s, size_t n)
{
	char *p;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	p = sw_arena_raw(a, n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *sw_arena_printf(struct sw_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char small[256], *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	SW_ASSERT(n >= 0);
	p = sw_arena_raw(a, (size_t)n + 1);
	if ((size_t)n < sizeof small)
		memcpy(p, small, (size_t)n + 1);
	else
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}
