/* What the files of the engine share: filling a step with decisions, and small words over messages. */
#ifndef SW_ENGINE_STEP_H
#define SW_ENGINE_STEP_H

#include "engine/engine.h"

struct grouped;

/* One step in the making. */
struct step {
	const struct sw_engine *e;
	const struct sw_step_in *in;
	struct sw_arena *a;
	struct sw_step *out;
	struct sw_err *err;
	sw_ms now;
	struct grouped *grouped;       /* news that are told at its end (news.c); NULL: none */
	/* record.c */
	struct sw_buf recs;            /* records, with commas */
	size_t n_recs, recs_last, recs_lost; /* recs_last: where the newest begins */
};

void sw_step_tell(struct step *s, const char *aggregate, const char *msg);
void sw_step_note(struct step *s, enum sw_note_level level, const char *ci_run_id, const char *watch_id, const char *fmt, ...)
	SW_PRINTF(5, 6);
void sw_step_tally(struct step *s, enum sw_tally what, const char *label);
void sw_step_timer(struct step *s, const char *name, sw_ms due);
struct sw_io *sw_step_io(struct step *s, enum sw_io_kind kind); /* NULL: too many at once; the timers bring it back */
void sw_step_ring(struct step *s, const char *ring, const struct sw_sample *sample);
/* One of a ring's 16 bytes. */
struct sw_sample sw_ring_sample(const void *bytes, const char *signal);
/* The snapshot of a key; *ret NULL when it does not exist. False: not at hand, it was noted as a need. */
bool sw_step_snap(struct step *s, const char *key, const char **ret);
/* The set with that hash; NULL: not at hand, noted as a need (or unknown for good: *lost). */
struct sw_rules *sw_step_rules(struct step *s, const char *hash, bool *lost);

/* The kinds of aggregates. Return: 0, or -EBADMSG with s->err. */
int sw_place_step(struct step *s);
int sw_line_step(struct step *s);
int sw_alert_step(struct step *s);
int sw_channel_step(struct step *s);

/* ---- facts for expressions (facts.c) ---- */

struct place_state;
struct watch;

struct facts {
	struct step *s;
	const struct sw_event *ev;
	const struct sw_place *place;      /* NULL on lines */
	const char *service;
	const struct place_state *state;   /* NULL on lines */
	const struct deployment *dep;      /* NULL on lines */
	const struct watch *watch;         /* NULL outside watches */
	const struct sw_rules *rules;
	const struct sw_rule *rule;        /* NULL outside watches */
	sw_dur delay;                      /* latencies of so long after the deployment are left out */
	double requests;                   /* served since the watch began; negative: not known */
	/* what an evaluation found besides its truth */
	bool early;                        /* too early to tell */
	const char *veto;                  /* worse, but: "pre-existing", "transient"; NULL */
};
void sw_facts_fill(struct facts *f, struct sw_facts *ret);
/* Condition true? Unknown is not true. */
bool sw_facts_where(struct facts *f, const struct sw_expr *e);

/* ---- alerts as they are told (news.c) ---- */

struct news {
	struct sw_alert al;                /* filled by sw_news_of */
	const char *alert_id;
	const char **channels;
	const char **roles;
	sw_dur repeat;                     /* critical ones are told again so often until somebody has them; 0: once */
	const struct sw_event *ev;         /* what it is about */
};
/* Fills what the event, place and rule say. rule may be NULL (told by the engine itself). */
void sw_news_of(struct step *s, const struct sw_rule *rule, const struct sw_place *place, const char *service,
                const struct sw_event *ev, const char *alert_id, struct news *ret);
/* Tells the alert's aggregate; detail distinguishes two news of one kind (NULL: none). */
void sw_news_tell(struct step *s, const struct news *n, enum sw_alert_news what, const char *detail);
/* Tells what rules of one deployment say at one look as one message. At the end of a step. */
void sw_news_flush(struct step *s);
void sw_news_findings(struct step *s, const struct sw_judged *j, struct sw_alert *al);

#endif
