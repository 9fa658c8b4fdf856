/* One request of a command in the statically linked program: without libcurl. */
#include "cli/http.h"

#include "io/http_once.h"

int sw_cli_http_net(const struct sw_cli_net *net, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret, struct sw_err *err)
{
	(void)err;
	return sw_http_once(&(struct sw_http_once_conf){ net->proxy, net->ca_file }, job, a, ret);
}
