/* CloudEvents taken out of their three shapes, and what a CDEvent in one means; between cloudevents.c and cdevents.c. */
#ifndef SW_SOURCE_CDEVENTS_H
#define SW_SOURCE_CDEVENTS_H

#include "base/json.h"
#include "shipwatch/plugin.h"

struct envelope {
	const char *id, *source, *type;  /* never NULL */
	const char *subject, *time;      /* or NULL */
	const struct sw_jnode *root;     /* as the JSON format has it: attributes and `data` */
	const struct sw_jnode *data;     /* NULL: none, or it is no JSON */
};

/* "service.deployed" out of "dev.cdevents.service.deployed.0.3.0", one of a closed list; NULL: no CDEvent that is known. */
const char *sw_cdevents_name(const char *type);
bool sw_cdevents_is(const char *type);
/* Does it make an event? */
bool sw_cdevents_wanted(const char *type);
/*
 * Return: 1 and *ret filled (but for source, source_kind, received); 0: of no interest; -EBADMSG with err: a major version that is not
 * known, or something an event of this kind must have is missing.
 */
int sw_cdevents_read(const struct envelope *e, struct sw_arena *a, struct sw_event *ret, struct sw_err *err);

#endif
