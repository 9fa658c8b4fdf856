/* Text to pointer in a hash map; iteration is in order of insertion. Keys are copied, values are the caller's. */
#ifndef SW_BASE_MAP_H
#define SW_BASE_MAP_H

#include "shipwatch/base.h"

struct sw_map_entry {
	char *key;
	void *value;
	uint64_t hash;
	bool gone;
};
struct sw_map {
	struct sw_map_entry *entries;
	size_t n, n_live, cap;
	uint32_t *slots;
	size_t n_slots;
};

#define SW_MAP_INIT                                                                                                    \
	{                                                                                                              \
		0                                                                                                      \
	}
void sw_map_fini(struct sw_map *m); /* keys only */
void *sw_map_get(const struct sw_map *m, const char *key);
void *sw_map_getn(const struct sw_map *m, const char *key, size_t n);
/* Sets or replaces; returns the former value or NULL. */
void *sw_map_set(struct sw_map *m, const char *key, void *value);
void *sw_map_del(struct sw_map *m, const char *key);
/* for (size_t i = 0; (e = sw_map_next(m, &i)) != NULL; ) … ; deleting the current entry is allowed */
struct sw_map_entry *sw_map_next(const struct sw_map *m, size_t *i);

#endif
