/* What the files of pages share beside web.h: names and links of things, small forms, rows that come often. */
#ifndef SW_DASHBOARD_PAGES_H
#define SW_DASHBOARD_PAGES_H

#include "dashboard/chart.h"
#include "dashboard/sums.h"
#include "dashboard/web.h"
#include "shipwatch/clock.h"

/* Of the rules in force (page_rules.c); borrowed for the request. NULL: there is none of that name, or it has none. */
const char *page_rule_condition(struct page *p, const char *rule);
const char **page_rule_signals(struct page *p, const char *rule);
enum sw_vtype page_signal_type(struct page *p, const char *signal); /* SW_V_NUMBER where nobody knows */

/* <section> with a heading. live: what touches it, words of data-live; NULL: nothing. */
void page_section(struct page *p, const char *id, const char *title, const char *live);
void page_section_end(struct page *p);
void page_empty(struct page *p, const char *words);   /* what would stand here if there were any */
/* A table, on a phone a small card a row: heads, NULL-ended, are then the labels of its cells; "#name": numbers. The first cell is the row's title. */
struct table { const char *const *heads; size_t i; };
void page_table(struct page *p, struct table *t, const char *label, const char *const *heads);
void page_row(struct page *p, struct table *t);  /* ends the row before, if any */
void page_cell(struct page *p, struct table *t); /* ends the cell before, if any */
void page_table_end(struct page *p, struct table *t);
/* "web / prod"; as a link to its deployments when to is set. */
void page_place(struct page *p, const char *service, const char *environment, bool link);
/* <a href="/<what>/<id>">words</a>; words NULL: the id. id NULL: a dash. */
void page_to(struct page *p, const char *what, const char *id, const char *words);
/* A moment as it is read beside others: "10:43:10", with the date when it is not today's. 0: a dash. */
void page_clock(struct page *p, sw_ms at);
/* "3 min ago", the moment in its title. 0: a dash. */
void page_ago(struct page *p, sw_ms at);
/* A length as one word of it: "12 min". */
void page_about(struct page *p, sw_dur d);
/* A word of ours (status, verdict, state) in the reader's language. */
const char *page_word(struct page *p, const char *word);
/* Text from outside in one line, cut with the whole in its title; NULL or "": a dash. */
void page_words(struct page *p, const char *s, size_t bytes);
/* A branch or a name: one line, what is too long for it behind an ellipsis. */
void page_branch(struct page *p, const char *s);
void page_name(struct page *p, const char *s);
/* "1 alert", "3 alerts". */
void page_number(struct page *p, int64_t n, const char *one, const char *many, const char *zh);
/* A pair of a description list; nothing when value is NULL or "". */
void page_fact(struct page *p, const char *name, const char *value);
/* First lines of commits and the like, which can be long: folded where they are. Nothing when it is NULL or "". */
void page_fact_long(struct page *p, const char *text);
void page_fact_begin(struct page *p, const char *name);
void page_fact_end(struct page *p);
/* <input> with its label. */
void page_field(struct page *p, const char *name, const char *label, const char *placeholder, const char *more);
/* A form with one button that posts name=value pairs (NULL-ended); shown to operators only. */
void page_button(struct page *p, const char *action, const char *class, const char *words, ...);
/* Links that belong to a run of CI: its log, where log_url is configured. */
void page_log_link(struct page *p, const char *ci_run_id);
const char *page_log_url(struct page *p, const char *ci_run_id); /* in p->a; NULL */
/* As JSON text of a column; NULL: not JSON, or nothing there. */
const struct sw_jnode *page_json(struct page *p, const char *text, size_t n);
/* One row of a list by its id; answers 404 and 503 itself and returns false. */
bool page_one(struct page *p, const char *list, const char *id, const struct sw_row **ret);
/* Rows of a list with given filters (name, value, …, NULL); what goes wrong is an empty list and a line that says so. */
void page_some(struct page *p, const char *list, unsigned limit, struct sw_rows *ret, ...);
bool page_operator(const struct page *p);

/* Rows that several pages show. */
void page_deployments(struct page *p, const struct sw_rows *rows, bool place);
void page_builds(struct page *p, const struct sw_rows *rows);
void page_alerts(struct page *p, const struct sw_rows *rows);
void page_alert_lines(struct page *p, const struct sw_rows *rows); /* where there is little room */
void page_events(struct page *p, const struct sw_rows *rows);
void page_actions(struct page *p, const struct sw_rows *rows);
void page_watches(struct page *p, const struct sw_rows *rows);
/* JSON as indented text. */
void page_tree(struct page *p, const struct sw_jnode *node);
/* Watches as lines of progress. */
void page_open_watch(struct page *p, const struct sw_row *r);
/* A rollback that waits for a person: what would happen, and the two buttons. */
void page_asking(struct page *p, const struct sw_row *r, bool whole);
/* All of a watch: curves, condition row by row, guards. (page_watch.c) */
void page_watch(struct page *p, const struct sw_row *dep, const struct sw_row *w);

/* The section of the commits between from and to (NULL: of no deployment); compare: the host's view of them, or NULL. Nothing where nothing is known.
 * (page_commits.c) */
struct commits_range;
void page_commits(struct page *p, const struct commits_range *r, const char *from, const char *to, const char *compare);
/* Those of a deployment's row. (page_deployments.c) */
void page_deployment_range(struct page *p, const struct sw_row *r, struct commits_range *ret);

/* The pages, a file each. */
void page_overview(struct page *p);
void page_build_list(struct page *p);
void page_build(struct page *p);
void page_deployment_list(struct page *p);
void page_deployment(struct page *p);
void page_to_watch(struct page *p);
void page_alert_list(struct page *p);
void page_alert(struct page *p);
void page_inbox(struct page *p);
void page_rule_list(struct page *p);
void page_event_list(struct page *p);
void page_event(struct page *p);
void page_search(struct page *p);
void page_dead_list(struct page *p);
void page_dead(struct page *p);
void page_silence_list(struct page *p);
void page_approvals(struct page *p);
void page_decisions(struct page *p);
void page_status(struct page *p);

#endif
