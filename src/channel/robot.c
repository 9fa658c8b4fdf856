/* What the chat robots have in common. */
#include "channel/robot.h"

#include <string.h>

#include "base/str.h"
#include "model/words.h"

bool sw_robot_is_mobile(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n >= 5 && n <= 24 && s[strspn(s, "+0123456789-")] == '\0';
}

static void mobile_add(const char **ret, size_t max, size_t *n, const char *s)
{
	if (*n == max || !sw_robot_is_mobile(s))
		return;
	for (size_t i = 0; i < *n; i++)
		if (strcmp(ret[i], s) == 0)
			return;
	ret[(*n)++] = s;
}

size_t sw_robot_mobiles(const struct sw_alert *al, const char **ret, size_t max)
{
	size_t n = 0;

	for (const char **m = al->mobiles; m && *m; m++)
		mobile_add(ret, max, &n, *m);
	for (size_t i = 0; i < al->n_mentions; i++)
		mobile_add(ret, max, &n, al->mentions[i].mobile);
	return n;
}

const char *sw_robot_link(const struct sw_alert *al)
{
	static const enum sw_link_kind order[] = { SW_LINK_DASHBOARD, SW_LINK_CI_LOG, SW_LINK_COMPARE,
		                                   SW_LINK_ENVIRONMENT };

	for (size_t i = 0; i < SW_COUNT(order); i++)
		if (al->links[order[i]] && sw_starts(al->links[order[i]], "http"))
			return al->links[order[i]];
	return NULL;
}

bool sw_robot_decides(const struct sw_alert *al, struct sw_buf *url)
{
	sw_buf_reset(url);
	return al->ask && sw_alert_url(al->links[SW_LINK_APPROVAL], url);
}

const char *sw_robot_beside(const struct sw_alert *al, struct sw_buf *url)
{
	static const enum sw_link_kind order[] = { SW_LINK_DASHBOARD, SW_LINK_COMPARE, SW_LINK_CI_LOG };

	for (size_t i = 0; i < SW_COUNT(order); i++) {
		sw_buf_reset(url);
		if (sw_alert_url(al->links[order[i]], url))
			return sw_word_link(order[i], al->locale);
	}
	return NULL;
}

bool sw_robot_says(const struct sw_result *res, const char *const *words)
{
	for (; *words; words++)
		if (res->body && strstr(res->body, *words))
			return true;
	return false;
}
