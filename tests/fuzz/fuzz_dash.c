/*
 * Fuzzes what visitors of the dashboard send: query, form, cookies, a session, where they want to be led.
 *
 * Input: a line of query, a line of cookies, the rest a form. What must hold: values are text; nobody's cookie is somebody; a place to be led to
 * is one of ours; what is shown of it is no markup.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/html.h"
#include "base/str.h"
#include "dashboard/auth.h"
#include "shipwatch/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char hash[] = "$y$j9T$SJROcExH0mDdJh/5Na/kA/$.PZ/IfLd1UF/HZ5CiN.y3jxj8wPLWsPIVjG0Tdy3YJB";

static void fuzz_value(const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n;) {
		unsigned k = sw_utf8_len(s + i, n - i);

		SW_ASSERT(k > 0);
		i += k;
	}
	sw_html_cut(&b, s, 100);
	SW_ASSERT(!strpbrk(sw_buf_str(&b), "<>\"'"));
	sw_buf_fini(&b);
	s = dash_next(s);
	SW_ASSERT(s[0] == '/' && s[1] != '/' && s[1] != '\\' && !strpbrk(s, " \r\n\t\\"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sw_sessions *sessions;
	struct sw_conf_user user = { "lin", hash, 1 };
	const struct sw_conf_dashboard cfg = { .users = &user, .n_users = 1, .session = SW_HOUR };
	struct sw_header header = { "cookie", "" };
	struct sw_http_req req = { .query = "", .headers = &header, .n_headers = 1 };
	struct page p = { .req = &req };
	char *text = sw_strndup((const char *)data, size), *line = strchr(text, '\n'), *rest, id[SW_SESSION_ID];
	const char *cookie;

	if (!sessions && sw_sessions_new(NULL, &sessions, NULL) < 0)
		return 0;
	if (line)
		*line++ = '\0';
	rest = line ? strchr(line, '\n') : NULL;
	if (rest)
		*rest++ = '\0';
	req.query = text;
	header.value = line ? line : "";
	p.form = rest ? rest : "";
	p.form_n = strlen(p.form);
	fuzz_value(sw_page_query(&p, "next"));
	fuzz_value(sw_page_query(&p, ""));
	fuzz_value(sw_page_form(&p, "next"));
	fuzz_value(sw_page_form(&p, "csrf"));
	cookie = dash_cookie(&p, SW_SESSION_COOKIE);
	SW_ASSERT(!cookie || !sw_session_user(sessions, &cfg, cookie, 1790000000000, id));
	sw_arena_fini(&p.a);
	free(text);
	return 0;
}
