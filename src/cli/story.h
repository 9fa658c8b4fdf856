/*
 * What happens in the demo by itself: visitors use the service, CI tells of a dozen runs, a release goes out and is fine, the next one
 * is bad, is told and taken back. Everything comes in by HTTP, as from a GitLab and its CI jobs.
 */
#ifndef SW_CLI_STORY_H
#define SW_CLI_STORY_H

#include "cli/demo.h"
#include "io/http_client.h"

struct sw_story;

/* d and client are borrowed. It begins at once. */
struct sw_story *sw_story_new(struct sw_loop *loop, struct sw_demo *d, struct sw_http_client *client);
void sw_story_free(struct sw_story *s); /* NULL is fine; before its client */

#endif
