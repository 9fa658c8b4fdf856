/* Bearer where there is a token, else Basic where there is a user. */
#include "signal/auth.h"

#include <string.h>

#include "base/str.h"

void sw_auth_header(const struct sw_measure_conf *c, struct sw_arena *a, struct sw_job *job)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (c->token) {
		sw_job_header(job, "Authorization", sw_arena_printf(a, "Bearer %s", c->token));
	} else if (c->user) {
		const char *both = sw_arena_printf(a, "%s:%s", c->user, c->password ? c->password : "");

		sw_b64_encode(&b, both, strlen(both));
		sw_job_header(job, "Authorization", sw_arena_printf(a, "Basic %s", sw_buf_str(&b)));
	}
}
