/* How commands without a configuration reach others: proxies as the environment names them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "cli/http.h"

/* Lower case first; http_proxy has no other spelling, because HTTP_PROXY can be set by a request's header where CGI is used. */
static const char *net_env(const char *lower, const char *upper)
{
	const char *v = getenv(lower);

	if ((!v || !*v) && upper)
		v = getenv(upper);
	return v && *v ? v : NULL;
}

/* "example.com", ".example.com" (both: and what is below it), "example.com:8443", "*". */
static bool net_entry_fits(const char *e, size_t n, const char *host, size_t host_n, const char *with_port)
{
	if (n == 1 && *e == '*')
		return true;
	if (strlen(with_port) == n && strncasecmp(with_port, e, n) == 0)
		return true;
	if (n && *e == '.') {
		e++;
		n--;
	}
	if (!n || n > host_n || strncasecmp(host + host_n - n, e, n) != 0)
		return false;
	return n == host_n || host[host_n - n - 1] == '.';
}

static bool net_straight(const char *url, struct sw_arena *a)
{
	const char *list = net_env("no_proxy", "NO_PROXY"), *p = strstr(url, "://"), *at, *host, *with_port;
	size_t n, host_n;

	if (!list || !p)
		return false;
	p += 3;
	n = strcspn(p, "/?#");
	at = memrchr(p, '@', n);
	n -= at ? (size_t)(at + 1 - p) : 0;
	with_port = host = sw_arena_strndup(a, at ? at + 1 : p, n);
	host_n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	for (p = list; *p; p += strspn(p, ", \t")) {
		n = strcspn(p, ", \t");
		if (n && net_entry_fits(p, n, host, SW_MIN(host_n, strlen(host)), with_port))
			return true;
		p += n;
	}
	return false;
}

void sw_cli_net_for(const char *url, const char *proxy, const char *ca_file, struct sw_arena *a, struct sw_cli_net *ret)
{
	*ret = (struct sw_cli_net){ .proxy = proxy, .ca_file = ca_file };
	if (proxy) {
		ret->proxy = sw_streq(proxy, "none") ? NULL : proxy;
		return;
	}
	ret->proxy = sw_starts(url, "https:") ? net_env("https_proxy", "HTTPS_PROXY") : net_env("http_proxy", NULL);
	if (!ret->proxy)
		ret->proxy = net_env("all_proxy", "ALL_PROXY");
	if (ret->proxy && net_straight(url, a))
		ret->proxy = NULL;
}
