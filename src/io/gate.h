/*
 * The gate: a strict check of a request's head before the parser of libevhtp sees a byte of it.
 *
 * libevhtp 1.2.18 misreads a head that arrives in pieces, takes two lengths, folded lines, NULs, any version and any number of
 * lines, and believes chunked trailers. So a head is held back until it is whole, and passes only when every byte is as
 * RFC 9112 wants it; what is left for two readers to disagree about is refused, not interpreted.
 *
 * Pure: bytes in, verdict out.
 */
#ifndef SW_IO_GATE_H
#define SW_IO_GATE_H

#include "shipwatch/base.h"

#define SW_GATE_LINES 100         /* header lines at most, whatever the limits say */
#define SW_GATE_LINE_BYTES 8000   /* of one line; the parser itself gives up at 8191 */

struct sw_gate_limits {
	size_t head_max;          /* bytes with the empty line; 431 above */
	unsigned lines_max;       /* header lines; at most SW_GATE_LINES */
};

struct sw_gate_line { uint16_t name, name_n, value, value_n; }; /* places within the head */

/* What the gate read; places are offsets into the bytes it was given. */
struct sw_gate_head {
	size_t n;                 /* bytes of the head, with its empty line */
	uint16_t method_n;        /* at offset 0 */
	uint16_t target, target_n;
	unsigned minor;           /* of HTTP/1.x */
	int64_t content_length;   /* -1: none was said */
	bool keep_alive;
	bool expect;              /* waits for 100 (Continue) */
	uint16_t n_lines;
	struct sw_gate_line lines[SW_GATE_LINES];
};

/* How far a waiting head was searched for its end; zeroed for a new head. */
struct sw_gate { size_t seen; };

/*
 * Return: 0 when the head is whole and good, *ret is filled; SW_GATE_MORE when more bytes are needed; else the status to
 * answer with (400, 411, 417, 431), *ret_why says what is wrong in words for the sender.
 */
#define SW_GATE_MORE 1
SW_CHECKED int sw_gate_check(struct sw_gate *g, const struct sw_gate_limits *lim, const char *p, size_t n,
                             struct sw_gate_head *ret, const char **ret_why);

#endif
