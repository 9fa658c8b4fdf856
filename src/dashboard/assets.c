/* Style, scripts and the icon of the pages: put in by the build, named by their digest, so that a browser asks for each once. */
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"

static bool word_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list ? strstr(list, word) : NULL; p; p = strstr(p + n, word))
		if ((p == list || strchr(" ,", p[-1])) && (!p[n] || strchr(" ,;", p[n])))
			return true;
	return false;
}

/* "gzip", but not "gzip;q=0". */
static bool takes_gzip(const struct sw_http_req *req)
{
	const char *list = sw_http_header(req, "accept-encoding");

	return word_in(list, "gzip") && !strstr(list, "gzip;q=0");
}

static const struct dash_asset *asset_find(const char *path)
{
	for (size_t i = 0; i < dash_n_assets; i++)
		if (sw_streq(dash_assets[i].path, path))
			return &dash_assets[i];
	return sw_streq(path, "/favicon.ico") ? asset_find(dash_asset_path("icon.svg")) : NULL;
}

const char *dash_asset_path(const char *name)
{
	for (size_t i = 0; i < dash_n_assets; i++)
		if (sw_streq(dash_assets[i].name, name))
			return dash_assets[i].path;
	return NULL;
}

void dash_asset_reply(struct dash *d, struct sw_http_req *req)
{
	const struct dash_asset *x = asset_find(req->path);
	const char *have = sw_http_header(req, "if-none-match");
	bool packed = x && takes_gzip(req);
	struct sw_http_answer a = { .status = 200 };
	struct sw_header h[4];
	size_t n = 0;

	(void)d;
	if (!x) {
		dash_json_error(req, 404, NULL, 0, "there is nothing here");
		return;
	}
	h[n++] = (struct sw_header){ "Cache-Control", sw_streq(req->path, x->path) ? "public, max-age=31536000, immutable" : "public, max-age=86400" };
	h[n++] = (struct sw_header){ "Vary", "Accept-Encoding" };
	h[n++] = (struct sw_header){ "ETag", packed ? x->etag_packed : x->etag };
	if (word_in(have, x->etag) || word_in(have, x->etag_packed)) {
		a.status = 304;
	} else {
		a.body = packed ? x->packed : x->bytes;
		a.body_n = packed ? x->packed_n : x->n;
		if (packed)
			h[n++] = (struct sw_header){ "Content-Encoding", "gzip" };
	}
	a.type = x->type;
	a.headers = h;
	a.n_headers = n;
	sw_http_reply(req, &a);
}
