/* What the sources of git hosts share: signatures, form bodies, commits, refs, words for states. */
#ifndef SW_SOURCE_HOST_H
#define SW_SOURCE_HOST_H

#include "shipwatch/plugin.h"
#include "source/table.h"

#define DEDUPE_LONG  (3 * SW_DAY)
#define DEDUPE_SHORT (10 * SW_MINUTE)
#define SIGNED_WITHIN (5 * SW_MINUTE)

/* ---- verify.c; all of them try every secret, in the same time whichever fits. Index of the one that fits, or -1. ---- */

/* hex: lower or upper case HMAC-SHA256 of msg; NULL or of a wrong form fits nothing. */
int sw_verify_hmac_hex(const char *const *secrets, const void *msg, size_t n, const char *hex);
/* The same over "<stamp>.<msg>". */
int sw_verify_hmac_stamped(const char *const *secrets, const char *stamp, const void *msg, size_t n, const char *hex);
int sw_verify_token(const char *const *tokens, const char *token);
/*
 * Of an Authorization header (NULL: there is none): a Bearer token, or Basic user:password. Index of the one that fits, the tokens
 * counted before the logins, or -1.
 */
int sw_verify_authorization(const char *const *tokens, const char *const *logins, const char *header);
/* The same of a token in the address, under this name of its query. */
int sw_verify_query(const char *const *tokens, const char *query, const char *name, struct sw_arena *a);
/* How often a header is there. */
unsigned sw_request_count(const struct sw_request *rq, const char *name_lower);
/* Standard Webhooks: whsec_ keys, "v1,<base64> v1,…" over id.timestamp.body; the timestamp within 5 minutes of now. */
int sw_verify_standard(const char *const *keys, const struct sw_request *rq, sw_ms now);
/* Within 5 minutes of now? stamp: decimal seconds. */
bool sw_verify_fresh(const char *stamp, sw_ms now);

/* ---- form.c ---- */

/* JSON body as it is, or field `payload` of a form body decoded into a. Return: 0, or -EBADMSG. */
int sw_form_text(const struct sw_request *rq, struct sw_arena *a, const char **ret, size_t *ret_n, struct sw_err *err);
extern const char *const sw_form_types[]; /* JSON and form */
extern const char *const sw_json_types[]; /* JSON only */

/* ---- host.c ---- */

/* A commit as hosts list them. */
struct raw_commit {
	const char *sha, *title, *author, *author_login, *author_email, *url;
	sw_ms at;
	struct texts added, modified, removed;
};
extern const struct row sw_raw_commit_rows[];

void sw_host_commits(const struct each *raw, struct sw_arena *a, struct sw_event *ev);
/* "refs/heads/main" to ref and branch, "refs/tags/v1" to ref and tag; a short name by what it is said to be. */
void sw_host_ref(struct sw_event *ev, const char *ref, bool tag, struct sw_arena *a);
/* "https://gitlab.example.com:8443/acme/web" to "gitlab.example.com:8443". NULL in, NULL out. */
const char *sw_host_of_url(struct sw_arena *a, const char *url);
/*
 * <host>/<repo>/<pipeline>. A hook that tells no pipeline (GitLab's Deployment Hook) has job-<id> or deployment-<id> instead, until
 * another hook of the same deployment tells it.
 */
void sw_host_run_id(struct sw_event *ev, struct sw_arena *a);
/* The id of a rollback of ours as it comes back, or NULL: it is none. */
const char *sw_host_rollback_id(const char *s);
struct host_word { const char *word; enum sw_status status; };
/* Unknown words are OTHER, NULL is NONE. words ends with a NULL word. */
enum sw_status sw_host_status(const struct host_word *words, const char *s);
/* Is s in the NULL-ended list? The list's own text, so that it outlives the request; else NULL. */
const char *sw_host_known(const char *const *list, const char *s);
/* What a delivery is by the host's name of its event: one that is wanted, one that is known and ignored, or another. */
void sw_host_what(const char *const *wanted, const char *const *known, const char *event, struct sw_proof *ret);

/* ---- sweep.c: see struct sw_sweep ---- */

extern const struct sw_sweep sw_sweep_github, sw_sweep_gitlab;

/* ---- compare.c: see struct sw_source; sw_compared_git reads GitHub's and Gitea's answer ---- */

int sw_compare_gitlab(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err);
int sw_compare_github(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err);
int sw_compare_gitea(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                     struct sw_err *err);
int sw_compared_git(const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err);
int sw_compared_gitlab(const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err);

#endif
