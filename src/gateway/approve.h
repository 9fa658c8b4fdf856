/* The pages on which people decide about a rollback: what they show (approve_page.c) and what a form says (approve_form.c). */
#ifndef SW_GATEWAY_APPROVE_H
#define SW_GATEWAY_APPROVE_H

#include "base/json.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

#define APPROVE_NAME_MAX 100   /* bytes of a name, as it is kept */
#define APPROVE_BODY_MAX 1024  /* of the form: 100 bytes, each percent-encoded, and what stands around them */

enum approve_kind {
	APPROVE_ASK,       /* 200: the form */
	APPROVE_WRONG,     /* 400: the form once more, with what is wrong */
	APPROVE_MINE,      /* 200: this very decision counts */
	APPROVE_STORED,    /* 202: it is stored, no worker has read it yet */
	APPROVE_DECIDED,   /* 409: a person decided before */
	APPROVE_OVER,      /* 410: nobody is asked any more */
	APPROVE_UNKNOWN,   /* 404: there is no such link */
	APPROVE_LIMITED,   /* 429 */
	APPROVE_MEDIA,     /* 415 */
	APPROVE_AWAY,      /* 503: Redis is; nothing was decided */
	APPROVE_LOST,      /* 503: no answer; it may have been stored or not */
	APPROVE_KINDS,
};

struct approve_view {
	enum approve_kind kind;
	enum sw_locale locale;
	int tz_offset_s;
	const char *timezone;        /* as configured; NULL: not told */
	sw_ms now;
	const struct sw_jnode *page; /* kept when it was asked (engine/ask.c); NULL: the kind does not need it */
	const struct sw_jnode *act;  /* the action as it is now; NULL: forgotten */
	const char *wrong;           /* WRONG: which word of the table, see approve_page.c */
	const char *name;            /* as it was typed; NULL: nothing */
	bool yes;                    /* MINE, STORED: what was decided */
};

int sw_approve_status(enum approve_kind k);
/* The whole page. Everything in the view may come from outside. */
void sw_approve_html(const struct approve_view *v, struct sw_buf *out);
extern const char sw_approve_css[];

enum { APPROVE_FORM_GOOD, APPROVE_FORM_NAME /* none */, APPROVE_FORM_LONG, APPROVE_FORM_BROKEN /* no form of ours */ };
/*
 * name=…&decision=approve|refuse, each once. The name without white space around it and without control characters, 1 to
 * APPROVE_NAME_MAX bytes; it is set as far as it could be read. Return: APPROVE_FORM_*.
 */
int sw_approve_form(const char *body, size_t n, struct sw_buf *name, bool *ret_yes);

/* "<12 digits of the action><40 random digits>": taken apart. False: no link looks so. */
bool sw_approve_token(const char *token, char id[13], char key[41]);

#endif
