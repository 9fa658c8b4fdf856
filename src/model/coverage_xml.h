/* The root element of a Cobertura report, found in a stream without an XML parser. */
#ifndef SW_MODEL_COVERAGE_XML_H
#define SW_MODEL_COVERAGE_XML_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"

struct sw_cobertura {
	unsigned char state, quote;
	unsigned brackets;  /* DOCTYPE: open [ and < */
	char tail[2];       /* the two bytes before, for "-->", "?>" */
	struct sw_buf word; /* a markup's beginning, then the root element's text */
	unsigned long line;
	double rate, valid, covered; /* line-rate 0 to 1, lines-valid, lines-covered; below 0: not said */
};

void sw_cobertura_begin(struct sw_cobertura *x); /* zeroed, or used before */
void sw_cobertura_fini(struct sw_cobertura *x);
/* Return: 0: go on; 1: the root element was read; -EBADMSG, -E2BIG with err. */
SW_CHECKED int sw_cobertura_feed(struct sw_cobertura *x, const char *p, size_t n, struct sw_err *err);
/* Return: 0 when the root element was read; -EBADMSG with err. */
SW_CHECKED int sw_cobertura_end(const struct sw_cobertura *x, struct sw_err *err);

#endif
