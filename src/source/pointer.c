/* JSON Pointers (RFC 6901): "/build/scm/commit", with ~0 and ~1 for '~' and '/'; a number is the index of a list. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/mapping.h"

/* One part, unescaped. NULL: a '~' that is neither ~0 nor ~1. */
static const char *pointer_part(const char *p, size_t n, struct sw_arena *a)
{
	char *s = sw_arena_strndup(a, p, n), *to = s;

	for (const char *from = s; *from; from++) {
		if (*from != '~') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from != '0' && *from != '1')
			return NULL;
		*to++ = *from == '0' ? '~' : '/';
	}
	*to = '\0';
	return s;
}

int sw_pointer_parse(const char *text, struct sw_arena *a, const struct pointer **ret)
{
	struct pointer *p = SW_ARENA_NEW(a, struct pointer);

	if (sw_starts(text, "./")) {
		p->of_element = true;
		text++;
	}
	if (*text != '/' && *text)
		return -EINVAL;
	p->parts = SW_ARENA_ARRAY(a, const char *, POINTER_PARTS);
	while (*text) {
		size_t n = strcspn(text + 1, "/");

		if (p->n == POINTER_PARTS)
			return -EINVAL;
		p->parts[p->n] = pointer_part(text + 1, n, a);
		if (!p->parts[p->n++])
			return -EINVAL;
		text += n + 1;
	}
	*ret = p;
	return 0;
}

/* The n-th of a list: decimal without leading zeros, as the specification wants it. */
static const struct sw_jnode *pointer_item(const struct sw_jnode *list, const char *part)
{
	const struct sw_jnode *n = list->child;
	size_t i = 0;

	if (!*part || part[strspn(part, "0123456789")] || strlen(part) > 8 || (part[0] == '0' && part[1]))
		return NULL;
	for (const char *c = part; *c; c++)
		i = i * 10 + (size_t)(*c - '0');
	while (n && i--)
		n = n->next;
	return n;
}

const struct sw_jnode *sw_pointer_find(const struct pointer *p, const struct sw_jnode *root, const struct sw_jnode *element)
{
	const struct sw_jnode *n = p->of_element ? element : root;

	for (size_t i = 0; n && i < p->n; i++)
		n = n->type == SW_J_OBJECT ? sw_jget(n, p->parts[i]) : n->type == SW_J_ARRAY ? pointer_item(n, p->parts[i]) : NULL;
	return n;
}
