/* Values of the rule language and their types (rules.md 1.1 semantics 1-3). */
#ifndef SW_RULES_VALUE_H
#define SW_RULES_VALUE_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/sample.h"

enum sw_vtype {
	SW_V_NULL, SW_V_BOOL, SW_V_NUMBER, SW_V_RATIO, SW_V_DURATION, SW_V_BYTES, SW_V_RATE, SW_V_STRING, SW_V_TIME, SW_V_LIST,
	SW_V_RECORD, /* an element of endpoints: its fields in the order of enum sw_element */
	SW_V_ANY, /* type-checking only: not known before it is read (metrics, labels) */
};
const char *sw_vtype_name(enum sw_vtype t); /* "duration" */

/* Kleene */
enum sw_truth { SW_FALSE, SW_TRUE, SW_UNKNOWN };

struct sw_value {
	enum sw_vtype type;
	/* Not OK: the value is unknown for this reason; comparisons with it are unknown, `is` tests tell it. */
	enum sw_reading reading;
	bool least;             /* num is the least it can be: a sum over a window that is not full yet */
	bool b;
	double num;             /* DURATION and TIME in seconds, BYTES in bytes, RATIO 0.05, RATE per second */
	const char *str;
	const struct sw_value *items; /* LIST of strings, numbers or records; RECORD: SW_EL_COUNT fields */
	size_t n;
};
enum sw_element { SW_EL_NAME, SW_EL_P95, SW_EL_REQUESTS, SW_EL_ERRORS, SW_EL_COUNT };
bool sw_vtype_numeric(enum sw_vtype t); /* numbers of all units, moments too */

/* For people: "1.5s", "5%", "12MiB", "\"main\"", "absent". */
void sw_value_print(const struct sw_value *v, struct sw_buf *out);

#endif
