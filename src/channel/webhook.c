/* A receiver of one's own: the whole alert as JSON, ours or as Alertmanager's webhooks are; signed. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "channel/am_body.h"
#include "model/hook.h"

#define TEXT_MAX 16384

enum format { FORMAT_SHIPWATCH, FORMAT_ALERTMANAGER };
static const char *const formats[] = { "shipwatch", "alertmanager", NULL };

struct webhook {
	const char *url, *secret;
	int format;
	const char **labels;
};

static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, offsetof(struct webhook, url), "!", "where alerts are posted" },
	{ "secret", SW_KEY_SECRET, offsetof(struct webhook, secret), NULL, "signs each: X-Shipwatch-Signature" },
	{ "format", SW_KEY_ENUM, offsetof(struct webhook, format), "shipwatch",
	  "shipwatch: the whole alert; alertmanager: what a webhook of Prometheus Alertmanager says, version 4", 0, 0,
	  formats },
	{ "labels", SW_KEY_STRMAP, offsetof(struct webhook, labels), NULL,
	  "alertmanager: put on every alert, over ours of the same name" },
	{ 0 },
};

static const char *webhook_credential(const void *conf)
{
	return ((const struct webhook *)conf)->url;
}

static int webhook_check(const void *conf, struct sw_err *err)
{
	const struct webhook *c = conf;

	if (c->labels && c->format != FORMAT_ALERTMANAGER)
		return sw_err_set(err, EINVAL, "labels: only with format: alertmanager");
	return sw_am_check((const char *const *)c->labels, err);
}

static void write_own(struct sw_jw *w, const struct sw_alert *al, enum sw_size size)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT, text = SW_BUF_INIT;
	struct sw_alert small = *al;

	if (size != SW_SIZE_FULL) /* the lists are what makes it long */
		small.n_commits = small.n_files = 0;
	sw_alert_title(al, 500, &title);
	sw_alert_text(&small, SW_MARKUP_PLAIN, TEXT_MAX, &text);
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "version", "1");
	sw_jw_str(w, "title", sw_buf_str(&title));
	if (size != SW_SIZE_LINE)
		sw_jw_str(w, "text", sw_buf_str(&text));
	sw_alert_write(&small, w, "alert");
	sw_jw_obj_end(w);
}

static int webhook_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                          struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct webhook *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	if (c->format == FORMAT_ALERTMANAGER)
		sw_am_write_webhook(&w, al, (const char *const *)c->labels, size, now, a);
	else
		write_own(&w, al, size);
	return sw_hook_post(ret, a, c->url, c->secret, "alert", al->delivery ? al->delivery : al->id, now, &b);
}

static struct sw_class webhook_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	return sw_hook_judge(res, err);
}

const struct sw_channel sw_channel_webhook = {
	.base = { "webhook", "JSON to a receiver of one's own.", keys, sizeof(struct webhook) },
	.numbers = true,
	.check = webhook_check,
	.credential = webhook_credential,
	.program = true,
	.render = webhook_render,
	.judge = webhook_judge,
};
