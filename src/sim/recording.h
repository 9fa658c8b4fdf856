/*
 * Recordings: what happened, as lines of JSON (docs/replay.md). Read whole into memory, in order of time.
 *
 *   {"t":"event","at":1790000000000,"ev":{…}}                       an event as src/model/event.c writes it; at: when it arrived
 *   {"t":"sample","at":…,"place":"web/prod","source":"prometheus","signal":"http_latency_p95","r":"ok","v":0.31,"n":120,"text":…}
 *   {"t":"label","at":…,"place":"web/prod","deployment":"<sha>","good":false}
 *
 * A line that cannot be read is told and left out; the rest counts. Lines may come in any order.
 */
#ifndef SW_SIM_RECORDING_H
#define SW_SIM_RECORDING_H

#include "base/map.h"
#include "shipwatch/err.h"
#include "shipwatch/event.h"
#include "shipwatch/mem.h"
#include "shipwatch/sample.h"

#define RECORDING_LINE  ((size_t)1 << 20)   /* bytes of one line */
#define RECORDING_LINES ((size_t)10000000)
#define RECORDING_TOLD  20                  /* bad lines told one by one */

struct rec_event {
	sw_ms at;
	const char *place;      /* whose deployment it is, where the recorder knew it; NULL: to be found by the repository */
	const char *json;       /* parsed when it is its turn */
	size_t order;           /* of its line: of one moment the first stays first */
};

struct rec_sample {
	sw_ms at;
	double value;
	float count;
	unsigned char reading;  /* enum sw_reading */
	const char *text;
};

struct rec_series {
	const char *place, *source, *signal;
	struct rec_sample *items; /* finish: oldest first, one of each moment */
	size_t n, cap;
};

struct rec_label {
	sw_ms at;
	const char *place, *sha;
	bool good;
};

struct recording {
	struct sw_arena a, scratch;
	struct rec_event *events;
	size_t n_events, cap_events;
	struct rec_series *series;
	size_t n_series, cap_series;
	struct rec_label *labels;
	size_t n_labels, cap_labels;
	struct sw_map index;      /* "place\nsignal" → its number in series + 1 */
	struct sw_map texts;      /* one copy of each text of samples */
	size_t n_samples, lines, skipped;
	size_t lines_max;         /* RECORDING_LINES unless a test says less */
	sw_ms first, last;        /* of events and samples; 0: there are none */
};

void sw_recording_init(struct recording *r);
void sw_recording_fini(struct recording *r);
/* One line without its end. Return: 0 (an empty line is nothing), or -EINVAL with err: it was left out. */
SW_CHECKED int sw_recording_line(struct recording *r, const char *text, size_t n, struct sw_err *err);
/*
 * A file ("-": stdin). told(arg, "file:7: not JSON: …") for the first bad lines. Return: 0; -errno when it cannot be read, -E2BIG
 * when it has too many lines, with err.
 */
SW_CHECKED int sw_recording_read(struct recording *r, const char *path, void (*told)(void *arg, const char *text), void *arg,
                                 struct sw_err *err);
/* All is read: sorts. */
void sw_recording_finish(struct recording *r);

/* The event as it was; strings in a. False: its JSON is no event of ours (told by line() already). */
bool sw_recording_event(const struct rec_event *e, struct sw_arena *a, struct sw_event *ret);
/* NULL: nothing was recorded of it. */
const struct rec_series *sw_recording_series(const struct recording *r, const char *place, const char *signal);
/* The newest sample in (at - within, at], or NULL. */
const struct rec_sample *sw_recording_at(const struct rec_series *s, sw_ms at, sw_dur within);

#endif
