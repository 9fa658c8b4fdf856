/* One request of a command: a loop and a client that live as long as it takes. */
#include "cli/http.h"

#include <errno.h>
#include <string.h>

#include "io/http_client.h"
#include "io/mailer.h"

struct asked { struct sw_loop *loop; struct sw_arena *a; struct sw_result *ret; bool done; };

static void asked_answer(void *arg, const struct sw_result *res)
{
	struct asked *q = arg;

	*q->ret = *res;
	q->ret->detail = sw_arena_strdup(q->a, res->detail);
	q->ret->body = sw_arena_strndup(q->a, res->body ? res->body : "", res->body_n);
	q->ret->headers = SW_ARENA_ARRAY(q->a, struct sw_header, res->n_headers + 1);
	for (size_t i = 0; i < res->n_headers; i++) {
		q->ret->headers[i].name = sw_arena_strdup(q->a, res->headers[i].name);
		q->ret->headers[i].value = sw_arena_strdup(q->a, res->headers[i].value);
	}
	q->done = true;
}

int sw_cli_http_net(const struct sw_cli_net *net, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret, struct sw_err *err)
{
	struct sw_http_client_conf conf = { .proxy = net->proxy, .ca_file = net->ca_file };
	struct asked q = { .a = a, .ret = ret };
	struct sw_http_client *client = NULL;
	struct sw_mailer *mailer = NULL;
	int r = sw_loop_new(&q.loop);

	if (r < 0)
		return sw_err_set(err, -r, "%s", strerror(-r));
	if (job->kind == SW_JOB_MAIL) {
		r = sw_mailer_new(q.loop, &(struct sw_mailer_conf){ .ca_file = conf.ca_file }, &mailer, err);
		if (r == 0)
			sw_mailer_do(mailer, job, asked_answer, &q);
	} else {
		r = sw_http_client_new(q.loop, &conf, &client, err);
		if (r == 0)
			(void)sw_http_client_do(client, job, asked_answer, &q);
	}
	while (r == 0 && !q.done)
		r = sw_loop_turn(q.loop, true);
	if (!q.done && r >= 0) /* nothing is registered any more, and nobody answered */
		r = -EIO;
	r = q.done ? 0 : r; /* the last turn may say that nothing is left to wait for */
	if (r < 0 && !err->text[0])
		(void)sw_err_set(err, -r, "%s", strerror(-r));
	sw_http_client_free(client);
	sw_mailer_free(mailer);
	sw_loop_free(q.loop);
	return r;
}

int sw_cli_http(const struct sw_config *cfg, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret, struct sw_err *err)
{
	return sw_cli_http_net(&(struct sw_cli_net){ cfg ? cfg->proxy : NULL, cfg ? cfg->ca_file : NULL }, job, a, ret, err);
}
