/*
 * Statistics: any bytes as a calibration are refused or can be judged with; any numbers as samples give true, false or unknown, never
 * a true without evidence; and what is true stays true when missing samples come in between.
 *
 * The first 16 bytes are settings, the next two the length of the calibration's bytes, then those, then samples: a byte for a usual
 * value, or 0xff and eight bytes for any double.
 */
#include <math.h>
#include <string.h>

#include "stats/regress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define SAMPLES 400

struct input {
	const uint8_t *p, *end;
};

static unsigned take_byte(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static double take_double(struct input *in)
{
	double d = 0;

	if (in->end - in->p < 8)
		return NAN;
	memcpy(&d, in->p, 8);
	in->p += 8;
	return d;
}

static double take_value(struct input *in)
{
	unsigned b = take_byte(in);

	return b == 0xff ? take_double(in) : b == 0xfe ? NAN : (double)b / 16;
}

static const struct sw_calibration *take_calibration(struct input *in, struct sw_calibration *space)
{
	size_t n = take_byte(in) | take_byte(in) << 8;
	struct sw_calibration_limits l;
	struct sw_buf b = SW_BUF_INIT;
	bool good;

	n = SW_MIN(n, (size_t)(in->end - in->p));
	good = sw_calibration_read(in->p, n, space) == 0;
	if (good) {
		sw_calibration_write(space, &b);
		SW_ASSERT(b.n == n && memcmp(b.p, in->p, n) == 0); /* one way to write it */
		sw_buf_fini(&b);
		sw_calibration_limits(space, 0.01, &l);
		SW_ASSERT(isfinite(l.theta) && l.theta > 0);
	}
	in->p += n;
	return good ? space : NULL;
}

static void judge(const struct sw_regress *in, struct sw_regress_saw *ret)
{
	struct sw_arena a = { 0 };

	sw_regress(in, &a, ret);
	sw_arena_fini(&a);
	SW_ASSERT(ret->truth == SW_REGRESS_FALSE || ret->truth == SW_REGRESS_TRUE || ret->truth == SW_REGRESS_UNKNOWN);
	SW_ASSERT(!(ret->p < 0) && !(ret->p > 1) && ret->alpha > 0 && ret->alpha < 0.5);
	if (ret->truth == SW_REGRESS_TRUE)
		SW_ASSERT(ret->significant && ret->p <= ret->alpha && isfinite(ret->rise) && isfinite(ret->before) && ret->looks >= SW_LOOK_FIRST);
}

/* Its own samples as a history: calibrates or says why not. */
static void calibrate(const struct sw_regress *in)
{
	struct sw_history h = { .x = in->x, .all = in->kind == SW_REGRESS_COUNTS ? in->x_all : NULL, .n = in->m, .step = 15 * SW_SECOND };
	struct sw_calibrate_ask ask = { .m = SW_BASELINE_LEAST, .looks = SW_LOOK_FIRST, .scale_least = 0.01, .at = (sw_ms)in->m * h.step };
	struct sw_calibration_limits l;
	struct sw_calibration cal;
	struct sw_arena a = { 0 };

	if (sw_calibrate(&h, &ask, &a, &cal) == 0) {
		sw_calibration_limits(&cal, 0.01, &l);
		SW_ASSERT(isfinite(l.theta) && l.theta > 0);
	}
	sw_arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = { data, data + n };
	static double x[SAMPLES], y[SAMPLES], x_all[SAMPLES], y_all[SAMPLES], gaps[2 * SAMPLES], gaps_all[2 * SAMPLES];
	static struct sw_calibration space;
	struct sw_regress ask = { .x = x, .y = y, .x_all = x_all, .y_all = y_all, .requests = -1 };
	struct sw_regress_saw saw, again;

	ask.kind = (enum sw_regress_kind)(take_byte(&in) % 3);
	ask.tier = (enum sw_regress_tier)(take_byte(&in) % 3);
	ask.down = take_byte(&in) & 1;
	ask.looks = take_byte(&in);
	ask.by.kind = (enum sw_by_kind)(take_byte(&in) % 3);
	ask.by.value = (double)take_byte(&in) / 32;
	ask.floor = (double)take_byte(&in) / 128;
	ask.alpha = (double)take_byte(&in) / 300;
	ask.overlap = take_byte(&in);
	ask.requests_least = take_byte(&in);
	ask.m = take_byte(&in) * 1.5;
	ask.n = take_byte(&in) / 3;
	for (int i = 0; i < 4; i++)
		(void)take_byte(&in);
	ask.calibration = take_calibration(&in, &space);
	for (size_t i = 0; i < ask.m; i++) {
		x[i] = take_value(&in);
		x_all[i] = ask.kind == SW_REGRESS_COUNTS ? 16 * take_value(&in) : 0;
	}
	for (size_t i = 0; i < ask.n; i++) {
		y[i] = take_value(&in);
		y_all[i] = ask.kind == SW_REGRESS_COUNTS ? 16 * take_value(&in) : 0;
		gaps[2 * i] = NAN;
		gaps[2 * i + 1] = y[i];
		gaps_all[2 * i] = NAN;
		gaps_all[2 * i + 1] = y_all[i];
	}
	judge(&ask, &saw);
	calibrate(&ask);
	ask.y = gaps;
	ask.y_all = gaps_all;
	ask.n *= 2;
	judge(&ask, &again);
	SW_ASSERT(saw.truth == again.truth && saw.why == again.why && saw.looks == again.looks);
	return 0;
}
