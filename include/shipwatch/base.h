/* The small words every file uses: asserts that stay on, scope cleanup, moments and lengths of time. */
#ifndef SHIPWATCH_BASE_H
#define SHIPWATCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shipwatch/public.h"

/* A moment: milliseconds since 1970-01-01 00:00 UTC. 0 means "not known". */
typedef int64_t sw_ms;
/* A length of time in milliseconds. */
typedef int64_t sw_dur;

#define SW_SECOND ((sw_dur)1000)
#define SW_MINUTE (60 * SW_SECOND)
#define SW_HOUR   (60 * SW_MINUTE)
#define SW_DAY    (24 * SW_HOUR)

#define SW_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SW_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SW_MAX(a, b) ((a) > (b) ? (a) : (b))

#define SW_NORETURN __attribute__((noreturn))

/* Runs f(&var) when var leaves its scope; see house rules on ownership. */
#define SW_CLEANUP(f) __attribute__((cleanup(f)))
/* Hands the value of an owning local to somebody else and leaves NULL behind. */
#define SW_TAKE(p) ({ __typeof__(p) sw_take_ = (p); (p) = NULL; sw_take_; })

/* For what cannot be. Always compiled in, never for what another party sent. */
#define SW_ASSERT(x) ((x) ? (void)0 : sw_assert_failed(#x, __FILE__, __LINE__, __func__))
SW_NORETURN void sw_assert_failed(const char *what, const char *file, int line, const char *func);

#endif
