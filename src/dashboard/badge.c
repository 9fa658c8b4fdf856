/* The state of a place's newest deployment as a small picture, for a README: kept for half a minute, told apart by its ETag. */
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "dashboard/api.h"
#include "dashboard/inner.h"

#define NAME_BYTES 60
#define WIDE       11.0 /* of a character of Chinese, and of others, at 11 px */
#define NARROW     6.6

static const struct { const char *word, *says, *color; } states[] = {
	{ "pass", "passing", "#17703a" }, { "success", "deployed", "#17703a" }, { "fail", "failing", "#b62324" }, { "failed", "deploy failed", "#b62324" },
	{ "rolled back", "rolled back", "#855300" }, { "inconclusive", "inconclusive", "#855300" }, { "watching", "watching", "#1a5fc4" }, { "running", "deploying", "#1a5fc4" },
	{ "created", "deploying", "#1a5fc4" },
};

static double width_of(const char *s)
{
	double n = 0;

	for (size_t left = strlen(s); left;) {
		unsigned k = SW_MAX(sw_utf8_len(s, left), 1u);

		n += k >= 3 ? WIDE : NARROW;
		s += k;
		left -= k;
	}
	return n + 12;
}

static void put_half(struct sw_buf *b, double x, double w, const char *s)
{
	sw_buf_printf(b, "<text x=\"%.0f\" y=\"14\" textLength=\"%.0f\" lengthAdjust=\"spacingAndGlyphs\">", x + 6, w - 12);
	sw_html_text(b, s);
	sw_buf_cat(b, "</text>");
}

static void put_badge(struct sw_buf *b, const char *name, const char *says, const char *color)
{
	double left = width_of(name), right = width_of(says);

	sw_buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"20\" role=\"img\" aria-label=\"", left + right);
	sw_html_text(b, name);
	sw_buf_cat(b, ": ");
	sw_html_text(b, says);
	sw_buf_printf(b,
	              "\"><clipPath id=\"r\"><rect width=\"%.0f\" height=\"20\" rx=\"3\"/></clipPath><g clip-path=\"url(#r)\"><rect width=\"%.0f\" height=\"20\" fill=\"#3d444d\"/>"
	              "<rect x=\"%.0f\" width=\"%.0f\" height=\"20\" fill=\"%s\"/></g><g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">",
	              left + right, left, left, right, color);
	put_half(b, 0, left, name);
	put_half(b, left, right, says);
	sw_buf_cat(b, "</g></svg>\n");
}

/* "web/prod.svg" as its two names: the environment is what may have slashes. */
static bool badge_names(struct page *p, const char **service, const char **environment)
{
	const char *slash = strchr(p->id, '/');
	size_t n = strlen(p->id);

	if (!slash || slash == p->id || n < 5 || strcmp(p->id + n - 4, ".svg") != 0 || p->id + n - 4 <= slash + 1)
		return false;
	*service = sw_arena_strndup(&p->a, p->id, (size_t)(slash - p->id));
	*environment = sw_arena_strndup(&p->a, slash + 1, n - 4 - (size_t)(slash + 1 - p->id));
	return true;
}

static const char *badge_tag(struct page *p)
{
	unsigned char sum[SW_SHA256_BYTES];
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_sha256(p->out.p, p->out.n, sum);
	sw_hex_encode(&b, sum, 8);
	return sw_arena_printf(&p->a, "\"%s\"", sw_buf_str(&b));
}

void api_badge(struct page *p)
{
	const char *says = "unknown", *color = "#57606a", *known, *tag;
	struct sum_place x = { 0 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf name = SW_BUF_INIT;

	if (p->who.role < SW_ROLE_VIEWER && !p->cfg->dashboard.badges) {
		dash_header(p, "WWW-Authenticate", "Bearer realm=\"shipwatch\"");
		api_wrong(p, 401, "sign in, or send Authorization: Bearer with a token; dashboard: {badges: public} shows badges to everybody");
		return;
	}
	if (!badge_names(p, &x.service, &x.environment)) {
		api_wrong(p, 404, "want /api/v1/badge/<service>/<environment>.svg");
		return;
	}
	if (p->store && sum_places(p->store, &x, 1, &p->a) == 0 && x.n)
		for (size_t i = 0; i < SW_COUNT(states); i++)
			if (sw_streq(states[i].word, sum_word(&x.d[0]))) {
				says = states[i].says;
				color = states[i].color;
			}
	sw_buf_catn(&name, x.service, sw_utf8_cut(x.service, strlen(x.service), NAME_BYTES));
	sw_buf_putc(&name, '/');
	sw_buf_catn(&name, x.environment, sw_utf8_cut(x.environment, strlen(x.environment), NAME_BYTES));
	p->type = "image/svg+xml";
	p->cache = p->cfg->dashboard.badges ? "public, max-age=30" : "private, max-age=30";
	put_badge(&p->out, sw_buf_str(&name), says, color);
	tag = badge_tag(p);
	dash_header(p, "ETag", tag);
	known = sw_http_header(p->req, "if-none-match");
	if (known && strstr(known, tag)) {
		p->http = 304;
		sw_buf_reset(&p->out);
	}
}
