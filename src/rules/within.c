/* within(windows.freeze): windows of time in the `lists:` of a rules file, days and hours in the configuration's timezone. */
#include <errno.h>
#include <string.h>

#include "rules/check.h"

static int window_days(const char *s, unsigned *ret)
{
	static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	int from = -1, to = -1;

	for (int i = 0; i < 7; i++) {
		if (strncmp(s, names[i], 3) == 0)
			from = i;
		if (strlen(s) == 7 && s[3] == '-' && strcmp(s + 4, names[i]) == 0)
			to = i;
	}
	if (from < 0 || (strlen(s) != 3 && to < 0))
		return -EINVAL;
	for (int i = from; to >= 0 && i != to; i = (i + 1) % 7)
		*ret |= 1u << i;
	*ret |= 1u << (to >= 0 ? to : from);
	return 0;
}

/* "HH:MM" to minutes of the day; -1: something else. */
static int window_minute(const struct sw_ynode *n, int otherwise)
{
	const char *s = n && n->type == SW_Y_SCALAR ? n->text : "";
	int h, m;

	if (!n)
		return otherwise;
	if (strlen(s) != 5 || s[2] != ':' || strspn(s, "0123456789:") != 5 || strchr(s + 3, ':'))
		return -1;
	h = (s[0] - '0') * 10 + s[1] - '0';
	m = (s[3] - '0') * 10 + s[4] - '0';
	return h > 24 || m > 59 || (h == 24 && m) ? -1 : h * 60 + m;
}

int sw_check_within(struct check *c, struct node *n)
{
	const struct sw_ynode *list = n->list[0]->kind == N_PATH ? sw_check_list(c, n->list[0]->name) : NULL;
	struct time_window *w;
	size_t k = 0;

	if (!list)
		return sw_wrong_set(c->wrong, n->list[0]->at, "within wants a window of `lists:` in the rules file, such as windows.freeze");
	w = SW_ARENA_ARRAY(c->sc->a, struct time_window, list->n + 2);
	for (const struct sw_ynode *x = list->type == SW_Y_LIST ? list->child : list->type == SW_Y_MAP ? list : NULL; x;
	     x = list->type == SW_Y_LIST ? x->next : NULL) {
		const struct sw_ynode *days = sw_yget(x, "days");

		w[k] = (struct time_window){ .name = n->list[0]->name, .days = days ? 0 : 127, .from = window_minute(sw_yget(x, "from"), 0),
		                             .to = window_minute(sw_yget(x, "to"), 24 * 60) };
		for (const struct sw_ynode *d = days && days->type == SW_Y_LIST ? days->child : days; d;
		     d = days->type == SW_Y_LIST ? d->next : NULL)
			if (d->type != SW_Y_SCALAR || window_days(d->text, &w[k].days) < 0)
				return sw_wrong_set(c->wrong, n->list[0]->at, "%s: want days such as mon, or fri-sun", n->list[0]->name);
		if (w[k].from < 0 || w[k].to < 0)
			return sw_wrong_set(c->wrong, n->list[0]->at, "%s: want from and to as \"HH:MM\"", n->list[0]->name);
		k++;
	}
	n->within = w; /* ends with an entry without a name */
	n->list[0]->kind = N_LITERAL;
	return 0;
}
