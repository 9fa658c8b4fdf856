/* The processes themselves: where they listen and whom they trust. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"

#define GW(name) offsetof(struct sw_conf_gateway, name)
static const struct sw_key gateway_keys[] = {
	{ "listen", SW_KEY_STRING, GW(listen), "0.0.0.0:8080", "address:port, or unix:/path" },
	{ "body_max", SW_KEY_SIZE, GW(body_max), "25MiB", "largest JSON body; forms may be three times as large", 1024,
	  1 << 30 },
	{ "trusted_proxies", SW_KEY_STRINGS, GW(trusted_proxies), NULL,
	  "addresses or CIDR whose X-Forwarded-For counts" },
	{ "approvals", SW_KEY_BOOL, GW(approvals), "false", "serve the pages on which people approve or refuse rollbacks, at hooks_url (else public_url)" },
	{ "workers", SW_KEY_INT, GW(workers), "0", "processes; 0: one per core", 0, 256 },
	{ "spool_max", SW_KEY_SIZE, GW(spool_max), "4GiB", "of the spool for the time Redis is away", 1 << 20,
	  (int64_t)1 << 40 },
	{ 0 },
};

int config_number(const char *s, size_t n, int max)
{
	int v = 0;

	if (n == 0 || n > 5)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v <= max ? v : -1;
}

/* "0.0.0.0:8080", "[::]:8080", "localhost:8080", ":8080" is not enough, "unix:/run/x.sock". */
static bool server_is_listen(const char *s)
{
	const char *colon = strrchr(s, ':');
	char host[64];

	if (sw_starts(s, "unix:"))
		return s[5] == '/' && strlen(s + 5) < 108;
	if (!colon || colon == s || (size_t)(colon - s) >= sizeof host ||
	    config_number(colon + 1, strlen(colon + 1), 65535) < 0)
		return false;
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = '\0';
	if (*host == '[') {
		struct in6_addr six;

		if (!sw_ends(host, "]"))
			return false;
		host[strlen(host) - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, &six) == 1;
	}
	return !strpbrk(host, ":/ ");
}

bool config_is_cidr(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	unsigned char addr[16];
	char host[64];
	int bits;

	if (n >= sizeof host)
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	bits = inet_pton(AF_INET, host, addr) == 1 ? 32 : inet_pton(AF_INET6, host, addr) == 1 ? 128 : 0;
	if (!bits || !slash)
		return bits > 0;
	return config_number(slash + 1, strlen(slash + 1), bits) >= 0;
}

void config_listen(struct config_load *l, const struct sw_ynode *node, const char *listen)
{
	const struct sw_ynode *at = sw_yget(node, "listen");

	if (at && listen && !server_is_listen(listen))
		sw_diag_error(l->d, at, "listen: want address:port or unix:/path, got \"%s\"", listen);
}

/* The link of a message is what gives the right to decide: where it goes has to be known, and who listens on the way learns it. */
static void server_approvals(struct config_load *l, const struct sw_ynode *node)
{
	const char *url = l->c->hooks_url, *host = url ? strstr(url, "://") : NULL;
	const struct sw_ynode *at = sw_yget(node, "approvals");

	if (!l->c->gateway.approvals)
		return;
	if (!url)
		sw_diag_error(l->d, at, "approvals: messages need a link to the page: say public_url or hooks_url");
	else if (sw_starts(url, "http://") && !sw_starts(host, "://127.") && !sw_starts(host, "://[::1]") && !sw_starts(host, "://localhost"))
		sw_diag_warn(l->d, at, "approvals: the link lets whoever has it decide, and \"%s\" is not https", url);
}

void config_gateway(struct config_load *l, const struct sw_ynode *node)
{
	struct sw_conf_gateway *g = &l->c->gateway;
	const struct sw_ynode *proxies = sw_yget(node, "trusted_proxies");

	(void)sw_keys_read(gateway_keys, node, node, NULL, l->a, g, l->d);
	config_listen(l, node, g->listen);
	server_approvals(l, node);
	for (const char **p = g->trusted_proxies; p && *p; p++)
		if (!config_is_cidr(*p))
			sw_diag_error(l->d, proxies, "trusted_proxies: want addresses such as 10.0.0.0/8, got \"%s\"",
			              *p);
}
