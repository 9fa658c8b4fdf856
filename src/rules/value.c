/* Names of types, and values as people read them. */
#include "rules/value.h"

#include <math.h>
#include <stdio.h>

static const char *const type_names[] = { "null", "bool",   "number", "ratio", "duration", "bytes",
	                                  "rate", "string", "time",   "list",  "record",   "any value" };

bool sw_vtype_numeric(enum sw_vtype t)
{
	return t == SW_V_NUMBER || t == SW_V_RATIO || t == SW_V_DURATION || t == SW_V_BYTES || t == SW_V_RATE || t == SW_V_TIME;
}

const char *sw_vtype_name(enum sw_vtype t)
{
	return type_names[t];
}

static void print_scaled(struct sw_buf *out, double v, const char *const *units, const double *sizes, size_t n)
{
	size_t i = 0;

	while (i + 1 < n && fabs(v) >= sizes[i + 1])
		i++;
	sw_buf_printf(out, "%.4g%s", v / sizes[i], units[i]);
}

void sw_value_print(const struct sw_value *v, struct sw_buf *out)
{
	static const char *const times[] = { "ms", "s", "m", "h", "d" }, *const bytes[] = { "B", "KiB", "MiB", "GiB" };
	static const double time_sizes[] = { 0.001, 1, 60, 3600, 86400 }, byte_sizes[] = { 1, 1024, 1048576, 1073741824 };

	if (v->reading != SW_R_OK) {
		sw_buf_cat(out, sw_reading_name(v->reading));
		return;
	}
	switch (v->type) {
	case SW_V_NULL: sw_buf_cat(out, "null"); break;
	case SW_V_BOOL: sw_buf_cat(out, v->b ? "true" : "false"); break;
	case SW_V_RATIO: sw_buf_printf(out, "%.4g%%", v->num * 100); break;
	case SW_V_DURATION:
	case SW_V_TIME: print_scaled(out, v->num, times, time_sizes, 5); break;
	case SW_V_BYTES: print_scaled(out, v->num, bytes, byte_sizes, 4); break;
	case SW_V_RATE: sw_buf_printf(out, "%.4g/s", v->num); break;
	case SW_V_STRING: sw_buf_json(out, v->str); break;
	case SW_V_NUMBER:
	case SW_V_ANY: sw_buf_printf(out, "%.6g", v->num); break;
	case SW_V_RECORD: sw_value_print(&v->items[SW_EL_NAME], out); break;
	case SW_V_LIST:
		sw_buf_putc(out, '[');
		for (size_t i = 0; i < v->n && i < 8; i++) {
			if (i)
				sw_buf_cat(out, ", ");
			sw_value_print(&v->items[i], out);
		}
		sw_buf_cat(out, v->n > 8 ? ", …]" : "]");
		break;
	}
}
