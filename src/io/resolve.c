/* Names to addresses: libevent's resolver (evdns), its files read again when they change. */
#include "io/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "shipwatch/mem.h"

struct file_mark {
	const char *path;
	struct timespec changed;
	ino_t ino;
};

struct sw_resolver {
	struct sw_loop *loop;
	struct evdns_base *dns;
	struct file_mark conf, hosts;
	size_t open; /* questions evdns is working on */
};

struct sw_resolve {
	struct sw_resolver *r;
	struct evdns_getaddrinfo_request *req; /* NULL: evdns is through with it */
	sw_resolve_cb cb;                      /* NULL: cancelled */
	void *arg;
	struct sw_defer later;
	char addrs[SW_RESOLVE_ADDRS][INET6_ADDRSTRLEN];
	size_t n;
	char why[160];
};

/* True when the file is another than at the last look. */
static bool file_changed(struct file_mark *f)
{
	struct stat st;

	if (stat(f->path, &st) < 0)
		memset(&st, 0, sizeof st);
	if (st.st_ino == f->ino && st.st_mtim.tv_sec == f->changed.tv_sec && st.st_mtim.tv_nsec == f->changed.tv_nsec)
		return false;
	f->ino = st.st_ino;
	f->changed = st.st_mtim;
	return true;
}

static struct evdns_base *resolver_dns(struct sw_resolver *r)
{
	struct evdns_base *dns = evdns_base_new(r->loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (!dns)
		return NULL;
	/* Without the file evdns asks 127.0.0.1, as the C library does. */
	(void)evdns_base_resolv_conf_parse(dns, DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC,
	                                   r->conf.path);
	(void)evdns_base_load_hosts(dns, r->hosts.path);
	return dns;
}

/* evdns would write lines of its own to stderr, between those of the log; who asks is told anyway. */
static void on_evdns_log(int warning, const char *text)
{
}

int sw_resolver_new(struct sw_loop *loop, const char *resolv_conf, const char *hosts, struct sw_resolver **ret)
{
	struct sw_resolver *r = sw_calloc(1, sizeof *r);

	r->loop = loop;
	evdns_set_log_fn(on_evdns_log);
	r->conf.path = sw_strdup(resolv_conf ? resolv_conf : "/etc/resolv.conf");
	r->hosts.path = sw_strdup(hosts ? hosts : "/etc/hosts");
	(void)file_changed(&r->conf);
	(void)file_changed(&r->hosts);
	r->dns = resolver_dns(r);
	if (!r->dns) {
		sw_resolver_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void sw_resolver_free(struct sw_resolver *r)
{
	if (!r)
		return;
	if (r->dns)
		evdns_base_free(r->dns, 1);
	free((void *)(uintptr_t)r->conf.path);
	free((void *)(uintptr_t)r->hosts.path);
	free(r);
}

/* Only while nothing is open: evdns would fail what is under way. */
static void resolver_refresh(struct sw_resolver *r)
{
	struct evdns_base *dns;
	bool conf, hosts;

	if (r->open)
		return;
	conf = file_changed(&r->conf);
	hosts = file_changed(&r->hosts);
	if (!conf && !hosts)
		return;
	dns = resolver_dns(r);
	if (!dns)
		return;
	evdns_base_free(r->dns, 1);
	r->dns = dns;
}

static void resolve_add(struct sw_resolve *q, const struct evutil_addrinfo *ai)
{
	const void *p;

	if (q->n == SW_RESOLVE_ADDRS)
		return;
	if (ai->ai_family == AF_INET)
		p = &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
	else if (ai->ai_family == AF_INET6)
		p = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr;
	else
		return;
	if (inet_ntop(ai->ai_family, p, q->addrs[q->n], sizeof q->addrs[0]))
		q->n++;
}

static void resolve_tell(void *arg)
{
	struct sw_resolve *q = arg;
	const char *addrs[SW_RESOLVE_ADDRS];

	for (size_t i = 0; i < q->n; i++)
		addrs[i] = q->addrs[i];
	q->cb(q->arg, addrs, q->n, q->n ? NULL : q->why);
	free(q);
}

static void resolve_later(struct sw_resolve *q)
{
	q->later = (struct sw_defer){ .cb = resolve_tell, .arg = q };
	sw_loop_defer(q->r->loop, &q->later);
}

static void resolve_done(int code, struct evutil_addrinfo *res, void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct sw_resolve *q = arg;

	if (!q->cb) { /* cancelled: evdns tells that too; q->r may be gone */
		if (res)
			evutil_freeaddrinfo(res);
		free(q);
		return;
	}
	q->req = NULL;
	q->r->open--;
	for (size_t f = 0; f < SW_COUNT(families); f++)
		for (const struct evutil_addrinfo *ai = res; ai && !code; ai = ai->ai_next)
			if (ai->ai_family == families[f])
				resolve_add(q, ai);
	if (!q->n)
		(void)snprintf(q->why, sizeof q->why, "%s", code ? evutil_gai_strerror(code) : "no address");
	if (res)
		evutil_freeaddrinfo(res);
	resolve_later(q);
}

/* Numeric, or the one name every machine knows. */
static bool resolve_direct(struct sw_resolve *q, const char *host)
{
	unsigned char ip[16];

	if (strcasecmp(host, "localhost") == 0) {
		(void)snprintf(q->addrs[q->n++], sizeof q->addrs[0], "127.0.0.1");
		(void)snprintf(q->addrs[q->n++], sizeof q->addrs[0], "::1");
		return true;
	}
	if (inet_pton(AF_INET, host, ip) != 1 && inet_pton(AF_INET6, host, ip) != 1)
		return false;
	(void)snprintf(q->addrs[q->n++], sizeof q->addrs[0], "%s", host);
	return true;
}

struct sw_resolve *sw_resolve(struct sw_resolver *r, const char *host, sw_resolve_cb cb, void *arg)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
		                         .ai_socktype = SOCK_STREAM,
		                         .ai_protocol = IPPROTO_TCP };
	struct evdns_getaddrinfo_request *req;
	struct sw_resolve *q = sw_calloc(1, sizeof *q);

	q->r = r;
	q->cb = cb;
	q->arg = arg;
	if (strlen(host) > 253 || !*host) {
		(void)snprintf(q->why, sizeof q->why, "not a host name");
		resolve_later(q);
		return q;
	}
	if (resolve_direct(q, host)) {
		resolve_later(q);
		return q;
	}
	resolver_refresh(r);
	r->open++;
	/* The answer may come before this returns (hosts file): then req is NULL and q waits for the end of the turn.
	 */
	req = evdns_getaddrinfo(r->dns, host, NULL, &hints, resolve_done, q);
	if (req)
		q->req = req;
	return q;
}

void sw_resolve_cancel(struct sw_resolve *q)
{
	if (!q->req) {
		sw_defer_cancel(&q->later);
		free(q);
		return;
	}
	q->cb = NULL;
	q->r->open--;
	evdns_getaddrinfo_cancel(q->req); /* leads to resolve_done, which frees q */
}
