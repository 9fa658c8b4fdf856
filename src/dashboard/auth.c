/* Who asks. */
#include <stdlib.h>

#include "dashboard/inner.h"
#include "shipwatch/mem.h"

struct auth { int none; };

int dash_auth_new(struct dash *d)
{
	d->auth = sw_calloc(1, sizeof *d->auth);
	return 0;
}

void dash_auth_free(struct dash *d)
{
	free(d->auth);
	d->auth = NULL;
}

int dash_auth_door(struct dash *d, const struct sw_http_req *req, const char **why)
{
	(void)d, (void)req, (void)why;
	return 0;
}

int dash_auth_who(struct page *p, const char **why)
{
	(void)why;
	p->who = (struct sw_who){ .name = "local", .role = SW_ROLE_OPERATOR, .csrf = "" };
	return 0;
}

const char *dash_auth_form(struct page *p)
{
	(void)p;
	return NULL;
}
