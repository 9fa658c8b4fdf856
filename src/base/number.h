/* Numbers as text and back, exact, and fast for the short decimals that states are full of. */
#ifndef SW_BASE_NUMBER_H
#define SW_BASE_NUMBER_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

/* The double nearest to a JSON number of n bytes (its syntax was checked). */
double sw_number_read(const char *p, size_t n);
void sw_number_print_int(struct sw_buf *out, int64_t v);
/* The shortest that reads back equal, at least as short as 15 digits give. Finite. */
void sw_number_print(struct sw_buf *out, double v);

#endif
