/*
 * The series of a family by the values of their labels: looked up without a lock, made under one, bounded.
 *
 *   values ─hash─▶ slots ─found─▶ series ─▶ cell in shared memory
 *                    └─not found─▶ cleaned key ─under the lock─▶ a new one, or "other" once there are `max`
 *
 * A slot once filled never changes while there are threads, so a reader sees a whole series or none. Values that are too long
 * or broken miss the quick way (their key is another text than they are) and are found by the cleaned key.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "probe/inner.h"

#define HASH_BEGIN 0x9e3779b97f4a7c15ull

/* Up to eight bytes as a number; which ones is the same for the same n. */
static uint64_t hash_word(const char *p, size_t n)
{
	uint64_t w = 0;
	uint32_t a, b;

	if (n >= 8) {
		memcpy(&w, p, 8);
	} else if (n >= 4) {
		memcpy(&a, p, 4);
		memcpy(&b, p + n - 4, 4);
		w = (uint64_t)a << 32 | b;
	} else if (n > 0) {
		w = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
	}
	return w;
}

/* One value of n bytes more. */
static uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
	h ^= n;
	for (;;) {
		/* A product's high bits depend on all bits before, its low ones on few: turned round, the last byte of a word tells too. */
		h = __builtin_bswap64((h ^ hash_word(p, n)) * 0xff51afd7ed558ccdull);
		h ^= h >> 32;
		if (n <= 8)
			return h;
		p += 8;
		n -= 8;
	}
}

/* The values as they are: their lengths, and the hash and length of the key they would be. */
struct wanted {
	const char *v[SW_METRIC_LABELS];
	size_t n[SW_METRIC_LABELS];
	uint32_t hash, key_n;
};

/* False where one is too long to be a key as it is. */
static inline bool wanted_read(struct wanted *w, const struct sw_metric *f, const char *const *values)
{
	uint64_t h = HASH_BEGIN;
	size_t total = 0;

	for (unsigned i = 0; i < f->n_labels; i++) {
		w->v[i] = values && values[i] ? values[i] : "";
		w->n[i] = strlen(w->v[i]);
		if (w->n[i] > SW_METRIC_VALUE)
			return false;
		h = hash_more(h, w->v[i], w->n[i]);
		total += w->n[i] + 1;
	}
	w->hash = (uint32_t)h;
	w->key_n = (uint32_t)total;
	return true;
}

static uint32_t hash_key(const char *key, uint32_t key_n)
{
	uint64_t h = HASH_BEGIN;

	for (uint32_t at = 0; at < key_n;) {
		size_t n = strlen(key + at);

		h = hash_more(h, key + at, n);
		at += (uint32_t)n + 1;
	}
	return (uint32_t)h;
}

/* With its NUL each: so many bytes as the key has in all. */
static inline bool key_is(const struct sw_series *s, unsigned n_labels, const struct wanted *w)
{
	const char *k = s->key;

	if (s->hash != w->hash || s->key_n != w->key_n)
		return false;
	for (unsigned i = 0; i < n_labels; i++) {
		if (memcmp(k, w->v[i], w->n[i] + 1) != 0)
			return false;
		k += w->n[i] + 1;
	}
	return true;
}

/* The cleaned key into out; its length. */
static uint32_t key_make(const struct sw_metric *f, const char *const *values, char out[KEY_MAX])
{
	uint32_t n = 0;

	for (unsigned i = 0; i < f->n_labels; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		const char *v = values && values[i] ? values[i] : "";
		size_t len;

		/* What is cut off could have been broken only behind the limit and the longest character. */
		sw_utf8_clean(&b, v, strnlen(v, SW_METRIC_VALUE + 4), false);
		len = sw_utf8_cut(sw_buf_str(&b), b.n, SW_METRIC_VALUE);
		memcpy(out + n, sw_buf_str(&b), len);
		n += (uint32_t)len;
		out[n++] = '\0';
	}
	return n;
}

static inline struct sw_series *slot_at(const struct sw_metric *f, uint32_t i)
{
	return __atomic_load_n(&f->slots[i & (f->n_slots - 1)], __ATOMIC_ACQUIRE);
}

static struct sw_series *index_find(const struct sw_metric *f, uint32_t hash, const char *key, uint32_t key_n)
{
	for (uint32_t i = hash;; i++) {
		struct sw_series *s = slot_at(f, i);

		if (!s || (s->hash == hash && s->key_n == key_n && memcmp(s->key, key, key_n) == 0))
			return s;
	}
}

static void index_put(struct sw_metric *f, struct sw_series *s)
{
	uint32_t i = s->hash;

	while (f->slots[i & (f->n_slots - 1)])
		i++;
	__atomic_store_n(&f->slots[i & (f->n_slots - 1)], s, __ATOMIC_RELEASE);
}

struct cell *sw_cell_find(struct part *p, unsigned family, uint32_t hash, const char *key, uint32_t key_n)
{
	for (struct cell *c = cell_first(p, family); c; c = cell_next(p, c))
		if (c->hash == hash && c->key_n == key_n && memcmp(cell_key(c), key, key_n) == 0)
			return c;
	return NULL;
}

/* At the end of the family's chain, so that what is printed keeps its order. `used` first: a cell that is linked is never given away. */
static struct cell *cell_new(struct sw_metric *f, uint32_t hash, const char *key, uint32_t key_n)
{
	struct part *p = metrics_part(f->m, f->m->me);
	uint16_t n_values = (uint16_t)(f->type == METRIC_HISTOGRAM ? f->n_bounds + 2 : 1); /* a bucket each, +Inf, the sum */
	size_t size = (sizeof(struct cell) + n_values * sizeof(double) + key_n + 7) & ~(size_t)7;
	uint32_t at = p->used, *link = &p->heads[f->id];
	struct cell *c;

	if (at + size > PART_BYTES)
		return NULL;
	c = cell_at(p, at);
	*c = (struct cell){ .size = (uint32_t)size, .hash = hash, .key_n = key_n, .n_values = n_values };
	memset(c->v, 0, n_values * sizeof(double));
	memcpy(&c->v[n_values], key, key_n);
	__atomic_store_n(&p->used, at + (uint32_t)size, __ATOMIC_RELEASE);
	while (*link)
		link = &cell_at(p, *link)->next;
	__atomic_store_n(link, at, __ATOMIC_RELEASE);
	return c;
}

struct cell *sw_series_cell_make(struct sw_series *s)
{
	struct sw_metric *f = s->f;
	struct cell *c;

	(void)pthread_mutex_lock(&f->m->lock);
	c = s->cell;
	if (!c)
		c = sw_cell_find(metrics_part(f->m, f->m->me), f->id, s->hash, s->key, s->key_n);
	if (!c)
		c = cell_new(f, s->hash, s->key, s->key_n);
	__atomic_store_n(&s->cell, c, __ATOMIC_RELEASE);
	(void)pthread_mutex_unlock(&f->m->lock);
	if (!c)
		(void)__atomic_add_fetch(&f->m->dropped, 1, __ATOMIC_RELAXED);
	return c;
}

static struct sw_series *series_new(struct sw_metric *f, uint32_t hash, const char *key, uint32_t key_n, struct cell *cell)
{
	struct sw_series *s = sw_malloc(sizeof *s + key_n + 1);

	*s = (struct sw_series){ .f = f, .cell = cell, .next = f->all, .hash = hash, .key_n = key_n };
	memcpy(s->key, key, key_n);
	s->key[key_n] = '\0';
	f->all = s;
	return s;
}

static uint32_t key_other(const struct sw_metric *f, char out[KEY_MAX])
{
	static const char *const others[SW_METRIC_LABELS] = { "other", "other", "other", "other", "other", "other", "other", "other" };

	return key_make(f, others, out);
}

/* Under the lock. */
static struct sw_series *series_make(struct sw_metric *f, uint32_t hash, const char *key, uint32_t key_n)
{
	char other[KEY_MAX];
	struct sw_series *s = index_find(f, hash, key, key_n);
	struct cell *c;

	if (s)
		return s;
	if (f->n_series >= f->max) {
		key_n = key_other(f, other);
		key = other;
		hash = hash_key(key, key_n);
		s = index_find(f, hash, key, key_n);
	}
	if (!s) {
		c = cell_new(f, hash, key, key_n);
		if (c) {
			s = series_new(f, hash, key, key_n, c);
			index_put(f, s);
			f->n_series += key != other;
		}
	}
	if (key == other || !s) {
		f->other = s;
		__atomic_store_n(&f->full, true, __ATOMIC_RELEASE);
	}
	return s;
}

static struct sw_series *series_slow(struct sw_metric *f, const char *const *values)
{
	char key[KEY_MAX];
	uint32_t n = key_make(f, values, key), hash = hash_key(key, n);
	struct sw_series *s = index_find(f, hash, key, n);

	if (!s && __atomic_load_n(&f->full, __ATOMIC_ACQUIRE)) {
		s = f->other;
	} else if (!s) {
		(void)pthread_mutex_lock(&f->m->lock);
		s = series_make(f, hash, key, n);
		(void)pthread_mutex_unlock(&f->m->lock);
	}
	if (!s)
		(void)__atomic_add_fetch(&f->m->dropped, 1, __ATOMIC_RELAXED);
	return s;
}

struct sw_series *sw_series_of(struct sw_metric *f, const char *const *values)
{
	struct wanted w;

	if (!f)
		return NULL;
	if (f->bare)
		return f->bare;
	if (wanted_read(&w, f, values)) {
		for (uint32_t i = w.hash;; i++) {
			struct sw_series *s = slot_at(f, i);

			if (!s)
				break;
			if (key_is(s, f->n_labels, &w))
				return s;
		}
	}
	return series_slow(f, values);
}

void sw_index_init(struct sw_metric *f)
{
	f->n_slots = 8;
	while (f->n_slots < 2 * (f->max + 2)) /* and "other", and one that is always free: there a search ends */
		f->n_slots *= 2;
	f->slots = sw_calloc(f->n_slots, sizeof(struct sw_series *));
	if (f->n_labels == 0) {
		/* it is there from the start, so that a rate has a beginning */
		f->bare = series_new(f, 0, "", 0, cell_new(f, 0, "", 0));
	}
}

void sw_index_fini(struct sw_metric *f)
{
	while (f->all) {
		struct sw_series *s = f->all;

		f->all = s->next;
		free(s);
	}
	free(f->slots);
	free(f->info);
}

void sw_index_become(struct sw_metric *f)
{
	struct part *p = metrics_part(f->m, f->m->me);
	char other[KEY_MAX];
	uint32_t other_n = key_other(f, other);

	/* Somebody may hold a handle of each: they stay, and take up the cell that this part has of them. */
	for (struct sw_series *s = f->all; s; s = s->next)
		s->cell = sw_cell_find(p, f->id, s->hash, s->key, s->key_n);
	for (struct cell *c = cell_first(p, f->id); c; c = cell_next(p, c)) {
		if (f->type == METRIC_GAUGE)
			value_write(&c->v[0], 0);
		if (f->bare || index_find(f, c->hash, cell_key(c), c->key_n))
			continue;
		/* With those of the part before there may be more than the index has room for: the rest is found as "other". */
		if (f->n_series >= f->max && (c->key_n != other_n || memcmp(cell_key(c), other, other_n) != 0))
			continue;
		index_put(f, series_new(f, c->hash, cell_key(c), c->key_n, c));
		f->n_series += c->key_n != other_n || memcmp(cell_key(c), other, other_n) != 0;
	}
	f->full = false;
	f->other = NULL;
}
