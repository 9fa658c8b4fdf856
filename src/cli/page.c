/* The page of messages: reads the end of the file at each request, so that nothing is kept and nothing can be stale. */
#include "cli/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/html.h"
#include "base/json.h"
#include "base/str.h"
#include "io/http_server.h"
#include "io/listen.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

#define TAIL_MAX  ((size_t)256 * 1024) /* of the file */
#define SHOWN_MAX 200                  /* messages */

struct sw_page {
	struct sw_http_server *server;
	char *file, address[128];
};

static const char page_head[] =
	"<!doctype html><html><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\"><title>Shipwatch: messages</title>"
	"<style>body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f2;border-left:4px solid #888;padding:.7em 1em;margin:.3em 0 1.4em}"
	"time{color:#555}</style></head><body><h1>Messages</h1>\n";

static void page_message(struct sw_buf *out, const struct sw_jnode *m)
{
	time_t at = (time_t)(sw_jint(m, "at", 0) / 1000);
	char when[40] = "";
	struct tm tm;

	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
	sw_buf_printf(out, "<time>%s</time> ", when);
	sw_html_text(out, sw_jstr(m, "service") ? sw_jstr(m, "service") : "");
	sw_buf_cat(out, sw_jstr(m, "environment") ? "/" : "");
	sw_html_text(out, sw_jstr(m, "environment") ? sw_jstr(m, "environment") : "");
	sw_buf_cat(out, " <b>");
	sw_html_text(out, sw_jstr(m, "news") ? sw_jstr(m, "news") : "");
	sw_buf_cat(out, "</b> to ");
	sw_html_text(out, sw_jstr(m, "channel") ? sw_jstr(m, "channel") : "");
	sw_buf_cat(out, "<pre>");
	sw_html_text(out, sw_jstr(m, "text") ? sw_jstr(m, "text") : "");
	sw_buf_cat(out, "</pre>\n");
}

/* The last bytes of the file, from the beginning of a line. Return: how many; the text is NUL-ended. */
static size_t page_tail(const char *file, char *text)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;
	off_t from = 0;
	size_t skip = 0;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		from = st.st_size > (off_t)TAIL_MAX ? st.st_size - (off_t)TAIL_MAX : 0;
		n = pread(fd, text, TAIL_MAX, from);
	}
	if (fd >= 0)
		(void)close(fd);
	if (n <= 0)
		return 0;
	if (from > 0)
		while (skip < (size_t)n && text[skip++] != '\n')
			;
	memmove(text, text + skip, (size_t)n - skip);
	text[(size_t)n - skip] = 0;
	return (size_t)n - skip;
}

static void page_messages(const struct sw_page *p, struct sw_buf *out)
{
	SW_CLEANUP(sw_freep) char *text = sw_malloc(TAIL_MAX + 1);
	size_t n = page_tail(p->file, text);
	unsigned shown = 0;

	/* newest first: lines from the end; a last line without its end is still being written */
	while (n > 0 && text[n - 1] != '\n')
		n--;
	while (n > 0 && shown < SHOWN_MAX) {
		struct sw_arena a = { 0 };
		struct sw_jnode *m = NULL;
		size_t start = n - 1;

		while (start > 0 && text[start - 1] != '\n')
			start--;
		if (sw_jtree_parse(&a, text + start, n - 1 - start, 200, &m, NULL) == 0) {
			page_message(out, m);
			shown++;
		}
		sw_arena_fini(&a);
		n = start;
	}
	if (!shown)
		sw_buf_cat(out, "<p>None yet.</p>");
}

static void page_request(void *arg, struct sw_http_req *req)
{
	static const struct sw_header headers[] = {
		{ "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'" }, { "X-Content-Type-Options", "nosniff" },
		{ "Cache-Control", "no-store" }, { "Referrer-Policy", "no-referrer" },
	};
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_answer a = { .status = 200, .type = "text/html; charset=utf-8", .headers = headers, .n_headers = SW_COUNT(headers) };
	bool head = sw_streq(req->method, "HEAD");

	if (!sw_streq(req->path, "/")) {
		a.status = 404;
		a.type = "text/plain";
		sw_buf_cat(&b, "the messages are at /\n");
	} else if (!head && !sw_streq(req->method, "GET")) {
		a.status = 405;
		a.type = "text/plain";
		sw_buf_cat(&b, "only to be read\n");
	} else {
		sw_buf_cat(&b, page_head);
		page_messages(arg, &b);
		sw_buf_cat(&b, "</body></html>\n");
	}
	a.body = sw_buf_str(&b);
	a.body_n = b.n;
	sw_http_reply(req, &a);
}

static void page_head_done(void *arg, struct sw_http_req *req)
{
	(void)arg;
	req->body_max = 0;
}

static void page_answered(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took)
{
	(void)arg, (void)req, (void)status, (void)why, (void)took;
}

int sw_page_new(struct sw_loop *loop, const char *listen, const char *file, struct sw_page **ret, struct sw_err *err)
{
	struct sw_page *p = sw_calloc(1, sizeof *p);
	struct sw_http_handler h = { .arg = p, .on_head = page_head_done, .on_request = page_request, .on_answer = page_answered };
	int fd = -1, r = sw_listen(listen, 1, &fd, err);

	if (r == 0) {
		sw_listen_name(fd, p->address, sizeof p->address);
		r = sw_http_server_new(loop, &sw_http_limits_default, &h, &p->server);
		if (r == 0)
			r = sw_http_server_listen(p->server, fd);
		else
			(void)close(fd);
		if (r < 0)
			(void)sw_err_set(err, -r, "%s: %s", listen, strerror(-r));
	}
	if (r < 0) {
		sw_page_free(p);
		return r;
	}
	p->file = sw_strdup(file);
	*ret = p;
	return 0;
}

const char *sw_page_address(const struct sw_page *p) { return p->address; }

void sw_page_free(struct sw_page *p)
{
	if (!p)
		return;
	if (p->server)
		sw_http_server_free(p->server);
	free(p->file);
	free(p);
}
