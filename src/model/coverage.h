/*
 * How much of a program its tests ran: lcov tracefiles, Cobertura XML and Go profiles, read in pieces of any size. Which of them it
 * is, is told by the content. Several files of one job add up.
 */
#ifndef SW_MODEL_COVERAGE_H
#define SW_MODEL_COVERAGE_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

#define SW_COVERAGE_LINE  ((size_t)64 * 1024)       /* bytes of one line (lcov, Go) or one attribute's value; longer is an error where it counts */
#define SW_COVERAGE_TAG   ((size_t)64 * 1024)       /* bytes of Cobertura's root element */
#define SW_COVERAGE_ITEMS ((size_t)2 * 1000 * 1000) /* lines (lcov) or blocks (Go) that are told apart; 16 bytes each */

struct sw_coverage;

struct sw_coverage *sw_coverage_new(void);
void sw_coverage_free(struct sw_coverage *c);
/* A file begins; what files before it said is kept. */
void sw_coverage_begin(struct sw_coverage *c);
/*
 * The next n bytes of the file. Return: 0; 1: the rest of this file does not matter (Cobertura: all stands in the root element);
 * -EBADMSG: it is none of the three or broken, -E2BIG: over a limit, both with err, which names the line.
 */
SW_CHECKED int sw_coverage_feed(struct sw_coverage *c, const char *p, size_t n, struct sw_err *err);
/* The file is over. Return: 0, or -EBADMSG with err: it ended too early, or says nothing of any line. */
SW_CHECKED int sw_coverage_end(struct sw_coverage *c, struct sw_err *err);
/* Percent over all files, 0 to 100. Return: 0; -ENODATA with err: no line, or files that can not be added up (rates without counts). */
SW_CHECKED int sw_coverage_percent(const struct sw_coverage *c, double *ret, struct sw_err *err);
/* "lcov", "Cobertura" or "Go"; NULL while it is not known. Of the file begun last. */
const char *sw_coverage_kind(const struct sw_coverage *c);

#endif
