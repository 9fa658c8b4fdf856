/*
 * E-mail by SMTP: text and HTML of the same message. All mails of one alert are one thread: they answer a mail that was
 * never sent, whose Message-ID is made of the alert's. A mail sent again has the Message-ID it had.
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "channel/mime.h"
#include "channel/robot.h"

#define FULL      ((size_t)32 * 1024)
#define HALF      ((size_t)8 * 1024)
#define TITLE_MAX ((size_t)300)
#define TO_MAX    50
#define MENTIONS  30
#define TIMEOUT   (20 * SW_SECOND) /* servers look at a mail before they take it */

static const char *const tls_words[] = { "required", "optional", "none", NULL };

struct email {
	const char *server, *helo, *user, *password, *from;
	const char **to;
	int tls;
};

#define AT(f) offsetof(struct email, f)
static const struct sw_key keys[] = {
	{ "server", SW_KEY_STRING, AT(server), "!",
	  "smtp://mail.example.com:587, or smtps://… where TLS begins at once" },
	{ "tls", SW_KEY_ENUM, AT(tls), "required",
	  "required: STARTTLS or nothing is sent; optional: where it is offered; none", 0, 0, tls_words },
	{ "user", SW_KEY_STRING, AT(user), NULL, "where the server wants a login" },
	{ "password", SW_KEY_SECRET, AT(password), NULL, "of that login" },
	{ "from", SW_KEY_STRING, AT(from), "!", "the sender: Shipwatch <shipwatch@example.com>" },
	{ "to", SW_KEY_STRINGS, AT(to), "!", "who gets it; people that are mentioned get a copy" },
	{ "helo", SW_KEY_STRING, AT(helo), NULL,
	  "the name we greet the server with; the machine's own unless it is said" },
	{ 0 },
};

static const char *email_credential(const void *conf)
{
	return ((const struct email *)conf)->server;
}

/* ---- settings ---- */

/* scheme://host[:port], nothing behind it. */
static bool server_good(const char *s)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t n;

	if (!sw_starts(s, "smtp://") && !sw_starts(s, "smtps://"))
		return false;
	s = strchr(s, ':') + 3;
	if (*s == '[') {
		n = strspn(s + 1, "0123456789abcdefABCDEF:.");
		if (!n || s[1 + n] != ']')
			return false;
		s += n + 2;
	} else {
		n = strspn(s, host);
		if (!n)
			return false;
		s += n;
	}
	if (*s == ':') {
		n = strspn(s + 1, "0123456789");
		if (!n || n > 5)
			return false;
		s += n + 1;
	}
	return !*s;
}

static int email_check(const void *conf, struct sw_err *err)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const struct email *c = conf;
	struct sw_mime_address address;
	size_t n = 0;

	if (!server_good(c->server))
		return sw_err_set(err, EINVAL, "server: want smtp://host:port or smtps://host:port, got \"%s\"",
		                  c->server);
	if (!c->user != !c->password)
		return sw_err_set(err, EINVAL, "user and password: both or none");
	if (sw_mime_address(c->from, &a, &address) < 0)
		return sw_err_set(err, EINVAL, "from: \"%s\" is no address", c->from);
	for (; c->to && c->to[n]; n++)
		if (sw_mime_address(c->to[n], &a, &address) < 0)
			return sw_err_set(err, EINVAL, "to: \"%s\" is no address", c->to[n]);
	if (!n || n > TO_MAX)
		return sw_err_set(err, EINVAL, "to: want 1 to %d addresses", TO_MAX);
	if (c->helo &&
	    (!*c->helo ||
	     strspn(c->helo, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != strlen(c->helo)))
		return sw_err_set(err, EINVAL, "helo: \"%s\" is no name of a host", c->helo);
	return 0;
}

/* ---- the mail ---- */

struct mail {
	const struct email *c;
	const struct sw_alert *al;
	struct sw_arena *a;
	struct sw_mime_address from, to[TO_MAX], copy[MENTIONS];
	size_t n_to, n_copy;
	struct sw_buf b;
};

static bool mail_has(const struct mail *m, const char *addr)
{
	for (size_t i = 0; i < m->n_to; i++)
		if (strcmp(m->to[i].addr, addr) == 0)
			return true;
	for (size_t i = 0; i < m->n_copy; i++)
		if (strcmp(m->copy[i].addr, addr) == 0)
			return true;
	return false;
}

static void mail_people(struct mail *m)
{
	struct sw_mime_address who;

	for (const char **p = m->c->to; *p && m->n_to < TO_MAX; p++)
		if (sw_mime_address(*p, m->a, &who) == 0 && !mail_has(m, who.addr))
			m->to[m->n_to++] = who;
	for (size_t i = 0; i < m->al->n_mentions && m->n_copy < MENTIONS; i++) {
		const char *email = m->al->mentions[i].email;

		if (email && sw_mime_address(email, m->a, &who) == 0 && !mail_has(m, who.addr))
			m->copy[m->n_copy++] = who;
	}
}

/* <sw-…@domain of the sender>, of at most 78 bytes for domains people use; the same for the same text. */
static const char *mail_id(struct mail *m, const char *kind, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, hex = SW_BUF_INIT;
	unsigned char sum[SW_SHA256_BYTES];

	sw_buf_printf(&b, "%s\n%s", kind, text ? text : "");
	sw_sha256(b.p, b.n, sum);
	sw_hex_encode(&hex, sum, 12);
	return sw_arena_printf(m->a, "<sw-%s%s>", hex.p, strrchr(m->from.addr, '@'));
}

static void mail_headers(struct mail *m, sw_ms now)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT;
	const struct sw_alert *al = m->al;
	const char *root = mail_id(m, "alert", al->id);
	struct sw_buf *b = &m->b;

	sw_alert_title(al, TITLE_MAX, &title);
	sw_mime_header_date(b, now, al->tz_offset_s);
	sw_mime_header_addresses(b, "From", &m->from, 1);
	sw_mime_header_addresses(b, "To", m->to, m->n_to);
	if (m->n_copy)
		sw_mime_header_addresses(b, "Cc", m->copy, m->n_copy);
	sw_mime_header(b, "Subject", sw_buf_str(&title));
	sw_buf_printf(b, "Message-ID: %s\r\n", mail_id(m, "delivery", al->delivery ? al->delivery : al->id));
	sw_buf_printf(b, "In-Reply-To: %s\r\nReferences: %s\r\n", root, root);
	sw_buf_cat(b, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
	if (al->severity == SW_SEV_CRITICAL && al->news != SW_NEWS_RESOLVED)
		sw_buf_cat(b, "Importance: high\r\n");
	if (al->ci_run_id && *al->ci_run_id)
		sw_mime_header(b, "X-CI-Run-Id", al->ci_run_id);
	sw_buf_cat(b, "MIME-Version: 1.0\r\n");
}

static void mail_part(struct mail *m, const char *type, const struct sw_buf *text)
{
	sw_buf_printf(
	    &m->b, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", type);
	sw_mime_quoted_printable(&m->b, sw_buf_str(text), text->n);
}

static void mail_line(struct mail *m)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, url = SW_BUF_INIT;

	sw_alert_title(m->al, TITLE_MAX, &text);
	sw_buf_putc(&text, '\n');
	if (sw_robot_decides(m->al, &url))
		sw_buf_printf(&text, "%s\n", sw_buf_str(&url));
	else if (sw_alert_url(sw_robot_link(m->al), &text))
		sw_buf_putc(&text, '\n');
	mail_part(m, "plain", &text);
}

/* What is between two parts cannot stand in one: quoted-printable writes no "=_". */
static void mail_parts(struct mail *m, size_t budget)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, html = SW_BUF_INIT;
	static const char between[] = "=_shipwatch";

	sw_alert_text(m->al, SW_MARKUP_PLAIN, budget, &text);
	sw_buf_putc(&text, '\n');
	sw_buf_cat(&html, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n"
	                  "<body style=\"font:14px/1.5 sans-serif;color:#222;background:#fff\">\n");
	sw_alert_text(m->al, SW_MARKUP_HTML, 2 * budget, &html);
	sw_buf_cat(&html, "\n</body></html>\n");
	sw_buf_printf(&m->b, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\n", between, between);
	mail_part(m, "plain", &text);
	sw_buf_printf(&m->b, "--%s\r\n", between);
	mail_part(m, "html", &html);
	sw_buf_printf(&m->b, "--%s--\r\n", between);
}

static void mail_job(struct mail *m, struct sw_job *ret)
{
	const char **to = SW_ARENA_ARRAY(m->a, const char *, m->n_to + m->n_copy + 1);

	for (size_t i = 0; i < m->n_to; i++)
		to[i] = m->to[i].addr;
	for (size_t i = 0; i < m->n_copy; i++)
		to[m->n_to + i] = m->copy[i].addr;
	*ret = (struct sw_job){
		.kind = SW_JOB_MAIL,
		.timeout = TIMEOUT,
		.url = sw_arena_printf(m->a, "%s/%s", m->c->server, m->c->helo ? m->c->helo : ""),
		.mail_tls = (enum sw_mail_tls)m->c->tls,
		.mail_user = m->c->user,
		.mail_password = m->c->password,
		.mail_from = m->from.addr,
		.mail_to = to,
		.body = sw_arena_memdup(m->a, m->b.p, m->b.n),
		.body_n = m->b.n,
	};
}

static int email_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                        struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	struct mail m = { .c = conf, .al = al, .a = a };

	if (sw_mime_address(m.c->from, a, &m.from) < 0)
		return sw_err_set(err, EINVAL, "from: \"%s\" is no address", m.c->from);
	mail_people(&m);
	mail_headers(&m, now);
	if (size == SW_SIZE_LINE)
		mail_line(&m);
	else
		mail_parts(&m, size == SW_SIZE_FULL ? FULL : HALF);
	mail_job(&m, ret);
	sw_buf_fini(&m.b);
	return 0;
}

/* ---- what became of it ---- */

static const struct sw_code codes[] = {
	{ 421, SW_RETRY, SW_MINUTE, 0, "the server closes for now" },
	{ 500, SW_CONFIG, 0, 0, "the server does not know a command" },
	{ 501, SW_CONFIG, 0, 0, "an address or a name is not taken" },
	{ 502, SW_CONFIG, 0, 0, "the server does not know a command" },
	{ 503, SW_CONFIG, 0, 0, "the server wants something else first, such as a login" },
	{ 504, SW_CONFIG, 0, 0, "the server does not know the way to log in" },
	{ 521, SW_CONFIG, 0, 0, "the server takes no mail" },
	{ 523, SW_SHRINK, 0, 0, "mail too long" },
	{ 530, SW_CONFIG, 0, 0, "the server wants a login, or TLS first" },
	{ 534, SW_CONFIG, 0, 0, "the server does not take this way to log in" },
	{ 535, SW_CONFIG, 0, 0, "user or password is wrong" },
	{ 538, SW_CONFIG, 0, 0, "the server takes no login without TLS" },
	{ 551, SW_CONFIG, 0, 0, "an address is not of this server" },
	{ 552, SW_SHRINK, 0, 0, "mail too long" },
	{ 553, SW_CONFIG, 0, 0, "an address is not allowed" },
	{ 555, SW_CONFIG, 0, 0, "an address is not taken" },
	{ 556, SW_CONFIG, 0, 0, "the domain takes no mail" },
};

/* The enhanced code (RFC 3463) says more than the code does where both are known. */
static bool says_status(const struct sw_result *res, const char *status)
{
	const char *p = res->body_n > 4 ? res->body + 4 : "";

	return sw_starts(p, status) && (p[strlen(status)] == ' ' || !p[strlen(status)]);
}

static enum sw_outcome outcome_of(const struct sw_result *res, const struct sw_code *row)
{
	if (res->status < 500)
		return SW_RETRY;
	if (says_status(res, "5.2.3") || says_status(res, "5.3.4")) /* longer than the mailbox, than the server takes */
		return SW_SHRINK;
	if (says_status(res, "5.2.2")) /* a mailbox is full: 552 too, and no shorter mail helps */
		return SW_MESSAGE;
	return row ? row->outcome : SW_MESSAGE;
}

static struct sw_class email_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_OK, .code = res->status };
	const struct sw_code *row = NULL;
	char said[300];

	if (res->fault != SW_FAULT_NONE) {
		(void)sw_judge_transport(res, &ret, err);
		return ret;
	}
	(void)sw_err_quote(res->body, res->body_n, said, sizeof said);
	if (res->status == 250) {
		if (res->body_n)
			sw_err_set(err, EIO, "not every address was taken: %s", said);
		return ret;
	}
	for (size_t i = 0; i < SW_COUNT(codes); i++)
		if (codes[i].code == res->status)
			row = &codes[i];
	ret.outcome = outcome_of(res, row);
	if (ret.outcome == SW_RETRY)
		ret.wait = row ? row->wait : 30 * SW_SECOND; /* greylisting forgets those who come too soon */
	sw_err_set(err, EIO, "SMTP %d: %s%s%s", res->status, row ? row->meaning : "", row ? ": " : "", said);
	return ret;
}

static const char *const ids[] = { "email", NULL };

const struct sw_channel sw_channel_email = {
	.base = { "email", "E-mail by SMTP.", keys, sizeof(struct email) },
	.rate = { 30, SW_MINUTE },
	.ids = ids,
	.check = email_check,
	.credential = email_credential,
	.render = email_render,
	.judge = email_judge,
};
