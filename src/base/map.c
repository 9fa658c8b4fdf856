/* Text to pointer: entries in order of insertion, and beside them an open-addressing table of their numbers. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "shipwatch/mem.h"

/* Slots hold entry number + 1; 0 is free. Deleted entries keep their slot until the next rebuild. */

static uint64_t map_hash(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static struct sw_map_entry *map_find(const struct sw_map *m, const char *key, size_t n, uint64_t h)
{
	if (!m->n_slots)
		return NULL;
	for (size_t i = h & (m->n_slots - 1); m->slots[i]; i = (i + 1) & (m->n_slots - 1)) {
		struct sw_map_entry *e = &m->entries[m->slots[i] - 1];

		if (!e->gone && e->hash == h && strlen(e->key) == n && memcmp(e->key, key, n) == 0)
			return e;
	}
	return NULL;
}

static void map_index(struct sw_map *m, size_t entry)
{
	size_t i = m->entries[entry].hash & (m->n_slots - 1);

	while (m->slots[i])
		i = (i + 1) & (m->n_slots - 1);
	m->slots[i] = (uint32_t)entry + 1;
}

/* Room for one more: drops the deleted, doubles when the living fill half. */
static void map_rebuild(struct sw_map *m)
{
	size_t n = 0, cap = 8;

	while (cap < m->n_live * 2 + 2)
		cap *= 2;
	SW_ASSERT(cap < UINT32_MAX / 4);
	for (size_t i = 0; i < m->n; i++) {
		if (m->entries[i].gone)
			continue;
		if (n != i)
			m->entries[n] = m->entries[i];
		n++;
	}
	m->n = n;
	m->entries = sw_realloc(m->entries, cap * sizeof *m->entries);
	m->cap = cap;
	m->n_slots = cap * 2;
	free(m->slots);
	m->slots = sw_calloc(m->n_slots, sizeof *m->slots);
	for (size_t i = 0; i < m->n; i++)
		map_index(m, i);
}

void sw_map_fini(struct sw_map *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->slots);
	*m = (struct sw_map)SW_MAP_INIT;
}

void *sw_map_get(const struct sw_map *m, const char *key)
{
	return sw_map_getn(m, key, strlen(key));
}

void *sw_map_getn(const struct sw_map *m, const char *key, size_t n)
{
	const struct sw_map_entry *e = map_find(m, key, n, map_hash(key, n));

	return e ? e->value : NULL;
}

void *sw_map_set(struct sw_map *m, const char *key, void *value)
{
	size_t len = strlen(key);
	uint64_t h = map_hash(key, len);
	struct sw_map_entry *e = map_find(m, key, len, h);
	void *old = NULL;

	if (e) {
		old = e->value;
		e->value = value;
		return old;
	}
	if (m->n == m->cap)
		map_rebuild(m);
	m->entries[m->n] = (struct sw_map_entry){ .key = sw_strdup(key), .value = value, .hash = h };
	map_index(m, m->n++);
	m->n_live++;
	return NULL;
}

void *sw_map_del(struct sw_map *m, const char *key)
{
	size_t len = strlen(key);
	struct sw_map_entry *e = map_find(m, key, len, map_hash(key, len));

	if (!e)
		return NULL;
	/* The slot stays, so that probing goes on over it; the key is freed now and never looked at again. */
	free(e->key);
	e->key = NULL;
	e->gone = true;
	m->n_live--;
	return SW_TAKE(e->value);
}

struct sw_map_entry *sw_map_next(const struct sw_map *m, size_t *i)
{
	while (*i < m->n) {
		struct sw_map_entry *e = &m->entries[(*i)++];

		if (!e->gone)
			return e;
	}
	return NULL;
}
