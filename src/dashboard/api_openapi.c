/*
 * The description of the API, OpenAPI 3.1: lists from the tables they are searched and written by, so that it cannot be wrong about them;
 * the other paths from api_fixed.c. A test holds real answers against it.
 */
#include <string.h>

#include "base/str.h"
#include "dashboard/api.h"
#include "dashboard/inner.h"

/* JSON with ' in place of ". */
static void put_quoted(struct sw_jw *w, const char *key, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (const char *s = text; *s; s++)
		sw_buf_putc(&b, *s == '\'' ? '"' : *s);
	sw_jw_raw(w, key, sw_buf_str(&b), b.n);
}

static void put_ref(struct sw_jw *w, const char *key, const char *to)
{
	sw_jw_obj(w, key);
	sw_jw_str(w, "$ref", to);
	sw_jw_obj_end(w);
}

/* ---- items ---- */

static void put_column(struct sw_jw *w, const struct sw_column *c)
{
	static const char *const types[] = { [SW_COL_TEXT] = "string", [SW_COL_INT] = "integer", [SW_COL_REAL] = "number", [SW_COL_MS] = "integer", [SW_COL_BOOL] = "boolean" };

	sw_jw_obj(w, c->name);
	if (c->type != SW_COL_JSON) {
		sw_jw_arr(w, "type");
		sw_jw_str(w, NULL, types[c->type]);
		sw_jw_str(w, NULL, "null");
		sw_jw_arr_end(w);
	}
	if (c->type == SW_COL_MS) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_buf_printf(&b, "%s; ms since 1970", c->help);
		sw_jw_str(w, "description", sw_buf_str(&b));
	} else {
		sw_jw_str(w, "description", c->help);
	}
	sw_jw_obj_end(w);
}

/* Members of a deployment that is asked for alone. */
static void put_commits(struct sw_jw *w)
{
#define ALONE "; only where one deployment is asked for"
	put_quoted(w, "commits",
	           "{'type':'array','description':'commits between prev_sha and sha, newest first, as pushes told of them, at most 200" ALONE "','items':{'type':'object',"
	           "'additionalProperties':false,'required':['sha','title','author','url','at'],'properties':{'sha':{'type':['string','null'],'description':'commit'},"
	           "'title':{'type':['string','null'],'description':'its first line'},'author':{'type':['string','null'],'description':'who wrote it'},"
	           "'url':{'type':['string','null'],'description':'page at the host'},'at':{'type':['integer','null'],'description':'when it was made; ms since 1970'}}}}");
	put_quoted(w, "commits_total", "{'type':['integer','null'],'description':'how many there are, as far as it is known" ALONE "'}");
	put_quoted(w, "commits_complete", "{'type':'boolean','description':'commits are all there are; else see compare_url" ALONE "'}");
	put_quoted(w, "commits_back", "{'type':'boolean','description':'it went back: commits are those that were taken back" ALONE "'}");
#undef ALONE
}

static void put_item(struct sw_jw *w, const struct sw_list *l)
{
	bool run = api_has_run(l);

	sw_jw_obj(w, l->one);
	sw_jw_str(w, "type", "object");
	sw_jw_bool(w, "additionalProperties", false);
	sw_jw_arr(w, "required");
	for (size_t i = 0; i < l->n_columns; i++)
		sw_jw_str(w, NULL, l->columns[i].name);
	if (run)
		sw_jw_str(w, NULL, "log_url");
	sw_jw_arr_end(w);
	sw_jw_obj(w, "properties");
	for (size_t i = 0; i < l->n_columns; i++)
		put_column(w, &l->columns[i]);
	if (run)
		put_quoted(w, "log_url", "{'type':['string','null'],'description':'where the logs of its run are found, as log_url of the configuration says'}");
	if (api_alone(l))
		put_commits(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* ---- paths of lists ---- */

static bool is_required(const struct sw_list *l, const char *name)
{
	for (const char *const *r = l->required; r && *r; r++)
		if (sw_streq(*r, name))
			return true;
	return false;
}

static void put_filter(struct sw_jw *w, const struct sw_list *l, const struct sw_filter *f)
{
	static const char *const types[] = { [SW_COL_TEXT] = "string", [SW_COL_INT] = "integer", [SW_COL_REAL] = "number", [SW_COL_MS] = "string", [SW_COL_BOOL] = "boolean",
		                             [SW_COL_JSON] = "string" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "%s%s%s", f->help, f->glob ? "; a * is any run of characters" : "", f->type == SW_COL_MS ? "; RFC 3339, ms since 1970, or so long ago (7d)" : "");
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "name", f->name);
	sw_jw_str(w, "in", "query");
	if (is_required(l, f->name))
		sw_jw_bool(w, "required", true);
	sw_jw_str(w, "description", sw_buf_str(&b));
	sw_jw_obj(w, "schema");
	sw_jw_str(w, "type", types[f->type]);
	if (f->words) {
		sw_jw_arr(w, "enum");
		for (const char *const *x = f->words; *x; x++)
			sw_jw_str(w, NULL, *x);
		sw_jw_arr_end(w);
	}
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

static void put_refusals(struct sw_jw *w, bool missing)
{
	static const char *const codes[] = { "400", "401", "404", "503" };

	for (size_t i = 0; i < SW_COUNT(codes); i++)
		if (missing || strcmp(codes[i], "404") != 0)
			put_ref(w, codes[i], "#/components/responses/error");
}

static void put_operation(struct sw_jw *w, const char *verb, const char *name, const char *help)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "%s_%s", verb, name);
	sw_jw_obj(w, "get");
	sw_jw_str(w, "operationId", sw_buf_str(&b));
	sw_jw_str(w, "summary", help);
}

static void put_ok(struct sw_jw *w, const char *type, const char *description)
{
	sw_jw_obj(w, "200");
	sw_jw_str(w, "description", description);
	sw_jw_obj(w, "content");
	sw_jw_obj(w, type);
}

static void ok_end(struct sw_jw *w)
{
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

static void put_list(struct sw_jw *w, const struct sw_list *l)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "/api/v1/%s", l->name);
	sw_jw_obj(w, sw_buf_str(&b));
	put_operation(w, "list", l->name, l->help);
	sw_jw_arr(w, "parameters");
	for (size_t i = 0; i < l->n_filters; i++)
		put_filter(w, l, &l->filters[i]);
	put_ref(w, NULL, "#/components/parameters/limit");
	put_ref(w, NULL, "#/components/parameters/cursor");
	put_ref(w, NULL, "#/components/parameters/order");
	sw_jw_arr_end(w);
	sw_jw_obj(w, "responses");
	put_ok(w, "application/json", "newest first, unless order says otherwise");
	sw_buf_reset(&b);
	sw_buf_printf(&b,
	              "{'type':'object','additionalProperties':false,'required':['items','next'],'properties':{'items':{'type':'array','items':{'$ref':'#/components/schemas/%s'}},"
	              "'next':{'type':['string','null'],'description':'cursor of what follows; null: that was all'}}}",
	              l->one);
	put_quoted(w, "schema", sw_buf_str(&b));
	ok_end(w);
	put_refusals(w, false);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

static void put_one(struct sw_jw *w, const struct sw_list *l)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "/api/v1/%s/{%s}", l->name, l->id);
	sw_jw_obj(w, sw_buf_str(&b));
	sw_buf_reset(&b);
	sw_buf_printf(&b, "One %s.", l->one);
	put_operation(w, "get", l->one, sw_buf_str(&b));
	sw_jw_arr(w, "parameters");
	sw_buf_reset(&b);
	sw_buf_printf(&b, "{'name':'%s','in':'path','required':true,'schema':{'type':'string'}}", l->id);
	put_quoted(w, NULL, sw_buf_str(&b));
	sw_jw_arr_end(w);
	sw_jw_obj(w, "responses");
	put_ok(w, "application/json", "it");
	sw_buf_reset(&b);
	sw_buf_printf(&b, "{'$ref':'#/components/schemas/%s'}", l->one);
	put_quoted(w, "schema", sw_buf_str(&b));
	ok_end(w);
	put_refusals(w, true);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* ---- the others ---- */

static void put_fixed(struct sw_jw *w, const struct api_fixed *f)
{
	sw_jw_obj(w, f->path);
	put_operation(w, "get", f->id, f->help);
	if (f->open)
		put_quoted(w, "security", "[{},{'session':[]},{'token':[]}]");
	sw_jw_arr(w, "parameters");
	if (f->parameters)
		put_quoted(w, NULL, f->parameters);
	sw_jw_arr_end(w);
	sw_jw_obj(w, "responses");
	put_ok(w, f->type ? f->type : "application/json", "what is known");
	put_quoted(w, "schema", f->schema);
	ok_end(w);
	put_refusals(w, strchr(f->path, '{') != NULL);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

static void put_components(struct sw_jw *w)
{
	sw_jw_obj(w, "components");
	sw_jw_obj(w, "schemas");
	put_quoted(w, "error", "{'type':'object','additionalProperties':false,'required':['error'],'properties':{'error':{'type':'string','description':'one line that says what is wrong'}}}");
	for (size_t i = 0; sw_lists[i]; i++)
		if (api_serves(sw_lists[i]))
			put_item(w, sw_lists[i]);
	sw_jw_obj_end(w);
	put_quoted(w, "parameters",
	           "{'limit':{'name':'limit','in':'query','description':'items at most','schema':{'type':'integer','minimum':1,'maximum':1000,'default':50}},"
	           "'cursor':{'name':'cursor','in':'query','description':'next of the answer before, with the same filters','schema':{'type':'string'}},"
	           "'order':{'name':'order','in':'query','description':'which come first','schema':{'type':'string','enum':['newest','oldest'],'default':'newest'}}}");
	put_quoted(w, "responses", "{'error':{'description':'refused or failed, with the reason','content':{'application/json':{'schema':{'$ref':'#/components/schemas/error'}}}}}");
	put_quoted(w, "securitySchemes",
	           "{'session':{'type':'apiKey','in':'cookie','name':'sw_session','description':'of who signed in on the pages'},'token':{'type':'http','scheme':'bearer','description':'a token of dashboard.tokens'}}");
	sw_jw_obj_end(w);
}

void api_describe(struct sw_buf *out, const char *version)
{
	struct sw_jw w;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "openapi", "3.1.0");
	sw_jw_obj(&w, "info");
	sw_jw_str(&w, "title", "Shipwatch");
	sw_jw_str(&w, "version", version);
	sw_jw_str(&w, "description", "What happened, for programs. Lists come in pages: next of an answer is the cursor of the next one. Moments are ms since 1970.");
	sw_jw_obj_end(&w);
	put_quoted(&w, "security", "[{'session':[]},{'token':[]}]");
	sw_jw_obj(&w, "paths");
	for (size_t i = 0; sw_lists[i]; i++) {
		if (!api_serves(sw_lists[i]))
			continue;
		put_list(&w, sw_lists[i]);
		if (sw_lists[i]->id)
			put_one(&w, sw_lists[i]);
	}
	for (size_t i = 0; i < api_n_fixed; i++)
		put_fixed(&w, &api_fixed[i]);
	sw_jw_obj_end(&w);
	put_components(&w);
	sw_jw_obj_end(&w);
	sw_buf_putc(out, '\n');
}

void api_openapi(struct page *p)
{
	p->type = "application/json";
	api_describe(&p->out, p->d->opt->version);
}
