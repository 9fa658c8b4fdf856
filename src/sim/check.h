/* What must come of a test, and what the tests of a rule cover. */
#ifndef SW_SIM_CHECK_H
#define SW_SIM_CHECK_H

#include "rules/expr.h"
#include "sim/script.h"

/* The words of an expectation are known, its times and numbers can be read, its rule exists; else mistakes are told. */
bool sw_check_known(struct file *f, const struct sw_ynode *expect);
/* Did it come? Else why tells what is missing. */
bool sw_check_one(const struct sim_world *w, const struct sw_ynode *expect, struct sw_buf *why);
/* So many entries of the log: rule NULL: of any; what: "alert", "alert:ops", "rollback", "run:x", "hold", "news:resolved". */
size_t sw_check_count(const struct sim_world *w, const char *rule, const char *what, sw_dur from, sw_dur to);

/* These rules want to be tested. */
void sw_cover_rules(struct sim_report *r, const struct sw_rules *rules);
/* What a test that passed has shown of the rules that it names. */
void sw_cover_test(struct sim_report *r, const struct sw_rules *rules, const struct script *sc, const struct sim_world *w);

#endif
