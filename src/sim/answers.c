/* Tests of rules, what sources answer: the series of a script as samples, and as a past. */
#include <errno.h>
#include <math.h>

#include "base/str.h"
#include "sim/script.h"

struct series_at sw_script_at(const struct script *sc, const char *signal, const char *place, sw_ms at)
{
	const struct sim_series *s = at < SIM_START ? sw_series_find(sc->past, sc->n_past, signal, place)
	                                            : sw_series_find(sc->series, sc->n_series, signal, place);

	return s ? sw_series_at(s, at) : (struct series_at){ .kind = SERIES_NONE };
}

#define HEALTH_TIMEOUT   (2 * SW_SECOND)
#define MEASURED_TIMEOUT (10 * SW_SECOND)

/* Of how many requests a ratio speaks. */
static double script_count(const struct script *sc, const char *signal, const char *place, sw_ms at)
{
	const struct sw_signal_def *def = sw_rules_signal(sc->rules, signal);
	struct series_at n;

	if (!def || def->type != SW_V_RATIO)
		return 0;
	n = sw_script_at(sc, "requests", place, at);
	return n.kind == SERIES_VALUE ? n.value : 0;
}

/* A source that one series says cannot be reached answers nothing else either. */
static bool script_outage(const struct script *sc, const char *place, sw_ms at)
{
	for (size_t i = 0; i < sc->n_series; i++) {
		const struct sim_series *x = &sc->series[i];

		if (!sw_streq(x->signal, "health") && !sw_streq(x->signal, "reference") && (!x->place || sw_streq(x->place, place)) &&
		    sw_series_at(x, at).kind == SERIES_ERROR)
			return true;
	}
	return false;
}

/* One sample; longer than the time limit it is an error. */
static sw_dur script_sample(struct script *sc, const char *signal, const char *place, sw_ms at, struct sw_samples *out)
{
	struct series_at x = sw_script_at(sc, signal, place, at);
	struct sw_sample *s = sw_samples_add(out, sw_arena_strdup(out->a, signal), at, SW_R_OK, 0);
	sw_dur after = 1;

	if (!s)
		return after;
	if (x.kind == SERIES_SLOW) {
		after = SW_MAX(SW_MIN(x.slow, MEASURED_TIMEOUT), 1);
		x.kind = x.slow >= MEASURED_TIMEOUT ? SERIES_ERROR : x.known ? SERIES_VALUE : SERIES_NONE;
	}
	if (x.kind == SERIES_NONE && script_outage(sc, place, at))
		x.kind = SERIES_ERROR;
	switch (x.kind) {
	case SERIES_VALUE:
		s->value = x.value;
		s->text = x.text;
		s->count = script_count(sc, signal, place, at);
		break;
	case SERIES_SLOW:
	case SERIES_NONE: s->reading = SW_R_ABSENT; break;
	case SERIES_STALE: s->reading = SW_R_STALE; break;
	case SERIES_NAN: s->reading = SW_R_NAN; break;
	case SERIES_ERROR:
		s->reading = SW_R_ERROR;
		s->text = x.slow ? "no answer in time" : "the source cannot be reached";
		break;
	}
	return after;
}

/* A probe: slower than its time limit is a failure (rules.md 3.5); `_` is silence. */
static sw_dur script_health(struct script *sc, const char *signal, const char *place, sw_ms at, struct sw_samples *out)
{
	struct series_at x = sw_script_at(sc, signal, place, at);
	struct sw_sample *s;
	sw_dur after = 1;

	if (x.kind == SERIES_NONE)
		return -1;
	s = sw_samples_add(out, signal, at, SW_R_OK, x.value);
	s->text = x.text;
	if (x.kind == SERIES_SLOW) {
		after = SW_MAX(SW_MIN(x.slow, HEALTH_TIMEOUT), 1);
		s->value = x.slow < HEALTH_TIMEOUT;
	} else if (x.kind != SERIES_VALUE) {
		s->reading = x.kind == SERIES_ERROR ? SW_R_ERROR : x.kind == SERIES_STALE ? SW_R_STALE : SW_R_NAN;
	}
	return after;
}

static sw_dur script_probe(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	struct script *sc = arg;
	sw_dur after = 0;

	if (sw_streq(io->source, "health") || sw_streq(io->source, "reference"))
		return script_health(sc, sw_arena_strdup(out->a, io->source), place, at, out);
	for (size_t i = 0; i < io->n_queries; i++) {
		sw_dur one = script_sample(sc, io->queries[i].signal, place, at, out);

		after = SW_MAX(after, one);
	}
	return io->n_queries ? after : -1;
}

/* The elements that were there for most of the time. */
static const char *past_elements(const char *const *texts, size_t n)
{
	const char *ret = NULL;
	size_t most = 0;

	for (size_t i = 0; i < n;) {
		size_t k = i;

		while (k < n && texts[k] == texts[i])
			k++;
		if (texts[i] && k - i > most) {
			most = k - i;
			ret = texts[i];
		}
		i = k;
	}
	return ret;
}

static int script_past(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why)
{
	struct script *sc = arg;
	const char *signal = io->n_queries ? io->queries[0].signal : io->source, **texts;
	sw_dur step = io->n_queries && io->queries[0].step > 0 ? io->queries[0].step : 15 * SW_SECOND;
	struct series_at now = sw_script_at(sc, signal, place, at);
	bool counted = false;

	if (now.kind == SERIES_ERROR || (now.kind == SERIES_SLOW && now.slow >= MEASURED_TIMEOUT)) {
		*why = now.kind == SERIES_ERROR ? "the source cannot be reached" : "no answer in time";
		return -EIO;
	}
	*ret = (struct sw_past){ .from = io->past->from, .step = step };
	ret->n = io->past->to < io->past->from ? 0 : (size_t)SW_MIN((io->past->to - io->past->from) / step + 1, (sw_ms)SW_PAST_MAX);
	ret->value = SW_ARENA_ARRAY(a, double, ret->n + 1);
	ret->count = SW_ARENA_ARRAY(a, double, ret->n + 1);
	texts = SW_ARENA_ARRAY(a, const char *, ret->n + 1);
	for (size_t i = 0; i < ret->n; i++) {
		sw_ms when = ret->from + (sw_ms)i * step;
		struct series_at x = sw_script_at(sc, signal, place, when);

		ret->value[i] = x.kind == SERIES_VALUE || (x.kind == SERIES_SLOW && x.known) ? x.value : NAN;
		ret->count[i] = script_count(sc, signal, place, when);
		counted |= ret->count[i] > 0;
		texts[i] = when >= io->past->baseline_from ? x.text : NULL;
	}
	ret->elements = past_elements(texts, ret->n);
	if (!counted)
		ret->count = NULL;
	return 0;
}

void sw_script_outside(struct script *sc, struct sim_outside *ret)
{
	*ret = (struct sim_outside){ .arg = sc, .probe = script_probe, .past = script_past };
}

struct sw_places sw_script_places_of(const struct file *f, const struct script *sc, struct sw_arena *a)
{
	struct sw_places ret = { .items = SW_ARENA_ARRAY(a, struct sw_place, f->places.n + 1), .n = f->places.n };

	for (size_t i = 0; i < ret.n; i++) {
		struct sw_place *p = &ret.items[i];

		*p = f->places.items[i];
		if (!sw_series_find(sc->series, sc->n_series, "health", sw_arena_printf(a, "%s/%s", p->service, p->environment)))
			p->health.url = NULL; /* a story that says nothing of health is not about it: days of it cost nothing */
		if (!sc->measured)
			p->scrape.url = NULL;
		else if (!p->scrape.url)
			p->prometheus.url = "http://simulated/prometheus";
	}
	return ret;
}

