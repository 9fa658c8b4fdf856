/*
 * Talking to Redis from a command: a loop that lives as long as the command, each call waits for its answer.
 * Which Redis: --redis, else the configuration's, else the private one of `up` in the state directory.
 */
#ifndef SW_CLI_TALK_H
#define SW_CLI_TALK_H

#include "base/json.h"
#include "cli/options.h"
#include "model/command.h"

struct sw_talk {
	struct sw_common c;
	const char *state_dir;
	const char *who;           /* --who, else the name of the user */
	const char *place;         /* "web/prod": what is looked for is there; NULL: it is looked for everywhere */
	struct sw_config *cfg;     /* -c FILE, once it is open; NULL: not said */
	struct sw_loop *loop;
	struct sw_bus *bus;
	struct sw_arena a;         /* answers live here */
	bool up, done;
	int r;
	int64_t number;
	char *text, why[256];
};

#define SW_OPT_TALK(t)                                                                                                 \
	SW_OPT_CONFIG(&(t)->c), SW_OPT_REDIS(&(t)->c),                                                                 \
	{ "state-dir", 0, SW_OPT_TEXT, &(t)->state_dir, "DIR", "of `up`, where its private Redis is meant", NULL, 0, 0 }
#define SW_OPT_WHO(t)                                                                                                  \
	{ "who", 0, SW_OPT_TEXT, &(t)->who, "NAME", "who does it; your user name unless said", NULL, 0, 0 }

/* Who does it, for a command. */
struct sw_decider sw_talk_by(const struct sw_talk *t);
/* Connects, 5 s at most. Return: 0, or -errno after one line on stderr. */
SW_CHECKED int sw_talk_open(struct sw_talk *t);
void sw_talk_close(struct sw_talk *t);
/* A query of the bus as a tree; *ret NULL: there is no such thing. Return: 0, or -errno after one line on stderr. */
SW_CHECKED int sw_talk_query(struct sw_talk *t, const char *what, struct sw_jnode **ret);
/* A list kept below {sw}: (as "unclaimed"); *ret NULL: there is none. Return: 0, or -errno after one line on stderr. */
SW_CHECKED int sw_talk_list(struct sw_talk *t, const char *key, struct sw_jnode **ret);
/* A dead letter is sent again or dropped. Return: 0, 1 there is none, 2 it cannot be sent again, or -errno after one line on stderr. */
SW_CHECKED int sw_talk_dead_end(struct sw_talk *t, const char *id, bool again);
/* The answer of the last query as text. */
const char *sw_talk_text(const struct sw_talk *t);
/* Return: 0, or -errno after one line on stderr. */
SW_CHECKED int sw_talk_append(struct sw_talk *t, const char *aggregate, const char *msg);
SW_CHECKED int sw_talk_hold(struct sw_talk *t, const char *scope, bool on, const char *why);

/* Where the state is: the option, the configuration's, $XDG_STATE_HOME/shipwatch, var/shipwatch. In the arena. */
const char *sw_cli_state_dir(const char *option, const struct sw_config *cfg, struct sw_arena *a);

#endif
