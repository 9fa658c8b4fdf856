/* Sources of kind redis-stream: what other sources are posted, read from a stream of a Redis. */
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "shipwatch/buf.h"

static const char *const queue_from[] = { "all", "new", NULL };

#define Q(field) offsetof(struct sw_conf_queue, field)
static const struct sw_key queue_keys[] = {
	{ "url", SW_KEY_STRING, Q(url), "!", "Redis it lies in, as redis: {url} is written; better 6.2 or newer", 0, 0, NULL },
	{ "ca_file", SW_KEY_STRING, Q(ca_file), NULL, "of TLS (rediss://), as are the next three: see redis:", 0, 0, NULL },
	{ "cert_file", SW_KEY_STRING, Q(cert_file), NULL, "our own certificate", 0, 0, NULL },
	{ "key_file", SW_KEY_STRING, Q(key_file), NULL, "its key", 0, 0, NULL },
	{ "server_name", SW_KEY_STRING, Q(server_name), NULL, "whom the certificate must be for", 0, 0, NULL },
	{ "sentinel_user", SW_KEY_STRING, Q(sentinel_user), NULL, "of redis+sentinel://", 0, 0, NULL },
	{ "sentinel_password", SW_KEY_SECRET, Q(sentinel_password), NULL, "of redis+sentinel://", 0, 0, NULL },
	{ "stream", SW_KEY_STRING, Q(stream), "!", "key of the stream", 0, 0, NULL },
	{ "group", SW_KEY_STRING, Q(group), "shipwatch", "consumer group that the gateways share; made when it is not there", 0, 0, NULL },
	{ "as", SW_KEY_STRING, Q(as), "report",
	  "what stands in it: a kind of source, or the name of another source, whose settings are used then; nobody's signature is asked for", 0, 0, NULL },
	{ "field", SW_KEY_STRING, Q(field), "body", "field of an entry that holds the document; fields named like a header (x-github-event) are that header", 0, 0,
	  NULL },
	{ "from", SW_KEY_ENUM, Q(from), "all", "where a group begins that is made: all that is there, or only what is new", 0, 0, queue_from },
	{ "remove", SW_KEY_BOOL, Q(remove), "false", "delete an entry from the stream when it was taken", 0, 0, NULL },
	{ 0 },
};
#undef Q

const struct sw_plugin config_queue_plugin = { "redis-stream", "any of these out of a stream of a Redis", queue_keys, sizeof(struct sw_conf_queue) };

void config_queue_read(struct config_load *l, const struct sw_ynode *node, const char *const *skip, struct sw_conf_source *s)
{
	struct sw_conf_queue *q = SW_ARENA_NEW(l->a, struct sw_conf_queue);
	struct config_redis_conf r;

	s->queue = q;
	if (sw_keys_read(queue_keys, node, node, skip, l->a, q, l->d) < 0)
		return;
	r = (struct config_redis_conf){ q->url, q->ca_file, q->cert_file, q->key_file, q->server_name, q->sentinel_user, q->sentinel_password };
	q->url = config_redis_url(l, node, sw_yget(node, "url"), &r);
	if (!*q->stream || strlen(q->stream) > 255)
		sw_diag_error(l->d, sw_yget(node, "stream"), "stream: want a key of 1 to 255 bytes");
	if (!*q->group || strlen(q->group) > 255)
		sw_diag_error(l->d, sw_yget(node, "group"), "group: want a name of 1 to 255 bytes");
}

static void queue_unknown(struct config_load *l, const struct sw_ynode *node, const struct sw_conf_queue *q)
{
	const char *names[160], *near;
	size_t n = 0;

	for (size_t i = 0; i < l->c->n_sources && n < 100; i++)
		if (!l->c->sources[i].queue)
			names[n++] = l->c->sources[i].name;
	for (size_t i = 0; l->plugins->sources[i] && n < 159; i++)
		names[n++] = l->plugins->sources[i]->base.name;
	names[n] = NULL;
	near = sw_did_you_mean(q->as, names);
	sw_diag_error(l->d, node, "as: want a kind of source or the name of another source, got \"%s\"%s%s%s", q->as, near ? ", did you mean \"" : "",
	              near ? near : "", near ? "\"?" : "");
}

/* By the name of a source, whose settings count then, else by a kind with the settings it has by itself. */
void config_queue_resolve(struct config_load *l, struct sw_conf_source *s)
{
	const struct sw_ynode *node = sw_yget(l->sources, s->name), *at = sw_yget(node, "as") ? sw_yget(node, "as") : node;
	const struct sw_conf_queue *q = s->queue;
	const struct sw_conf_source *other = q->as ? sw_config_source(l->c, q->as) : NULL;
	struct sw_diags none;

	if (!q->as)
		return;
	if (other && !other->queue) {
		s->plugin = other->plugin;
		s->conf = other->conf;
		return;
	}
	for (size_t i = 0; l->plugins->sources[i]; i++)
		if (strcmp(l->plugins->sources[i]->base.name, q->as) == 0)
			s->plugin = l->plugins->sources[i];
	if (!s->plugin) {
		queue_unknown(l, at, q);
		return;
	}
	if (strcmp(q->as, "generic") == 0)
		sw_diag_error(l->d, at, "as: what generic reads stands in the settings of a source: want the name of one of kind generic");
	s->conf = sw_arena_alloc(l->a, s->plugin->base.conf_size);
	sw_diags_init(&none, l->a); /* a secret that it must have is for who is posted to */
	(void)sw_keys_read(s->plugin->base.keys, NULL, node, NULL, l->a, s->conf, &none);
}
