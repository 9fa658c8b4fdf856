/*
 * A job: one HTTP request, one program with arguments (no shell), one text to print, or one mail; made by a plug-in, done by the host,
 * which does the I/O, the time limit, the retries, the log and the metrics. And what became of it.
 */
#ifndef SHIPWATCH_JOB_H
#define SHIPWATCH_JOB_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

enum sw_job_kind { SW_JOB_HTTP, SW_JOB_EXEC, SW_JOB_PRINT, SW_JOB_MAIL };

/* How mail is protected on its way to the server. smtps:// is TLS from its first byte, whatever this says. */
enum sw_mail_tls { SW_MAIL_TLS, SW_MAIL_TLS_IF_OFFERED, SW_MAIL_PLAIN };

struct sw_header { const char *name, *value; };

#define SW_JOB_HEADERS 24

struct sw_job {
	enum sw_job_kind kind;
	sw_dur timeout;                 /* of the whole; 0: the host's default (10 s) */
	/* HTTP */
	const char *method;             /* "GET", "POST" */
	const char *url;                /* may hold a secret: never logged whole */
	struct sw_header headers[SW_JOB_HEADERS]; /* Content-Type included; User-Agent is the host's */
	size_t n_headers;
	size_t response_max;            /* bytes of body kept; 0: 64 KiB */
	bool follow;                    /* follow redirects on the same host */
	/* EXEC */
	const char **argv;              /* NULL-ended; argv[0] is an absolute path */
	const char **env;               /* NULL-ended NAME=value, added to a minimal environment */
	/* MAIL: url is smtp://host[:port][/name we greet with] or smtps://…; addresses without brackets and names */
	enum sw_mail_tls mail_tls;
	const char *mail_user, *mail_password; /* NULL: no login */
	const char *mail_from, **mail_to;      /* mail_to: NULL-ended */
	/* HTTP body, EXEC stdin, PRINT text, MAIL the whole mail: headers and body, CRLF behind each line */
	const char *body;
	size_t body_n;
};

/* What kept it from having an answer; NONE: there is one. */
enum sw_fault {
	SW_FAULT_NONE,
	SW_FAULT_CONNECT,     /* DNS, refused, reset before the request was written, TLS handshake: nothing reached them */
	SW_FAULT_CERT,        /* their certificate does not hold */
	SW_FAULT_TIMEOUT_CONNECT,
	SW_FAULT_AMBIGUOUS,   /* request written (maybe in part), no whole answer: it may have happened */
	SW_FAULT_REFUSED,     /* we did not try: address not allowed, program not in the allow list, too large */
	SW_FAULT_SPAWN,       /* EXEC: could not be started */
};

struct sw_result {
	enum sw_fault fault;
	const char *detail;             /* one line about the fault, no secret */
	int status;                     /* HTTP status; EXEC: exit code, or 128 + signal; MAIL: the server's last code */
	bool timed_out;                 /* EXEC: ended by the time limit */
	struct sw_header *headers;      /* of the answer; names lower case */
	size_t n_headers;
	const char *body;               /* answer's body or program's output, cut at its limit; always NUL-ended */
	size_t body_n;
	bool body_cut;
	sw_dur took;                    /* from start to last byte */
	sw_ms at;                       /* when it ended, in sw_now */
};

const char *sw_result_header(const struct sw_result *r, const char *name_lower);

/* Class of an outcome (chat-robots.md 12). */
enum sw_outcome { SW_OK, SW_RETRY, SW_HOLD, SW_SHRINK, SW_MESSAGE, SW_CONFIG, SW_AMBIGUOUS };
const char *sw_outcome_name(enum sw_outcome o); /* "ok", "retry" … */
enum sw_outcome sw_outcome_parse(const char *s);

struct sw_class {
	enum sw_outcome outcome;
	sw_dur wait;       /* RETRY, HOLD: at least so long */
	int tries;         /* RETRY: at most so many tries in all for this reason; 0: the host's default */
	int code;          /* the robot's code, for the log; 0 if none */
};

/* POST of JSON text in b (taken from the arena copy). */
struct sw_buf;
int sw_job_post_json(struct sw_job *ret, struct sw_arena *a, const char *url, const struct sw_buf *b);
void sw_job_header(struct sw_job *job, const char *name, const char *value); /* refuses CR, LF, NUL: value dropped to "" */

/* Rules every transport shares (chat-robots.md 12, last lines): faults and HTTP statuses; returns false when the body has to decide. */
bool sw_judge_transport(const struct sw_result *res, struct sw_class *ret, struct sw_err *err);
/* One row of a robot's table of codes. */
struct sw_code { int code; enum sw_outcome outcome; sw_dur wait; int tries; const char *meaning; };
/* Transport first, then the integer `field` in the JSON body by the table; unknown codes by `otherwise`. err: what it means. */
struct sw_class sw_judge_code(const struct sw_result *res, const char *field, const struct sw_code *codes, size_t n,
                              struct sw_class otherwise, struct sw_err *err);

#endif
