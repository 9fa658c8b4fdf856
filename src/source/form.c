/* Bodies that are JSON, or a form whose field `payload` is. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

const char *const sw_form_types[] = { "application/json", "application/x-www-form-urlencoded", NULL };
const char *const sw_json_types[] = { "application/json", NULL };

int sw_form_text(const struct sw_request *rq, struct sw_arena *a, const char **ret, size_t *ret_n, struct sw_err *err)
{
	const char *p = rq->body, *end = p + rq->body_n;
	struct sw_buf b = SW_BUF_INIT;
	int r;

	if (!rq->content_type || strcmp(rq->content_type, "application/x-www-form-urlencoded") != 0) {
		*ret = rq->body;
		*ret_n = rq->body_n;
		return 0;
	}
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p)), *stop = amp ? amp : end;

		if (stop - p >= 8 && memcmp(p, "payload=", 8) == 0) {
			sw_buf_reserve(&b, (size_t)(stop - p));
			r = sw_pct_decode(&b, p + 8, (size_t)(stop - p) - 8, true);
			if (r == 0) {
				*ret = sw_arena_memdup(a, b.p, b.n);
				*ret_n = b.n;
			}
			sw_buf_fini(&b);
			return r < 0 ? sw_err_set(err, EBADMSG, "broken escape in the form field payload") : 0;
		}
		p = stop + 1;
	}
	return sw_err_set(err, EBADMSG, "no form field payload");
}
