/*
 * Commands of people, as they are appended to the aggregate they are about: one place makes them, whoever asks (command line, dashboard, the
 * link of a message), so that the engine and the history read one form. Texts are in a.
 */
#ifndef SW_MODEL_COMMAND_H
#define SW_MODEL_COMMAND_H

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

#define SW_COMMAND_NAME 100 /* bytes of a person's name */

/* Who, by which way ("command line", "dashboard", "link", "api"), when. */
struct sw_decider { const char *who, *via; sw_ms at; };

/* "1 to 100 bytes on one line, nothing in it that a terminal or a chat would act on". */
bool sw_command_name_ok(const char *who);

/* To the place of an action that asks. decision: an id of this very decision, by which it is recognised afterwards. */
const char *sw_command_decide(struct sw_arena *a, const struct sw_decider *by, const char *act, bool yes, const char *decision);
/* To a place: hold and release (why may be NULL), cancel of a watch. To an alert: ack. */
const char *sw_command_hold(struct sw_arena *a, const struct sw_decider *by, bool on, const char *why);
const char *sw_command_cancel(struct sw_arena *a, const struct sw_decider *by, const char *watch);
const char *sw_command_ack(struct sw_arena *a, const struct sw_decider *by);
const char *sw_command_label(struct sw_arena *a, const struct sw_decider *by, const char *deployment, bool good);
#define SILENCES_KEY    "silences:all"  /* their aggregate */
#define SILENCES_MOST   200
#define SILENCE_TEXT    200             /* bytes of a matcher or a reason */
#define SILENCE_LONGEST (30 * SW_DAY)
/* To the silences: matchers may be NULL, not all of them. */
struct sw_silence_cmd { const char *id, *service, *env, *rule, *severity, *why; sw_ms until; bool maintenance; };
const char *sw_command_silence(struct sw_arena *a, const struct sw_decider *by, const struct sw_silence_cmd *s);
const char *sw_command_silence_end(struct sw_arena *a, const struct sw_decider *by, const char *id);
/* What is wrong with a silence that somebody wants, in a few words; NULL: nothing. */
const char *sw_silence_wrong(const struct sw_silence_cmd *s);

#endif
