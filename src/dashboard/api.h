/* What the files of the API share: answers, and items as it gives them. */
#ifndef SW_DASHBOARD_API_H
#define SW_DASHBOARD_API_H

#include "dashboard/pages.h"

/* The answer is an object that w writes; api_end closes it. */
void api_begin(struct page *p, struct sw_jw *w);
void api_end(struct page *p, struct sw_jw *w);
/* {"error":"…"}, in place of what was written so far. */
void api_wrong(struct page *p, int http, const char *what);
/* What a failed reading of the history is answered with. */
void api_failed(struct page *p, int r, const struct sw_err *err);
/* False, answered with 503: there is no history. */
bool api_history(struct page *p);
/* A row with log_url, where it belongs to a run and log_url is configured. */
void api_item(struct page *p, const struct sw_row *r, struct sw_jw *w);
bool api_has_run(const struct sw_list *l);
/* An item has more members when it is asked for alone. */
bool api_alone(const struct sw_list *l);
/* The commits of a deployment. (api_more.c) */
void api_commits(struct page *p, const struct sw_row *r, struct sw_jw *w);
/* Lists that are served as they are: all but those that a path of its own answers better. */
bool api_serves(const struct sw_list *l);

/* Paths that are no list, for the description. Schemas are JSON with ' in place of ". */
struct api_fixed { const char *path, *id, *help, *parameters, *schema, *type; /* NULL: application/json */ bool open; /* without signing in */ };
extern const struct api_fixed api_fixed[];
extern const size_t api_n_fixed;

void api_openapi(struct page *p);
void api_search(struct page *p);
void api_overview(struct page *p);
void api_rules(struct page *p);
void api_status(struct page *p);
void api_dead(struct page *p);
void api_silences(struct page *p);
void api_export(struct page *p);
void api_badge(struct page *p);
/* The whole description (OpenAPI 3.1), also for docs/openapi.json. */
void api_describe(struct sw_buf *out, const char *version);

#endif
