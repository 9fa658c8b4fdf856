/* The bare limit of the HTTP server: evhtp that takes a body, looks at nothing and answers. Prints its port. */
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <evhtp/evhtp.h>

static void on_request(evhtp_request_t *rq, void *arg)
{
	(void)evbuffer_add(rq->buffer_out, "{}\n", 3);
	evhtp_send_reply(rq, 202);
}

int main(void)
{
	struct event_base *base = event_base_new();
	evhtp_t *htp = base ? evhtp_new(base, NULL) : NULL;
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;

	if (!htp)
		return 1;
	evhtp_set_gencb(htp, on_request, NULL);
	if (evhtp_bind_socket(htp, "127.0.0.1", 0, 512) < 0)
		return 1;
	if (getsockname(evconnlistener_get_fd(htp->server), (struct sockaddr *)&addr, &len) < 0)
		return 1;
	(void)printf("%d\n", ntohs(addr.sin_port));
	(void)fflush(stdout);
	return event_base_dispatch(base) < 0;
}
