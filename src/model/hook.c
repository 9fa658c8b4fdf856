/* Requests to a receiver of one's own. */
#include "model/hook.h"

#include <errno.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"

int sw_hook_post(struct sw_job *ret, struct sw_arena *a, const char *url, const char *secret, const char *event,
                 const char *id, sw_ms now, const struct sw_buf *body)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf signed_text = SW_BUF_INIT, hex = SW_BUF_INIT;
	const char *time = sw_arena_printf(a, "%lld", (long long)(now / SW_SECOND));
	unsigned char mac[SW_SHA256_BYTES];
	int r = sw_job_post_json(ret, a, url, body);

	if (r < 0)
		return r;
	id = sw_arena_strdup(a, id);
	sw_job_header(ret, "X-Shipwatch-Event", sw_arena_strdup(a, event));
	sw_job_header(ret, "X-Shipwatch-Delivery", id);
	sw_job_header(ret, "X-Shipwatch-Timestamp", time);
	sw_job_header(ret, "Idempotency-Key", id);
	if (!secret || !*secret)
		return 0;
	sw_buf_printf(&signed_text, "%s.", time);
	sw_buf_catn(&signed_text, ret->body, ret->body_n);
	sw_hmac_sha256(secret, strlen(secret), signed_text.p, signed_text.n, mac);
	sw_hex_encode(&hex, mac, sizeof mac);
	sw_job_header(ret, "X-Shipwatch-Signature", sw_arena_printf(a, "sha256=%s", hex.p));
	return 0;
}

struct sw_class sw_hook_judge(const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_OK };

	if (sw_judge_transport(res, &ret, err))
		return ret;
	ret.code = res->status;
	if (res->status >= 200 && res->status < 300)
		return ret;
	sw_err_set(err, EIO, "HTTP status %d", res->status);
	ret.outcome = SW_MESSAGE;
	return ret;
}
