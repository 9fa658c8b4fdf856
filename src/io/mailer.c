/* Mail by libcurl's easy interface, a thread each. */
#include "io/mailer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/str.h"
#include "io/resolve.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define CONNECT_TIMEOUT (5 * SW_SECOND)
#define REPLY_MAX       ((size_t)2048)
#define GO_AHEAD        354 /* the server wants the mail itself now */

struct mail {
	struct sw_mailer *m;
	struct mail *prev, *next; /* of the mailer's list */
	struct mail *done_next;
	struct sw_arena a;
	struct sw_job job;
	const char *host, *port;
	sw_mailer_cb cb;
	void *arg;
	sw_dur began, until;
	struct sw_resolve *resolve;
	struct sw_timer timer;
	struct sw_defer later;
	bool started, running; /* it has one of the places; it has a thread */
	pthread_t thread;
	/* the thread's */
	struct curl_slist *pins, *rcpt;
	struct sw_buf reply, refused;
	size_t handed;
	int code;   /* the last one */
	bool whole; /* the answer in reply is over: another line begins a new one */
	bool go_ahead, taken;
	struct sw_result res;
	char why[CURL_ERROR_SIZE + 128];
};

struct sw_mailer {
	struct sw_loop *loop;
	struct sw_resolver *resolver;
	char *ca_file;
	struct mail *first, *last;
	size_t n, places;
	atomic_bool ending;
	int fd; /* a thread is done */
	struct event *ev;
	pthread_mutex_t lock;
	struct mail *done; /* under lock */
};

static void mailer_next(struct sw_mailer *m);

/* ---- in the thread ---- */

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct mail *k = arg;
	size_t left = k->job.body_n - k->handed;

	n = SW_MIN(n * size, left);
	memcpy(p, k->job.body + k->handed, n);
	k->handed += n;
	return n;
}

/* Of an address. Others are of a greeting, of TLS or a login, and are got over or end it all. */
static bool is_refusal(int code)
{
	return code >= 400 && code != 421 && code != 454 && code != 500 && code != 502 && code / 10 != 53;
}

/* Lines of the server's answers: "250-more", "250 last". */
static size_t on_line(char *p, size_t size, size_t n, void *arg)
{
	struct mail *k = arg;
	size_t len = n *= size;

	while (len && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	if (len >= 3 && memcmp(p, "221", 3) == 0) /* it says good bye; what counts was said before */
		return n;
	if (k->whole)
		sw_buf_reset(&k->reply);
	if (k->reply.n < REPLY_MAX) {
		sw_buf_cat(&k->reply, k->reply.n ? " " : "");
		sw_buf_catn(&k->reply, p, SW_MIN(len, REPLY_MAX));
	}
	k->whole = len < 4 || p[3] != '-';
	if (!k->whole || len < 3)
		return n;
	k->code = (int)strtol(sw_buf_str(&k->reply), NULL, 10);
	if (k->code == GO_AHEAD) {
		k->go_ahead = true;
	} else if (k->go_ahead) {
		k->taken |= k->code == 250;
	} else if (is_refusal(k->code) && k->refused.n < REPLY_MAX) {
		sw_buf_cat(&k->refused, k->refused.n ? "; " : "");
		sw_buf_catn(&k->refused, k->reply.p, k->reply.n);
	}
	return n;
}

/* Asked at least every second. The QUIT behind it all is politeness: after a mail that was taken, or at the limit, it
 * is not waited for. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct mail *k = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&k->m->ending) || k->taken || sw_clock_mono() >= k->until;
}

static void mail_options(struct mail *k, CURL *e)
{
	const struct sw_job *job = &k->job;
	static const long tls[] = { [SW_MAIL_TLS] = CURLUSESSL_ALL,
		                    [SW_MAIL_TLS_IF_OFFERED] = CURLUSESSL_TRY,
		                    [SW_MAIL_PLAIN] = CURLUSESSL_NONE };
	sw_dur left = SW_MAX(k->until - sw_clock_mono(), (sw_dur)1);

	(void)curl_easy_setopt(e, CURLOPT_URL, job->url);
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	(void)curl_easy_setopt(e, CURLOPT_USE_SSL, tls[job->mail_tls]);
	(void)curl_easy_setopt(e, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)left);
	(void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)SW_MIN(left, CONNECT_TIMEOUT));
	(void)curl_easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(left / SW_SECOND + 1));
	(void)curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L); /* its QUIT is this handle's, with our progress function */
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, k->why);
	(void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_line);
	(void)curl_easy_setopt(e, CURLOPT_HEADERDATA, k);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_line);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, k);
	(void)curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(e, CURLOPT_XFERINFODATA, k);
	(void)curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(e, CURLOPT_READDATA, k);
	(void)curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->body_n);
	(void)curl_easy_setopt(e, CURLOPT_MAIL_FROM, job->mail_from);
	(void)curl_easy_setopt(e, CURLOPT_MAIL_RCPT, k->rcpt);
	(void)curl_easy_setopt(e, CURLOPT_MAIL_RCPT_ALLLOWFAILS,
	                       1L); /* one wrong address does not keep the others from it */
	if (job->mail_user && *job->mail_user) {
		(void)curl_easy_setopt(e, CURLOPT_USERNAME, job->mail_user);
		(void)curl_easy_setopt(e, CURLOPT_PASSWORD, job->mail_password);
	}
	if (k->m->ca_file)
		(void)curl_easy_setopt(e, CURLOPT_CAINFO, k->m->ca_file);
	if (k->pins)
		(void)curl_easy_setopt(e, CURLOPT_RESOLVE, k->pins);
}

/* How far it came. Up to its last byte the server throws a mail away that breaks off; from then on it may have it. */
static enum sw_fault mail_fault(const struct mail *k, CURLcode code)
{
	if (k->go_ahead && k->handed == k->job.body_n)
		return SW_FAULT_AMBIGUOUS;
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return SW_FAULT_CERT;
	case CURLE_USE_SSL_FAILED: /* no STARTTLS where it is wanted */
	case CURLE_LOGIN_DENIED:   /* without a code: no way to log in that both know */
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return SW_FAULT_REFUSED;
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_OPERATION_TIMEDOUT:
		return SW_FAULT_TIMEOUT_CONNECT;
	default:
		return SW_FAULT_CONNECT;
	}
}

static void *mail_thread(void *arg)
{
	struct mail *k = arg;
	CURL *e = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;
	uint64_t one = 1;

	if (e) {
		mail_options(k, e);
		code = curl_easy_perform(e);
		curl_easy_cleanup(e);
	}
	if (k->taken) {
		k->res.status = 250;
	} else if (k->code >= 400) {
		k->res.status = k->code;
	} else {
		k->res.fault = mail_fault(k, code);
		if (!k->why[0])
			(void)snprintf(k->why, sizeof k->why, "%s", curl_easy_strerror(code));
	}
	(void)pthread_mutex_lock(&k->m->lock);
	k->done_next = k->m->done;
	k->m->done = k;
	(void)pthread_mutex_unlock(&k->m->lock);
	(void)!write(k->m->fd, &one, sizeof one);
	return NULL;
}

/* ---- in the loop ---- */

static void mail_free(struct mail *k)
{
	struct sw_mailer *m = k->m;

	if (k->running)
		(void)pthread_join(k->thread, NULL);
	if (k->resolve)
		sw_resolve_cancel(k->resolve);
	sw_timer_stop(&k->timer);
	sw_defer_cancel(&k->later);
	*(k->prev ? &k->prev->next : &m->first) = k->next;
	*(k->next ? &k->next->prev : &m->last) = k->prev;
	m->n--;
	m->places -= k->started;
	curl_slist_free_all(k->pins);
	curl_slist_free_all(k->rcpt);
	sw_buf_fini(&k->reply);
	sw_buf_fini(&k->refused);
	sw_arena_fini(&k->a);
	free(k);
}

static void mail_end(void *arg)
{
	struct mail *k = arg;
	struct sw_mailer *m = k->m;
	const struct sw_buf *said = k->taken ? &k->refused : &k->reply;

	if (k->running)
		(void)pthread_join(k->thread, NULL);
	k->running = false;
	k->res.body = sw_buf_str(said);
	k->res.body_n = said->n;
	k->res.took = sw_clock_mono() - k->began;
	k->res.at = sw_clock_wall();
	if (k->res.fault != SW_FAULT_NONE)
		k->res.detail = k->why;
	k->cb(k->arg, &k->res);
	mail_free(k);
	mailer_next(m);
}

static void mail_fail(struct mail *k, enum sw_fault fault, const char *why)
{
	k->res.fault = fault;
	(void)snprintf(k->why, sizeof k->why, "%s", why);
	k->later = (struct sw_defer){ .cb = mail_end, .arg = k };
	sw_loop_defer(k->m->loop, &k->later);
}

/* Signals are the loop's. */
static void mail_run(struct mail *k)
{
	sigset_t all, old;
	int r;

	sw_timer_stop(&k->timer);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&k->thread, NULL, mail_thread, k);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		mail_fail(k, SW_FAULT_CONNECT, "no thread for this mail");
	else
		k->running = true;
}

static void on_resolved(void *arg, const char *const *addrs, size_t n, const char *why)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct mail *k = arg;

	k->resolve = NULL;
	if (!n) {
		sw_timer_stop(&k->timer);
		sw_buf_printf(&b, "cannot resolve %s: %s", k->host, why);
		mail_fail(k, SW_FAULT_CONNECT, sw_buf_str(&b));
		return;
	}
	sw_buf_printf(&b, "+%s:%s:", k->host, k->port);
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(&b, strchr(addrs[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "", addrs[i]);
	k->pins = curl_slist_append(NULL, sw_buf_str(&b));
	mail_run(k);
}

/* It waited too long for a place, or for the name. */
static void on_limit(void *arg)
{
	struct mail *k = arg;

	if (k->resolve)
		sw_resolve_cancel(k->resolve);
	k->resolve = NULL;
	mail_fail(k, SW_FAULT_TIMEOUT_CONNECT,
	          k->started ? "no answer about the host's name in time" : "other mails took too long");
}

static void mail_start(struct mail *k)
{
	k->started = true;
	k->m->places++;
	if (k->host[0] == '[')
		mail_run(k);
	else
		k->resolve = sw_resolve(k->m->resolver, k->host, on_resolved, k);
}

static void mailer_next(struct sw_mailer *m)
{
	for (struct mail *k = m->first; k && m->places < SW_MAIL_THREADS; k = k->next)
		if (!k->started && !k->later.loop)
			mail_start(k);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct sw_mailer *m = arg;
	struct mail *list;
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof n);
	(void)pthread_mutex_lock(&m->lock);
	list = SW_TAKE(m->done);
	(void)pthread_mutex_unlock(&m->lock);
	while (list) {
		struct mail *next = list->done_next;

		mail_end(list);
		list = next;
	}
}

/* ---- from outside ---- */

static const char *copy_part(CURLU *u, CURLUPart part, struct sw_arena *a)
{
	char *s = NULL;
	const char *ret;

	if (curl_url_get(u, part, &s, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return NULL;
	ret = sw_arena_strdup(a, s);
	curl_free(s);
	return ret;
}

static bool mail_aim(struct mail *k)
{
	CURLU *u = curl_url();
	const char *scheme = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, k->job.url, 0) == CURLUE_OK) {
		scheme = copy_part(u, CURLUPART_SCHEME, &k->a);
		k->host = copy_part(u, CURLUPART_HOST, &k->a);
		k->port = copy_part(u, CURLUPART_PORT, &k->a);
	}
	curl_url_cleanup(u);
	return scheme && (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0) && k->host && *k->host &&
	       k->port;
}

static void job_copy(struct mail *k, const struct sw_job *job)
{
	struct sw_arena *a = &k->a;

	k->job = *job;
	k->job.url = sw_arena_strdup(a, job->url ? job->url : "");
	k->job.mail_user = sw_arena_strdup(a, job->mail_user);
	k->job.mail_password = sw_arena_strdup(a, job->mail_password ? job->mail_password : "");
	k->job.mail_from = sw_arena_strdup(a, job->mail_from);
	k->job.body = sw_arena_memdup(a, job->body, job->body_n);
	for (const char **p = job->mail_to; p && *p; p++)
		k->rcpt = curl_slist_append(k->rcpt, *p);
}

void sw_mailer_do(struct sw_mailer *m, const struct sw_job *job, sw_mailer_cb cb, void *arg)
{
	struct mail *k = sw_calloc(1, sizeof *k);

	SW_ASSERT(job->kind == SW_JOB_MAIL);
	k->m = m;
	k->cb = cb;
	k->arg = arg;
	k->whole = true;
	k->began = sw_clock_mono();
	k->until = k->began + (job->timeout > 0 ? job->timeout : SW_MAIL_TIMEOUT);
	job_copy(k, job);
	k->prev = m->last;
	*(m->last ? &m->last->next : &m->first) = k;
	m->last = k;
	sw_timer_init(&k->timer, m->loop, on_limit, k);
	if (++m->n > SW_MAIL_WAITING) {
		mail_fail(k, SW_FAULT_CONNECT, "too many mails wait");
	} else if (!mail_aim(k) || !k->rcpt || !job->mail_from) {
		mail_fail(k, SW_FAULT_REFUSED, "not an smtp or smtps URL, or nobody to write to");
	} else {
		sw_timer_set(&k->timer, k->until - k->began);
		mailer_next(m);
	}
}

int sw_mailer_new(struct sw_loop *loop, const struct sw_mailer_conf *conf, struct sw_mailer **ret, struct sw_err *err)
{
	struct sw_mailer *m = sw_calloc(1, sizeof *m);
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) { /* counted; never undone */
		free(m);
		return sw_err_set(err, ENOMEM, "libcurl cannot be initialized");
	}
	m->loop = loop;
	m->ca_file = conf && conf->ca_file && *conf->ca_file ? sw_strdup(conf->ca_file) : NULL;
	(void)pthread_mutex_init(&m->lock, NULL);
	atomic_init(&m->ending, false);
	m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = sw_resolver_new(loop, conf ? conf->resolv_conf : NULL, conf ? conf->hosts : NULL, &m->resolver);
	m->ev = m->fd >= 0 ? event_new(loop->base, m->fd, EV_READ | EV_PERSIST, on_done, m) : NULL;
	if (r < 0 || !m->ev || event_add(m->ev, NULL) < 0) {
		sw_mailer_free(m);
		return sw_err_set(err, ENOMEM, "mail cannot be set up");
	}
	*ret = m;
	return 0;
}

void sw_mailer_free(struct sw_mailer *m)
{
	if (!m)
		return;
	atomic_store(&m->ending, true);
	while (m->first)
		mail_free(m->first);
	if (m->ev)
		event_free(m->ev);
	if (m->fd >= 0)
		(void)close(m->fd);
	sw_resolver_free(m->resolver);
	(void)pthread_mutex_destroy(&m->lock);
	free(m->ca_file);
	free(m);
}
