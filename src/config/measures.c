/* `prometheus:` and `metrics:`: where a place's signals are measured. Read level by level, as everything of a place is.
 */
#include <string.h>

#include "base/str.h"
#include "config/parts.h"
#include "model/place.h"
#include "shipwatch/buf.h"

struct measure {
	struct sw_measure_conf conf;
	const struct sw_ynode *labels;
};

#define CONF(name) offsetof(struct measure, conf.name)
static const struct sw_key prometheus_keys[] = {
	{ "url", SW_KEY_URL, CONF(url), NULL, "where it answers, without /api" },
	{ "labels", SW_KEY_NODE, offsetof(struct measure, labels), NULL,
	  "what $labels is in queries: a map of names and values, or a text of matchers" },
	{ "preset", SW_KEY_STRING, CONF(preset), NULL,
	  "names of the metrics: default, client-golang, spring-boot, nginx-ingress, istio or envoy" },
	{ "window", SW_KEY_DUR, CONF(window), NULL,
	  "what $window is in queries; 1m unless said; at least four scrapes of it", 5 * SW_SECOND, SW_HOUR },
	{ "timeout", SW_KEY_DUR, CONF(timeout), NULL, "of one question; 10s unless said", 100, 2 * SW_MINUTE },
	{ "token", SW_KEY_SECRET, CONF(token), NULL, "sent as Authorization: Bearer" },
	{ "user", SW_KEY_STRING, CONF(user), NULL, "with password: Authorization: Basic" },
	{ "password", SW_KEY_SECRET, CONF(password), NULL, "of user" },
	{ 0 },
};

static const struct sw_key metrics_keys[] = {
	{ "url", SW_KEY_URL, CONF(url), NULL, "the page itself, of one process: http://web.internal:9100/metrics" },
	{ "preset", SW_KEY_STRING, CONF(preset), NULL, "names of the metrics, as for prometheus" },
	{ "timeout", SW_KEY_DUR, CONF(timeout), NULL, "of one scrape; 5s unless said", 100, 2 * SW_MINUTE },
	{ "background", SW_KEY_DUR, CONF(background), NULL, "between deployments; 60s unless said", SW_SECOND, SW_DAY },
	{ "token", SW_KEY_SECRET, CONF(token), NULL, "sent as Authorization: Bearer" },
	{ "user", SW_KEY_STRING, CONF(user), NULL, "with password: Authorization: Basic" },
	{ "password", SW_KEY_SECRET, CONF(password), NULL, "of user" },
	{ 0 },
};

/* ---- labels ---- */

static bool label_name_ok(const char *s)
{
	return *s && !(*s >= '0' && *s <= '9') &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

/* {job: web, env: prod} as matchers. */
static const char *matchers_of_map(struct config_load *l, const struct sw_ynode *node)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (const struct sw_ynode *v = node->child; v; v = v->next) {
		if (!label_name_ok(v->key))
			sw_diag_key(l->d, v, "labels: want a name of letters, digits and _, got \"%s\"", v->key);
		if (v->type != SW_Y_SCALAR || sw_yaml_is_null(v)) {
			if (!v->broken)
				sw_diag_error(l->d, v, "labels.%s: want a text", v->key);
			continue;
		}
		sw_buf_printf(&b, "%s%s=\"", b.n ? "," : "", v->key);
		for (const char *p = v->text; *p; p++) {
			if (*p == '"' || *p == '\\')
				sw_buf_putc(&b, '\\');
			if (*p == '\n')
				sw_buf_cat(&b, "\\n");
			else
				sw_buf_putc(&b, *p);
		}
		sw_buf_putc(&b, '"');
	}
	return sw_arena_strdup(l->a, sw_buf_str(&b));
}

/* Behind one matcher: name, operator, quoted text. NULL: it is none. */
static const char *matcher_next(const char *p)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = strspn(p, name);
	char quote;

	if (n == 0 || (*p >= '0' && *p <= '9'))
		return NULL;
	p += n;
	p += strspn(p, " ");
	n = sw_starts(p, "=~") || sw_starts(p, "!~") || sw_starts(p, "!=") ? 2 : *p == '=' ? 1 : 0;
	if (!n)
		return NULL;
	p += n;
	p += strspn(p, " ");
	quote = *p++;
	if (quote != '"' && quote != '\'')
		return NULL;
	for (; *p && *p != quote; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : NULL;
}

/* job="web",pod=~"web-.*" */
static const char *matchers_of_text(struct config_load *l, const struct sw_ynode *node)
{
	const char *p = node->text + strspn(node->text, " ");

	while (*p) {
		const char *next = matcher_next(p);

		if (next)
			next += strspn(next, " ");
		if (!next || (*next && *next != ',')) {
			sw_diag_in_text(l->d, node, (size_t)(p - node->text),
			                "labels: want matchers such as job=\"web\",pod=~\"web-.*\"");
			return NULL;
		}
		p = next + (*next == ',');
		p += strspn(p, " ");
	}
	return node->text;
}

static void measure_labels(struct config_load *l, struct measure *m)
{
	const struct sw_ynode *node = m->labels;

	if (!node)
		return;
	if (node->type == SW_Y_MAP)
		m->conf.labels = matchers_of_map(l, node);
	else if (node->type == SW_Y_SCALAR && !sw_yaml_is_null(node))
		m->conf.labels = matchers_of_text(l, node);
	else if (!node->broken)
		sw_diag_error(l->d, node, "labels: want a map, or matchers such as job=\"web\"");
}

/* ---- the rest ---- */

static void measure_checks(struct config_load *l, const struct sw_ynode *node, struct sw_measure_conf *m)
{
	const struct sw_ynode *preset = sw_yget(node, "preset"), *at = sw_yget(node, "token");
	const char *meant;

	for (const char *const *p = sw_place_presets; preset && m->preset && strcmp(*p, m->preset) != 0;) {
		if (*++p)
			continue;
		meant = sw_did_you_mean(m->preset, sw_place_presets);
		sw_diag_error(
		    l->d, preset, "unknown preset \"%s\"%s%s%s", m->preset, meant ? ", did you mean \"" : "",
		    meant ? meant : "",
		    meant ? "\"?" : ": there are default, client-golang, spring-boot, nginx-ingress, istio and envoy");
		m->preset = NULL;
	}
	/* what is said nearer wins: a token over a password of the outer level, and the other way round */
	if (at && (sw_yget(node, "user") || sw_yget(node, "password")))
		sw_diag_key(l->d, at, "want token, or user and password, not both");
	else if (at)
		m->user = m->password = NULL;
	else if (sw_yget(node, "user") || sw_yget(node, "password"))
		m->token = NULL;
	if ((m->user != NULL) != (m->password != NULL))
		sw_diag_key(l->d, node, "want user and password together");
}

void config_measure(struct config_load *l, const struct sw_ynode *node, bool scrape, struct sw_measure_conf *conf)
{
	const struct sw_key *table = scrape ? metrics_keys : prometheus_keys;
	struct measure m = { .conf = *conf };

	if (!node)
		return;
	if (sw_yaml_is_null(node)) {
		conf->url = NULL;
		return;
	}
	if (node->type == SW_Y_SCALAR) {
		(void)sw_key_read_one(&table[0], node, l->a, &m, l->d);
	} else if (sw_keys_read(table, node, node, NULL, l->a, &m, l->d) == 0 || node->type == SW_Y_MAP) {
		measure_checks(l, node, &m.conf);
		measure_labels(l, &m);
	}
	*conf = m.conf;
}
